/*
 * The end of threads and processes.
 *
 *   thread   exiting = 1, counted out of nr_live  →  gives up memory, files, …  →  ZOMBIE (leader) or DEAD, in exit_notify
 *   process  when its leader is a ZOMBIE and the only thread left: `zombie`, the parent hears of it; gone when reaped
 *
 * The last thread (nr_live reaches 0) does what concerns the process: timers, the session's terminal, children. It need not be the
 * leader. All changes of the family happen in one hold of tasks_lock.
 */
#include "arch/riscv/arch.h"
#include "arch/riscv/irq.h"
#include "arch/riscv/trace.h"
#include "dev/tty.h"
#include "fs/file.h"
#include "fs/path.h"
#include "lib/panic.h"
#include "mm/aspace.h"
#include "proc/cred.h"
#include "proc/oom.h"
#include "proc/pid.h"
#include "proc/proc.h"
#include "proc/sched.h"
#include "proc/sigqueue.h"
#include "proc/timers.h"
#include "sync/lockcheck.h"

struct process *init_process;

/* ---- what a thread gives up ---- */

void task_change_aspace(struct aspace *as)
{
	struct task *t = current();
	struct aspace *old = t->as;
	u64 flags = spin_lock_irqsave(&tasks_lock);

	t->as = as;
	t->leaves_memory = old && !as;
	pt_activate(as ? &as->pt : NULL);
	spin_unlock_irqrestore(&tasks_lock, flags);
	if (old)
		aspace_put(old);
}

void task_leave_memory(struct task *t)
{
	futex_exit_robust(t);
	if (t->clear_child_tid && refcount_read(&t->as->refs) > 1) {
		struct uptr at = uptr_make(t->clear_child_tid);

		if (put_user_u32(at, 0) == 0)
			(void)futex_call(at, 1 /* FUTEX_WAKE */, 1, ~0ul, 0, uptr_make(0), 0);
	}
	t->proc->max_rss_pages = MAX(t->proc->max_rss_pages, aspace_resident(t->as));
	vfork_release(t);
}

static void exit_memory(struct task *t)
{
	bool waited_for;
	u64 flags;

	if (!t->as)
		return;
	task_leave_memory(t);
	task_change_aspace(NULL);
	flags = spin_lock_irqsave(&tasks_lock);
	t->leaves_memory = 0;
	waited_for = t->proc->oom_victim != OOM_VICTIM_NONE;
	spin_unlock_irqrestore(&tasks_lock, flags);
	if (unlikely(waited_for))
		oom_memory_left(t->proc);
}

static void exit_files(struct task *t)
{
	struct fdtable *files = t->files;
	struct fs_context *fs = t->fs;
	u64 flags = spin_lock_irqsave(&tasks_lock);

	t->files = NULL;
	t->fs = NULL;
	spin_unlock_irqrestore(&tasks_lock, flags);
	if (files)
		fdtable_put(files);
	if (fs)
		fs_context_put(fs);
}

void process_drop_text(struct process *p)
{
	struct inode *text = p->text;

	p->text = NULL;
	if (text) {
		inode_allow_write(text);
		inode_put(text);
	}
}

/* True: this is the last thread of the process. */
static bool exit_begin(struct task *t, int code)
{
	struct process *p = t->proc;
	u64 flags = spin_lock_irqsave(&p->siglock);
	bool last, stop_complete;
	struct task *other;

	t->exit_code = code;
	WRITE_ONCE(t->exiting, 1);
	last = --p->nr_live == 0;
	if (t->stop_counted) {
		t->stop_counted = 0;
		p->nr_stopped--;
	}
	stop_complete = stop_check_complete_locked(p);
	if (!last && (p->pending.set & ~t->sigmask)) {
		/* What was meant for this thread, another shall take. */
		list_for_each_entry (other, &p->threads, thread_link) {
			if (signal_wanted_locked(other, p->pending.set))
				sched_wake_signal(other, SIGNAL_WAKE_NORMAL);
		}
	}
	spin_unlock_irqrestore(&p->siglock, flags);
	if (stop_complete) {
		flags = spin_lock_irqsave(&tasks_lock);
		signal_notify_parent_locked(p, CLD_STOPPED, (int)p->stop_signal);
		spin_unlock_irqrestore(&tasks_lock, flags);
	}
	return last;
}

