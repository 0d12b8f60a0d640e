/* mmap, munmap, mprotect on anonymous memory: placement, rights, splitting, errors. */
#include "test.h"

#define PG 4096UL

TEST(anonymous_memory_is_zero_and_writable)
{
	unsigned char *p = map_anon(64 * PG, PROT_READ | PROT_WRITE);

	for (size_t i = 0; i < 64 * PG; i += 512)
		CHECK_EQ(p[i], 0);
	for (size_t i = 0; i < 64; i++)
		p[i * PG] = i + 1;
	for (size_t i = 0; i < 64; i++)
		CHECK_EQ(p[i * PG], i + 1);
	OK(munmap(p, 64 * PG));
}

TEST(zeroed_again_after_unmap_and_map)
{
	for (int round = 0; round < 50; round++) {
		char *p = map_anon(8 * PG, PROT_READ | PROT_WRITE);

		for (size_t i = 0; i < 8 * PG; i += 64)
			CHECK_EQ(p[i], 0);
		memset(p, 0xa5, 8 * PG);
		OK(munmap(p, 8 * PG));
	}
}

TEST(unmapped_access_kills)
{
	char *p = map_anon(3 * PG, PROT_READ | PROT_WRITE);

	memset(p, 1, 3 * PG);
	OK(munmap(p + PG, PG));
	CHECK_EQ(p[0] + p[2 * PG], 2);
	DIES_OF(SIGSEGV, p[PG] = 1);
	DIES_OF(SIGSEGV, (void)*(volatile char *)(p + PG));
}

TEST(mprotect_takes_and_gives_rights)
{
	volatile char *p = map_anon(4 * PG, PROT_READ | PROT_WRITE);

	p[PG] = 7;
	OK(mprotect((char *)p + PG, PG, PROT_READ));
	CHECK_EQ(p[PG], 7);
	DIES_OF(SIGSEGV, p[PG] = 1);
	OK(mprotect((char *)p + PG, PG, PROT_NONE));
	DIES_OF(SIGSEGV, (void)p[PG]);
	p[0] = p[2 * PG] = 1;
	OK(mprotect((char *)p, 4 * PG, PROT_READ | PROT_WRITE));
	CHECK_EQ(p[PG], 7);
	p[PG] = 8;
}

TEST(mprotect_over_a_hole_is_enomem)
{
	char *p = map_anon(4 * PG, PROT_READ | PROT_WRITE);

	OK(munmap(p + 2 * PG, PG));
	ERR(mprotect(p, 4 * PG, PROT_READ), ENOMEM);
	ERR(mprotect(p + 1, PG, PROT_READ), EINVAL);
	OK(mprotect(p, 0, PROT_READ));
}

TEST(execute_needs_the_right)
{
	volatile char *p = map_anon(PG, PROT_READ | PROT_WRITE);

#ifdef __riscv
	*(volatile uint32_t *)p = 0x00008067; /* ret */
	__asm__ volatile("fence.i");
#else
	p[0] = 0xc3;
#endif
	DIES_OF(SIGSEGV, ((void (*)(void))p)());
	OK(mprotect((char *)p, PG, PROT_READ | PROT_EXEC));
	__builtin___clear_cache((char *)p, (char *)p + 4);
	((void (*)(void))p)();
	DIES_OF(SIGSEGV, p[0] = 1);
}

