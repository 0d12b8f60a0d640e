/* Control and status registers of supervisor mode (RISC-V privileged architecture, chapter 4). For C and assembly. */
#pragma once

#define SSTATUS_SIE      0x00000002
#define SSTATUS_SPIE     0x00000020
#define SSTATUS_SPP      0x00000100
#define SSTATUS_FS       0x00006000 /* floating point: Off, Initial, Clean, Dirty */
#define SSTATUS_FS_CLEAN 0x00004000
#define SSTATUS_SUM      0x00040000
#define SSTATUS_UXL      0x300000000

#define SIE_SOFT     0x002
#define SIE_TIMER    0x020
#define SIE_EXTERNAL 0x200

#define CAUSE_INTERRUPT (1ul << 63)
#define IRQ_S_SOFT      1
#define IRQ_S_TIMER     5
#define IRQ_S_EXTERNAL  9

#define CAUSE_FETCH_MISALIGNED 0
#define CAUSE_FETCH_ACCESS     1
#define CAUSE_ILLEGAL          2
#define CAUSE_BREAKPOINT       3
#define CAUSE_LOAD_MISALIGNED  4
#define CAUSE_LOAD_ACCESS      5
#define CAUSE_STORE_MISALIGNED 6
#define CAUSE_STORE_ACCESS     7
#define CAUSE_ECALL_USER       8
#define CAUSE_FETCH_PAGE       12
#define CAUSE_LOAD_PAGE        13
#define CAUSE_STORE_PAGE       15

#define SATP_MODE_SHIFT 60
#define SATP_ASID_SHIFT 44
#define SATP_ASID_MASK  0xffff

#define CSR_STIMECMP 0x14d
#define CSR_FCSR     0x003

#ifndef __ASSEMBLER__
#include "lib/types.h"

#define CSR_STRING2(x) #x
#define CSR_STRING(x)  CSR_STRING2(x)

#define csr_read(csr)                                                                  \
	({                                                                             \
		u64 csr_v;                                                             \
		__asm__ volatile("csrr %0, " CSR_STRING(csr) : "=r"(csr_v)::"memory"); \
		csr_v;                                                                 \
	})
#define csr_write(csr, value) __asm__ volatile("csrw " CSR_STRING(csr) ", %0" ::"rK"((u64)(value)) : "memory")
#define csr_set(csr, bits)    __asm__ volatile("csrs " CSR_STRING(csr) ", %0" ::"rK"((u64)(bits)) : "memory")
#define csr_clear(csr, bits)  __asm__ volatile("csrc " CSR_STRING(csr) ", %0" ::"rK"((u64)(bits)) : "memory")

/* Orders this hart's page-table stores before its later walks (chapter "SFENCE.VMA"). */
static inline void sfence_all(void)
{
	__asm__ volatile("sfence.vma" ::: "memory");
}
static inline void sfence_asid(u64 asid)
{
	__asm__ volatile("sfence.vma x0, %0" ::"r"(asid) : "memory");
}
/* One page of one address space; only leaf entries. */
static inline void sfence_page(u64 va, u64 asid)
{
	__asm__ volatile("sfence.vma %0, %1" ::"r"(va), "r"(asid) : "memory");
}
/* One page, in all address spaces and among the global ones. */
static inline void sfence_page_global(u64 va)
{
	__asm__ volatile("sfence.vma %0" ::"r"(va) : "memory");
}
#endif
