/* Address spaces and swap: MADV_PAGEOUT, COLD and WILLNEED, mlock. */
#include "lib/errno.h"
#include "mm/aspace_priv.h"
#include "mm/fault.h"
#include "mm/swap.h"
#include "sync/sched.h"

/* Calls fn for the anonymous pages of each VMA in [start, end): keys [first, first + nr) of am. as->lock is held. */
static void each_amap(struct aspace *as, vaddr_t start, vaddr_t end, void (*fn)(struct amap *am, u64 first, u64 nr))
{
	struct vma *v = vma_find(&as->vmas, start);

	for (; v && v->start < end; v = vma_next(v)) {
		struct amap *am = vma_private(v) ? v->amap : v->obj ? memobj_amap(v->obj) : NULL;
		vaddr_t from = MAX(v->start, start);

		if (am)
			fn(am, amap_first_key(am, v) + ((from - v->start) >> PAGE_SHIFT), (MIN(v->end, end) - from) >> PAGE_SHIFT);
	}
}

static void out(struct amap *am, u64 first, u64 nr)
{
	(void)anon_page_out(am, first, nr);
}

static int advise_amaps(struct aspace *as, vaddr_t start, vaddr_t end, void (*fn)(struct amap *am, u64 first, u64 nr))
{
	struct vma *v;
	int err = 0;

	rwlock_read_lock(&as->lock);
	for (v = vma_find(&as->vmas, start); v && v->start < end && !err; v = vma_next(v))
		err = v->flags & (VMA_LOCKED | VMA_SPECIAL) ? -EINVAL : 0;
	if (!err) {
		each_amap(as, start, end, fn);
		if (!aspace_covered(as, start, end))
			err = -ENOMEM;
	}
	rwlock_read_unlock(&as->lock);
	return err;
}

int aspace_page_out(struct aspace *as, vaddr_t start, vaddr_t end)
{
	return advise_amaps(as, start, end, out);
}

int aspace_cool(struct aspace *as, vaddr_t start, vaddr_t end)
{
	return advise_amaps(as, start, end, anon_cool);
}

/* ---- MADV_WILLNEED ---- */

/* The first private page of [*va, end) that is swapped out: its entry; NULL: none. */
static void *next_entry(struct aspace *as, vaddr_t *va, vaddr_t end)
{
	struct vma *v;
	void *entry = NULL;

	rwlock_read_lock(&as->lock);
	for (v = vma_find(&as->vmas, *va); v && v->start < end && !entry; v = vma_next(v)) {
		vaddr_t from = MAX(v->start, *va);
		u64 key, last;

		if (!v->amap)
			continue;
		key = vma_key(v, from);
		last = vma_key(v, MIN(v->end, end) - PAGE_SIZE);
		spin_lock(&v->amap->lock);
		entry = v->amap->nr_swapped ? index_next(&v->amap->pages, &key) : NULL;
		while (entry && key <= last && !slot_is_swap(entry)) {
			key++;
			entry = index_next(&v->amap->pages, &key);
		}
		spin_unlock(&v->amap->lock);
		if (entry && key > last)
			entry = NULL;
		if (entry)
			*va = v->start + ((key - v->apgoff) << PAGE_SHIFT);
	}
	rwlock_read_unlock(&as->lock);
	return entry;
}

u32 aspace_swap_in(struct aspace *as, vaddr_t start, vaddr_t end, u32 max)
{
	u32 nr = 0;

	for (void *entry; nr < max && start < end && (entry = next_entry(as, &start, end)) != NULL; start += PAGE_SIZE) {
		struct frame *f;

		if (swap_load(entry, &f) != 0)
			break;
		frame_put(f); /* the cache has it, and the entry's holder will find it */
		nr++;
	}
	return nr;
}

/* ---- mlock ---- */

u64 aspace_locked(struct aspace *as)
{
	struct vma *v;
	u64 nr = 0;

	rwlock_read_lock(&as->lock);
	tree_for_each_entry(v, &as->vmas.tree, node)
		nr += v->flags & VMA_LOCKED ? vma_pages(v) : 0;
	rwlock_read_unlock(&as->lock);
	return nr;
}

int aspace_lock_range(struct aspace *as, vaddr_t start, vaddr_t end, enum aspace_lock how)
{
	int err;

	rwlock_write_lock(&as->lock);
	err = aspace_covered(as, start, end) ? aspace_isolate(as, start, end) : -ENOMEM;
	if (!err)
		aspace_set_flags(as, start, end, how == ASPACE_UNLOCK ? VMA_LOCKED : 0, how == ASPACE_LOCK ? VMA_LOCKED : 0);
	rwlock_write_unlock(&as->lock);
	return err;
}

void aspace_lock_all(struct aspace *as, enum aspace_lock how)
{
	struct vma *v;

	rwlock_write_lock(&as->lock);
	tree_for_each_entry(v, &as->vmas.tree, node)
	{
		if (v->flags & VMA_SPECIAL)
			continue;
		v->flags = how == ASPACE_LOCK ? v->flags | VMA_LOCKED : v->flags & ~(u32)VMA_LOCKED;
	}
	rwlock_write_unlock(&as->lock);
}

int aspace_populate(struct aspace *as, vaddr_t start, vaddr_t end)
{
	for (vaddr_t va = start; va < end; va += PAGE_SIZE) {
		struct fault f = {.addr = va};
		struct vma *v;
		u32 flags;

		rwlock_read_lock(&as->lock);
		v = vma_at(&as->vmas, va);
		flags = v ? v->flags : 0;
		rwlock_read_unlock(&as->lock);
		f.access = (flags & (VMA_WRITE | VMA_SHARED)) == VMA_WRITE ? ACCESS_WRITE : ACCESS_READ;
		if (!(flags & (VMA_READ | VMA_WRITE)) || fault_handle(as, &f) != FAULT_DONE)
			return -ENOMEM;
		if (sched_fatal_signal_pending())
			return -EINTR;
		sched_point();
	}
	return 0;
}

void aspace_populate_locked(struct aspace *as)
{
	vaddr_t at = 0, end = 0;

	do {
		struct vma *v;

		rwlock_read_lock(&as->lock);
		v = vma_find(&as->vmas, at);
		while (v && !(v->flags & VMA_LOCKED))
			v = vma_next(v);
		at = v ? MAX(v->start, at) : 0;
		end = v ? v->end : 0;
		rwlock_read_unlock(&as->lock);
		(void)aspace_populate(as, at, end);
		at = end;
	} while (end && !sched_fatal_signal_pending());
}
