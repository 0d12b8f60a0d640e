/* madvise, msync, mincore, pgaccess; and reading and writing other address spaces. */
#include "lib/assert.h"
#include "lib/bitmap.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/aspace_priv.h"
#include "mm/fault.h"
#include "mm/swap.h"
#include "mm/superpage.h"
#include "sync/sched.h"

/* Linux's numbers. */
enum {
	MADV_NORMAL = 0,
	MADV_RANDOM = 1,
	MADV_SEQUENTIAL = 2,
	MADV_WILLNEED = 3,
	MADV_DONTNEED = 4,
	MADV_FREE = 8,
	MADV_DONTFORK = 10,
	MADV_DOFORK = 11,
	MADV_HUGEPAGE = 14,
	MADV_NOHUGEPAGE = 15,
	MADV_DONTDUMP = 16,
	MADV_DODUMP = 17,
	MADV_COLD = 20,
	MADV_PAGEOUT = 21,
	MADV_POPULATE_READ = 22,
	MADV_POPULATE_WRITE = 23,
	MADV_COLLAPSE = 25,
	MS_ASYNC = 1,
	MS_INVALIDATE = 2,
	MS_SYNC = 4,
};

#define WILLNEED_MAX 512 /* pages brought in by one call */

/* ---- madvise ---- */

/* Of an amap that relatives share, v in [start, end) forgets all: they may have it. */
static bool forgets_whole(const struct vma *v, vaddr_t start, vaddr_t end)
{
	return (v->flags & VMA_NEEDS_COPY) && amap_shared(v->amap) && start <= v->start && end >= v->end;
}

/* The private pages of v in [start, end), whose translations are gone, are forgotten. Unless it is whole, v's amap is its own. */
static void forget_pages(struct aspace *as, struct vma *v, vaddr_t start, vaddr_t end)
{
	struct amap *am = v->amap;
	u64 key, nr;

	if (!am)
		return;
	if (forgets_whole(v, start, end)) {
		v->flags &= ~(u32)VMA_NEEDS_COPY;
		amap_exit(v);
		amap_leave(v);
		return;
	}
	key = vma_key(v, MAX(v->start, start));
	nr = (MIN(v->end, end) - MAX(v->start, start)) >> PAGE_SHIFT;
	amap_erase(am, key, nr, as);
}

static int advise_dontneed(struct aspace *as, vaddr_t start, vaddr_t end, int advice)
{
	struct vma *v;
	int err = 0;

	rwlock_write_lock(&as->lock);
	for (v = vma_find(&as->vmas, start); v && v->start < end && !err; v = vma_next(v)) {
		if (v->flags & VMA_LOCKED)
			err = -EINVAL;
		if (advice == MADV_FREE && (v->obj || (v->flags & VMA_SHARED)))
			err = -EINVAL;
	}
	/* All that can fail comes before the first page goes. */
	for (v = vma_find(&as->vmas, start); v && v->start < end && !err; v = vma_next(v)) {
		if (v->amap && !forgets_whole(v, start, end))
			err = vma_unshare(v);
	}
	if (!err) {
		aspace_unhook(as, start, end);
		for (v = vma_find(&as->vmas, start); v && v->start < end; v = vma_next(v))
			forget_pages(as, v, start, end);
		if (!aspace_covered(as, start, end))
			err = -ENOMEM;
	}
	rwlock_write_unlock(&as->lock);
	return err;
}

static int advise_flags(struct aspace *as, vaddr_t start, vaddr_t end, u32 clear, u32 set)
{
	int err;

	rwlock_write_lock(&as->lock);
	err = aspace_isolate(as, start, end);
	if (!err) {
		aspace_set_flags(as, start, end, clear, set);
		if (!aspace_covered(as, start, end))
			err = -ENOMEM;
	}
	rwlock_write_unlock(&as->lock);
	return err;
}

#define NOT_MAPPED (~0u) /* for flags: no VMA has such */

/* The object behind va with a reference, its page, and where that VMA ends; NULL: none there. */
static struct memobj *object_at(struct aspace *as, vaddr_t va, u64 *pgoff, vaddr_t *next, u32 *flags)
{
	struct memobj *o = NULL;
	struct vma *v;

