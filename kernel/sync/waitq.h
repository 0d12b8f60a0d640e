/*
 * Wait queues: tasks that wait for a condition, and callbacks that want to hear of it (poll,
 * epoll); and completions.
 *
 *	waiter:  wait_event_interruptible(&pipe->readers, pipe_has_data(pipe))
 *	waker:   make the condition true; waitq_wake_one(&pipe->readers)
 *
 * The condition is any expression; it is evaluated many times, with the task marked as sleeping: it
 * may take spinlocks, it must not sleep. True under a lock that the expression takes and drops
 * again is only a hint when it comes back: a caller that must own what it waited for re-checks, or
 * takes it inside the expression.
 *
 * Why no wake is lost. Waiter: (a) state sleeping, (b) entry on the queue, full barrier, (c) reads
 * the condition, (d) sleeps. Waker: (1) condition true, full barrier, (2) looks at the queue, (3)
 * wakes those on it. If (c) did not see (1), then (1) came after (c) in the one order of the
 * barriers, hence (2) after (b) and (3) after (a): the waiter is woken, and (d) returns at once if
 * it comes later. If the waiter was already taken off the queue by an earlier wake, that wake came
 * after (b), hence after (a): the waiter is not sleeping any more, (d) returns at once, and it goes on
 * at (a). This is why (a) is first: a wake between (b) and (a), for a condition that does not hold
 * yet, would leave a sleeper that is on no queue.
 *
 * States of an entry, all changes under the queue's lock:
 *	idle -> queued     waitq_prepare, by the waiter
 *	queued -> taken    by a waker: off the queue, then its task is woken
 *	queued, taken -> idle   waitq_finish, by the waiter, which takes the lock: so
 *	                        the waker is done with the entry,
 *	                        and with the task, before either can go away
 * A taken entry of wake_one whose waiter leaves on a signal or timeout passes the wake on to the
 * next (waitq_finish).
 *
 * Locks: a queue's lock is RANK_WAITQ unless said otherwise. Wakers: any context. Waiters: may
 * sleep.
 */
#ifndef SYNC_WAITQ_H
#define SYNC_WAITQ_H

#include "arch/riscv/thread.h"
#include "lib/errno.h"
#include "lib/list.h"
#include "sync/sched.h"
#include "sync/spinlock.h"

#define WAITQ_ALL_EVENTS (~0u)

struct waitq {
	struct spinlock lock;
	struct list entries; /* callbacks first, then tasks in order of arrival */
};

struct waitq_entry;
/*
 * Called at each wake, on the waker's hart, under the queue's lock with interrupts off: must not
 * sleep or touch this queue. `events`: what the waker says has happened (EPOLL* bits, or
 * WAITQ_ALL_EVENTS).
 */
typedef void (*waitq_fn)(struct waitq_entry *entry, u32 events);

enum waitq_entry_state { WAITQ_IDLE, WAITQ_QUEUED, WAITQ_TAKEN_ONE, WAITQ_TAKEN_ALL };

struct waitq_entry {
	struct list node;
	waitq_fn func;     /* NULL: wake `task` */
	struct task *task; /* borrowed */
	enum waitq_entry_state state;
};

#define WAITQ_INIT(name, queue_name)                                                                \
	{                                                                                           \
		.lock = SPINLOCK_INIT(queue_name, RANK_WAITQ), .entries = LIST_INIT((name).entries) \
	}

void waitq_init(struct waitq *wq, const char *name);
/* With a rank of its own: RANK_WAITQ_INNER for a queue woken from another queue's callback. */
void waitq_init_ranked(struct waitq *wq, const char *name, enum lock_rank rank);

/* ---- waking ---- */
/* Out of line; for the inline forms below. */
void waitq_wake_slow(struct waitq *wq, u32 events, enum waitq_entry_state how);

/* Is anyone waiting? The full barrier makes it safe to skip the wake when not. */
static inline bool waitq_has_waiters(const struct waitq *wq)
{
	smp_mb();
	return !list_empty(&wq->entries);
}

/* Calls every callback and wakes the task that has waited longest. */
static inline void waitq_wake_one(struct waitq *wq)
{
	if (waitq_has_waiters(wq))
		waitq_wake_slow(wq, WAITQ_ALL_EVENTS, WAITQ_TAKEN_ONE);
}

/* Calls every callback and wakes every task. */
static inline void waitq_wake_all(struct waitq *wq)
{
	if (waitq_has_waiters(wq))
		waitq_wake_slow(wq, WAITQ_ALL_EVENTS, WAITQ_TAKEN_ALL);
}

/* The same, telling callbacks what has happened. */
static inline void waitq_wake_one_events(struct waitq *wq, u32 events)
{
	if (waitq_has_waiters(wq))
		waitq_wake_slow(wq, events, WAITQ_TAKEN_ONE);
}

