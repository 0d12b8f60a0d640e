/* Signals: queues, the handlers' table, and the calls on handlers and masks. */
#include "proc/signal.h"

#include "arch/riscv/arch.h"
#include "arch/riscv/sigframe.h"
#include "lib/bitmap.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/proc.h"
#include "proc/sched.h"
#include "proc/sigqueue.h"

static struct slab_cache *node_cache, *sighand_cache;

void signal_init(void)
{
	node_cache = slab_cache_create("siginfo", sizeof(struct siginfo_node), 0);
	sighand_cache = slab_cache_create("sighand", sizeof(struct sighand), 0);
}

static const char *const names[32] = {
	[SIGHUP] = "SIGHUP",
	[SIGINT] = "SIGINT",
	[SIGQUIT] = "SIGQUIT",
	[SIGILL] = "SIGILL",
	[SIGTRAP] = "SIGTRAP",
	[SIGABRT] = "SIGABRT",
	[SIGBUS] = "SIGBUS",
	[SIGFPE] = "SIGFPE",
	[SIGKILL] = "SIGKILL",
	[SIGUSR1] = "SIGUSR1",
	[SIGSEGV] = "SIGSEGV",
	[SIGUSR2] = "SIGUSR2",
	[SIGPIPE] = "SIGPIPE",
	[SIGALRM] = "SIGALRM",
	[SIGTERM] = "SIGTERM",
	[SIGCHLD] = "SIGCHLD",
	[SIGCONT] = "SIGCONT",
	[SIGSTOP] = "SIGSTOP",
	[SIGTSTP] = "SIGTSTP",
	[SIGTTIN] = "SIGTTIN",
	[SIGTTOU] = "SIGTTOU",
	[SIGURG] = "SIGURG",
	[SIGXCPU] = "SIGXCPU",
	[SIGXFSZ] = "SIGXFSZ",
	[SIGVTALRM] = "SIGVTALRM",
	[SIGPROF] = "SIGPROF",
	[SIGWINCH] = "SIGWINCH",
	[SIGIO] = "SIGIO",
	[SIGPWR] = "SIGPWR",
	[SIGSYS] = "SIGSYS",
};

const char *signal_name(int signo)
{
	return signo > 0 && signo < 32 && names[signo] ? names[signo] : "a real-time signal";
}

/* ---- queues ---- */

void signal_queue_init(struct signal_queue *q)
{
	q->set = 0;
	q->nr = 0;
	list_init(&q->infos);
}

void signal_queue_flush(struct signal_queue *q, u64 set)
{
	struct siginfo_node *n, *next;

	if (!(q->set & set))
		return;
	list_for_each_entry_safe (n, next, &q->infos, link) {
		if (!(set & SIG_BIT(n->info.signo)))
			continue;
		list_del(&n->link);
		slab_free(node_cache, n);
		q->nr--;
	}
	q->set &= ~set;
}

/* 0; -EAGAIN: no room for an info. The set's bit is the caller's. */
int signal_queue_add(struct signal_queue *q, const struct siginfo_k *info, int timer_id, u64 limit)
{
	struct siginfo_node *n;

	if (info->signo >= SIGRTMIN && q->nr >= limit)
		return -EAGAIN;
	n = slab_alloc(node_cache, ALLOC_ATOMIC);
	if (!n)
		return -EAGAIN;
	n->info = *info;
	n->timer_id = timer_id;
	list_add_tail(&n->link, &q->infos);
	q->nr++;
	return 0;
}

/* Takes the first info of `signo`; without one says what is left to say. */
static void queue_take(struct signal_queue *q, int signo, struct siginfo_k *out, int *timer_id)
{
	struct siginfo_node *n, *found = NULL;
	bool more = false;

	list_for_each_entry (n, &q->infos, link) {
		if (n->info.signo != signo)
			continue;
		if (found) {
			more = true;
			break;
		}
		found = n;
	}
	if (!more)
		q->set &= ~SIG_BIT(signo);
	*timer_id = -1;
	if (!found) {
		memset(out, 0, sizeof(*out));
		out->signo = signo;
		return;
	}
	*out = found->info;
	*timer_id = found->timer_id;
	list_del(&found->link);
	slab_free(node_cache, found);
	q->nr--;
}

static int signal_first(u64 set)
{
	u64 faults = set & SIGSET_FAULT;

	if (!set)
		return 0;
	return (int)bit_lowest(faults ? faults : set) + 1;
}

int signal_dequeue_locked(struct task *t, u64 set, struct siginfo_k *out, int *timer_id)
{
	struct signal_queue *q = &t->pending;
	int signo = signal_first(q->set & set);

	if (!signo) {
		q = &t->proc->pending;
		signo = signal_first(q->set & set);
	}
	if (signo) {
		queue_take(q, signo, out, timer_id);
		if (*timer_id >= 0)
			out->timer.overrun = ptimer_delivered_locked(t->proc, *timer_id);
	}
	return signo;
}

