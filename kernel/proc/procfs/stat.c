/* PID/stat and PID/statm: the numbers of a process or thread in one line, fields as in proc(5). */
#include "dev/tty.h"
#include "lib/errno.h"
#include "mm/aspace.h"
#include "mm/census.h"
#include "proc/cred.h"
#include "proc/pid.h"
#include "proc/proc.h"
#include "proc/procfs/procfs.h"
#include "proc/sigqueue.h"

#define NS_PER_TICK 10000000ul /* USER_HZ is 100 */

/* ---- sizes ---- */

/* Adds up what one VMA is. */
static void sums_add(struct memory_sums *s, const struct vma *v)
{
	u64 pages = vma_pages(v);

	if (v->flags & VMA_STACK)
		s->stack += pages;
	else if ((v->flags & VMA_WRITE) && vma_private(v))
		s->data += pages;
	if ((v->flags & VMA_EXEC) && v->file)
		s->exec += pages;
	if (v->flags & VMA_LOCKED)
		s->locked += pages;
}

void aspace_sums(struct aspace *as, struct memory_sums *s)
{
	struct resident_pages r;

	aspace_count_resident(as, &r);
	*s = (struct memory_sums){
		.resident_anon = r.anon, .resident_file = r.file, .resident_shmem = r.shmem, .swap = r.swap};
	rwlock_read_lock(&as->lock);
	s->size = as->nr_pages;
	s->peak = MAX(as->peak_pages, as->nr_pages);
	s->tables = as->pt.nr_tables;
	s->code = (PAGE_ALIGN_UP(as->code_end) - PAGE_ALIGN_DOWN(as->code_start)) >> PAGE_SHIFT;
	for (struct vma *v = vma_first(&as->vmas); v; v = vma_next(v))
		sums_add(s, v);
	rwlock_read_unlock(&as->lock);
}

int show_statm(struct text *t, const struct proc_node *n)
{
	struct task *task = node_task(n);
	struct memory_sums s = {0};
	struct aspace *as;

	if (!task)
		return -ESRCH;
	as = task_aspace(task);
	task_put(task);
	if (as) {
		aspace_sums(as, &s);
		aspace_put(as);
	}
	text_printf(t, "%lu %lu %lu %lu 0 %lu 0\n", s.size, memory_resident(&s), s.resident_file + s.resident_shmem,
		s.code, s.data + s.stack);
	return 0;
}

/* ---- the line ---- */

struct stat_line {
	char state;
	int ppid, pgrp, session, exit_signal, exit_code;
	u32 tty_nr, nr_threads;
	u64 minor, major, child_minor, child_major;
	u64 utime, stime, child_utime, child_stime; /* ns */
	u64 start_ns;
	u64 pending, blocked, ignored, caught;
};

/* Faults of the dead threads and the living. Locks: tasks_lock. */
static void stat_faults_locked(const struct process *p, struct stat_line *s)
{
	struct task *t;

	s->minor = p->minor_faults;
	s->major = p->major_faults;
	list_for_each_entry (t, &p->threads, thread_link) {
		if (t->times_folded)
			continue;
		s->minor += t->nr_minor_faults;
		s->major += t->nr_major_faults;
	}
}

/* What the family's lock guards. The terminal's number is asked for without it. */
static void stat_family(struct task *t, const struct proc_node *n, struct stat_line *s)
{
	struct process *p = t->proc;
	struct tty *tty = NULL;
	u64 flags = spin_lock_irqsave(&tasks_lock);

	s->ppid = p->parent ? p->parent->pid : 0;
	s->pgrp = p->pgrp ? p->pgrp->nr : 0;
	s->session = p->session ? p->session->nr : 0;
	s->nr_threads = p->nr_threads;
	s->exit_signal = p->exit_signal;
	s->exit_code = p->exit_code;
	if (p->session && p->session->tty) {
		tty = p->session->tty;
		tty_get(tty);
	}
	if (n->tid) {
		s->minor = t->nr_minor_faults;
		s->major = t->nr_major_faults;
	} else {
		stat_faults_locked(p, s);
	}
	s->child_minor = p->child_minor_faults;
	s->child_major = p->child_major_faults;
	s->child_utime = p->child_utime;
	s->child_stime = p->child_stime;
	spin_unlock_irqrestore(&tasks_lock, flags);
	if (tty) {
		s->tty_nr = tty_rdev(tty);
		tty_put(tty);
	}
}

