/* Pages, page-table entries, and the registers that a user program may read. */
#ifndef XV6_RISCV_H
#define XV6_RISCV_H

#define PGSIZE         4096
#define PGSHIFT        12
#define PGROUNDUP(sz)  (((sz) + PGSIZE - 1) & ~(PGSIZE - 1))
#define PGROUNDDOWN(a) ((a) & ~(PGSIZE - 1))

#define SUPERPGSIZE        (2 * (1 << 20))
#define SUPERPGROUNDUP(sz) (((sz) + SUPERPGSIZE - 1) & ~(SUPERPGSIZE - 1))

#define PTE_V (1L << 0)
#define PTE_R (1L << 1)
#define PTE_W (1L << 2)
#define PTE_X (1L << 3)
#define PTE_U (1L << 4)
#define PTE_G (1L << 5)
#define PTE_A (1L << 6)
#define PTE_D (1L << 7)

#define PA2PTE(pa)     ((((uint64)(pa)) >> 12) << 10)
#define PTE2PA(pte)    (((pte) >> 10) << 12)
#define PTE_FLAGS(pte) ((pte)&0x3FF)
#define PTE_LEAF(pte)  (((pte)&PTE_R) | ((pte)&PTE_W) | ((pte)&PTE_X))

#define PXMASK        0x1FF
#define PXSHIFT(n)    (PGSHIFT + 9 * (n))
#define PX(level, va) ((((uint64)(va)) >> PXSHIFT(level)) & PXMASK)

/* One bit less than Sv39 has, so that no address needs sign extension. */
#define MAXVA (1L << (9 + 9 + 9 + 12 - 1))

#ifndef __ASSEMBLER__

typedef uint64 pte_t;
typedef uint64 *pagetable_t;

#define XV6_READ_REGISTER(name)                                  \
	static inline uint64 r_##name(void)                      \
	{                                                        \
		uint64 value;                                    \
		__asm__ volatile("mv %0, " #name : "=r"(value)); \
		return value;                                    \
	}

XV6_READ_REGISTER(sp)
XV6_READ_REGISTER(tp)
XV6_READ_REGISTER(ra)

static inline uint64 r_fp(void)
{
	uint64 value;
	__asm__ volatile("mv %0, s0" : "=r"(value));
	return value;
}

static inline uint64 r_time(void)
{
	uint64 value;
	__asm__ volatile("rdtime %0" : "=r"(value));
	return value;
}

#endif
#endif
