/*
 * torture - a seeded mix of everything, with self-checks.
 *
 * usage: torture [-s SEED] [-t SECONDS] [-n WORKERS] [-d DIRECTORY]
 *
 * Each worker process draws one operation after another from its own random sequence: fork, exec, map, write, rename,
 * unlink, truncate, pipes, signals, threads. Every operation checks what it can know for sure. A worker that finds something
 * wrong says what, with its seed and step, and exits with 1. The parent also kills workers at random and replaces them: what
 * they leave behind must not trouble the others. Prints one line at the end; exit status 0 when all checks held.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PG 4096
enum { MAX_WORKERS = 32, FILES = 12 };

static uint32_t seed, first_seed;
static long step;
static int worker;
static const char *self;
static volatile long *totals; /* shared: operations done, by kind */

static uint32_t rnd(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed % below;
}

static void wrong(int line, const char *what)
{
	dprintf(1, "torture: line %d: %s (errno %d; worker %d, seed %u, step %ld)\n", line, what, errno, worker,
		first_seed, step);
	_exit(1);
}
/* Running out of something is an answer, not a mistake. */
static int short_of(int err)
{
	return err == ENOMEM || err == EAGAIN || err == ENOSPC || err == EMFILE || err == ENFILE;
}
#define MUST(cond)                               \
	do {                                     \
		errno = 0;                       \
		if (!(cond) && !short_of(errno)) \
			wrong(__LINE__, #cond);  \
	} while (0)

static int file_name(char *name, int nr)
{
	return sprintf(name, "w%d-%d", worker, nr);
}

/* A file's bytes are a function of the name it was made for (kept in its first byte) and the place. */
static char byte_at(int tag, long off)
{
	return off == 0 ? tag : (char)(tag * 7 + off * 13 + (off >> 9));
}

static void op_write(void)
{
	char name[32], buf[9000];
	int tag = 1 + rnd(100), fd;
	long size = 1 + rnd(60000);

	file_name(name, rnd(FILES));
	fd = open(name, O_CREAT | O_TRUNC | O_RDWR, 0644);
	if (fd < 0) {
		MUST(short_of(errno));
		return;
	}
	for (long off = 0; off < size;) {
		long n = size - off < (long)sizeof(buf) ? size - off : (long)sizeof(buf);

		for (long i = 0; i < n; i++)
			buf[i] = byte_at(tag, off + i);
		long done = write(fd, buf, n);
		if (done <= 0)
			break;
		off += done;
	}
	if (rnd(20) == 0)
		MUST(fsync(fd) == 0);
	close(fd);
}

static void op_verify(void)
{
	char name[32], buf[4096];
	long off = 0, n;
	int tag = 0, fd;

	file_name(name, rnd(FILES));
	fd = open(name, O_RDONLY);
	if (fd < 0)
		return;
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		if (off == 0)
			tag = buf[0];
		for (long i = 0; i < n; i++)
			if (buf[i] != byte_at(tag, off + i))
				wrong(__LINE__, "file content");
		off += n;
	}
	MUST(n == 0);
	close(fd);
}

static void op_map_file(void)
{
	char name[32];
	struct stat st;
	int fd, shared = rnd(2);

	file_name(name, rnd(FILES));
	fd = open(name, O_RDWR);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0) {
		close(fd);
		return;
	}
	char *p = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, shared ? MAP_SHARED : MAP_PRIVATE, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return;
	for (int i = 0; i < 20; i++) {
		long off = rnd(st.st_size);

		if (p[off] != byte_at(p[0], off))
			wrong(__LINE__, "mapped content");
		if (shared)
			p[off] = byte_at(p[0], off); /* dirty it with what it has */
	}
	MUST(munmap(p, st.st_size) == 0);
}

static void op_names(void)
{
	char a[32], b[32];

	file_name(a, rnd(FILES));
	file_name(b, rnd(FILES));
	switch (rnd(6)) {
	case 0: MUST(unlink(a) == 0 || errno == ENOENT); break;
	case 1: MUST(rename(a, b) == 0 || errno == ENOENT); break;
	case 2: MUST(link(a, b) == 0 || errno == ENOENT || errno == EEXIST); break;
	case 3: {
		struct stat st;

		if (stat(a, &st) == 0 && st.st_size > 0) /* only down: what a file grows by is zeros */
			MUST(truncate(a, 1 + rnd(st.st_size)) == 0);
		break;
	}
	case 4:
		strcat(a, "d");
		MUST(mkdir(a, 0755) == 0 || errno == EEXIST);
		strcpy(b, a);
		strcat(b, "/x");
		MUST(symlink("../nowhere", b) == 0 || errno == EEXIST);
		MUST(unlink(b) == 0);
		MUST(rmdir(a) == 0);
		break;
	case 5: {
		DIR *d = opendir(".");
		long n = 0;

		while (d && readdir(d))
			n++;
		if (d)
			closedir(d);
		MUST(n >= 2 || !d);
	}
	}
}

