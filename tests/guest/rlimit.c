/* Resource limits: NOFILE, AS, DATA, FSIZE, STACK, CORE, CPU; getting, setting, inheriting. */
#include "test.h"
#include <sys/resource.h>

static void limit(int what, rlim_t soft, rlim_t hard)
{
	struct rlimit r = {soft, hard};

	OK(setrlimit(what, &r));
}

TEST(get_and_set)
{
	struct rlimit r, old;

	for (int i = 0; i < 16; i++) {
		OK(getrlimit(i, &r));
		CHECK(r.rlim_cur <= r.rlim_max);
	}
	ERR(getrlimit((__rlimit_resource_t)99, &r), EINVAL);
	r = (struct rlimit){20, 10};
	ERR(setrlimit(RLIMIT_NOFILE, &r), EINVAL);
	limit(RLIMIT_NOFILE, 50, 60);
	OK(prlimit(0, RLIMIT_NOFILE, &(struct rlimit){40, 60}, &old));
	CHECK_EQ(old.rlim_cur, 50);
	CHECK_EQ(old.rlim_max, 60);
	IN_CHILD(OK(getrlimit(RLIMIT_NOFILE, &r)); CHECK_EQ(r.rlim_cur, 40));
	ERR(prlimit(1 << 22, RLIMIT_NOFILE, NULL, &old), ESRCH);
}

TEST(only_root_raises_the_hard_limit)
{
	need_root();
	limit(RLIMIT_NOFILE, 50, 60);
	IN_CHILD(struct rlimit r = {50, 61}; OK(setuid(1000)); ERR(setrlimit(RLIMIT_NOFILE, &r), EPERM);
		 limit(RLIMIT_NOFILE, 60, 60); limit(RLIMIT_NOFILE, 10, 20));
	struct rlimit r = {50, 61};
	if (setrlimit(RLIMIT_NOFILE, &r) < 0 && !on_vitrine())
		SKIP("this root lacks CAP_SYS_RESOURCE");
	limit(RLIMIT_NOFILE, 50, 61);
}

TEST(nofile_bounds_new_descriptors)
{
	int fds[2], n = 0, fd;

	limit(RLIMIT_NOFILE, 20, 20);
	while ((fd = open("/dev/null", O_RDONLY)) >= 0) {
		CHECK(fd < 20);
		n++;
	}
	CHECK_EQ(errno, EMFILE);
	ERR(pipe(fds), EMFILE);
	ERR(dup(0), EMFILE);
	ERR(fcntl(0, F_DUPFD, 0), EMFILE);
	ERR(fcntl(0, F_DUPFD, 20), EINVAL);
	ERR(dup2(0, 20), EBADF);
	OK(dup2(0, 19));
	OK(close(19));
	OK(open("/dev/null", O_RDONLY));
}

TEST(lower_limit_keeps_open_descriptors)
{
	int fd = OK(fcntl(0, F_DUPFD, 50));
	char c;

	file_make("f", "q", 1);
	OK(dup2(OK(open("f", O_RDONLY)), fd));
	limit(RLIMIT_NOFILE, 10, 100);
	CHECK_EQ(read(fd, &c, 1), 1);
	OK(close(fd));
}

TEST(address_space_is_bounded)
{
	limit(RLIMIT_AS, 64 << 20, 64 << 20);
	ERR(mmap(NULL, 128 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
	ERR(sbrk(128 << 20), ENOMEM);
	OK(munmap(map_anon(1 << 20, PROT_READ), 1 << 20));
	char *p = map_anon(1 << 20, PROT_READ | PROT_WRITE);
	ERR(mremap(p, 1 << 20, 100 << 20, MREMAP_MAYMOVE), ENOMEM);
	IN_CHILD(ERR(mmap(NULL, 128 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM));
	CHECK(malloc(200 << 20) == NULL);
}

TEST(data_limit_bounds_brk)
{
	uintptr_t now = syscall(SYS_brk, 0);

	limit(RLIMIT_DATA, 4096 * 4, 1 << 20);
	CHECK_EQ(syscall(SYS_brk, now + (32 << 20)), now);
}

static volatile sig_atomic_t xfsz;

static void on_xfsz(int sig)
{
	(void)sig;
	xfsz++;
}

TEST(file_size_is_bounded)
{
	char buf[1000] = {0};
	int fd = OK(open("f", O_RDWR | O_CREAT, 0644));

	limit(RLIMIT_FSIZE, 1500, 1500);
	on_signal(SIGXFSZ, on_xfsz, 0);
	CHECK_EQ(write(fd, buf, 1000), 1000);
	CHECK_EQ(write(fd, buf, 1000), 500); /* up to the limit */
	CHECK_EQ(xfsz, 0);
	ERR(write(fd, buf, 1), EFBIG);
	CHECK_EQ(xfsz, 1);
	ERR(ftruncate(fd, 2000), EFBIG);
	CHECK_EQ(xfsz, 2);
	DIES_OF(SIGXFSZ, on_signal(SIGXFSZ, SIG_DFL, 0); if (write(fd, buf, 1) < 0) _exit(1));
	on_signal(SIGXFSZ, SIG_IGN, 0);
	ERR(write(fd, buf, 1), EFBIG);
}

TEST(stack_limit_is_seen_by_exec)
{
	pid_t pid = OK(fork());

	if (pid == 0) {
		limit(RLIMIT_STACK, 512 * 1024, RLIM_INFINITY);
		execl("/bin/sh", "sh", "-c", "test `ulimit -s` = 512", (char *)NULL);
		_exit(127);
	}
	wait_ok(pid);
}

TEST(core_zero_leaves_no_file)
{
	limit(RLIMIT_CORE, 0, 0);
	pid_t pid = OK(fork());
	if (pid == 0)
		abort();
	int st = wait_status(pid);
	CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGABRT);
	CHECK(!WCOREDUMP(st));
	ERR(access("core", F_OK), ENOENT);
}

TEST_LIMIT(cpu_time_ends_in_sigxcpu, 40)
{
	pid_t pid = OK(fork());

	if (pid == 0) {
		limit(RLIMIT_CPU, 1, 3);
		for (;;)
			;
	}
	int st = wait_status(pid);
	CHECK(WIFSIGNALED(st));
	CHECK(WTERMSIG(st) == SIGXCPU);
}

TEST(out_of_descriptors_in_pipe_leaks_none)
{
	int fds[2];

	limit(RLIMIT_NOFILE, 10, 10);
	while (dup(0) >= 0)
		;
	OK(close(9));
	for (int i = 0; i < 100; i++)
		ERR(pipe(fds), EMFILE); /* one free, two needed */
	CHECK_EQ(dup(0), 9);
}

TEST_MAIN
