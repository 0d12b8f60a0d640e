/*
 * What sync/ needs of the scheduler. All of it is implemented by proc/.
 *
 * The sleep protocol, for whoever waits for a condition:
 *
 *	sched_prepare_sleep(kind);	state := sleeping
 *	if (condition)			checked after the state was set
 *		sched_cancel_sleep();	state := running
 *	else
 *		sched_sleep(deadline);	off the hart, unless the state is running again
 *
 * and for whoever makes the condition true: make it true; then sched_wake(task). A wake between
 * prepare and sleep sets the state back to running, so that sched_sleep returns at once: no wake is
 * lost. sched_prepare_sleep has a full memory barrier between its store of the state and what
 * follows, and sched_wake one between what precedes and its look at the state.
 */
#ifndef SYNC_SCHED_H
#define SYNC_SCHED_H

#include "lib/types.h"

struct task;

enum sleep_kind {
	SLEEP_UNINTERRUPTIBLE, /* only a wake ends it */
	SLEEP_INTERRUPTIBLE,   /* a pending signal ends it too */
	SLEEP_KILLABLE,        /* a pending fatal signal ends it too */
};

#define SCHED_FOREVER (~0UL) /* as a deadline: none */

/* Marks the current task as about to sleep. May be called again without a cancel. */
void sched_prepare_sleep(enum sleep_kind kind);
/* The current task will not sleep after all; harmless if it slept and was woken. */
void sched_cancel_sleep(void);
/*
 * Gives the hart away until woken, or until the monotonic clock reaches deadline_ns. May return
 * early for no reason: callers loop. The state is running afterwards. Context: no spinlock held,
 * interrupts on. Returns 0; -EINTR when the kind of sleep ends by a signal and one is pending (also
 * without sleeping at all); -ETIMEDOUT when the deadline has passed.
 */
int sched_sleep(u64 deadline_ns);
/*
 * Makes `task` runnable if it sleeps, of whatever kind. Context: any; the caller keeps the task
 * alive.
 */
void sched_wake(struct task *task);
/* Lets others run if their turn has come: for long loops. Context: may sleep. */
void sched_point(void);

/* Starts a kernel thread, which never ends. 0 or -errno. Context: may sleep. */
int kthread_start(const char *name, void (*fn)(void *), void *arg);

/* Of the current task. */
bool sched_signal_pending(void);
bool sched_fatal_signal_pending(void);

/* Monotonic nanoseconds since boot. Context: any. */
u64 clock_mono_ns(void);

#endif
