/*
 * What user code must not reach, in both designs (isolate=0 and 1): the kernel's addresses, and the two pages TRAPFRAME and
 * TRAMPOLINE at the end of the user half, which isolate=1 maps. Loads, stores and jumps are SIGSEGV, pointers are EFAULT. And
 * that every register survives each kind of way into the kernel and back.
 */
#include "test.h"
#include <setjmp.h>
#include <sys/utsname.h>

#define PG         4096UL
#define TRAMPOLINE ((1UL << 38) - 1 * PG)
#define TRAPFRAME  ((1UL << 38) - 2 * PG)
#define USYSCALL   ((1UL << 38) - 3 * PG)

/* The user half of the paging mode in use ends here. */
static unsigned long half_end(void)
{
	char line[128];
	FILE *f = fopen("/proc/cpuinfo", "r");
	unsigned long end = 1UL << 38;

	while (f && fgets(line, sizeof(line), f)) {
		if (strstr(line, "sv48"))
			end = 1UL << 47;
		if (strstr(line, "sv57"))
			end = 1UL << 56;
	}
	if (f)
		fclose(f);
	return end;
}

enum { NR_FORBIDDEN = 14 };

static void forbidden(unsigned long *addr)
{
	const unsigned long end = half_end();
	const unsigned long list[NR_FORBIDDEN] = {
		/* The two pages, first and last words, where Sv39 has them and where this mode does. */
		TRAPFRAME, TRAPFRAME + 0x40, TRAMPOLINE, TRAMPOLINE + PG - 8, end - 2 * PG, end - PG, end - 8,
		/* Beyond the half, and the kernel's own: direct map, frames, stacks, devices, text, the last word. */
		end, 0xffffffc080000000, 0xffffffe000000000, 0xfffffff000004000, 0xfffffff400000000, 0xffffffff80200000,
		0xfffffffffffffff8};

	memcpy(addr, list, sizeof(list));
}

static sigjmp_buf back;
static volatile unsigned long seen_addr;
static volatile int seen_signo, seen_code;

static void note_fault(int signo, siginfo_t *info, void *context)
{
	seen_signo = signo;
	seen_code = info->si_code;
	seen_addr = (unsigned long)info->si_addr;
	siglongjmp(back, 1);
}

static void catch_faults(void)
{
	struct sigaction sa = {.sa_sigaction = note_fault, .sa_flags = SA_SIGINFO};

	CHECK_EQ(sigaction(SIGSEGV, &sa, NULL), 0);
	CHECK_EQ(sigaction(SIGBUS, &sa, NULL), 0);
}

enum how { LOAD, STORE, JUMP };

static void try_access(unsigned long addr, enum how how)
{
	seen_signo = 0;
	if (sigsetjmp(back, 1) == 0) {
		switch (how) {
		case LOAD: *(volatile unsigned long *)addr; break;
		case STORE: *(volatile unsigned long *)addr = 0x1122334455667788; break;
		case JUMP: ((void (*)(void))addr)(); break;
		}
		FAIL("access %d of %#lx was let through", how, addr);
	}
	if (seen_signo != SIGSEGV || seen_addr != addr || seen_code != SEGV_MAPERR)
		FAIL("access %d of %#lx: signal %d, code %d, address %#lx", how, addr, seen_signo, seen_code, seen_addr);
}

TEST(no_access_to_the_kernel_or_the_crossing)
{
	unsigned long addr[NR_FORBIDDEN];

	forbidden(addr);
	catch_faults();
	for (int i = 0; i < NR_FORBIDDEN; i++) {
		try_access(addr[i], LOAD);
		try_access(addr[i], STORE);
		try_access(addr[i], JUMP);
	}
}

TEST(pointers_there_are_bad)
{
	unsigned long addr[NR_FORBIDDEN];
	int fds[2], zero = OK(open("/dev/zero", O_RDONLY));

	forbidden(addr);
	OK(pipe(fds));
	OK(fcntl(fds[0], F_SETFL, O_NONBLOCK));
	for (int i = 0; i < NR_FORBIDDEN; i++) {
		void *p = (void *)addr[i];
		struct iovec v = {p, 8};

		ERR(read(zero, p, 8), EFAULT);
		ERR(readv(zero, &v, 1), EFAULT);
		ERR(write(fds[1], p, 8), EFAULT);
		ERR(syscall(SYS_uname, p), EFAULT);
		ERR(syscall(SYS_openat, AT_FDCWD, p, O_RDONLY, 0), EFAULT);
		ERR(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, p), EFAULT);
		ERR(syscall(SYS_futex, p, 0 /* FUTEX_WAIT */, 1, NULL, NULL, 0), EFAULT);
		ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, p, NULL, 8), EFAULT);
	}
	/* Nothing of them went into the pipe. */
	ERR(read(fds[0], addr, 8), EAGAIN);
}

