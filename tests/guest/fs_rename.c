/* rename in all its forms. */
#include "test.h"

static ino_t ino_of(const char *path)
{
	struct stat st;

	OK(lstat(path, &st));
	return st.st_ino;
}

TEST(moves_and_replaces_files)
{
	char buf[16];
	struct stat st;

	file_make("a", "A", 1);
	ino_t a = ino_of("a");
	OK(rename("a", "b"));
	ERR(access("a", F_OK), ENOENT);
	CHECK_EQ(ino_of("b"), a);
	file_make("c", "C", 1);
	int fd = OK(open("c", O_RDONLY));
	OK(rename("b", "c"));
	CHECK_EQ(ino_of("c"), a);
	file_read("c", buf, sizeof(buf));
	CHECK_STR(buf, "A");
	CHECK_EQ(read(fd, buf, 1), 1); /* the replaced one lives while open */
	CHECK_EQ(buf[0], 'C');
	OK(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 0);
	OK(rename("c", "c"));
	OK(mkdir("d", 0755));
	OK(rename("c", "d/x"));
	CHECK_EQ(ino_of("d/x"), a);
}

TEST(two_names_of_one_file_is_a_no_op)
{
	file_make("a", "A", 1);
	OK(link("a", "b"));
	OK(rename("a", "b"));
	OK(access("a", F_OK));
	OK(access("b", F_OK));
}

TEST(directories_move_with_their_content)
{
	struct stat st;

	OK(mkdir("a", 0755));
	OK(mkdir("a/sub", 0755));
	file_make("a/sub/f", "x", 1);
	OK(mkdir("b", 0755));
	OK(rename("a/sub", "b/moved"));
	OK(access("b/moved/f", F_OK));
	OK(stat("b/moved/..", &st));
	CHECK_EQ(st.st_ino, ino_of("b"));
	OK(stat("b", &st));
	CHECK(st.st_nlink == 3 || st.st_nlink == 1);
	OK(stat("a", &st));
	CHECK(st.st_nlink == 2 || st.st_nlink == 1);
	OK(rmdir("a"));
}

TEST(kinds_must_match)
{
	file_make("f", "", 0);
	OK(mkdir("empty", 0755));
	OK(mkdir("full", 0755));
	file_make("full/x", "", 0);
	OK(mkdir("d", 0755));
	ERR(rename("f", "d"), EISDIR);
	ERR(rename("d", "f"), ENOTDIR);
	ERR(rename("d", "full"), ENOTEMPTY);
	OK(rename("d", "empty"));
	ERR(access("d", F_OK), ENOENT);
	OK(rename("full", "empty"));
	OK(access("empty/x", F_OK));
}

TEST(a_directory_into_itself_is_einval)
{
	OK(mkdir("d", 0755));
	OK(mkdir("d/e", 0755));
	ERR(rename("d", "d/x"), EINVAL);
	ERR(rename("d", "d/e/x"), EINVAL);
	ERR(rename("d/e", "d"), ENOTEMPTY);
	ERR(rename("d/.", "x"), EBUSY);
	ERR(rename("d", "d/.."), EBUSY);
	OK(rename("d", "d"));
}

TEST(missing_and_odd_names)
{
	file_make("f", "", 0);
	ERR(rename("missing", "x"), ENOENT);
	ERR(rename("f", "missing/x"), ENOENT);
	ERR(rename("f", "f/x"), ENOTDIR);
	ERR(rename("f", ""), ENOENT);
	ERR(rename("", "x"), ENOENT);
	ERR(rename("f/", "x"), ENOTDIR);
	ERR(rename("f", "x/"), ENOTDIR);
	OK(mkdir("d", 0755));
	OK(rename("d", "e/"));
	OK(rename("e/", "d"));
}

TEST(symlinks_are_moved_not_followed)
{
	struct stat st;

	file_make("f", "", 0);
	OK(symlink("f", "l"));
	OK(rename("l", "m"));
	OK(lstat("m", &st));
	CHECK(S_ISLNK(st.st_mode));
	file_make("g", "", 0);
	OK(rename("g", "m")); /* replaces the link, not its target */
	OK(lstat("m", &st));
	CHECK(S_ISREG(st.st_mode));
	OK(access("f", F_OK));
}

