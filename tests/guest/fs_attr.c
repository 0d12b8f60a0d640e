/* stat fields, mode, owner, times, statfs, statx, device nodes. */
#include "test.h"
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

TEST(stat_of_each_kind)
{
	struct stat st;

	file_make("f", "12345", 5);
	OK(stat("f", &st));
	CHECK_EQ(st.st_mode, S_IFREG | 0644);
	CHECK_EQ(st.st_size, 5);
	CHECK_EQ(st.st_nlink, 1);
	CHECK_EQ(st.st_uid, geteuid());
	CHECK_EQ(st.st_gid, getegid());
	CHECK(st.st_ino > 0);
	CHECK(st.st_blksize >= 512 && st.st_blksize <= 1 << 20);
	CHECK(st.st_blocks >= 0 && st.st_blocks <= 128);
	OK(stat(".", &st));
	CHECK(S_ISDIR(st.st_mode));
	OK(stat("/dev/null", &st));
	CHECK(S_ISCHR(st.st_mode));
	CHECK_EQ(major(st.st_rdev), 1);
	CHECK_EQ(minor(st.st_rdev), 3);
	int fds[2];
	OK(pipe(fds));
	OK(fstat(fds[0], &st));
	CHECK(S_ISFIFO(st.st_mode));
	ERR(fstat(99, &st), EBADF);
	ERR(stat("missing", &st), ENOENT);
}

TEST(the_same_file_is_the_same_device_and_inode)
{
	struct stat a, b;

	file_make("f", "", 0);
	file_make("g", "", 0);
	OK(stat("f", &a));
	OK(fstat(OK(open("f", O_RDONLY)), &b));
	CHECK(a.st_dev == b.st_dev && a.st_ino == b.st_ino);
	OK(stat("g", &b));
	CHECK(a.st_dev == b.st_dev && a.st_ino != b.st_ino);
	OK(stat("/proc", &b));
	CHECK(a.st_dev != b.st_dev);
}

TEST(blocks_follow_the_data)
{
	static char data[40960];
	struct stat st;

	file_make("f", data, sizeof(data));
	sync();
	OK(stat("f", &st));
	CHECK(st.st_blocks >= 80 && st.st_blocks <= 120);
	OK(truncate("f", 0));
	OK(stat("f", &st));
	CHECK(st.st_blocks <= 8);
}

TEST(chmod_all_bits)
{
	struct stat st;

	file_make("f", "", 0);
	for (int mode = 0; mode < 010000; mode += 01111 / 3) {
		OK(chmod("f", mode));
		OK(stat("f", &st));
		CHECK_EQ(st.st_mode, S_IFREG | mode);
	}
	int fd = OK(open("f", O_RDONLY));
	OK(fchmod(fd, 0123));
	OK(fstat(fd, &st));
	CHECK_EQ(st.st_mode & 07777, 0123);
	ERR(chmod("missing", 0), ENOENT);
	ERR(fchmod(99, 0), EBADF);
}

TEST(chown_parts)
{
	struct stat st;

	need_root();
	file_make("f", "", 0);
	OK(chown("f", 12, 34));
	OK(chown("f", -1, 56));
	OK(chown("f", 78, -1));
	OK(stat("f", &st));
	CHECK_EQ(st.st_uid, 78);
	CHECK_EQ(st.st_gid, 56);
	OK(chown("f", 100000, 3000000000u)); /* more than 16 bits */
	OK(stat("f", &st));
	CHECK_EQ(st.st_uid, 100000);
	CHECK_EQ(st.st_gid, 3000000000u);
	OK(symlink("f", "l"));
	OK(lchown("l", 1, 2));
	OK(lstat("l", &st));
	CHECK_EQ(st.st_uid, 1);
	OK(stat("f", &st));
	CHECK_EQ(st.st_uid, 100000);
	int fd = OK(open("f", O_RDONLY));
	OK(fchown(fd, 5, 6));
	OK(fstat(fd, &st));
	CHECK_EQ(st.st_gid, 6);
}

TEST(setting_times)
{
	struct timespec ts[2] = {{1000000000, 123456789}, {1100000000, 987654321}};
	struct stat st;

	file_make("f", "", 0);
	OK(utimensat(AT_FDCWD, "f", ts, 0));
	OK(stat("f", &st));
	CHECK_EQ(st.st_atim.tv_sec, 1000000000);
	CHECK_EQ(st.st_mtim.tv_sec, 1100000000);
	CHECK(st.st_mtim.tv_nsec == 987654321 || st.st_mtim.tv_nsec == 0); /* ext2 keeps seconds */
	ts[0].tv_nsec = UTIME_OMIT;
	ts[1].tv_nsec = UTIME_NOW;
	OK(utimensat(AT_FDCWD, "f", ts, 0));
	OK(stat("f", &st));
	CHECK_EQ(st.st_atim.tv_sec, 1000000000);
	CHECK(st.st_mtim.tv_sec >= 1600000000);
	OK(utimensat(AT_FDCWD, "f", NULL, 0));
	OK(futimens(OK(open("f", O_RDONLY)), NULL));
	ts[0].tv_nsec = 1000000000;
	ERR(utimensat(AT_FDCWD, "f", ts, 0), EINVAL);
	ERR(utimensat(AT_FDCWD, "missing", NULL, 0), ENOENT);
	OK(symlink("f", "l"));
	ts[0] = ts[1] = (struct timespec){5000, 0};
	OK(utimensat(AT_FDCWD, "l", ts, AT_SYMLINK_NOFOLLOW));
	OK(lstat("l", &st));
	CHECK_EQ(st.st_mtim.tv_sec, 5000);
}

