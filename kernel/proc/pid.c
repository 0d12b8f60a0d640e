/* Process numbers, groups and sessions. */
#include "proc/pid.h"

#include "lib/err.h"
#include "lib/errno.h"
#include "lib/layout.h"
#include "mm/slab.h"
#include "proc/proc.h"
#include "proc/task.h"
#include "sync/spinlock.h"

static struct spinlock pid_lock = SPINLOCK_INIT("pids", RANK_PIDMAP);
static struct index pids = INDEX_INIT;
LAYOUT_IS_ADDRESS(pids); /* of struct pid, by number */
static int pid_last = 1; /* 1 is init's, asked for by number */
static struct slab_cache *pid_cache;
int pid_max = PID_MAX_DEFAULT;

void pid_init(void)
{
	pid_cache = slab_cache_create("pid", sizeof(struct pid), 0);
}

/* ---- numbers ---- */

static int pid_insert(struct pid *p, int nr)
{
	u64 flags = spin_lock_irqsave(&pid_lock);
	bool any = nr == 0;
	int err = 0;

	if (any)
		err = pid_choose(&pids, pid_last, pid_max, &nr);
	else if (index_get(&pids, (u64)nr))
		err = -EAGAIN;
	if (err == 0)
		err = index_set(&pids, (u64)nr, p);
	if (err == 0) {
		p->nr = nr;
		if (any)
			pid_last = nr;
	}
	spin_unlock_irqrestore(&pid_lock, flags);
	return err;
}

struct pid *pid_alloc(int nr)
{
	struct pid *p = slab_alloc(pid_cache, 0);
	int err;

	if (!p)
		return ERR_PTR(-ENOMEM);
	refcount_init(&p->refs, 1);
	p->task = NULL;
	p->tty = NULL;
	list_init(&p->group);
	list_init(&p->session);
	err = pid_insert(p, nr);
	if (err) {
		slab_free(pid_cache, p);
		return ERR_PTR(err);
	}
	return p;
}

void pid_get(struct pid *p)
{
	refcount_get(&p->refs);
}

/* The count reaches 0 and the number leaves the table as one step for pid_lookup, which takes no reference from 0. */
void pid_put(struct pid *p)
{
	u64 flags;

	if (!refcount_put(&p->refs))
		return;
	flags = spin_lock_irqsave(&pid_lock);
	index_erase(&pids, (u64)p->nr);
	spin_unlock_irqrestore(&pid_lock, flags);
	slab_free(pid_cache, p);
}

int pid_number(const struct pid *p)
{
	return p->nr;
}

struct pid *pid_lookup(int nr)
{
	struct pid *p;
	u64 flags;

	if (nr <= 0)
		return NULL;
	flags = spin_lock_irqsave(&pid_lock);
	p = index_get(&pids, (u64)nr);
	if (p && !refcount_get_not_zero(&p->refs))
		p = NULL;
	spin_unlock_irqrestore(&pid_lock, flags);
	return p;
}

struct pid *pid_next(int nr)
{
	u64 flags = spin_lock_irqsave(&pid_lock), key = (u64)MAX(nr, 1);
	struct pid *p;

	while ((p = index_next(&pids, &key)) != NULL && !refcount_get_not_zero(&p->refs))
		key++;
	spin_unlock_irqrestore(&pid_lock, flags);
	return p;
}

void pid_attach(struct pid *p, struct task *t)
{
	u64 flags = spin_lock_irqsave(&pid_lock);

	p->task = t;
	spin_unlock_irqrestore(&pid_lock, flags);
}

void pid_detach(struct pid *p)
{
	pid_attach(p, NULL);
}

/* ---- from numbers to tasks ---- */

/*
 * pid->task is taken away before the table's reference to the task is dropped, both by the same lock. A leader is who has its process's
 * number: process->leader is not looked at, for it changes by another lock (exec.c, take_leadership).
 */
static struct task *pid_task_get(int nr, bool leaders_only)
{
	u64 flags;
	struct pid *p;
	struct task *t = NULL;

