/* open flags, the *at forms, descriptors, dup, fcntl. */
#include "test.h"
#include <sys/ioctl.h>

TEST(creation_flags)
{
	struct stat st;
	int fd;

	ERR(open("f", O_RDONLY), ENOENT);
	fd = OK(open("f", O_CREAT | O_EXCL | O_RDWR, 0640));
	OK(fstat(fd, &st));
	CHECK_EQ(st.st_mode, S_IFREG | 0640);
	CHECK_EQ(st.st_size, 0);
	CHECK_EQ(st.st_nlink, 1);
	ERR(open("f", O_CREAT | O_EXCL | O_RDWR, 0640), EEXIST);
	OK(open("f", O_CREAT | O_RDWR, 0777));
	OK(stat("f", &st));
	CHECK_EQ(st.st_mode & 07777, 0640); /* the mode is for new files only */
	ERR(open("", O_RDONLY), ENOENT);
	OK(symlink("nowhere", "l"));
	ERR(open("l", O_CREAT | O_EXCL | O_RDWR, 0644), EEXIST);
	OK(open("l", O_CREAT | O_RDWR, 0644)); /* made through the link */
	OK(access("nowhere", F_OK));
	OK(close(OK(open("ro", O_CREAT | O_RDWR, 0)))); /* rights of a new file do not bind its creator */
}

TEST(truncation_and_append)
{
	char buf[32] = "";
	int fd;

	file_make("f", "0123456789", 10);
	fd = OK(open("f", O_WRONLY | O_APPEND));
	OK(lseek(fd, 2, SEEK_SET));
	CHECK_EQ(write(fd, "ab", 2), 2);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 12);
	CHECK_EQ(file_read("f", buf, sizeof(buf)), 12);
	CHECK_STR(buf, "0123456789ab");
	OK(open("f", O_WRONLY | O_TRUNC));
	CHECK_EQ(file_read("f", buf, sizeof(buf)), 0);
	CHECK_EQ(write(fd, "z", 1), 1);
	CHECK_EQ(file_read("f", buf, sizeof(buf)), 1);
	CHECK_STR(buf, "z");
}

TEST(concurrent_appends_lose_nothing)
{
	struct stat st;
	pid_t pids[4];
	char line[21];

	file_make("log", "", 0);
	for (int w = 0; w < 4; w++) {
		pids[w] = OK(fork());
		if (pids[w] == 0) {
			int fd = OK(open("log", O_WRONLY | O_APPEND));

			for (int i = 0; i < 100; i++) {
				snprintf(line, sizeof(line), "writer %d line %05d\n", w, i);
				CHECK_EQ(write(fd, line, 20), 20);
			}
			_exit(0);
		}
	}
	for (int w = 0; w < 4; w++)
		wait_ok(pids[w]);
	OK(stat("log", &st));
	CHECK_EQ(st.st_size, 4 * 100 * 20);
	FILE *f = fopen("log", "r");
	int n = 0;
	while (fgets(line, sizeof(line), f) && ++n)
		CHECK(strncmp(line, "writer ", 7) == 0 && line[19] == '\n');
	CHECK_EQ(n, 400);
}

