#include "arch/riscv/hart.h"

#include "arch/riscv/boot.h"
#include "arch/riscv/csr.h"
#include "arch/riscv/irq.h"
#include "arch/riscv/isolate.h"
#include "arch/riscv/sbi.h"
#include "arch/riscv/secondary.h"
#include "arch/riscv/trace.h"
#include "lib/assert.h"
#include "lib/atomic.h"
#include "lib/cmdline.h"
#include "lib/log.h"
#include "mm/pagetable.h"
#include "mm/frame.h"
#include "sync/lockcheck.h"

#define START_TIMEOUT_NS 2000000000ul

struct hart harts[MAX_HARTS];
u32 nr_harts = 1;

static void (*secondary_run)(void);
struct secondary_boot secondary_boot;

u64 harts_online_mask(void)
{
	u32 n = READ_ONCE(nr_harts);

	return n >= 64 ? ~0ul : BIT(n) - 1;
}

#ifdef VITRINE_DEBUG
/* For sync/lockcheck.c. */
struct held_locks *held_locks_hart(void)
{
	return &this_hart()->locks;
}
#endif

void hart_csr_init(void)
{
	csr_write(sie, SIE_SOFT | SIE_TIMER | SIE_EXTERNAL);
	csr_write(scounteren, 7); /* user mode reads cycle, time, instret */
}

/* ---- calls between harts ---- */

static void ipi_send(u32 index, u32 what)
{
	/* Whoever finds a bit set already relies on the interrupt its setter sends. */
	if (__atomic_fetch_or(&harts[index].ipi_pending, what, __ATOMIC_SEQ_CST) == 0)
		sbi_send_ipi(BIT(index));
}

void hart_kick(u32 index)
{
	ipi_send(index, IPI_RESCHED);
}

static noreturn void hart_stop(void)
{
	irq_disable();
	csr_write(sie, 0);
	for (;;)
		__asm__ volatile("wfi");
}

void ipi_handle(void)
{
	u32 what;

	/* Pending is cleared before the bits are taken: a bit set later comes with an interrupt of its own. */
	csr_clear(sip, SIE_SOFT);
	what = __atomic_exchange_n(&this_hart()->ipi_pending, 0, __ATOMIC_SEQ_CST);
	if (what & IPI_STOP)
		hart_stop();
	if (what & IPI_RESCHED)
		sched_ipi();
}

void harts_stop_others(void)
{
	u32 self = hart_index();

	for (u32 i = 0; i < nr_harts; i++)
		if (i != self) {
			__atomic_fetch_or(&harts[i].ipi_pending, IPI_STOP, __ATOMIC_SEQ_CST);
			sbi_send_ipi(BIT(i));
		}
}

void hart_wait_interrupt(void)
{
	u64 before = instret_now();

	/* wfi ends on a pending interrupt though they are off: none is lost between the caller's last look and here. */
	__asm__ volatile("wfi" ::: "memory");
	/* Under QEMU's -icount a wait advances the counter as if it were work. */
	this_hart()->idle_instret += instret_now() - before;
	irq_enable();
	irq_disable();
}

/* ---- bring-up ---- */

void secondary_main(void);

/* On its idle thread, from head.S. */
void secondary_main(void)
{
	struct hart *h = this_hart();

	hart_csr_init();
	h->pt = &kernel_pagetable;
	h->asid_flush = 1;
	timer_arm(~0ul);
	/* From here on others may send interrupts and flushes; none was missed, for the TLB holds kernel entries only. */
	store_release(&nr_harts, h->index + 1);
	secondary_run();
	panic("hart %u: its entry function returned", h->index);
}

/* Memory for hart `index`; 0/-1. */
static int hart_prepare(struct hart *h, u32 index, u64 hartid)
{
	struct frame *idle = frame_alloc(0, FRAME_KERNEL, ALLOC_ZERO);

	static_assert(IDLE_TASK_SIZE <= PAGE_SIZE, "an idle task fits one frame");
	*h = (struct hart){.index = index, .hartid = hartid};
	isolate_start_hart(h);
	h->spare_stack = kstack_alloc();
	if (!idle || !h->spare_stack)
		return -1;
	h->idle = frame_kva(idle);
	h->idle->kernel_sp = kstack_alloc();
	h->idle->hart = h;
	h->idle->canary = cycles_now() * 0x9e3779b97f4a7c15ul + index;
	return h->idle->kernel_sp ? 0 : -1;
}

static bool hart_start(u32 index, u64 hartid)
{
	struct hart *h = &harts[index];
	u64 deadline;
	long err;

	if (hart_prepare(h, index, hartid)) {
		pr_err("hart %lu: no memory to start it", hartid);
		return false;
	}
	trace_start_hart(h);
	secondary_boot = (struct secondary_boot){
		.satp = paging_kernel_satp(),
		.thread = (vaddr_t)h->idle,
		.sp = h->idle->kernel_sp,
		.shift = image_shift,
	};
	smp_mb();
	err = sbi_hart_start(hartid, image_to_phys((void *)secondary_start), 0);
	if (err) {
		pr_err("hart %lu: the firmware does not start it: SBI error %ld", hartid, err);
		return false;
	}
	deadline = clock_mono_ns() + START_TIMEOUT_NS;
	while (load_acquire(&nr_harts) == index) {
		if (clock_mono_ns() > deadline)
			panic("hart %lu was started but does not answer", hartid);
		cpu_relax();
	}
	return true;
}

u32 harts_start(void (*entry)(void))
{
	u64 want = cmdline_number("harts", MAX_HARTS);
	struct fdt_cpu cpu;

	secondary_run = entry;
	if (!sbi_has(SBI_EXT_HSM)) {
		pr_warn("the firmware lacks the HSM extension: one hart only");
		return nr_harts;
	}
	for (u32 i = 0; nr_harts < MIN(want, (u64)MAX_HARTS) && fdt_cpu(&boot_fdt, i, &cpu) == 0; i++)
		if (cpu.hartid != boot_info.boot_hartid)
			hart_start(nr_harts, cpu.hartid);
	return nr_harts;
}