TEST(a_buffer_may_end_at_the_crossing_only)
{
	int fds[2];
	char buf[64];
	ssize_t n;

	if (!on_vitrine())
		SKIP("USYSCALL is Vitrine's");
	OK(pipe(fds));
	CHECK_EQ(write(fds[1], (void *)(USYSCALL + PG - 8), 8), 8);
	n = write(fds[1], (void *)(USYSCALL + PG - 8), 16);
	CHECK(n == 8 || (n < 0 && errno == EFAULT));
	CHECK_EQ(read(fds[0], buf, sizeof(buf)), n == 8 ? 16 : 8);
	ERR((long)mmap((void *)TRAPFRAME, PG, PROT_READ, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
	ERR((long)mmap((void *)TRAMPOLINE, PG, PROT_READ, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
	CHECK(munmap((void *)TRAPFRAME, PG) == 0 || errno == EINVAL);
	CHECK(munmap((void *)USYSCALL + PG, 2 * PG) == 0 || errno == EINVAL);
	CHECK_EQ(getppid() > 0, 1); /* the way in and out is still there */
}

static bool isolated(void)
{
	char text[4096] = "";
	int fd = OK(open("/proc/cmdline", O_RDONLY));
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	return n > 0 && strstr(text, "isolate=1");
}

/* Leaves of /proc/self/pagetable: all are the user's but those of the crossing, which are there when isolating. */
TEST(page_table_holds_the_crossing_and_user_pages)
{
	unsigned long index[8] = {0}, pte, pa, end = half_end();
	int crossing = 0, users = 0;
	char line[256];
	FILE *f;

	if (!on_vitrine())
		SKIP("/proc/self/pagetable is Vitrine's");
	f = fopen("/proc/self/pagetable", "r");
	CHECK(f && fgets(line, sizeof(line), f) && strncmp(line, "page table 0x", 13) == 0);
	while (fgets(line, sizeof(line), f)) {
		int depth = 0;
		unsigned long va = 0;

		for (char *p = line; strncmp(p, ".. ", 3) == 0; p += 3)
			depth++;
		CHECK_EQ(sscanf(line + 3 * depth, "..%lu: pte 0x%lx pa 0x%lx", &index[depth], &pte, &pa), 3);
		if (!(pte & 0xe))
			continue;
		for (int i = 0; i <= depth; i++)
			va = va << 9 | index[i];
		va <<= 12 + 9 * ((end == 1UL << 38 ? 2 : end == 1UL << 47 ? 3 : 4) - depth);
		if (va >= end - 2 * PG) {
			CHECK_EQ(pte & 0x3ff, va == end - PG ? 0x4b : 0xc7); /* V R X A; V R W A D */
			crossing++;
		} else {
			CHECK((pte & 0x11) == 0x11); /* V U */
			CHECK((pte & 0xc) != 0xc);   /* not W and X: nobody asked */
			users++;
		}
	}
	fclose(f);
	CHECK(users > 5);
	CHECK_EQ(crossing, isolated() ? 2 : 0);
}

/*
 * Fills every register but zero, a6 (the address of both arrays) and what the step needs (a0, a5, a7) with in[], does the step, and
 * stores all of them to out[]. sp, gp and tp are no exception, so no signal may come in between.
 */
struct registers {
	unsigned long in[32], out[32];
	unsigned long step;   /* 0: ecall; 1: compute for a while; 2: store to `target` */
	unsigned long target; /* a page that is not there yet */
	unsigned long saved[32];
};

void cross(struct registers *r);
__asm__(".text\n"
	".balign 4\n"
	"cross:\n"
	"	mv a6, a0\n"
	"	.irp n,1,2,3,4,8,9,18,19,20,21,22,23,24,25,26,27\n"
	"	sd x\\n, (528 + 8 * \\n)(a6)\n"
	"	.endr\n"
	"	ld a5, 512(a6)\n"
	"	ld a4, 520(a6)\n"
	"	.irp n,1,2,3,4,5,6,7,8,9,11,12,13,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
	"	ld x\\n, (8 * \\n)(a6)\n"
	"	.endr\n"
	"	li a7, 172\n" /* getpid */
	"	beqz a5, 1f\n"
	"	addi a5, a5, -1\n"
	"	beqz a5, 2f\n"
	"	sd a7, 0(a4)\n"
	"	j 3f\n"
	"1:	ecall\n"
	"	j 3f\n"
	"2:	li a5, 3000000\n"
	"4:	addi a5, a5, -1\n"
	"	bnez a5, 4b\n"
	"3:\n"
	"	.irp n,1,2,3,4,5,6,7,8,9,11,12,13,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
	"	sd x\\n, (256 + 8 * \\n)(a6)\n"
	"	.endr\n"
	"	.irp n,1,2,3,4,8,9,18,19,20,21,22,23,24,25,26,27\n"
	"	ld x\\n, (528 + 8 * \\n)(a6)\n"
	"	.endr\n"
	"	ret\n");

static void cross_checked(struct registers *r, unsigned long step, unsigned long seed)
{
	r->step = step;
	for (unsigned long n = 0; n < 32; n++) {
		r->in[n] = (seed + n) * 0x9e3779b97f4a7c15;
		r->out[n] = 0;
	}
	cross(r);
	for (unsigned long n = 1; n < 32; n++)
		if (n != 10 && (n < 14 || n > 17) && r->out[n] != r->in[n])
			FAIL("step %lu: x%lu is %#lx, was %#lx", step, n, r->out[n], r->in[n]);
}

static void *cross_often(void *arg)
{
	struct registers *r = calloc(1, sizeof(*r));
	char *pages = mmap(NULL, 64 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(r && pages != MAP_FAILED);
	for (unsigned long i = 0; i < 64; i++) {
		r->target = (unsigned long)pages + i * PG;
		cross_checked(r, 0, i + (unsigned long)arg * 1000);
		cross_checked(r, 2, ~i);
		CHECK_EQ(*(long *)r->target, 172);
		if (i % 16 == 0)
			cross_checked(r, 1, i * 7);
	}
	return NULL;
}

TEST(registers_survive_calls_interrupts_and_faults)
{
	cross_often(NULL);
}

/* More threads than harts: each comes back to user mode on another hart, and beside others of its table. */
TEST(registers_survive_beside_other_threads)
{
	pthread_t threads[6];

	for (unsigned long i = 0; i < ARRAY_SIZE(threads); i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, cross_often, (void *)(i + 1)), 0);
	for (unsigned long i = 0; i < ARRAY_SIZE(threads); i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

TEST_MAIN
