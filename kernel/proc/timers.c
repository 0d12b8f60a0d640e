/* Interval timers (setitimer), CPU-time limits, and what the tick does for a process. */
#include "proc/timers.h"

#include "arch/riscv/arch.h"
#include "lib/errno.h"
#include "mm/slab.h"
#include "proc/sched.h"
#include "proc/sigqueue.h"

#define NSEC          1000000000ul
#define PERIOD_MIN_NS 50000ul /* however short a period is asked for, expirations keep this distance */

void timers_init(void)
{
	sched_load_start();
}

/* ---- ITIMER_REAL ---- */

static void real_fire(struct ktimer *kt)
{
	struct itimer_set *set = container_of(kt, struct itimer_set, real);
	struct process *p = set->proc;
	u64 flags = spin_lock_irqsave(&p->siglock), now = clock_mono_ns(), next;
	struct siginfo_k info;

	siginfo_kernel(&info, SIGALRM);
	signal_send_locked(p, NULL, &info, -1);
	if (set->real_interval) {
		next = kt->deadline_ns + set->real_interval;
		ktimer_start(kt, MAX(next, now + PERIOD_MIN_NS));
	}
	spin_unlock_irqrestore(&p->siglock, flags);
}

struct itimer_set *timers_get(struct process *p)
{
	struct itimer_set *set = READ_ONCE(p->timers);
	u64 flags;

	if (set)
		return set;
	set = kzalloc(sizeof(*set), 0);
	if (!set)
		return NULL;
	set->proc = p;
	set->real.fn = real_fire;
	index_init(&set->ptimers);
	flags = spin_lock_irqsave(&p->siglock);
	if (!p->timers) {
		store_release(&p->timers, set); /* itimer_get looks without the lock */
		set = NULL;
	}
	spin_unlock_irqrestore(&p->siglock, flags);
	kfree(set); /* another thread was first */
	return p->timers;
}

static void real_read_locked(const struct itimer_set *set, struct itimer_spec *out)
{
	u64 now = clock_mono_ns();

	out->interval_ns = set->real_interval;
	out->value_ns = 0;
	if (set->real.armed)
		out->value_ns = set->real.deadline_ns > now ? set->real.deadline_ns - now : 1;
}

static void real_set(struct itimer_set *set, const struct itimer_spec *value, struct itimer_spec *old)
{
	struct process *p = set->proc;
	u64 flags;

	for (;;) {
		flags = spin_lock_irqsave(&p->siglock);
		real_read_locked(set, old);
		if (ktimer_try_cancel(&set->real))
			break;
		spin_unlock_irqrestore(&p->siglock, flags);
		cpu_relax();
	}
	set->real_interval = value->value_ns ? value->interval_ns : 0;
	if (value->value_ns)
		ktimer_start(&set->real, clock_mono_ns() + value->value_ns);
	spin_unlock_irqrestore(&p->siglock, flags);
}

/* ---- ITIMER_VIRTUAL 1, ITIMER_PROF 2: counted down by the tick ---- */

static void cpu_exchange(struct itimer_set *set, u32 i, const struct itimer_spec *value, struct itimer_spec *old)
{
	u64 flags = spin_lock_irqsave(&set->proc->siglock);

	old->value_ns = set->cpu_left[i];
	old->interval_ns = set->cpu_interval[i];
	if (value) {
		set->cpu_left[i] = value->value_ns;
		set->cpu_interval[i] = value->interval_ns;
	}
	spin_unlock_irqrestore(&set->proc->siglock, flags);
}

long itimer_set(u32 which, const struct itimer_spec *new_value, struct itimer_spec *old)
{
	struct itimer_set *set;
	struct itimer_spec before;

	if (which > 2)
		return -EINVAL;
	set = timers_get(current_process());
	if (!set)
		return -ENOMEM;
	if (which == 0)
		real_set(set, new_value, &before);
	else
		cpu_exchange(set, which - 1, new_value, &before);
	if (old)
		*old = before;
	return 0;
}

long itimer_get(u32 which, struct itimer_spec *out)
{
	struct process *p = current_process();
	u64 flags;

	if (which > 2)
		return -EINVAL;
	*out = (struct itimer_spec){0};
	if (!p->timers)
		return 0;
	if (which) {
		cpu_exchange(p->timers, which - 1, NULL, out);
		return 0;
	}
	flags = spin_lock_irqsave(&p->siglock);
	real_read_locked(p->timers, out);
	spin_unlock_irqrestore(&p->siglock, flags);
	return 0;
}

/* ---- the tick ---- */

static void cpu_timer_tick_locked(struct itimer_set *set, u32 i, u64 delta, int signo)
{
	struct siginfo_k info;

	if (!set->cpu_left[i])
		return;
	if (set->cpu_left[i] > delta) {
		set->cpu_left[i] -= delta;
		return;
	}
	set->cpu_left[i] = set->cpu_interval[i];
	siginfo_kernel(&info, signo);
	signal_send_locked(set->proc, NULL, &info, -1);
}

static void cpu_limit_tick_locked(struct process *p)
{
	u64 hard = p->limits[RLIM_CPU].hard;
	struct siginfo_k info;

	if (p->cpu_ns < p->cpu_warn_ns)
		return;
	p->cpu_warn_ns = p->cpu_ns + NSEC;
	siginfo_kernel(&info, hard != RLIM_INFINITY && p->cpu_ns >= hard * NSEC ? SIGKILL : SIGXCPU);
	signal_send_locked(p, NULL, &info, -1);
}

void process_tick(u32 from_user)
{
	struct task *t = current();
	struct process *p = t->proc;
	u64 delta, flags;

	if (!p || t->exiting)
		return;
	delta = t->exec_total - t->cpu_seen;
	t->cpu_seen = t->exec_total;
	flags = spin_lock_irqsave(&p->siglock);
	p->cpu_ns += delta;
	if (p->timers) {
		if (from_user)
			cpu_timer_tick_locked(p->timers, 0, delta, SIGVTALRM);
		cpu_timer_tick_locked(p->timers, 1, delta, SIGPROF);
	}
	cpu_limit_tick_locked(p);
	spin_unlock_irqrestore(&p->siglock, flags);
}

/* ---- ends ---- */

void process_timers_exec(struct process *p)
{
	if (p->timers)
		ptimers_delete_all(p->timers);
}

void process_timers_exit(struct process *p)
{
	struct itimer_set *set = p->timers;
	u64 flags;

	if (!set)
		return;
	ptimers_delete_all(set);
	flags = spin_lock_irqsave(&p->siglock);
	set->real_interval = 0;
	spin_unlock_irqrestore(&p->siglock, flags);
	ktimer_cancel(&set->real);
}
