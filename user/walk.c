/*
 * walk - the programs of the guided walks (./vitrine walk)
 *
 * usage: walk NAME
 *
 * Each stands still now and then, until Enter, so that its memory can be looked at. They are in user/walks/. swap-shared is of
 * no walk: the lamp's tests look at it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "walks/walk.h"

static const struct {
	const char *name;
	int (*run)(void);
} walks[] = {
	{"cow", walk_cow},
	{"isolation", walk_isolation},
	{"lazy", walk_lazy},
	{"mmap", walk_mmap},
	{"pgaccess", walk_pgaccess},
	{"stack", walk_stack},
	{"superpage", walk_superpage},
	{"swap", walk_swap},
	{"swap-shared", walk_swap_shared},
	{"usyscall", walk_usyscall},
	{"vmprint", walk_vmprint},
};

#define NR_WALKS (sizeof(walks) / sizeof(walks[0]))

void stand_still(const char *name, const char *fmt, ...)
{
	char text[256], c;
	ssize_t nr;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	dprintf(STDOUT_FILENO, "%s: %s\n", name, text);
	while ((nr = read(STDIN_FILENO, &c, 1)) == 1 && c != '\n')
		;
	if (nr <= 0)
		exit(0);
}

void give_up(const char *what)
{
	fprintf(stderr, "walk: %s: %s\n", what, strerror(errno));
	exit(1);
}

char *map_small(size_t len)
{
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED || madvise(p, len, MADV_NOHUGEPAGE) < 0)
		give_up("no memory");
	return p;
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < NR_WALKS; i++)
		if (strcmp(argv[1], walks[i].name) == 0)
			return walks[i].run();
	fprintf(stderr, "usage: walk NAME, where NAME is one of");
	for (size_t i = 0; i < NR_WALKS; i++)
		fprintf(stderr, " %s", walks[i].name);
	fprintf(stderr, "\n");
	return 2;
}