/* What procfs and wait say of the process includes the thread from now on without looking at it. */
static void exit_fold_times(struct task *t)
{
	struct process *p = t->proc;
	u64 flags = spin_lock_irqsave(&p->siglock), u, s;

	task_times(t, &u, &s);
	t->times_folded = 1;
	p->utime += u;
	p->stime += s;
	p->minor_faults += t->nr_minor_faults;
	p->major_faults += t->nr_major_faults;
	p->nr_involuntary += t->nr_involuntary;
	p->nr_voluntary += t->nr_switches - MIN(t->nr_switches, t->nr_involuntary);
	spin_unlock_irqrestore(&p->siglock, flags);
}

static void exit_session(struct process *p)
{
	struct pid *session = p->session;
	struct tty *tty = NULL;
	u64 flags;

	if (session->nr != p->pid)
		return;
	flags = spin_lock_irqsave(&tasks_lock);
	if (session->tty) {
		tty = session->tty;
		tty_get(tty);
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
	if (!tty)
		return;
	tty_hangup_session(tty);
	tty_session_detach(session, tty);
	tty_put(tty);
}

static void exit_process(struct process *p, int code)
{
	if (p->pid == 1)
		panic("init (pid 1) died: %s %d", (code & 0x7f) ? "killed by signal" : "exit status",
			(code & 0x7f) ? code & 0x7f : code >> 8);
	process_timers_exit(p);
	process_drop_text(p);
	exit_session(p);
}

/* ---- the family; all below: tasks_lock held ---- */

bool pgrp_is_orphaned_locked(struct pid *pgrp, const struct process *but)
{
	struct process *p;

	list_for_each_entry (p, &pgrp->group, pgrp_link) {
		if (p == but || p->zombie || !p->parent || p->parent == init_process)
			continue;
		if (p->parent->pgrp != pgrp && p->parent->session == p->session)
			return false;
	}
	return true;
}

static bool pgrp_has_stopped_locked(const struct pid *pgrp)
{
	struct process *p;

	list_for_each_entry (p, &pgrp->group, pgrp_link) {
		if (p->stopped)
			return true;
	}
	return false;
}

/* The group of `member` loses its tie to `parent`, which exits: stopped jobs that nobody can continue are told. */
static void pgrp_orphan_locked(struct process *member, struct process *parent, const struct process *but)
{
	struct siginfo_k info;
	struct pid *pgrp = member->pgrp;

	if (!parent || parent->pgrp == pgrp || parent->session != member->session)
		return;
	if (!pgrp_is_orphaned_locked(pgrp, but) || !pgrp_has_stopped_locked(pgrp))
		return;
	siginfo_kernel(&info, SIGHUP);
	signal_group_locked(pgrp, &info);
	siginfo_kernel(&info, SIGCONT);
	signal_group_locked(pgrp, &info);
}

/* Tells the parent that p is a zombie. True: nobody will wait for it. */
static bool zombie_notify_locked(struct process *p)
{
	struct process *parent = p->parent;
	struct siginfo_k info;
	bool reap = false;
	int code = p->exit_code;

	siginfo_kernel(&info, p->exit_signal ? p->exit_signal : SIGCHLD);
	info.code = (code & 0x7f) ? CLD_KILLED : CLD_EXITED;
	info.chld.pid = p->pid;
	info.chld.uid = p->leader->cred->cred.uid;
	info.chld.status = (code & 0x7f) ? code & 0x7f : code >> 8;
	info.chld.utime = (s64)(p->utime / 10000000);
	info.chld.stime = (s64)(p->stime / 10000000);
	spin_lock(&parent->siglock);
	if (p->exit_signal == SIGCHLD) {
		const struct sigaction_k *act = &parent->sighand->action[SIGCHLD - 1];

		reap = act->handler == SIG_IGN || (act->flags & SA_NOCLDWAIT);
	}
	if (p->exit_signal)
		signal_send_locked(parent, NULL, &info, -1);
	spin_unlock(&parent->siglock);
	waitq_wake_all(&parent->wait_children);
	return reap;
}

void process_release_locked(struct process *p)
{
	struct task *leader = p->leader;
	struct pid *pgrp = p->pgrp, *session = p->session;

	spin_lock(&p->siglock);
	p->leader = NULL;
	list_del(&leader->thread_link);
	p->nr_threads--;
	signal_queue_flush(&leader->pending, ~0ul);
	spin_unlock(&p->siglock);
	list_del(&p->sibling);
	list_del(&p->pgrp_link);
	list_del(&p->session_link);
	p->parent = NULL;
	p->pgrp = NULL;
	p->session = NULL;
	pid_detach(leader->pid);
	pid_put(pgrp);
	pid_put(session);
	task_put(leader);
	process_put(p);
}

/* The leader is a zombie and alone. */
static void process_zombie_locked(struct process *p)
{
	p->exit_code = p->group_exit ? (int)p->group_exit_code : p->leader->exit_code;
	p->zombie = 1;
	if (zombie_notify_locked(p))
		process_release_locked(p);
}

static struct process *reaper_of_locked(struct process *p)
{
	struct process *a;

	for (a = p->parent; a && a != init_process; a = a->parent) {
		if (a->is_subreaper && a->nr_live > 0)
			return a;
	}
	return init_process;
}

static void reparent_children_locked(struct process *p)
{
	struct process *reaper = reaper_of_locked(p), *child, *next;
	struct siginfo_k info;
	struct task *t;

	list_for_each_entry_safe (child, next, &p->children, sibling) {
		child->parent = reaper;
		WRITE_ONCE(child->ppid, reaper->pid);
		list_move_tail(&child->sibling, &reaper->children);
		child->exit_signal = SIGCHLD;
		spin_lock(&child->siglock);
		list_for_each_entry (t, &child->threads, thread_link) {
			if (!t->pdeathsig)
				continue;
			siginfo_kernel(&info, (int)t->pdeathsig);
			signal_send_locked(child, t, &info, -1);
		}
		spin_unlock(&child->siglock);
		pgrp_orphan_locked(child, p, NULL);
		if (child->zombie && zombie_notify_locked(child))
			process_release_locked(child);
	}
}

static void thread_unlink_locked(struct task *t)
{
	struct process *p = t->proc;

	spin_lock(&p->siglock);
	list_del(&t->thread_link);
	p->nr_threads--;
	signal_queue_flush(&t->pending, ~0ul);
	spin_unlock(&p->siglock);
	pid_detach(t->pid);
	task_put(t); /* the table's */
}

/* ---- the last steps ---- */

static noreturn void exit_notify(struct task *t, bool last)
{
	struct process *p = t->proc;

	irq_disable();
	spin_lock(&tasks_lock);
	if (last) {
		reparent_children_locked(p);
		pgrp_orphan_locked(p, p->parent, p);
	}
	if (t == p->leader) {
		WRITE_ONCE(t->state, TASK_ZOMBIE);
	} else {
		WRITE_ONCE(t->state, TASK_DEAD);
		thread_unlink_locked(t);
	}
	waitq_wake_all(&p->threads_wait);
	if (p->nr_threads == 1 && p->nr_live == 0 && p->leader->state == TASK_ZOMBIE)
		process_zombie_locked(p);
	/* From here on t and p live by the reference that the scheduler holds. Interrupts stay off. */
	spin_unlock(&tasks_lock);
	sched_exit();
}

static noreturn void task_exit(int code)
{
	struct task *t = current();
	bool last;

	lockcheck_none_held("exit");
	trace_note(TRACE_EXIT, 0, 0, (u32)code, 0, 0);
	last = exit_begin(t, code);
	if (last)
		exit_process(t->proc, t->proc->group_exit ? (int)t->proc->group_exit_code : code);
	exit_memory(t);
	exit_files(t);
	exit_fold_times(t);
	exit_notify(t, last);
}

noreturn void thread_exit(int code)
{
	task_exit(code);
}

noreturn void process_exit_group(int code)
{
	struct process *p = current_process();
	u64 flags = spin_lock_irqsave(&p->siglock);

	process_kill_locked(p, code);
	code = (int)p->group_exit_code;
	spin_unlock_irqrestore(&p->siglock, flags);
	task_exit(code);
}

/* ---- small calls ---- */

long task_set_tid_address(vaddr_t addr)
{
	current()->clear_child_tid = addr;
	return current()->tid;
}

long task_set_robust_list(vaddr_t head, u64 len)
{
	if (len != 24) /* struct robust_list_head */
		return -EINVAL;
	current()->robust_list = head;
	current()->robust_list_len = len;
	return 0;
}
