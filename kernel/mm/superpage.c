/* 2 MiB pages of private memory. See mm/superpage.h. */
#include "mm/superpage.h"

#include "arch/riscv/trace.h"
#include "lib/assert.h"
#include "lib/cmdline.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/fault_priv.h"
#include "mm/stat.h"
#include "sync/sched.h"
#include "sync/waitq.h"

#define WATCH_PERIOD_NS 10000000000ul
#define WATCH_REGIONS   64ul                /* gathered in one round, at most */
#define COLLECT_MIN     (HUGE_NR_PAGES / 2) /* pages a region must have for the watcher */

static enum { THP_ALWAYS, THP_MADVISE, THP_NEVER } policy;

static struct {
	struct spinlock lock;
	struct list spaces; /* [lock] struct aspace.superpage_link */
	struct waitq wake;
	bool started; /* [lock] */
} superpages = {
	.lock = SPINLOCK_INIT("superpages", RANK_LEAF),
	.spaces = LIST_INIT(superpages.spaces),
	.wake = WAITQ_INIT(superpages.wake, "superpages"),
};

void superpage_init(void)
{
	const char *thp = cmdline_get("thp");

	if (!thp || strcmp(thp, "always") == 0)
		policy = THP_ALWAYS;
	else if (strcmp(thp, "madvise") == 0)
		policy = THP_MADVISE;
	else if (strcmp(thp, "never") == 0)
		policy = THP_NEVER;
	else
		pr_warn("thp=%s is not one of always, madvise, never: taking always", thp);
}

/* ---- which regions ---- */

/* The region of va lies in v. */
static bool region_inside(const struct vma *v, vaddr_t va)
{
	vaddr_t start = ALIGN_DOWN(va, HUGE_SIZE);

	return start >= v->start && v->end - start >= HUGE_SIZE && v->end > start;
}

/* New blocks may be made in v. */
static bool blocks_allowed(const struct vma *v)
{
	if ((v->flags & (VMA_SHARED | VMA_EXEC | VMA_STACK | VMA_SPECIAL | VMA_NOHUGE)) || v->obj || v->as->no_superpages)
		return false;
	return policy == THP_ALWAYS || (policy == THP_MADVISE && (v->flags & VMA_HUGE));
}

bool superpage_fits(const struct vma *v, vaddr_t va)
{
	return region_inside(v, va) && blocks_allowed(v);
}

/* ---- faults ---- */

static bool block_owned(const struct frame *f)
{
	for (u64 i = 0; i < HUGE_NR_PAGES; i++)
		if (atomic_read(&f[i].refs) != 1)
			return false;
	return true;
}

/* pt->lock is held. 0/-errno. */
static int map_block(struct vma *v, vaddr_t start, struct frame *f, u32 prot)
{
	int err = pt_map(&v->as->pt, start, frame_pa(f), HUGE_ORDER, prot);

	if (err)
		return err;
	if (prot & PT_WRITE) {
		written_extend(v, start);
		written_extend(v, start + HUGE_SIZE - PAGE_SIZE);
	}
	atomic64_inc(&vm_stats.huge_maps);
	return 0;
}

/* The new block f becomes what v shows at start. False: a page of the region was touched meanwhile, or no memory. */
static bool block_install(struct vma *v, struct amap *am, vaddr_t start, struct frame *f)
{
	bool done;

	spin_lock(&am->lock);
	done = amap_block_add(am, vma_key(v, start), f) == 0;
	if (done) {
		pt_lock(&v->as->pt);
		if (v->flags & VMA_ZERO_SEEN) {
			struct tlb tlb;

			tlb_start(&tlb, &v->as->pt);
			pt_unmap(&v->as->pt, start, start + HUGE_SIZE, &tlb);
			tlb_finish(&tlb);
		}
		/* If that finds no memory for a table, the next touch maps it, somehow. */
		(void)map_block(v, start, f, leaf_prot(v, true) | PT_ACCESSED | PT_DIRTY);
		pt_unlock(&v->as->pt);
		atomic64_add(&v->as->resident, HUGE_NR_PAGES);
		atomic64_add(&vm_stats.anon_frames, HUGE_NR_PAGES);
	}
	spin_unlock(&am->lock);
	return done;
}

bool superpage_fill(struct faultctx *fc)
{
	struct vma *v = fc->vma;
	vaddr_t start = ALIGN_DOWN(fc->va, HUGE_SIZE);
	struct amap *am = fault_amap(v);
	struct frame *f;
	u64 key = vma_key(v, start);
	bool empty;

	if (!am)
		return false;
	spin_lock(&am->lock);
	empty = !index_next(&am->pages, &key) || key - vma_key(v, start) >= HUGE_NR_PAGES;
	spin_unlock(&am->lock);
	superpage_watch(fc->as);
	if (!empty || pt_reserve(&fc->as->pt, start, HUGE_ORDER) != 0)
		return false;
	f = frame_alloc(HUGE_ORDER, FRAME_ANON, ALLOC_USER | ALLOC_SPARE | ALLOC_ZERO);
	if (!f) {
		atomic64_inc(&vm_stats.block_none);
		return false;
	}
	frame_split(f, HUGE_ORDER);
	if (!block_install(v, am, start, f)) {
		for (u64 i = 0; i < HUGE_NR_PAGES; i++)
			frame_put(&f[i]);
		return false;
	}
	atomic64_inc(&vm_stats.block_new);
	trace_note(TRACE_HUGE_MAKE, 0, start, HUGE_NR_PAGES, 0, frame_pa(f));
	return true;
}

