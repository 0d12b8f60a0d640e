/* Pipes and FIFOs: order, atomicity, end of file, non-blocking, sizes, poll, named ones. */
#include "test.h"
#include <sys/ioctl.h>

TEST(bytes_arrive_in_order)
{
	int fds[2];
	pid_t pid;
	unsigned char buf[777];
	uint32_t out = 1, in = 1;
	long total = 0, n;

	OK(pipe(fds));
	pid = OK(fork());
	if (pid == 0) {
		OK(close(fds[0]));
		for (long sent = 0; sent < 300000;) {
			size_t len = 1 + rnd(&out) % sizeof(buf);

			for (size_t i = 0; i < len; i++)
				buf[i] = (sent + i) * 31 >> 3;
			CHECK_EQ(write(fds[1], buf, len), len);
			sent += len;
		}
		_exit(0);
	}
	OK(close(fds[1]));
	while ((n = OK(read(fds[0], buf, 1 + rnd(&in) % sizeof(buf)))) > 0) {
		for (long i = 0; i < n; i++)
			CHECK_EQ(buf[i], (unsigned char)((total + i) * 31 >> 3));
		total += n;
	}
	CHECK(total >= 300000);
	wait_ok(pid);
}

TEST(small_writes_are_atomic)
{
	enum { WRITERS = 4, LEN = 512, EACH = 100 };
	int fds[2];
	pid_t pids[WRITERS];
	char buf[LEN];
	int seen = 0;

	OK(pipe(fds));
	for (int w = 0; w < WRITERS; w++) {
		pids[w] = OK(fork());
		if (pids[w] == 0) {
			memset(buf, 'A' + w, LEN);
			for (int i = 0; i < EACH; i++)
				CHECK_EQ(write(fds[1], buf, LEN), LEN);
			_exit(0);
		}
	}
	OK(close(fds[1]));
	for (;;) {
		size_t got = 0;

		while (got < LEN) {
			long n = OK(read(fds[0], buf + got, LEN - got));

			if (n == 0)
				break;
			got += n;
		}
		if (got == 0)
			break;
		CHECK_EQ(got, LEN);
		for (int i = 1; i < LEN; i++)
			CHECK_EQ(buf[i], buf[0]);
		seen++;
	}
	CHECK_EQ(seen, WRITERS * EACH);
	for (int w = 0; w < WRITERS; w++)
		wait_ok(pids[w]);
}

TEST(end_of_file_comes_with_the_last_writer)
{
	int fds[2], extra;
	char c;

	OK(pipe(fds));
	extra = OK(dup(fds[1]));
	OK(close(fds[1]));
	CHECK_EQ(write(extra, "z", 1), 1);
	OK(close(extra));
	CHECK_EQ(read(fds[0], &c, 1), 1);
	CHECK_EQ(read(fds[0], &c, 1), 0);
	CHECK_EQ(read(fds[0], &c, 1), 0);
}

TEST(directions_and_seeks)
{
	int fds[2];
	char c;

	OK(pipe(fds));
	ERR(write(fds[0], "x", 1), EBADF);
	ERR(read(fds[1], &c, 1), EBADF);
	ERR(lseek(fds[0], 0, SEEK_CUR), ESPIPE);
	ERR(pread(fds[0], &c, 1, 0), ESPIPE);
	ERR(pwrite(fds[1], &c, 1, 0), ESPIPE);
	ERR(ftruncate(fds[1], 0), EINVAL);
	ERR(pipe2(fds, 0x40000000), EINVAL);
	CHECK_EQ(fsync(fds[0]), -1);
	CHECK_EQ(errno, EINVAL);
}