TEST(noreplace_and_exchange)
{
	file_make("a", "A", 1);
	file_make("b", "B", 1);
	if (renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE) < 0 && errno == ENOSYS)
		SKIP("no renameat2");
	ERR(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE), EEXIST);
	OK(renameat2(AT_FDCWD, "a", AT_FDCWD, "c", RENAME_NOREPLACE));
	ERR(renameat2(AT_FDCWD, "b", AT_FDCWD, "c", 0x80), EINVAL);
	ERR(renameat2(AT_FDCWD, "b", AT_FDCWD, "c", RENAME_NOREPLACE | RENAME_EXCHANGE), EINVAL);
	ino_t b = ino_of("b"), c = ino_of("c");
	if (renameat2(AT_FDCWD, "b", AT_FDCWD, "c", RENAME_EXCHANGE) < 0 && errno == EINVAL)
		return; /* Linux file systems without exchange answer so */
	CHECK_EQ(ino_of("b"), c);
	CHECK_EQ(ino_of("c"), b);
}

TEST(across_file_systems_is_exdev)
{
	file_make("f", "", 0);
	ERR(rename("f", "/proc/f"), EXDEV);
}

TEST_LIMIT(racing_renames_keep_one_file, 60)
{
	pid_t pids[4];
	int n = 0;
	char name[16];

	file_make("x0", "only", 4);
	for (int w = 0; w < 4; w++) {
		pids[w] = OK(fork());
		if (pids[w] == 0) {
			uint32_t seed = w + 1;
			char from[16], to[16];

			for (int i = 0; i < 300; i++) {
				snprintf(from, sizeof(from), "x%d", rnd(&seed) % 5);
				snprintf(to, sizeof(to), "x%d", rnd(&seed) % 5);
				if (rename(from, to) < 0)
					CHECK_EQ(errno, ENOENT);
			}
			_exit(0);
		}
	}
	for (int w = 0; w < 4; w++)
		wait_ok(pids[w]);
	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "x%d", i);
		n += access(name, F_OK) == 0;
	}
	CHECK_EQ(n, 1);
}

/* Moving directories below each other from several processes must never make a loop or lose one. */
TEST_LIMIT(racing_directory_moves_make_no_loop, 60)
{
	pid_t pids[3];
	int found = 0;

	for (int i = 0; i < 4; i++) {
		char name[8] = {'d', '0' + i, 0};
		OK(mkdir(name, 0755));
	}
	char base[PATH_MAX];
	CHECK(getcwd(base, sizeof(base)) != NULL);
	int fds[4];
	for (int i = 0; i < 4; i++) {
		char name[8] = {'d', '0' + i, 0};
		fds[i] = OK(open(name, O_RDONLY | O_DIRECTORY));
	}
	int top = OK(open(".", O_RDONLY | O_DIRECTORY));
	for (int w = 0; w < 3; w++) {
		pids[w] = OK(fork());
		if (pids[w] == 0) {
			uint32_t seed = w * 77 + 5;

			for (int i = 0; i < 300; i++) {
				int a = rnd(&seed) % 4, from = rnd(&seed) % 5, to = rnd(&seed) % 5;
				char name[8] = {'d', '0' + a, 0};

				if (renameat(from == 4 ? top : fds[from], name, to == 4 ? top : fds[to], name) < 0)
					CHECK(errno == ENOENT || errno == EINVAL || errno == ENOTEMPTY ||
						errno == EBUSY);
			}
			_exit(0);
		}
	}
	for (int w = 0; w < 3; w++)
		wait_ok(pids[w]);
	for (int i = 0; i < 4; i++) { /* each still reaches the top through ".." */
		int fd = OK(dup(fds[i])), steps = 0;
		struct stat a, b;

		OK(fstat(top, &b));
		do {
			int up = OK(openat(fd, "..", O_RDONLY | O_DIRECTORY));

			OK(close(fd));
			fd = up;
			OK(fstat(fd, &a));
			CHECK(++steps < 10);
		} while (a.st_ino != b.st_ino);
		OK(close(fd));
		found++;
	}
	CHECK_EQ(found, 4);
}

TEST_MAIN
