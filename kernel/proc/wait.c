/* wait4(2), waitid(2), getrusage(2). */
#include "lib/errno.h"
#include "mm/aspace.h"
#include "proc/cred.h"
#include "proc/pid.h"
#include "proc/proc.h"
#include "proc/sigqueue.h"

#define WAIT_NOHANG    1u
#define WAIT_STOPPED   2u
#define WAIT_EXITED    4u
#define WAIT_CONTINUED 8u
#define WAIT_NOWAIT    0x01000000u
#define WAIT_ALL       0x40000000u
#define WAIT_CLONE     0x80000000u

static bool is_wanted(const struct wait_request *rq, const struct process *child)
{
	bool clone = child->exit_signal != SIGCHLD;

	if (rq->which == 1 && child->pid != rq->id)
		return false;
	if (rq->which == 2 && child->pgrp->nr != (rq->id ? rq->id : current_process()->pgrp->nr))
		return false;
	return (rq->options & WAIT_ALL) || clone == !!(rq->options & WAIT_CLONE);
}

static void usage_of(const struct process *p, struct rusage_k *ru)
{
	*ru = (struct rusage_k){
		.utime_ns = p->utime + p->child_utime,
		.stime_ns = p->stime + p->child_stime,
		.max_rss_kb = MAX(p->max_rss_pages, p->child_max_rss) << (PAGE_SHIFT - 10),
		.minflt = p->minor_faults + p->child_minor_faults,
		.majflt = p->major_faults + p->child_major_faults,
		.nvcsw = p->nr_voluntary,
		.nivcsw = p->nr_involuntary,
	};
}

/* A reaped child's use counts as its parent's children's. Locks: tasks_lock held. */
static void usage_inherit(struct process *me, const struct process *child)
{
	spin_lock(&me->siglock);
	me->child_utime += child->utime + child->child_utime;
	me->child_stime += child->stime + child->child_stime;
	me->child_minor_faults += child->minor_faults + child->child_minor_faults;
	me->child_major_faults += child->major_faults + child->child_major_faults;
	me->child_max_rss = MAX(me->child_max_rss, MAX(child->max_rss_pages, child->child_max_rss));
	spin_unlock(&me->siglock);
}

static void result_fill(struct wait_result *out, const struct process *child, int code, int status)
{
	out->pid = child->pid;
	out->uid = (int)child->leader->cred->cred.uid;
	out->code = code;
	out->status = status;
	usage_of(child, &out->ru);
}

/*
 * True: the child stopped or goes on, and out says so. That it was told is noted in the same step: or the next stop, which may come
 * at any moment, would be taken for told. Locks: tasks_lock held; takes the child's siglock.
 */
static NOINLINE bool wait_stop_locked(const struct wait_request *rq, struct process *child, struct wait_result *out)
{
	bool keep = rq->options & WAIT_NOWAIT, found = true;

	spin_lock(&child->siglock);
	if ((rq->options & WAIT_STOPPED) && child->stop_complete && !child->stop_reported) {
		result_fill(out, child, CLD_STOPPED, (int)(child->stop_signal << 8) | 0x7f);
		child->stop_reported = !keep;
	} else if ((rq->options & WAIT_CONTINUED) && child->continued) {
		result_fill(out, child, CLD_CONTINUED, 0xffff);
		child->continued = keep;
	} else {
		found = false;
	}
	spin_unlock(&child->siglock);
	return found;
}

/* True: out has what there is to say of this child. Locks: tasks_lock held. */
static bool wait_child_locked(const struct wait_request *rq, struct process *child, struct wait_result *out)
{
	bool keep = rq->options & WAIT_NOWAIT;

	if (child->zombie) {
		if (!(rq->options & WAIT_EXITED))
			return false;
		result_fill(out, child, (child->exit_code & 0x7f) ? CLD_KILLED : CLD_EXITED, child->exit_code);
		if (!keep) {
			usage_inherit(current_process(), child);
			process_release_locked(child);
		}
		return true;
	}
	return (rq->options & (WAIT_STOPPED | WAIT_CONTINUED)) && wait_stop_locked(rq, child, out);
}

/* 1: found; 0: not yet; -ECHILD: there is no such child. */
static int wait_scan(const struct wait_request *rq, struct wait_result *out)
{
	u64 flags = spin_lock_irqsave(&tasks_lock);
	struct process *child, *next;
	int ret = -ECHILD;

	list_for_each_entry_safe (child, next, &current_process()->children, sibling) {
		if (!is_wanted(rq, child))
			continue;
		ret = 0;
		if (wait_child_locked(rq, child, out)) {
			ret = 1;
			break;
		}
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
	return ret;
}

int process_wait(const struct wait_request *rq, struct wait_result *out)
{
	int ret = 0, err;

	if (rq->which > 2)
		return -EINVAL;
	if (rq->options & WAIT_NOHANG)
		return wait_scan(rq, out);
	err = wait_event_interruptible(&current_process()->wait_children, (ret = wait_scan(rq, out)) != 0);
	return ret ? ret : err;
}

int process_rusage(int who, struct rusage_k *out)
{
	struct process *p = current_process();
	struct task *t = current();

	*out = (struct rusage_k){0};
	switch (who) {
	case 0:
		process_times(p, &out->utime_ns, &out->stime_ns);
		out->minflt = p->minor_faults + t->nr_minor_faults;
		out->majflt = p->major_faults + t->nr_major_faults;
		out->nvcsw = p->nr_voluntary + t->nr_switches - MIN(t->nr_switches, t->nr_involuntary);
		out->nivcsw = p->nr_involuntary + t->nr_involuntary;
		out->max_rss_kb = MAX(p->max_rss_pages, aspace_resident(t->as)) << (PAGE_SHIFT - 10);
		return 0;
	case -1:
		out->utime_ns = p->child_utime;
		out->stime_ns = p->child_stime;
		out->minflt = p->child_minor_faults;
		out->majflt = p->child_major_faults;
		out->max_rss_kb = p->child_max_rss << (PAGE_SHIFT - 10);
		return 0;
	case 1:
		task_times(t, &out->utime_ns, &out->stime_ns);
		out->minflt = t->nr_minor_faults;
		out->majflt = t->nr_major_faults;
		out->nvcsw = t->nr_switches - MIN(t->nr_switches, t->nr_involuntary);
		out->nivcsw = t->nr_involuntary;
		return 0;
	default: return -EINVAL;
	}
}
