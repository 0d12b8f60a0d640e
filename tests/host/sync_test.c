// host-sources: kernel/sync/spinlock.c kernel/sync/mutex.c kernel/sync/rwlock.c kernel/sync/waitq.c
/*
 * The sleeping locks and wait queues under real threads. A lost wake shows as a hang, which the
 * alarm ends; a hole in the exclusion shows as a wrong count.
 */
#include <unistd.h>

#include "arch/riscv/irq.h"
#include "host_sched.h"
#include "lib/rand.h"
#include "sync/mutex.h"
#include "sync/once.h"
#include "sync/rwlock.h"
#include "sync/seqcount.h"
#include "sync/waitq.h"

#define NR_TASKS 6
#define STEPS    3000

static struct task tasks[NR_TASKS];
static u32 running; /* tasks of a phase not done yet */

static void run_tasks(void (*body)(struct task *, void *), u32 nr)
{
	__atomic_store_n(&running, nr, __ATOMIC_SEQ_CST);
	for (u32 i = 0; i < nr; i++)
		host_task_start(&tasks[i], body, (void *)(uintptr_t)i);
}

static void join_tasks(u32 nr)
{
	for (u32 i = 0; i < nr; i++)
		host_task_join(&tasks[i]);
}

static void task_done(void)
{
	__atomic_fetch_sub(&running, 1, __ATOMIC_SEQ_CST);
}

/* Sends signals to the tasks, on and off, until they are done; then joins them. */
static void disturb_and_join(u32 nr)
{
	struct xorshift rng;

	xorshift_init(&rng, 7);
	while (__atomic_load_n(&running, __ATOMIC_SEQ_CST)) {
		host_task_set_signal(&tasks[xorshift_below(&rng, nr)], xorshift_below(&rng, 3) == 0);
		sched_yield();
	}
	join_tasks(nr);
}

/* ---- spinlock ---- */
static struct spinlock spin = SPINLOCK_INIT("test", RANK_LEAF);
static struct spinlock spin2 = SPINLOCK_INIT("test2", RANK_LEAF);
static u64 counter;

static void spin_body(struct task *task, void *arg)
{
	for (u32 i = 0; i < STEPS; i++) {
		u64 flags;

		if (i % 3 == 0) {
			spin_lock_pair((uintptr_t)arg % 2 ? &spin : &spin2, (uintptr_t)arg % 2 ? &spin2 : &spin);
			counter++;
			spin_unlock_pair(&spin, &spin2);
			continue;
		}
		if (i % 3 == 1 && spin_trylock(&spin)) {
			counter++;
			spin_unlock(&spin);
			continue;
		}
		flags = spin_lock_irqsave(&spin);
		ASSERT(!irq_enabled());
		counter++;
		spin_unlock_irqrestore(&spin, flags);
		ASSERT(irq_enabled());
	}
}

static void test_spinlock(void)
{
	counter = 0;
	run_tasks(spin_body, NR_TASKS);
	join_tasks(NR_TASKS);
	ASSERT(counter == NR_TASKS * STEPS && !spin_is_locked(&spin));
}

/* ---- mutex ---- */
static struct mutex mutex = MUTEX_INIT(mutex, "test", RANK_SLEEP_LEAF);
static u64 gave_up;

static void mutex_body(struct task *task, void *arg)
{
	struct xorshift rng;

	xorshift_init(&rng, 100 + (uintptr_t)arg);
	for (u32 i = 0; i < STEPS; i++) {
		u64 seen;
		int err = 0;

		switch (xorshift_below(&rng, 4)) {
		case 0: err = mutex_lock_interruptible(&mutex); break;
		case 1: err = mutex_lock_killable(&mutex); break;
		case 2: err = mutex_trylock(&mutex) ? 0 : -EAGAIN; break;
		default: mutex_lock(&mutex); break;
		}
		if (err) {
			__atomic_fetch_add(&gave_up, 1, __ATOMIC_RELAXED);
			continue;
		}
		ASSERT(mutex_is_held(&mutex));
		seen = counter;
		if (xorshift_below(&rng, 4) == 0)
			sched_yield();
		counter = seen + 1;
		mutex_unlock(&mutex);
	}
	task_done();
}

static void test_mutex(void)
{
	counter = 0;
	run_tasks(mutex_body, NR_TASKS);
	disturb_and_join(NR_TASKS);
	ASSERT(counter + gave_up == NR_TASKS * STEPS);
	ASSERT(!mutex_is_locked(&mutex) && list_empty(&mutex.waiters));
}

/* ---- rwlock ---- */
static struct rwlock rw = RWLOCK_INIT(rw, "test", RANK_SLEEP_LEAF);
static u32 readers;
static u32 writers;

