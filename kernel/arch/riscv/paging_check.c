/*
 * W^X of the kernel, checked by walking its table: not only is no page writable and executable, no frame is executable by
 * one mapping and writable by another. That is so when the executable frames are exactly the kernel's text, and
 * nothing writable maps a frame of text (or of rodata, which holds the tables of functions).
 *
 * And of isolate=1: nothing of the kernel half is global, so that nothing stays in the TLB for user mode.
 */
#include "arch/riscv/boot.h"
#include "arch/riscv/isolate.h"
#include "arch/riscv/layout.h"
#include "arch/riscv/paging.h"
#include "arch/riscv/pte.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "mm/pagetable.h"

struct totals {
	u64 leaves;
	u64 exec_bytes;
};

static bool overlaps(paddr_t pa, u64 size, const u8 *start, const u8 *end)
{
	return pa < image_to_phys(end) && pa + size > image_to_phys(start);
}

static bool inside(paddr_t pa, u64 size, const u8 *start, const u8 *end)
{
	return pa >= image_to_phys(start) && pa + size <= image_to_phys(end);
}

static void check_leaf(struct totals *t, vaddr_t va, u64 pte, u64 size)
{
	paddr_t pa = pte_pa(pte);

	t->leaves++;
	if (pte & PTE_X)
		t->exec_bytes += size;
	if ((pte & PTE_W) && (pte & PTE_X))
		panic("paging: 0x%016lx is writable and executable (pte 0x%016lx)", va, pte);
	if ((pte & PTE_X) && !inside(pa, size, _text_start, _rodata_start))
		panic("paging: 0x%016lx is executable and not kernel text (pte 0x%016lx)", va, pte);
	if ((pte & PTE_W) && overlaps(pa, size, _text_start, _data_start))
		panic("paging: 0x%016lx is a writable way to kernel text or constants (pte 0x%016lx)", va, pte);
	if (pte & PTE_U)
		panic("paging: 0x%016lx of the kernel half is the user's (pte 0x%016lx)", va, pte);
	if (!(pte & PTE_G) != isolating)
		panic("paging: 0x%016lx has a wrong G bit (pte 0x%016lx)", va, pte);
}

static void check_table(struct totals *t, const u64 *table, u32 level, vaddr_t va, u64 first)
{
	for (u64 i = first; i < PT_ENTRIES; i++) {
		u64 pte = table[i];
		vaddr_t at = va + i * level_size(level);

		if (!(pte & PTE_V))
			continue;
		if (pte_is_leaf(pte))
			check_leaf(t, at, pte, level_size(level));
		else
			check_table(t, phys_to_kva(pte_pa(pte)), level - 1, at, 0);
	}
}

void paging_check(void)
{
	struct totals t = {0};
	/* The entries of the upper half, sign-extended. */
	vaddr_t base = -(level_size(pt_levels - 1) * PT_ENTRIES);

	check_table(&t, phys_to_kva(kernel_pagetable.root), pt_levels - 1, base, PT_ENTRIES / 2);
	if (t.exec_bytes != (u64)(_rodata_start - _text_start))
		panic("paging: %lu bytes are executable, the text has %lu", t.exec_bytes, _rodata_start - _text_start);
	pr_info("paging: sv%u%s, %lu kernel mappings, none both writable and executable",
		PAGE_SHIFT + pt_levels * PT_INDEX_BITS, isolating ? ", user code on tables without them" : "", t.leaves);
}
