/* Host fake: what mm/ calls in arch/; defined by mm_env.h. */
#ifndef ARCH_RISCV_ARCH_H
#define ARCH_RISCV_ARCH_H

#include "arch/riscv/hart.h"
#include "arch/riscv/thread.h"
#include "lib/types.h"

int arch_map_kernel(vaddr_t va, paddr_t pa, u64 len);
void arch_flush_icache_all(u64 harts);

#endif
