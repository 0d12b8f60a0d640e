/*
 * What a trap is, and who answers it. This file knows scause and nothing of
 * memory objects or signals; mm/fault.c and proc/signal.c are the other way round.
 *
 *   user mode    system call → syscall_dispatch (straight from entry.S)
 *                page fault → fault_handle → done, or user_fault_signal
 *                other exception → user_trap_signal
 *   kernel mode  page fault on a user address at an instruction of the fix-up
 *                table → fault_handle, or the fix-up; everything else is a bug
 *   both         interrupts
 */
#include "arch/riscv/trap.h"

#include "arch/riscv/arch.h"
#include "arch/riscv/boot.h"
#include "arch/riscv/csr.h"
#include "arch/riscv/extable.h"
#include "arch/riscv/irq.h"
#include "arch/riscv/layout.h"
#include "arch/riscv/pte.h"
#include "arch/riscv/trace.h"
#include "lib/assert.h"
#include "lib/atomic.h"
#include "mm/aspace.h"
#include "mm/fault.h"
#include "proc/task.h"

/* Signal numbers and codes of the Linux ABI, as far as hardware causes them. */
enum { SIG_ILL = 4, SIG_TRAP = 5, SIG_BUS = 7, SIG_SEGV = 11 };
enum { CODE_ILL_ILLOPC = 1, CODE_TRAP_BRKPT = 1, CODE_BUS_ADRALN = 1, CODE_SEGV_ACCERR = 2 };

/* ---- the fix-up table ---- */

struct ex_entry {
	vaddr_t insn, fixup;
};
extern struct ex_entry __ex_table_start[], __ex_table_end[];

void trap_init(void)
{
	for (struct ex_entry *e = __ex_table_start + 1; e < __ex_table_end; e++) {
		struct ex_entry moved = *e;
		struct ex_entry *to = e;

		for (; to > __ex_table_start && to[-1].insn > moved.insn; to--)
			*to = to[-1];
		*to = moved;
	}
}

vaddr_t extable_find(vaddr_t pc)
{
	const struct ex_entry *low = __ex_table_start;
	const struct ex_entry *high = __ex_table_end;

	while (low < high) {
		const struct ex_entry *mid = low + (high - low) / 2;

		if (mid->insn == pc)
			return mid->fixup;
		if (mid->insn < pc)
			low = mid + 1;
		else
			high = mid;
	}
	return 0;
}

/* ---- interrupts ---- */

static void interrupt(struct trapframe *tf)
{
	struct hart *h = this_hart();

	h->irq_depth++;
	h->nr_irqs++;
	switch (tf->cause & ~CAUSE_INTERRUPT) {
	case IRQ_S_SOFT: ipi_handle(); break;
	case IRQ_S_TIMER: timer_interrupt(); break;
	case IRQ_S_EXTERNAL: irq_dispatch_external(); break;
	default: panic_trap(tf, "unknown interrupt");
	}
	h->irq_depth--;
}

/* ---- page faults ---- */

static bool is_page_fault(u64 cause)
{
	return cause == CAUSE_FETCH_PAGE || cause == CAUSE_LOAD_PAGE || cause == CAUSE_STORE_PAGE;
}

static enum access access_of(u64 cause)
{
	return cause == CAUSE_STORE_PAGE ? ACCESS_WRITE : cause == CAUSE_FETCH_PAGE ? ACCESS_EXEC : ACCESS_READ;
}

/* A page fault was answered: its event. Context: interrupts off. */
static ALWAYS_INLINE void trace_fault(const struct fault *f, u64 start)
{
#if TRACE
	struct trace_ring *ring = trace_ring();
	struct trace_event *e = ring->next;
	u64 what;

	if (unlikely(!e))
		return;
	e->time = csr_read(time);
	what = TRACE_THREAD_GET(what);
	e->what.word = what;
	if (unlikely((s64)what < 0)) /* TRACE_BEFORE */
		e->before = TRACE_THREAD_GET(leaf_before);
	e->va = f->addr;
	e->pc = f->pc;
	e->after = TRACE_THREAD_GET(leaf_after);
	e->amount = csr_read(cycle) - start;
	trace_end(ring, e);
	TRACE_FAULT_WRITTEN();
#endif
}

static void trace_failed(const struct fault *f, enum fault_result result, u64 start)
{
	trace_fault_failed(FAULT_HOW_NONE, result);
	trace_fault(f, start);
}

/* Interrupts are on, and off when it returns. */
static NOINLINE void user_fault_failed(const struct fault *f, enum fault_result result, u64 start, struct trapframe *tf)
{
	irq_disable();
	trace_failed(f, result, start);
	irq_enable();
	user_fault_signal(f, result, tf);
	irq_disable();
}

static void user_page_fault(struct trapframe *tf)
{
	struct fault f = {.addr = tf->tval, .access = access_of(tf->cause), .from_user = 1, .pc = tf->pc};
	u64 start = trace_fault_start(tf->cause);
	enum fault_result result = fault_handle(current()->as, &f);

	if (unlikely(result != FAULT_DONE)) {
		user_fault_failed(&f, result, start, tf);
		return;
	}
	irq_disable();
	trace_fault(&f, start);
}

