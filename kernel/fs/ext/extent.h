/* Entries of extent trees: fields in two halves, lengths that also say "unwritten". For extent.c. */
#pragma once

#include "fs/ext/ext.h"

static inline struct ext_extent *leaf_entries(struct ext_extent_header *h)
{
	return (struct ext_extent *)(void *)(h + 1);
}

static inline struct ext_extent_index *index_entries(struct ext_extent_header *h)
{
	return (struct ext_extent_index *)(void *)(h + 1);
}

static inline u64 index_block(const struct ext_extent_index *ix)
{
	return ix->leaf_lo | (u64)ix->leaf_hi << 32;
}

static inline void index_set_block(struct ext_extent_index *ix, u64 blk)
{
	ix->leaf_lo = (u32)blk;
	ix->leaf_hi = (u16)(blk >> 32);
	ix->unused = 0;
}

static inline u64 extent_start(const struct ext_extent *ex)
{
	return ex->start_lo | (u64)ex->start_hi << 32;
}

static inline void extent_set_start(struct ext_extent *ex, u64 blk)
{
	ex->start_lo = (u32)blk;
	ex->start_hi = (u16)(blk >> 32);
}

static inline int extent_unwritten(const struct ext_extent *ex)
{
	return ex->len > EXT_EXTENT_MAX_LEN;
}

static inline u32 extent_len(const struct ext_extent *ex)
{
	return extent_unwritten(ex) ? ex->len - EXT_EXTENT_MAX_LEN : ex->len;
}

/* Keeps the kind. */
static inline void extent_set_len(struct ext_extent *ex, u32 len)
{
	ex->len = (u16)(extent_unwritten(ex) ? len + EXT_EXTENT_MAX_LEN : len);
}

static inline u64 extent_end(const struct ext_extent *ex)
{
	return (u64)ex->block + extent_len(ex);
}

/* Both kinds of entry have 12 bytes and begin with their key. */
static inline u32 entry_key(const struct ext_extent_header *h, u32 i)
{
	return ((const struct ext_extent *)(const void *)(h + 1))[i].block;
}
