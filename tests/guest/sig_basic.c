/* Signals: handlers, siginfo, masks, pending, flags of sigaction, default actions. */
#include "test.h"

static volatile sig_atomic_t hits, last_sig, depth, max_depth;
static volatile siginfo_t last_info; /* kill() is a leaf to the compiler: volatile, or stale */
static sigset_t mask_in_handler;

static void count(int sig)
{
	hits++;
	last_sig = sig;
}

static void take_info(int sig, siginfo_t *si, void *uc)
{
	(void)uc;
	hits++;
	last_sig = sig;
	last_info = *si;
	sigprocmask(0, NULL, &mask_in_handler);
}

static void on_info(int sig, int flags, int masked)
{
	struct sigaction sa = {.sa_sigaction = take_info, .sa_flags = SA_SIGINFO | flags};

	if (masked)
		sigaddset(&sa.sa_mask, masked);
	OK(sigaction(sig, &sa, NULL));
}

static void block(int how, int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	OK(sigprocmask(how, &set, NULL));
}

static bool is_pending(int sig)
{
	sigset_t set;

	OK(sigpending(&set));
	return sigismember(&set, sig);
}

TEST(handler_runs_before_raise_returns)
{
	on_signal(SIGUSR1, count, 0);
	for (int i = 1; i <= 100; i++) {
		OK(raise(SIGUSR1));
		CHECK_EQ(hits, i);
	}
	OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(hits, 101);
}

TEST(siginfo_tells_the_sender)
{
	on_info(SIGUSR1, 0, 0);
	OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(last_info.si_signo, SIGUSR1);
	CHECK_EQ(last_info.si_code, SI_USER);
	CHECK_EQ(last_info.si_pid, getpid());
	CHECK_EQ(last_info.si_uid, getuid());
	OK(syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1));
	CHECK_EQ(last_info.si_code, SI_TKILL);
	hits = 0;
	pid_t pid = OK(fork());
	if (pid == 0) {
		OK(kill(getppid(), SIGUSR1));
		_exit(0);
	}
	AWAIT(hits);
	CHECK_EQ(last_info.si_pid, pid);
	wait_ok(pid);
}

TEST(sigqueue_carries_a_value)
{
	union sigval v = {.sival_ptr = (void *)0x123456789abcUL};

	on_info(SIGUSR2, 0, 0);
	OK(sigqueue(getpid(), SIGUSR2, v));
	CHECK_EQ(last_info.si_code, SI_QUEUE);
	CHECK(last_info.si_value.sival_ptr == v.sival_ptr);
	ERR(sigqueue(getpid(), 65, v), EINVAL);
	ERR(sigqueue(1 << 22, SIGUSR2, v), ESRCH);
}

TEST(sigchld_tells_about_the_child)
{
	on_info(SIGCHLD, 0, 0);
	pid_t pid = OK(fork());
	if (pid == 0)
		_exit(23);
	AWAIT(hits);
	CHECK_EQ(last_info.si_code, CLD_EXITED);
	CHECK_EQ(last_info.si_pid, pid);
	CHECK_EQ(last_info.si_status, 23);
	wait_exit(pid, 23);
	hits = 0;
	pid = OK(fork());
	if (pid == 0)
		for (;;)
			pause();
	OK(kill(pid, SIGSTOP));
	AWAIT(hits == 1);
	CHECK_EQ(last_info.si_code, CLD_STOPPED);
	OK(kill(pid, SIGCONT));
	AWAIT(hits == 2);
	CHECK_EQ(last_info.si_code, CLD_CONTINUED);
	on_info(SIGCHLD, SA_NOCLDSTOP, 0);
	OK(kill(pid, SIGSTOP));
	AWAIT(proc_state(pid) == 'T');
	CHECK_EQ(hits, 2);
	OK(kill(pid, SIGKILL));
	AWAIT(hits == 3);
	CHECK_EQ(last_info.si_code, CLD_KILLED);
}

TEST(blocked_signals_wait)
{
	on_signal(SIGUSR1, count, 0);
	block(SIG_BLOCK, SIGUSR1);
	OK(raise(SIGUSR1));
	OK(raise(SIGUSR1));
	CHECK_EQ(hits, 0);
	CHECK(is_pending(SIGUSR1));
	block(SIG_UNBLOCK, SIGUSR1);
	CHECK_EQ(hits, 1); /* standard signals do not queue */
	CHECK(!is_pending(SIGUSR1));
}

TEST(kill_and_stop_cannot_be_blocked_caught_or_ignored)
{
	struct sigaction sa = {.sa_handler = count};
	sigset_t set;

	ERR(sigaction(SIGKILL, &sa, NULL), EINVAL);
	ERR(sigaction(SIGSTOP, &sa, NULL), EINVAL);
	sa.sa_handler = SIG_IGN;
	ERR(sigaction(SIGKILL, &sa, NULL), EINVAL);
	ERR(sigaction(65, &sa, NULL), EINVAL);
	ERR(sigaction(0, &sa, NULL), EINVAL);
	sigfillset(&set);
	OK(sigprocmask(SIG_SETMASK, &set, NULL));
	OK(sigprocmask(0, NULL, &set));
	CHECK(!sigismember(&set, SIGKILL));
	CHECK(!sigismember(&set, SIGSTOP));
	CHECK(sigismember(&set, SIGTERM));
	ERR(sigprocmask(77, &set, NULL), EINVAL);
	DIES_OF(SIGKILL, raise(SIGKILL));
}

