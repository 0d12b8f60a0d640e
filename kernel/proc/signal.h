/*
 * Signals, as Linux riscv64 has them: numbers, siginfo and sigaction layouts are the ABI's.
 *
 * A signal is pending on a thread or on the process (struct signal_queue: a set and a queue of infos; standard
 * signals queue at most one info, real-time ones (32…64) each, up to RLIMIT_SIGPENDING-like bound; when memory fails the set bit
 * still says that it came). Sending wakes a suitable thread: THREAD_SIGNAL is set in its thread.work and an
 * interruptible sleep ends. Delivery is in user_return_work(), on the way to user mode.
 */
#pragma once

#include "lib/list.h"
#include "lib/types.h"
#include "mm/usercopy.h"

struct task;
struct process;
struct pid;
struct trapframe;

#define NSIG      64
#define SIGHUP    1
#define SIGINT    2
#define SIGQUIT   3
#define SIGILL    4
#define SIGTRAP   5
#define SIGABRT   6
#define SIGBUS    7
#define SIGFPE    8
#define SIGKILL   9
#define SIGUSR1   10
#define SIGSEGV   11
#define SIGUSR2   12
#define SIGPIPE   13
#define SIGALRM   14
#define SIGTERM   15
#define SIGCHLD   17
#define SIGCONT   18
#define SIGSTOP   19
#define SIGTSTP   20
#define SIGTTIN   21
#define SIGTTOU   22
#define SIGURG    23
#define SIGXCPU   24
#define SIGXFSZ   25
#define SIGVTALRM 26
#define SIGPROF   27
#define SIGWINCH  28
#define SIGIO     29
#define SIGPWR    30
#define SIGSYS    31
#define SIGRTMIN  32

#define SIG_BIT(n) (1ul << ((n)-1))

/* siginfo_t as user space sees it: 128 bytes. */
struct siginfo_k {
	int signo, err, code, pad;
	union {
		struct {
			int pid;
			u32 uid;
			u64 value;
		} rt; /* kill, sigqueue */
		struct {
			int tid, overrun;
			u64 value;
			int sys;
		} timer;
		struct {
			int pid;
			u32 uid;
			int status, pad;
			s64 utime, stime;
		} chld;
		struct {
			u64 addr;
		} fault;
		u8 raw[112];
	};
};
_Static_assert(sizeof(struct siginfo_k) == 128, "siginfo_t is 128 bytes");

#define SI_USER       0
#define SI_KERNEL     0x80
#define SI_QUEUE      (-1)
#define SI_TIMER      (-2)
#define SI_TKILL      (-6)
#define SEGV_MAPERR   1
#define SEGV_ACCERR   2
#define BUS_ADRALN    1
#define BUS_ADRERR    2
#define ILL_ILLOPC    1
#define TRAP_BRKPT    1
#define CLD_EXITED    1
#define CLD_KILLED    2
#define CLD_DUMPED    3
#define CLD_STOPPED   5
#define CLD_CONTINUED 6

struct sigaction_k { /* the riscv64 kernel ABI: no restorer */
	u64 handler;
	u64 flags;
	u64 mask;
};
#define SA_NOCLDSTOP 1u
#define SA_NOCLDWAIT 2u
#define SA_SIGINFO   4u
#define SA_ONSTACK   0x08000000u
#define SA_RESTART   0x10000000u
#define SA_NODEFER   0x40000000u
#define SA_RESETHAND 0x80000000u

struct sigaltstack_k {
	u64 sp;
	int flags, pad;
	u64 size;
};

struct signal_queue {
	u64 set;
	struct list infos; /* struct siginfo_node, in order of arrival */
	u32 nr;            /* of them */
};

/* Sending. The permission to kill is checked by the *_user forms only. Context: any unless said. */
int signal_send_thread(struct task *t, const struct siginfo_k *info);
int signal_send_process(struct process *p, const struct siginfo_k *info);
int signal_send_group(struct pid *pgrp, const struct siginfo_k *info);
/* Forced on current: cannot be blocked or ignored (faults). */
void signal_force(const struct siginfo_k *info);
/* kill(2), tgkill(2), tkill(2), rt_sigqueueinfo(2): all of their rules. */
long signal_kill(int pid, int signo);
long signal_tgkill(int tgid, int tid, int signo, const struct siginfo_k *info /* or NULL */);
long signal_queueinfo(int tgid, const struct siginfo_k *info);

/* The calls on handlers and masks, on kernel copies of the structures. */
long signal_action(int signo, const struct sigaction_k *act, struct sigaction_k *old);
long signal_procmask(int how, const u64 *set, u64 *old);
long signal_pending_set(u64 *out);
long signal_suspend(u64 mask);
/* -EAGAIN at the deadline; ~0: none. */
long signal_timedwait(u64 set, struct siginfo_k *out, u64 deadline_ns);
long signal_altstack(const struct sigaltstack_k *new_stack, struct sigaltstack_k *old);
long signal_return(struct trapframe *tf); /* rt_sigreturn */
/* ppoll, pselect, epoll_pwait: installs mask for the call; restored after a handler ran or by signal_mask_end. */
void signal_mask_begin(u64 mask);
void signal_mask_end(int interrupted);
