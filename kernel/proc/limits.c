/* Resource limits. */
#include "lib/errno.h"
#include "lib/log.h"
#include "mm/aspace.h"
#include "proc/cred.h"
#include "proc/proc.h"
#include "proc/task.h"

u64 task_rlimit(u32 which)
{
	const struct process *p = current()->proc;

	return p ? READ_ONCE(p->limits[which].soft) : RLIM_INFINITY;
}

#define NOFILE_MAX (1ul << 20) /* /proc/sys/fs/nr_open */

static long rlimit_check(u32 which, const struct rlimit *want, const struct rlimit *have)
{
	if (want->soft > want->hard)
		return -EINVAL;
	if (want->hard > have->hard && !cred_capable())
		return -EPERM;
	if (which == RLIM_NOFILE && want->hard > NOFILE_MAX)
		return -EPERM;
	return 0;
}

static u64 limit_in_pages(u64 bytes)
{
	return bytes == RLIM_INFINITY ? ~0ul : bytes >> PAGE_SHIFT;
}

/* Read and written in one hold: of two who apply different limits, the later one has seen the later. */
void limits_apply(struct process *p, struct aspace *as)
{
	u64 flags = spin_lock_irqsave(&p->siglock);

	as->limit_pages = limit_in_pages(p->limits[RLIM_AS].soft);
	as->data_limit_pages = limit_in_pages(p->limits[RLIM_DATA].soft);
	as->stack_limit = p->limits[RLIM_STACK].soft;
	spin_unlock_irqrestore(&p->siglock, flags);
}

static void rlimit_apply(struct process *p, u32 which)
{
	struct aspace *as;

	if (which != RLIM_AS && which != RLIM_DATA && which != RLIM_STACK)
		return;
	as = process_aspace(p);
	if (!as)
		return;
	limits_apply(p, as);
	aspace_put(as);
}

static long rlimit_change_process(struct process *p, u32 which, const struct rlimit *new_limit, struct rlimit *old)
{
	u64 flags = spin_lock_irqsave(&p->siglock);
	struct rlimit *have = &p->limits[which];
	long err = new_limit ? rlimit_check(which, new_limit, have) : 0;

	if (err == 0 && old)
		*old = *have;
	if (err == 0 && new_limit) {
		*have = *new_limit;
		if (which == RLIM_CPU)
			p->cpu_warn_ns = new_limit->soft == RLIM_INFINITY ? ~0ul : new_limit->soft * 1000000000ul;
	}
	spin_unlock_irqrestore(&p->siglock, flags);
	if (err == 0 && new_limit)
		rlimit_apply(p, which);
	return err;
}

/* Somebody else's: real, effective and saved ids of both must agree with our real ones. */
static bool rlimit_may_reach(const struct process *p)
{
	const struct cred *me = &current()->cred->cred, *c;
	u64 flags = spin_lock_irqsave(&tasks_lock);
	bool ok;

	if (!p->leader) { /* reaped */
		spin_unlock_irqrestore(&tasks_lock, flags);
		return false;
	}
	c = &p->leader->cred->cred;
	ok = me->euid == 0 ||
		(me->uid == c->uid && me->uid == c->euid && me->uid == c->suid && me->gid == c->gid &&
			me->gid == c->egid && me->gid == c->sgid);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return ok;
}

long rlimit_change(int pid, u32 which, const struct rlimit *new_limit, struct rlimit *old)
{
	struct task *t;
	long ret;

	if (which >= RLIM_NR)
		return -EINVAL;
	if (pid == 0)
		return rlimit_change_process(current_process(), which, new_limit, old);
	t = task_lookup(pid);
	if (!t)
		return -ESRCH;
	if (!t->proc)
		ret = -ESRCH;
	else if (t->proc != current_process() && !rlimit_may_reach(t->proc))
		ret = -EPERM;
	else
		ret = rlimit_change_process(t->proc, which, new_limit, old);
	task_put(t);
	return ret;
}
