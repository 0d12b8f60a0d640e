/*
 * Harts: identity, bring-up, and calls between them.
 *
 * Harts have a dense index 0 … nr_harts-1 (the boot hart is 0) besides the
 * machine's hart id. Sets of harts are a u64 by index.
 */
#pragma once

#include "arch/riscv/thread.h"
#include "lib/held_locks.h"
#include "lib/types.h"

#define MAX_HARTS 64

struct pagetable;

/*
 * An idle thread heads a zeroed block of this many bytes, so that proc/'s struct
 * task fits in it (proc asserts that) and current() is good from the first
 * instruction of C on. proc fills in the rest in proc_init and sched_start_hart.
 */
#define IDLE_TASK_SIZE 4096

/* A hart's events (trace.h). next NULL: it has no ring. */
struct trace_event;
struct trace_ring {
	struct trace_event *next;   /* the slot of the coming event */
	struct trace_event *end;    /* behind the last slot */
	struct trace_event *events; /* the slots */
	u64 laps;                   /* twice the times that the ring was filled; odd: `next` is being set back */
};

struct hart {
	u32 index;
	u64 hartid;                /* the machine's number, for SBI */
	struct thread *idle;       /* runs when nothing else does */
	struct thread *prev;       /* left by the last thread_switch; for the entry function of a new thread */
	struct thread *fp_owner;   /* whose values the FP registers hold, if its fp_hart says so too */
	struct pagetable *pt;      /* active page table: satp holds it until this changes */
	struct pagetable *pt_next; /* being activated (tlb.c explains) */
	u64 asid;                  /* what satp holds; 0: taken away by a roll-over (atomic, asid.c) */
	u64 asid_reserved;         /* kept over a roll-over [asid lock] */
	u32 asid_flush;            /* a roll-over happened since this TLB was cleared [asid lock] */
	struct held_locks locks;   /* spinlocks held (debug) */
	u32 irq_depth;             /* >0: in an interrupt handler */
	u32 spin_depth;            /* spinlocks held (debug) */
	u32 ipi_pending;           /* IPI_* bits set by others, taken by the handler (atomic) */
	vaddr_t spare_stack;       /* top of the stack used to report an overflow */
	vaddr_t entry_slot;        /* isolate=1: the hart's slot, as a user address (isolate.h) */
	vaddr_t trampoline;        /* isolate=1: stvec while user code runs */
	u64 nr_irqs;
	u64 nr_shootdowns;    /* remote flushes this hart asked for, */
	u64 nr_remote_spared; /* and those where no other hart ran on the table */
	u64 nr_switch_spared; /* switches to a table whose translations were still in the TLB */
	u64 nr_switches;
	u64 idle_instret; /* what the counter of instructions advanced during waits */
	struct trace_ring trace;
};

extern struct hart harts[MAX_HARTS];
extern u32 nr_harts; /* online */

static inline u32 hart_index(void)
{
	return this_hart()->index;
}

u64 harts_online_mask(void);

/* Makes the other hart go through its scheduler soon. Context: any. */
void hart_kick(u32 index);

/* IPI_* bits of ipi_pending. */
#define IPI_RESCHED BIT(0)
#define IPI_STOP    BIT(1)

/* Starts all other harts by SBI HSM; each runs `entry` on its idle thread. Returns the number online. */
u32 harts_start(void (*entry)(void));

/* Stops every other hart for good (panic, poweroff). */
void harts_stop_others(void);

/* trap.c: what other harts asked for. */
void ipi_handle(void);

/* Waits for an interrupt with interrupts on; returns with them off. Call with them off. */
void hart_wait_interrupt(void);
