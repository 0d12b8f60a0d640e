/* Descriptors: open, close, dup, fcntl, ioctl, pipes, polling. */
#include "fs/epoll.h"
#include "fs/eventfd.h"
#include "fs/file.h"
#include "fs/lock.h"
#include "fs/pipe.h"
#include "fs/poll.h"
#include "lib/errno.h"
#include "mm/slab.h"
#include "proc/proc.h"
#include "sync/sched.h"
#include "sys/sys.h"
#include "sys/uapi/abi.h"

#define F_DUPFD         0
#define F_GETFD         1
#define F_SETFD         2
#define F_GETFL         3
#define F_SETFL         4
#define F_GETLK         5
#define F_SETLK         6
#define F_SETLKW        7
#define F_OFD_GETLK     36
#define F_OFD_SETLK     37
#define F_OFD_SETLKW    38
#define F_DUPFD_CLOEXEC 1030
#define F_SETPIPE_SZ    1031
#define F_GETPIPE_SZ    1032
#define FD_CLOEXEC      1u
#define OPEN_FLAGS_KNOWN                                                                                           \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | O_ASYNC | O_DIRECT | \
		O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH | O_TMPFILE)
#define FIOCLEX  0x5451
#define FIONCLEX 0x5450
#define FIONBIO  0x5421

/* Gives f the lowest free descriptor; takes over the reference either way. */
static long install_new(struct file *f, u32 flags)
{
	int fd = fd_reserve(fdtable_current(), 0, task_rlimit(RLIM_NOFILE));

	if (fd < 0) {
		file_put(f);
		return fd;
	}
	fd_install(fdtable_current(), fd, f, (flags & O_CLOEXEC) != 0);
	return fd;
}

static long open_at(int dirfd, u64 name, u32 flags, u32 mode)
{
	struct user_path up;
	struct at_dir d;
	struct file *f = NULL;
	long err;

	flags &= OPEN_FLAGS_KNOWN;
	err = user_path_get(&up, name);
	if (err < 0)
		return err;
	err = at_dir_get(&d, dirfd, up.name);
	if (err == 0) {
		err = file_open(d.path, up.name, flags, mode & 07777, &f);
		at_dir_put(&d);
	}
	user_path_put(&up);
	return err < 0 ? err : install_new(f, flags);
}

long sys_openat(SYSCALL_ARGS)
{
	return open_at((int)a0, a1, (u32)a2, (u32)a3);
}

long sys_openat2(SYSCALL_ARGS)
{
	struct abi_open_how how;

	if (a3 < sizeof(how))
		return -EINVAL;
	if (a3 > sizeof(how))
		return -E2BIG;
	if (copy_from_user(&how, uptr_make(a2), sizeof(how)) < 0)
		return -EFAULT;
	if (how.resolve || (how.flags & ~(u64)OPEN_FLAGS_KNOWN) || (how.mode & ~07777ul))
		return -EINVAL;
	return open_at((int)a0, a1, (u32)how.flags, (u32)how.mode);
}

long sys_close(SYSCALL_ARGS)
{
	return fd_close(fdtable_current(), (int)a0);
}

long sys_close_range(SYSCALL_ARGS)
{
	if ((u32)a0 > (u32)a1 || (a2 & ~4ul)) /* CLOSE_RANGE_CLOEXEC */
		return -EINVAL;
	return fd_close_range(fdtable_current(), (u32)a0, (u32)a1, (a2 & 4) != 0);
}

static long dup_from(struct file *f, u32 min, u32 cloexec)
{
	int fd = fd_reserve(fdtable_current(), min, task_rlimit(RLIM_NOFILE));

	if (fd < 0) {
		file_put(f);
		return fd;
	}
	fd_install(fdtable_current(), fd, f, cloexec);
	return fd;
}

long sys_dup(SYSCALL_ARGS)
{
	struct file *f = fd_get(fdtable_current(), (int)a0);

	return f ? dup_from(f, 0, 0) : -EBADF;
}

