/*
 * Page tables of any number of levels. The contract is mm/pagetable.h.
 *
 * A table page's struct frame counts its valid entries in `small`, so that an
 * emptied table is known without looking at it. Emptied tables are unhooked when
 * the range covers all that they could map, or when the address space has many;
 * a few empty ones are kept, for the mapping that comes next.
 *
 * Leaves change by atomic operations where they were valid: the hardware may
 * set A and D at any time.
 *
 * With isolate=1 a table has a second root for user mode (isolate.h): its user half
 * has the same entries, its kernel half none. All tables below are shared, so only
 * changes of a root entry are made twice. No leaf lies in a root then: the
 * hardware would set A and D in one of its two copies.
 */
#include "arch/riscv/pagetable_arch.h"

#include "arch/riscv/pte.h"
#include "arch/riscv/tlb_arch.h"
#include "lib/assert.h"
#include "lib/bitmap.h"
#include "lib/errno.h"
#include "lib/printf.h"
#include "mm/pagetable.h"
#include "mm/tlb.h"

/* While an address space has no more tables than this, empty ones stay. The host test takes a smaller number. */
#ifndef TABLES_KEPT
#define TABLES_KEPT 24
#endif

/* PT_* bits are the hardware's, one place lower. */
static_assert(PT_READ << 1 == PTE_R && PT_WRITE << 1 == PTE_W && PT_EXEC << 1 == PTE_X && PT_USER << 1 == PTE_U &&
		PT_GLOBAL << 1 == PTE_G && PT_ACCESSED << 1 == PTE_A && PT_DIRTY << 1 == PTE_D,
	"prot_bits shifts");
#define PROT_MASK 0x7fu

u32 pt_levels = 3;
u64 user_end;
struct pagetable kernel_pagetable;

u16 pt_kernel_slots[PT_ENTRIES / 2];
u32 pt_nr_kernel_slots;
paddr_t pt_trapframe, pt_trampoline;

static u64 prot_bits(u32 prot)
{
	return (u64)(prot & PROT_MASK) << 1 | PTE_V;
}

static u64 *table_of(u64 pte)
{
	return phys_to_kva(pte_pa(pte));
}

/* ---- tables ---- */

static struct frame *table_alloc(struct pagetable *pt, u32 flags)
{
	struct frame *f = frame_alloc(0, FRAME_TABLE, flags | ALLOC_ZERO);

	if (f) {
		f->owner = pt;
		f->small = 0;
	}
	return f;
}

/*
 * A table above level 0 remembers in frame.index where it ever had entries: bit k stands for the k-th 64th of it. So
 * tearing down looks at little else.
 */
#define HINT_SHIFT (PT_INDEX_BITS > 6 ? PT_INDEX_BITS - 6 : 0)

static void table_hint(u64 *table, const u64 *slot)
{
	kva_frame(table)->index |= BIT((u64)(slot - table) >> HINT_SHIFT);
}

static NOINLINE void user_root_follow(const struct pagetable *pt, const u64 *slot)
{
	const u64 *root = phys_to_kva(pt->root);
	u64 *user = phys_to_kva(pt->user_root);

	if (slot >= root && slot < root + PT_ENTRIES)
		store_release(&user[slot - root], *slot);
}

/* A slot above the leaves points to another table, or to none. If it lies in the root, the user's root follows. */
static inline void table_point(const struct pagetable *pt, u64 *slot, u64 pte)
{
	store_release(slot, pte);
	if (unlikely(pt->user_root))
		user_root_follow(pt, slot);
}

/* Hooks table `f` into an empty slot. Its zeroes are visible before it is. */
static u64 *table_hook(struct pagetable *pt, u64 *parent, u64 *slot, struct frame *f)
{
	kva_frame(parent)->small++;
	table_hint(parent, slot);
	pt->nr_tables++;
	table_point(pt, slot, pte_make(frame_pa(f), PTE_V));
	return frame_kva(f);
}

static void all_free(struct pagetable *pt);
static inline u64 *leaf_table(struct pagetable *pt, vaddr_t va);
static inline void leaf_new(u64 *table, u64 *slot, u64 pte);

