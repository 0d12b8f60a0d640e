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
#include "arch/riscv/pagetable_priv.h"

#include "arch/riscv/pagetable_arch.h"
#include "arch/riscv/tlb_arch.h"
#include "arch/riscv/trace.h"
#include "lib/assert.h"
#include "lib/bitmap.h"
#include "lib/errno.h"
#include "mm/tlb.h"

/* PT_* bits are the hardware's, one place lower. */
static_assert(PT_READ << 1 == PTE_R && PT_WRITE << 1 == PTE_W && PT_EXEC << 1 == PTE_X && PT_USER << 1 == PTE_U &&
		PT_GLOBAL << 1 == PTE_G && PT_ACCESSED << 1 == PTE_A && PT_DIRTY << 1 == PTE_D,
	"prot_bits shifts");

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

/* ---- tables ---- */

struct frame *table_alloc(struct pagetable *pt, u32 flags)
{
	struct frame *f = frame_alloc(0, FRAME_TABLE, flags | ALLOC_ZERO);

	if (f) {
		f->owner = pt;
		f->small = 0;
	}
	return f;
}

static void table_hint(u64 *table, const u64 *slot)
{
	kva_frame(table)->index |= BIT((u64)(slot - table) >> HINT_SHIFT);
}

NOINLINE void user_root_follow(const struct pagetable *pt, const u64 *slot)
{
	const u64 *root = phys_to_kva(pt->root);
	u64 *user = phys_to_kva(pt->user_root);

	if (slot >= root && slot < root + PT_ENTRIES)
		store_release(&user[slot - root], *slot);
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

u64 pt_raw(struct pagetable *pt, vaddr_t va)
{
	const u64 *table = leaf_table(pt, va);
	u32 level = 0;
	const u64 *slot = table ? &table[level_index(va, 0)] : slot_find(pt, va, &level);

	return slot ? *slot : 0;
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
		trace_leaf(pte);
		return 0;
	}
	trace_leaf_was(old);
	trace_leaf(pte);
	if (!pte_is_leaf(old))
		return tables_replace(pt, slot, va, want, pte);
	if (pte_pa(old) != pte_pa(pte)) {
		__atomic_store_n(slot, pte, __ATOMIC_RELEASE);
		return 0;
	}
	/* What another thread was given meanwhile stays, and so do A and D, which the hardware may set at this instant. */
	old = __atomic_fetch_or(slot, pte, __ATOMIC_RELEASE);
	trace_leaf_was(old);
	trace_leaf(old | pte);
	wx_note(pt, (u32)((old | pte) >> 1));
	if ((old & pte) == pte)
		tlb_local_leaf(pt, va, level_size(want)); /* a spurious fault: tlb.c, "invalid → valid" */
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
			trace_leaf(pte);
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
