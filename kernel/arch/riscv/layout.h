/*
 * Kernel virtual addresses. All of them lie in the top 256 GiB, which every
 * paging mode (Sv39, Sv48, Sv57) sign-extends alike, so that one layout serves
 * all three.
 *
 *   0xffffffc000000000  direct map: physical address p at KVA_DIRECT + p  (128 GiB)
 *   0xffffffe000000000  frame metadata, struct frame [pfn]                (32 GiB)
 *   0xfffffff000000000  kernel stacks, each between guard pages           (16 GiB)
 *   0xfffffff400000000  device registers (arch_map_device)               (16 GiB)
 *   0xffffffff80000000  the kernel's own text and data                   (2 GiB)
 *
 * User addresses are [0, user_end): 2^38, 2^47 or 2^56. mmap chooses below
 * USER_DEFAULT_END in every mode, and higher only where a hint asks.
 */
#pragma once

#include "lib/types.h"

#define KVA_DIRECT      0xffffffc000000000ul
#define KVA_FRAMES      0xffffffe000000000ul
#define KVA_STACKS      0xfffffff000000000ul
#define KVA_STACKS_END  0xfffffff400000000ul
#define KVA_DEVICES     0xfffffff400000000ul
#define KVA_DEVICES_END 0xfffffff800000000ul
#define KVA_IMAGE       0xffffffff80000000ul
#define KVA_START       KVA_DIRECT

#define USER_DEFAULT_END (1ul << 38)
/* Fixed user pages of the lab, at the top of the default range (LAB.md 1). */
#define USER_TRAMPOLINE  (USER_DEFAULT_END - 1 * PAGE_SIZE)
#define USER_TRAPFRAME   (USER_DEFAULT_END - 2 * PAGE_SIZE)
#define USER_USYSCALL    (USER_DEFAULT_END - 3 * PAGE_SIZE)
/* Nothing else is mapped from here up to USER_DEFAULT_END. */
#define USER_MMAP_END    (USER_DEFAULT_END - 16 * PAGE_SIZE)
#define USER_MIN         PAGE_SIZE /* the first page stays unmapped */

/* A kernel stack fills the upper half of its slot; the lower half stays unmapped. */
#define KSTACK_SIZE (16ul * 1024)
#define KSTACK_SLOT (2 * KSTACK_SIZE)

static inline void *phys_to_kva(paddr_t pa)
{
	return (void *)(KVA_DIRECT + pa);
}

/* For direct-map addresses only. */
static inline paddr_t kva_to_phys(const void *kva)
{
	return (vaddr_t)kva - KVA_DIRECT;
}

extern u64 image_shift; /* virtual minus physical address of the kernel image */

/* For addresses of the kernel's own text, data and bss. */
static inline paddr_t image_to_phys(const void *p)
{
	return (vaddr_t)p - image_shift;
}

extern u64 user_end; /* first address beyond the user half of the paging mode in use */
