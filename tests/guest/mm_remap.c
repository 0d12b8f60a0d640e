/* mremap, brk, madvise, msync, mincore. */
#include "test.h"

#define PG 4096UL

TEST(mremap_shrinks_in_place)
{
	char *p = map_anon(4 * PG, PROT_READ | PROT_WRITE);

	memset(p, 5, 4 * PG);
	CHECK(mremap(p, 4 * PG, 2 * PG, 0) == p);
	CHECK_EQ(p[2 * PG - 1], 5);
	DIES_OF(SIGSEGV, p[2 * PG] = 1);
}

TEST(mremap_grows_by_moving)
{
	char *p = map_anon(4 * PG, PROT_READ | PROT_WRITE), *q;

	OK(munmap(p + 3 * PG, PG));
	CHECK(mmap(p + 3 * PG, PG, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p + 3 * PG);
	OK(mprotect(p, 3 * PG, PROT_READ | PROT_WRITE));
	for (int i = 0; i < 3; i++)
		p[i * PG] = 10 + i;
	ERR(mremap(p, 3 * PG, 64 * PG, 0), ENOMEM);
	q = mremap(p, 3 * PG, 64 * PG, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED && q != p);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(q[i * PG], 10 + i);
	CHECK_EQ(q[3 * PG], 0);
	q[63 * PG] = 1;
	DIES_OF(SIGSEGV, p[0] = 1);
}

TEST(mremap_to_a_fixed_place)
{
	char *p = map_anon(2 * PG, PROT_READ | PROT_WRITE);
	char *to = map_anon(4 * PG, PROT_READ | PROT_WRITE);

	memset(p, 1, 2 * PG);
	memset(to, 9, 4 * PG);
	CHECK(mremap(p, 2 * PG, 2 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, to + PG) == to + PG);
	CHECK_EQ(to[0], 9);
	CHECK_EQ(to[PG], 1);
	CHECK_EQ(to[3 * PG - 1], 1);
	CHECK_EQ(to[3 * PG], 9);
	ERR(mremap(to, 2 * PG, 2 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, to + PG), EINVAL); /* overlap */
	ERR(mremap(to, PG, PG, MREMAP_FIXED, p), EINVAL);
}

TEST(mremap_of_nothing_is_efault)
{
	char *p = map_anon(2 * PG, PROT_READ | PROT_WRITE);

	OK(munmap(p, 2 * PG));
	ERR(mremap(p, PG, 2 * PG, MREMAP_MAYMOVE), EFAULT);
	ERR(mremap(p + 1, PG, 2 * PG, MREMAP_MAYMOVE), EINVAL);
}

TEST(brk_grows_zeroed_and_shrinks)
{
	char *old = sbrk(0), *p = sbrk(10 * PG);

	CHECK(p == old);
	for (size_t i = 0; i < 10 * PG; i += 128)
		CHECK_EQ(p[i], 0);
	memset(p, 7, 10 * PG);
	CHECK(sbrk(-5 * (long)PG) == old + 10 * PG);
	CHECK(sbrk(5 * PG) != (void *)-1);
	/* pages given back come back empty; what is in the last partial page is not promised */
	CHECK_EQ(p[6 * PG + PG - 1], 0);
	CHECK_EQ(p[4 * PG - 1], 7);
	CHECK(sbrk(-10 * (long)PG) != (void *)-1);
	CHECK(sbrk(0) == old);
}

TEST(brk_refuses_the_impossible)
{
	uintptr_t now = syscall(SYS_brk, 0);

	CHECK_EQ(syscall(SYS_brk, 1), now);
	CHECK_EQ(syscall(SYS_brk, ~0UL), now);
	CHECK_EQ(syscall(SYS_brk, 0xffffffc000000000), now);
	ERR(sbrk(1L << 55), ENOMEM);
	CHECK_EQ(syscall(SYS_brk, 0), now);
}

TEST(brk_does_not_run_into_a_mapping)
{
	uintptr_t now = syscall(SYS_brk, 0), up = (now + PG - 1) & ~(PG - 1);
	void *wall =
		mmap((void *)(up + 64 * PG), PG, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	CHECK(wall != MAP_FAILED);
	CHECK_EQ(syscall(SYS_brk, up + 200 * PG), now);
	CHECK_EQ(syscall(SYS_brk, up + 8 * PG), up + 8 * PG);
}

TEST(dontneed_zeroes_private_memory)
{
	char *p = map_anon(8 * PG, PROT_READ | PROT_WRITE);

	memset(p, 1, 8 * PG);
	OK(madvise(p + 2 * PG, 3 * PG, MADV_DONTNEED));
	CHECK_EQ(p[2 * PG - 1], 1);
	CHECK_EQ(p[2 * PG], 0);
	CHECK_EQ(p[5 * PG - 1], 0);
	CHECK_EQ(p[5 * PG], 1);
}

TEST(dontneed_rereads_a_private_file_page)
{
	char page[PG], *p;
	int fd;

	memset(page, 'f', PG);
	file_make("f", page, PG);
	fd = OK(open("f", O_RDWR));
	p = mmap(NULL, PG, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(p != MAP_FAILED);
	p[0] = 'x';
	OK(madvise(p, PG, MADV_DONTNEED));
	CHECK_EQ(p[0], 'f');
}

TEST(madvise_checks_its_arguments)
{
	char *p = map_anon(3 * PG, PROT_READ | PROT_WRITE);

	ERR(madvise(p + 1, PG, MADV_DONTNEED), EINVAL);
	ERR(madvise(p, PG, 12345), EINVAL);
	OK(munmap(p + PG, PG));
	ERR(madvise(p, 3 * PG, MADV_DONTNEED), ENOMEM);
	OK(madvise(p, PG, MADV_NORMAL));
	OK(madvise(p, PG, MADV_WILLNEED));
}

TEST(msync_checks_its_arguments)
{
	char *p = map_anon(3 * PG, PROT_READ | PROT_WRITE);

	OK(msync(p, 3 * PG, MS_SYNC));
	ERR(msync(p + 1, PG, MS_SYNC), EINVAL);
	ERR(msync(p, PG, MS_SYNC | MS_ASYNC), EINVAL);
	OK(munmap(p + PG, PG));
	ERR(msync(p, 3 * PG, MS_ASYNC), ENOMEM);
}

TEST(mincore_sees_touched_pages)
{
	unsigned char vec[8] = {0};
	char *p = map_anon(8 * PG, PROT_READ | PROT_WRITE);

	OK(madvise(p, 8 * PG, MADV_NOHUGEPAGE) == -1 ? 0 : 0); /* advice only: not every kernel has it */
	OK(mincore(p, 8 * PG, vec));
	CHECK_EQ(vec[3] & 1, 0);
	p[3 * PG] = 1;
	OK(mincore(p, 8 * PG, vec));
	CHECK_EQ(vec[3] & 1, 1);
	ERR(mincore(p + 1, PG, vec), EINVAL);
	OK(munmap(p + PG, PG));
	ERR(mincore(p, 8 * PG, vec), ENOMEM);
}

TEST(kernel_copy_brings_untouched_pages)
{
	char *p = map_anon(4 * PG, PROT_READ | PROT_WRITE);
	int fds[2];

	OK(pipe(fds));
	CHECK_EQ(write(fds[1], p + PG - 2, 4), 4); /* read of two untouched pages */
	CHECK_EQ(read(fds[0], p + 3 * PG - 2, 4), 4);
	CHECK_EQ(p[3 * PG + 1], 0);
}

TEST(mlock_and_munlock)
{
	char *p = map_anon(4 * PG, PROT_READ | PROT_WRITE);

	if (mlock(p, 4 * PG) < 0 && errno == ENOSYS)
		SKIP("no mlock");
	OK(mlock(p, 4 * PG));
	p[0] = 1;
	OK(munlock(p, 4 * PG));
	OK(munmap(p, 4 * PG));
	ERR(mlock(p, PG), ENOMEM);
}

TEST_MAIN
