/*
 * Page tables and a TLB for host tests: a small hash of leaves for each table, and a TLB that keeps every
 * translation a user access went through until it is flushed. Defines functions: include it in the test's .c only.
 *
 * What it catches: a leaf replaced by another frame's without pt_unmap; a change without flush (the stale entry goes
 * on being used, so contents come out wrong); a frame freed before the flush.
 */
#ifndef FAKE_MM_PAGETABLE_H
#define FAKE_MM_PAGETABLE_H

#include <stdlib.h>

#include "lib/assert.h"
#include "lib/errno.h"
#include "mm/pagetable.h"
#include "mm/slab.h"
#include "mm/tlb.h"

#define FAKE_LEAVES 1024

struct fake_leaf {
	vaddr_t va; /* 0: free */
	paddr_t pa;
	u32 prot;
};

struct fake_pt {
	struct fake_leaf leaf[FAKE_LEAVES];
	struct fake_leaf tlb[FAKE_LEAVES];
	u32 table_missing; /* the next new leaf wants pt_reserve first */
};

static u64 fake_nr_flushes;
/* A processor that leaves A and D to software (Svade): it faults instead of setting them. */
static bool fake_ad_faults;

static inline struct fake_pt *fake_of(struct pagetable *pt)
{
	return (struct fake_pt *)pt->root;
}

static inline struct fake_leaf *fake_find(struct fake_leaf *set, vaddr_t va, bool create)
{
	u64 h = (va >> PAGE_SHIFT) * 7 % FAKE_LEAVES;
	struct fake_leaf *free_one = NULL;

	for (u64 i = 0; i < FAKE_LEAVES; i++) {
		struct fake_leaf *l = &set[(h + i) % FAKE_LEAVES];

		if (l->va == va)
			return l;
		if (!l->va && !free_one)
			free_one = l;
		if (!l->va && !l->pa) /* never used: the end of the chain */
			break;
	}
	ASSERT(!create || free_one);
	return create ? free_one : NULL;
}

int pt_create(struct pagetable *pt)
{
	if (alloc_should_fail())
		return -ENOMEM;
	spin_init(&pt->lock, "pt", RANK_PT);
	pt->root = (paddr_t)calloc(1, sizeof(struct fake_pt));
	return 0;
}

void pt_destroy(struct pagetable *pt)
{
	free(fake_of(pt));
	pt->root = 0;
}

int pt_reserve(struct pagetable *pt, vaddr_t va, u32 order)
{
	ASSERT(!spin_is_locked(&pt->lock));
	if (alloc_should_fail())
		return -ENOMEM;
	fake_of(pt)->table_missing = 0;
	return 0;
}

int pt_map(struct pagetable *pt, vaddr_t va, paddr_t pa, u32 order, u32 prot)
{
	struct fake_leaf *l;

	ASSERT(spin_is_locked(&pt->lock) && order == 0 && IS_ALIGNED(va | pa, PAGE_SIZE));
	ASSERT((prot & PT_USER) && (prot & PT_RWX) && (!(prot & PT_WRITE) || (prot & PT_READ)));
	l = fake_find(fake_of(pt)->leaf, va, false);
	if (!l) {
		if (fake_of(pt)->table_missing || alloc_should_fail())
			return -ENOMEM;
		l = fake_find(fake_of(pt)->leaf, va, true);
	} else {
		ASSERT(l->pa == pa); /* replacing goes through pt_unmap */
		prot |= l->prot;     /* and so does taking away: what was given stays */
	}
	ASSERT(atomic_read(&pa_frame(pa)->refs) > 0);
	*l = (struct fake_leaf){.va = va, .pa = pa, .prot = prot};
	return 0;
}

u32 pt_map_missing(struct pagetable *pt, vaddr_t va, const struct pt_page *pages, u32 nr)
{
	u32 mapped = 0;

	for (u32 i = 0; i < nr; i++, va += PAGE_SIZE) {
		if (pages[i].prot && !fake_find(fake_of(pt)->leaf, va, false))
			mapped += pt_map(pt, va, pages[i].pa, 0, pages[i].prot) == 0;
	}
	return mapped;
}

