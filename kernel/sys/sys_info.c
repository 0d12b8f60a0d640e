/* The system as a whole: names, memory, log, random numbers, power. */
#include "arch/riscv/arch.h"
#include "dev/dev.h"
#include "dev/random.h"
#include "fs/fs.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/swap.h"
#include "mm/slab.h"
#include "proc/leakcheck.h"
#include "proc/power.h"
#include "proc/proc.h"
#include "proc/uts.h"
#include "sync/sched.h"
#include "sys/sys.h"
#include "sys/uapi/abi.h"

long sys_uname(SYSCALL_ARGS)
{
	struct abi_utsname u = {
		.sysname = UTS_SYSNAME, .release = UTS_RELEASE, .version = UTS_VERSION, .machine = UTS_MACHINE};

	uts_get(u.nodename, u.domainname);
	return copy_to_user(uptr_make(a0), &u, sizeof(u));
}

static long set_name(u64 addr, u64 len, enum uts_field field)
{
	char name[65] = {0};

	if (!cred_capable())
		return -EPERM;
	if (len > 64)
		return -EINVAL;
	if (copy_from_user(name, uptr_make(addr), len) < 0)
		return -EFAULT;
	uts_set(field, name);
	return 0;
}

long sys_sethostname(SYSCALL_ARGS)
{
	return set_name(a0, a1, UTS_NODENAME);
}

long sys_setdomainname(SYSCALL_ARGS)
{
	return set_name(a0, a1, UTS_DOMAINNAME);
}

long sys_sysinfo(SYSCALL_ARGS)
{
	struct abi_sysinfo info = {.mem_unit = PAGE_SIZE, .uptime = (s64)(clock_mono_ns() / 1000000000)};
	struct swap_totals swap;
	struct frame_stats st;

	frame_stats_read(&st);
	sched_load(info.loads);
	info.totalram = st.total;
	info.freeram = st.free;
	swap_totals(&swap);
	info.totalswap = swap.total;
	info.freeswap = swap.free;
	info.procs = (u16)MIN(task_count(), 65535u);
	return copy_to_user(uptr_make(a0), &info, sizeof(info));
}

/* ---- the kernel log: syslog(2) actions ---- */

enum {
	SYSLOG_READ = 2,
	SYSLOG_READ_ALL = 3,
	SYSLOG_READ_CLEAR = 4,
	SYSLOG_CLEAR = 5,
	SYSLOG_CONSOLE_OFF = 6,
	SYSLOG_CONSOLE_ON = 7,
	SYSLOG_CONSOLE_LEVEL = 8,
	SYSLOG_SIZE_UNREAD = 9,
	SYSLOG_SIZE_BUFFER = 10
};

static u64 cleared_seq; /* READ_ALL starts here; one word, races only repeat or skip lines */

enum syslog_then { SYSLOG_KEEP, SYSLOG_FORGET };

static long syslog_read(u64 addr, u64 len, enum syslog_then then)
{
	u64 seq = MAX(log_first_seq(), READ_ONCE(cleared_seq));
	char *buf = kmalloc(PAGE_SIZE, 0);
	u64 done = 0;
	size_t n;

	if (!buf)
		return -ENOMEM;
	while (done < len) {
		n = log_read(&seq, LOG_STYLE_SYSLOG, buf, MIN(len - done, PAGE_SIZE));
		if (n == 0)
			break;
		if (copy_to_user(uptr_make(addr + done), buf, n) < 0) {
			kfree(buf);
			return -EFAULT;
		}
		done += n;
	}
	kfree(buf);
	if (then == SYSLOG_FORGET)
		WRITE_ONCE(cleared_seq, log_next_seq());
	return (long)done;
}

long sys_syslog(SYSCALL_ARGS)
{
	int action = (int)a0;

	if (action != SYSLOG_READ_ALL && action != SYSLOG_SIZE_BUFFER && !cred_capable())
		return -EPERM;
	switch (action) {
	case 0:
	case 1: return 0;
	case SYSLOG_READ:
	case SYSLOG_READ_ALL:
	case SYSLOG_READ_CLEAR:
		if (!a1 || (int)a2 < 0)
			return -EINVAL;
		return syslog_read(a1, (u64)(int)a2, action == SYSLOG_READ_CLEAR ? SYSLOG_FORGET : SYSLOG_KEEP);
	case SYSLOG_CLEAR: WRITE_ONCE(cleared_seq, log_next_seq()); return 0;
	case SYSLOG_CONSOLE_OFF: log_set_level(LOG_LEVEL_EMERG); return 0;
	case SYSLOG_CONSOLE_ON: log_set_level(LOG_LEVEL_INFO); return 0;
	case SYSLOG_CONSOLE_LEVEL:
		if (a2 < 1 || a2 > 8)
			return -EINVAL;
		log_set_level((enum log_level)(a2 - 1));
		return 0;
	case SYSLOG_SIZE_UNREAD: return 0;
	case SYSLOG_SIZE_BUFFER: return LOG_RING_SIZE;
	default: return -EINVAL;
	}
}

/* ---- random numbers ---- */

#define GRND_NONBLOCK 1u
#define GRND_RANDOM   2u
#define GRND_INSECURE 4u

long sys_getrandom(SYSCALL_ARGS)
{
	u8 chunk[256];
	u64 len = MIN(a1, 0x7fffffful), done = 0;
	int err;

	if ((a2 & ~7ul) || (a2 & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	if (!random_ready()) {
		if (a2 & GRND_NONBLOCK)
			return -EAGAIN;
		err = random_wait_ready();
		if (err < 0)
			return err;
	}
	while (done < len) {
		u64 n = MIN(len - done, sizeof(chunk));

		random_bytes(chunk, n);
		if (copy_to_user(uptr_make(a0 + done), chunk, n) < 0)
			return done ? (long)done : -EFAULT;
		done += n;
		if (done < len && sched_signal_pending())
			break;
		sched_point();
	}
	return (long)done;
}

/* ---- power ---- */

#define REBOOT_MAGIC1        0xfee1deadu
#define REBOOT_MAGIC2        672274793u
#define REBOOT_CMD_RESTART   0x01234567u
#define REBOOT_CMD_HALT      0xcdef0123u
#define REBOOT_CMD_CAD_ON    0x89abcdefu
#define REBOOT_CMD_CAD_OFF   0u
#define REBOOT_CMD_POWER_OFF 0x4321fedcu
#define REBOOT_CMD_RESTART2  0xa1b2c3d4u

static bool reboot_magic2_ok(u32 magic)
{
	return magic == REBOOT_MAGIC2 || magic == 85072278u || magic == 369367448u || magic == 537993216u;
}

long sys_reboot(SYSCALL_ARGS)
{
	u32 cmd = (u32)a2;

	if (!cred_capable())
		return -EPERM;
	if ((u32)a0 != REBOOT_MAGIC1 || !reboot_magic2_ok((u32)a1))
		return -EINVAL;
	switch (cmd) {
	case REBOOT_CMD_CAD_ON:
	case REBOOT_CMD_CAD_OFF: return 0;
	case REBOOT_CMD_RESTART:
	case REBOOT_CMD_RESTART2:
	case REBOOT_CMD_HALT:
	case REBOOT_CMD_POWER_OFF: break;
	default: return -EINVAL;
	}
	leakcheck_finish();
	fs_shutdown();
	if (cmd == REBOOT_CMD_RESTART || cmd == REBOOT_CMD_RESTART2)
		machine_reboot();
	machine_poweroff(poweroff_status);
}
