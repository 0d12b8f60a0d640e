/*
 * Run-time checks of locking, in the debug build; all of it vanishes in release.
 *
 * Every lock has a name and a rank. For each hart (spinlocks) and each task (sleeping locks) the
 * list of held locks is kept. What is checked, by panic:
 *   L1 rank order: see sync/rank.h;                 L2 no lock is taken twice by one holder;
 *   L3 only a held lock is released;
 *   L4 nothing sleeps under a spinlock or with interrupts off;
 *   L5 a spinlock that interrupt handlers take is always taken with interrupts off;
 *   L6 under such a spinlock only those are taken that are always taken with interrupts off: so a handler may take its
 *      locks whatever the path that it stopped holds, and L1 is not asked between the two.
 * Rank RANK_NONE is exempt from L1.
 */
#ifndef SYNC_LOCKCHECK_H
#define SYNC_LOCKCHECK_H

#include "lib/held_locks.h"
#include "lib/types.h"
#include "sync/rank.h"

/* What a lock knows about itself: nothing in release. */
struct lock_id {
#ifdef VITRINE_DEBUG
	const char *name;
	u32 rank;
	u32 seen; /* LOCK_SEEN_*: contexts it was taken in, for L5 */
#endif
};

#ifdef VITRINE_DEBUG
#define LOCK_SEEN_IN_IRQ         1u
#define LOCK_SEEN_IRQS_ON        2u
#define LOCK_SEEN_UNDER_IRQ_LOCK 4u /* taken while holding one that handlers take */
#define LOCK_ID_INIT(n, r)                          \
	{                                           \
		.name = (n), .rank = (r), .seen = 0 \
	}

enum lock_nesting { LOCK_NEST_NONE, LOCK_NEST_SAME_RANK };

static inline void lock_id_init(struct lock_id *id, const char *name, enum lock_rank rank)
{
	id->name = name;
	id->rank = (u32)rank;
	id->seen = 0;
}

/* Before spinning; after getting it; before giving it back. The lock's address is its identity. */
void lockcheck_spin_before(const void *lock, struct lock_id *id, enum lock_nesting nesting);
void lockcheck_spin_acquired(const void *lock, struct lock_id *id);
void lockcheck_spin_release(const void *lock, struct lock_id *id);
bool lockcheck_spin_held(const void *lock);

void lockcheck_sleep_before(const void *lock, struct lock_id *id, enum lock_nesting nesting);
void lockcheck_sleep_acquired(const void *lock, struct lock_id *id);
void lockcheck_sleep_release(const void *lock, struct lock_id *id);
bool lockcheck_sleep_held(const void *lock);

void lockcheck_might_sleep(const char *file, int line);
/*
 * Panics if the current task (or this hart) holds any lock: on the way back to user mode, at task
 * exit.
 */
void lockcheck_none_held(const char *where);
/* Logs what this hart and the current task hold: for panic. */
void lockcheck_dump(void);

/* This code may sleep; asserts that it may here. */
#define might_sleep() lockcheck_might_sleep(__FILE__, __LINE__)
#else
#define LOCK_ID_INIT(n, r) \
	{                  \
	}
#define lock_id_init(id, name, rank)              ((void)(id), (void)(name), (void)(rank))
#define lockcheck_spin_before(lock, id, nesting)  ((void)0)
#define lockcheck_spin_acquired(lock, id)         ((void)0)
#define lockcheck_spin_release(lock, id)          ((void)0)
#define lockcheck_sleep_before(lock, id, nesting) ((void)0)
#define lockcheck_sleep_acquired(lock, id)        ((void)0)
#define lockcheck_sleep_release(lock, id)         ((void)0)
#define lockcheck_none_held(where)                ((void)0)
#define lockcheck_dump()                          ((void)0)
#define might_sleep()                             ((void)0)
#endif

/* This code may take a page fault on user memory, and so may sleep. */
#define might_fault() might_sleep()

/* ---- implemented by arch ---- */
/* Of the hart this runs on. NULL, early in boot: nothing is checked. */
struct held_locks *held_locks_hart(void);

/* ---- implemented by proc ---- */
/* Of the current task. NULL, before tasks: nothing is checked. */
struct held_locks *held_locks_task(void);

#endif
