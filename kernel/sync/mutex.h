/*
 * Sleeping locks for one holder.
 *
 * `owner` is the holder's task pointer, or 0; bit 0 (MUTEX_WAITERS) says that someone is on the
 * list. States:
 *
 *	0           free                     lock: cmpxchg 0 -> T, one atomic operation, no spinlock
 *	T           held by T, nobody waits  unlock: cmpxchg T -> 0, the same
 *	T|WAITERS   held by T, others wait   unlock: under wait_lock, hand over:
 *	                                     owner := first waiter | (more ? WAITERS : 0)
 *
 * M1 WAITERS is set exactly while the list is not empty; bit and list change together, under
 * wait_lock.
 * M2 0 -> T and T -> 0 happen only while WAITERS is clear (the cmpxchg sees to it), so with waiters
 *    the lock is never free: it goes from hand to hand in order of arrival and no newcomer
 *    overtakes.
 * Why no wake is lost: a waiter sets WAITERS by a cmpxchg from the very value that showed a holder,
 *    so that holder's fast unlock fails and it goes to the list under wait_lock. The handing over
 *    stores `owner` before sched_wake; the waiter reads `owner` after sched_prepare_sleep (see
 *    sync/sched.h). A waiter that leaves takes wait_lock once more, so that the one who woke it is
 *    done with it. The mutex must be kept alive by a reference until mutex_unlock has returned, not
 *    just by being held.
 */
#ifndef SYNC_MUTEX_H
#define SYNC_MUTEX_H

#include "arch/riscv/thread.h"
#include "lib/list.h"
#include "sync/spinlock.h"

#define MUTEX_WAITERS 1UL

struct mutex {
	u64 owner;
	struct spinlock wait_lock;
	struct list waiters; /* of struct mutex_waiter, guarded by wait_lock */
	struct lock_id id;
};

#define MUTEX_INIT(name, lock_name, lock_rank)                                                 \
	{                                                                                      \
		.owner = 0, .wait_lock = SPINLOCK_INIT("mutex wait", RANK_LOCK_WAIT),          \
		.waiters = LIST_INIT((name).waiters), .id = LOCK_ID_INIT(lock_name, lock_rank) \
	}

/* `name`: a string literal. */
void mutex_init(struct mutex *m, const char *name, enum lock_rank rank);

/* Context: may sleep. */
void mutex_lock(struct mutex *m);
/* For the second lock of a pair of one rank. */
void mutex_lock_nested(struct mutex *m);
/* 0, or -ERESTARTSYS: a signal is pending and the mutex was not taken. */
MUST_CHECK int mutex_lock_interruptible(struct mutex *m);
/* 0, or -EINTR: the task is dying and the mutex was not taken. */
MUST_CHECK int mutex_lock_killable(struct mutex *m);
/* Returns whether it was taken. Context: a task's; does not sleep; exempt from the rank check. */
MUST_CHECK bool mutex_trylock(struct mutex *m);
/* By the holder only. Does not sleep. */
void mutex_unlock(struct mutex *m);

static inline bool mutex_is_locked(const struct mutex *m)
{
	return READ_ONCE(m->owner) != 0;
}

/* By the current task? */
static inline bool mutex_is_held(const struct mutex *m)
{
	return (READ_ONCE(m->owner) & ~MUTEX_WAITERS) == (u64)(uintptr_t)current();
}

static inline void mutex_assert_held(const struct mutex *m)
{
	DEBUG_ASSERT(mutex_is_held(m));
}

#endif
