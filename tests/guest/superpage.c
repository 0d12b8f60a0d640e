/* 2 MiB pages: who gets them, who shares them, what splits them, and that nobody sees a difference in content. */
#include "test.h"

#include <sys/prctl.h>

#define PG   4096UL
#define HUGE (2UL << 20)

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

/* KiB of [p, p + len) in 2 MiB leaves, by smaps; -1: this kernel does not tell. */
static long huge_kib(const char *p, size_t len)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long start, end, kib;
	bool inside = false, told = false;
	char line[512];
	long sum = 0;

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = start < (unsigned long)p + len && end > (unsigned long)p;
		else if (sscanf(line, "AnonHugePages: %lu", &kib) == 1) {
			told = true;
			sum += inside ? (long)kib : 0;
		}
	}
	fclose(f);
	return told ? sum : -1;
}

/* An aligned area of nr regions that wants superpages. */
static char *map_regions(size_t nr)
{
	char *p = map_anon((nr + 1) * HUGE, PROT_READ | PROT_WRITE);
	char *aligned = (char *)(((uintptr_t)p + HUGE - 1) & ~(HUGE - 1));

	if (aligned > p)
		OK(munmap(p, (size_t)(aligned - p)));
	OK(munmap(aligned + nr * HUGE, HUGE - (size_t)(aligned - p)));
	if (madvise(aligned, nr * HUGE, MADV_HUGEPAGE) != 0)
		SKIP("no superpages here");
	return aligned;
}

static void fill(char *p, size_t len, int seed)
{
	for (size_t i = 0; i < len / PG; i++)
		*(volatile int *)(p + i * PG) = seed + (int)i;
}

static void expect(char *p, size_t len, int seed)
{
	for (size_t i = 0; i < len / PG; i++)
		CHECK_EQ(*(volatile int *)(p + i * PG), seed + (int)i);
}

/* All of [p, p+len) is in superpages now; else there is nothing to test on this machine. */
static void need_huge(char *p, size_t len)
{
	long kib = huge_kib(p, len);

	if (kib < 0)
		SKIP("no AnonHugePages in smaps");
	if ((size_t)kib != len >> 10)
		SKIP("no block of 2 MiB was free");
}

TEST(first_touch_brings_the_whole_region)
{
	char *p = map_regions(2);

	p[HUGE / 2] = 1;
	need_huge(p, HUGE);
	for (size_t i = 0; i < HUGE; i += 64)
		CHECK_EQ(p[i], i == HUGE / 2);
}

TEST(region_not_in_one_mapping_has_small_pages)
{
	char *p = map_regions(1);

	OK(munmap(p + HUGE - PG, PG));
	p[0] = 1;
	CHECK(huge_kib(p, HUGE) <= 0);
}

TEST(advice_against_them_is_followed)
{
	char *p = map_regions(1);

	OK(madvise(p, HUGE, MADV_NOHUGEPAGE));
	p[0] = 1;
	CHECK(huge_kib(p, HUGE) <= 0);
}

TEST(prctl_turns_them_off_and_is_inherited)
{
	char *p = map_regions(1);

	CHECK_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 0);
	OK(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	CHECK_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 1);
	IN_CHILD(CHECK_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 1); p[0] = 1; CHECK(huge_kib(p, HUGE) <= 0));
	ERR(prctl(PR_SET_THP_DISABLE, 1, 1, 0, 0), EINVAL);
}

TEST(fork_shares_and_a_write_copies_a_small_page)
{
	char *p = map_regions(2);

	fill(p, 2 * HUGE, 1000);
	need_huge(p, 2 * HUGE);
	IN_CHILD(expect(p, 2 * HUGE, 1000); *(volatile int *)(p + 5 * PG) = 7; CHECK_EQ(*(volatile int *)(p + 6 * PG), 1006);
		 CHECK_EQ(*(volatile int *)(p + 5 * PG), 7); expect(p + HUGE, HUGE, 1512));
	expect(p, 2 * HUGE, 1000);
	fill(p, 2 * HUGE, 5000);
	expect(p, 2 * HUGE, 5000);
}

