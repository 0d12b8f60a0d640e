/* The scheduler's knobs and meters: nice, affinity, policy, yield; CPU times, load average, counters. */
#include "arch/riscv/arch.h"
#include "lib/errno.h"
#include "mm/aspace.h"
#include "proc/cred.h"
#include "proc/pid.h"
#include "proc/proc.h"
#include "proc/sched.h"
#include "proc/sigqueue.h"

#define LOAD_PERIOD_NS 5000000000ul
#define RR_INTERVAL_NS 100000000ul

/* ---- finding whom a call means; tid 0: the caller ---- */

static struct task *ctl_lookup(int tid)
{
	if (tid < 0)
		return NULL;
	if (tid == 0) {
		task_get(current());
		return current();
	}
	return task_lookup(tid);
}

static bool ctl_may_change(const struct task *t)
{
	u64 flags = spin_lock_irqsave(&tasks_lock);
	bool ok = cred_may_change_locked(t);

	spin_unlock_irqrestore(&tasks_lock, flags);
	return ok;
}

/* ---- affinity ---- */

long sched_set_affinity(int tid, u64 mask)
{
	struct task *t = ctl_lookup(tid);
	struct runq *rq;
	u64 flags;
	long ret = 0;

	if (!t)
		return -ESRCH;
	mask &= nr_harts >= 64 ? ~0ul : BIT(nr_harts) - 1;
	if (!ctl_may_change(t))
		ret = -EPERM;
	else if (!mask)
		ret = -EINVAL;
	if (ret == 0) {
		flags = irq_save();
		rq = task_runq_lock(t);
		t->affinity = mask;
		runq_rehome(rq, t);
		irq_restore(flags);
	}
	task_put(t);
	sched_point();
	return ret;
}

long sched_get_affinity(int tid, u64 *mask)
{
	struct task *t = ctl_lookup(tid);

	if (!t)
		return -ESRCH;
	*mask = t->affinity & (nr_harts >= 64 ? ~0ul : BIT(nr_harts) - 1);
	task_put(t);
	return 0;
}

/* ---- nice ---- */

static void task_set_nice(struct task *t, int nice)
{
	u64 flags = irq_save();
	struct runq *rq = task_runq_lock(t);
	bool waiting = runq_change_begin(rq, t);

	t->nice = nice;
	t->weight = t->policy == SCHED_IDLE ? 3 : sched_weight(nice);
	runq_change_end(rq, t, waiting);
	spin_unlock(&rq->lock);
	irq_restore(flags);
}

struct nice_walk {
	int set; /* 1: nice is the new value; 0: nice collects the best */
	int nice;
	int found;
	long error;
};

/* Locks: tasks_lock held. */
static void nice_visit_locked(struct nice_walk *w, struct task *t)
{
	w->found++;
	if (!w->set) {
		w->nice = MIN(w->nice, t->nice);
		return;
	}
	if (!cred_may_change_locked(t))
		w->error = -EPERM;
	else if (w->nice < t->nice && !cred_capable() &&
		(!t->proc || 20 - w->nice > (int)MIN(t->proc->limits[RLIM_NICE].soft, 40ul)))
		w->error = -EACCES;
	else
		task_set_nice(t, w->nice);
}

static void nice_visit_threads_locked(struct nice_walk *w, struct process *p)
{
	struct task *t;

	list_for_each_entry (t, &p->threads, thread_link)
		nice_visit_locked(w, t);
}

static void nice_walk_group_locked(struct nice_walk *w, int who)
{
	struct pid *pid = who ? pid_lookup(who) : NULL;
	struct pid *group = pid ? pid : current_process()->pgrp;
	struct process *p;

	if (who && !pid)
		return;
	list_for_each_entry (p, &group->group, pgrp_link)
		nice_visit_threads_locked(w, p);
	if (pid)
		pid_put(pid);
}

