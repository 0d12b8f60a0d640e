/*
 * Changing the set of VMAs: mmap, munmap, mprotect, stack growth. Each is: prepare
 * (allocate, cut at the edges: may fail), then commit (cannot).
 */
#include "arch/riscv/trace.h"
#include "lib/assert.h"
#include "lib/checked.h"
#include "lib/errno.h"
#include "mm/aspace_priv.h"
#include "mm/commit.h"
#include "mm/stat.h"

/* ---- VMAs in and out ---- */

void aspace_insert(struct aspace *as, struct vma *v)
{
	vma_insert(&as->vmas, v);
	as->nr_pages += vma_pages(v);
	if (as->nr_pages > as->peak_pages)
		as->peak_pages = as->nr_pages;
	if (v->obj)
		memobj_link(v);
	if (v->amap)
		amap_link(v);
}

void aspace_erase(struct aspace *as, struct vma *v)
{
	if (v->obj)
		memobj_unlink(v);
	if (v->amap)
		amap_unlink(v);
	vma_erase(&as->vmas, v);
	as->nr_pages -= vma_pages(v);
}

void aspace_resize(struct aspace *as, struct vma *v, vaddr_t start, vaddr_t end)
{
	u64 shift = (start - v->start) >> PAGE_SHIFT; /* modulo 2^64 when it grows down */

	shift = start >= v->start ? shift : -((v->start - start) >> PAGE_SHIFT);
	if (v->obj)
		mutex_lock(&v->obj->lock);
	if (v->amap)
		spin_lock(&v->amap->lock);
	as->nr_pages += ((end - start) >> PAGE_SHIFT) - vma_pages(v);
	v->pgoff += shift;
	v->apgoff += shift;
	vma_resize(&as->vmas, v, start, end);
	if (v->amap)
		spin_unlock(&v->amap->lock);
	if (v->obj)
		mutex_unlock(&v->obj->lock);
	if (as->nr_pages > as->peak_pages)
		as->peak_pages = as->nr_pages;
}

/* ---- who has the amap (mm/anon.h A1–A3) ---- */

int vma_unshare(struct vma *v)
{
	struct amap *old = v->amap, *copy;

	if (!(v->flags & VMA_NEEDS_COPY))
		return 0;
	if (amap_shared(old)) {
		copy = amap_clone(old);
		if (!copy)
			return -ENOMEM;
		amap_switch(v, copy);
	}
	__atomic_fetch_and(&v->flags, ~(u32)VMA_NEEDS_COPY, __ATOMIC_RELAXED);
	return 0;
}

int vma_privatise(struct vma *v)
{
	struct amap *own;

	if (!v->amap || (v->flags & VMA_NEEDS_COPY) || !amap_shared(v->amap))
		return 0;
	own = amap_create();
	if (!own)
		return -ENOMEM;
	if (amap_move(own, v->apgoff, v->amap, v->apgoff, vma_pages(v)) != 0) {
		amap_put(own);
		return -ENOMEM;
	}
	amap_leave(v);
	amap_join(v, own);
	return 0;
}

int vma_headroom(struct vma *v, u64 nr)
{
	u64 by;
	int err = vma_privatise(v);

	if (err || v->apgoff >= nr)
		return err;
	if (!v->amap) {
		v->apgoff = nr;
		return 0;
	}
	err = vma_unshare(v);
	if (err)
		return err;
	/* As much room as there is content: growing by single pages shifts seldom. */
	by = ALIGN_UP(MAX(nr, vma_pages(v)), (u64)INDEX_WIDTH);
	return amap_shift(v->amap, by);
}

/* ---- cutting and joining ---- */

/* Drops what v, which is nowhere linked any more, has references to. May sleep. */
static void vma_release(struct vma *v)
{
	if (v->amap)
		amap_put(v->amap);
	if (v->obj)
		v->obj->ops->put_ref(v->obj);
	if (v->file)
		aspace_release_file(v->file);
	vma_free(v);
}

/* v ends where hi begins, which enters the tree and v's lists. Cannot fail. */
static void vma_divide(struct aspace *as, struct vma *v, struct vma *hi)
{
	if (v->obj)
		mutex_lock(&v->obj->lock);
	if (v->amap)
		spin_lock(&v->amap->lock);
	vma_cut(&as->vmas, v, hi);
	if (v->amap) {
		list_add_tail(&hi->amap_link, &v->amap->mappings);
		spin_unlock(&v->amap->lock);
	}
	if (v->obj) {
		list_add_tail(&hi->obj_link, &v->obj->mappings);
		mutex_unlock(&v->obj->lock);
	}
}

