/*
 * Out of memory: who dies for it.
 *
 * A page fault for which reclaim found nothing asks oom_kill() and waits. A thread of its own decides: it holds no locks, so it may
 * look into every address space, and requests that come at the same time are one.
 *
 *	1  A process that is dying and still has memory: that comes free by itself. Nobody else is killed. Nor is anybody when
 *	   memory came free since somebody asked.
 *	2  Otherwise the process with the most badness: pages in RAM and in swap and page tables, plus oom_score_adj thousandths of
 *	   all memory. Never process 1, nor kernel threads, nor who has oom_score_adj -1000.
 *	3  It gets SIGKILL, and so does who shares its memory; one block of log lines says why.
 *	4  When its memory is back, whoever waits tries again. If it does not die in time (it may wait for a lock that an asker
 *	   holds), it is passed over from then on.
 */
#include "fs/pagecache.h"
#include "lib/err.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "mm/census.h"
#include "mm/commit.h"
#include "mm/frame.h"
#include "mm/reclaim.h"
#include "mm/stat.h"
#include "proc/cred.h"
#include "proc/oom.h"
#include "proc/pid.h"
#include "proc/proc.h"
#include "proc/sigqueue.h"

#define PATIENCE_NS 5000000000ul /* for a process that was killed */
#define LISTED      10           /* candidates that the log names */
#define KB(pages)   ((pages) << (PAGE_SHIFT - 10))

static struct task *oom_task;
static struct waitq asked = WAITQ_INIT(asked, "oom asked"), answered = WAITQ_INIT(answered, "oom answered"),
		    left = WAITQ_INIT(left, "oom victim");
static struct atomic nr_asked, nr_answered;
static struct spinlock asker_lock = SPINLOCK_INIT("oom asker", RANK_LEAF);
static struct {
	char name[16];
	int pid, adj;
} asker; /* [asker_lock] the last one */

/* ---- how bad a process is ---- */

struct candidate {
	struct process *proc; /* referenced */
	struct resident_pages pages;
	u64 size, tables;
	int adj;
	s64 badness;
};

static u64 candidate_resident(const struct candidate *c)
{
	return c->pages.anon + c->pages.file + c->pages.shmem;
}

/* Everything but `proc`. False: it has no memory, or must not be killed. */
static bool candidate_measure(struct process *p, struct candidate *c)
{
	struct aspace *as;

	c->adj = READ_ONCE(p->oom_score_adj);
	if (p->unkillable || c->adj == OOM_SCORE_ADJ_MIN)
		return false;
	as = process_aspace(p);
	if (!as)
		return false;
	aspace_count_resident(as, &c->pages);
	c->size = READ_ONCE(as->nr_pages);
	c->tables = READ_ONCE(as->pt.nr_tables);
	aspace_put(as);
	c->badness = (s64)(candidate_resident(c) + c->pages.swap + c->tables) +
		(s64)commit_all_memory() * c->adj / OOM_SCORE_ADJ_MAX;
	return true;
}

u64 oom_score(struct process *p)
{
	struct candidate c;
	s64 score;

	if (!candidate_measure(p, &c))
		return 0;
	score = (OOM_SCORE_ADJ_MAX + c.badness * OOM_SCORE_ADJ_MAX / (s64)commit_all_memory()) * 2 / 3;
	return score > 0 ? (u64)score : 0;
}

/* ---- the dying ---- */

static bool process_has_memory_locked(const struct process *p)
{
	struct task *t;

	list_for_each_entry (t, &p->threads, thread_link) {
		if (t->as || t->leaves_memory)
			return true;
	}
	return false;
}

/* From now on oom_memory_left() hears of its end. False: it has no memory already. */
static bool victim_mark(struct process *p)
{
	u64 flags = spin_lock_irqsave(&tasks_lock);
	bool has = process_has_memory_locked(p);

	if (has)
		WRITE_ONCE(p->oom_victim, OOM_VICTIM_DYING);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return has;
}

