/* Host fake: the real structures; which task is current is a thread-local pointer that the test sets. */
#pragma once

#define current        current_of_tp
#define current_thread current_thread_of_tp
#define this_hart      this_hart_of_tp
#include "../../../../../../kernel/arch/riscv/thread.h"
#undef current
#undef current_thread
#undef this_hart

extern __thread struct task *fake_current;

static inline struct task *current(void)
{
	return fake_current;
}

static inline struct thread *current_thread(void)
{
	return (struct thread *)(void *)current();
}

static inline struct hart *this_hart(void)
{
	return current_thread()->hart;
}
