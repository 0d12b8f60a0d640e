#include "sync/mutex.h"
#include "lib/errno.h"
#include "sync/sched.h"

/* On the waiter's stack; on the list until it is handed the mutex or gives up. */
struct mutex_waiter {
	struct list node;
	struct task *task;
};

static u64 self(void)
{
	return (u64)(uintptr_t)current();
}

static bool try_raw(struct mutex *m)
{
	u64 free = 0;

	return __atomic_compare_exchange_n(&m->owner, &free, self(), false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

void mutex_init(struct mutex *m, const char *name, enum lock_rank rank)
{
	m->owner = 0;
	spin_init(&m->wait_lock, "mutex wait", RANK_LOCK_WAIT);
	list_init(&m->waiters);
	lock_id_init(&m->id, name, rank);
}

/*
 * Under wait_lock. Takes the mutex if it is free; otherwise WAITERS is set when this returns false.
 */
static bool take_or_mark(struct mutex *m)
{
	u64 owner = __atomic_load_n(&m->owner, __ATOMIC_RELAXED);

	for (;;) {
		u64 to = owner ? owner | MUTEX_WAITERS : self();

		if (__atomic_compare_exchange_n(&m->owner, &owner, to, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return owner == 0;
	}
}

static bool handed_over(const struct mutex *m)
{
	return (load_acquire(&m->owner) & ~MUTEX_WAITERS) == self();
}

/* Under wait_lock: the waiter leaves the list without the mutex. */
static void give_up(struct mutex *m, struct mutex_waiter *waiter)
{
	list_del(&waiter->node);
	if (list_empty(&m->waiters))
		__atomic_fetch_and(&m->owner, ~MUTEX_WAITERS, __ATOMIC_RELAXED);
}

static int lock_slow(struct mutex *m, enum sleep_kind kind)
{
	struct mutex_waiter waiter = {.task = current()};
	int err = 0;

	spin_lock(&m->wait_lock);
	if (take_or_mark(m)) {
		spin_unlock(&m->wait_lock);
		return 0;
	}
	list_add_tail(&waiter.node, &m->waiters);
	spin_unlock(&m->wait_lock);

	while (err == 0) {
		sched_prepare_sleep(kind);
		if (handed_over(m))
			break;
		err = sched_sleep(SCHED_FOREVER);
	}
	sched_cancel_sleep();

	/*
	 * Also when handed over: whoever did that has let go of the waiter and the task once it has
	 * let go of this.
	 */
	spin_lock(&m->wait_lock);
	if (handed_over(m))
		err = 0;
	else
		give_up(m, &waiter);
	spin_unlock(&m->wait_lock);
	return err;
}

static int lock_common(struct mutex *m, enum sleep_kind kind)
{
	int err;

	if (likely(try_raw(m)))
		return 0;
	err = lock_slow(m, kind);
	DEBUG_ASSERT(err || mutex_is_held(m));
	return err;
}

void mutex_lock(struct mutex *m)
{
	might_sleep();
	lockcheck_sleep_before(m, &m->id, LOCK_NEST_NONE);
	lock_common(m, SLEEP_UNINTERRUPTIBLE);
	lockcheck_sleep_acquired(m, &m->id);
}

void mutex_lock_nested(struct mutex *m)
{
	might_sleep();
	lockcheck_sleep_before(m, &m->id, LOCK_NEST_SAME_RANK);
	lock_common(m, SLEEP_UNINTERRUPTIBLE);
	lockcheck_sleep_acquired(m, &m->id);
}

int mutex_lock_interruptible(struct mutex *m)
{
	might_sleep();
	lockcheck_sleep_before(m, &m->id, LOCK_NEST_NONE);
	if (lock_common(m, SLEEP_INTERRUPTIBLE) < 0)
		return -ERESTARTSYS;
	lockcheck_sleep_acquired(m, &m->id);
	return 0;
}

int mutex_lock_killable(struct mutex *m)
{
	might_sleep();
	lockcheck_sleep_before(m, &m->id, LOCK_NEST_NONE);
	if (lock_common(m, SLEEP_KILLABLE) < 0)
		return -EINTR;
	lockcheck_sleep_acquired(m, &m->id);
	return 0;
}

bool mutex_trylock(struct mutex *m)
{
	if (!try_raw(m))
		return false;
	lockcheck_sleep_acquired(m, &m->id);
	return true;
}

static NOINLINE void unlock_slow(struct mutex *m)
{
	struct mutex_waiter *first;
	struct task *task;
	u64 owner;

	spin_lock(&m->wait_lock);
	/* The only waiter may have given up since the fast path failed. */
	if (list_empty(&m->waiters)) {
		store_release(&m->owner, 0);
		spin_unlock(&m->wait_lock);
		return;
	}
	first = list_first_entry(&m->waiters, struct mutex_waiter, node);
	task = first->task;
	list_del(&first->node);
	owner = (u64)(uintptr_t)task | (list_empty(&m->waiters) ? 0 : MUTEX_WAITERS);
	store_release(&m->owner, owner);
	sched_wake(task);
	spin_unlock(&m->wait_lock);
}

void mutex_unlock(struct mutex *m)
{
	u64 owner = self();

	DEBUG_ASSERT(mutex_is_held(m));
	lockcheck_sleep_release(m, &m->id);
	if (likely(__atomic_compare_exchange_n(&m->owner, &owner, 0, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)))
		return;
	unlock_slow(m);
}
