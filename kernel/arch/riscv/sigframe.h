/*
 * The frame that a signal handler runs on: Linux riscv64's struct rt_sigframe
 * (siginfo, ucontext with registers and floating point), so that libcs find
 * every field where they expect it.
 */
#pragma once

#include "arch/riscv/thread.h"
#include "lib/types.h"

/* stack_t */
struct sigframe_stack {
	u64 sp;
	s32 flags;
	u32 pad;
	u64 size;
};

/* What a new frame shall say. */
struct sigframe_request {
	vaddr_t handler;
	const void *siginfo; /* 128 bytes */
	u64 mask;            /* to be restored by rt_sigreturn */
	struct sigframe_stack altstack;
	vaddr_t stack_top; /* the frame goes below */
	vaddr_t restorer;  /* where the handler returns to: __vdso_rt_sigreturn */
};

/* Writes the frame and turns `tf` (current's) into the handler's call. 0; -EFAULT, tf unchanged. May fault. */
int sigframe_push(struct trapframe *tf, const struct sigframe_request *rq);
/* rt_sigreturn: takes the registers back from the frame at sp. 0; -EFAULT, tf unchanged; -EINVAL: not a frame of ours. */
int sigframe_pop(struct trapframe *tf, u64 *mask, struct sigframe_stack *altstack);
