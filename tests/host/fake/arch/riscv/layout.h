/* Host fake: RAM is a piece of host memory that starts at physical address FAKE_RAM_BASE. User addresses as on the machine. */
#ifndef ARCH_RISCV_LAYOUT_H
#define ARCH_RISCV_LAYOUT_H

#include "lib/types.h"

#define FAKE_RAM_BASE 0x100000ul

#define KVA_DIRECT       0xffffffc000000000ul
#define KVA_FRAMES       0xffffffe000000000ul
#define USER_DEFAULT_END (1ul << 38)
#define USER_TRAMPOLINE  (USER_DEFAULT_END - 1 * PAGE_SIZE)
#define USER_TRAPFRAME   (USER_DEFAULT_END - 2 * PAGE_SIZE)
#define USER_USYSCALL    (USER_DEFAULT_END - 3 * PAGE_SIZE)
#define USER_MMAP_END    (USER_DEFAULT_END - 16 * PAGE_SIZE)
#define USER_MIN         PAGE_SIZE

extern char *fake_ram;
extern u64 user_end;

static inline void *phys_to_kva(paddr_t pa)
{
	return fake_ram + (pa - FAKE_RAM_BASE);
}

static inline paddr_t kva_to_phys(const void *kva)
{
	return (paddr_t)((const char *)kva - fake_ram) + FAKE_RAM_BASE;
}

#endif
