/* brk: where the heap ends. It moves in the same hold of as->lock in which the heap's VMAs change. */
#include "lib/errno.h"
#include "mm/aspace_priv.h"

/* v becomes the heap's part from start to end. */
static int brk_raise(struct aspace *as, struct vma *v, vaddr_t start, vaddr_t end, struct list *dead)
{
	struct map_request rq = {
		.addr = start,
		.len = end - start,
		.prot = VMA_READ | VMA_WRITE,
		.max_prot = VMA_READ | VMA_WRITE | VMA_EXEC,
		.flags = VMA_HEAP,
		.place = MAP_AT_FREE,
	};
	struct vma *above = vma_find(&as->vmas, start);
	long at;

	if (above && (above->flags & VMA_STACK) && above->start - MIN(end, above->start) < STACK_GUARD_GAP)
		return -ENOMEM;
	at = aspace_map_locked(as, v, &rq, rq.len, dead);
	return at < 0 ? (int)at : 0;
}

/* as->lock is held for writing. *fresh is for more heap, and NULL when that took it. -EAGAIN: there is none, but need. */
static int brk_locked(struct aspace *as, vaddr_t want, struct vma **fresh, struct list *dead)
{
	vaddr_t old_end = PAGE_ALIGN_UP(as->brk), new_end = PAGE_ALIGN_UP(want);
	u64 data = (want - as->brk_start) + (as->data_end - as->data_start);
	int err = 0;

	if (want > as->brk && as->data_limit_pages != ~0ul && data >> PAGE_SHIFT >= as->data_limit_pages)
		return -ENOMEM;
	if (new_end < old_end) {
		err = aspace_unmap_locked(as, new_end, old_end, dead);
	} else if (new_end > old_end) {
		err = *fresh ? brk_raise(as, *fresh, old_end, new_end, dead) : -EAGAIN;
		if (!err)
			*fresh = NULL;
	}
	if (!err)
		WRITE_ONCE(as->brk, want);
	return err;
}

vaddr_t aspace_brk(struct aspace *as, vaddr_t want)
{
	vaddr_t brk = READ_ONCE(as->brk);
	int err;

	if (want < as->brk_start || want > USER_MMAP_END)
		return brk;
	do {
		bool raise = PAGE_ALIGN_UP(want) > PAGE_ALIGN_UP(brk);
		struct vma *fresh = raise ? vma_create(as) : NULL;
		LIST_HEAD(dead);

		if (raise && !fresh)
			return brk;
		rwlock_write_lock(&as->lock);
		err = brk_locked(as, want, &fresh, &dead);
		brk = as->brk;
		rwlock_write_unlock(&as->lock);
		if (fresh)
			vma_free(fresh);
		aspace_release(&dead);
	} while (err == -EAGAIN); /* another thread has lowered it meanwhile */
	return brk;
}
