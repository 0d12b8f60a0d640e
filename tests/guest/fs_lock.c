/* Record locks (POSIX and open-file) and flock. */
#include "test.h"
#include <pthread.h>
#include <sys/file.h>

static int set_lock(int fd, int cmd, int type, off_t start, off_t len)
{
	struct flock fl = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};

	return fcntl(fd, cmd, &fl);
}

/* The type of lock that would stand in the way of a write lock on the range; checked from a child. */
static int conflict(off_t start, off_t len, pid_t *who)
{
	int *result = map_shared(4096);

	IN_CHILD(int fd = OK(open("f", O_RDWR));
		 struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
		 OK(fcntl(fd, F_GETLK, &fl)); result[0] = fl.l_type; result[1] = fl.l_pid);
	if (who)
		*who = result[1];
	return result[0];
}

static int make(void)
{
	file_make("f", "0123456789", 10);
	return OK(open("f", O_RDWR));
}

TEST(write_locks_exclude_read_locks_share)
{
	int fd = make();
	pid_t who;

	OK(set_lock(fd, F_SETLK, F_WRLCK, 0, 5));
	CHECK_EQ(conflict(0, 1, &who), F_WRLCK);
	CHECK_EQ(who, getpid());
	CHECK_EQ(conflict(5, 5, NULL), F_UNLCK);
	IN_CHILD(int g = OK(open("f", O_RDWR)); ERR(set_lock(g, F_SETLK, F_RDLCK, 4, 2), EAGAIN);
		 OK(set_lock(g, F_SETLK, F_WRLCK, 5, 1)));
	OK(set_lock(fd, F_SETLK, F_RDLCK, 0, 5));
	IN_CHILD(int g = OK(open("f", O_RDWR)); OK(set_lock(g, F_SETLK, F_RDLCK, 0, 5));
		 ERR(set_lock(g, F_SETLK, F_WRLCK, 0, 5), EAGAIN));
}

TEST(unlocking_the_middle_splits)
{
	int fd = make();

	OK(set_lock(fd, F_SETLK, F_WRLCK, 0, 100));
	OK(set_lock(fd, F_SETLK, F_UNLCK, 40, 20));
	CHECK_EQ(conflict(0, 40, NULL), F_WRLCK);
	CHECK_EQ(conflict(40, 20, NULL), F_UNLCK);
	CHECK_EQ(conflict(60, 1, NULL), F_WRLCK);
	CHECK_EQ(conflict(100, 0, NULL), F_UNLCK);
	OK(set_lock(fd, F_SETLK, F_WRLCK, 10, 0)); /* to the end of all */
	CHECK_EQ(conflict(1L << 40, 1, NULL), F_WRLCK);
	OK(set_lock(fd, F_SETLK, F_UNLCK, 0, 0));
	CHECK_EQ(conflict(0, 0, NULL), F_UNLCK);
}

TEST(not_inherited_and_gone_with_any_close)
{
	int fd = make();

	OK(set_lock(fd, F_SETLK, F_WRLCK, 0, 1));
	IN_CHILD(ERR(set_lock(fd, F_SETLK, F_WRLCK, 0, 1), EAGAIN));
	OK(close(OK(open("f", O_RDONLY)))); /* any descriptor of the file */
	CHECK_EQ(conflict(0, 1, NULL), F_UNLCK);
	IN_CHILD(OK(set_lock(fd, F_SETLK, F_WRLCK, 0, 1))); /* dies with the process */
	CHECK_EQ(conflict(0, 1, NULL), F_UNLCK);
}

static void *lock_or_errno(void *fd)
{
	return (void *)(long)(set_lock((int)(long)fd, F_SETLKW, F_WRLCK, 0, 1) == 0 ? 0 : errno);
}

/* The lock comes when its descriptor is gone: nobody could give it back. */
TEST(a_close_beside_a_waiting_lock)
{
	int fd = make(), held[2], go[2];
	pthread_t waiter;
	void *err;
	char c = 'x';
	pid_t pid;

	OK(pipe(held));
	OK(pipe(go));
	pid = OK(fork());
	if (pid == 0) {
		int g = OK(open("f", O_RDWR));

		OK(set_lock(g, F_SETLK, F_WRLCK, 0, 1));
		CHECK_EQ(write(held[1], &c, 1), 1);
		CHECK_EQ(read(go[0], &c, 1), 1);
		_exit(0);
	}
	CHECK_EQ(read(held[0], &c, 1), 1);
	CHECK_EQ(pthread_create(&waiter, NULL, lock_or_errno, (void *)(long)fd), 0);
	usleep(100000);
	OK(close(fd));
	CHECK_EQ(write(go[1], &c, 1), 1);
	wait_ok(pid);
	CHECK_EQ(pthread_join(waiter, &err), 0);
	CHECK_EQ((long)err, EBADF);
	CHECK_EQ(conflict(0, 1, NULL), F_UNLCK);
}

