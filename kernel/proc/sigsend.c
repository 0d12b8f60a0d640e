/*
 * Sending signals.
 *
 * signal_send_locked is the one place: it applies what a signal does by merely coming (SIGCONT and the stop signals
 * cancel each other), drops what is ignored, queues, chooses the thread, and wakes it. A signal whose default
 * action ends the process ends it here, so that sleeps which only a fatal signal interrupts end too.
 */
#include "arch/riscv/arch.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "proc/cred.h"
#include "proc/pid.h"
#include "proc/proc.h"
#include "proc/sched.h"
#include "proc/sigqueue.h"

void siginfo_kernel(struct siginfo_k *info, int signo)
{
	memset(info, 0, sizeof(*info));
	info->signo = signo;
	info->code = SI_KERNEL;
}

static void siginfo_user(struct siginfo_k *info, int signo, int code)
{
	memset(info, 0, sizeof(*info));
	info->signo = signo;
	info->code = code;
	info->rt.pid = current_process()->pid;
	info->rt.uid = current()->cred->cred.uid;
}

/* ---- one process; siglock held ---- */

static void flush_everywhere_locked(struct process *p, u64 set)
{
	struct task *t;

	signal_queue_flush(&p->pending, set);
	list_for_each_entry (t, &p->threads, thread_link)
		signal_queue_flush(&t->pending, set);
}

static void continue_locked(struct process *p)
{
	struct task *t;

	p->stop_taken = 0;
	if (!p->stopped)
		return;
	p->stopped = 0;
	p->nr_stopped = 0;
	if (p->stop_complete) {
		p->stop_complete = 0;
		p->continued = 1;
		p->notify_continued = 1;
	}
	list_for_each_entry (t, &p->threads, thread_link) {
		t->stop_counted = 0;
		__atomic_fetch_or(&t->thread.work, THREAD_SIGNAL, __ATOMIC_SEQ_CST);
		sched_wake_states(t, BIT(TASK_STOPPED));
	}
}

static bool is_ignored_locked(const struct process *p, const struct task *t, int signo)
{
	u64 handler = p->sighand->action[signo - 1].handler, bit = SIG_BIT(signo);

	if ((t->sigmask | t->wait_set) & bit)
		return false; /* it may be wanted by the time it is unblocked */
	if (handler == SIG_IGN)
		return true;
	return handler == SIG_DFL && (p->unkillable || (bit & SIGSET_IGNORE));
}

static bool is_fatal_locked(const struct process *p, int signo)
{
	u64 bit = SIG_BIT(signo);

	if (p->unkillable)
		return false;
	if (signo == SIGKILL)
		return true;
	return p->sighand->action[signo - 1].handler == SIG_DFL &&
		!(bit & (SIGSET_IGNORE | SIGSET_STOP | SIGSET_FAULT));
}

static bool wants(const struct task *t, int signo)
{
	/* A stopped thread takes nothing until it goes on; only SIGKILL reaches it. */
	if (READ_ONCE(t->state) == TASK_STOPPED && signo != SIGKILL)
		return false;
	return !t->exiting && (!(t->sigmask & SIG_BIT(signo)) || (t->wait_set & SIG_BIT(signo)));
}

/* The thread that shall take a process-wide signal: the caller, the leader, or the first that does not block it. */
static struct task *choose_thread_locked(struct process *p, int signo)
{
	struct task *t;

	if (current()->proc == p && wants(current(), signo))
		return current();
	if (wants(p->leader, signo))
		return p->leader;
	list_for_each_entry (t, &p->threads, thread_link) {
		if (wants(t, signo))
			return t;
	}
	return NULL;
}

void process_kill_locked(struct process *p, int status)
{
	struct task *t;

	if (p->group_exit)
		return;
	p->group_exit = 1;
	p->group_exit_code = (u32)status;
	p->stopped = 0;
	p->stop_complete = 0;
	list_for_each_entry (t, &p->threads, thread_link) {
		WRITE_ONCE(t->must_exit, 1);
		sched_wake_signal(t, SIGNAL_WAKE_FATAL);
	}
}

