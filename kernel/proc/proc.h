/*
 * The process room as the rest of the kernel sees it. Entry points by system call are grouped here; sys/ fetches and
 * copies arguments and calls one of these. 0 or -errno; longs are results or -errno.
 */
#pragma once

#include "fs/path.h"
#include "mm/usercopy.h"
#include "proc/task.h"

void proc_init(void); /* task caches, pid table, run queues, idle task of the boot hart = the running context */
noreturn void sched_start_hart(void); /* the caller's context becomes this hart's idle loop */
void init_start(void); /* creates pid 1 from /sbin/init (init= on the command line); names what is missing */

/* ---- fork.c ---- */
struct clone_request {
	u64 flags; /* CLONE_* (without the signal) */
	int exit_signal;
	vaddr_t stack;  /* where sp starts (the upper end); 0: the parent's sp */
	u64 stack_size; /* clone3 only */
	vaddr_t tls;
	struct uptr parent_tid, child_tid, pidfd;
};
long process_clone(const struct clone_request *rq);
#define CLONE_VM             0x00000100ul
#define CLONE_FS             0x00000200ul
#define CLONE_FILES          0x00000400ul
#define CLONE_SIGHAND        0x00000800ul
#define CLONE_PIDFD          0x00001000ul
#define CLONE_PTRACE         0x00002000ul
#define CLONE_VFORK          0x00004000ul
#define CLONE_PARENT         0x00008000ul
#define CLONE_THREAD         0x00010000ul
#define CLONE_NEWNS          0x00020000ul
#define CLONE_SYSVSEM        0x00040000ul
#define CLONE_SETTLS         0x00080000ul
#define CLONE_PARENT_SETTID  0x00100000ul
#define CLONE_CHILD_CLEARTID 0x00200000ul
#define CLONE_CHILD_SETTID   0x01000000ul
#define CLONE_NEWCGROUP      0x02000000ul
#define CLONE_NEWUTS         0x04000000ul
#define CLONE_NEWIPC         0x08000000ul
#define CLONE_NEWUSER        0x10000000ul
#define CLONE_NEWPID         0x20000000ul
#define CLONE_NEWNET         0x40000000ul
#define CLONE_CLEAR_SIGHAND  0x100000000ul
#define CLONE_INTO_CGROUP    0x200000000ul

/* ---- exec.c ---- */
/* argv/envp are user arrays of user strings (or NULL). */
int process_exec(const struct path *dir, const char *name, u32 at_flags, struct uptr argv, struct uptr envp);

/* Kernel strings, NULL-terminated arrays: pid 1. */
int process_exec_kernel(const char *name, const char *const *argv, const char *const *envp);

/* ---- exit.c ---- */
noreturn void thread_exit(int code);        /* exit(2); code as wait reports it << 8 */
noreturn void process_exit_group(int code); /* exit_group, fatal signals: code is the wait status word */
struct wait_request {
	u32 which; /* 0 P_ALL, 1 P_PID, 2 P_PGID */
	int id;
	u32 options; /* WNOHANG 1, WUNTRACED/WSTOPPED 2, WEXITED 4, WCONTINUED 8, WNOWAIT 0x01000000, __WALL … */
};
struct rusage_k {
	u64 utime_ns, stime_ns, max_rss_kb, minflt, majflt, nvcsw, nivcsw;
};
/* status: the word of wait4(2); code: CLD_*, for waitid(2), whose si_status is in the word. */
struct wait_result {
	int pid, status, code, uid;
	struct rusage_k ru;
};
int process_wait(const struct wait_request *rq, struct wait_result *out); /* 1: out filled; 0: WNOHANG and none */

/* RUSAGE_SELF 0, RUSAGE_CHILDREN -1, RUSAGE_THREAD 1. */
int process_rusage(int who, struct rusage_k *out);
long task_set_tid_address(vaddr_t addr); /* set_tid_address(2): the caller's tid */
long task_set_robust_list(vaddr_t head, u64 len);
long task_get_robust_list(int tid, vaddr_t *head, u64 *len);

/* ---- limits.c ---- pid 0: the caller; either pointer may be NULL */
long rlimit_change(int pid, u32 which, const struct rlimit *new_limit, struct rlimit *old);
/* What address spaces keep of p's limits, so that faults need not ask. Locks: takes siglock. */
void limits_apply(struct process *p, struct aspace *as);

