/*
 * test.h: the whole harness of the guest tests.
 *
 * A test program is a file of named cases:
 *
 *	#include "test.h"
 *	TEST(pipe_reports_end_of_file) { ... CHECK(n == 0); ... }
 *	TEST_MAIN
 *
 * Each case runs in a forked child, in its own process group and in a fresh directory (under $TMPDIR or /tmp)
 * that is removed afterwards. A case passes when its child exits with 0. The first failed CHECK, in the child or in any of
 * its descendants, ends that process and sends "file:line: what" to the parent, which prints it behind "not ok".
 * Output is KTAP. The same binary runs on Linux, which is the oracle; what exists only here asks on_vitrine() and SKIPs.
 *
 * Environment: TEST_SCALE multiplies every time limit (default 1); TEST_FULL=1 asks for the long form of seeded cases.
 * Arguments: names of cases to run (all when none); -l lists them.
 */
#ifndef TEST_H
#define TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TEST_UNUSED   __attribute__((unused))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

struct test_case {
	const char *name;
	void (*fn)(void);
	int limit_s; /* seconds before TEST_SCALE */
};

enum { TEST_MAX_CASES = 128, TEST_EXIT_SKIP = 77 };

static struct test_case test_cases[TEST_MAX_CASES];
static int test_count;
static int test_reason_fd = -1; /* pipe to the parent, carries the reason of a failure or skip */

#define TEST_LIMIT(case_name, seconds)                                                                 \
	static void case_name(void);                                                                   \
	__attribute__((constructor)) static void test_add_##case_name(void)                            \
	{                                                                                              \
		if (test_count < TEST_MAX_CASES)                                                       \
			test_cases[test_count++] = (struct test_case){#case_name, case_name, seconds}; \
	}                                                                                              \
	static void case_name(void)
#define TEST(case_name) TEST_LIMIT(case_name, 20)

static TEST_UNUSED __attribute__((noreturn, format(printf, 4, 5))) void test_end(
	int code, const char *file, int line, const char *fmt, ...)
{
	char text[400];
	const char *base = strrchr(file, '/');
	int n = 0;
	va_list ap;

	if (code != TEST_EXIT_SKIP)
		n = snprintf(text, sizeof(text), "%s:%d: ", base ? base + 1 : file, line);
	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - n, fmt, ap);
	va_end(ap);
	for (char *p = text; *p; p++)
		if (*p == '\n')
			*p = ' ';
	if (write(test_reason_fd, text, strlen(text) + 1) < 0)
		_exit(code + 1);
	_exit(code);
}

#define FAIL(...) test_end(1, __FILE__, __LINE__, __VA_ARGS__)
#define SKIP(...) test_end(TEST_EXIT_SKIP, __FILE__, __LINE__, __VA_ARGS__)

