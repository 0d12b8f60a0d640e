/*
 * What happened, for readers of RAM: each hart writes events into a ring of its own. Nobody in the machine takes them
 * out; a reader that is too slow loses some, and can tell how many.
 *
 *   ring   hart.trace; slots = end - events; events written since boot: (laps / 2) * slots + (next - events)
 *   write  the event at next, then next + 1; at the end: laps odd, next = events, laps even
 *   count  n, of next and laps read twice alike; laps odd: ((laps + 1) / 2) * slots
 *   read   event i < n; it was whole if i > n - slots with the count read again afterwards: slot n is being written
 *
 * Context: events are written with interrupts off, so that each is in one piece. Boot with trace=off, and no ring is
 * there; build with TRACE=0, and neither is this code.
 */
#pragma once

#include "arch/riscv/csr.h"
#include "arch/riscv/hart.h"
#include "arch/riscv/irq.h"
#include "arch/riscv/thread.h"
#include "lib/assert.h"
#include "lib/atomic.h"
#include "lib/types.h"

enum trace_kind {
	TRACE_FAULT,       /* a page fault: how (enum fault_how), cause, va, pc, before, after (0: no leaf), amount: its cost */
	TRACE_SYSCALL,     /* returned: amount: its number, va: first argument, pc, before: second argument, after: result */
	TRACE_MAP,         /* mmap, brk, a grown stack: va, amount: pages, after: VMA_* flags */
	TRACE_UNMAP,       /* va, amount: pages */
	TRACE_PROTECT,     /* va, amount: pages, how: the new permissions */
	TRACE_FORK,        /* amount: the new thread's id, va: its struct task */
	TRACE_EXEC,        /* va: struct aspace */
	TRACE_EXIT,        /* amount: the status of wait(2) */
	TRACE_HUGE_MAKE,   /* a 2 MiB block came to be at va: how 0 at first touch, 1 gathered; after: physical address */
	TRACE_HUGE_SPLIT,  /* its leaf became 512: va, before: the leaf, after: the entry that points to them */
	TRACE_ALLOC,       /* the hart's cache got amount frames; va: frames left in lists */
	TRACE_FREE,        /* the hart's cache gave amount frames back; va likewise */
	TRACE_FLUSH,       /* other harts' TLBs were flushed: va, amount: pages (~0: all), after: the harts, before: root */
	TRACE_ASID_ROLL,   /* all ASIDs were used up: a new generation (before) */
	TRACE_SWAP_OUT,    /* amount pages of an amap (before) went out, the first had key va */
	TRACE_KINDS
};

/* trace_what.more: `before` is told; else it is 0, whatever the slot has there. The sign of the whole word. */
#define TRACE_BEFORE 0x80u
/* trace_what.rest. */
#define TRACE_REST(kind, how, more) ((u32)(more) << 24 | (u32)(kind) << 16 | (u32)(how) << 8)

struct trace_event {
	u64 time; /* `time` ticks; timebase_hz of them a second */
	union trace_what what;
	u64 va, pc, before, after; /* by kind */
	u64 amount;                /* by kind; a cost is in `cycle` ticks; under QEMU's -icount, instructions */
};

#if TRACE

/*
 * A fault's event has just been written: where the viewer stops the machine when it waits for one. No instruction: a label, and
 * its address in a section of the ELF file that is not loaded.
 */
#define TRACE_FAULT_WRITTEN() __asm__ volatile("9:\n.pushsection .vitrine.faults, \"\", @progbits\n.dword 9b\n.popsection")

/* Gives a hart its ring; without memory for one it has none. Before it runs, or on it at boot. */
void trace_start_hart(struct hart *h);

/* The event at ring->next is written. Context: interrupts off since ring->next was read. */
static inline void trace_end(struct trace_ring *ring, struct trace_event *e)
{
	__asm__ volatile("fence w, w" ::: "memory");
	if (unlikely(++e == ring->end)) {
		WRITE_ONCE(ring->laps, ring->laps + 1);
		__asm__ volatile("fence w, w" ::: "memory");
		WRITE_ONCE(ring->next, ring->events);
		__asm__ volatile("fence w, w" ::: "memory");
		WRITE_ONCE(ring->laps, ring->laps + 1);
		return;
	}
	WRITE_ONCE(ring->next, e);
}

/*
 * Members of the running thread, by instructions of our own: the compiler would take tp into another register each time.
 * Ordered among themselves.
 */
#define TRACE_THREAD_SET(insn, member, value) \
	__asm__ volatile(insn " %z0, %1(tp)" : : "rJ"(value), "i"(offsetof(struct thread, member)))
#define TRACE_THREAD_GET(member)                                                                        \
	({                                                                                              \
		u64 value;                                                                              \
		__asm__ volatile("ld %0, %1(tp)" : "=r"(value) : "i"(offsetof(struct thread, member))); \
		value;                                                                                  \
	})

