/*
 * The scheduler's core: run queues, the switch, sleep and wake, the tick.
 *
 * Who may change a task's state
 *   the task itself          RUNNABLE → SLEEPING, STOPPED, ZOMBIE, DEAD and SLEEPING → RUNNABLE, without a lock
 *   anyone, as a waker       SLEEPING, STOPPED, NEW → RUNNABLE, by compare-and-swap, holding the lock of t->hart's queue
 *   (so a waker that is late finds another state, and never brings a dead task back)
 * t->hart changes under the lock of the old queue: of a queued task by the balancer, which holds both locks; of a
 * task that is not queued by the waker that made it RUNNABLE, which alone will queue it.
 *
 * Why no wake is lost. Sleeper: (a) state SLEEPING, full barrier, (b) looks at the condition, (c) in sched_run, under its
 * queue's lock, reads the state and only if it still is SLEEPING takes itself off the queue (queued = 0).
 * Waker: (1) condition true, full barrier, (2) reads the state, (3) under the lock of t's queue swaps it to RUNNABLE and,
 * if queued is 0, puts it on a queue. If (b) missed (1) then (2) comes after (a) in the order of the two barriers
 * and sees SLEEPING, so (3) happens: before (c), then (c) sees RUNNABLE and the task stays; or after (c), then queued
 * is 0 and the waker puts it on. For signals the condition is thread.work, read by sched_sleep after (a).
 *
 * Why a task never runs on two harts. A queue's lock is held from (c) until the registers are saved and the stack is left:
 * it is released by whoever was switched to, in sched_finish. A waker holds that same lock, since t->hart is
 * where the task slept; so at (3) either the task has not reached (c), or it is off the stack for good.
 *
 * Translations: a hart runs on its task's table. Without a user task it runs on the kernel's own: then nobody can be found on
 * the table of an address space that is torn down, and an idle hart keeps no dead process's memory. With ASIDs
 * the change of satp flushes nothing.
 */
#include "proc/sched.h"

#include "arch/riscv/arch.h"
#include "lib/bitmap.h"
#include "lib/log.h"
#include "mm/aspace.h"
#include "proc/proc.h"
#include "proc/task.h"

#define TICK_ALONE_NS       10000000ul /* one task on the hart: only sampling */
#define TICK_SHARED_NS      4000000ul  /* several: the time slice */
#define RR_SLICE_NS         100000000ul
#define SLEEPER_CREDIT_NS   3000000ul /* how far behind the others a sleeper may come back */
#define WAKE_GRANULARITY_NS 1000000ul
#define VRUNTIME_START      (1ul << 40) /* so that differences never go below 0 */

struct runq runqs[MAX_HARTS];
static u8 ticking; /* tick arming works: timers are set up */

static const u32 nice_weights[40] = {
	88818,
	71054,
	56843,
	45475,
	36380,
	29104,
	23283,
	18626,
	14901,
	11921,
	9537,
	7629,
	6104,
	4883,
	3906,
	3125,
	2500,
	2000,
	1600,
	1280,
	1024,
	819,
	655,
	524,
	419,
	336,
	268,
	215,
	172,
	137,
	110,
	88,
	70,
	56,
	45,
	36,
	29,
	23,
	18,
	15,
};

u32 sched_weight(int nice)
{
	return nice_weights[CLAMP(nice, -20, 19) + 20];
}

static inline struct runq *this_runq(void)
{
	return &runqs[hart_index()];
}

static inline bool task_is_rt(const struct task *t)
{
	return t->policy == SCHED_FIFO || t->policy == SCHED_RR;
}

/* Without the lock, a task's queue may change until the lock of it is had. Context: interrupts off. */
struct runq *task_runq_lock(struct task *t)
{
	for (;;) {
		struct runq *rq = &runqs[READ_ONCE(t->hart)];

		spin_lock(&rq->lock);
		if (likely(rq->hart == t->hart))
			return rq;
		spin_unlock(&rq->lock);
	}
}

/* ---- queues; all: rq->lock held ---- */

static void fair_insert(struct runq *rq, struct task *t)
{
	struct tree_node **link = &rq->fair.root, *parent = NULL;
	bool leftmost = true;

	while (*link) {
		parent = *link;
		if (t->vruntime < tree_entry(parent, struct task, run_node)->vruntime) {
			link = &parent->left;
		} else {
			link = &parent->right;
			leftmost = false;
		}
	}
	tree_insert_at(&rq->fair, &t->run_node, parent, link);
	if (leftmost)
		rq->first = &t->run_node;
}

static void fair_erase(struct runq *rq, struct task *t)
{
	if (rq->first == &t->run_node)
		rq->first = tree_next(&t->run_node);
	tree_erase(&rq->fair, &t->run_node);
}