/* ---- family.c ---- */
int process_parent_pid(void); /* of current; 0 for pid 1 */

/* ---- pid.c ---- groups and sessions */
long process_setpgid(int pid, int pgid);
long process_getpgid(int pid);
long process_getsid(int pid);
long process_setsid(void);

/* ---- cred.c ---- set*id family with Linux semantics; -1 means unchanged */
long cred_setuid(u32 uid);
long cred_setgid(u32 gid);
long cred_setresuid(u32 r, u32 e, u32 s);
long cred_setresgid(u32 r, u32 e, u32 s);
long cred_setreuid(u32 r, u32 e);
long cred_setregid(u32 r, u32 e);
long cred_setfsuid(u32 uid);
long cred_setfsgid(u32 gid);
long cred_setgroups(const u32 *groups, u32 nr);
int cred_capable(void);       /* euid 0 */
void cred_access_begin(void); /* access(2): real ids for the calls until cred_access_end */
void cred_access_end(void);

/* ---- sched.c ---- */
long sched_set_affinity(int tid, u64 mask);
long sched_get_affinity(int tid, u64 *mask);
long sched_set_nice(int which, int who, int nice);
long sched_get_nice(int which, int who);
void sched_yield_now(void);
/* Policies: 0 OTHER, 1 FIFO, 2 RR, 3 BATCH, 5 IDLE (the last two run as OTHER). pid 0: the caller. */
long sched_set_policy(int tid, u32 policy, u32 priority);
long sched_get_policy(int tid, u32 *policy, u32 *priority);
long sched_rr_interval(int tid, u64 *ns);
void sched_load(u64 out[3]); /* load averages, fixed point 1<<16 */
struct hart_times {
	u64 user, nice, system, idle, irq;
}; /* ns */
void sched_hart_times(u32 hart, struct hart_times *out);
u64 sched_nr_switches(void), sched_nr_forks(void), sched_nr_running(void);

/* ---- futex.c ---- */
long futex_call(struct uptr uaddr, u32 op, u32 val, u64 timeout_ns /* ~0 none; absolute mono or wall by op */, u32 val2,
	struct uptr uaddr2, u32 val3);
void futex_exit_robust(struct task *t);

/* ---- clocks and timers (timers.c) ---- */
long clock_read(u32 clock, u64 *ns); /* CLOCK_* incl. process/thread CPU */
long clock_res(u32 clock, u64 *ns);
long clock_write(u32 clock, u64 ns);
/* Sleeps until `deadline` on `clock` (absolute) ; -EINTR/-ERESTART… with *remain set (ns). */
long clock_sleep(u32 clock, u64 deadline_ns, u64 *remain_ns);
/* nanosleep(2) and relative clock_nanosleep(2): `remain` is a user timespec or null; restarts by restart_syscall(2). */
long clock_sleep_relative(u32 clock, u64 ns, struct uptr remain);
/* restart_syscall(2): goes on with what was interrupted. */
long restart_call(void);
struct itimer_spec {
	u64 value_ns, interval_ns;
};
long itimer_set(u32 which, const struct itimer_spec *new_value, struct itimer_spec *old);
long itimer_get(u32 which, struct itimer_spec *out);
struct sigevent_k {
	u64 value;
	int signo, notify, tid;
};
long ptimer_create(u32 clock, const struct sigevent_k *ev, int *id);
long ptimer_settime(int id, u32 flags, const struct itimer_spec *new_value, struct itimer_spec *old);
long ptimer_gettime(int id, struct itimer_spec *out);
long ptimer_overrun(int id);
long ptimer_delete(int id);

/*
 * Kernel timers: one-shot callbacks in interrupt context, per hart. Two calls for one timer never run at once: its owner's lock
 * sees to that. Only fn may start its timer while another hart waits in ktimer_cancel.
 */
struct ktimer {
	struct tree_node node;
	u64 deadline_ns;
	void (*fn)(struct ktimer *t);
	u32 hart;
	u32 armed;
};
void ktimer_start(struct ktimer *t, u64 deadline_ns); /* re-arms; Context: any */
/* Not running and not armed when it returns. Context: process or a spinlock that fn does not take. */
void ktimer_cancel(struct ktimer *t);
/* The same for who holds a lock that fn takes. False: fn runs, nothing was done; let go of the lock and try again. */
MUST_CHECK bool ktimer_try_cancel(struct ktimer *t);

/* ---- oom.c ---- see mm/reclaim.h oom_kill */
