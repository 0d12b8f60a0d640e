#include "lib/hash.h"

#define FNV_PRIME 0x100000001b3UL

u64 hash_fnv1a(const void *data, size_t len)
{
	const u8 *p = data;
	u64 h = HASH_SEED;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * FNV_PRIME;
	return h;
}

u64 hash_bytes(const void *data, size_t len, u64 seed)
{
	const u8 *p = data;
	u64 h = seed ^ (len * FNV_PRIME);

	while (len >= 8) {
		u64 word = 0;

		for (u32 i = 0; i < 8; i++)
			word |= (u64)p[i] << (8 * i);
		h = (h ^ word) * 0x9ddfea08eb382d69UL;
		h ^= h >> 29;
		p += 8;
		len -= 8;
	}
	if (len) {
		u64 word = 0;

		for (size_t i = 0; i < len; i++)
			word |= (u64)p[i] << (8 * i);
		h = (h ^ word) * 0x9ddfea08eb382d69UL;
	}
	return hash_u64(h);
}

u64 hash_string(const char *s)
{
	const char *end = s;

	while (*end)
		end++;
	return hash_bytes(s, (size_t)(end - s), HASH_SEED);
}
