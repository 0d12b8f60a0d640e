/*
 * Delivery: what happens on the way to user mode while THREAD_* bits are set.
 *
 *   must_exit    → the thread, or the whole process, ends
 *   stopped      → sleep in STOPPED until SIGCONT or a fatal signal
 *   a signal     → ignore, handler, or the default action
 *   none left    → the interrupted call is restarted, the temporary mask goes
 *
 * An interrupted call returned one of the ERESTART codes:
 *                             a handler runs                  no handler runs
 *   ERESTARTNOINTR            again                           again
 *   ERESTARTSYS               again with SA_RESTART, or EINTR again
 *   ERESTARTNOHAND            EINTR                           again
 *   ERESTART_RESTARTBLOCK     EINTR                           restart_syscall(2)
 */
#include "arch/riscv/arch.h"
#include "arch/riscv/csr.h"
#include "arch/riscv/sigframe.h"
#include "lib/errno.h"
#include "mm/aspace.h"
#include "mm/fault.h"
#include "mm/reclaim.h"
#include "proc/explain.h"
#include "proc/pid.h"
#include "proc/proc.h"
#include "proc/sched.h"
#include "proc/sigqueue.h"
#include "proc/vdso.h"

#define NR_RESTART_SYSCALL 128
#define ECALL_BYTES        4

/* ---- restarting ---- */

static void call_again(struct trapframe *tf)
{
	TF_A(tf, 0) = tf->orig_a0;
	tf->pc -= ECALL_BYTES;
}

/* act NULL: no handler runs. */
static void restart_settle(struct trapframe *tf, const struct sigaction_k *act)
{
	if (tf->cause != CAUSE_ECALL_USER)
		return;
	tf->cause = CAUSE_SYSCALL_DONE; /* settled once and for all */
	switch (-(long)TF_A(tf, 0)) {
	case ERESTARTNOINTR: call_again(tf); break;
	case ERESTARTSYS:
		if (!act || (act->flags & SA_RESTART))
			call_again(tf);
		else
			TF_A(tf, 0) = (u64)-EINTR;
		break;
	case ERESTARTNOHAND:
		if (!act)
			call_again(tf);
		else
			TF_A(tf, 0) = (u64)-EINTR;
		break;
	case ERESTART_RESTARTBLOCK:
		if (act) {
			TF_A(tf, 0) = (u64)-EINTR;
		} else {
			call_again(tf);
			TF_NR(tf) = NR_RESTART_SYSCALL;
		}
		break;
	default: break;
	}
}

/* ---- ends ---- */

static noreturn void die(void)
{
	struct process *p = current_process();

	if (p->group_exit)
		process_exit_group((int)p->group_exit_code);
	thread_exit(0);
}

/* ---- stops ---- */

static void parent_hears(struct process *p, int code, int status)
{
	u64 flags = spin_lock_irqsave(&tasks_lock);

	signal_notify_parent_locked(p, code, status);
	spin_unlock_irqrestore(&tasks_lock, flags);
}

/* The last thread to stop reports it. True: the caller tells the parent. Locks: siglock held. */
bool stop_check_complete_locked(struct process *p)
{
	if (!p->stopped || p->stop_complete || p->nr_live == 0 || p->nr_stopped < p->nr_live)
		return false;
	p->stop_complete = 1;
	p->stop_reported = 0;
	return true;
}

/* SIGCONT clears the count and wakes under siglock, so a stop is either seen by it or never begun. */
static void stop_here(void)
{
	struct task *t = current();
	struct process *p = t->proc;
	u64 flags = spin_lock_irqsave(&p->siglock);
	bool complete;

	if (!p->stopped || t->must_exit) {
		spin_unlock_irqrestore(&p->siglock, flags);
		return;
	}
	if (!t->stop_counted) {
		t->stop_counted = 1;
		p->nr_stopped++;
	}
	complete = stop_check_complete_locked(p);
	WRITE_ONCE(t->state, TASK_STOPPED);
	spin_unlock_irqrestore(&p->siglock, flags);
	if (complete)
		parent_hears(p, CLD_STOPPED, (int)p->stop_signal);
	sched_run();
}

