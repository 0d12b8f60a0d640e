/* What exists only here: the USYSCALL page, pgaccess, /proc/PID/pagetable. pgtbltest tests the lab's side of it. */
#include "test.h"
#if __has_include("../../user/include/vitrine.h")
#include "../../user/include/vitrine.h"
#else
#define USYSCALL     0x3fffffd000UL
#define SYS_pgaccess 0x2000
#endif

#define PG 4096UL

static void only_here(void)
{
	if (!on_vitrine())
		SKIP("only on Vitrine");
}

static int usys_pid(void)
{
	return *(volatile int *)USYSCALL;
}

TEST(usyscall_page_holds_the_pid)
{
	only_here();
	CHECK_EQ(usys_pid(), getpid());
	IN_CHILD(CHECK_EQ(usys_pid(), getpid()); IN_CHILD(CHECK_EQ(usys_pid(), getpid())));
	pid_t pid = vfork();
	if (pid == 0)
		_exit(usys_pid() == (int)syscall(SYS_getpid) || usys_pid() == getppid() ? 0 : 1);
	wait_ok(pid);
}

TEST(usyscall_page_is_read_only_and_stays)
{
	only_here();
	DIES_OF(SIGSEGV, *(volatile int *)USYSCALL = 1);
	int fd = OK(open("/dev/zero", O_RDONLY));
	ERR(read(fd, (void *)USYSCALL, 4), EFAULT);
	CHECK_EQ(usys_pid(), getpid());
}

static long access_bits(void *va, int n, void *mask)
{
	return syscall(SYS_pgaccess, va, n, mask);
}

TEST(pgaccess_reports_and_clears)
{
	volatile char *p;
	uint64_t mask = 0;

	only_here();
	p = map_anon(64 * PG, PROT_READ | PROT_WRITE);
	for (int i = 0; i < 64; i++)
		p[i * PG] = 1;
	OK(access_bits((void *)p, 64, &mask));
	OK(access_bits((void *)p, 64, &mask));
	CHECK_EQ(mask, 0);
	for (int round = 0; round < 20; round++) { /* a missing TLB flush loses the second round */
		p[1 * PG] = 2;
		(void)p[30 * PG];
		p[63 * PG] = 3;
		OK(access_bits((void *)p, 64, &mask));
		CHECK_EQ(mask, 1UL << 1 | 1UL << 30 | 1UL << 63);
	}
}

TEST(pgaccess_counts_the_kernels_accesses)
{
	char *p;
	uint32_t mask;
	int fd;

	only_here();
	p = map_anon(32 * PG, PROT_READ | PROT_WRITE);
	memset(p, 1, 32 * PG);
	OK(access_bits(p, 32, &mask));
	fd = OK(open("/dev/zero", O_RDONLY));
	CHECK_EQ(read(fd, p + 5 * PG, 10), 10);
	OK(access_bits(p, 32, &mask));
	CHECK_EQ(mask, 1U << 5);
}

TEST(pgaccess_errors_clear_nothing)
{
	char *p;
	uint64_t mask = 7;

	only_here();
	p = map_anon(64 * PG, PROT_READ | PROT_WRITE);
	p[0] = 1;
	ERR(access_bits(p, 64, (void *)1), EFAULT);
	ERR(access_bits(p, -1, &mask), EINVAL);
	ERR(access_bits(p, 1 << 30, &mask), EINVAL);
	ERR(access_bits((void *)0xffffffc000000000, 4, &mask), EINVAL);
	OK(access_bits(p, 64, &mask));
	CHECK_EQ(mask, 1);
	OK(munmap(p, 64 * PG));
	OK(access_bits(p, 64, &mask));
	CHECK_EQ(mask, 0);
}