	rwlock_read_lock(&as->lock);
	v = vma_find(&as->vmas, va);
	*next = v ? (v->start > va ? v->start : v->end) : ~0ul;
	*flags = NOT_MAPPED;
	if (v && v->start <= va) {
		*flags = v->flags;
		*pgoff = vma_pgoff(v, va);
		o = v->obj;
		if (o)
			memobj_hold(o);
	}
	rwlock_read_unlock(&as->lock);
	return o;
}

static int advise_willneed(struct aspace *as, vaddr_t start, vaddr_t end)
{
	u32 left = WILLNEED_MAX, flags;
	vaddr_t next;
	u64 pgoff;

	for (; start < end && left; start = next) {
		struct memobj *o = object_at(as, start, &pgoff, &next, &flags);

		for (vaddr_t va = start; o && va < MIN(next, end) && left; va += PAGE_SIZE, left--) {
			if (o->ops->load(o, pgoff++) != 0)
				break;
		}
		if (o)
			memobj_release(o);
		else
			left -= aspace_swap_in(as, start, MIN(next, end), left);
	}
	return 0;
}

static int advise_populate(struct aspace *as, vaddr_t start, vaddr_t end, enum access access)
{
	for (vaddr_t va = start; va < end; va += PAGE_SIZE) {
		struct fault f = {.addr = va, .access = access};

		switch (fault_handle(as, &f)) {
		case FAULT_DONE: break;
		case FAULT_SEGV_ACC: return -EINVAL;
		case FAULT_BUS: return -EFAULT;
		default: return -ENOMEM;
		}
		if (sched_fatal_signal_pending())
			return -EINTR;
		sched_point();
	}
	return 0;
}

int aspace_advise(struct aspace *as, vaddr_t start, u64 len, int advice)
{
	vaddr_t end;

	if (!user_pages(start, len, &end))
		return -EINVAL;
	switch (advice) {
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_DONTDUMP:
	case MADV_DODUMP: return advise_flags(as, start, MAX(start, end), 0, 0);
	case MADV_COLD: return aspace_cool(as, start, end);
	case MADV_PAGEOUT: return aspace_page_out(as, start, end);
	case MADV_WILLNEED: return advise_willneed(as, start, end);
	case MADV_DONTNEED:
	case MADV_FREE: return start < end ? advise_dontneed(as, start, end, advice) : 0;
	case MADV_DONTFORK: return advise_flags(as, start, end, 0, VMA_DONTFORK);
	case MADV_DOFORK: return advise_flags(as, start, end, VMA_DONTFORK, 0);
	case MADV_HUGEPAGE: return advise_flags(as, start, end, VMA_NOHUGE, VMA_HUGE);
	case MADV_NOHUGEPAGE: return advise_flags(as, start, end, VMA_HUGE, VMA_NOHUGE);
	case MADV_COLLAPSE: return superpage_collect(as, start, end);
	case MADV_POPULATE_READ: return advise_populate(as, start, end, ACCESS_READ);
	case MADV_POPULATE_WRITE: return advise_populate(as, start, end, ACCESS_WRITE);
	default: return -EINVAL;
	}
}

/* ---- msync, mincore, pgaccess ---- */

int aspace_sync(struct aspace *as, vaddr_t start, u64 len, int flags)
{
	vaddr_t end, next;
	u64 pgoff;
	u32 vflags;
	bool hole = false;
	int err = 0;

	if ((start & ~PAGE_MASK) || (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) ||
		(flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC))
		return -EINVAL;
	if (!user_pages(start, len, &end))
		return -ENOMEM;
	for (; start < end && !err; start = next) {
		struct memobj *o = object_at(as, start, &pgoff, &next, &vflags);

		hole |= vflags == NOT_MAPPED;
		if (!o)
			continue;
		if ((flags & MS_INVALIDATE) && (vflags & VMA_LOCKED))
			err = -EBUSY;
		else if ((flags & MS_SYNC) && (vflags & VMA_SHARED) && o->ops->sync)
			err = o->ops->sync(o, pgoff, pgoff + ((MIN(next, end) - start) >> PAGE_SHIFT) - 1);
		memobj_release(o);
	}
	return err ? err : hole ? -ENOMEM : 0;
}

