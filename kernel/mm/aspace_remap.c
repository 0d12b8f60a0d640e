/* mremap: shrink, grow in place, or move without copying: the amap moves along, translations are rebuilt by faults. */
#include "lib/assert.h"
#include "lib/checked.h"
#include "lib/errno.h"
#include "mm/aspace_priv.h"
#include "mm/commit.h"

#define REMAP_MAYMOVE   1u
#define REMAP_FIXED     2u
#define REMAP_DONTUNMAP 4u

struct remap {
	vaddr_t old, dst;
	u64 old_len, new_len; /* whole pages */
	u32 flags;
};

static int remap_check(struct remap *r)
{
	vaddr_t end;

	if (r->flags & ~(REMAP_MAYMOVE | REMAP_FIXED | REMAP_DONTUNMAP))
		return -EINVAL;
	if ((r->flags & (REMAP_FIXED | REMAP_DONTUNMAP)) && !(r->flags & REMAP_MAYMOVE))
		return -EINVAL;
	if ((r->flags & REMAP_DONTUNMAP) && r->old_len != r->new_len)
		return -EINVAL;
	if (!r->new_len || !user_pages(r->old, r->old_len, &end))
		return -EINVAL;
	if (r->flags & REMAP_FIXED) {
		if (!user_pages(r->dst, r->new_len, &end) || r->dst < USER_MIN)
			return -EINVAL;
		if (range_overlaps(r->dst, end, USER_TRAPFRAME, USER_DEFAULT_END))
			return -EINVAL;
		if (range_overlaps(r->old, r->old + r->old_len, r->dst, end))
			return -EINVAL;
	}
	return 0;
}

/* Room for `more` pages beyond what there is? */
static int remap_limit(struct aspace *as, u64 more)
{
	return as->nr_pages + more > as->limit_pages ? -ENOMEM : 0;
}

static int remap_shrink(struct aspace *as, const struct remap *r, struct list *dead)
{
	vaddr_t from = r->old + r->new_len, end = r->old + r->old_len;
	int err = aspace_isolate(as, from, end);

	if (err)
		return err;
	aspace_unhook(as, from, end);
	aspace_detach(as, from, end, dead);
	freed_note(as, from, end, FREED_BY_MREMAP);
	return 0;
}

/* 0: grown where it is; -ENOMEM: it must move, or cannot. */
static int remap_grow(struct aspace *as, struct vma *v, const struct remap *r)
{
	vaddr_t end = r->old + r->new_len;
	u64 more = (r->new_len - r->old_len) >> PAGE_SHIFT;

	if (r->old + r->old_len != v->end || end < v->end || end > user_end)
		return -ENOMEM;
	if (v->end <= USER_MMAP_END && end > USER_MMAP_END)
		return -ENOMEM;
	if (!vma_range_free(&as->vmas, v->end, end) || remap_limit(as, more) != 0 || vma_privatise(v) != 0)
		return -ENOMEM;
	if ((v->flags & VMA_ACCOUNT) && commit_charge(as, more, 0) != 0)
		return -ENOMEM;
	aspace_resize(as, v, v->start, end);
	aspace_merge(as, v->start, v->end);
	return 0;
}

/* Where v's file_end comes to be. Before the pages that move it means the same as at their start, and 0 would mean none. */
static vaddr_t moved_file_end(const struct vma *v, const struct remap *r)
{
	return v->file_end ? MAX(v->file_end, r->old) - r->old + r->dst : 0;
}

/* A second VMA that shows v's object from old on, or (take_amap) inherits its private pages. */
static void remap_twin(struct vma *twin, struct vma *v, const struct remap *r)
{
	twin->start = r->dst;
	twin->end = r->dst + r->new_len;
	twin->flags = v->flags & ~(u32)(VMA_ZERO_SEEN | VMA_NEEDS_COPY);
	twin->max_prot = v->max_prot;
	twin->pgoff = vma_pgoff(v, r->old);
	twin->file_end = moved_file_end(v, r);
	twin->obj = v->obj;
	if (twin->obj)
		twin->obj->ops->get_ref(twin->obj);
	if (v->file)
		twin->file = aspace_share_file(v->file);
}