/* Behind its equals; `at_head`: before them (a task that was only interrupted). */
static void rt_insert(struct runq *rq, struct task *t, bool at_head)
{
	struct task *other;

	list_for_each_entry (other, &rq->rt, run_link) {
		if (other->rt_priority < t->rt_priority || (at_head && other->rt_priority == t->rt_priority))
			break;
	}
	list_add_tail(&t->run_link, &other->run_link);
}

static void runq_insert(struct runq *rq, struct task *t, bool at_head)
{
	if (unlikely(task_is_rt(t)))
		rt_insert(rq, t, at_head);
	else
		fair_insert(rq, t);
}

static void runq_erase(struct runq *rq, struct task *t)
{
	if (unlikely(task_is_rt(t)))
		list_del(&t->run_link);
	else
		fair_erase(rq, t);
}

void runq_account(struct runq *rq, u64 now)
{
	struct task *t = rq->current;
	u64 delta = now - t->exec_start, floor;

	t->exec_start = now;
	if (t == rq->idle) {
		rq->idle_ns += delta;
		return;
	}
	t->exec_total += delta;
	if (t->proc && t->ticks_user >= t->ticks_system)
		*(t->nice > 0 ? &rq->nice_ns : &rq->user_ns) += delta;
	else
		rq->system_ns += delta;
	if (task_is_rt(t))
		return;
	/* Signed: the clocks of two harts may be a tick apart, and a delta just below 0 is not the far future. */
	t->vruntime += likely(t->weight == 1024) ? delta : (u64)((s64)delta * 1024 / (s64)t->weight);
	floor = t->vruntime;
	if (rq->first)
		floor = MIN(floor, tree_entry(rq->first, struct task, run_node)->vruntime);
	if (floor > rq->min_vruntime)
		rq->min_vruntime = floor;
}

/* Should `t`, which waits, run instead of the running one? */
static bool should_preempt(const struct runq *rq, const struct task *t)
{
	const struct task *cur = rq->current;

	if (cur == rq->idle)
		return true;
	if (task_is_rt(t))
		return !task_is_rt(cur) || t->rt_priority > cur->rt_priority;
	if (task_is_rt(cur) || t->policy == SCHED_IDLE || t->policy == SCHED_BATCH)
		return false;
	return t->vruntime + WAKE_GRANULARITY_NS < cur->vruntime;
}

static void runq_resched(struct runq *rq)
{
	__atomic_fetch_or(&rq->current->thread.work, THREAD_RESCHED, __ATOMIC_RELAXED);
	if (rq->hart != hart_index())
		hart_kick(rq->hart);
}

static void runq_want_tick(struct runq *rq, u64 now)
{
	if (rq->hart == hart_index() && ticking && rq->current != rq->idle)
		ktimer_set_tick(now + (rq->nr_running > 1 ? TICK_SHARED_NS : TICK_ALONE_NS));
}

/* A RUNNABLE task that is on no queue goes on this one. */
void runq_add(struct runq *rq, struct task *t)
{
	u64 now = clock_mono_ns();

	runq_account(rq, now);
	t->queued = 1;
	rq->nr_running++;
	if (t->vruntime + SLEEPER_CREDIT_NS < rq->min_vruntime)
		t->vruntime = rq->min_vruntime - SLEEPER_CREDIT_NS;
	runq_insert(rq, t, false);
	if (should_preempt(rq, t))
		runq_resched(rq);
	else if (rq->nr_running == 2)
		runq_want_tick(rq, now);
}

/* Out of this queue and over to another: vruntime keeps its distance from the others. */
void runq_remove(struct runq *rq, struct task *t, struct runq *to)
{
	runq_erase(rq, t);
	rq->nr_running--;
	t->queued = 0;
	task_set_hart(t, rq, to);
}

void task_set_hart(struct task *t, struct runq *from, struct runq *to)
{
	if (from == to)
		return;
	/* A sleeper, or one that never ran, is no further behind than a wake would leave it: below 0 lies the far future. */
	if (t->vruntime + SLEEPER_CREDIT_NS < from->min_vruntime)
		t->vruntime = from->min_vruntime - SLEEPER_CREDIT_NS;
	t->vruntime = t->vruntime - from->min_vruntime + to->min_vruntime;
	WRITE_ONCE(t->hart, to->hart);
}

/* Takes a queued task out, lets the caller change how it is scheduled, and puts it back. */
bool runq_change_begin(struct runq *rq, struct task *t)
{
	if (!t->queued || rq->current == t)
		return false;
	runq_erase(rq, t);
	return true;
}

