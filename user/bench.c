/*
 * bench - the price of the operations a program asks of the kernel, one number a row.
 *
 * usage: bench [-l] [ROW...]
 *
 * Prints "ROW VALUE" for each row: nanoseconds for one operation, or, for the rows named stream_*,
 * bytes moved in 1,000 ns. Under QEMU's `-icount shift=0` one nanosecond is one instruction, so the
 * numbers are exact and machine-independent there; on real time they are ordinary nanoseconds.
 * It is an ordinary static Linux program: tools/bench.py runs the same file here and on Linux.
 *
 * Every row runs one batch to warm up, then NR_BATCHES more; the median counts, so that a timer tick in
 * one batch does not. Files are made in /tmp, which must be on the disk.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NR_BATCHES   5
#define PAGE         4096UL
#define MIB          (1UL << 20)
#define HUGE_PAGE    (2 * MIB)
#define STREAM_LEN   (32 * MIB)
#define STREAM_CHUNK (64UL << 10)

#define BENCH_DIR   "/tmp/benchdir"
#define BENCH_FILE  "/tmp/bench.file"
#define STREAM_FILE "/tmp/bench.stream"

/* One batch of a row: its value, or a negative number after row_failed() has said what went wrong. */
typedef double (*batch_fn)(void);

static char self_path[4096];
static char chunk[STREAM_CHUNK];

static double row_failed(const char *what, int line)
{
	fprintf(stderr, "bench: line %d: %s: %s\n", line, what, strerror(errno));
	return -1;
}

