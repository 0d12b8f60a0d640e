/*
 * What happened, for readers of RAM: each hart writes 64-byte events into a ring of its own. Nobody in the machine
 * takes them out; a reader that is too slow loses some, and can tell how many.
 *
 *   ring   hart.trace: head, mask, events; event n is in events[n & mask]; head: events begun since boot
 *   write  head = n + 1, the event, and last its seq = n + 1
 *   read   event n is whole when seq is n + 1 and, looked at afterwards, head <= n + mask + 1
 *
 * Context: events are written with interrupts off, so that each is in one piece. Boot with trace=off, and no ring is
 * there; build with TRACE=0, and neither is this code.
 */
#pragma once

#include "arch/riscv/csr.h"
#include "arch/riscv/hart.h"
#include "arch/riscv/irq.h"
#include "arch/riscv/thread.h"
#include "lib/atomic.h"
#include "lib/types.h"

enum trace_kind {
	TRACE_NONE,
	TRACE_FAULT,       /* a page fault: how (enum fault_how), cause, result, va, pc, after: the leaf (0: none), before, cost */
	TRACE_SYSCALL,     /* returned: nr: its number, va: the first argument, pc, before: the second, after: the result */
	TRACE_MAP,         /* mmap, brk, a grown stack: va, nr pages, how: VMA_* permissions, after: VMA_* flags */
	TRACE_UNMAP,       /* va, nr pages */
	TRACE_PROTECT,     /* va, nr pages, how: the new permissions */
	TRACE_FORK,        /* nr: the new thread's id, va: its struct task */
	TRACE_EXEC,        /* va: struct aspace */
	TRACE_EXIT,        /* nr: the status of wait(2) */
	TRACE_HUGE_MAKE,   /* a 2 MiB block came to be at va: how 0 at first touch, 1 gathered; after: physical address */
	TRACE_HUGE_SPLIT,  /* its leaf became 512: va, before: the leaf, after: the entry that points to them */
	TRACE_ALLOC,       /* the hart's cache got nr frames; va: frames left in lists */
	TRACE_FREE,        /* the hart's cache gave nr frames back; va likewise */
	TRACE_FLUSH,       /* other harts' TLBs were flushed: va, nr pages (~0: all), after: the harts, before: the root */
	TRACE_ASID_ROLL,   /* all ASIDs were used up: a new generation (before) */
	TRACE_SWAP_OUT,    /* nr pages of an amap (before) went out, the first had key va */
	TRACE_KINDS
};

struct trace_event {
	u64 seq;  /* 1 + number in this ring */
	u64 time; /* `time` ticks; timebase_hz of them a second */
	struct trace_what what;
	u32 tid;
	u64 va, pc, before, after; /* by kind */
	u32 cost;                  /* `cycle` ticks; under QEMU's -icount, instructions */
	u32 nr;                    /* by kind */
};
static_assert(sizeof(struct trace_event) == 64, "an event is a cache line");

#if TRACE

/*
 * A fault's event has just been written: where the viewer stops the machine when it waits for one. No instruction: a label, and
 * its address in a section of the ELF file that is not loaded.
 */
#define TRACE_FAULT_WRITTEN() __asm__ volatile("9:\n.pushsection .vitrine.faults, \"\", @progbits\n.dword 9b\n.popsection")

/* Gives a hart its ring; without memory for one it has none. Before it runs, or on it at boot. */
void trace_start_hart(struct hart *h);
static inline bool trace_on(void)
{
	return this_hart()->trace.events != NULL;
}

/* The next event of this hart, begun; it has a ring. Context: interrupts off until trace_end. */
static inline struct trace_event *trace_begin(struct trace_ring *ring, u64 *n)
{
	struct trace_event *e;

	*n = ring->head;
	e = &ring->events[*n & ring->mask];
	WRITE_ONCE(ring->head, *n + 1);
	barrier();
	return e;
}

static inline void trace_end(struct trace_event *e, u64 n)
{
	__asm__ volatile("fence w, w" ::: "memory");
	WRITE_ONCE(e->seq, n + 1);
}

/*
 * The event of a place in the kernel. Inline although it is long: most of its words are constants, and what it costs
 * where the machine is busiest is counted (docs/view.md).
 */
static ALWAYS_INLINE void trace_note(enum trace_kind kind, u32 how, u64 va, u64 nr, u64 before, u64 after)
{
	struct trace_event *e;
	const struct thread *t;
	u64 irq, n;

	if (!trace_on())
		return;
	irq = irq_save();
	t = current_thread();
	e = trace_begin(&this_hart()->trace, &n);
	e->time = csr_read(time);
	e->what = (struct trace_what){.kind = (u8)kind, .how = (u8)how};
	e->tid = t->trace_id;
	e->va = va;
	e->pc = t->tf ? t->tf->pc : 0;
	e->before = before;
	e->after = after;
	e->cost = 0;
	e->nr = (u32)nr;
	trace_end(e, n);
	irq_restore(irq);
}

/* 1: the threads made from now on have THREAD_TRACE, so that their system calls are events too. */
extern u32 trace_syscalls;

/* entry.S: user mode is next, and THREAD_TRACE is set. Context: interrupts off. */
void trace_return(const struct trapframe *tf);

/*
 * What a fault's event will say is kept in the thread: trap.c begins and ends it, what lies between tells of it. By
 * instructions of our own, for the compiler would take tp into another register each time.
 */
#define TRACE_THREAD_SET(insn, member, value) \
	__asm__ volatile(insn " %z0, %1(tp)" : : "rJ"(value), "i"(offsetof(struct thread, member)))

static inline u64 trace_fault_start(u64 cause)
{
	TRACE_THREAD_SET("sw", fault_what, TRACE_FAULT | (u32)cause << 16); /* .kind, .cause */
	TRACE_THREAD_SET("sd", leaf_after, 0ul);
	return csr_read(cycle);
}

/* enum fault_how. */
static inline void trace_fault_how(u32 how)
{
	TRACE_THREAD_SET("sb", fault_what.how, how);
}

/* pt_map: what was in the leaf, and what is. */
static inline void trace_leaf(u64 before, u64 after)
{
	TRACE_THREAD_SET("sd", leaf_before, before);
	TRACE_THREAD_SET("sd", leaf_after, after);
}

/* The leaf that pt_map found empty had been this until it was unhooked. */
static inline void trace_leaf_was(u64 before)
{
	TRACE_THREAD_SET("sd", leaf_before, before);
}

/* The last events of this hart, newest last, as log lines (panic). Takes no lock. */
void trace_dump(u32 nr);

#else
#define trace_syscalls 0
static inline void trace_start_hart(struct hart *h)
{
}
static inline void trace_note(enum trace_kind kind, u32 how, u64 va, u64 nr, u64 before, u64 after)
{
}
static inline u64 trace_fault_start(u64 cause)
{
	return 0;
}
static inline void trace_leaf(u64 before, u64 after)
{
}
static inline void trace_leaf_was(u64 before)
{
}
static inline void trace_fault_how(u32 how)
{
}
static inline void trace_dump(u32 nr)
{
}
#endif
