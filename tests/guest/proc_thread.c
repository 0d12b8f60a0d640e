/* Threads: identity, TLS, tid clearing, shared signals and descriptors, exit of one and of all. */
#include "test.h"
#include <linux/futex.h>

static __thread int tls_value = 11;
static __thread char tls_big[5000];

static pid_t my_tid(void)
{
	return syscall(SYS_gettid);
}

static void *check_tls(void *arg)
{
	if (tls_value != 11 || tls_big[4999] != 0)
		return (void *)1;
	for (int i = 0; i < 200; i++) {
		tls_value = (int)(long)arg + i;
		tls_big[i] = i;
		sched_yield();
		if (tls_value != (int)(long)arg + i)
			return (void *)2;
	}
	return NULL;
}

TEST(each_thread_has_its_own_tls)
{
	pthread_t t[6];
	void *res;

	for (long i = 0; i < 6; i++)
		ZERO(pthread_create(&t[i], NULL, check_tls, (void *)(i * 1000)));
	for (int i = 0; i < 6; i++) {
		ZERO(pthread_join(t[i], &res));
		CHECK_EQ((long)res, 0);
	}
	CHECK_EQ(tls_value, 11);
}

static void *report_ids(void *arg)
{
	pid_t *ids = arg;

	ids[0] = getpid();
	ids[1] = my_tid();
	ids[2] = getppid();
	return NULL;
}

TEST(pid_is_shared_tid_is_not)
{
	pid_t ids[3];
	pthread_t t;

	CHECK_EQ(my_tid(), getpid());
	ZERO(pthread_create(&t, NULL, report_ids, ids));
	ZERO(pthread_join(t, NULL));
	CHECK_EQ(ids[0], getpid());
	CHECK(ids[1] != getpid());
	CHECK_EQ(ids[2], getppid());
}

static void *open_file(void *arg)
{
	return (void *)(long)open(arg, O_RDONLY);
}

TEST(descriptors_and_directory_are_shared)
{
	pthread_t t;
	void *fd;
	char c;

	file_make("f", "q", 1);
	ZERO(pthread_create(&t, NULL, open_file, "f"));
	ZERO(pthread_join(t, &fd));
	CHECK_EQ(read((int)(long)fd, &c, 1), 1);
	CHECK_EQ(c, 'q');
}

static void *sleep_forever(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

TEST(exit_group_ends_every_thread)
{
	pid_t pid = OK(fork());

	if (pid == 0) {
		pthread_t t;

		for (int i = 0; i < 5; i++)
			ZERO(pthread_create(&t, NULL, sleep_forever, NULL));
		_exit(8);
	}
	wait_exit(pid, 8);
}

static void *exit_all(void *arg)
{
	(void)arg;
	_exit(21);
}

TEST(exit_group_from_a_thread)
{
	pid_t pid = OK(fork());

	if (pid == 0) {
		pthread_t t;

		ZERO(pthread_create(&t, NULL, exit_all, NULL));
		sleep_forever(NULL);
	}
	wait_exit(pid, 21);
}

static void *crash(void *arg)
{
	*(volatile char *)arg = 1;
	return NULL;
}

TEST(a_crash_in_a_thread_kills_the_process)
{
	pthread_t t;

	DIES_OF(SIGSEGV, ZERO(pthread_create(&t, NULL, crash, NULL)); sleep_forever(NULL));
}

static void *sleep_some(void *arg)
{
	nap_ms((long)arg);
	_exit(6);
}

TEST(leader_may_leave_first)
{
	pid_t pid = OK(fork());

	if (pid == 0) {
		pthread_t t;

		ZERO(pthread_create(&t, NULL, sleep_some, (void *)50L));
		syscall(SYS_exit, 0); /* only this thread */
	}
	wait_exit(pid, 6);
}

TEST(kill_reaches_a_process_whose_leader_left)
{
	pid_t pid = OK(fork());

	if (pid == 0) {
		pthread_t t;

		ZERO(pthread_create(&t, NULL, sleep_forever, NULL));
		syscall(SYS_exit, 0);
	}
	nap_ms(30);
	OK(kill(pid, SIGKILL));
	wait_signal(pid, SIGKILL);
}

static int raw_stack_thread(void *arg)
{
	*(volatile int *)arg = 1;
	return 0;
}

TEST(child_cleartid_wakes_a_futex)
{
	static char stack[65536] __attribute__((aligned(16)));
	static volatile pid_t tid_word;
	volatile int ran = 0;
	int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
		CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
	pid_t tid, parent_word = 0;

	tid_word = -1;
	tid = OK(clone(raw_stack_thread, stack + sizeof(stack), flags, (void *)&ran, &parent_word, NULL, &tid_word));
	CHECK_EQ(parent_word, tid);
	while (tid_word != 0)
		syscall(SYS_futex, &tid_word, FUTEX_WAIT, -1, NULL, NULL, 0);
	CHECK_EQ(ran, 1);
	ERR(waitpid(tid, NULL, 0), ECHILD); /* threads are not waited for */
}

TEST(set_tid_address_gives_the_tid)
{
	static int word;

	CHECK_EQ(syscall(SYS_set_tid_address, &word), my_tid());
	IN_CHILD(CHECK_EQ(syscall(SYS_set_tid_address, &word), syscall(SYS_getpid)));
}

static volatile pid_t handled_by;

static void note_tid(int sig)
{
	(void)sig;
	handled_by = my_tid();
}

static volatile pid_t waiter_tid;
static volatile int release_waiter;

static void *wait_for_release(void *arg)
{
	(void)arg;
	waiter_tid = my_tid();
	while (!release_waiter)
		nap_ms(1);
	return NULL;
}

TEST(tgkill_aims_at_one_thread)
{
	pthread_t t;

	on_signal(SIGUSR1, note_tid, 0);
	ZERO(pthread_create(&t, NULL, wait_for_release, NULL));
	AWAIT(waiter_tid);
	OK(syscall(SYS_tgkill, getpid(), waiter_tid, SIGUSR1));
	AWAIT(handled_by);
	CHECK_EQ(handled_by, waiter_tid);
	ERR(syscall(SYS_tgkill, getpid(), 1 << 22, SIGUSR1), ESRCH);
	ERR(syscall(SYS_tgkill, getpid(), -1, SIGUSR1), EINVAL);
	release_waiter = 1;
	ZERO(pthread_join(t, NULL));
}

TEST(a_process_signal_goes_to_a_thread_that_takes_it)
{
	pthread_t t;
	sigset_t set;

	handled_by = waiter_tid = release_waiter = 0;
	on_signal(SIGUSR1, note_tid, 0);
	ZERO(pthread_create(&t, NULL, wait_for_release, NULL));
	AWAIT(waiter_tid);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	OK(pthread_sigmask(SIG_BLOCK, &set, NULL));
	OK(kill(getpid(), SIGUSR1));
	AWAIT(handled_by);
	CHECK_EQ(handled_by, waiter_tid);
	release_waiter = 1;
	ZERO(pthread_join(t, NULL));
}

TEST_MAIN