TEST(fixed_mapping_replaces)
{
	char *p = map_anon(4 * PG, PROT_READ | PROT_WRITE), *q;

	memset(p, 3, 4 * PG);
	q = mmap(p + PG, 2 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK(q == p + PG);
	CHECK_EQ(p[0], 3);
	CHECK_EQ(p[PG], 0);
	CHECK_EQ(p[3 * PG - 1], 0);
	CHECK_EQ(p[3 * PG], 3);
}

TEST(fixed_noreplace_refuses)
{
	char *p = map_anon(2 * PG, PROT_READ);
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;

	ERR(mmap(p + PG, PG, PROT_READ, flags, -1, 0), EEXIST);
	OK(munmap(p + PG, PG));
	CHECK(mmap(p + PG, PG, PROT_READ, flags, -1, 0) == p + PG);
}

TEST(hint_is_taken_when_free)
{
	char *p = map_anon(16 * PG, PROT_READ);

	OK(munmap(p, 16 * PG));
	CHECK(mmap(p + 4 * PG, PG, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == p + 4 * PG);
	/* a taken hint is only a hint */
	CHECK(mmap(p + 4 * PG, PG, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
}

TEST(bad_arguments)
{
	char *p = map_anon(PG, PROT_READ);
	int anon = MAP_PRIVATE | MAP_ANONYMOUS;

	ERR(mmap(NULL, 0, PROT_READ, anon, -1, 0), EINVAL);
	ERR(mmap(NULL, PG, PROT_READ, MAP_ANONYMOUS, -1, 0), EINVAL);
	ERR(mmap(NULL, PG, PROT_READ, MAP_PRIVATE, -1, 0), EBADF);
	ERR(mmap(p + 1, PG, PROT_READ, anon | MAP_FIXED, -1, 0), EINVAL);
	ERR(syscall(SYS_mmap, NULL, PG, PROT_READ, MAP_PRIVATE, 0, 1), EINVAL);
	ERR(mmap(NULL, ~0UL & ~(PG - 1), PROT_READ, anon, -1, 0), ENOMEM);
	ERR(mmap((void *)0x7ffffffffffff000, PG, PROT_READ, anon | MAP_FIXED, -1, 0), ENOMEM);
	ERR(munmap(p + 1, PG), EINVAL);
	ERR(munmap(p, 0), EINVAL);
	OK(munmap(p, PG));
	OK(munmap(p, PG)); /* nothing there is no error */
}

TEST(length_is_rounded_up)
{
	char *p = map_anon(PG + 1, PROT_READ | PROT_WRITE);

	p[2 * PG - 1] = 1;
	OK(munmap(p, 1));
	p[PG] = 1;
	DIES_OF(SIGSEGV, p[0] = 1);
}

TEST(many_small_areas)
{
	char *base = map_anon(400 * PG, PROT_READ | PROT_WRITE);

	for (int i = 0; i < 400; i += 2)
		OK(mprotect(base + i * PG, PG, PROT_READ));
	for (int i = 1; i < 400; i += 2)
		base[i * PG] = i;
	for (int i = 0; i < 400; i += 4)
		OK(munmap(base + i * PG, PG));
	for (int i = 1; i < 400; i += 2)
		CHECK_EQ((unsigned char)base[i * PG], i & 255);
	OK(munmap(base, 400 * PG));
}

/* A random series of operations on 64 pages, compared with a model of content and rights. */
static void random_operations(uint32_t seed)
{
	enum { N = 64 };
	unsigned char *base = map_anon(N * PG, PROT_READ | PROT_WRITE), value[N] = {0};
	enum { NONE, RO, RW } state[N];

	for (int i = 0; i < N; i++)
		state[i] = RW;
	for (int step = 0; step < 400; step++) {
		int from = rnd(&seed) % N, len = 1 + rnd(&seed) % 8, op = rnd(&seed) % 4;
		char *at = (char *)base + from * PG;

		if (from + len > N)
			len = N - from;
		if (op == 0)
			OK(munmap(at, len * PG));
		else if (op == 1)
			CHECK(mmap(at, len * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
				      0) == at);
		for (int i = from; i < from + len; i++) {
			if (op == 0)
				state[i] = NONE;
			else if (op == 1)
				state[i] = RW, value[i] = 0;
			else if (op == 2 && state[i] == RW)
				base[i * PG + 5] = value[i] = step;
			else if (op == 3 && state[i] != NONE) {
				state[i] = state[i] == RO ? RW : RO;
				OK(mprotect(base + i * PG, PG, state[i] == RO ? PROT_READ : PROT_READ | PROT_WRITE));
			}
		}
		for (int i = 0; i < N; i++)
			if (state[i] != NONE)
				CHECK_EQ(base[i * PG + 5], value[i]);
	}
	OK(munmap(base, N * PG));
}

TEST(random_operations_match_a_model)
{
	for (uint32_t seed = 1; seed <= 10; seed++)
		random_operations(seed);
}

TEST(large_sparse_reservation)
{
	size_t len = 8UL << 30;
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(p != MAP_FAILED);
	for (size_t off = 0; off < len; off += len / 16)
		p[off] = 1;
	OK(munmap(p, len));
}

TEST(superpage_sized_area_splits)
{
	size_t two = 2UL << 20;
	char *raw = map_anon(2 * two, PROT_READ | PROT_WRITE);
	char *p = (char *)(((uintptr_t)raw + two - 1) & ~(two - 1));

	memset(p, 0x11, two);
	OK(munmap(p + 10 * PG, PG));
	OK(mprotect(p + 20 * PG, PG, PROT_READ));
	CHECK_EQ(p[9 * PG], 0x11);
	CHECK_EQ(p[11 * PG], 0x11);
	CHECK_EQ(p[20 * PG], 0x11);
	DIES_OF(SIGSEGV, p[10 * PG] = 1);
	DIES_OF(SIGSEGV, p[20 * PG] = 1);
	p[two - 1] = 1;
}

TEST_MAIN
