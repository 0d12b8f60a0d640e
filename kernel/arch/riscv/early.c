/*
 * Runs with the MMU off, at physical addresses: only pc-relative addressing, no
 * pointers in static data, no jump tables. Builds the Sv39 table that carries
 * the boot hart into the high half and until paging_init: the direct map of
 * all 128 GiB in 1 GiB pages, and the image. Nothing there can be wrong for
 * long: paging_init replaces it before other harts, users or devices exist.
 */
#include "arch/riscv/boot.h"
#include "arch/riscv/csr.h"
#include "arch/riscv/layout.h"
#include "arch/riscv/pte.h"

u64 image_shift;

static u64 early_root[512] SECTION(".bss.page_aligned") ALIGNED(4096);
static u64 early_image[512] SECTION(".bss.page_aligned") ALIGNED(4096);

#define EARLY_BITS (PTE_V | PTE_R | PTE_W | PTE_A | PTE_D | PTE_G)

static u64 root_index(vaddr_t va)
{
	return va >> 30 & 511;
}

u64 early_map(void)
{
	paddr_t start = (paddr_t)_kernel_start;
	/* The linker's address of _kernel_start, as a number: this code sees only where it really is. */
	u64 shift = KVA_IMAGE + KERNEL_IMAGE_OFFSET - start;
	paddr_t base = KVA_IMAGE - shift;

	image_shift = shift;
	for (u64 i = 0; i < (KVA_FRAMES - KVA_DIRECT) >> 30; i++)
		early_root[root_index(KVA_DIRECT) + i] = (i << 30) >> 2 | EARLY_BITS;
	for (u64 i = 0; i < 512; i++)
		early_image[i] = (base + (i << 21)) >> 2 | EARLY_BITS | PTE_X;
	early_root[root_index(KVA_IMAGE)] = (paddr_t)early_image >> 2 | PTE_V;
	return SATP_SV39 << SATP_MODE_SHIFT | (paddr_t)early_root >> PAGE_SHIFT;
}
