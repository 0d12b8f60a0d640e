/* /proc: the system-wide files and each process's, as Linux's tools parse them. */
#include "test.h"

static char text[65536];

/* Value of a "Name: 123" line, or -1. */
static long field(const char *name)
{
	for (char *p = text; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (!strncmp(p, name, strlen(name)) && p[strlen(name)] == ':')
			return strtol(p + strlen(name) + 1, NULL, 10);
	}
	return -1;
}

#define READ(path) CHECK(file_read(path, text, sizeof(text)) > 0)

TEST(meminfo)
{
	READ("/proc/meminfo");
	long total = field("MemTotal"), free = field("MemFree");
	CHECK(total > 10000);
	CHECK(free > 0 && free < total);
	CHECK(field("MemAvailable") > 0);
	CHECK(field("Buffers") >= 0 && field("Cached") >= 0 && field("SwapTotal") >= 0);
	CHECK(strstr(text, " kB\n") != NULL);
}

TEST(stat_uptime_loadavg)
{
	double a, b, c;
	int running, all, last;
	long user, nice, sys, idle;

	READ("/proc/uptime");
	CHECK_EQ(sscanf(text, "%lf %lf", &a, &b), 2);
	CHECK(a > 0 && b >= 0);
	nap_ms(20);
	READ("/proc/uptime");
	CHECK_EQ(sscanf(text, "%lf", &c), 1);
	CHECK(c > a);
	READ("/proc/loadavg");
	CHECK_EQ(sscanf(text, "%lf %lf %lf %d/%d %d", &a, &b, &c, &running, &all, &last), 6);
	CHECK(all >= 1 && running >= 1 && last >= 1);
	READ("/proc/stat");
	CHECK_EQ(sscanf(text, "cpu %ld %ld %ld %ld", &user, &nice, &sys, &idle), 4);
	CHECK(strstr(text, "\ncpu0 ") && strstr(text, "\nbtime ") && strstr(text, "\nprocesses ") &&
		strstr(text, "\nctxt "));
}

TEST(version_filesystems_mounts_cmdline_cpuinfo)
{
	READ("/proc/version");
	CHECK(text[strlen(text) - 1] == '\n');
	READ("/proc/filesystems");
	CHECK(strstr(text, "nodev\tproc\n") && strstr(text, "nodev\ttmpfs\n"));
	READ("/proc/mounts");
	CHECK(strstr(text, " / ") && strstr(text, " /proc proc "));
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		char dev[256], dir[256], type[64], opts[1024];
		int x, y;

		CHECK_EQ(sscanf(line, "%255s %255s %63s %1023s %d %d", dev, dir, type, opts, &x, &y), 6);
		CHECK(!strncmp(opts, "rw", 2) || !strncmp(opts, "ro", 2));
	}
	READ("/proc/cpuinfo");
	CHECK(strstr(text, "processor\t: 0\n"));
	CHECK(file_read("/proc/cmdline", text, sizeof(text)) >= 1);
}

TEST(self_is_me)
{
	char buf[32], want[16];

	ssize_t n = OK(readlink("/proc/self", buf, sizeof(buf)));
	buf[n] = 0;
	snprintf(want, sizeof(want), "%d", getpid());
	CHECK_STR(buf, want);
	IN_CHILD(n = OK(readlink("/proc/self", buf, sizeof(buf))); buf[n] = 0; CHECK_EQ(atoi(buf), getpid()));
}

TEST(stat_of_a_process)
{
	char comm[64], state;
	int pid, ppid, pgrp, session;
	unsigned long start, vsize;
	long rss;

	READ("/proc/self/stat");
	CHECK_EQ(sscanf(text, "%d (%63[^)]) %c %d %d %d", &pid, comm, &state, &ppid, &pgrp, &session), 6);
	CHECK_EQ(pid, getpid());
	CHECK_EQ(ppid, getppid());
	CHECK_EQ(pgrp, getpgrp());
	CHECK_EQ(session, getsid(0));
	CHECK_EQ(state, 'R');
	char *p = strrchr(text, ')') + 2;
	for (int i = 3; i < 22; i++)
		p = strchr(p, ' ') + 1;
	CHECK_EQ(sscanf(p, "%lu %lu %ld", &start, &vsize, &rss), 3);
	CHECK(vsize > 4096 && rss > 0 && (unsigned long)rss * 4096 <= vsize);
	int fields = 1;
	for (p = strrchr(text, ')') + 2; *p; p++)
		fields += *p == ' ';
	CHECK(fields + 2 >= 44);
}

TEST(status_of_a_process)
{
	READ("/proc/self/status");
	CHECK(!strncmp(text, "Name:\t", 6));
	CHECK_EQ(field("Pid"), getpid());
	CHECK_EQ(field("PPid"), getppid());
	CHECK_EQ(field("Tgid"), getpid());
	CHECK_EQ(field("Uid"), getuid());
	CHECK_EQ(field("Gid"), getgid());
	CHECK(field("VmSize") > 0 && field("VmRSS") > 0);
	CHECK_EQ(field("Threads"), 1);
	CHECK(strstr(text, "State:\tR (running)"));
	CHECK(strstr(text, "SigBlk:\t") && strstr(text, "SigCgt:\t") && strstr(text, "SigIgn:\t"));
}

