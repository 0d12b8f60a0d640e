/* poll, ppoll, pselect, epoll, eventfd, unix socket pairs. */
#include "test.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>

TEST(poll_times_out_and_ignores_negative)
{
	struct pollfd p[2] = {{.fd = -1, .events = POLLIN}, {.fd = -5, .events = POLLOUT}};
	long long start = now_ns(CLOCK_MONOTONIC);

	CHECK_EQ(poll(p, 2, 15), 0);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 15000000);
	CHECK_EQ(poll(NULL, 0, 1), 0);
	CHECK_EQ(p[0].revents, 0);
}

TEST(poll_flags_a_closed_descriptor)
{
	struct pollfd p = {.fd = 77, .events = POLLIN};

	CHECK_EQ(poll(&p, 1, 1000), 1);
	CHECK_EQ(p.revents, POLLNVAL);
}

TEST(poll_on_files_and_devices_is_ready)
{
	struct pollfd p[2];

	file_make("f", "x", 1);
	p[0] = (struct pollfd){.fd = OK(open("f", O_RDWR)), .events = POLLIN | POLLOUT};
	p[1] = (struct pollfd){.fd = OK(open("/dev/null", O_RDWR)), .events = POLLIN | POLLOUT};
	CHECK_EQ(poll(p, 2, 1000), 2);
	CHECK_EQ(p[0].revents, POLLIN | POLLOUT);
	CHECK_EQ(p[1].revents, POLLIN | POLLOUT);
}

TEST(poll_is_woken_by_a_writer)
{
	int fds[3][2];
	struct pollfd p[3];
	pid_t pid;

	for (int i = 0; i < 3; i++) {
		OK(pipe(fds[i]));
		p[i] = (struct pollfd){.fd = fds[i][0], .events = POLLIN};
	}
	pid = OK(fork());
	if (pid == 0) {
		nap_ms(20);
		_exit(write(fds[1][1], "x", 1) != 1);
	}
	CHECK_EQ(poll(p, 3, -1), 1);
	CHECK_EQ(p[1].revents, POLLIN);
	wait_ok(pid);
}

static volatile sig_atomic_t hits;

static void count(int sig)
{
	(void)sig;
	hits++;
}

TEST(ppoll_swaps_the_mask)
{
	sigset_t block, none, now;
	struct timespec ts = {10, 0};

	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	on_signal(SIGUSR1, count, 0);
	OK(sigprocmask(SIG_BLOCK, &block, NULL));
	OK(raise(SIGUSR1));
	CHECK_EQ(hits, 0);
	ERR(ppoll(NULL, 0, &ts, &none), EINTR);
	CHECK_EQ(hits, 1);
	OK(sigprocmask(0, NULL, &now));
	CHECK(sigismember(&now, SIGUSR1));
	OK(raise(SIGUSR1));
	ERR(pselect(0, NULL, NULL, NULL, &ts, &none), EINTR);
	CHECK_EQ(hits, 2);
	ts = (struct timespec){0, 1000000000};
	ERR(syscall(SYS_ppoll, NULL, 0, &ts, NULL, 8L), EINVAL);
}

TEST(select_marks_the_ready)
{
	int a[2], b[2];
	fd_set r, w;
	struct timeval tv = {5, 0};

	OK(pipe(a));
	OK(pipe(b));
	CHECK_EQ(write(b[1], "x", 1), 1);
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_SET(a[0], &r);
	FD_SET(b[0], &r);
	FD_SET(a[1], &w);
	CHECK_EQ(select(FD_SETSIZE, &r, &w, NULL, &tv), 2);
	CHECK(!FD_ISSET(a[0], &r) && FD_ISSET(b[0], &r) && FD_ISSET(a[1], &w));
	FD_ZERO(&r);
	FD_SET(a[0], &r);
	tv = (struct timeval){0, 5000};
	CHECK_EQ(select(a[0] + 1, &r, NULL, NULL, &tv), 0);
	CHECK(!FD_ISSET(a[0], &r));
	OK(close(a[0]));
	FD_SET(a[0], &r);
	ERR(select(a[0] + 1, &r, NULL, NULL, &tv), EBADF);
	ERR(select(-1, NULL, NULL, NULL, &tv), EINVAL);
}

static int epoll_or_skip(void)
{
	int ep = epoll_create1(EPOLL_CLOEXEC);

	if (ep < 0 && errno == ENOSYS)
		SKIP("no epoll");
	return OK(ep);
}

TEST(epoll_level_edge_oneshot)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = 0x1122334455667788}, got[4];
	int fds[2], ep = epoll_or_skip();
	char c;

	OK(pipe(fds));
	OK(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &ev));
	ERR(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &ev), EEXIST);
	CHECK_EQ(epoll_wait(ep, got, 4, 0), 0);
	CHECK_EQ(write(fds[1], "ab", 2), 2);
	for (int i = 0; i < 2; i++) { /* level: again and again */
		CHECK_EQ(epoll_wait(ep, got, 4, 1000), 1);
		CHECK_EQ(got[0].events, EPOLLIN);
		CHECK_EQ(got[0].data.u64, 0x1122334455667788);
	}
	ev.events = EPOLLIN | EPOLLET;
	OK(epoll_ctl(ep, EPOLL_CTL_MOD, fds[0], &ev));
	CHECK_EQ(epoll_wait(ep, got, 4, 1000), 1);
	CHECK_EQ(epoll_wait(ep, got, 4, 0), 0); /* edge: once */
	CHECK_EQ(write(fds[1], "c", 1), 1);
	CHECK_EQ(epoll_wait(ep, got, 4, 1000), 1);
	ev.events = EPOLLIN | EPOLLONESHOT;
	OK(epoll_ctl(ep, EPOLL_CTL_MOD, fds[0], &ev));
	CHECK_EQ(epoll_wait(ep, got, 4, 1000), 1);
	CHECK_EQ(read(fds[0], &c, 1), 1);
	CHECK_EQ(epoll_wait(ep, got, 4, 0), 0);
	OK(epoll_ctl(ep, EPOLL_CTL_DEL, fds[0], NULL));
	ERR(epoll_ctl(ep, EPOLL_CTL_DEL, fds[0], NULL), ENOENT);
}