/* old_len 0: another window on a shared mapping. */
static int remap_duplicate(struct aspace *as, struct vma *v, struct remap *r, struct list *dead)
{
	struct vma *twin;
	int err;

	if (vma_private(v) || !(r->flags & REMAP_MAYMOVE))
		return -EINVAL;
	if (!(r->flags & REMAP_FIXED))
		r->dst = aspace_find_place(as, r->new_len);
	if (!r->dst || remap_limit(as, r->new_len >> PAGE_SHIFT) || as->vmas.nr >= ASPACE_MAX_VMAS)
		return -ENOMEM;
	twin = vma_create(as);
	if (!twin)
		return -ENOMEM;
	err = aspace_isolate(as, r->dst, r->dst + r->new_len);
	if (err) {
		vma_free(twin);
		return err;
	}
	aspace_unhook(as, r->dst, r->dst + r->new_len);
	remap_twin(twin, vma_at(&as->vmas, r->old), r);
	aspace_detach(as, r->dst, r->dst + r->new_len, dead);
	aspace_insert(as, twin);
	return 0;
}

/*
 * While v is on its way it shows nothing of its amap. What relatives have swapped out or in meanwhile was not counted for us, so all
 * is counted anew. Pages that nobody else shows stay as they are.
 */
static struct amap *pages_hide(struct vma *v)
{
	struct amap *am = v->amap;

	if (!am)
		return NULL;
	if (v->flags & VMA_NEEDS_COPY)
		amap_exit(v);
	else
		amap_unlink(v);
	v->amap = NULL;
	return am;
}

static void pages_show(struct vma *v, struct amap *am)
{
	v->amap = am;
	if (am && (v->flags & VMA_NEEDS_COPY))
		amap_enter(v);
	else if (am)
		amap_link(v);
}

/* The whole of v, which is [old, old + min(old_len, new_len)), goes to dst, which is free. Cannot fail. */
static void remap_commit(struct aspace *as, struct vma *v, struct vma *twin, const struct remap *r)
{
	struct amap *am;

	aspace_unhook(as, v->start, v->end);
	am = pages_hide(v);
	if (twin) {
		remap_twin(twin, v, r);
		twin->flags |= v->flags & VMA_NEEDS_COPY;
		twin->apgoff = v->apgoff;
		v->flags &= ~(u32)(VMA_NEEDS_COPY | VMA_LOCKED);
		v->w_start = v->w_end = 0;
		aspace_insert(as, twin);
		pages_show(twin, am);
		return;
	}
	aspace_erase(as, v);
	v->file_end = moved_file_end(v, r);
	v->start = r->dst;
	v->end = r->dst + r->new_len;
	v->w_start = v->w_end = 0;
	v->flags &= ~(u32)(VMA_ZERO_SEEN | VMA_STACK);
	aspace_insert(as, v);
	pages_show(v, am);
}

/* Everything of a move that can fail. *twin: the VMA to make besides, if any. */
static int remap_prepare(struct aspace *as, struct remap *r, u64 keep, struct vma **twin)
{
	int err = aspace_isolate(as, r->old, r->old + r->old_len);

	*twin = NULL;
	if (!err && keep < r->old_len)
		err = aspace_isolate(as, r->old, r->old + keep);
	if (!err && (r->flags & REMAP_FIXED))
		err = aspace_isolate(as, r->dst, r->dst + r->new_len);
	if (!err && r->flags & REMAP_DONTUNMAP) {
		if (as->vmas.nr < ASPACE_MAX_VMAS)
			*twin = vma_create(as);
		if (!*twin)
			err = -ENOMEM;
	}
	/* Last: what it took apart might not join again. */
	if (!err && r->new_len > r->old_len)
		err = vma_privatise(vma_at(&as->vmas, r->old));
	if (!err)
		return 0;
	if (*twin)
		vma_free(*twin);
	aspace_merge(as, r->old, r->old + r->old_len);
	if (r->flags & REMAP_FIXED)
		aspace_merge(as, r->dst, r->dst + r->new_len);
	return err;
}

