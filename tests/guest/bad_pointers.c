/*
 * Bad pointers to every system call that takes one: the answer is EFAULT and the process lives.
 * A table names the calls; each pointer argument in turn gets every kind of bad address, the others stay good.
 */
#include "test.h"
#include <linux/futex.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <termios.h>

#define PG 4096UL

/* Stand-ins in the table for what exists only at run time. */
enum { FILE_FD = -1000, DIR_FD, PIPE_FD, PTY_FD, EPOLL_FD, BUF, NAME, PROG, TYPE, WORD, MYPID };

struct row {
	const char *name;
	long nr;
	const char *kinds; /* a letter an argument: . plain, r read, w written, s string; capital: EINVAL will do too */
	long v[6];
};
#define R(call, kinds, ...)               \
	{                                 \
#call, SYS_##call, kinds, \
		{                         \
			__VA_ARGS__       \
		}                         \
	}

static const struct row rows[] = {
	R(getcwd, "w.", 0, 4096),
	R(epoll_ctl, "...r", EPOLL_FD, EPOLL_CTL_MOD, PIPE_FD, 0),
	R(epoll_pwait, ".w....", EPOLL_FD, 0, 4, 0, 0, 8),
	R(fcntl, "..w", FILE_FD, F_GETLK, 0),
	R(fcntl, "..r", FILE_FD, F_SETLK, 0),
	R(ioctl, "..w", PIPE_FD, FIONREAD, 0),
	R(ioctl, "..r", PIPE_FD, FIONBIO, 0),
	R(ioctl, "..w", PTY_FD, TCGETS, 0),
	R(ioctl, "..r", PTY_FD, TCSETS, 0),
	R(ioctl, "..w", PTY_FD, TIOCGWINSZ, 0),
	R(ioctl, "..r", PTY_FD, TIOCSWINSZ, 0),
	R(mknodat, ".s..", AT_FDCWD, 0, S_IFIFO, 0),
	R(mkdirat, ".s.", AT_FDCWD, 0, 0755),
	R(unlinkat, ".s.", AT_FDCWD, 0, 0),
	R(symlinkat, "s.s", NAME, AT_FDCWD, NAME),
	R(linkat, ".s.s.", AT_FDCWD, NAME, AT_FDCWD, NAME, 0),
	R(renameat2, ".s.s.", AT_FDCWD, NAME, AT_FDCWD, NAME, 0),
	R(umount2, "s.", 0, 0),
	R(mount, "sss.r", NAME, NAME, TYPE, 0, BUF),
	R(statfs, "sw", NAME, BUF),
	R(fstatfs, ".w", FILE_FD, 0),
	R(truncate, "s.", 0, 0),
	R(faccessat, ".s.", AT_FDCWD, 0, 0),
	R(chdir, "s", 0),
	R(chroot, "s", 0),
	R(fchmodat, ".s.", AT_FDCWD, 0, 0),
	R(fchownat, ".s...", AT_FDCWD, 0, 0, 0, 0),
	R(openat, ".s..", AT_FDCWD, 0, O_RDONLY, 0),
	R(pipe2, "w.", 0, 0),
	R(getdents64, ".w.", DIR_FD, 0, 4096),
	R(read, ".w.", FILE_FD, 0, 64),
	R(read, ".w.", PIPE_FD, 0, 64),
	R(write, ".r.", FILE_FD, 0, 64),
	R(readv, ".r.", FILE_FD, 0, 2),
	R(writev, ".r.", FILE_FD, 0, 2),
	R(pread64, ".w..", FILE_FD, 0, 64, 0),
	R(pwrite64, ".r..", FILE_FD, 0, 64, 0),
	R(preadv, ".r..", FILE_FD, 0, 2, 0),
	R(pwritev, ".r..", FILE_FD, 0, 2, 0),
	R(preadv2, ".r....", FILE_FD, 0, 2, 0, 0, 0),
	R(pwritev2, ".r....", FILE_FD, 0, 2, 0, 0, 0),
	R(sendfile, "..w.", FILE_FD, FILE_FD, 0, 16),
	R(pselect6, ".rrrr.", 4, BUF, BUF, BUF, BUF, 0),
	R(pselect6, ".....r", 4, BUF, BUF, BUF, BUF, 0),
	R(ppoll, "r.rr.", BUF, 1, BUF, BUF, 8),
	R(readlinkat, ".sw.", AT_FDCWD, TYPE, BUF, 64),
	R(newfstatat, ".sw.", AT_FDCWD, NAME, BUF, 0),
	R(fstat, ".w", FILE_FD, 0),
	R(utimensat, ".sr.", AT_FDCWD, NAME, BUF, 0),
	R(capget, "r.", 0, BUF),
	R(get_robust_list, ".ww", 0, BUF, BUF),
	R(futex, "R..r..", WORD, FUTEX_WAIT, 0, BUF, 0, 0),
	R(futex, "R..", 0, FUTEX_WAKE, 1),
	R(nanosleep, "r.", 0, 0),
	R(getitimer, ".w", 0, 0),
	R(setitimer, ".rw", 0, BUF, BUF),
	R(timer_create, "..w", CLOCK_MONOTONIC, 0, 0),
	R(timer_create, ".r.", CLOCK_MONOTONIC, 0, BUF),
	R(clock_settime, ".r", CLOCK_REALTIME, 0),
	R(clock_gettime, ".w", CLOCK_MONOTONIC, 0),
	R(clock_getres, ".w", CLOCK_MONOTONIC, 0),
	R(clock_nanosleep, "..r.", CLOCK_MONOTONIC, 0, 0, 0),
	R(sched_setparam, ".r", 0, 0),
	R(sched_getparam, ".w", 0, 0),
	R(sched_setscheduler, "..r", 0, 0, 0),
	R(sched_setaffinity, "..r", 0, 128, 0),
	R(sched_getaffinity, "..w", 0, 128, 0),
	R(sched_rr_get_interval, ".w", 0, 0),
	R(sigaltstack, "rw", 0, BUF),
	R(rt_sigsuspend, "r.", 0, 8),
	R(rt_sigaction, ".rw.", SIGUSR1, BUF, BUF, 8),
	R(rt_sigprocmask, ".rw.", SIG_BLOCK, BUF, BUF, 8),
	R(rt_sigpending, "w.", 0, 8),
	R(rt_sigtimedwait, "r.r.", BUF, 0, BUF, 8),
	R(rt_sigqueueinfo, "..r", MYPID, SIGUSR1, 0),
	R(getresuid, "www", BUF, BUF, BUF),
	R(getresgid, "www", BUF, BUF, BUF),
	R(times, "w", 0),
	R(setgroups, ".r", 3, 0),
	R(uname, "w", 0),
	R(sethostname, "r.", 0, 5),
	R(setdomainname, "r.", 0, 5),
	R(getrlimit, ".w", RLIMIT_NOFILE, 0),
	R(setrlimit, ".r", RLIMIT_NOFILE, 0),
	R(getrusage, ".w", 0, 0),
	R(prctl, ".w...", 16, 0),
	R(prctl, ".r...", 15, 0),
	R(getcpu, "ww.", BUF, BUF, 0),
	R(gettimeofday, "ww", BUF, BUF),
	R(settimeofday, "r.", 0, 0),
	R(sysinfo, "w", 0),
	R(socketpair, "...w", AF_UNIX, SOCK_STREAM, 0, 0),
	R(execve, "srr", PROG, BUF, BUF),
	R(mincore, "..w", BUF, 4096, 0),
	R(prlimit64, "..rw", 0, RLIMIT_NOFILE, 0, 0),
	R(getrandom, "w..", 0, 16, 0),
	R(execveat, ".srr.", AT_FDCWD, PROG, BUF, BUF, 0),
	R(copy_file_range, ".W.W..", FILE_FD, BUF, FILE_FD, BUF, 4, 0),
	R(statx, ".s..w", AT_FDCWD, NAME, 0, 0x7ff, BUF),
	R(clone3, "r.", 0, 64),
	R(openat2, ".sr.", AT_FDCWD, NAME, BUF, 24),
	R(faccessat2, ".s..", AT_FDCWD, 0, 0, 0),
	R(timer_settime, "..r.", WORD, 0, 0, 0),
#ifdef SYS_renameat
	R(renameat, ".s.s", AT_FDCWD, NAME, AT_FDCWD, NAME),
#endif
};

