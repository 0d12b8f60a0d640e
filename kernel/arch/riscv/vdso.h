/*
 * The vDSO: a small shared library that the kernel maps into every process
 * (AT_SYSINFO_EHDR), one page of data in front of it.
 *
 *   base - PAGE_SIZE   data, R + U (vdso_data_pa)
 *   base               image, R + X + U (vdso_image_pa), vdso_nr_pages pages
 */
#pragma once

#include "arch/riscv/layout.h"
#include "arch/riscv/vdso_data.h"

extern const u8 vdso_image_start[], vdso_image_end[]; /* page-aligned, in rodata */

/* Where __vdso_rt_sigreturn lies in the image; vdso/src/vdso.lds puts it there. */
#define VDSO_RT_SIGRETURN 0x800

static inline paddr_t vdso_image_pa(void)
{
	return image_to_phys(vdso_image_start);
}
static inline u64 vdso_nr_pages(void)
{
	return (u64)(vdso_image_end - vdso_image_start) >> PAGE_SHIFT;
}
paddr_t vdso_data_pa(void);

void vdso_clock_set(u64 time_base, u64 ns_per_tick_32);
/* Whoever sets the wall clock says so here. */
void vdso_wall_set(u64 offset_ns);
