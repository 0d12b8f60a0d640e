/* File mappings: coherent with read and write, demand loaded, cut short by truncation. */
#include "test.h"

#define PG 4096UL

static int make_pages(const char *name, int nr)
{
	char page[PG];
	int fd = OK(open(name, O_RDWR | O_CREAT | O_TRUNC, 0644));

	for (int i = 0; i < nr; i++) {
		memset(page, 'a' + i, PG);
		CHECK_EQ(write(fd, page, PG), PG);
	}
	return fd;
}

static char *map_file(int fd, size_t len, int prot, int flags, off_t off)
{
	char *p = mmap(NULL, len, prot, flags, fd, off);

	CHECK(p != MAP_FAILED);
	return p;
}

#define RW (PROT_READ | PROT_WRITE)

TEST(private_mapping_reads_the_file)
{
	int fd = make_pages("f", 5);
	char *p = map_file(fd, 3 * PG, PROT_READ, MAP_PRIVATE, PG);

	OK(close(fd));
	CHECK_EQ(p[0], 'b');
	CHECK_EQ(p[2 * PG + 100], 'd');
	DIES_OF(SIGSEGV, p[0] = 1);
}

TEST(private_write_stays_private)
{
	int fd = make_pages("f", 2);
	char *p = map_file(fd, 2 * PG, RW, MAP_PRIVATE, 0), c;

	p[10] = 'X';
	CHECK_EQ(pread(fd, &c, 1, 10), 1);
	CHECK_EQ(c, 'a');
	CHECK_EQ(p[10], 'X');
	CHECK_EQ(p[11], 'a');
}

TEST(shared_mapping_and_read_write_agree)
{
	int fd = make_pages("f", 3);
	char *p = map_file(fd, 3 * PG, RW, MAP_SHARED, 0), c;

	for (int i = 0; i < 100; i++) {
		off_t off = i * 97 % (3 * PG);

		c = 'A' + i % 26;
		CHECK_EQ(pwrite(fd, &c, 1, off), 1);
		CHECK_EQ(p[off], c);
		p[off + 1] = c + 32;
		CHECK_EQ(pread(fd, &c, 1, off + 1), 1);
		CHECK_EQ(c, p[off + 1]);
	}
}

TEST(two_shared_mappings_and_processes_agree)
{
	int fd = make_pages("f", 1);
	char *p = map_file(fd, PG, RW, MAP_SHARED, 0), *q = map_file(fd, PG, RW, MAP_SHARED, 0);

	p[1] = '1';
	CHECK_EQ(q[1], '1');
	IN_CHILD(q[2] = '2');
	CHECK_EQ(p[2], '2');
}

TEST(shared_write_reaches_the_file)
{
	char buf[8] = "";
	int fd = make_pages("f", 1);
	char *p = map_file(fd, PG, RW, MAP_SHARED, 0);

	memcpy(p, "hello", 5);
	OK(msync(p, PG, MS_SYNC));
	OK(munmap(p, PG));
	OK(close(fd));
	fd = OK(open("f", O_RDONLY));
	CHECK_EQ(read(fd, buf, 5), 5);
	CHECK_STR(buf, "hello");
}

TEST(private_mapping_sees_later_file_writes_until_its_own)
{
	int fd = make_pages("f", 1);
	volatile char *p = map_file(fd, PG, RW, MAP_PRIVATE, 0);

	CHECK_EQ(p[0], 'a');
	p[1] = 'p';
	CHECK_EQ(pwrite(fd, "zz", 2, 0), 2);
	CHECK_EQ(p[1], 'p');
}

TEST(rights_of_the_descriptor_bound_the_mapping)
{
	int fd = make_pages("f", 1), ro, wo;

	ro = OK(open("f", O_RDONLY));
	wo = OK(open("f", O_WRONLY));
	ERR(mmap(NULL, PG, RW, MAP_SHARED, ro, 0), EACCES);
	ERR(mmap(NULL, PG, PROT_READ, MAP_PRIVATE, wo, 0), EACCES);
	char *p = map_file(ro, PG, PROT_READ, MAP_SHARED, 0);
	ERR(mprotect(p, PG, RW), EACCES);
	p = map_file(ro, PG, RW, MAP_PRIVATE, 0);
	p[0] = 1;
	OK(close(fd));
	ERR(mmap(NULL, PG, PROT_READ, MAP_PRIVATE, fd, 0), EBADF);
	ERR(mmap(NULL, PG, PROT_READ, MAP_PRIVATE, OK(open(".", O_RDONLY)), 0), ENODEV);
}

TEST(past_the_end_of_the_last_page_is_sigbus)
{
	int fd = make_pages("f", 1);
	volatile char *p;

	OK(ftruncate(fd, PG + 10));
	p = map_file(fd, 4 * PG, RW, MAP_SHARED, 0);
	CHECK_EQ(p[PG + 10], 0); /* rest of the last page reads zero */
	CHECK_EQ(p[2 * PG - 1], 0);
	DIES_OF(SIGBUS, (void)p[2 * PG]);
	DIES_OF(SIGBUS, p[3 * PG] = 1);
}

TEST(truncation_under_a_mapping_is_sigbus)
{
	int fd = make_pages("f", 4);
	volatile char *p = map_file(fd, 4 * PG, RW, MAP_SHARED, 0);
	volatile char *q = map_file(fd, 4 * PG, RW, MAP_PRIVATE, 0);

	for (int i = 0; i < 4; i++)
		CHECK_EQ(p[i * PG] + q[i * PG], 2 * ('a' + i));
	OK(ftruncate(fd, PG + 1));
	CHECK_EQ(p[PG], 'b');
	CHECK_EQ(p[PG + 1], 0);
	DIES_OF(SIGBUS, (void)p[2 * PG]);
	DIES_OF(SIGBUS, (void)q[3 * PG]);
	OK(ftruncate(fd, 4 * PG));
	CHECK_EQ(p[2 * PG], 0); /* grown again: zeros, not the old bytes */
	CHECK_EQ(q[3 * PG], 0);
	p[3 * PG] = 'n';
}

