/*
 * POSIX timers (timer_create).
 *
 * An expiration sends one signal; while that one is still queued, further expirations only count as overruns, which the
 * delivery reports. A timer's function runs in the timer interrupt and takes siglock.
 */
#include "arch/riscv/arch.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/sigqueue.h"
#include "proc/timers.h"

#define PTIMER_MAX       1024
#define PERIOD_MIN_NS    100000ul
#define NOTIFY_SIGNAL    0
#define NOTIFY_NONE      1
#define NOTIFY_THREAD_ID 4
#define TIMER_ABSTIME    1u

struct ptimer {
	struct ktimer timer;
	struct process *proc;
	int id;
	u32 clock;
	struct sigevent_k event;
	u64 interval;
	u64 overrun;      /* expirations since the one that is queued */
	int overrun_last; /* what the last delivery said */
	u32 dead;
};

static bool queue_has_timer(const struct signal_queue *q, int id)
{
	struct siginfo_node *n;

	list_for_each_entry (n, &q->infos, link) {
		if (n->timer_id == id)
			return true;
	}
	return false;
}

/* Sends, unless the last signal is still queued. Locks: siglock held. */
static void ptimer_signal_locked(struct ptimer *pt, u64 expirations)
{
	struct task *thread = NULL;
	struct signal_queue *q;
	struct siginfo_k info;

	if (pt->event.notify == NOTIFY_NONE)
		return;
	if (pt->event.notify == NOTIFY_THREAD_ID) {
		thread = task_lookup(pt->event.tid);
		if (!thread || thread->proc != pt->proc)
			goto out;
	}
	q = thread ? &thread->pending : &pt->proc->pending;
	if (queue_has_timer(q, pt->id)) {
		pt->overrun += expirations;
		goto out;
	}
	pt->overrun = expirations - 1;
	memset(&info, 0, sizeof(info));
	info.signo = pt->event.signo;
	info.code = SI_TIMER;
	info.timer.tid = pt->id;
	info.timer.value = pt->event.value;
	signal_send_locked(pt->proc, thread, &info, pt->id);
out:
	if (thread)
		task_put(thread);
}

/* Expirations until now, the first included; *next: when the one after them is due. */
static u64 expirations(const struct ptimer *pt, u64 now, u64 *next)
{
	u64 at = pt->timer.deadline_ns, n = 1;

	if (now > at)
		n += (now - at) / pt->interval;
	*next = MAX(at + n * pt->interval, now + PERIOD_MIN_NS);
	return n;
}

static void ptimer_fire(struct ktimer *kt)
{
	struct ptimer *pt = container_of(kt, struct ptimer, timer);
	u64 flags = spin_lock_irqsave(&pt->proc->siglock), next, n = 1;

	if (!pt->dead) {
		if (pt->interval) {
			n = expirations(pt, clock_mono_ns(), &next);
			ktimer_start(kt, next);
		}
		ptimer_signal_locked(pt, n);
	}
	spin_unlock_irqrestore(&pt->proc->siglock, flags);
}

int ptimer_delivered_locked(struct process *p, int timer_id)
{
	struct ptimer *pt = p->timers ? index_get(&p->timers->ptimers, (u64)timer_id) : NULL;

	if (!pt)
		return 0;
	pt->overrun_last = (int)MIN(pt->overrun, 0x7ffffffful);
	pt->overrun = 0;
	return pt->overrun_last;
}

/* ---- the calls ---- */

static long event_check(const struct sigevent_k *ev)
{
	struct task *t;
	long err = 0;

	if (ev->notify == NOTIFY_NONE)
		return 0;
	if ((ev->notify != NOTIFY_SIGNAL && ev->notify != NOTIFY_THREAD_ID) || ev->signo < 1 || ev->signo > NSIG)
		return -EINVAL;
	if (ev->notify == NOTIFY_THREAD_ID) {
		t = task_lookup(ev->tid);
		if (!t || t->proc != current_process())
			err = -EINVAL;
		if (t)
			task_put(t);
	}
	return err;
}

/* The timer is whole before others can find it, and theirs to delete from then on. Its number, or -EAGAIN. */
static int ptimer_insert(struct itimer_set *set, struct ptimer *pt, const struct sigevent_k *ev)
{
	u64 flags = spin_lock_irqsave(&set->proc->siglock), id;
	int ret = -EAGAIN;

	if (index_find_free(&set->ptimers, 0, PTIMER_MAX - 1, &id) == 0) {
		pt->id = (int)id;
		pt->event = ev ? *ev : (struct sigevent_k){.signo = SIGALRM, .notify = NOTIFY_SIGNAL, .value = id};
		ret = index_set(&set->ptimers, id, pt) ? -EAGAIN : (int)id;
	}
	spin_unlock_irqrestore(&set->proc->siglock, flags);
	return ret;
}

