/* pgaccess while other harts touch the pages: no touch is lost, whoever made it, and an error clears nothing. */
#include "test.h"

#define SYS_pgaccess 0x2000
#define PG           4096UL
#define HUGE         (2UL << 20)
#define MOST_PAGES   65536

static long pgaccess(const volatile void *va, long nr, void *mask)
{
	return syscall(SYS_pgaccess, va, nr, mask);
}

static char *small_pages(size_t nr)
{
	char *p = mmap(NULL, nr * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(p != MAP_FAILED);
	madvise(p, nr * PG, MADV_NOHUGEPAGE);
	return p;
}

static bool bit(const uint8_t *mask, size_t i)
{
	return mask[i / 8] >> (i % 8) & 1;
}

static void need_vitrine(void)
{
	if (!on_vitrine())
		SKIP("pgaccess exists on Vitrine only");
}

/* ---- errors ---- */

TEST(errors_clear_nothing)
{
	static uint8_t mask[MOST_PAGES / 8 + 8];
	char *p, *edge;

	need_vitrine();
	p = small_pages(64);
	p[7 * PG] = 1;
	/* Two pages for a mask, the second not there: a mask that begins in the first may not run into it. */
	edge = small_pages(2);
	edge[0] = 1;
	OK(munmap(edge + PG, PG));
	for (int round = 0; round < 2; round++) {
		ERR(pgaccess(p, 64, NULL), EFAULT);
		ERR(pgaccess(p, 64, (void *)8), EFAULT);
		ERR(pgaccess(p, 64, (void *)~0xffUL), EFAULT);
		ERR(pgaccess(p, 64, edge + PG - 4), EFAULT);
		ERR(pgaccess(p, 64, (void *)(uintptr_t)need_vitrine), EFAULT);
		ERR(pgaccess(p + 1, 64, mask), EINVAL);
		ERR(pgaccess(p, -1, mask), EINVAL);
		ERR(pgaccess(p, MOST_PAGES + 1, mask), EINVAL);
		ERR(pgaccess((char *)(~0UL << 12), 1, mask), EINVAL);
		ERR(pgaccess((char *)(1UL << 63), 64, mask), EINVAL);
		CHECK_EQ(pgaccess(p, 0, NULL), 0);
	}
	CHECK_EQ(pgaccess(p, 64, edge + PG - 8), 0);
	CHECK_EQ(*(uint64_t *)(edge + PG - 8), 1u << 7);
	/* Only the bytes that the pages need are written. */
	memset(mask, 0xa5, sizeof(mask));
	OK(pgaccess(p, 9, mask));
	CHECK(mask[0] == 0 && mask[1] == 0 && mask[2] == 0xa5);
}

TEST(the_largest_range)
{
	static uint8_t mask[MOST_PAGES / 8];
	size_t nr = 0;
	char *p;

	need_vitrine();
	p = small_pages(MOST_PAGES);
	OK(pgaccess(p, MOST_PAGES, mask));
	for (size_t i = 0; i < MOST_PAGES; i += 509)
		p[i * PG] = 1;
	OK(pgaccess(p, MOST_PAGES, mask));
	for (size_t i = 0; i < MOST_PAGES; i++) {
		CHECK_EQ(bit(mask, i), i % 509 == 0);
		nr += bit(mask, i);
	}
	CHECK_EQ(nr, (MOST_PAGES + 508) / 509);
	OK(pgaccess(p, MOST_PAGES, mask));
	for (size_t i = 0; i < sizeof(mask); i++)
		CHECK_EQ(mask[i], 0);
}

/* ---- who touches ---- */

TEST(the_kernel_on_behalf_counts)
{
	uint32_t mask;
	int fds[2];
	char *p;

	need_vitrine();
	p = small_pages(32);
	memset(p, 0, 32 * PG);
	OK(pipe(fds));
	OK(pgaccess(p, 32, &mask));
	CHECK_EQ(write(fds[1], p + 3 * PG, 100), 100);
	CHECK_EQ(read(fds[0], p + 5 * PG, 100), 100);
	OK(syscall(SYS_newfstatat, AT_FDCWD, "/", p + 9 * PG, 0));
	CHECK(access(p + 12 * PG, F_OK) < 0); /* an empty name is read, too */
	struct iovec iov[2] = {{p + 20 * PG, 10}, {p + 21 * PG, 10}};
	CHECK_EQ(writev(fds[1], iov, 2), 20);
	OK(pgaccess(p, 32, &mask));
	CHECK_EQ(mask, 1u << 3 | 1u << 5 | 1u << 9 | 1u << 12 | 1u << 20 | 1u << 21);
	OK(pgaccess(p, 32, &mask));
	CHECK_EQ(mask, 0);
}

TEST(each_process_has_its_own)
{
	uint32_t mask;
	char *p;

	need_vitrine();
	p = small_pages(32);
	memset(p, 0, 32 * PG);
	OK(pgaccess(p, 32, &mask));
	IN_CHILD({
		OK(pgaccess(p, 32, &mask));
		CHECK_EQ(mask, 0);
		p[4 * PG] = 1;
		(void)*(volatile char *)(p + 6 * PG);
		OK(pgaccess(p, 32, &mask));
		CHECK(mask & 1u << 4);
		CHECK(mask & 1u << 6);
	});
	OK(pgaccess(p, 32, &mask));
	CHECK_EQ(mask, 0);
}

/* ---- other harts ---- */

enum { NR_THREADS = 3, PER_THREAD = 64, NR_SHARED = NR_THREADS * PER_THREAD };

static char *shared;
static char touched[NR_SHARED]; /* 1: touched since the harvester last looked at it (atomic) */
static volatile bool stop;

static void touch(size_t i, unsigned int way)
{
	volatile char *p = shared + i * PG;

	if (way == 0)
		(void)*p;
	else if (way == 1)
		*p = 1;
	else
		clock_getres(CLOCK_MONOTONIC, (void *)p);
	__atomic_store_n(&touched[i], 1, __ATOMIC_RELEASE);
}

/*
 * Touches its pages in turn; never one whose last touch is not seen yet. The first thread has the kernel do some of it. The
 * others enter the kernel on no account, since an entry may make a hart forget what it should
 * have been told to forget: so they cannot sleep either when there is nothing to do.
 */
static void *toucher(void *arg)
{
	size_t thread = (size_t)(uintptr_t)arg, first = thread * PER_THREAD;
	unsigned int way = 0;

	while (!stop) {
		size_t nr = 0;

		for (size_t i = first; i < first + PER_THREAD; i++) {
			if (__atomic_load_n(&touched[i], __ATOMIC_ACQUIRE))
				continue;
			touch(i, way++ % (thread ? 2 : 3));
			nr++;
		}
		if (!nr && thread == 0)
			sched_yield();
	}
	return NULL;
}

/*
 * What was touched before a call began is reported by it, unless an earlier call has done so since the touch. The
 * harvester must not wait for the touchers: every call meets them at another point.
 */
TEST_LIMIT(no_touch_is_lost, 120)
{
	int rounds = test_full() ? 8000 : 4000;
	static bool before[NR_SHARED], seen[NR_SHARED];
	uint8_t mask[NR_SHARED / 8];
	pthread_t threads[NR_THREADS];
	long nr_checked = 0;

	need_vitrine();
	shared = small_pages(NR_SHARED);
	memset(shared, 0, NR_SHARED * PG);
	OK(pgaccess(shared, NR_SHARED, mask));
	for (uintptr_t t = 0; t < NR_THREADS; t++)
		ZERO(pthread_create(&threads[t], NULL, toucher, (void *)t));
	for (int round = 0; round < rounds; round++) {
		/* The whole, or a part that begins and ends inside. */
		size_t first = round % 3 ? (size_t)(round % 5) * 8 : 0, end = round % 3 ? NR_SHARED - 16 : NR_SHARED;

		for (size_t i = first; i < end; i++)
			before[i] = __atomic_load_n(&touched[i], __ATOMIC_ACQUIRE);
		OK(pgaccess(shared + first * PG, (long)(end - first), mask));
		for (size_t i = first; i < end; i++) {
			seen[i] |= bit(mask, i - first);
			if (!before[i])
				continue;
			if (!seen[i])
				FAIL("round %d: page %zu was touched, and not reported", round, i);
			nr_checked++;
			seen[i] = false;
			__atomic_store_n(&touched[i], 0, __ATOMIC_RELEASE);
		}
		if (round % 16 == 0)
			sched_yield();
	}
	stop = true;
	for (int t = 0; t < NR_THREADS; t++)
		ZERO(pthread_join(threads[t], NULL));
	CHECK(nr_checked > NR_SHARED);
}

static void *forker(void *arg)
{
	(void)arg;
	while (!stop) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		if (pid > 0)
			waitpid(pid, NULL, 0);
	}
	return NULL;
}

