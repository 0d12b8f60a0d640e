#include "sync/rwlock.h"
#include "arch/riscv/thread.h"
#include "lib/errno.h"
#include "sync/sched.h"

enum rw_kind { RW_READ, RW_WRITE };

/* On the waiter's stack; on the list until it is granted the lock or gives up. */
struct rwlock_waiter {
	struct list node;
	struct task *task;
	enum rw_kind kind;
	u32 granted; /* written under wait_lock */
};

void rwlock_init(struct rwlock *rw, const char *name, enum lock_rank rank)
{
	rw->state = 0;
	spin_init(&rw->wait_lock, "rwlock wait", RANK_LOCK_WAIT);
	list_init(&rw->waiters);
	lock_id_init(&rw->id, name, rank);
}

static bool may_enter(u64 state, enum rw_kind kind)
{
	return kind == RW_READ ? (state & (RWLOCK_WRITER | RWLOCK_WAITERS)) == 0 : state == 0;
}

static u64 share_of(enum rw_kind kind)
{
	return kind == RW_READ ? RWLOCK_READER : RWLOCK_WRITER;
}

/* The fast paths. Fails only when the state keeps it out, never by chance. */
static bool try_raw(struct rwlock *rw, enum rw_kind kind)
{
	u64 state = __atomic_load_n(&rw->state, __ATOMIC_RELAXED);

	while (may_enter(state, kind))
		if (__atomic_compare_exchange_n(
			    &rw->state, &state, state + share_of(kind), false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return true;
	return false;
}

/* Under wait_lock. Takes the lock if it may; otherwise WAITERS is set when this returns false. */
static bool take_or_mark(struct rwlock *rw, enum rw_kind kind)
{
	u64 state = __atomic_load_n(&rw->state, __ATOMIC_RELAXED);

	for (;;) {
		bool enter = may_enter(state, kind);
		u64 to = enter ? state + share_of(kind) : state | RWLOCK_WAITERS;

		if (__atomic_compare_exchange_n(&rw->state, &state, to, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return enter;
	}
}

/*
 * Under wait_lock: lets in whoever is next. WAITERS is set, so holders can only leave meanwhile,
 * and what was found possible stays possible.
 */
static void grant_locked(struct rwlock *rw)
{
	spin_assert_held(&rw->wait_lock);
	while (!list_empty(&rw->waiters)) {
		struct rwlock_waiter *w = list_first_entry(&rw->waiters, struct rwlock_waiter, node);
		struct task *task = w->task;
		u64 state = __atomic_load_n(&rw->state, __ATOMIC_ACQUIRE) & ~RWLOCK_WAITERS;

		if (w->kind == RW_WRITE ? state != 0 : (state & RWLOCK_WRITER) != 0)
			return;
		__atomic_fetch_add(&rw->state, share_of(w->kind), __ATOMIC_ACQ_REL);
		list_del(&w->node);
		store_release(&w->granted, 1);
		sched_wake(task);
	}
	__atomic_fetch_and(&rw->state, ~RWLOCK_WAITERS, __ATOMIC_RELEASE);
}

static void grant(struct rwlock *rw)
{
	spin_lock(&rw->wait_lock);
	grant_locked(rw);
	spin_unlock(&rw->wait_lock);
}

static NOINLINE int lock_slow(struct rwlock *rw, enum rw_kind kind, enum sleep_kind sleep)
{
	struct rwlock_waiter waiter = {.task = current(), .kind = kind, .granted = 0};
	int err = 0;

	spin_lock(&rw->wait_lock);
	if (take_or_mark(rw, kind)) {
		spin_unlock(&rw->wait_lock);
		return 0;
	}
	list_add_tail(&waiter.node, &rw->waiters);
	spin_unlock(&rw->wait_lock);

	while (err == 0) {
		sched_prepare_sleep(sleep);
		if (load_acquire(&waiter.granted))
			break;
		err = sched_sleep(SCHED_FOREVER);
	}
	sched_cancel_sleep();

	/*
	 * Also when granted: the granter is done with the waiter and the task once it has let go of
	 * this.
	 */
	spin_lock(&rw->wait_lock);
	if (waiter.granted) {
		err = 0;
	} else {
		/* It may have been the one that others waited behind. */
		list_del(&waiter.node);
		grant_locked(rw);
	}
	spin_unlock(&rw->wait_lock);
	return err;
}

static int lock_common(struct rwlock *rw, enum rw_kind kind, enum sleep_kind sleep)
{
	return likely(try_raw(rw, kind)) ? 0 : lock_slow(rw, kind, sleep);
}

void rwlock_read_lock_slow(struct rwlock *rw)
{
	might_sleep();
	lockcheck_sleep_before(rw, &rw->id, LOCK_NEST_NONE);
	lock_common(rw, RW_READ, SLEEP_UNINTERRUPTIBLE);
	lockcheck_sleep_acquired(rw, &rw->id);
}

void rwlock_read_lock_nested(struct rwlock *rw)
{
	might_sleep();
	lockcheck_sleep_before(rw, &rw->id, LOCK_NEST_SAME_RANK);
	lock_common(rw, RW_READ, SLEEP_UNINTERRUPTIBLE);
	lockcheck_sleep_acquired(rw, &rw->id);
}

int rwlock_read_lock_killable(struct rwlock *rw)
{
	int err;

	might_sleep();
	lockcheck_sleep_before(rw, &rw->id, LOCK_NEST_NONE);
	err = lock_common(rw, RW_READ, SLEEP_KILLABLE);
	if (err)
		return err;
	lockcheck_sleep_acquired(rw, &rw->id);
	return 0;
}

void rwlock_write_lock(struct rwlock *rw)
{
	might_sleep();
	lockcheck_sleep_before(rw, &rw->id, LOCK_NEST_NONE);
	lock_common(rw, RW_WRITE, SLEEP_UNINTERRUPTIBLE);
	lockcheck_sleep_acquired(rw, &rw->id);
}

void rwlock_write_lock_nested(struct rwlock *rw)
{
	might_sleep();
	lockcheck_sleep_before(rw, &rw->id, LOCK_NEST_SAME_RANK);
	lock_common(rw, RW_WRITE, SLEEP_UNINTERRUPTIBLE);
	lockcheck_sleep_acquired(rw, &rw->id);
}

int rwlock_write_lock_killable(struct rwlock *rw)
{
	int err;

	might_sleep();
	lockcheck_sleep_before(rw, &rw->id, LOCK_NEST_NONE);
	err = lock_common(rw, RW_WRITE, SLEEP_KILLABLE);
	if (err)
		return err;
	lockcheck_sleep_acquired(rw, &rw->id);
	return 0;
}

bool rwlock_read_trylock(struct rwlock *rw)
{
	if (!try_raw(rw, RW_READ))
		return false;
	lockcheck_sleep_acquired(rw, &rw->id);
	return true;
}

bool rwlock_write_trylock(struct rwlock *rw)
{
	if (!try_raw(rw, RW_WRITE))
		return false;
	lockcheck_sleep_acquired(rw, &rw->id);
	return true;
}

/* In the debug kernel all of it; otherwise the reader has left, and was the last one before those who wait. */
void rwlock_read_unlock_slow(struct rwlock *rw)
{
#ifdef VITRINE_DEBUG
	DEBUG_ASSERT(READ_ONCE(rw->state) >= RWLOCK_READER);
	lockcheck_sleep_release(rw, &rw->id);
	if (__atomic_sub_fetch(&rw->state, RWLOCK_READER, __ATOMIC_RELEASE) != RWLOCK_WAITERS)
		return;
#endif
	grant(rw);
}

void rwlock_write_unlock(struct rwlock *rw)
{
	u64 state = RWLOCK_WRITER;

	rwlock_assert_write_held(rw);
	lockcheck_sleep_release(rw, &rw->id);
	if (likely(__atomic_compare_exchange_n(&rw->state, &state, 0, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)))
		return;
	spin_lock(&rw->wait_lock);
	__atomic_fetch_and(&rw->state, ~RWLOCK_WRITER, __ATOMIC_RELEASE);
	grant_locked(rw);
	spin_unlock(&rw->wait_lock);
}

void rwlock_downgrade(struct rwlock *rw)
{
	u64 now;

	rwlock_assert_write_held(rw);
	now = __atomic_add_fetch(&rw->state, RWLOCK_READER - RWLOCK_WRITER, __ATOMIC_ACQ_REL);
	if (now & RWLOCK_WAITERS)
		grant(rw);
}
