/*
 * ext2, ext3 and ext4 without a journal of its own: what the files of this room know of each other.
 *
 *	super.c   mounting, features, state          group.c  descriptors, bitmaps, checksums
 *	balloc.c  blocks                             ialloc.c inodes
 *	inode.c   inodes on disk, orphans            map.c    file block → disk block, over extent.c or bmap.c (indirect)
 *	file.c    page cache, truncation, fallocate  dir.c    entries          namei.c  operations on names
 *
 * Invariants
 *  E1. A live inode holds the buffer of its inode-table block (ext_inode.ibuf), so writing it back cannot fail.
 *      The block map's root (i_block), i_flags and i_file_acl live there only; what struct inode has is copied by ext_inode_write.
 *  E2. Group descriptors, held for the life of the mount, are exact; the superblock's free counts are written by sync and unmount.
 *  E3. On disk s_state lacks VALID while mounted for writing.
 *  E4. An inode with nlink 0 and still referenced is on the orphan list: s_last_orphan → i_dtime → … → 0, head is the newest.
 *  E5. Disk content is never trusted: block and inode numbers, lengths and counts are checked before use; what is wrong is
 *      -EIO and ext_error, after which the file system is read-only.
 *
 * Locks, outermost first: inode->lock (VFS) → ext_inode.map_lock (block map; read: look up) → ext_fs.alloc_lock
 * (bitmaps, descriptors, counts) and ext_fs.orphan_lock.
 *
 * For a journal: every change of metadata is buf_access → change → buf_dirty, and each function that is called from
 * inode_ops, super_ops, pagecache_ops.reserve and file_ops is one transaction (truncation: one for each step), so that handles
 * (ext_txn_begin, ext_txn_end) go around those calls.
 */
#pragma once

#include "fs/buf.h"
#include "fs/ext/disk.h"
#include "fs/inode.h"
#include "lib/errno.h"
#include "sync/mutex.h"
#include "sync/rwlock.h"

struct ext_fs {
	struct superblock *sb;
	struct buf super_buf;         /* held */
	struct ext_disk_super *super; /* in it */
	struct buf *gdt;              /* nr_gdt, held */
	u32 nr_gdt;
	u32 block_size, block_bits;
	u32 nr_groups, blocks_per_group, inodes_per_group;
	u32 inode_size, desc_size, desc_per_block, itable_blocks;
	u32 first_data_block, first_ino, inodes_count;
	u32 addr_per_block, addr_bits; /* of an indirect block */
	u64 blocks_count, reserved_blocks;
	u32 compat, incompat, ro_compat;
	u16 csum_seed;    /* crc16 of the uuid */
	u16 mount_state;  /* s_state as it was found */
	u32 force_rdonly; /* why-not is in the log: no remount for writing */
	u32 errors_continue;
	u32 orphan_scan; /* inodes without links may be read now */
	struct mutex alloc_lock;
	u64 free_blocks, free_inodes; /* [alloc_lock] */
	u32 *inode_hint;              /* by group: no free inode below this bit [alloc_lock] */
	u8 *group_checked;            /* by group: bitmaps were looked at [alloc_lock] */
	u32 next_generation;
	struct mutex orphan_lock;
	struct list orphans; /* ext_inode.orphan_link, newest first [orphan_lock] */
};

struct ext_dirindex;

struct ext_inode {
	struct inode *inode;
	struct buf ibuf;            /* held while the inode lives; frame NULL: not read yet */
	struct ext_disk_inode *raw; /* in it */
	struct spinlock raw_lock;   /* held while attributes are copied from the inode to raw */
	struct rwlock map_lock;
	u32 group;
	u32 next_lblk;           /* the block after the last one allocated … */
	u64 next_pblk;           /* … and where it should lie; 0: unknown [map_lock] */
	u32 trim_pending;        /* blocks beyond the end of file could not be freed yet [inode->lock] */
	struct list orphan_link; /* [fs->orphan_lock] */
	/* directories [inode->lock] */
	u32 insert_blk, insert_off; /* where there may be room */
	struct ext_dirindex *index; /* names in memory, or NULL */
};

static inline struct ext_fs *ext_fs(const struct superblock *sb)
{
	return sb->private;
}
static inline struct ext_fs *ext_inode_fs(const struct inode *inode)
{
	return inode->sb->private;
}
static inline struct ext_inode *ext_inode(const struct inode *inode)
{
	return inode->private;
}
static inline int ext_rdonly(const struct ext_fs *fs)
{
	return (fs->sb->flags & MOUNT_RDONLY) != 0;
}

