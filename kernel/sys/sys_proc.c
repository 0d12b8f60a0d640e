/* Processes: making, replacing, ending, waiting; ids, groups, limits. */
#include "fs/file.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "mm/slab.h"
#include "proc/proc.h"
#include "sys/sys.h"
#include "sys/uapi/abi.h"

#define CSIGNAL         0xfful
#define WAIT_OPTIONS4   (1u | 2u | 8u | 0xe0000000u)
#define WAIT_OPTIONS_ID (1u | 2u | 4u | 8u | 0x01000000u | 0xe0000000u)

long sys_clone(SYSCALL_ARGS)
{
	/* riscv64: flags, stack, parent_tid, tls, child_tid. */
	struct clone_request rq = {
		.flags = a0 & ~CSIGNAL & 0xfffffffful,
		.exit_signal = (int)(a0 & CSIGNAL),
		.stack = a1,
		.parent_tid = uptr_make(a2),
		.tls = a3,
		.child_tid = uptr_make(a4),
	};

	if ((rq.flags & CLONE_PIDFD) && (rq.flags & CLONE_PARENT_SETTID))
		return -EINVAL;
	rq.pidfd = rq.parent_tid;
	return process_clone(&rq);
}

long sys_clone3(SYSCALL_ARGS)
{
	struct abi_clone_args args = {0};
	struct clone_request rq;

	if (a1 < 64)
		return -EINVAL;
	if (a1 > sizeof(args))
		return -E2BIG;
	if (copy_from_user(&args, uptr_make(a0), a1) < 0)
		return -EFAULT;
	if ((args.flags & CSIGNAL) || args.exit_signal > CSIGNAL || args.set_tid_size || args.cgroup ||
		(args.stack == 0) != (args.stack_size == 0))
		return -EINVAL;
	rq = (struct clone_request){
		.flags = args.flags,
		.exit_signal = (int)args.exit_signal,
		.stack = args.stack ? args.stack + args.stack_size : 0,
		.stack_size = args.stack_size,
		.tls = args.tls,
		.parent_tid = uptr_make(args.parent_tid),
		.child_tid = uptr_make(args.child_tid),
		.pidfd = uptr_make(args.pidfd),
	};
	return process_clone(&rq);
}

static long exec_at(int dirfd, u64 name, u64 argv, u64 envp, u32 flags)
{
	struct user_path up;
	struct at_dir d;
	long err;

	if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	err = user_path_get(&up, name);
	if (err < 0)
		return err;
	err = at_dir_get(&d, dirfd, up.name);
	if (err == 0) {
		err = process_exec(d.path, up.name, flags, uptr_make(argv), uptr_make(envp));
		at_dir_put(&d);
	}
	user_path_put(&up);
	return err;
}

long sys_execve(SYSCALL_ARGS)
{
	return exec_at(AT_FDCWD, a0, a1, a2, 0);
}

long sys_execveat(SYSCALL_ARGS)
{
	return exec_at((int)a0, a1, a2, a3, (u32)a4);
}

long sys_exit(SYSCALL_ARGS)
{
	thread_exit((int)(a0 & 0xff) << 8);
}

long sys_exit_group(SYSCALL_ARGS)
{
	process_exit_group((int)(a0 & 0xff) << 8);
}

static struct abi_rusage rusage_abi(const struct rusage_k *ru)
{
	return (struct abi_rusage){
		.utime = {(s64)(ru->utime_ns / 1000000000), (s64)(ru->utime_ns / 1000 % 1000000)},
		.stime = {(s64)(ru->stime_ns / 1000000000), (s64)(ru->stime_ns / 1000 % 1000000)},
		.maxrss = (s64)ru->max_rss_kb,
		.minflt = (s64)ru->minflt,
		.majflt = (s64)ru->majflt,
		.nvcsw = (s64)ru->nvcsw,
		.nivcsw = (s64)ru->nivcsw,
	};
}

static long put_rusage(u64 addr, const struct rusage_k *ru)
{
	struct abi_rusage abi = rusage_abi(ru);

	return copy_to_user(uptr_make(addr), &abi, sizeof(abi));
}

