/* Shared by dir.c (records on disk) and dirindex.c (names in memory). */
#pragma once

#include "fs/ext/ext.h"
#include "lib/hash.h"

/* Bytes that a record of a name of this length needs. */
static inline u32 ext_dirent_len(u32 name_len)
{
	return ALIGN_UP(EXT_DIRENT_HEADER + name_len, 4u);
}

static inline u32 ext_name_hash(const char *name, u32 len)
{
	return (u32)hash_bytes(name, len, HASH_SEED);
}

/* Calls fn for each entry, "." and ".." included; `at`: its byte offset. A nonzero value ends it and is returned. */
int ext_dir_for_each(struct inode *dir, int (*fn)(void *arg, u64 at, const struct ext_dirent *de), void *arg);
/* The buffer of a directory's block. */
int ext_dir_block(struct inode *dir, u32 lblk, struct buf *out);

/* Makes dir's index (dir locked for reading at least). NULL: no memory, or the directory is damaged; search without one. */
const struct ext_dirindex *ext_dirindex_build(struct inode *dir);
/* The next place where a name with this hash may be: cursor starts at 0. 0: no more. */
int ext_dirindex_next(const struct ext_dirindex *ix, u32 hash, u32 *cursor, u64 *at);
/* Nothing happens without an index. Locks: dir for writing. */
void ext_dirindex_add(struct ext_inode *ei, u32 hash, u64 at);
void ext_dirindex_del(struct ext_inode *ei, u32 hash, u64 at);
