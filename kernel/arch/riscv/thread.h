/*
 * The machine part of a task: what the trap entry, the context switch and the
 * stack protector touch. It is the first member of struct task, and tp holds
 * its address whenever the kernel runs.
 *
 * The order of the first members is known to entry.S (through asm-offsets.c)
 * and, for the canary, to the compiler (-mstack-protector-guard-offset=24).
 */
#pragma once

#include "lib/types.h"

struct task;
struct hart;

/* Saved by thread_switch(): what the C calling convention preserves. */
struct context {
	u64 ra;
	u64 sp;
	u64 s[12];
};

/* Every user register at a trap; it lies at the top of the kernel stack. */
struct trapframe {
	u64 pc;      /* in place of x0, which needs no saving */
	u64 x[31];   /* x1 … x31: x[REG - 1] */
	u64 status;  /* sstatus */
	u64 cause;   /* scause; CAUSE_SYSCALL_DONE after the number was taken */
	u64 tval;    /* stval */
	u64 orig_a0; /* a0 before a system call wrote its result there */
};

#define TF_REG(tf, n)      ((tf)->x[(n)-1])
#define TF_RA(tf)          TF_REG(tf, 1)
#define TF_SP(tf)          TF_REG(tf, 2)
#define TF_TP(tf)          TF_REG(tf, 4)
#define TF_A(tf, n)        TF_REG(tf, 10 + (n))
#define TF_NR(tf)          TF_REG(tf, 17)
#define CAUSE_SYSCALL_DONE (~0ul)

struct fpstate {
	u64 f[32];
	u32 fcsr;
};

/* Reasons not to go straight back to user mode; thread.work, atomic bits. */
#define THREAD_RESCHED BIT(0) /* the scheduler wants this hart */
#define THREAD_SIGNAL  BIT(1) /* a signal, a stop or an exit may be pending */
#define THREAD_TRACE   BIT(2) /* system calls are events (trace.h): stays set, and is no reason by itself */
/* Always set when isolating, never otherwise: the way to user mode is another one (isolate.h). Known to entry.S alone. */
#define THREAD_ISOLATED BIT(3)

/* What an event is, and whose (trace.h). One word: it is copied as one. */
union trace_what {
	u64 word;
	struct {
		u32 tid;
		union {
			u32 rest;
			struct {
				u8 cause; /* faults: scause */
				u8 how;   /* by kind */
				u8 kind;  /* enum trace_kind */
				u8 more;  /* faults: enum fault_result; and TRACE_BEFORE */
			};
		};
	};
};

struct thread {
	u64 kernel_sp;     /*  0 top of the kernel stack, where the trapframe ends */
	u64 scratch;       /*  8 entry.S: the user's sp while tp is being taken */
	struct hart *hart; /* 16 where it runs; valid while it is current */
	u64 canary;        /* 24 stack protector */
	u32 work;          /* 32 THREAD_* */
	u32 faults_off;    /* 36 >0: a fault on a user address is not handled, the copy is cut short */
	struct context ctx;
	struct trapframe *tf; /* the user registers; NULL for a kernel thread */
	struct fpstate fp;
	u8 fp_used;           /* fp holds the thread's registers, or the hart does (then sstatus.FS in tf is Dirty) */
	struct hart *fp_hart; /* whose FP registers were last loaded or saved for this thread */
	u32 fail_nth;         /* mm/failnth.h: allocations until one fails; 0: none does */
	u32 failed_on_demand; /* mm/failnth.h: one did */
	union trace_what what;  /* trace.h: the task's tid, and what its last fault was, */
	u64 leaf_before;        /* the leaf that was replaced, */
	u64 leaf_after;         /* and the one that was made */
};

static inline struct task *current(void)
{
	struct task *t;

	/* Not volatile: tp never changes under a running thread. */
	__asm__("mv %0, tp" : "=r"(t));
	return t;
}

static inline struct thread *current_thread(void)
{
	return (struct thread *)current();
}

static inline struct hart *this_hart(void)
{
	return *(struct hart *volatile *)&current_thread()->hart;
}

/*
 * Sets up `t` so that the first thread_switch() to it calls entry(arg) on its
 * kernel stack, interrupts off; the thread that was left is this_hart()->prev.
 * `entry` may return only for a user thread (thread_copy or thread_start_user
 * was called): it then leaves to user mode with t->tf.
 */
void thread_init(struct thread *t, vaddr_t stack_top, void (*entry)(void *), void *arg);

/* Makes `child` return from the same trap as `parent`, with 0 in a0. */
void thread_copy(struct thread *child, const struct thread *parent);

/*
 * Leaves `prev` and runs `next`; returns when `prev` is chosen again. Returns
 * the thread that was left at that moment (its state may now be released).
 * Context: interrupts off, run-queue lock held (the scheduler hands it over).
 */
struct thread *thread_switch(struct thread *prev, struct thread *next);

/* Starts a program: all registers 0 but pc and sp, floating point off. */
void thread_start_user(struct thread *t, vaddr_t pc, vaddr_t sp);

/* Brings t->fp up to date with the hart's registers (t is current). */
void thread_fp_save(struct thread *t);
/* t->fp was changed (signal return): the hart's copy is stale. */
void thread_fp_reload(struct thread *t);