TEST(directory_and_nofollow_flags)
{
	file_make("f", "", 0);
	OK(mkdir("d", 0755));
	OK(symlink("f", "lf"));
	OK(symlink("d", "ld"));
	ERR(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
	OK(open("d", O_RDONLY | O_DIRECTORY));
	ERR(open("d", O_WRONLY), EISDIR);
	ERR(open("d", O_RDWR), EISDIR);
	ERR(open("lf", O_RDONLY | O_NOFOLLOW), ELOOP);
	ERR(open("ld", O_RDONLY | O_NOFOLLOW | O_DIRECTORY), ENOTDIR);
	OK(open("ld/.", O_RDONLY | O_NOFOLLOW));
	ERR(open("f/", O_RDONLY), ENOTDIR);
	ERR(open("f/x", O_RDONLY), ENOTDIR);
	ERR(open("new/", O_CREAT | O_WRONLY, 0644), EISDIR);
	char c;
	ERR(read(OK(open("d", O_RDONLY)), &c, 1), EISDIR);
}

TEST(access_mode_is_obeyed)
{
	char c;

	file_make("f", "x", 1);
	int r = OK(open("f", O_RDONLY)), w = OK(open("f", O_WRONLY));
	ERR(write(r, "y", 1), EBADF);
	ERR(read(w, &c, 1), EBADF);
	CHECK_EQ(fcntl(r, F_GETFL) & O_ACCMODE, O_RDONLY);
	CHECK_EQ(fcntl(w, F_GETFL) & O_ACCMODE, O_WRONLY);
	ERR(ftruncate(r, 0), EINVAL);
}

TEST(path_descriptors)
{
	struct stat st;
	char c;
	int fd = open("/", O_PATH);

	if (fd < 0)
		SKIP("no O_PATH");
	OK(fstat(fd, &st));
	CHECK(S_ISDIR(st.st_mode));
	file_make("f", "x", 1);
	fd = OK(open("f", O_PATH));
	ERR(read(fd, &c, 1), EBADF);
	OK(symlink("f", "l"));
	fd = OK(open("l", O_PATH | O_NOFOLLOW));
	OK(fstat(fd, &st));
	CHECK(S_ISLNK(st.st_mode));
}

TEST(relative_to_a_directory_descriptor)
{
	struct stat st;
	int d, f;
	char buf[8] = "";

	OK(mkdir("d", 0755));
	d = OK(open("d", O_RDONLY | O_DIRECTORY));
	f = OK(openat(d, "f", O_CREAT | O_RDWR, 0644));
	OK(access("d/f", F_OK));
	OK(mkdirat(d, "sub", 0755));
	OK(symlinkat("f", d, "l"));
	CHECK_EQ(readlinkat(d, "l", buf, sizeof(buf)), 1);
	OK(linkat(d, "f", AT_FDCWD, "hard", 0));
	OK(renameat(d, "f", d, "g"));
	OK(fstatat(d, "g", &st, 0));
	CHECK_EQ(st.st_nlink, 2);
	OK(fstatat(d, "l", &st, AT_SYMLINK_NOFOLLOW));
	CHECK(S_ISLNK(st.st_mode));
	ERR(fstatat(d, "l", &st, 0), ENOENT);
	OK(fstatat(f, "", &st, AT_EMPTY_PATH));
	CHECK(S_ISREG(st.st_mode));
	ERR(unlinkat(d, "sub", 0), EISDIR);
	ERR(unlinkat(d, "g", AT_REMOVEDIR), ENOTDIR);
	OK(unlinkat(d, "sub", AT_REMOVEDIR));
	ERR(openat(f, "x", O_RDONLY), ENOTDIR);
	ERR(openat(99, "x", O_RDONLY), EBADF);
	OK(openat(99, "/", O_RDONLY)); /* absolute paths ignore it */
	OK(fchmodat(d, "g", 0600, 0));
	OK(faccessat(d, "g", R_OK, 0));
	OK(mknodat(d, "p", S_IFIFO | 0600, 0));
	ERR(unlinkat(d, "g", 0x40000), EINVAL);
}

TEST(descriptors_are_the_lowest_free)
{
	int a = OK(open("/dev/null", O_RDONLY)), b = OK(dup(a)), c = OK(dup(a));

	CHECK_EQ(b, a + 1);
	OK(close(b));
	CHECK_EQ(OK(open("/dev/null", O_RDONLY)), b);
	CHECK_EQ(fcntl(a, F_DUPFD, c + 10), c + 10);
	CHECK_EQ(fcntl(a, F_DUPFD, c + 10), c + 11);
	ERR(close(99), EBADF);
	ERR(close(-1), EBADF);
}

TEST(dup_forms)
{
	char c;
	int fd, e;

	file_make("f", "abc", 3);
	fd = OK(open("f", O_RDONLY | O_CLOEXEC));
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	e = OK(dup(fd));
	CHECK_EQ(fcntl(e, F_GETFD), 0); /* the flag is the descriptor's */
	CHECK_EQ(read(fd, &c, 1), 1);
	CHECK_EQ(read(e, &c, 1), 1);
	CHECK_EQ(c, 'b'); /* the offset is shared */
	CHECK_EQ(dup2(fd, 40), 40);
	CHECK_EQ(dup2(fd, fd), fd);
	ERR(dup2(99, 40), EBADF);
	ERR(dup3(fd, fd, 0), EINVAL);
	ERR(dup3(fd, 41, 77), EINVAL);
	CHECK_EQ(dup3(fd, 41, O_CLOEXEC), 41);
	CHECK_EQ(fcntl(41, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(fcntl(fd, F_DUPFD_CLOEXEC, 50), F_GETFD), FD_CLOEXEC);
	OK(fcntl(e, F_SETFD, FD_CLOEXEC));
	CHECK_EQ(fcntl(e, F_GETFD), FD_CLOEXEC);
	OK(ioctl(e, FIONCLEX));
	CHECK_EQ(fcntl(e, F_GETFD), 0);
}

TEST(status_flags_are_shared_and_limited)
{
	int fd = OK(open("f", O_CREAT | O_RDWR, 0644)), e = OK(dup(fd));

	OK(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK));
	CHECK_EQ(fcntl(e, F_GETFL) & (O_APPEND | O_NONBLOCK | O_ACCMODE), O_APPEND | O_NONBLOCK | O_RDWR);
	OK(fcntl(fd, F_SETFL, O_RDONLY)); /* the access mode cannot be changed */
	CHECK_EQ(fcntl(fd, F_GETFL) & (O_APPEND | O_ACCMODE), O_RDWR);
	ERR(fcntl(fd, 9999, 0), EINVAL);
	ERR(fcntl(99, F_GETFD), EBADF);
}

TEST(many_descriptors)
{
	int last = -1;

	for (int i = 0; i < 900; i++)
		last = OK(open("/dev/null", O_RDONLY));
	CHECK(last >= 900);
	for (int fd = 10; fd <= last; fd++)
		if (fd != test_reason_fd)
			close(fd);
}

TEST(unnamed_temporary_file)
{
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);
	struct stat st;

	if (fd < 0)
		SKIP("no O_TMPFILE here (%s)", strerror(errno));
	CHECK_EQ(write(fd, "x", 1), 1);
	OK(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 0);
}

TEST(close_range_closes)
{
	int a = OK(open("/dev/null", O_RDONLY)), b = OK(dup(a));

	if (syscall(SYS_close_range, a, b, 0) < 0 && errno == ENOSYS)
		SKIP("no close_range");
	ERR(fcntl(a, F_GETFD), EBADF);
	ERR(fcntl(b, F_GETFD), EBADF);
}

TEST_MAIN
