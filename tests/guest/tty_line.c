/* The line discipline on a pty: canonical editing, echo, raw mode with VMIN and VTIME, output processing. */
#include "pty.h"

static char buf[1024];

static void local_flags(struct pty *p, int clear, int set)
{
	struct termios t;

	OK(tcgetattr(p->slave, &t));
	t.c_lflag = (t.c_lflag & ~clear) | set;
	OK(tcsetattr(p->slave, TCSANOW, &t));
}

static void raw_mode(struct pty *p, int vmin, int vtime)
{
	struct termios t;

	OK(tcgetattr(p->slave, &t));
	cfmakeraw(&t);
	t.c_cc[VMIN] = vmin;
	t.c_cc[VTIME] = vtime;
	OK(tcsetattr(p->slave, TCSANOW, &t));
}

#define LINE(p, want)                                                \
	do {                                                         \
		int n_ = OK(read((p)->slave, buf, sizeof(buf) - 1)); \
		buf[n_] = 0;                                         \
		CHECK_STR(buf, want);                                \
	} while (0)

TEST(a_line_comes_whole_and_is_echoed)
{
	struct pty p = pty_open();
	struct pollfd pf = {.fd = p.slave, .events = POLLIN};

	pty_type(&p, "hel");
	CHECK_EQ(poll(&pf, 1, 20), 0); /* no line yet */
	pty_type(&p, "lo\r");
	LINE(&p, "hello\n"); /* ICRNL */
	pty_expect(&p, "hello\r\n");
	pty_type(&p, "one\ntwo\n");
	LINE(&p, "one\n"); /* one line a read */
	LINE(&p, "two\n");
	pty_type(&p, "abcdef\n");
	CHECK_EQ(read(p.slave, buf, 3), 3);
	CHECK(memcmp(buf, "abc", 3) == 0);
	LINE(&p, "def\n");
}

TEST(erase_kill_and_word_erase)
{
	struct pty p = pty_open();

	pty_type(&p, "abcx\177\177d\n");
	LINE(&p, "abd\n");
	pty_expect(&p, "abcx\b \b\b \bd\r\n");
	pty_type(&p, "\177\177ok\n"); /* nothing to erase */
	LINE(&p, "ok\n");
	pty_expect(&p, "ok\r\n");
	pty_type(&p, "forget this\025keep\n"); /* ^U */
	LINE(&p, "keep\n");
	pty_read(p.master, buf, sizeof(buf), 200);
	pty_type(&p, "two words\027one\n"); /* ^W */
	LINE(&p, "two one\n");
}

TEST(end_of_file_character)
{
	struct pty p = pty_open();

	pty_type(&p, "\004");
	CHECK_EQ(read(p.slave, buf, 10), 0);
	pty_type(&p, "part\004");
	LINE(&p, "part"); /* pushes the line out without a newline */
	pty_type(&p, "x\n");
	LINE(&p, "x\n"); /* and reading goes on */
}

TEST(end_of_file_ends_a_waiting_read)
{
	struct pty p = pty_open();
	int fds[2];
	char c;
	pid_t pid;

	OK(pipe(fds));
	pid = OK(fork());
	if (pid == 0) {
		CHECK_EQ(write(fds[1], "r", 1), 1);
		CHECK_EQ(read(p.slave, buf, 10), 4);
		CHECK_EQ(write(fds[1], "r", 1), 1);
		CHECK_EQ(read(p.slave, buf, 10), 0);
		_exit(0);
	}
	CHECK_EQ(read(fds[0], &c, 1), 1);
	nap_ms(20);
	pty_type(&p, "hey\n");
	CHECK_EQ(read(fds[0], &c, 1), 1);
	nap_ms(20);
	pty_type(&p, "\004");
	wait_ok(pid);
}

TEST(literal_next_and_control_echo)
{
	struct pty p = pty_open();

	pty_type(&p, "a\026\003b\n"); /* ^V ^C */
	LINE(&p, "a\003b\n");
	pty_read(p.master, buf, sizeof(buf), 500);
	pty_type(&p, "\001\n");
	LINE(&p, "\001\n");
	pty_expect(&p, "^A\r\n"); /* ECHOCTL */
}

TEST(echo_can_be_off)
{
	struct pty p = pty_open();

	local_flags(&p, ECHO, 0);
	pty_type(&p, "secret\n");
	LINE(&p, "secret\n");
	pty_expect_nothing(&p);
	local_flags(&p, 0, ECHONL);
	pty_type(&p, "more\n");
	LINE(&p, "more\n");
	pty_expect(&p, "\r\n");
}

TEST(output_newlines_are_mapped)
{
	struct pty p = pty_open();
	struct termios t;

	CHECK_EQ(write(p.slave, "a\nb", 3), 3);
	pty_expect(&p, "a\r\nb");
	OK(tcgetattr(p.slave, &t));
	t.c_oflag &= ~OPOST;
	OK(tcsetattr(p.slave, TCSADRAIN, &t));
	CHECK_EQ(write(p.slave, "a\nb", 3), 3);
	pty_expect(&p, "a\nb");
}

TEST(raw_bytes_pass_unchanged)
{
	struct pty p = pty_open();
	unsigned char all[256];

	raw_mode(&p, 1, 0);
	for (int i = 0; i < 256; i++)
		all[i] = i;
	CHECK_EQ(write(p.master, all, 256), 256);
	for (int got = 0; got < 256;)
		got += OK(read(p.slave, buf + got, 256 - got));
	CHECK(memcmp(buf, all, 256) == 0);
	pty_expect_nothing(&p);
	CHECK_EQ(write(p.slave, all, 256), 256);
	for (int got = 0; got < 256;)
		got += OK(read(p.master, buf + got, 256 - got));
	CHECK(memcmp(buf, all, 256) == 0);
}

