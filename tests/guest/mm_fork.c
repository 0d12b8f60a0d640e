/* Copy-on-write: what fork shares, who sees which write, with threads and with the kernel as the writer. */
#include "test.h"

#define PG 4096UL

TEST(child_and_parent_have_their_own)
{
	volatile int *p = map_anon(16 * PG, PROT_READ | PROT_WRITE);
	int fds[2], fds2[2];
	char c;
	pid_t pid;

	for (int i = 0; i < 16; i++)
		p[i * 1024] = i;
	OK(pipe(fds));
	OK(pipe(fds2));
	pid = OK(fork());
	if (pid == 0) {
		for (int i = 0; i < 16; i++) {
			CHECK_EQ(p[i * 1024], i);
			p[i * 1024] = 100 + i;
		}
		CHECK_EQ(write(fds[1], "x", 1), 1);
		CHECK_EQ(read(fds2[0], &c, 1), 1);
		for (int i = 0; i < 16; i++)
			CHECK_EQ(p[i * 1024], 100 + i);
		_exit(0);
	}
	CHECK_EQ(read(fds[0], &c, 1), 1);
	for (int i = 0; i < 16; i++) {
		CHECK_EQ(p[i * 1024], i);
		p[i * 1024] = 200 + i;
	}
	CHECK_EQ(write(fds2[1], "x", 1), 1);
	wait_ok(pid);
	for (int i = 0; i < 16; i++)
		CHECK_EQ(p[i * 1024], 200 + i);
}

static int global_data = 5;
static int global_bss;

TEST(data_bss_heap_and_stack_are_copied)
{
	int local = 7, *heap = malloc(sizeof(*heap));

	*heap = 9;
	IN_CHILD(CHECK_EQ(global_data, 5); global_data = 1; global_bss = 1; local = 1; *heap = 1);
	CHECK_EQ(global_data, 5);
	CHECK_EQ(global_bss, 0);
	CHECK_EQ(local, 7);
	CHECK_EQ(*heap, 9);
	free(heap);
}

TEST(kernel_writes_break_sharing_too)
{
	char *p = map_anon(PG, PROT_READ | PROT_WRITE);
	int fds[2];

	p[0] = 'p';
	OK(pipe(fds));
	CHECK_EQ(write(fds[1], "k", 1), 1);
	IN_CHILD(CHECK_EQ(read(fds[0], p, 1), 1); CHECK_EQ(p[0], 'k'));
	CHECK_EQ(p[0], 'p');
}

static void chain(int depth, volatile int *p)
{
	pid_t pid;

	for (int i = 0; i < 8; i++)
		CHECK_EQ(p[i * 1024], i < depth ? depth : i == 0 ? 0 : 0);
	if (depth == 6)
		return;
	pid = OK(fork());
	if (pid == 0) {
		for (int i = 0; i <= depth; i++)
			p[i * 1024] = depth + 1;
		chain(depth + 1, p);
		_exit(0);
	}
	wait_ok(pid);
	for (int i = 0; i < depth; i++)
		CHECK_EQ(p[i * 1024], depth);
}

TEST(a_chain_of_forks)
{
	volatile int *p = map_anon(8 * PG, PROT_READ | PROT_WRITE);

	chain(0, p);
}

TEST(many_children_share_one_page)
{
	volatile int *p = map_anon(PG, PROT_READ | PROT_WRITE);
	pid_t pids[20];

	p[0] = 1;
	for (int i = 0; i < 20; i++) {
		pids[i] = OK(fork());
		if (pids[i] == 0) {
			CHECK_EQ(p[0], 1 + i);
			p[0] = 1000 + i;
			sched_yield();
			CHECK_EQ(p[0], 1000 + i);
			_exit(0);
		}
		p[0]++;
	}
	for (int i = 0; i < 20; i++)
		wait_ok(pids[i]);
	CHECK_EQ(p[0], 21);
}