void oom_memory_left(struct process *p)
{
	u64 flags = spin_lock_irqsave(&tasks_lock);

	if (!process_has_memory_locked(p))
		WRITE_ONCE(p->oom_victim, OOM_VICTIM_GONE);
	spin_unlock_irqrestore(&tasks_lock, flags);
	waitq_wake_all(&left);
}

static void victim_wait(struct process *p)
{
	u64 deadline = clock_mono_ns() + PATIENCE_NS;

	if (wait_event_timeout(&left, READ_ONCE(p->oom_victim) == OOM_VICTIM_GONE, deadline) == 0)
		return;
	WRITE_ONCE(p->oom_victim, OOM_VICTIM_STUCK);
	pr_warn("out of memory: process %d does not die; it is passed over", p->pid);
}

/* One that was told to die, or does so, and still has memory; referenced. */
static struct process *dying_process(void)
{
	struct process *p;

	for (int pid = 1; (p = process_next(pid)) != NULL; process_put(p)) {
		pid = p->pid + 1;
		if (!READ_ONCE(p->group_exit) && READ_ONCE(p->nr_live) > 0)
			continue;
		if (READ_ONCE(p->oom_victim) != OOM_VICTIM_STUCK && victim_mark(p))
			return p;
	}
	return NULL;
}

/* ---- the choice ---- */

/* The LISTED worst, worst first, with references. Returns how many. */
static u32 candidates_collect(struct candidate *worst)
{
	struct aspace *init_as = process_aspace(init_process);
	struct process *p;
	u32 nr = 0;

	for (int pid = 1; (p = process_next(pid)) != NULL;) {
		struct candidate c = {.proc = p};
		u32 at;

		pid = p->pid + 1;
		if (READ_ONCE(p->oom_victim) == OOM_VICTIM_STUCK || !candidate_measure(p, &c) ||
			process_shares(p, init_as) || (nr == LISTED && c.badness <= worst[nr - 1].badness)) {
			process_put(p);
			continue;
		}
		if (nr == LISTED)
			process_put(worst[--nr].proc);
		for (at = nr++; at > 0 && worst[at - 1].badness < c.badness; at--)
			worst[at] = worst[at - 1];
		worst[at] = c;
	}
	if (init_as)
		aspace_put(init_as);
	return nr;
}

