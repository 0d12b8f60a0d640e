/* Clocks and timers: kinds, monotony, sleeping, interval timers, POSIX timers, timerfd. */
#include "test.h"
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/timex.h>

static volatile sig_atomic_t hits;
static volatile siginfo_t info;

static void count(int sig)
{
	(void)sig;
	hits++;
}

static void take(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)uc;
	info = *si;
	hits++;
}

TEST(every_clock_answers)
{
	static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID,
		CLOCK_THREAD_CPUTIME_ID, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE,
		CLOCK_BOOTTIME};
	struct timespec ts, res;

	for (size_t i = 0; i < ARRAY_SIZE(clocks); i++) {
		long long last = 0;

		if (clock_getres(clocks[i], &res) < 0 || (res.tv_sec == 0 && res.tv_nsec == 0))
			FAIL("clock %zu resolution", i);
		for (int k = 0; k < 200; k++) {
			OK(clock_gettime(clocks[i], &ts));
			CHECK(ts.tv_nsec >= 0 && ts.tv_nsec < 1000000000);
			if (clocks[i] != CLOCK_REALTIME)
				CHECK(ts.tv_sec * 1000000000LL + ts.tv_nsec >= last);
			last = ts.tv_sec * 1000000000LL + ts.tv_nsec;
		}
	}
	ERR(clock_gettime(99, &ts), EINVAL);
	ERR(syscall(SYS_clock_getres, 99, &res), EINVAL);
}

TEST(monotonic_across_harts)
{
	cpu_set_t all, one;
	long long last = 0;

	OK(sched_getaffinity(0, sizeof(all), &all));
	for (int round = 0; round < 20; round++)
		for (int cpu = 0; cpu < 8; cpu++) {
			if (!CPU_ISSET(cpu, &all))
				continue;
			CPU_ZERO(&one);
			CPU_SET(cpu, &one);
			OK(sched_setaffinity(0, sizeof(one), &one));
			long long t = now_ns(CLOCK_MONOTONIC);
			CHECK(t >= last);
			last = t;
		}
}

TEST(realtime_is_a_sane_date_and_agrees)
{
	struct timeval tv;
	time_t t = time(NULL);

	OK(gettimeofday(&tv, NULL));
	CHECK(t > 1600000000 && t < 4100000000);
	CHECK(tv.tv_sec - t <= 1);
	CHECK(now_ns(CLOCK_REALTIME) / 1000000000 - t <= 2);
}

TEST(sleep_is_at_least_so_long)
{
	struct timespec ts = {0, 15000000}, abs, bad = {0, 1000000000}, neg = {-1, 0};
	long long start = now_ns(CLOCK_MONOTONIC);

	OK(nanosleep(&ts, NULL));
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 15000000);
	OK(clock_gettime(CLOCK_REALTIME, &abs));
	abs.tv_nsec += 10000000;
	if (abs.tv_nsec >= 1000000000)
		abs.tv_sec++, abs.tv_nsec -= 1000000000;
	ZERO(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &abs, NULL));
	CHECK(now_ns(CLOCK_REALTIME) >= abs.tv_sec * 1000000000LL + abs.tv_nsec);
	ZERO(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &(struct timespec){0, 1}, NULL)); /* past */
	ERR(nanosleep(&bad, NULL), EINVAL);
	ERR(nanosleep(&neg, NULL), EINVAL);
	CHECK_EQ(clock_nanosleep(99, 0, &ts, NULL), EINVAL);
}

TEST(alarm_and_itimer_real)
{
	struct itimerval it = {{0, 5000}, {0, 5000}}, old;

	CHECK_EQ(alarm(100), 0);
	CHECK(alarm(0) >= 99);
	on_signal(SIGALRM, count, 0);
	OK(setitimer(ITIMER_REAL, &it, NULL));
	while (hits < 5)
		pause();
	OK(getitimer(ITIMER_REAL, &old));
	CHECK_EQ(old.it_interval.tv_usec, 5000);
	memset(&it, 0, sizeof(it));
	OK(setitimer(ITIMER_REAL, &it, &old));
	hits = 0;
	nap_ms(20);
	CHECK_EQ(hits, 0);
	ERR(setitimer((__itimer_which_t)9, &it, NULL), EINVAL);
	it.it_value.tv_usec = 1000000;
	ERR(setitimer(ITIMER_REAL, &it, NULL), EINVAL);
}

TEST(virtual_and_profiling_timers_count_cpu_time)
{
	struct itimerval it = {{0, 0}, {0, 20000}};

	on_signal(SIGVTALRM, count, 0);
	on_signal(SIGPROF, count, 0);
	OK(setitimer(ITIMER_VIRTUAL, &it, NULL));
	nap_ms(60);
	CHECK_EQ(hits, 0);
	while (hits < 1)
		;
	OK(setitimer(ITIMER_PROF, &it, NULL));
	while (hits < 2)
		getppid();
}

