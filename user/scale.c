/*
 * scale - what a second hart is worth: the same work by one and by two at once, in wall-clock time.
 *
 * usage: scale [-r ROUNDS]
 *
 *	fault_procs    two processes, each touching memory of its own: speedup over one after the other
 *	fork_procs     two processes, each forking, and its children exiting
 *	fault_threads  two threads of one process touching disjoint ranges
 *
 * Prints "ROW SPEEDUP", of the shortest times of all rounds (other load on the host only ever adds to a time), and what
 * /proc/vmstat counted meanwhile. Needs two harts.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE        4096UL
#define FAULT_BYTES (8UL << 20)
#define FAULT_TIMES 12
#define FORK_TIMES  600

static void die(const char *what)
{
	fprintf(stderr, "scale: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- the work ---- */

static char *small_pages(size_t len)
{
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	madvise(p, len, MADV_NOHUGEPAGE);
	return p;
}

static void touch(char *p, size_t len)
{
	for (size_t i = 0; i < len; i += PAGE)
		*(volatile char *)(p + i) = 1;
}

static void work_fault(void)
{
	for (int i = 0; i < FAULT_TIMES; i++) {
		char *p = small_pages(FAULT_BYTES);

		touch(p, FAULT_BYTES);
		munmap(p, FAULT_BYTES);
	}
}

static void work_fork(void)
{
	for (int i = 0; i < FORK_TIMES; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (pid == 0)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
}

/* ---- processes ---- */

/* Seconds until `nr` processes that start together have done the work. */
static double time_procs(void (*work)(void), int nr)
{
	int ready[2], go[2];
	char c = 0;
	double start;

	if (pipe(ready) || pipe(go))
		die("pipe");
	for (int i = 0; i < nr; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (pid == 0) {
			work(); /* warm */
			if (write(ready[1], &c, 1) != 1 || read(go[0], &c, 1) != 1)
				_exit(1);
			work();
			_exit(0);
		}
	}
	for (int i = 0; i < nr; i++)
		if (read(ready[0], &c, 1) != 1)
			die("read");
	start = now();
	for (int i = 0; i < nr; i++)
		if (write(go[1], &c, 1) != 1)
			die("write");
	for (int i = 0; i < nr; i++) {
		int status;

		if (wait(&status) < 0 || status != 0)
			die("a worker failed");
	}
	start = now() - start;
	close(ready[0]);
	close(ready[1]);
	close(go[0]);
	close(go[1]);
	return start;
}

static double time_fault_procs(int nr)
{
	return time_procs(work_fault, nr) / nr;
}

static double time_fork_procs(int nr)
{
	return time_procs(work_fork, nr) / nr;
}

/* ---- threads ---- */

static pthread_barrier_t start_line;

struct range {
	char *p;
	size_t len;
};

static void *touch_range(void *arg)
{
	const struct range *r = arg;

	pthread_barrier_wait(&start_line);
	touch(r->p, r->len);
	return NULL;
}

/* Seconds in which `nr` threads touch FAULT_BYTES * FAULT_TIMES / 2 between them. */
static double time_fault_threads(int nr)
{
	size_t len = FAULT_BYTES * FAULT_TIMES / 2;
	char *p = small_pages(len);
	struct range r[2];
	pthread_t t[2];
	double start;

	pthread_barrier_init(&start_line, NULL, (unsigned)nr + 1);
	for (int i = 0; i < nr; i++) {
		r[i] = (struct range){p + (size_t)i * (len / (size_t)nr), len / (size_t)nr};
		if (pthread_create(&t[i], NULL, touch_range, &r[i]) != 0)
			die("pthread_create");
	}
	pthread_barrier_wait(&start_line);
	start = now();
	for (int i = 0; i < nr; i++)
		pthread_join(t[i], NULL);
	start = now() - start;
	munmap(p, len);
	return start;
}

/* ---- all of it ---- */

static const struct {
	const char *name;
	double (*time)(int nr); /* seconds that a unit of work takes when nr are at it */
} rows[] = {
	{"fault_procs", time_fault_procs},
	{"fork_procs", time_fork_procs},
	{"fault_threads", time_fault_threads},
};

static void print_counts(void)
{
	FILE *f = fopen("/proc/vmstat", "r");
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, "tlb") || strstr(line, "asid"))
			printf("# %s", line);
	if (f)
		fclose(f);
}

int main(int argc, char **argv)
{
	int rounds = argc == 3 && strcmp(argv[1], "-r") == 0 ? atoi(argv[2]) : 5;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		fprintf(stderr, "scale: needs two harts\n");
		return 1;
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		double one = 1e9, two = 1e9, t;

		for (int k = 0; k < rounds; k++) {
			t = rows[i].time(1);
			one = t < one ? t : one;
			t = rows[i].time(2);
			two = t < two ? t : two;
		}
		printf("%s %.2f\n", rows[i].name, one / two);
		fflush(stdout);
	}
	print_counts();
	return 0;
}