TEST(vmin_and_vtime)
{
	struct pty p = pty_open();
	long long start;

	raw_mode(&p, 0, 0); /* polling read */
	CHECK_EQ(read(p.slave, buf, 10), 0);
	pty_type(&p, "xy");
	nap_ms(5);
	CHECK_EQ(read(p.slave, buf, 10), 2);
	raw_mode(&p, 0, 2); /* timed read: 0.2 s */
	start = now_ns(CLOCK_MONOTONIC);
	CHECK_EQ(read(p.slave, buf, 10), 0);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 150000000);
	pty_type(&p, "z");
	CHECK_EQ(read(p.slave, buf, 10), 1);
	raw_mode(&p, 3, 0); /* counted read */
	pid_t pid = OK(fork());
	if (pid == 0) {
		pty_type(&p, "1");
		nap_ms(10);
		pty_type(&p, "2");
		nap_ms(10);
		pty_type(&p, "3");
		_exit(0);
	}
	CHECK_EQ(read(p.slave, buf, 10), 3);
	wait_ok(pid);
	raw_mode(&p, 5, 1); /* the time counts between bytes */
	pty_type(&p, "ab");
	CHECK_EQ(read(p.slave, buf, 10), 2);
}

TEST(a_read_whose_first_byte_is_flushed_goes_on)
{
	struct pty p = pty_open();
	pid_t pid;

	raw_mode(&p, 5, 2);
	pty_type(&p, "a");
	pid = OK(fork());
	if (pid == 0) {
		nap_ms(50);
		OK(tcflush(p.slave, TCIFLUSH));
		nap_ms(600);
		pty_type(&p, "hello");
		_exit(0);
	}
	CHECK(OK(read(p.slave, buf, 10)) > 0); /* elsewhere it has the first byte already */
	wait_ok(pid);
}

TEST(settings_are_kept_and_checked)
{
	struct pty p = pty_open();
	struct termios t, u;
	int fds[2];

	OK(tcgetattr(p.slave, &t));
	CHECK((t.c_lflag & (ICANON | ECHO | ISIG)) == (ICANON | ECHO | ISIG));
	CHECK_EQ(t.c_cc[VINTR], 3);
	CHECK_EQ(t.c_cc[VEOF], 4);
	CHECK_EQ(t.c_cc[VERASE], 0177);
	t.c_cc[VINTR] = 'q';
	t.c_lflag |= TOSTOP;
	OK(tcsetattr(p.slave, TCSAFLUSH, &t));
	OK(tcgetattr(p.master, &u)); /* one set of settings for both ends */
	CHECK_EQ(u.c_cc[VINTR], 'q');
	CHECK(u.c_lflag & TOSTOP);
	OK(pipe(fds));
	ERR(tcgetattr(fds[0], &t), ENOTTY);
	CHECK(isatty(p.slave) && !isatty(fds[0]));
	CHECK_EQ(tcdrain(p.slave), 0);
}

TEST(flushing_discards_input)
{
	struct pty p = pty_open();

	pty_type(&p, "gone\n");
	nap_ms(10);
	OK(tcflush(p.slave, TCIFLUSH));
	pty_type(&p, "kept\n");
	LINE(&p, "kept\n");
	raw_mode(&p, 1, 0);
	pty_type(&p, "abc");
	nap_ms(10);
	int n = 0;
	OK(ioctl(p.slave, FIONREAD, &n));
	CHECK_EQ(n, 3);
}

TEST(closing_ends)
{
	struct pty p = pty_open();

	OK(close(p.slave));
	ERR(read(p.master, buf, 1), EIO); /* no slave any more */
	p.slave = OK(open(p.name, O_RDWR | O_NOCTTY));
	pty_type(&p, "again\n");
	LINE(&p, "again\n");
	OK(close(p.master));
	CHECK_EQ(read(p.slave, buf, 1), 0); /* hung up */
	ERR(write(p.slave, "x", 1), EIO);
	ERR(open(p.name, O_RDWR | O_NOCTTY) < 0 ? -1 : 0, errno == ENXIO ? ENXIO : errno == EIO ? EIO : ENOENT);
}

TEST(nonblocking_terminal)
{
	struct pty p = pty_open();

	OK(fcntl(p.slave, F_SETFL, O_RDWR | O_NONBLOCK));
	ERR(read(p.slave, buf, 1), EAGAIN);
	pty_type(&p, "no line yet");
	ERR(read(p.slave, buf, 1), EAGAIN);
	pty_type(&p, "\n");
	CHECK_EQ(read(p.slave, buf, 100), 12);
}

TEST(several_ptys_are_apart)
{
	struct pty a = pty_open(), b = pty_open();

	CHECK(strcmp(a.name, b.name) != 0);
	pty_type(&a, "A\n");
	pty_type(&b, "B\n");
	LINE(&b, "B\n");
	LINE(&a, "A\n");
}

TEST(a_long_line_is_bounded)
{
	struct pty p = pty_open();
	struct pollfd pf = {.fd = p.slave, .events = POLLIN};
	char junk[256];

	local_flags(&p, ECHO, 0);
	OK(fcntl(p.master, F_SETFL, O_RDWR | O_NONBLOCK));
	memset(junk, 'j', sizeof(junk));
	for (int i = 0; i < 32; i++) /* 8 KiB without a newline */
		if (write(p.master, junk, sizeof(junk)) < 0)
			CHECK_EQ(errno, EAGAIN);
	if (write(p.master, "\n", 1) == 1 && poll(&pf, 1, 1000) == 1) {
		int n = OK(read(p.slave, buf, sizeof(buf)));

		CHECK(n > 0 && n <= 4096);
	}
}

TEST_MAIN