static struct {
	int file, dir, pipe, pty, epoll;
	char *buf;      /* two good zeroed pages */
	char *crossing; /* ends where nothing is mapped, without a zero byte before */
	long bad[8];
	int nr_bad, nr_bad_read; /* the first ones are bad for reading too */
} good;

static void prepare(void)
{
	int fds[2];
	struct epoll_event ev = {.events = EPOLLIN};
	char *p;

	file_make("name", "0123456789012345678901234567890123456789012345678901234567890123456789", 70);
	OK(symlink("name", "tmpfs"));
	good.file = OK(open("name", O_RDWR));
	good.dir = OK(open(".", O_RDONLY));
	OK(pipe(fds));
	CHECK_EQ(write(fds[1], "data", 4), 4);
	good.pipe = fds[0];
	good.pty = OK(open("/dev/ptmx", O_RDWR | O_NOCTTY));
	good.epoll = epoll_create1(0);
	if (good.epoll >= 0)
		OK(epoll_ctl(good.epoll, EPOLL_CTL_ADD, good.pipe, &ev));
	good.buf = map_anon(2 * PG, PROT_READ | PROT_WRITE);
	p = map_anon(4 * PG, PROT_READ | PROT_WRITE);
	OK(munmap(p + PG, 3 * PG));
	memset(p, '/', PG);
	good.crossing = p + PG - 20;
	good.bad[0] = 1;
	good.bad[1] = 0xffffffc000000000;
	good.bad[2] = (long)(p + PG);
	good.bad[3] = (long)map_anon(PG, PROT_NONE);
	good.bad[4] = -16;
	good.bad[5] = 0x0000800000000000 - 8;
	good.nr_bad_read = 6;
	p = map_anon(PG, PROT_READ | PROT_WRITE);
	OK(mprotect(p, PG, PROT_READ));
	good.bad[6] = (long)p;
	good.nr_bad = 7;
}