/* What could not be written to the caller's buffer is not lost: the next call reports it. */
TEST(epoll_keeps_what_it_could_not_report)
{
	static const unsigned how[] = {0, EPOLLET, EPOLLONESHOT, EPOLLET | EPOLLONESHOT};
	struct epoll_event ev, got[5];
	int fds[4][2], ep = epoll_or_skip();

	for (unsigned i = 0; i < 4; i++) {
		ev = (struct epoll_event){.events = EPOLLIN | how[i], .data.u32 = i};
		OK(pipe(fds[i]));
		OK(epoll_ctl(ep, EPOLL_CTL_ADD, fds[i][0], &ev));
		CHECK_EQ(write(fds[i][1], "x", 1), 1);
	}
	ERR(syscall(SYS_epoll_pwait, ep, 16, 4, 0, NULL, 8), EFAULT);
	CHECK_EQ(epoll_wait(ep, got, 5, 0), 4);
	for (unsigned i = 0, seen = 0; i < 4; i++) {
		CHECK_EQ(got[i].events, EPOLLIN);
		CHECK(!(seen & 1u << got[i].data.u32));
		seen |= 1u << got[i].data.u32;
	}
	CHECK_EQ(epoll_wait(ep, got, 5, 0), 1); /* the level-triggered one, again; the others not */
	CHECK_EQ(got[0].data.u32, 0);
}

TEST(epoll_errors_and_close)
{
	struct epoll_event ev = {.events = EPOLLIN}, got[1];
	int fds[2], ep = epoll_or_skip();

	OK(pipe(fds));
	ERR(epoll_ctl(ep, EPOLL_CTL_ADD, 99, &ev), EBADF);
	ERR(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &ev), EINVAL);
	ERR(epoll_ctl(fds[0], EPOLL_CTL_ADD, fds[1], &ev), EINVAL);
	ERR(epoll_wait(ep, got, 0, 0), EINVAL);
	file_make("f", "", 0);
	ERR(epoll_ctl(ep, EPOLL_CTL_ADD, OK(open("f", O_RDONLY)), &ev), EPERM);
	OK(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &ev));
	CHECK_EQ(write(fds[1], "x", 1), 1);
	OK(close(fds[0])); /* removes itself */
	CHECK_EQ(epoll_wait(ep, got, 1, 0), 0);
}

TEST(eventfd_counts)
{
	uint64_t v;
	int fd = eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC), sem;

	if (fd < 0 && errno == ENOSYS)
		SKIP("no eventfd");
	OK(fd);
	v = 4;
	CHECK_EQ(write(fd, &v, 8), 8);
	CHECK_EQ(read(fd, &v, 8), 8);
	CHECK_EQ(v, 7);
	ERR(read(fd, &v, 8), EAGAIN);
	ERR(read(fd, &v, 4), EINVAL);
	v = ~0ULL;
	ERR(write(fd, &v, 8), EINVAL);
	v = ~0ULL - 1;
	CHECK_EQ(write(fd, &v, 8), 8);
	v = 1;
	ERR(write(fd, &v, 8), EAGAIN);
	sem = OK(eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK));
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(read(sem, &v, 8), 8);
		CHECK_EQ(v, 1);
	}
	ERR(read(sem, &v, 8), EAGAIN);
}

TEST(eventfd_wakes_another_process)
{
	int fd = eventfd(0, 0);
	uint64_t v = 9;
	pid_t pid;

	if (fd < 0 && errno == ENOSYS)
		SKIP("no eventfd");
	pid = OK(fork());
	if (pid == 0) {
		nap_ms(10);
		_exit(write(fd, &v, 8) != 8);
	}
	v = 0;
	CHECK_EQ(read(fd, &v, 8), 8);
	CHECK_EQ(v, 9);
	wait_ok(pid);
}

static void pair_or_skip(int type, int fds[2])
{
	if (socketpair(AF_UNIX, type, 0, fds) < 0) {
		if (errno == ENOSYS || errno == EAFNOSUPPORT)
			SKIP("no unix sockets");
		FAIL("socketpair: %s", strerror(errno));
	}
}

TEST(socket_pair_goes_both_ways)
{
	int fds[2];
	char buf[16];

	pair_or_skip(SOCK_STREAM, fds);
	CHECK_EQ(write(fds[0], "ping", 4), 4);
	CHECK_EQ(read(fds[1], buf, 16), 4);
	CHECK_EQ(send(fds[1], "pong!", 5, 0), 5);
	CHECK_EQ(recv(fds[0], buf, 16, 0), 5);
	OK(shutdown(fds[0], SHUT_WR));
	CHECK_EQ(read(fds[1], buf, 16), 0);
	OK(close(fds[1]));
	on_signal(SIGPIPE, count, 0);
	ERR(write(fds[0], "x", 1), EPIPE);
}

TEST(datagram_pair_keeps_boundaries)
{
	int fds[2];
	char buf[16];

	pair_or_skip(SOCK_DGRAM, fds);
	CHECK_EQ(write(fds[0], "one", 3), 3);
	CHECK_EQ(write(fds[0], "three", 5), 5);
	CHECK_EQ(read(fds[1], buf, 2), 2);
	CHECK_EQ(read(fds[1], buf, 16), 5);
}

TEST_MAIN
