/* Host fake: which of the test's harts runs now. */
#ifndef ARCH_RISCV_THREAD_H
#define ARCH_RISCV_THREAD_H

#include "lib/types.h"

struct hart;
struct task;

struct thread {
	struct hart *hart;
	u32 fail_nth;
	u32 failed_on_demand;
};

struct hart *this_hart(void);

static inline struct task *current(void)
{
	return NULL;
}
static inline struct thread *current_thread(void)
{
	return NULL;
}

#endif
