/*
 * What the files of the page-table code share: pagetable.c (tables, looking, mapping), pagetable_range.c (unmap,
 * protect, harvest) and pagetable_report.c (vmprint, the checker). Callers hold pt->lock, unless nobody else knows
 * the table yet.
 */
#pragma once

#include "arch/riscv/pte.h"
#include "lib/atomic.h"
#include "mm/pagetable.h"

/* PT_* bits are the hardware's, one place lower. */
#define PROT_MASK 0x7fu

/*
 * A table above level 0 remembers in frame.index where it ever had entries: bit k stands for the k-th 64th of it. So
 * tearing down looks at little else.
 */
#define HINT_SHIFT (PT_INDEX_BITS > 6 ? PT_INDEX_BITS - 6 : 0)

/* An empty table of pt's, which nothing points to. NULL: no memory. Locks: none. */
struct frame *table_alloc(struct pagetable *pt, u32 flags);

static inline u64 *table_of(u64 pte)
{
	return phys_to_kva(pte_pa(pte));
}

/* isolate=1: if the slot lies in pt's root, the user's root gets the same entry. */
void user_root_follow(const struct pagetable *pt, const u64 *slot);

/* A slot above the leaves points to another table, or to none. If it lies in the root, the user's root follows. */
static inline void table_point(const struct pagetable *pt, u64 *slot, u64 pte)
{
	store_release(slot, pte);
	if (unlikely(pt->user_root))
		user_root_follow(pt, slot);
}

/* The level-0 table for va. NULL: there is none, or a superpage is there. */
static inline u64 *leaf_table(struct pagetable *pt, vaddr_t va)
{
	u64 *table = pt->leaf_table;

	if (likely(table) && (va ^ pt->leaf_va) >> (PAGE_SHIFT + PT_INDEX_BITS) == 0)
		return table;
	table = phys_to_kva(pt->root);
	for (u32 shift = level_shift(pt_levels - 1); shift > PAGE_SHIFT; shift -= PT_INDEX_BITS) {
		u64 pte = table[va >> shift & (PT_ENTRIES - 1)];

		if (unlikely((pte & (PTE_V | PTE_LEAF)) != PTE_V))
			return NULL;
		table = table_of(pte);
	}
	pt->leaf_table = table;
	pt->leaf_va = va;
	return table;
}
