/* execve: arguments, environment, auxv, limits, descriptors, dispositions, identity, errors. */
#include "test.h"
#include <elf.h>
#include <sys/auxv.h>
#include <sys/resource.h>

static const char *self = "/proc/self/exe";
static char self_path[PATH_MAX];

static void find_self(void)
{
	ssize_t n = OK(readlink("/proc/self/exe", self_path, sizeof(self_path) - 1));

	self_path[n] = 0;
	self = self_path;
}

/* What the re-executed program does: each mode ends with exit status 0 when all is well. */
static int reexec(int argc, char **argv, char **envp)
{
	const char *mode = argv[1];

	if (!strcmp(mode, "@args")) {
		if (argc != 5 || strcmp(argv[0], "name zero") || strcmp(argv[2], "") || strcmp(argv[3], "a b\"c"))
			return 1;
		if (strlen(argv[4]) != 3000 || argv[5] != NULL)
			return 2;
		if (!envp[0] || strcmp(envp[0], "ONE=1") || !envp[1] || strcmp(envp[1], "EMPTY=") || envp[2])
			return 3;
	} else if (!strcmp(mode, "@fds")) {
		if (fcntl(atoi(argv[2]), F_GETFD) != -1 || errno != EBADF)
			return 1;
		if (fcntl(atoi(argv[3]), F_GETFD) == -1)
			return 2;
	} else if (!strcmp(mode, "@signals")) {
		struct sigaction sa;
		sigset_t set;
		stack_t ss;

		sigaction(SIGUSR1, NULL, &sa);
		if (sa.sa_handler != SIG_DFL)
			return 1;
		sigaction(SIGUSR2, NULL, &sa);
		if (sa.sa_handler != SIG_IGN)
			return 2;
		sigprocmask(0, NULL, &set);
		if (!sigismember(&set, SIGHUP))
			return 3;
		sigpending(&set);
		if (!sigismember(&set, SIGHUP))
			return 4;
		if (sigaltstack(NULL, &ss) || !(ss.ss_flags & SS_DISABLE))
			return 5;
	} else if (!strcmp(mode, "@pid")) {
		return getpid() == atoi(argv[2]) && getppid() == atoi(argv[3]) ? 0 : 1;
	} else if (!strcmp(mode, "@fresh")) {
		return getenv("X") ? 1 : 0;
	} else if (!strcmp(mode, "@count")) {
		return argc - 2 == atoi(getenv("COUNT")) ? 0 : 1;
	}
	return 0;
}

TEST(arguments_and_environment_arrive)
{
	char big[3001];
	char *argv[] = {"name zero", "@args", "", "a b\"c", big, NULL}, *envp[] = {"ONE=1", "EMPTY=", NULL};

	memset(big, 'x', 3000);
	big[3000] = 0;
	find_self();
	IN_CHILD(execve(self, argv, envp); FAIL("execve: %s", strerror(errno)));
}

TEST(close_on_exec_closes_others_stay)
{
	char a[12], b[12];
	int cloexec = OK(open("/dev/null", O_RDONLY | O_CLOEXEC)), stays = OK(dup(cloexec));

	snprintf(a, sizeof(a), "%d", cloexec);
	snprintf(b, sizeof(b), "%d", stays);
	IN_CHILD(execl(self, "x", "@fds", a, b, (char *)NULL); FAIL("execl"));
}

static void nop(int sig)
{
	(void)sig;
}

TEST(signals_over_exec)
{
	pid_t pid = OK(fork());

	if (pid == 0) {
		sigset_t set;
		stack_t ss = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16};

		on_signal(SIGUSR1, nop, 0);
		on_signal(SIGUSR2, SIG_IGN, 0);
		OK(sigaltstack(&ss, NULL));
		sigemptyset(&set);
		sigaddset(&set, SIGHUP);
		OK(sigprocmask(SIG_BLOCK, &set, NULL));
		OK(raise(SIGHUP));
		execl(self, "x", "@signals", (char *)NULL);
		FAIL("execl");
	}
	wait_ok(pid);
}

TEST(pid_and_parent_stay)
{
	char a[12], b[12];

	snprintf(b, sizeof(b), "%d", getpid());
	IN_CHILD(snprintf(a, sizeof(a), "%d", getpid()); execl(self, "x", "@pid", a, b, (char *)NULL); FAIL("execl"));
}

