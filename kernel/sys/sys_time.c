/* Clocks, sleeping, timers. */
#include "lib/errno.h"
#include "proc/proc.h"
#include "sync/sched.h"
#include "sys/sys.h"
#include "sys/uapi/abi.h"

#define NS_PER_SEC      1000000000ul
#define CLOCK_REALTIME  0u
#define CLOCK_MONOTONIC 1u
#define TIMER_ABSTIME   1u

static u64 timeval_ns(const struct abi_timeval *tv)
{
	u64 sec = MIN((u64)tv->sec, (~0ul >> 1) / NS_PER_SEC - 1);

	return sec * NS_PER_SEC + (u64)tv->usec * 1000;
}

static struct abi_timeval ns_timeval(u64 ns)
{
	return (struct abi_timeval){(s64)(ns / NS_PER_SEC), (s64)(ns % NS_PER_SEC / 1000)};
}

long sys_clock_gettime(SYSCALL_ARGS)
{
	u64 ns;
	long err = clock_read((u32)a0, &ns);

	return err < 0 ? err : user_put_timespec(a1, ns);
}

long sys_clock_getres(SYSCALL_ARGS)
{
	u64 ns;
	long err = clock_res((u32)a0, &ns);

	return err < 0 ? err : a1 ? user_put_timespec(a1, ns) : 0;
}

long sys_clock_settime(SYSCALL_ARGS)
{
	u64 ns;
	long err = user_timespec(a1, &ns);

	if (err < 0)
		return err;
	return clock_write((u32)a0, ns);
}

long sys_gettimeofday(SYSCALL_ARGS)
{
	u64 ns;
	u64 zone = 0;

	clock_read(CLOCK_REALTIME, &ns);
	if (a0 && user_put_timeval(a0, ns) < 0)
		return -EFAULT;
	if (a1 && copy_to_user(uptr_make(a1), &zone, sizeof(zone)) < 0)
		return -EFAULT;
	return 0;
}

long sys_settimeofday(SYSCALL_ARGS)
{
	struct abi_timeval tv;

	if (!a0)
		return cred_capable() ? 0 : -EPERM;
	if (copy_from_user(&tv, uptr_make(a0), sizeof(tv)) < 0)
		return -EFAULT;
	if (tv.sec < 0 || tv.usec < 0 || tv.usec >= 1000000)
		return -EINVAL;
	return clock_write(CLOCK_REALTIME, timeval_ns(&tv));
}

long sys_nanosleep(SYSCALL_ARGS)
{
	u64 ns;
	long err = user_timespec(a0, &ns);

	return err < 0 ? err : clock_sleep_relative(CLOCK_MONOTONIC, ns, uptr_make(a1));
}

long sys_clock_nanosleep(SYSCALL_ARGS)
{
	u64 ns, unused;
	long err = clock_read((u32)a0, &unused);

	if (err < 0)
		return err;
	err = user_timespec(a2, &ns);
	if (err < 0)
		return err;
	if (a1 & TIMER_ABSTIME)
		return clock_sleep((u32)a0, ns, &unused);
	return clock_sleep_relative((u32)a0, ns, uptr_make(a3));
}

/* ---- interval timers ---- */

static struct abi_itimerval itimerval_of(const struct itimer_spec *it)
{
	return (struct abi_itimerval){.interval = ns_timeval(it->interval_ns), .value = ns_timeval(it->value_ns)};
}

long sys_getitimer(SYSCALL_ARGS)
{
	struct itimer_spec it;
	struct abi_itimerval abi;
	long err = itimer_get((u32)a0, &it);

	if (err < 0)
		return err;
	abi = itimerval_of(&it);
	return copy_to_user(uptr_make(a1), &abi, sizeof(abi));
}

static bool timeval_bad(const struct abi_timeval *tv)
{
	return tv->sec < 0 || tv->usec < 0 || tv->usec >= 1000000;
}

long sys_setitimer(SYSCALL_ARGS)
{
	struct abi_itimerval abi = {0};
	struct itimer_spec fresh, old;
	long err;

	if (a1 && copy_from_user(&abi, uptr_make(a1), sizeof(abi)) < 0)
		return -EFAULT;
	if (timeval_bad(&abi.value) || timeval_bad(&abi.interval))
		return -EINVAL;
	fresh.value_ns = timeval_ns(&abi.value);
	fresh.interval_ns = timeval_ns(&abi.interval);
	err = itimer_set((u32)a0, &fresh, &old);
	if (err == 0 && a2) {
		abi = itimerval_of(&old);
		err = copy_to_user(uptr_make(a2), &abi, sizeof(abi));
	}
	return err;
}

/* ---- POSIX timers ---- */

long sys_timer_create(SYSCALL_ARGS)
{
	struct abi_sigevent abi;
	struct sigevent_k ev;
	int id;
	long err;

	if (a1) {
		if (copy_from_user(&abi, uptr_make(a1), sizeof(abi)) < 0)
			return -EFAULT;
		ev = (struct sigevent_k){.value = abi.value, .signo = abi.signo, .notify = abi.notify, .tid = abi.tid};
	}
	err = ptimer_create((u32)a0, a1 ? &ev : NULL, &id);
	if (err < 0)
		return err;
	if (put_user_u32(uptr_make(a2), (u32)id) < 0) {
		ptimer_delete(id);
		return -EFAULT;
	}
	return 0;
}

static long put_itimerspec(u64 addr, const struct itimer_spec *it)
{
	struct abi_itimerspec abi = {
		.interval = {(s64)(it->interval_ns / NS_PER_SEC), (s64)(it->interval_ns % NS_PER_SEC)},
		.value = {(s64)(it->value_ns / NS_PER_SEC), (s64)(it->value_ns % NS_PER_SEC)},
	};

	return copy_to_user(uptr_make(addr), &abi, sizeof(abi));
}

long sys_timer_settime(SYSCALL_ARGS)
{
	struct itimer_spec fresh, old;
	long err;

	if (!a2)
		return -EINVAL;
	err = user_timespec(a2, &fresh.interval_ns);
	if (err == 0)
		err = user_timespec(a2 + sizeof(struct abi_timespec), &fresh.value_ns);
	if (err == 0)
		err = ptimer_settime((int)a0, (u32)a1, &fresh, &old);
	return err == 0 && a3 ? put_itimerspec(a3, &old) : err;
}

long sys_timer_gettime(SYSCALL_ARGS)
{
	struct itimer_spec it;
	long err = ptimer_gettime((int)a0, &it);

	return err < 0 ? err : put_itimerspec(a1, &it);
}

long sys_timer_getoverrun(SYSCALL_ARGS)
{
	return ptimer_overrun((int)a0);
}

long sys_timer_delete(SYSCALL_ARGS)
{
	return ptimer_delete((int)a0);
}
