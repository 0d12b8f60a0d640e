/* Real-time signals and synchronous taking: sigwait, sigtimedwait, order, signalfd. */
#include "test.h"
#include <sched.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

static int order[64];
static volatile int nr;

static void note(int sig, siginfo_t *si, void *uc)
{
	(void)uc;
	order[nr++] = sig * 1000 + si->si_value.sival_int;
}

static void block_all(sigset_t *old)
{
	sigset_t set;

	sigfillset(&set);
	OK(sigprocmask(SIG_BLOCK, &set, old));
}

static void queue(int sig, int value)
{
	OK(sigqueue(getpid(), sig, (union sigval){.sival_int = value}));
}

TEST(queued_and_delivered_in_order)
{
	struct sigaction sa = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};
	sigset_t old;

	sigfillset(&sa.sa_mask);
	for (int s = 0; s < 3; s++)
		OK(sigaction(SIGRTMIN + s, &sa, NULL));
	block_all(&old);
	queue(SIGRTMIN + 2, 1);
	queue(SIGRTMIN + 1, 1);
	queue(SIGRTMIN + 1, 2);
	queue(SIGRTMIN, 1);
	queue(SIGRTMIN + 1, 3);
	queue(SIGRTMIN, 2);
	OK(sigprocmask(SIG_SETMASK, &old, NULL));
	CHECK_EQ(nr, 6);
	int want[] = {SIGRTMIN * 1000 + 1, SIGRTMIN * 1000 + 2, (SIGRTMIN + 1) * 1000 + 1, (SIGRTMIN + 1) * 1000 + 2,
		(SIGRTMIN + 1) * 1000 + 3, (SIGRTMIN + 2) * 1000 + 1};
	for (int i = 0; i < 6; i++)
		CHECK_EQ(order[i], want[i]);
}

TEST(sigwaitinfo_takes_without_a_handler)
{
	sigset_t set;
	siginfo_t si;

	block_all(NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 3);
	sigaddset(&set, SIGUSR1);
	queue(SIGRTMIN + 3, 33);
	OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(sigwaitinfo(&set, &si), SIGUSR1); /* lowest number first */
	CHECK_EQ(si.si_code, SI_USER);
	CHECK_EQ(sigwaitinfo(&set, &si), SIGRTMIN + 3);
	CHECK_EQ(si.si_value.sival_int, 33);
	CHECK_EQ(si.si_code, SI_QUEUE);
}

TEST(sigtimedwait_times_out)
{
	struct timespec ts = {0, 10000000}, zero = {0, 0}, bad = {0, 1000000000};
	sigset_t set;
	long long start = now_ns(CLOCK_MONOTONIC);

	block_all(NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	ERR(sigtimedwait(&set, NULL, &ts), EAGAIN);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 10000000);
	ERR(sigtimedwait(&set, NULL, &zero), EAGAIN);
	ERR(sigtimedwait(&set, NULL, &bad), EINVAL);
	queue(SIGUSR2, 4);
	CHECK_EQ(sigtimedwait(&set, NULL, &zero), SIGUSR2);
}

static void nop(int sig)
{
	(void)sig;
}

TEST(sigtimedwait_is_interrupted_by_others)
{
	struct timespec ts = {10, 0};
	struct itimerval it = {{0, 0}, {0, 20000}};
	sigset_t set;

	on_signal(SIGALRM, nop, SA_RESTART);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	OK(setitimer(ITIMER_REAL, &it, NULL));
	ERR(sigtimedwait(&set, NULL, &ts), EINTR);
}

TEST(a_waiter_is_woken_by_another_process)
{
	sigset_t set;
	int sig;
	pid_t parent = getpid(), pid;

	block_all(NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMAX);
	pid = OK(fork());
	if (pid == 0) {
		nap_ms(20);
		OK(sigqueue(parent, SIGRTMAX, (union sigval){.sival_int = 1}));
		_exit(0);
	}
	ZERO(sigwait(&set, &sig));
	CHECK_EQ(sig, SIGRTMAX);
	wait_ok(pid);
}

static void *wait_usr1(void *arg)
{
	sigset_t set;
	int sig;

	(void)arg;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	return (void *)(long)(sigwait(&set, &sig) ? -1 : sig);
}

TEST(pthread_kill_reaches_a_waiting_thread)
{
	pthread_t t;
	void *res;

	block_all(NULL);
	for (int i = 0; i < 50; i++) {
		ZERO(pthread_create(&t, NULL, wait_usr1, NULL));
		ZERO(pthread_kill(t, SIGUSR1));
		ZERO(pthread_join(t, &res));
		CHECK_EQ((long)res, SIGUSR1);
	}
}

static void *wait_either(void *arg)
{
	sigset_t set;
	int sig;

	(void)arg;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	return (void *)(long)(sigwait(&set, &sig) ? -1 : sig);
}

/* The sender is not interrupted by whom it wakes: both signals are sent before the first waiter has taken one. */
TEST(two_signals_for_two_waiters)
{
	struct sched_param high = {.sched_priority = 1}, none = {0};
	pthread_t waiters[2];
	void *got[2];
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	OK(sched_setaffinity(0, sizeof(one), &one));
	block_all(NULL);
	for (int i = 0; i < 2; i++)
		ZERO(pthread_create(&waiters[i], NULL, wait_either, NULL));
	nap_ms(20);
	OK(sched_setscheduler(0, SCHED_FIFO, &high));
	OK(kill(getpid(), SIGUSR1));
	OK(kill(getpid(), SIGUSR2));
	OK(sched_setscheduler(0, SCHED_OTHER, &none));
	for (int i = 0; i < 2; i++)
		ZERO(pthread_join(waiters[i], &got[i]));
	CHECK_EQ((long)got[0] + (long)got[1], SIGUSR1 + SIGUSR2);
}

TEST(the_queue_has_a_limit)
{
	struct rlimit r = {10, 10};
	int n = 0;

	block_all(NULL);
	OK(setrlimit(RLIMIT_SIGPENDING, &r));
	while (n < 1000 && sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = n}) == 0)
		n++;
	if (n < 1000)
		CHECK_EQ(errno, EAGAIN);
	else
		SKIP("queue is not bounded by RLIMIT_SIGPENDING");
	OK(kill(getpid(), SIGTERM)); /* plain kill always works */
}

TEST(many_queued_signals_all_arrive)
{
	struct sigaction sa = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};
	sigset_t old;

	OK(sigaction(SIGRTMIN + 5, &sa, NULL));
	block_all(&old);
	for (int i = 0; i < 60; i++)
		queue(SIGRTMIN + 5, i);
	OK(sigprocmask(SIG_SETMASK, &old, NULL));
	CHECK_EQ(nr, 60);
	for (int i = 0; i < 60; i++)
		CHECK_EQ(order[i], (SIGRTMIN + 5) * 1000 + i);
}

TEST(signalfd_reads_signals)
{
	struct signalfd_siginfo si;
	sigset_t set;
	int fd;

	block_all(NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0 && errno == ENOSYS)
		SKIP("no signalfd");
	OK(fd);
	ERR(read(fd, &si, sizeof(si)), EAGAIN);
	OK(kill(getpid(), SIGUSR1));
	struct pollfd p = {.fd = fd, .events = POLLIN};
	CHECK_EQ(poll(&p, 1, 1000), 1);
	CHECK_EQ(read(fd, &si, sizeof(si)), sizeof(si));
	CHECK_EQ(si.ssi_signo, SIGUSR1);
	CHECK_EQ(si.ssi_pid, getpid());
}

TEST_MAIN