void runq_change_end(struct runq *rq, struct task *t, bool was_waiting)
{
	if (was_waiting)
		runq_insert(rq, t, false);
	if (t->queued && (was_waiting ? should_preempt(rq, t) : true))
		runq_resched(rq);
}

/* ---- the switch ---- */

/* A RUNNABLE task that is on no queue, and only the caller will queue it: chooses its hart. Unlocks rq. */
static void wake_place(struct runq *rq, struct task *t)
{
	u32 target = balance_choose_hart(t, rq->hart);

	while (unlikely(target != rq->hart)) {
		struct runq *to = &runqs[target];

		task_set_hart(t, rq, to);
		spin_unlock(&rq->lock);
		spin_lock(&to->lock);
		rq = to;
		if (t->affinity & BIT(target))
			break;
		target = balance_choose_hart(t, target);
	}
	runq_add(rq, t);
	spin_unlock(&rq->lock);
}

/* t's affinity changed: if it may not be where it is queued, it moves, at once or when it next leaves the hart. Unlocks rq. */
void runq_rehome(struct runq *rq, struct task *t)
{
	if (!t->queued || (t->affinity & BIT(rq->hart))) {
		spin_unlock(&rq->lock);
	} else if (rq->current == t) {
		runq_resched(rq);
		spin_unlock(&rq->lock);
	} else {
		runq_remove(rq, t, rq);
		wake_place(rq, t);
	}
}

static struct task *runq_pick(struct runq *rq)
{
	struct task *t;

	if (unlikely(!list_empty(&rq->rt))) {
		t = list_first_entry(&rq->rt, struct task, run_link);
		list_del(&t->run_link);
		return t;
	}
	if (!rq->first)
		return rq->idle;
	t = tree_entry(rq->first, struct task, run_node);
	fair_erase(rq, t);
	return t;
}

/* The task that was left on this hart is now off its stack. Context: interrupts off, the queue's lock held. */
static void sched_finish(void)
{
	struct runq *rq = this_runq();
	struct task *prev = rq->previous;
	enum task_state state = READ_ONCE(prev->state);

	if (unlikely(rq->moving)) {
		rq->moving = 0;
		store_release(&prev->on_hart, 0);
		wake_place(rq, prev);
		return;
	}
	store_release(&prev->on_hart, 0);
	/* A zombie's state is final, and it was read under the lock: nobody else will drop this reference. */
	spin_unlock(&rq->lock);
	if (likely(state != TASK_ZOMBIE && state != TASK_DEAD))
		return;
	kstack_free(prev->kstack);
	prev->kstack = 0;
	task_put(prev);
}

static void activate_memory(const struct task *next)
{
	struct pagetable *pt = next->as ? &next->as->pt : &kernel_pagetable;

	if (this_hart()->pt != pt)
		pt_activate(next->as ? pt : NULL);
}

static void switch_to(struct runq *rq, struct task *prev, struct task *next, u64 now)
{
	next->exec_start = now;
	next->on_hart = 1;
	next->nr_switches++;
	rq->nr_switches++;
	rq->current = next;
	next->thread.hart = prev->thread.hart;
	if (unlikely(task_is_rt(next)))
		next->slice_end = next->policy == SCHED_RR ? now + RR_SLICE_NS : ~0ul;
	activate_memory(next);
	if (next != rq->idle)
		runq_want_tick(rq, now);
	else
		balance_idle_begin(rq);
	if (prev == rq->idle)
		balance_idle_end(rq);
	rq->previous = prev;
	thread_switch(&prev->thread, &next->thread);
	/* Here again, perhaps on another hart; a new task comes to sched_first_run instead. */
	sched_finish();
}

/* The running task goes back to the others, or off the queue. False: it simply runs on. */
static bool runq_leave(struct runq *rq, struct task *prev, u64 now)
{
	bool runnable = READ_ONCE(prev->state) == TASK_RUNNABLE;

	if (likely(runnable && (prev->affinity & BIT(rq->hart)))) {
		if (!rq->first && list_empty(&rq->rt))
			return false;
		runq_insert(rq, prev, now < prev->slice_end);
		prev->nr_involuntary++;
		return true;
	}
	prev->queued = 0;
	rq->nr_running--;
	rq->moving = runnable;
	return true;
}

void sched_run(void)
{
	u64 flags = irq_save();
	struct runq *rq = this_runq();
	struct task *prev = current(), *next;
	u64 now;

	spin_lock(&rq->lock);
	now = clock_mono_ns();
	runq_account(rq, now);
	__atomic_fetch_and(&prev->thread.work, ~THREAD_RESCHED, __ATOMIC_RELAXED);
	if (prev != rq->idle && !runq_leave(rq, prev, now)) {
		spin_unlock(&rq->lock);
		irq_restore(flags);
		return;
	}
	next = runq_pick(rq);
	if (next == prev)
		spin_unlock(&rq->lock);
	else
		switch_to(rq, prev, next, now);
	irq_restore(flags);
}

