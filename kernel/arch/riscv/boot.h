/* Boot-time pieces of arch/riscv, for itself and for main.c. */
#pragma once

#include "arch/riscv/arch.h"
#include "lib/fdt.h"

/* From the linker script. */
extern u8 _kernel_start[], _text_start[], _text_end[], _rodata_start[], _rodata_end[];
extern u8 _data_start[], _bss_start[], _bss_end[], _kernel_end[];
/* From head.S. */
extern u8 boot_stack_guard[], boot_stack_top[], boot_spare_stack_top[], boot_task[];

/* Where _kernel_start lies behind KVA_IMAGE (kernel.lds: KERNEL_LOAD - 0x80000000). */
#define KERNEL_IMAGE_OFFSET 0x200000ul

/* The device tree, opened by boot_main. */
extern struct fdt boot_fdt;

u64 early_map(void);
noreturn void boot_main(u64 hartid, paddr_t fdt_pa, u64 entry_instret);
/* The log goes out through SBI again: for a panic, when no driver can be trusted. */
void console_use_firmware(void);
void trap_entry(void);
void trap_init(void);     /* sorts the fix-up table; before paging_init makes it read-only */
void hart_csr_init(void); /* each hart: interrupt enables, counters for user mode */

/* The final kernel page table, in the mode that `paging=` asks for. After frame_add_ram and frame_reserve; before mm_init. */
void paging_init(void);
/* satp of the kernel's own table. */
u64 paging_kernel_satp(void);

void machine_init(const struct fdt *fdt); /* poweroff device */
void timer_init(const struct fdt *fdt);   /* timebase, Sstc */
void asid_init(void);
/* Deliberate failures by `panic_test=`, for the tests of the panic report. */
void panic_test_run(void);

noreturn void kernel_main(void); /* kernel/main.c */