static void nice_walk_user_locked(struct nice_walk *w, u32 uid)
{
	struct pid *pid;
	int nr = 1;

	while ((pid = pid_next(nr)) != NULL) {
		struct task *t = pid->task;

		nr = pid->nr + 1;
		if (t && t->proc && t->cred->cred.uid == uid)
			nice_visit_locked(w, t);
		pid_put(pid);
	}
}

static long nice_walk(struct nice_walk *w, int which, int who)
{
	u64 flags;
	struct task *t;

	if (which < 0 || which > 2)
		return -EINVAL;
	if (which == 0) { /* PRIO_PROCESS: really a thread */
		t = ctl_lookup(who);
		if (!t)
			return -ESRCH;
		flags = spin_lock_irqsave(&tasks_lock);
		nice_visit_locked(w, t);
		spin_unlock_irqrestore(&tasks_lock, flags);
		task_put(t);
	} else {
		flags = spin_lock_irqsave(&tasks_lock);
		if (which == 1)
			nice_walk_group_locked(w, who);
		else
			nice_walk_user_locked(w, who ? (u32)who : cred_current()->uid);
		spin_unlock_irqrestore(&tasks_lock, flags);
	}
	return w->found ? w->error : -ESRCH;
}

long sched_set_nice(int which, int who, int nice)
{
	struct nice_walk w = {.set = 1, .nice = CLAMP(nice, -20, 19)};

	return nice_walk(&w, which, who);
}

/* As the system call has it: 20 - nice, so that no result looks like an error. */
long sched_get_nice(int which, int who)
{
	struct nice_walk w = {.set = 0, .nice = 19};
	long err = nice_walk(&w, which, who);

	return err ? err : 20 - w.nice;
}

/* ---- policy ---- */