/* isolate=1: the second root, and the two pages above user_end, which no other function here reaches. */
static int isolate_create(struct pagetable *pt)
{
	struct frame *f = table_alloc(pt, 0);
	u64 *table;
	int err;

	if (!f)
		return -ENOMEM;
	pt->user_root = frame_pa(f);
	pt->nr_tables++;
	err = pt_reserve(pt, user_end, 0);
	if (err)
		return err;
	pt_lock(pt);
	table = leaf_table(pt, user_end);
	leaf_new(table, &table[level_index(user_end, 0)], pte_make(pt_trapframe, PTE_TRAPFRAME));
	leaf_new(table, &table[level_index(user_end + PAGE_SIZE, 0)], pte_make(pt_trampoline, PTE_TRAMPOLINE));
	pt_unlock(pt);
	return 0;
}

int pt_create(struct pagetable *pt)
{
	struct frame *f = table_alloc(pt, 0);
	u64 *root;
	int err;

	if (!f)
		return -ENOMEM;
	*pt = (struct pagetable){.root = frame_pa(f), .nr_tables = 1};
	spin_init(&pt->lock, "pagetable", RANK_PT);
	root = frame_kva(f);
	for (u32 i = 0; i < pt_nr_kernel_slots; i++) {
		const u64 *kernel = phys_to_kva(kernel_pagetable.root);

		root[pt_kernel_slots[i]] = kernel[pt_kernel_slots[i]];
	}
	err = pt_trampoline ? isolate_create(pt) : 0;
	if (err)
		all_free(pt);
	return err;
}

/* Frees this table and those below. Returns how many. */
static u64 tables_free(u64 *table, u32 level, u64 entries)
{
	struct frame *f = kva_frame(table);
	u64 nr = 1;

	for (u64 hints = f->index; level > 0 && hints; hints &= hints - 1) {
		u64 i = bit_lowest(hints) << HINT_SHIFT;

		for (u64 end = i + (1ul << HINT_SHIFT); i < end && i < entries; i++) {
			if ((table[i] & PTE_V) && !pte_is_leaf(table[i]))
				nr += tables_free(table_of(table[i]), level - 1, PT_ENTRIES);
		}
	}
	frame_put(f);
	return nr;
}

static void all_free(struct pagetable *pt)
{
	tables_free(phys_to_kva(pt->root), pt_levels - 1, PT_ENTRIES / 2);
	if (pt->user_root)
		frame_put(pa_frame(pt->user_root));
	pt->root = pt->user_root = 0;
	pt->nr_tables = 0;
}

/* The number stays unused until a roll-over clears all TLBs (asid.c), so there is nothing to flush. */
void pt_destroy(struct pagetable *pt)
{
	ASSERT(!tlb_pt_in_use(pt) && atomic_read(&pt->unflushed) == 0);
#ifdef VITRINE_DEBUG
	pt_check(pt);
#endif
	all_free(pt);
}

/* ---- looking ---- */

/* The slot of va at level *level, or that of the leaf above (*level then is its level). NULL: there is no table. */
static u64 *slot_find(const struct pagetable *pt, vaddr_t va, u32 *level)
{
	u64 *table = phys_to_kva(pt->root);

	for (u32 l = pt_levels - 1;; l--) {
		u64 *slot = &table[level_index(va, l)];

		if (l == *level)
			return slot;
		if (!(*slot & PTE_V))
			return NULL;
		if (pte_is_leaf(*slot)) {
			*level = l;
			return slot;
		}
		table = table_of(*slot);
	}
}

int pt_query(struct pagetable *pt, vaddr_t va, struct pt_entry *out)
{
	u32 level = 0;
	const u64 *slot = slot_find(pt, va, &level);

	if (!slot || !(*slot & PTE_V))
		return -ENOENT;
	out->pa = pte_pa(*slot) + (va & (level_size(level) - 1));
	out->prot = (u32)(*slot >> 1) & PROT_MASK;
	out->order = level * PT_INDEX_BITS;
	return 0;
}

struct scan {
	bool (*fn)(void *arg, vaddr_t va, u64 nr_pages, const struct pt_entry *e);
	void *arg;
	vaddr_t at; /* everything below was visited */
};

