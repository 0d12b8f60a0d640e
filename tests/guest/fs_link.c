/* Hard links, symbolic links, unlinking, path walk limits. */
#include "test.h"

TEST(hard_links_are_the_same_file)
{
	struct stat a, b;
	char buf[8];

	file_make("a", "x", 1);
	OK(link("a", "b"));
	OK(stat("a", &a));
	OK(stat("b", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_EQ(a.st_nlink, 2);
	file_make("b", "longer", 6);
	file_read("a", buf, sizeof(buf));
	CHECK_STR(buf, "longer");
	OK(unlink("a"));
	OK(stat("b", &b));
	CHECK_EQ(b.st_nlink, 1);
}

TEST(link_errors)
{
	file_make("f", "", 0);
	OK(mkdir("d", 0755));
	ERR(link("f", "d"), EEXIST);
	ERR(link("f", "f"), EEXIST);
	ERR(link("d", "e"), EPERM);
	ERR(link("missing", "x"), ENOENT);
	ERR(link("f", "missing/x"), ENOENT);
	ERR(link("f/", "x"), ENOTDIR);
}

TEST(link_of_a_symlink)
{
	struct stat st;

	file_make("f", "", 0);
	OK(symlink("f", "l"));
	OK(linkat(AT_FDCWD, "l", AT_FDCWD, "m", 0));
	OK(lstat("m", &st));
	CHECK(S_ISLNK(st.st_mode));
	OK(linkat(AT_FDCWD, "l", AT_FDCWD, "n", AT_SYMLINK_FOLLOW));
	OK(lstat("n", &st));
	CHECK(S_ISREG(st.st_mode));
}

TEST_LIMIT(many_links_until_the_limit, 60)
{
	char name[32];
	struct stat st;
	int n = 1;

	file_make("f", "", 0);
	for (; n < 1500; n++) {
		snprintf(name, sizeof(name), "l%d", n);
		if (link("f", name) < 0) {
			CHECK_EQ(errno, EMLINK);
			break;
		}
	}
	OK(stat("f", &st));
	CHECK_EQ(st.st_nlink, n);
	for (int i = 1; i < n; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		OK(unlink(name));
	}
	OK(stat("f", &st));
	CHECK_EQ(st.st_nlink, 1);
}

TEST(symlinks_short_and_long)
{
	char target[1001], got[2000];
	static const int lens[] = {1, 20, 59, 60, 61, 255, 1000};
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		memset(target, 't', lens[i]);
		target[lens[i]] = 0;
		OK(symlink(target, "l"));
		CHECK_EQ(readlink("l", got, sizeof(got)), lens[i]);
		CHECK(memcmp(got, target, lens[i]) == 0);
		OK(lstat("l", &st));
		CHECK_EQ(st.st_size, lens[i]);
		CHECK_EQ(st.st_mode, S_IFLNK | 0777);
		OK(unlink("l"));
	}
	OK(symlink("0123456789", "l"));
	CHECK_EQ(readlink("l", got, 4), 4); /* cut, no error, no zero */
	ERR(readlinkat(AT_FDCWD, "l", got, 0), EINVAL);
	file_make("f", "", 0);
	ERR(readlink("f", got, 10), EINVAL);
	ERR(symlink("x", "l"), EEXIST);
	ERR(symlink("", "m"), ENOENT);
}

TEST(symlinks_are_followed_where_they_should)
{
	struct stat st;

	OK(mkdir("d", 0755));
	file_make("d/f", "data", 4);
	OK(symlink("d", "ld"));
	OK(symlink("../d/f", "d/up"));
	OK(symlink("ld/up", "l2"));
	OK(stat("l2", &st));
	CHECK(S_ISREG(st.st_mode));
	CHECK_EQ(st.st_size, 4);
	OK(lstat("ld/", &st)); /* the slash follows */
	CHECK(S_ISDIR(st.st_mode));
	OK(lstat("ld", &st));
	CHECK(S_ISLNK(st.st_mode));
	OK(stat("ld/../d/./f", &st));
	OK(chmod("l2", 0600));
	OK(stat("d/f", &st));
	CHECK_EQ(st.st_mode & 0777, 0600);
	OK(unlink("ld"));
	OK(access("d/f", F_OK));
	OK(symlink("/", "root"));
	OK(stat("root/dev/null", &st));
	CHECK(S_ISCHR(st.st_mode));
}

TEST(loops_are_eloop)
{
	struct stat st;
	char a[16], b[16];

	OK(symlink("b", "a"));
	OK(symlink("a", "b"));
	ERR(stat("a", &st), ELOOP);
	ERR(open("a", O_RDONLY), ELOOP);
	ERR(open("a", O_CREAT | O_WRONLY, 0644), ELOOP);
	ERR(chdir("b"), ELOOP);
	OK(lstat("a", &st));
	file_make("c0", "", 0);
	for (int i = 1; i <= 41; i++) {
		snprintf(a, sizeof(a), "c%d", i - 1);
		snprintf(b, sizeof(b), "c%d", i);
		OK(symlink(a, b));
	}
	OK(stat("c40", &st)); /* 40 are allowed */
	ERR(stat("c41", &st), ELOOP);
	OK(symlink("self/x", "self"));
	ERR(stat("self", &st), ELOOP);
}

TEST(names_too_long)
{
	char name[300], *path = malloc(5000);
	struct stat st;

	memset(name, 'n', 299);
	name[255] = 0;
	OK(close(OK(open(name, O_CREAT | O_WRONLY, 0644))));
	OK(stat(name, &st));
	OK(unlink(name));
	name[255] = 'n';
	name[256] = 0;
	ERR(open(name, O_CREAT | O_WRONLY, 0644), ENAMETOOLONG);
	ERR(mkdir(name, 0755), ENAMETOOLONG);
	ERR(stat(name, &st), ENAMETOOLONG);
	ERR(symlink("x", name), ENAMETOOLONG);
	file_make("f", "", 0);
	ERR(rename("f", name), ENAMETOOLONG);
	ERR(link("f", name), ENAMETOOLONG);
	for (int i = 0; i < 4096; i += 2)
		memcpy(path + i, "./", 2);
	path[4094] = 'f';
	path[4095] = 0;
	OK(stat(path, &st));
	path[4095] = '.';
	path[4096] = 0;
	ERR(stat(path, &st), ENAMETOOLONG);
	memset(path, 't', 4999);
	path[4999] = 0;
	ERR(symlink(path, "l"), ENAMETOOLONG);
}

TEST(files_are_not_directories)
{
	struct stat st;

	file_make("f", "", 0);
	ERR(stat("f/", &st), ENOTDIR);
	ERR(stat("f/.", &st), ENOTDIR);
	ERR(stat("f/..", &st), ENOTDIR);
	ERR(mkdir("f/d", 0755), ENOTDIR);
	ERR(unlink("f/x"), ENOTDIR);
	ERR(stat("missing/..", &st), ENOENT);
	ERR(stat("", &st), ENOENT);
	ERR(unlink(""), ENOENT);
}

TEST(many_slashes_and_dots)
{
	struct stat a, b;
	char cwd[PATH_MAX + 16], path[2 * PATH_MAX];

	file_make("f", "", 0);
	OK(stat("f", &a));
	OK(stat(".//././/f", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK(getcwd(cwd, PATH_MAX) != NULL);
	snprintf(path, sizeof(path), "/../../..//%s///f", cwd); /* above the root is the root */
	OK(stat(path, &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	ERR(unlink("."), EISDIR);
	errno = 0;
	CHECK(unlink("..") == -1 && (errno == EISDIR || errno == EPERM || errno == EBUSY));
}

TEST(an_unlinked_open_file_lives_on)
{
	struct stat st;
	char buf[8];
	int fd = OK(open("f", O_CREAT | O_RDWR, 0644));

	CHECK_EQ(write(fd, "before", 6), 6);
	OK(unlink("f"));
	ERR(access("f", F_OK), ENOENT);
	CHECK_EQ(write(fd, "after", 5), 5);
	OK(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 0);
	CHECK_EQ(st.st_size, 11);
	file_make("f", "new", 3);
	CHECK_EQ(pread(fd, buf, 5, 6), 5);
	CHECK(memcmp(buf, "after", 5) == 0);
	IN_CHILD(CHECK_EQ(pread(fd, buf, 1, 0), 1));
	OK(ftruncate(fd, 0));
	OK(fchmod(fd, 0600));
	OK(close(fd));
}

TEST(names_with_odd_bytes)
{
	char name[2] = "x";
	struct stat st;

	for (int c = 1; c < 256; c++) {
		if (c == '/' || c == '.')
			continue;
		name[0] = c;
		OK(close(OK(open(name, O_CREAT | O_EXCL | O_WRONLY, 0644))));
		OK(stat(name, &st));
		OK(unlink(name));
	}
	OK(close(OK(open("...", O_CREAT | O_WRONLY, 0644))));
	OK(close(OK(open("new\nline \xff", O_CREAT | O_WRONLY, 0644))));
}

TEST_MAIN