static bool group_is_orphaned(void)
{
	u64 flags = spin_lock_irqsave(&tasks_lock);
	bool orphaned = pgrp_is_orphaned_locked(current_process()->pgrp, NULL);

	spin_unlock_irqrestore(&tasks_lock, flags);
	return orphaned;
}

/* Everybody stops. `signo` was taken off the queue; a SIGCONT that came since wins. */
static void stop_begin(int signo)
{
	struct task *t = current(), *other;
	struct process *p = t->proc;
	u64 flags;

	if (signo != SIGSTOP && group_is_orphaned())
		return;
	flags = spin_lock_irqsave(&p->siglock);
	if (!p->group_exit && p->stop_taken && !p->stopped) {
		p->stopped = 1;
		p->stop_complete = 0;
		p->nr_stopped = 0;
		p->stop_signal = (u32)signo;
		p->continued = 0;
		list_for_each_entry (other, &p->threads, thread_link) {
			other->stop_counted = 0;
			if (other != t)
				sched_wake_signal(other, SIGNAL_WAKE_NORMAL);
		}
	}
	__atomic_fetch_or(&t->thread.work, THREAD_SIGNAL, __ATOMIC_SEQ_CST);
	spin_unlock_irqrestore(&p->siglock, flags);
}

/* ---- handlers ---- */

static vaddr_t frame_stack_top(const struct task *t, const struct trapframe *tf, const struct sigaction_k *act)
{
	vaddr_t sp = TF_SP(tf);
	bool inside = sp > t->altstack.sp && sp - t->altstack.sp <= t->altstack.size;

	if ((act->flags & SA_ONSTACK) && t->altstack.size && (!inside || (t->altstack.flags & (int)SS_AUTODISARM)))
		return t->altstack.sp + t->altstack.size;
	return sp;
}

static int handler_call(struct trapframe *tf, const struct sigaction_k *act, const struct siginfo_k *info)
{
	struct task *t = current();
	struct sigframe_request rq = {
		.handler = act->handler,
		.siginfo = info,
		.mask = t->restore_sigmask ? t->saved_sigmask : t->sigmask,
		.altstack = {.sp = t->altstack.sp,
			.flags = t->altstack.size ? t->altstack.flags : SS_DISABLE,
			.size = t->altstack.size},
		.stack_top = frame_stack_top(t, tf, act),
		.restorer = vdso_sigreturn(t->proc->vdso),
	};
	u64 flags, blocked = act->mask;
	int err = sigframe_push(tf, &rq);

	if (err)
		return err;
	if (!(act->flags & SA_NODEFER))
		blocked |= SIG_BIT(info->signo);
	if (t->altstack.flags & (int)SS_AUTODISARM)
		t->altstack = (struct sigaltstack_k){.flags = SS_DISABLE};
	flags = spin_lock_irqsave(&t->proc->siglock);
	t->restore_sigmask = 0;
	sigmask_set_locked(t, t->sigmask | blocked);
	spin_unlock_irqrestore(&t->proc->siglock, flags);
	return 0;
}

static void handler_run(struct trapframe *tf, const struct sigaction_k *act, const struct siginfo_k *info)
{
	struct process *p = current_process();
	struct siginfo_k segv;
	u64 flags;

	restart_settle(tf, act);
	if (handler_call(tf, act, info) == 0)
		return;
	/* There is no stack to run it on. */
	if (info->signo == SIGSEGV) {
		flags = spin_lock_irqsave(&p->siglock);
		p->sighand->action[SIGSEGV - 1].handler = SIG_DFL;
		spin_unlock_irqrestore(&p->siglock, flags);
	}
	siginfo_kernel(&segv, SIGSEGV);
	segv.fault.addr = TF_SP(tf);
	signal_force(&segv);
}

/* ---- the loop ---- */

enum step { STEP_NONE, STEP_DIE, STEP_STOP, STEP_CONTINUED, STEP_SIGNAL };

/* What is to be done next; for a signal, what and how. */
static enum step signal_next(struct siginfo_k *info, struct sigaction_k *act)
{
	struct task *t = current();
	struct process *p = t->proc;
	enum step step = STEP_NONE;
	u64 flags = spin_lock_irqsave(&p->siglock);
	int timer_id, signo;

