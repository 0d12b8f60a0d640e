/* sysinfo, uname, prctl names, hostname, getcpu, unknown calls, the vDSO's agreement with the calls. */
#include "test.h"
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

TEST(uname_fields)
{
	struct utsname u;

	OK(uname(&u));
	CHECK(u.sysname[0] && u.nodename[0] && u.release[0] && u.version[0]);
#ifdef __riscv
	CHECK_STR(u.machine, "riscv64");
#endif
	int major = 0, minor = 0;
	CHECK(sscanf(u.release, "%d.%d", &major, &minor) == 2); /* libcs parse it */
	if (on_vitrine())
		CHECK(major >= 4); /* glibc refuses older ones */
}

TEST(hostname)
{
	struct utsname old, u;

	need_root();
	OK(uname(&old));
	if (!on_vitrine())
		SKIP("would rename the host");
	OK(sethostname("testhost", 8));
	OK(uname(&u));
	CHECK_STR(u.nodename, "testhost");
	OK(sethostname(old.nodename, strlen(old.nodename)));
	ERR(syscall(SYS_sethostname, "x", 65L), EINVAL);
	ERR(syscall(SYS_sethostname, "x", -1L), EINVAL);
}

TEST(sysinfo_fields)
{
	struct sysinfo si;

	OK(sysinfo(&si));
	CHECK(si.totalram > 0 && si.freeram > 0 && si.freeram < si.totalram);
	CHECK(si.procs >= 1 && si.uptime >= 0 && si.mem_unit >= 1);
}

TEST(process_names)
{
	char name[16], text[64];

	OK(prctl(PR_SET_NAME, "a rather long name"));
	OK(prctl(PR_GET_NAME, name));
	CHECK_STR(name, "a rather long n"); /* 15 bytes */
	file_read("/proc/self/comm", text, sizeof(text));
	CHECK_STR(text, "a rather long n\n");
	ERR(prctl(-1, 0, 0, 0, 0), EINVAL);
}

static volatile sig_atomic_t got;

static void note(int sig)
{
	got = sig;
}

TEST(parent_death_signal)
{
	int *result = map_shared(4096);
	pid_t pid = OK(fork());

	if (pid == 0) {
		pid_t me = getpid();

		if (OK(fork()) == 0) {
			on_signal(SIGUSR1, note, 0);
			if (prctl(PR_SET_PDEATHSIG, SIGUSR1) < 0)
				*result = 2;
			else if (getppid() == me)
				*result = 1;
			while (*result == 1 && !got)
				nap_ms(1);
			result[1] = got;
			_exit(0);
		}
		AWAIT(*result);
		_exit(0);
	}
	wait_ok(pid);
	if (*result == 2)
		SKIP("no PR_SET_PDEATHSIG");
	AWAIT(result[1]);
	CHECK_EQ(result[1], SIGUSR1);
}

TEST(getcpu_is_in_the_set)
{
	unsigned cpu = 999, node = 999;
	cpu_set_t set;

	OK(syscall(SYS_getcpu, &cpu, &node, NULL));
	OK(sched_getaffinity(0, sizeof(set), &set));
	CHECK(CPU_ISSET(cpu, &set));
	CHECK_EQ(node, 0);
	CHECK(sysconf(_SC_NPROCESSORS_ONLN) >= 1);
}

TEST(unknown_calls_are_enosys)
{
	static const long nrs[] = {-1, 600, 4095, 100000};

	for (size_t i = 0; i < ARRAY_SIZE(nrs); i++)
		ERR(syscall(nrs[i], 0, 0, 0, 0, 0, 0), ENOSYS);
}

TEST(every_number_with_zeros_and_nonsense_is_survived)
{
	for (long nr = 0; nr < 460; nr++) {
		pid_t pid;

		/* what would stop the machine, the host's clock or this test is left out */
		if (nr == SYS_reboot || nr == SYS_exit || nr == SYS_exit_group || nr == SYS_kill || nr == SYS_tkill ||
			nr == SYS_settimeofday || nr == SYS_clock_settime || nr == SYS_adjtimex ||
			nr == SYS_sethostname || nr == SYS_setdomainname || nr == SYS_vhangup || nr == SYS_umount2 ||
			nr == SYS_swapoff || !on_vitrine())
			continue;
		pid = OK(fork());
		if (pid == 0) {
			OK(dup2(OK(open("/dev/null", O_RDWR)),
				0)); /* a terminal would stop us: the group is a background one */
			alarm(1);
			syscall(nr, 0, 0, 0, 0, 0, 0);
			syscall(nr, -1, -1, -1, -1, -1, -1);
			syscall(nr, 1L << 38, 4096, ~0UL >> 1, 7, 1, 2);
			syscall(SYS_exit_group, 0);
		}
		wait_status(pid);
	}
	if (!on_vitrine())
		SKIP("not on a host that has other work");
}

TEST(vdso_is_announced)
{
	const unsigned char *elf = (const void *)getauxval(AT_SYSINFO_EHDR);

	if (!elf)
		SKIP("no vDSO");
	CHECK(memcmp(elf, "\177ELF", 4) == 0);
	long long a = now_ns(CLOCK_MONOTONIC);
	struct timespec ts;
	OK(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts));
	long long b = ts.tv_sec * 1000000000LL + ts.tv_nsec, c = now_ns(CLOCK_MONOTONIC);
	CHECK(a <= b && b <= c);
}

TEST(stdio_and_locale_free_libc_work)
{
	char line[64];
	FILE *f = fopen("f", "w+");

	CHECK(f != NULL);
	for (int i = 0; i < 1000; i++)
		fprintf(f, "line %d %.3f\n", i, i / 7.0);
	rewind(f);
	for (int i = 0; i < 1000; i++) {
		int n;
		double d;

		CHECK(fgets(line, sizeof(line), f) != NULL);
		CHECK_EQ(sscanf(line, "line %d %lf", &n, &d), 2);
		CHECK_EQ(n, i);
	}
	CHECK(fgets(line, sizeof(line), f) == NULL && feof(f));
	fclose(f);
	f = tmpfile();
	CHECK(f != NULL);
	fputs("x", f);
	fclose(f);
}

TEST_MAIN