static void inside_as_reader(void)
{
	__atomic_fetch_add(&readers, 1, __ATOMIC_SEQ_CST);
	ASSERT(__atomic_load_n(&writers, __ATOMIC_SEQ_CST) == 0);
	sched_yield();
	__atomic_fetch_sub(&readers, 1, __ATOMIC_SEQ_CST);
}

static void inside_as_writer(void)
{
	ASSERT(__atomic_add_fetch(&writers, 1, __ATOMIC_SEQ_CST) == 1);
	ASSERT(__atomic_load_n(&readers, __ATOMIC_SEQ_CST) == 0);
	counter++;
	sched_yield();
	__atomic_fetch_sub(&writers, 1, __ATOMIC_SEQ_CST);
}

static void rwlock_step(u64 choice)
{
	switch (choice) {
	case 0:
		if (rwlock_write_lock_killable(&rw) < 0)
			return;
		inside_as_writer();
		rwlock_write_unlock(&rw);
		return;
	case 1:
		rwlock_write_lock(&rw);
		inside_as_writer();
		rwlock_downgrade(&rw);
		inside_as_reader();
		rwlock_read_unlock(&rw);
		return;
	case 2:
		if (!rwlock_write_trylock(&rw))
			return;
		inside_as_writer();
		rwlock_write_unlock(&rw);
		return;
	case 3:
		if (rwlock_read_lock_killable(&rw) < 0)
			return;
		break;
	case 4:
		if (!rwlock_read_trylock(&rw))
			return;
		break;
	default: rwlock_read_lock(&rw); break;
	}
	inside_as_reader();
	rwlock_read_unlock(&rw);
}

static void rwlock_body(struct task *task, void *arg)
{
	struct xorshift rng;

	xorshift_init(&rng, 200 + (uintptr_t)arg);
	for (u32 i = 0; i < STEPS; i++)
		rwlock_step(xorshift_below(&rng, 8));
	task_done();
}

static void test_rwlock(void)
{
	run_tasks(rwlock_body, NR_TASKS);
	disturb_and_join(NR_TASKS);
	ASSERT(rw.state == 0 && list_empty(&rw.waiters));
}

static void killable_writer_body(struct task *task, void *arg)
{
	ASSERT(rwlock_write_lock_killable(&rw) == -EINTR);
}

static void reader_body(struct task *task, void *arg)
{
	rwlock_read_lock(&rw);
	rwlock_read_unlock(&rw);
}

static void wait_for_waiters(size_t nr)
{
	size_t seen;

	do {
		sched_yield();
		spin_lock(&rw.wait_lock);
		seen = list_length(&rw.waiters);
		spin_unlock(&rw.wait_lock);
	} while (seen != nr);
}

/* A reader behind a writer that gives up gets in beside the reader that holds the lock. */
static void test_writer_gives_up(void)
{
	rwlock_init(&rw, "test", RANK_SLEEP_LEAF);
	rwlock_read_lock(&rw);
	host_task_start(&tasks[0], killable_writer_body, NULL);
	wait_for_waiters(1);
	ASSERT(!rwlock_read_trylock(&rw));
	host_task_start(&tasks[1], reader_body, NULL);
	wait_for_waiters(2);
	host_task_set_signal(&tasks[0], true);
	join_tasks(2);
	ASSERT(rw.state == RWLOCK_READER);
	rwlock_read_unlock(&rw);
	ASSERT(rw.state == 0);
}

/* ---- wait queue: tokens handed out one wake at a time; losing a single wake hangs ---- */
static struct waitq wq = WAITQ_INIT(wq, "test");
static u32 tokens;

