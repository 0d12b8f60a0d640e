/*
 * clone(2): a new thread or process.
 *
 * 1 the flags are checked; 2 the child is built, unseen, part by part: each part of the table either shares or copies,
 * may fail, and can be undone; 3 publish: under tasks_lock and siglock the child enters the family, which cannot fail
 * but by a signal that came meanwhile; 4 the child is started.
 */
#include "arch/riscv/arch.h"
#include "arch/riscv/trace.h"
#include "fs/file.h"
#include "fs/path.h"
#include "lib/err.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "proc/cred.h"
#include "proc/pid.h"
#include "proc/proc.h"
#include "proc/sched.h"
#include "proc/sigqueue.h"

#define CLONE_NAMESPACES \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

struct fork {
	const struct clone_request *rq;
	u64 flags;
	struct task *parent, *child;
	struct process *proc; /* the child's: fresh, or the parent's */
};

static struct atomic64 nr_forks;

u64 sched_nr_forks(void)
{
	return atomic64_read(&nr_forks);
}

/* ---- 1: what may be asked for ---- */

static long clone_check(const struct clone_request *rq)
{
	u64 f = rq->flags;

	if (f & (CLONE_NAMESPACES | CLONE_PIDFD | CLONE_INTO_CGROUP))
		return -EINVAL; /* not supported */
	if ((f & CLONE_THREAD) && !(f & CLONE_SIGHAND))
		return -EINVAL;
	if ((f & CLONE_SIGHAND) && (!(f & CLONE_VM) || (f & CLONE_CLEAR_SIGHAND)))
		return -EINVAL;
	if ((f & CLONE_PARENT) && current_process()->unkillable)
		return -EINVAL; /* pid 1 has no parent to give its child to */
	if (rq->exit_signal < 0 || rq->exit_signal > NSIG)
		return -EINVAL;
	return 0;
}

/* ---- RLIMIT_NPROC ---- */

