/* Host fake: the current task is a thread-local pointer that the test sets. */
#ifndef ARCH_RISCV_THREAD_H
#define ARCH_RISCV_THREAD_H

#include "arch/riscv/hart.h"
#include "lib/types.h"

struct task;

struct thread {
	struct hart *hart;
	u32 fail_nth;
	u32 failed_on_demand;
};

extern __thread struct task *fake_current;

static inline struct task *current(void)
{
	return fake_current;
}

/* A test's struct task begins with its struct thread. */
static inline struct thread *current_thread(void)
{
	return (struct thread *)(void *)current();
}

#endif
