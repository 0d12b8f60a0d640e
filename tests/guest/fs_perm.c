/* Permission checks on files for a user who is not root. */
#include "test.h"
#include <grp.h>

enum { USER = 1000, GROUP = 1100, EXTRA = 1200 };

static void become_user(void)
{
	gid_t extra = EXTRA;

	OK(setgroups(1, &extra));
	OK(setgid(GROUP));
	OK(setuid(USER));
}

#define AS_USER(...) IN_CHILD(become_user(); __VA_ARGS__)

static void file_with(const char *name, uid_t uid, gid_t gid, mode_t mode)
{
	file_make(name, "data", 4);
	OK(chown(name, uid, gid));
	OK(chmod(name, mode));
}

static int can(const char *name, int flags)
{
	int fd = open(name, flags);

	if (fd < 0)
		CHECK_EQ(errno, EACCES);
	else
		close(fd);
	return fd >= 0;
}

TEST(owner_group_and_other_bits)
{
	static const struct {
		const char *name;
		uid_t uid;
		gid_t gid;
		mode_t mode;
		int rd, wr;
	} t[] = {
		{"own-r", USER, 0, 0400, 1, 0},
		{"own-w", USER, 0, 0200, 0, 1},
		{"own-none", USER, GROUP, 077, 0, 0}, /* the owner class decides alone */
		{"grp-r", 0, GROUP, 0040, 1, 0},
		{"grp-w", 0, GROUP, 0020, 0, 1},
		{"grp-none", 0, GROUP, 0707, 0, 0},
		{"ext-rw", 0, EXTRA, 0060, 1, 1},
		{"oth-r", 0, 0, 0004, 1, 0},
		{"oth-w", 0, 0, 0002, 0, 1},
		{"oth-none", 0, 0, 0770, 0, 0},
	};

	need_root();
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		file_with(t[i].name, t[i].uid, t[i].gid, t[i].mode);
	AS_USER(for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		if (can(t[i].name, O_RDONLY) != t[i].rd || can(t[i].name, O_WRONLY) != t[i].wr)
			FAIL("%s", t[i].name);
		if (can(t[i].name, O_RDWR) != (t[i].rd && t[i].wr))
			FAIL("%s rdwr", t[i].name);
		if ((access(t[i].name, R_OK) == 0) != t[i].rd || (access(t[i].name, W_OK) == 0) != t[i].wr)
			FAIL("%s access", t[i].name);
	});
}

TEST(root_reads_all_but_executes_only_with_a_bit)
{
	need_root();
	file_with("f", USER, GROUP, 0);
	CHECK(can("f", O_RDWR));
	ERR(access("f", X_OK), EACCES);
	OK(chmod("f", 001));
	OK(access("f", X_OK));
}

TEST(directories_need_search_read_and_write)
{
	struct stat st;

	need_root();
	OK(mkdir("d", 0755));
	file_make("d/f", "x", 1);
	OK(chmod("d", 0744)); /* readable, not searchable */
	AS_USER(ERR(stat("d/f", &st), EACCES); ERR(chdir("d"), EACCES); OK(close(OK(open("d", O_RDONLY)))));
	OK(chmod("d", 0711)); /* searchable, not readable */
	AS_USER(OK(stat("d/f", &st)); ERR(open("d", O_RDONLY), EACCES); OK(chdir("d")));
	OK(chmod("d", 0755)); /* not writable */
	AS_USER(ERR(open("d/new", O_CREAT | O_WRONLY, 0644), EACCES); ERR(mkdir("d/new", 0755), EACCES);
		ERR(unlink("d/f"), EACCES); ERR(rename("d/f", "d/g"), EACCES); ERR(symlink("x", "d/l"), EACCES);
		ERR(link("d/f", "d/h"), EACCES == errno ? EACCES : EPERM); ERR(rmdir("d"), EACCES));
	OK(chmod("d", 0777));
	AS_USER(file_make("d/new", "x", 1); OK(unlink("d/f"))); /* another's file in a writable directory */
}

