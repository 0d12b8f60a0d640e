/* The page cache: pages, their states, and I/O on runs of them. See pagecache.h. */
#include "fs/pagecache.h"

#include "fs/inode.h"
#include "fs/pagecache_internal.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "sync/sched.h"

#define READ_RUN      32u /* pages of one read request */
#define WRITE_RUN     32u /* pages of one write request */
#define READAHEAD_MIN 4u
#define READAHEAD_MAX 32u

struct atomic64 pagecache_cached, pagecache_dirty, pagecache_writing;

static inline u32 frame_flags(const struct frame *f)
{
	return atomic_read(&f->flags);
}

/* ---- the index ---- */

struct frame *pagecache_find(struct pagecache *pc, u64 pgoff)
{
	u64 irq = spin_lock_irqsave(&pc->lock);
	struct frame *f = index_get(&pc->index, pgoff);

	if (f)
		frame_get(f);
	spin_unlock_irqrestore(&pc->lock, irq);
	return f;
}

int pagecache_insert(struct pagecache *pc, u64 pgoff, struct frame **out)
{
	/* Metadata of a file system is the kernel's own need. */
	struct frame *f = frame_alloc(0, FRAME_FILE, pc->flags & PAGECACHE_SECTORS ? 0 : ALLOC_USER);
	u64 irq;
	int err;

	if (!f)
		return -ENOMEM;
	f->owner = pc;
	f->index = pgoff;
	f->dirty_blocks = 0;
	atomic_set(&f->flags, FRAME_BUSY);
	irq = spin_lock_irqsave(&pc->lock);
	err = index_get(&pc->index, pgoff) ? -EEXIST : index_set(&pc->index, pgoff, f);
	if (err == 0 && pc->ops->added) {
		err = pc->ops->added(pc, 1);
		if (err < 0)
			index_erase(&pc->index, pgoff);
	}
	if (err == 0) {
		frame_get(f); /* the index's */
		pc->nr_pages++;
	}
	spin_unlock_irqrestore(&pc->lock, irq);
	if (err < 0) {
		f->owner = NULL;
		atomic_set(&f->flags, 0);
		frame_put(f);
		return err;
	}
	atomic64_inc(&pagecache_cached);
	if (!(pc->flags & PAGECACHE_PINNED))
		pagecache_lru_add(f);
	*out = f;
	return 0;
}

static void clear_dirty_locked(struct pagecache *pc, struct frame *f)
{
	if (!(frame_flags(f) & FRAME_DIRTY))
		return;
	atomic_and(&f->flags, ~FRAME_DIRTY);
	if (pc->flags & PAGECACHE_PINNED)
		return; /* never counted: there is nothing to write */
	index_mark_clear(&pc->index, f->index, PC_DIRTY);
	atomic64_dec(&pagecache_dirty);
}

/*
 * Unless one of the flags is set. For reclaim: nor if somebody uses it. Decided under the lock: whoever finds the page, or begins to write
 * it back, does so there. A writer keeps the reference that it got there until the page is dirty; a fault comes from a mapping that
 * was on the list before, and may have put its reference back already.
 */
static bool remove_unless(struct pagecache *pc, struct frame *f, u32 flags, bool unused)
{
	u64 irq = spin_lock_irqsave(&pc->lock);
	bool may = !(frame_flags(f) & flags);

	DEBUG_ASSERT(f->owner == pc && (frame_flags(f) & FRAME_BUSY));
	if (unused)
		may = may && atomic_read(&f->refs) == 2 && (!memobj_mapped(&pc->obj) || mutex_is_held(&pc->obj.lock));
	if (may) {
		clear_dirty_locked(pc, f);
		index_erase(&pc->index, f->index);
		f->owner = NULL;
		pc->nr_pages--;
		if (pc->ops->released)
			pc->ops->released(pc, 1);
	}
	spin_unlock_irqrestore(&pc->lock, irq);
	if (!may)
		return false;
	/* Nothing of the cache is touched any more, which may be gone. */
	pagecache_lru_remove(f);
	atomic64_dec(&pagecache_cached);
	frame_put(f);
	return true;
}

bool pagecache_remove(struct pagecache *pc, struct frame *f)
{
	return remove_unless(pc, f, FRAME_WRITEBACK, false);
}

bool pagecache_remove_unused(struct pagecache *pc, struct frame *f)
{
	return remove_unless(pc, f, FRAME_DIRTY | FRAME_WRITEBACK, true);
}

