// host-sources:
/*
 * The lock checker itself: each rule is broken in a child process, which must die by panic; and
 * kept once.
 */
#ifndef VITRINE_DEBUG
#define VITRINE_DEBUG 1
#endif
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host_sched.h"
#include "sync/lockcheck.c"
#include "sync/mutex.c"
#include "sync/spinlock.c"

static struct task me;
static struct held_locks my_locks;
static struct spinlock outer, inner, inner2;
static struct mutex mutex, mutex2;

struct held_locks *held_locks_hart(void)
{
	return &me.hart.locks;
}

struct held_locks *held_locks_task(void)
{
	return &my_locks;
}

void log_printf(enum log_level level, const char *fmt, ...)
{
}

static void good(void)
{
	mutex_lock(&mutex);
	spin_lock(&outer);
	spin_lock(&inner);
	spin_lock_nested(&inner2);
	spin_unlock(&outer);
	spin_unlock(&inner);
	spin_unlock(&inner2);
	mutex_unlock(&mutex);
	lockcheck_none_held("test");
	might_sleep();
}

static void wrong_order(void)
{
	spin_lock(&inner);
	spin_lock(&outer);
}

static void same_rank(void)
{
	spin_lock(&inner);
	spin_lock(&inner2);
}

static void wrong_order_sleeping(void)
{
	mutex_lock(&mutex2);
	mutex_lock(&mutex);
}

static void taken_twice(void)
{
	spin_lock(&inner);
	spin_lock_nested(&inner);
}

static void not_held(void)
{
	spin_lock(&inner);
	spin_unlock(&inner);
	spin_unlock(&inner);
}

static void sleeps_under_spinlock(void)
{
	spin_lock(&inner);
	mutex_lock(&mutex);
}

static void sleeps_without_interrupts(void)
{
	irq_disable();
	might_sleep();
}

static void interrupt_unsafe(void)
{
	spin_lock(&inner);
	spin_unlock(&inner);
	irq_disable();
	me.hart.irq_depth = 1;
	spin_lock(&inner);
}

static void left_held(void)
{
	mutex_lock(&mutex);
	lockcheck_none_held("test");
}

static bool dies(void (*body)(void))
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		freopen("/dev/null", "w", stderr);
		body();
		_exit(0);
	}
	waitpid(child, &status, 0);
	return WIFSIGNALED(status);
}

int main(void)
{
	host_task_init(&me);
	fake_current = &me;
	spin_init(&outer, "outer", RANK_PT);
	spin_init(&inner, "inner", RANK_FRAME);
	spin_init(&inner2, "inner2", RANK_FRAME);
	mutex_init(&mutex, "mutex", RANK_INODE);
	mutex_init(&mutex2, "mutex2", RANK_ASPACE);
	good();
	ASSERT(!dies(good));
	ASSERT(dies(wrong_order) && dies(same_rank) && dies(wrong_order_sleeping));
	ASSERT(dies(taken_twice) && dies(not_held) && dies(left_held));
	ASSERT(dies(sleeps_under_spinlock) && dies(sleeps_without_interrupts));
	ASSERT(dies(interrupt_unsafe));
	good();
	return 0;
}
