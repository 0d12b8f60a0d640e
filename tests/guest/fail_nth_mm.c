/* Allocation failures in mappings, page faults and pgaccess, one by one (fail_nth.h). */
#include "fail_nth.h"

#define SYS_pgaccess 0x2000

/* ---- the address space ---- */

static pid_t child;

static int op_mmap_anon(void)
{
	fresh = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	return result(fresh == MAP_FAILED ? -1 : 0);
}

static void after_mmap(int err)
{
	if (!err) {
		for (size_t i = 0; i < AREA; i += PG)
			fresh[i] += 1;
		OK(munmap(fresh, AREA));
	}
	verify_memory();
}

static int op_mmap_shared(void)
{
	fresh = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return result(fresh == MAP_FAILED ? -1 : 0);
}

static int op_mmap_file(void)
{
	fresh = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE, file_fd, 0);
	return result(fresh == MAP_FAILED ? -1 : 0);
}

/* Over the middle of what is there: the old goes only when the new is sure to come. */
static int op_mmap_fixed(void)
{
	return result((long)mmap(
		anon + 4 * PG, 4 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
}

static void after_mmap_fixed(int err)
{
	if (!err)
		for (size_t i = 4 * PG; i < 8 * PG; i += PG) {
			CHECK_EQ(anon[i], 0);
			anon[i] = 1 + i / PG;
		}
	verify_memory();
}

TEST_LIMIT(mmap_survives_each_failure, 60)
{
	make_memory();
	WALK(op_mmap_anon, after_mmap, 0);
	WALK(op_mmap_shared, after_mmap, 0);
	WALK(op_mmap_file, after_mmap, 0);
	WALK(op_mmap_fixed, after_mmap_fixed, 0);
}

static int op_munmap_middle(void)
{
	return result(munmap(anon + 4 * PG, 4 * PG));
}

static void after_munmap_middle(int err)
{
	if (!err) {
		unsigned char *p = mmap(
			anon + 4 * PG, 4 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

		CHECK(p == anon + 4 * PG);
		for (size_t i = 0; i < 4 * PG; i += PG) {
			CHECK_EQ(p[i], 0);
			p[i] = 5 + i / PG;
		}
	}
	verify_memory();
}

static int op_mprotect_middle(void)
{
	return result(mprotect(anon + 4 * PG, 4 * PG, PROT_READ));
}

static void after_mprotect_middle(int err)
{
	int fd = OK(open("/dev/zero", O_RDONLY));

	if (!err)
		ERR(read(fd, anon + 5 * PG, 1), EFAULT);
	OK(mprotect(anon, AREA, PROT_READ | PROT_WRITE));
	OK(close(fd));
	fill(anon, 1);
	verify_memory();
}

static int op_mprotect_file(void)
{
	return result(mprotect(file_private + 2 * PG, 3 * PG, PROT_READ));
}

static void after_mprotect_file(int err)
{
	(void)err;
	OK(mprotect(file_private, AREA, PROT_READ | PROT_WRITE));
	verify_memory();
}

static int op_madvise(void)
{
	return result(madvise(anon + 4 * PG, 4 * PG, MADV_DONTNEED));
}

static void after_madvise(int err)
{
	if (!err)
		for (size_t i = 4 * PG; i < 8 * PG; i += PG) {
			CHECK_EQ(anon[i], 0);
			anon[i] = 1 + i / PG;
		}
	verify_memory();
}

static int op_mlock(void)
{
	return result(mlock(anon + 2 * PG, 3 * PG));
}

static void after_mlock(int err)
{
	(void)err;
	OK(munlockall());
	OK(munlock(anon, AREA));
	verify_memory();
}

TEST_LIMIT(changing_mappings_survives_each_failure, 60)
{
	make_memory();
	WALK(op_munmap_middle, after_munmap_middle, 0);
	WALK(op_mprotect_middle, after_mprotect_middle, 0);
	WALK(op_mprotect_file, after_mprotect_file, 0);
	WALK(op_madvise, after_madvise, EAGAIN);
	WALK(op_mlock, after_mlock, EAGAIN);
}

/* The same among relatives: what is shared by a fork is taken apart first. */
TEST_LIMIT(changing_mappings_of_a_family_survives_each_failure, 60)
{
	int gate[2];
	char c;

	make_memory();
	OK(pipe(gate));
	child = OK(fork());
	if (child == 0) {
		OK(close(gate[1]));
		CHECK_EQ(read(gate[0], &c, 1), 0);
		verify_memory();
		_exit(0);
	}
	OK(close(gate[0]));
	WALK(op_munmap_middle, after_munmap_middle, 0);
	WALK(op_mprotect_middle, after_mprotect_middle, 0);
	WALK(op_madvise, after_madvise, EAGAIN);
	OK(close(gate[1]));
	wait_ok(child);
}

static int op_mremap(void)
{
	fresh = mremap(anon, AREA, 4 * AREA, MREMAP_MAYMOVE);
	return result(fresh == MAP_FAILED ? -1 : 0);
}

static void after_mremap(int err)
{
	unsigned char *old = anon;

	if (!err) {
		verify(fresh, 1);
		CHECK_EQ(fresh[3 * AREA], 0);
		fresh[3 * AREA] = 1;
		CHECK(mremap(fresh, 4 * AREA, AREA, 0) == fresh);
		anon = fresh;
		if (anon != old) { /* back, so that the next one must move again */
			anon = mremap(fresh, AREA, AREA, MREMAP_MAYMOVE | MREMAP_FIXED, old);
			CHECK(anon == old);
		}
	}
	verify_memory();
}

static int op_mremap_part(void)
{
	fresh = mremap(anon + 4 * PG, 4 * PG, 8 * PG, MREMAP_MAYMOVE);
	return result(fresh == MAP_FAILED ? -1 : 0);
}

static void after_mremap_part(int err)
{
	if (!err) {
		for (int i = 0; i < 4; i++)
			CHECK_EQ(fresh[i * PG], 5 + i);
		CHECK(mremap(fresh, 8 * PG, 4 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, anon + 4 * PG) == anon + 4 * PG);
	}
	verify_memory();
}

TEST_LIMIT(mremap_survives_each_failure, 60)
{
	make_memory();
	fresh = mmap(anon + AREA, PG, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		0); /* no room to grow */
	WALK(op_mremap, after_mremap, 0);
	WALK(op_mremap_part, after_mremap_part, 0);
}

static unsigned long brk_old;

static int op_brk(void)
{
	return syscall(SYS_brk, brk_old + 64 * PG) == (long)(brk_old + 64 * PG) ? 0 : ENOMEM;
}

static void after_brk(int err)
{
	if (!err)
		memset((void *)brk_old, 1, 64 * PG);
	CHECK_EQ(syscall(SYS_brk, brk_old), brk_old);
	verify_memory();
}

TEST_LIMIT(brk_survives_each_failure, 60)
{
	make_memory();
	brk_old = syscall(SYS_brk, 0);
	WALK(op_brk, after_brk, 0);
}

/* ---- page faults: they succeed, whatever fails on the way ---- */

static volatile unsigned char *touched;

static int op_read_zero(void)
{
	return touched[5 * PG] == 0 ? 0 : EIO;
}

static int op_write_zero(void)
{
	touched[5 * PG] = 5;
	return touched[5 * PG] == 5 && touched[6 * PG] == 0 ? 0 : EIO;
}

static void after_zero(int err)
{
	CHECK_EQ(err, 0);
	OK(munmap((void *)touched, AREA));
	touched = map_anon(AREA, PROT_READ | PROT_WRITE);
}

static void after_huge(int err)
{
	after_zero(err);
	OK(madvise((void *)touched, AREA, MADV_HUGEPAGE));
}

/* Far away from all others: tables are missing on every level. */
static void after_far(int err)
{
	static unsigned long at = 0x1000000000;

	CHECK_EQ(err, 0);
	OK(munmap((void *)touched, AREA));
	at ^= 0x1040000000;
	touched = mmap(
		(void *)at, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	CHECK(touched == (void *)at);
}

static int op_stack(void)
{
	volatile char deep[64 * PG];

	for (size_t i = sizeof(deep); i > PG; i -= PG)
		deep[i - 1] = 1;
	return deep[sizeof(deep) - 1] == 1 ? 0 : EIO;
}

TEST_LIMIT(anonymous_faults_survive_each_failure, 60)
{
	make_memory();
	touched = map_anon(AREA, PROT_READ | PROT_WRITE);
	WALK(op_write_zero, after_zero, 0);
	after_huge(0);
	WALK(op_write_zero, after_huge, 0);
	after_far(0);
	WALK(op_read_zero, after_far, 0);
	WALK(op_write_zero, after_far, 0);
	WALK(op_stack, NULL, 0);
}

static int op_read_file(void)
{
	return touched[5 * PG] == 105 && touched[15 * PG] == 115 ? 0 : EIO;
}

static int op_write_file(void)
{
	touched[5 * PG] = 5;
	return touched[5 * PG] == 5 && touched[5 * PG + 1] == 105 ? 0 : EIO;
}

static int map_flags;

/* Neither in memory nor near anything that is mapped. */
static void after_file(int err)
{
	CHECK_EQ(err, 0);
	if (touched) {
		touched[5 * PG] = 105;
		OK(munmap((void *)touched, AREA));
	}
	OK(fsync(file_fd));
	drop_caches();
	touched = mmap((void *)0x1000000000, AREA, PROT_READ | PROT_WRITE, map_flags | MAP_FIXED_NOREPLACE, file_fd, 0);
	CHECK(touched == (void *)0x1000000000);
}

TEST_LIMIT(file_faults_survive_each_failure, 60)
{
	make_memory();
	OK(munmap(file_shared, AREA)); /* they would keep the pages */
	OK(munmap(file_private, AREA));
	map_flags = MAP_PRIVATE;
	after_file(0);
	WALK(op_read_file, after_file, 0);
	WALK(op_write_file, after_file, 0);
	map_flags = MAP_SHARED;
	after_file(0);
	WALK(op_read_file, after_file, 0);
	WALK(op_write_file, after_file, 0);
}

static int op_cow(void)
{
	anon[5 * PG] = 77;
	file_private[5 * PG] = 78;
	return anon[5 * PG] == 77 && anon[6 * PG] == 7 && file_private[5 * PG] == 78 ? 0 : EIO;
}

static int cow_gate[2];

static void after_cow(int err)
{
	char c;

	CHECK_EQ(err, 0);
	anon[5 * PG] = 6;
	file_private[5 * PG] = 105;
	if (child > 0) {
		OK(close(cow_gate[1]));
		wait_ok(child);
	}
	OK(pipe(cow_gate));
	child = OK(fork());
	if (child > 0) {
		OK(close(cow_gate[0]));
		return;
	}
	OK(close(cow_gate[1]));
	CHECK_EQ(read(cow_gate[0], &c, 1), 0);
	verify_memory();
	_exit(0);
}

TEST_LIMIT(copy_on_write_survives_each_failure, 60)
{
	make_memory();
	child = 0;
	after_cow(0);
	WALK(op_cow, after_cow, 0);
	OK(close(cow_gate[1]));
	wait_ok(child);
}

/* The kernel touches the memory on the program's behalf. */
static int zero_fd;

static int op_kernel_copy(void)
{
	return read(zero_fd, (void *)touched, AREA) == (ssize_t)AREA ? 0 : errno;
}

TEST_LIMIT(faults_inside_the_kernel_survive_each_failure, 60)
{
	make_memory();
	zero_fd = OK(open("/dev/zero", O_RDONLY));
	touched = map_anon(AREA, PROT_READ | PROT_WRITE);
	WALK(op_kernel_copy, after_zero, 0);
}

/* ---- 2 MiB pages ---- */

#define HUGE_PAGE (2UL << 20)
#define HUGE_AREA (2 * HUGE_PAGE)
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

static unsigned char *huge;

/* An empty region of two that can be superpages. */
static void huge_renew(void)
{
	if (huge)
		OK(munmap(huge, HUGE_AREA));
	huge = mmap((void *)0x1000000000, HUGE_AREA, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	CHECK(huge == (void *)0x1000000000);
	OK(madvise(huge, HUGE_AREA, MADV_HUGEPAGE));
}

static void huge_fill(void)
{
	for (size_t i = 0; i < HUGE_AREA; i += PG)
		huge[i] = i / PG;
}

static void huge_verify(size_t but_from, size_t but_to)
{
	for (size_t i = 0; i < HUGE_AREA; i += PG)
		if (i < but_from || i >= but_to)
			CHECK_EQ(huge[i], (unsigned char)(i / PG));
}

static int op_huge_write(void)
{
	huge[5 * PG] = 5;
	return huge[5 * PG] == 5 && huge[6 * PG] == 0 ? 0 : EIO;
}

static void after_huge_write(int err)
{
	CHECK_EQ(err, 0);
	huge_renew();
}

static int op_huge_unmap(void)
{
	return result(munmap(huge + 7 * PG, 3 * PG));
}

static void after_huge_unmap(int err)
{
	huge_verify(err ? 0 : 7 * PG, err ? 0 : 10 * PG);
	huge_renew();
	huge_fill();
}

static int op_huge_protect(void)
{
	return result(mprotect(huge + 7 * PG, 3 * PG, PROT_READ));
}

static void after_huge_protect(int err)
{
	(void)err;
	huge_verify(0, 0);
	OK(mprotect(huge, HUGE_AREA, PROT_READ | PROT_WRITE));
	huge_renew();
	huge_fill();
}

/* A write after fork: a part is copied. */
static int op_huge_cow(void)
{
	huge[9 * PG] = 77;
	return huge[9 * PG] == 77 && huge[8 * PG] == 8 && huge[10 * PG] == 10 ? 0 : EIO;
}

static int family_gate[2];

static void after_huge_cow(int err)
{
	char c;

	CHECK_EQ(err, 0);
	if (child > 0) {
		OK(close(family_gate[1]));
		wait_ok(child);
	}
	huge_renew();
	huge_fill();
	OK(pipe(family_gate));
	child = OK(fork());
	if (child > 0) {
		OK(close(family_gate[0]));
		return;
	}
	OK(close(family_gate[1]));
	CHECK_EQ(read(family_gate[0], &c, 1), 0);
	huge_verify(0, 0);
	_exit(0);
}

/* Populated page by page, then gathered. */
static int op_huge_collapse(void)
{
	return result(madvise(huge, HUGE_AREA, MADV_COLLAPSE));
}

static void after_huge_collapse(int err)
{
	(void)err;
	huge_verify(0, 0);
	huge_renew();
	OK(madvise(huge, HUGE_AREA, MADV_NOHUGEPAGE));
	huge_fill();
	OK(madvise(huge, HUGE_AREA, MADV_HUGEPAGE));
}

TEST_LIMIT(superpages_survive_each_failure, 60)
{
	make_memory();
	huge_renew();
	WALK(op_huge_write, after_huge_write, 0);
	huge_fill();
	WALK(op_huge_unmap, after_huge_unmap, 0);
	WALK(op_huge_protect, after_huge_protect, 0);
	after_huge_collapse(0);
	WALK(op_huge_collapse, after_huge_collapse, EAGAIN, EINVAL, EBUSY);
	child = 0;
	after_huge_cow(0);
	WALK(op_huge_cow, after_huge_cow, 0);
	OK(close(family_gate[1]));
	wait_ok(child);
}

/* ---- pgaccess ---- */

static unsigned long mask[1];

static int op_pgaccess(void)
{
	return result(syscall(SYS_pgaccess, anon, 16, mask));
}

static void after_pgaccess(int err)
{
	if (!err)
		CHECK_EQ(mask[0] & 0xffff, 0xffff);
	else
		OK(syscall(SYS_pgaccess, anon, 16, mask)); /* a failed call cleared nothing */
	CHECK_EQ(mask[0] & 0xffff, 0xffff);
	fill(anon, 1);
}

TEST_LIMIT(pgaccess_survives_each_failure, 60)
{
	make_memory();
	WALK(op_pgaccess, after_pgaccess, 0);
}

TEST_MAIN