static void op_memory(void)
{
	long pages = 1 + rnd(200);
	unsigned char *p = mmap(NULL, pages * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return;
	for (int i = 0; i < 60; i++) {
		long at = rnd(pages);

		if (p[at * PG] != 0 && p[at * PG] != (unsigned char)(at * 3 + 1))
			wrong(__LINE__, "anonymous content");
		p[at * PG] = at * 3 + 1;
		if (rnd(10) == 0) {
			MUST(mprotect(p + at * PG, PG, PROT_READ) == 0);
			MUST(mprotect(p, pages * PG, PROT_READ | PROT_WRITE) == 0);
		}
		if (rnd(15) == 0)
			MUST(madvise(p + at * PG, PG, MADV_DONTNEED) == 0);
	}
	MUST(munmap(p + (pages / 2) * PG, (pages - pages / 2) * PG) == 0);
	if (pages / 2)
		MUST(munmap(p, (pages / 2) * PG) == 0);
}

static void op_fork(void)
{
	static volatile long value;
	long mine = rnd(1 << 20);
	int st;
	pid_t pid;

	value = mine;
	pid = fork();
	if (pid == 0) {
		if (value != mine)
			_exit(1);
		value = 0;
		if (rnd(3) == 0) {
			pid_t grand = fork();

			if (grand == 0)
				_exit(value != 0);
			if (rnd(2) && grand > 0)
				waitpid(grand, &st, 0);
		}
		_exit(42);
	}
	if (pid < 0)
		return;
	MUST(waitpid(pid, &st, 0) == pid);
	if (!WIFEXITED(st) || WEXITSTATUS(st) != 42)
		wrong(__LINE__, "fork status");
	MUST(value == mine);
}

static pid_t run_self(const char *arg)
{
	pid_t pid = rnd(2) ? fork() : vfork();

	if (pid == 0) {
		execl(self, "torture", "@exit", arg, (char *)NULL);
		_exit(short_of(errno) ? atoi(arg) : 127);
	}
	return pid;
}

static void op_exec(void)
{
	char arg[16];
	int st, want = rnd(100);
	pid_t pid;

	sprintf(arg, "%d", want);
	pid = run_self(arg);
	if (pid < 0)
		return;
	MUST(waitpid(pid, &st, 0) == pid);
	/* out of memory half-way through an exec is a death by SIGKILL */
	if (!(WIFEXITED(st) && WEXITSTATUS(st) == want) && !(WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL))
		wrong(__LINE__, "exec status");
}

static void op_pipe(void)
{
	int fds[2], st;
	unsigned char buf[5000];
	uint32_t start = rnd(1000), total = 1 + rnd(100000), got = 0;
	pid_t pid;
	long n;

	if (pipe(fds) < 0)
		return;
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		for (uint32_t sent = 0; sent < total;) {
			uint32_t len = 1 + rnd(sizeof(buf));

			if (len > total - sent)
				len = total - sent;
			for (uint32_t i = 0; i < len; i++)
				buf[i] = start + (sent + i) * 3;
			if (write(fds[1], buf, len) != len)
				_exit(1);
			sent += len;
		}
		_exit(0);
	}
	close(fds[1]);
	while (pid > 0 && (n = read(fds[0], buf, 1 + rnd(sizeof(buf)))) > 0) {
		for (long i = 0; i < n; i++)
			if (buf[i] != (unsigned char)(start + (got + i) * 3))
				wrong(__LINE__, "pipe content");
		got += n;
	}
	close(fds[0]);
	if (pid < 0)
		return;
	MUST(waitpid(pid, &st, 0) == pid);
	MUST(st == 0 && got == total);
}

static volatile sig_atomic_t hits;

static void on_usr1(int sig)
{
	(void)sig;
	hits++;
}

static void op_signal(void)
{
	int st, n = 1 + rnd(10);
	pid_t pid;

	signal(SIGUSR1, on_usr1);
	hits = 0;
	for (int i = 0; i < n; i++)
		raise(SIGUSR1);
	MUST(hits == n);
	pid = fork();
	if (pid == 0)
		for (;;)
			rnd(2) ? sched_yield() : usleep(100);
	if (pid < 0)
		return;
	kill(pid, SIGSTOP);
	if (rnd(2)) {
		MUST(waitpid(pid, &st, WUNTRACED) == pid);
		MUST(WIFSTOPPED(st));
	}
	kill(pid, SIGCONT);
	kill(pid, rnd(2) ? SIGKILL : SIGTERM);
	do
		MUST(waitpid(pid, &st, 0) == pid);
	while (WIFSTOPPED(st));
	MUST(WIFSIGNALED(st));
}

