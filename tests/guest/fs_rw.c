/* read, write and their relatives; seeking; vectors; copying; truncation; sparse files; allocation. */
#include "test.h"
#include <sys/sendfile.h>

TEST(offsets_advance_and_seek)
{
	char buf[16];
	int fd;

	file_make("f", "0123456789", 10);
	fd = OK(open("f", O_RDWR));
	CHECK_EQ(read(fd, buf, 4), 4);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 4);
	CHECK_EQ(lseek(fd, -1, SEEK_END), 9);
	CHECK_EQ(read(fd, buf, 16), 1);
	CHECK_EQ(read(fd, buf, 16), 0);
	CHECK_EQ(lseek(fd, 100, SEEK_SET), 100);
	CHECK_EQ(read(fd, buf, 16), 0);
	ERR(lseek(fd, -1, SEEK_SET), EINVAL);
	ERR(lseek(fd, -11, SEEK_END), EINVAL);
	ERR(lseek(fd, 0, 99), EINVAL);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 100);
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 101);
	CHECK_EQ(pread(fd, buf, 3, 9), 3);
	CHECK(buf[0] == '9' && buf[1] == 0 && buf[2] == 0);
}

TEST(positioned_io_keeps_the_offset)
{
	char buf[8] = "";
	int fd = OK(open("f", O_CREAT | O_RDWR, 0644));

	CHECK_EQ(pwrite(fd, "abcd", 4, 10), 4);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
	CHECK_EQ(pread(fd, buf, 4, 10), 4);
	CHECK_STR(buf, "abcd");
	ERR(pread(fd, buf, 1, -1), EINVAL);
	ERR(pwrite(fd, buf, 1, -1), EINVAL);
	CHECK_EQ(pread(fd, buf, 1, 14), 0);
}

TEST(vectors)
{
	char a[3], b[5], c[10] = "";
	struct iovec out[] = {{"one", 3}, {"", 0}, {"two", 3}, {"three", 5}}, in[] = {{a, 3}, {b, 5}, {c, 10}};
	int fd = OK(open("f", O_CREAT | O_RDWR, 0644));

	CHECK_EQ(writev(fd, out, 4), 11);
	OK(lseek(fd, 0, SEEK_SET));
	CHECK_EQ(readv(fd, in, 3), 11);
	CHECK(memcmp(a, "one", 3) == 0 && memcmp(b, "twoth", 5) == 0 && memcmp(c, "ree", 3) == 0);
	CHECK_EQ(preadv(fd, in, 1, 3), 3);
	CHECK(memcmp(a, "two", 3) == 0);
	CHECK_EQ(pwritev(fd, out, 1, 20), 3);
	CHECK_EQ(writev(fd, out, 0), 0);
	ERR(syscall(SYS_writev, fd, out, -1L), EINVAL);
	ERR(syscall(SYS_writev, fd, out, 1025L), EINVAL);
	out[0].iov_len = -1;
	ERR(syscall(SYS_writev, fd, out, 1L), EINVAL);
}

TEST(random_io_matches_a_model)
{
	enum { SIZE = 60000 };
	char *model = calloc(1, SIZE), *buf = malloc(SIZE);
	long size = 0;
	uint32_t seed = 12345;
	int fd = OK(open("f", O_CREAT | O_RDWR, 0644));

	for (int step = 0; step < 600; step++) {
		long off = rnd(&seed) % SIZE, len = 1 + rnd(&seed) % 9000;

		if (off + len > SIZE)
			len = SIZE - off;
		switch (rnd(&seed) % 4) {
		case 0:
		case 1:
			memset(buf, step, len);
			CHECK_EQ(pwrite(fd, buf, len, off), len);
			memset(model + off, step, len);
			if (off + len > size)
				size = off + len;
			break;
		case 2: {
			long want = off >= size ? 0 : off + len > size ? size - off : len;

			CHECK_EQ(pread(fd, buf, len, off), want);
			CHECK(memcmp(buf, model + off, want) == 0);
			break;
		}
		case 3:
			if (step % 5)
				break;
			OK(ftruncate(fd, off));
			if (off < size)
				memset(model + off, 0, size - off);
			size = off;
		}
	}
	OK(fsync(fd));
	CHECK_EQ(pread(fd, buf, SIZE, 0), size);
	CHECK(memcmp(buf, model, size) == 0);
}

TEST(truncate_grows_with_zeros_and_frees)
{
	struct stat st;
	char buf[100];

	memset(buf, 'x', 100);
	file_make("f", buf, 100);
	OK(truncate("f", 10));
	OK(truncate("f", 50));
	CHECK_EQ(file_read("f", buf, 100), 50);
	for (int i = 0; i < 50; i++)
		CHECK_EQ(buf[i], i < 10 ? 'x' : 0);
	OK(truncate("f", 1 << 20));
	OK(stat("f", &st));
	CHECK_EQ(st.st_size, 1 << 20);
	CHECK(st.st_blocks <= 64);
	ERR(truncate("f", -1), EINVAL);
	OK(mkdir("d", 0755));
	ERR(truncate("d", 0), EISDIR);
	ERR(truncate("missing", 0), ENOENT);
}