long sys_wait4(SYSCALL_ARGS)
{
	int pid = (int)a0;
	struct wait_request rq = {.which = pid == -1 ? 0 : pid > 0 ? 1 : 2, .options = (u32)a2 | 4u /* WEXITED */};
	struct wait_result res;
	long ret;

	if ((u32)a2 & ~WAIT_OPTIONS4)
		return -EINVAL;
	if (pid == (int)0x80000000)
		return -ESRCH;
	rq.id = pid > 0 ? pid : pid < -1 ? -pid : 0;
	ret = process_wait(&rq, &res);
	if (ret <= 0)
		return ret;
	if (a1 && put_user_u32(uptr_make(a1), (u32)res.status) < 0)
		return -EFAULT;
	if (a3 && put_rusage(a3, &res.ru) < 0)
		return -EFAULT;
	return res.pid;
}

long sys_waitid(SYSCALL_ARGS)
{
	struct wait_request rq = {.which = (u32)a0, .id = (int)a1, .options = (u32)a3};
	struct siginfo_k info = {0};
	struct wait_result res;
	long ret;

	if (((u32)a3 & ~WAIT_OPTIONS_ID) || !((u32)a3 & (2u | 4u | 8u)) || a0 > 2)
		return -EINVAL;
	if ((a0 == 1 && (int)a1 <= 0) || (a0 == 2 && (int)a1 < 0))
		return -EINVAL;
	ret = process_wait(&rq, &res);
	if (ret < 0)
		return ret;
	if (ret > 0) {
		info.signo = SIGCHLD;
		info.code = res.code;
		info.chld.pid = res.pid;
		info.chld.uid = (u32)res.uid;
		info.chld.status = res.code == CLD_EXITED ? res.status >> 8 & 0xff
			: res.code == CLD_STOPPED         ? res.status >> 8 & 0xff
			: res.code == CLD_CONTINUED       ? SIGCONT
							  : res.status & 0x7f;
		if (a4 && put_rusage(a4, &res.ru) < 0)
			return -EFAULT;
	}
	/* signo, errno, code, pid, uid, status: the fields Linux writes. */
	if (a2 && copy_to_user(uptr_make(a2), &info, offsetof(struct siginfo_k, chld.pad)) < 0)
		return -EFAULT;
	return 0;
}

long sys_getrusage(SYSCALL_ARGS)
{
	struct rusage_k ru;
	long err = process_rusage((int)a0, &ru);

	return err < 0 ? err : put_rusage(a1, &ru);
}

long sys_times(SYSCALL_ARGS)
{
	struct rusage_k self, kids;
	struct abi_tms tms;

	if (a0) {
		process_rusage(0, &self);
		process_rusage(-1, &kids);
		tms = (struct abi_tms){(s64)(self.utime_ns / 10000000), (s64)(self.stime_ns / 10000000),
			(s64)(kids.utime_ns / 10000000), (s64)(kids.stime_ns / 10000000)};
		if (copy_to_user(uptr_make(a0), &tms, sizeof(tms)) < 0)
			return -EFAULT;
	}
	return (long)(clock_mono_ns() / 10000000);
}

long sys_set_tid_address(SYSCALL_ARGS)
{
	return task_set_tid_address(a0);
}

long sys_set_robust_list(SYSCALL_ARGS)
{
	return task_set_robust_list(a0, a1);
}

long sys_get_robust_list(SYSCALL_ARGS)
{
	vaddr_t head;
	u64 len;
	long err = task_get_robust_list((int)a0, &head, &len);

	if (err < 0)
		return err;
	return put_user_u64(uptr_make(a1), head) < 0 || put_user_u64(uptr_make(a2), len) < 0 ? -EFAULT : 0;
}

long sys_futex(SYSCALL_ARGS)
{
	enum { WAIT = 0, WAIT_BITSET = 9, LOCK_PI = 6, WAIT_REQUEUE_PI = 11 };
	u32 cmd = (u32)a1 & 0x7f;
	u64 timeout = ~0ul;
	u32 val2 = 0;
	long err;

	if (cmd == WAIT || cmd == WAIT_BITSET || cmd == LOCK_PI || cmd == WAIT_REQUEUE_PI) {
		if (a3) {
			err = user_timespec(a3, &timeout);
			if (err < 0)
				return err;
			if (cmd == WAIT)
				timeout += clock_mono_ns();
		}
	} else {
		val2 = (u32)a3;
	}
	return futex_call(uptr_make(a0), (u32)a1, (u32)a2, timeout, val2, uptr_make(a4), (u32)a5);
}

/* ---- ids, groups, sessions ---- */