bool superpage_map(struct faultctx *fc, const struct amap *am)
{
	struct vma *v = fc->vma;
	vaddr_t start = ALIGN_DOWN(fc->va, HUGE_SIZE);
	bool write = fc->access == ACCESS_WRITE, writable;
	struct frame *f;

	if ((v->flags & VMA_EXEC) || !region_inside(v, fc->va))
		return false;
	f = amap_block(am, vma_key(v, start));
	if (!f || !pt_vacant(&v->as->pt, start, HUGE_ORDER))
		return false;
	DEBUG_ASSERT(index_get(&am->pages, vma_key(v, fc->va)) == f + ((fc->va - start) >> PAGE_SHIFT));
	writable = (v->flags & VMA_WRITE) && !(v->flags & VMA_NEEDS_COPY) && block_owned(f);
	if (write && !writable)
		return false;
	return map_block(v, start, f, leaf_prot(v, writable) | PT_ACCESSED | (write ? PT_DIRTY : 0)) == 0;
}

int superpage_map_part(struct vma *v, vaddr_t va, struct frame *f, u32 prot)
{
	leaf_unhook(v, va);
	return pt_map(&v->as->pt, va, frame_pa(f), 0, prot);
}

/* ---- promotion; as->lock is held for writing, so there are no faults ---- */

/* Pages of v's slots in the region that could be moved. 0 when one of them could not. */
static u64 region_count(struct vma *v, vaddr_t start)
{
	u64 first = vma_key(v, start), key = first, nr = 0;
	void *slot;

	spin_lock(&v->amap->lock);
	index_for_each(&v->amap->pages, key, slot)
	{
		if (key - first >= HUGE_NR_PAGES)
			break;
		if (slot_is_swap(slot) || atomic_read(&((struct frame *)slot)->refs) != 1) {
			nr = 0;
			break;
		}
		nr++;
	}
	spin_unlock(&v->amap->lock);
	return nr;
}

/* The slot at key gets the i-th frame of the block, with what it had, or zeroes. False: it cannot be moved just now. */
static bool slot_gather(struct vma *v, u64 key, struct frame *to)
{
	struct amap *am = v->amap;
	struct frame *from;
	bool moved = false;

	spin_lock(&am->lock);
	from = index_get(&am->pages, key);
	if (!from || (!slot_is_swap(from) && atomic_read(&from->refs) == 1)) {
		if (from)
			page_copy(frame_kva(to), frame_kva(from));
		else
			page_zero(frame_kva(to));
		amap_block_drop(am, key);
		moved = index_replace(&am->pages, key, from, to) == 0;
	}
	if (moved) {
		to->owner = am;
		to->index = key;
	}
	if (moved && !from) {
		atomic64_inc(&v->as->resident);
		atomic64_inc(&vm_stats.anon_frames);
	}
	spin_unlock(&am->lock);
	if (moved && from)
		frame_put(from);
	return moved;
}

/* The slots hold the frames of f in order: says so, unless one went away again. */
static bool region_seal(struct vma *v, u64 first, struct frame *f)
{
	struct amap *am = v->amap;
	bool whole = true;

	spin_lock(&am->lock);
	for (u64 i = 0; i < HUGE_NR_PAGES && whole; i++)
		whole = index_get(&am->pages, first + i) == &f[i];
	if (whole)
		amap_block_mark(am, first, f);
	spin_unlock(&am->lock);
	return whole;
}

/* Gathers the region in a new block; flags are for frame_alloc. 0, -ENOMEM, -EAGAIN: not all of it could be moved. */
static int region_gather(struct vma *v, vaddr_t start, u32 flags)
{
	struct frame *f = frame_alloc(HUGE_ORDER, FRAME_ANON, ALLOC_USER | flags);
	u64 first = vma_key(v, start), done = 0;

	if (!f)
		return -ENOMEM;
	frame_split(f, HUGE_ORDER);
	aspace_unhook(v->as, start, start + HUGE_SIZE);
	while (done < HUGE_NR_PAGES && slot_gather(v, first + done, &f[done]))
		done++;
	if (done == HUGE_NR_PAGES && region_seal(v, first, f)) {
		atomic64_inc(&vm_stats.block_joins);
		trace_note(TRACE_HUGE_MAKE, 1, start, HUGE_NR_PAGES, 0, frame_pa(f));
		return 0;
	}
	for (u64 i = done; i < HUGE_NR_PAGES; i++)
		frame_put(&f[i]);
	return -EAGAIN;
}

