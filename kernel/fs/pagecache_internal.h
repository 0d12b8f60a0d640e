/* Shared by pagecache.c (pages and I/O state), pagecache_rw.c (read, write) and pagecache_reclaim.c. */
#pragma once

#include "fs/inode.h"
#include "fs/pagecache.h"

/* A new frame of the cache: BUSY, in the index, one reference for the caller besides. -EEXIST: someone was faster. */
int pagecache_insert(struct pagecache *pc, u64 pgoff, struct frame **out);
/*
 * Takes a BUSY frame out of the index: owner becomes NULL; drops the index's reference. Mappings are the caller's. False: it is being
 * written, and stays.
 */
bool pagecache_remove(struct pagecache *pc, struct frame *f);
/*
 * The same for reclaim: false also when it is dirty, when anybody but the index and the caller has a reference, or when a mapping
 * may show it, unless the caller holds pc->obj.lock and sees to the mappings.
 */
bool pagecache_remove_unused(struct pagecache *pc, struct frame *f);
/* Zeroes the part of the page that lies beyond the end of file (invariant 4). Context: any; f->owner is set and stays. */
void pagecache_clear_tail(struct frame *f);
extern const struct memobj_ops pagecache_obj_ops; /* pagecache_obj.c */
/* Pages that hold some byte of the file. */
static inline u64 cache_pages(const struct pagecache *pc)
{
	return DIV_ROUND_UP(inode_size(pc->inode), PAGE_SIZE);
}
/* A frame was used: second chance for it. */
static inline void pagecache_touch(struct frame *f)
{
	if (!(atomic_read(&f->flags) & FRAME_ACCESSED))
		atomic_or(&f->flags, FRAME_ACCESSED);
}

/* pagecache_reclaim.c: the list of reclaimable frames. */
void pagecache_lru_add(struct frame *f);
void pagecache_lru_remove(struct frame *f);

extern struct atomic64 pagecache_cached, pagecache_dirty, pagecache_writing;
/* writeback.c: a write ended; throttled writers may go on. Context: any. */
void writeback_progress(void);