TEST(protection_survives_fork)
{
	volatile char *p = map_anon(2 * PG, PROT_READ | PROT_WRITE);

	p[0] = p[PG] = 1;
	OK(mprotect((char *)p, PG, PROT_READ));
	IN_CHILD(DIES_OF(SIGSEGV, p[0] = 2); p[PG] = 2; OK(mprotect((char *)p, PG, PROT_READ | PROT_WRITE)); p[0] = 3);
	DIES_OF(SIGSEGV, p[0] = 2);
	OK(mprotect((char *)p, PG, PROT_READ | PROT_WRITE));
	CHECK_EQ(p[0], 1);
	p[0] = 2;
}

TEST(large_area_is_shared_not_copied)
{
	size_t len = 8 << 20;
	volatile char *p = map_anon(len, PROT_READ | PROT_WRITE);

	for (size_t i = 0; i < len; i += PG)
		p[i] = i >> 12;
	for (int round = 0; round < 4; round++)
		IN_CHILD(for (size_t i = 0; i < len; i += PG) CHECK_EQ(p[i], (char)(i >> 12)); p[round * PG] = 99);
	for (size_t i = 0; i < len; i += PG)
		CHECK_EQ(p[i], (char)(i >> 12));
}

/* Threads write a counter page each while the process forks: no write may be lost on the parent's side. */
static volatile bool stop;
static volatile long *counters;

static void *count_up(void *arg)
{
	volatile long *mine = counters + (long)arg * 512;
	long n = 0;

	while (!stop) {
		if (*mine != n)
			return (void *)1;
		*mine = ++n;
	}
	return NULL;
}

TEST_LIMIT(threads_write_while_forking, 40)
{
	pthread_t threads[3];
	void *result;

	counters = map_anon(3 * PG, PROT_READ | PROT_WRITE);
	for (long i = 0; i < 3; i++)
		ZERO(pthread_create(&threads[i], NULL, count_up, (void *)i));
	for (int i = 0; i < 50; i++) {
		pid_t pid = OK(fork());

		if (pid == 0) {
			long a = counters[0], b = counters[512];

			sched_yield();
			_exit(!(a == counters[0] && b == counters[512])); /* frozen: no thread came along */
		}
		wait_ok(pid);
	}
	stop = true;
	for (int i = 0; i < 3; i++) {
		ZERO(pthread_join(threads[i], &result));
		CHECK(result == NULL);
	}
}

/* One page, written by two threads in different words while a third forks: the classic lost-TLB-flush catcher. */
static void *count_word(void *arg)
{
	volatile long *mine = counters + (long)arg;

	for (long n = 0; !stop; n++) {
		if (*mine != n)
			return (void *)1;
		*mine = n + 1;
	}
	return NULL;
}

TEST_LIMIT(threads_write_one_page_while_forking, 40)
{
	pthread_t threads[2];
	void *result;

	counters = map_anon(PG, PROT_READ | PROT_WRITE);
	for (long i = 0; i < 2; i++)
		ZERO(pthread_create(&threads[i], NULL, count_word, (void *)i));
	for (int i = 0; i < 60; i++)
		IN_CHILD(counters[0] = -1; counters[1] = -1);
	stop = true;
	for (int i = 0; i < 2; i++) {
		ZERO(pthread_join(threads[i], &result));
		CHECK(result == NULL);
	}
}

TEST(unmapped_by_one_thread_is_gone_for_all)
{
	for (int round = 0; round < 20; round++)
		IN_CHILD(pthread_t t; counters = map_anon(PG, PROT_READ | PROT_WRITE); stop = false;
			 DIES_OF(SIGSEGV, ZERO(pthread_create(&t, NULL, count_word, (void *)0));
				 OK(munmap((void *)counters, PG)); ZERO(pthread_join(t, NULL))));
}

TEST(fork_in_a_loop_leaks_nothing)
{
	char *p = map_anon(64 * PG, PROT_READ | PROT_WRITE);

	memset(p, 1, 64 * PG);
	for (int i = 0; i < 100; i++)
		IN_CHILD(memset(p, 2, 64 * PG));
	CHECK_EQ(p[63 * PG], 1);
}

TEST_MAIN