	if (nr <= 0)
		return NULL;
	flags = spin_lock_irqsave(&pid_lock);
	p = index_get(&pids, (u64)nr);
	if (p && p->task && (!leaders_only || (p->task->proc && p->task->proc->pid == nr))) {
		t = p->task;
		task_get(t);
	}
	spin_unlock_irqrestore(&pid_lock, flags);
	return t;
}

struct task *task_lookup(int tid)
{
	return pid_task_get(tid, false);
}

struct process *process_lookup(int pid)
{
	struct task *t = pid_task_get(pid, true);
	struct process *p;

	if (!t)
		return NULL;
	p = t->proc;
	process_get(p);
	task_put(t);
	return p;
}

struct process *process_next(int pid)
{
	struct process *proc;
	struct pid *p;

	while ((p = pid_next(pid)) != NULL) {
		pid = p->nr + 1;
		proc = process_lookup(p->nr);
		pid_put(p);
		if (proc)
			return proc;
	}
	return NULL;
}

/* ---- groups and sessions; the calls with tasks_lock held below ---- */

/* p moves to `group`; the reference of its old group is handed back. */
static struct pid *process_join_group_locked(struct process *p, struct pid *group)
{
	struct pid *old = p->pgrp;

	if (old == group)
		return NULL;
	pid_get(group);
	list_move_tail(&p->pgrp_link, &group->group);
	p->pgrp = group;
	return old;
}

/* Self or a child that did not exec yet, in our session. */
static long setpgid_check_locked(const struct process *p, const struct process *me)
{
	if (p == me)
		return p->session->nr == p->pid ? -EPERM : 0;
	if (p->parent != me)
		return -ESRCH;
	if (p->session != me->session)
		return -EPERM;
	if (p->execed)
		return -EACCES;
	return p->session->nr == p->pid ? -EPERM : 0;
}

static long setpgid_locked(struct process *p, struct pid *group, struct pid **old)
{
	struct process *me = current_process(), *member;
	long err = setpgid_check_locked(p, me);

	if (err)
		return err;
	if (group->nr != p->pid) {
		member = list_first_entry_or_null(&group->group, struct process, pgrp_link);
		if (!member || member->session != me->session)
			return -EPERM;
	}
	*old = process_join_group_locked(p, group);
	return 0;
}

long process_setpgid(int pid, int pgid)
{
	struct process *p;
	struct pid *group, *old = NULL;
	u64 flags;
	long ret;

	if (pgid < 0)
		return -EINVAL;
	p = process_lookup(pid ? pid : current_process()->pid);
	if (!p)
		return -ESRCH;
	group = pid_lookup(pgid ? pgid : p->pid);
	ret = -EPERM;
	if (group) {
		flags = spin_lock_irqsave(&tasks_lock);
		ret = p->zombie ? -ESRCH : setpgid_locked(p, group, &old);
		spin_unlock_irqrestore(&tasks_lock, flags);
		pid_put(group);
	}
	if (old)
		pid_put(old);
	process_put(p);
	return ret;
}

static long process_group_number(int pid, bool session)
{
	struct process *p = pid ? process_lookup(pid) : current_process();
	u64 flags;
	long nr = -ESRCH;

	if (!p)
		return -ESRCH;
	flags = spin_lock_irqsave(&tasks_lock);
	if (p->pgrp)
		nr = session ? p->session->nr : p->pgrp->nr;
	spin_unlock_irqrestore(&tasks_lock, flags);
	if (pid)
		process_put(p);
	return nr;
}

long process_getpgid(int pid)
{
	return process_group_number(pid, false);
}

long process_getsid(int pid)
{
	return process_group_number(pid, true);
}

long process_setsid(void)
{
	struct process *me = current_process();
	struct pid *own = pid_lookup(me->pid), *old_group, *old_session;
	u64 flags = spin_lock_irqsave(&tasks_lock);

	if (!own || !list_empty(&own->group)) {
		spin_unlock_irqrestore(&tasks_lock, flags);
		if (own)
			pid_put(own);
		return -EPERM;
	}
	old_group = process_join_group_locked(me, own);
	old_session = me->session;
	list_move_tail(&me->session_link, &own->session);
	me->session = own; /* takes over the lookup's reference */
	spin_unlock_irqrestore(&tasks_lock, flags);
	pid_put(old_group);
	pid_put(old_session);
	return me->pid;
}
