/*
 * Sleeping locks for many readers or one writer. A waiting writer stops new readers, so writers do
 * not starve; those who wait are served in order, neighbouring readers together. A reader must not
 * take the same lock for reading again.
 *
 * `state`: bit 0 RWLOCK_WRITER, bit 1 RWLOCK_WAITERS, the rest the number of readers times
 * RWLOCK_READER.
 *
 *	read lock:    no WRITER, no WAITERS: cmpxchg v -> v + READER       else wait
 *	read unlock:  v -= READER (one atomic add); if that leaves just WAITERS: grant
 *	write lock:   cmpxchg 0 -> WRITER                                  else wait
 *	write unlock: cmpxchg WRITER -> 0; if that fails: drop WRITER under wait_lock, grant
 *	grant:        under wait_lock, from the head of the list: a writer if there are no holders,
 *	              or every reader up to the next writer if there is no writer; each is taken off
 *	              and woken holding the lock
 *
 * R1 WAITERS is set exactly while the list is not empty, and changes with it under wait_lock.
 * R2 while WAITERS is set no fast path takes the lock; only `grant` does, and holders only leave.
 * Why no wake is lost: a waiter sets WAITERS by a cmpxchg from the very value that kept it out. The
 *    last holder's leaving is a later change of the same word, so it sees WAITERS and calls grant,
 *    under wait_lock, which finds the waiter on the list. Grant decides from the state alone, so
 *    calling it once too often is harmless. A waiter that leaves takes wait_lock once more; the
 *    lock is kept alive by a reference, not by being held.
 */
#ifndef SYNC_RWLOCK_H
#define SYNC_RWLOCK_H

#include "lib/list.h"
#include "sync/spinlock.h"

#define RWLOCK_WRITER  1UL
#define RWLOCK_WAITERS 2UL
#define RWLOCK_READER  4UL

struct rwlock {
	u64 state;
	struct spinlock wait_lock;
	struct list waiters; /* of struct rwlock_waiter, guarded by wait_lock */
	struct lock_id id;
};

#define RWLOCK_INIT(name, lock_name, lock_rank)                                                \
	{                                                                                      \
		.state = 0, .wait_lock = SPINLOCK_INIT("rwlock wait", RANK_LOCK_WAIT),         \
		.waiters = LIST_INIT((name).waiters), .id = LOCK_ID_INIT(lock_name, lock_rank) \
	}

/* `name`: a string literal. */
void rwlock_init(struct rwlock *rw, const char *name, enum lock_rank rank);

/*
 * Context: may sleep. The killable forms: 0, or -EINTR when the task is dying and the lock was not
 * taken.
 */
static inline void rwlock_read_lock(struct rwlock *rw);
MUST_CHECK int rwlock_read_lock_killable(struct rwlock *rw);
void rwlock_write_lock(struct rwlock *rw);
MUST_CHECK int rwlock_write_lock_killable(struct rwlock *rw);
/* For the second lock of a pair of one rank. */
void rwlock_read_lock_nested(struct rwlock *rw);
void rwlock_write_lock_nested(struct rwlock *rw);

/* Return whether it was taken; do not sleep; exempt from the rank check. */
MUST_CHECK bool rwlock_read_trylock(struct rwlock *rw);
MUST_CHECK bool rwlock_write_trylock(struct rwlock *rw);

static inline void rwlock_read_unlock(struct rwlock *rw);
void rwlock_write_unlock(struct rwlock *rw);
/* The writer becomes a reader; nobody writes in between. */
void rwlock_downgrade(struct rwlock *rw);

/* With the checks, and whatever the fast paths below could not do. */
void rwlock_read_lock_slow(struct rwlock *rw);
void rwlock_read_unlock_slow(struct rwlock *rw);

static inline void rwlock_read_lock(struct rwlock *rw)
{
#ifndef VITRINE_DEBUG
	u64 state = READ_ONCE(rw->state);

	if (likely(!(state & (RWLOCK_WRITER | RWLOCK_WAITERS))) &&
		likely(__atomic_compare_exchange_n(
			&rw->state, &state, state + RWLOCK_READER, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)))
		return;
#endif
	rwlock_read_lock_slow(rw);
}

static inline void rwlock_read_unlock(struct rwlock *rw)
{
#ifndef VITRINE_DEBUG
	u64 left = __atomic_sub_fetch(&rw->state, RWLOCK_READER, __ATOMIC_RELEASE);

	if (likely(left != RWLOCK_WAITERS))
		return;
#endif
	rwlock_read_unlock_slow(rw);
}

/* Held by anyone? */
static inline bool rwlock_is_write_locked(const struct rwlock *rw)
{
	return (READ_ONCE(rw->state) & RWLOCK_WRITER) != 0;
}

static inline bool rwlock_is_locked(const struct rwlock *rw)
{
	return (READ_ONCE(rw->state) & ~RWLOCK_WAITERS) != 0;
}

static inline void rwlock_assert_write_held(const struct rwlock *rw)
{
	DEBUG_ASSERT(rwlock_is_write_locked(rw));
}

/* For reading or writing. */
static inline void rwlock_assert_held(const struct rwlock *rw)
{
	DEBUG_ASSERT(rwlock_is_locked(rw));
}

#endif
