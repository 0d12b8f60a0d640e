/* Which calls go on after a handler (SA_RESTART) and which give EINTR. */
#include "test.h"
#include <linux/futex.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/select.h>

static volatile sig_atomic_t hits;

static void count(int sig)
{
	(void)sig;
	hits++;
}

/* A signal every 10 ms from now on. */
static void tick(int flags)
{
	struct itimerval it = {{0, 10000}, {0, 10000}};

	on_signal(SIGALRM, count, flags);
	OK(setitimer(ITIMER_REAL, &it, NULL));
}

static void untick(void)
{
	struct itimerval it = {{0, 0}, {0, 0}};

	OK(setitimer(ITIMER_REAL, &it, NULL));
}

/* A child that writes one byte after some signals have hit the parent. */
static pid_t write_later(int fd)
{
	pid_t pid = OK(fork());

	if (pid == 0) {
		nap_ms(60);
		_exit(write(fd, "x", 1) == 1 ? 0 : 1);
	}
	return pid;
}

TEST(read_of_a_pipe)
{
	int fds[2];
	char c;
	pid_t pid;

	OK(pipe(fds));
	tick(0);
	ERR(read(fds[0], &c, 1), EINTR);
	tick(SA_RESTART);
	pid = write_later(fds[1]);
	CHECK_EQ(read(fds[0], &c, 1), 1);
	CHECK(hits > 1);
	wait_ok(pid);
}

TEST(write_to_a_full_pipe)
{
	int fds[2];
	char buf[4096] = {0};

	OK(pipe2(fds, O_NONBLOCK));
	while (write(fds[1], buf, sizeof(buf)) > 0)
		;
	while (write(fds[1], buf, 1) > 0)
		;
	OK(fcntl(fds[1], F_SETFL, 0));
	tick(0);
	ERR(write(fds[1], "x", 1), EINTR);
	tick(SA_RESTART);
	pid_t pid = OK(fork());
	if (pid == 0) {
		nap_ms(60);
		while (read(fds[0], buf, sizeof(buf)) > 0)
			;
		_exit(0);
	}
	CHECK_EQ(write(fds[1], "x", 1), 1);
	wait_ok(pid);
}

TEST(partial_transfer_counts_instead_of_eintr)
{
	int fds[2];
	char *big = calloc(1, 300000);

	OK(pipe(fds));
	tick(0);
	long n = OK(write(fds[1], big, 300000));
	CHECK(n > 0 && n < 300000);
}

TEST(wait_for_a_child)
{
	pid_t pid;
	int st;

	tick(SA_RESTART);
	pid = OK(fork());
	if (pid == 0) {
		untick();
		nap_ms(60);
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &st, 0), pid);
	CHECK(hits > 1);
}

TEST(sleeping_gives_eintr_and_the_rest)
{
	struct timespec ts = {10, 0}, rest = {0, 0}, abs;

	tick(SA_RESTART);
	ERR(nanosleep(&ts, &rest), EINTR);
	CHECK(rest.tv_sec >= 8 && rest.tv_sec < 10);
	CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &rest), EINTR);
	OK(clock_gettime(CLOCK_MONOTONIC, &abs));
	abs.tv_sec += 10;
	CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &abs, NULL), EINTR);
	ERR(pause(), EINTR);
}

TEST(poll_and_select_never_restart)
{
	int fds[2];
	struct pollfd p;
	struct timeval tv = {10, 0};
	struct timespec ts = {10, 0};
	fd_set set;

	OK(pipe(fds));
	p = (struct pollfd){.fd = fds[0], .events = POLLIN};
	tick(SA_RESTART);
	ERR(poll(&p, 1, 10000), EINTR);
	ERR(ppoll(&p, 1, &ts, NULL), EINTR);
	FD_ZERO(&set);
	FD_SET(fds[0], &set);
	ERR(select(fds[0] + 1, &set, NULL, NULL, &tv), EINTR);
}

TEST(flock_and_record_locks)
{
	int a, b;
	struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
	pid_t pid;
	int fds[2];
	char c;

	file_make("f", "x", 1);
	a = OK(open("f", O_RDWR));
	b = OK(open("f", O_RDWR));
	OK(flock(a, LOCK_EX));
	tick(0);
	ERR(flock(b, LOCK_EX), EINTR);
	untick();
	OK(pipe(fds));
	pid = OK(fork());
	if (pid == 0) {
		OK(fcntl(a, F_SETLK, &fl));
		CHECK_EQ(write(fds[1], "x", 1), 1);
		for (;;)
			pause();
	}
	CHECK_EQ(read(fds[0], &c, 1), 1);
	tick(0);
	ERR(fcntl(b, F_SETLKW, &fl), EINTR);
	OK(kill(pid, SIGKILL));
}

TEST(futex_wait)
{
	int word = 0;
	struct timespec ts = {10, 0};

	tick(0);
	ERR(syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0), EINTR);
	tick(SA_RESTART);
	ERR(syscall(SYS_futex, &word, FUTEX_WAIT, 0, &ts, NULL, 0), EINTR);
}

TEST(open_of_a_fifo)
{
	OK(mkfifo("p", 0600));
	tick(0);
	ERR(open("p", O_RDONLY), EINTR);
	tick(SA_RESTART);
	pid_t pid = OK(fork());
	if (pid == 0) {
		nap_ms(60);
		OK(open("p", O_WRONLY));
		_exit(0);
	}
	OK(open("p", O_RDONLY));
	CHECK(hits > 1);
	wait_ok(pid);
}

TEST(ignored_and_default_ignored_signals_do_not_interrupt)
{
	int fds[2];
	char c;
	pid_t parent = getpid(), pid;

	OK(pipe(fds));
	on_signal(SIGUSR1, SIG_IGN, 0);
	pid = OK(fork());
	if (pid == 0) {
		for (int i = 0; i < 5; i++) {
			nap_ms(5);
			OK(kill(parent, SIGUSR1));
			OK(kill(parent, SIGWINCH));
			OK(kill(parent, SIGCONT));
		}
		CHECK_EQ(write(fds[1], "x", 1), 1);
		_exit(0);
	}
	CHECK_EQ(read(fds[0], &c, 1), 1);
	wait_ok(pid);
}

TEST(stop_and_continue_restart_transparently)
{
	int fds[2];
	char c;
	pid_t pid;

	OK(pipe(fds));
	pid = OK(fork());
	if (pid == 0)
		_exit(read(fds[0], &c, 1) == 1 ? 0 : 1);
	for (int i = 0; i < 5; i++) {
		OK(kill(pid, SIGSTOP));
		AWAIT(proc_state(pid) == 'T');
		OK(kill(pid, SIGCONT));
	}
	CHECK_EQ(write(fds[1], "x", 1), 1);
	wait_ok(pid);
}

TEST(nanosleep_goes_on_after_stop)
{
	pid_t pid = OK(fork());

	if (pid == 0) {
		struct timespec ts = {0, 100000000};
		long long start = now_ns(CLOCK_MONOTONIC);

		OK(nanosleep(&ts, NULL));
		_exit(now_ns(CLOCK_MONOTONIC) - start >= 100000000 ? 0 : 1);
	}
	nap_ms(20);
	OK(kill(pid, SIGSTOP));
	AWAIT(proc_state(pid) == 'T');
	OK(kill(pid, SIGCONT));
	wait_ok(pid);
}

TEST_MAIN
