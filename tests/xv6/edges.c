/* The edges of memory, processes and pipes. See edges.h. */
#include "edges.h"

#define MIB (1024 * 1024)

/* Addresses that belong to no process. */
static const uint64 foreign[] = {
	0x80000000UL,
	0x3fffffe000UL,
	0x3ffffff000UL,
	0x4000000000UL,
	0x8000000000UL,
	0xffffffff80000000UL,
	0xffffffffffffffffUL,
};

#define NR_FOREIGN (int)(sizeof(foreign) / sizeof(foreign[0]))

static char buf[3000];
static int zeroes[5000];
static int initialized[3] = {1, 2, 3};

/* ---- pointers given to calls ---- */

static void copy_in(void)
{
	for (int i = 0; i < NR_FOREIGN; i++) {
		char *p = (char *)foreign[i];
		int fds[2], fd = open("edge", O_CREATE | O_WRONLY);

		EXPECT(fd >= 0 && write(fd, p, 8192) < 0);
		close(fd);
		unlink("edge");
		EXPECT(write(1, p, 8192) <= 0);
		EXPECT(pipe(fds) == 0 && write(fds[1], p, 8192) <= 0);
		close(fds[0]);
		close(fds[1]);
		EXPECT(open(p, O_CREATE) < 0 && unlink(p) < 0 && mkdir(p) < 0 && chdir(p) < 0);
		EXPECT(link(p, "edge") < 0 && link("README", p) < 0 && mknod(p, 1, 1) < 0);
	}
}

static void copy_out(void)
{
	uint64 zero = 0;

	for (int i = -1; i < NR_FOREIGN; i++) {
		char *p = (char *)(i < 0 ? zero : foreign[i]);
		int fds[2], fd = open("README", O_RDONLY);

		EXPECT(fd >= 0 && read(fd, p, 8192) < 0);
		EXPECT(fstat(fd, (struct stat *)p) < 0);
		close(fd);
		fd = open(".", O_RDONLY);
		EXPECT(fd >= 0 && read(fd, p, 64) <= 0);
		close(fd);
		EXPECT(pipe(fds) == 0 && write(fds[1], "x", 1) == 1 && read(fds[0], p, 8192) <= 0);
		close(fds[0]);
		close(fds[1]);
		EXPECT(pipe((int *)p) < 0);
		if (fork() == 0)
			exit(0);
		EXPECT(p == 0 || wait((int *)p) < 0);
		EXPECT(wait(0) > 0);
	}
}

static void text_is_read_only(void)
{
	int fd = open("README", O_RDONLY);

	EXPECT(fd >= 0 && read(fd, (void *)text_is_read_only, 10) < 0);
	EXPECT(fstat(fd, (void *)text_is_read_only) < 0);
	EXPECT(pipe((void *)text_is_read_only) < 0);
	/* To be read from, it is memory like any other. */
	EXPECT(pipe(initialized) == 0 && write(initialized[1], (void *)text_is_read_only, 100) == 100);
}

static void lengths(void)
{
	int fd = open("README", O_RDONLY), fds[2];

	EXPECT(fd >= 0 && read(fd, buf, 0) == 0 && read(fd, buf, -1) < 0 && read(fd, sbrk(0) - 1, -1) < 0);
	EXPECT(pipe(fds) == 0 && write(fds[1], buf, 0) == 0 && write(fds[1], buf, -1) < 0);
	/* A buffer at the end of memory may be called longer than it is when what comes is not. */
	char *top = sbrk(PGSIZE);
	EXPECT(top != SBRK_ERROR && PGROUNDUP((uint64)sbrk(0)) == (uint64)sbrk(0));
	EXPECT(write(fds[1], "four", 4) == 4 && read(fds[0], top + PGSIZE - 8, 100) == 4);
	EXPECT(read(fd, top + PGSIZE - 8, 100) < 0);
	EXPECT(write(fds[1], top + PGSIZE - 8, 100) <= 8);
}

