/* Futexes by the raw call: wait, wake, requeue, bitset, time-outs, shared and private, robust lists. */
#include "test.h"
#include <linux/futex.h>

static long futex(volatile int *word, int op, int val, const void *timeout_or_val2, volatile int *word2, int val3)
{
	return syscall(SYS_futex, word, op, val, timeout_or_val2, word2, val3);
}

static volatile int word, word2;
static volatile int waiting, woken;

struct waiter {
	volatile int *word;
	int op, bits;
};

static void *wait_once(void *arg)
{
	struct waiter *w = arg;
	long r;

	__atomic_add_fetch(&waiting, 1, __ATOMIC_SEQ_CST);
	do
		r = futex(w->word, w->op, 0, NULL, NULL, w->bits);
	while (r < 0 && errno == EINTR);
	__atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
	return (void *)r;
}

TEST(wait_sees_a_changed_value)
{
	word = 1;
	ERR(futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0), EAGAIN);
	CHECK_EQ(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
}

/* Keeps waking until n threads in all have been woken: a thread may not have begun to wait yet. */
static void wake_total(volatile int *w, int op, int n, int bits)
{
	for (int done = 0; done < n;) {
		long r = OK(futex(w, op, n - done, NULL, NULL, bits));

		CHECK(r <= n - done);
		done += r;
		if (r == 0)
			nap_ms(1);
	}
}

TEST(wake_wakes_so_many)
{
	struct waiter w = {&word, FUTEX_WAIT_PRIVATE, 0};
	pthread_t t[6];

	for (int i = 0; i < 6; i++)
		ZERO(pthread_create(&t[i], NULL, wait_once, &w));
	AWAIT(waiting == 6);
	wake_total(&word, FUTEX_WAKE_PRIVATE, 2, 0);
	AWAIT(woken == 2);
	nap_ms(20);
	CHECK_EQ(woken, 2);
	wake_total(&word, FUTEX_WAKE_PRIVATE, 4, 0);
	for (int i = 0; i < 6; i++)
		ZERO(pthread_join(t[i], NULL));
}

TEST(timeouts_relative_and_absolute)
{
	struct timespec ts = {0, 20000000}, abs, bad = {0, -1};
	long long start = now_ns(CLOCK_MONOTONIC);

	ERR(futex(&word, FUTEX_WAIT, 0, &ts, NULL, 0), ETIMEDOUT);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 20000000);
	OK(clock_gettime(CLOCK_MONOTONIC, &abs));
	abs.tv_nsec += 20000000;
	if (abs.tv_nsec >= 1000000000)
		abs.tv_sec++, abs.tv_nsec -= 1000000000;
	ERR(futex(&word, FUTEX_WAIT_BITSET, 0, &abs, NULL, FUTEX_BITSET_MATCH_ANY), ETIMEDOUT);
	abs.tv_sec -= 100 < abs.tv_sec ? 100 : abs.tv_sec;
	ERR(futex(&word, FUTEX_WAIT_BITSET, 0, &abs, NULL, FUTEX_BITSET_MATCH_ANY), ETIMEDOUT);
	abs = (struct timespec){1000, 0};
	ERR(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &abs, NULL, -1), ETIMEDOUT);
	ERR(futex(&word, FUTEX_WAIT, 0, &bad, NULL, 0), EINVAL);
}

TEST(bitsets_select_whom_to_wake)
{
	struct waiter a = {&word, FUTEX_WAIT_BITSET_PRIVATE, 1}, b = {&word, FUTEX_WAIT_BITSET_PRIVATE, 2};
	pthread_t ta, tb;

	ZERO(pthread_create(&ta, NULL, wait_once, &a));
	ZERO(pthread_create(&tb, NULL, wait_once, &b));
	wake_total(&word, FUTEX_WAKE_BITSET_PRIVATE, 1, 2);
	ZERO(pthread_join(tb, NULL));
	CHECK_EQ(woken, 1);
	wake_total(&word, FUTEX_WAKE_BITSET_PRIVATE, 1, 1);
	ZERO(pthread_join(ta, NULL));
	ERR(futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0), EINVAL);
	ERR(futex(&word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0), EINVAL);
}

TEST(requeue_moves_waiters)
{
	struct waiter w = {&word, FUTEX_WAIT_PRIVATE, 0};
	pthread_t t[5];
	long moved = 0;

	for (int i = 0; i < 5; i++)
		ZERO(pthread_create(&t[i], NULL, wait_once, &w));
	while (moved < 5) {
		long r = OK(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 0, (void *)100L, &word2, 0));

		moved += r;
		nap_ms(1);
	}
	CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0), 0);
	CHECK_EQ(woken, 0);
	ERR(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 0, (void *)1L, &word2, 99), EAGAIN);
	CHECK_EQ(futex(&word2, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0), 5);
	for (int i = 0; i < 5; i++)
		ZERO(pthread_join(t[i], NULL));
}

