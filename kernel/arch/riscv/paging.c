/*
 * The kernel half of every page table: built once at boot, in the paging mode
 * asked for, and shared by copying root entries.
 *
 *   direct map   RAM read-write in the largest leaves that fit; reserved ranges
 *                (firmware) not at all; the image's own text and rodata read-only
 *   image        text r-x, rodata r--, data rw-, in 4 KiB pages; a hole below the boot stack
 *   frames, stacks, devices   filled by arch_map_kernel
 *
 * W^X holds for every frame of the kernel, whichever way it is mapped; paging_check walks the table for it.
 *
 * All of it lies in the top 512 GiB, in one table of 512 entries of 1 GiB
 * (`top`): the root itself under Sv39, below one root entry otherwise. `top`
 * gets all entries it will ever have before the first process table copies them;
 * the tables below are shared, so later mappings are seen by everyone.
 */
#include "arch/riscv/boot.h"
#include "arch/riscv/csr.h"
#include "arch/riscv/isolate.h"
#include "arch/riscv/layout.h"
#include "arch/riscv/pagetable_arch.h"
#include "arch/riscv/paging.h"
#include "arch/riscv/tlb_arch.h"
#include "lib/assert.h"
#include "lib/cmdline.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/pagetable.h"

#define TOP_LEVEL     2
#define KERNEL_RW     (PTE_V | PTE_R | PTE_W | PTE_A | PTE_D)
#define KERNEL_R      (PTE_V | PTE_R | PTE_A)
#define KERNEL_RX     (PTE_V | PTE_R | PTE_X | PTE_A)
#define MAX_RAM_HOLES 64

static struct spinlock kernel_map_lock = SPINLOCK_INIT("kernel map", RANK_SLAB);
static u64 *top;
static vaddr_t devices_next = KVA_DEVICES;

/* Physical ranges that the direct map leaves out or makes read-only, in order. */
static struct hole {
	paddr_t start, end;
} holes[MAX_RAM_HOLES];
static u32 nr_holes;

static u64 *table_new(void)
{
	struct frame *f;

	if (!frame_ready())
		return phys_to_kva(frame_boot_alloc());
	f = frame_alloc(0, FRAME_TABLE, ALLOC_ZERO | ALLOC_ATOMIC);
	if (!f)
		return NULL;
	f->owner = &kernel_pagetable;
	kernel_pagetable.nr_tables++;
	return frame_kva(f);
}

/* The slot for va at `level`, with the tables above it. NULL: no memory, or a new entry in `top` after boot. */
static u64 *kernel_slot(vaddr_t va, u32 level)
{
	u64 *table = top;

	for (u32 l = TOP_LEVEL; l > level; l--) {
		u64 *slot = &table[level_index(va, l)];

		if (!(*slot & PTE_V)) {
			u64 *fresh = l == TOP_LEVEL && pt_nr_kernel_slots ? NULL : table_new();

			if (!fresh)
				return NULL;
			store_release(slot, pte_make(kva_to_phys(fresh), PTE_V));
		}
		ASSERT(!pte_is_leaf(*slot));
		table = phys_to_kva(pte_pa(*slot));
	}
	return &table[level_index(va, level)];
}

/* Leaves as large as alignment and `max_level` allow; global, where every table has them. */
static int kernel_map(vaddr_t va, paddr_t pa, u64 len, u64 bits, u32 max_level)
{
	bits |= isolating ? 0 : PTE_G;
	while (len) {
		u32 level = max_level;
		u64 *slot;

		while (level && (((va | pa) & (level_size(level) - 1)) || len < level_size(level)))
			level--;
		slot = kernel_slot(va, level);
		if (!slot)
			return -ENOMEM;
		store_release(slot, pte_make(pa, bits));
		va += level_size(level);
		pa += level_size(level);
		len -= level_size(level);
	}
	return 0;
}

int arch_map_kernel(vaddr_t va, paddr_t pa, u64 len)
{
	u64 flags = spin_lock_irqsave(&kernel_map_lock);
	int err = kernel_map(va, pa, len, KERNEL_RW, 1);

	spin_unlock_irqrestore(&kernel_map_lock, flags);
	return err;
}

u64 arch_unmap_kernel_page(vaddr_t va)
{
	u64 *slot = kernel_slot(va, 0);
	u64 pte = *slot;

	*slot = 0;
	return pte_pa(pte);
}

volatile void *arch_map_device(paddr_t pa, u64 len)
{
	u64 offset = pa & (PAGE_SIZE - 1);
	u64 bytes = PAGE_ALIGN_UP(offset + len);
	u64 flags = spin_lock_irqsave(&kernel_map_lock);
	vaddr_t va = devices_next;
	int err = -ENOMEM;

	/* The window is the 1 GiB whose table exists since boot; a page is left free in between. */
	if (bytes < level_size(TOP_LEVEL) && va + bytes + PAGE_SIZE <= KVA_DEVICES + level_size(TOP_LEVEL)) {
		err = kernel_map(va, pa - offset, bytes, KERNEL_RW, 0);
		devices_next = va + bytes + PAGE_SIZE;
	}
	spin_unlock_irqrestore(&kernel_map_lock, flags);
	return err ? NULL : (volatile void *)(va + offset);
}

/* ---- building ---- */

static void hole_add(void *arg, paddr_t start, u64 size)
{
	paddr_t end = PAGE_ALIGN_UP(start + size);
	u32 i;

	start &= PAGE_MASK;
	if (nr_holes == MAX_RAM_HOLES) {
		pr_warn("paging: more than %u reserved ranges; 0x%lx stays in the direct map", MAX_RAM_HOLES, start);
		return;
	}
	for (i = nr_holes++; i > 0 && holes[i - 1].start > start; i--)
		holes[i] = holes[i - 1];
	holes[i] = (struct hole){start, end};
}

