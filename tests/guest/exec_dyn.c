/* A dynamically linked program: the loader ran, shared libraries are mapped, dlopen and threads work. */
#include "test.h"
#include <math.h>
#include <sys/auxv.h>

TEST(the_loader_brought_us_here)
{
	char text[32768];

	CHECK(getauxval(AT_BASE) != 0);
	file_read("/proc/self/maps", text, sizeof(text));
	CHECK(strstr(text, "ld-linux") != NULL && strstr(text, "libc") != NULL);
}

TEST(library_functions_and_relocations_work)
{
	volatile double x = 2;
	char buf[64];

	CHECK(sqrt(x) > 1.41421 && sqrt(x) < 1.41422);
	snprintf(buf, sizeof(buf), "%.3f %s", pow(x, 0.5), "ok");
	CHECK_STR(buf, "1.414 ok");
	qsort(buf, 8, 1, (int (*)(const void *, const void *))strcmp);
}

static __thread int mine = 5;

static void *thread(void *arg)
{
	return (void *)(long)(mine + (long)arg);
}

TEST(threads_and_tls_in_shared_libc)
{
	pthread_t t;
	void *res;

	mine = 9;
	ZERO(pthread_create(&t, NULL, thread, (void *)1L));
	ZERO(pthread_join(t, &res));
	CHECK_EQ((long)res, 6);
}

TEST(fork_and_exec_of_itself)
{
	for (int i = 0; i < 5; i++)
		IN_CHILD(OK(dup2(OK(open("/dev/null", O_WRONLY)), 1)); execl("/proc/self/exe", "x", "-l", (char *)NULL);
			 _exit(1));
}

TEST_MAIN
