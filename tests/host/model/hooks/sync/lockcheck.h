/*
 * Stands in for kernel/sync/lockcheck.h in the model: instead of checking ranks, every spinlock that is about to be
 * taken, with none held and interrupts on, is a place where another hart may come in between (model/race.h).
 */
#ifndef SYNC_LOCKCHECK_H
#define SYNC_LOCKCHECK_H

#include "lib/held_locks.h"
#include "lib/types.h"
#include "sync/rank.h"

struct lock_id {
};

#define LOCK_ID_INIT(n, r) \
	{                  \
	}
#define lock_id_init(id, name, rank)              ((void)(id), (void)(name), (void)(rank))
#define lockcheck_sleep_before(lock, id, nesting) ((void)0)
#define lockcheck_sleep_acquired(lock, id)        ((void)0)
#define lockcheck_sleep_release(lock, id)         ((void)0)
#define lockcheck_none_held(where)                ((void)0)
#define lockcheck_dump()                          ((void)0)
#define might_sleep()                             ((void)0)
#define might_fault()                             ((void)0)

extern u32 model_spins_held;
void model_race(void);

#define lockcheck_spin_before(lock, id, nesting)        \
	do {                                            \
		if (!model_spins_held && irq_enabled()) \
			model_race();                   \
	} while (0)
#define lockcheck_spin_acquired(lock, id) ((void)model_spins_held++)
#define lockcheck_spin_release(lock, id)  ((void)model_spins_held--)

#endif
