/* Faults as signals: number, si_code and si_addr of each kind. */
#include "test.h"
#include <setjmp.h>

static sigjmp_buf back;
static volatile siginfo_t info;

static void take(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)uc;
	info = *si;
	siglongjmp(back, 1);
}

static void catch_all(void)
{
	static const int sigs[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE};
	struct sigaction sa = {.sa_sigaction = take, .sa_flags = SA_SIGINFO};

	for (size_t i = 0; i < ARRAY_SIZE(sigs); i++)
		OK(sigaction(sigs[i], &sa, NULL));
	info = (siginfo_t){0};
}

#define FAULT(...)                                              \
	do {                                                    \
		catch_all();                                    \
		if (sigsetjmp(back, 1) == 0) {                  \
			__VA_ARGS__;                            \
			FAIL("no fault from %s", #__VA_ARGS__); \
		}                                               \
	} while (0)

TEST(unmapped_is_maperr_with_the_address)
{
	volatile char *p = map_anon(2 * 4096, PROT_READ);

	OK(munmap((char *)p + 4096, 4096));
	FAULT((void)p[4096 + 123]);
	CHECK_EQ(info.si_signo, SIGSEGV);
	CHECK_EQ(info.si_code, SEGV_MAPERR);
	CHECK(info.si_addr == p + 4096 + 123);
	FAULT(*wild_pointer(64) = 1);
	CHECK_EQ(info.si_code, SEGV_MAPERR);
	CHECK(info.si_addr == (void *)64);
}

TEST(wrong_right_is_accerr_with_the_address)
{
	volatile char *p = map_anon(4096, PROT_READ);

	(void)p[0];
	FAULT(p[77] = 1);
	CHECK_EQ(info.si_signo, SIGSEGV);
	CHECK_EQ(info.si_code, SEGV_ACCERR);
	CHECK(info.si_addr == p + 77);
	OK(mprotect((char *)p, 4096, PROT_NONE));
	FAULT((void)p[5]);
	CHECK_EQ(info.si_code, SEGV_ACCERR);
}

TEST(jump_into_data_is_accerr_at_the_target)
{
	char *p = map_anon(4096, PROT_READ | PROT_WRITE);

	p[0] = 0;
	FAULT(((void (*)(void))p)());
	CHECK_EQ(info.si_signo, SIGSEGV);
	CHECK_EQ(info.si_code, SEGV_ACCERR);
	CHECK(info.si_addr == p);
	FAULT(((void (*)(void))0x10)());
	CHECK_EQ(info.si_code, SEGV_MAPERR);
	CHECK(info.si_addr == (void *)0x10);
}

TEST(past_end_of_file_is_sigbus_adrerr)
{
	volatile char *p;
	int fd;

	file_make("f", "x", 1);
	fd = OK(open("f", O_RDWR));
	p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	FAULT((void)p[4096 + 9]);
	CHECK_EQ(info.si_signo, SIGBUS);
	CHECK_EQ(info.si_code, BUS_ADRERR);
	CHECK((uintptr_t)info.si_addr / 4096 == (uintptr_t)p / 4096 + 1);
}

TEST(illegal_instruction_is_sigill)
{
#ifdef __riscv
	FAULT(__asm__ volatile(".word 0"));
#else
	FAULT(__asm__ volatile("ud2"));
#endif
	CHECK_EQ(info.si_signo, SIGILL);
	CHECK(info.si_code == ILL_ILLOPC || info.si_code == ILL_ILLOPN);
	CHECK(info.si_addr != NULL);
}

TEST(privileged_instructions_are_refused)
{
#ifdef __riscv
	FAULT(__asm__ volatile("csrr t0, sstatus" ::: "t0"));
	CHECK_EQ(info.si_signo, SIGILL);
	FAULT(__asm__ volatile("csrw satp, zero"));
	CHECK_EQ(info.si_signo, SIGILL);
	FAULT(__asm__ volatile("sfence.vma"));
	CHECK_EQ(info.si_signo, SIGILL);
	FAULT(__asm__ volatile("sret"));
	CHECK_EQ(info.si_signo, SIGILL);
	FAULT(__asm__ volatile("wfi; wfi; .word 0")); /* wfi in U-mode may be refused or be a nop */
	CHECK_EQ(info.si_signo, SIGILL);
#else
	FAULT(__asm__ volatile("hlt"));
#endif
}

TEST(breakpoint_is_sigtrap)
{
#ifdef __riscv
	FAULT(__asm__ volatile("ebreak"));
	CHECK_EQ(info.si_code, TRAP_BRKPT);
#else
	FAULT(__asm__ volatile("int3"));
#endif
	CHECK_EQ(info.si_signo, SIGTRAP);
}

TEST(user_counters_are_readable)
{
#ifdef __riscv
	unsigned long a, b;

	__asm__ volatile("rdtime %0" : "=r"(a));
	nap_ms(2);
	__asm__ volatile("rdtime %0" : "=r"(b));
	CHECK(b > a);
#else
	SKIP("riscv only");
#endif
}

TEST(faults_by_the_hundred)
{
	volatile char *p = map_anon(4096, PROT_NONE);

	for (volatile int i = 0; i < 500; i++) {
		FAULT(p[i] = 1);
		CHECK(info.si_addr == p + i);
	}
}

static volatile char *lazy;
static volatile int repaired;

static void repair(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)uc;
	repaired++;
	mprotect((void *)((uintptr_t)si->si_addr & ~4095UL), 4096, PROT_READ | PROT_WRITE);
}

TEST(a_handler_may_repair_and_return)
{
	struct sigaction sa = {.sa_sigaction = repair, .sa_flags = SA_SIGINFO};

	OK(sigaction(SIGSEGV, &sa, NULL));
	lazy = map_anon(32 * 4096, PROT_NONE);
	for (int i = 0; i < 32; i++)
		lazy[i * 4096] = i;
	CHECK_EQ(repaired, 32);
	for (int i = 0; i < 32; i++)
		CHECK_EQ(lazy[i * 4096], i);
}

static volatile long misaligned_sum;

TEST(misaligned_access_works_or_is_sigbus)
{
	char *p = map_anon(4096, PROT_READ | PROT_WRITE);

	catch_all();
	if (sigsetjmp(back, 1) == 0) {
		for (int i = 0; i < 8; i++) {
			*(volatile long *)(p + i) = 0x0102030405060708L;
			misaligned_sum += *(volatile long *)(p + i);
		}
	} else {
		CHECK_EQ(info.si_signo, SIGBUS);
	}
}

static void *fault_loop(void *arg)
{
	static __thread sigjmp_buf dummy;
	(void)dummy;
	for (int i = 0; i < 100; i++)
		if (write(-1, arg, 1) != -1)
			return (void *)1;
	return NULL;
}

TEST(default_action_in_threads_kills_all)
{
	pthread_t t;

	DIES_OF(SIGSEGV, ZERO(pthread_create(&t, NULL, fault_loop, "")); *wild_pointer(8) = 1);
#ifdef __riscv
	DIES_OF(SIGILL, __asm__ volatile(".word 0"));
#else
	DIES_OF(SIGILL, __asm__ volatile("ud2"));
#endif
}

TEST_MAIN
