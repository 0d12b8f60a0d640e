/* fork, vfork, clone: identity, what is inherited, what is shared. */
#include "test.h"
#include <sys/resource.h>

TEST(fork_returns_pid_and_zero)
{
	pid_t me = getpid(), pid;
	int fds[2];
	pid_t seen[2];

	OK(pipe(fds));
	pid = OK(fork());
	if (pid == 0) {
		seen[0] = getpid();
		seen[1] = getppid();
		CHECK_EQ(write(fds[1], seen, sizeof(seen)), sizeof(seen));
		_exit(5);
	}
	CHECK_EQ(read(fds[0], seen, sizeof(seen)), sizeof(seen));
	CHECK_EQ(seen[0], pid);
	CHECK_EQ(seen[1], me);
	wait_exit(pid, 5);
}

TEST(descriptors_share_their_offset)
{
	int fd;
	char c;

	file_make("f", "abcdef", 6);
	fd = OK(open("f", O_RDONLY));
	IN_CHILD(CHECK_EQ(read(fd, &c, 1), 1); CHECK_EQ(c, 'a'); OK(close(fd)));
	CHECK_EQ(read(fd, &c, 1), 1);
	CHECK_EQ(c, 'b');
	IN_CHILD(OK(lseek(fd, 4, SEEK_SET)));
	CHECK_EQ(read(fd, &c, 1), 1);
	CHECK_EQ(c, 'e');
}

static void nop(int sig)
{
	(void)sig;
}

TEST(inherits_dispositions_mask_umask_cwd_not_pending)
{
	sigset_t set, now;
	struct sigaction sa;
	char cwd[PATH_MAX], child_cwd[PATH_MAX];

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	on_signal(SIGUSR2, nop, 0);
	OK(raise(SIGUSR1));
	umask(057);
	CHECK(getcwd(cwd, sizeof(cwd)) != NULL);
	IN_CHILD(OK(sigprocmask(0, NULL, &now)); CHECK(sigismember(&now, SIGUSR1)); OK(sigpending(&now));
		 CHECK(!sigismember(&now, SIGUSR1)); OK(sigaction(SIGUSR2, NULL, &sa)); CHECK(sa.sa_handler == nop);
		 CHECK_EQ(umask(0), 057); CHECK(getcwd(child_cwd, sizeof(child_cwd)) != NULL);
		 CHECK_STR(child_cwd, cwd); OK(chdir("/")); umask(0));
	CHECK(getcwd(child_cwd, sizeof(child_cwd)) != NULL);
	CHECK_STR(child_cwd, cwd);
	CHECK_EQ(umask(0), 057);
	OK(sigpending(&now));
	CHECK(sigismember(&now, SIGUSR1));
}

TEST(alarm_and_times_start_over_in_the_child)
{
	struct rusage ru;

	alarm(100);
	IN_CHILD(CHECK_EQ(alarm(0), 0); OK(getrusage(RUSAGE_CHILDREN, &ru)); CHECK_EQ(ru.ru_utime.tv_sec, 0));
	CHECK(alarm(0) > 0);
}

TEST(vfork_suspends_the_parent_and_shares_memory)
{
	static volatile int shared;
	pid_t pid;

	shared = 0;
	pid = vfork();
	if (pid == 0) {
		struct timespec ts = {0, 30000000};

		nanosleep(&ts, NULL);
		shared = 77;
		_exit(3);
	}
	CHECK(pid > 0);
	CHECK_EQ(shared, 77);
	wait_exit(pid, 3);
}

TEST(vfork_then_exec)
{
	for (int i = 0; i < 10; i++) {
		pid_t pid = vfork();

		if (pid == 0) {
			execl("/bin/true", "true", (char *)NULL);
			_exit(127);
		}
		CHECK(pid > 0);
		wait_ok(pid);
	}
}

TEST(posix_spawn_like_popen)
{
	char buf[64] = "";
	FILE *f = popen("echo from shell; exit 3", "r");
	int st;

	CHECK(f != NULL);
	CHECK(fgets(buf, sizeof(buf), f) != NULL);
	CHECK_STR(buf, "from shell\n");
	st = pclose(f);
	CHECK(WIFEXITED(st));
	CHECK_EQ(WEXITSTATUS(st), 3);
	st = system("exit 9");
	CHECK_EQ(WEXITSTATUS(st), 9);
}

