/* What a page table says of itself: the text of vmprint, and whether the invariants of mm/pagetable.h hold. */
#include "arch/riscv/pagetable_arch.h"
#include "arch/riscv/pagetable_priv.h"
#include "lib/assert.h"
#include "lib/printf.h"

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

u32 pt_walk(struct pagetable *pt, vaddr_t va, struct pt_step steps[PT_MAX_LEVELS], paddr_t *root)
{
	const u64 *table;
	u32 nr = 0;

	pt_lock(pt);
	*root = pt->user_root ? pt->user_root : pt->root;
	table = phys_to_kva(*root);
	for (u32 level = pt_levels; level-- > 0;) {
		u64 index = level_index(va, level), pte = table[index];

		steps[nr] = (struct pt_step){.level = level, .index = (u32)index, .entry = pte, .pa = pte_pa(pte)};
		pte_flags(pte, steps[nr++].flags);
		if (!(pte & PTE_V) || pte_is_leaf(pte))
			break;
		table = table_of(pte);
	}
	pt_unlock(pt);
	return nr;
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