/* A string that runs up to the end of memory and has no end there. */
static void strings_at_the_end(void)
{
	char *top, *argv[] = {"x", 0};

	sbrk(2 * PGSIZE);
	top = sbrk(0);
	if ((uint64)top % PGSIZE)
		sbrk(PGSIZE - (uint64)top % PGSIZE);
	top = (char *)sbrk(0) - 1;
	*top = 'x';
	EXPECT(unlink(top) < 0 && open(top, O_CREATE | O_WRONLY) < 0 && link(top, top) < 0 && exec(top, argv) < 0);
	argv[0] = top;
	EXPECT(exec("echo", argv) < 0);
	EXPECT(exec("echo", (char **)(top - 6)) < 0);
	/* And one that has. */
	top[-1] = 'e';
	*top = 0;
	int fd = open(top - 1, O_RDWR | O_CREATE);
	EXPECT(fd >= 0 && write(fd, top - 1, 1) == 1);
	close(fd);
	EXPECT(unlink("e") == 0);
}

static void long_paths(void)
{
	static char path[MAXPATH + 1];
	char *argv[] = {"x", 0};

	memset(path, 'x', MAXPATH);
	EXPECT(open(path, O_CREATE | O_WRONLY) < 0 && unlink(path) < 0 && link(path, path) < 0 && exec(path, argv) < 0);
	EXPECT(mkdir(path) < 0 && chdir(path) < 0);
	/* One less is a path; only the name in it is longer than names are. */
	path[MAXPATH - 1] = 0;
	int fd = open(path, O_CREATE | O_WRONLY);
	EXPECT(fd >= 0);
	close(fd);
	EXPECT(unlink("xxxxxxxxxxxxxx") == 0);
}

/* ---- what may be touched ---- */

static void read_at(uint64 p)
{
	exit(*(volatile char *)p & 1);
}

static void write_at(uint64 p)
{
	*(volatile char *)p = 10;
}

static void kernel_is_out_of_reach(void)
{
	for (uint64 p = KERNBASE; p < KERNBASE + 2000000; p += 200000)
		EXPECT(status_of(read_at, p) == KILLED);
	for (uint64 p = MAXVA; p; p <<= 1)
		EXPECT(status_of(write_at, p) == KILLED);
	for (int i = 0; i < NR_FOREIGN; i++)
		EXPECT(status_of(read_at, foreign[i]) == KILLED && status_of(write_at, foreign[i]) == KILLED);
}

static void null_and_text(void)
{
	EXPECT(status_of(read_at, 0) == KILLED);
	EXPECT(status_of(write_at, 0) == KILLED);
	EXPECT(status_of(write_at, (uint64)null_and_text) == KILLED);
	EXPECT(status_of(write_at, (uint64) "a literal") == KILLED);
}

static void below_stack(uint64 off)
{
	read_at(r_sp() - off);
}

static void stack_guard(void)
{
	EXPECT(status_of(below_stack, USERSTACK * PGSIZE) == KILLED);
	EXPECT(status_of(below_stack, 0) != KILLED);
}

static void bss_is_zero(void)
{
	for (int i = 0; i < (int)(sizeof(zeroes) / sizeof(zeroes[0])); i++)
		EXPECT(zeroes[i] == 0);
	EXPECT(initialized[2] == 3);
}

/* ---- sbrk ---- */

static void sbrk_bytes(void)
{
	char *p = sbrk(0);

	for (int i = 0; i < 5000; i++) {
		char *q = sbrk(1);

		EXPECT(q == p + i);
		*q = 1;
	}
	EXPECT(sbrk(0) == p + 5000);
	EXPECT(fork() >= 0);
	EXPECT(sbrk(1) == p + 5000);
	wait(0);
}

