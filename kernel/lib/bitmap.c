/*
 * Bitmaps, and the bit-counting routines that compilers call for __builtin_ctzl and its like where
 * the instruction set has none.
 */
#include "lib/bitmap.h"

/* Indexed by the top six bits of a power of two times a de Bruijn sequence (bitmap.h). */
const u8 bit_position_table[64] = {
	0,
	1,
	48,
	2,
	57,
	49,
	28,
	3,
	61,
	58,
	50,
	42,
	38,
	29,
	17,
	4,
	62,
	55,
	59,
	36,
	53,
	51,
	43,
	22,
	45,
	39,
	33,
	30,
	24,
	18,
	12,
	5,
	63,
	47,
	56,
	27,
	60,
	41,
	37,
	16,
	54,
	35,
	52,
	21,
	44,
	32,
	23,
	11,
	46,
	26,
	40,
	15,
	34,
	20,
	31,
	10,
	25,
	14,
	19,
	9,
	13,
	8,
	7,
	6,
};

/* Bits [low, high) of a word; high - low may be 64. */
static u64 word_mask(u64 low, u64 high)
{
	return (~0UL << low) & (~0UL >> (BITS_PER_WORD - high));
}

void bitmap_set_range(u64 *map, u64 start, u64 len)
{
	u64 end = start + len;

	while (start < end) {
		u64 low = start % BITS_PER_WORD;
		u64 n = MIN(end - start, BITS_PER_WORD - low);

		map[start / BITS_PER_WORD] |= word_mask(low, low + n);
		start += n;
	}
}

void bitmap_clear_range(u64 *map, u64 start, u64 len)
{
	u64 end = start + len;

	while (start < end) {
		u64 low = start % BITS_PER_WORD;
		u64 n = MIN(end - start, BITS_PER_WORD - low);

		map[start / BITS_PER_WORD] &= ~word_mask(low, low + n);
		start += n;
	}
}

/* The first bit that is 1 in (word ^ flip); flip is 0 or all ones. */
static u64 find_bit(const u64 *map, u64 nr, u64 from, u64 flip)
{
	u64 mask = ~0UL << (from % BITS_PER_WORD);

	for (u64 base = from - from % BITS_PER_WORD; base < nr && from < nr; base += BITS_PER_WORD) {
		u64 word = (READ_ONCE(map[base / BITS_PER_WORD]) ^ flip) & mask;

		if (word)
			return MIN(base + bit_lowest(word), nr);
		mask = ~0UL;
	}
	return nr;
}

u64 bitmap_find_set(const u64 *map, u64 nr, u64 from)
{
	return find_bit(map, nr, from, 0);
}

u64 bitmap_find_clear(const u64 *map, u64 nr, u64 from)
{
	return find_bit(map, nr, from, ~0UL);
}

u64 bitmap_find_clear_range(const u64 *map, u64 nr, u64 from, u64 len, u64 align)
{
	u64 start = from;

	for (;;) {
		u64 used;

		start = ALIGN_UP(bitmap_find_clear(map, nr, start), align);
		if (start >= nr || len > nr - start)
			return nr;
		used = bitmap_find_set(map, start + len, start);
		if (used >= start + len)
			return start;
		start = used + 1;
	}
}

u64 bitmap_count(const u64 *map, u64 nr)
{
	u64 count = 0;
	u64 i;

	for (i = 0; i < nr / BITS_PER_WORD; i++)
		count += bit_count(map[i]);
	if (nr % BITS_PER_WORD)
		count += bit_count(map[i] & word_mask(0, nr % BITS_PER_WORD));
	return count;
}

bool bitmap_is_empty(const u64 *map, u64 nr)
{
	return bitmap_find_set(map, nr, 0) == nr;
}

bool bitmap_is_full(const u64 *map, u64 nr)
{
	return bitmap_find_clear(map, nr, 0) == nr;
}

#ifndef HOST_TEST
/* Names and contracts are the compiler runtime's (libgcc). */
int __ctzdi2(u64 x);
int __clzdi2(u64 x);
int __ffsdi2(u64 x);
int __popcountdi2(u64 x);
u64 __bswapdi2(u64 x);
u32 __bswapsi2(u32 x);

int __ctzdi2(u64 x)
{
	return (int)bit_lowest(x);
}

int __clzdi2(u64 x)
{
	return 63 - (int)bit_highest(x);
}

int __ffsdi2(u64 x)
{
	return x ? (int)bit_lowest(x) + 1 : 0;
}

int __popcountdi2(u64 x)
{
	return (int)bit_count(x);
}

u32 __bswapsi2(u32 x)
{
	x = ((x & 0x00ff00ffu) << 8) | ((x >> 8) & 0x00ff00ffu);
	return (x << 16) | (x >> 16);
}

u64 __bswapdi2(u64 x)
{
	return ((u64)__bswapsi2((u32)x) << 32) | __bswapsi2((u32)(x >> 32));
}
#endif