long sys_getpid(SYSCALL_ARGS)
{
	return current_process()->pid;
}

long sys_gettid(SYSCALL_ARGS)
{
	return current()->tid;
}

long sys_getppid(SYSCALL_ARGS)
{
	return process_parent_pid();
}

long sys_setpgid(SYSCALL_ARGS)
{
	return process_setpgid((int)a0, (int)a1);
}

long sys_getpgid(SYSCALL_ARGS)
{
	return process_getpgid((int)a0);
}

long sys_getsid(SYSCALL_ARGS)
{
	return process_getsid((int)a0);
}

long sys_setsid(SYSCALL_ARGS)
{
	return process_setsid();
}

/* ---- limits ---- */

static long rlimit_user(int pid, u32 which, u64 new_addr, u64 old_addr)
{
	struct rlimit fresh, old;
	long err;

	if (which >= RLIM_NR)
		return -EINVAL;
	if (new_addr && copy_from_user(&fresh, uptr_make(new_addr), sizeof(fresh)) < 0)
		return -EFAULT;
	err = rlimit_change(pid, which, new_addr ? &fresh : NULL, &old);
	if (err == 0 && old_addr)
		err = copy_to_user(uptr_make(old_addr), &old, sizeof(old));
	return err;
}

long sys_prlimit64(SYSCALL_ARGS)
{
	return rlimit_user((int)a0, (u32)a1, a2, a3);
}

long sys_getrlimit(SYSCALL_ARGS)
{
	return a1 ? rlimit_user(0, (u32)a0, 0, a1) : -EFAULT;
}

long sys_setrlimit(SYSCALL_ARGS)
{
	return a1 ? rlimit_user(0, (u32)a0, a1, 0) : -EFAULT;
}

/* ---- prctl, personality ---- */

enum {
	PR_SET_PDEATHSIG = 1,
	PR_GET_PDEATHSIG = 2,
	PR_GET_DUMPABLE = 3,
	PR_SET_DUMPABLE = 4,
	PR_SET_NAME = 15,
	PR_GET_NAME = 16,
	PR_SET_CHILD_SUBREAPER = 36,
	PR_GET_CHILD_SUBREAPER = 37,
	PR_SET_THP_DISABLE = 41,
	PR_GET_THP_DISABLE = 42
};

static long prctl_name(u64 option, u64 addr)
{
	char name[16] = {0};
	ssize_t n;

	if (option == PR_GET_NAME)
		return copy_to_user(uptr_make(addr), current()->name, sizeof(name));
	n = strncpy_from_user(name, uptr_make(addr), sizeof(name));
	if (n == -EFAULT)
		return -EFAULT;
	name[15] = '\0';
	memcpy(current()->name, name, sizeof(name));
	return 0;
}

static long prctl_superpages(u64 option, u64 disable, u64 rest)
{
	struct aspace *as = aspace_current();

	if (rest || (option == PR_GET_THP_DISABLE && disable))
		return -EINVAL;
	if (option == PR_GET_THP_DISABLE)
		return as->no_superpages;
	as->no_superpages = disable != 0;
	return 0;
}

long sys_prctl(SYSCALL_ARGS)
{
	struct process *p = current_process();

	switch (a0) {
	case PR_SET_PDEATHSIG:
		if (a1 > NSIG)
			return -EINVAL;
		current()->pdeathsig = (u32)a1;
		return 0;
	case PR_GET_PDEATHSIG: return put_user_u32(uptr_make(a1), current()->pdeathsig);
	case PR_GET_DUMPABLE: return p->dumpable;
	case PR_SET_DUMPABLE:
		if (a1 > 1)
			return -EINVAL;
		p->dumpable = (u32)a1;
		return 0;
	case PR_SET_NAME:
	case PR_GET_NAME: return prctl_name(a0, a1);
	case PR_SET_CHILD_SUBREAPER: p->is_subreaper = a1 != 0; return 0;
	case PR_GET_CHILD_SUBREAPER: return put_user_u32(uptr_make(a1), p->is_subreaper);
	case PR_SET_THP_DISABLE:
	case PR_GET_THP_DISABLE: return prctl_superpages(a0, a1, a2 | a3 | a4);
	default: return -EINVAL;
	}
}

long sys_personality(SYSCALL_ARGS)
{
	u32 old = current()->personality;

	if ((u32)a0 != ~0u)
		current()->personality = (u32)a0;
	return old;
}