TEST(waiting_for_a_lock)
{
	int fd = make(), fds[2];
	char c;
	pid_t pid;

	OK(pipe(fds));
	pid = OK(fork());
	if (pid == 0) {
		OK(set_lock(fd, F_SETLK, F_WRLCK, 0, 1));
		CHECK_EQ(write(fds[1], "x", 1), 1);
		nap_ms(30);
		CHECK_EQ(pwrite(fd, "L", 1, 0), 1);
		_exit(0);
	}
	CHECK_EQ(read(fds[0], &c, 1), 1);
	OK(set_lock(fd, F_SETLKW, F_WRLCK, 0, 1));
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	CHECK_EQ(c, 'L');
	wait_ok(pid);
}

TEST(deadlock_is_found)
{
	int fd = make(), fds[2];
	char c;
	pid_t pid;

	OK(pipe(fds));
	OK(set_lock(fd, F_SETLK, F_WRLCK, 0, 1));
	pid = OK(fork());
	if (pid == 0) {
		OK(set_lock(fd, F_SETLK, F_WRLCK, 1, 1));
		CHECK_EQ(write(fds[1], "x", 1), 1);
		int r = set_lock(fd, F_SETLKW, F_WRLCK, 0, 1);
		_exit(r == 0 || errno == EDEADLK ? 0 : 1);
	}
	CHECK_EQ(read(fds[0], &c, 1), 1);
	nap_ms(30);
	int r = set_lock(fd, F_SETLKW, F_WRLCK, 1, 1);
	CHECK(r == 0 || errno == EDEADLK); /* one of the two sees it */
	OK(set_lock(fd, F_SETLK, F_UNLCK, 0, 0));
	wait_ok(pid);
}

TEST(lock_argument_errors)
{
	int fd = make(), ro = OK(open("f", O_RDONLY)), wo = OK(open("f", O_WRONLY));

	ERR(set_lock(ro, F_SETLK, F_WRLCK, 0, 1), EBADF);
	ERR(set_lock(wo, F_SETLK, F_RDLCK, 0, 1), EBADF);
	ERR(set_lock(fd, F_SETLK, 77, 0, 1), EINVAL);
	ERR(set_lock(fd, F_SETLK, F_WRLCK, -1, 1), EINVAL);
	OK(set_lock(fd, F_SETLK, F_WRLCK, 10, -5)); /* the five bytes before 10 */
	CHECK_EQ(conflict(5, 5, NULL), F_WRLCK);
	CHECK_EQ(conflict(0, 5, NULL), F_UNLCK);
	CHECK_EQ(conflict(10, 5, NULL), F_UNLCK);
}

TEST(whence_of_locks)
{
	int fd = make();
	struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_END, .l_start = -3, .l_len = 2};

	OK(fcntl(fd, F_SETLK, &fl));
	CHECK_EQ(conflict(7, 2, NULL), F_WRLCK);
	CHECK_EQ(conflict(0, 7, NULL), F_UNLCK);
	OK(lseek(fd, 2, SEEK_SET));
	fl = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_CUR, .l_start = 1, .l_len = 1};
	OK(fcntl(fd, F_SETLK, &fl));
	CHECK_EQ(conflict(3, 1, NULL), F_WRLCK);
}

TEST(open_file_locks_belong_to_the_description)
{
	int a = make(), b = OK(open("f", O_RDWR));

	if (set_lock(a, F_OFD_SETLK, F_WRLCK, 0, 1) < 0 && errno == EINVAL)
		SKIP("no open-file locks");
	ERR(set_lock(b, F_OFD_SETLK, F_WRLCK, 0, 1), EAGAIN);
	OK(close(OK(dup(a))));
	ERR(set_lock(b, F_OFD_SETLK, F_WRLCK, 0, 1), EAGAIN);
	OK(close(a));
	OK(set_lock(b, F_OFD_SETLK, F_WRLCK, 0, 1));
}

TEST(flock_belongs_to_the_description)
{
	int a = make(), b = OK(open("f", O_RDONLY)), dupe = OK(dup(a));

	OK(flock(a, LOCK_EX));
	ERR(flock(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	OK(flock(dupe, LOCK_EX | LOCK_NB)); /* the same lock */
	OK(flock(a, LOCK_SH));              /* converted */
	OK(flock(b, LOCK_SH | LOCK_NB));
	ERR(flock(a, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	OK(flock(b, LOCK_UN));
	IN_CHILD(OK(flock(a, LOCK_EX | LOCK_NB))); /* inherited: the child's is the parent's */
	ERR(flock(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	OK(close(a));
	ERR(flock(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	OK(close(dupe)); /* the last one lets go */
	OK(flock(b, LOCK_EX | LOCK_NB));
	ERR(flock(b, 77), EINVAL);
}

TEST(flock_waits)
{
	int fds[2];
	char c;
	int fd = make();
	pid_t pid;

	OK(pipe(fds));
	pid = OK(fork());
	if (pid == 0) {
		int g = OK(open("f", O_RDWR));

		OK(flock(g, LOCK_EX));
		CHECK_EQ(write(fds[1], "x", 1), 1);
		nap_ms(20);
		_exit(0);
	}
	CHECK_EQ(read(fds[0], &c, 1), 1);
	OK(flock(fd, LOCK_EX));
	wait_ok(pid);
}

TEST_MAIN
