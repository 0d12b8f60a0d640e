/*
 * Wall-clock time: read once from the real-time clock (Goldfish RTC) and kept
 * from then on as an offset to the monotonic clock, which harts agree on.
 */
#include "dev/rtc.h"

#include "arch/riscv/arch.h"
#include "arch/riscv/vdso.h"
#include "dev/dev.h"
#include "dev/io.h"
#include "lib/fdt.h"
#include "lib/log.h"

#define TIME_LOW  0x00 /* reading it latches TIME_HIGH; the pair is ns since 1970 */
#define TIME_HIGH 0x04

static s64 wall_offset; /* wall - mono, ns; a single word, read and written atomically */

void rtc_init(const struct fdt *fdt)
{
	int node = fdt_find_compatible(fdt, FDT_ROOT, "google,goldfish-rtc");
	volatile void *regs;
	paddr_t pa;
	u64 size, ns;

	if (node < 0 || fdt_reg(fdt, node, 0, &pa, &size) < 0 || !(regs = arch_map_device(pa, size))) {
		pr_warn("rtc: no clock found; the date starts at 1970");
		return;
	}
	ns = io_read32(io_at(regs, TIME_LOW));
	ns |= (u64)io_read32(io_at(regs, TIME_HIGH)) << 32;
	clock_wall_set(ns);
}

u64 clock_wall_ns(void)
{
	return clock_mono_ns() + (u64)READ_ONCE(wall_offset);
}

void clock_wall_set(u64 ns)
{
	WRITE_ONCE(wall_offset, (s64)(ns - clock_mono_ns()));
	vdso_wall_set((u64)wall_offset);
}

s64 clock_wall_offset(void)
{
	return READ_ONCE(wall_offset);
}