/* True: the translation is there and allows it; this hart had cached that it did not (tlb.c, "invalid → valid"). */
static bool kernel_fault_spurious(const struct trapframe *tf)
{
	const u64 *table = phys_to_kva(kernel_pagetable.root);
	u64 need = tf->cause == CAUSE_STORE_PAGE ? PTE_W : tf->cause == CAUSE_FETCH_PAGE ? PTE_X : PTE_R;

	if (tf->tval < KVA_START)
		return false;
	for (u32 level = pt_levels - 1;; level--) {
		u64 pte = table[level_index(tf->tval, level)];

		if (!(pte & PTE_V))
			return false;
		if (pte_is_leaf(pte)) {
			static vaddr_t last_addr;
			static u64 last_time;
			u64 now = cycles_now();

			/* Not twice within a millisecond: then the entry is not what is wrong. */
			if (!(pte & need) || (last_addr == tf->tval && now - last_time < timebase_hz / 1000))
				return false;
			last_addr = tf->tval;
			last_time = now;
			sfence_page_global(tf->tval);
			return true;
		}
		if (level == 0)
			return false;
		table = phys_to_kva(pte_pa(pte));
	}
}

/* A copy from or to user memory faulted: bring the page in, or go on at `fixup`. */
static void copy_fault(struct trapframe *tf, vaddr_t fixup)
{
	struct fault f = {.addr = tf->tval, .access = access_of(tf->cause), .from_user = 0, .pc = tf->pc};
	struct aspace *as = current()->as;
	enum fault_result result;
	u64 start = trace_fault_start(tf->cause);

	if (!as || current_thread()->faults_off || !(tf->status & SSTATUS_SPIE)) {
		tf->pc = fixup;
		return;
	}
	irq_enable();
	result = fault_handle(as, &f);
	irq_disable();
	if (likely(result == FAULT_DONE)) {
		trace_fault(&f, start);
		return;
	}
	trace_failed(&f, result, start);
	tf->pc = fixup;
}

static void kernel_exception(struct trapframe *tf)
{
	vaddr_t fixup = extable_find(tf->pc);

	if (is_page_fault(tf->cause)) {
		if (fixup && tf->tval < user_end) {
			copy_fault(tf, fixup);
			return;
		}
		if (kernel_fault_spurious(tf))
			return;
		if (tf->tval >= KVA_STACKS && tf->tval < KVA_STACKS_END)
			panic_trap(tf, "kernel access to unmapped stack memory at 0x%016lx", tf->tval);
		panic_trap(tf, "kernel %s at 0x%016lx%s", cause_name(tf->cause), tf->tval,
			tf->tval < PAGE_SIZE ? " (null pointer)" : "");
	}
	if (fixup) {
		tf->pc = fixup;
		return;
	}
	panic_trap(tf, "kernel %s", cause_name(tf->cause));
}

/* ---- from entry.S ---- */

NO_CANARY void trap_user(struct trapframe *tf)
{
	if (tf->cause & CAUSE_INTERRUPT) {
		interrupt(tf);
		DEBUG_ASSERT(!irq_enabled());
		return;
	}
	irq_enable();
	if (likely(is_page_fault(tf->cause))) {
		user_page_fault(tf);
		return;
	}
	switch (tf->cause) {
	case CAUSE_ILLEGAL:
		if (!fp_first_use(tf))
			user_trap_signal(SIG_ILL, CODE_ILL_ILLOPC, tf->pc);
		break;
	case CAUSE_BREAKPOINT: user_trap_signal(SIG_TRAP, CODE_TRAP_BRKPT, tf->pc); break;
	case CAUSE_FETCH_MISALIGNED:
	case CAUSE_LOAD_MISALIGNED:
	case CAUSE_STORE_MISALIGNED: user_trap_signal(SIG_BUS, CODE_BUS_ADRALN, tf->tval); break;
	case CAUSE_FETCH_ACCESS:
	case CAUSE_LOAD_ACCESS:
	case CAUSE_STORE_ACCESS: user_trap_signal(SIG_SEGV, CODE_SEGV_ACCERR, tf->tval); break;
	default: panic_trap(tf, "unexpected trap from user mode: %s", cause_name(tf->cause));
	}
	irq_disable();
}

void trap_kernel(struct trapframe *tf)
{
	if (tf->cause & CAUSE_INTERRUPT)
		interrupt(tf);
	else
		kernel_exception(tf);
}

void trap_overflow(struct trapframe *tf)
{
	const struct thread *t = current_thread();
	u64 sp = TF_SP(tf);

	if (sp < t->kernel_sp && sp >= t->kernel_sp - 2 * KSTACK_SIZE)
		panic_trap(tf, "kernel stack overflow: sp 0x%016lx, stack 0x%016lx-0x%016lx", sp,
			t->kernel_sp - KSTACK_SIZE, t->kernel_sp);
	panic_trap(tf, "kernel stack pointer 0x%016lx is not in the stack 0x%016lx-0x%016lx (%s)", sp,
		t->kernel_sp - KSTACK_SIZE, t->kernel_sp, cause_name(tf->cause));
}