/* ---- super.c ---- */
/* Damage was found: a log line, the error state on disk, and no more writing. Returns -EIO. */
int ext_error(struct ext_fs *fs, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* ---- group.c ---- */
struct ext_group_desc *ext_group(struct ext_fs *fs, u32 g);
u64 ext_group_first_block(const struct ext_fs *fs, u32 g);
u32 ext_group_nr_blocks(const struct ext_fs *fs, u32 g);
u64 ext_block_bitmap(const struct ext_fs *fs, const struct ext_group_desc *gd);
u64 ext_inode_bitmap(const struct ext_fs *fs, const struct ext_group_desc *gd);
u64 ext_inode_table(const struct ext_fs *fs, const struct ext_group_desc *gd);
u32 ext_free_blocks_of(const struct ext_fs *fs, const struct ext_group_desc *gd);
u32 ext_free_inodes_of(const struct ext_fs *fs, const struct ext_group_desc *gd);
u32 ext_used_dirs_of(const struct ext_fs *fs, const struct ext_group_desc *gd);
u32 ext_itable_unused_of(const struct ext_fs *fs, const struct ext_group_desc *gd);
void ext_set_free_blocks(const struct ext_fs *fs, struct ext_group_desc *gd, u32 n);
void ext_set_free_inodes(const struct ext_fs *fs, struct ext_group_desc *gd, u32 n);
void ext_set_used_dirs(const struct ext_fs *fs, struct ext_group_desc *gd, u32 n);
void ext_set_itable_unused(const struct ext_fs *fs, struct ext_group_desc *gd, u32 n);
/* A changed descriptor: its checksum, and to disk. Before the change: ext_group_access. */
int ext_group_access(struct ext_fs *fs, u32 g);
void ext_group_dirty(struct ext_fs *fs, u32 g);
u16 ext_crc16(u16 crc, const void *data, size_t len);
u16 ext_group_csum(const struct ext_fs *fs, u32 g, const struct ext_group_desc *gd);
/* Where block i of the descriptor table is. */
u64 ext_gdt_location(const struct ext_fs *fs, u32 i);
/* The bitmap of group g, made on first use where the group says so. Locks: alloc_lock. -EIO: damaged. */
int ext_block_bitmap_read(struct ext_fs *fs, u32 g, struct buf *out);
int ext_inode_bitmap_read(struct ext_fs *fs, u32 g, struct buf *out);
/* 1 when [start, start + n) is inside the file system and none of it holds group metadata. */
int ext_blocks_ok(struct ext_fs *fs, u64 start, u64 n);

/* ---- balloc.c ---- */
/* 1 … want contiguous blocks, near `goal` (0: anywhere). -ENOSPC, -EIO. */
int ext_alloc_blocks(struct ext_fs *fs, u64 goal, u32 want, u64 *start, u32 *got);
/* They must not be reachable any more. */
void ext_free_blocks(struct ext_fs *fs, u64 start, u64 n);
/* The same for blocks that held metadata: buffers are forgotten. */
void ext_free_meta_block(struct ext_fs *fs, u64 blk);

/* ---- ialloc.c ---- */
/* Takes a number; `raw` of the new inode is zeroed by the caller. */
int ext_ialloc(struct ext_fs *fs, const struct inode *dir, u32 mode, u32 *ino);
void ext_ifree(struct ext_fs *fs, u32 ino, u32 mode);
/* 1 when the bitmap has it in use. */
int ext_inode_in_use(struct ext_fs *fs, u32 ino);

/* ---- inode.c ---- */
int ext_inode_init(struct inode *inode);
void ext_inode_fini(struct inode *inode);
int ext_inode_read(struct inode *inode);
int ext_inode_write(struct inode *inode);
void ext_inode_evict(struct inode *inode);
/* A fresh inode near dir: numbered, owned, in the cache (NEW), its disk inode zeroed and written. */
int ext_inode_new(struct inode *dir, u32 mode, u32 rdev, struct inode **out);
/* Undo of ext_inode_new: blocks and number are given back. */
void ext_inode_cancel(struct inode *inode);
void ext_inode_set_ops(struct inode *inode);
int ext_raw_access(struct inode *inode);
void ext_raw_dirty(struct inode *inode);
void ext_orphan_add(struct inode *inode);
void ext_orphan_remove(struct inode *inode);
/* At mount for writing: finishes what was under way. */
void ext_orphan_cleanup(struct ext_fs *fs);
int ext_inode_slab_init(void);

/* ---- map.c ---- */
struct ext_mapping {
	u64 pblk;      /* 0: a hole */
	u32 len;       /* blocks alike from the one asked for, 1 … max */
	u32 unwritten; /* allocated, reads as zeroes */
};
/* Locks: map_lock for reading (ext_map, ext_map_read: takes it). */
int ext_map_locked(struct inode *inode, u32 lblk, u32 max, struct ext_mapping *m);
int ext_map(struct inode *inode, u32 lblk, u32 max, struct ext_mapping *m);
/* inode_ops.map_blocks; allocated but unwritten blocks are no hole. */
int ext_map_blocks(struct inode *inode, u64 lblk, u32 max, u64 *pblk, u32 *len);
/*
 * Allocates blocks for the hole [lblk, lblk + count); unwritten when asked for (extents only). Partial: on an error those
 * allocated before stay. Takes map_lock.
 */
enum ext_alloc_kind { EXT_ALLOC_WRITTEN, EXT_ALLOC_UNWRITTEN };
int ext_map_alloc(struct inode *inode, u32 lblk, u32 count, enum ext_alloc_kind kind);
/* Unwritten blocks [lblk, lblk + count) count as written from now on. */
int ext_map_convert(struct inode *inode, u32 lblk, u32 count);
/* Frees all blocks from file block `first` on. Takes map_lock, step by step. */
int ext_map_truncate(struct inode *inode, u64 first);
/* Accounts for blocks that the inode got or lost. Locks: map_lock for writing. */
void ext_account(struct inode *inode, s64 nr_blocks);
/* Frees blocks that the map pointed to. Those of directories and symbolic links are buffers, which are forgotten. */
void ext_free_contents(struct inode *inode, u64 start, u64 n);
/* File blocks that the inode's map can reach. */
u64 ext_map_limit(const struct inode *inode);

static inline int ext_uses_extents(const struct inode *inode)
{
	return (ext_inode(inode)->raw->flags & EXT_FL_EXTENTS) != 0;
}

/* ---- extent.c, bmap.c: the same by format. Locks: map_lock ---- */
void ext_extent_init_root(struct inode *inode);
int ext_extent_map(struct inode *inode, u32 lblk, u32 max, struct ext_mapping *m);
/* Enters blocks that are allocated; merges. On error nothing changed. */
int ext_extent_insert(struct inode *inode, u32 lblk, u64 pblk, u32 len, enum ext_alloc_kind kind);
int ext_extent_convert(struct inode *inode, u32 lblk, u32 count);
/* One bounded step; 1: call again, 0: done. */
int ext_extent_truncate_step(struct inode *inode, u64 first);
int ext_bmap_map(struct inode *inode, u32 lblk, u32 max, struct ext_mapping *m);
/* Allocates up to `max` blocks at a hole, with the indirect blocks needed. */
int ext_bmap_alloc(struct inode *inode, u32 lblk, u32 max, u64 goal, struct ext_mapping *m);
int ext_bmap_truncate(struct inode *inode, u64 first);

/* ---- file.c ---- */
void ext_file_init(void);
/* Frees what lies beyond the end of file; when that fails (no memory) it is done again before the file grows. Locks: inode->lock. */
int ext_trim(struct inode *inode);
int ext_setattr(struct inode *inode, const struct inode_attr *attr);
extern const struct pagecache_ops ext_pages_ops;
extern struct file_ops ext_file_ops;

/* ---- dir.c. Locks: dir->lock ---- */
extern const struct file_ops ext_dir_file_ops;
struct ext_dirpos { /* an entry that was found; ext_dir_pos_put */
	struct buf buf;
	struct ext_dirent *de;
	u32 lblk;
};
int ext_dir_find(struct inode *dir, const struct qstr *name, struct ext_dirpos *pos);
void ext_dir_pos_put(struct ext_dirpos *pos);
int ext_dir_insert(struct inode *dir, const struct qstr *name, u32 ino, u32 mode);
/* The entry goes; pos stays to be put. */
int ext_dir_remove(struct inode *dir, struct ext_dirpos *pos);
/* The entry now means another inode. */
int ext_dir_replace(struct inode *dir, struct ext_dirpos *pos, u32 ino, u32 mode);
int ext_dir_make_empty(struct inode *inode, u32 parent_ino);
/* 1, 0 or -errno. */
int ext_dir_is_empty(struct inode *dir);
/* The entry "..", for ext_dir_replace. */
int ext_dir_find_parent(struct inode *dir, struct ext_dirpos *pos);
void ext_dirindex_free(struct ext_inode *ei);

/* ---- namei.c ---- */
extern const struct inode_ops ext_dir_ops, ext_file_inode_ops, ext_symlink_ops, ext_special_ops;
