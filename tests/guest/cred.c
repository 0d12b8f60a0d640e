/* User and group ids: who may become whom; supplementary groups; umask. */
#include "test.h"
#include <grp.h>
#include <sys/fsuid.h>

/* The raw calls: glibc's wrappers act on all threads. */
TEST(root_may_become_anyone_and_not_return)
{
	need_root();
	IN_CHILD(uid_t r, e, s; OK(setuid(1000)); OK(getresuid(&r, &e, &s)); CHECK_EQ(r, 1000); CHECK_EQ(e, 1000);
		 CHECK_EQ(s, 1000); ERR(setuid(0), EPERM); ERR(seteuid(0), EPERM); ERR(setuid(1001), EPERM);
		 OK(setuid(1000)));
}

TEST(effective_only_can_return)
{
	need_root();
	IN_CHILD(uid_t r, e, s; OK(seteuid(1000)); OK(getresuid(&r, &e, &s)); CHECK_EQ(r, 0); CHECK_EQ(e, 1000);
		 CHECK_EQ(s, 0); ERR(setresuid(1001, -1, -1), EPERM); OK(seteuid(0)); CHECK_EQ(geteuid(), 0));
}

TEST(setreuid_and_setresuid_rules)
{
	need_root();
	IN_CHILD(uid_t r, e, s; OK(setreuid(1000, 2000)); OK(getresuid(&r, &e, &s)); CHECK_EQ(r, 1000);
		 CHECK_EQ(e, 2000); CHECK_EQ(s, 2000); OK(setreuid(2000, 1000)); CHECK_EQ(getuid(), 2000);
		 CHECK_EQ(geteuid(), 1000); ERR(setreuid(3000, -1), EPERM));
	IN_CHILD(uid_t r, e, s; OK(setresuid(1, 2, 3)); OK(setresuid(3, 1, 2)); OK(getresuid(&r, &e, &s));
		 CHECK_EQ(r, 3); CHECK_EQ(e, 1); CHECK_EQ(s, 2); ERR(setresuid(4, -1, -1), EPERM);
		 OK(setresuid(-1, -1, -1)); CHECK_EQ(geteuid(), 1));
}

TEST(group_ids_follow_the_same_rules)
{
	need_root();
	IN_CHILD(gid_t r, e, s; OK(setgid(50)); OK(getresgid(&r, &e, &s)); CHECK_EQ(r, 50); CHECK_EQ(e, 50);
		 CHECK_EQ(s, 50); OK(setgid(0)); OK(setegid(60)); CHECK_EQ(getegid(), 60); OK(setregid(70, 80));
		 OK(setresgid(1, 2, 3)); OK(setuid(1000)); ERR(setgid(9), EPERM); OK(setgid(3));
		 ERR(setregid(9, -1), EPERM); ERR(setresgid(9, -1, -1), EPERM));
}

TEST(supplementary_groups)
{
	need_root();
	gid_t set[] = {10, 20, 30}, got[64];

	OK(setgroups(3, set));
	CHECK_EQ(getgroups(0, NULL), 3);
	CHECK_EQ(getgroups(64, got), 3);
	CHECK(memcmp(set, got, sizeof(set)) == 0);
	ERR(getgroups(2, got), EINVAL);
	ERR(syscall(SYS_setgroups, 65537, set), EINVAL);
	IN_CHILD(CHECK_EQ(getgroups(64, got), 3); OK(setuid(1000)); ERR(setgroups(1, set), EPERM));
	OK(setgroups(0, NULL));
	CHECK_EQ(getgroups(0, NULL), 0);
}

TEST(new_files_belong_to_the_effective_ids)
{
	struct stat st;

	need_root();
	OK(chmod(".", 0777));
	IN_CHILD(OK(setegid(60)); OK(seteuid(50)); file_make("f", "", 0); OK(mkdir("d", 0777)); OK(symlink("x", "l")));
	OK(stat("f", &st));
	CHECK_EQ(st.st_uid, 50);
	CHECK_EQ(st.st_gid, 60);
	OK(stat("d", &st));
	CHECK_EQ(st.st_uid, 50);
	OK(lstat("l", &st));
	CHECK_EQ(st.st_gid, 60);
}

TEST(set_gid_directories_pass_their_group_on)
{
	struct stat st;

	need_root();
	OK(mkdir("d", 0777));
	OK(chown("d", -1, 777));
	OK(chmod("d", 02777));
	file_make("d/f", "", 0);
	OK(mkdir("d/sub", 0755));
	OK(stat("d/f", &st));
	CHECK_EQ(st.st_gid, 777);
	OK(stat("d/sub", &st));
	CHECK_EQ(st.st_gid, 777);
	CHECK_EQ(st.st_mode & 07777, 02755);
}

TEST(umask_clears_bits)
{
	struct stat st;

	CHECK_EQ(umask(027), 022);
	CHECK_EQ(umask(0777027), 027);
	CHECK_EQ(umask(027), 027); /* only permission bits count */
	OK(close(OK(open("f", O_CREAT | O_WRONLY, 0666))));
	OK(mkdir("d", 0777));
	OK(mknod("p", S_IFIFO | 0666, 0));
	OK(stat("f", &st));
	CHECK_EQ(st.st_mode, S_IFREG | 0640);
	OK(stat("d", &st));
	CHECK_EQ(st.st_mode, S_IFDIR | 0750);
	OK(stat("p", &st));
	CHECK_EQ(st.st_mode, S_IFIFO | 0640);
}

TEST(fsuid_follows_and_returns_the_old)
{
	need_root();
	CHECK_EQ(setfsuid(-1), 0);
	CHECK_EQ(setfsuid(1000), 0);
	CHECK_EQ(setfsuid(-1), 1000);
	OK(seteuid(5));
	CHECK_EQ(setfsuid(-1), 5);
}

TEST(kill_needs_a_matching_user)
{
	pid_t pid;
	int fds[2];
	char c;

	need_root();
	OK(pipe(fds));
	pid = OK(fork());
	if (pid == 0) {
		OK(setuid(1000));
		CHECK_EQ(write(fds[1], "x", 1), 1);
		for (;;)
			pause();
	}
	CHECK_EQ(read(fds[0], &c, 1), 1);
	IN_CHILD(OK(setuid(2000)); ERR(kill(pid, SIGTERM), EPERM); ERR(kill(pid, 0), EPERM); ERR(kill(1, 0), EPERM));
	IN_CHILD(OK(setuid(1000)); OK(kill(pid, 0)));
	IN_CHILD(OK(setresuid(1000, 3000, 3000)); OK(kill(pid, SIGTERM)));
	wait_signal(pid, SIGTERM);
}

TEST(priority_needs_privilege_to_rise)
{
	need_root();
	IN_CHILD(OK(setuid(1000)); OK(nice(5)); errno = 0;
		 CHECK(nice(-2) == -1 && (errno == EPERM || errno == EACCES)));
}

TEST(root_only_calls)
{
	need_root();
	IN_CHILD(OK(setuid(1000)); ERR(chroot("/"), EPERM); ERR(sethostname("x", 1), EPERM);
		 ERR(syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL), EPERM);
		 ERR(mknod("dev", S_IFCHR | 0600, 0x103) == -1 && errno == EACCES ? (errno = EPERM, -1) : -1, EPERM);
		 ERR(syscall(SYS_reboot, 0xfee1dead, 672274793, 0, NULL), EPERM); struct timespec ts = {0};
		 ERR(clock_settime(CLOCK_REALTIME, &ts), EPERM));
}

TEST_MAIN
