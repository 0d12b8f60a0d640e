/*
 * The locks that a hart (spinlocks) or a task (sleeping locks) holds now: plain data, embedded by
 * struct hart and struct task, filled by sync/lockcheck.c in the debug build. Only its owner
 * touches it.
 */
#ifndef LIB_HELD_LOCKS_H
#define LIB_HELD_LOCKS_H

#include "lib/types.h"

#define HELD_LOCKS_MAX 32

struct held_lock {
	const void *lock;
	const char *name;
	u32 rank;
	u32 in_irq;       /* taken by an interrupt handler */
	const u32 *seen;  /* lock_id.seen: LOCK_SEEN_* */
	uintptr_t caller; /* where it was taken */
};

struct held_locks {
	u32 depth; /* entries in use */
	struct held_lock held[HELD_LOCKS_MAX];
};

#endif
