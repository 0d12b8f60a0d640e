/*
 * sh: a small shell. Commands with arguments; < > >> redirect; | joins; & does not wait; ; and () group; cd.
 *
 * A line is run by recursive descent as it is read: each part runs in a process of its own that reads on from its place.
 */
#include "kernel/types.h"
#include "kernel/fcntl.h"
#include "kernel/param.h"
#include "user/user.h"

static char line[256];
static char *at; /* what is not read yet */

static void run_list(char *end) __attribute__((noreturn));
static void run_pipe(char *end) __attribute__((noreturn));
static void run_simple(char *end) __attribute__((noreturn));

static void __attribute__((noreturn)) fail(const char *why)
{
	fprintf(2, "sh: %s\n", why);
	exit(1);
}

static int fork_or_fail(void)
{
	int pid = fork();

	if (pid < 0)
		fail("cannot fork");
	return pid;
}

/* The first of the characters `set` between p and end that is not inside (); end when there is none. */
static char *find(char *p, char *end, const char *set)
{
	int depth = 0;

	for (; p < end; p++) {
		if (depth == 0 && strchr(set, *p))
			return p;
		depth += (*p == '(') - (*p == ')');
		if (depth < 0)
			fail("a ) without its (");
	}
	if (depth)
		fail("a ( without its )");
	return end;
}

static void skip_spaces(char *end)
{
	while (at < end && strchr(" \t\r\n\v", *at))
		at++;
}

/* The word at `at`, ended by a 0 in its place; 0 when there is none. The character that was there goes to *next. */
static char *word(char *end, char *next)
{
	char *start;

	skip_spaces(end);
	for (start = at; at < end && !strchr(" \t\r\n\v<>()", *at); at++)
		;
	if (at == start)
		return 0;
	*next = at < end ? *at : 0;
	*at = 0;
	return start;
}

static void redirect(char *end, char which)
{
	int append = which == '>' && at < end && *at == '>';
	char next, buf[64], *name;
	int fd = which == '<' ? 0 : 1;

	at += append;
	name = word(end, &next);
	if (!name)
		fail("no file to redirect to");
	close(fd);
	if (open(name, fd == 0 ? O_RDONLY : append ? O_RDWR | O_CREATE : O_WRONLY | O_CREATE | O_TRUNC) != fd) {
		fprintf(2, "sh: cannot open %s\n", name);
		exit(1);
	}
	/* There is no seek: what is to be appended to is read over. */
	while (append && read(fd, buf, sizeof(buf)) > 0)
		;
	*at = next;
}

/* One command, with neither | nor ; nor & in it. */
static void run_simple(char *end)
{
	char *argv[MAXARG], *group = 0, *group_end = 0, next = 0;
	int argc = 0;

	for (skip_spaces(end); at < end; skip_spaces(end)) {
		if (*at == '<' || *at == '>') {
			char which = *at++;

			redirect(end, which);
		} else if (*at == '(' && argc == 0 && !group) {
			group = at + 1;
			group_end = at = find(group, end, ")");
			at++;
		} else if (argc == MAXARG - 1 || !(argv[argc] = word(end, &next))) {
			fail("syntax");
		} else {
			argc++;
			/* The 0 that ends the word may stand where < or > was. */
			if (next == '<' || next == '>') {
				at++;
				redirect(end, next);
			} else if (at < end) {
				at++;
			}
		}
	}
	if (group) {
		at = group;
		run_list(group_end);
	}
	if (argc == 0)
		exit(0);
	argv[argc] = 0;
	exec(argv[0], argv);
	fprintf(2, "sh: %s: not found\n", argv[0]);
	exit(1);
}

static void run_pipe(char *end)
{
	char *bar = find(at, end, "|");
	int fds[2], status;

	if (bar == end)
		run_simple(end);
	if (pipe(fds) < 0)
		fail("cannot make a pipe");
	if (fork_or_fail() == 0) {
		close(1);
		dup(fds[1]);
		close(fds[0]);
		close(fds[1]);
		run_simple(bar);
	}
	if (fork_or_fail() == 0) {
		close(0);
		dup(fds[0]);
		close(fds[0]);
		close(fds[1]);
		at = bar + 1;
		run_pipe(end);
	}
	close(fds[0]);
	close(fds[1]);
	wait(&status);
	wait(&status);
	exit(status);
}

static void run_list(char *end)
{
	int status = 0;

	while (at < end) {
		char *stop = find(at, end, ";&");

		if (fork_or_fail() == 0)
			run_pipe(stop);
		if (stop == end || *stop == ';')
			wait(&status);
		at = stop + 1;
	}
	exit(status);
}

static void change_dir(void)
{
	char next, *name;

	at += 3;
	name = word(line + strlen(line), &next);
	if (!name || chdir(name) < 0)
		fprintf(2, "sh: cd: cannot\n");
}

int main(void)
{
	int fd;

	/* Descriptors 0, 1 and 2 are there from here on. */
	while ((fd = open("console", O_RDWR)) >= 0) {
		if (fd >= 3) {
			close(fd);
			break;
		}
	}
	for (;;) {
		fprintf(2, "$ ");
		gets(line, sizeof(line));
		if (!line[0])
			exit(0);
		at = line;
		skip_spaces(line + strlen(line));
		if (at[0] == 'c' && at[1] == 'd' && at[2] == ' ')
			change_dir();
		else if (fork_or_fail() == 0)
			run_list(line + strlen(line));
		else
			wait(0);
	}
}
