/* TLB upkeep inside arch/riscv. The protocol is told at the top of tlb.c, ASIDs at the top of asid.c. */
#pragma once

#include "arch/riscv/hart.h"

struct pagetable;

/* This hart forgets what it may have cached for one leaf of pt, which maps size bytes from va on: pages of it, perhaps, or
 * that there was nothing. */
void tlb_local_leaf(struct pagetable *pt, vaddr_t va, u64 size);
/* Kernel mappings [start, end) went away: every hart forgets them. */
void tlb_flush_kernel(vaddr_t start, vaddr_t end);
/* True when some hart runs on pt or is about to. */
bool tlb_pt_in_use(const struct pagetable *pt);

#define ASID_NUMBER(id) ((id)&0xffff)
#define ASID_USER       1 /* isolate=1: set in the number that user code runs with; without it, the kernel on the same table */
/* A number for pt that no other table has in this hart's TLB. Context: interrupts off. */
u64 asid_take(struct hart *h, struct pagetable *pt);
/* The hart goes to the kernel's own table, ASID 0. */
void asid_leave(struct hart *h);
/* How often all numbers were used up, and every TLB was cleared. */
u64 asid_roll_overs(void);
/* False: the machine has too few ASIDs; every switch flushes. */
bool asid_usable(void);