TEST(sparse_files_far_out)
{
	static const off_t at[] = {0, 4096 * 13L, 5L << 20, 300L << 20, (2L << 30) + 77, (6L << 30) + 4095};
	struct stat st;
	char c;
	int fd = OK(open("f", O_CREAT | O_RDWR, 0644));

	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		c = 'a' + i;
		CHECK_EQ(pwrite(fd, &c, 1, at[i]), 1);
	}
	OK(fsync(fd));
	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		CHECK_EQ(pread(fd, &c, 1, at[i]), 1);
		CHECK_EQ(c, (char)('a' + i));
		CHECK_EQ(pread(fd, &c, 1, at[i] + 1), i + 1 < ARRAY_SIZE(at) ? 1 : 0);
		CHECK(i + 1 == ARRAY_SIZE(at) || c == 0);
	}
	OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, (6L << 30) + 4096);
	CHECK(st.st_blocks < 2048);
	for (int i = ARRAY_SIZE(at) - 1; i >= 0; i--) {
		OK(ftruncate(fd, at[i]));
		if (i)
			CHECK_EQ(pread(fd, &c, 1, at[i - 1]), 1);
	}
}

TEST(seek_hole_and_data)
{
	int fd = OK(open("f", O_CREAT | O_RDWR, 0644));

	CHECK_EQ(pwrite(fd, "x", 1, 1 << 20), 1);
	OK(fsync(fd)); /* Linux's block-mapped files do not count what is not on the disk yet */
	off_t data = lseek(fd, 0, SEEK_DATA);
	CHECK(data >= 0 && data <= 1 << 20); /* a file system may call everything data */
	CHECK(lseek(fd, 1 << 20, SEEK_HOLE) > 1 << 20);
	ERR(lseek(fd, (1 << 20) + 1, SEEK_DATA), ENXIO);
	ERR(lseek(fd, 2 << 20, SEEK_HOLE), ENXIO);
}

TEST(too_big_is_refused)
{
	int fd = OK(open("f", O_CREAT | O_RDWR, 0644));

	errno = 0;
	CHECK(pwrite(fd, "x", 1, INT64_MAX) == -1 && (errno == EFBIG || errno == EINVAL));
	CHECK(ftruncate(fd, INT64_MAX) == 0 || errno == EFBIG || errno == EINVAL);
}

TEST(sendfile_copies)
{
	int in, out, fds[2];
	off_t off = 3;
	char buf[32];

	file_make("a", "0123456789", 10);
	in = OK(open("a", O_RDONLY));
	out = OK(open("b", O_CREAT | O_RDWR, 0644));
	if (sendfile(out, in, &off, 4) < 0 && errno == ENOSYS)
		SKIP("no sendfile");
	CHECK_EQ(off, 7);
	CHECK_EQ(lseek(in, 0, SEEK_CUR), 0);
	CHECK_EQ(sendfile(out, in, NULL, 100), 10);
	CHECK_EQ(lseek(in, 0, SEEK_CUR), 10);
	CHECK_EQ(sendfile(out, in, NULL, 100), 0);
	CHECK_EQ(file_read("b", buf, 32), 14);
	CHECK_STR(buf, "34560123456789");
	OK(pipe(fds));
	off = 0;
	CHECK_EQ(sendfile(fds[1], in, &off, 10), 10);
	CHECK_EQ(read(fds[0], buf, 32), 10);
	ERR(sendfile(in, out, NULL, 1), EBADF);
}

TEST(copy_file_range_copies)
{
	int in, out;
	off64_t from = 2, to = 5;
	char buf[32];

	file_make("a", "0123456789", 10);
	in = OK(open("a", O_RDONLY));
	out = OK(open("b", O_CREAT | O_RDWR, 0644));
	long n = copy_file_range(in, &from, out, &to, 6, 0);
	if (n < 0 && (errno == ENOSYS || errno == EOPNOTSUPP))
		SKIP("no copy_file_range");
	CHECK_EQ(n, 6);
	CHECK_EQ(from, 8);
	CHECK_EQ(to, 11);
	CHECK_EQ(file_read("b", buf, 32), 11);
	CHECK(memcmp(buf,
		      "\0\0\0\0\0"
		      "234567",
		      11) == 0);
}

TEST(fallocate_reserves)
{
	struct stat st;
	int fd = OK(open("f", O_CREAT | O_RDWR, 0644));

	if (fallocate(fd, 0, 0, 100000) < 0) {
		CHECK(errno == EOPNOTSUPP || errno == ENOSYS);
		SKIP("fallocate is refused");
	}
	OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 100000);
	CHECK(st.st_blocks >= 100000 / 512);
	ERR(fallocate(fd, 0, 0, 0), EINVAL);
	ERR(fallocate(fd, 0, -1, 5), EINVAL);
}

TEST(syncs_answer)
{
	int fd = OK(open("f", O_CREAT | O_RDWR, 0644));

	CHECK_EQ(write(fd, "x", 1), 1);
	OK(fsync(fd));
	OK(fdatasync(fd));
	sync();
	OK(syncfs(fd));
	ERR(fsync(99), EBADF);
}

TEST(large_file_through_the_cache)
{
	char buf[4096];
	int fd = OK(open("big", O_CREAT | O_RDWR, 0644));

	for (int i = 0; i < 1024; i++) {
		memset(buf, i * 7, sizeof(buf));
		CHECK_EQ(write(fd, buf, sizeof(buf)), sizeof(buf));
	}
	for (int i = 1023; i >= 0; i -= 3) {
		CHECK_EQ(pread(fd, buf, sizeof(buf), i * 4096L), sizeof(buf));
		CHECK(buf[0] == (char)(i * 7) && buf[4095] == (char)(i * 7));
	}
	OK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
}

TEST_MAIN