TEST(nonblocking)
{
	int fds[2];
	char c, page[4096] = {0};
	long total = 0, n;

	OK(pipe2(fds, O_NONBLOCK | O_CLOEXEC));
	CHECK_EQ(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
	CHECK(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
	ERR(read(fds[0], &c, 1), EAGAIN);
	while ((n = write(fds[1], page, sizeof(page))) > 0)
		total += n;
	CHECK_EQ(errno, EAGAIN);
	CHECK(total >= 4096);
	CHECK_EQ(read(fds[0], page, 4096), 4096);
	CHECK_EQ(write(fds[1], page, 4096), 4096); /* a page's worth is room again */
	OK(close(fds[1]));
	while ((n = read(fds[0], page, sizeof(page))) > 0)
		total -= n;
	CHECK_EQ(n, 0);
	CHECK_EQ(total, 0);
}

TEST(default_size_is_64k)
{
	int fds[2], ready = 0;
	char *big = calloc(1, 65536);

	OK(pipe(fds));
	CHECK_EQ(write(fds[1], big, 65536), 65536); /* does not block */
	OK(ioctl(fds[0], FIONREAD, &ready));
	CHECK_EQ(ready, 65536);
	int size = fcntl(fds[0], F_GETPIPE_SZ);
	CHECK(size == 65536 || (size == -1 && errno == EINVAL));
}

TEST(poll_tells_the_state)
{
	int fds[2];
	char page[4096] = {0};
	struct pollfd p[2];

	OK(pipe2(fds, O_NONBLOCK));
	p[0] = (struct pollfd){.fd = fds[0], .events = POLLIN};
	p[1] = (struct pollfd){.fd = fds[1], .events = POLLOUT};
	CHECK_EQ(poll(p, 2, 0), 1);
	CHECK_EQ(p[0].revents, 0);
	CHECK_EQ(p[1].revents, POLLOUT);
	while (write(fds[1], page, sizeof(page)) > 0)
		;
	CHECK_EQ(poll(p, 2, 0), 1);
	CHECK_EQ(p[0].revents, POLLIN);
	CHECK_EQ(p[1].revents, 0);
	int keep = OK(dup(fds[0]));
	OK(close(fds[1]));
	CHECK_EQ(poll(p, 1, 0), 1);
	CHECK_EQ(p[0].revents, POLLIN | POLLHUP);
	while (read(fds[0], page, sizeof(page)) > 0)
		;
	CHECK_EQ(poll(p, 1, 0), 1);
	CHECK_EQ(p[0].revents, POLLHUP);
	OK(close(keep));
	OK(pipe(fds));
	OK(close(fds[0]));
	p[0] = (struct pollfd){.fd = fds[1], .events = POLLOUT};
	CHECK_EQ(poll(p, 1, 0), 1);
	CHECK(p[0].revents & POLLERR);
}

TEST(zero_lengths)
{
	int fds[2];
	char c;

	OK(pipe2(fds, O_NONBLOCK));
	CHECK_EQ(write(fds[1], &c, 0), 0);
	CHECK_EQ(read(fds[0], &c, 0), 0);
	ERR(read(fds[0], &c, 1), EAGAIN);
}

TEST(fifo_opens_meet)
{
	struct stat st;
	char c;
	pid_t pid;

	OK(mkfifo("p", 0600));
	OK(stat("p", &st));
	CHECK(S_ISFIFO(st.st_mode));
	ERR(mkfifo("p", 0600), EEXIST);
	pid = OK(fork());
	if (pid == 0) {
		int w = OK(open("p", O_WRONLY));

		CHECK_EQ(write(w, "F", 1), 1);
		_exit(0);
	}
	int r = OK(open("p", O_RDONLY));
	CHECK_EQ(read(r, &c, 1), 1);
	CHECK_EQ(c, 'F');
	CHECK_EQ(read(r, &c, 1), 0);
	wait_ok(pid);
	/* a new writer revives it */
	int w = OK(open("p", O_WRONLY));
	CHECK_EQ(write(w, "G", 1), 1);
	CHECK_EQ(read(r, &c, 1), 1);
}

/* Both opens are under way at once, and the writer is gone again before the reader has looked around. */
TEST(fifo_writer_is_gone_when_its_reader_has_opened)
{
	static const char *const name[] = {"p0", "p1"};
	pid_t pid;
	char c;

	OK(mkfifo(name[0], 0600));
	OK(mkfifo(name[1], 0600));
	pid = OK(fork());
	for (int i = 0; i < 100; i++) { /* two names in turn: an open waits until its reader has closed the other */
		int fd = OK(open(name[i % 2], pid ? O_RDONLY : O_WRONLY));

		if (pid == 0) {
			CHECK_EQ(write(fd, "F", 1), 1);
		} else {
			CHECK_EQ(read(fd, &c, 1), 1);
			CHECK_EQ(c, 'F');
			CHECK_EQ(read(fd, &c, 1), 0);
		}
		OK(close(fd));
	}
	if (pid == 0)
		_exit(0);
	wait_ok(pid);
}

TEST(fifo_nonblocking_opens)
{
	char c;

	OK(mkfifo("p", 0600));
	ERR(open("p", O_WRONLY | O_NONBLOCK), ENXIO);
	int r = OK(open("p", O_RDONLY | O_NONBLOCK));
	CHECK_EQ(read(r, &c, 1), 0); /* no writer: end of file */
	int w = OK(open("p", O_WRONLY | O_NONBLOCK));
	ERR(read(r, &c, 1), EAGAIN);
	CHECK_EQ(write(w, "x", 1), 1);
	CHECK_EQ(read(r, &c, 1), 1);
	int rw = OK(open("p", O_RDWR)); /* never blocks */
	CHECK_EQ(write(rw, "y", 1), 1);
	OK(unlink("p"));
	CHECK_EQ(read(r, &c, 1), 1);
	CHECK_EQ(c, 'y');
}

TEST(reader_killed_while_blocked_leaves_the_pipe_whole)
{
	int fds[2];
	char c;

	OK(pipe(fds));
	for (int i = 0; i < 10; i++) {
		pid_t pid = OK(fork());

		if (pid == 0)
			_exit(read(fds[0], &c, 1));
		nap_ms(2);
		OK(kill(pid, SIGKILL));
		wait_signal(pid, SIGKILL);
	}
	CHECK_EQ(write(fds[1], "q", 1), 1);
	CHECK_EQ(read(fds[0], &c, 1), 1);
}

TEST_MAIN