static long resolve(long v)
{
	switch (v) {
	case FILE_FD: return good.file;
	case DIR_FD: return good.dir;
	case PIPE_FD: return good.pipe;
	case PTY_FD: return good.pty;
	case EPOLL_FD: return good.epoll;
	case BUF: return (long)good.buf;
	case NAME: return (long)"name";
	case PROG: return (long)"/bin/true";
	case TYPE: return (long)"tmpfs";
	case WORD: return (long)good.buf + PG;
	case MYPID: return getpid();
	}
	return v;
}

static void call(const struct row *row, int arg, long value)
{
	long a[6];

	for (int i = 0; i < 6; i++)
		a[i] = resolve(row->v[i]);
	a[arg] = value;
	memset(good.buf, 0, 2 * PG);
	errno = 0;
	alarm(5);
	long r = syscall(row->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	alarm(0);
	if (r < 0 && errno == EFAULT)
		return;
	if (r < 0 && (errno == ENOSYS || errno == EAFNOSUPPORT || errno == EOPNOTSUPP))
		return;
	if (r < 0 && errno == EPERM && !on_vitrine()) /* the host's root may lack a right that is asked for first */
		return;
	if (row->kinds[arg] < 'a' && r < 0 && errno == EINVAL)
		return;
	FAIL("%s, argument %d = %#lx: gave %ld, errno %d, wanted EFAULT", row->name, arg, value, r, errno);
}

static void try_row(const struct row *row)
{
	for (int arg = 0; row->kinds[arg]; arg++) {
		char kind = row->kinds[arg] | 32;
		int nr = kind == 'w' ? good.nr_bad : good.nr_bad_read;

		if (row->kinds[arg] == '.')
			continue;
		for (int i = 0; i < nr; i++)
			IN_CHILD(call(row, arg, good.bad[i]));
		if (kind == 's')
			IN_CHILD(call(row, arg, (long)good.crossing));
		else /* a structure that begins on the last mapped bytes */
			IN_CHILD(long at = (long)good.crossing + 19; if (!strchr("RW", row->kinds[arg]) &&
				row->nr != SYS_read && row->nr != SYS_write && row->nr != SYS_pread64 &&
				row->nr != SYS_pwrite64 && row->nr != SYS_getcwd && row->nr != SYS_getrandom &&
				row->nr != SYS_readlinkat && row->nr != SYS_mount && row->nr != SYS_sched_setaffinity &&
				row->nr != SYS_mincore && row->nr != SYS_execve && row->nr != SYS_execveat &&
				row->nr != SYS_setgroups && row->nr != SYS_prctl) call(row, arg, at));
	}
}

TEST_LIMIT(each_call_each_argument_each_bad_address, 300)
{
	need_root();
	prepare();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		try_row(&rows[i]);
}

TEST(transfers_that_cross_into_nothing_are_short_or_efault)
{
	char *end;
	long r;
	int fds[2];

	prepare();
	end = good.crossing + 20;
	OK(lseek(good.file, 0, SEEK_SET));
	r = read(good.file, end - 16, 64);
	CHECK((r == -1 && errno == EFAULT) || r == 16);
	r = pread(good.file, end - 1, 64, 0);
	CHECK((r == -1 && errno == EFAULT) || r == 1);
	r = pwrite(good.file, end - 16, 64, 0);
	CHECK((r == -1 && errno == EFAULT) || r == 16);
	OK(pipe(fds));
	r = write(fds[1], end - 16, 64);
	CHECK((r == -1 && errno == EFAULT) || (r > 0 && r <= 16));
	/* the pipe still works, and holds no more than was said */
	CHECK_EQ(write(fds[1], "ok", 2), 2);
	char buf[100];
	r = OK(read(fds[0], buf, sizeof(buf)));
	CHECK(r >= 2 && r <= 18);
	CHECK(memcmp(buf + r - 2, "ok", 2) == 0);
}

TEST(vectors_with_bad_parts)
{
	struct iovec v[2];

	prepare();
	for (int i = 0; i < good.nr_bad; i++) {
		v[0] = (struct iovec){good.buf, 4};
		v[1] = (struct iovec){(void *)good.bad[i], 4};
		long r = preadv(good.file, v, 2, 0);
		CHECK((r == -1 && errno == EFAULT) || r == 4);
		v[0] = v[1];
		ERR(preadv(good.file, v, 1, 0), EFAULT);
		if (i < good.nr_bad_read)
			ERR(pwritev(good.file, v, 1, 0), EFAULT);
	}
}

TEST(execve_with_bad_strings_inside)
{
	char *argv[3] = {"x", NULL, NULL};

	prepare();
	for (int i = 0; i < good.nr_bad_read; i++) {
		argv[1] = (char *)good.bad[i];
		ERR(execve("/bin/true", argv, environ), EFAULT);
		ERR(execve("/bin/true", (char *[]){"x", NULL}, argv), EFAULT);
	}
	argv[1] = good.crossing;
	ERR(execve("/bin/true", argv, environ), EFAULT);
	char **edge = (char **)(good.crossing + 20 - 8); /* the array itself runs off */
	edge[0] = "x";
	ERR(execve("/bin/true", edge, environ), EFAULT);
}

TEST(wait_with_bad_pointers)
{
	struct rusage *bad;

	prepare();
	bad = (struct rusage *)good.bad[2];
	for (int i = 0; i < good.nr_bad; i++) {
		pid_t pid = OK(fork());

		if (pid == 0)
			_exit(0);
		ERR(syscall(SYS_wait4, pid, good.bad[i], 0, NULL), EFAULT);
		pid = OK(fork());
		if (pid == 0)
			_exit(0);
		ERR(syscall(SYS_waitid, P_PID, pid, good.bad[i], WEXITED, NULL), EFAULT);
	}
	pid_t pid = OK(fork());
	if (pid == 0)
		_exit(0);
	ERR(wait4(pid, NULL, 0, bad), EFAULT);
}

TEST(a_partial_read_of_a_name_is_not_a_name)
{
	prepare();
	strcpy(good.crossing + 20 - 5, "name"); /* ends exactly at the edge */
	OK(access(good.crossing + 20 - 5, F_OK));
	memcpy(good.crossing + 20 - 4, "name", 4); /* no room for the zero */
	ERR(access(good.crossing + 20 - 4, F_OK), EFAULT);
}

TEST_MAIN