/* False: fn wants no more. */
static bool scan_table(struct scan *s, const u64 *table, u32 level, vaddr_t end)
{
	u64 size = level_size(level);

	while (s->at < end) {
		vaddr_t va = s->at, next = ALIGN_DOWN(va, size) + size, stop = next < end ? next : end;
		u64 pte = READ_ONCE(table[level_index(va, level)]);

		if ((pte & PTE_V) && !pte_is_leaf(pte)) {
			if (!scan_table(s, table_of(pte), level - 1, stop))
				return false;
			continue;
		}
		s->at = stop;
		if (pte & PTE_V) {
			struct pt_entry e = {
				.pa = pte_pa(pte) + (va & (size - 1)),
				.prot = (u32)(pte >> 1) & PROT_MASK,
				.order = level * PT_INDEX_BITS,
			};

			if (!s->fn(s->arg, va, (stop - va) >> PAGE_SHIFT, &e))
				return false;
		}
	}
	return true;
}

vaddr_t pt_scan(struct pagetable *pt, vaddr_t start, vaddr_t end,
	bool (*fn)(void *arg, vaddr_t va, u64 nr_pages, const struct pt_entry *e), void *arg)
{
	struct scan s = {.fn = fn, .arg = arg, .at = start};

	spin_assert_held(&pt->lock);
	scan_table(&s, phys_to_kva(pt->root), pt_levels - 1, end < user_end ? end : user_end);
	return s.at < user_end ? s.at : MAX(end, s.at);
}

/* ---- mapping ---- */

int pt_reserve(struct pagetable *pt, vaddr_t va, u32 order)
{
	u32 want = order / PT_INDEX_BITS;
	struct frame *spare = NULL;

	for (;;) {
		u64 *table = phys_to_kva(pt->root);
		u32 l = pt_levels - 1;

		pt_lock(pt);
		for (; l > want; l--) {
			u64 *slot = &table[level_index(va, l)];

			if (!(*slot & PTE_V)) {
				if (!spare)
					break;
				table = table_hook(pt, table, slot, spare);
				spare = NULL;
				continue;
			}
			if (pte_is_leaf(*slot)) {
				l = want;
				break;
			}
			table = table_of(*slot);
		}
		pt_unlock(pt);
		if (l == want)
			break;
		spare = table_alloc(pt, 0);
		if (!spare)
			return -ENOMEM;
	}
	if (spare)
		frame_put(spare);
	return 0;
}

/* True when nothing is mapped below this table; empty tables may hang there. */
static bool tables_empty(const u64 *table, u32 level)
{
	u32 left = kva_frame(table)->small;

	if (level == 0)
		return left == 0;
	for (u64 i = 0; left > 0; i++) {
		if (!(table[i] & PTE_V))
			continue;
		left--;
		if (pte_is_leaf(table[i]) || !tables_empty(table_of(table[i]), level - 1))
			return false;
	}
	return true;
}

bool pt_vacant(struct pagetable *pt, vaddr_t va, u32 order)
{
	u32 want = order / PT_INDEX_BITS, level = want;
	const u64 *slot = slot_find(pt, va, &level);

	if (!slot || !(*slot & PTE_V))
		return true;
	return level == want && (pte_is_leaf(*slot) || tables_empty(table_of(*slot), level - 1));
}

