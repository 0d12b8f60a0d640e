/* Allocation failures in processes, threads, execve, descriptors and files, one by one (fail_nth.h). */
#include "fail_nth.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mount.h>

#define LEFT  42 /* exit codes of an executed self: nothing failed, */
#define FIRED 43 /* something did */

/* ---- processes ---- */

static pid_t child;

static int op_fork(void)
{
	child = fork();
	if (child == 0) {
		verify_memory();
		fill(anon, 7);
		fill(file_private, 9);
		verify(anon, 7);
		_exit(0);
	}
	return result(child);
}

static void after_fork(int err)
{
	if (!err) {
		fill(anon, 3); /* copy-on-write while the child looks */
		fill(anon, 1);
		wait_ok(child);
	}
	verify_memory();
}

TEST_LIMIT(fork_survives_each_failure, 60)
{
	make_memory();
	WALK(op_fork, after_fork, EAGAIN);
}

static int op_vfork(void)
{
	child = vfork();
	if (child == 0)
		_exit(0);
	return result(child);
}

TEST_LIMIT(vfork_survives_each_failure, 60)
{
	make_memory();
	WALK(op_vfork, after_fork, EAGAIN);
}

static void *thread_body(void *arg)
{
	return arg;
}

static pthread_t thread;
static int thread_arg[1];

static int op_thread(void)
{
	return pthread_create(&thread, NULL, thread_body, thread_arg);
}

static void after_thread(int err)
{
	void *value = NULL;

	if (!err) {
		ZERO(pthread_join(thread, &value));
		CHECK(value == thread_arg);
	}
}

TEST_LIMIT(threads_survive_each_failure, 60)
{
	need_fail_nth();
	WALK(op_thread, after_thread, EAGAIN);
}

/* A thread has its own counter; another thread's allocations do not count. */
static void *armed_thread(void *arg)
{
	char path[64];
	int fds[2];

	snprintf(path, sizeof(path), "/proc/self/task/%ld/fail-nth", syscall(SYS_gettid));
	nth_fd = OK(open(path, O_RDWR));
	ERR(close(-1), EBADF); /* touches what the next one writes to: errno, the stack */
	fail_nth(1);
	ERR(pipe(fds), ENOMEM);
	CHECK_EQ(fail_nth_left(), 0);
	OK(pipe(fds));
	fail_nth(1000000);
	return arg;
}

TEST(each_thread_counts_for_itself)
{
	int fds[2];

	need_fail_nth();
	fail_nth(100000);
	ZERO(pthread_create(&thread, NULL, armed_thread, NULL));
	ZERO(pthread_join(thread, NULL));
	nth_fd = OK(open("/proc/self/fail-nth", O_RDWR));
	CHECK(fail_nth_left() > 90000 && fail_nth_left() <= 100000);
	ERR(close(-1), EBADF);
	fail_nth(1);
	CHECK_EQ(fail_nth_left(), 1);
	ERR(pipe(fds), ENOMEM);
	OK(pipe(fds)); /* disarmed by its own failure */
	CHECK_EQ(fail_nth_left(), 0);
	fail_nth(100000);
	IN_CHILD(nth_fd = OK(open("/proc/self/fail-nth", O_RDONLY)); CHECK_EQ(fail_nth_left(), 0));
}

TEST(only_numbers_are_taken)
{
	need_fail_nth();
	ERR(write(nth_fd, "x", 1), EINVAL);
	ERR(write(nth_fd, "-1", 2), EINVAL);
	ERR(write(nth_fd, "99999999999", 11), EINVAL);
	ERR(write(nth_fd, "0000000000000000000000001", 25), EINVAL);
	CHECK_EQ(write(nth_fd, "500000\n", 7), 7);
	CHECK(fail_nth_left() > 400000);
	fail_nth(0);
	CHECK_EQ(fail_nth_left(), 0);
}

/* ---- execve ---- */

/* In the executed program: did anything fail on the way here? */
static int executed(void)
{
	char number[16] = "";
	int fd = open("/proc/self/fail-nth", O_RDONLY);

	if (fd < 0 || read(fd, number, sizeof(number) - 1) <= 0)
		return FIRED;
	return strtoul(number, NULL, 10) ? LEFT : FIRED;
}