static void must_map(vaddr_t va, paddr_t pa, u64 len, u64 bits, u32 max_level)
{
	if (kernel_map(va, pa, len, bits, max_level))
		panic("paging: no memory for the kernel's own page table");
}

static void direct_map(paddr_t start, paddr_t end, u64 bits)
{
	if (start < end)
		must_map(KVA_DIRECT + start, start, end - start, bits, TOP_LEVEL);
}

/* One bank, without what lies in holes. */
static void bank_map(void *arg, paddr_t start, u64 size)
{
	paddr_t end = PAGE_ALIGN_DOWN(start + size);

	start = PAGE_ALIGN_UP(start);
	if (end > KVA_FRAMES - KVA_DIRECT)
		end = KVA_FRAMES - KVA_DIRECT;
	for (u32 i = 0; i < nr_holes && start < end; i++) {
		if (holes[i].end <= start || holes[i].start >= end)
			continue;
		direct_map(start, holes[i].start, KERNEL_RW);
		start = holes[i].end;
	}
	direct_map(start, end, KERNEL_RW);
}

static void image_map(void)
{
	static const u8 *const bounds[] = {_text_start, _rodata_start, _data_start, _kernel_end};
	static const u64 bits[] = {KERNEL_RX, KERNEL_R, KERNEL_RW};

	for (u32 i = 0; i < ARRAY_SIZE(bits); i++) {
		paddr_t pa = image_to_phys(bounds[i]);
		u64 len = (u64)(bounds[i + 1] - bounds[i]);

		must_map((vaddr_t)bounds[i], pa, len, bits[i], 0);
		/* No second, writable way to text and rodata. */
		must_map(KVA_DIRECT + pa, pa, len, bits[i] & ~PTE_X, 0);
	}
	*kernel_slot((vaddr_t)boot_stack_guard, 0) = 0;
}

static bool kernel_mapped(vaddr_t va)
{
	const u64 *table = top;

	for (u32 l = TOP_LEVEL;; l--) {
		u64 pte = table[level_index(va, l)];

		if (!(pte & PTE_V) || pte_is_leaf(pte) || l == 0)
			return (pte & PTE_V) != 0;
		table = phys_to_kva(pte_pa(pte));
	}
}

/* The device tree may lie in a reserved range, or beside RAM. */
static void fdt_map(void)
{
	paddr_t end = boot_info.fdt_pa + boot_fdt.size;

	for (paddr_t pa = boot_info.fdt_pa & PAGE_MASK; pa < end; pa += PAGE_SIZE)
		if (!kernel_mapped(KVA_DIRECT + pa))
			must_map(KVA_DIRECT + pa, pa, PAGE_SIZE, KERNEL_RW, 0);
}

/* Entries of `top` that later mappings need. */
static void top_reserve(void)
{
	static const vaddr_t regions[] = {KVA_STACKS, KVA_DEVICES};

	for (u32 i = 0; i < ARRAY_SIZE(regions); i++)
		if (!kernel_slot(regions[i], TOP_LEVEL - 1))
			panic("paging: no memory for the kernel's own page table");
}

static u32 levels_wanted(void)
{
	const char *mode = cmdline_get("paging");

	if (!mode || strcmp(mode, "sv39") == 0)
		return 3;
	if (strcmp(mode, "sv48") == 0)
		return 4;
	if (strcmp(mode, "sv57") == 0)
		return 5;
	pr_warn("paging=%s is not one of sv39, sv48, sv57: taking sv39", mode);
	return 3;
}

/*
 * Puts `levels` - 3 tables above `top` and switches to the result. Both tables
 * map the code that runs here alike, so the switch needs no trampoline. A mode
 * that the machine lacks leaves satp as it was (privileged architecture, "satp").
 */
static bool mode_enter(u32 levels)
{
	u64 *root = top;

	for (u32 l = 3; l < levels; l++) {
		u64 *above = table_new();

		above[PT_ENTRIES - 1] = pte_make(kva_to_phys(root), PTE_V);
		root = above;
	}
	pt_levels = levels;
	kernel_pagetable.root = kva_to_phys(root);
	csr_write(satp, paging_kernel_satp());
	if (csr_read(satp) != paging_kernel_satp())
		return false;
	sfence_all();
	return true;
}

void paging_init(void)
{
	u32 levels = levels_wanted();

	spin_init(&kernel_pagetable.lock, "kernel pagetable", RANK_PT);
	isolate_init();
	top = table_new();
	fdt_for_each_reserved(&boot_fdt, hole_add, NULL);
	hole_add(NULL, boot_info.kernel_start, boot_info.kernel_end - boot_info.kernel_start);
	fdt_for_each_memory(&boot_fdt, bank_map, NULL);
	fdt_map();
	image_map();
	top_reserve();
	if (!mode_enter(levels)) {
		pr_warn("paging: the machine has no mode of %u levels: taking Sv39", levels);
		if (!mode_enter(3))
			panic("paging: the machine refuses Sv39");
	}
	user_end = (1ul << (PAGE_SHIFT + pt_levels * PT_INDEX_BITS - 1)) - (isolating ? ISOLATE_SIZE : 0);
	this_hart()->pt = &kernel_pagetable;
	asid_init();
	isolate_start_hart(this_hart());
}

void paging_freeze(void)
{
	const u64 *root = phys_to_kva(kernel_pagetable.root);

	for (u64 i = PT_ENTRIES / 2; i < PT_ENTRIES; i++)
		if (root[i] & PTE_V)
			pt_kernel_slots[pt_nr_kernel_slots++] = (u16)i;
}