/* What a process is called, and who its owner is. */
static void process_describe(struct process *p, char name[16], u32 *uid)
{
	u64 flags = spin_lock_irqsave(&tasks_lock);

	memcpy(name, "?", 2);
	*uid = 0;
	if (p->leader) {
		memcpy(name, p->leader->name, 16);
		*uid = p->leader->cred->cred.uid;
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
}

static void report_memory(void)
{
	struct swap_totals swap;
	struct frame_stats st;
	char name[16];
	u64 flags;
	int pid, adj;

	flags = spin_lock_irqsave(&asker_lock);
	memcpy(name, asker.name, sizeof(name));
	pid = asker.pid;
	adj = asker.adj;
	spin_unlock_irqrestore(&asker_lock, flags);
	pr_warn("out of memory: %s[%d] asks for a page of user memory (order 0); its oom_score_adj is %d", name, pid,
		adj);
	frame_stats_read(&st);
	pr_warn("out of memory: of %lu kB %lu are free, anonymous %lu, files %lu (dirty %lu), slab %lu, page tables "
		"%lu, "
		"stacks %lu, kernel %lu",
		KB(st.total), KB(st.free), KB(st.kinds[FRAME_ANON]), KB(st.kinds[FRAME_FILE]), KB(pagecache_nr_dirty()),
		KB(st.kinds[FRAME_SLAB]), KB(st.kinds[FRAME_TABLE]), KB(st.kinds[FRAME_STACK]),
		KB(st.kinds[FRAME_KERNEL]));
	commit_swap(&swap);
	pr_warn("out of memory: of %lu kB of swap %lu are free; promised %lu kB", KB(swap.total), KB(swap.free),
		KB(commit_total()));
}

static void report_candidates(const struct candidate *worst, u32 nr)
{
	char name[16];
	u32 uid;

	pr_warn("out of memory: candidates, worst first, sizes in kB");
	pr_warn("out of memory:    pid    uid       size        rss     tables       swap   adj    badness name");
	for (u32 i = 0; i < nr; i++) {
		const struct candidate *c = &worst[i];

		process_describe(c->proc, name, &uid);
		pr_warn("out of memory: %6d %6u %10lu %10lu %10lu %10lu %5d %10ld %s", c->proc->pid, uid, KB(c->size),
			KB(candidate_resident(c)), KB(c->tables), KB(c->pages.swap), c->adj,
			c->badness * (s64)(PAGE_SIZE / 1024), name);
	}
}

static void process_send_kill(struct process *p)
{
	u64 flags = spin_lock_irqsave(&p->siglock);

	process_kill_locked(p, SIGKILL);
	spin_unlock_irqrestore(&p->siglock, flags);
}

/* Who shares the victim's memory keeps it alive. */
static void kill_sharers(const struct process *victim, const struct aspace *as)
{
	struct process *p;

	for (int pid = 1; (p = process_next(pid)) != NULL; process_put(p)) {
		pid = p->pid + 1;
		if (p != victim && !p->unkillable && process_shares(p, as))
			process_send_kill(p);
	}
}

/* False: it ended by itself while we chose, and nobody would tell us of that any more. */
static bool victim_kill(const struct candidate *c)
{
	struct aspace *as;
	char name[16];
	u32 uid;

	process_describe(c->proc, name, &uid);
	if (!victim_mark(c->proc)) {
		pr_warn("out of memory: %s[%d] has ended by itself", name, c->proc->pid);
		return false;
	}
	as = process_aspace(c->proc);
	pr_warn("out of memory: killed %s[%d], uid %u, badness %ld kB: anonymous %lu kB, files %lu kB, shared memory "
		"%lu kB, "
		"swap %lu kB, page tables %lu kB, oom_score_adj %d",
		name, c->proc->pid, uid, c->badness * (s64)(PAGE_SIZE / 1024), KB(c->pages.anon), KB(c->pages.file),
		KB(c->pages.shmem), KB(c->pages.swap), KB(c->tables), c->adj);
	atomic64_inc(&vm_stats.oom_kills);
	process_send_kill(c->proc);
	if (as) {
		kill_sharers(c->proc, as);
		aspace_put(as);
	}
	return true;
}

static void oom_decide(void)
{
	static struct candidate worst[LISTED]; /* of this thread alone */
	struct process *p = dying_process();
	u32 nr;

	if (p) {
		victim_wait(p);
		process_put(p);
		return;
	}
	/* Who asked while the victim before was still to die may try again: nobody else needs to. */
	if (!frame_short())
		return;
	nr = candidates_collect(worst);
	report_memory();
	if (!nr)
		panic("out of memory, and nothing is left that may be killed");
	report_candidates(worst, nr);
	if (victim_kill(&worst[0]))
		victim_wait(worst[0].proc);
	while (nr > 0)
		process_put(worst[--nr].proc);
}

/* ---- asking ---- */

static void oom_main(void *arg)
{
	for (;;) {
		u32 round;

		wait_event(&asked, atomic_read(&nr_asked) != atomic_read(&nr_answered));
		round = atomic_read(&nr_asked);
		oom_decide();
		atomic_set(&nr_answered, round);
		waitq_wake_all(&answered);
	}
}

void oom_start(void)
{
	struct task *t = kthread_create("oom", oom_main, NULL);

	if (IS_ERR(t))
		panic("no memory for the thread that acts when there is none");
	oom_task = t;
}

bool oom_kill(void)
{
	struct process *p = current()->proc;
	u32 round;
	u64 flags;

	if (!p || current()->exiting || sched_fatal_signal_pending())
		return false;
	flags = spin_lock_irqsave(&asker_lock);
	memcpy(asker.name, current()->name, sizeof(asker.name));
	asker.pid = p->pid;
	asker.adj = p->oom_score_adj;
	spin_unlock_irqrestore(&asker_lock, flags);
	round = atomic_inc_return(&nr_asked);
	waitq_wake_one(&asked);
	(void)wait_event_killable(&answered, (s32)(atomic_read(&nr_answered) - round) >= 0);
	return !sched_fatal_signal_pending();
}