static void sbrk_shrinks(void)
{
	char *start = sbrk(8 * PGSIZE), *top;

	EXPECT(start != SBRK_ERROR);
	memset(start, 7, 8 * PGSIZE);
	top = sbrk(0);
	EXPECT(sbrk(-3 * PGSIZE) == top && sbrk(0) == top - 3 * PGSIZE);
	/* What was given back cannot be read; what comes back is empty. */
	EXPECT(status_of(read_at, (uint64)top - PGSIZE) == KILLED);
	EXPECT(write(1, top - PGSIZE, 10) < 0);
	EXPECT(open(top - 10, 0) < 0);
	EXPECT(sbrk(3 * PGSIZE) == top - 3 * PGSIZE);
	for (char *p = top - 2 * PGSIZE; p < top; p++)
		EXPECT(*p == 0);
	EXPECT(start[0] == 7 && start[4 * PGSIZE] == 7);
	/* In the middle of a page, nothing is lost. */
	EXPECT(sbrk(-10) == top && sbrk(0) == top - 10 && sbrk(10) == top - 10);
}

static void sbrk_too_low(uint64 left)
{
	sbrk(-(int)((uint64)sbrk(0) - left));
	/* Without memory there is no way to say anything else. */
	exit(0);
}

static void sbrk_gives_all(void)
{
	char *top = sbrk(0);

	EXPECT(status_of(sbrk_too_low, 0) == KILLED);
	EXPECT(status_of(sbrk_too_low, 3500) == KILLED);
	/* More than there is: nothing happens. */
	EXPECT(sbrk(-((int)(uint64)top + 1)) == top && sbrk(0) == top);
	EXPECT(sbrk((int)0x80000004) == top);
	top[-1] = (char)(top[-1] + 1);
}

static void sbrk_large(void)
{
	enum { BIG = 48 * MIB };
	char *old = sbrk(0), *p = sbrk(BIG - (int)(uint64)old);

	/* On a small machine half of it must do. */
	if (p == SBRK_ERROR)
		p = sbrk(8 * MIB);
	EXPECT(p == old);
	for (char *q = p; q < sbrk(0); q += PGSIZE)
		*q = 1;
	char *last = (char *)sbrk(0) - 1;
	*last = 99;
	EXPECT(sbrk(-PGSIZE) == last + 1 && sbrk(PGSIZE) == last + 1 - PGSIZE && *last == 0);
	EXPECT(sbrk(-(int)(sbrk(0) - old)) == last + 1 && sbrk(0) == old);
	EXPECT(status_of(read_at, (uint64)last) == KILLED);
}

static void too_much(uint64 unused)
{
	char *p = sbrk(1024 * MIB);

	if (p == SBRK_ERROR)
		exit(0);
	for (int i = 0; i < 1024 * MIB; i += PGSIZE)
		p[i] = 99;
	exit(1);
}

static void sbrk_too_much(void)
{
	int status = status_of(too_much, 0);

	EXPECT(status == 0 || status == KILLED);
	EXPECT(sbrk(PGSIZE) != SBRK_ERROR);
}

static void sbrk_lazy(void)
{
	enum { REGION = 1024 * MIB };
	char *p = sbrklazy(REGION);

	EXPECT(p != SBRK_ERROR && sbrk(0) == p + REGION);
	for (long i = PGSIZE; i < REGION; i += 512 * PGSIZE)
		*(char **)(p + i) = p + i;
	for (long i = PGSIZE; i < REGION; i += 512 * PGSIZE)
		EXPECT(*(char **)(p + i) == p + i && p[i + PGSIZE] == 0);
	/* Calls bring pages too. */
	int fd = open("README", O_RDONLY);
	EXPECT(read(fd, p + 100 * PGSIZE, 4) == 4 && p[100 * PGSIZE] != 0);
	close(fd);
	EXPECT(open(p + 2 * PGSIZE, O_CREATE) < 0);
	EXPECT(sbrklazy(-REGION) == p + REGION);
	EXPECT(status_of(read_at, (uint64)p + 100 * PGSIZE) == KILLED);
}

