/* Process groups and sessions. */
#include "test.h"

static pid_t child_pauses(void)
{
	pid_t pid = OK(fork());

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

TEST(a_child_is_born_into_its_parents_group_and_session)
{
	pid_t group = getpgrp(), session = getsid(0);

	IN_CHILD(CHECK_EQ(getpgrp(), group); CHECK_EQ(getsid(0), session));
	CHECK_EQ(getpgid(0), group);
	CHECK_EQ(getpgid(getpid()), group);
	ERR(getpgid(-1), ESRCH);
	ERR(getsid(1 << 22), ESRCH);
}

TEST(setpgid_moves_self_and_children)
{
	pid_t a = child_pauses(), b = child_pauses();

	OK(setpgid(a, 0));
	CHECK_EQ(getpgid(a), a);
	OK(setpgid(b, a));
	CHECK_EQ(getpgid(b), a);
	ERR(setpgid(b, b + 100000), EPERM);
	ERR(setpgid(b, -1), EINVAL);
	ERR(setpgid(1 << 22, 0), ESRCH);
	ERR(setpgid(getppid(), 0), ESRCH); /* not a child */
	OK(kill(-a, SIGKILL));
	wait_signal(a, SIGKILL);
	wait_signal(b, SIGKILL);
	ERR(kill(-a, 0), ESRCH);
}

TEST(setpgid_after_exec_is_eacces)
{
	int fds[2];
	char c;
	pid_t pid;

	OK(pipe(fds));
	pid = OK(fork());
	if (pid == 0) {
		OK(dup2(fds[1], 1));
		execl("/bin/sh", "sh", "-c", "echo; read x", (char *)NULL);
		_exit(127);
	}
	CHECK_EQ(read(fds[0], &c, 1), 1);
	ERR(setpgid(pid, 0), EACCES);
	OK(kill(pid, SIGKILL));
	wait_signal(pid, SIGKILL);
}

TEST(setsid_makes_leader_of_both)
{
	ERR(setsid(), EPERM); /* the harness made us a group leader */
	IN_CHILD(pid_t sid = OK(setsid()); CHECK_EQ(sid, getpid()); CHECK_EQ(getpgrp(), sid); CHECK_EQ(getsid(0), sid);
		 ERR(setsid(), EPERM); ERR(setpgid(0, 0), EPERM); ERR(open("/dev/tty", O_RDWR), ENXIO));
}

TEST(group_of_another_session_is_eperm)
{
	int fds[2];
	char c;
	pid_t pid;

	OK(pipe(fds));
	pid = OK(fork());
	if (pid == 0) {
		OK(setsid());
		CHECK_EQ(write(fds[1], "x", 1), 1);
		for (;;)
			pause();
	}
	CHECK_EQ(read(fds[0], &c, 1), 1);
	CHECK_EQ(getsid(pid), pid);
	ERR(setpgid(pid, getpgrp()), EPERM);
	IN_CHILD(ERR(setpgid(0, pid), EPERM));
	OK(kill(pid, SIGKILL));
	wait_signal(pid, SIGKILL);
}

TEST(group_outlives_its_leader)
{
	pid_t leader = child_pauses(), member;
	char path[32];

	OK(setpgid(leader, leader));
	member = child_pauses();
	OK(setpgid(member, leader));
	OK(kill(leader, SIGKILL));
	wait_signal(leader, SIGKILL);
	CHECK_EQ(getpgid(member), leader);
	OK(kill(-leader, SIGTERM));
	wait_signal(member, SIGTERM);
	snprintf(path, sizeof(path), "/proc/%d", leader);
	ERR(access(path, F_OK), ENOENT);
}

TEST(kill_zero_reaches_the_own_group)
{
	IN_CHILD(OK(setpgid(0, 0)); pid_t a = child_pauses(); pid_t b = child_pauses(); on_signal(SIGTERM, SIG_IGN, 0);
		 OK(kill(0, SIGTERM)); wait_signal(a, SIGTERM); wait_signal(b, SIGTERM));
}

static volatile sig_atomic_t hups, conts;

static void count(int sig)
{
	if (sig == SIGHUP)
		hups++;
	else
		conts++;
}

/* A stopped group that becomes orphaned gets SIGHUP then SIGCONT. */
TEST(orphaned_stopped_group_is_hung_up)
{
	int fds[2];
	char c;
	pid_t pid;

	OK(pipe(fds));
	pid = OK(fork());
	if (pid == 0) {
		pid_t member;

		OK(setpgid(0, 0));
		member = OK(fork());
		if (member == 0) {
			pid_t parent = getppid();

			OK(setpgid(0, 0));
			on_signal(SIGHUP, count, 0);
			on_signal(SIGCONT, count, 0);
			CHECK_EQ(write(fds[1], "r", 1), 1);
			OK(raise(SIGSTOP));
			AWAIT(hups && conts);
			AWAIT(getppid() != parent);
			CHECK_EQ(write(fds[1], "h", 1), 1);
			_exit(0);
		}
		int st;
		CHECK_EQ(waitpid(member, &st, WUNTRACED), member);
		CHECK(WIFSTOPPED(st));
		_exit(0);
	}
	wait_ok(pid);
	OK(close(fds[1]));
	CHECK_EQ(read(fds[0], &c, 1), 1);
	CHECK_EQ(c, 'r');
	CHECK_EQ(read(fds[0], &c, 1), 1);
	CHECK_EQ(c, 'h');
}

/* SIGTSTP's default action does nothing in an orphaned group; SIGSTOP always stops. */
TEST(orphaned_group_does_not_stop_from_the_terminal)
{
	int fds[2];
	char c;
	pid_t pid;

	OK(pipe(fds));
	pid = OK(fork());
	if (pid == 0) {
		OK(setsid());
		OK(raise(SIGTSTP));
		OK(raise(SIGTTIN));
		OK(raise(SIGTTOU));
		CHECK_EQ(write(fds[1], "x", 1), 1);
		_exit(0);
	}
	CHECK_EQ(read(fds[0], &c, 1), 1);
	wait_ok(pid);
}

TEST_MAIN
