/* Tasks and processes as objects: allocation, references, kernel threads, the idle tasks; what lower rooms ask of current. */
#include "proc/task.h"

#include "arch/riscv/arch.h"
#include "fs/file.h"
#include "fs/path.h"
#include "lib/err.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "mm/census.h"
#include "mm/frame.h"
#include "mm/slab.h"
#include "proc/cred.h"
#include "proc/explain.h"
#include "proc/pid.h"
#include "proc/proc.h"
#include "proc/sched.h"
#include "proc/sigqueue.h"

static_assert(sizeof(struct task) <= IDLE_TASK_SIZE, "arch/ sets aside this much for an idle task");

struct spinlock tasks_lock = SPINLOCK_INIT("tasks", RANK_TASKLIST);

static struct slab_cache *task_cache, *process_cache;
static struct atomic nr_tasks;
static u32 max_tasks = 512;

u32 task_count(void)
{
	return atomic_read(&nr_tasks);
}

u32 task_count_max(void)
{
	return max_tasks;
}

/* ---- references ---- */

void task_get(struct task *t)
{
	refcount_get(&t->refs);
}

/* The last one: it has left its stack, and is in no list. Context: any. */
void task_put(struct task *t)
{
	if (!refcount_put(&t->refs))
		return;
	ASSERT(!t->kstack && !t->as && !t->files && !t->fs);
	if (t->cred)
		cred_put(t->cred);
	if (t->pid)
		pid_put(t->pid);
	if (t->proc)
		process_put(t->proc);
	slab_free(task_cache, t);
	atomic_dec(&nr_tasks);
}

void process_get(struct process *p)
{
	refcount_get(&p->refs);
}

void process_put(struct process *p)
{
	if (!refcount_put(&p->refs))
		return;
	signal_queue_flush(&p->pending, ~0ul);
	if (p->sighand)
		sighand_put(p->sighand);
	kfree(p->timers);
	slab_free(process_cache, p);
}

struct aspace *process_aspace(struct process *p)
{
	u64 flags = spin_lock_irqsave(&tasks_lock);
	struct aspace *as = NULL;
	struct task *t;

	list_for_each_entry (t, &p->threads, thread_link) {
		as = t->as;
		if (as) {
			aspace_get(as);
			break;
		}
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
	return as;
}

bool process_shares(struct process *p, const struct aspace *as)
{
	u64 flags = spin_lock_irqsave(&tasks_lock);
	bool shares = false;
	struct task *t;

	list_for_each_entry (t, &p->threads, thread_link)
		shares |= as && t->as == as;
	spin_unlock_irqrestore(&tasks_lock, flags);
	return shares;
}

struct aspace *census_next_aspace(int *pid)
{
	struct process *p;

	for (int from = *pid; (p = process_next(from)) != NULL; process_put(p)) {
		struct aspace *as = process_aspace(p);

		if (as) {
			*pid = p->pid;
			process_put(p);
			return as;
		}
		from = p->pid + 1;
	}
	return NULL;
}

/* ---- creation ---- */

static void task_init_fields(struct task *t, const char *name)
{
	refcount_init(&t->refs, 1);
	task_set_name(t, name);
	t->affinity = ~0ul;
	t->weight = sched_weight(0);
	t->state = TASK_NEW;
	t->start_ns = clock_mono_ns();
	t->hart = hart_index();
	signal_queue_init(&t->pending);
	list_init(&t->run_link);
	list_init(&t->thread_link);
}

struct task *task_create(const char *name, int tid, void (*entry)(void *), void *arg)
{
	struct task *t;
	struct pid *pid;

	if (atomic_inc_return(&nr_tasks) > max_tasks) {
		atomic_dec(&nr_tasks);
		return ERR_PTR(-EAGAIN);
	}
	t = slab_alloc(task_cache, ALLOC_ZERO);
	if (!t) {
		atomic_dec(&nr_tasks);
		return ERR_PTR(-ENOMEM);
	}
	task_init_fields(t, name);
	t->kstack = kstack_alloc();
	pid = t->kstack ? pid_alloc(tid) : ERR_PTR(-ENOMEM);
	if (IS_ERR(pid)) {
		task_discard(t);
		return ERR_CAST(pid);
	}
	t->pid = pid;
	t->tid = pid->nr;
	thread_init(&t->thread, t->kstack, entry, arg);
	t->thread.what.tid = (u32)t->tid;
	return t;
}

void task_discard(struct task *t)
{
	if (t->kstack)
		kstack_free(t->kstack);
	t->kstack = 0;
	task_put(t);
}

static const struct rlimit limits_default[RLIM_NR] = {
	[RLIM_CPU] = {RLIM_INFINITY, RLIM_INFINITY},
	[RLIM_FSIZE] = {RLIM_INFINITY, RLIM_INFINITY},
	[RLIM_DATA] = {RLIM_INFINITY, RLIM_INFINITY},
	[RLIM_STACK] = {8ul << 20, RLIM_INFINITY},
	[RLIM_CORE] = {0, RLIM_INFINITY},
	[RLIM_RSS] = {RLIM_INFINITY, RLIM_INFINITY},
	[RLIM_NPROC] = {RLIM_INFINITY, RLIM_INFINITY}, /* init_limits() */
	[RLIM_NOFILE] = {1024, 4096},
	[RLIM_MEMLOCK] = {8ul << 20, 8ul << 20},
	[RLIM_AS] = {RLIM_INFINITY, RLIM_INFINITY},
	[RLIM_LOCKS] = {RLIM_INFINITY, RLIM_INFINITY},
	[RLIM_SIGPENDING] = {4096, 4096},
	[RLIM_MSGQUEUE] = {819200, 819200},
	[RLIM_NICE] = {0, 0},
	[RLIM_RTPRIO] = {0, 0},
	[RLIM_RTTIME] = {RLIM_INFINITY, RLIM_INFINITY},
};

struct process *process_alloc(void)
{
	struct process *p = slab_alloc(process_cache, ALLOC_ZERO);