static bool page_resident(struct vma *v, vaddr_t va)
{
	struct frame *f = NULL;
	void *slot = NULL;

	if (v->amap) {
		spin_lock(&v->amap->lock);
		slot = index_get(&v->amap->pages, vma_key(v, va));
		/* No reference to a page of a slot: it would look shared to who writes to it (mm/anon.h). */
		if (slot && slot_is_swap(slot))
			f = swap_cache_find(slot);
		spin_unlock(&v->amap->lock);
	}
	if (f)
		swap_frame_put(f);
	if (slot || !v->obj)
		return f || (slot && !slot_is_swap(slot));
	if (v->obj->ops->get(v->obj, vma_pgoff(v, va), &f) != 0)
		return false;
	frame_put(f);
	return true;
}

int aspace_mincore(struct aspace *as, vaddr_t start, u64 nr_pages, u8 *vec)
{
	vaddr_t end;
	struct vma *v;
	int err = 0;

	if ((start & ~PAGE_MASK))
		return -EINVAL;
	if (nr_pages > user_end >> PAGE_SHIFT || !user_pages(start, nr_pages << PAGE_SHIFT, &end))
		return -ENOMEM;
	rwlock_read_lock(&as->lock);
	if (!aspace_covered(as, start, end))
		err = -ENOMEM;
	v = vma_find(&as->vmas, start);
	for (vaddr_t va = start; va < end && !err; va += PAGE_SIZE) {
		if (va >= v->end)
			v = vma_next(v);
		*vec++ = page_resident(v, va);
	}
	rwlock_read_unlock(&as->lock);
	return err;
}

static void note_accessed(void *arg, u64 page, u32 prot)
{
	bitmap_set(arg, page);
}

int aspace_accessed(struct aspace *as, vaddr_t start, u64 nr_pages, u64 *bitmap)
{
	vaddr_t end;
	struct tlb tlb;

	if (nr_pages > user_end >> PAGE_SHIFT || !user_pages(start, nr_pages << PAGE_SHIFT, &end))
		return -EINVAL;
	memset(bitmap, 0, DIV_ROUND_UP(nr_pages, 64ul) * sizeof(u64));
	tlb_start(&tlb, &as->pt);
	pt_lock(&as->pt);
	pt_harvest(&as->pt, start, end, &tlb, note_accessed, bitmap);
	pt_unlock(&as->pt);
	tlb_finish(&tlb);
	return 0;
}

/* ---- other address spaces ---- */

/*
 * Copies within one page, if its translation is there and allows it: while
 * pt->lock is held it stays, and so does the frame. The bytes copied, or 0.
 */
static size_t copy_mapped(struct aspace *as, vaddr_t va, void *buf, size_t len, enum access access)
{
	u32 need = access == ACCESS_WRITE ? PT_WRITE | PT_READ : PT_READ;
	struct pt_entry e;

	len = MIN(len, PAGE_SIZE - (va & ~PAGE_MASK));
	pt_lock(&as->pt);
	if (pt_query(&as->pt, va, &e) != 0 || (e.prot & need) != need)
		len = 0;
	else if (access == ACCESS_WRITE)
		memcpy(phys_to_kva(e.pa), buf, len);
	else
		memcpy(buf, phys_to_kva(e.pa), len);
	pt_unlock(&as->pt);
	return len;
}

static ssize_t copy_any(struct aspace *as, vaddr_t va, u8 *buf, size_t len, enum access access)
{
	size_t done = 0;
	u32 tries = 0;

	while (done < len) {
		struct fault f = {.addr = va + done, .access = access};
		size_t n = va + done < user_end ? copy_mapped(as, va + done, buf + done, len - done, access) : 0;

		done += n;
		if (n) {
			tries = 0;
			continue;
		}
		/* It may be taken away again before we look; but not for ever. */
		if (tries++ > 100 || fault_handle(as, &f) != FAULT_DONE)
			break;
	}
	return done || !len ? (ssize_t)done : -EFAULT;
}

ssize_t aspace_read(struct aspace *as, vaddr_t from, void *to, size_t len)
{
	return copy_any(as, from, to, len, ACCESS_READ);
}

ssize_t aspace_write(struct aspace *as, vaddr_t to, const void *from, size_t len)
{
	return copy_any(as, to, (u8 *)(uintptr_t)from, len, ACCESS_WRITE);
}