u64 signal_deliverable(const struct task *t)
{
	return (READ_ONCE(t->pending.set) | READ_ONCE(t->proc->pending.set)) & ~t->sigmask;
}

/* Looks only; the work bit is cleared on the way to user mode, or an interrupted call would not be restarted. */
bool sched_signal_pending(void)
{
	struct task *t = current();

	if (!(READ_ONCE(t->thread.work) & THREAD_SIGNAL) || !t->proc)
		return false;
	return READ_ONCE(t->must_exit) || READ_ONCE(t->proc->stopped) || signal_deliverable(t) != 0;
}

bool sched_fatal_signal_pending(void)
{
	return READ_ONCE(current()->must_exit) != 0;
}

/* ---- the handlers' table ---- */

struct sighand *sighand_create(void)
{
	struct sighand *sh = slab_alloc(sighand_cache, ALLOC_ZERO);

	if (sh)
		refcount_init(&sh->refs, 1);
	return sh;
}

struct sighand *sighand_copy(struct process *from)
{
	struct sighand *sh = slab_alloc(sighand_cache, 0);
	u64 flags;

	if (!sh)
		return NULL;
	refcount_init(&sh->refs, 1);
	flags = spin_lock_irqsave(&from->siglock);
	memcpy(sh->action, from->sighand->action, sizeof(sh->action));
	spin_unlock_irqrestore(&from->siglock, flags);
	return sh;
}

void sighand_put(struct sighand *sh)
{
	if (refcount_put(&sh->refs))
		slab_free(sighand_cache, sh);
}

void sighand_reset(struct sighand *sh)
{
	for (u32 i = 0; i < NSIG; i++) {
		struct sigaction_k *a = &sh->action[i];

		a->handler = a->handler == SIG_IGN ? SIG_IGN : SIG_DFL;
		a->flags = 0;
		a->mask = 0;
	}
}

/* A signal that is now ignored is thrown away wherever it waits. */
static void flush_ignored_locked(struct process *p, int signo, const struct sigaction_k *act)
{
	struct task *t;

	if (act->handler != SIG_IGN && !(act->handler == SIG_DFL && (SIG_BIT(signo) & SIGSET_IGNORE)))
		return;
	signal_queue_flush(&p->pending, SIG_BIT(signo));
	list_for_each_entry (t, &p->threads, thread_link)
		signal_queue_flush(&t->pending, SIG_BIT(signo));
}

long signal_action(int signo, const struct sigaction_k *act, struct sigaction_k *old)
{
	struct process *p = current_process();
	struct sigaction_k *slot;
	u64 flags;

	if (signo < 1 || signo > NSIG || (act && (SIG_BIT(signo) & SIGSET_UNBLOCKABLE)))
		return -EINVAL;
	flags = spin_lock_irqsave(&p->siglock);
	slot = &p->sighand->action[signo - 1];
	if (old)
		*old = *slot;
	if (act) {
		*slot = *act;
		slot->mask &= ~SIGSET_UNBLOCKABLE;
		flush_ignored_locked(p, signo, act);
	}
	spin_unlock_irqrestore(&p->siglock, flags);
	return 0;
}

/* ---- masks ---- */

static NOINLINE void wake_siblings_locked(struct task *t, u64 left)
{
	struct task *other;

	list_for_each_entry (other, &t->proc->threads, thread_link) {
		if (other != t && signal_wanted_locked(other, left))
			sched_wake_signal(other, SIGNAL_WAKE_NORMAL);
	}
}

/* Process-wide signals that t does not take any more may be taken by its siblings. */
static inline void retarget_locked(struct task *t, u64 not_taken)
{
	u64 left = t->proc->pending.set & not_taken;

	if (unlikely(left) && t->proc->nr_live > 1)
		wake_siblings_locked(t, left);
}

void sigmask_set_locked(struct task *t, u64 mask)
{
	u64 blocked = mask & ~t->sigmask;

	t->sigmask = mask & ~SIGSET_UNBLOCKABLE;
	if (blocked)
		retarget_locked(t, blocked);
	if (signal_deliverable(t))
		__atomic_fetch_or(&t->thread.work, THREAD_SIGNAL, __ATOMIC_SEQ_CST);
}

static void sigmask_set(u64 mask)
{
	struct task *t = current();
	u64 flags = spin_lock_irqsave(&t->proc->siglock);

	sigmask_set_locked(t, mask);
	spin_unlock_irqrestore(&t->proc->siglock, flags);
}