/* The whole of the address space. */
static void sbrk_to_the_top(void)
{
	char *p = sbrk(0);

	while ((uint64)p < MAXVA - (1 << 30)) {
		EXPECT(sbrklazy(1 << 30) == p);
		p = sbrklazy(0);
	}
	EXPECT(sbrklazy((int)(TRAPFRAME - PGSIZE - (uint64)p)) == p);
	p = sbrk(PGSIZE);
	EXPECT((uint64)p == TRAPFRAME - PGSIZE);
	p[0] = 1;
	EXPECT(p[1] == 0 && sbrk(1) == SBRK_ERROR && sbrklazy(1) == SBRK_ERROR);
	EXPECT(status_of(read_at, (uint64)p) == 1);
}

/* All memory is taken, some given back, and a program is started. */
static void out_of_memory_then_exec(void)
{
	for (int spare = 0; spare < 4; spare++) {
		int pid = fork();

		EXPECT(pid >= 0);
		if (pid == 0) {
			char *argv[] = {"echo", "x", 0}, *p;

			while ((p = sbrk(64 * PGSIZE)) != SBRK_ERROR)
				p[PGSIZE - 1] = 1;
			while ((p = sbrk(PGSIZE)) != SBRK_ERROR)
				p[PGSIZE - 1] = 1;
			for (int i = 0; i < spare; i++)
				sbrk(-PGSIZE);
			close(1);
			exec("echo", argv);
			exit(0);
		}
		EXPECT(wait(0) == pid);
	}
}

/* Several hold memory until there is none: the rest of it is there for others, and all of it afterwards. */
static void memory_is_given_back(void)
{
	int pids[8], fds[2], refused = 0;
	char answer;

	EXPECT(pipe(fds) == 0);
	for (int i = 0; i < 8; i++) {
		pids[i] = fork();
		EXPECT(pids[i] >= 0);
		if (pids[i] == 0) {
			/* On a small machine the first one takes less. */
			int got = sbrk(100 * MIB) != SBRK_ERROR || (i == 0 && sbrk(5 * MIB) != SBRK_ERROR);

			write(fds[1], got ? "1" : "0", 1);
			for (;;)
				pause(1000);
		}
		EXPECT(read(fds[0], &answer, 1) == 1);
		refused += answer == '0';
	}
	EXPECT(refused > 0 && refused < 8 && sbrk(PGSIZE) != SBRK_ERROR);
	for (int i = 0; i < 8; i++)
		EXPECT(kill(pids[i]) == 0 && wait(&refused) > 0 && refused == KILLED);
	EXPECT(sbrk(5 * MIB) != SBRK_ERROR);
}

static void malloc_all(void)
{
	char *list = 0, *p;
	int nr = 0;

	while ((p = malloc(10001))) {
		*(char **)p = list;
		list = p;
		nr++;
	}
	EXPECT(nr > 100);
	while (list) {
		p = *(char **)list;
		free(list);
		list = p;
	}
	p = malloc(20 * 1024);
	EXPECT(p);
	free(p);
	free(0);
}

static void malloc_mix(void)
{
	static char *held[64];
	uint seed = 1;

	for (int i = 0; i < 20000; i++) {
		uint slot = (seed = seed * 1103515245 + 12345) >> 16 & 63, size = 4 + (seed >> 8 & 2047);

		if (held[slot]) {
			uint was = *(uint *)held[slot];

			for (uint n = 4; n < was; n += 37)
				EXPECT(held[slot][n] == (char)slot);
			free(held[slot]);
		}
		held[slot] = malloc(size);
		EXPECT(held[slot] && (uint64)held[slot] % 8 == 0);
		memset(held[slot], (int)slot, size);
		*(uint *)held[slot] = size;
		/* The program's own use of the break must not come in between. */
		if (i % 5000 == 0)
			*(char *)sbrk(24) = 1;
	}
}

/* ---- processes ---- */

static void exit_whole(uint64 status)
{
	exit((int)status);
}