TEST(wake_op_acts_on_two_words)
{
	struct waiter w = {&word, FUTEX_WAIT_PRIVATE, 0};
	pthread_t t;
	long n = 0;

	ZERO(pthread_create(&t, NULL, wait_once, &w));
	word2 = 5;
	while (n == 0) { /* word2 += 1; wake word, and word2 if it was 5 */
		n = futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1L, &word2,
			FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 5));
		if (n < 0 && errno == ENOSYS) {
			wake_total(&word, FUTEX_WAKE_PRIVATE, 1, 0);
			SKIP("no FUTEX_WAKE_OP");
		}
		OK(n);
	}
	CHECK(word2 >= 6);
	ZERO(pthread_join(t, NULL));
}

TEST(shared_between_processes)
{
	volatile int *shared = map_shared(4096);
	pid_t pid = OK(fork());

	if (pid == 0) {
		while (*shared == 0)
			futex(shared, FUTEX_WAIT, 0, NULL, NULL, 0);
		_exit(0);
	}
	nap_ms(20);
	*shared = 1;
	futex(shared, FUTEX_WAKE, 1, NULL, NULL, 0);
	wait_ok(pid);
}

TEST(shared_through_a_file_at_two_addresses)
{
	int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
	volatile int *a, *b;
	pid_t pid;

	OK(ftruncate(fd, 4096));
	a = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	b = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	pid = OK(fork());
	if (pid == 0) {
		while (*a == 0)
			futex(a, FUTEX_WAIT, 0, NULL, NULL, 0);
		_exit(0);
	}
	nap_ms(20);
	*b = 1;
	futex(b, FUTEX_WAKE, 1, NULL, NULL, 0);
	wait_ok(pid);
}

TEST(bad_words_are_refused)
{
	char *p = map_anon(8192, PROT_READ | PROT_WRITE);

	ERR(futex((volatile int *)(p + 1), FUTEX_WAIT, 0, NULL, NULL, 0), EINVAL);
	OK(munmap(p, 4096));
	ERR(futex((volatile int *)p, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
	ERR(futex((volatile int *)0xffffffc000000000, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
	ERR(futex(&word, 99, 0, NULL, NULL, 0), ENOSYS);
}

TEST(robust_lock_of_a_dead_thread_or_process)
{
	pthread_mutexattr_t attr;
	pthread_mutex_t *m = map_shared(4096);

	ZERO(pthread_mutexattr_init(&attr));
	ZERO(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED));
	ZERO(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST));
	ZERO(pthread_mutex_init(m, &attr));
	IN_CHILD(ZERO(pthread_mutex_lock(m))); /* dies holding it */
	CHECK_EQ(pthread_mutex_lock(m), EOWNERDEAD);
	ZERO(pthread_mutex_consistent(m));
	ZERO(pthread_mutex_unlock(m));
	int locked[2];
	char c;
	OK(pipe(locked));
	pid_t pid = OK(fork());
	if (pid == 0) {
		ZERO(pthread_mutex_lock(m));
		CHECK_EQ(write(locked[1], "x", 1), 1);
		nap_ms(30);
		raise(SIGKILL);
	}
	CHECK_EQ(read(locked[0], &c, 1), 1);
	CHECK_EQ(pthread_mutex_lock(m), EOWNERDEAD); /* waits until the owner is killed */
	wait_signal(pid, SIGKILL);
}

TEST(robust_list_calls)
{
	struct robust_list_head *head = NULL;
	size_t len = 0;

	OK(syscall(SYS_get_robust_list, 0, &head, &len));
	CHECK_EQ(len, sizeof(struct robust_list_head));
	ERR(syscall(SYS_set_robust_list, head, 1L), EINVAL);
	OK(syscall(SYS_set_robust_list, head, len));
	/* a list that leads nowhere or round in circles must not hang the exit */
	static struct robust_list_head bad, loop;
	bad.list.next = (struct robust_list *)0xffffffc000000000;
	IN_CHILD(OK(syscall(SYS_set_robust_list, &bad, sizeof(bad))));
	static struct robust_list a, b;
	loop.list.next = &a;
	a.next = &b;
	b.next = &a;
	IN_CHILD(OK(syscall(SYS_set_robust_list, &loop, sizeof(loop))));
}

TEST_MAIN