/* 0: the region is a block and will be mapped as one; 1: it already was; -EINVAL, -EAGAIN, -ENOMEM. */
static int region_collect(struct vma *v, vaddr_t start, u64 min, u32 flags)
{
	struct pt_entry e;
	bool small, block;
	u64 nr;

	if (!v->amap || (v->flags & (VMA_SHARED | VMA_EXEC | VMA_SPECIAL)) || v->obj || !region_inside(v, start))
		return -EINVAL;
	if ((v->flags & VMA_NEEDS_COPY) && amap_shared(v->amap))
		return -EAGAIN;
	spin_lock(&v->amap->lock);
	block = amap_block(v->amap, vma_key(v, start)) != NULL;
	spin_unlock(&v->amap->lock);
	if (block) {
		pt_lock(&v->as->pt);
		small = pt_query(&v->as->pt, start, &e) == 0 && e.order < HUGE_ORDER;
		pt_unlock(&v->as->pt);
		if (small)
			aspace_unhook(v->as, start, start + HUGE_SIZE);
		return small ? 0 : 1;
	}
	nr = region_count(v, start);
	if (!nr)
		return -EAGAIN;
	return nr < min ? -EINVAL : region_gather(v, start, flags);
}

int superpage_collect(struct aspace *as, vaddr_t start, vaddr_t end)
{
	int result = 0;

	for (vaddr_t at = ALIGN_UP(start, HUGE_SIZE); at < end && end - at >= HUGE_SIZE; at += HUGE_SIZE) {
		struct vma *v;
		int err = -ENOMEM;

		rwlock_write_lock(&as->lock);
		v = vma_at(&as->vmas, at);
		if (v)
			err = vma_unshare(v);
		if (!err)
			err = v->flags & VMA_NOHUGE ? -EINVAL : region_collect(v, at, 1, 0);
		rwlock_write_unlock(&as->lock);
		if (err < 0)
			result = err;
		sched_point();
	}
	return result;
}

/* ---- the watcher ---- */

/* Looks through `as` from *at on; *at is where to go on, ~0: at its end. Returns what is left of `budget`. */
static u64 space_look(struct aspace *as, vaddr_t *at, u64 budget)
{
	struct vma *v;

	rwlock_write_lock(&as->lock);
	for (v = vma_find(&as->vmas, *at); v && budget; v = vma_find(&as->vmas, *at)) {
		vaddr_t start = ALIGN_UP(MAX(*at, v->start), HUGE_SIZE);
		int r;

		*at = v->end;
		if (!blocks_allowed(v) || !v->amap || start >= v->end || !region_inside(v, start))
			continue;
		*at = start + HUGE_SIZE;
		r = region_collect(v, start, COLLECT_MIN, ALLOC_SPARE);
		budget -= r == 0 || r == -EAGAIN;
		if (r == -ENOMEM)
			budget = 0;
	}
	if (!v)
		*at = ~0ul;
	rwlock_write_unlock(&as->lock);
	return budget;
}

/* The next watched address space, referenced; it goes to the end of the list. NULL: none. */
static struct aspace *space_next(void)
{
	struct aspace *as = NULL;

	spin_lock(&superpages.lock);
	if (!list_empty(&superpages.spaces)) {
		as = list_first_entry(&superpages.spaces, struct aspace, superpage_link);
		list_move_tail(&as->superpage_link, &superpages.spaces);
		if (!refcount_get_not_zero(&as->refs))
			as = NULL;
	}
	spin_unlock(&superpages.lock);
	return as;
}

static u64 spaces_watched(void)
{
	struct list *pos;
	u64 nr = 0;

	spin_lock(&superpages.lock);
	for (pos = superpages.spaces.next; pos != &superpages.spaces; pos = pos->next)
		nr++;
	spin_unlock(&superpages.lock);
	return nr;
}

static void watcher(void *arg)
{
	for (;;) {
		u64 budget = WATCH_REGIONS;

		wait_event(&superpages.wake, !list_empty(&superpages.spaces));
		(void)WAITQ_WAIT(&superpages.wake, false, SLEEP_UNINTERRUPTIBLE, clock_mono_ns() + WATCH_PERIOD_NS);
		for (u64 nr = spaces_watched(); nr && budget; nr--) {
			struct aspace *as = space_next();
			vaddr_t at = 0;

			while (as && budget && at != ~0ul) {
				budget = space_look(as, &at, budget);
				sched_point();
			}
			if (as)
				aspace_put(as);
		}
	}
}

void superpage_watch(struct aspace *as)
{
	bool start;

	if (READ_ONCE(as->superpage_watched))
		return;
	spin_lock(&superpages.lock);
	if (!as->superpage_watched) {
		as->superpage_watched = true;
		list_add_tail(&as->superpage_link, &superpages.spaces);
	}
	start = !superpages.started;
	superpages.started = true;
	spin_unlock(&superpages.lock);
	if (start && kthread_start("superpages", watcher, NULL) < 0)
		WRITE_ONCE(superpages.started, false);
	waitq_wake_all(&superpages.wake);
}

void superpage_unwatch(struct aspace *as)
{
	if (!as->superpage_watched)
		return;
	spin_lock(&superpages.lock);
	list_del(&as->superpage_link);
	spin_unlock(&superpages.lock);
}