static void exit_status(void)
{
	EXPECT(status_of(exit_whole, 747) == 747);
	EXPECT(status_of(exit_whole, 0x12345678) == 0x12345678);
	EXPECT(status_of(exit_whole, (uint64)-1) == -1);
	EXPECT(status_of(exit_whole, 256) == 256);
	EXPECT(wait(0) == -1 && wait((int *)buf) == -1);
}

static void kill_status(void)
{
	for (int i = 0; i < 8; i++) {
		int status, pid = fork();

		if (pid == 0)
			for (;;)
				getpid();
		pause(1);
		EXPECT(kill(pid) == 0 && wait(&status) == pid && status == KILLED);
	}
	EXPECT(kill(-1) < 0 && kill(0) < 0 && kill(99999999) < 0);
}

/* Children die or are killed while they sleep, read a pipe, wait for a child, run. */
static void kill_anywhere(void)
{
	int fds[2], pids[4], status;

	EXPECT(pipe(fds) == 0);
	for (int i = 0; i < 4; i++) {
		pids[i] = fork();
		EXPECT(pids[i] >= 0);
		if (pids[i])
			continue;
		if (i == 0)
			pause(1000);
		else if (i == 1)
			read(fds[0], buf, 1);
		else if (i == 2 && fork())
			wait(0);
		for (;;)
			pause(i == 3 ? 0 : 20);
	}
	pause(1);
	for (int i = 0; i < 4; i++)
		EXPECT(kill(pids[i]) == 0);
	for (int i = 0; i < 4; i++)
		EXPECT(wait(&status) > 0 && status == KILLED);
	EXPECT(wait(0) == -1);
}

/* Forking until there are no more processes, and all of them are waited for. */
static void fork_limit(void)
{
	int nr = 0, pid;

	for (; nr < 1000; nr++) {
		pid = fork();
		if (pid < 0)
			break;
		if (pid == 0)
			exit(0);
	}
	EXPECT(nr > 10 && nr <= NPROC);
	for (int i = 0; i < nr; i++)
		EXPECT(wait(0) > 0);
	EXPECT(wait(0) == -1);
}

/* Children that fork until they cannot any more, for a while; then it all comes to rest. */
static void fork_storm(void)
{
	int pid, nr = 0;

	unlink("stop");
	pid = fork();
	EXPECT(pid >= 0);
	if (pid == 0) {
		for (;;) {
			if (open("stop", 0) >= 0)
				exit(0);
			if (fork() < 0)
				close(open("stop", O_CREATE | O_RDWR));
		}
	}
	pause(10);
	close(open("stop", O_CREATE | O_RDWR));
	EXPECT(wait(0) == pid);
	/* Orphans need a moment to see it. Then there is room again. */
	while (nr < 40 && (pid = fork()) != 0) {
		if (pid < 0)
			pause(1);
		else
			nr++;
	}
	if (nr < 40)
		exit(0);
	while (wait(0) > 0)
		;
	EXPECT(unlink("stop") == 0);
}

static void orphans(void)
{
	for (int i = 0; i < 60; i++) {
		int pid = fork();

		EXPECT(pid >= 0);
		if (pid == 0) {
			fork();
			fork();
			exit(0);
		}
		EXPECT(wait(0) == pid);
	}
	EXPECT(wait(0) == -1);
}

static void exit_and_wait(void)
{
	for (int i = 0; i < 100; i++) {
		int status, pid = fork();

		EXPECT(pid >= 0);
		if (pid == 0)
			exit(i);
		EXPECT(wait(&status) == pid && status == i);
	}
}

static void two_at_a_time(void)
{
	for (int i = 0; i < 100; i++) {
		int a = fork(), b;

		if (a == 0)
			exit(0);
		b = fork();
		if (b == 0)
			exit(0);
		EXPECT(a > 0 && b > 0 && wait(0) > 0 && wait(0) > 0 && wait(0) == -1);
	}
}

