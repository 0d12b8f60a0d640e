/* The kernel half of the address space (paging.c), for kstack.c and main.c. */
#pragma once

#include "lib/types.h"

/* After mm_init, before the first pt_create: the root entries of the kernel half are final. */
void paging_freeze(void);
/* Unhooks one page that arch_map_kernel mapped; returns its frame's address. The caller flushes. */
u64 arch_unmap_kernel_page(vaddr_t va);
/* Panics unless W^X holds in the whole kernel half, for frames and not only for pages. After boot; reads only. */
void paging_check(void);
