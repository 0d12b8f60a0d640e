/* What paging.c and isolate.c tell pagetable.c. It never changes after boot. */
#pragma once

#include "arch/riscv/pte.h"

/* The root entries of the kernel half that new tables copy. */
extern u16 pt_kernel_slots[PT_ENTRIES / 2];
extern u32 pt_nr_kernel_slots;

/*
 * With isolate=1: the frames that every process table maps at user_end and behind it (isolate.h), neither for the
 * user. Otherwise 0.
 */
extern paddr_t pt_trapframe, pt_trampoline;

#define PTE_TRAPFRAME  (PTE_V | PTE_R | PTE_W | PTE_A | PTE_D)
#define PTE_TRAMPOLINE (PTE_V | PTE_R | PTE_X | PTE_A)
