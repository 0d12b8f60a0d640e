/* The device nodes: null zero full random urandom tty console ptmx vda. */
#include "test.h"
#include <sys/random.h>
#include <sys/sysmacros.h>

TEST(nodes_have_linux_numbers)
{
	static const struct {
		const char *path;
		int maj, min;
	} t[] = {
		{"/dev/null", 1, 3},
		{"/dev/zero", 1, 5},
		{"/dev/full", 1, 7},
		{"/dev/random", 1, 8},
		{"/dev/urandom", 1, 9},
		{"/dev/tty", 5, 0},
		{"/dev/console", 5, 1},
		{"/dev/ptmx", 5, 2},
	};
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		if (stat(t[i].path, &st) < 0)
			FAIL("%s: %s", t[i].path, strerror(errno));
		if (!S_ISCHR(st.st_mode) || (int)major(st.st_rdev) != t[i].maj || (int)minor(st.st_rdev) != t[i].min)
			FAIL("%s is %o %u:%u", t[i].path, st.st_mode, major(st.st_rdev), minor(st.st_rdev));
	}
}

TEST(null_swallows_and_ends)
{
	char c;
	int fd = OK(open("/dev/null", O_RDWR));

	CHECK_EQ(write(fd, "abc", 3), 3);
	CHECK_EQ(read(fd, &c, 1), 0);
	OK(lseek(fd, 100, SEEK_SET));
	OK(close(OK(open("/dev/null", O_WRONLY | O_TRUNC | O_CREAT, 0644))));
}

TEST(zero_and_full)
{
	char buf[10000];
	int z = OK(open("/dev/zero", O_RDWR)), f = OK(open("/dev/full", O_RDWR));

	memset(buf, 1, sizeof(buf));
	CHECK_EQ(read(z, buf, sizeof(buf)), sizeof(buf));
	for (size_t i = 0; i < sizeof(buf); i++)
		CHECK_EQ(buf[i], 0);
	CHECK_EQ(write(z, buf, 100), 100);
	ERR(write(f, buf, 1), ENOSPC);
	buf[0] = 1;
	CHECK_EQ(read(f, buf, 1), 1);
	CHECK_EQ(buf[0], 0);
}

TEST(zero_can_be_mapped)
{
	int fd = OK(open("/dev/zero", O_RDWR));
	volatile char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

	if (p == MAP_FAILED && errno == ENODEV)
		SKIP("/dev/zero has no mmap");
	CHECK(p != MAP_FAILED);
	CHECK_EQ(p[5000], 0);
	p[5000] = 1;
}

TEST(random_bytes_look_random)
{
	unsigned char a[64], b[64], zero[64] = {0};
	int fd = OK(open("/dev/urandom", O_RDONLY)), ones = 0;

	CHECK_EQ(read(fd, a, 64), 64);
	CHECK_EQ(read(fd, b, 64), 64);
	CHECK(memcmp(a, b, 64) && memcmp(a, zero, 64));
	CHECK_EQ(read(OK(open("/dev/random", O_RDONLY)), b, 16), 16);
	CHECK_EQ(getrandom(a, 64, 0), 64);
	CHECK_EQ(getrandom(b, 64, GRND_NONBLOCK), 64);
	CHECK(memcmp(a, b, 64));
	ERR(getrandom(a, 8, 0x100), EINVAL);
	for (int i = 0; i < 64; i++)
		ones += __builtin_popcount(a[i]);
	CHECK(ones > 180 && ones < 332); /* 512 bits: more than six deviations off */
	CHECK_EQ(write(OK(open("/dev/urandom", O_WRONLY)), "seed", 4), 4);
}

TEST(processes_get_different_bytes)
{
	unsigned char *p = map_shared(4096);

	for (int i = 0; i < 4; i++)
		IN_CHILD(CHECK_EQ(getrandom(p + i * 16, 16, 0), 16));
	for (int i = 0; i < 4; i++)
		for (int j = 0; j < i; j++)
			CHECK(memcmp(p + i * 16, p + j * 16, 16));
}

TEST(disk_node_reads_the_superblock)
{
	unsigned char sb[1024];
	struct stat st;

	if (!on_vitrine())
		SKIP("the host's disk is not ours");
	need_root();
	OK(stat("/dev/vda", &st));
	CHECK(S_ISBLK(st.st_mode));
	int fd = OK(open("/dev/vda", O_RDONLY));
	CHECK_EQ(pread(fd, sb, 1024, 1024), 1024);
	CHECK_EQ(sb[56] | sb[57] << 8, 0xef53);
	off_t end = OK(lseek(fd, 0, SEEK_END));
	CHECK(end >= 1 << 20);
	CHECK_EQ(pread(fd, sb, 10, end), 0);
	CHECK_EQ(pread(fd, sb, 7, 1024 + 56), 7); /* any offset and length */
	CHECK_EQ(sb[0] | sb[1] << 8, 0xef53);
}

TEST(standard_links)
{
	char c = 0;
	int fds[2];

	OK(pipe(fds));
	CHECK_EQ(write(fds[1], "q", 1), 1);
	OK(dup2(fds[0], 0));
	int fd = open("/dev/stdin", O_RDONLY);
	if (fd < 0 && !on_vitrine())
		SKIP("no /dev/stdin: who makes the links here?");
	OK(fd);
	CHECK_EQ(read(fd, &c, 1), 1);
	CHECK_EQ(c, 'q');
}

TEST_MAIN