/* Leaves the batch when a call that must succeed did not: a row with a failed call has no price. */
#define MUST(cond)                                          \
	do {                                                \
		if (!(cond))                                \
			return row_failed(#cond, __LINE__); \
	} while (0)

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/*
 * The measured stretch lies between these two. Each executes a hint (an instruction without effect, left by the
 * specification to custom use) that tools/profile/count.c sees.
 */
static uint64_t measure_start(void)
{
#ifdef __riscv
	__asm__ volatile(".option push\n.option norvc\nslti x0, x0, 0x701\n.option pop" ::: "memory");
#endif
	return now_ns();
}

static uint64_t measure_stop(void)
{
	uint64_t now = now_ns();

#ifdef __riscv
	__asm__ volatile(".option push\n.option norvc\nslti x0, x0, 0x702\n.option pop" ::: "memory");
#endif
	return now;
}

static double per_op(uint64_t start, long nr)
{
	return (double)(measure_stop() - start) / (double)nr;
}

static double per_1000ns(uint64_t start, uint64_t len)
{
	return (double)len * 1000 / (double)(measure_stop() - start);
}

static void touch_write(char *base, size_t len)
{
	for (size_t off = 0; off < len; off += PAGE)
		*(volatile char *)(base + off) = 1;
}

static void touch_read(const char *base, size_t len)
{
	for (size_t off = 0; off < len; off += PAGE)
		(void)*(const volatile char *)(base + off);
}

static char *map_anon(size_t len)
{
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* 0 when the child `pid` left with status 0. */
static int child_wait(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

/* ---- system calls ---- */

static double row_getppid(void)
{
	const long nr = 10000;
	uint64_t start = measure_start();

	for (long i = 0; i < nr; i++)
		getppid();
	return per_op(start, nr);
}

static double row_clock_gettime(void)
{
	const long nr = 10000;
	struct timespec ts;
	uint64_t start = measure_start();

	for (long i = 0; i < nr; i++)
		clock_gettime(CLOCK_MONOTONIC, &ts);
	return per_op(start, nr);
}

static double row_read_zero(void)
{
	const long nr = 5000;
	char byte;
	int fd = open("/dev/zero", O_RDONLY);

	MUST(fd >= 0);
	MUST(read(fd, &byte, 1) == 1);
	uint64_t start = measure_start();
	for (long i = 0; i < nr; i++)
		MUST(read(fd, &byte, 1) == 1);
	double value = per_op(start, nr);
	close(fd);
	return value;
}

static double row_write_null(void)
{
	const long nr = 5000;
	char byte = 0;
	int fd = open("/dev/null", O_WRONLY);

	MUST(fd >= 0);
	uint64_t start = measure_start();
	for (long i = 0; i < nr; i++)
		MUST(write(fd, &byte, 1) == 1);
	double value = per_op(start, nr);
	close(fd);
	return value;
}

static double row_stat(void)
{
	const long nr = 2000;
	struct stat st;
	uint64_t start = measure_start();

	for (long i = 0; i < nr; i++)
		MUST(stat("/tmp", &st) == 0);
	return per_op(start, nr);
}

static double row_open_close(void)
{
	const long nr = 2000;
	int fd = open(BENCH_FILE, O_RDWR | O_CREAT, 0644);

	MUST(fd >= 0);
	close(fd);
	uint64_t start = measure_start();
	for (long i = 0; i < nr; i++) {
		fd = open(BENCH_FILE, O_RDONLY);
		MUST(fd >= 0);
		close(fd);
	}
	double value = per_op(start, nr);
	unlink(BENCH_FILE);
	return value;
}

/* ---- signals, processes ---- */

static volatile sig_atomic_t nr_handled;

static void count_signal(int sig)
{
	(void)sig;
	nr_handled++;
}

static double row_sig_handle(void)
{
	const long nr = 2000;
	struct sigaction sa = {.sa_handler = count_signal};
	pid_t self = getpid();

	MUST(sigaction(SIGUSR1, &sa, NULL) == 0);
	nr_handled = 0;
	uint64_t start = measure_start();
	for (long i = 0; i < nr; i++)
		kill(self, SIGUSR1);
	double value = per_op(start, nr);
	MUST(nr_handled == nr);
	return value;
}

/* The child's side of pipe_rt: send each byte back until there are no more. */
static void echo_bytes(int from, int to)
{
	char byte;

	while (read(from, &byte, 1) == 1)
		if (write(to, &byte, 1) != 1)
			_exit(1);
	_exit(0);
}

static double row_pipe_rt(void)
{
	const long nr = 1000;
	int there[2], back[2];
	char byte = 'x';

	MUST(pipe(there) == 0 && pipe(back) == 0);
	pid_t pid = fork();
	MUST(pid >= 0);
	if (pid == 0) {
		close(there[1]);
		close(back[0]);
		echo_bytes(there[0], back[1]);
	}
	close(there[0]);
	close(back[1]);
	/* The first trip waits for the child to start. */
	MUST(write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1);
	uint64_t start = measure_start();
	for (long i = 0; i < nr; i++)
		MUST(write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1);
	double value = per_op(start, nr);
	close(there[1]);
	close(back[0]);
	MUST(child_wait(pid) == 0);
	return value;
}

static double time_forks(long nr)
{
	uint64_t start = measure_start();

	for (long i = 0; i < nr; i++) {
		pid_t pid = fork();
		MUST(pid >= 0);
		if (pid == 0)
			_exit(0);
		MUST(child_wait(pid) == 0);
	}
	return per_op(start, nr);
}

static double row_fork_exit(void)
{
	return time_forks(50);
}

/* The memory is mapped as programs map it, without advice: 2 MiB pages are the kernel's choice. */
static double row_fork_big(void)
{
	char *p = map_anon(64 * MIB);

	MUST(p);
	touch_write(p, 64 * MIB);
	double value = time_forks(20);
	munmap(p, 64 * MIB);
	return value;
}

static double time_execs(char *path)
{
	const long nr = 50;
	char *argv[] = {path, "exit", NULL};
	char *envp[] = {NULL};
	uint64_t start = measure_start();

	for (long i = 0; i < nr; i++) {
		pid_t pid = fork();
		MUST(pid >= 0);
		if (pid == 0) {
			execve(path, argv, envp);
			_exit(127);
		}
		MUST(child_wait(pid) == 0);
	}
	return per_op(start, nr);
}

/* A static program of 500 KB, text and data, that exits at once: what the kernel does for a program, without its libc. */
static bool write_program(const char *path)
{
	enum { TEXT = 400 * 1024, DATA = 100 * 1024, BSS = 64 * 1024, BASE = 0x10000 };
	static const uint32_t code[] = {0x00000513, 0x05d00893, 0x00000073}; /* li a0, 0; li a7, 93; ecall */
	struct {
		Elf64_Ehdr head;
		Elf64_Phdr load[2];
		uint32_t code[3];
	} start = {
		.head = {.e_ident = ELFMAG "\2\1\1",
			.e_type = ET_EXEC,
			.e_machine = EM_RISCV,
			.e_version = EV_CURRENT,
			.e_entry = BASE + sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr),
			.e_phoff = sizeof(Elf64_Ehdr),
			.e_ehsize = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 2},
		.load = {{PT_LOAD, PF_R | PF_X, 0, BASE, BASE, TEXT, TEXT, PAGE},
			{PT_LOAD, PF_R | PF_W, TEXT, BASE + TEXT, BASE + TEXT, DATA, DATA + BSS, PAGE}},
	};
	char *image = calloc(1, TEXT + DATA);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);
	bool written = false;

	memcpy(start.code, code, sizeof(code));
	if (image && fd >= 0) {
		memcpy(image, &start, sizeof(start));
		written = write(fd, image, TEXT + DATA) == TEXT + DATA;
	}
	free(image);
	return fd >= 0 && close(fd) == 0 && written;
}

static double row_fork_exec(void)
{
	char path[] = "/tmp/bench-program";
	double value;

	MUST(write_program(path));
	value = time_execs(path);
	unlink(path);
	return value;
}

static double row_fork_exec_libc(void)
{
	return time_execs(self_path);
}

/* ---- memory ---- */

static double row_anon_fault(void)
{
	const size_t len = 16 * MIB;
	char *p = map_anon(len);

	MUST(p);
	/* Refused by a kernel without 2 MiB pages, where it is true already. */
	madvise(p, len, MADV_NOHUGEPAGE);
	uint64_t start = measure_start();
	touch_write(p, len);
	double value = per_op(start, len / PAGE);
	munmap(p, len);
	return value;
}

static double row_anon_huge(void)
{
	const size_t len = 32 * MIB;
	char *p = map_anon(len + HUGE_PAGE);

	MUST(p);
	char *aligned = (char *)(((uintptr_t)p + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
	madvise(aligned, len, MADV_HUGEPAGE);
	uint64_t start = measure_start();
	touch_write(aligned, len);
	double value = per_op(start, len / PAGE);
	munmap(p, len + HUGE_PAGE);
	return value;
}

/* The child writes to every page while its parent, which owns them too, waits in read(). */
static double row_cow_fault(void)
{
	const size_t len = 4 * MIB;
	char *p = map_anon(len);
	double value;
	int result[2];

	MUST(p && pipe(result) == 0);
	madvise(p, len, MADV_NOHUGEPAGE);
	touch_write(p, len);
	pid_t pid = fork();
	MUST(pid >= 0);
	if (pid == 0) {
		uint64_t start = measure_start();
		touch_write(p, len);
		value = per_op(start, len / PAGE);
		_exit(write(result[1], &value, sizeof(value)) != sizeof(value));
	}
	MUST(read(result[0], &value, sizeof(value)) == sizeof(value));
	MUST(child_wait(pid) == 0);
	close(result[0]);
	close(result[1]);
	munmap(p, len);
	return value;
}

static double row_mmap_munmap(void)
{
	const long nr = 1000;
	uint64_t start = measure_start();

	for (long i = 0; i < nr; i++) {
		char *p = map_anon(4 * PAGE);
		MUST(p);
		*(volatile char *)p = 1;
		MUST(munmap(p, 4 * PAGE) == 0);
	}
	return per_op(start, nr);
}

static double row_mprotect_pair(void)
{
	const long nr = 1000;
	char *p = map_anon(16 * PAGE);

	MUST(p);
	touch_write(p, 16 * PAGE);
	char *page = p + 8 * PAGE;
	uint64_t start = measure_start();
	for (long i = 0; i < nr; i++) {
		MUST(mprotect(page, PAGE, PROT_READ) == 0);
		MUST(mprotect(page, PAGE, PROT_READ | PROT_WRITE) == 0);
	}
	double value = per_op(start, nr);
	munmap(p, 16 * PAGE);
	return value;
}

static int file_fill(const char *path, size_t len)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);

	for (size_t done = 0; fd >= 0 && done < len; done += STREAM_CHUNK) {
		if (write(fd, chunk, STREAM_CHUNK) != (ssize_t)STREAM_CHUNK) {
			close(fd);
			return -1;
		}
	}
	return fd;
}

static double row_file_mmap_touch(void)
{
	const size_t len = 4 * MIB;
	int fd = file_fill(BENCH_FILE, len);

	MUST(fd >= 0);
	char *p = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
	MUST(p != MAP_FAILED);
	uint64_t start = measure_start();
	touch_read(p, len);
	double value = per_op(start, len / PAGE);
	munmap(p, len);
	close(fd);
	unlink(BENCH_FILE);
	return value;
}

/* ---- files and streams ---- */

static double row_create_unlink(void)
{
	const int nr = 1000;
	char path[64];

	MUST(mkdir(BENCH_DIR, 0755) == 0 || errno == EEXIST);
	uint64_t start = measure_start();
	for (int i = 0; i < nr; i++) {
		snprintf(path, sizeof(path), BENCH_DIR "/f%d", i);
		int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
		MUST(fd >= 0);
		close(fd);
	}
	for (int i = 0; i < nr; i++) {
		snprintf(path, sizeof(path), BENCH_DIR "/f%d", i);
		MUST(unlink(path) == 0);
	}
	double value = per_op(start, nr);
	MUST(rmdir(BENCH_DIR) == 0);
	return value;
}

static double row_stream_pipe(void)
{
	uint64_t len = 0;
	ssize_t nr;
	int fds[2];

	MUST(pipe(fds) == 0);
	pid_t pid = fork();
	MUST(pid >= 0);
	if (pid == 0) {
		for (size_t done = 0; done < STREAM_LEN; done += STREAM_CHUNK)
			if (write(fds[1], chunk, STREAM_CHUNK) != (ssize_t)STREAM_CHUNK)
				_exit(1);
		_exit(0);
	}
	close(fds[1]);
	uint64_t start = measure_start();
	while ((nr = read(fds[0], chunk, STREAM_CHUNK)) > 0)
		len += (uint64_t)nr;
	double value = per_1000ns(start, len);
	close(fds[0]);
	MUST(child_wait(pid) == 0 && len == STREAM_LEN);
	return value;
}

static double row_stream_write(void)
{
	uint64_t start = measure_start();
	int fd = file_fill(STREAM_FILE, STREAM_LEN);

	MUST(fd >= 0);
	double value = per_1000ns(start, STREAM_LEN);
	close(fd);
	unlink(STREAM_FILE);
	return value;
}

static double row_stream_read(void)
{
	uint64_t len = 0;
	ssize_t nr;
	int fd = file_fill(STREAM_FILE, STREAM_LEN);

	MUST(fd >= 0);
	MUST(lseek(fd, 0, SEEK_SET) == 0);
	uint64_t start = measure_start();
	while ((nr = read(fd, chunk, STREAM_CHUNK)) > 0)
		len += (uint64_t)nr;
	double value = per_1000ns(start, len);
	close(fd);
	unlink(STREAM_FILE);
	MUST(len == STREAM_LEN);
	return value;
}

/* ---- the table and the driver ---- */

static const struct row {
	const char *name;
	batch_fn batch;
} rows[] = {
	{"getppid", row_getppid},
	{"clock_gettime", row_clock_gettime},
	{"read_zero", row_read_zero},
	{"write_null", row_write_null},
	{"stat", row_stat},
	{"open_close", row_open_close},
	{"sig_handle", row_sig_handle},
	{"pipe_rt", row_pipe_rt},
	{"fork_exit", row_fork_exit},
	{"fork_big64M", row_fork_big},
	{"fork_exec", row_fork_exec},
	{"fork_exec_libc", row_fork_exec_libc},
	{"anon_fault", row_anon_fault},
	{"anon_huge", row_anon_huge},
	{"cow_fault", row_cow_fault},
	{"mmap_munmap", row_mmap_munmap},
	{"mprotect_pair", row_mprotect_pair},
	{"file_mmap_touch", row_file_mmap_touch},
	{"create_unlink", row_create_unlink},
	{"stream_pipe", row_stream_pipe},
	{"stream_write", row_stream_write},
	{"stream_read", row_stream_read},
};
#define NR_ROWS (sizeof(rows) / sizeof(rows[0]))

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int row_run(const struct row *row)
{
	double values[NR_BATCHES];

	if (row->batch() < 0)
		goto failed;
	for (int i = 0; i < NR_BATCHES; i++) {
		values[i] = row->batch();
		if (values[i] < 0)
			goto failed;
	}
	qsort(values, NR_BATCHES, sizeof(values[0]), compare_doubles);
	printf("%s %.0f\n", row->name, values[NR_BATCHES / 2]);
	/* Nothing may stay in the buffer: the next row forks. */
	fflush(stdout);
	return 0;
failed:
	fprintf(stderr, "bench: %s failed\n", row->name);
	return -1;
}

static int row_wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return 1;
	return argc < 2;
}

