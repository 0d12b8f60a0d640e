/* Threads: exec and fork from one of many, and hundreds in turn. */
#include "test.h"

static void *sleep_forever(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

static void *exec_true(void *arg)
{
	(void)arg;
	execl("/bin/sh", "sh", "-c", "exit 17", (char *)NULL);
	return NULL;
}

TEST(exec_from_a_thread_replaces_the_process)
{
	pid_t pid = OK(fork());

	if (pid == 0) {
		pthread_t t;

		for (int i = 0; i < 3; i++)
			ZERO(pthread_create(&t, NULL, sleep_forever, NULL));
		ZERO(pthread_create(&t, NULL, exec_true, NULL));
		sleep_forever(NULL);
	}
	wait_exit(pid, 17);
}

static void *nothing(void *arg)
{
	return arg;
}

TEST(five_hundred_threads_in_turn)
{
	for (long i = 0; i < 500; i++) {
		pthread_t t;
		void *res;

		ZERO(pthread_create(&t, NULL, nothing, (void *)i));
		ZERO(pthread_join(t, &res));
		CHECK_EQ((long)res, i);
	}
}

TEST(fork_from_a_thread_copies_only_it)
{
	pthread_t t;

	ZERO(pthread_create(&t, NULL, sleep_forever, NULL));
	IN_CHILD(DIR *d = opendir("/proc/self/task"); int n = 0; if (!d) _exit(0); /* not every kernel has it */
		 for (struct dirent *e; (e = readdir(d));) n += e->d_name[0] != '.'; CHECK_EQ(n, 1));
}

TEST_MAIN
