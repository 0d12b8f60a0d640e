/* Clocks, and sleeping by them. */
#include "arch/riscv/arch.h"
#include "dev/dev.h"
#include "lib/errno.h"
#include "proc/cred.h"
#include "proc/proc.h"
#include "proc/sched.h"
#include "proc/timers.h"

#define NSEC 1000000000ul
enum {
	CLOCK_REALTIME = 0,
	CLOCK_MONOTONIC = 1,
	CLOCK_PROCESS_CPU = 2,
	CLOCK_THREAD_CPU = 3,
	CLOCK_MONOTONIC_RAW = 4,
	CLOCK_REALTIME_COARSE = 5,
	CLOCK_MONOTONIC_COARSE = 6,
	CLOCK_BOOTTIME = 7,
	CLOCK_REALTIME_ALARM = 8,
	CLOCK_BOOTTIME_ALARM = 9,
	CLOCK_TAI = 11,
};

/* Clocks of other processes and threads: ~id << 3 | per thread << 2 | kind (2: scheduler time). */
static long cpu_clock_read(u32 clock, u64 *ns)
{
	int id = (int)~((int)clock >> 3);
	struct task *t;
	u64 u = 0, s = 0;
	long err = -EINVAL;

	if ((clock & 3) == 3)
		return -EINVAL; /* a descriptor's clock */
	if (id == 0)
		id = (clock & 4) ? current()->tid : current_process()->pid;
	t = task_lookup(id);
	if (!t)
		return -EINVAL;
	if (t->proc && (clock & 4)) {
		*ns = sched_exec_total(t);
		err = 0;
	} else if (t->proc && t->proc->leader == t) {
		process_times(t->proc, &u, &s);
		*ns = u + s;
		err = 0;
	}
	task_put(t);
	return err;
}

long clock_read(u32 clock, u64 *ns)
{
	u64 u, s;

	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_TAI: *ns = clock_wall_ns(); return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM: *ns = clock_mono_ns(); return 0;
	case CLOCK_PROCESS_CPU:
		process_times(current_process(), &u, &s);
		*ns = u + s;
		return 0;
	case CLOCK_THREAD_CPU: *ns = sched_exec_total(current()); return 0;
	default: return (int)clock < 0 ? cpu_clock_read(clock, ns) : -EINVAL;
	}
}

long clock_res(u32 clock, u64 *ns)
{
	u64 now;
	long err = clock_read(clock, &now);

	if (err)
		return err;
	if (clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE)
		*ns = 4000000; /* what programs expect of them; they are as fine as the others */
	else
		*ns = 1;
	return 0;
}

long clock_write(u32 clock, u64 ns)
{
	if (clock != CLOCK_REALTIME)
		return -EINVAL;
	if (!cred_capable())
		return -EPERM;
	clock_wall_set(ns);
	return 0;
}

long clock_to_mono(u32 clock, u64 ns, u64 *mono)
{
	s64 offset = clock_wall_offset();

	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_TAI: *mono = offset > 0 && ns < (u64)offset ? 0 : ns - (u64)offset; return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM: *mono = ns; return 0;
	case CLOCK_PROCESS_CPU: return -EOPNOTSUPP;
	default: return (int)clock < 0 ? -EOPNOTSUPP : -EINVAL;
	}
}

/* 0, or -EINTR. */
static int sleep_until(u64 mono)
{
	int err;

	do {
		sched_prepare_sleep(SLEEP_INTERRUPTIBLE);
		err = sched_sleep(mono);
	} while (err == 0);
	return err == -ETIMEDOUT ? 0 : err;
}

long clock_sleep(u32 clock, u64 deadline_ns, u64 *remain_ns)
{
	u64 mono, now;
	long err = clock_to_mono(clock, deadline_ns, &mono);

	if (err)
		return err;
	if (mono == SCHED_FOREVER)
		mono--;
	if (sleep_until(mono) == 0)
		return 0;
	now = clock_mono_ns();
	*remain_ns = mono > now ? mono - now : 0;
	return -ERESTARTNOHAND;
}

/* ---- relative sleeps go on after a stop by their absolute end ---- */

static long sleep_relative(u64 mono, struct uptr remain)
{
	struct task *t = current();
	u64 now, left;

	if (sleep_until(mono) == 0)
		return 0;
	now = clock_mono_ns();
	if (now >= mono)
		return 0;
	left = mono - now;
	if (!uptr_null(remain) &&
		(put_user_u64(remain, left / NSEC) || put_user_u64(uptr_add(remain, sizeof(u64)), left % NSEC)))
		return -EFAULT;
	t->restart.arg[0] = mono;
	t->restart.arg[1] = remain.addr;
	return -ERESTART_RESTARTBLOCK;
}

static u64 sleep_again(struct task *t)
{
	return (u64)sleep_relative(t->restart.arg[0], uptr_make(t->restart.arg[1]));
}

long clock_sleep_relative(u32 clock, u64 ns, struct uptr remain)
{
	u64 unused, mono = clock_mono_ns() + ns;
	long err = clock_to_mono(clock, 0, &unused);

	if (err)
		return err;
	if (mono < ns || mono == SCHED_FOREVER)
		mono = SCHED_FOREVER - 1;
	current()->restart.fn = sleep_again;
	return sleep_relative(mono, remain);
}

long restart_call(void)
{
	struct task *t = current();

	return t->restart.fn ? (long)t->restart.fn(t) : -EINTR;
}
