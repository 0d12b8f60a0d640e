/* Terminals: window size, hang-up by either end, copying from one, an interactive shell. */
#include "pty.h"
#include <sys/sendfile.h>

static volatile sig_atomic_t got;

static void note(int sig)
{
	got = sig;
}

static void say(const char *text)
{
	CHECK_EQ(write(1, text, strlen(text)), strlen(text));
}

TEST(window_size_is_kept_and_signalled)
{
	struct pty p = pty_open();
	struct winsize w = {.ws_row = 33, .ws_col = 111}, v;
	pid_t pid = pty_login(&p);

	if (pid == 0) {
		on_signal(SIGWINCH, note, 0);
		say("ready");
		while (!got)
			nap_ms(1);
		OK(ioctl(0, TIOCGWINSZ, &v));
		CHECK_EQ(v.ws_row, 33);
		CHECK_EQ(v.ws_col, 111);
		got = 0;
		OK(ioctl(0, TIOCSWINSZ, &v)); /* no change, no signal */
		nap_ms(10);
		CHECK_EQ(got, 0);
		_exit(0);
	}
	pty_expect(&p, "ready");
	OK(ioctl(p.master, TIOCSWINSZ, &w));
	wait_ok(pid);
}

TEST(closing_the_master_hangs_up)
{
	struct pty p = pty_open();
	int *result = map_shared(4096);
	pid_t pid = pty_login(&p);

	if (pid == 0) {
		char c;

		on_signal(SIGHUP, note, 0);
		say("ready");
		while (!got)
			nap_ms(1);
		CHECK_EQ(got, SIGHUP);
		CHECK_EQ(read(0, &c, 1), 0);
		*result = 1;
		_exit(0);
	}
	pty_expect(&p, "ready");
	OK(close(p.slave));
	OK(close(p.master));
	wait_ok(pid);
	CHECK_EQ(*result, 1);
}

TEST(exit_of_the_leader_hangs_up_the_foreground)
{
	struct pty p = pty_open();
	int *result = map_shared(4096);
	pid_t pid = pty_login(&p);

	if (pid == 0) {
		if (OK(fork()) == 0) {
			on_signal(SIGHUP, note, 0);
			say("r");
			while (!got)
				nap_ms(1);
			*result = got;
			_exit(0);
		}
		while (*result == 0 && got == 0) {
			nap_ms(30);
			_exit(0);
		}
	}
	pty_expect(&p, "r");
	wait_ok(pid);
	AWAIT(*result);
	CHECK_EQ(*result, SIGHUP);
}

/* What cat(1) does on a terminal: a line must come at once, and one ^D must end it. */
TEST(sendfile_from_a_terminal_is_short_or_refused)
{
	struct pty p = pty_open();
	int fds[2];
	pid_t pid;

	OK(pipe(fds));
	pid = OK(fork());
	if (pid == 0) {
		long n = sendfile(fds[1], p.slave, NULL, 1 << 20);

		if (n < 0) {
			CHECK_EQ(errno, EINVAL);
			_exit(0);
		}
		CHECK_EQ(n, 4);
		CHECK_EQ(sendfile(fds[1], p.slave, NULL, 1 << 20), 0);
		_exit(0);
	}
	nap_ms(20);
	pty_type(&p, "hey\n");
	nap_ms(50);
	pty_type(&p, "\004");
	wait_ok(pid);
}

TEST(a_shell_on_a_pty)
{
	struct pty p = pty_open();
	pid_t pid = pty_login(&p);
	char buf[2048] = "";
	size_t n = 0;

	if (pid == 0) {
		OK(dup2(0, 2));
		setenv("PS1", "$ ", 1);
		execl("/bin/sh", "sh", "-i", (char *)NULL);
		_exit(127);
	}
	pty_type(&p, "echo $((6*7)) | cat; exit 3\n");
	struct pollfd pf = {.fd = p.master, .events = POLLIN};
	OK(close(p.slave));
	while (n < sizeof(buf) - 1 && poll(&pf, 1, 10000) == 1) {
		int r = read(p.master, buf + n, sizeof(buf) - 1 - n);

		if (r <= 0)
			break;
		n += r;
	}
	buf[n] = 0;
	wait_exit(pid, 3);
	if (!strstr(buf, "42\r\n"))
		FAIL("the shell said \"%s\"", buf);
}

TEST_MAIN
