/* Signal frames: alternate stack, ucontext changes, deep nesting, siglongjmp, damaged frames. */
#include "test.h"
#include <setjmp.h>
#include <ucontext.h>

static volatile uintptr_t seen_sp;
static volatile sig_atomic_t hits;
static volatile int seen_ss_flags;
static char alt[65536] __attribute__((aligned(16)));

static void see_stack(int sig)
{
	char here;

	(void)sig;
	hits++;
	seen_sp = (uintptr_t)&here;
	stack_t ss;
	sigaltstack(NULL, &ss);
	seen_ss_flags = ss.ss_flags;
}

static bool on_alt(void)
{
	return seen_sp >= (uintptr_t)alt && seen_sp < (uintptr_t)alt + sizeof(alt);
}

static void use_alt(int extra_flags)
{
	stack_t ss = {.ss_sp = alt, .ss_size = sizeof(alt), .ss_flags = extra_flags};

	OK(sigaltstack(&ss, NULL));
}

TEST(alternate_stack_is_used_only_when_asked)
{
	use_alt(0);
	on_signal(SIGUSR1, see_stack, 0);
	OK(raise(SIGUSR1));
	CHECK(!on_alt());
	on_signal(SIGUSR1, see_stack, SA_ONSTACK);
	OK(raise(SIGUSR1));
	CHECK(on_alt());
	CHECK(seen_ss_flags & SS_ONSTACK);
	stack_t seen_ss;
	OK(sigaltstack(NULL, &seen_ss));
	CHECK_EQ(seen_ss.ss_flags, 0);
	CHECK(seen_ss.ss_sp == alt && seen_ss.ss_size == sizeof(alt));
}

static void try_change(int sig)
{
	stack_t ss = {.ss_flags = SS_DISABLE};

	(void)sig;
	ERR(sigaltstack(&ss, NULL), EPERM);
	hits++;
}

TEST(alternate_stack_errors)
{
	stack_t ss = {.ss_sp = alt, .ss_size = 100};

	ERR(sigaltstack(&ss, NULL), ENOMEM);
	ss = (stack_t){.ss_sp = alt, .ss_size = sizeof(alt), .ss_flags = 0x40};
	ERR(sigaltstack(&ss, NULL), EINVAL);
	use_alt(0);
	on_signal(SIGUSR1, try_change, SA_ONSTACK);
	OK(raise(SIGUSR1));
	CHECK_EQ(hits, 1);
	ss = (stack_t){.ss_flags = SS_DISABLE};
	OK(sigaltstack(&ss, NULL));
	OK(sigaltstack(NULL, &ss));
	CHECK_EQ(ss.ss_flags, SS_DISABLE);
}

TEST(child_keeps_thread_loses_the_alternate_stack)
{
	stack_t ss;

	use_alt(0);
	IN_CHILD(OK(sigaltstack(NULL, &ss)); CHECK_EQ(ss.ss_flags, 0); CHECK(ss.ss_sp == alt));
}

static void skip_bad_store(int sig, siginfo_t *si, void *ctx)
{
	ucontext_t *uc = ctx;

	(void)sig;
	(void)si;
	hits++;
#ifdef __riscv
	uc->uc_mcontext.__gregs[REG_PC] += 4;
	uc->uc_mcontext.__gregs[REG_A0] = 1234;
#else
	uc->uc_mcontext.gregs[REG_RIP] += 2; /* length of the store below */
	uc->uc_mcontext.gregs[REG_RAX] = 1234;
#endif
}

TEST(a_handler_may_change_registers)
{
	struct sigaction sa = {.sa_sigaction = skip_bad_store, .sa_flags = SA_SIGINFO};
	long result;

	OK(sigaction(SIGSEGV, &sa, NULL));
#ifdef __riscv
	__asm__ volatile(".option push\n.option norvc\nli a0, 8\nsd a0, 0(a0)\nmv %0, a0\n.option pop"
			 : "=r"(result)::"a0", "memory");
#else
	__asm__ volatile("mov $8, %%rax\n.byte 0x89, 0x00\nmov %%rax, %0" : "=r"(result)::"rax", "memory");
#endif
	CHECK_EQ(hits, 1);
	CHECK_EQ(result, 1234);
}