static int vma_split(struct aspace *as, struct vma *v, vaddr_t at)
{
	struct vma *hi;

	DEBUG_ASSERT(v->start < at && at < v->end);
	if (as->vmas.nr >= ASPACE_MAX_VMAS || (v->amap && vma_unshare(v) != 0))
		return -ENOMEM;
	hi = vma_copy(as, v);
	if (!hi)
		return -ENOMEM;
	hi->start = at;
	hi->pgoff = vma_pgoff(v, at);
	hi->apgoff = vma_key(v, at);
	hi->w_start = MAX(v->w_start, at);
	hi->w_end = v->w_end;
	v->w_end = MIN(v->w_end, at);
	hi->flags &= ~(u32)VMA_STACK; /* only the lowest piece grows */
	vma_divide(as, v, hi);
	return 0;
}

/* Makes one amap of two neighbours' (either may be NULL); b has the same or none then. False: it cannot be, or costs too
 * much. Nothing changed then. */
static bool merge_amaps(struct vma *a, struct vma *b)
{
	u64 nr = vma_pages(a);

	if (!b->amap)
		return !a->amap || vma_privatise(a) == 0;
	if (!a->amap) {
		struct amap *am;

		/* Relatives' reclaim must never miss our translations (mm/anon.h), not even between here and there. */
		if ((b->flags & VMA_NEEDS_COPY) || vma_headroom(b, nr) != 0)
			return false;
		am = b->amap;
		a->apgoff = b->apgoff - nr;
		amap_unlink(b);
		b->amap = NULL;
		amap_join(a, am);
		return true;
	}
	if (a->amap == b->amap)
		return a->apgoff + nr == b->apgoff;
	if ((a->flags | b->flags) & VMA_NEEDS_COPY || amap_shared(a->amap) || amap_shared(b->amap) ||
		b->amap->pages.count > 1024)
		return false;
	if (amap_move(a->amap, a->apgoff + nr, b->amap, b->apgoff, vma_pages(b)) != 0)
		return false;
	amap_leave(b);
	return true;
}

/* a, whose amap is that of both, ends where b ended, which leaves the tree and its lists. */
static void vma_unite(struct aspace *as, struct vma *a, struct vma *b)
{
	if (a->obj)
		mutex_lock(&a->obj->lock);
	if (a->amap)
		spin_lock(&a->amap->lock);
	vma_absorb(&as->vmas, a, b);
	if (b->amap)
		list_del(&b->amap_link);
	if (a->amap)
		spin_unlock(&a->amap->lock);
	if (a->obj) {
		list_del(&b->obj_link);
		mutex_unlock(&a->obj->lock);
	}
}

static bool vma_merge(struct aspace *as, struct vma *a, struct vma *b)
{
	if (!vma_mergeable(a, b) || !merge_amaps(a, b))
		return false;
	a->flags |= b->flags & VMA_ZERO_SEEN;
	if (b->w_start < b->w_end) {
		a->w_start = a->w_start < a->w_end ? MIN(a->w_start, b->w_start) : b->w_start;
		a->w_end = MAX(a->w_end, b->w_end);
	}
	vma_unite(as, a, b);
	vma_release(b); /* a has references to the same things: none of these is the last */
	return true;
}

void aspace_merge(struct aspace *as, vaddr_t start, vaddr_t end)
{
	struct vma *v = vma_find(&as->vmas, start), *next;

	next = v && v->start == start ? vma_prev(v) : NULL;
	if (next && next->end == start)
		v = next;
	while (v && v->start < end) {
		next = vma_next(v);
		if (!next || next->start > end)
			return;
		if (!vma_merge(as, v, next))
			v = next;
	}
}

int aspace_isolate(struct aspace *as, vaddr_t start, vaddr_t end)
{
	struct vma *v = vma_find(&as->vmas, start);
	int err = 0;

	if (v && v->start < start) {
		err = vma_split(as, v, start);
		if (err)
			return err;
		v = vma_next(v);
	}
	if (v && v->end < end)
		v = vma_find(&as->vmas, end - 1);
	if (v && v->start < end && v->end > end)
		err = vma_split(as, v, end);
	as->vmas.last = v; /* the callers go on with it */
	if (err)
		aspace_merge(as, start, start + 1); /* what was one joins again without fail */
	return err;
}

/* ---- taking away ---- */

void aspace_unhook(struct aspace *as, vaddr_t start, vaddr_t end)
{
	struct tlb tlb;

	tlb_start(&tlb, &as->pt);
	pt_lock(&as->pt);
	pt_unmap(&as->pt, start, end, &tlb);
	pt_unlock(&as->pt);
	tlb_finish(&tlb);
}

