/*
 * Changes of a whole range of translations: unmap, protect, harvest. One walk does
 * them all; it splits a leaf that lies partly inside, and unhooks tables that it
 * has emptied. What the hardware may have cached is noted in the tlb object.
 */
#include "arch/riscv/pagetable_priv.h"
#include "arch/riscv/trace.h"
#include "mm/tlb.h"

/* While an address space has no more tables than this, empty ones stay. The host test takes a smaller number. */
#ifndef TABLES_KEPT
#define TABLES_KEPT 24
#endif

enum walk_op { WALK_UNMAP, WALK_PROTECT, WALK_HARVEST };

struct walk {
	struct pagetable *pt;
	struct tlb *tlb;
	enum walk_op op;
	u64 take;     /* WALK_PROTECT: PTE bits to clear */
	vaddr_t base; /* WALK_HARVEST: page numbers count from here */
	void (*fn)(void *arg, u64 page, u32 prot);
	void *arg;
	u64 nr; /* leaves changed */
};

/* Replaces a leaf by a table of smaller ones that say the same. NULL: no memory. */
static u64 *leaf_split(struct walk *w, u64 *slot, vaddr_t va, u32 level)
{
	struct frame *f = table_alloc(w->pt, ALLOC_ATOMIC);
	vaddr_t start = ALIGN_DOWN(va, level_size(level));
	u64 *child, leaf;

	if (!f)
		return NULL;
	child = frame_kva(f);
	/* Not there for a moment: the hardware may set A and D until then, and whoever comes in between faults and waits. */
	leaf = __atomic_exchange_n(slot, 0, __ATOMIC_RELAXED);
	for (u64 i = 0; i < PT_ENTRIES; i++)
		child[i] = leaf + (i << level_shift(level - 1) >> 2);
	f->small = PT_ENTRIES;
	f->index = ~0ul;
	w->pt->nr_tables++;
	table_point(w->pt, slot, pte_make(frame_pa(f), PTE_V));
	tlb_note(w->tlb, start, start + level_size(level));
	trace_note(TRACE_HUGE_SPLIT, level, start, PT_ENTRIES, leaf, *slot);
	return child;
}

static void leaf_drop(struct walk *w, u64 *table, u64 *slot, vaddr_t start, vaddr_t end)
{
	__atomic_store_n(slot, 0, __ATOMIC_RELAXED);
	kva_frame(table)->small--;
	tlb_note(w->tlb, start, end);
	w->nr++;
}

static void leaf_protect(struct walk *w, u64 *table, u64 *slot, vaddr_t start, vaddr_t end)
{
	/* With neither R nor X an entry would point to a table. */
	if (!(*slot & ~w->take & PTE_LEAF)) {
		leaf_drop(w, table, slot, start, end);
		return;
	}
	__atomic_fetch_and(slot, ~w->take, __ATOMIC_RELAXED);
	tlb_note(w->tlb, start, end);
	w->nr++;
}

/* WALK_HARVEST: the pages that the accessed leaf maps in [start, end). */
static void leaf_report(const struct walk *w, u64 pte, vaddr_t start, vaddr_t end)
{
	for (vaddr_t va = start; va < end; va += PAGE_SIZE)
		w->fn(w->arg, (va - w->base) >> PAGE_SHIFT, (u32)(pte >> 1) & PROT_MASK);
}

static void leaf_harvest(struct walk *w, u64 *slot, vaddr_t start, vaddr_t end)
{
	u64 pte = __atomic_fetch_and(slot, ~PTE_A, __ATOMIC_RELAXED);

	tlb_note(w->tlb, start, end);
	leaf_report(w, pte, start, end);
}

/* Whether the walk changes a leaf at all. */
static bool leaf_concerned(const struct walk *w, u64 pte)
{
	switch (w->op) {
	case WALK_PROTECT: return (pte & w->take) != 0;
	case WALK_HARVEST: return (pte & PTE_A) != 0;
	default: return true;
	}
}

static void leaf_apply(struct walk *w, u64 *table, u64 *slot, vaddr_t start, vaddr_t end)
{
	switch (w->op) {
	case WALK_UNMAP: leaf_drop(w, table, slot, start, end); break;
	case WALK_PROTECT: leaf_protect(w, table, slot, start, end); break;
	case WALK_HARVEST: leaf_harvest(w, slot, start, end); break;
	}
}

