#ifdef VITRINE_DEBUG

#include "arch/riscv/hart.h"
#include "arch/riscv/irq.h"
#include "arch/riscv/thread.h"
#include "lib/assert.h"
#include "lib/log.h"
#include "sync/lockcheck.h"

static bool in_irq(void)
{
	const struct thread *thread = (const struct thread *)(const void *)current();

	return thread && thread->hart && thread->hart->irq_depth > 0;
}

/* ---- one holder's list; its owner alone touches it, with interrupts off for a hart's ---- */
static struct held_lock *held_find(struct held_locks *held, const void *lock)
{
	for (u32 i = 0; i < held->depth; i++)
		if (held->held[i].lock == lock)
			return &held->held[i];
	return NULL;
}

static void held_push(struct held_locks *held, const void *lock, const struct lock_id *id, uintptr_t caller)
{
	struct held_lock *h;

	if (held->depth == HELD_LOCKS_MAX)
		panic("more than %u locks held, taking %s", HELD_LOCKS_MAX, id->name);
	h = &held->held[held->depth++];
	h->lock = lock;
	h->name = id->name;
	h->rank = id->rank;
	h->in_irq = in_irq();
	h->seen = &id->seen;
	h->caller = caller;
}

/* L3. Locks need not be given back in the reverse order. */
static void held_remove(struct held_locks *held, const void *lock, const struct lock_id *id)
{
	struct held_lock *h = held_find(held, lock);

	if (!h)
		panic("lock %s (%p) released, but not held here", id->name, lock);
	for (held->depth--; h < &held->held[held->depth]; h++)
		*h = h[1];
}

/* L1 and L2. */
static void held_check_order(struct held_locks *held, const void *lock, const struct lock_id *id,
	enum lock_nesting nesting, uintptr_t caller)
{
	for (u32 i = 0; i < held->depth; i++) {
		const struct held_lock *h = &held->held[i];

		if (h->lock == lock)
			panic("lock %s (%p) taken twice: at %p, now at %p", id->name, lock, (void *)h->caller,
				(void *)caller);
		if (id->rank == RANK_NONE || h->rank < id->rank)
			continue;
		if (in_irq() && !h->in_irq)
			continue; /* the stopped path's: L6 sees to these */
		if (h->rank == id->rank && nesting == LOCK_NEST_SAME_RANK)
			continue;
		panic("lock order: %s (rank %u) taken at %p under %s (rank %u) taken at %p", id->name, id->rank,
			(void *)caller, h->name, h->rank, (void *)h->caller);
	}
}

/* ---- spinlocks ---- */
static bool under_irq_lock(const struct held_locks *held)
{
	for (u32 i = 0; i < held->depth; i++)
		if (READ_ONCE(*held->held[i].seen) & LOCK_SEEN_IN_IRQ)
			return true;
	return false;
}

/* L5 and L6. */
static void check_irq_use(const struct held_locks *held, struct lock_id *id)
{
	u32 seen = READ_ONCE(id->seen);

	if (in_irq())
		seen |= LOCK_SEEN_IN_IRQ;
	else if (irq_enabled())
		seen |= LOCK_SEEN_IRQS_ON;
	else if (under_irq_lock(held))
		seen |= LOCK_SEEN_UNDER_IRQ_LOCK;
	if ((seen & LOCK_SEEN_UNDER_IRQ_LOCK) && (seen & LOCK_SEEN_IRQS_ON))
		panic("lock %s is taken under a lock that interrupt handlers take, and elsewhere with interrupts on",
			id->name);
	if ((seen & LOCK_SEEN_IN_IRQ) && (seen & LOCK_SEEN_IRQS_ON))
		panic("lock %s is taken by interrupt handlers, and elsewhere with interrupts on", id->name);
	if (seen != READ_ONCE(id->seen))
		__atomic_fetch_or(&id->seen, seen, __ATOMIC_RELAXED);
}

void lockcheck_spin_before(const void *lock, struct lock_id *id, enum lock_nesting nesting)
{
	struct held_locks *held = held_locks_hart();
	u64 flags;

	if (!held)
		return;
	check_irq_use(held, id);
	flags = irq_save();
	held_check_order(held, lock, id, nesting, (uintptr_t)__builtin_return_address(0));
	irq_restore(flags);
}

void lockcheck_spin_acquired(const void *lock, struct lock_id *id)
{
	u64 flags = irq_save();
	struct held_locks *held = held_locks_hart();

	if (held)
		held_push(held, lock, id, (uintptr_t)__builtin_return_address(0));
	irq_restore(flags);
}

void lockcheck_spin_release(const void *lock, struct lock_id *id)
{
	u64 flags = irq_save();
	struct held_locks *held = held_locks_hart();

	if (held)
		held_remove(held, lock, id);
	irq_restore(flags);
}

bool lockcheck_spin_held(const void *lock)
{
	u64 flags = irq_save();
	struct held_locks *held = held_locks_hart();
	bool result = !held || held_find(held, lock);

	irq_restore(flags);
	return result;
}

/* ---- sleeping locks ---- */
void lockcheck_sleep_before(const void *lock, struct lock_id *id, enum lock_nesting nesting)
{
	struct held_locks *held = held_locks_task();

	if (held)
		held_check_order(held, lock, id, nesting, (uintptr_t)__builtin_return_address(0));
}

void lockcheck_sleep_acquired(const void *lock, struct lock_id *id)
{
	struct held_locks *held = held_locks_task();

	if (held)
		held_push(held, lock, id, (uintptr_t)__builtin_return_address(0));
}

void lockcheck_sleep_release(const void *lock, struct lock_id *id)
{
	struct held_locks *held = held_locks_task();

	if (held)
		held_remove(held, lock, id);
}

bool lockcheck_sleep_held(const void *lock)
{
	struct held_locks *held = held_locks_task();

	return !held || held_find(held, lock);
}

/* ---- L4 and the rest ---- */
void lockcheck_might_sleep(const char *file, int line)
{
	struct held_locks *held = held_locks_hart();

	/* Before there are tasks, boot code runs with interrupts off and never really sleeps. */
	if (!held || !held_locks_task())
		return;
	if (held->depth)
		panic("may sleep at %s:%d, holding spinlock %s taken at %p", file, line,
			held->held[held->depth - 1].name, (void *)held->held[held->depth - 1].caller);
	if (!irq_enabled())
		panic("may sleep at %s:%d, with interrupts off", file, line);
}

static void check_none(struct held_locks *held, const char *where)
{
	if (held && held->depth)
		panic("lock %s taken at %p is still held at %s", held->held[0].name, (void *)held->held[0].caller,
			where);
}

void lockcheck_none_held(const char *where)
{
	check_none(held_locks_hart(), where);
	check_none(held_locks_task(), where);
}

static void dump(struct held_locks *held, const char *whose)
{
	for (u32 i = 0; held && i < MIN(held->depth, (u32)HELD_LOCKS_MAX); i++)
		pr_err("  %s holds %s (rank %u, %p), taken at %p", whose, held->held[i].name, held->held[i].rank,
			held->held[i].lock, (void *)held->held[i].caller);
}

void lockcheck_dump(void)
{
	dump(held_locks_hart(), "hart");
	dump(held_locks_task(), "task");
}

#endif