	if (!p)
		return NULL;
	refcount_init(&p->refs, 1);
	list_init(&p->threads);
	list_init(&p->children);
	list_init(&p->sibling);
	list_init(&p->pgrp_link);
	list_init(&p->session_link);
	spin_init(&p->siglock, "signals", RANK_SIGNAL);
	signal_queue_init(&p->pending);
	mutex_init(&p->exec_lock, "exec", RANK_EXEC);
	waitq_init(&p->threads_wait, "threads");
	waitq_init(&p->wait_children, "children");
	memcpy(p->limits, limits_default, sizeof(p->limits));
	p->limits[RLIM_NPROC].soft = p->limits[RLIM_NPROC].hard = max_tasks / 2;
	p->cpu_warn_ns = ~0ul;
	p->dumpable = 1;
	p->exit_signal = SIGCHLD;
	p->start_ns = clock_mono_ns();
	return p;
}

void task_set_name(struct task *t, const char *name)
{
	strlcpy(t->name, name, sizeof(t->name));
}

/* ---- kernel threads ---- */

static void kthread_main(void *arg)
{
	struct task *t = arg;

	sched_first_run();
	t->kthread_fn(t->kthread_arg);
	pid_detach(t->pid);
	t->state = TASK_DEAD;
	sched_exit();
}

struct task *kthread_create_on(const char *name, void (*fn)(void *), void *arg, u64 affinity)
{
	struct task *t = task_create(name, 0, kthread_main, NULL);

	if (IS_ERR(t))
		return t;
	thread_init(&t->thread, t->kstack, kthread_main, t);
	t->cred = cred_get(&cred_root);
	t->kthread_fn = fn;
	t->kthread_arg = arg;
	t->affinity = affinity;
	pid_attach(t->pid, t);
	sched_start(t);
	return t;
}

struct task *kthread_create(const char *name, void (*fn)(void *), void *arg)
{
	return kthread_create_on(name, fn, arg, ~0ul);
}

int kthread_start(const char *name, void (*fn)(void *), void *arg)
{
	return PTR_ERR_OR_ZERO(kthread_create(name, fn, arg));
}

/* ---- start ---- */

/* The context that calls becomes the idle task of the boot hart when it enters sched_start_hart. */
void proc_init(void)
{
	struct task *boot = current();
	struct frame_stats st;

	frame_stats_read(&st);
	/* A thread costs its stack and about as much again; an eighth of memory may go into that. */
	max_tasks = (u32)CLAMP(st.total / (8 * (KSTACK_SIZE / PAGE_SIZE)), 128ul, (u64)PID_MAX_DEFAULT - 1024);
	task_cache = slab_cache_create("task", sizeof(struct task), 64);
	process_cache = slab_cache_create("process", sizeof(struct process), 64);
	pid_init();
	signal_init();
	ktimer_init();
	task_idle_init(boot);
	sched_init(boot);
	futex_init();
	timers_init();
	explain_init();
}

/* Its memory came from arch/, zeroed, with the thread part in use. */
void task_idle_init(struct task *t)
{
	task_init_fields(t, "idle");
	scnprintf(t->name, sizeof(t->name), "idle/%u", hart_index());
	t->cred = &cred_root;
}

/* ---- current, as lower rooms see it ---- */

struct aspace *aspace_current(void)
{
	return current()->as;
}

struct fdtable *fdtable_current(void)
{
	return current()->files;
}

struct fs_context *fs_context_current(void)
{
	return current()->fs;
}

u32 task_umask(void)
{
	struct fs_context *fs = current()->fs;

	return fs ? fs_context_umask(fs) : 0;
}

struct held_locks *held_locks_task(void)
{
	struct task *t = current();

	return t ? &t->locks : NULL;
}

const char *task_describe(const struct task *t, char *buf, u64 len)
{
	if (!t)
		return "no task";
	scnprintf(buf, len, "%s[%d]", t->name[0] ? t->name : "?", t->tid);
	return buf;
}

char task_state_letter(const struct task *t)
{
	switch (READ_ONCE(t->state)) {
	case TASK_SLEEPING:
		if (!t->proc && t->sleep_kind == SLEEP_UNINTERRUPTIBLE)
			return 'I';
		return t->sleep_kind == SLEEP_INTERRUPTIBLE ? 'S' : 'D';
	case TASK_STOPPED: return 'T';
	case TASK_ZOMBIE: return 'Z';
	case TASK_DEAD: return 'X';
	default: return 'R';
	}
}
