/* /proc/sys: single values, some of which root may set. */
#include "arch/riscv/arch.h"
#include "arch/riscv/layout.h"
#include "dev/dev.h"
#include "lib/errno.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/commit.h"
#include "mm/frame.h"
#include "mm/reclaim.h"
#include "proc/cred.h"
#include "proc/exec.h"
#include "proc/explain.h"
#include "proc/pid.h"
#include "proc/power.h"
#include "proc/proc.h"
#include "proc/procfs/procfs.h"
#include "proc/uts.h"

#define VALUE(n, text)                                                              \
	{                                                                           \
		.name = n, .mode = S_IFREG | 0444, .show = show_value, .data = text \
	}
#define SETTING(n, show_fn, store_fn)                                                 \
	{                                                                             \
		.name = n, .mode = S_IFREG | 0644, .show = show_fn, .store = store_fn \
	}

static int show_value(struct text *t, const struct proc_node *n)
{
	text_printf(t, "%s\n", (const char *)n->entry->data);
	return 0;
}

/* ---- kernel/ ---- */

static int show_hostname(struct text *t, const struct proc_node *n)
{
	char node[UTS_NAME_SIZE], domain[UTS_NAME_SIZE];

	uts_get(node, domain);
	text_printf(t, "%s\n", n->entry->data ? domain : node);
	return 0;
}

static int store_hostname(const struct proc_node *n, const char *buf)
{
	uts_set(n->entry->data ? UTS_DOMAINNAME : UTS_NODENAME, buf);
	return 0;
}

static int show_pid_max(struct text *t, const struct proc_node *n)
{
	text_printf(t, "%d\n", pid_max);
	return 0;
}

static int show_explain(struct text *t, const struct proc_node *n)
{
	text_printf(t, "%s\n", explain_mode_name());
	return 0;
}

static int store_explain(const struct proc_node *n, const char *buf)
{
	return explain_mode_set(buf);
}

/* A decimal number in [low, high], maybe with blanks around it. */
static int parse_setting(const char *buf, u64 low, u64 high, u64 *out)
{
	char word[24];
	size_t len = 0;

	while (char_is_space(*buf))
		buf++;
	while (buf[len] && !char_is_space(buf[len]) && len < sizeof(word) - 1) {
		word[len] = buf[len];
		len++;
	}
	word[len] = 0;
	for (buf += len; *buf; buf++) {
		if (!char_is_space(*buf))
			return -EINVAL;
	}
	if (parse_u64(word, 10, out) != 0 || *out < low || *out > high)
		return -EINVAL;
	return 0;
}

static int store_pid_max(const struct proc_node *n, const char *buf)
{
	u64 v;
	int err = parse_setting(buf, PID_RESERVED + 1, PID_MAX_LIMIT, &v);

	if (!err)
		WRITE_ONCE(pid_max, (int)v);
	return err;
}

static int show_poweroff_status(struct text *t, const struct proc_node *n)
{
	text_printf(t, "%u\n", poweroff_status);
	return 0;
}

static int store_poweroff_status(const struct proc_node *n, const char *buf)
{
	u64 v;
	int err = parse_setting(buf, 0, 255, &v);

	if (!err)
		WRITE_ONCE(poweroff_status, (u8)v);
	return err;
}

/* Instructions from kernel entry until now, waits left out (exact under -icount on one hart). */
static int show_boot_instructions(struct text *t, const struct proc_node *n)
{
	text_printf(t, "%lu\n", instret_now() - boot_info.entry_instret - this_hart()->idle_instret);
	return 0;
}

static int show_threads_max(struct text *t, const struct proc_node *n)
{
	text_printf(t, "%u\n", task_count_max());
	return 0;
}

/* ---- settings that are one word ---- */

/* data of such an entry. */
struct u32_range {
	u32 *value;
	u32 low, high;
};

static struct u32_range randomize_range = {&exec_randomize, 0, 2},
			rnd_bits_range = {&exec_mmap_rnd_bits, EXEC_RND_BITS_MIN, EXEC_RND_BITS_MAX},
			swappiness_range = {&vm_swappiness, 0, 200},
			mode_range = {&commit_settings.mode, OVERCOMMIT_GUESS, OVERCOMMIT_NEVER},
			explain_interval_range = {&explain_interval, 0, 86400},
			explain_burst_range = {&explain_burst, 0, INT32_MAX},
			ratio_range = {&commit_settings.ratio, 0, INT32_MAX};

