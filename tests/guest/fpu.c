/* Floating-point registers survive switches, signals, fork; the rounding mode is each thread's own. */
#include "test.h"
#include <fenv.h>
#include <math.h>

/* Fill registers with values of `key`, spin through the kernel, and look again. */
static __attribute__((noinline)) bool registers_hold(double key, void (*between)(void))
{
#ifdef __riscv
	double in[12], out[12];

	for (int i = 0; i < 12; i++)
		in[i] = key + i;
	__asm__ volatile(
		"fld fs0, 0(%0)\n fld fs1, 8(%0)\n fld fs2, 16(%0)\n fld fs3, 24(%0)\n"
		"fld fs4, 32(%0)\n fld fs5, 40(%0)\n fld fs6, 48(%0)\n fld fs7, 56(%0)\n"
		"fld fs8, 64(%0)\n fld fs9, 72(%0)\n fld fs10, 80(%0)\n fld fs11, 88(%0)\n" ::"r"(in)
		: "fs0", "fs1", "fs2", "fs3", "fs4", "fs5", "fs6", "fs7", "fs8", "fs9", "fs10", "fs11", "memory");
	between();
	__asm__ volatile("fsd fs0, 0(%0)\n fsd fs1, 8(%0)\n fsd fs2, 16(%0)\n fsd fs3, 24(%0)\n"
			 "fsd fs4, 32(%0)\n fsd fs5, 40(%0)\n fsd fs6, 48(%0)\n fsd fs7, 56(%0)\n"
			 "fsd fs8, 64(%0)\n fsd fs9, 72(%0)\n fsd fs10, 80(%0)\n fsd fs11, 88(%0)\n" ::"r"(out)
			 : "memory");
	return memcmp(in, out, sizeof(in)) == 0;
#else
	volatile double v = key;

	between();
	return v == key;
#endif
}

static void yield(void)
{
	sched_yield();
}

TEST(survive_switches_between_processes)
{
	pid_t pids[4];

	for (int p = 0; p < 4; p++) {
		pids[p] = OK(fork());
		if (pids[p] == 0) {
			for (int i = 0; i < 2000; i++)
				CHECK(registers_hold(p * 1000.5 + i, yield));
			_exit(0);
		}
	}
	for (int p = 0; p < 4; p++)
		wait_ok(pids[p]);
}

static double series(int n, double x)
{
	double sum = 0;

	for (int i = 1; i < n; i++)
		sum += sin(x * i) / i + sqrt(i * x);
	return sum;
}

static void *compute(void *arg)
{
	double want = series(3000, (long)arg + 0.25);

	for (int i = 0; i < 10; i++)
		if (series(3000, (long)arg + 0.25) != want)
			return (void *)1;
	return NULL;
}

TEST_LIMIT(computation_is_not_disturbed, 60)
{
	pthread_t t[4];
	void *res;

	for (long i = 0; i < 4; i++)
		ZERO(pthread_create(&t[i], NULL, compute, (void *)i));
	for (int i = 0; i < 4; i++) {
		ZERO(pthread_join(t[i], &res));
		CHECK(res == NULL);
	}
}

static volatile double sink;

static void clobber(int sig)
{
	double v = 0;

	for (int i = 0; i < 50; i++)
		v += sqrt(i + sig);
	sink = v;
	registers_hold(-1.5 * sig, yield);
	fesetround(FE_UPWARD);
}

static void raise_usr1(void)
{
	raise(SIGUSR1);
}

TEST(survive_a_signal_handler_that_uses_them)
{
	on_signal(SIGUSR1, clobber, 0);
	for (int i = 0; i < 200; i++)
		CHECK(registers_hold(3.75 * i, raise_usr1));
	CHECK_EQ(fegetround(), FE_TONEAREST);
}

TEST_LIMIT(survive_asynchronous_signals, 40)
{
	struct itimerval it = {{0, 2000}, {0, 2000}};
	double want = series(2000, 0.5);

	on_signal(SIGALRM, clobber, SA_RESTART);
	OK(setitimer(ITIMER_REAL, &it, NULL));
	for (int i = 0; i < 60; i++)
		CHECK(series(2000, 0.5) == want);
}

static void fork_once(void)
{
	IN_CHILD(CHECK(registers_hold(8.5, yield)));
}

TEST(survive_fork)
{
	for (int i = 0; i < 20; i++)
		CHECK(registers_hold(i * 7.25, fork_once));
	volatile double v = 1.5;
	double live = v * 2;
	pid_t pid = OK(fork());
	if (pid == 0)
		_exit(live == 3.0 ? 0 : 1);
	wait_ok(pid);
}

TEST(rounding_mode_is_kept_and_inherited)
{
	OK(fesetround(FE_DOWNWARD));
	sched_yield();
	CHECK_EQ(fegetround(), FE_DOWNWARD);
	IN_CHILD(CHECK_EQ(fegetround(), FE_DOWNWARD); fesetround(FE_UPWARD));
	CHECK_EQ(fegetround(), FE_DOWNWARD);
}

TEST(exception_flags_are_kept)
{
	volatile double zero = 0, one = 1;

	feclearexcept(FE_ALL_EXCEPT);
	sink = one / zero;
	nap_ms(1);
	CHECK(fetestexcept(FE_DIVBYZERO));
}

TEST(a_new_program_starts_clean)
{
	/* the shell's arithmetic does not depend on it, awk's does */
	fesetround(FE_UPWARD);
	CHECK_EQ(WEXITSTATUS(system("test \"$(awk 'BEGIN { printf \"%.3f\", 1/3 }')\" = 0.333")), 0);
}

TEST_MAIN
