/* Stopping and continuing, SIGPIPE, SIGHUP rules that need no terminal. */
#include "test.h"

static volatile sig_atomic_t conts;

static void on_cont(int sig)
{
	(void)sig;
	conts++;
}

static pid_t counting_child(volatile long *counter)
{
	pid_t pid = OK(fork());

	if (pid == 0)
		for (;;)
			++*counter;
	return pid;
}

TEST(a_stopped_process_makes_no_progress)
{
	volatile long *n = map_shared(4096), was;
	pid_t pid = counting_child(n);

	AWAIT(*n > 100);
	OK(kill(pid, SIGSTOP));
	AWAIT(proc_state(pid) == 'T');
	was = *n;
	nap_ms(30);
	CHECK_EQ(*n, was);
	OK(kill(pid, SIGCONT));
	AWAIT(*n > was);
	OK(kill(pid, SIGKILL));
	wait_signal(pid, SIGKILL);
}

TEST(every_stop_signal_stops)
{
	static const int sigs[] = {SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU};

	for (size_t i = 0; i < ARRAY_SIZE(sigs); i++) {
		volatile long *n = map_shared(4096);
		pid_t pid = counting_child(n);
		int st;

		OK(kill(pid, sigs[i]));
		CHECK_EQ(waitpid(pid, &st, WUNTRACED), pid);
		CHECK(WIFSTOPPED(st));
		CHECK_EQ(WSTOPSIG(st), sigs[i]);
		OK(kill(pid, SIGKILL));
		wait_signal(pid, SIGKILL);
	}
}

TEST(signals_to_a_stopped_process_wait_for_cont)
{
	volatile int *got = map_shared(4096);
	pid_t pid = OK(fork());

	if (pid == 0) {
		on_signal(SIGCONT, on_cont, 0);
		OK(raise(SIGSTOP));
		got[0] = conts;
		for (;;)
			pause();
	}
	AWAIT(proc_state(pid) == 'T');
	OK(kill(pid, SIGTERM));
	nap_ms(10);
	CHECK_EQ(proc_state(pid), 'T');
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	OK(kill(pid, SIGCONT));
	wait_signal(pid, SIGTERM);
}

TEST(cont_runs_its_handler_and_always_continues)
{
	volatile int *got = map_shared(4096);
	pid_t pid = OK(fork());

	if (pid == 0) {
		sigset_t set;

		on_signal(SIGCONT, on_cont, 0);
		OK(raise(SIGSTOP));
		got[0] = conts;
		sigfillset(&set);
		OK(sigprocmask(SIG_BLOCK, &set, NULL));
		OK(raise(SIGSTOP)); /* cannot be blocked; nor can its end */
		got[1] = 1;
		_exit(0);
	}
	AWAIT(proc_state(pid) == 'T');
	OK(kill(pid, SIGCONT));
	AWAIT(got[0] == 1);
	AWAIT(proc_state(pid) == 'T');
	OK(kill(pid, SIGCONT));
	AWAIT(got[1]);
	wait_ok(pid);
}

TEST(cont_discards_pending_stops_and_the_reverse)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	sigaddset(&set, SIGCONT);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	on_signal(SIGCONT, on_cont, 0);
	OK(raise(SIGTSTP));
	OK(raise(SIGCONT));
	OK(sigpending(&set));
	CHECK(!sigismember(&set, SIGTSTP));
	CHECK(sigismember(&set, SIGCONT));
	OK(raise(SIGTSTP));
	OK(sigpending(&set));
	CHECK(sigismember(&set, SIGTSTP));
	CHECK(!sigismember(&set, SIGCONT));
	on_signal(SIGTSTP, SIG_IGN, 0);
}

static void *count_forever(void *arg)
{
	for (;;)
		++*(volatile long *)arg;
	return NULL;
}

TEST(all_threads_stop_together)
{
	volatile long *n = map_shared(4096), was[3];
	pid_t pid = OK(fork());

	if (pid == 0) {
		pthread_t t;

		for (int i = 1; i < 3; i++)
			ZERO(pthread_create(&t, NULL, count_forever, (void *)(n + i)));
		count_forever((void *)n);
	}
	AWAIT(n[0] > 100 && n[1] > 100 && n[2] > 100);
	OK(kill(pid, SIGSTOP));
	int st;
	CHECK_EQ(waitpid(pid, &st, WUNTRACED), pid);
	for (int i = 0; i < 3; i++)
		was[i] = n[i];
	nap_ms(20);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(n[i], was[i]);
	OK(kill(pid, SIGCONT));
	AWAIT(n[0] > was[0] && n[1] > was[1] && n[2] > was[2]);
	OK(kill(pid, SIGKILL));
	wait_signal(pid, SIGKILL);
}

static volatile sig_atomic_t pipes;

static void on_pipe(int sig)
{
	(void)sig;
	pipes++;
}

TEST(writing_without_a_reader_is_sigpipe)
{
	int fds[2];

	OK(pipe(fds));
	OK(close(fds[0]));
	DIES_OF(SIGPIPE, if (write(fds[1], "x", 1) < 0) _exit(1));
	on_signal(SIGPIPE, on_pipe, 0);
	ERR(write(fds[1], "x", 1), EPIPE);
	CHECK_EQ(pipes, 1);
	on_signal(SIGPIPE, SIG_IGN, 0);
	ERR(write(fds[1], "x", 1), EPIPE);
	CHECK_EQ(pipes, 1);
}

TEST(blocked_writer_is_woken_by_the_last_close)
{
	int fds[2];
	char buf[4096] = {0};
	pid_t pid;

	OK(pipe(fds));
	pid = OK(fork());
	if (pid == 0) {
		OK(close(fds[0]));
		for (;;)
			if (write(fds[1], buf, sizeof(buf)) < 0)
				_exit(1);
	}
	nap_ms(30);
	OK(close(fds[0]));
	wait_signal(pid, SIGPIPE);
}

TEST(kill_minus_one_spares_self_and_init)
{
	if (!on_vitrine())
		SKIP("would kill everything on the host");
	need_root();
	pid_t pid = OK(fork());
	if (pid == 0) {
		pid_t victim;

		OK(setuid(31337)); /* only processes of this user */
		victim = OK(fork());
		if (victim == 0)
			for (;;)
				pause();
		OK(kill(-1, SIGTERM));
		wait_signal(victim, SIGTERM);
		_exit(0);
	}
	wait_ok(pid);
}

TEST(exit_of_a_session_leader_with_no_terminal_spares_its_group)
{
	volatile int *alive = map_shared(4096);
	pid_t pid = OK(fork());

	if (pid == 0) {
		OK(setsid());
		if (OK(fork()) == 0) {
			while (getppid() == getsid(0))
				nap_ms(1);
			nap_ms(10);
			*alive = 1;
			_exit(0);
		}
		_exit(0);
	}
	wait_ok(pid);
	AWAIT(*alive);
}

TEST_MAIN