static bool policy_is_rt(u32 policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

static long policy_check(const struct task *t, u32 policy, u32 priority)
{
	if (policy > SCHED_IDLE || policy == 4)
		return -EINVAL;
	if (policy_is_rt(policy) ? priority < 1 || priority > 99 : priority != 0)
		return -EINVAL;
	if (!ctl_may_change(t))
		return -EPERM;
	if (policy_is_rt(policy) && !cred_capable() && (!t->proc || priority > t->proc->limits[RLIM_RTPRIO].soft))
		return -EPERM;
	return 0;
}

long sched_set_policy(int tid, u32 policy, u32 priority)
{
	struct task *t = ctl_lookup(tid);
	struct runq *rq;
	bool waiting;
	u64 flags;
	long ret;

	if (!t)
		return -ESRCH;
	ret = policy_check(t, policy, priority);
	if (ret == 0) {
		flags = irq_save();
		rq = task_runq_lock(t);
		waiting = runq_change_begin(rq, t);
		if (policy_is_rt(t->policy) && !policy_is_rt(policy))
			t->vruntime = rq->min_vruntime;
		t->policy = policy;
		t->rt_priority = priority;
		t->weight = policy == SCHED_IDLE ? 3 : sched_weight(t->nice);
		t->slice_end = policy_is_rt(policy) ? ~0ul : 0;
		runq_change_end(rq, t, waiting);
		spin_unlock(&rq->lock);
		irq_restore(flags);
	}
	task_put(t);
	return ret;
}

long sched_get_policy(int tid, u32 *policy, u32 *priority)
{
	struct task *t = ctl_lookup(tid);

	if (!t)
		return -ESRCH;
	*policy = t->policy;
	*priority = t->rt_priority;
	task_put(t);
	return 0;
}

long sched_rr_interval(int tid, u64 *ns)
{
	struct task *t = ctl_lookup(tid);

	if (!t)
		return -ESRCH;
	*ns = t->policy == SCHED_RR ? RR_INTERVAL_NS : t->policy == SCHED_FIFO ? 0 : 4000000;
	task_put(t);
	return 0;
}

void sched_yield_now(void)
{
	struct task *t = current();
	u64 flags = irq_save();
	struct runq *rq = task_runq_lock(t);

	runq_account(rq, clock_mono_ns());
	if (policy_is_rt(t->policy)) {
		t->slice_end = 0; /* to the end of its equals */
	} else if (rq->first) {
		u64 first = tree_entry(rq->first, struct task, run_node)->vruntime;

		t->vruntime = MAX(t->vruntime, first);
	}
	spin_unlock(&rq->lock);
	irq_restore(flags);
	sched_run();
}

/* ---- CPU time ---- */

u64 sched_exec_total(struct task *t)
{
	u64 flags = irq_save(), total;
	struct runq *rq = task_runq_lock(t);

	if (rq->current == t)
		runq_account(rq, clock_mono_ns());
	total = t->exec_total;
	spin_unlock(&rq->lock);
	irq_restore(flags);
	return total;
}

/*
 * Entering and leaving the kernel does not read the clock: the sum is exact, and its split follows the ticks (half and half before the
 * first one). Neither part may go down when the ratio moves, so the last answers are floors.
 */
void task_times(struct task *t, u64 *utime_ns, u64 *stime_ns)
{
	u64 total = sched_exec_total(t), user = READ_ONCE(t->ticks_user), sys = READ_ONCE(t->ticks_system);
	u64 u;

	if (!t->proc)
		u = 0;
	else if (user + sys == 0)
		u = total / 2;
	else
		u = total / (user + sys) * user + total % (user + sys) * user / (user + sys);
	u = MAX(u, READ_ONCE(t->utime));
	u = MIN(u, total - MIN(total, READ_ONCE(t->stime)));
	WRITE_ONCE(t->utime, u);
	WRITE_ONCE(t->stime, total - u);
	*utime_ns = u;
	*stime_ns = total - u;
}

void process_times(struct process *p, u64 *utime_ns, u64 *stime_ns)
{
	u64 flags = spin_lock_irqsave(&p->siglock), u, s;
	struct task *t;

	*utime_ns = p->utime;
	*stime_ns = p->stime;
	list_for_each_entry (t, &p->threads, thread_link) {
		if (t->times_folded)
			continue;
		task_times(t, &u, &s);
		*utime_ns += u;
		*stime_ns += s;
	}
	spin_unlock_irqrestore(&p->siglock, flags);
}

void sched_hart_times(u32 hart, struct hart_times *out)
{
	struct runq *rq = &runqs[hart];
	u64 flags = spin_lock_irqsave(&rq->lock);

	if (rq->current)
		runq_account(rq, clock_mono_ns());
	*out = (struct hart_times){
		.user = rq->user_ns,
		.nice = rq->nice_ns,
		.system = rq->system_ns,
		.idle = rq->idle_ns,
	};
	spin_unlock_irqrestore(&rq->lock, flags);
}

u64 sched_nr_switches(void)
{
	u64 n = 0;

	for (u32 i = 0; i < nr_harts; i++)
		n += READ_ONCE(runqs[i].nr_switches);
	return n;
}

u64 sched_nr_running(void)
{
	u64 n = 0;

	for (u32 i = 0; i < nr_harts; i++)
		n += READ_ONCE(runqs[i].nr_running);
	return n;
}

/* ---- load average: exp(-5 s / 1, 5, 15 min) in 1<<16 fixed point ---- */

static const u32 load_decay[3] = {60296, 64453, 65173};
static u64 load_average[3];
static struct ktimer load_timer;

static void load_sample(struct ktimer *timer)
{
	u64 active = sched_nr_running() << 16;

	for (u32 i = 0; i < 3; i++) {
		u64 load = load_average[i] * load_decay[i] + active * (65536 - load_decay[i]);

		WRITE_ONCE(load_average[i], load >> 16);
	}
	ktimer_start(timer, timer->deadline_ns + LOAD_PERIOD_NS);
}

void sched_load_start(void)
{
	load_timer.fn = load_sample;
	ktimer_start(&load_timer, clock_mono_ns() + LOAD_PERIOD_NS);
}

void sched_load(u64 out[3])
{
	for (u32 i = 0; i < 3; i++)
		out[i] = READ_ONCE(load_average[i]);
}
