/* The start of the memory room. */
#include "mm/mm.h"

#include "arch/riscv/arch.h"
#include "lib/assert.h"
#include "lib/fdt.h"
#include "lib/log.h"
#include "mm/aspace_priv.h"
#include "mm/commit.h"
#include "mm/frame.h"
#include "mm/frame_boot.h"
#include "mm/reclaim.h"
#include "mm/slab.h"
#include "mm/superpage.h"
#include "mm/swap.h"
#include "mm/zram.h"

static void found_ram(void *arg, paddr_t start, u64 size)
{
	frame_add_ram(start, start + size);
}

static void found_reserved(void *arg, paddr_t start, u64 size)
{
	frame_reserve(start, start + size);
}

/* From the device tree, unless the boot code told already. */
static void discover_ram(void)
{
	struct fdt fdt;

	if (boot_ram.nr_banks)
		return;
	if (fdt_open(&fdt, boot_info.fdt, fdt_blob_size(boot_info.fdt)) != 0)
		panic("the device tree at %lx is damaged", boot_info.fdt_pa);
	fdt_for_each_memory(&fdt, found_ram, NULL);
	fdt_for_each_reserved(&fdt, found_reserved, NULL);
	frame_reserve(boot_info.kernel_start, boot_info.kernel_end);
	frame_reserve(boot_info.fdt_pa, boot_info.fdt_pa + fdt_blob_size(boot_info.fdt));
}

void mm_init(void)
{
	struct frame_stats st;

	discover_ram();
	frame_init();
	slab_init();
	swap_init();
	commit_init();
	amap_init();
	aspace_init();
	fault_init();
	superpage_init();
	frame_stats_read(&st);
	pr_info("memory: %lu MiB, %lu MiB free", st.total >> (20 - PAGE_SHIFT), st.free >> (20 - PAGE_SHIFT));
}

void mm_start(void)
{
	reclaim_init();
	anon_reclaim_init();
	zram_init();
}