/* Finds the leaf for va in the text; gives its pte or 0. Every line must have the documented form. */
static uint64_t find_leaf(const char *path, uint64_t va)
{
	static char line[256];
	FILE *f = fopen(path, "r");
	unsigned long index[6] = {0}, pte, pa, found = 0;
	int deepest = 0, depths[6] = {0};
	struct {
		uint64_t idx[6], pte;
		int depth;
	} *leaf = calloc(4096, sizeof(*leaf));
	int nr = 0;

	CHECK(f != NULL && leaf != NULL);
	CHECK(fgets(line, sizeof(line), f) != NULL);
	CHECK(strncmp(line, "page table 0x", 13) == 0);
	while (fgets(line, sizeof(line), f)) {
		char *p = line;
		int depth = 0, used = 0;

		while (!strncmp(p, ".. ", 3)) {
			p += 3;
			depth++;
		}
		CHECK(depth < 5);
		CHECK(sscanf(p, "..%lu: pte 0x%16lx pa 0x%16lx%n", &index[depth], &pte, &pa, &used) == 3);
		CHECK(p[used] == '\n');
		CHECK((pte >> 10 & ((1UL << 44) - 1)) << 12 == pa);
		CHECK((pte & 1) && index[depth] < 512);
		depths[depth]++;
		if (depth > deepest)
			deepest = depth;
		if ((pte & 14) && nr < 4096) {
			memcpy(leaf[nr].idx, index, sizeof(index));
			leaf[nr].pte = pte;
			leaf[nr++].depth = depth;
		}
	}
	fclose(f);
	CHECK(deepest >= 2 && deepest <= 4);
	for (int i = 0; i < nr; i++) {
		uint64_t at = 0, size = PG << 9 * (deepest - leaf[i].depth);

		for (int d = 0; d <= leaf[i].depth; d++)
			at |= leaf[i].idx[d] << (12 + 9 * (deepest - d));
		if (va >= at && va < at + size)
			found = leaf[i].pte;
	}
	free(leaf);
	return found;
}

TEST(pagetable_shows_what_is_mapped)
{
	volatile char *p;
	uint64_t pte;

	only_here();
	p = map_anon(3 * PG, PROT_READ | PROT_WRITE);
	CHECK_EQ(find_leaf("/proc/self/pagetable", (uint64_t)p), 0); /* lazily */
	p[0] = 1;
	p[2 * PG] = 1;
	pte = find_leaf("/proc/self/pagetable", (uint64_t)p);
	CHECK_EQ(pte & 0x1f, 0x17); /* V R W U */
	OK(mprotect((char *)p, PG, PROT_READ));
	pte = find_leaf("/proc/self/pagetable", (uint64_t)p);
	CHECK(pte == 0 || (pte & 0x1f) == 0x13);
	OK(munmap((char *)p, PG));
	CHECK_EQ(find_leaf("/proc/self/pagetable", (uint64_t)p), 0);
	CHECK_EQ(usys_pid(), getpid()); /* a page table is a cache: what was used is there */
	CHECK_EQ(find_leaf("/proc/self/pagetable", USYSCALL) & 0x1f, 0x13); /* V R U */
}

TEST(pagetable_of_another_process)
{
	char path[64], ready;
	pid_t pid;
	int fds[2];

	only_here();
	OK(pipe(fds));
	CHECK_EQ(usys_pid(), getpid());
	pid = OK(fork());
	if (pid == 0) {
		CHECK_EQ(usys_pid(), getpid());
		OK(write(fds[1], "r", 1));
		for (;;)
			pause();
	}
	CHECK_EQ(read(fds[0], &ready, 1), 1);
	snprintf(path, sizeof(path), "/proc/%d/pagetable", pid);
	CHECK(find_leaf(path, USYSCALL) != 0);
	CHECK(find_leaf(path, USYSCALL) != find_leaf("/proc/self/pagetable", USYSCALL)); /* its own page */
	OK(kill(pid, SIGKILL));
	wait_signal(pid, SIGKILL);
	ERR(open(path, O_RDONLY), ENOENT);
}

TEST(brk_goes_beyond_the_devices)
{
	only_here();
	/* the classic lab stopped at 0x0C000000; here the whole lower half is the process's */
	volatile char *p =
		mmap((void *)0x0c000000, PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK(p == (char *)0x0c000000);
	p[0] = 1;
	p = mmap((void *)0x10000000, PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		0);
	CHECK(p == (char *)0x10000000 || errno == EEXIST);
}

TEST_MAIN
