#include "arch/riscv/vdso.h"

/* A page of its own: user mode sees all of it. */
static union {
	struct vdso_data data;
	u8 page[PAGE_SIZE];
} vdso_page ALIGNED(PAGE_SIZE);

paddr_t vdso_data_pa(void)
{
	return image_to_phys(&vdso_page);
}

void vdso_clock_set(u64 time_base, u64 ns_per_tick_32)
{
	vdso_page.data.time_base = time_base;
	vdso_page.data.ns_per_tick_32 = ns_per_tick_32;
}

void vdso_wall_set(u64 offset_ns)
{
	WRITE_ONCE(vdso_page.data.wall_offset_ns, offset_ns);
}
