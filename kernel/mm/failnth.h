/*
 * Allocation failures on demand: the n-th allocation of a task from now fails,
 * whichever allocator it goes to, as if nothing were left: without reclaim, and
 * where it is ALLOC_ATOMIC too. Then the task is as before. Allocations of interrupt
 * handlers do not count. One object may count twice: for itself, and for the
 * frames of a new slab.
 *
 * In debug kernels and host tests; the release kernel has none of it. The user's
 * side is /proc/PID/fail-nth (proc/procfs/debug.c); docs/testing.md tells how it is used.
 *
 * Locks: none. A task counts its own allocations; another that arms it meanwhile
 * wins or loses, and does no harm.
 */
#pragma once

#include "arch/riscv/hart.h"
#include "arch/riscv/thread.h"
#include "lib/atomic.h"
#include "lib/types.h"

#if defined(VITRINE_DEBUG) || defined(HOST_TEST)
/* The n-th allocation of t (1: the next) fails; 0: none. */
static inline void alloc_fail_nth_of(struct thread *t, u32 n)
{
	WRITE_ONCE(t->failed_on_demand, 0);
	WRITE_ONCE(t->fail_nth, n);
}

static inline void alloc_fail_nth(u32 n)
{
	alloc_fail_nth_of(current_thread(), n);
}

/* Asked by every allocation, before it looks for memory. */
static inline bool alloc_should_fail(void)
{
	struct thread *t = current_thread();
	u32 left = t ? READ_ONCE(t->fail_nth) : 0;

	/* An interrupt's work is not the task's. */
	if (likely(!left) || t->hart->irq_depth)
		return false;
	WRITE_ONCE(t->fail_nth, left - 1);
	if (left > 1)
		return false;
	WRITE_ONCE(t->failed_on_demand, 1);
	return true;
}

/*
 * True once after such a failure of current. Who would else wait for memory or kill for it takes it for a moment's lack,
 * and tries again: so a page fault survives it, and can be walked to its last allocation.
 */
static inline bool alloc_failed_on_demand(void)
{
	struct thread *t = current_thread();

	if (!t || likely(!READ_ONCE(t->failed_on_demand)))
		return false;
	WRITE_ONCE(t->failed_on_demand, 0);
	return true;
}
#else
static inline bool alloc_should_fail(void)
{
	return false;
}
static inline bool alloc_failed_on_demand(void)
{
	return false;
}
#endif