static int remap_move(struct aspace *as, struct remap *r, struct list *dead)
{
	u64 keep = MIN(r->old_len, r->new_len);
	u64 more = (r->new_len - (r->flags & REMAP_DONTUNMAP ? 0 : keep)) >> PAGE_SHIFT;
	bool account = vma_at(&as->vmas, r->old)->flags & VMA_ACCOUNT;
	struct vma *v, *twin;
	int err;

	if (!(r->flags & REMAP_FIXED))
		r->dst = aspace_find_place(as, r->new_len);
	if (!r->dst || remap_limit(as, more))
		return -ENOMEM;
	if (account && commit_charge(as, more, 0) != 0)
		return -ENOMEM;
	err = remap_prepare(as, r, keep, &twin);
	if (err) {
		if (account)
			commit_release(as, more);
		return err;
	}
	v = vma_at(&as->vmas, r->old);
	if (r->flags & REMAP_FIXED) {
		aspace_unhook(as, r->dst, r->dst + r->new_len);
		aspace_detach(as, r->dst, r->dst + r->new_len, dead);
	}
	if (keep < r->old_len) {
		aspace_unhook(as, r->old + keep, r->old + r->old_len);
		aspace_detach(as, r->old + keep, r->old + r->old_len, dead);
	}
	remap_commit(as, v, twin, r);
	if (!twin)
		freed_note(as, r->old, r->old + r->old_len, FREED_BY_MREMAP);
	aspace_merge(as, r->dst, r->dst + r->new_len);
	return 0;
}

static long remap_locked(struct aspace *as, struct remap *r, struct list *dead)
{
	struct vma *v = vma_at(&as->vmas, r->old);
	int err;

	if (!v)
		return -EFAULT;
	if (!r->old_len) {
		err = remap_duplicate(as, v, r, dead);
		return err ? err : (long)r->dst;
	}
	if (r->old + r->old_len > v->end)
		return -EFAULT;
	if ((v->flags & VMA_SPECIAL) && !v->obj)
		return -EINVAL;
	if ((r->flags & REMAP_DONTUNMAP) && (v->flags & VMA_SHARED))
		return -EINVAL;
	if (!(r->flags & (REMAP_FIXED | REMAP_DONTUNMAP))) {
		if (r->new_len == r->old_len)
			return (long)r->old;
		err = r->new_len < r->old_len ? remap_shrink(as, r, dead) : remap_grow(as, v, r);
		if (!err)
			return (long)r->old;
		if (r->new_len < r->old_len || !(r->flags & REMAP_MAYMOVE))
			return err;
	}
	err = remap_move(as, r, dead);
	return err ? err : (long)r->dst;
}

long aspace_remap(struct aspace *as, vaddr_t old, u64 old_len, u64 new_len, u32 flags, vaddr_t new_addr)
{
	struct remap r = {
		.old = old,
		.dst = new_addr,
		.old_len = PAGE_ALIGN_UP(old_len),
		.new_len = PAGE_ALIGN_UP(new_len),
		.flags = flags,
	};
	LIST_HEAD(dead);
	long at;

	if (r.old_len < old_len || r.new_len < new_len)
		return -EINVAL;
	at = remap_check(&r);
	if (at)
		return at;
	if (r.new_len > user_end)
		return -ENOMEM;
	rwlock_write_lock(&as->lock);
	at = remap_locked(as, &r, &dead);
	rwlock_write_unlock(&as->lock);
	aspace_release(&dead);
	return at;
}