void sched_first_run(void)
{
	sched_finish();
	irq_enable();
}

noreturn void sched_exit(void)
{
	sched_run();
	panic("a dead task runs");
}

/* ---- wake ---- */

bool sched_wake_states(struct task *t, u32 states)
{
	enum task_state old;
	struct runq *rq;
	bool woken;
	u64 flags;

	smp_mb();
	if (!(BIT(READ_ONCE(t->state)) & states))
		return false;
	flags = irq_save();
	rq = task_runq_lock(t);
	old = READ_ONCE(t->state);
	woken = (BIT(old) & states) &&
		__atomic_compare_exchange_n(&t->state, &old, TASK_RUNNABLE, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	if (woken && !t->queued)
		wake_place(rq, t);
	else
		spin_unlock(&rq->lock);
	irq_restore(flags);
	return woken;
}

void sched_wake(struct task *t)
{
	sched_wake_states(t, BIT(TASK_SLEEPING));
}

void sched_start(struct task *t)
{
	sched_wake_states(t, BIT(TASK_NEW));
}

void sched_point(void)
{
	might_sleep();
	if (unlikely(READ_ONCE(current_thread()->work) & THREAD_RESCHED))
		sched_run();
}

void sched_ipi(void)
{
	/* The work bit was set by the sender; it is looked at on the way to user mode, and by the idle loop. */
}

/* ---- the tick ---- */

static bool tick_wants_switch(const struct runq *rq, u64 now)
{
	const struct task *cur = rq->current, *first;

	if (rq->nr_running < 2)
		return false;
	if (cur->policy == SCHED_RR)
		return now >= cur->slice_end;
	if (cur->policy == SCHED_FIFO)
		return false;
	if (!rq->first)
		return true;
	first = tree_entry(rq->first, struct task, run_node);
	return first->vruntime < cur->vruntime;
}

void sched_tick(u32 from_user)
{
	struct runq *rq = this_runq();
	struct task *t = current();
	u64 now;

	if (t == rq->idle)
		return;
	spin_lock(&rq->lock);
	now = clock_mono_ns();
	runq_account(rq, now);
	if (from_user)
		t->ticks_user++;
	else
		t->ticks_system++;
	if (tick_wants_switch(rq, now))
		__atomic_fetch_or(&t->thread.work, THREAD_RESCHED, __ATOMIC_RELAXED);
	ktimer_set_tick(now + (rq->nr_running > 1 ? TICK_SHARED_NS : TICK_ALONE_NS));
	spin_unlock(&rq->lock);
	balance_tick(rq, now);
}

/* ---- starting ---- */

void sched_fork(struct task *child, const struct task *parent)
{
	child->hart = parent->hart;
	child->affinity = parent->affinity;
	child->nice = parent->nice;
	child->weight = parent->weight;
	child->policy = parent->policy;
	child->rt_priority = parent->rt_priority;
	child->vruntime = parent->vruntime;
	child->state = TASK_NEW;
}

static void runq_init(struct runq *rq, u32 hart)
{
	spin_init(&rq->lock, "run queue", RANK_RUNQUEUE);
	rq->hart = hart;
	list_init(&rq->rt);
	tree_init(&rq->fair);
	rq->min_vruntime = VRUNTIME_START;
}

static void idle_setup(struct runq *rq, struct task *idle)
{
	idle->hart = rq->hart;
	idle->affinity = BIT(rq->hart);
	idle->weight = 1024;
	idle->state = TASK_RUNNABLE;
	idle->on_hart = 1;
	idle->exec_start = clock_mono_ns();
	rq->idle = idle;
	rq->current = idle;
}

void sched_init(struct task *boot_idle)
{
	for (u32 i = 0; i < MAX_HARTS; i++)
		runq_init(&runqs[i], i);
	idle_setup(&runqs[hart_index()], boot_idle);
}

static bool runq_is_empty(const struct runq *rq)
{
	return READ_ONCE(rq->nr_running) == 0;
}

noreturn void sched_start_hart(void)
{
	struct runq *rq = this_runq();

	irq_disable();
	if (!rq->idle) {
		task_idle_init(current());
		idle_setup(rq, current());
	}
	ticking = 1;
	balance_hart_online(rq);
	for (;;) {
		if (runq_is_empty(rq))
			balance_idle_pull(rq);
		if (runq_is_empty(rq))
			hart_wait_interrupt();
		else
			sched_run();
	}
}
