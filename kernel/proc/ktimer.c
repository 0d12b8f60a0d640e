/*
 * Kernel timers: a tree by deadline for each hart, and one hardware comparator that always holds the earliest of the
 * first timer's deadline and the scheduler's next tick, or something earlier (a timer that was cancelled leaves it
 * as it is: the interrupt then finds nothing and arms anew).
 *
 * A timer is started on the hart that calls; it may be cancelled from any. Its function runs in the timer interrupt
 * without the base's lock, so it may take locks, wake, and start its own timer again.
 * `running` is the timer whose function runs now: ktimer_cancel on another hart waits for it.
 */
#include "arch/riscv/arch.h"
#include "arch/riscv/irq.h"
#include "proc/proc.h"
#include "proc/sched.h"
#include "sync/spinlock.h"

struct timer_base {
	struct spinlock lock; /* RANK_TIMER */
	struct tree tree;
	u64 first_ns; /* deadline of the first, or ~0 */
	struct ktimer *running;
	/* This hart only, interrupts off: */
	u64 tick_ns;  /* the scheduler's, or ~0 */
	u64 armed_ns; /* what the comparator holds */
};

static struct timer_base bases[MAX_HARTS];

void ktimer_init(void)
{
	for (u32 i = 0; i < MAX_HARTS; i++) {
		spin_init(&bases[i].lock, "timers", RANK_TIMER);
		tree_init(&bases[i].tree);
		bases[i].first_ns = ~0ul;
		bases[i].tick_ns = ~0ul;
		bases[i].armed_ns = ~0ul;
	}
}

static void base_arm(struct timer_base *b, u64 at_ns)
{
	if (at_ns < b->armed_ns) {
		b->armed_ns = at_ns;
		timer_arm(at_ns);
	}
}

static bool timer_less(const struct tree_node *a, const struct tree_node *b)
{
	return tree_entry(a, struct ktimer, node)->deadline_ns < tree_entry(b, struct ktimer, node)->deadline_ns;
}

static void base_note_first(struct timer_base *b)
{
	struct tree_node *first = tree_first(&b->tree);

	b->first_ns = first ? tree_entry(first, struct ktimer, node)->deadline_ns : ~0ul;
}

/* Takes it off whichever tree it is on. */
static void timer_unlink(struct ktimer *t)
{
	struct timer_base *b = &bases[t->hart];
	u64 flags;

	if (!load_acquire(&t->armed))
		return;
	flags = spin_lock_irqsave(&b->lock);
	if (t->armed) {
		tree_erase(&b->tree, &t->node);
		t->armed = 0;
		base_note_first(b);
	}
	spin_unlock_irqrestore(&b->lock, flags);
}

void ktimer_start(struct ktimer *t, u64 deadline_ns)
{
	u64 flags = irq_save();
	struct timer_base *b = &bases[hart_index()];

	timer_unlink(t);
	spin_lock(&b->lock);
	t->deadline_ns = deadline_ns;
	t->hart = hart_index();
	WRITE_ONCE(t->armed, 1);
	tree_insert(&b->tree, &t->node, timer_less);
	if (deadline_ns < b->first_ns) {
		b->first_ns = deadline_ns;
		base_arm(b, deadline_ns);
	}
	spin_unlock(&b->lock);
	irq_restore(flags);
}

bool ktimer_try_cancel(struct ktimer *t)
{
	struct timer_base *b = &bases[READ_ONCE(t->hart)];

	if (load_acquire(&b->running) == t)
		return false;
	timer_unlink(t);
	/* It may have expired in between, and its function may have started it again, there. */
	return load_acquire(&b->running) != t && !READ_ONCE(t->armed);
}

void ktimer_cancel(struct ktimer *t)
{
	while (!ktimer_try_cancel(t))
		cpu_relax();
}

void ktimer_set_tick(u64 at_ns)
{
	struct timer_base *b = &bases[hart_index()];

	/* An earlier tick stays: ticks sample at a steady pace however often tasks switch. */
	if (at_ns >= b->tick_ns)
		return;
	b->tick_ns = at_ns;
	base_arm(b, at_ns);
}

/* The next timer whose time has come, off the tree and marked as running; or NULL. */
static struct ktimer *base_next_expired(struct timer_base *b)
{
	struct tree_node *first;
	struct ktimer *t = NULL;

	spin_lock(&b->lock);
	store_release(&b->running, NULL);
	first = b->first_ns != ~0ul ? tree_first(&b->tree) : NULL;
	if (first && tree_entry(first, struct ktimer, node)->deadline_ns <= clock_mono_ns()) {
		t = tree_entry(first, struct ktimer, node);
		tree_erase(&b->tree, first);
		WRITE_ONCE(b->running, t);
		store_release(&t->armed, 0); /* after `running`: ktimer_cancel looks in the other order */
		base_note_first(b);
	}
	spin_unlock(&b->lock);
	return t;
}

void timer_interrupt(void)
{
	struct timer_base *b = &bases[hart_index()];
	u32 from_user = irq_from_user();
	struct ktimer *t;

	b->armed_ns = 0; /* nothing arms the comparator until the end */
	while ((t = base_next_expired(b)) != NULL)
		t->fn(t);
	if (clock_mono_ns() >= b->tick_ns) {
		b->tick_ns = ~0ul;
		sched_tick(from_user);
		process_tick(from_user);
	}
	b->armed_ns = MIN(READ_ONCE(b->first_ns), b->tick_ns);
	timer_arm(b->armed_ns);
}
