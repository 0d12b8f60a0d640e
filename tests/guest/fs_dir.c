/* Directories: reading, large ones, reading while changing, making and removing, "." and "..", cwd. */
#include "test.h"

static int count_entries(const char *path)
{
	DIR *d = opendir(path);
	int n = 0;

	CHECK(d != NULL);
	for (struct dirent *e; (errno = 0, e = readdir(d));)
		n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
	CHECK_EQ(errno, 0);
	closedir(d);
	return n;
}

static void touch_nr(const char *dir, int nr)
{
	char name[64];

	snprintf(name, sizeof(name), "%s/entry-number-%05d", dir, nr);
	OK(close(OK(open(name, O_CREAT | O_WRONLY, 0644))));
}

static int unlink_nr(const char *dir, int nr)
{
	char name[64];

	snprintf(name, sizeof(name), "%s/entry-number-%05d", dir, nr);
	return unlink(name);
}

TEST(dot_entries_and_types)
{
	struct stat st, up;
	DIR *d;
	int seen = 0;

	OK(mkdir("d", 0755));
	OK(mkdir("d/sub", 0755));
	file_make("d/file", "", 0);
	OK(symlink("x", "d/link"));
	OK(mkfifo("d/fifo", 0600));
	OK(stat("d", &st));
	OK(stat(".", &up));
	CHECK((d = opendir("d")) != NULL);
	for (struct dirent *e; (e = readdir(d)); seen++) {
		if (!strcmp(e->d_name, "."))
			CHECK_EQ(e->d_ino, st.st_ino);
		else if (!strcmp(e->d_name, ".."))
			CHECK_EQ(e->d_ino, up.st_ino);
		else if (e->d_type != DT_UNKNOWN)
			CHECK_EQ(e->d_type,
				!strcmp(e->d_name, "sub")            ? DT_DIR
					: !strcmp(e->d_name, "file") ? DT_REG
					: !strcmp(e->d_name, "link") ? DT_LNK
								     : DT_FIFO);
	}
	CHECK_EQ(seen, 6);
	rewinddir(d);
	CHECK(readdir(d) != NULL);
}

TEST_LIMIT(a_thousand_entries, 60)
{
	enum { N = 1000 };
	static char seen[N];
	DIR *d;
	int n = 0;

	OK(mkdir("d", 0755));
	for (int i = 0; i < N; i++)
		touch_nr("d", i);
	CHECK((d = opendir("d")) != NULL);
	for (struct dirent *e; (e = readdir(d));) {
		if (e->d_name[0] == '.')
			continue;
		int nr = atoi(e->d_name + 13);
		CHECK(nr >= 0 && nr < N && !seen[nr]);
		seen[nr] = 1;
		n++;
	}
	closedir(d);
	CHECK_EQ(n, N);
	for (int i = 0; i < N; i += 2)
		OK(unlink_nr("d", i));
	CHECK_EQ(count_entries("d"), N / 2);
	for (int i = 0; i < N; i += 4)
		touch_nr("d", i);
	CHECK_EQ(count_entries("d"), N / 2 + N / 4);
	ERR(rmdir("d"), ENOTEMPTY);
	for (int i = 0; i < N; i++)
		unlink_nr("d", i);
	CHECK_EQ(count_entries("d"), 0);
	OK(rmdir("d"));
}

TEST(removing_while_reading_visits_each_once)
{
	enum { N = 300 };
	DIR *d;
	int n = 0;

	OK(mkdir("d", 0755));
	for (int i = 0; i < N; i++)
		touch_nr("d", i);
	CHECK((d = opendir("d")) != NULL);
	for (struct dirent *e; (e = readdir(d));) {
		if (e->d_name[0] == '.')
			continue;
		OK(unlinkat(dirfd(d), e->d_name, 0));
		n++;
	}
	closedir(d);
	CHECK_EQ(n, N);
	CHECK_EQ(count_entries("d"), 0);
}

TEST(entries_that_stay_are_seen_while_others_change)
{
	enum { N = 200 };
	static char seen[N];
	DIR *d;
	int k = N;

	OK(mkdir("d", 0755));
	for (int i = 0; i < N; i++)
		touch_nr("d", i);
	CHECK((d = opendir("d")) != NULL);
	for (struct dirent *e; (e = readdir(d));) {
		if (e->d_name[0] == '.')
			continue;
		int nr = atoi(e->d_name + 13);
		if (nr < N) {
			CHECK(!seen[nr]);
			seen[nr] = 1;
		}
		if (k < 2 * N) { /* churn beside them */
			touch_nr("d", k);
			if (k > N + 5)
				OK(unlink_nr("d", k - 5));
			k++;
		}
	}
	closedir(d);
	for (int i = 0; i < N; i++)
		if (!seen[i])
			FAIL("entry %d was missed", i);
}