static inline void waitq_wake_all_events(struct waitq *wq, u32 events)
{
	if (waitq_has_waiters(wq))
		waitq_wake_slow(wq, events, WAITQ_TAKEN_ALL);
}

/* ---- waiting by hand: one entry may be on one queue at a time; poll uses several entries ---- */
/* An entry that wakes the current task. */
void waitq_entry_init(struct waitq_entry *entry);
/* An entry that calls `func`; it stays on the queue until removed. */
void waitq_entry_init_func(struct waitq_entry *entry, waitq_fn func);
void waitq_add(struct waitq *wq, struct waitq_entry *entry);
/* After this no waker touches the entry. Harmless if it is not on the queue. */
void waitq_remove(struct waitq *wq, struct waitq_entry *entry);

/* Marks the task as sleeping, and queues the entry if it is not queued: steps (a) and (b). */
void waitq_prepare(struct waitq *wq, struct waitq_entry *entry, enum sleep_kind kind);
enum waitq_outcome { WAITQ_GOT_IT, WAITQ_GAVE_UP };
/*
 * Ends waiting. WAITQ_GAVE_UP: the condition was not seen true, so a wake_one that chose this entry
 * is passed on.
 */
void waitq_finish(struct waitq *wq, struct waitq_entry *entry, enum waitq_outcome outcome);

/* ---- waiting for a condition ---- */
/*
 * `kind` and `deadline` as for sched_sleep; `deadline` is evaluated once, so that a wake does not
 * put it off. The value is 0, -EINTR or -ETIMEDOUT; 0 whenever the condition is true.
 */
#define WAITQ_WAIT(wq, cond, kind, deadline)                                                        \
	({                                                                                          \
		struct waitq *waitq_q = (wq);                                                       \
		int waitq_err = 0;                                                                  \
		might_sleep();                                                                      \
		if (!(cond)) {                                                                      \
			u64 waitq_deadline = (deadline);                                            \
			struct waitq_entry waitq_e;                                                 \
			bool waitq_true;                                                            \
			waitq_entry_init(&waitq_e);                                                 \
			for (;;) {                                                                  \
				waitq_prepare(waitq_q, &waitq_e, kind);                             \
				waitq_true = (cond);                                                \
				if (waitq_true || waitq_err != 0)                                   \
					break;                                                      \
				waitq_err = sched_sleep(waitq_deadline);                            \
			}                                                                           \
			waitq_finish(waitq_q, &waitq_e, waitq_true ? WAITQ_GOT_IT : WAITQ_GAVE_UP); \
			if (waitq_true)                                                             \
				waitq_err = 0;                                                      \
		}                                                                                   \
		waitq_err;                                                                          \
	})

/*
 * A signal that interrupts becomes -ERESTARTSYS; a system call that is never restarted makes -EINTR
 * of it.
 */
static inline int waitq_restart(int err)
{
	return err == -EINTR ? -ERESTARTSYS : err;
}

/* No value. */
#define wait_event(wq, cond)                      ((void)WAITQ_WAIT(wq, cond, SLEEP_UNINTERRUPTIBLE, SCHED_FOREVER))
/* 0 or -ERESTARTSYS. */
#define wait_event_interruptible(wq, cond)        waitq_restart(WAITQ_WAIT(wq, cond, SLEEP_INTERRUPTIBLE, SCHED_FOREVER))
/* 0 or -EINTR: the task is dying. */
#define wait_event_killable(wq, cond)             WAITQ_WAIT(wq, cond, SLEEP_KILLABLE, SCHED_FOREVER)
/* deadline_ns: absolute, of clock_mono_ns; SCHED_FOREVER for none. 0 or -ETIMEDOUT. */
#define wait_event_timeout(wq, cond, deadline_ns) WAITQ_WAIT(wq, cond, SLEEP_UNINTERRUPTIBLE, deadline_ns)
/* 0, -ERESTARTSYS or -ETIMEDOUT. */
#define wait_event_interruptible_timeout(wq, cond, deadline_ns) \
	waitq_restart(WAITQ_WAIT(wq, cond, SLEEP_INTERRUPTIBLE, deadline_ns))

/* ---- completions: something happens, once or a counted number of times ---- */
struct completion {
	struct waitq wq;
	u32 done; /* guarded by wq.lock; COMPLETION_ALL: for ever */
};

#define COMPLETION_ALL (~0u)

void completion_init(struct completion *c, const char *name);
/*
 * One waiter, present or future, goes on. Context: any. Afterwards only that waiter may touch *c:
 * it may be on its stack.
 */
void completion_complete(struct completion *c);
/* All of them go on. */
void completion_complete_all(struct completion *c);
void completion_wait(struct completion *c);
/* 0, or -EINTR: the task is dying and the completion is still to come. */
int completion_wait_killable(struct completion *c);
/* 0 or -ETIMEDOUT. */
int completion_wait_timeout(struct completion *c, u64 deadline_ns);
bool completion_is_done(struct completion *c);

#endif