TEST(cmdline_exe_cwd_root_comm)
{
	char buf[PATH_MAX], cwd[PATH_MAX];
	struct stat a, b;

	CHECK(file_read("/proc/self/cmdline", text, sizeof(text)) > 0);
	CHECK(strstr(text, "procfs") != NULL);
	ssize_t n = OK(readlink("/proc/self/exe", buf, sizeof(buf)));
	buf[n] = 0;
	CHECK(strstr(buf, "procfs") != NULL && buf[0] == '/');
	OK(stat("/proc/self/exe", &a));
	OK(stat(buf, &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	n = OK(readlink("/proc/self/cwd", buf, sizeof(buf)));
	buf[n] = 0;
	CHECK(getcwd(cwd, sizeof(cwd)) != NULL);
	CHECK_STR(buf, cwd);
	OK(stat("/proc/self/cwd/.", &a));
	n = OK(readlink("/proc/self/root", buf, sizeof(buf)));
	CHECK(n == 1 && buf[0] == '/');
	READ("/proc/self/comm");
	CHECK(strstr(text, "procfs") != NULL);
}

TEST(fd_links)
{
	char path[64], buf[PATH_MAX], want[PATH_MAX + 8], cwd[PATH_MAX];
	int fd, fds[2], n;

	file_make("f", "x", 1);
	fd = OK(open("f", O_RDONLY));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = OK(readlink(path, buf, sizeof(buf)));
	buf[n] = 0;
	CHECK(getcwd(cwd, sizeof(cwd)) != NULL);
	snprintf(want, sizeof(want), "%s/f", cwd);
	CHECK_STR(buf, want);
	OK(close(OK(open(path, O_RDONLY)))); /* opens the file anew */
	OK(unlink("f"));
	n = OK(readlink(path, buf, sizeof(buf)));
	buf[n] = 0;
	CHECK(strstr(buf, "/f (deleted)") != NULL);
	OK(close(OK(open(path, O_RDONLY)))); /* still */
	OK(pipe(fds));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
	n = OK(readlink(path, buf, sizeof(buf)));
	buf[n] = 0;
	CHECK(!strncmp(buf, "pipe:[", 6));
	DIR *d = opendir("/proc/self/fd");
	CHECK(d != NULL);
	int seen = 0;
	for (struct dirent *e; (e = readdir(d));)
		seen += atoi(e->d_name) == fd && e->d_name[0] != '.';
	CHECK_EQ(seen, 1);
}

TEST(maps_show_the_mappings)
{
	char *p = map_anon(3 * 4096, PROT_READ | PROT_WRITE), line[32];
	unsigned long last = 0, lo, hi, off, ino;
	char perms[8], dev[16];

	OK(mprotect(p + 4096, 4096, PROT_READ));
	READ("/proc/self/maps");
	snprintf(line, sizeof(line), "%lx-%lx r--p", (unsigned long)p + 4096, (unsigned long)p + 8192);
	CHECK(strstr(text, line) != NULL);
	CHECK(strstr(text, "[stack]") && strstr(text, "procfs\n") && strstr(text, "r-xp"));
	for (char *l = strtok(text, "\n"); l; l = strtok(NULL, "\n")) {
		CHECK_EQ(sscanf(l, "%lx-%lx %7s %lx %15s %lu", &lo, &hi, perms, &off, dev, &ino), 6);
		CHECK(lo >= last && hi > lo && strlen(perms) == 4);
		last = hi;
		if (hi > 0xf000000000000000)
			break; /* x86's vsyscall page */
	}
	CHECK_EQ(sscanf("1 2", "%lu %lu", &lo, &hi), 2);
	READ("/proc/self/statm");
	CHECK_EQ(sscanf(text, "%lu %lu", &lo, &hi), 2);
	CHECK(lo >= hi && hi > 0);
}

TEST(every_process_is_listed_and_gone_after)
{
	char path[32];
	pid_t pid = OK(fork());
	int seen = 0, self = 0;

	if (pid == 0)
		for (;;)
			pause();
	DIR *d = opendir("/proc");
	CHECK(d != NULL);
	for (struct dirent *e; (e = readdir(d));) {
		seen += atoi(e->d_name) == pid;
		self += !strcmp(e->d_name, "self");
	}
	closedir(d);
	CHECK_EQ(seen, 1);
	CHECK_EQ(self, 1);
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	int fd = OK(open(path, O_RDONLY));
	OK(kill(pid, SIGKILL));
	wait_signal(pid, SIGKILL);
	ERR(read(fd, text, 10), ESRCH);
	ERR(open(path, O_RDONLY), ENOENT);
	snprintf(path, sizeof(path), "/proc/%d", pid);
	ERR(access(path, F_OK), ENOENT);
}

/* Objects in use in a slab cache, or -1. */
static long slab_count(const char *cache)
{
	char start[32];

	READ("/proc/slabinfo");
	int len = snprintf(start, sizeof(start), "\n%s ", cache);
	char *line = strstr(text, start);
	return line ? strtol(line + len, NULL, 10) : -1;
}

static void look_at(const char *fmt, int pid)
{
	char path[64];

	snprintf(path, sizeof(path), fmt, pid, pid);
	CHECK(file_read(path, text, sizeof(text)) > 0);
}

static pid_t sleeper_start(void)
{
	pid_t pid = OK(fork());

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static void sleeper_end(pid_t pid)
{
	OK(kill(pid, SIGKILL));
	wait_signal(pid, SIGKILL);
}

/* A machine that runs short programs for weeks is not filled by their names, those that were open at the end included. */
TEST_LIMIT(names_of_the_dead_are_not_kept, 60)
{
	const int processes = 100, names = 7; /* that each leaves behind where they are kept, at least */
	char path[64], target[64];
	long dentries = 0, inodes = 0;

	if (!on_vitrine())
		SKIP("Linux rounds its counts");
	for (int i = -5; i < processes; i++) {
		pid_t pid = sleeper_start();
		look_at("/proc/%d/stat", pid);
		look_at("/proc/%d/task/%d/status", pid);
		snprintf(path, sizeof(path), "/proc/%d/fd/0", pid);
		OK(readlink(path, target, sizeof(target)));
		snprintf(path, sizeof(path), "/proc/%d/task/%d", pid, pid);
		int dir = OK(open(path, O_RDONLY | O_DIRECTORY));
		int stat = OK(openat(dir, "stat", O_RDONLY));
		sleeper_end(pid);
		OK(close(dir));
		OK(close(stat));
		if (i < 0) {
			dentries = slab_count("dentry");
			inodes = slab_count("inode");
		}
	}
	CHECK(dentries > 0 && inodes > 0);
	CHECK(slab_count("dentry") < dentries + processes * names / 4);
	CHECK(slab_count("inode") < inodes + processes * names / 4);
}

TEST(what_is_open_of_the_dead_says_so)
{
	char path[64];
	struct stat st;
	pid_t pid = sleeper_start();

	snprintf(path, sizeof(path), "/proc/%d", pid);
	int dir = OK(open(path, O_RDONLY | O_DIRECTORY));
	int tasks = OK(openat(dir, "task", O_RDONLY | O_DIRECTORY));
	int files = OK(openat(dir, "fd", O_RDONLY | O_DIRECTORY));
	int stat = OK(openat(dir, "stat", O_RDONLY));

	CHECK(read(stat, text, 10) > 0);
	sleeper_end(pid);
	OK(lseek(stat, 0, SEEK_SET));
	ERR(read(stat, text, 10), ESRCH);
	ERR(openat(dir, "stat", O_RDONLY), ESRCH);
	ERR(openat(dir, "none", O_RDONLY), ESRCH);
	ERR(openat(tasks, path + 6, O_RDONLY), ESRCH);
	ERR(openat(files, "0", O_RDONLY), ENOENT);
	ERR(syscall(SYS_getdents64, dir, text, sizeof(text)), ENOENT);
	ERR(syscall(SYS_getdents64, tasks, text, sizeof(text)), ENOENT);
	ERR(syscall(SYS_getdents64, files, text, sizeof(text)), ENOENT);
	ERR(access(path, F_OK), ENOENT);
	OK(fstat(dir, &st));
	OK(close(stat));
	OK(close(tasks));
	OK(close(files));
	OK(close(dir));
}

TEST(meminfo_counts_slabs_that_can_shrink)
{
	READ("/proc/meminfo");
	CHECK(field("SReclaimable") > 0);
	CHECK_EQ(field("SReclaimable") + field("SUnreclaim"), field("Slab"));
}

TEST(small_reads_give_the_same_text)
{
	char a[4096], b[4096];
	int n = 0, r, fd = OK(open("/proc/filesystems", O_RDONLY));

	file_read("/proc/filesystems", a, sizeof(a));
	while ((r = OK(read(fd, b + n, 7))) > 0)
		n += r;
	b[n] = 0;
	CHECK_STR(b, a);
	OK(lseek(fd, 3, SEEK_SET));
	CHECK_EQ(read(fd, b, 4), 4);
	CHECK(memcmp(b, a + 3, 4) == 0);
}

TEST(everything_can_be_read_and_nothing_written)
{
	static const char *const names[] = {"stat", "status", "cmdline", "maps", "statm", "comm"};
	char path[64];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "/proc/1/%s", names[i]);
		int fd = open(path, O_RDONLY);
		if (fd >= 0) {
			while (read(fd, text, 100) > 0)
				;
			OK(close(fd));
		}
	}
	errno = 0;
	CHECK(open("/proc/new", O_CREAT | O_WRONLY, 0644) == -1 &&
		(errno == EACCES || errno == ENOENT || errno == EPERM || errno == EROFS));
	CHECK(mkdir("/proc/d", 0755) == -1);
	CHECK(unlink("/proc/meminfo") == -1);
}

TEST_MAIN
