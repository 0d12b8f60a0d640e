/* Terminals and jobs: controlling terminal, ^C ^Z ^\, foreground group, TTIN/TTOU. */
#include "pty.h"

static volatile sig_atomic_t got;

static void note(int sig)
{
	got = sig;
}

static void say(const char *text)
{
	CHECK_EQ(write(1, text, strlen(text)), strlen(text));
}

TEST(login_makes_the_controlling_terminal)
{
	struct pty p = pty_open();
	pid_t pid = pty_login(&p);

	if (pid == 0) {
		pid_t sid;

		CHECK_EQ(tcgetpgrp(0), getpgrp());
		OK(ioctl(0, TIOCGSID, &sid));
		CHECK_EQ(sid, getpid());
		int fd = OK(open("/dev/tty", O_RDWR));
		CHECK_EQ(write(fd, "via tty", 7), 7);
		CHECK_EQ(tcgetpgrp(fd), getpgrp());
		_exit(0);
	}
	pty_expect(&p, "via tty");
	wait_ok(pid);
	ERR(tcgetpgrp(p.slave), ENOTTY); /* not ours */
}

TEST(opening_without_noctty_takes_it)
{
	struct pty p = pty_open();
	pid_t pid = OK(fork());

	if (pid == 0) {
		OK(setsid());
		ERR(open("/dev/tty", O_RDWR), ENXIO);
		OK(open(p.name, O_RDWR));
		OK(open("/dev/tty", O_RDWR));
		OK(ioctl(OK(open("/dev/tty", O_RDWR)), TIOCNOTTY)); /* and gives it up */
		_exit(0);
	}
	int st = wait_status(pid); /* the leader that gives it up is hung up, or not (it has the signal default) */
	CHECK((WIFEXITED(st) && WEXITSTATUS(st) == 0) || (WIFSIGNALED(st) && WTERMSIG(st) == SIGHUP));
}

static void key_gives_signal(const char *key, int sig, const char *echo)
{
	struct pty p = pty_open();
	pid_t pid = pty_login(&p);

	if (pid == 0) {
		on_signal(sig, note, 0);
		say("ready");
		while (!got)
			nap_ms(1);
		CHECK_EQ(got, sig);
		_exit(0);
	}
	pty_expect(&p, "ready");
	pty_type(&p, key);
	pty_expect(&p, echo);
	wait_ok(pid);
	OK(close(p.master));
	OK(close(p.slave));
}

TEST(keys_give_signals)
{
	key_gives_signal("\003", SIGINT, "^C");
	key_gives_signal("\034", SIGQUIT, "^\\");
	key_gives_signal("\032", SIGTSTP, "^Z");
}

TEST(isig_off_gives_bytes)
{
	struct pty p = pty_open();
	struct termios t;
	char c;

	OK(tcgetattr(p.slave, &t));
	t.c_lflag &= ~(ISIG | ICANON);
	OK(tcsetattr(p.slave, TCSANOW, &t));
	pty_type(&p, "\003");
	CHECK_EQ(read(p.slave, &c, 1), 1);
	CHECK_EQ(c, 3);
}

TEST(interrupt_flushes_the_line)
{
	struct pty p = pty_open();
	pid_t pid = pty_login(&p);
	char buf[32] = "";

	if (pid == 0) {
		on_signal(SIGINT, SIG_IGN, 0);
		say("ready");
		int n = OK(read(0, buf, sizeof(buf) - 1));
		buf[n] = 0;
		CHECK_STR(buf, "after\n");
		_exit(0);
	}
	pty_expect(&p, "ready");
	pty_type(&p, "before\003after\n");
	wait_ok(pid);
}

TEST(only_the_foreground_group_gets_the_key)
{
	struct pty p = pty_open();
	pid_t pid = pty_login(&p);

	if (pid == 0) {
		on_signal(SIGTTOU, SIG_IGN, 0);
		pid_t job = OK(fork());
		if (job == 0) {
			OK(setpgid(0, 0));
			for (;;)
				pause();
		}
		on_signal(SIGINT, note, 0);
		OK(setpgid(job, job));
		OK(tcsetpgrp(0, job));
		CHECK_EQ(tcgetpgrp(0), job);
		say("ready");
		wait_signal(job, SIGINT);
		CHECK_EQ(got, 0);
		OK(tcsetpgrp(0, getpgrp()));
		_exit(0);
	}
	pty_expect(&p, "ready");
	pty_type(&p, "\003");
	wait_ok(pid);
}