static void age(const char *path)
{
	struct timespec ts[2] = {{1000, 0}, {1000, 0}};

	OK(utimensat(AT_FDCWD, path, ts, 0));
}

TEST(what_changes_the_times)
{
	struct stat st;
	int fd;

	file_make("f", "x", 1);
	age("f");
	fd = OK(open("f", O_WRONLY));
	OK(stat("f", &st));
	CHECK_EQ(st.st_mtim.tv_sec, 1000);
	CHECK_EQ(write(fd, "y", 1), 1);
	OK(close(fd));
	OK(stat("f", &st));
	CHECK(st.st_mtim.tv_sec > 1000000);
	age("f");
	OK(truncate("f", 5));
	OK(stat("f", &st));
	CHECK(st.st_mtim.tv_sec > 1000000);
	age("f");
	OK(chmod("f", 0600));
	OK(stat("f", &st));
	CHECK_EQ(st.st_mtim.tv_sec, 1000);
	CHECK(st.st_ctim.tv_sec > 1000000);
	OK(mkdir("d", 0755));
	age("d");
	file_make("d/x", "", 0);
	OK(stat("d", &st));
	CHECK(st.st_mtim.tv_sec > 1000000);
	age("d");
	OK(unlink("d/x"));
	OK(stat("d", &st));
	CHECK(st.st_mtim.tv_sec > 1000000);
}

TEST(statfs_is_sane)
{
	struct statfs a, b;
	struct statvfs v;

	OK(statfs(".", &a));
	CHECK(a.f_bsize >= 512);
	CHECK(a.f_blocks > 0);
	CHECK(a.f_bfree <= a.f_blocks && a.f_bavail <= a.f_bfree);
	CHECK(a.f_namelen == 255);
	OK(fstatfs(OK(open(".", O_RDONLY)), &b));
	CHECK_EQ(a.f_type, b.f_type);
	OK(statfs("/proc", &b));
	CHECK_EQ(b.f_type, 0x9fa0);
	OK(statvfs(".", &v));
	CHECK_EQ(v.f_namemax, 255);
	ERR(statfs("missing", &a), ENOENT);
	ERR(fstatfs(99, &a), EBADF);
}

TEST(statx_agrees_with_stat)
{
	struct statx sx;
	struct stat st;

	file_make("f", "abc", 3);
	if (statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &sx) < 0 && errno == ENOSYS)
		SKIP("no statx");
	OK(stat("f", &st));
	CHECK_EQ(sx.stx_size, 3);
	CHECK_EQ(sx.stx_mode, st.st_mode);
	CHECK_EQ(sx.stx_ino, st.st_ino);
	CHECK_EQ(sx.stx_nlink, 1);
	CHECK_EQ(sx.stx_mtime.tv_sec, st.st_mtim.tv_sec);
	CHECK((sx.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS);
	CHECK_EQ(makedev(sx.stx_dev_major, sx.stx_dev_minor), st.st_dev);
}

TEST(device_nodes_made_by_mknod_work)
{
	struct stat st;
	char c = 1;

	need_root();
	OK(mknod("null", S_IFCHR | 0666, makedev(1, 3)));
	OK(mknod("zero", S_IFCHR | 0666, makedev(1, 5)));
	OK(stat("zero", &st));
	CHECK_EQ(st.st_rdev, makedev(1, 5));
	int fd = open("zero", O_RDONLY);
	if (fd < 0) {
		CHECK_EQ(errno, EACCES); /* mounted nodev */
		SKIP("mounted nodev");
	}
	CHECK_EQ(read(fd, &c, 1), 1);
	CHECK_EQ(c, 0);
	OK(mknod("none", S_IFCHR | 0666, makedev(250, 250)));
	ERR(open("none", O_RDONLY), ENXIO);
	OK(mknod("plain", S_IFREG | 0644, 0));
	OK(mknod("plain0", 0644, 0)); /* no type means a regular file */
	ERR(mknod("d", S_IFDIR | 0755, 0), EPERM);
	ERR(mknod("null", S_IFCHR | 0666, 0), EEXIST);
}

TEST(extended_attributes_are_refused_or_kept)
{
	char buf[8];

	file_make("f", "", 0);
	long r = syscall(SYS_getxattr, "f", "user.none", buf, sizeof(buf));
	CHECK(r == -1 && (errno == ENODATA || errno == EOPNOTSUPP || errno == ENOSYS));
	r = syscall(SYS_listxattr, "f", NULL, 0);
	CHECK(r >= 0 || errno == EOPNOTSUPP || errno == ENOSYS);
}

TEST_MAIN