/* Unhooks an emptied table when it should go; its frame is freed after the flush. */
static void table_unhook(struct walk *w, u64 *parent, u64 *slot, vaddr_t start, vaddr_t end, u64 span)
{
	struct frame *f = kva_frame(table_of(*slot));

	if (f->small || (end - start < span && w->pt->nr_tables <= TABLES_KEPT))
		return;
	table_point(w->pt, slot, 0);
	w->pt->leaf_table = NULL;
	kva_frame(parent)->small--;
	w->pt->nr_tables--;
	w->tlb->tables_freed++;
	tlb_note(w->tlb, start, end);
	tlb_add_frame(w->tlb, f);
}

static void walk_table(struct walk *w, u64 *table, u32 level, vaddr_t start, vaddr_t end)
{
	u64 size = level_size(level);
	u64 *slot = &table[level_index(start, level)];
	const struct frame *meta = kva_frame(table);
	vaddr_t next;

	/* An emptied table ends the walk of it early. */
	for (vaddr_t va = start; va < end && meta->small; va = next, slot++) {
		u64 pte = *slot;
		u64 *child = NULL;
		vaddr_t stop;

		next = ALIGN_DOWN(va, size) + size;
		stop = next < end ? next : end;
		if (!(pte & PTE_V))
			continue;
		if (pte_is_leaf(pte)) {
			if (!leaf_concerned(w, pte))
				continue;
			/* Only part of it is meant: split it. Where no memory is, forget all of it, or report the same again. */
			if (stop - va < size)
				child = leaf_split(w, slot, va, level);
			if (!child && stop - va == size)
				leaf_apply(w, table, slot, va, stop);
			else if (!child && w->op == WALK_HARVEST)
				leaf_report(w, pte, va, stop);
			else if (!child)
				leaf_drop(w, table, slot, next - size, next);
		} else {
			child = table_of(pte);
		}
		if (child) {
			walk_table(w, child, level - 1, va, stop);
			if (w->op != WALK_HARVEST)
				table_unhook(w, table, slot, va, stop, size);
		}
	}
}

static void walk_range(struct walk *w, vaddr_t start, vaddr_t end)
{
	spin_assert_held(&w->pt->lock);
	if (end > user_end)
		end = user_end;
	if (start >= end)
		return;
	/* A few pages under one table, and table_unhook would keep that in any case: nothing above is looked at. */
	if ((start ^ (end - 1)) < level_size(1) && end - start < level_size(1) && w->pt->nr_tables <= TABLES_KEPT) {
		u64 *table = leaf_table(w->pt, start);

		if (table) {
			walk_table(w, table, 0, start, end);
			return;
		}
	}
	walk_table(w, phys_to_kva(w->pt->root), pt_levels - 1, start, end);
}

/* One page under a table that stays (table_unhook would keep it). NULL: walk. */
static u64 *page_slot(struct pagetable *pt, vaddr_t va)
{
	u64 *table = pt->nr_tables <= TABLES_KEPT ? leaf_table(pt, va) : NULL;

	return table ? &table[level_index(va, 0)] : NULL;
}

u64 pt_unmap(struct pagetable *pt, vaddr_t start, vaddr_t end, struct tlb *tlb)
{
	struct walk w = {.pt = pt, .tlb = tlb, .op = WALK_UNMAP};

	spin_assert_held(&pt->lock);
	tlb_note_others(tlb, start, end);
	if (end - start == PAGE_SIZE && start < user_end) {
		u64 *slot = page_slot(pt, start);

		if (slot) {
			if (!(*slot & PTE_V))
				return 0;
			__atomic_store_n(slot, 0, __ATOMIC_RELAXED);
			kva_frame(slot)->small--;
			tlb_note(tlb, start, end);
			return 1;
		}
	}
	walk_range(&w, start, end);
	return w.nr;
}

u64 pt_protect(struct pagetable *pt, vaddr_t start, vaddr_t end, u32 keep, struct tlb *tlb)
{
	struct walk w = {.pt = pt, .tlb = tlb, .op = WALK_PROTECT};

	w.take = (u64)(PT_RWX & ~keep) << 1;
	if (w.take & PTE_R)
		w.take |= PTE_W; /* writable needs readable */
	tlb_note_others(tlb, start, end);
	walk_range(&w, start, end);
	return w.nr;
}

void pt_harvest(struct pagetable *pt, vaddr_t start, vaddr_t end, struct tlb *tlb,
	void (*fn)(void *arg, u64 page, u32 prot), void *arg)
{
	struct walk w = {.pt = pt, .tlb = tlb, .op = WALK_HARVEST, .base = start, .fn = fn, .arg = arg};

	walk_range(&w, start, end);
}
