/*
 * The platform-level interrupt controller (RISC-V PLIC specification 1.0.0).
 *
 * Each hart's supervisor mode is one "context" of the PLIC. A source is enabled
 * in one context only, that of the boot hart, so that no two harts race for one
 * claim.
 */
#include "arch/riscv/arch.h"
#include "dev/io.h"
#include "dev/irq.h"
#include "lib/errno.h"
#include "lib/fdt.h"
#include "lib/log.h"
#include "mm/slab.h"
#include "sync/spinlock.h"

#define PLIC_PRIORITY(source)        (4ul * (source))
#define PLIC_ENABLE(context, source) (0x2000ul + 0x80ul * (context) + 4ul * ((source) / 32))
#define PLIC_THRESHOLD(context)      (0x200000ul + 0x1000ul * (context))
#define PLIC_CLAIM(context)          (0x200004ul + 0x1000ul * (context))
#define PLIC_MAX_SOURCES             1024
#define CPU_IRQ_S_EXTERNAL           9
#define NO_CONTEXT                   (~0u)

struct irq_line {
	irq_handler fn;
	void *arg;
	const char *name;
	u64 count;
};

static struct {
	struct spinlock lock; /* enable bits and registration */
	volatile void *regs;
	u32 nr_sources; /* 1 … nr_sources are valid */
	struct irq_line *lines;
	u32 context[MAX_HARTS]; /* by hart index */
} plic = {.lock = SPINLOCK_INIT("plic", RANK_IRQ)};

/* The PLIC context that feeds the supervisor external interrupt of this hart. */
static u32 context_of_hart(const struct fdt *fdt, int node, u64 hartid)
{
	u32 cells = fdt_prop_cells(fdt, node, "interrupts-extended");
	struct fdt_cpu cpu;

	for (u32 i = 0; fdt_cpu(fdt, i, &cpu) == 0; i++) {
		if (cpu.hartid != hartid)
			continue;
		for (u32 c = 0; c + 1 < cells; c += 2) {
			if (fdt_prop_u32(fdt, node, "interrupts-extended", c, 0) == cpu.intc_phandle &&
				fdt_prop_u32(fdt, node, "interrupts-extended", c + 1, 0) == CPU_IRQ_S_EXTERNAL)
				return c / 2;
		}
	}
	return NO_CONTEXT;
}

static int find_plic(const struct fdt *fdt)
{
	static const char *const names[] = {"riscv,plic0", "sifive,plic-1.0.0", "thead,c900-plic"};

	for (u32 i = 0; i < ARRAY_SIZE(names); i++) {
		int node = fdt_find_compatible(fdt, FDT_ROOT, names[i]);

		if (node >= 0)
			return node;
	}
	return -ENODEV;
}

static const struct fdt *plic_fdt;
static int plic_node;

int irq_init(const struct fdt *fdt)
{
	paddr_t pa;
	u64 size;
	int node = find_plic(fdt);

	if (node < 0 || fdt_reg(fdt, node, 0, &pa, &size) < 0) {
		pr_err("irq: the device tree has no PLIC; devices cannot interrupt");
		return -ENODEV;
	}
	plic.regs = arch_map_device(pa, size);
	plic.nr_sources = MIN(fdt_prop_u32(fdt, node, "riscv,ndev", 0, 0), PLIC_MAX_SOURCES - 1u);
	plic.lines = kzalloc((plic.nr_sources + 1) * sizeof(*plic.lines), 0);
	if (!plic.regs || !plic.lines) {
		pr_err("irq: no memory for the PLIC");
		return -ENOMEM;
	}
	plic_fdt = fdt;
	plic_node = node;
	for (u32 i = 0; i < MAX_HARTS; i++)
		plic.context[i] = NO_CONTEXT;
	irq_start_hart();
	return 0;
}

void irq_start_hart(void)
{
	u32 index = hart_index();
	u32 ctx;

	if (!plic.regs)
		return;
	ctx = context_of_hart(plic_fdt, plic_node, this_hart()->hartid);
	plic.context[index] = ctx;
	if (ctx == NO_CONTEXT) {
		pr_warn("irq: hart %lu has no supervisor context in the PLIC", this_hart()->hartid);
		return;
	}
	io_write32(io_at(plic.regs, PLIC_THRESHOLD(ctx)), 0);
}

int irq_register(u32 source, const char *name, irq_handler fn, void *arg)
{
	u64 flags;
	u32 ctx;
	volatile void *enable;

	if (!plic.regs || source == 0 || source > plic.nr_sources)
		return -EINVAL;
	flags = spin_lock_irqsave(&plic.lock);
	if (plic.lines[source].fn) {
		spin_unlock_irqrestore(&plic.lock, flags);
		return -EBUSY;
	}
	plic.lines[source] = (struct irq_line){.fn = fn, .arg = arg, .name = name};
	ctx = plic.context[0];
	if (ctx != NO_CONTEXT) {
		enable = io_at(plic.regs, PLIC_ENABLE(ctx, source));
		io_write32(io_at(plic.regs, PLIC_PRIORITY(source)), 1);
		io_write32(enable, io_read32(enable) | BIT(source % 32));
	}
	spin_unlock_irqrestore(&plic.lock, flags);
	return 0;
}

void irq_dispatch_external(void)
{
	u32 ctx = plic.regs ? plic.context[hart_index()] : NO_CONTEXT;
	u32 source;

	if (ctx == NO_CONTEXT)
		return;
	while ((source = io_read32(io_at(plic.regs, PLIC_CLAIM(ctx)))) != 0) {
		if (source <= plic.nr_sources && plic.lines[source].fn) {
			plic.lines[source].count++;
			plic.lines[source].fn(plic.lines[source].arg);
		}
		io_write32(io_at(plic.regs, PLIC_CLAIM(ctx)), source);
	}
}

u32 irq_of_node(const struct fdt *fdt, int node)
{
	u32 source = fdt_prop_u32(fdt, node, "interrupts", 0, 0);

	return source ? source : fdt_prop_u32(fdt, node, "interrupts-extended", 1, 0);
}

int irq_info(u32 source, struct irq_info *out)
{
	if (source == 0 || source > plic.nr_sources || !plic.lines[source].fn)
		return -ENOENT;
	*out = (struct irq_info){.name = plic.lines[source].name, .count = plic.lines[source].count};
	return 0;
}

u32 irq_nr_sources(void)
{
	return plic.nr_sources;
}
