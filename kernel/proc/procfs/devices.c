/* The files of /proc that list devices, and the table of everything in /proc. */
#include "arch/riscv/thread.h"
#include "dev/block.h"
#include "dev/chardev.h"
#include "dev/irq.h"
#include "lib/errno.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "proc/procfs/procfs.h"
#include "proc/procfs/system.h"

#define RDEV_MAJOR(rdev) ((rdev) >> 8 & 0xfff)
#define RDEV_MINOR(rdev) (((rdev)&0xff) | ((rdev) >> 12 & 0xfff00))

/* Counts are kept for each source, over all harts: one column. */
int show_interrupts(struct text *t, const struct proc_node *n)
{
	struct irq_info info;

	text_printf(t, "%11s%10s\n", "", "all");
	for (u32 i = 1; i < irq_nr_sources(); i++) {
		if (irq_info(i, &info) == 0)
			text_printf(t, "%10u:%10lu  PLIC  %s\n", i, info.count, info.name);
	}
	return 0;
}

int show_partitions(struct text *t, const struct proc_node *n)
{
	text_puts(t, "major minor  #blocks  name\n\n");
	for (struct blkdev *bd = blk_next(NULL); bd; bd = blk_next(bd))
		text_printf(t, "%4u  %7u %10lu %s\n", RDEV_MAJOR(bd->rdev), RDEV_MINOR(bd->rdev), bd->nr_sectors / 2,
			bd->name);
	return 0;
}

/* Times are not measured. */
int show_diskstats(struct text *t, const struct proc_node *n)
{
	for (struct blkdev *bd = blk_next(NULL); bd; bd = blk_next(bd))
		text_printf(t, "%4u %7u %s %lu 0 %lu 0 %lu 0 %lu 0 0 0 0\n", RDEV_MAJOR(bd->rdev), RDEV_MINOR(bd->rdev),
			bd->name, READ_ONCE(bd->nr_reads), READ_ONCE(bd->sectors_read), READ_ONCE(bd->nr_writes),
			READ_ONCE(bd->sectors_written));
	return 0;
}

/* One line for each major number, under the name that its drivers go by. */
static const struct {
	u32 major;
	const char *name;
} major_names[] = {
	{1, "mem"},
	{4, "ttyS"},
	{5, "/dev/tty"},
	{10, "misc"},
	{136, "pts"},
	{254, "rtc"},
};

static bool major_in_use(u32 major)
{
	struct chardev *cd;

	chardev_lock();
	for (cd = chardev_next(NULL); cd; cd = chardev_next(cd)) {
		if (RDEV_MAJOR(cd->rdev) == major)
			break;
	}
	chardev_unlock();
	return cd != NULL;
}

int show_devices(struct text *t, const struct proc_node *n)
{
	u32 last = 0;

	text_puts(t, "Character devices:\n");
	for (u32 i = 0; i < ARRAY_SIZE(major_names); i++) {
		if (major_in_use(major_names[i].major))
			text_printf(t, "%3u %s\n", major_names[i].major, major_names[i].name);
	}
	text_puts(t, "\nBlock devices:\n");
	for (struct blkdev *bd = blk_next(NULL); bd; bd = blk_next(bd)) {
		if (RDEV_MAJOR(bd->rdev) != last)
			text_printf(t, "%3u virtblk\n", RDEV_MAJOR(bd->rdev));
		last = RDEV_MAJOR(bd->rdev);
	}
	return 0;
}

/* ---- /proc ---- */

static int self_readlink(const struct proc_node *n, char *buf, size_t size)
{
	struct process *p = current_process();

	return p ? (int)scnprintf(buf, size, "%d", p->pid) : -ENOENT;
}

static int thread_self_readlink(const struct proc_node *n, char *buf, size_t size)
{
	struct process *p = current_process();

	return p ? (int)scnprintf(buf, size, "%d/task/%d", p->pid, current()->tid) : -ENOENT;
}

static int text_readlink(const struct proc_node *n, char *buf, size_t size)
{
	return (int)scnprintf(buf, size, "%s", (const char *)n->entry->data);
}

const struct proc_entry root_entries[] = {
	{.name = "self", .mode = S_IFLNK | 0777, .readlink = self_readlink},
	{.name = "thread-self", .mode = S_IFLNK | 0777, .readlink = thread_self_readlink},
	{.name = "mounts", .mode = S_IFLNK | 0777, .readlink = text_readlink, .data = "self/mounts"},
	PROC_DIR("sys", 0555, &sys_dir),
	PROC_FILE("cmdline", 0444, show_cmdline_of_kernel),
	PROC_FILE("cpuinfo", 0444, show_cpuinfo),
	PROC_FILE("devices", 0444, show_devices),
	PROC_FILE("diskstats", 0444, show_diskstats),
	PROC_FILE("filesystems", 0444, show_filesystems),
	PROC_FILE("interrupts", 0444, show_interrupts),
	PROC_FILE("kmsg", 0400, show_kmsg),
	{.name = "kpagecount", .mode = S_IFREG | 0400, .fops = &kpagecount_file_ops},
	{.name = "kpageflags", .mode = S_IFREG | 0400, .fops = &kpageflags_file_ops},
	PROC_FILE("kpagetable", 0400, show_kernel_pagetable),
	PROC_FILE("loadavg", 0444, show_loadavg),
	PROC_FILE("meminfo", 0444, show_meminfo),
	PROC_FILE("partitions", 0444, show_partitions),
	PROC_FILE("slabinfo", 0400, show_slabinfo),
	PROC_FILE("stat", 0444, show_system_stat),
	PROC_FILE("swaps", 0444, show_swaps),
	PROC_FILE("uptime", 0444, show_uptime),
	PROC_FILE("version", 0444, show_version),
	PROC_FILE("vmstat", 0444, show_vmstat),
};
const u32 nr_root_entries = ARRAY_SIZE(root_entries);