static int clone_body(void *arg)
{
	*(volatile int *)arg = getpid();
	return 12;
}

TEST(clone_vm_shares_memory)
{
	static char stack[65536] __attribute__((aligned(16)));
	volatile int seen = 0;
	pid_t pid = OK(clone(clone_body, stack + sizeof(stack), CLONE_VM | SIGCHLD, (void *)&seen));

	wait_exit(pid, 12);
	CHECK_EQ(seen, pid);
}

static int close_fd(void *arg)
{
	return close((int)(long)arg) ? 1 : 0;
}

TEST(clone_files_shares_the_table)
{
	static char stack[65536] __attribute__((aligned(16)));
	int fd = OK(open("/dev/null", O_RDONLY));
	pid_t pid = OK(clone(close_fd, stack + sizeof(stack), CLONE_VM | CLONE_FILES | SIGCHLD, (void *)(long)fd));

	wait_ok(pid);
	ERR(close(fd), EBADF);
	fd = OK(open("/dev/null", O_RDONLY));
	pid = OK(clone(close_fd, stack + sizeof(stack), CLONE_VM | SIGCHLD, (void *)(long)fd));
	wait_ok(pid);
	OK(close(fd));
}

static int do_chdir(void *arg)
{
	return chdir(arg) ? 1 : 0;
}

TEST(clone_fs_shares_the_directory)
{
	static char stack[65536] __attribute__((aligned(16)));
	char cwd[PATH_MAX];
	pid_t pid = OK(clone(do_chdir, stack + sizeof(stack), CLONE_FS | SIGCHLD, "/dev"));

	wait_ok(pid);
	CHECK(getcwd(cwd, sizeof(cwd)) != NULL);
	CHECK_STR(cwd, "/dev");
}

TEST(clone_flag_combinations_are_checked)
{
	ERR(syscall(SYS_clone, CLONE_SIGHAND, 0, 0, 0, 0), EINVAL);
	ERR(syscall(SYS_clone, CLONE_THREAD | CLONE_SIGHAND, 0, 0, 0, 0), EINVAL);
}

TEST(parent_and_child_settid)
{
	pid_t *ids = map_shared(4096);
	/* raw clone without a new stack is a fork; argument order differs between machines */
#ifdef __riscv
	long pid = syscall(SYS_clone, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, 0, &ids[0], 0, &ids[1]);
#else
	long pid = syscall(SYS_clone, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, 0, &ids[0], &ids[1], 0);
#endif
	if (pid == 0)
		_exit(ids[1] == (pid_t)syscall(SYS_getpid) ? 0 : 1);
	OK(pid);
	CHECK_EQ(ids[0], pid);
	wait_ok(pid);
	CHECK_EQ(ids[1], pid);
}

TEST(exit_code_is_the_low_byte)
{
	pid_t pid = OK(fork());

	if (pid == 0)
		_exit(0x1234);
	wait_exit(pid, 0x34);
}

TEST(a_thousand_forks)
{
	for (int i = 0; i < 1000; i++) {
		pid_t pid = OK(fork());

		if (pid == 0)
			_exit(i & 63);
		wait_exit(pid, i & 63);
	}
}

TEST(forty_at_once)
{
	pid_t pids[40];
	int fds[2];
	char c;

	OK(pipe(fds));
	for (int i = 0; i < 40; i++) {
		pids[i] = OK(fork());
		if (pids[i] == 0) {
			OK(close(fds[1]));
			CHECK_EQ(read(fds[0], &c, 1), 0);
			_exit(i);
		}
	}
	OK(close(fds[1]));
	for (int i = 39; i >= 0; i--)
		wait_exit(pids[i], i);
}

TEST(fork_limit_is_eagain)
{
	need_root();
	IN_CHILD(struct rlimit r = {0, 0}; OK(setrlimit(RLIMIT_NPROC, &r)); OK(setgid(4321)); OK(setuid(4321));
		 ERR(fork(), EAGAIN));
}

TEST(pidfd_or_clone3_when_there)
{
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
	} args = {.exit_signal = SIGCHLD};
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	if (pid == 0)
		_exit(4);
	if (pid < 0 && errno == ENOSYS)
		SKIP("no clone3");
	OK(pid);
	wait_exit(pid, 4);
}

TEST_MAIN