static bool token_take(void)
{
	u32 n = __atomic_load_n(&tokens, __ATOMIC_SEQ_CST);

	while (n)
		if (__atomic_compare_exchange_n(&tokens, &n, n - 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			return true;
	return false;
}

static void taker_body(struct task *task, void *arg)
{
	struct xorshift rng;

	xorshift_init(&rng, 300 + (uintptr_t)arg);
	for (u32 got = 0; got < STEPS;) {
		int err = 0;

		switch (xorshift_below(&rng, 3)) {
		case 0: wait_event(&wq, token_take()); break;
		case 1:
			err = wait_event_interruptible(&wq, token_take());
			ASSERT(err == 0 || err == -ERESTARTSYS);
			break;
		default:
			err = wait_event_interruptible_timeout(
				&wq, token_take(), clock_mono_ns() + xorshift_below(&rng, 100000));
			break;
		}
		got += err == 0;
	}
	task_done();
}

/* ---- wakes that come before their time ---- */

static u32 wanted_count, count;

static void wake_for_nothing(void)
{
	waitq_wake_all(&wq);
}

static void body_count(struct task *task, void *arg)
{
	for (u32 i = 0; i < wanted_count; i++) {
		usleep(20000);
		__atomic_fetch_add(&count, 1, __ATOMIC_SEQ_CST);
		waitq_wake_all(&wq);
	}
}

/* Waiters for more than one wake: one comes while they prepare, at each instant of that, and does not suffice. */
static void test_early_wakes(void)
{
	for (u32 instant = 0; instant < 3; instant++) {
		bool once = instant == 2;
		struct task waker;

		count = 0;
		wanted_count = 2;
		host_preparing = instant == 0 ? wake_for_nothing : NULL;
		host_prepared = instant == 1 ? wake_for_nothing : NULL;
		host_task_start(&waker, body_count, NULL);
		alarm(30); /* the end of a test that sleeps for ever */
		wait_event(&wq, ({
			if (once && !list_empty(&wq.entries)) {
				once = false;
				wake_for_nothing();
			}
			__atomic_load_n(&count, __ATOMIC_SEQ_CST) >= wanted_count;
		}));
		alarm(0);
		host_task_join(&waker);
	}
}

/* Wakes that bring nothing do not put the deadline off: it is asked for once. */
static void test_deadline_stands(void)
{
	u32 wakes = 5, nr_asked = 0;
	int err = wait_event_timeout(&wq, ({
		if (wakes && !list_empty(&wq.entries)) {
			wakes--;
			wake_for_nothing();
		}
		false;
	}),
		(nr_asked++, clock_mono_ns() + 1000000));

	ASSERT(err == -ETIMEDOUT && wakes == 0);
	ASSERT(nr_asked == 1);
}

static void test_waitq(void)
{
	struct xorshift rng;

	xorshift_init(&rng, 11);
	run_tasks(taker_body, NR_TASKS - 2);
	for (u32 i = 0; i < (NR_TASKS - 2) * STEPS; i++) {
		__atomic_fetch_add(&tokens, 1, __ATOMIC_SEQ_CST);
		waitq_wake_one(&wq);
		host_task_set_signal(&tasks[xorshift_below(&rng, NR_TASKS - 2)], i % 3 == 0);
		if (i % 16 == 0)
			usleep(20);
	}
	disturb_and_join(NR_TASKS - 2);
	ASSERT(tokens == 0 && list_empty(&wq.entries));
}

struct listener {
	struct waitq_entry entry;
	u32 calls;
	u32 events;
};

static void listener_called(struct waitq_entry *entry, u32 events)
{
	struct listener *l = container_of(entry, struct listener, entry);

	l->calls++;
	l->events = events;
}

static void test_callback(void)
{
	struct listener l = {.calls = 0};
	bool never = false;

	waitq_entry_init_func(&l.entry, listener_called);
	waitq_wake_all(&wq);
	waitq_add(&wq, &l.entry);
	waitq_wake_all_events(&wq, 5);
	ASSERT(l.calls == 1 && l.events == 5);
	waitq_wake_one(&wq);
	ASSERT(l.calls == 2 && l.events == WAITQ_ALL_EVENTS);
	waitq_remove(&wq, &l.entry);
	waitq_remove(&wq, &l.entry);
	waitq_wake_one(&wq);
	ASSERT(l.calls == 2 && list_empty(&wq.entries));
	ASSERT(wait_event_timeout(&wq, never, clock_mono_ns() + 1000000) == -ETIMEDOUT);
	ASSERT(wait_event_timeout(&wq, true, 0) == 0);
}

/* A wake that chose a waiter which was leaving goes to the next one. */
/*
 * As poll does: an entry joins the queue, then a look. Beside it: it becomes true, then a look whether anybody waits. One of the two must see
 * the other. A store may be late even on the host, so many rounds find a missing barrier; the delay goes over all the ways the two can meet.
 */
#define MEETINGS 300000u

#define OWN_LINE __attribute__((aligned(128)))
static OWN_LINE struct waitq meeting_queue;
static OWN_LINE struct waitq_entry meeting_entry;
static OWN_LINE u32 meeting_true;
static OWN_LINE u32 meeting_called, meeting_seen;
static OWN_LINE u32 meeting_begun;
static OWN_LINE u32 meeting_done;

static void meeting_wake(struct waitq_entry *entry, u32 events)
{
	meeting_called = 1;
}

static void meeting_until(const u32 *word, u32 value)
{
	for (u32 spins = 0; __atomic_load_n(word, __ATOMIC_ACQUIRE) != value; spins++)
		if (spins > 10000)
			sched_yield();
}

static void meeting_body(struct task *task, void *arg)
{
	for (u32 round = 1; round <= MEETINGS; round++) {
		meeting_until(&meeting_begun, round);
		(void)READ_ONCE(meeting_true); /* it is at hand */
		waitq_add(&meeting_queue, &meeting_entry);
		meeting_seen = READ_ONCE(meeting_true);
		__atomic_store_n(&meeting_done, round, __ATOMIC_RELEASE);
	}
}

static void test_join_then_look(void)
{
	waitq_init(&meeting_queue, "test meeting");
	waitq_entry_init_func(&meeting_entry, meeting_wake);
	run_tasks(meeting_body, 1);
	for (u32 round = 1; round <= MEETINGS; round++) {
		meeting_called = 0;
		__atomic_store_n(&meeting_begun, round, __ATOMIC_RELEASE);
		for (volatile u32 delay = round % 128; delay; delay--)
			;
		WRITE_ONCE(meeting_true, 1);
		waitq_wake_all(&meeting_queue);
		meeting_until(&meeting_done, round);
		ASSERT(meeting_seen || meeting_called);
		waitq_remove(&meeting_queue, &meeting_entry);
		WRITE_ONCE(meeting_true, 0);
	}
	join_tasks(1);
}

static void test_wake_passed_on(void)
{
	struct waitq_entry leaving, next;

	waitq_entry_init(&leaving);
	waitq_entry_init(&next);
	waitq_prepare(&wq, &leaving, SLEEP_INTERRUPTIBLE);
	waitq_add(&wq, &next);
	waitq_wake_one(&wq);
	ASSERT(leaving.state == WAITQ_TAKEN_ONE && next.state == WAITQ_QUEUED);
	waitq_finish(&wq, &leaving, WAITQ_GAVE_UP);
	ASSERT(leaving.state == WAITQ_IDLE && next.state == WAITQ_TAKEN_ONE);
	waitq_finish(&wq, &next, WAITQ_GOT_IT);
	ASSERT(list_empty(&wq.entries));
}

/* ---- completion: on the waiter's stack, gone as soon as the wait returns ---- */
static struct completion *offered;

static void completer_body(struct task *task, void *arg)
{
	for (u32 i = 0; i < STEPS; i++) {
		struct completion *c;

		while (!(c = __atomic_exchange_n(&offered, NULL, __ATOMIC_ACQ_REL)))
			sched_yield();
		completion_complete(c);
	}
}

static NOINLINE void offer_and_wait(void)
{
	struct completion c;

	completion_init(&c, "test");
	__atomic_store_n(&offered, &c, __ATOMIC_RELEASE);
	completion_wait(&c);
	ASSERT(c.done == 0);
}

static void test_completion(void)
{
	struct completion c;

	run_tasks(completer_body, 1);
	for (u32 i = 0; i < STEPS; i++)
		offer_and_wait();
	join_tasks(1);
	completion_init(&c, "test");
	ASSERT(completion_wait_timeout(&c, clock_mono_ns() + 100000) == -ETIMEDOUT);
	completion_complete_all(&c);
	completion_wait(&c);
	ASSERT(completion_is_done(&c) && completion_wait_killable(&c) == 0);
}

/* ---- seqcount and once ---- */
static struct seqcount seq = SEQCOUNT_INIT;
static u64 pair[2];
static struct once once = ONCE_INIT;
static u32 once_runs;

static void count_once(void)
{
	once_runs++;
}

static void seqcount_body(struct task *task, void *arg)
{
	once_run(&once, count_once);
	for (u32 i = 0; i < STEPS * 3; i++) {
		u64 a, b;
		u32 s;

		if (arg == NULL) {
			seqcount_write_begin(&seq);
			WRITE_ONCE(pair[0], i);
			WRITE_ONCE(pair[1], ~(u64)i);
			seqcount_write_end(&seq);
			continue;
		}
		do {
			s = seqcount_read_begin(&seq);
			a = READ_ONCE(pair[0]);
			b = READ_ONCE(pair[1]);
		} while (seqcount_read_retry(&seq, s));
		ASSERT(a == ~b);
	}
}

static void test_seqcount(void)
{
	pair[1] = ~0UL;
	run_tasks(seqcount_body, 3);
	join_tasks(3);
	ASSERT(once_runs == 1);
}

int main(void)
{
	static struct task self;

	alarm(30);
	host_task_init(&self);
	fake_current = &self;
	test_spinlock();
	test_mutex();
	test_rwlock();
	test_writer_gives_up();
	test_waitq();
	test_early_wakes();
	test_deadline_stands();
	test_callback();
	test_join_then_look();
	test_wake_passed_on();
	test_completion();
	test_seqcount();
	return 0;
}