long sys_dup3(SYSCALL_ARGS)
{
	struct file *f;
	int err;

	if (a2 & ~(u64)O_CLOEXEC)
		return -EINVAL;
	if ((int)a0 == (int)a1)
		return -EINVAL;
	f = fd_get(fdtable_current(), (int)a0);
	if (!f)
		return -EBADF;
	err = fd_dup_to(fdtable_current(), f, (int)a1, (a2 & O_CLOEXEC) != 0, task_rlimit(RLIM_NOFILE));
	if (err < 0)
		file_put(f);
	return err < 0 ? err : (int)a1;
}

/* The record-lock commands: which, how, and whose. */
static const struct {
	int cmd;
	enum record_cmd how;
	enum record_owner owner;
} record_calls[] = {
	{F_GETLK, RECORD_GET, RECORD_POSIX},
	{F_SETLK, RECORD_SET, RECORD_POSIX},
	{F_SETLKW, RECORD_SET_WAIT, RECORD_POSIX},
	{F_OFD_GETLK, RECORD_GET, RECORD_OFD},
	{F_OFD_SETLK, RECORD_SET, RECORD_OFD},
	{F_OFD_SETLKW, RECORD_SET_WAIT, RECORD_OFD},
};

static long fcntl_lock(struct file *f, const struct record_call *call, u64 arg)
{
	struct flock_k fl;
	long err;

	if (copy_from_user(&fl, uptr_make(arg), sizeof(fl)) < 0)
		return -EFAULT;
	err = lock_record(f, call, &fl);
	if (err == 0 && call->cmd == RECORD_GET)
		err = copy_to_user(uptr_make(arg), &fl, sizeof(fl));
	return err;
}

static long fcntl_dup(struct file *f, int cmd, u64 arg)
{
	if ((int)arg < 0 || arg >= task_rlimit(RLIM_NOFILE))
		return -EINVAL;
	file_get(f);
	return dup_from(f, (u32)arg, cmd == F_DUPFD_CLOEXEC);
}

static long fcntl_file(struct file *f, int fd, int cmd, u64 arg)
{
	switch (cmd) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC: return fcntl_dup(f, cmd, arg);
	case F_GETFD: return fd_cloexec(fdtable_current(), fd);
	case F_SETFD: return fd_set_cloexec(fdtable_current(), fd, arg & FD_CLOEXEC);
	case F_GETFL: return f->flags & ~(u32)(O_CLOEXEC | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC);
	case F_SETFL: return file_set_flags(f, (u32)arg);
	case F_GETPIPE_SZ: return pipe_size(f);
	case F_SETPIPE_SZ: return pipe_set_size(f, arg);
	default: break;
	}
	for (u32 i = 0; i < ARRAY_SIZE(record_calls); i++) {
		if (record_calls[i].cmd == cmd) {
			struct record_call call = {
				record_calls[i].how, record_calls[i].owner, fd, current_process()->pid};

			return fcntl_lock(f, &call, arg);
		}
	}
	return -EINVAL;
}

long sys_fcntl(SYSCALL_ARGS)
{
	struct file *f = fd_get(fdtable_current(), (int)a0);
	int cmd = (int)a1;
	long ret;

	if (!f)
		return -EBADF;
	if ((f->mode & FMODE_PATH) && cmd != F_DUPFD && cmd != F_DUPFD_CLOEXEC && cmd != F_GETFD && cmd != F_SETFD &&
		cmd != F_GETFL)
		ret = -EBADF;
	else
		ret = fcntl_file(f, (int)a0, cmd, a2);
	file_put(f);
	return ret;
}

long sys_flock(SYSCALL_ARGS)
{
	struct file *f = user_file(a0);
	long err;

	if (!f)
		return -EBADF;
	err = lock_flock(f, (int)a1);
	file_put(f);
	return err;
}

static long ioctl_nonblock(struct file *f, u64 arg)
{
	u32 on;

	if (get_user_u32(uptr_make(arg), &on) < 0)
		return -EFAULT;
	file_set_nonblock(f, on ? O_NONBLOCK : 0);
	return 0;
}