int signal_send_locked(struct process *p, struct task *thread, const struct siginfo_k *info, int timer_id)
{
	struct signal_queue *q = thread ? &thread->pending : &p->pending;
	int signo = info->signo, err = 0;
	u64 bit = SIG_BIT(signo);
	struct task *t;

	if (p->nr_live == 0 || p->group_exit || (thread && thread->exiting))
		return 0;
	if (bit & SIGSET_STOP) {
		flush_everywhere_locked(p, SIG_BIT(SIGCONT));
	} else if (signo == SIGCONT) {
		flush_everywhere_locked(p, SIGSET_STOP);
		continue_locked(p);
	}
	if (is_ignored_locked(p, thread ? thread : p->leader, signo))
		return 0;
	if (signo < SIGRTMIN && (q->set & bit))
		return 0;
	if (signo != SIGKILL)
		err = signal_queue_add(q, info, timer_id, p->limits[RLIM_SIGPENDING].soft);
	if (err && signo >= SIGRTMIN && info->code < 0)
		return err; /* a queued value would be lost: the sender hears of it */
	q->set |= bit;
	t = thread ? (wants(thread, signo) ? thread : NULL) : choose_thread_locked(p, signo);
	if (!t)
		return 0;
	if (is_fatal_locked(p, signo) && !(t->wait_set & bit))
		process_kill_locked(p, signo);
	else
		sched_wake_signal(t, SIGNAL_WAKE_NORMAL);
	return 0;
}

/* ---- for the rest of the kernel ---- */

int signal_send_thread(struct task *t, const struct siginfo_k *info)
{
	struct process *p = t->proc;
	u64 flags;
	int err;

	if (!p)
		return -ESRCH;
	flags = spin_lock_irqsave(&p->siglock);
	err = signal_send_locked(p, t, info, -1);
	spin_unlock_irqrestore(&p->siglock, flags);
	return err;
}

int signal_send_process(struct process *p, const struct siginfo_k *info)
{
	u64 flags = spin_lock_irqsave(&p->siglock);
	int err = signal_send_locked(p, NULL, info, -1);

	spin_unlock_irqrestore(&p->siglock, flags);
	return err;
}

int signal_group_locked(struct pid *pgrp, const struct siginfo_k *info)
{
	struct process *p;
	int err = -ESRCH;

	list_for_each_entry (p, &pgrp->group, pgrp_link) {
		spin_lock(&p->siglock);
		err = signal_send_locked(p, NULL, info, -1);
		spin_unlock(&p->siglock);
	}
	return err;
}

int signal_send_group(struct pid *pgrp, const struct siginfo_k *info)
{
	u64 flags = spin_lock_irqsave(&tasks_lock);
	int err = signal_group_locked(pgrp, info);

	spin_unlock_irqrestore(&tasks_lock, flags);
	return err;
}

void signal_force(const struct siginfo_k *info)
{
	struct task *t = current();
	struct process *p = t->proc;
	u64 flags = spin_lock_irqsave(&p->siglock), bit = SIG_BIT(info->signo);
	struct sigaction_k *act = &p->sighand->action[info->signo - 1];

	if ((t->sigmask & bit) || act->handler == SIG_IGN) {
		act->handler = SIG_DFL;
		t->sigmask &= ~bit;
	}
	/* A fault that nobody handles ends even pid 1 (and that the kernel), or it would come again for ever. */
	if (act->handler == SIG_DFL)
		p->unkillable = 0;
	signal_send_locked(p, t, info, -1);
	__atomic_fetch_or(&t->thread.work, THREAD_SIGNAL, __ATOMIC_SEQ_CST);
	spin_unlock_irqrestore(&p->siglock, flags);
}

void signal_notify_parent_locked(struct process *p, int code, int status)
{
	struct process *parent = p->parent;
	struct siginfo_k info;

	if (!parent)
		return;
	siginfo_kernel(&info, SIGCHLD);
	info.code = code;
	info.chld.pid = p->pid;
	info.chld.uid = p->leader->cred->cred.uid;
	info.chld.status = status;
	info.chld.utime = (s64)(p->utime / 10000000);
	info.chld.stime = (s64)(p->stime / 10000000);
	spin_lock(&parent->siglock);
	if (!(parent->sighand->action[SIGCHLD - 1].flags & SA_NOCLDSTOP))
		signal_send_locked(parent, NULL, &info, -1);
	spin_unlock(&parent->siglock);
	waitq_wake_all(&parent->wait_children);
}

/* ---- kill(2) and its relatives ---- */

/* Locks: tasks_lock held. */
static bool may_signal_locked(const struct process *p, const struct task *t, int signo)
{
	if (signo == SIGCONT && p->session == current_process()->session)
		return true;
	return p == current_process() || cred_may_signal_locked(t);
}