void aspace_detach(struct aspace *as, vaddr_t start, vaddr_t end, struct list *dead)
{
	struct vma *v = vma_find(&as->vmas, start), *next;
	bool piece;

	for (; v && v->start < end; v = next) {
		next = vma_next(v);
		DEBUG_ASSERT(v->start >= start && v->end <= end);
		piece = v->amap && amap_shared(v->amap) && !(v->flags & VMA_NEEDS_COPY);
		if (v->amap && !piece)
			amap_exit(v);
		aspace_erase(as, v);
		if (v->flags & VMA_ACCOUNT)
			commit_release(as, vma_pages(v));
		if (piece) {
			/* A2: the other pieces' keys must be free to grow over these. */
			amap_erase(v->amap, v->apgoff, vma_pages(v), as);
			amap_put(v->amap);
			v->amap = NULL;
		}
		list_add_tail(&v->obj_link, dead);
	}
}

void aspace_release(struct list *dead)
{
	struct vma *v, *next;

	list_for_each_entry_safe (v, next, dead, obj_link)
		vma_release(v);
}

int aspace_unmap_locked(struct aspace *as, vaddr_t start, vaddr_t end, struct list *dead)
{
	int err;

	if (vma_range_free(&as->vmas, start, end))
		return 0;
	err = aspace_isolate(as, start, end);
	if (err)
		return err;
	aspace_unhook(as, start, end);
	aspace_detach(as, start, end, dead);
	trace_note_irq_on(TRACE_UNMAP, 0, start, (end - start) >> PAGE_SHIFT, 0, 0);
	freed_note(as, start, end, FREED_BY_MUNMAP);
	return 0;
}

int aspace_unmap(struct aspace *as, vaddr_t start, u64 len)
{
	LIST_HEAD(dead);
	vaddr_t end;
	int err;

	if (!len || !user_pages(start, len, &end))
		return -EINVAL;
	rwlock_write_lock(&as->lock);
	err = aspace_unmap_locked(as, start, end, &dead);
	rwlock_write_unlock(&as->lock);
	aspace_release(&dead);
	return err;
}

/* ---- mmap ---- */

u64 aspace_count(struct aspace *as, vaddr_t start, vaddr_t end)
{
	struct vma *v = vma_find(&as->vmas, start);
	u64 nr = 0;

	for (; v && v->start < end; v = vma_next(v))
		nr += (MIN(v->end, end) - MAX(v->start, start)) >> PAGE_SHIFT;
	return nr;
}

bool aspace_covered(struct aspace *as, vaddr_t start, vaddr_t end)
{
	struct vma *v = vma_find(&as->vmas, start);

	for (; v && v->start <= start; v = vma_next(v)) {
		start = v->end;
		if (start >= end)
			return true;
	}
	return start >= end;
}

vaddr_t aspace_find_place(struct aspace *as, u64 len)
{
	/* What fills superpages gets a place where it can have them. */
	u64 room = IS_ALIGNED(len, HUGE_SIZE) ? len + HUGE_SIZE - PAGE_SIZE : len;
	vaddr_t at = vma_find_hole(&as->vmas, room, USER_MIN, as->mmap_top);

	if (at && room > len)
		at = ALIGN_DOWN(at + room - len, HUGE_SIZE);
	if (!at)
		at = vma_find_hole(&as->vmas, len, USER_MIN, as->mmap_top);
	return at ? at : vma_find_hole(&as->vmas, len, USER_MIN, USER_MMAP_END);
}

/* Where it goes, or -errno. */
static long choose_place(struct aspace *as, const struct map_request *rq, u64 len)
{
	vaddr_t at = PAGE_ALIGN_DOWN(rq->addr);

	if (rq->place == MAP_ANY) {
		if (at >= USER_MIN && range_ok(at, len, user_end) && vma_range_free(&as->vmas, at, at + len) &&
			!(at < USER_DEFAULT_END && at + len > USER_MMAP_END))
			return (long)at;
		at = aspace_find_place(as, len);
		return at ? (long)at : -ENOMEM;
	}
	if (at != rq->addr)
		return -EINVAL;
	if (!range_ok(at, len, user_end))
		return -ENOMEM;
	if (at < USER_MIN)
		return -EPERM;
	/* The two pages of isolate=1. */
	if (range_overlaps(at, at + len, USER_TRAPFRAME, USER_DEFAULT_END))
		return -ENOMEM;
	if (rq->place == MAP_AT_FREE && !vma_range_free(&as->vmas, at, at + len))
		return -EEXIST;
	return (long)at;
}