/* The same while the pages become copy-on-write again and again, and are written: their frames change. */
TEST_LIMIT(no_touch_is_lost_over_fork, 120)
{
	int rounds = test_full() ? 2000 : 300;
	uint8_t mask[PER_THREAD / 8];
	pthread_t thread;

	need_vitrine();
	shared = small_pages(PER_THREAD);
	memset(shared, 0, PER_THREAD * PG);
	ZERO(pthread_create(&thread, NULL, forker, NULL));
	for (int round = 0; round < rounds; round++) {
		for (size_t i = 0; i < PER_THREAD; i += 1 + (size_t)round % 3)
			*(volatile int *)(shared + i * PG) = round;
		OK(pgaccess(shared, PER_THREAD, mask));
		for (size_t i = 0; i < PER_THREAD; i++)
			if (i % (1 + (size_t)round % 3) == 0)
				CHECK(bit(mask, i));
	}
	stop = true;
	ZERO(pthread_join(thread, NULL));
}

/* ---- 2 MiB pages ---- */

static bool has_superpages(void)
{
	char text[4096];

	file_read("/proc/meminfo", text, sizeof(text));
	return strstr(text, "AnonHugePages:") != NULL;
}

static size_t count(const uint8_t *mask, size_t nr)
{
	size_t sum = 0;

	for (size_t i = 0; i < nr; i++)
		sum += bit(mask, i);
	return sum;
}