TEST(kernel_copy_past_the_end_is_efault)
{
	int fd = make_pages("f", 1), fds[2];
	char *p = map_file(fd, 2 * PG, RW, MAP_SHARED, 0);

	OK(pipe(fds));
	ERR(write(fds[1], p + PG, 4), EFAULT);
	CHECK_EQ(write(fds[1], "abcd", 4), 4);
	ERR(read(fds[0], p + PG, 4), EFAULT);
}

TEST(write_tail_beyond_end_is_not_stored)
{
	char buf[64];
	int fd = make_pages("f", 1);
	char *p;

	OK(ftruncate(fd, 100));
	p = map_file(fd, PG, RW, MAP_SHARED, 0);
	p[200] = 'x';
	OK(msync(p, PG, MS_SYNC));
	OK(munmap(p, PG));
	OK(ftruncate(fd, 300));
	CHECK_EQ(pread(fd, buf, 64, 190), 64);
	for (int i = 0; i < 64; i++)
		if (i != 10) /* Linux keeps the byte while the page stays cached; the others must be zero */
			CHECK_EQ(buf[i], 0);
}

TEST(read_into_a_mapping_of_the_same_page)
{
	int fd = make_pages("f", 2);
	char *p = map_file(fd, 2 * PG, RW, MAP_SHARED, 0);

	CHECK_EQ(pread(fd, p + 100, 50, PG), 50);
	CHECK_EQ(p[100], 'b');
	CHECK_EQ(p[150], 'a');
	CHECK_EQ(pwrite(fd, p + PG, 50, 0), 50); /* from the file to itself */
	CHECK_EQ(p[0], 'b');
	CHECK_EQ(pwrite(fd, p + 10, 100, 20), 100);
}

TEST(shared_anonymous_survives_fork)
{
	volatile int *p = map_shared(2 * PG);

	IN_CHILD(p[0] = 42; p[1024] = 43);
	CHECK_EQ(p[0], 42);
	CHECK_EQ(p[1024], 43);
}

TEST(unlinked_file_stays_mapped)
{
	int fd = make_pages("f", 2);
	char *p = map_file(fd, 2 * PG, RW, MAP_SHARED, 0);

	OK(unlink("f"));
	OK(close(fd));
	CHECK_EQ(p[PG], 'b');
	p[PG] = 'q';
	CHECK_EQ(p[PG], 'q');
}

TEST(mapping_offset_must_be_page_aligned)
{
	int fd = make_pages("f", 2);

	ERR(syscall(SYS_mmap, NULL, PG, PROT_READ, MAP_PRIVATE, fd, 100L), EINVAL);
}

TEST(mremap_grows_a_file_mapping)
{
	int fd = make_pages("f", 8);
	char *p = map_file(fd, 2 * PG, PROT_READ, MAP_SHARED, PG), *q;

	q = mremap(p, 2 * PG, 6 * PG, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED);
	for (int i = 0; i < 6; i++)
		CHECK_EQ(q[i * PG], 'b' + i);
}

TEST_LIMIT(a_writer_and_a_mapper_race, 40)
{
	int fd = make_pages("f", 16);
	volatile char *p = map_file(fd, 16 * PG, RW, MAP_SHARED, 0);
	pid_t pid = OK(fork());
	uint32_t seed = pid ? 1 : 2;

	for (int i = 0; i < 2000; i++) {
		off_t off =
			rnd(&seed) % (8 * PG) * 2 + (pid ? 0 : 1); /* even bytes are the parent's, odd the child's */
		char c = i, back;

		if (i & 1)
			p[off] = c;
		else
			CHECK_EQ(pwrite(fd, &c, 1, off), 1);
		CHECK_EQ(pread(fd, &back, 1, off), 1);
		CHECK_EQ(back, c);
		CHECK_EQ(p[off], c);
	}
	if (pid == 0)
		_exit(0);
	wait_ok(pid);
}

static long open_files(void)
{
	long n = -1;
	FILE *f = fopen("/proc/sys/fs/file-nr", "r");

	CHECK(f && fscanf(f, "%ld", &n) == 1);
	fclose(f);
	return n;
}

TEST(mapping_dev_zero_leaves_no_file_open)
{
	long before = open_files();

	for (int i = 0; i < 200; i++) {
		int fd = OK(open("/dev/zero", O_RDWR));
		volatile char *p = mmap(NULL, PG, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

		CHECK(p != MAP_FAILED);
		OK(close(fd));
		p[0] = 1;
		OK(munmap((void *)p, PG));
	}
	CHECK(open_files() - before < 100);
}

/* A file of tmpfs is never written back; a store to it is no less a store. */
TEST(shared_mapping_of_tmpfs_is_written)
{
	const char *path = "/dev/shm/mm_file-shared";
	int value = 0, fd = OK(open(path, O_RDWR | O_CREAT | O_TRUNC, 0600));
	volatile int *p;

	OK(unlink(path));
	OK(ftruncate(fd, 2 * PG));
	p = mmap(NULL, 2 * PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	/* One page read first, the other written at once. */
	CHECK_EQ(p[0], 0);
	p[0] = 7;
	p[PG / sizeof(int)] = 8;
	IN_CHILD(p[1] = p[0] + 2);
	CHECK_EQ(p[1], 9);
	CHECK_EQ(pread(fd, &value, sizeof(value), PG), sizeof(value));
	CHECK_EQ(value, 8);
}

TEST_MAIN
