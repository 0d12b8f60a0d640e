/* The end of the machine: QEMU's test device, which can say an exit status, or else the firmware. */
#include "arch/riscv/boot.h"
#include "arch/riscv/irq.h"
#include "arch/riscv/sbi.h"
#include "lib/log.h"

/* Commands of the `sifive,test0` device: bits 15:0; a failure carries its status in bits 31:16. */
#define TEST_FAIL  0x3333
#define TEST_PASS  0x5555
#define TEST_RESET 0x7777

static volatile u32 *test_device;

void machine_init(const struct fdt *fdt)
{
	int node = fdt_find_compatible(fdt, FDT_ROOT, "sifive,test0");
	paddr_t pa;
	u64 size;

	if (node < 0)
		node = fdt_find_compatible(fdt, FDT_ROOT, "sifive,test1");
	if (fdt_reg(fdt, node, 0, &pa, &size) == 0)
		test_device = arch_map_device(pa, size);
	if (!test_device)
		pr_notice("machine: no test device; an exit status cannot be reported");
}

static noreturn void wait_forever(void)
{
	irq_disable();
	for (;;)
		__asm__ volatile("wfi");
}

void machine_poweroff(u8 status)
{
	irq_disable();
	harts_stop_others();
	if (test_device)
		*test_device = status ? (u32)status << 16 | TEST_FAIL : TEST_PASS;
	sbi_system_reset(0, status != 0);
	wait_forever();
}

void machine_reboot(void)
{
	irq_disable();
	harts_stop_others();
	sbi_system_reset(1, 0);
	if (test_device)
		*test_device = TEST_RESET;
	wait_forever();
}

void arch_flush_icache(void)
{
	__asm__ volatile("fence.i" ::: "memory");
}

void arch_flush_icache_all(u64 set)
{
	u64 others = set & harts_online_mask() & ~BIT(hart_index());

	/* The stores of the new code come first, for the other harts too. */
	__asm__ volatile("fence rw, rw\n fence.i" ::: "memory");
	if (others)
		sbi_remote_fence_i(others);
}
