/*
 * isolate=1: user code runs on a page table without the kernel half.
 *
 * Each process has two roots over the same lower tables (pagetable.c). Both map two pages at the top of the user half,
 * which user mode cannot reach, because they lack U:
 *
 *   user_end              TRAPFRAME   r-w   struct entry_slot [MAX_HARTS], one a hart
 *   user_end + PAGE_SIZE  TRAMPOLINE  r-x   the code that changes satp (trampoline.S)
 *
 * So user_end is two pages lower than without: what is said of addresses up to there (mmap, copies, faults) needs to know
 * nothing of them. Under Sv39 they are the USER_TRAPFRAME and USER_TRAMPOLINE of layout.h.
 *
 *                     user code                    kernel
 *   satp              user_satp: odd ASID          kernel_satp: the even ASID below
 *   stvec             hart.trampoline              trap_entry
 *   sscratch          hart.entry_slot              0
 *
 * All three change together, with interrupts off: on the way in by trampoline.S and trap_entry_isolated, on the way out by
 * return_isolated (entry.S) and trampoline.S. So traps of the kernel itself, and everything behind entry.S, are
 * the same in both designs. A thread takes the other way out because of THREAD_ISOLATED in its thread.work, which costs the
 * ordinary way nothing.
 *
 * The kernel half is not global then: nothing of it stays usable in the TLB under the user's ASID. Where the machine has no ASIDs, a
 * second copy of the trampoline flushes the TLB at each crossing.
 *
 * Assembly knows the offsets (asm-offsets.c).
 */
#pragma once

#include "arch/riscv/hart.h"

struct pagetable;

/* What the hart needs to come back from user mode. User mode cannot reach it, but suppose that it can guess it: no secrets here. */
struct entry_slot {
	u64 kernel_satp; /* of the process on this hart */
	u64 user_satp;
	u64 enter;     /* trap_entry_isolated: where the kernel goes on */
	u64 thread;    /* for tp */
	u64 user_sp;   /* while the registers are needed */
	u64 user_tp;
	u64 unused[2]; /* a slot fills a cache line */
};
static_assert(sizeof(struct entry_slot) == 64 && MAX_HARTS * sizeof(struct entry_slot) <= PAGE_SIZE, "slots fill one page");

#define ISOLATE_SIZE (2 * PAGE_SIZE) /* of the pages between user_end and the end of the user half */

extern bool isolating;

/* Reads `isolate=`. Before the kernel half is built. */
void isolate_init(void);
/* Before the hart first runs user code. After asid_init. */
void isolate_start_hart(struct hart *h);
/* This hart's next way to user mode and back is by these. Context: interrupts off. */
void isolate_switch(const struct hart *h, u64 kernel_satp, u64 user_satp);

void trap_entry_isolated(void); /* entry.S; only the trampoline jumps there */
extern const u8 trampoline[], trampoline_flushing[]; /* trampoline.S; both in the page that kernel.lds puts them in */