static bool user_has_too_many(void)
{
	u64 limit = task_rlimit(RLIM_NPROC), n = 0, flags;
	struct pid *pid;
	int nr = 1;

	/* Counting is needed only when all tasks together could break the limit. */
	if (task_count() < limit || cred_capable())
		return false;
	flags = spin_lock_irqsave(&tasks_lock);
	while ((pid = pid_next(nr)) != NULL) {
		struct task *t = pid->task;

		nr = pid->nr + 1;
		n += t && t->proc && t->cred->cred.uid == current()->cred->cred.uid;
		pid_put(pid);
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
	return n >= limit;
}

/* ---- 2: the parts ---- */

static int memory_take(struct fork *f)
{
	struct task *c = f->child;

	if (f->flags & CLONE_VM) {
		aspace_get(f->parent->as);
		c->as = f->parent->as;
		return 0;
	}
	c->as = aspace_fork(f->parent->as);
	if (!c->as)
		return -ENOMEM;
	aspace_set_pid(c->as, c->tid);
	return 0;
}

static void memory_undo(struct fork *f)
{
	struct aspace *as = f->child->as;

	f->child->as = NULL;
	aspace_put(as);
}

static int files_take(struct fork *f)
{
	if (f->flags & CLONE_FILES) {
		fdtable_get(f->parent->files);
		f->child->files = f->parent->files;
		return 0;
	}
	f->child->files = fdtable_copy(f->parent->files);
	return f->child->files ? 0 : -ENOMEM;
}

static void files_undo(struct fork *f)
{
	fdtable_put(f->child->files);
	f->child->files = NULL;
}

static int fs_take(struct fork *f)
{
	if (f->flags & CLONE_FS) {
		fs_context_get(f->parent->fs);
		f->child->fs = f->parent->fs;
		return 0;
	}
	f->child->fs = fs_context_copy(f->parent->fs);
	return f->child->fs ? 0 : -ENOMEM;
}

static void fs_undo(struct fork *f)
{
	fs_context_put(f->child->fs);
	f->child->fs = NULL;
}

static int process_take(struct fork *f)
{
	struct process *parent = f->parent->proc, *p;

	if (f->flags & CLONE_THREAD) {
		process_get(parent);
		f->child->proc = f->proc = parent;
		return 0;
	}
	p = process_alloc();
	if (!p)
		return -ENOMEM;
	f->child->proc = f->proc = p;
	p->pid = f->child->tid;
	p->leader = f->child;
	p->exit_signal = f->rq->exit_signal;
	memcpy(p->limits, parent->limits, sizeof(p->limits));
	p->cpu_warn_ns =
		parent->limits[RLIM_CPU].soft == RLIM_INFINITY ? ~0ul : parent->limits[RLIM_CPU].soft * 1000000000ul;
	p->dumpable = parent->dumpable;
	p->oom_score_adj = parent->oom_score_adj;
	p->oom_score_adj_min = parent->oom_score_adj_min;
	p->vdso = parent->vdso;
	p->text = parent->text;
	if (p->text) {
		inode_get(p->text);
		(void)!inode_deny_write(p->text); /* it is denied already: this counts up */
	}
	if (f->flags & CLONE_FILES)
		p->files_shared = parent->files_shared = 1;
	return 0;
}

static void process_undo(struct fork *f)
{
	if (!(f->flags & CLONE_THREAD))
		process_drop_text(f->proc);
	process_put(f->proc);
	f->child->proc = NULL;
}

static int handlers_take(struct fork *f)
{
	struct process *p = f->proc;

	if (f->flags & CLONE_THREAD)
		return 0;
	if (f->flags & CLONE_SIGHAND) {
		p->sighand = f->parent->proc->sighand;
		refcount_get(&p->sighand->refs);
		return 0;
	}
	p->sighand = sighand_copy(f->parent->proc);
	if (p->sighand && (f->flags & CLONE_CLEAR_SIGHAND))
		sighand_reset(p->sighand);
	return p->sighand ? 0 : -ENOMEM;
}

static void handlers_undo(struct fork *f)
{
	/* process_put gives them back. */
}

/* What a child shares or has copied, in the order it is taken; undone in reverse. */
static const struct fork_part {
	const char *name;
	u64 share_flag; /* shared with it, copied without */
	int (*take)(struct fork *f);
	void (*undo)(struct fork *f);
} parts[] = {
	{"process", CLONE_THREAD, process_take, process_undo},
	{"handlers", CLONE_SIGHAND, handlers_take, handlers_undo},
	{"files", CLONE_FILES, files_take, files_undo},
	{"directories", CLONE_FS, fs_take, fs_undo},
	{"memory", CLONE_VM, memory_take, memory_undo},
};

static void parts_undo(struct fork *f, u32 nr)
{
	while (nr-- > 0)
		parts[nr].undo(f);
}

static int parts_take(struct fork *f)
{
	for (u32 i = 0; i < ARRAY_SIZE(parts); i++) {
		int err = parts[i].take(f);

		if (err) {
			parts_undo(f, i);
			return err;
		}
	}
	return 0;
}

/* What a thread has for itself. */
static void thread_inherit(struct fork *f)
{
	const struct clone_request *rq = f->rq;
	struct task *c = f->child, *p = f->parent;

	c->cred = cred_get(p->cred);
	c->sigmask = p->sigmask;
	if (!(f->flags & CLONE_VM) || (f->flags & CLONE_VFORK))
		c->altstack = p->altstack;
	else
		c->altstack.flags = SS_DISABLE;
	c->personality = p->personality;
	sched_fork(c, p);
	if (f->flags & CLONE_CHILD_SETTID)
		c->set_child_tid = rq->child_tid.addr;
	if (f->flags & CLONE_CHILD_CLEARTID)
		c->clear_child_tid = rq->child_tid.addr;
	thread_copy(&c->thread, &p->thread);
	if (rq->stack)
		TF_SP(c->thread.tf) = rq->stack;
	if (f->flags & CLONE_SETTLS)
		TF_TP(c->thread.tf) = rq->tls;
}

static void child_main(void *arg)
{
	struct task *t = current();

	sched_first_run();
	if (t->set_child_tid)
		(void)!put_user_u32(uptr_make(t->set_child_tid), (u32)t->tid);
}

/* ---- 3: into the family ---- */

static void publish_thread_locked(struct fork *f)
{
	struct process *p = f->proc;

	list_add_tail(&f->child->thread_link, &p->threads);
	p->nr_threads++;
	p->nr_live++;
	if (p->stopped)
		f->child->thread.work |= THREAD_SIGNAL;
}

static void publish_process_locked(struct fork *f)
{
	struct process *p = f->proc, *me = f->parent->proc;
	struct process *parent = (f->flags & CLONE_PARENT) ? me->parent : me;

	list_add_tail(&f->child->thread_link, &p->threads);
	p->nr_threads = p->nr_live = 1;
	if (f->flags & CLONE_PARENT)
		p->exit_signal = me->exit_signal;
	p->parent = parent;
	p->ppid = parent->pid;
	list_add_tail(&p->sibling, &parent->children);
	p->pgrp = me->pgrp;
	p->session = me->session;
	pid_get(p->pgrp);
	pid_get(p->session);
	list_add_tail(&p->pgrp_link, &p->pgrp->group);
	list_add_tail(&p->session_link, &p->session->session);
	p->has_subreaper = me->has_subreaper || me->is_subreaper;
	process_get(p); /* for being in the table, until reaped */
}

/* A signal for the whole group that came before this reached only the parent: the call is made again after it. */
static int publish(struct fork *f)
{
	struct process *me = f->parent->proc;
	u64 flags = spin_lock_irqsave(&tasks_lock);
	int err = 0;

	spin_lock(&me->siglock);
	if (sched_signal_pending())
		err = -ERESTARTNOINTR;
	else if (f->flags & CLONE_THREAD)
		publish_thread_locked(f);
	else
		publish_process_locked(f);
	if (err == 0) {
		task_get(f->child); /* for the table */
		pid_attach(f->child->pid, f->child);
		trace_note(TRACE_FORK, 0, (u64)f->child, (u64)f->child->tid, 0, 0);
	}
	spin_unlock(&me->siglock);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return err;
}

/* ---- 4: and off ---- */

/*
 * The waiter lies on the parent's stack. The child takes its pointer and wakes under tasks_lock; the parent, before it leaves,
 * takes tasks_lock too: so the child is done with it, or will never find it.
 */
static void vfork_wait(struct task *child, struct waitq *wq)
{
	u64 flags;

	(void)wait_event_killable(wq, READ_ONCE(child->vfork_done) == NULL);
	flags = spin_lock_irqsave(&tasks_lock);
	child->vfork_done = NULL;
	spin_unlock_irqrestore(&tasks_lock, flags);
}

/* exec and exit: the parent has its memory for itself again. */
void vfork_release(struct task *t)
{
	u64 flags;

	if (!READ_ONCE(t->vfork_done))
		return;
	flags = spin_lock_irqsave(&tasks_lock);
	if (t->vfork_done) {
		struct waitq *wq = t->vfork_done;

		WRITE_ONCE(t->vfork_done, NULL);
		waitq_wake_all(wq);
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
}

static long fork_start(struct fork *f)
{
	struct task *child = f->child;
	struct waitq done;
	int tid = child->tid;

	atomic64_inc(&nr_forks);
	if (f->flags & CLONE_PARENT_SETTID)
		(void)!put_user_u32(f->rq->parent_tid, (u32)tid);
	if (f->flags & CLONE_VFORK) {
		waitq_init(&done, "vfork");
		child->vfork_done = &done;
		task_get(child);
	}
	sched_start(child);
	if (f->flags & CLONE_VFORK) {
		vfork_wait(child, &done);
		task_put(child);
	}
	return tid;
}

long process_clone(const struct clone_request *rq)
{
	struct fork f = {.rq = rq, .flags = rq->flags, .parent = current()};
	long err = clone_check(rq);

	if (err)
		return err;
	if (user_has_too_many())
		return -EAGAIN;
	f.child = task_create(f.parent->name, 0, child_main, NULL);
	if (IS_ERR(f.child))
		return PTR_ERR(f.child);
	err = parts_take(&f);
	if (err)
		goto out_discard;
	thread_inherit(&f);
	err = publish(&f);
	if (err)
		goto out_undo;
	return fork_start(&f);

out_undo:
	parts_undo(&f, ARRAY_SIZE(parts));
out_discard:
	task_discard(f.child);
	return err;
}
