/* Scheduling parameters. */
#include "arch/riscv/arch.h"
#include "lib/errno.h"
#include "proc/proc.h"
#include "sys/sys.h"

#define SCHED_FIFO 1u
#define SCHED_RR   2u

long sys_sched_yield(SYSCALL_ARGS)
{
	sched_yield_now();
	return 0;
}

long sys_sched_setaffinity(SYSCALL_ARGS)
{
	u64 mask = 0;

	if (copy_from_user(&mask, uptr_make(a2), MIN(a1, sizeof(mask))) < 0)
		return -EFAULT;
	return sched_set_affinity((int)a0, mask);
}

long sys_sched_getaffinity(SYSCALL_ARGS)
{
	u64 mask;
	long err;

	if (a1 < sizeof(mask) || a1 % sizeof(mask))
		return -EINVAL;
	err = sched_get_affinity((int)a0, &mask);
	if (err < 0)
		return err;
	return copy_to_user(uptr_make(a2), &mask, sizeof(mask)) < 0 ? -EFAULT : (long)sizeof(mask);
}

long sys_sched_setscheduler(SYSCALL_ARGS)
{
	u32 priority;

	if ((int)a0 < 0 || !a2)
		return -EINVAL;
	if (get_user_u32(uptr_make(a2), &priority) < 0)
		return -EFAULT;
	return sched_set_policy((int)a0, (u32)a1 & ~0x40000000u /* RESET_ON_FORK */, priority);
}

long sys_sched_getscheduler(SYSCALL_ARGS)
{
	u32 policy, priority;
	long err = (int)a0 < 0 ? -EINVAL : sched_get_policy((int)a0, &policy, &priority);

	return err < 0 ? err : policy;
}

long sys_sched_setparam(SYSCALL_ARGS)
{
	u32 policy, old, priority;
	long err;

	if ((int)a0 < 0 || !a1)
		return -EINVAL;
	if (get_user_u32(uptr_make(a1), &priority) < 0)
		return -EFAULT;
	err = sched_get_policy((int)a0, &policy, &old);
	return err < 0 ? err : sched_set_policy((int)a0, policy, priority);
}

long sys_sched_getparam(SYSCALL_ARGS)
{
	u32 policy, priority;
	long err = (int)a0 < 0 || !a1 ? -EINVAL : sched_get_policy((int)a0, &policy, &priority);

	return err < 0 ? err : put_user_u32(uptr_make(a1), priority);
}

static long priority_bound(u64 policy, long realtime)
{
	if (policy == SCHED_FIFO || policy == SCHED_RR)
		return realtime;
	return policy == 0 || policy == 3 || policy == 5 ? 0 : -EINVAL;
}

long sys_sched_get_priority_max(SYSCALL_ARGS)
{
	return priority_bound(a0, 99);
}

long sys_sched_get_priority_min(SYSCALL_ARGS)
{
	return priority_bound(a0, 1);
}

long sys_sched_rr_get_interval(SYSCALL_ARGS)
{
	u64 ns;
	long err = (int)a0 < 0 ? -EINVAL : sched_rr_interval((int)a0, &ns);

	return err < 0 ? err : user_put_timespec(a1, ns);
}

long sys_setpriority(SYSCALL_ARGS)
{
	return sched_set_nice((int)a0, (int)a1, (int)a2);
}

/* The ABI's trick to keep results positive: 20 - nice. */
long sys_getpriority(SYSCALL_ARGS)
{
	return sched_get_nice((int)a0, (int)a1);
}

long sys_getcpu(SYSCALL_ARGS)
{
	if (a0 && put_user_u32(uptr_make(a0), hart_index()) < 0)
		return -EFAULT;
	if (a1 && put_user_u32(uptr_make(a1), 0) < 0)
		return -EFAULT;
	return 0;
}