static int show_u32(struct text *t, const struct proc_node *n)
{
	const struct u32_range *r = n->entry->data;

	text_printf(t, "%u\n", READ_ONCE(*r->value));
	return 0;
}

static int store_u32(const struct proc_node *n, const char *buf)
{
	const struct u32_range *r = n->entry->data;
	u64 v;
	int err = parse_setting(buf, r->low, r->high, &v);

	if (!err)
		WRITE_ONCE(*r->value, (u32)v);
	return err;
}

static int show_u64(struct text *t, const struct proc_node *n)
{
	text_printf(t, "%lu\n", READ_ONCE(*(const u64 *)n->entry->data));
	return 0;
}

static int store_u64(const struct proc_node *n, const char *buf)
{
	u64 v;
	int err = parse_setting(buf, 0, INT64_MAX, &v);

	if (!err)
		WRITE_ONCE(*(u64 *)(uintptr_t)n->entry->data, v);
	return err;
}

/* Of the ratio and the number of kilobytes, the one set last counts, and the other reads 0. */
static int store_ratio(const struct proc_node *n, const char *buf)
{
	int err = store_u32(n, buf);

	if (!err)
		WRITE_ONCE(commit_settings.kbytes, 0);
	return err;
}

static int store_kbytes(const struct proc_node *n, const char *buf)
{
	int err = store_u64(n, buf);

	if (!err)
		WRITE_ONCE(commit_settings.ratio, 0);
	return err;
}

/* ---- kernel/random/ ---- */