TEST(mask_during_the_handler)
{
	on_info(SIGUSR1, 0, SIGTERM);
	OK(raise(SIGUSR1));
	CHECK(sigismember(&mask_in_handler, SIGUSR1));
	CHECK(sigismember(&mask_in_handler, SIGTERM));
	CHECK(!sigismember(&mask_in_handler, SIGUSR2));
	OK(sigprocmask(0, NULL, &mask_in_handler));
	CHECK(!sigismember(&mask_in_handler, SIGUSR1)); /* restored */
	on_info(SIGUSR1, SA_NODEFER, 0);
	OK(raise(SIGUSR1));
	CHECK(!sigismember(&mask_in_handler, SIGUSR1));
}

static void nest(int sig)
{
	if (++depth > max_depth)
		max_depth = depth;
	if (hits++ < 5)
		raise(sig);
	depth--;
}

TEST(deferred_or_nested)
{
	on_signal(SIGUSR1, nest, 0);
	OK(raise(SIGUSR1));
	CHECK_EQ(hits, 6);
	CHECK_EQ(max_depth, 1);
	hits = 0;
	on_signal(SIGUSR1, nest, SA_NODEFER);
	OK(raise(SIGUSR1));
	CHECK_EQ(hits, 6);
	CHECK_EQ(max_depth, 6);
}

TEST(resethand_is_for_one_time)
{
	struct sigaction sa;

	on_signal(SIGUSR1, count, SA_RESETHAND);
	OK(raise(SIGUSR1));
	CHECK_EQ(hits, 1);
	OK(sigaction(SIGUSR1, NULL, &sa));
	CHECK(sa.sa_handler == SIG_DFL);
	DIES_OF(SIGUSR1, raise(SIGUSR1));
}

TEST(default_actions)
{
	static const int deadly[] = {SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGUSR1,
		SIGSEGV, SIGUSR2, SIGPIPE, SIGALRM, SIGTERM, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, SIGIO, SIGPWR,
		SIGSYS, SIGSTKFLT, 34, 50, 64};
	static const int harmless[] = {SIGCHLD, SIGCONT, SIGURG, SIGWINCH};

	for (size_t i = 0; i < ARRAY_SIZE(deadly); i++)
		DIES_OF(deadly[i], on_signal(deadly[i], SIG_DFL, 0); syscall(SYS_kill, getpid(), deadly[i]);
			FAIL("survived signal %d", deadly[i]));
	for (size_t i = 0; i < ARRAY_SIZE(harmless); i++)
		IN_CHILD(OK(raise(harmless[i])));
}

TEST(ignored_signals_are_dropped_even_when_blocked_later)
{
	on_signal(SIGUSR1, SIG_IGN, 0);
	OK(raise(SIGUSR1));
	block(SIG_BLOCK, SIGUSR1);
	on_signal(SIGUSR1, count, 0);
	OK(raise(SIGUSR1));
	CHECK(is_pending(SIGUSR1));
	on_signal(SIGUSR1, SIG_IGN, 0); /* discards what is pending */
	CHECK(!is_pending(SIGUSR1));
	on_signal(SIGUSR1, count, 0);
	block(SIG_UNBLOCK, SIGUSR1);
	CHECK_EQ(hits, 0);
}

TEST(sigsuspend_waits_with_another_mask)
{
	sigset_t set, now;

	on_signal(SIGUSR1, count, 0);
	block(SIG_BLOCK, SIGUSR1);
	OK(raise(SIGUSR1));
	sigemptyset(&set);
	ERR(sigsuspend(&set), EINTR);
	CHECK_EQ(hits, 1);
	OK(sigprocmask(0, NULL, &now));
	CHECK(sigismember(&now, SIGUSR1)); /* the old mask is back */
	IN_CHILD(alarm(1); on_signal(SIGALRM, count, 0); ERR(sigsuspend(&set), EINTR); CHECK_EQ(last_sig, SIGALRM));
}

TEST(old_action_is_returned)
{
	struct sigaction sa = {.sa_handler = count, .sa_flags = SA_RESTART | SA_NODEFER}, old;

	sigaddset(&sa.sa_mask, SIGHUP);
	OK(sigaction(SIGUSR1, &sa, NULL));
	sa.sa_handler = SIG_DFL;
	OK(sigaction(SIGUSR1, &sa, &old));
	CHECK(old.sa_handler == count);
	CHECK_EQ(old.sa_flags & (SA_RESTART | SA_NODEFER | SA_RESETHAND), SA_RESTART | SA_NODEFER);
	CHECK(sigismember(&old.sa_mask, SIGHUP) && !sigismember(&old.sa_mask, SIGINT));
}

TEST(kill_argument_errors)
{
	ERR(kill(getpid(), 65), EINVAL);
	ERR(kill(getpid(), -1), EINVAL);
	ERR(kill(1 << 22, 0), ESRCH);
	ERR(kill(-(1 << 22), 0), ESRCH);
	OK(kill(getpid(), 0));
	ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, NULL, 4L), EINVAL);
	ERR(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4L), EINVAL);
}

TEST(init_ignores_what_it_does_not_handle)
{
	need_root();
	if (!on_vitrine())
		SKIP("would act on the host's init");
	OK(kill(1, SIGKILL));
	OK(kill(1, SIGSTOP));
	nap_ms(10);
	CHECK(proc_state(1) != 'Z' && proc_state(1) != 'T' && proc_state(1) != 0);
}

TEST_MAIN