/* ---- reading ---- */

void pagecache_clear_tail(struct frame *f)
{
	const struct pagecache *pc = f->owner;
	u64 size = inode_size(pc->inode);

	if (f->index == size >> PAGE_SHIFT && (size & (PAGE_SIZE - 1)))
		memset((u8 *)frame_kva(f) + (size & (PAGE_SIZE - 1)), 0, PAGE_SIZE - (size & (PAGE_SIZE - 1)));
}

void pagecache_read_done(struct frame *f, int error)
{
	if (error) {
		atomic_or(&f->flags, FRAME_ERROR);
	} else {
		smp_wmb(); /* the contents come first */
		atomic_or(&f->flags, FRAME_UPTODATE);
	}
	frame_clear_wake(f, FRAME_BUSY);
}

/* How many pages to read when `pgoff` was missing: more while the reader goes straight on. */
static u32 readahead_size(struct pagecache *pc, u64 pgoff)
{
	u64 size = READ_ONCE(pc->ra_size);

	if (pgoff != 0 && pgoff == READ_ONCE(pc->ra_next))
		size = MIN(MAX(size, (u64)READAHEAD_MIN) * 2, (u64)READAHEAD_MAX);
	else
		size = READAHEAD_MIN;
	WRITE_ONCE(pc->ra_size, size);
	return (u32)size;
}

/* Reads pages from pgoff on, `want` at most, stopping at one that is cached. The first page's fate is the result. */
static int read_run(struct pagecache *pc, u64 pgoff, u32 want)
{
	struct frame *run[READ_RUN];
	u64 end = cache_pages(pc);
	u32 nr = 0;
	int err = 0;

	want = (u32)MIN(MIN(want, READ_RUN), end > pgoff ? end - pgoff : 1);
	while (nr < want) {
		err = pagecache_insert(pc, pgoff + nr, &run[nr]);
		if (err < 0)
			break;
		nr++;
	}
	if (nr == 0)
		return err == -EEXIST ? 0 : err;
	WRITE_ONCE(pc->ra_next, pgoff + nr);
	err = pc->ops->read(pc, run, nr);
	for (u32 i = 0; i < nr; i++) {
		if (err < 0)
			pagecache_read_done(run[i], err);
		frame_put(run[i]);
	}
	return 0;
}

void pagecache_readahead(struct pagecache *pc, u64 pgoff, u32 nr)
{
	u64 end = MIN(pgoff + nr, cache_pages(pc));

	if (!pc->ops->read)
		return;
	while (pgoff < end) {
		struct frame *f = pagecache_find(pc, pgoff);

		if (f)
			frame_put(f);
		else if (read_run(pc, pgoff, (u32)MIN(end - pgoff, (u64)READ_RUN)) < 0)
			return;
		pgoff++;
	}
}

/* A page that could not be read is taken out again, so that the next try reads anew. */
static void drop_failed(struct pagecache *pc, struct frame *f)
{
	frame_lock_busy(f);
	if (f->owner == pc && !(frame_flags(f) & FRAME_UPTODATE))
		pagecache_remove(pc, f);
	frame_clear_wake(f, FRAME_BUSY);
}

/* A missing page that no device holds: zeroes. */
static int make_zero_page(struct pagecache *pc, u64 pgoff)
{
	struct frame *f;
	int err = pagecache_insert(pc, pgoff, &f);

	if (err < 0)
		return err == -EEXIST ? 0 : err;
	page_zero(frame_kva(f));
	pagecache_read_done(f, 0);
	frame_put(f);
	return 0;
}

int pagecache_get(struct pagecache *pc, u64 pgoff, struct frame **out)
{
	struct frame *f;
	int err;

	for (;;) {
		f = pagecache_find(pc, pgoff);
		if (!f) {
			err = pc->ops->read ? read_run(pc, pgoff, readahead_size(pc, pgoff))
					    : make_zero_page(pc, pgoff);
			if (err < 0)
				return err;
			continue;
		}
		if (!(frame_flags(f) & FRAME_UPTODATE))
			frame_wait(f, FRAME_BUSY);
		if (frame_flags(f) & FRAME_UPTODATE) {
			smp_rmb(); /* the contents come after it: see pagecache_read_done */
			pagecache_touch(f);
			*out = f;
			return 0;
		}
		err = frame_flags(f) & FRAME_ERROR ? -EIO : 0;
		if (err < 0)
			drop_failed(pc, f);
		frame_put(f);
		if (err < 0)
			return err;
	}
}