#define CHECK(cond)                                                                        \
	do {                                                                               \
		if (!(cond))                                                               \
			FAIL("%s is false (errno %d, %s)", #cond, errno, strerror(errno)); \
	} while (0)

#define CHECK_EQ(got, want)                                                                          \
	do {                                                                                         \
		long long got_ = (long long)(got), want_ = (long long)(want);                        \
		if (got_ != want_)                                                                   \
			FAIL("%s is %lld (%#llx), wanted %s, %lld", #got, got_, got_, #want, want_); \
	} while (0)

#define CHECK_STR(got, want)                                                    \
	do {                                                                    \
		const char *got_ = (got), *want_ = (want);                      \
		if (strcmp(got_, want_) != 0)                                   \
			FAIL("%s is \"%s\", wanted \"%s\"", #got, got_, want_); \
	} while (0)

/* OK(call): the call must not return -1; gives its value. */
#define OK(call)                                                                 \
	({                                                                       \
		long ok_ = (long)(call);                                         \
		if (ok_ == -1)                                                   \
			FAIL("%s: errno %d, %s", #call, errno, strerror(errno)); \
		ok_;                                                             \
	})

/* ERR(call, E): the call must return -1 with errno E. */
#define ERR(call, want)                                                                                       \
	do {                                                                                                  \
		errno = 0;                                                                                    \
		long err_ = (long)(call);                                                                     \
		if (err_ != -1 || errno != (want))                                                            \
			FAIL("%s gave %ld, errno %d, wanted errno %s (%d)", #call, err_, errno, #want, want); \
	} while (0)

/* ZERO(call): for pthread_* calls, which return the error. */
#define ZERO(call)                                                             \
	do {                                                                   \
		int zero_ = (call);                                            \
		if (zero_)                                                     \
			FAIL("%s gave %d, %s", #call, zero_, strerror(zero_)); \
	} while (0)

/* Wait, by sleeping, for something another process does. The case's time limit bounds it. */
#define AWAIT(cond)                \
	do {                       \
		while (!(cond))    \
			nap_ms(2); \
	} while (0)

static TEST_UNUSED void nap_ms(long ms)
{
	struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}

static TEST_UNUSED long long now_ns(clockid_t clock)
{
	struct timespec ts;

	OK(clock_gettime(clock, &ts));
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static TEST_UNUSED bool on_vitrine(void)
{
	char text[256] = "";
	int fd = open("/proc/version", O_RDONLY);

	if (fd < 0)
		return false;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(fd);
	return strstr(text, "itrine") != NULL;
}

static TEST_UNUSED void need_root(void)
{
	if (geteuid() != 0)
		SKIP("needs root");
}

static TEST_UNUSED bool test_full(void)
{
	const char *s = getenv("TEST_FULL");

	return s && *s == '1';
}

/* A pointer the compiler knows nothing about, for faulting on purpose. */
static TEST_UNUSED volatile char *wild_pointer(uintptr_t addr)
{
	__asm__("" : "+r"(addr));
	return (volatile char *)addr;
}

/* xorshift: the same sequence for the same seed, everywhere */
static TEST_UNUSED uint32_t rnd(uint32_t *seed)
{
	uint32_t x = *seed ? *seed : 0x9e3779b9;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return *seed = x;
}

static TEST_UNUSED int wait_status(pid_t pid)
{
	int status;
	pid_t got;

	do
		got = waitpid(pid, &status, 0);
	while (got < 0 && errno == EINTR);
	CHECK_EQ(got, pid);
	return status;
}

/* The child must exit with this code. */
#define wait_exit(pid, code)                                                 \
	do {                                                                 \
		int st_ = wait_status(pid);                                  \
		if (!WIFEXITED(st_) || WEXITSTATUS(st_) != (code))           \
			FAIL("child status %#x, wanted exit %d", st_, code); \
	} while (0)
#define wait_ok(pid) wait_exit(pid, 0)

/* The child must die of this signal. */
#define wait_signal(pid, sig)                                                          \
	do {                                                                           \
		int st_ = wait_status(pid);                                            \
		if (!WIFSIGNALED(st_) || WTERMSIG(st_) != (sig))                       \
			FAIL("child status %#x, wanted death by signal %d", st_, sig); \
	} while (0)

/* Run the statements in a forked child that must exit with 0 (or die of `sig`). */
#define IN_CHILD(...)                    \
	do {                             \
		pid_t pid_ = OK(fork()); \
		if (pid_ == 0) {         \
			__VA_ARGS__;     \
			_exit(0);        \
		}                        \
		wait_ok(pid_);           \
	} while (0)
#define DIES_OF(sig, ...)                \
	do {                             \
		pid_t pid_ = OK(fork()); \
		if (pid_ == 0) {         \
			__VA_ARGS__;     \
			_exit(0);        \
		}                        \
		wait_signal(pid_, sig);  \
	} while (0)

static TEST_UNUSED void *map_anon(size_t len, int prot)
{
	void *p = mmap(NULL, len, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static TEST_UNUSED void *map_shared(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static TEST_UNUSED void file_make(const char *path, const void *data, size_t len)
{
	int fd = OK(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644));

	CHECK_EQ(write(fd, data, len), len);
	OK(close(fd));
}

static TEST_UNUSED ssize_t file_read(const char *path, char *buf, size_t size)
{
	int fd = OK(open(path, O_RDONLY));
	size_t len = 0;
	ssize_t n;

	while (len < size - 1 && (n = OK(read(fd, buf + len, size - 1 - len))) > 0)
		len += n;
	buf[len] = 0;
	OK(close(fd));
	return len;
}

static TEST_UNUSED void on_signal(int sig, void (*fn)(int), int flags)
{
	struct sigaction sa = {.sa_handler = fn, .sa_flags = flags};

	OK(sigaction(sig, &sa, NULL));
}

/* State letter of a process in /proc/PID/stat: R S D T Z; 0 when there is none. */
static TEST_UNUSED char proc_state(pid_t pid)
{
	char path[40], buf[512], *p;
	int fd, n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if ((fd = open(path, O_RDONLY)) < 0)
		return 0;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	buf[n] = 0;
	p = strrchr(buf, ')');
	return p && p[1] ? p[2] : 0;
}

/* ---- the runner ---- */

static pid_t test_child;
static volatile sig_atomic_t test_timed_out;

static TEST_UNUSED void test_on_alarm(int sig)
{
	(void)sig;
	test_timed_out = 1;
	kill(-test_child, SIGKILL);
	kill(test_child, SIGKILL);
}

static TEST_UNUSED void test_remove_tree(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return;
	if (S_ISDIR(st.st_mode)) {
		DIR *d = opendir(path);
		struct dirent *e;

		while (d && (e = readdir(d))) {
			char sub[PATH_MAX];

			if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
				continue;
			if (snprintf(sub, sizeof(sub), "%s/%s", path, e->d_name) < (int)sizeof(sub))
				test_remove_tree(sub);
		}
		if (d)
			closedir(d);
		rmdir(path);
	} else {
		unlink(path);
	}
}

static TEST_UNUSED void test_run_child(const struct test_case *t, const char *dir, int fd)
{
	setpgid(0, 0);
	signal(SIGALRM, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	test_reason_fd = fcntl(fd, F_DUPFD_CLOEXEC, 100);
	if (test_reason_fd < 0)
		test_reason_fd = fd;
	else
		close(fd);
	umask(022);
	if (chdir(dir) < 0)
		FAIL("chdir %s: %s", dir, strerror(errno));
	t->fn();
	_exit(0);
}

static TEST_UNUSED void test_report(int nr, const char *name, int status, const char *reason)
{
	char line[640];
	int n;

	if (test_timed_out)
		n = snprintf(line, sizeof(line), "not ok %d %s # time limit\n", nr, name);
	else if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		n = snprintf(line, sizeof(line), "ok %d %s\n", nr, name);
	else if (WIFEXITED(status) && WEXITSTATUS(status) == TEST_EXIT_SKIP)
		n = snprintf(line, sizeof(line), "ok %d %s # SKIP %s\n", nr, name, reason);
	else if (WIFSIGNALED(status))
		n = snprintf(line, sizeof(line), "not ok %d %s # died of signal %d %s\n", nr, name, WTERMSIG(status),
			reason);
	else
		n = snprintf(line, sizeof(line), "not ok %d %s # %s\n", nr, name, reason);
	if (write(1, line, n) < 0)
		_exit(3);
}

/* Returns whether the case passed (or was skipped). */
static TEST_UNUSED bool test_run(const struct test_case *t, int nr, int scale)
{
	char dir[256], reason[512] = "";
	const char *tmp = getenv("TMPDIR");
	int status = 0x7f00, pipe_fds[2], n;

	snprintf(dir, sizeof(dir), "%s/test-%d-%d", tmp ? tmp : "/tmp", (int)getpid(), nr);
	if (mkdir(dir, 0755) < 0 || pipe2(pipe_fds, O_CLOEXEC) < 0) {
		snprintf(reason, sizeof(reason), "cannot set up in %s: %s", dir, strerror(errno));
		test_report(nr, t->name, 0x100, reason);
		return false;
	}
	test_timed_out = 0;
	test_child = fork();
	if (test_child == 0)
		test_run_child(t, dir, pipe_fds[1]);
	if (test_child > 0) {
		alarm(t->limit_s * scale);
		while (waitpid(test_child, &status, 0) < 0 && errno == EINTR)
			;
		alarm(0);
		kill(-test_child, SIGKILL); /* what the case left behind */
	}
	fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK);
	n = read(pipe_fds[0], reason, sizeof(reason) - 1);
	reason[n > 0 ? n : 0] = 0;
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	test_remove_tree(dir);
	test_report(nr, t->name, status, reason);
	return !test_timed_out && WIFEXITED(status) &&
		(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == TEST_EXIT_SKIP);
}

static TEST_UNUSED bool test_wanted(const char *name, int argc, char **argv)
{
	if (argc < 2)
		return true;
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return false;
}

static TEST_UNUSED int test_main(int argc, char **argv)
{
	const char *s = getenv("TEST_SCALE");
	int scale = s && atoi(s) > 0 ? atoi(s) : 1, nr = 0, failed = 0, wanted = 0;
	char line[64];
	struct sigaction sa = {.sa_handler = test_on_alarm};

	for (int i = 0; i < test_count; i++) {
		wanted += test_wanted(test_cases[i].name, argc, argv);
		if (argc > 1 && !strcmp(argv[1], "-l"))
			dprintf(1, "%s\n", test_cases[i].name);
	}
	if (argc > 1 && !strcmp(argv[1], "-l"))
		return 0;
	sigaction(SIGALRM, &sa, NULL);
	snprintf(line, sizeof(line), "KTAP version 1\n1..%d\n", wanted);
	if (write(1, line, strlen(line)) < 0)
		return 3;
	for (int i = 0; i < test_count; i++)
		if (test_wanted(test_cases[i].name, argc, argv))
			failed += !test_run(&test_cases[i], ++nr, scale);
	return failed != 0;
}

/* A program that re-executes itself tests argv before test_main(): it defines its own main() instead. */
#define TEST_MAIN                             \
	int main(int argc, char **argv)       \
	{                                     \
		return test_main(argc, argv); \
	}

#endif
