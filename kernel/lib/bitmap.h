/*
 * Arrays of bits in u64 words; bit i is bit i % 64 of word i / 64. Locking is the caller's; the
 * names with _atomic need none. `nr` is the size of the whole bitmap in bits; a search that finds
 * nothing returns nr.
 */
#ifndef LIB_BITMAP_H
#define LIB_BITMAP_H

#include "lib/types.h"

#define BITS_PER_WORD            64
#define BITMAP_WORDS(nr)         DIV_ROUND_UP(nr, BITS_PER_WORD)
#define BITMAP_BYTES(nr)         (BITMAP_WORDS(nr) * sizeof(u64))
#define DECLARE_BITMAP(name, nr) u64 name[BITMAP_WORDS(nr)]

static inline u64 bitmap_word_bit(u64 bit)
{
	return 1UL << (bit % BITS_PER_WORD);
}

static inline void bitmap_set(u64 *map, u64 bit)
{
	map[bit / BITS_PER_WORD] |= bitmap_word_bit(bit);
}

static inline void bitmap_clear(u64 *map, u64 bit)
{
	map[bit / BITS_PER_WORD] &= ~bitmap_word_bit(bit);
}

static inline bool bitmap_test(const u64 *map, u64 bit)
{
	return (READ_ONCE(map[bit / BITS_PER_WORD]) & bitmap_word_bit(bit)) != 0;
}

static inline void bitmap_set_atomic(u64 *map, u64 bit)
{
	__atomic_fetch_or(&map[bit / BITS_PER_WORD], bitmap_word_bit(bit), __ATOMIC_SEQ_CST);
}

static inline void bitmap_clear_atomic(u64 *map, u64 bit)
{
	__atomic_fetch_and(&map[bit / BITS_PER_WORD], ~bitmap_word_bit(bit), __ATOMIC_SEQ_CST);
}

/* These two return whether the bit was set before. */
static inline bool bitmap_test_and_set_atomic(u64 *map, u64 bit)
{
	u64 b = bitmap_word_bit(bit);

	return (__atomic_fetch_or(&map[bit / BITS_PER_WORD], b, __ATOMIC_SEQ_CST) & b) != 0;
}

static inline bool bitmap_test_and_clear_atomic(u64 *map, u64 bit)
{
	u64 b = bitmap_word_bit(bit);

	return (__atomic_fetch_and(&map[bit / BITS_PER_WORD], ~b, __ATOMIC_SEQ_CST) & b) != 0;
}

/* Bits [start, start + len). */
void bitmap_set_range(u64 *map, u64 start, u64 len);
void bitmap_clear_range(u64 *map, u64 start, u64 len);

/* The first such bit at or after `from`, or nr. */
u64 bitmap_find_set(const u64 *map, u64 nr, u64 from);
u64 bitmap_find_clear(const u64 *map, u64 nr, u64 from);
/*
 * The first run of `len` clear bits at or after `from`, aligned to `align` (a power of two), or nr.
 */
u64 bitmap_find_clear_range(const u64 *map, u64 nr, u64 from, u64 len, u64 align);

/* How many bits of the nr are set. */
u64 bitmap_count(const u64 *map, u64 nr);
bool bitmap_is_empty(const u64 *map, u64 nr);
bool bitmap_is_full(const u64 *map, u64 nr);

#define bitmap_for_each_set(bit, map, nr) \
	for ((bit) = bitmap_find_set(map, nr, 0); (bit) < (nr); (bit) = bitmap_find_set(map, nr, (bit) + 1))

/* ---- single words: in software, since the base instruction set counts no bits ---- */
extern const u8 bit_position_table[64];

/* Position of the lowest or highest set bit; x != 0. */
static inline u32 bit_lowest(u64 x)
{
	return bit_position_table[((x & -x) * 0x03f79d71b4cb0a89UL) >> 58];
}

static inline u32 bit_highest(u64 x)
{
	x |= x >> 1;
	x |= x >> 2;
	x |= x >> 4;
	x |= x >> 8;
	x |= x >> 16;
	x |= x >> 32;
	return bit_position_table[((x ^ (x >> 1)) * 0x03f79d71b4cb0a89UL) >> 58];
}

static inline u32 bit_count(u64 x)
{
	x -= (x >> 1) & 0x5555555555555555UL;
	x = (x & 0x3333333333333333UL) + ((x >> 2) & 0x3333333333333333UL);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fUL;
	return (u32)((x * 0x0101010101010101UL) >> 56);
}

/* The smallest n with 1 << n >= x; 0 for x <= 1. */
static inline u32 log2_ceil(u64 x)
{
	return x <= 1 ? 0 : bit_highest(x - 1) + 1;
}

#endif