TEST(posix_timer_signals_with_a_value)
{
	struct sigaction sa = {.sa_sigaction = take, .sa_flags = SA_SIGINFO};
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 77};
	struct itimerspec its = {{0, 5000000}, {0, 5000000}}, cur;
	timer_t timer;

	OK(sigaction(SIGRTMIN, &sa, NULL));
	OK(timer_create(CLOCK_MONOTONIC, &ev, &timer));
	OK(timer_settime(timer, 0, &its, NULL));
	while (hits < 3)
		pause();
	CHECK_EQ(info.si_code, SI_TIMER);
	CHECK_EQ(info.si_value.sival_int, 77);
	OK(timer_gettime(timer, &cur));
	CHECK_EQ(cur.it_interval.tv_nsec, 5000000);
	OK(timer_getoverrun(timer));
	OK(timer_delete(timer));
	ERR(syscall(SYS_timer_delete, 12345), EINVAL);
	ERR(timer_create(99, &ev, &timer), EINVAL);
}

TEST(posix_timer_counts_overruns)
{
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	struct itimerspec its = {{0, 1000000}, {0, 1000000}};
	sigset_t set;
	siginfo_t si;
	timer_t timer;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	OK(timer_create(CLOCK_REALTIME, &ev, &timer));
	OK(timer_settime(timer, 0, &its, NULL));
	nap_ms(40);
	CHECK_EQ(sigwaitinfo(&set, &si), SIGUSR1);
	CHECK(timer_getoverrun(timer) > 3);
	OK(timer_delete(timer));
}

static volatile int thread_hits;

static void in_thread(union sigval v)
{
	thread_hits += v.sival_int;
}

TEST(posix_timer_absolute_and_by_thread)
{
	struct sigevent ev = {
		.sigev_notify = SIGEV_THREAD, .sigev_notify_function = in_thread, .sigev_value.sival_int = 1};
	struct itimerspec its = {{0, 0}, {0, 0}};
	timer_t timer;

	OK(timer_create(CLOCK_MONOTONIC, &ev, &timer));
	OK(clock_gettime(CLOCK_MONOTONIC, &its.it_value)); /* now is due */
	OK(timer_settime(timer, TIMER_ABSTIME, &its, NULL));
	AWAIT(thread_hits == 1);
	OK(timer_delete(timer));
}

TEST(cpu_time_timer)
{
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	struct itimerspec its = {{0, 0}, {0, 20000000}};
	timer_t timer;

	on_signal(SIGUSR1, count, 0);
	if (timer_create(CLOCK_PROCESS_CPUTIME_ID, &ev, &timer) < 0)
		SKIP("no CPU-time POSIX timers");
	OK(timer_settime(timer, 0, &its, NULL));
	while (!hits)
		;
	CHECK(now_ns(CLOCK_PROCESS_CPUTIME_ID) >= 15000000);
}

TEST(timerfd_expires)
{
	struct itimerspec its = {{0, 5000000}, {0, 5000000}};
	uint64_t n = 0;
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

	if (fd < 0 && errno == ENOSYS)
		SKIP("no timerfd");
	OK(timerfd_settime(fd, 0, &its, NULL));
	nap_ms(30);
	CHECK_EQ(read(fd, &n, sizeof(n)), sizeof(n));
	CHECK(n >= 4);
	OK(fcntl(fd, F_SETFL, O_NONBLOCK));
	memset(&its, 0, sizeof(its));
	OK(timerfd_settime(fd, 0, &its, NULL));
	ERR(read(fd, &n, sizeof(n)), EAGAIN);
}

TEST(times_and_rusage)
{
	struct tms t;
	struct rusage ru;
	clock_t a = times(&t), b;

	while (now_ns(CLOCK_PROCESS_CPUTIME_ID) < 50000000)
		;
	b = times(&t);
	CHECK(b >= a);
	CHECK(t.tms_utime + t.tms_stime >= 2);
	OK(getrusage(RUSAGE_SELF, &ru));
	CHECK(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec + ru.ru_utime.tv_sec >= 20000);
	CHECK(ru.ru_maxrss > 0);
	OK(getrusage(RUSAGE_THREAD, &ru));
	ERR(getrusage(77, &ru), EINVAL);
}

TEST(setting_the_clock)
{
	struct timespec now, set;

	need_root();
	if (!on_vitrine())
		SKIP("would set the host's clock");
	OK(clock_gettime(CLOCK_REALTIME, &now));
	set = now;
	set.tv_sec += 1000;
	OK(clock_settime(CLOCK_REALTIME, &set));
	CHECK(time(NULL) >= set.tv_sec);
	OK(clock_settime(CLOCK_REALTIME, &now));
	ERR(clock_settime(CLOCK_MONOTONIC, &now), EINVAL);
}

TEST_MAIN
