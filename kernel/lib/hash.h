/* Hash functions for tables in memory: fast, well spread; not for secrets. */
#ifndef LIB_HASH_H
#define LIB_HASH_H

#include "lib/types.h"

#define HASH_SEED 0xcbf29ce484222325UL

/* A bijective mix of all 64 bits. */
static inline u64 hash_u64(u64 x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93UL;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93UL;
	x ^= x >> 32;
	return x;
}

static inline u64 hash_pair(u64 a, u64 b)
{
	return hash_u64(hash_u64(a) ^ b);
}

static inline u64 hash_ptr(const void *ptr)
{
	return hash_u64((uintptr_t)ptr);
}

/* Eight bytes a step; `seed` starts or chains (HASH_SEED, or a boot-time random number). */
u64 hash_bytes(const void *data, size_t len, u64 seed);
/* FNV-1a, byte by byte: the same value on every machine and version. */
u64 hash_fnv1a(const void *data, size_t len);
u64 hash_string(const char *s);

#endif