TEST(seekdir_returns_to_a_place)
{
	DIR *d;
	long at;
	char name[300];

	OK(mkdir("d", 0755));
	for (int i = 0; i < 40; i++)
		touch_nr("d", i);
	CHECK((d = opendir("d")) != NULL);
	for (int i = 0; i < 10; i++)
		CHECK(readdir(d) != NULL);
	at = telldir(d);
	struct dirent *e = readdir(d);
	strcpy(name, e->d_name);
	while (readdir(d))
		;
	seekdir(d, at);
	e = readdir(d);
	CHECK(e != NULL);
	CHECK_STR(e->d_name, name);
}

TEST(small_buffers)
{
	char buf[32];
	int fd = OK(open(".", O_RDONLY | O_DIRECTORY));

	ERR(syscall(SYS_getdents64, fd, buf, 8), EINVAL); /* not even one entry */
	CHECK(OK(syscall(SYS_getdents64, fd, buf, 24)) > 0);
	file_make("f", "", 0);
	ERR(syscall(SYS_getdents64, OK(open("f", O_RDONLY)), buf, 32), ENOTDIR);
}

TEST(link_counts_of_directories)
{
	struct stat st;

	OK(mkdir("d", 0755));
	OK(stat("d", &st));
	long base = st.st_nlink;
	CHECK(base == 2 || base == 1);
	OK(mkdir("d/a", 0755));
	OK(mkdir("d/b", 0755));
	OK(stat("d", &st));
	CHECK_EQ(st.st_nlink, base == 2 ? 4 : 1);
	OK(rmdir("d/a"));
	OK(stat("d", &st));
	CHECK_EQ(st.st_nlink, base == 2 ? 3 : 1);
}

TEST(mkdir_and_rmdir_errors)
{
	OK(mkdir("d", 0755));
	ERR(mkdir("d", 0755), EEXIST);
	ERR(mkdir("missing/x", 0755), ENOENT);
	file_make("f", "", 0);
	ERR(mkdir("f", 0755), EEXIST);
	ERR(mkdir("f/x", 0755), ENOTDIR);
	ERR(mkdir("/", 0755), EEXIST);
	OK(symlink("nowhere", "l"));
	ERR(mkdir("l", 0755), EEXIST);
	OK(mkdir("slash/", 0755));
	ERR(rmdir("f"), ENOTDIR);
	ERR(rmdir("missing"), ENOENT);
	ERR(rmdir("d/."), EINVAL);
	OK(mkdir("d/e", 0755));
	errno = 0;
	CHECK(rmdir("d/e/..") == -1 && (errno == ENOTEMPTY || errno == EBUSY));
	ERR(unlink("d"), EISDIR);
	errno = 0;
	CHECK(rmdir("/") == -1 && errno == EBUSY);
	OK(symlink("d", "ld"));
	ERR(rmdir("ld"), ENOTDIR);
}

TEST(a_removed_directory_that_is_in_use)
{
	char buf[PATH_MAX];

	OK(mkdir("d", 0755));
	int fd = OK(open("d", O_RDONLY | O_DIRECTORY));
	OK(chdir("d"));
	OK(rmdir("../d"));
	ERR(getcwd(buf, sizeof(buf)) ? 0 : -1, ENOENT);
	ERR(open("f", O_CREAT | O_WRONLY, 0644), ENOENT);
	ERR(mkdirat(fd, "x", 0755), ENOENT);
	CHECK_EQ(syscall(SYS_getdents64, fd, buf, sizeof(buf)) <= 0, 1);
	OK(chdir(".."));
}

TEST(cwd_follows_renames)
{
	char a[PATH_MAX], b[PATH_MAX + 16];

	CHECK(getcwd(a, sizeof(a)) != NULL);
	OK(mkdir("d", 0755));
	OK(mkdir("d/e", 0755));
	OK(chdir("d/e"));
	OK(rename("../../d", "../../renamed"));
	char got[PATH_MAX];
	CHECK(getcwd(got, sizeof(got)) != NULL);
	snprintf(b, sizeof(b), "%s/renamed/e", a);
	CHECK_STR(got, b);
	ERR(syscall(SYS_getcwd, got, 3L), ERANGE);
	ERR(chdir("nowhere"), ENOENT);
	int fd = OK(open("..", O_RDONLY));
	OK(fchdir(fd));
	CHECK(getcwd(got, sizeof(got)) != NULL);
	CHECK(strcmp(strrchr(got, '/'), "/renamed") == 0);
	file_make("f", "", 0);
	ERR(chdir("f"), ENOTDIR);
	ERR(fchdir(OK(open("f", O_RDONLY))), ENOTDIR);
}

TEST(deep_trees)
{
	char cwd[PATH_MAX];

	for (int i = 0; i < 100; i++) {
		OK(mkdir("deeper", 0755));
		OK(chdir("deeper"));
	}
	CHECK(getcwd(cwd, sizeof(cwd)) != NULL);
	CHECK(strlen(cwd) > 700);
	file_make("f", "deep", 4);
	for (int i = 0; i < 100; i++)
		OK(chdir(".."));
}

TEST_MAIN