static void change_mask(int sig, siginfo_t *si, void *ctx)
{
	(void)sig;
	(void)si;
	sigaddset(&((ucontext_t *)ctx)->uc_sigmask, SIGUSR2);
}

TEST(a_handler_may_change_the_mask_to_restore)
{
	struct sigaction sa = {.sa_sigaction = change_mask, .sa_flags = SA_SIGINFO};
	sigset_t set;

	OK(sigaction(SIGUSR1, &sa, NULL));
	OK(raise(SIGUSR1));
	OK(sigprocmask(0, NULL, &set));
	CHECK(sigismember(&set, SIGUSR2));
	CHECK(!sigismember(&set, SIGUSR1));
}

static sigjmp_buf back;

static void jump(int sig)
{
	siglongjmp(back, sig);
}

TEST(siglongjmp_out_of_a_fault)
{
	volatile char *bad = wild_pointer(16);
	sigset_t set;

	on_signal(SIGSEGV, jump, 0);
	for (volatile int i = 0; i < 50; i++) {
		if (sigsetjmp(back, 1) == 0) {
			*bad = 1;
			FAIL("store went through");
		}
	}
	OK(sigprocmask(0, NULL, &set));
	CHECK(!sigismember(&set, SIGSEGV));
}

TEST(a_blocked_fault_kills)
{
	sigset_t set;

	on_signal(SIGSEGV, jump, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGSEGV);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	DIES_OF(SIGSEGV, *wild_pointer(16) = 1);
}

TEST(no_room_for_the_frame_kills)
{
	DIES_OF(SIGSEGV, stack_t ss = {.ss_sp = map_anon(65536, PROT_READ), .ss_size = 65536};
		OK(sigaltstack(&ss, NULL)); on_signal(SIGUSR1, see_stack, SA_ONSTACK); raise(SIGUSR1));
}

static volatile int order[64];

static void nested(int sig)
{
	order[hits++] = sig;
	if (sig < SIGRTMIN + 10)
		raise(sig + 1);
	order[hits++] = -sig;
}

TEST(handlers_nest_and_unwind_in_order)
{
	for (int i = 0; i <= 10; i++)
		on_signal(SIGRTMIN + i, nested, 0);
	OK(raise(SIGRTMIN));
	CHECK_EQ(hits, 22);
	for (int i = 0; i <= 10; i++) {
		CHECK_EQ(order[i], SIGRTMIN + i);
		CHECK_EQ(order[21 - i], -(SIGRTMIN + i));
	}
}

/* Frames that a program damaged: sigreturn must kill or go on, never more than that. */
static void scribble(int sig, siginfo_t *si, void *ctx)
{
	static uint32_t seed = 7;
	unsigned char *p = ctx;

	(void)sig;
	(void)si;
	for (int i = 0; i < 40; i++)
		p[rnd(&seed) % sizeof(ucontext_t)] = rnd(&seed);
}

TEST(damaged_frames_harm_only_their_process)
{
	for (int i = 0; i < 50; i++) {
		pid_t pid = OK(fork());

		if (pid == 0) {
			struct sigaction sa = {.sa_sigaction = scribble, .sa_flags = SA_SIGINFO};

			OK(sigaction(SIGUSR1, &sa, NULL));
			alarm(2);
			for (int j = 0; j <= i; j++)
				raise(SIGUSR1);
			_exit(0);
		}
		wait_status(pid);
	}
}

TEST(sigreturn_without_a_frame)
{
	pid_t pid = OK(fork());

	if (pid == 0) {
		alarm(2);
		syscall(SYS_rt_sigreturn);
		_exit(0);
	}
	CHECK(WIFSIGNALED(wait_status(pid)));
}

TEST(all_registers_survive_a_signal)
{
	struct itimerval it = {{0, 1000}, {0, 1000}};
	uint32_t seed = 3, check = 3;

	on_signal(SIGALRM, see_stack, SA_RESTART);
	OK(setitimer(ITIMER_REAL, &it, NULL));
	for (int round = 0; round < 20000 || hits < 20; round++) {
		long a = round, b = a * 3, c = b ^ 5, d = c + a, e = d * 7, f = e - b;

		__asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f));
		CHECK(b == a * 3 && c == (b ^ 5) && d == c + a && e == d * 7 && f == e - b);
		rnd(&seed);
		rnd(&check);
	}
	CHECK_EQ(seed, check);
}

TEST_MAIN
