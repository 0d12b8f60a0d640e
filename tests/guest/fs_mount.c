/* mount and umount of tmpfs, chroot, disk full on a small tmpfs. */
#include "test.h"
#include <sys/mount.h>
#include <sys/statfs.h>

static void mount_tmpfs(const char *dir, const char *options)
{
	need_root();
	OK(mkdir(dir, 0755));
	if (mount("none", dir, "tmpfs", 0, options) < 0) {
		if (errno == EPERM)
			SKIP("mounting is not allowed here");
		FAIL("mount: %s", strerror(errno));
	}
}

TEST(a_mount_covers_and_uncovers)
{
	struct stat a, b;

	need_root();
	OK(mkdir("m", 0755));
	file_make("m/under", "", 0);
	OK(rename("m", "n"));
	OK(stat("n", &a));
	if (mount("none", "n", "tmpfs", 0, "size=1m") < 0)
		SKIP("mounting is not allowed here");
	OK(stat("n", &b));
	CHECK(a.st_dev != b.st_dev);
	ERR(access("n/under", F_OK), ENOENT);
	file_make("n/over", "x", 1);
	ERR(rmdir("n"), EBUSY);
	ERR(rename("n", "o"), EBUSY);
	ERR(rename("n/over", "over"), EXDEV);
	ERR(link("n/over", "over"), EXDEV);
	OK(stat("n/..", &a));
	OK(stat(".", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	OK(umount("n"));
	OK(access("n/under", F_OK));
	ERR(access("n/over", F_OK), ENOENT);
}

TEST(busy_mounts_stay)
{
	mount_tmpfs("m", "size=1m");
	int fd = OK(open("m/f", O_CREAT | O_RDWR, 0644));
	ERR(umount("m"), EBUSY);
	OK(close(fd));
	OK(chdir("m"));
	ERR(umount("../m"), EBUSY);
	OK(chdir(".."));
	OK(umount("m"));
	ERR(umount("m"), EINVAL);
}

TEST(lazy_unmount_lets_users_finish)
{
	char c;

	mount_tmpfs("m", "size=1m");
	int fd = OK(open("m/f", O_CREAT | O_RDWR, 0644));
	CHECK_EQ(write(fd, "q", 1), 1);
	if (umount2("m", MNT_DETACH) < 0) {
		OK(close(fd));
		OK(umount("m"));
		SKIP("no MNT_DETACH");
	}
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	ERR(access("m/f", F_OK), ENOENT);
}

TEST(read_only_mounts_refuse_writes)
{
	mount_tmpfs("m", "size=1m");
	file_make("m/f", "x", 1);
	if (mount("none", "m", "tmpfs", MS_REMOUNT | MS_RDONLY, "size=1m") < 0) {
		OK(umount("m"));
		SKIP("no remount");
	}
	int ok = open("m/f", O_WRONLY) == -1 && errno == EROFS && open("m/g", O_CREAT | O_WRONLY, 0644) == -1 &&
		errno == EROFS && mkdir("m/d", 0755) == -1 && errno == EROFS && unlink("m/f") == -1 && errno == EROFS &&
		chmod("m/f", 0) == -1 && errno == EROFS && rename("m/f", "m/h") == -1 && errno == EROFS &&
		access("m/f", W_OK) == -1 && errno == EROFS && truncate("m/f", 0) == -1 && errno == EROFS;
	int err = errno;
	char c;
	int fd = OK(open("m/f", O_RDONLY));
	CHECK_EQ(read(fd, &c, 1), 1);
	OK(close(fd));
	OK(umount("m"));
	errno = err;
	CHECK(ok);
}

TEST(mount_errors)
{
	need_root();
	OK(mkdir("m", 0755));
	file_make("f", "", 0);
	errno = 0;
	if (mount("none", "m", "nosuchfs", 0, NULL) < 0 && errno == EPERM)
		SKIP("mounting is not allowed here");
	ERR(mount("none", "m", "nosuchfs", 0, NULL), ENODEV);
	ERR(mount("none", "missing", "tmpfs", 0, NULL), ENOENT);
	ERR(mount("none", "f", "tmpfs", 0, NULL), ENOTDIR);
	ERR(mount("/dev/null", "m", "ext4", 0, NULL), ENOTBLK);
	ERR(mount("/dev/missing", "m", "ext4", 0, NULL), ENOENT);
	ERR(umount("missing"), ENOENT);
	ERR(umount("m"), EINVAL);
}

TEST(mount_table_shows_it)
{
	static char text[65536];

	mount_tmpfs("shown", "size=1m");
	file_read("/proc/mounts", text, sizeof(text));
	char *at = strstr(text, "/shown tmpfs ");
	OK(umount("shown"));
	CHECK(at != NULL);
	file_read("/proc/mounts", text, sizeof(text));
	CHECK(strstr(text, "/shown tmpfs ") == NULL);
}

TEST(full_tmpfs_is_enospc_and_recovers)
{
	static char block[4096];
	struct statfs st;
	long written = 0, n = 0;

	mount_tmpfs("m", "size=256k");
	int fd = OK(open("m/fill", O_CREAT | O_RDWR, 0644));
	while ((n = write(fd, block, sizeof(block))) > 0)
		written += n;
	int err = errno;
	long more = write(fd, block, 1);
	int small = open("m/small", O_CREAT | O_WRONLY, 0644);
	OK(statfs("m", &st));
	OK(ftruncate(fd, 0));
	long again = write(fd, block, sizeof(block));
	close(small);
	OK(close(fd));
	OK(umount("m"));
	CHECK_EQ(n, -1);
	CHECK_EQ(err, ENOSPC);
	CHECK(written <= 256 * 1024 && written >= 200 * 1024);
	CHECK_EQ(more, -1);
	CHECK(st.f_bfree <= 1);
	CHECK_EQ(again, 4096);
}

TEST(a_hole_on_a_full_file_system_is_sigbus)
{
	static char block[4096];

	mount_tmpfs("m", "size=64k");
	int fd = OK(open("m/map", O_CREAT | O_RDWR, 0644)), fill = OK(open("m/fill", O_CREAT | O_RDWR, 0644));
	OK(ftruncate(fd, 8192));
	volatile char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	while (write(fill, block, sizeof(block)) > 0)
		;
	pid_t pid = OK(fork());
	if (pid == 0) {
		p[4096] = 1;
		_exit(0);
	}
	int st = wait_status(pid);
	OK(munmap((void *)p, 8192));
	OK(close(fd));
	OK(close(fill));
	OK(umount("m"));
	CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGBUS);
}

TEST(chroot_bounds_paths)
{
	struct stat st;
	char cwd[PATH_MAX];

	need_root();
	OK(mkdir("jail", 0755));
	OK(mkdir("jail/in", 0755));
	file_make("jail/in/f", "", 0);
	file_make("out", "", 0);
	OK(symlink("/in/f", "jail/abs"));
	int outside = OK(open(".", O_RDONLY));
	IN_CHILD(OK(chroot("jail")); OK(chdir("/")); CHECK(getcwd(cwd, sizeof(cwd)) != NULL); CHECK_STR(cwd, "/");
		 OK(stat("/in/f", &st)); OK(stat("/abs", &st)); ERR(stat("/out", &st), ENOENT);
		 ERR(stat("/../out", &st), ENOENT); ERR(stat("../../out", &st), ENOENT);
		 OK(fstatat(outside, "out", &st, 0)));
	ERR(chroot("out"), ENOTDIR);
	ERR(chroot("missing"), ENOENT);
}

TEST(bind_or_refuse)
{
	need_root();
	OK(mkdir("a", 0755));
	OK(mkdir("b", 0755));
	file_make("a/f", "", 0);
	if (mount("a", "b", NULL, MS_BIND, NULL) < 0)
		SKIP("no bind mounts");
	int seen = access("b/f", F_OK);
	OK(umount("b"));
	CHECK_EQ(seen, 0);
}

TEST_MAIN