static void text_uuid(struct text *t, const u8 id[16])
{
	for (u32 i = 0; i < 16; i++)
		text_printf(t, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", id[i]);
	text_puts(t, "\n");
}

/* A random UUID: version 4, variant 1. */
static void uuid_make(u8 id[16])
{
	random_bytes(id, 16);
	id[6] = (id[6] & 0x0f) | 0x40;
	id[8] = (id[8] & 0x3f) | 0x80;
}

static int show_uuid(struct text *t, const struct proc_node *n)
{
	u8 id[16];

	uuid_make(id);
	text_uuid(t, id);
	return 0;
}

static struct spinlock boot_id_lock = SPINLOCK_INIT("boot id", RANK_LEAF);

/* Made when it is first asked for; the first to come decides. */
static int show_boot_id(struct text *t, const struct proc_node *n)
{
	static u8 boot_id[16];
	u64 flags;
	u8 id[16];

	uuid_make(id);
	flags = spin_lock_irqsave(&boot_id_lock);
	if (mem_is_zero(boot_id, sizeof(boot_id)))
		memcpy(boot_id, id, sizeof(boot_id));
	memcpy(id, boot_id, sizeof(id));
	spin_unlock_irqrestore(&boot_id_lock, flags);
	text_uuid(t, id);
	return 0;
}

static const struct proc_entry random_entries[] = {
	PROC_FILE("boot_id", 0444, show_boot_id),
	PROC_FILE("uuid", 0444, show_uuid),
	VALUE("entropy_avail", "256"),
	VALUE("poolsize", "256"),
};
static const struct proc_dir random_dir = {.entries = random_entries, .nr = ARRAY_SIZE(random_entries)};

static const struct proc_entry kernel_entries[] = {
	VALUE("ostype", UTS_SYSNAME),
	VALUE("osrelease", UTS_RELEASE),
	VALUE("version", UTS_VERSION),
	SETTING("hostname", show_hostname, store_hostname),
	{.name = "domainname",
		.mode = S_IFREG | 0644,
		.show = show_hostname,
		.store = store_hostname,
		.data = "domain"},
	SETTING("pid_max", show_pid_max, store_pid_max),
	PROC_FILE("boot_instructions", 0444, show_boot_instructions),
	SETTING("poweroff_status", show_poweroff_status, store_poweroff_status),
	SETTING("explain", show_explain, store_explain),
	{.name = "printk_ratelimit",
		.mode = S_IFREG | 0644,
		.show = show_u32,
		.store = store_u32,
		.data = &explain_interval_range},
	{.name = "printk_ratelimit_burst",
		.mode = S_IFREG | 0644,
		.show = show_u32,
		.store = store_u32,
		.data = &explain_burst_range},
	PROC_FILE("threads-max", 0444, show_threads_max),
	VALUE("ngroups_max", "65536"),
	VALUE("cap_last_cap", "40"),
	{.name = "randomize_va_space",
		.mode = S_IFREG | 0644,
		.show = show_u32,
		.store = store_u32,
		.data = &randomize_range},
	PROC_DIR("random", 0555, &random_dir),
};
static_assert(NGROUPS_MAX == 65536, "ngroups_max");
static const struct proc_dir kernel_dir = {.entries = kernel_entries, .nr = ARRAY_SIZE(kernel_entries)};

/* ---- vm/ ---- */

/* Clean pages of files are given back. Anonymous memory is no cache. */
static int store_drop_caches(const struct proc_node *n, const char *buf)
{
	u64 v;
	int err = parse_setting(buf, 1, 4, &v);

	if (!err)
		reclaim_files();
	return err;
}

static int show_mmap_min_addr(struct text *t, const struct proc_node *n)
{
	text_printf(t, "%lu\n", USER_MIN);
	return 0;
}

static const struct proc_entry vm_entries[] = {
	{.name = "overcommit_memory",
		.mode = S_IFREG | 0644,
		.show = show_u32,
		.store = store_u32,
		.data = &mode_range},
	{.name = "overcommit_ratio",
		.mode = S_IFREG | 0644,
		.show = show_u32,
		.store = store_ratio,
		.data = &ratio_range},
	{.name = "overcommit_kbytes",
		.mode = S_IFREG | 0644,
		.show = show_u64,
		.store = store_kbytes,
		.data = &commit_settings.kbytes},
	{.name = "user_reserve_kbytes",
		.mode = S_IFREG | 0644,
		.show = show_u64,
		.store = store_u64,
		.data = &commit_settings.user_reserve_kb},
	{.name = "admin_reserve_kbytes",
		.mode = S_IFREG | 0644,
		.show = show_u64,
		.store = store_u64,
		.data = &commit_settings.admin_reserve_kb},
	{.name = "mmap_rnd_bits",
		.mode = S_IFREG | 0600,
		.show = show_u32,
		.store = store_u32,
		.data = &rnd_bits_range},
	VALUE("max_map_count", "65530"), /* mm/aspace_priv.h */
	{.name = "swappiness",
		.mode = S_IFREG | 0644,
		.show = show_u32,
		.store = store_u32,
		.data = &swappiness_range},
	PROC_FILE("mmap_min_addr", 0444, show_mmap_min_addr),
	{.name = "drop_caches", .mode = S_IFREG | 0200, .store = store_drop_caches},
};
static const struct proc_dir vm_dir = {.entries = vm_entries, .nr = ARRAY_SIZE(vm_entries)};

/* ---- fs/ ---- */

/* fs/file.c: file_init. */
static u64 file_max(void)
{
	return MAX(frame_total() / 4, 4096ul);
}

static int show_file_max(struct text *t, const struct proc_node *n)
{
	text_printf(t, "%lu\n", file_max());
	return 0;
}

static int show_file_nr(struct text *t, const struct proc_node *n)
{
	text_printf(t, "%lu\t0\t%lu\n", file_nr_open(), file_max());
	return 0;
}

static const struct proc_entry fs_entries[] = {
	PROC_FILE("file-max", 0444, show_file_max),
	PROC_FILE("file-nr", 0444, show_file_nr),
	VALUE("nr_open", "1048576"), /* proc/limits.c */
	VALUE("pipe-max-size", "1048576"),
};
static const struct proc_dir fs_dir = {.entries = fs_entries, .nr = ARRAY_SIZE(fs_entries)};

static const struct proc_entry sys_entries[] = {
	PROC_DIR("fs", 0555, &fs_dir),
	PROC_DIR("kernel", 0555, &kernel_dir),
	PROC_DIR("vm", 0555, &vm_dir),
};
const struct proc_dir sys_dir = {.entries = sys_entries, .nr = ARRAY_SIZE(sys_entries)};