static void stat_signals(struct task *t, struct stat_line *s)
{
	struct process *p = t->proc;
	u64 flags = spin_lock_irqsave(&p->siglock);

	s->pending = t->pending.set;
	s->blocked = t->sigmask;
	for (int i = 0; p->sighand && i < NSIG; i++) {
		u64 handler = p->sighand->action[i].handler;

		if (handler == SIG_IGN)
			s->ignored |= BIT(i);
		else if (handler != SIG_DFL)
			s->caught |= BIT(i);
	}
	spin_unlock_irqrestore(&p->siglock, flags);
}

static void stat_gather(struct task *t, const struct proc_node *n, struct stat_line *s)
{
	*s = (struct stat_line){.state = task_state_letter(t), .start_ns = n->tid ? t->start_ns : t->proc->start_ns};
	stat_family(t, n, s);
	stat_signals(t, s);
	if (n->tid)
		task_times(t, &s->utime, &s->stime);
	else
		process_times(t->proc, &s->utime, &s->stime);
}

static long stat_priority(const struct task *t)
{
	return t->rt_priority ? -1 - (long)t->rt_priority : 20 + t->nice;
}

/* Fields 1 to 25; the addresses and what follows are in the second half. */
static void stat_show_first(struct text *t, const struct proc_node *n, const struct task *task,
	const struct stat_line *s, const struct memory_sums *mem)
{
	text_printf(t, "%d (%s) %c %d %d %d %d -1 %u", n->tid ? n->tid : n->pid, task->name, s->state, s->ppid, s->pgrp,
		s->session, (int)s->tty_nr, task->proc->execed ? 0u : 0x40u);
	text_printf(t, " %lu %lu %lu %lu", s->minor, s->child_minor, s->major, s->child_major);
	text_printf(t, " %lu %lu %lu %lu", s->utime / NS_PER_TICK, s->stime / NS_PER_TICK, s->child_utime / NS_PER_TICK,
		s->child_stime / NS_PER_TICK);
	text_printf(t, " %ld %d %u 0 %lu", stat_priority(task), task->nice, s->nr_threads, s->start_ns / NS_PER_TICK);
	text_printf(
		t, " %lu %lu %lu", mem->size << PAGE_SHIFT, memory_resident(mem), task->proc->limits[RLIM_RSS].soft);
}

/* Addresses are shown to those who may look, as elsewhere. */
static void stat_show_rest(
	struct text *t, const struct task *task, const struct stat_line *s, const struct aspace *as, bool may_look)
{
	static const struct aspace none;
	const struct aspace *a = as && may_look ? as : &none;

	text_printf(t, " %lu %lu %lu 0 0", a->code_start, a->code_end, a->stack_top);
	text_printf(t, " %lu %lu %lu %lu 0 0 0", s->pending & 0x7fffffff, s->blocked & 0x7fffffff,
		s->ignored & 0x7fffffff, s->caught & 0x7fffffff);
	text_printf(t, " %d %u %u %u 0 0 0", s->exit_signal, task->hart, task->rt_priority, task->policy);
	text_printf(t, " %lu %lu %lu %lu %lu %lu %lu %d\n", a->data_start, a->data_end, a->brk_start, a->arg_start,
		a->arg_end, a->env_start, a->env_end, may_look ? s->exit_code : 0);
}

int show_stat(struct text *t, const struct proc_node *n)
{
	struct task *task = node_task(n);
	struct memory_sums mem = {0};
	struct stat_line s;
	struct aspace *as;

	if (!task)
		return -ESRCH;
	as = task_aspace(task);
	stat_gather(task, n, &s);
	if (as)
		aspace_sums(as, &mem);
	stat_show_first(t, n, task, &s, &mem);
	stat_show_rest(t, task, &s, as, task_may_look(task));
	if (as)
		aspace_put(as);
	task_put(task);
	return 0;
}
