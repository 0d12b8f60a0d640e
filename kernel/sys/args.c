/* Fetching arguments. */
#include "fs/file.h"
#include "lib/errno.h"
#include "mm/slab.h"
#include "proc/task.h"
#include "sync/sched.h"
#include "sys/sys.h"
#include "sys/uapi/abi.h"

#define NS_PER_SEC 1000000000ul

int user_path_get(struct user_path *up, u64 addr)
{
	ssize_t n = strncpy_from_user(up->small, uptr_make(addr), sizeof(up->small));

	up->heap = NULL;
	up->name = up->small;
	if (n != -ENAMETOOLONG)
		return n < 0 ? (int)n : 0;
	up->heap = kmalloc(PATH_MAX, 0);
	if (!up->heap)
		return -ENOMEM;
	up->name = up->heap;
	n = strncpy_from_user(up->heap, uptr_make(addr), PATH_MAX);
	if (n < 0)
		kfree(up->heap);
	return n < 0 ? (int)n : 0;
}

void user_path_put(struct user_path *up)
{
	if (up->heap)
		kfree(up->heap);
}

int at_dir_get(struct at_dir *d, int fd, const char *name)
{
	d->file = NULL;
	d->path = NULL;
	if (fd == AT_FDCWD || name[0] == '/')
		return 0;
	d->file = fd_get(fdtable_current(), fd);
	if (!d->file)
		return -EBADF;
	if (!d->file->path.dentry) {
		file_put(d->file);
		return -ENOTDIR;
	}
	d->path = &d->file->path;
	return 0;
}

void at_dir_put(struct at_dir *d)
{
	if (d->file)
		file_put(d->file);
}

int user_walk(int dirfd, u64 name, u32 walk, struct path *out)
{
	struct user_path up;
	struct at_dir d;
	int err = user_path_get(&up, name);

	if (err < 0)
		return err;
	err = at_dir_get(&d, dirfd, up.name);
	if (err == 0) {
		err = path_walk(d.path, up.name, walk, out);
		at_dir_put(&d);
	}
	user_path_put(&up);
	return err;
}

struct file *user_file(u64 fd)
{
	struct file *f = fd_get(fdtable_current(), (int)fd);

	if (f && unlikely(f->mode & FMODE_PATH)) {
		file_put(f);
		return NULL;
	}
	return f;
}

struct borrowed_file user_file_borrow(u64 fd)
{
	return fd_borrow(current()->files, (int)fd);
}

int user_timespec(u64 addr, u64 *ns)
{
	struct abi_timespec ts;

	if (copy_from_user(&ts, uptr_make(addr), sizeof(ts)) < 0)
		return -EFAULT;
	if (ts.sec < 0 || ts.nsec < 0 || ts.nsec >= (s64)NS_PER_SEC)
		return -EINVAL;
	if ((u64)ts.sec >= (~0ul >> 1) / NS_PER_SEC)
		*ns = ~0ul >> 1;
	else
		*ns = (u64)ts.sec * NS_PER_SEC + (u64)ts.nsec;
	return 0;
}

int user_put_timespec(u64 addr, u64 ns)
{
	struct abi_timespec ts = {.sec = (s64)(ns / NS_PER_SEC), .nsec = (s64)(ns % NS_PER_SEC)};

	return copy_to_user(uptr_make(addr), &ts, sizeof(ts));
}

int user_put_timeval(u64 addr, u64 ns)
{
	struct abi_timeval tv = {.sec = (s64)(ns / NS_PER_SEC), .usec = (s64)(ns % NS_PER_SEC / 1000)};

	return copy_to_user(uptr_make(addr), &tv, sizeof(tv));
}

int user_deadline(u64 addr, u64 *deadline_ns)
{
	u64 ns;
	int err;

	*deadline_ns = SCHED_FOREVER;
	if (!addr)
		return 0;
	err = user_timespec(addr, &ns);
	if (err < 0)
		return err;
	*deadline_ns = ns ? clock_mono_ns() + ns : 0;
	return 0;
}
