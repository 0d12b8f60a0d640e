/*
 * Spinlocks: for short sections that never sleep.
 *
 * A kernel path is not preempted, so the plain form is enough for locks taken in process context
 * only; a lock that an interrupt handler also takes is always taken with the irqsave form (checked:
 * sync/lockcheck.h, L5).
 *
 * States of `word`: 0 free, 1 held. Taking is one amoswap.aq, releasing one store after a release
 * fence: whatever the holder wrote is seen by the next one. The last thing that spin_unlock does is
 * that store, so the lock's memory may be freed by whoever gets it next.
 */
#ifndef SYNC_SPINLOCK_H
#define SYNC_SPINLOCK_H

#include "arch/riscv/irq.h"
#include "lib/assert.h"
#include "lib/atomic.h"
#include "lib/types.h"
#include "sync/lockcheck.h"

struct spinlock {
	u32 word;
	struct lock_id id;
};

#define SPINLOCK_INIT(lock_name, lock_rank)                         \
	{                                                           \
		.word = 0, .id = LOCK_ID_INIT(lock_name, lock_rank) \
	}

/* `name` must live as long as the lock: a string literal. */
static inline void spin_init(struct spinlock *lock, const char *name, enum lock_rank rank)
{
	lock->word = 0;
	lock_id_init(&lock->id, name, rank);
}

/* The contended case: waits for the lock and takes it. */
void spin_wait(struct spinlock *lock);

static inline bool spin_try_raw(struct spinlock *lock)
{
	return __atomic_exchange_n(&lock->word, 1, __ATOMIC_ACQUIRE) == 0;
}

static inline void spin_lock(struct spinlock *lock)
{
	lockcheck_spin_before(lock, &lock->id, LOCK_NEST_NONE);
	if (unlikely(!spin_try_raw(lock)))
		spin_wait(lock);
	lockcheck_spin_acquired(lock, &lock->id);
}

/* For the second lock of a pair of one rank: the one at the higher address, or the child. */
static inline void spin_lock_nested(struct spinlock *lock)
{
	lockcheck_spin_before(lock, &lock->id, LOCK_NEST_SAME_RANK);
	if (unlikely(!spin_try_raw(lock)))
		spin_wait(lock);
	lockcheck_spin_acquired(lock, &lock->id);
}

/* Returns whether it was taken. Exempt from the rank check: it does not wait. */
static inline MUST_CHECK bool spin_trylock(struct spinlock *lock)
{
	if (READ_ONCE(lock->word) != 0 || !spin_try_raw(lock))
		return false;
	lockcheck_spin_acquired(lock, &lock->id);
	return true;
}

static inline void spin_unlock(struct spinlock *lock)
{
	lockcheck_spin_release(lock, &lock->id);
	store_release(&lock->word, 0);
}

/* Turns interrupts off on this hart first. Returns what to give to spin_unlock_irqrestore. */
static inline MUST_CHECK u64 spin_lock_irqsave(struct spinlock *lock)
{
	u64 flags = irq_save();

	spin_lock(lock);
	return flags;
}

static inline void spin_unlock_irqrestore(struct spinlock *lock, u64 flags)
{
	spin_unlock(lock);
	irq_restore(flags);
}

/* By anyone: only a hint, or for assertions of the positive. */
static inline bool spin_is_locked(const struct spinlock *lock)
{
	return READ_ONCE(lock->word) != 0;
}

/* The first line of a _locked function. Release builds check nothing. */
static inline void spin_assert_held(const struct spinlock *lock)
{
#ifdef VITRINE_DEBUG
	ASSERT(lockcheck_spin_held(lock));
#endif
}

/*
 * Takes two locks of one rank in address order (once, if they are the same one); and gives them
 * back.
 */
void spin_lock_pair(struct spinlock *a, struct spinlock *b);
void spin_unlock_pair(struct spinlock *a, struct spinlock *b);

#endif
