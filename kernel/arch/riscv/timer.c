/*
 * Time: the `time` CSR, which all harts share, and one timer interrupt per hart.
 * Ticks become nanoseconds by a 32.32 fixed-point factor; the product is taken
 * in 128 bits, so that it needs no upkeep and never runs over.
 */
#include "arch/riscv/arch.h"
#include "arch/riscv/boot.h"
#include "arch/riscv/csr.h"
#include "arch/riscv/extable.h"
#include "arch/riscv/irq.h"
#include "arch/riscv/sbi.h"
#include "arch/riscv/vdso.h"
#include "lib/log.h"

#define NS_PER_SEC 1000000000ul

u64 timebase_hz = 10000000;
static u64 time_base;      /* `time` at boot */
static u64 ns_per_tick_32; /* × 2^32 */
static bool use_stimecmp;

u64 cycles_now(void)
{
	return csr_read(time);
}

u64 instret_now(void)
{
	return csr_read(instret);
}

u64 clock_mono_ns(void)
{
	return (u64)((unsigned __int128)(csr_read(time) - time_base) * ns_per_tick_32 >> 32);
}

/* Rounded up: an interrupt that comes early would find nothing to do. */
static u64 ns_to_time(u64 ns)
{
	u64 tick_ns = ns_per_tick_32 >> 32;

	/* One division where a tick is a whole number of nanoseconds. */
	if ((u32)ns_per_tick_32 == 0)
		return time_base + (ns + tick_ns - 1) / tick_ns;
	return time_base + ns / NS_PER_SEC * timebase_hz +
		(ns % NS_PER_SEC * timebase_hz + NS_PER_SEC - 1) / NS_PER_SEC;
}

void timer_arm(u64 deadline_ns)
{
	u64 at = deadline_ns < ~0ul / 2 ? ns_to_time(deadline_ns) : ~0ul;

	if (use_stimecmp)
		csr_write(CSR_STIMECMP, at);
	else
		sbi_set_timer(at);
}

/* The device tree may promise Sstc while the firmware has not enabled it. */
static bool stimecmp_works(void)
{
	long fault = 0;

	__asm__ volatile("1: csrw " CSR_STRING(CSR_STIMECMP) ", %1\n"
							     "j 3f\n"
							     "2: li %0, 1\n"
							     "3:\n" EX_TABLE("1b", "2b")
			 : "+r"(fault)
			 : "r"(~0ul));
	return !fault;
}

void timer_init(const struct fdt *fdt)
{
	struct fdt_cpu cpu;
	u32 hz = fdt_timebase(fdt);

	if (hz)
		timebase_hz = hz;
	else
		pr_warn("the device tree names no timebase-frequency: taking %lu Hz", timebase_hz);
	ns_per_tick_32 = (NS_PER_SEC << 32) / timebase_hz;
	time_base = csr_read(time);
	use_stimecmp = fdt_cpu(fdt, 0, &cpu) == 0 && fdt_isa_has(cpu.isa, "sstc") && stimecmp_works();
	timer_arm(~0ul);
	log_set_clock(clock_mono_ns);
	vdso_clock_set(time_base, ns_per_tick_32);
}

u64 log_irq_save(void)
{
	return irq_save();
}

void log_irq_restore(u64 flags)
{
	irq_restore(flags);
}
