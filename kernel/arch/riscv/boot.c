/* The boot hart's first C in the high half: what must stand before main.c can call the rooms in order. */
#include "arch/riscv/boot.h"

#include "arch/riscv/csr.h"
#include "arch/riscv/sbi.h"
#include "lib/cmdline.h"
#include "lib/log.h"
#include "mm/pagetable.h"

struct boot_info boot_info;
struct fdt boot_fdt;

static void early_console(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n')
			sbi_putchar('\r');
		sbi_putchar(text[i]);
	}
}

/* The context that runs here becomes hart 0's idle thread. */
static void boot_hart_init(u64 hartid)
{
	struct hart *h = &harts[0];

	h->index = 0;
	h->hartid = hartid;
	h->idle = (struct thread *)boot_task;
	h->idle->hart = h;
	h->idle->kernel_sp = (vaddr_t)boot_stack_top;
	h->spare_stack = (vaddr_t)boot_spare_stack_top;
	hart_csr_init();
}

void boot_main(u64 hartid, paddr_t fdt_pa, u64 entry_instret)
{
	boot_hart_init(hartid);
	log_set_console(early_console, LOG_REPLAY_ALL);
	trap_init();
	boot_info = (struct boot_info){
		.fdt = phys_to_kva(fdt_pa),
		.fdt_pa = fdt_pa,
		.boot_hartid = hartid,
		.kernel_start = image_to_phys(_kernel_start),
		.kernel_end = image_to_phys(_kernel_end),
		.entry_instret = entry_instret,
	};
	if (fdt_pa >= KVA_FRAMES - KVA_DIRECT || fdt_open(&boot_fdt, boot_info.fdt, 16ul << 20))
		panic("the firmware handed over no device tree (a1 = 0x%lx): is this QEMU's virt machine "
		      "with its own OpenSBI?",
			fdt_pa);
	cmdline_set(fdt_bootargs(&boot_fdt));
	kernel_main();
}

void console_use_firmware(void)
{
	log_set_console(early_console, LOG_REPLAY_NONE);
}
