/* Page-table entries as the hardware reads them (privileged architecture, "Sv39"; Sv48 and Sv57 are alike). */
#pragma once

#include "lib/types.h"

#define PTE_V        BIT(0)
#define PTE_R        BIT(1)
#define PTE_W        BIT(2)
#define PTE_X        BIT(3)
#define PTE_U        BIT(4)
#define PTE_G        BIT(5)
#define PTE_A        BIT(6)
#define PTE_D        BIT(7)
#define PTE_LEAF     (PTE_R | PTE_W | PTE_X)
#define PTE_PPN_MASK (((1ul << 44) - 1) << 10)

#define SATP_SV39 8ul
#define SATP_SV48 9ul
#define SATP_SV57 10ul

/* Bits of a VA that one level translates. A parameter, so that a host test can try every sequence on a small geometry. */
#ifndef PT_INDEX_BITS
#define PT_INDEX_BITS 9
#endif
#define PT_ENTRIES (1ul << PT_INDEX_BITS)

/* Levels of the paging mode in use: 3, 4 or 5. Level 0 holds the 4 KiB leaves; the root is level pt_levels - 1. */
extern u32 pt_levels;

static inline bool pte_is_leaf(u64 pte)
{
	return (pte & PTE_LEAF) != 0;
}
static inline paddr_t pte_pa(u64 pte)
{
	return (pte & PTE_PPN_MASK) << 2;
}
static inline u64 pte_make(paddr_t pa, u64 bits)
{
	return pa >> 2 | bits;
}
/* "VRWXUGAD", with '-' for what is not set: for reports. */
static inline void pte_flags(u64 pte, char out[9])
{
	for (u32 i = 0; i < 8; i++)
		out[i] = pte & BIT(i) ? "VRWXUGAD"[i] : '-';
	out[8] = 0;
}
static inline u32 level_shift(u32 level)
{
	return PAGE_SHIFT + level * PT_INDEX_BITS;
}
static inline u64 level_size(u32 level)
{
	return 1ul << level_shift(level);
}
static inline u64 level_index(vaddr_t va, u32 level)
{
	return va >> level_shift(level) & (PT_ENTRIES - 1);
}