/* Signal 0 only asks. Locks: tasks_lock held. */
static int send_checked_locked(struct process *p, struct task *thread, const struct siginfo_k *info)
{
	int err = 0;

	if (!p->leader)
		return -ESRCH; /* reaped since it was looked up */
	if (!may_signal_locked(p, thread ? thread : p->leader, info->signo))
		return -EPERM;
	if (info->signo) {
		spin_lock(&p->siglock);
		err = signal_send_locked(p, thread, info, -1);
		spin_unlock(&p->siglock);
	}
	return err;
}

static long kill_one(int pid, const struct siginfo_k *info)
{
	struct process *p = process_lookup(pid);
	struct task *t = NULL;
	u64 flags;
	long ret;

	if (!p) { /* kill(2) takes a thread's number too */
		t = task_lookup(pid);
		if (!t || !t->proc) {
			if (t)
				task_put(t);
			return -ESRCH;
		}
		p = t->proc;
		process_get(p);
		task_put(t);
	}
	flags = spin_lock_irqsave(&tasks_lock);
	ret = send_checked_locked(p, NULL, info);
	spin_unlock_irqrestore(&tasks_lock, flags);
	process_put(p);
	return ret;
}

/* NULL: the caller's own group, which may be another one until the lock is had. 0 when one could be signalled; else the last error. */
static long kill_group(struct pid *group, const struct siginfo_k *info)
{
	u64 flags = spin_lock_irqsave(&tasks_lock);
	long ret = -ESRCH;
	struct process *p;

	if (!group)
		group = current_process()->pgrp;
	list_for_each_entry (p, &group->group, pgrp_link) {
		int err = send_checked_locked(p, NULL, info);

		if (ret != 0)
			ret = err;
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
	return ret;
}

static long kill_group_number(int pgid, const struct siginfo_k *info)
{
	struct pid *group = pid_lookup(pgid);
	long ret;

	if (!group)
		return -ESRCH;
	ret = kill_group(group, info);
	pid_put(group);
	return ret;
}

/* Everyone but pid 1 and the caller. */
static long kill_all(const struct siginfo_k *info)
{
	long ret = -ESRCH;
	struct process *p;
	int pid = 2;

	while ((p = process_next(pid)) != NULL) {
		pid = p->pid + 1;
		if (p != current_process()) {
			u64 flags = spin_lock_irqsave(&tasks_lock);
			long err = send_checked_locked(p, NULL, info);

			spin_unlock_irqrestore(&tasks_lock, flags);
			if (ret != 0)
				ret = err;
		}
		process_put(p);
		sched_point();
	}
	return ret;
}

long signal_kill(int pid, int signo)
{
	struct siginfo_k info;

	if (signo < 0 || signo > NSIG)
		return -EINVAL;
	siginfo_user(&info, signo, SI_USER);
	if (pid == current_process()->pid && signo) {
		signal_send_process(current_process(), &info);
		return 0;
	}
	if (pid > 0)
		return kill_one(pid, &info);
	if (pid == 0)
		return kill_group(NULL, &info);
	if (pid == -1)
		return kill_all(&info);
	return pid == (int)0x80000000 ? -ESRCH : kill_group_number(-pid, &info);
}

long signal_tgkill(int tgid, int tid, int signo, const struct siginfo_k *info)
{
	struct siginfo_k own;
	struct task *t;
	long ret = -ESRCH;
	u64 flags;

	if (tid <= 0 || tgid == 0 || tgid < -1 || signo < 0 || signo > NSIG)
		return -EINVAL;
	t = task_lookup(tid);
	if (!t)
		return -ESRCH;
	if (t->proc && (tgid == -1 || t->proc->pid == tgid)) {
		if (!info) {
			siginfo_user(&own, signo, SI_TKILL);
		} else {
			own = *info;
			own.signo = signo;
		}
		flags = spin_lock_irqsave(&tasks_lock);
		if (info && (own.code >= 0 || own.code == SI_TKILL) && t->proc != current_process())
			ret = -EPERM; /* nobody may pretend to be the kernel or kill() */
		else
			ret = send_checked_locked(t->proc, t, &own);
		spin_unlock_irqrestore(&tasks_lock, flags);
	}
	task_put(t);
	return ret;
}

long signal_queueinfo(int tgid, const struct siginfo_k *info)
{
	if (info->signo < 0 || info->signo > NSIG)
		return -EINVAL;
	if ((info->code >= 0 || info->code == SI_TKILL) && tgid != current_process()->pid)
		return -EPERM;
	return kill_one(tgid, info);
}

/* To the caller itself, by the kernel: SIGPIPE, SIGXFSZ. */
void task_raise(int signo)
{
	struct siginfo_k info;

	if (!current()->proc)
		return;
	siginfo_user(&info, signo, SI_USER);
	signal_send_thread(current(), &info);
}
