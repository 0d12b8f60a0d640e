/*
 * The boot order, one call a line. head.S and arch/riscv/boot.c have brought the
 * boot hart into the high half on an early table; `boot_fdt` and the command line
 * are there, and log lines go out through the firmware.
 */
#include "arch/riscv/boot.h"
#include "arch/riscv/irq.h"
#include "arch/riscv/paging.h"
#include "arch/riscv/trace.h"
#include "dev/dev.h"
#include "fs/fs.h"
#include "lib/cmdline.h"
#include "lib/log.h"
#include "mm/frame.h"
#include "mm/mm.h"
#include "mm/pagetable.h"
#include "proc/leakcheck.h"
#include "proc/proc.h"

static void ram_bank(void *arg, paddr_t start, u64 size)
{
	frame_add_ram(start, start + size);
}

static void ram_hole(void *arg, paddr_t start, u64 size)
{
	frame_reserve(start, start + size);
}

/* What the device tree says of RAM, and what lies in it already. */
static void ram_find(void)
{
	fdt_for_each_memory(&boot_fdt, ram_bank, NULL);
	fdt_for_each_reserved(&boot_fdt, ram_hole, NULL);
	frame_reserve(boot_info.kernel_start, boot_info.kernel_end);
	frame_reserve(boot_info.fdt_pa, boot_info.fdt_pa + boot_fdt.size);
}

/* `quiet`: errors and worse; `loglevel=N`: levels below N, as Linux counts. All lines are kept for dmesg. */
static void log_level_from_cmdline(void)
{
	u64 level = cmdline_number("loglevel", cmdline_flag("quiet") ? LOG_LEVEL_WARN : LOG_LEVEL_INFO + 1);

	log_set_level((enum log_level)(level ? MIN(level, LOG_LEVEL_DEBUG + 1ul) - 1 : LOG_LEVEL_EMERG));
}

/* The other harts: the boot hart did everything else for them. */
static void hart_main(void)
{
	dev_start_hart();   /* external interrupts reach this hart too */
	sched_start_hart(); /* this context is its idle loop */
}

noreturn void kernel_main(void)
{
	log_level_from_cmdline(); /* before the first line that `quiet` should hide */
	timer_init(&boot_fdt);    /* so that log lines have times */
	ram_find();               /* before anything allocates */
	paging_init();            /* the final kernel table: from here on, W^X and guard pages */
	mm_init();                /* frames, slabs: kmalloc works */
	trace_start_hart(this_hart()); /* from here on, what happens is in the ring */
	paging_freeze();          /* process tables may now copy the kernel half */
	machine_init(&boot_fdt);  /* an exit status for a panic */
	proc_init();              /* this context becomes a task: sleeping locks work */
	irq_enable();             /* sleeping is allowed from here on; no source is enabled yet */
	dev_init();               /* console, disks: their interrupts need a task to interrupt */
	dev_start_hart();
	mm_start();             /* the reclaim thread, compressed swap */
	fs_init();              /* inode and page caches, file systems; no disk is read yet */
	harts_start(hart_main); /* from here on others run */
	paging_check();         /* W^X, with all of boot's mappings there */
	panic_test_run();       /* panic_test=…: fails now, with everything in place */
	pr_info("boot: %lu instructions to the first process, %u harts", instret_now() - boot_info.entry_instret,
		nr_harts);
	leakcheck_start(); /* what the kernel holds by itself */
	init_start();      /* process 1; it mounts the root */
	irq_disable();
	sched_start_hart();
}
