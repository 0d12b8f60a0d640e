/*
 * One other hart for a host test of what happens at a certain instant: a thread that runs only while the test waits for it, until it is done
 * or sleeps (env_sleeping is other_sleeps, or calls it there). Defines functions: include it in the test's own .c file, after mm_env.h.
 */
#pragma once

#include <pthread.h>
#include <sched.h>

enum { OTHER_RUNS, OTHER_SLEEPS, OTHER_DONE };
static u32 other_state;
static bool other_joined;
static pthread_t other_thread;
static struct hart other_hart;
static struct thread other_task = {.hart = &other_hart};

static void other_wait(void)
{
	while (__atomic_load_n(&other_state, __ATOMIC_SEQ_CST) == OTHER_RUNS)
		sched_yield();
}

static void *other_main(void *body)
{
	fake_current = (struct task *)(void *)&other_task;
	((void (*)(void))body)();
	__atomic_store_n(&other_state, OTHER_DONE, __ATOMIC_SEQ_CST);
	return NULL;
}

/* It runs beside the test, which says so when it wants to see it spin. */
static inline void other_launch(void (*body)(void))
{
	other_state = OTHER_RUNS;
	other_joined = false;
	ASSERT(pthread_create(&other_thread, NULL, other_main, (void *)body) == 0);
}

static void other_start(void (*body)(void))
{
	other_launch(body);
	other_wait();
}

/* It must get to its end now. Harmless if it has. */
static void other_finish(void)
{
	if (other_joined)
		return;
	while (other_state != OTHER_DONE) {
		__atomic_store_n(&other_state, OTHER_RUNS, __ATOMIC_SEQ_CST);
		other_wait();
	}
	pthread_join(other_thread, NULL);
	other_joined = true;
}

/* On the other hart: until other_finish. */
static void other_sleeps(void)
{
	ASSERT(fake_current == (struct task *)(void *)&other_task);
	__atomic_store_n(&other_state, OTHER_SLEEPS, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&other_state, __ATOMIC_SEQ_CST) == OTHER_SLEEPS)
		sched_yield();
}