static void fork_copies(void)
{
	char *p = sbrk(2 * PGSIZE);
	int pid, status;

	memset(p, 1, 2 * PGSIZE);
	pid = fork();
	if (pid == 0) {
		memset(p, 2, PGSIZE);
		exit(p[0] == 2 && p[PGSIZE] == 1 ? 0 : 1);
	}
	p[PGSIZE] = 3;
	EXPECT(wait(&status) == pid && status == 0 && p[0] == 1 && p[PGSIZE] == 3);
}

static void time_passes(void)
{
	int before = uptime();

	EXPECT(pause(3) == 0 && sleep(0) == 0 && sleep(-1) == 0);
	EXPECT(uptime() - before >= 2);
}

static void pids(void)
{
	int me = getpid(), pid = fork(), status;

	if (pid == 0)
		exit(getpid() != me && ugetpid() == getpid() ? getpid() : 0);
	EXPECT(wait(&status) == pid && status == pid && ugetpid() == me);
}

/* ---- exec ---- */

/* Never comes back. */
static void exec_to_file(uint64 argv)
{
	close(1);
	EXPECT(open("out", O_CREATE | O_WRONLY | O_TRUNC) == 1);
	exec("echo", (char **)argv);
	exit(9);
}

static int out_is(const char *text)
{
	int fd = open("out", O_RDONLY), n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);

	close(fd);
	unlink("out");
	if (n >= 0)
		buf[n] = 0;
	return n >= 0 && strcmp(buf, text) == 0;
}

static void exec_works(void)
{
	char *argv[] = {"echo", "one", "two words", "", 0};

	EXPECT(status_of(exec_to_file, (uint64)argv) == 0 && out_is("one two words \n"));
}

static void exec_arguments(void)
{
	static char *many[MAXARG + 1], big[PGSIZE + 1], medium[400];
	char *argv[] = {"echo", big, big, big, 0};

	for (int i = 0; i < MAXARG; i++)
		many[i] = "a";
	EXPECT(exec("echo", many) < 0);
	many[MAXARG - 1] = 0;
	EXPECT(status_of(exec_to_file, (uint64)many) == 0);
	EXPECT(out_is("a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a\n"));
	/* Few, but ten pages of them; or each small, and together more than the stack. */
	memset(big, 'x', PGSIZE);
	EXPECT(exec("echo", argv) < 0);
	memset(medium, ' ', sizeof(medium) - 1);
	for (int i = 0; i < MAXARG - 1; i++)
		many[i] = medium;
	EXPECT(exec("echo", many) < 0);
	many[8] = 0;
	EXPECT(status_of(exec_to_file, (uint64)many) == 0);
	unlink("out");
}

static void exec_bad(void)
{
	char *argv[] = {(char *)0xffffffffUL, 0}, *good[] = {"echo", 0};

	for (int i = 0; i < 1000; i++)
		EXPECT(exec("echo", argv) < 0);
	EXPECT(exec("echo", 0) < 0 && exec("echo", (char **)0xeaeb0b5b00002f5eUL) < 0);
	EXPECT(exec((char *)0xeaeb0b5b00002f5eUL, good) < 0 && exec(0, good) < 0);
	EXPECT(exec("nothing", good) < 0 && exec("README", good) < 0 && exec(".", good) < 0 && exec("", good) < 0);
	EXPECT(exec("console", good) < 0);
}

/* ---- pipes ---- */

static void pipe_stream(void)
{
	enum { SIZE = 1033, TIMES = 5 };
	int fds[2], seq = 0, n, want = 1, total = 0, status;

	EXPECT(pipe(fds) == 0);
	if (fork() == 0) {
		close(fds[0]);
		for (int i = 0; i < TIMES; i++) {
			for (int k = 0; k < SIZE; k++)
				buf[k] = (char)seq++;
			EXPECT(write(fds[1], buf, SIZE) == SIZE);
		}
		exit(0);
	}
	close(fds[1]);
	while ((n = read(fds[0], buf, want)) > 0) {
		for (int i = 0; i < n; i++)
			EXPECT(buf[i] == (char)seq++);
		total += n;
		want = want * 2 > (int)sizeof(buf) ? (int)sizeof(buf) : want * 2;
	}
	EXPECT(n == 0 && total == TIMES * SIZE && wait(&status) > 0 && status == 0);
}