/* Pages of [start, end) that are promised. */
static u64 count_promised(struct aspace *as, vaddr_t start, vaddr_t end)
{
	struct vma *v = vma_find(&as->vmas, start);
	u64 nr = 0;

	for (; v && v->start < end; v = vma_next(v)) {
		if (v->flags & VMA_ACCOUNT)
			nr += (MIN(v->end, end) - MAX(v->start, start)) >> PAGE_SHIFT;
	}
	return nr;
}

/* `replaced` pages go away for it. */
static int check_limits(struct aspace *as, u64 nr, u64 replaced)
{
	if (as->vmas.nr >= ASPACE_MAX_VMAS)
		return -ENOMEM;
	return as->nr_pages - replaced + nr > as->limit_pages ? -ENOMEM : 0;
}

/* Promises the new mapping at [start, end), and makes it free of whatever is there. */
static int map_prepare(struct aspace *as, vaddr_t start, vaddr_t end, bool taken, u32 account)
{
	u64 nr = (end - start) >> PAGE_SHIFT;
	int err = check_limits(as, nr, taken ? aspace_count(as, start, end) : 0);

	if (!err && account)
		err = commit_charge(as, nr, taken ? count_promised(as, start, end) : 0);
	if (err || !taken)
		return err;
	err = aspace_isolate(as, start, end);
	if (err && account)
		commit_release(as, nr);
	return err;
}

static void fill_vma(struct vma *v, const struct map_request *rq, vaddr_t at, u64 len)
{
	v->start = at;
	v->end = at + len;
	v->flags = (rq->flags & ~(u32)(VMA_READ | VMA_WRITE | VMA_EXEC)) | rq->prot;
	if (v->as->lock_future)
		v->flags |= VMA_LOCKED;
	v->max_prot = rq->max_prot | rq->prot;
	v->pgoff = rq->pgoff;
	if (rq->file_bytes && rq->file_bytes < len)
		v->file_end = at + rq->file_bytes;
	/* A stack grows down: its keys end at a power of 64, with room below. */
	if (v->flags & VMA_STACK)
		v->apgoff = ALIGN_UP(len >> PAGE_SHIFT, 4096ul) - (len >> PAGE_SHIFT);
}

long aspace_map_locked(struct aspace *as, struct vma *v, const struct map_request *rq, u64 len, struct list *dead)
{
	u32 account = commit_flag(rq->flags | rq->prot);
	long at = choose_place(as, rq, len);
	bool taken;
	int err;

	if (at < 0)
		return at;
	taken = rq->place == MAP_AT && !vma_range_free(&as->vmas, (vaddr_t)at, (vaddr_t)at + len);
	err = map_prepare(as, (vaddr_t)at, (vaddr_t)at + len, taken, account);
	if (err)
		return err;
	if (taken) {
		aspace_unhook(as, (vaddr_t)at, (vaddr_t)at + len);
		aspace_detach(as, (vaddr_t)at, (vaddr_t)at + len, dead);
	}
	fill_vma(v, rq, (vaddr_t)at, len);
	v->flags |= account;
	trace_note_irq_on(TRACE_MAP, 0, v->start, len >> PAGE_SHIFT, 0, v->flags);
	aspace_insert(as, v);
	aspace_merge(as, v->start, v->end);
	return at;
}

long aspace_map(struct aspace *as, const struct map_request *rq)
{
	u64 len = PAGE_ALIGN_UP(rq->len);
	LIST_HEAD(dead);
	struct vma *v;
	long at;

	if (!rq->len)
		return -EINVAL;
	if (len < rq->len || len > user_end)
		return -ENOMEM;
	if (rq->pgoff + (len >> PAGE_SHIFT) < rq->pgoff)
		return -EOVERFLOW;
	DEBUG_ASSERT(rq->obj || !(rq->flags & VMA_SHARED));
	v = vma_create(as);
	if (!v)
		return -ENOMEM;
	v->obj = rq->obj;
	if (v->obj)
		v->obj->ops->get_ref(v->obj);
	if (rq->file)
		v->file = aspace_share_file(rq->file);
	rwlock_write_lock(&as->lock);
	at = aspace_map_locked(as, v, rq, len, &dead);
	rwlock_write_unlock(&as->lock);
	if (at < 0)
		list_add(&v->obj_link, &dead);
	aspace_release(&dead);
	return at;
}

/* ---- mprotect ---- */

void aspace_set_flags(struct aspace *as, vaddr_t start, vaddr_t end, u32 clear, u32 set)
{
	struct vma *v;

	for (v = vma_find(&as->vmas, start); v && v->start < end; v = v->end < end ? vma_next(v) : NULL)
		v->flags = (v->flags & ~clear) | set;
	aspace_merge(as, start, end);
}

