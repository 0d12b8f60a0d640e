/*
 * Which hart a task runs on.
 *
 *   wake-up    the hart it ran on if that is idle, else any idle one, else where it ran
 *   idle       a hart that runs out of work takes the task that would wait longest elsewhere
 *   tick       a busy hart looks every BALANCE_NS: wakes an idle hart when tasks wait here, or takes from one with two more
 *
 * idle_harts is a hint, kept by atomic bit operations: a stale bit costs a kick or a detour, never a task.
 */
#include "arch/riscv/arch.h"
#include "lib/bitmap.h"
#include "proc/sched.h"
#include "proc/task.h"

#define BALANCE_NS 20000000ul

static u64 idle_harts, online_harts;

void balance_hart_online(struct runq *rq)
{
	__atomic_fetch_or(&online_harts, BIT(rq->hart), __ATOMIC_SEQ_CST);
	balance_idle_begin(rq);
}

void balance_idle_begin(struct runq *rq)
{
	__atomic_fetch_or(&idle_harts, BIT(rq->hart), __ATOMIC_RELAXED);
}

void balance_idle_end(struct runq *rq)
{
	__atomic_fetch_and(&idle_harts, ~BIT(rq->hart), __ATOMIC_RELAXED);
}

u32 balance_choose_hart(const struct task *t, u32 previous)
{
	u64 allowed = t->affinity & READ_ONCE(online_harts), idle;

	if (unlikely(!allowed))
		return previous; /* early boot: only one hart runs */
	idle = READ_ONCE(idle_harts) & allowed;
	if (idle)
		return idle & BIT(previous) ? previous : bit_lowest(idle);
	return allowed & BIT(previous) ? previous : bit_lowest(allowed);
}

/* The queue with the most tasks, if it has at least `least`. */
static struct runq *busiest_other(const struct runq *mine, u32 least)
{
	struct runq *best = NULL;

	for (u32 i = 0; i < nr_harts; i++) {
		u32 n = READ_ONCE(runqs[i].nr_running);

		if (&runqs[i] != mine && n >= least) {
			best = &runqs[i];
			least = n + 1;
		}
	}
	return best;
}

/* Of those that wait: the one whose turn is farthest away and that may run there. */
static struct task *task_to_move(struct runq *from, u32 hart)
{
	struct tree_node *node;
	struct task *t;

	for (node = tree_last(&from->fair); node; node = tree_prev(node)) {
		t = tree_entry(node, struct task, run_node);
		if (t->affinity & BIT(hart))
			return t;
	}
	list_for_each_entry_reverse(t, &from->rt, run_link)
	{
		if (t->affinity & BIT(hart))
			return t;
	}
	return NULL;
}

static void pull_from(struct runq *to, struct runq *from, u32 least)
{
	struct task *t = NULL;

	spin_lock_pair(&to->lock, &from->lock);
	if (from->nr_running >= least)
		t = task_to_move(from, to->hart);
	if (t) {
		runq_remove(from, t, to);
		runq_add(to, t);
	}
	spin_unlock_pair(&to->lock, &from->lock);
}

void balance_idle_pull(struct runq *rq)
{
	struct runq *from = busiest_other(rq, 2);

	if (from)
		pull_from(rq, from, 2);
}

void balance_tick(struct runq *rq, u64 now)
{
	struct runq *from;
	u64 idle;

	if (nr_harts == 1 || now < rq->next_balance)
		return;
	rq->next_balance = now + BALANCE_NS;
	idle = READ_ONCE(idle_harts) & ~BIT(rq->hart);
	if (rq->nr_running > 1 && idle) {
		hart_kick(bit_lowest(idle));
		return;
	}
	from = busiest_other(rq, rq->nr_running + 2);
	if (from)
		pull_from(rq, from, rq->nr_running + 2);
}
