/*
 * The page cache: one for read, write and mmap alike. Each inode has a
 * struct pagecache: an index of FRAME_FILE frames by page of the file.
 *
 *   absent → (allocated BUSY, inserted, being read) → UPTODATE ⇄ DIRTY → WRITEBACK → clean → reclaimed
 *
 * Invariants
 *  1. A frame in the index has owner == the pagecache, index == its page, and one reference for being there.
 *  2. DIRTY implies UPTODATE. A frame under WRITEBACK is not changed on disk by anyone else; it may be dirtied again.
 *  3. Blocks behind a DIRTY page are allocated (ops->reserve was called), so write-back needs no space.
 *  4. Bytes beyond the end of file in the last page are zero whenever the page is clean or mapped anew.
 *
 * Locks: pc->lock (spinlock, RANK_PAGECACHE) guards the index and its marks; never held across I/O or a user copy.
 */
#pragma once

#include "lib/index.h"
#include "lib/types.h"
#include "mm/frame.h"
#include "mm/memobj.h"
#include "sync/spinlock.h"

struct inode;
struct pagecache;
struct uio;

struct pagecache_ops {
	/* Reads pages of a run of nr frames (consecutive pages, BUSY): submits I/O; each frame ends UPTODATE or ERROR with
	 * BUSY cleared (pagecache_read_done). Holes and the part beyond EOF are zeroed. 0, or -errno with nothing submitted for any. */
	int (*read)(struct pagecache *pc, struct frame **run, u32 nr);
	/* Writes a run of consecutive frames (WRITEBACK set): ends each with pagecache_write_done. Likewise. */
	int (*write)(struct pagecache *pc, struct frame **run, u32 nr);
	/* Bytes [pos, pos+len) are about to be written: allocate blocks. -ENOSPC, -EFBIG, -EIO. Caller holds inode->lock for writing,
	 * also for a mapped page's first write. Partial: what it allocated before an error lies below the end of file and is zero. */
	int (*reserve)(struct pagecache *pc, u64 pos, u64 len);
	/* NULL, or asked whether nr pages more may be in the index, and told that nr left it (tmpfs counts its memory so). Must not sleep. */
	int (*added)(struct pagecache *pc, u64 nr_pages);
	void (*released)(struct pagecache *pc, u64 nr_pages);
};

struct pagecache {
	struct memobj obj; /* what mm maps; obj.owner == this pagecache */
	struct inode *inode;
	const struct pagecache_ops *ops; /* NULL ops->read: pages are born zero (tmpfs) */
	struct spinlock lock;
	struct index index; /* mark 0: dirty, mark 1: write-back */
	u64 nr_pages;
	u32 flags;
#define PAGECACHE_PINNED BIT(0) /* tmpfs: pages are the only copy, never reclaimed */
#define PAGECACHE_SECTORS \
	BIT(1)                /* a block device: only sectors in frame->dirty_blocks are written (bdev_mark_sectors) */
	u64 ra_next, ra_size; /* readahead: page expected next, window */
	int wb_error;         /* first write-back error since the last fsync reported it */
};

#define PC_DIRTY     0
#define PC_WRITEBACK 1

void pagecache_init(struct pagecache *pc, struct inode *inode, const struct pagecache_ops *ops);

/* The up-to-date page, referenced; reads it (and ahead) when absent. -EIO, -ENOMEM. */
int pagecache_get(struct pagecache *pc, u64 pgoff, struct frame **out);
/* The page for overwriting [from, to) of it: as get, but a page fully covered or beyond EOF is not read first. */
int pagecache_get_for_write(struct pagecache *pc, u64 pgoff, u32 from, u32 to, struct frame **out);
/* The page if it is there (any state), referenced, or NULL. */
struct frame *pagecache_find(struct pagecache *pc, u64 pgoff);
void pagecache_mark_dirty(struct pagecache *pc, struct frame *f);
/* Starts reading pages [pgoff, pgoff + nr) that are not there; does not wait. */
void pagecache_readahead(struct pagecache *pc, u64 pgoff, u32 nr);

/* Completion of I/O on one frame; any context. */
void pagecache_read_done(struct frame *f, int error);
void pagecache_write_done(struct frame *f, int error);

/* Generic read(2)/write(2) bodies for regular files: bytes done or -errno. pos is advanced.
 * read: no lock needed. write: caller holds inode->lock for writing; grows inode->size. */
ssize_t pagecache_read(struct inode *inode, struct uio *uio, s64 *pos);
ssize_t pagecache_write(struct inode *inode, struct uio *uio, s64 *pos);

/* The end of file moves up to `size`: whoever writes the page with the old end back does not take new bytes for a tail to clear.
 * Locks: inode->lock for writing. */
void pagecache_grow(struct inode *inode, u64 size);

/* Writes dirty pages of [first, last] and waits (SYNC) or only starts (ASYNC). Returns the first error. */
enum pagecache_sync { PAGECACHE_START, PAGECACHE_WAIT };
int pagecache_flush(struct pagecache *pc, u64 first, u64 last, enum pagecache_sync how);
/* Drops pages from byte `size` on, zeroing the tail of the last one; unmaps them everywhere. Waits for I/O. */
void pagecache_truncate(struct pagecache *pc, u64 size);
/* Drops everything (evict, unmount). Dirty pages are lost: flush first. */
void pagecache_drop(struct pagecache *pc);

/* Global write-back: `flusher` kernel thread, wakes at 5 s age, or when dirty pages exceed a part of RAM; writers are slowed. */
void writeback_init(void);
void writeback_kick(void);         /* wakes the flusher. Context: any */
void writeback_balance(void);      /* called after dirtying; may sleep */
void pagecache_reclaim_init(void); /* registers the shrinker */
u64 pagecache_nr_cached(void), pagecache_nr_dirty(void), pagecache_nr_writeback(void);
