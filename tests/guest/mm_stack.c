/* The stack grows on touch down to its limit; below lies a guard; the null page is never there. */
#include "test.h"
#include <sys/resource.h>

#define PG 4096UL

static __attribute__((noinline)) long use_stack(long depth)
{
	volatile char frame[2000];

	memset((char *)frame, depth, sizeof(frame));
	if (depth == 0)
		return frame[0];
	return use_stack(depth - 1) + frame[1999] - (char)depth;
}

TEST(grows_by_calls)
{
	CHECK_EQ(use_stack(1500), 0); /* 3 MB of the usual 8 */
}

TEST(grows_by_one_far_touch)
{
	volatile char *here = (volatile char *)__builtin_frame_address(0);

	here[-(long)(1 << 20)] = 1;
	CHECK_EQ(here[-(long)(1 << 20)], 1);
	CHECK_EQ(here[-(long)(1 << 19)], 0);
}

TEST(kernel_copy_grows_it_too)
{
	char *here = (char *)__builtin_frame_address(0);
	int fds[2];

	OK(pipe(fds));
	CHECK_EQ(write(fds[1], "grow", 4), 4);
	CHECK_EQ(read(fds[0], here - (1 << 20), 4), 4);
	CHECK(memcmp(here - (1 << 20), "grow", 4) == 0);
}

TEST(endless_recursion_is_sigsegv)
{
	DIES_OF(SIGSEGV, use_stack(1L << 40));
}

static void on_segv(int sig)
{
	(void)sig;
	_exit(33);
}

TEST(overflow_without_alternate_stack_kills)
{
	/* the handler cannot be entered: no stack left */
	DIES_OF(SIGSEGV, on_signal(SIGSEGV, on_segv, 0); use_stack(1L << 40));
}

TEST(overflow_is_caught_on_the_alternate_stack)
{
	pid_t pid = OK(fork());

	if (pid == 0) {
		stack_t ss = {.ss_sp = map_anon(16 * PG, PROT_READ | PROT_WRITE), .ss_size = 16 * PG};

		OK(sigaltstack(&ss, NULL));
		on_signal(SIGSEGV, on_segv, SA_ONSTACK);
		use_stack(1L << 40);
		_exit(0);
	}
	wait_exit(pid, 33);
}

TEST(limit_is_that_of_the_rlimit)
{
	/* exec makes the new limit count from the start, but growth checks the present one */
	pid_t pid = OK(fork());

	if (pid == 0) {
		struct rlimit r = {1 << 20, 8 << 20};

		OK(setrlimit(RLIMIT_STACK, &r));
		use_stack(300);  /* 600 KB */
		use_stack(1000); /* 2 MB */
		_exit(0);
	}
	wait_signal(pid, SIGSEGV);
}

TEST(null_page_faults)
{
	volatile char *null = (volatile char *)0;

	__asm__("" : "+r"(null));
	DIES_OF(SIGSEGV, (void)null[0]);
	DIES_OF(SIGSEGV, null[8] = 1);
	DIES_OF(SIGSEGV, (void)null[4095]);
	DIES_OF(SIGSEGV, ((void (*)(void))null)());
}

TEST(null_page_cannot_be_mapped_by_users)
{
	IN_CHILD(need_root(); OK(setuid(1234)); errno = 0;
		 void *p = mmap(NULL, PG, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		 CHECK(p == MAP_FAILED); CHECK(errno == EPERM || errno == EACCES || errno == EINVAL));
}

TEST(kernel_addresses_fault)
{
	volatile char *k = (volatile char *)0xffffffc000000000, *k2 = (volatile char *)0xffffffff80200000;
	volatile char *hole = (volatile char *)0x0000800000000000;

	DIES_OF(SIGSEGV, (void)k[0]);
	DIES_OF(SIGSEGV, k[0] = 1);
	DIES_OF(SIGSEGV, (void)k2[0]);
	DIES_OF(SIGSEGV, ((void (*)(void))k2)());
	DIES_OF(SIGSEGV, (void)hole[0]);
	DIES_OF(SIGSEGV, hole[0] = 1);
}

static void *thread_overflow(void *arg)
{
	(void)arg;
	use_stack(1L << 40);
	return NULL;
}

TEST(thread_stack_guard)
{
	pthread_t t;

	DIES_OF(SIGSEGV, ZERO(pthread_create(&t, NULL, thread_overflow, NULL)); pthread_join(t, NULL));
}

TEST(stack_is_not_executable)
{
#ifdef __riscv
	volatile uint32_t code[2] = {0x00008067, 0};
#else
	volatile unsigned char code[2] = {0xc3, 0};
#endif
	DIES_OF(SIGSEGV, ((void (*)(void))code)());
}

TEST(growsdown_mapping_grows)
{
	char *area = map_anon(600 * PG, PROT_NONE);
	volatile char *p;

	OK(munmap(area, 600 * PG));
	p = mmap(area + 590 * PG, 4 * PG, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
	if (p == MAP_FAILED)
		SKIP("no MAP_GROWSDOWN");
	p[0] = 1;
	p[-(long)PG] = 2;
	CHECK_EQ(p[-(long)PG], 2);
}

TEST_MAIN