TEST(background_read_stops_with_sigttin)
{
	struct pty p = pty_open();
	pid_t pid = pty_login(&p);

	if (pid == 0) {
		char c;
		int st;
		pid_t job = OK(fork());

		if (job == 0) {
			OK(setpgid(0, 0));
			_exit(read(0, &c, 1) == 1 ? 0 : 1);
		}
		CHECK_EQ(waitpid(job, &st, WUNTRACED), job);
		CHECK(WIFSTOPPED(st));
		CHECK_EQ(WSTOPSIG(st), SIGTTIN);
		on_signal(SIGTTOU, SIG_IGN, 0);
		OK(tcsetpgrp(0, job));
		say("fg");
		OK(kill(-job, SIGCONT));
		wait_ok(job); /* the read starts over */
		OK(tcsetpgrp(0, getpgrp()));
		job = OK(fork());
		if (job == 0) { /* ignored: EIO instead of a stop */
			OK(setpgid(0, 0));
			on_signal(SIGTTIN, SIG_IGN, 0);
			ERR(read(0, &c, 1), EIO);
			_exit(0);
		}
		wait_ok(job);
		_exit(0);
	}
	pty_expect(&p, "fg");
	pty_type(&p, "x\n");
	wait_ok(pid);
}

TEST(background_write_stops_only_with_tostop)
{
	struct pty p = pty_open();
	pid_t pid = pty_login(&p);

	if (pid == 0) {
		struct termios t;
		int st;
		pid_t job = OK(fork());

		if (job == 0) {
			OK(setpgid(0, 0));
			say("free");
			_exit(0);
		}
		wait_ok(job);
		OK(tcgetattr(0, &t));
		t.c_lflag |= TOSTOP;
		OK(tcsetattr(0, TCSANOW, &t));
		job = OK(fork());
		if (job == 0) {
			OK(setpgid(0, 0));
			say("held");
			_exit(0);
		}
		CHECK_EQ(waitpid(job, &st, WUNTRACED), job);
		CHECK(WIFSTOPPED(st));
		CHECK_EQ(WSTOPSIG(st), SIGTTOU);
		on_signal(SIGTTOU, SIG_IGN, 0);
		OK(tcsetpgrp(0, job));
		OK(kill(-job, SIGCONT));
		wait_ok(job);
		_exit(0);
	}
	pty_expect(&p, "freeheld");
	wait_ok(pid);
}

TEST(background_settings_change_stops)
{
	struct pty p = pty_open();
	pid_t pid = pty_login(&p);

	if (pid == 0) {
		int st;
		pid_t job = OK(fork());

		if (job == 0) {
			struct termios t;

			OK(setpgid(0, 0));
			OK(tcgetattr(0, &t));
			OK(tcsetattr(0, TCSANOW, &t));
			_exit(0);
		}
		CHECK_EQ(waitpid(job, &st, WUNTRACED), job);
		CHECK(WIFSTOPPED(st));
		CHECK_EQ(WSTOPSIG(st), SIGTTOU);
		OK(kill(job, SIGKILL));
		_exit(0);
	}
	wait_ok(pid);
}

TEST(tcsetpgrp_errors)
{
	struct pty p = pty_open();
	pid_t pid = pty_login(&p);

	if (pid == 0) {
		ERR(tcsetpgrp(0, -1), EINVAL);
		ERR(tcsetpgrp(0, 1 << 22), ESRCH);
		ERR(tcsetpgrp(0, getsid(getppid())), EPERM); /* a group of another session */
		_exit(0);
	}
	wait_ok(pid);
	ERR(tcsetpgrp(p.slave, getpgrp()), ENOTTY);
}

TEST_MAIN
