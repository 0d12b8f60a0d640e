/*
 * Giving clean cached pages back: one list of all reclaimable frames, oldest
 * first, with a second chance for those used since the last look: by read and write (FRAME_ACCESSED), or through a
 * mapping (the A bits of the leaves that show them, found by the object's mappings).
 *
 * Whoever takes a frame out of its cache holds it BUSY; while BUSY is held by us
 * and owner is set, the cache cannot go away, because dropping a cache takes
 * each frame BUSY first. A mapped page is unmapped after it left the index, under a reference
 * on its inode.
 */
#include "fs/inode.h"
#include "fs/pagecache_internal.h"
#include "lib/errno.h"
#include "mm/reclaim.h"
#include "mm/stat.h"
#include "sync/sched.h"
#include "sync/waitq.h"

#define SCAN_BATCH 32u
#define STALL_NS   10000000ul /* one wait for the flusher */

static struct waitq flushing = WAITQ_INIT(flushing, "reclaim"); /* only its time-out ends a wait */
static bool stalled;                                            /* the last scan found dirty pages alone */

static struct {
	struct spinlock lock; /* the list and FRAME_LRU */
	struct list pages;
	u64 nr;
} lru = {.lock = SPINLOCK_INIT("lru", RANK_LRU), .pages = LIST_INIT(lru.pages)};

void pagecache_lru_add(struct frame *f)
{
	u64 irq = spin_lock_irqsave(&lru.lock);

	atomic_or(&f->flags, FRAME_LRU);
	list_add_tail(&f->link, &lru.pages);
	lru.nr++;
	spin_unlock_irqrestore(&lru.lock, irq);
}

static void lru_remove_locked(struct frame *f)
{
	if (!(atomic_read(&f->flags) & FRAME_LRU))
		return;
	atomic_and(&f->flags, ~FRAME_LRU);
	list_del(&f->link);
	lru.nr--;
}

void pagecache_lru_remove(struct frame *f)
{
	u64 irq = spin_lock_irqsave(&lru.lock);

	lru_remove_locked(f);
	spin_unlock_irqrestore(&lru.lock, irq);
}

/* Takes up to a batch of candidates from the old end; each is referenced and moved to the young end meanwhile. */
static u32 isolate(struct frame **batch, u64 *budget)
{
	u64 irq = spin_lock_irqsave(&lru.lock);
	u32 nr = 0;

	while (nr < SCAN_BATCH && *budget && !list_empty(&lru.pages)) {
		struct frame *f = list_first_entry(&lru.pages, struct frame, link);
		u32 flags = atomic_read(&f->flags);

		(*budget)--;
		list_move_tail(&f->link, &lru.pages);
		if (flags & FRAME_ACCESSED) {
			atomic_and(&f->flags, ~FRAME_ACCESSED);
			continue;
		}
		if (flags & (FRAME_BUSY | FRAME_DIRTY | FRAME_WRITEBACK))
			continue;
		frame_get(f);
		batch[nr++] = f;
	}
	spin_unlock_irqrestore(&lru.lock, irq);
	return nr;
}

/* A mapped page: only tries for the mappings' lock, because whoever wants memory may hold locks that come after it. */
static u32 take_out_mapped(struct pagecache *pc, struct frame *f)
{
	struct inode *inode = pc->inode;
	struct superblock *sb = inode->sb;
	u64 pgoff = f->index;
	u32 taken = 0;

	if (!super_pin(sb))
		return 0;
	if (!refcount_get_not_zero(&inode->refs)) {
		super_unpin(sb);
		return 0;
	}
	if (mutex_trylock(&pc->obj.lock)) {
		if (memobj_harvest_locked(&pc->obj, pgoff, pgoff) && reclaim_pass() < RECLAIM_PASSES - 1) {
			pagecache_touch(f);
		} else if (pagecache_remove_unused(pc, f)) {
			memobj_unmap_locked(&pc->obj, pgoff, pgoff);
			taken = 1;
		}
		mutex_unlock(&pc->obj.lock);
	}
	inode_put(inode);
	super_unpin(sb);
	return taken;
}

/* The frame is BUSY by us. 1 when it left its cache. */
static u32 take_out(struct frame *f)
{
	struct pagecache *pc = f->owner;

	/* A hint: it may be found, changed and let go at any moment. pagecache_remove_unused() has the last word. */
	if (!pc || (atomic_read(&f->flags) & (FRAME_DIRTY | FRAME_WRITEBACK)) || atomic_read(&f->refs) != 2)
		return 0;
	return memobj_mapped(&pc->obj) ? take_out_mapped(pc, f) : pagecache_remove_unused(pc, f);
}

static u64 pagecache_scan(u64 want)
{
	struct frame *batch[SCAN_BATCH];
	u64 budget = READ_ONCE(lru.nr) * 2 + SCAN_BATCH;
	u64 freed = 0, scanned = budget;

	while (freed < want && budget) {
		u32 nr = isolate(batch, &budget);

		if (!nr)
			break; /* the list is empty, or nothing on it can go */
		for (u32 i = 0; i < nr; i++) {
			if (frame_try_busy(batch[i])) {
				freed += take_out(batch[i]);
				frame_clear_wake(batch[i], FRAME_BUSY);
			}
			frame_put(batch[i]);
		}
		sched_point();
	}
	if (freed < want)
		writeback_kick();
	stalled = !freed && pagecache_nr_dirty() + pagecache_nr_writeback() > 0;
	atomic64_add(&vm_stats.pgscan_file, scanned - budget);
	atomic64_add(&vm_stats.pgsteal_file, freed);
	return freed;
}

static u64 pagecache_size(void)
{
	return READ_ONCE(lru.nr);
}

/* All that could go is dirty: gives the flusher, which may be waiting for us, a moment. */
static bool pagecache_settle(void)
{
	if (!READ_ONCE(stalled))
		return false;
	WRITE_ONCE(stalled, false);
	(void)WAITQ_WAIT(&flushing, false, SLEEP_UNINTERRUPTIBLE, clock_mono_ns() + STALL_NS);
	return true;
}

static struct shrinker shrinker = {
	.name = "page cache",
	.kind = RECLAIM_FILE,
	.scan = pagecache_scan,
	.size = pagecache_size,
	.settle = pagecache_settle,
};

void pagecache_reclaim_init(void)
{
	reclaim_register(&shrinker);
}
