/*
 * A fast compressor for pages, in the LZ4 block format: a block is a row of sequences, each
 *
 *	token                4 bits: number of literals, 4 bits: length of the match - 4
 *	[255 ... n]          more of the first, if the bits are 15
 *	literals             bytes as they are
 *	offset               2 bytes, little end first: the match is so far back in the output
 *	[255 ... n]          more of the match's length, if the bits are 15
 *
 * The last sequence ends after its literals; at least the last 5 bytes of a block are literals, and no match starts
 * in its last 12.
 *
 * Pure functions: no locks, no allocation. Specification: lz4_Block_format.md of the LZ4 project.
 */
#pragma once

#include "lib/types.h"

#define LZ_TABLE_BITS 12
#define LZ_MAX_INPUT  65535u

/* What lz_compress remembers of its input; contents before and after do not matter. */
struct lz_table {
	u16 at[1 << LZ_TABLE_BITS];
};

/* Compresses len bytes (at most LZ_MAX_INPUT) to at most cap. Returns the size, or 0 when it does not fit. */
u32 lz_compress(const u8 *src, u32 len, u8 *dst, u32 cap, struct lz_table *table);
/* The reverse: 0 when exactly `want` bytes came out of the `len` given, -EINVAL when src is no such block. Never reads or
 * writes outside of the two. */
int lz_decompress(const u8 *src, u32 len, u8 *dst, u32 want);
