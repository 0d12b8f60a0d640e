/* Files, directories, pipes and devices. */
#include "lib.h"

/* ---- descriptors ---- */

/*
 * Only so much of the buffer is offered as lies in the process: the call succeeds when what there is to read fits, and
 * fails when it does not, as where the kernel copies piece by piece.
 */
int read(int fd, void *to, int n)
{
	uint64 room = bytes_from(to);
	long done;

	if (!fd_ok(fd) || n < 0 || (n > 0 && room == 0))
		return -1;
	if ((uint64)n < room)
		room = (uint64)n;
	done = call3(NR_read, fd, to, room);
	if (done == -EISDIR)
		return writable(to, room) ? dir_read(fd, to, (int)room) : -1;
	return done == (long)room && room < (uint64)n ? -1 : classic(done);
}

/* Whether the place in a file lies behind its end: it was truncated. The classic kernel makes no holes. */
static int behind_end(int fd)
{
	struct linux_stat st;
	long at = call3(NR_lseek, fd, 0, SEEK_CUR);

	/* The place first: others may append in between, and then the size is only larger. */
	return at > 0 && call2(NR_fstat, fd, &st) == 0 && (st.mode & S_IFMT) == S_IFREG && at > st.size;
}

int write(int fd, const void *from, int n)
{
	long done;

	if (!fd_ok(fd) || n < 0 || !readable(from, (uint64)n) || behind_end(fd))
		return -1;
	done = call3(NR_write, fd, from, n);
	/* A part only: the file is as long as files get, or the disk is full. */
	return done == n ? n : -1;
}

int close(int fd)
{
	return fd_ok(fd) ? classic(call1(NR_close, fd)) : -1;
}

int dup(int fd)
{
	return fd_ok(fd) ? classic(call1(NR_dup, fd)) : -1;
}

int pipe(int *fds)
{
	if (!writable(fds, 2 * sizeof(*fds)) || call2(NR_pipe2, fds, 0) < 0)
		return -1;
	/* The smallest that Linux has, to be near the classic one. */
	call3(NR_fcntl, fds[1], F_SETPIPE_SZ, PGSIZE);
	return 0;
}

int fstat(int fd, struct stat *to)
{
	struct linux_stat from;
	struct stat st = {.dev = ROOTDEV};

	if (!fd_ok(fd) || !writable(to, sizeof(*to)) || call2(NR_fstat, fd, &from) < 0)
		return -1;
	st.ino = (uint)from.ino;
	st.nlink = (short)from.nlink;
	st.size = (uint64)from.size;
	switch (from.mode & S_IFMT) {
	case S_IFDIR:
		st.type = T_DIR;
		/* The entry "." is not counted there. */
		st.nlink--;
		st.size = dir_size(fd, st.size);
		break;
	case S_IFREG: st.type = T_FILE; break;
	case S_IFCHR:
	case S_IFBLK:
		st.type = T_DEVICE;
		st.size = 0;
		break;
	default: return -1; /* a pipe has no inode */
	}
	memmove(to, &st, sizeof(st));
	return 0;
}

/* ---- names ---- */

static int linux_flags(int mode)
{
	int flags = mode & O_WRONLY ? O_WRONLY : mode & O_RDWR;

	return flags | (mode & O_CREATE ? LINUX_O_CREAT : 0) | (mode & O_TRUNC ? LINUX_O_TRUNC : 0);
}

/* Directories open for reading only. */
static int is_dir(int fd)
{
	struct linux_stat st;

	return call2(NR_fstat, fd, &st) == 0 && (st.mode & S_IFMT) == S_IFDIR;
}

int open(const char *path, int mode)
{
	char to[PATH_ROOM];
	long fd;

	if (path_take(path, to, mode & O_CREATE ? PATH_NAME : PATH_ANY) < 0)
		return -1;
	fd = call4(NR_openat, AT_FDCWD, to, linux_flags(mode), 0777);
	if (fd >= 0 && mode != O_RDONLY && is_dir((int)fd)) {
		call1(NR_close, fd);
		return -1;
	}
	return classic(fd);
}

int mkdir(const char *path)
{
	char to[PATH_ROOM];

	return path_take(path, to, PATH_NAME) < 0 ? -1 : classic(call3(NR_mkdirat, AT_FDCWD, to, 0777));
}

int unlink(const char *path)
{
	char to[PATH_ROOM];
	long err;

	if (path_take(path, to, PATH_NAME) < 0 || path_ends_in_dots(to))
		return -1;
	err = call3(NR_unlinkat, AT_FDCWD, to, 0);
	if (err == -EISDIR || err == -EPERM)
		err = call3(NR_unlinkat, AT_FDCWD, to, AT_REMOVEDIR);
	return classic(err);
}

int link(const char *old, const char *new)
{
	char from[PATH_ROOM], to[PATH_ROOM];

	if (path_take(old, from, PATH_ANY) < 0 || path_take(new, to, PATH_NAME) < 0)
		return -1;
	return classic(call5(NR_linkat, AT_FDCWD, from, AT_FDCWD, to, 0));
}

int chdir(const char *path)
{
	char to[PATH_ROOM];

	return path_take(path, to, PATH_ANY) < 0 ? -1 : classic(call1(NR_chdir, to));
}

/* The classic machine's only device is the console, number 1; the others exist as names that do not open. */
int mknod(const char *path, short major, short minor)
{
	uint dev = major == 1 ? 5 << 8 | 1 : 240 << 8 | (minor & 0xff);
	char to[PATH_ROOM];

	if (path_take(path, to, PATH_NAME) < 0)
		return -1;
	return classic(call4(NR_mknodat, AT_FDCWD, to, S_IFCHR | 0666, dev));
}

int stat(const char *path, struct stat *to)
{
	int fd = open(path, O_RDONLY), err;

	if (fd < 0)
		return -1;
	err = fstat(fd, to);
	close(fd);
	return err;
}