long ptimer_create(u32 clock, const struct sigevent_k *ev, int *id)
{
	struct process *p = current_process();
	struct itimer_set *set;
	struct ptimer *pt;
	u64 unused;
	long err = clock_to_mono(clock, 0, &unused);

	if (!err && ev)
		err = event_check(ev);
	if (err)
		return err;
	set = timers_get(p);
	pt = set ? kzalloc(sizeof(*pt), 0) : NULL;
	if (!pt)
		return -EAGAIN;
	pt->proc = p;
	pt->clock = clock;
	pt->timer.fn = ptimer_fire;
	err = ptimer_insert(set, pt, ev);
	if (err < 0) {
		kfree(pt);
		return err;
	}
	*id = (int)err;
	return 0;
}

/* The siglock is held when it returns non-NULL. */
static struct ptimer *ptimer_lock(int id, u64 *flags)
{
	struct process *p = current_process();
	struct ptimer *pt = NULL;

	*flags = spin_lock_irqsave(&p->siglock);
	if (p->timers && id >= 0)
		pt = index_get(&p->timers->ptimers, (u64)id);
	if (!pt)
		spin_unlock_irqrestore(&p->siglock, *flags);
	return pt;
}

static void ptimer_unlock(const struct ptimer *pt, u64 flags)
{
	spin_unlock_irqrestore(&pt->proc->siglock, flags);
}

static void ptimer_read_locked(const struct ptimer *pt, struct itimer_spec *out)
{
	u64 now = clock_mono_ns();

	out->interval_ns = pt->interval;
	out->value_ns = 0;
	if (pt->timer.armed)
		out->value_ns = pt->timer.deadline_ns > now ? pt->timer.deadline_ns - now : 1;
}

long ptimer_settime(int id, u32 tflags, const struct itimer_spec *new_value, struct itimer_spec *old)
{
	u64 flags, deadline;
	struct ptimer *pt;

	for (;;) {
		pt = ptimer_lock(id, &flags);
		if (!pt)
			return -EINVAL;
		if (old)
			ptimer_read_locked(pt, old);
		if (ktimer_try_cancel(&pt->timer))
			break;
		ptimer_unlock(pt, flags);
		cpu_relax();
	}
	pt->interval = 0;
	pt->overrun = 0;
	if (new_value->value_ns) {
		deadline = clock_mono_ns() + new_value->value_ns;
		if (tflags & TIMER_ABSTIME)
			(void)clock_to_mono(pt->clock, new_value->value_ns, &deadline);
		pt->interval = new_value->interval_ns;
		ktimer_start(&pt->timer, deadline);
	}
	ptimer_unlock(pt, flags);
	return 0;
}

long ptimer_gettime(int id, struct itimer_spec *out)
{
	u64 flags;
	struct ptimer *pt = ptimer_lock(id, &flags);

	if (!pt)
		return -EINVAL;
	ptimer_read_locked(pt, out);
	ptimer_unlock(pt, flags);
	return 0;
}

long ptimer_overrun(int id)
{
	u64 flags;
	struct ptimer *pt = ptimer_lock(id, &flags);
	long n;

	if (!pt)
		return -EINVAL;
	n = pt->overrun_last;
	ptimer_unlock(pt, flags);
	return n;
}

/* It is out of the index: only its own function may still look at it. */
static void ptimer_free(struct ptimer *pt)
{
	ktimer_cancel(&pt->timer);
	kfree(pt);
}

long ptimer_delete(int id)
{
	u64 flags;
	struct ptimer *pt = ptimer_lock(id, &flags);

	if (!pt)
		return -EINVAL;
	pt->dead = 1;
	index_erase(&pt->proc->timers->ptimers, (u64)id);
	ptimer_unlock(pt, flags);
	ptimer_free(pt);
	return 0;
}

void ptimers_delete_all(struct itimer_set *set)
{
	struct process *p = set->proc;
	struct ptimer *pt;

	for (;;) {
		u64 flags = spin_lock_irqsave(&p->siglock), id = 0;

		pt = index_next(&set->ptimers, &id);
		if (pt) {
			pt->dead = 1;
			index_erase(&set->ptimers, id);
		}
		spin_unlock_irqrestore(&p->siglock, flags);
		if (!pt)
			return;
		ptimer_free(pt);
	}
}