static void pipe_ends(void)
{
	int fds[2];
	struct stat st;

	EXPECT(pipe(fds) == 0 && write(fds[0], "x", 1) < 0 && read(fds[1], buf, 1) < 0 && fstat(fds[0], &st) < 0);
	close(fds[0]);
	/* Nobody to read it: an error, not a death. */
	EXPECT(write(fds[1], "x", 1) < 0);
	close(fds[1]);
	EXPECT(pipe(fds) == 0 && write(fds[1], "ab", 2) == 2 && close(fds[1]) == 0);
	EXPECT(read(fds[0], buf, 10) == 2 && read(fds[0], buf, 10) == 0);
}

/* A writer fills the pipe and waits; whoever reads gets everything in order. */
static void pipe_full(void)
{
	int fds[2], pid, n, total = 0, status;

	EXPECT(pipe(fds) == 0);
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		for (int i = 0; i < 30; i++)
			EXPECT(write(fds[1], zeroes, 4000) == 4000);
		exit(5);
	}
	close(fds[1]);
	pause(1);
	while ((n = read(fds[0], buf, 999)) > 0)
		total += n;
	EXPECT(total == 120000 && wait(&status) == pid && status == 5);
	/* One that waits can be killed. */
	EXPECT(pipe(fds) == 0);
	pid = fork();
	if (pid == 0)
		for (;;)
			write(fds[1], zeroes, 4000);
	pause(1);
	EXPECT(kill(pid) == 0 && wait(&status) == pid && status == KILLED);
}

/* ---- descriptors ---- */

static void descriptors(void)
{
	int nr = 0, fd, fds[2];

	while ((fd = open("README", O_RDONLY)) >= 0)
		nr = fd + 1;
	EXPECT(nr == NOFILE);
	EXPECT(dup(0) < 0 && pipe(fds) < 0);
	struct stat st;
	EXPECT(fstat(5, &st) == 0 && st.type == T_FILE);
	EXPECT(close(7) == 0 && pipe(fds) < 0 && dup(0) == 7);
	EXPECT(close(9) == 0 && close(8) == 0 && pipe(fds) == 0 && fds[0] == 8 && fds[1] == 9);
	EXPECT(close(9) == 0 && close(9) < 0);
	EXPECT(close(-1) < 0 && close(NOFILE) < 0 && close(32) < 0 && close(1000000) < 0);
	EXPECT(read(-1, buf, 1) < 0 && write(NOFILE, buf, 1) < 0 && dup(-1) < 0 && dup(32) < 0 && fstat(33, &st) < 0);
	for (fd = 3; fd < 64; fd++)
		close(fd);
	char *argv[] = {"echo", "still", 0};
	EXPECT(status_of(exec_to_file, (uint64)argv) == 0 && out_is("still\n"));
}

/* ---- library ---- */

static void strings(void)
{
	char s[32];

	EXPECT(strlen("") == 0 && strlen("abc") == 3 && strcmp(strcpy(s, "abc"), "abc") == 0);
	EXPECT(strcmp("a", "b") < 0 && strcmp("b", "a") > 0 && strcmp("a", "ab") < 0 && strcmp("\x80", "a") > 0);
	EXPECT(strchr("abc", 'c')[0] == 'c' && strchr("abc", 'x') == 0);
	EXPECT(atoi("42x") == 42 && atoi("") == 0 && atoi("007") == 7);
	strcpy(s, "0123456789");
	memmove(s + 2, s, 5);
	EXPECT(strcmp(s, "0101234789") == 0);
	memmove(s, s + 2, 5);
	EXPECT(memcmp(s, "01234", 5) == 0 && memcmp("a", "b", 1) < 0 && memcmp("a", "b", 0) == 0);
	EXPECT(memset(s, 'x', 3) == s && memcpy(s + 3, "yz", 3) == s + 3 && strcmp(s, "xxxyz") == 0);
}