TEST(auxv_is_true)
{
	struct {
		const char *name;
		unsigned long type;
	} must[] = {
		{"AT_PHDR", AT_PHDR},
		{"AT_PHENT", AT_PHENT},
		{"AT_PHNUM", AT_PHNUM},
		{"AT_PAGESZ", AT_PAGESZ},
		{"AT_ENTRY", AT_ENTRY},
		{"AT_RANDOM", AT_RANDOM},
		{"AT_EXECFN", AT_EXECFN},
		{"AT_CLKTCK", AT_CLKTCK},
	};
	Elf64_Phdr *ph;
	unsigned char zero[16] = {0};
	int loads = 0;

	for (size_t i = 0; i < ARRAY_SIZE(must); i++)
		if (getauxval(must[i].type) == 0)
			FAIL("no %s", must[i].name);
	CHECK_EQ(getauxval(AT_PAGESZ), 4096);
	CHECK_EQ(getauxval(AT_PHENT), sizeof(Elf64_Phdr));
	CHECK_EQ(getauxval(AT_CLKTCK), 100);
	CHECK_EQ(getauxval(AT_UID), getuid());
	CHECK_EQ(getauxval(AT_EUID), geteuid());
	CHECK_EQ(getauxval(AT_GID), getgid());
	CHECK_EQ(getauxval(AT_EGID), getegid());
	CHECK_EQ(getauxval(AT_SECURE), 0);
	CHECK(memcmp((void *)getauxval(AT_RANDOM), zero, 16) != 0);
	ph = (void *)getauxval(AT_PHDR);
	for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++)
		loads += ph[i].p_type == PT_LOAD;
	CHECK(loads >= 1);
	CHECK(access((char *)getauxval(AT_EXECFN), X_OK) == 0 || ((char *)getauxval(AT_EXECFN))[0] != '/');
	CHECK(getauxval(AT_ENTRY) != 0);
}

TEST(stack_pointer_is_aligned)
{
	CHECK_EQ((uintptr_t)__builtin_frame_address(0) % 16, 0);
}

TEST(too_long_is_e2big)
{
	enum { ONE = 100 * 1024 };
	char *huge = malloc(200 * 1024), **argv = calloc(400, sizeof(char *));

	CHECK(huge && argv);
	memset(huge, 'y', 200 * 1024 - 1); /* one string over 128 KiB */
	huge[200 * 1024 - 1] = 0;
	argv[0] = "x";
	argv[1] = huge;
	ERR(execve(self, argv, environ), E2BIG);
	huge[ONE] = 0;
	for (int i = 1; i < 399; i++) /* 40 MB in all */
		argv[i] = huge;
	ERR(execve(self, argv, environ), E2BIG);
}

TEST(many_arguments_fit)
{
	char **argv = calloc(3000, sizeof(char *));

	for (int i = 0; i < 2002; i++)
		argv[i] = "0123456789";
	argv[1] = "@count";
	OK(setenv("COUNT", "2000", 1));
	IN_CHILD(execv(self, argv); FAIL("execv: %s", strerror(errno)));
}

TEST(errors)
{
	char *argv[] = {"x", NULL};
	struct stat st;

	ERR(execv("missing", argv), ENOENT);
	ERR(execv("", argv), ENOENT);
	file_make("plain", "hello", 5);
	ERR(execv("plain", argv), EACCES);
	ERR(execv("plain/x", argv), ENOTDIR);
	ERR(execv("/dev", argv), EACCES);
	OK(chmod("plain", 0755));
	ERR(execv("plain", argv), ENOEXEC);
	OK(truncate("plain", 0));
	ERR(execv("plain", argv), ENOEXEC);
	OK(symlink("loop", "loop"));
	ERR(execv("loop", argv), ELOOP);
	OK(stat("/dev/null", &st));
	ERR(execv("/dev/null", argv), EACCES);
}

TEST(failed_exec_leaves_everything)
{
	char *argv[] = {"x", NULL};
	volatile int local = 3;
	int fd = OK(open("/dev/null", O_RDONLY | O_CLOEXEC));

	on_signal(SIGUSR1, nop, 0);
	ERR(execv("missing", argv), ENOENT);
	OK(fcntl(fd, F_GETFD));
	OK(raise(SIGUSR1));
	CHECK_EQ(local, 3);
}

TEST(memory_is_fresh)
{
	OK(setenv("X", "1", 1));
	IN_CHILD(char *envp[] = {NULL}; char *argv[] = {"x", "@fresh", NULL}; execve(self, argv, envp); FAIL("execve"));
}

TEST(busy_text_is_protected_or_copied)
{
	/* Linux refuses to write a running program (ETXTBSY); allowing it is a choice too, crashing is not */
	find_self();
	int fd = open(self, O_WRONLY);
	if (fd < 0)
		CHECK(errno == ETXTBSY || errno == EROFS || errno == EACCES);
	else
		OK(close(fd));
}

TEST(fexecve_by_descriptor)
{
	char *argv[] = {"x", "@fresh", NULL}, *envp[] = {NULL};
	int fd = OK(open(self, O_RDONLY | O_CLOEXEC));
	pid_t pid = OK(fork());

	if (pid == 0) {
		syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
		_exit(errno == ENOSYS ? 99 : 1);
	}
	int st = wait_status(pid);
	if (WIFEXITED(st) && WEXITSTATUS(st) == 99)
		SKIP("no execveat");
	CHECK_EQ(st, 0);
}

TEST(hundred_execs)
{
	for (int i = 0; i < 100; i++)
		IN_CHILD(char *envp[] = {NULL}; char *argv[] = {"x", "@fresh", NULL}; execve(self, argv, envp);
			 FAIL("execve"));
}

int main(int argc, char **argv, char **envp)
{
	find_self();
	if (argc > 1 && argv[1][0] == '@')
		return reexec(argc, argv, envp);
	return test_main(argc, argv);
}