int main(int argc, char **argv)
{
	int failures = 0, nr_wanted = 0;

	/* What fork_exec_libc runs: start and stop of a static program, nothing else. */
	if (argc == 2 && strcmp(argv[1], "exit") == 0)
		_exit(0);
	if (argc == 2 && strcmp(argv[1], "-l") == 0) {
		for (size_t i = 0; i < NR_ROWS; i++)
			puts(rows[i].name);
		return 0;
	}
	for (size_t i = 0; i < NR_ROWS; i++)
		nr_wanted += row_wanted(rows[i].name, argc, argv);
	if (argc > 1 && nr_wanted != argc - 1) {
		fprintf(stderr, "bench: not the names of rows (bench -l lists them)\n");
		return 2;
	}

	ssize_t len = readlink("/proc/self/exe", self_path, sizeof(self_path) - 1);
	if (len > 0)
		self_path[len] = 0;
	else
		snprintf(self_path, sizeof(self_path), "%s", argv[0]);
	/* The buffer is resident before the first stream, so that no row pays for its pages. */
	memset(chunk, 'v', sizeof(chunk));

	for (size_t i = 0; i < NR_ROWS; i++)
		if (row_wanted(rows[i].name, argc, argv) && row_run(&rows[i]) < 0)
			failures++;
	return failures ? 1 : 0;
}
