/*
 * The driver of edges.c and edges_fs.c: tests of the classic user API at its edges, one process a test.
 *
 * usage: edges [NAME...]
 *
 * One line a test, "ALL TESTS PASSED" at the end. The interface is all that is used: no file here knows of Vitrine.
 */
#ifndef EDGES_H
#define EDGES_H

#include "kernel/param.h"
#include "kernel/types.h"
#include "kernel/stat.h"
#include "kernel/fs.h"
#include "kernel/fcntl.h"
#include "kernel/syscall.h"
#include "kernel/memlayout.h"
#include "kernel/riscv.h"
#include "user/user.h"

#define KILLED -1

/* Ends the test as failed. */
#define EXPECT(cond)                                               \
	do {                                                       \
		if (!(cond)) {                                     \
			printf("(line %d: %s) ", __LINE__, #cond); \
			exit(1);                                   \
		}                                                  \
	} while (0)

struct edge {
	const char *name;
	void (*run)(void);
};

/* Runs fn in a child: its exit status, KILLED when it did not come to an end by itself. */
static inline int status_of(void (*fn)(uint64), uint64 arg)
{
	int status = 99, pid = fork();

	EXPECT(pid >= 0);
	if (pid == 0) {
		fn(arg);
		exit(0);
	}
	EXPECT(wait(&status) == pid);
	return status;
}

static int edge_run(const struct edge *e)
{
	int status = 99, pid;

	printf("test %s: ", e->name);
	pid = fork();
	if (pid == 0) {
		e->run();
		exit(0);
	}
	if (pid < 0 || wait(&status) != pid) {
		printf("FAILED: cannot be run\n");
		return 1;
	}
	if (status == 0)
		printf("OK\n");
	else
		printf("FAILED: status %d\n", status);
	return status != 0;
}

static int edges_main(const struct edge *edges, int nr, int argc, char *argv[])
{
	int failed = 0, run = 0;

	for (int i = 0; i < nr; i++) {
		int wanted = argc < 2;

		for (int a = 1; a < argc; a++)
			wanted |= strcmp(argv[a], edges[i].name) == 0;
		if (wanted) {
			run++;
			failed += edge_run(&edges[i]);
		}
	}
	if (run == 0)
		printf("no such test\n");
	else if (failed)
		printf("%d OF %d TESTS FAILED\n", failed, run);
	else
		printf("ALL TESTS PASSED\n");
	return failed || !run;
}

#endif
