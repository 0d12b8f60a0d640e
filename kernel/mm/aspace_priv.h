/* Inside mm/: what the files about address spaces share. All: the caller holds as->lock for writing. */
#pragma once

#include "mm/anon.h"
#include "mm/aspace.h"
#include "mm/tlb.h"

#define ASPACE_MAX_VMAS 65530
#define STACK_GUARD_GAP (256 * PAGE_SIZE)

void aspace_init(void);
/* The USYSCALL page, borrowed; NULL: no memory. Locks: as->lock held for reading. */
struct frame *aspace_usyscall(struct aspace *as);
void fault_init(void);

/* A zeroed VMA of `as`, in no tree and on no list, or NULL. vma_free: it holds no references any more. */
struct vma *vma_create(struct aspace *as);
/* One that says what v says, with references of its own; without leaves, in no tree and on no list. NULL: no memory. */
struct vma *vma_copy(struct aspace *as, struct vma *v);
void vma_free(struct vma *v);

/* Into and out of the tree and the object's list, with the page count. */
void aspace_insert(struct aspace *as, struct vma *v);
void aspace_erase(struct aspace *as, struct vma *v);
/* Changes the edges; obj's list may be walked meanwhile. Keeps pgoff and apgoff in step with start. */
void aspace_resize(struct aspace *as, struct vma *v, vaddr_t start, vaddr_t end);

/* After this the VMA's amap is nobody else's in another address space (A3 left). 0/-ENOMEM. */
int vma_unshare(struct vma *v);
/* After this no other VMA of this address space has its amap (A2 left). 0/-ENOMEM. */
int vma_privatise(struct vma *v);
/* After this `nr` pages can be put before its start: apgoff >= nr and no sibling's key is there. 0/-ENOMEM. */
int vma_headroom(struct vma *v, u64 nr);

/* Cuts VMAs so that none crosses start or end. 0/-ENOMEM, then nothing is cut. Who fails later calls aspace_merge. */
int aspace_isolate(struct aspace *as, vaddr_t start, vaddr_t end);
/* Drops all translations of [start, end), flushed. */
void aspace_unhook(struct aspace *as, vaddr_t start, vaddr_t end);
/* Takes the VMAs of [start, end), which is isolated, out of the space and onto `dead` (by obj_link). */
void aspace_detach(struct aspace *as, vaddr_t start, vaddr_t end, struct list *dead);
/* Drops what dead VMAs own. Locks: none held; may sleep. */
void aspace_release(struct list *dead);

/* Puts v, which has its references, where rq says. The address or -errno: then v is the caller's still. What was there goes to `dead`.
 * Locks: as->lock held for writing. */
long aspace_map_locked(struct aspace *as, struct vma *v, const struct map_request *rq, u64 len, struct list *dead);
/* What is in [start, end) goes to `dead`. 0/-ENOMEM. Locks: as->lock held for writing. */
int aspace_unmap_locked(struct aspace *as, vaddr_t start, vaddr_t end, struct list *dead);
/* Joins what can be joined at the edges of and inside [start, end]. */
void aspace_merge(struct aspace *as, vaddr_t start, vaddr_t end);

/* Changes flags of all VMAs in [start, end), which is isolated and has no holes, and merges. */
void aspace_set_flags(struct aspace *as, vaddr_t start, vaddr_t end, u32 clear, u32 set);

/* MADV_PAGEOUT, MADV_COLD: private pages and shared memory of [start, end). 0; -EINVAL: a locked VMA; -ENOMEM: a hole
 * (then the rest was done). Locks: take as->lock for reading. */
int aspace_page_out(struct aspace *as, vaddr_t start, vaddr_t end);
int aspace_cool(struct aspace *as, vaddr_t start, vaddr_t end);
/* Reads swapped private pages of [start, end) ahead, at most `max`; returns how many. Locks: takes as->lock for reading. */
u32 aspace_swap_in(struct aspace *as, vaddr_t start, vaddr_t end, u32 max);

/* Where the limit on the size of v, a stack, is counted from. */
static inline vaddr_t aspace_stack_top(const struct aspace *as, const struct vma *v)
{
	/* A piece of the main stack counts from the main stack's top; another growing area from its own. */
	bool main_stack = as->stack_top >= v->end && as->stack_top - v->end < as->stack_limit;

	return main_stack ? as->stack_top : v->end;
}
/* v, the VMA above va, is a stack that may reach down to it. Locks: as->lock held. */
bool aspace_may_grow(struct aspace *as, const struct vma *v, vaddr_t va);
/* Makes the stack just above va reach it. 0 (also when nothing is to be done any more), -EFAULT: not allowed, -ENOMEM.
 * Locks: takes as->lock for writing. */
int aspace_grow_stack(struct aspace *as, vaddr_t va);

/* False: nobody will ask (explain=off). */
extern bool freed_noted;

/* [start, end) is nobody's any more. Every munmap pays for this. Locks: as->lock held for writing. */
static inline void freed_note(struct aspace *as, vaddr_t start, vaddr_t end, enum freed_by by)
{
	if (freed_noted)
		as->freed[as->nr_freed++ % FREED_KEPT] = (struct freed_range){start | by, end};
}

/* Pages promised in [start, end). */
u64 aspace_count(struct aspace *as, vaddr_t start, vaddr_t end);
/* True when every page of [start, end) is in some VMA. */
bool aspace_covered(struct aspace *as, vaddr_t start, vaddr_t end);
/* Where `len` bytes can go, below mmap_top if possible; 0: nowhere. */
vaddr_t aspace_find_place(struct aspace *as, u64 len);

/* [start, start+len) as whole pages in *end. False: not page-aligned, wraps, or leaves the user half. */
static inline bool user_pages(vaddr_t start, u64 len, vaddr_t *end)
{
	u64 rounded = PAGE_ALIGN_UP(len);

	if ((start & ~PAGE_MASK) || rounded < len || start > user_end || rounded > user_end - start)
		return false;
	*end = start + rounded;
	return true;
}