long sys_ioctl(SYSCALL_ARGS)
{
	struct file *f = user_file(a0);
	u32 cmd = (u32)a1;
	long ret;

	if (!f)
		return -EBADF;
	if (cmd == FIOCLEX || cmd == FIONCLEX)
		ret = fd_set_cloexec(fdtable_current(), (int)a0, cmd == FIOCLEX);
	else if (cmd == FIONBIO)
		ret = ioctl_nonblock(f, a2);
	else
		ret = f->ops->ioctl ? f->ops->ioctl(f, cmd, a2) : -ENOTTY;
	file_put(f);
	return ret;
}

long sys_pipe2(SYSCALL_ARGS)
{
	struct file *f[2];
	int fds[2];
	long err;

	if (a1 & ~(u64)(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	err = pipe_create(f, (u32)a1 & O_NONBLOCK);
	if (err < 0)
		return err;
	fds[0] = fd_reserve(fdtable_current(), 0, task_rlimit(RLIM_NOFILE));
	fds[1] = fds[0] < 0 ? fds[0] : fd_reserve(fdtable_current(), 0, task_rlimit(RLIM_NOFILE));
	err = fds[1] < 0 ? fds[1] : copy_to_user(uptr_make(a0), fds, sizeof(fds));
	if (err < 0) {
		for (u32 i = 0; i < 2; i++) {
			if (fds[i] >= 0)
				fd_unreserve(fdtable_current(), fds[i]);
			file_put(f[i]);
		}
		return err;
	}
	for (u32 i = 0; i < 2; i++)
		fd_install(fdtable_current(), fds[i], f[i], (a1 & O_CLOEXEC) != 0);
	return 0;
}

long sys_eventfd2(SYSCALL_ARGS)
{
	struct file *f;
	int err;

	if (a1 & ~(u64)(O_CLOEXEC | O_NONBLOCK | EFD_SEMAPHORE))
		return -EINVAL;
	err = eventfd_create((u32)a0, (u32)a1, &f);
	return err < 0 ? err : install_new(f, (u32)a1);
}

long sys_epoll_create1(SYSCALL_ARGS)
{
	struct file *f;
	int err;

	if (a0 & ~(u64)O_CLOEXEC)
		return -EINVAL;
	err = epoll_create_file((u32)a0, &f);
	return err < 0 ? err : install_new(f, (u32)a0);
}

long sys_epoll_ctl(SYSCALL_ARGS)
{
	struct {
		u32 events, pad;
		u64 data;
	} ev = {0};
	struct file *ep, *f;
	long err = -EBADF;

	if ((int)a1 != 2 && copy_from_user(&ev, uptr_make(a3), sizeof(ev)) < 0)
		return -EFAULT;
	ep = user_file(a0);
	f = user_file(a2);
	if (ep && f)
		err = epoll_control(ep, (int)a1, (int)a2, f, ev.events, ev.data);
	if (ep)
		file_put(ep);
	if (f)
		file_put(f);
	return err;
}

/* Installs the signal mask of a ppoll-like call. */
static long mask_begin(u64 addr, u64 size)
{
	u64 mask;

	if (!addr)
		return 0;
	if (size != sizeof(mask))
		return -EINVAL;
	if (get_user_u64(uptr_make(addr), &mask) < 0)
		return -EFAULT;
	signal_mask_begin(mask);
	return 0;
}

static long epoll_wait_common(u64 fd, u64 events, u64 max, u64 deadline, u64 mask, u64 size)
{
	struct file *ep = user_file(fd);
	long ret;

	if (!ep)
		return -EBADF;
	ret = mask_begin(mask, size);
	if (ret == 0) {
		ret = epoll_wait_events(ep, uptr_make(events), (int)max, deadline);
		if (mask)
			signal_mask_end(ret == -EINTR);
	}
	file_put(ep);
	return ret;
}

long sys_epoll_pwait(SYSCALL_ARGS)
{
	int ms = (int)a3;
	u64 deadline = ms < 0 ? SCHED_FOREVER : ms == 0 ? 0 : clock_mono_ns() + (u64)ms * 1000000;

	return epoll_wait_common(a0, a1, a2, deadline, a4, a5);
}

long sys_epoll_pwait2(SYSCALL_ARGS)
{
	u64 deadline;
	long err = user_deadline(a3, &deadline);

	return err < 0 ? err : epoll_wait_common(a0, a1, a2, deadline, a4, a5);
}

/* The time left is written back; a bad address there does not undo the result. */
static void put_remaining(u64 addr, u64 deadline)
{
	u64 now = clock_mono_ns();

	if (addr)
		(void)user_put_timespec(addr, deadline > now ? deadline - now : 0);
}

long sys_ppoll(SYSCALL_ARGS)
{
	struct pollfd_k small[16], *fds = small;
	u32 nr = (u32)a1;
	u64 deadline;
	long ret = user_deadline(a2, &deadline);

	if (ret < 0)
		return ret;
	if (a1 > task_rlimit(RLIM_NOFILE))
		return -EINVAL;
	if (nr > ARRAY_SIZE(small)) {
		fds = kmalloc(nr * sizeof(*fds), 0);
		if (!fds)
			return -ENOMEM;
	}
	ret = copy_from_user(fds, uptr_make(a0), nr * sizeof(*fds));
	if (ret == 0)
		ret = mask_begin(a3, a4);
	if (ret == 0) {
		ret = poll_files(fds, nr, deadline);
		if (a3)
			signal_mask_end(ret == -EINTR);
		for (u32 i = 0; ret >= 0 && i < nr; i++) {
			u64 at = a0 + i * sizeof(*fds) + offsetof(struct pollfd_k, revents);

			if (copy_to_user(uptr_make(at), &fds[i].revents, sizeof(fds[i].revents)) < 0)
				ret = -EFAULT;
		}
		put_remaining(a2, deadline);
	}
	if (fds != small)
		kfree(fds);
	return ret == -EINTR && !a3 ? -ERESTARTNOHAND : ret;
}

/* The three bitmaps of select, copied in. */
static long select_copy_in(u64 *sets, u64 words, const u64 *addrs)
{
	for (u32 i = 0; i < 3; i++)
		if (addrs[i] && copy_from_user(sets + i * words, uptr_make(addrs[i]), words * 8) < 0)
			return -EFAULT;
	return 0;
}

static long select_copy_out(const u64 *sets, u64 words, const u64 *addrs)
{
	for (u32 i = 0; i < 3; i++)
		if (addrs[i] && copy_to_user(uptr_make(addrs[i]), sets + i * words, words * 8) < 0)
			return -EFAULT;
	return 0;
}

long sys_pselect6(SYSCALL_ARGS)
{
	u64 addrs[3] = {a1, a2, a3}, mask[2] = {0, 0};
	u64 small[3 * 4], *sets = small;
	u64 words, deadline;
	long ret = user_deadline(a4, &deadline);

	if (ret < 0)
		return ret;
	if ((int)a0 < 0)
		return -EINVAL;
	if (a5 && copy_from_user(mask, uptr_make(a5), sizeof(mask)) < 0)
		return -EFAULT;
	a0 = MIN(a0, task_rlimit(RLIM_NOFILE));
	words = DIV_ROUND_UP(a0, 64);
	if (words > 4) {
		sets = kmalloc(3 * words * 8, 0);
		if (!sets)
			return -ENOMEM;
	}
	ret = select_copy_in(sets, words, addrs);
	if (ret == 0)
		ret = mask_begin(mask[0], mask[1]);
	if (ret == 0) {
		ret = select_files(
			(u32)a0, a1 ? sets : NULL, a2 ? sets + words : NULL, a3 ? sets + 2 * words : NULL, deadline);
		if (mask[0])
			signal_mask_end(ret == -EINTR);
		if (ret >= 0 && select_copy_out(sets, words, addrs) < 0)
			ret = -EFAULT;
		put_remaining(a4, deadline);
	}
	if (sets != small)
		kfree(sets);
	return ret == -EINTR && !mask[0] ? -ERESTARTNOHAND : ret;
}

long sys_socket(SYSCALL_ARGS)
{
	return -EAFNOSUPPORT;
}

long sys_socketpair(SYSCALL_ARGS)
{
	return -EAFNOSUPPORT;
}
