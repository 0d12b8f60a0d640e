/*
 * Buffers: one file-system block of a block device, for metadata. The bytes
 * are those of the device's own page cache (so /dev/vda reads agree); a buffer is a
 * window on one block of such a page.
 *
 * Life: buf_read / buf_new → use under the caller's own lock (inode or allocation-group) → buf_dirty → buf_put.
 * Write-back is by the flusher or buf_sync_all. A journal (later) will stand between buf_dirty and the disk:
 * every change of metadata already goes buf_access (before) … buf_dirty (after).
 */
#pragma once

#include "lib/types.h"

struct blkdev;
struct file_ops;
struct frame;
struct inode;
struct superblock;

struct buf {
	u64 blk;  /* block number in units of the file system's block size */
	u8 *data; /* block_size bytes */
	struct frame *frame;
	struct superblock *sb;
};

/* Referenced buffer with the block's contents: -EIO, -ENOMEM. `out` is a caller's struct (no allocation). */
int buf_read(struct superblock *sb, u64 blk, struct buf *out);
/* The block's contents do not matter: zeroed, not read. */
int buf_new(struct superblock *sb, u64 blk, struct buf *out);
/* I am about to change it. 0, or -errno (later: journal credits). */
int buf_access(struct buf *b);
void buf_dirty(struct buf *b);
void buf_put(struct buf *b);
/* Starts reading without waiting. */
void buf_readahead(struct superblock *sb, u64 blk, u32 nr);
/* The block is now free or belongs to file data: forget a dirty buffer so that it is never written over it. */
void buf_forget(struct superblock *sb, u64 blk, u32 nr);
/* Writes all dirty metadata of sb and waits; device flush is the caller's. */
int buf_sync_all(struct superblock *sb);

/* ---- block devices as files (fs/bdev.c) ---- */

void bdev_init(void); /* after the inode cache */
/* The inode whose page cache holds the device's bytes; made on first use, never goes away. Borrowed. NULL: no memory. */
struct inode *bdev_inode(struct blkdev *bd);
/* What an open of a block device node uses: its open finds the device by inode->rdev (-ENXIO). */
extern const struct file_ops bdev_file_ops;
/* The superblock that all of them belong to: for the flusher. */
struct superblock *bdev_super(void);
/* sync(2): writes what is dirty of every device, waits, flushes the devices. The first error. */
int bdev_sync_all(void);
/* Bytes [from, to) of a page of a device were changed: they are to be written (PAGECACHE_SECTORS). */
void bdev_mark_sectors(struct frame *f, u32 from, u32 to);