/* ---- dirtying and writing ---- */

/* The inode has pages to write: the flusher finds it on its superblock's list. */
static void note_dirty_inode(struct inode *inode)
{
	if (!(atomic_read(&inode->state) & INODE_DIRTY_PAGES))
		inode_mark_pages_dirty(inode);
}

void pagecache_mark_dirty(struct pagecache *pc, struct frame *f)
{
	u64 irq;

	if (pc->flags & PAGECACHE_PINNED) {
		/* Nobody writes it back; the flag tells a write fault that make_writable has been here. */
		atomic_or(&f->flags, FRAME_DIRTY);
		return;
	}
	smp_mb(); /* the change of the page comes before the look at the flag; write-back clears it before it reads the page */
	if (frame_flags(f) & FRAME_DIRTY)
		return;
	irq = spin_lock_irqsave(&pc->lock);
	if (f->owner == pc && !(frame_flags(f) & FRAME_DIRTY)) {
		atomic_or(&f->flags, FRAME_DIRTY);
		index_mark_set(&pc->index, f->index, PC_DIRTY);
		atomic64_inc(&pagecache_dirty);
	}
	spin_unlock_irqrestore(&pc->lock, irq);
	note_dirty_inode(pc->inode);
}

void pagecache_write_done(struct frame *f, int error)
{
	struct pagecache *pc = f->owner; /* stays: removal waits for WRITEBACK */
	u64 irq;

	if (error) {
		atomic_or(&f->flags, FRAME_ERROR);
		WRITE_ONCE(pc->wb_error, error);
	}
	irq = spin_lock_irqsave(&pc->lock);
	index_mark_clear(&pc->index, f->index, PC_WRITEBACK);
	frame_clear_wake(f, FRAME_WRITEBACK);
	spin_unlock_irqrestore(&pc->lock, irq);
	atomic64_dec(&pagecache_writing);
	writeback_progress();
	frame_put(f);
}

/* Moves consecutive dirty pages from *key on (to `last`) into WRITEBACK; each gets a reference. */
static u32 gather_dirty(struct pagecache *pc, u64 *key, u64 last, struct frame **run)
{
	u64 irq = spin_lock_irqsave(&pc->lock);
	u32 nr = 0;

	while (nr < WRITE_RUN) {
		u64 k = *key;
		struct frame *f = index_next_marked(&pc->index, &k, PC_DIRTY);

		if (!f || k > last || (nr && k != *key))
			break;
		*key = k;
		if (frame_flags(f) & FRAME_WRITEBACK)
			break;
		clear_dirty_locked(pc, f);
		atomic_or(&f->flags, FRAME_WRITEBACK);
		index_mark_set(&pc->index, k, PC_WRITEBACK);
		atomic64_inc(&pagecache_writing);
		frame_get(f);
		run[nr++] = f;
		*key = k + 1;
	}
	spin_unlock_irqrestore(&pc->lock, irq);
	return nr;
}

static void write_run(struct pagecache *pc, struct frame **run, u32 nr)
{
	int err;

	if (memobj_mapped(&pc->obj))
		memobj_protect(&pc->obj, run[0]->index, run[nr - 1]->index);
	/* A writer that holds it BUSY is about to move the end of file: then what lies there is not to be cleared. */
	if (frame_try_busy(run[nr - 1])) {
		pagecache_clear_tail(run[nr - 1]);
		frame_clear_wake(run[nr - 1], FRAME_BUSY);
	}
	err = pc->ops->write(pc, run, nr);
	if (err < 0)
		for (u32 i = 0; i < nr; i++)
			pagecache_write_done(run[i], err);
}

static void wait_writeback(struct pagecache *pc, u64 first, u64 last)
{
	u64 key = first;

	for (;;) {
		u64 irq = spin_lock_irqsave(&pc->lock);
		struct frame *f = index_next_marked(&pc->index, &key, PC_WRITEBACK);

		if (f && key <= last)
			frame_get(f);
		else
			f = NULL;
		spin_unlock_irqrestore(&pc->lock, irq);
		if (!f)
			return;
		frame_wait(f, FRAME_WRITEBACK);
		frame_put(f);
	}
}

