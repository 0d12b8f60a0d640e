/* What paging.c tells pagetable.c: the root entries of the kernel half that new tables copy. They never change after boot. */
#pragma once

#include "arch/riscv/pte.h"

extern u16 pt_kernel_slots[PT_ENTRIES / 2];
extern u32 pt_nr_kernel_slots;