TEST(parent_writes_while_the_child_looks)
{
	char *p = map_regions(1);
	int go[2], done[2];
	pid_t pid;
	char c;

	fill(p, HUGE, 1);
	OK(pipe(go));
	OK(pipe(done));
	pid = OK(fork());
	if (pid == 0) {
		expect(p, HUGE, 1);
		CHECK_EQ(write(done[1], "x", 1), 1);
		CHECK_EQ(read(go[0], &c, 1), 1);
		expect(p, HUGE, 1);
		_exit(0);
	}
	CHECK_EQ(read(done[0], &c, 1), 1);
	fill(p, HUGE, 9000);
	CHECK_EQ(write(go[1], "x", 1), 1);
	wait_ok(pid);
	expect(p, HUGE, 9000);
}

TEST(after_the_child_is_gone_they_are_written_in_place)
{
	char *p = map_regions(2);

	fill(p, 2 * HUGE, 1);
	need_huge(p, 2 * HUGE);
	IN_CHILD(expect(p, 2 * HUGE, 1));
	fill(p, 2 * HUGE, 2);
	expect(p, 2 * HUGE, 2);
	CHECK_EQ(huge_kib(p, 2 * HUGE), (long)(2 * HUGE >> 10));
}

TEST(unmapping_a_part_leaves_the_rest)
{
	char *p = map_regions(2);

	fill(p, 2 * HUGE, 1);
	OK(munmap(p + 100 * PG, 3 * PG));
	expect(p, 100 * PG, 1);
	expect(p + 103 * PG, 2 * HUGE - 103 * PG, 104);
	DIES_OF(SIGSEGV, *(volatile char *)(p + 101 * PG));
}

TEST(protecting_a_part_protects_just_that)
{
	char *p = map_regions(1);

	fill(p, HUGE, 1);
	OK(mprotect(p + 10 * PG, PG, PROT_READ));
	DIES_OF(SIGSEGV, *(volatile char *)(p + 10 * PG) = 1);
	*(volatile int *)(p + 9 * PG) = 10;
	*(volatile int *)(p + 11 * PG) = 12;
	OK(mprotect(p + 10 * PG, PG, PROT_READ | PROT_WRITE));
	expect(p, HUGE, 1);
	fill(p, HUGE, 2);
	expect(p, HUGE, 2);
	/* The whole read-only, a part writable again. */
	OK(mprotect(p, HUGE, PROT_READ));
	OK(mprotect(p + HUGE / 2, HUGE / 2, PROT_READ | PROT_WRITE));
	fill(p + HUGE / 2, HUGE / 2, 2 + 256);
	DIES_OF(SIGSEGV, *(volatile char *)(p + HUGE / 2 - PG) = 1);
	expect(p, HUGE, 2);
}

TEST(forgetting_a_part_zeroes_just_that)
{
	char *p = map_regions(1);

	fill(p, HUGE, 1);
	OK(madvise(p + 7 * PG, PG, MADV_DONTNEED));
	CHECK_EQ(*(volatile int *)(p + 7 * PG), 0);
	*(volatile int *)(p + 7 * PG) = 8;
	expect(p, HUGE, 1);
}

TEST(moving_keeps_the_content)
{
	char *p = map_regions(2), *q = map_anon(4 * HUGE, PROT_NONE);

	fill(p, 2 * HUGE, 1);
	q = mremap(p, 2 * HUGE, 2 * HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, q + PG);
	CHECK(q != MAP_FAILED);
	expect(q, 2 * HUGE, 1);
	fill(q, 2 * HUGE, 3);
	q = mremap(q + HUGE / 2, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, p);
	CHECK(q == p);
	expect(q, HUGE, 3 + 256);
}

TEST(collapse_gathers_small_pages)
{
	char *p = map_regions(2);

	OK(madvise(p, 2 * HUGE, MADV_NOHUGEPAGE));
	fill(p, HUGE, 1);
	for (size_t i = 0; i < 512; i += 3)
		*(volatile int *)(p + HUGE + i * PG) = (int)i + 1;
	CHECK(huge_kib(p, 2 * HUGE) <= 0);
	OK(madvise(p, 2 * HUGE, MADV_HUGEPAGE));
	if (madvise(p, 2 * HUGE, MADV_COLLAPSE) != 0)
		SKIP("MADV_COLLAPSE: %s", strerror(errno));
	expect(p, HUGE, 1);
	for (size_t i = 0; i < 512; i++)
		CHECK_EQ(*(volatile int *)(p + HUGE + i * PG), i % 3 ? 0 : (int)i + 1);
	need_huge(p, 2 * HUGE);
	fill(p, 2 * HUGE, 4);
	expect(p, 2 * HUGE, 4);
}

