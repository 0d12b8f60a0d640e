/* Signals: masks, handlers, sending, waiting. */
#include "arch/riscv/arch.h"
#include "lib/errno.h"
#include "proc/proc.h"
#include "sync/sched.h"
#include "sys/sys.h"

#define SIGSET_SIZE 8u

long sys_kill(SYSCALL_ARGS)
{
	return signal_kill((int)a0, (int)a1);
}

long sys_tkill(SYSCALL_ARGS)
{
	if ((int)a0 <= 0)
		return -EINVAL;
	return signal_tgkill(0, (int)a0, (int)a1, NULL);
}

long sys_tgkill(SYSCALL_ARGS)
{
	if ((int)a0 <= 0 || (int)a1 <= 0)
		return -EINVAL;
	return signal_tgkill((int)a0, (int)a1, (int)a2, NULL);
}

long sys_rt_sigqueueinfo(SYSCALL_ARGS)
{
	struct siginfo_k info;

	if (copy_from_user(&info, uptr_make(a2), sizeof(info)) < 0)
		return -EFAULT;
	info.signo = (int)a1;
	return signal_queueinfo((int)a0, &info);
}

long sys_rt_sigaction(SYSCALL_ARGS)
{
	struct sigaction_k act, old;
	long err;

	if (a3 != SIGSET_SIZE)
		return -EINVAL;
	if (a1 && copy_from_user(&act, uptr_make(a1), sizeof(act)) < 0)
		return -EFAULT;
	err = signal_action((int)a0, a1 ? &act : NULL, &old);
	if (err == 0 && a2)
		err = copy_to_user(uptr_make(a2), &old, sizeof(old));
	return err;
}

long sys_rt_sigprocmask(SYSCALL_ARGS)
{
	u64 set, old;
	long err;

	if (a3 != SIGSET_SIZE)
		return -EINVAL;
	if (a1 && get_user_u64(uptr_make(a1), &set) < 0)
		return -EFAULT;
	err = signal_procmask((int)a0, a1 ? &set : NULL, &old);
	if (err == 0 && a2)
		err = put_user_u64(uptr_make(a2), old);
	return err;
}

long sys_rt_sigpending(SYSCALL_ARGS)
{
	u64 set;
	long err;

	if (a1 > SIGSET_SIZE)
		return -EINVAL;
	err = signal_pending_set(&set);
	return err < 0 ? err : copy_to_user(uptr_make(a0), &set, a1);
}

long sys_rt_sigsuspend(SYSCALL_ARGS)
{
	u64 mask;

	if (a1 != SIGSET_SIZE)
		return -EINVAL;
	if (get_user_u64(uptr_make(a0), &mask) < 0)
		return -EFAULT;
	return signal_suspend(mask);
}

long sys_rt_sigtimedwait(SYSCALL_ARGS)
{
	struct siginfo_k info;
	u64 set, deadline;
	long ret;

	if (a3 != SIGSET_SIZE)
		return -EINVAL;
	if (get_user_u64(uptr_make(a0), &set) < 0)
		return -EFAULT;
	ret = user_deadline(a2, &deadline);
	if (ret < 0)
		return ret;
	ret = signal_timedwait(set, &info, deadline);
	if (ret > 0 && a1 && copy_to_user(uptr_make(a1), &info, sizeof(info)) < 0)
		return -EFAULT;
	return ret;
}

long sys_rt_sigreturn(SYSCALL_ARGS)
{
	return signal_return(current_thread()->tf);
}

long sys_sigaltstack(SYSCALL_ARGS)
{
	struct sigaltstack_k fresh, old;
	long err;

	if (a0 && copy_from_user(&fresh, uptr_make(a0), sizeof(fresh)) < 0)
		return -EFAULT;
	err = signal_altstack(a0 ? &fresh : NULL, &old);
	if (err == 0 && a1)
		err = copy_to_user(uptr_make(a1), &old, sizeof(old));
	return err;
}

long sys_restart_syscall(SYSCALL_ARGS)
{
	return restart_call();
}