/* The first dirty page at or after *key that is under write-back by someone: waits for it. */
static void wait_page(struct pagecache *pc, u64 key)
{
	struct frame *f = pagecache_find(pc, key);

	if (f) {
		frame_wait(f, FRAME_WRITEBACK);
		frame_put(f);
	}
}

int pagecache_flush(struct pagecache *pc, u64 first, u64 last, enum pagecache_sync how)
{
	struct frame *run[WRITE_RUN];
	u64 key = first;
	u32 skipped = 0;
	int err;

	if (!pc->ops || !pc->ops->write)
		return 0;
	for (;;) {
		u64 irq = spin_lock_irqsave(&pc->lock);
		u64 next = key;
		struct frame *f = index_next_marked(&pc->index, &next, PC_DIRTY);
		u32 nr;

		spin_unlock_irqrestore(&pc->lock, irq);
		if (!f || next > last)
			break;
		key = next;
		nr = gather_dirty(pc, &key, last, run);
		if (nr)
			write_run(pc, run, nr);
		else if (how == PAGECACHE_WAIT)
			wait_page(pc, key);
		else {
			/* Being written and dirty again: later. */
			skipped = 1;
			key++;
		}
		sched_point();
	}
	if (skipped)
		note_dirty_inode(pc->inode);
	if (how == PAGECACHE_WAIT)
		wait_writeback(pc, first, last);
	err = READ_ONCE(pc->wb_error);
	if (err && how == PAGECACHE_WAIT)
		WRITE_ONCE(pc->wb_error, 0);
	return err;
}

/* ---- dropping ---- */

/* Takes page f (referenced) out for good, after its I/O. It may be dirty: then the flusher may begin to write it at any moment. */
static void evict_page(struct pagecache *pc, struct frame *f)
{
	frame_lock_busy(f);
	if (f->owner == pc) {
		u64 pgoff = f->index;

		do
			frame_wait(f, FRAME_WRITEBACK);
		while (!pagecache_remove(pc, f));
		if (memobj_mapped(&pc->obj))
			memobj_unmap(&pc->obj, pgoff, pgoff);
	}
	frame_clear_wake(f, FRAME_BUSY);
}

static void drop_from(struct pagecache *pc, u64 first)
{
	u64 key = first;

	for (;;) {
		u64 irq = spin_lock_irqsave(&pc->lock);
		struct frame *f = index_next(&pc->index, &key);

		if (f)
			frame_get(f);
		spin_unlock_irqrestore(&pc->lock, irq);
		if (!f)
			return;
		evict_page(pc, f);
		frame_put(f);
		sched_point();
	}
}

void pagecache_truncate(struct pagecache *pc, u64 size)
{
	u32 tail = size & (PAGE_SIZE - 1);
	struct frame *f;

	drop_from(pc, DIV_ROUND_UP(size, PAGE_SIZE));
	if (!tail)
		return;
	f = pagecache_find(pc, size >> PAGE_SHIFT);
	if (!f)
		return;
	frame_wait(f, FRAME_BUSY);
	if (frame_flags(f) & FRAME_UPTODATE)
		memset((u8 *)frame_kva(f) + tail, 0, PAGE_SIZE - tail);
	frame_put(f);
}

void pagecache_drop(struct pagecache *pc)
{
	drop_from(pc, 0); /* taking pc->lock at least once: reclaim may still be leaving it */
	index_destroy(&pc->index);
}

/* ---- setting up ---- */

static const struct pagecache_ops no_ops;

void pagecache_init(struct pagecache *pc, struct inode *inode, const struct pagecache_ops *ops)
{
	memobj_init(&pc->obj, &pagecache_obj_ops, pc);
	pc->inode = inode;
	pc->ops = ops ? ops : &no_ops;
	spin_init(&pc->lock, "pagecache", RANK_PAGECACHE);
	index_init(&pc->index);
	pc->nr_pages = 0;
	pc->flags = 0;
	pc->ra_next = 0;
	pc->ra_size = 0;
	pc->wb_error = 0;
}

u64 pagecache_nr_cached(void)
{
	return atomic64_read(&pagecache_cached);
}

u64 pagecache_nr_dirty(void)
{
	return atomic64_read(&pagecache_dirty);
}

u64 pagecache_nr_writeback(void)
{
	return atomic64_read(&pagecache_writing);
}