	/* Under the lock that senders hold: a bit set later belongs to something that comes later. */
	__atomic_fetch_and(&t->thread.work, ~THREAD_SIGNAL, __ATOMIC_SEQ_CST);
	if (t->must_exit) {
		step = STEP_DIE;
	} else if (p->notify_continued) {
		p->notify_continued = 0;
		step = STEP_CONTINUED;
	} else if (p->stopped) {
		step = STEP_STOP;
	} else if ((signo = signal_dequeue_locked(t, ~t->sigmask, info, &timer_id)) != 0) {
		step = STEP_SIGNAL;
		*act = p->sighand->action[signo - 1];
		if (act->handler > SIG_IGN && (act->flags & SA_RESETHAND))
			p->sighand->action[signo - 1].handler = SIG_DFL;
		if (act->handler == SIG_DFL) {
			if (p->unkillable)
				act->handler = SIG_IGN;
			else if (SIG_BIT(signo) & SIGSET_STOP)
				p->stop_taken = 1;
		}
	}
	spin_unlock_irqrestore(&p->siglock, flags);
	return step;
}

/* True: a handler will run, go to user mode. */
static bool signal_act(struct trapframe *tf, const struct sigaction_k *act, const struct siginfo_k *info)
{
	u64 bit = SIG_BIT(info->signo);

	if (act->handler > SIG_IGN) {
		handler_run(tf, act, info);
		return true;
	}
	if (act->handler == SIG_IGN || (bit & SIGSET_IGNORE))
		return false;
	if (bit & SIGSET_STOP) {
		stop_begin(info->signo);
		return false;
	}
	if ((bit & SIGSET_FAULT) && info->code > 0)
		explain_death(info, tf);
	process_exit_group(info->signo);
}

static void no_handler_ran(struct trapframe *tf)
{
	struct task *t = current();
	u64 flags;

	restart_settle(tf, NULL);
	if (!t->restore_sigmask)
		return;
	flags = spin_lock_irqsave(&t->proc->siglock);
	t->restore_sigmask = 0;
	sigmask_set_locked(t, t->saved_sigmask);
	spin_unlock_irqrestore(&t->proc->siglock, flags);
}

static void signal_work(struct trapframe *tf)
{
	struct sigaction_k act;
	struct siginfo_k info;

	for (;;) {
		switch (signal_next(&info, &act)) {
		case STEP_DIE: die();
		case STEP_CONTINUED: parent_hears(current_process(), CLD_CONTINUED, SIGCONT); break;
		case STEP_STOP: stop_here(); break;
		case STEP_SIGNAL:
			if (signal_act(tf, &act, &info)) {
				/* More may be deliverable: their handlers run first, on top. */
				if (signal_deliverable(current()))
					__atomic_fetch_or(&current_thread()->work, THREAD_SIGNAL, __ATOMIC_SEQ_CST);
				return;
			}
			break;
		case STEP_NONE: no_handler_ran(tf); return;
		}
	}
}

void user_return_work(struct trapframe *tf)
{
	u32 work = READ_ONCE(current_thread()->work);

	if (work & THREAD_RESCHED)
		sched_run();
	if (work & THREAD_SIGNAL) {
		if (current_process())
			signal_work(tf);
		else
			__atomic_fetch_and(&current_thread()->work, ~THREAD_SIGNAL, __ATOMIC_RELAXED);
	}
}

/* ---- faults ---- */

void user_trap_signal(int signo, int code, vaddr_t addr)
{
	struct siginfo_k info;

	siginfo_kernel(&info, signo);
	info.code = code;
	info.fault.addr = addr;
	signal_force(&info);
}

void user_fault_signal(const struct fault *f, int result, struct trapframe *tf)
{
	switch (result) {
	case FAULT_SEGV_MAP: user_trap_signal(SIGSEGV, SEGV_MAPERR, f->addr); break;
	case FAULT_SEGV_ACC: user_trap_signal(SIGSEGV, SEGV_ACCERR, f->addr); break;
	case FAULT_BUS: user_trap_signal(SIGBUS, BUS_ADRERR, f->addr); break;
	case FAULT_OOM:
		/* It was chosen to die for it (proc/oom.c): the signal is on its way. */
		explain_no_memory(f, tf);
		break;
	default: break;
	}
}