TEST(sticky_directory_protects_others_files)
{
	need_root();
	OK(mkdir("d", 0755));
	OK(chmod("d", 01777));
	file_make("d/roots", "x", 1);
	file_with("d/mine", USER, GROUP, 0644);
	OK(mkdir("d/dir", 0777));
	AS_USER(ERR(unlink("d/roots"), EPERM); ERR(rename("d/roots", "d/x"), EPERM); ERR(rmdir("d/dir"), EPERM);
		ERR(rename("d/mine", "d/roots"), EPERM); OK(rename("d/mine", "d/mine2")); OK(unlink("d/mine2")));
}

TEST(only_the_owner_changes_mode_and_times)
{
	struct timespec now[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}}, set[2] = {{1000, 0}, {2000, 0}};

	need_root();
	file_with("roots", 0, 0, 0666);
	file_with("mine", USER, GROUP, 0600);
	AS_USER(ERR(chmod("roots", 0777), EPERM); OK(chmod("mine", 0640)); ERR(chown("roots", USER, -1), EPERM);
		ERR(chown("mine", 0, -1), EPERM); OK(chown("mine", USER, EXTRA)); OK(chown("mine", -1, GROUP));
		ERR(chown("mine", -1, 4), EPERM); ERR(utimensat(AT_FDCWD, "roots", set, 0), EPERM);
		OK(utimensat(AT_FDCWD, "roots", now, 0)); OK(utimensat(AT_FDCWD, "mine", set, 0)));
	OK(chmod("roots", 0644));
	AS_USER(ERR(utimensat(AT_FDCWD, "roots", now, 0), EACCES));
}

TEST(set_id_bits_fall_on_write_and_chown)
{
	struct stat st;

	need_root();
	file_with("f", USER, GROUP, 06755);
	AS_USER(int fd = OK(open("f", O_WRONLY)); CHECK_EQ(write(fd, "x", 1), 1));
	OK(stat("f", &st));
	CHECK_EQ(st.st_mode & 07777, 0755);
	OK(chmod("f", 06755));
	AS_USER(OK(chown("f", -1, EXTRA)));
	OK(stat("f", &st));
	CHECK_EQ(st.st_mode & 07777, 0755);
	file_with("g", USER, 5, 0755);
	AS_USER(OK(chmod("g", 02755))); /* not a member of group 5: the bit is dropped */
	OK(stat("g", &st));
	CHECK_EQ(st.st_mode & 07777, 0755);
}

TEST(open_rights_are_checked_once)
{
	char c;

	need_root();
	file_with("f", 0, 0, 0644);
	IN_CHILD(int fd = OK(open("f", O_RDWR)); become_user(); OK(chmod("f", 0) == -1 ? 0 : -1);
		 CHECK_EQ(read(fd, &c, 1), 1); CHECK_EQ(write(fd, "y", 1), 1));
}

TEST(faccessat_with_the_real_or_effective_ids)
{
	need_root();
	file_with("f", USER, GROUP, 0600);
	IN_CHILD(OK(setegid(GROUP)); OK(seteuid(2000)); ERR(faccessat(AT_FDCWD, "f", R_OK, AT_EACCESS), EACCES);
		 OK(access("f", R_OK))); /* the real user is root */
	ERR(access("f", 8), EINVAL);
	ERR(access("missing", F_OK), ENOENT);
}

TEST(truncate_needs_write_permission)
{
	need_root();
	file_with("f", 0, 0, 0644);
	AS_USER(ERR(truncate("f", 0), EACCES); ERR(open("f", O_RDONLY | O_TRUNC), EACCES);
		ERR(execl("./f", "f", NULL), EACCES));
	struct stat st;
	OK(stat("f", &st));
	CHECK_EQ(st.st_size, 4);
}

TEST(only_the_owner_reads_without_a_trace)
{
	int fd;

	need_root();
	file_with("f", 0, 0, 0666);
	AS_USER(fd = OK(open("f", O_RDWR)); ERR(fcntl(fd, F_SETFL, O_NOATIME | O_APPEND), EPERM);
		CHECK_EQ(fcntl(fd, F_GETFL) & (O_NOATIME | O_APPEND), 0); OK(fcntl(fd, F_SETFL, O_APPEND)));
	fd = OK(open("f", O_RDWR));
	OK(fcntl(fd, F_SETFL, O_NOATIME));
	CHECK_EQ(fcntl(fd, F_GETFL) & O_NOATIME, O_NOATIME);
}

TEST_MAIN
