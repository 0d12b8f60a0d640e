/* The files of /proc itself that tell of processors and time. */
#include "arch/riscv/arch.h"
#include "arch/riscv/boot.h"
#include "arch/riscv/hart.h"
#include "arch/riscv/layout.h"
#include "dev/block.h"
#include "dev/dev.h"
#include "dev/irq.h"
#include "fs/fs.h"
#include "lib/cmdline.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/printf.h"
#include "mm/slab.h"
#include "mm/swap.h"
#include "proc/proc.h"
#include "proc/procfs/procfs.h"
#include "proc/procfs/system.h"
#include "proc/uts.h"

#define NS_PER_TICK  10000000ul
#define NS_PER_CENTI 10000000ul
#define NS_PER_SEC   1000000000ul
#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif

/* ---- time and load ---- */

static void stat_cpu(struct text *t, const struct hart_times *h)
{
	text_printf(t, "%lu %lu %lu %lu 0 %lu 0 0 0 0\n", h->user / NS_PER_TICK, h->nice / NS_PER_TICK,
		h->system / NS_PER_TICK, h->idle / NS_PER_TICK, h->irq / NS_PER_TICK);
}

static void hart_times_sum(struct hart_times *sum)
{
	struct hart_times h;

	*sum = (struct hart_times){0};
	for (u32 i = 0; i < nr_harts; i++) {
		sched_hart_times(i, &h);
		sum->user += h.user;
		sum->nice += h.nice;
		sum->system += h.system;
		sum->idle += h.idle;
		sum->irq += h.irq;
	}
}

static void stat_interrupts(struct text *t)
{
	struct irq_info info;
	u64 sum = 0;

	for (u32 i = 0; i < nr_harts; i++)
		sum += READ_ONCE(harts[i].nr_irqs);
	text_printf(t, "intr %lu", sum);
	for (u32 i = 1; i < irq_nr_sources(); i++)
		text_printf(t, " %lu", irq_info(i, &info) == 0 ? info.count : 0);
	text_puts(t, "\n");
}

int show_system_stat(struct text *t, const struct proc_node *n)
{
	struct hart_times h;

	hart_times_sum(&h);
	text_puts(t, "cpu  ");
	stat_cpu(t, &h);
	for (u32 i = 0; i < nr_harts; i++) {
		sched_hart_times(i, &h);
		text_printf(t, "cpu%u ", i);
		stat_cpu(t, &h);
	}
	stat_interrupts(t);
	text_printf(t, "ctxt %lu\nbtime %ld\nprocesses %lu\nprocs_running %lu\nprocs_blocked 0\n", sched_nr_switches(),
		clock_wall_offset() / (s64)NS_PER_SEC, sched_nr_forks(), sched_nr_running());
	return 0;
}

int show_uptime(struct text *t, const struct proc_node *n)
{
	u64 up = clock_mono_ns() / NS_PER_CENTI, idle;
	struct hart_times h;

	hart_times_sum(&h);
	idle = h.idle / NS_PER_CENTI;
	text_printf(t, "%lu.%02lu %lu.%02lu\n", up / 100, up % 100, idle / 100, idle % 100);
	return 0;
}

/* The pid of the process that is youngest now. */
static int newest_process(void)
{
	struct process *p;
	u64 newest = 0;
	int best = 1;

	for (int pid = 1; (p = process_next(pid)) != NULL; process_put(p)) {
		pid = p->pid + 1;
		if (p->start_ns >= newest) {
			newest = p->start_ns;
			best = p->pid;
		}
	}
	return best;
}

int show_loadavg(struct text *t, const struct proc_node *n)
{
	u64 load[3];

	sched_load(load);
	for (u32 i = 0; i < 3; i++) {
		u64 v = load[i] + 65536 / 200; /* rounded to the hundredth */

		text_printf(t, "%lu.%02lu ", v >> 16, (v & 0xffff) * 100 >> 16);
	}
	text_printf(t, "%lu/%u %d\n", sched_nr_running(), task_count(), newest_process());
	return 0;
}

/* ---- what it is ---- */

int show_version(struct text *t, const struct proc_node *n)
{
	text_printf(t, "%s version %s (" COMPILER ") %s\n", UTS_SYSNAME, UTS_RELEASE, UTS_VERSION);
	return 0;
}

int show_cmdline_of_kernel(struct text *t, const struct proc_node *n)
{
	text_printf(t, "%s\n", cmdline_text());
	return 0;
}

static const char *paging_name(void)
{
	return user_end <= 1ul << 38 ? "sv39" : user_end <= 1ul << 47 ? "sv48" : "sv57";
}

int show_cpuinfo(struct text *t, const struct proc_node *n)
{
	for (u32 i = 0; i < nr_harts; i++) {
		struct fdt_cpu cpu = {.isa = ""};
		u32 k = 0;

		while (fdt_cpu(&boot_fdt, k, &cpu) == 0 && cpu.hartid != harts[i].hartid)
			k++;
		text_printf(t, "processor\t: %u\nhart\t\t: %lu\nisa\t\t: %s\nmmu\t\t: %s\n\n", i, harts[i].hartid,
			cpu.isa, paging_name());
	}
	return 0;
}

int show_filesystems(struct text *t, const struct proc_node *n)
{
	for (struct fs_type *type = fs_type_next(NULL); type; type = fs_type_next(type))
		text_printf(t, "%s\t%s\n", type->needs_dev ? "" : "nodev", type->name);
	return 0;
}

int show_swaps(struct text *t, const struct proc_node *n)
{
	struct swap_info *info = kmalloc(sizeof(*info), 0);

	if (!info)
		return -ENOMEM;
	text_puts(t, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	for (u32 i = 0; i < SWAP_MAX_AREAS; i++) {
		if (swap_info_read(i, info))
			text_printf(t, "%-39s %-15s %lu\t\t%lu\t\t%d\n", info->name, info->kind,
				info->nr_slots << (PAGE_SHIFT - 10), info->used << (PAGE_SHIFT - 10), info->prio);
	}
	kfree(info);
	return 0;
}

int show_kmsg(struct text *t, const struct proc_node *n)
{
	u64 seq = log_first_seq(), end = log_next_seq();
	char line[LOG_LINE_MAX];
	struct log_record *record = kmalloc(sizeof(*record), 0);

	if (!record)
		return -ENOMEM;
	while (seq < end && !t->err && log_read_record(&seq, record) == 0)
		text_add(t, line, log_format(record, LOG_STYLE_SYSLOG, line, sizeof(line)));
	kfree(record);
	return 0;
}