/* One leaf has one A bit: a touch anywhere reports all of its pages. */
TEST(a_superpage_is_accessed_as_a_whole)
{
	uint8_t mask[1024 / 8];
	char *p;

	need_vitrine();
	if (!has_superpages())
		SKIP("no 2 MiB pages");
	p = map_anon(3 * HUGE, PROT_READ | PROT_WRITE);
	p = (char *)(((uintptr_t)p + HUGE - 1) & ~(HUGE - 1));
	OK(madvise(p, 2 * HUGE, MADV_HUGEPAGE));
	p[0] = p[HUGE] = 1;
	OK(pgaccess(p, 1024, mask));
	OK(pgaccess(p, 1024, mask));
	CHECK_EQ(count(mask, 1024), 0);
	p[HUGE + 77 * PG] = 1;
	OK(pgaccess(p, 1024, mask));
	/* All 512 of it when it is one leaf, its own page when memory allowed none; of the first one nothing. */
	size_t nr = count(mask, 1024);
	CHECK(bit(mask, 512 + 77) && (nr == 512 || nr == 1) && count(mask, 512) == 0);
	/* A part of it: afterwards the rest is not forgotten. */
	p[0] = 1;
	OK(pgaccess(p, 16, mask));
	CHECK(bit(mask, 0));
	p[5 * PG] = 1;
	OK(pgaccess(p, 16, mask));
	CHECK(bit(mask, 5));
	CHECK(p[0] == 1 && p[5 * PG] == 1 && p[HUGE + 77 * PG] == 1 && p[HUGE] == 1);
}

TEST_MAIN
