/* Arithmetic that tells of overflow, for numbers that come from users, disks and devices. */
#ifndef LIB_CHECKED_H
#define LIB_CHECKED_H

#include "lib/types.h"

/*
 * *out = a op b in out's type; true when the exact result does not fit (then *out is the wrapped
 * one).
 */
#define add_overflow(a, b, out) __builtin_add_overflow(a, b, out)
#define sub_overflow(a, b, out) __builtin_sub_overflow(a, b, out)
#define mul_overflow(a, b, out) __builtin_mul_overflow(a, b, out)

/*
 * Does [start, start + len) lie within [0, limit), without wrapping? An empty range at the limit
 * does.
 */
static inline bool range_ok(u64 start, u64 len, u64 limit)
{
	return len <= limit && start <= limit - len;
}

/* Does [start, start + len) lie within [low, high)? */
static inline bool range_within(u64 start, u64 len, u64 low, u64 high)
{
	return start >= low && range_ok(start, len, high);
}

/* Do the half-open ranges share an element? */
static inline bool range_overlaps(u64 start1, u64 end1, u64 start2, u64 end2)
{
	return start1 < end2 && start2 < end1;
}

/* nr * size, or SIZE_MAX when that does not fit: an allocator refuses it. */
static inline size_t array_bytes(size_t nr, size_t size)
{
	size_t bytes;

	return mul_overflow(nr, size, &bytes) ? SIZE_MAX : bytes;
}

#endif