TEST(heap_grown_at_once_has_them)
{
	char *p = sbrk(4 * HUGE);

	CHECK(p != (void *)-1);
	p = (char *)(((uintptr_t)p + HUGE - 1) & ~(HUGE - 1));
	fill(p, 3 * HUGE, 1);
	expect(p, 3 * HUGE, 1);
	OK(brk(p + HUGE + PG));
	expect(p, HUGE + PG, 1);
	CHECK(sbrk(HUGE) != (void *)-1);
	CHECK_EQ(*(volatile int *)(p + HUGE + 4 * PG), 0);
}

TEST(kernel_copies_reach_them)
{
	char *p = map_regions(2);
	int fd = OK(open("/dev/zero", O_RDONLY)), fds[2];

	fill(p, 2 * HUGE, 1);
	IN_CHILD(CHECK_EQ(read(fd, p + HUGE - 100, 200), 200); CHECK_EQ(*(volatile int *)(p + HUGE), 0));
	expect(p, 2 * HUGE, 1);
	OK(pipe(fds));
	CHECK_EQ(write(fds[1], p + HUGE - 4, 8), 8);
}

struct touching {
	char *p;
	int from;
};

static void *touch_some(void *arg)
{
	struct touching *t = arg;

	for (int i = t->from; i < 4 * 512; i += 4)
		__atomic_add_fetch((int *)(t->p + (size_t)i * PG), i + 1, __ATOMIC_RELAXED);
	return NULL;
}

TEST(threads_touch_one_region_at_once)
{
	for (int round = 0; round < 20; round++) {
		char *p = map_regions(4);
		struct touching t[4];
		pthread_t th[4];

		for (int i = 0; i < 4; i++) {
			t[i] = (struct touching){p, i};
			CHECK_EQ(pthread_create(&th[i], NULL, touch_some, &t[i]), 0);
		}
		for (int i = 0; i < 4; i++)
			CHECK_EQ(pthread_join(th[i], NULL), 0);
		expect(p, 4 * HUGE, 1);
		OK(munmap(p, 4 * HUGE));
	}
}

TEST(family_writes_splits_and_forgets_at_random)
{
	char *p = map_regions(3);
	uint32_t seed = 12345;

	fill(p, 3 * HUGE, 1);
	pid_t pids[6];

	for (int child = 0; child < 6; child++) {
		pids[child] = OK(fork());
		if (pids[child] == 0) {
			int mine[3 * 512];

			for (int i = 0; i < 3 * 512; i++)
				mine[i] = *(volatile int *)(p + (size_t)i * PG);
			for (int step = 0; step < 300; step++) {
				size_t page = (size_t)rnd(&seed) % (3 * 512 - 8);

				switch (rnd(&seed) % 5) {
				case 0:
					OK(madvise(p + page * PG, 2 * PG, MADV_DONTNEED));
					mine[page] = mine[page + 1] = 0;
					break;
				case 1:
					OK(mprotect(p + page * PG, 8 * PG, PROT_READ));
					OK(mprotect(p + page * PG, 8 * PG, PROT_READ | PROT_WRITE));
					break;
				default:
					*(volatile int *)(p + page * PG) = mine[page] = step;
				}
			}
			for (int i = 0; i < 3 * 512; i++)
				CHECK_EQ(*(volatile int *)(p + (size_t)i * PG), mine[i]);
			_exit(0);
		}
		seed += (unsigned)child;
		*(volatile int *)(p + (size_t)(child * 251) * PG) += 0;
	}
	for (int child = 0; child < 6; child++)
		wait_ok(pids[child]);
	expect(p, 3 * HUGE, 1);
}

TEST_MAIN
