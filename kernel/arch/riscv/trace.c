/* The rings of events. See trace.h. */
#include "arch/riscv/trace.h"

#include "arch/riscv/arch.h"
#include "arch/riscv/csr.h"
#include "lib/cmdline.h"
#include "lib/log.h"
#include "lib/string.h"
#include "lib/symbols.h"
#include "mm/frame.h"

#if TRACE

u32 trace_syscalls;

/* A ring has at most 256 KiB, and in a small machine a 1024th of RAM. */
#define RING_ORDER_MAX 6u

void trace_start_hart(struct hart *h)
{
	const char *wanted = cmdline_get("trace");
	u64 pages = frame_total() / 1024;
	u32 order = 0;
	struct frame *f;

	if (wanted && strcmp(wanted, "off") == 0)
		return;
	if (wanted && strcmp(wanted, "syscalls") == 0)
		trace_syscalls = 1;
	while (order < RING_ORDER_MAX && 2ul << order <= pages)
		order++;
	f = frame_alloc(order, FRAME_KERNEL, ALLOC_ZERO);
	if (!f)
		return;
	h->trace.events = frame_kva(f);
	h->trace.end = h->trace.events + (PAGE_SIZE << order) / sizeof(struct trace_event);
	store_release(&h->trace.next, h->trace.events);
}

void trace_return(const struct trapframe *tf)
{
	if (tf->cause == CAUSE_ECALL_USER)
		trace_note(TRACE_SYSCALL, 0, tf->orig_a0, TF_NR(tf), TF_A(tf, 1), TF_A(tf, 0));
}

/* ---- the last events of this hart, in words ---- */

static const char *const names[TRACE_KINDS] = {
	[TRACE_FAULT] = "fault",
	[TRACE_SYSCALL] = "system call",
	[TRACE_MAP] = "map",
	[TRACE_UNMAP] = "unmap",
	[TRACE_PROTECT] = "protect",
	[TRACE_FORK] = "fork",
	[TRACE_EXEC] = "exec",
	[TRACE_EXIT] = "exit",
	[TRACE_HUGE_MAKE] = "superpage made",
	[TRACE_HUGE_SPLIT] = "superpage split",
	[TRACE_ALLOC] = "frames taken",
	[TRACE_FREE] = "frames given",
	[TRACE_FLUSH] = "remote flush",
	[TRACE_ASID_ROLL] = "ASIDs used up",
	[TRACE_SWAP_OUT] = "swapped out",
};

void trace_dump(u32 nr)
{
	const struct trace_ring *ring = &this_hart()->trace;
	u64 slots = (u64)(ring->end - ring->events), at = (u64)(ring->next - ring->events), written;

	if (!ring->next)
		return;
	/* At the next slot an event may have been begun: the panic came while it was written. */
	written = ring->laps ? slots - 1 : at;
	nr = (u32)MIN((u64)nr, written);
	if (nr)
		pr_emerg("the last %u events of this hart:", nr);
	for (u64 n = at + slots - nr; n < at + slots; n++) {
		const struct trace_event *e = &ring->events[n % slots];
		const char *name = e->what.kind < TRACE_KINDS ? names[e->what.kind] : NULL;

		pr_emerg("  %12lu tid %u %s va 0x%lx pc 0x%lx pte 0x%lx -> 0x%lx amount %lu how %u", e->time,
			e->what.tid, name ? name : "?", e->va, e->pc, e->what.more & TRACE_BEFORE ? e->before : 0,
			e->after, e->amount, e->what.how);
	}
}

#endif
