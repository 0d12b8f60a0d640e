/* wait4, waitid: variants, zombies, reparenting, stopped and continued children. */
#include "test.h"
#include <sys/prctl.h>
#include <sys/resource.h>

static pid_t child_exits(int code)
{
	pid_t pid = OK(fork());

	if (pid == 0)
		_exit(code);
	return pid;
}

static pid_t child_pauses(void)
{
	pid_t pid = OK(fork());

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

TEST(no_children_is_echild)
{
	ERR(wait(NULL), ECHILD);
	ERR(waitpid(1, NULL, 0), ECHILD);
	ERR(waitpid(-1, NULL, WNOHANG), ECHILD);
	ERR(waitpid(-1, NULL, 0x12345678), EINVAL);
}

TEST(any_child_and_a_given_child)
{
	pid_t a = child_exits(1), b = child_exits(2), got;
	int st;

	got = OK(waitpid(b, &st, 0));
	CHECK_EQ(got, b);
	CHECK_EQ(WEXITSTATUS(st), 2);
	got = OK(wait(&st));
	CHECK_EQ(got, a);
	CHECK_EQ(WEXITSTATUS(st), 1);
	ERR(wait(NULL), ECHILD);
}

TEST(nohang_gives_zero)
{
	pid_t pid = child_pauses();
	int st = 99;

	CHECK_EQ(waitpid(pid, &st, WNOHANG), 0);
	CHECK_EQ(waitpid(-1, &st, WNOHANG), 0);
	OK(kill(pid, SIGTERM));
	wait_signal(pid, SIGTERM);
}

TEST(by_process_group)
{
	pid_t a = child_pauses(), b = child_pauses(), got;
	int st;

	OK(setpgid(a, a));
	OK(setpgid(b, b));
	OK(kill(a, SIGKILL));
	OK(kill(b, SIGKILL));
	got = OK(waitpid(-b, &st, 0));
	CHECK_EQ(got, b);
	ERR(waitpid(-b, &st, 0), ECHILD);
	ERR(waitpid(0, &st, 0), ECHILD); /* our own group has none left */
	got = OK(waitpid(-a, &st, 0));
	CHECK_EQ(got, a);
}

TEST(zombie_stays_until_waited)
{
	pid_t pid = child_exits(7);

	AWAIT(proc_state(pid) == 'Z');
	OK(kill(pid, 0)); /* a zombie still has its pid */
	OK(kill(pid, SIGKILL));
	wait_exit(pid, 7);
	ERR(kill(pid, 0), ESRCH);
	CHECK_EQ(proc_state(pid), 0);
}

TEST(waitid_fills_siginfo)
{
	pid_t pid = child_exits(19);
	siginfo_t si = {0};

	OK(waitid(P_PID, pid, &si, WEXITED | WNOWAIT));
	CHECK_EQ(si.si_pid, pid);
	CHECK_EQ(si.si_signo, SIGCHLD);
	CHECK_EQ(si.si_code, CLD_EXITED);
	CHECK_EQ(si.si_status, 19);
	CHECK_EQ(si.si_uid, getuid());
	memset(&si, 0, sizeof(si));
	OK(waitid(P_ALL, 0, &si, WEXITED)); /* WNOWAIT left it there */
	CHECK_EQ(si.si_pid, pid);
	ERR(waitid(P_ALL, 0, &si, WEXITED), ECHILD);
	ERR(waitid(P_ALL, 0, &si, 0), EINVAL);
	ERR(waitid((idtype_t)77, 0, &si, WEXITED), EINVAL);
}

TEST(waitid_nohang_clears_pid)
{
	pid_t pid = child_pauses();
	siginfo_t si;

	memset(&si, 0xff, sizeof(si));
	OK(waitid(P_PID, pid, &si, WEXITED | WNOHANG));
	CHECK_EQ(si.si_pid, 0);
	OK(kill(pid, SIGKILL));
	OK(waitid(P_PID, pid, &si, WEXITED));
	CHECK_EQ(si.si_code, CLD_KILLED);
	CHECK_EQ(si.si_status, SIGKILL);
}

TEST(stopped_and_continued_are_reported)
{
	pid_t pid = child_pauses(), got;
	siginfo_t si;
	int st;

	OK(kill(pid, SIGSTOP));
	got = OK(waitpid(pid, &st, WUNTRACED));
	CHECK_EQ(got, pid);
	CHECK(WIFSTOPPED(st));
	CHECK_EQ(WSTOPSIG(st), SIGSTOP);
	CHECK_EQ(waitpid(pid, &st, WUNTRACED | WNOHANG), 0); /* reported once */
	CHECK_EQ(proc_state(pid), 'T');
	OK(kill(pid, SIGCONT));
	got = OK(waitpid(pid, &st, WCONTINUED));
	CHECK_EQ(got, pid);
	CHECK(WIFCONTINUED(st));
	OK(kill(pid, SIGTSTP));
	OK(waitid(P_PID, pid, &si, WSTOPPED));
	CHECK_EQ(si.si_code, CLD_STOPPED);
	CHECK_EQ(si.si_status, SIGTSTP);
	OK(kill(pid, SIGCONT));
	OK(waitid(P_PID, pid, &si, WCONTINUED));
	CHECK_EQ(si.si_code, CLD_CONTINUED);
	CHECK_EQ(si.si_status, SIGCONT);
	OK(kill(pid, SIGKILL));
	wait_signal(pid, SIGKILL);
}

TEST(stopped_children_are_not_reported_unasked)
{
	pid_t pid = child_pauses();

	OK(kill(pid, SIGSTOP));
	AWAIT(proc_state(pid) == 'T');
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	OK(kill(pid, SIGKILL)); /* kills the stopped too */
	wait_signal(pid, SIGKILL);
}

TEST(ignored_sigchld_leaves_no_zombie)
{
	pid_t pid;

	on_signal(SIGCHLD, SIG_IGN, 0);
	pid = child_exits(0);
	ERR(waitpid(pid, NULL, 0), ECHILD);
	AWAIT(kill(pid, 0) < 0 && errno == ESRCH);
}

TEST(nocldwait_leaves_no_zombie)
{
	pid_t pid;

	on_signal(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
	pid = child_exits(0);
	ERR(waitpid(pid, NULL, 0), ECHILD);
}

TEST(orphans_get_a_new_parent)
{
	int fds[2];
	pid_t pid, seen;

	OK(pipe(fds));
	pid = OK(fork());
	if (pid == 0) {
		pid_t me = getpid();

		if (OK(fork()) == 0) {
			AWAIT(getppid() != me);
			seen = getppid();
			CHECK_EQ(write(fds[1], &seen, sizeof(seen)), sizeof(seen));
			_exit(0);
		}
		_exit(0);
	}
	wait_ok(pid);
	CHECK_EQ(read(fds[0], &seen, sizeof(seen)), sizeof(seen));
	CHECK(seen != getpid());
	CHECK(seen >= 1);
	if (on_vitrine())
		CHECK_EQ(seen, 1);
}

TEST(init_reaps_orphans)
{
	int fds[2];
	pid_t pid, orphan;

	OK(pipe(fds));
	pid = OK(fork());
	if (pid == 0) {
		orphan = OK(fork());
		if (orphan == 0) {
			nap_ms(20);
			_exit(0);
		}
		CHECK_EQ(write(fds[1], &orphan, sizeof(orphan)), sizeof(orphan));
		_exit(0);
	}
	wait_ok(pid);
	CHECK_EQ(read(fds[0], &orphan, sizeof(orphan)), sizeof(orphan));
	AWAIT(kill(orphan, 0) < 0 && errno == ESRCH);
}

TEST(subreaper_takes_orphans)
{
	pid_t pid, got;
	int st;

	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		SKIP("no PR_SET_CHILD_SUBREAPER");
	pid = OK(fork());
	if (pid == 0) {
		if (OK(fork()) == 0) {
			nap_ms(20);
			_exit(44);
		}
		_exit(0);
	}
	wait_ok(pid);
	got = OK(wait(&st));
	CHECK(got != pid);
	CHECK_EQ(WEXITSTATUS(st), 44);
}

TEST(rusage_of_children_adds_up)
{
	struct rusage before, after, one;
	pid_t pid;
	int st;

	OK(getrusage(RUSAGE_CHILDREN, &before));
	pid = OK(fork());
	if (pid == 0) {
		struct timespec ts;

		do
			clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
		while (ts.tv_sec == 0 && ts.tv_nsec < 60000000);
		_exit(0);
	}
	CHECK_EQ(wait4(pid, &st, 0, &one), pid);
	OK(getrusage(RUSAGE_CHILDREN, &after));
	CHECK(one.ru_utime.tv_sec * 1000000 + one.ru_utime.tv_usec + one.ru_stime.tv_sec * 1000000 +
			one.ru_stime.tv_usec >=
		30000);
	CHECK(timercmp(&after.ru_utime, &before.ru_utime, >) || timercmp(&after.ru_stime, &before.ru_stime, >));
}

static void nop(int sig)
{
	(void)sig;
}

TEST(wait_is_interrupted_by_signals)
{
	pid_t pid = child_pauses();
	struct itimerval it = {{0, 20000}, {0, 20000}};

	on_signal(SIGALRM, nop, 0);
	OK(setitimer(ITIMER_REAL, &it, NULL));
	ERR(waitpid(pid, NULL, 0), EINTR);
	OK(kill(pid, SIGKILL));
	wait_signal(pid, SIGKILL);
}

TEST(a_thread_waits_for_another_threads_child)
{
	pid_t pid = child_exits(3);
	pthread_t t;
	void *res;

	ZERO(pthread_create(&t, NULL, (void *(*)(void *))(void *)wait, NULL));
	ZERO(pthread_join(t, &res));
	CHECK_EQ((long)res, pid);
}

TEST_MAIN
