/*
 * Reference counts. An increment from 0 and a decrement below 0 are bugs and panic; a count that
 * grows past REFCOUNT_MAX sticks there for ever (the object leaks, which is safe).
 *
 * Ordering: refcount_put releases, and acquires when it returns true, so the last holder sees all
 * others' writes.
 */
#ifndef LIB_REFCOUNT_H
#define LIB_REFCOUNT_H

#include "lib/assert.h"
#include "lib/atomic.h"

#define REFCOUNT_MAX 0x80000000u /* at or above: saturated */

struct refcount {
	struct atomic count;
};

#define REFCOUNT_INIT(n)                \
	{                               \
		.count = ATOMIC_INIT(n) \
	}

static inline void refcount_init(struct refcount *r, u32 n)
{
	atomic_set(&r->count, n);
}

static inline u32 refcount_read(const struct refcount *r)
{
	return atomic_read(&r->count);
}

/* The caller already holds a reference. */
static inline void refcount_get(struct refcount *r)
{
	u32 old = __atomic_fetch_add(&r->count.value, 1, __ATOMIC_RELAXED);

	if (likely(old - 1 < REFCOUNT_MAX - 1))
		return;
	ASSERT(old != 0);
	atomic_set(&r->count, REFCOUNT_MAX + REFCOUNT_MAX / 2);
}

/* For a lookup that may meet a dying object. Returns whether a reference was taken. */
static inline MUST_CHECK bool refcount_get_not_zero(struct refcount *r)
{
	u32 v = atomic_read(&r->count);

	do {
		if (v == 0)
			return false;
		if (unlikely(v >= REFCOUNT_MAX))
			return true;
	} while (!__atomic_compare_exchange_n(&r->count.value, &v, v + 1, true, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
	return true;
}

/* Returns true when this was the last reference: the caller destroys the object. */
static inline MUST_CHECK bool refcount_put(struct refcount *r)
{
	u32 old = __atomic_fetch_sub(&r->count.value, 1, __ATOMIC_RELEASE);

	if (old == 1) {
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		return true;
	}
	if (likely(old - 1 < REFCOUNT_MAX - 1))
		return false;
	ASSERT(old != 0);
	atomic_set(&r->count, REFCOUNT_MAX + REFCOUNT_MAX / 2);
	return false;
}

#endif
