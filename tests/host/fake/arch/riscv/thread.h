/* Host fake: the current task is a thread-local pointer that the test sets. */
#ifndef ARCH_RISCV_THREAD_H
#define ARCH_RISCV_THREAD_H

#include "arch/riscv/hart.h"
#include "lib/types.h"

struct task;

struct thread {
	struct hart *hart;
};

extern __thread struct task *fake_current;

static inline struct task *current(void)
{
	return fake_current;
}

#endif