static void *count_some(void *arg)
{
	volatile double x = 1.5;

	for (int i = 0; i < 500; i++) {
		__atomic_add_fetch((long *)arg, 1, __ATOMIC_SEQ_CST);
		x = x * 1.000001 + 0.5;
		if (i % 100 == 0)
			sched_yield();
	}
	return x > 250 ? NULL : (void *)1;
}

static void op_threads(void)
{
	pthread_t t[4];
	long count = 0;
	int n = 0;
	void *res;

	while (n < 4 && pthread_create(&t[n], NULL, count_some, &count) == 0)
		n++;
	for (int i = 0; i < n; i++) {
		MUST(pthread_join(t[i], &res) == 0);
		MUST(res == NULL);
	}
	MUST(count == n * 500);
}

static void op_fault(void)
{
	int st;
	pid_t pid = fork();

	if (pid == 0) {
		volatile char *p = mmap(NULL, PG, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		*p = 1;
		_exit(0);
	}
	if (pid < 0)
		return;
	MUST(waitpid(pid, &st, 0) == pid);
	MUST(WIFSIGNALED(st) && (WTERMSIG(st) == SIGSEGV || WTERMSIG(st) == SIGKILL));
}

static void (*const operations[])(void) = {op_write, op_verify, op_map_file, op_names, op_memory, op_fork, op_exec,
	op_pipe, op_signal, op_threads, op_fault};
enum { KINDS = sizeof(operations) / sizeof(operations[0]) };

static void work(int nr, uint32_t from, time_t until)
{
	char name[32];

	worker = nr;
	seed = first_seed = from ? from : 1;
	for (int i = 0; i < FILES; i++) { /* a killed predecessor may have left half a file */
		file_name(name, i);
		unlink(name);
	}
	for (step = 0; time(NULL) < until; step++) {
		int kind = rnd(KINDS);

		operations[kind]();
		__atomic_add_fetch(&totals[kind], 1, __ATOMIC_RELAXED);
	}
	_exit(0);
}

static pid_t start_worker(int nr, uint32_t from, time_t until)
{
	pid_t pid = fork();

	if (pid == 0) {
		setpgid(0, 0);
		work(nr, from, until);
	}
	return pid;
}

int main(int argc, char **argv)
{
	const char *dir = "/tmp/torture";
	int seconds = 10, workers = 6, opt, failed = 0, killed = 0, left;
	uint32_t base = 1, replaced = 0;
	pid_t pids[MAX_WORKERS];

	if (argc == 3 && !strcmp(argv[1], "@exit"))
		return atoi(argv[2]);
	self = "/proc/self/exe";
	while ((opt = getopt(argc, argv, "s:t:n:d:")) != -1) {
		if (opt == 's')
			base = strtoul(optarg, NULL, 0);
		else if (opt == 't')
			seconds = atoi(optarg);
		else if (opt == 'n')
			workers = atoi(optarg);
		else if (opt == 'd')
			dir = optarg;
		else
			return 2;
	}
	if (workers < 1 || workers > MAX_WORKERS)
		workers = 6;
	mkdir(dir, 0755);
	if (chdir(dir) < 0) {
		dprintf(1, "torture: %s: %s\n", dir, strerror(errno));
		return 2;
	}
	totals = mmap(NULL, PG, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	first_seed = seed = base * 2654435761u + 1;
	time_t until = time(NULL) + seconds;
	for (int i = 0; i < workers; i++)
		pids[i] = start_worker(i, base * 1000 + i, until);
	while (time(NULL) < until && !failed) {
		struct timespec nap = {0, 200000000};
		int nr = rnd(workers), st;

		nanosleep(&nap, NULL);
		for (int i = 0; i < workers; i++)
			if (pids[i] > 0 && waitpid(pids[i], &st, WNOHANG) == pids[i]) {
				failed += st != 0 && !(WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL);
				pids[i] = 0;
			}
		if (rnd(4) == 0 && pids[nr] > 0) {
			kill(-pids[nr], SIGKILL);
			kill(pids[nr], SIGKILL);
			waitpid(pids[nr], &st, 0);
			killed++;
			pids[nr] = 0;
		}
		if (pids[nr] <= 0 && !failed)
			pids[nr] = start_worker(nr, base * 1000 + 100 + ++replaced, until);
	}
	for (int i = 0; i < workers; i++) {
		int st = 0;

		if (pids[i] > 0 && waitpid(pids[i], &st, 0) == pids[i])
			failed += st != 0 && !(WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL);
		kill(-pids[i], pids[i] > 0 ? SIGKILL : 0);
	}
	for (int i = 0; i < workers; i++)
		for (int f = 0; f < FILES; f++) {
			char name[32];

			worker = i;
			file_name(name, f);
			unlink(name);
		}
	do
		left = wait(NULL);
	while (left > 0);
	long all = 0;
	for (int i = 0; i < KINDS; i++)
		all += totals[i];
	dprintf(1, "torture: seed %u: %ld operations, %d workers killed, %d failed\n", base, all, killed, failed);
	return failed != 0 || all == 0;
}
