/* Scheduling: yield, affinity, priorities, many runnable processes, both harts used, fairness. */
#include "test.h"
#include <sys/resource.h>

TEST(yield_returns)
{
	for (int i = 0; i < 1000; i++)
		OK(sched_yield());
}

static void spin_ms(long ms)
{
	long long end = now_ns(CLOCK_THREAD_CPUTIME_ID) + ms * 1000000;

	while (now_ns(CLOCK_THREAD_CPUTIME_ID) < end)
		;
}

TEST(affinity_is_kept_and_obeyed)
{
	cpu_set_t all, one, got;
	int used = 0;

	OK(sched_getaffinity(0, sizeof(all), &all));
	CHECK(CPU_COUNT(&all) >= 1);
	for (int cpu = 0; cpu < CPU_SETSIZE && used < 4; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		used++;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		OK(sched_setaffinity(0, sizeof(one), &one));
		OK(sched_getaffinity(0, sizeof(got), &got));
		CHECK(CPU_EQUAL(&one, &got));
		for (int i = 0; i < 20; i++) {
			CHECK_EQ(sched_getcpu(), cpu);
			sched_yield();
		}
		IN_CHILD(CHECK_EQ(sched_getcpu(), cpu); spin_ms(5); CHECK_EQ(sched_getcpu(), cpu));
	}
	OK(sched_setaffinity(0, sizeof(all), &all));
}

TEST(affinity_errors)
{
	cpu_set_t none;

	CPU_ZERO(&none);
	ERR(sched_setaffinity(0, sizeof(none), &none), EINVAL);
	ERR(sched_getaffinity(1 << 22, sizeof(none), &none), ESRCH);
	ERR(syscall(SYS_sched_getaffinity, 0, 3, &none), EINVAL);
	CPU_SET(1000, &none);
	ERR(sched_setaffinity(0, sizeof(none), &none), EINVAL);
}

TEST(priorities_are_kept)
{
	errno = 0;
	CHECK_EQ(getpriority(PRIO_PROCESS, 0), 0);
	CHECK_EQ(nice(3), 3);
	CHECK_EQ(getpriority(PRIO_PROCESS, 0), 3);
	IN_CHILD(CHECK_EQ(getpriority(PRIO_PROCESS, 0), 3));
	OK(setpriority(PRIO_PROCESS, 0, 100));
	CHECK_EQ(getpriority(PRIO_PROCESS, 0), 19);
	ERR(setpriority(PRIO_PROCESS, 1 << 22, 1), ESRCH);
	ERR(setpriority(99, 0, 1), EINVAL);
	CHECK_EQ(getpriority(PRIO_PGRP, 0), 19);
}

TEST(policy_calls_answer)
{
	struct sched_param sp = {.sched_priority = 77};
	struct timespec ts;

	CHECK_EQ(sched_getscheduler(0), SCHED_OTHER);
	OK(sched_getparam(0, &sp));
	CHECK_EQ(sp.sched_priority, 0);
	OK(sched_get_priority_max(SCHED_OTHER));
	OK(sched_get_priority_min(SCHED_OTHER));
	OK(sched_rr_get_interval(0, &ts));
	ERR(sched_get_priority_max(99), EINVAL);
}

TEST_LIMIT(runnable_processes_all_proceed, 60)
{
	enum { N = 24 };
	volatile long *count = map_shared(4096);
	pid_t pids[N];

	for (int i = 0; i < N; i++) {
		pids[i] = OK(fork());
		if (pids[i] == 0)
			for (;;)
				count[i]++;
	}
	for (int i = 0; i < N; i++)
		AWAIT(count[i] > 1000);
	for (int i = 0; i < N; i++) {
		OK(kill(pids[i], SIGKILL));
		wait_signal(pids[i], SIGKILL);
	}
}

TEST_LIMIT(a_spinning_process_does_not_hold_up_others, 60)
{
	pid_t spin[8];

	for (int i = 0; i < 8; i++)
		if ((spin[i] = OK(fork())) == 0)
			for (;;)
				;
	for (int i = 0; i < 20; i++)
		IN_CHILD(nap_ms(1));
	for (int i = 0; i < 8; i++) {
		OK(kill(spin[i], SIGKILL));
		wait_signal(spin[i], SIGKILL);
	}
}

/* With two or more harts, two spinning processes are seen running on different harts at one time. */
TEST_LIMIT(both_harts_are_used, 60)
{
	volatile int *turn = map_shared(4096);
	cpu_set_t all;
	pid_t pid;

	OK(sched_getaffinity(0, sizeof(all), &all));
	if (CPU_COUNT(&all) < 2)
		SKIP("one hart");
	/* ping-pong without ever sleeping or yielding, until two harts have been seen */
	pid = OK(fork());
	for (int i = 0; i < 20000 && !turn[3]; i++) {
		int me = pid == 0;

		while (*turn % 2 != me && !turn[3])
			;
		if (sched_getcpu() >= 0)
			turn[1 + me] |= 1 << (sched_getcpu() & 31);
		turn[3] = __builtin_popcount(turn[1] | turn[2]) >= 2;
		++*turn;
	}
	if (pid == 0)
		_exit(0);
	wait_ok(pid);
	CHECK(__builtin_popcount(turn[1] | turn[2]) >= 2);
}

TEST(cpu_time_counts_work_not_sleep)
{
	long long before = now_ns(CLOCK_PROCESS_CPUTIME_ID);

	nap_ms(200);
	CHECK(now_ns(CLOCK_PROCESS_CPUTIME_ID) - before < 190000000LL);
	spin_ms(30);
	CHECK(now_ns(CLOCK_PROCESS_CPUTIME_ID) - before >= 30000000LL);
}

TEST_LIMIT(wakeups_are_never_lost, 60)
{
	int a[2], b[2];
	char c = 0;
	pid_t pid;

	OK(pipe(a));
	OK(pipe(b));
	pid = OK(fork());
	for (int i = 0; i < 3000; i++) {
		if (pid) {
			CHECK_EQ(write(a[1], &c, 1), 1);
			CHECK_EQ(read(b[0], &c, 1), 1);
		} else {
			CHECK_EQ(read(a[0], &c, 1), 1);
			CHECK_EQ(write(b[1], &c, 1), 1);
		}
	}
	if (pid == 0)
		_exit(0);
	wait_ok(pid);
}

TEST(sleeping_many_wake_in_time_order_or_later)
{
	pid_t pids[10];
	long long start = now_ns(CLOCK_MONOTONIC);

	for (int i = 0; i < 10; i++) {
		pids[i] = OK(fork());
		if (pids[i] == 0) {
			nap_ms(10 + i * 5);
			_exit(now_ns(CLOCK_MONOTONIC) - start >= (10 + i * 5) * 1000000LL ? 0 : 1);
		}
	}
	for (int i = 0; i < 10; i++)
		wait_ok(pids[i]);
}

TEST_MAIN
