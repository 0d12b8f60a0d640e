/* #! scripts, and set-id programs. */
#include "test.h"

static void make_script(const char *name, const char *text)
{
	file_make(name, text, strlen(text));
	OK(chmod(name, 0755));
}

/* Run a program with arguments; gives its output, checks its status. */
static void run(char *const argv[], char *out, size_t size, int want)
{
	int fds[2], n, len = 0;
	pid_t pid;

	OK(pipe(fds));
	pid = OK(fork());
	if (pid == 0) {
		OK(dup2(fds[1], 1));
		OK(close(fds[0]));
		OK(close(fds[1]));
		execv(argv[0], argv);
		_exit(errno);
	}
	OK(close(fds[1]));
	while ((n = OK(read(fds[0], out + len, size - 1 - len))) > 0)
		len += n;
	out[len] = 0;
	OK(close(fds[0]));
	wait_exit(pid, want);
}

TEST(script_runs_with_its_arguments)
{
	char out[256];

	make_script("s", "#!/bin/sh\necho \"$0|$1|$2|$#\"\nexit 4\n");
	run((char *[]){"./s", "one", "two words", NULL}, out, sizeof(out), 4);
	CHECK_STR(out, "./s|one|two words|2\n");
}

TEST(interpreter_argument_is_one_word)
{
	char out[256];

	make_script("s", "#! /bin/sh -e \nfalse\necho not reached\n");
	run((char *[]){"./s", NULL}, out, sizeof(out), 1);
	CHECK_STR(out, "");
}

TEST(interpreter_may_be_a_script)
{
	char out[256], text[PATH_MAX + 64], cwd[PATH_MAX];

	CHECK(getcwd(cwd, sizeof(cwd)) != NULL);
	make_script("inner", "#!/bin/sh\necho \"inner $2\"\n");
	snprintf(text, sizeof(text), "#!%s/inner\n", cwd);
	make_script("outer", text);
	run((char *[]){"./outer", "arg", NULL}, out, sizeof(out), 0);
	CHECK_STR(out, "inner arg\n");
}

TEST(endless_interpreters_are_an_error)
{
	char out[64], text[PATH_MAX + 8], cwd[PATH_MAX];
	pid_t pid;

	CHECK(getcwd(cwd, sizeof(cwd)) != NULL);
	snprintf(text, sizeof(text), "#!%s/self\n", cwd);
	make_script("self", text);
	pid = OK(fork());
	if (pid == 0) {
		execl("./self", "self", (char *)NULL);
		_exit(errno == ELOOP || errno == ENOEXEC ? 0 : 1);
	}
	wait_ok(pid);
	(void)out;
}

TEST(missing_interpreter_is_enoent)
{
	char *argv[] = {"./s", NULL};

	make_script("s", "#!/no/such/thing\n");
	ERR(execv("./s", argv), ENOENT);
	make_script("s", "#!\n");
	ERR(execv("./s", argv), ENOEXEC);
	make_script("s", "#!   \n");
	ERR(execv("./s", argv), ENOEXEC);
	make_script("s", "#!/dev/null\n");
	ERR(execv("./s", argv), EACCES);
}

TEST(line_without_newline_works)
{
	char out[64];

	make_script("s", "#!/bin/true");
	run((char *[]){"./s", NULL}, out, sizeof(out), 0);
}

TEST(script_must_be_executable_and_readable)
{
	char *argv[] = {"./s", NULL};

	need_root();
	make_script("s", "#!/bin/sh\nexit 0\n");
	OK(chmod("s", 0644));
	ERR(execv("./s", argv), EACCES);
	OK(chmod("s", 0111));
	OK(chmod(".", 0755));
	pid_t pid = OK(fork());
	if (pid == 0) {
		OK(setuid(1234));
		execv("./s", argv); /* the interpreter cannot read it */
		_exit(126);
	}
	int st = wait_status(pid);
	CHECK(WIFEXITED(st) && WEXITSTATUS(st) != 0);
}

TEST(shell_falls_back_for_scripts_without_line)
{
	char out[64];

	make_script("s", "echo plain; exit 5\n");
	run((char *[]){"/bin/sh", "-c", "./s; exit $?", NULL}, out, sizeof(out), 5);
	CHECK_STR(out, "plain\n");
}

TEST(set_user_id_changes_the_effective_user)
{
	char out[64], data[4096];
	int in, outfd, n;

	need_root();
	in = OK(open("/proc/self/exe", O_RDONLY));
	outfd = OK(open("setuid", O_WRONLY | O_CREAT, 0755));
	while ((n = OK(read(in, data, sizeof(data)))) > 0)
		CHECK_EQ(write(outfd, data, n), n);
	OK(close(outfd));
	OK(chown("setuid", 4242, 4343));
	OK(chmod("setuid", 06755));
	run((char *[]){"./setuid", "@ids", NULL}, out, sizeof(out), 0);
	CHECK_STR(out, "0 4242 0 4343");
	OK(chown("setuid", 4242, 4343)); /* a change of owner takes the bits away */
	run((char *[]){"./setuid", "@ids", NULL}, out, sizeof(out), 0);
	CHECK_STR(out, "0 0 0 0");
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "@ids")) {
		dprintf(1, "%d %d %d %d", getuid(), geteuid(), getgid(), getegid());
		return 0;
	}
	return test_main(argc, argv);
}
