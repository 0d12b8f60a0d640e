/* System calls on memory that another thread is unmapping, protecting or truncating at the same time. */
#include "test.h"

#define PG 4096UL

/* Another thread unmaps the buffer while calls use it: EFAULT or success, never worse. */
static volatile bool stop;
static char *volatile area;

static void *unmapper(void *arg)
{
	(void)arg;
	while (!stop) {
		munmap(area, PG);
		mmap(area, PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	}
	return NULL;
}

TEST_LIMIT(concurrent_unmapping, 60)
{
	pthread_t t;
	int done = 0, fd;

	file_make("name", "0123456789012345678901234567890123456789012345678901234567890123456789", 70);
	fd = OK(open("name", O_RDWR));
	area = map_anon(PG, PROT_READ | PROT_WRITE);
	ZERO(pthread_create(&t, NULL, unmapper, NULL));
	for (int i = 0; i < 3000; i++) {
		long r = i & 1 ? pread(fd, area, 64, 0) : syscall(SYS_newfstatat, AT_FDCWD, ".", area, 0);

		if (r < 0)
			CHECK_EQ(errno, EFAULT);
		else
			done++;
	}
	stop = true;
	ZERO(pthread_join(t, NULL));
}

static int file_fd;

static void *truncater(void *arg)
{
	(void)arg;
	while (!stop) {
		if (ftruncate(file_fd, 0) || ftruncate(file_fd, 4 * PG))
			return (void *)1;
	}
	return NULL;
}

TEST_LIMIT(concurrent_truncation, 60)
{
	pthread_t t;
	void *res;
	char *p;
	int fds[2];
	char buf[8];

	file_fd = OK(open("f", O_CREAT | O_RDWR, 0644));
	OK(ftruncate(file_fd, 4 * PG));
	p = mmap(NULL, 4 * PG, PROT_READ | PROT_WRITE, MAP_SHARED, file_fd, 0);
	CHECK(p != MAP_FAILED);
	OK(pipe2(fds, O_NONBLOCK));
	ZERO(pthread_create(&t, NULL, truncater, NULL));
	for (int i = 0; i < 3000; i++) {
		long r = write(fds[1], p + (i & 3) * PG, 8);

		if (r < 0)
			CHECK_EQ(errno, EFAULT);
		else
			CHECK_EQ(read(fds[0], buf, 8), 8);
		for (int k = 0; r == 8 && k < 8; k++)
			CHECK_EQ(buf[k], 0);
	}
	stop = true;
	ZERO(pthread_join(t, &res));
	CHECK(res == NULL);
}

static void *protector(void *arg)
{
	(void)arg;
	while (!stop) {
		mprotect(area, PG, PROT_READ);
		mprotect(area, PG, PROT_READ | PROT_WRITE);
	}
	return NULL;
}

TEST_LIMIT(concurrent_protection, 60)
{
	pthread_t t;
	int fd = OK(open("/dev/zero", O_RDONLY));

	area = map_anon(PG, PROT_READ | PROT_WRITE);
	ZERO(pthread_create(&t, NULL, protector, NULL));
	for (int i = 0; i < 3000; i++)
		if (read(fd, area, 16) < 0)
			CHECK_EQ(errno, EFAULT);
	stop = true;
	ZERO(pthread_join(t, NULL));
}

TEST_MAIN