/* Beyond the point of no return a failed exec can only be death; a program may not get through its own start either. */
static int exec_once(unsigned n)
{
	char *argv[] = {"fail_nth", "--executed", NULL}, *envp[] = {"A=1", NULL};
	int status;

	child = OK(fork());
	if (child == 0) {
		close(nth_fd);
		nth_fd = OK(open("/proc/self/fail-nth", O_RDWR));
		OK(dup2(OK(open("/dev/null", O_WRONLY)), 2)); /* what a program that cannot start has to say */
		fail_nth(n);
		execve("/proc/self/exe", argv, envp);
		if (errno != ENOMEM || fail_nth_left())
			FAIL("execve with allocation %u failing: %s", n, strerror(errno));
		verify_memory();
		_exit(FIRED);
	}
	status = wait_status(child);
	if (WIFSIGNALED(status))
		CHECK(WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGABRT);
	else
		CHECK(WEXITSTATUS(status) == FIRED || WEXITSTATUS(status) == LEFT || WEXITSTATUS(status) == 127);
	return status;
}

static void exec_walk(void)
{
	for (unsigned n = 1; n < NTH_MAX; n++) {
		int status = exec_once(n);

		if (n % 16 == 1)
			check_kernel();
		if (WIFEXITED(status) && WEXITSTATUS(status) == LEFT)
			return;
	}
	FAIL("execve does not come to an end");
}

TEST_LIMIT(execve_survives_each_failure, 120)
{
	static struct usage before, now;
	const char *grown = NULL;

	make_memory();
	exec_walk();
	for (int round = 0; round < 3; round++) {
		usage_take(&before);
		exec_walk();
		nap_ms(20);
		usage_take(&now);
		grown = usage_grown(&before, &now);
		if (!grown)
			return;
	}
	FAIL("execve: lost: %s", grown);
}

/* ---- files ---- */

static int fds[2];

static int op_pipe(void)
{
	return result(pipe(fds));
}

static void after_pair(int err)
{
	if (!err) {
		OK(close(fds[0]));
		OK(close(fds[1]));
	}
}

static int op_open(void)
{
	return result(fds[0] = open("made", O_RDWR | O_CREAT, 0644));
}

static void after_open(int err)
{
	if (!err) {
		OK(close(fds[0]));
		OK(unlink("made"));
	} else if (unlink("made") < 0) {
		CHECK_EQ(errno, ENOENT);
	}
}

static int op_write(void)
{
	static char data[3 * PG];
	ssize_t n = write(fds[0], data, sizeof(data));

	return n == -1 ? errno : 0;
}

static void after_write(int err)
{
	(void)err;
	OK(ftruncate(fds[0], 0));
	OK(lseek(fds[0], 0, SEEK_SET));
}

static int op_mkdir(void)
{
	return result(mkdir("dir", 0755));
}

static void after_mkdir(int err)
{
	if (!err)
		OK(rmdir("dir"));
	else
		ERR(rmdir("dir"), ENOENT);
}

static int op_eventfd(void)
{
	return result(fds[0] = eventfd(0, 0));
}

static int op_epoll(void)
{
	return result(fds[0] = epoll_create1(0));
}

static void after_one(int err)
{
	if (!err)
		OK(close(fds[0]));
}

static int op_dup_far(void)
{
	return result(fcntl(nth_fd, F_DUPFD, 900));
}

static void after_dup_far(int err)
{
	if (!err)
		OK(close(900));
}

TEST_LIMIT(files_survive_each_failure, 60)
{
	need_fail_nth();
	WALK(op_pipe, after_pair, 0);
	WALK(op_open, after_open, 0);
	WALK(op_mkdir, after_mkdir, 0);
	WALK(op_eventfd, after_one, 0);
	WALK(op_epoll, after_one, 0);
	WALK(op_dup_far, after_dup_far, EMFILE);
	fds[0] = OK(open("written", O_RDWR | O_CREAT, 0644));
	WALK(op_write, after_write, ENOSPC);
}

static int op_mount(void)
{
	return result(mount("none", "mnt", "tmpfs", 0, NULL));
}

static void after_mount(int err)
{
	if (!err)
		OK(umount("mnt"));
	else
		ERR(umount("mnt"), EINVAL);
}

TEST_LIMIT(mount_survives_each_failure, 60)
{
	need_fail_nth();
	OK(mkdir("mnt", 0755));
	WALK(op_mount, after_mount, 0);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--executed"))
		return executed();
	return test_main(argc, argv);
}