long signal_procmask(int how, const u64 *set, u64 *old)
{
	struct task *t = current();
	u64 now = t->sigmask;

	if (old)
		*old = now;
	if (!set)
		return 0;
	switch (how) {
	case 0: /* SIG_BLOCK */ sigmask_set(now | *set); return 0;
	case 1: /* SIG_UNBLOCK */ sigmask_set(now & ~*set); return 0;
	case 2: /* SIG_SETMASK */ sigmask_set(*set); return 0;
	default: return -EINVAL;
	}
}

long signal_pending_set(u64 *out)
{
	struct task *t = current();

	*out = (READ_ONCE(t->pending.set) | READ_ONCE(t->proc->pending.set)) & t->sigmask;
	return 0;
}

void signal_mask_begin(u64 mask)
{
	struct task *t = current();

	t->saved_sigmask = t->sigmask;
	sigmask_set(mask);
}

void signal_mask_end(int interrupted)
{
	struct task *t = current();

	if (interrupted) {
		/* The handler is to run under the call's mask; user_return_work puts the old one back. */
		t->restore_sigmask = 1;
		__atomic_fetch_or(&t->thread.work, THREAD_SIGNAL, __ATOMIC_SEQ_CST);
	} else {
		sigmask_set(t->saved_sigmask);
	}
}

long signal_suspend(u64 mask)
{
	signal_mask_begin(mask);
	do {
		sched_prepare_sleep(SLEEP_INTERRUPTIBLE);
	} while (sched_sleep(SCHED_FOREVER) != -EINTR);
	signal_mask_end(1);
	return -ERESTARTNOHAND;
}

/* A signal of `set`, or 0: then it waits for one, unless this is the last look. */
static int timedwait_take(struct task *t, u64 set, struct siginfo_k *out, bool last)
{
	u64 flags = spin_lock_irqsave(&t->proc->siglock);
	int timer_id, signo = signal_dequeue_locked(t, set, out, &timer_id);

	/*
	 * Only while it waits do senders take this thread for one that wants them. That ends in one step with the look: what is left
	 * may have been sent when this thread was chosen for it, and is for others who wait.
	 */
	t->wait_set = signo || last ? 0 : set;
	if (!t->wait_set)
		retarget_locked(t, set & t->sigmask);
	spin_unlock_irqrestore(&t->proc->siglock, flags);
	return signo;
}

long signal_timedwait(u64 set, struct siginfo_k *out, u64 deadline_ns)
{
	struct task *t = current();
	int err = 0, signo;

	set &= ~SIGSET_UNBLOCKABLE;
	for (;;) {
		sched_prepare_sleep(SLEEP_INTERRUPTIBLE);
		signo = timedwait_take(t, set, out, err != 0);
		if (signo || err)
			break;
		err = sched_sleep(deadline_ns);
	}
	sched_cancel_sleep();
	if (signo)
		return signo;
	return err == -ETIMEDOUT ? -EAGAIN : -EINTR;
}

/* ---- the alternate stack ---- */

static bool on_altstack(const struct task *t)
{
	vaddr_t sp = TF_SP(t->thread.tf);

	return !(t->altstack.flags & (int)SS_AUTODISARM) && sp > t->altstack.sp &&
		sp - t->altstack.sp <= t->altstack.size;
}

long signal_altstack(const struct sigaltstack_k *new_stack, struct sigaltstack_k *old)
{
	struct task *t = current();
	int mode;

	if (old) {
		*old = t->altstack;
		old->flags = t->altstack.size == 0 ? SS_DISABLE
			: on_altstack(t)           ? SS_ONSTACK
						   : t->altstack.flags & (int)SS_AUTODISARM;
	}
	if (!new_stack)
		return 0;
	if (on_altstack(t) && t->altstack.size)
		return -EPERM;
	mode = new_stack->flags & ~(int)SS_AUTODISARM;
	if (mode != 0 && mode != SS_ONSTACK && mode != SS_DISABLE)
		return -EINVAL;
	if (mode == SS_DISABLE) {
		t->altstack = (struct sigaltstack_k){.flags = SS_DISABLE};
		return 0;
	}
	if (new_stack->size < MINSIGSTKSZ)
		return -ENOMEM;
	t->altstack = *new_stack;
	return 0;
}

long signal_return(struct trapframe *tf)
{
	struct sigframe_stack stack;
	struct sigaltstack_k again;
	struct siginfo_k info;
	u64 mask;

	if (sigframe_pop(tf, &mask, &stack)) {
		siginfo_kernel(&info, SIGSEGV);
		signal_force(&info);
		return 0;
	}
	sigmask_set(mask);
	again = (struct sigaltstack_k){.sp = stack.sp, .flags = stack.flags, .size = stack.size};
	if (stack.size)
		(void)signal_altstack(&again, NULL);
	return (long)TF_A(tf, 0);
}