/* A superpage goes where empty tables are: they must be gone from all TLBs before they are freed. */
static int tables_replace(struct pagetable *pt, u64 *slot, vaddr_t va, u32 level, u64 pte)
{
	u64 *table = table_of(*slot);

	if (!tables_empty(table, level - 1))
		return -EEXIST;
	__atomic_store_n(slot, pte, __ATOMIC_RELEASE);
	pt->leaf_table = NULL;
	tlb_arch_flush(pt, va, va + level_size(level), 1);
	pt->nr_tables -= tables_free(table, level - 1, PT_ENTRIES);
	return 0;
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

/* Into a slot that was empty; after what was written into the frame. */
static inline void leaf_new(u64 *table, u64 *slot, u64 pte)
{
	kva_frame(table)->small++;
	store_release(slot, pte);
}

/* For pt_check: from here on a leaf may be writable and executable, because somebody asked for one. */
static inline void wx_note(struct pagetable *pt, u32 prot)
{
#if defined(VITRINE_DEBUG) || defined(HOST_TEST)
	if ((prot & (PT_WRITE | PT_EXEC)) == (PT_WRITE | PT_EXEC))
		pt->wx_asked = true;
#endif
}

/* All that pt_map does, for every size and whatever is there. */
static NOINLINE int map_any(struct pagetable *pt, vaddr_t va, u32 want, u64 pte)
{
	u64 *table = phys_to_kva(pt->root);
	u64 *slot;
	u64 old;

	for (u32 l = pt_levels - 1; l > want; l--) {
		slot = &table[level_index(va, l)];
		old = *slot;
		if (unlikely(!(old & PTE_V))) {
			struct frame *f = table_alloc(pt, ALLOC_ATOMIC);

			if (!f)
				return -ENOMEM;
			table = table_hook(pt, table, slot, f);
			continue;
		}
		if (unlikely(pte_is_leaf(old)))
			return -EEXIST;
		table = table_of(old);
	}
	slot = &table[level_index(va, want)];
	old = *slot;
	if (likely(!(old & PTE_V))) {
		if (want)
			table_hint(table, slot);
		leaf_new(table, slot, pte);
		return 0;
	}
	if (!pte_is_leaf(old))
		return tables_replace(pt, slot, va, want, pte);
	if (pte_pa(old) != pte_pa(pte)) {
		__atomic_store_n(slot, pte, __ATOMIC_RELEASE);
		return 0;
	}
	/* What another thread was given meanwhile stays, and so do A and D, which the hardware may set at this instant. */
	old = __atomic_fetch_or(slot, pte, __ATOMIC_RELEASE);
	wx_note(pt, (u32)((old | pte) >> 1));
	if ((old & pte) == pte)
		tlb_local_page(pt, va); /* a spurious fault: tlb.c, "invalid → valid" */
	return 0;
}

int pt_map(struct pagetable *pt, vaddr_t va, paddr_t pa, u32 order, u32 prot)
{
	u64 pte = pte_make(pa, prot_bits(prot));
	u64 *table;

	spin_assert_held(&pt->lock);
	DEBUG_ASSERT(prot & (PT_READ | PT_EXEC));
	DEBUG_ASSERT(va < user_end && ((va | pa) & ((PAGE_SIZE << order) - 1)) == 0);
	DEBUG_ASSERT(!pt->user_root || order / PT_INDEX_BITS < pt_levels - 1);
	wx_note(pt, prot);
	/* Nearly always: a page where none was, in a table that is there. */
	if (likely(order == 0) && likely((table = leaf_table(pt, va)) != NULL)) {
		u64 *slot = &table[level_index(va, 0)];

		if (likely(!(*slot & PTE_V))) {
			leaf_new(table, slot, pte);
			return 0;
		}
	}
	return map_any(pt, va, order / PT_INDEX_BITS, pte);
}

u32 pt_map_missing(struct pagetable *pt, vaddr_t va, const struct pt_page *pages, u32 nr)
{
	u64 *table = NULL;
	u32 mapped = 0;

	spin_assert_held(&pt->lock);
	DEBUG_ASSERT(va + nr * PAGE_SIZE <= user_end);
	for (u32 i = 0; i < nr; i++, va += PAGE_SIZE) {
		u64 *slot;

		if (i == 0 || level_index(va, 0) == 0)
			table = leaf_table(pt, va);
		if (!table || !pages[i].prot)
			continue;
		slot = &table[level_index(va, 0)];
		if (*slot & PTE_V)
			continue;
		wx_note(pt, pages[i].prot);
		leaf_new(table, slot, pte_make(pages[i].pa, prot_bits(pages[i].prot)));
		mapped++;
	}
	return mapped;
}

/* ---- ranges ---- */

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

/* ---- reports ---- */

struct printer {
	void (*emit)(void *arg, const char *s, size_t len);
	void *arg;
};

static void print_table(const struct printer *p, const u64 *table, u32 level, u64 entries)
{
	char line[96];

	for (u64 i = 0; i < entries; i++) {
		size_t n = 0;

		if (!(table[i] & PTE_V))
			continue;
		for (u32 l = pt_levels - 1; l > level; l--)
			n += scnprintf(line + n, sizeof(line) - n, ".. ");
		n += scnprintf(
			line + n, sizeof(line) - n, "..%lu: pte 0x%016lx pa 0x%016lx\n", i, table[i], pte_pa(table[i]));
		p->emit(p->arg, line, n);
		if (!pte_is_leaf(table[i]) && level > 0)
			print_table(p, table_of(table[i]), level - 1, PT_ENTRIES);
	}
}

void pt_print(struct pagetable *pt, enum pt_print what, void (*emit)(void *arg, const char *s, size_t len), void *arg)
{
	struct printer p = {.emit = emit, .arg = arg};
	char line[48];

	pt_lock(pt);
	emit(arg, line, scnprintf(line, sizeof(line), "page table 0x%016lx\n", pt->root));
	print_table(&p, phys_to_kva(pt->root), pt_levels - 1, what == PT_PRINT_ALL ? PT_ENTRIES : PT_ENTRIES / 2);
	pt_unlock(pt);
}

static void check_leaf(const struct pagetable *pt, u64 pte, u32 level, vaddr_t va)
{
	ASSERT((pte_pa(pte) & (level_size(level) - 1)) == 0);
	/* The two pages of isolate_create: neither for the user nor for the functions above. */
	if (va >= user_end) {
		ASSERT(pt->user_root && level == 0);
		ASSERT(pte == (va == user_end ? pte_make(pt_trapframe, PTE_TRAPFRAME)
					      : pte_make(pt_trampoline, PTE_TRAMPOLINE)));
		return;
	}
	ASSERT((pte & PTE_U) && !(pte & PTE_G));
	ASSERT(!(pte & PTE_W) || (pte & PTE_R));
#if defined(VITRINE_DEBUG) || defined(HOST_TEST)
	ASSERT((pte & (PTE_W | PTE_X)) != (PTE_W | PTE_X) || pt->wx_asked);
#endif
}

/* Returns the number of tables from here on down. */
static u64 check_table(const struct pagetable *pt, const u64 *table, u32 level, u64 entries, vaddr_t va)
{
	const struct frame *f = kva_frame(table);
	u64 valid = 0, tables = 1;

	ASSERT(f->kind == FRAME_TABLE && f->owner == pt && atomic_read(&f->refs) == 1);
	for (u64 i = 0; i < entries; i++, va += level_size(level)) {
		u64 pte = table[i];

		if (!(pte & PTE_V)) {
			ASSERT(pte == 0);
			continue;
		}
		valid++;
		ASSERT(level == 0 || (f->index & BIT(i >> HINT_SHIFT)));
		if (!pte_is_leaf(pte)) {
			ASSERT(level > 0 && !(pte & (PTE_U | PTE_G | PTE_A | PTE_D)));
			tables += check_table(pt, table_of(pte), level - 1, PT_ENTRIES, va);
			continue;
		}
		check_leaf(pt, pte, level, va);
	}
	ASSERT(valid == f->small);
	return tables;
}

/* The user's root: the same tables in the user half, and nothing of the kernel's. Returns the tables that it adds. */
static u64 check_user_root(struct pagetable *pt)
{
	const u64 *root = phys_to_kva(pt->root), *user = phys_to_kva(pt->user_root);
	const struct frame *f = kva_frame(user);
	const u64 *table = leaf_table(pt, user_end);

	ASSERT(table && table[level_index(user_end, 0)] && table[level_index(user_end + PAGE_SIZE, 0)]);
	ASSERT(f->kind == FRAME_TABLE && f->owner == pt && atomic_read(&f->refs) == 1);
	for (u64 i = 0; i < PT_ENTRIES; i++) {
		ASSERT(user[i] == (i < PT_ENTRIES / 2 ? root[i] : 0));
		ASSERT(!pte_is_leaf(user[i]));
	}
	return 1;
}

void pt_check(struct pagetable *pt)
{
	u64 tables;

	pt_lock(pt);
	ASSERT((pt->user_root != 0) == (pt_trampoline != 0));
	tables = check_table(pt, phys_to_kva(pt->root), pt_levels - 1, PT_ENTRIES / 2, 0);
	if (pt->user_root)
		tables += check_user_root(pt);
	ASSERT(tables == pt->nr_tables);
	pt_unlock(pt);
}