/* This hart's. Context: interrupts off, as long as it is used. */
static ALWAYS_INLINE struct trace_ring *trace_ring(void)
{
	return &((struct hart *)TRACE_THREAD_GET(hart))->trace;
}

/* One event. Inline although it is long: most of its words are constants. Context: interrupts off. */
static ALWAYS_INLINE void trace_put(u64 pc, enum trace_kind kind, u32 how, u64 va, u64 amount, u64 before, u64 after)
{
	bool told = !(__builtin_constant_p(before) && before == 0);
	struct trace_ring *ring = trace_ring();
	struct trace_event *e = ring->next;

	if (unlikely(!e))
		return;
	e->time = csr_read(time);
	e->what.rest = TRACE_REST(kind, how, told ? TRACE_BEFORE : 0);
	e->what.tid = (u32)TRACE_THREAD_GET(what);
	e->va = va;
	e->pc = pc;
	if (told)
		e->before = before;
	e->after = after;
	e->amount = amount;
	trace_end(ring, e);
}

/* The event of a place in the kernel. What it costs where the machine is busiest is counted (docs/view.md). */
static ALWAYS_INLINE void trace_note(enum trace_kind kind, u32 how, u64 va, u64 amount, u64 before, u64 after)
{
	const struct trapframe *tf = (const struct trapframe *)TRACE_THREAD_GET(tf);
	u64 irq = irq_save();

	trace_put(tf ? tf->pc : 0, kind, how, va, amount, before, after);
	irq_restore(irq);
}

/* The same of a thread with an address space, where interrupts are on: its trapframe is where it always is. */
static ALWAYS_INLINE void trace_note_irq_on(enum trace_kind kind, u32 how, u64 va, u64 amount, u64 before, u64 after)
{
	const struct trapframe *tf = (const struct trapframe *)TRACE_THREAD_GET(kernel_sp) - 1;

	DEBUG_ASSERT(irq_enabled());
	irq_disable();
	trace_put(tf->pc, kind, how, va, amount, before, after);
	irq_enable();
}

/* 1: the threads made from now on have THREAD_TRACE, so that their system calls are events too. */
extern u32 trace_syscalls;

/* entry.S: user mode is next, and THREAD_TRACE is set. Context: interrupts off. */
void trace_return(const struct trapframe *tf);

/*
 * What a fault's event will say is kept in the thread: trap.c begins and ends it, what lies between tells of it. Only
 * what is not usual is told: that a page was FAULT_HOW_ANON, and that no leaf was replaced, goes without saying.
 */
static inline u64 trace_fault_start(u64 cause)
{
	static_assert(TRACE_FAULT == 0 && offsetof(union trace_what, more) == offsetof(union trace_what, cause) + 3,
		"one store begins a fault");
	TRACE_THREAD_SET("sw", what.cause, cause);
	return csr_read(cycle);
}

/* Another attempt: what the last one told is no longer so. */
static inline void trace_fault_again(void)
{
	TRACE_THREAD_SET("sb", what.how, 0u);
	TRACE_THREAD_SET("sb", what.more, 0u);
}

/* enum fault_how. */
static inline void trace_fault_how(u32 how)
{
	TRACE_THREAD_SET("sb", what.how, how);
}

/* The answer was no: enum fault_result. */
static inline void trace_fault_failed(u32 how, u32 result)
{
	TRACE_THREAD_SET("sb", what.how, how);
	TRACE_THREAD_SET("sb", what.more, result);
	TRACE_THREAD_SET("sd", leaf_after, 0ul);
}

/* pt_map: what is in the leaf. */
static inline void trace_leaf(u64 after)
{
	TRACE_THREAD_SET("sd", leaf_after, after);
}

/* And what was, if something was, until pt_map replaced it, or leaf_unhook made way. */
static inline void trace_leaf_was(u64 before)
{
	TRACE_THREAD_SET("sb", what.more, TRACE_BEFORE);
	TRACE_THREAD_SET("sd", leaf_before, before);
}

/* The last events of this hart, newest last, as log lines (panic). Takes no lock. */
void trace_dump(u32 nr);

#else
#define trace_syscalls 0
static inline void trace_start_hart(struct hart *h)
{
}
static inline void trace_note(enum trace_kind kind, u32 how, u64 va, u64 amount, u64 before, u64 after)
{
}
static inline void trace_note_irq_on(enum trace_kind kind, u32 how, u64 va, u64 amount, u64 before, u64 after)
{
}
static inline u64 trace_fault_start(u64 cause)
{
	return 0;
}
static inline void trace_fault_again(void)
{
}
static inline void trace_fault_failed(u32 how, u32 result)
{
}
static inline void trace_leaf(u64 after)
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
