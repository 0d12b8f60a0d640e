/*
 * The scheduler of sync/sched.h for host tests: every task is a host thread, sleeping on a
 * condition variable. Defines functions: include it in the test's own .c file only.
 */
#ifndef FAKE_HOST_SCHED_H
#define FAKE_HOST_SCHED_H

#include <pthread.h>
#include <time.h>

#include "arch/riscv/irq.h"
#include "arch/riscv/thread.h"
#include "lib/assert.h"
#include "lib/atomic.h"
#include "lib/errno.h"
#include "sync/sched.h"

struct task {
	struct thread thread;
	struct hart hart;
	pthread_mutex_t lock;
	pthread_cond_t woken;
	bool sleeping; /* these three under lock */
	enum sleep_kind kind;
	bool signal;
	pthread_t host_thread;
	void (*body)(struct task *task, void *arg);
	void *arg;
};

__thread struct task *fake_current;

static inline void host_task_init(struct task *task)
{
	*task = (struct task){.thread.hart = &task->hart};
	pthread_mutex_init(&task->lock, NULL);
	pthread_cond_init(&task->woken, NULL);
}

static void *host_task_main(void *arg)
{
	struct task *task = arg;

	fake_current = task;
	task->body(task, task->arg);
	return NULL;
}

static inline void host_task_start(struct task *task, void (*body)(struct task *, void *), void *arg)
{
	host_task_init(task);
	task->body = body;
	task->arg = arg;
	ASSERT(pthread_create(&task->host_thread, NULL, host_task_main, task) == 0);
}

static inline void host_task_join(struct task *task)
{
	pthread_join(task->host_thread, NULL);
	ASSERT(!task->sleeping);
}

/* A signal, pending until it is cleared by another call. */
static inline void host_task_set_signal(struct task *task, bool pending)
{
	pthread_mutex_lock(&task->lock);
	task->signal = pending;
	pthread_cond_signal(&task->woken);
	pthread_mutex_unlock(&task->lock);
}

u64 clock_mono_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now); /* what pthread_cond_timedwait goes by */
	return (u64)now.tv_sec * 1000000000 + (u64)now.tv_nsec;
}

/* A test that wants to do something at this instant: before the task is marked, after, and when it has decided to sleep. */
static void (*host_preparing)(void), (*host_prepared)(void), (*host_sleeping)(void);

static inline void host_instant(void (**what)(void))
{
	void (*now)(void) = *what;

	*what = NULL;
	if (now)
		now();
}

void sched_prepare_sleep(enum sleep_kind kind)
{
	struct task *task = current();

	host_instant(&host_preparing);
	pthread_mutex_lock(&task->lock);
	task->sleeping = true;
	task->kind = kind;
	pthread_mutex_unlock(&task->lock);
	smp_mb();
	host_instant(&host_prepared);
}

void sched_cancel_sleep(void)
{
	struct task *task = current();

	pthread_mutex_lock(&task->lock);
	task->sleeping = false;
	pthread_mutex_unlock(&task->lock);
}

int sched_sleep(u64 deadline_ns)
{
	struct task *task = current();
	struct timespec until = {
		.tv_sec = (time_t)(deadline_ns / 1000000000), .tv_nsec = (long)(deadline_ns % 1000000000)};
	int err = 0;

	ASSERT(irq_enabled());
	host_instant(&host_sleeping);
	pthread_mutex_lock(&task->lock);
	while (task->sleeping && err == 0) {
		if (task->signal && task->kind != SLEEP_UNINTERRUPTIBLE)
			err = -EINTR;
		else if (deadline_ns == SCHED_FOREVER)
			pthread_cond_wait(&task->woken, &task->lock);
		else if (pthread_cond_timedwait(&task->woken, &task->lock, &until) == ETIMEDOUT)
			err = -ETIMEDOUT;
	}
	task->sleeping = false;
	pthread_mutex_unlock(&task->lock);
	return err;
}

void sched_wake(struct task *task)
{
	smp_mb();
	pthread_mutex_lock(&task->lock);
	if (task->sleeping) {
		task->sleeping = false;
		pthread_cond_signal(&task->woken);
	}
	pthread_mutex_unlock(&task->lock);
}

void sched_point(void)
{
	sched_yield();
}

bool sched_signal_pending(void)
{
	return READ_ONCE(current()->signal);
}

bool sched_fatal_signal_pending(void)
{
	return READ_ONCE(current()->signal);
}

#endif
