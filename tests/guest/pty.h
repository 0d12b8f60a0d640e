/* pty.h: a pseudo-terminal pair for the terminal tests. */
#ifndef TEST_PTY_H
#define TEST_PTY_H
#include "test.h"
#include <sys/ioctl.h>
#include <termios.h>

struct pty {
	int master, slave;
	char name[64];
};

/* The slave is opened without becoming the controlling terminal. */
static TEST_UNUSED struct pty pty_open(void)
{
	struct pty p;
	int zero = 0, nr;

	p.master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	if (p.master < 0)
		FAIL("/dev/ptmx: %s", strerror(errno));
	OK(ioctl(p.master, TIOCSPTLCK, &zero));
	OK(ioctl(p.master, TIOCGPTN, &nr));
	snprintf(p.name, sizeof(p.name), "/dev/pts/%d", nr);
	p.slave = OK(open(p.name, O_RDWR | O_NOCTTY));
	return p;
}

static TEST_UNUSED void pty_type(struct pty *p, const char *keys)
{
	CHECK_EQ(write(p->master, keys, strlen(keys)), strlen(keys));
}

/* Reads from fd, waiting at most ms for the first and 30 ms for each further byte. */
static TEST_UNUSED int pty_read(int fd, char *buf, size_t size, int ms)
{
	size_t n = 0;
	struct pollfd p = {.fd = fd, .events = POLLIN};

	while (n < size - 1 && poll(&p, 1, n ? 30 : ms) == 1) {
		int r = read(fd, buf + n, size - 1 - n);

		if (r <= 0)
			break;
		n += r;
	}
	buf[n] = 0;
	return n;
}

/* The next thing the master shows must be this text. Waits for as many bytes as it needs. */
static TEST_UNUSED void pty_expect_at(struct pty *p, const char *want, int line)
{
	char buf[512] = "";
	size_t n = 0, len = strlen(want);
	struct pollfd pf = {.fd = p->master, .events = POLLIN};

	while (n < len && poll(&pf, 1, 5000) == 1) {
		int r = read(p->master, buf + n, len - n);

		if (r <= 0)
			break;
		n += r;
	}
	buf[n] = 0;
	if (strcmp(buf, want))
		FAIL("line %d: the terminal shows \"%s\", wanted \"%s\"", line, buf, want);
}
#define pty_expect(p, want) pty_expect_at(p, want, __LINE__)

static TEST_UNUSED void pty_expect_nothing(struct pty *p)
{
	struct pollfd pf = {.fd = p->master, .events = POLLIN};

	CHECK_EQ(poll(&pf, 1, 20), 0);
}

/* A child that is session leader with the slave as controlling terminal and standard input and output. */
static TEST_UNUSED pid_t pty_login(struct pty *p)
{
	pid_t pid = OK(fork());

	if (pid == 0) {
		OK(setsid());
		OK(ioctl(p->slave, TIOCSCTTY, 0));
		OK(dup2(p->slave, 0));
		OK(dup2(p->slave, 1));
		OK(close(p->master));
		OK(close(p->slave));
	}
	return pid;
}

#endif
