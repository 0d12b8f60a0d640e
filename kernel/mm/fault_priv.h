/* Inside the fault handler: what one attempt knows, and how a leaf comes to be. Shared by fault.c and fault_around.c. */
#pragma once

#include "arch/riscv/arch.h"
#include "lib/errno.h"
#include "mm/aspace_priv.h"
#include "mm/fault.h"

/* Besides enum fault_result, what one attempt may answer. */
enum { AGAIN = 100, AGAIN_GROW, AGAIN_UNSHARE, AGAIN_LOAD, AGAIN_SWAP, AGAIN_DIRTY, AGAIN_TABLE, AGAIN_MEMORY };

struct faultctx {
	struct aspace *as;
	vaddr_t va; /* page */
	enum access access;
	u32 memory_tries;
	u32 major;
	bool swapped;         /* the slot's entry became a frame again */
	struct frame *loaded; /* what AGAIN_SWAP brought in, kept until the slot has it. Referenced, or NULL */
	/* set by the attempt */
	struct vma *vma;     /* valid under as->lock */
	struct memobj *obj;  /* AGAIN_LOAD, AGAIN_DIRTY: referenced */
	struct frame *frame; /* AGAIN_DIRTY: referenced */
	u64 pgoff;           /* in obj */
	void *entry;         /* AGAIN_SWAP: what the slot held */
};

/* ---- mapping; pt->lock is held ---- */

static inline u32 leaf_prot(const struct vma *v, bool writable)
{
	u32 prot = PT_USER | (v->flags & (VMA_READ | VMA_EXEC));

	if (v->flags & VMA_WRITE)
		prot |= PT_READ; /* there is no write without read */
	return writable ? prot | PT_WRITE : prot;
}

/* A writable leaf appears at va. */
static inline void written_extend(struct vma *v, vaddr_t va)
{
	if (va >= v->w_start && va < v->w_end)
		return;
	if (v->w_start >= v->w_end) {
		v->w_start = va;
		v->w_end = va + PAGE_SIZE;
	} else {
		v->w_start = MIN(v->w_start, va);
		v->w_end = MAX(v->w_end, va + PAGE_SIZE);
	}
}

/* The leaf where a larger one is: that one is split. 0/-ENOMEM. */
int superpage_map_part(struct vma *v, vaddr_t va, struct frame *f, u32 prot);

static inline int map_leaf(struct vma *v, vaddr_t va, struct frame *f, u32 prot)
{
	int err;

	if (prot & PT_WRITE)
		written_extend(v, va);
	err = pt_map(&v->as->pt, va, frame_pa(f), 0, prot);
	return likely(err != -EEXIST) ? err : superpage_map_part(v, va, f, prot);
}

/* Nobody may go on reading the old page while another writes the new one. */
void leaf_unhook(struct vma *v, vaddr_t va);

/* Code must be seen by instruction fetch: once for each frame, when it is first mapped executable. */
static inline void sync_code(const struct vma *v, struct frame *f)
{
	if (likely(!(v->flags & VMA_EXEC)) || (atomic_read(&f->flags) & FRAME_EXEC))
		return;
	arch_flush_icache_all(~0ul);
	smp_wmb(); /* who sees the flag may fetch from it at once */
	atomic_or(&f->flags, FRAME_EXEC);
}

/* ---- slots ---- */

/* This slot's frame may be written in place by v. amap->lock held. */
static inline bool slot_owned(const struct vma *v, const struct frame *f)
{
	return !(v->flags & VMA_NEEDS_COPY) && atomic_read(&f->refs) == 1;
}

/*
 * Slots and translations of v stand still: for mapping what is not in a slot.
 * Another thread may give v its first amap at any time, and fills it under
 * these locks: with pt->lock held, either we see that amap or it is still empty.
 */
struct amap *slots_lock(struct vma *v);
void slots_unlock(struct vma *v, struct amap *am);

/* v's amap, made if there is none. NULL: no memory. */
struct amap *fault_amap(struct vma *v);

/* ---- swap (fault_swap.c) ---- */

/* The slot of fc->va holds a swap entry: puts its frame there, and returns it. NULL: it is to be read (AGAIN_SWAP).
 * Locks: amap->lock is held. */
struct frame *fault_swap_slot(struct faultctx *fc, struct amap *am, void *entry);
/* Brings fc->entry in. FAULT_DONE: start over; AGAIN_MEMORY; FAULT_BUS. */
int fault_swap_load(struct faultctx *fc);
/* fc is done with what was loaded. */
void fault_swap_end(struct faultctx *fc);

/* ---- superpages (superpage.c) ---- */

/* A new block could be made for va. */
bool superpage_fits(const struct vma *v, vaddr_t va);
/* The region of fc->va, which fits, gets a block and a leaf. False: 4 KiB it is. */
bool superpage_fill(struct faultctx *fc);
/* fc->va is in a slot: maps its block by one leaf. False: there is none, or it cannot. Locks: amap->lock and pt->lock held. */
bool superpage_map(struct faultctx *fc, const struct amap *am);

/* Maps what is present in the 64 KiB around a read fault (fault_around.c). */
void fault_around(struct faultctx *fc);
