/* Moving bytes: read, write and their relatives. */
#include "fs/file.h"
#include "lib/errno.h"
#include "mm/slab.h"
#include "mm/uio.h"
#include "proc/task.h"
#include "sync/sched.h"
#include "sys/sys.h"

enum direction { DIR_READ, DIR_WRITE };

static ssize_t move(struct file *f, struct uio *uio, s64 *pos, enum direction dir)
{
	return dir == DIR_READ ? file_read(f, uio, pos) : file_write(f, uio, pos);
}

static long rw_buffer(u64 fd, u64 buf, u64 len, s64 *pos, enum direction dir)
{
	struct borrowed_file b = user_file_borrow(fd);
	struct uio uio;
	long n;

	if (!b.file)
		return -EBADF;
	n = uio_init_user(&uio, uptr_make(buf), len);
	if (n == 0)
		n = move(b.file, &uio, pos, dir);
	fd_return(b);
	return n;
}

static long rw_vector(u64 fd, u64 iov, u64 nr, s64 *pos, enum direction dir)
{
	struct borrowed_file b = user_file_borrow(fd);
	struct uio uio;
	long n;

	if (!b.file)
		return -EBADF;
	n = uio_init_iov(&uio, uptr_make(iov), nr);
	if (n == 0) {
		n = move(b.file, &uio, pos, dir);
		uio_fini(&uio);
	}
	fd_return(b);
	return n;
}

/* Positioned I/O needs a file that has positions. */
static long check_position(u64 fd, s64 pos)
{
	struct file *f = user_file(fd);
	long err = 0;

	if (!f)
		return -EBADF;
	if (pos < 0)
		err = -EINVAL;
	else if (f->ops->seek == file_seek_none)
		err = -ESPIPE;
	file_put(f);
	return err;
}

long sys_read(SYSCALL_ARGS)
{
	return rw_buffer(a0, a1, a2, NULL, DIR_READ);
}

long sys_write(SYSCALL_ARGS)
{
	return rw_buffer(a0, a1, a2, NULL, DIR_WRITE);
}

long sys_readv(SYSCALL_ARGS)
{
	return rw_vector(a0, a1, a2, NULL, DIR_READ);
}

long sys_writev(SYSCALL_ARGS)
{
	return rw_vector(a0, a1, a2, NULL, DIR_WRITE);
}

long sys_pread64(SYSCALL_ARGS)
{
	s64 pos = (s64)a3;
	long err = check_position(a0, pos);

	return err < 0 ? err : rw_buffer(a0, a1, a2, &pos, DIR_READ);
}

long sys_pwrite64(SYSCALL_ARGS)
{
	s64 pos = (s64)a3;
	long err = check_position(a0, pos);

	return err < 0 ? err : rw_buffer(a0, a1, a2, &pos, DIR_WRITE);
}

long sys_preadv(SYSCALL_ARGS)
{
	s64 pos = (s64)a3;
	long err = check_position(a0, pos);

	return err < 0 ? err : rw_vector(a0, a1, a2, &pos, DIR_READ);
}

long sys_pwritev(SYSCALL_ARGS)
{
	s64 pos = (s64)a3;
	long err = check_position(a0, pos);

	return err < 0 ? err : rw_vector(a0, a1, a2, &pos, DIR_WRITE);
}

/* preadv2: position -1 means the file's own; no RWF_ flag is supported. */
static long rw_vector2(u64 fd, u64 iov, u64 nr, s64 pos, u64 flags, enum direction dir)
{
	long err;

	if (flags)
		return -EOPNOTSUPP;
	if (pos == -1)
		return rw_vector(fd, iov, nr, NULL, dir);
	err = check_position(fd, pos);
	return err < 0 ? err : rw_vector(fd, iov, nr, &pos, dir);
}

long sys_preadv2(SYSCALL_ARGS)
{
	return rw_vector2(a0, a1, a2, (s64)a3, a5, DIR_READ);
}

long sys_pwritev2(SYSCALL_ARGS)
{
	return rw_vector2(a0, a1, a2, (s64)a3, a5, DIR_WRITE);
}

long sys_lseek(SYSCALL_ARGS)
{
	struct file *f = user_file(a0);
	long pos;

	if (!f)
		return -EBADF;
	pos = file_seek(f, (s64)a1, (int)a2);
	file_put(f);
	return pos;
}

/* Bytes from one file to another through a kernel page. NULL positions: the files' own. */
static long copy_between(struct file *in, s64 *in_pos, struct file *out, s64 *out_pos, u64 len)
{
	u8 *page = kmalloc(PAGE_SIZE, 0);
	u64 done = 0;
	long n = 0;

	if (!page)
		return -ENOMEM;
	while (done < len) {
		u64 asked = MIN(len - done, PAGE_SIZE);
		struct uio uio;
		long got;

		uio_init_kernel(&uio, page, asked);
		got = file_read(in, &uio, in_pos);
		if (got <= 0) {
			n = got;
			break;
		}
		uio_init_kernel(&uio, page, (u64)got);
		n = file_write(out, &uio, out_pos);
		if (n > 0)
			done += (u64)n;
		if (n < got) {
			/* What was read and not written has not been taken. */
			s64 back = got - MAX(n, 0);

			if (in_pos)
				*in_pos -= back;
			else
				file_seek(in, -back, 1);
			break;
		}
		/* A short read is the end of a file, or all that a terminal or pipe had. */
		if ((u64)got < asked || sched_signal_pending())
			break;
	}
	kfree(page);
	return done ? (long)done : n;
}

/* Shared by sendfile and copy_file_range: positions given by pointer are read and written back. */
static long copy_range(u64 in_fd, u64 in_off, u64 out_fd, u64 out_off, u64 len)
{
	struct file *in = user_file(in_fd), *out = user_file(out_fd);
	s64 in_pos = 0, out_pos = 0;
	long n = -EBADF;

	if (!in || !out || !(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE))
		goto out;
	n = -EFAULT;
	if ((in_off && copy_from_user(&in_pos, uptr_make(in_off), 8) < 0) ||
		(out_off && copy_from_user(&out_pos, uptr_make(out_off), 8) < 0))
		goto out;
	n = -EINVAL;
	if (in_pos < 0 || out_pos < 0)
		goto out;
	n = copy_between(in, in_off ? &in_pos : NULL, out, out_off ? &out_pos : NULL, MIN(len, 0x7ffff000ul));
	if (n > 0 &&
		((in_off && copy_to_user(uptr_make(in_off), &in_pos, 8) < 0) ||
			(out_off && copy_to_user(uptr_make(out_off), &out_pos, 8) < 0)))
		n = -EFAULT;
out:
	if (in)
		file_put(in);
	if (out)
		file_put(out);
	return n;
}

long sys_sendfile(SYSCALL_ARGS)
{
	return copy_range(a1, a2, a0, 0, a3);
}

long sys_copy_file_range(SYSCALL_ARGS)
{
	struct file *in, *out;
	long err = 0;

	if (a5)
		return -EINVAL;
	in = user_file(a0);
	out = user_file(a2);
	if (!in || !out)
		err = -EBADF;
	else if (S_ISDIR(in->inode->mode) || S_ISDIR(out->inode->mode))
		err = -EISDIR;
	else if (!S_ISREG(in->inode->mode) || !S_ISREG(out->inode->mode))
		err = -EINVAL;
	else if (out->flags & O_APPEND)
		err = -EBADF;
	if (in)
		file_put(in);
	if (out)
		file_put(out);
	return err < 0 ? err : copy_range(a0, a1, a2, a3, a4);
}