u64 pt_unmap(struct pagetable *pt, vaddr_t start, vaddr_t end, struct tlb *tlb)
{
	u64 nr = 0;

	ASSERT(spin_is_locked(&pt->lock) && start < end);
	for (u32 i = 0; i < FAKE_LEAVES; i++) {
		struct fake_leaf *l = &fake_of(pt)->leaf[i];

		if (l->va >= start && l->va < end && l->va) {
			tlb_note(tlb, l->va, l->va + PAGE_SIZE);
			l->va = 0;
			nr++;
		}
	}
	return nr;
}

u64 pt_protect(struct pagetable *pt, vaddr_t start, vaddr_t end, u32 keep, struct tlb *tlb)
{
	u64 nr = 0;

	ASSERT(spin_is_locked(&pt->lock) && start < end && (keep & PT_RWX));
	for (u32 i = 0; i < FAKE_LEAVES; i++) {
		struct fake_leaf *l = &fake_of(pt)->leaf[i];

		if (l->va >= start && l->va < end && l->va && (l->prot & PT_RWX & ~keep)) {
			tlb_note(tlb, l->va, l->va + PAGE_SIZE);
			l->prot &= ~(PT_RWX & ~keep);
			if (!(l->prot & PT_RWX))
				l->va = 0;
			nr++;
		}
	}
	return nr;
}

/* This table knows single pages only. */
bool pt_vacant(struct pagetable *pt, vaddr_t va, u32 order)
{
	return false;
}

int pt_query(struct pagetable *pt, vaddr_t va, struct pt_entry *out)
{
	struct fake_leaf *l = fake_find(fake_of(pt)->leaf, PAGE_ALIGN_DOWN(va), false);

	ASSERT(spin_is_locked(&pt->lock));
	if (!l)
		return -ENOENT;
	*out = (struct pt_entry){.pa = l->pa + (va & ~PAGE_MASK), .prot = l->prot, .order = 0};
	return 0;
}

/* For traces, and nobody watches. */
u64 pt_raw(struct pagetable *pt, vaddr_t va)
{
	return 0;
}

void pt_harvest(struct pagetable *pt, vaddr_t start, vaddr_t end, struct tlb *tlb,
	void (*fn)(void *arg, u64 page, u32 prot), void *arg)
{
	for (u32 i = 0; i < FAKE_LEAVES; i++) {
		struct fake_leaf *l = &fake_of(pt)->leaf[i];

		if (l->va && l->va >= start && l->va < end && (l->prot & PT_ACCESSED)) {
			fn(arg, (l->va - start) >> PAGE_SHIFT, l->prot);
			l->prot &= ~PT_ACCESSED;
			tlb_note(tlb, l->va, l->va + PAGE_SIZE);
		}
	}
}

void pt_check(struct pagetable *pt)
{
}

void tlb_arch_flush(struct pagetable *pt, vaddr_t start, vaddr_t end, u32 tables_freed)
{
	fake_nr_flushes++;
	for (u32 i = 0; i < FAKE_LEAVES; i++) {
		struct fake_leaf *t = &fake_of(pt)->tlb[i];

		if (t->va && t->va >= start && t->va < end) {
			ASSERT(atomic_read(&pa_frame(t->pa)->refs) > 0); /* freed before the flush */
			t->va = 0;
		}
	}
}

/* What the processor does: the TLB first, then the table. NULL: a page fault. */
static inline void *fake_translate(struct pagetable *pt, vaddr_t va, u32 need)
{
	u32 ad = PT_ACCESSED | (need & PT_WRITE ? PT_DIRTY : 0);
	vaddr_t page = PAGE_ALIGN_DOWN(va);
	struct fake_leaf *t = fake_find(fake_of(pt)->tlb, page, false);

	if (!t || (t->prot & need) != need || (fake_ad_faults && (t->prot & ad) != ad)) {
		struct fake_leaf *l = fake_find(fake_of(pt)->leaf, page, false);

		if (!l || (l->prot & need) != need)
			return NULL;
		if (!fake_ad_faults)
			l->prot |= ad;
		else if ((l->prot & ad) != ad)
			return NULL;
		t = fake_find(fake_of(pt)->tlb, page, true);
		*t = *l;
	}
	return (char *)phys_to_kva(t->pa) + (va & ~PAGE_MASK);
}

#endif