static void lines_in(uint64 unused)
{
	char s[8];

	close(0);
	EXPECT(open("lines", O_RDONLY) == 0);
	EXPECT(strcmp(gets(s, sizeof(s)), "ab\n") == 0 && strcmp(gets(s, sizeof(s)), "1234567") == 0);
	EXPECT(strcmp(gets(s, sizeof(s)), "8\r") == 0 && strcmp(gets(s, sizeof(s)), "end") == 0 &&
		!gets(s, sizeof(s))[0]);
}

static void input(void)
{
	int fd = open("lines", O_CREATE | O_WRONLY | O_TRUNC);

	EXPECT(write(fd, "ab\n12345678\rend", 15) == 15);
	close(fd);
	EXPECT(status_of(lines_in, 0) == 0);
	unlink("lines");
}

static void print_to_file(uint64 unused)
{
	int fd = open("out", O_CREATE | O_WRONLY | O_TRUNC);

	fprintf(fd, "%d %d %u %x|", -7, (int)0x80000000, 4000000000u, 0xbeef);
	fprintf(fd, "%ld %lu %lx %lld %llx|", -1L, 1UL << 40, 1UL << 40, -2LL, 255ULL);
	fprintf(fd, "%p %s %s %c%%", (void *)0x1234abcdUL, "str", (char *)0, 'z');
	fprintf(fd, "|%l|%q", 99UL);
}

static void formats(void)
{
	EXPECT(status_of(print_to_file, 0) == 0);
	EXPECT(out_is("-7 -2147483648 4000000000 BEEF|-1 1099511627776 10000000000 -2 FF|"
		      "0x000000001234ABCD str (null) z%|99|%q"));
}

static const struct edge edges[] = {
	{"copy_in", copy_in},
	{"copy_out", copy_out},
	{"text_is_read_only", text_is_read_only},
	{"lengths", lengths},
	{"strings_at_the_end", strings_at_the_end},
	{"long_paths", long_paths},
	{"kernel_is_out_of_reach", kernel_is_out_of_reach},
	{"null_and_text", null_and_text},
	{"stack_guard", stack_guard},
	{"bss_is_zero", bss_is_zero},
	{"sbrk_bytes", sbrk_bytes},
	{"sbrk_shrinks", sbrk_shrinks},
	{"sbrk_gives_all", sbrk_gives_all},
	{"sbrk_large", sbrk_large},
	{"sbrk_too_much", sbrk_too_much},
	{"sbrk_lazy", sbrk_lazy},
	{"sbrk_to_the_top", sbrk_to_the_top},
	{"out_of_memory_then_exec", out_of_memory_then_exec},
	{"memory_is_given_back", memory_is_given_back},
	{"malloc_all", malloc_all},
	{"malloc_mix", malloc_mix},
	{"exit_status", exit_status},
	{"kill_status", kill_status},
	{"kill_anywhere", kill_anywhere},
	{"fork_limit", fork_limit},
	{"fork_storm", fork_storm},
	{"orphans", orphans},
	{"exit_and_wait", exit_and_wait},
	{"two_at_a_time", two_at_a_time},
	{"fork_copies", fork_copies},
	{"time_passes", time_passes},
	{"pids", pids},
	{"exec_works", exec_works},
	{"exec_arguments", exec_arguments},
	{"exec_bad", exec_bad},
	{"pipe_stream", pipe_stream},
	{"pipe_ends", pipe_ends},
	{"pipe_full", pipe_full},
	{"descriptors", descriptors},
	{"strings", strings},
	{"input", input},
	{"formats", formats},
};

int main(int argc, char *argv[])
{
	exit(edges_main(edges, (int)(sizeof(edges) / sizeof(edges[0])), argc, argv));
}