/* Private memory that becomes writable is promised from now on. [start, end) is isolated. */
static int promise_writable(struct aspace *as, vaddr_t start, vaddr_t end)
{
	const u32 has = VMA_WRITE | VMA_SHARED | VMA_NORESERVE | VMA_SPECIAL | VMA_ACCOUNT;
	struct vma *v;
	u64 nr = 0;

	for (v = vma_find(&as->vmas, start); v && v->start < end; v = vma_next(v))
		nr += v->flags & has ? 0 : vma_pages(v);
	if (!nr)
		return 0;
	if (commit_charge(as, nr, 0) != 0)
		return -ENOMEM;
	for (v = vma_find(&as->vmas, start); v && v->start < end; v = vma_next(v))
		v->flags |= v->flags & has ? 0 : VMA_ACCOUNT;
	return 0;
}

/* What the leaves of [start, end) may allow shrinks from `had` to `prot`; what it gains comes by faults. */
static void take_permissions(struct aspace *as, vaddr_t start, vaddr_t end, u32 had, u32 prot)
{
	u32 keep = (prot & VMA_WRITE) ? prot | PT_READ : prot;
	struct tlb tlb;

	if (!(had & PT_RWX & ~keep))
		return;
	tlb_start(&tlb, &as->pt);
	pt_lock(&as->pt);
	if (!prot)
		pt_unmap(&as->pt, start, end, &tlb);
	else
		pt_protect(&as->pt, start, end, keep, &tlb);
	pt_unlock(&as->pt);
	tlb_finish(&tlb);
}

int aspace_protect(struct aspace *as, vaddr_t start, u64 len, u32 prot)
{
	struct vma *v;
	vaddr_t end, at;
	u32 had = 0;
	int err = 0;

	if (start & ~PAGE_MASK)
		return -EINVAL;
	if (!len)
		return 0;
	if (!user_pages(start, len, &end))
		return -ENOMEM;
	rwlock_write_lock(&as->lock);
	v = vma_find(&as->vmas, start);
	for (at = start; !err; v = vma_next(v)) {
		if (!v || v->start > at) {
			err = -ENOMEM;
			break;
		}
		if (prot & ~v->max_prot)
			err = -EACCES;
		had |= v->flags;
		at = v->end;
		if (at >= end)
			break;
	}
	if (!err)
		err = aspace_isolate(as, start, end);
	if (err)
		goto out_unlock;
	if ((prot & VMA_WRITE) && promise_writable(as, start, end) != 0) {
		err = -ENOMEM;
		aspace_merge(as, start, end);
		goto out_unlock;
	}
	take_permissions(as, start, end, had, prot);
	trace_note_irq_on(TRACE_PROTECT, prot, start, (end - start) >> PAGE_SHIFT, 0, 0);
	aspace_set_flags(as, start, end, VMA_READ | VMA_WRITE | VMA_EXEC, prot);
out_unlock:
	rwlock_write_unlock(&as->lock);
	return err;
}

/* ---- stack ---- */

bool aspace_may_grow(struct aspace *as, const struct vma *v, vaddr_t va)
{
	struct vma *below = vma_prev(v);

	if (!(v->flags & VMA_STACK) || aspace_stack_top(as, v) - va > as->stack_limit || va < USER_MIN)
		return false;
	if (below && (below->flags & (VMA_READ | VMA_WRITE | VMA_EXEC)) && va - below->end < STACK_GUARD_GAP)
		return false;
	return as->nr_pages + ((v->start - va) >> PAGE_SHIFT) <= as->limit_pages;
}

static int grow_promise(struct aspace *as, struct vma *v, u64 nr)
{
	bool account = v->flags & VMA_ACCOUNT;
	int err = account ? commit_charge(as, nr, 0) : 0;

	if (err)
		return err;
	err = vma_headroom(v, nr);
	if (err && account)
		commit_release(as, nr);
	return err;
}

int aspace_grow_stack(struct aspace *as, vaddr_t va)
{
	struct vma *v;
	int err = 0;

	rwlock_write_lock(&as->lock);
	v = vma_find(&as->vmas, va);
	if (v && v->start > va) {
		err = aspace_may_grow(as, v, va) ? grow_promise(as, v, (v->start - va) >> PAGE_SHIFT) : -EFAULT;
		if (!err) {
			trace_note_irq_on(TRACE_MAP, 0, va, (v->start - va) >> PAGE_SHIFT, 0, v->flags);
			aspace_resize(as, v, va, v->end);
		}
	}
	rwlock_write_unlock(&as->lock);
	return err;
}
