/* Attributes of files: stat and its kin, chmod, chown, times, sizes, sync. */
#include "fs/file.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/proc.h"
#include "sys/sys.h"
#include "sys/uapi/abi.h"

#define UTIME_NOW        0x3fffffffl
#define UTIME_OMIT       0x3ffffffel
#define RDEV_MAJOR(rdev) ((rdev) >> 8 & 0xfff)
#define RDEV_MINOR(rdev) (((rdev)&0xff) | ((rdev) >> 12 & 0xfff00))

static u32 block_size_of(const struct inode *inode)
{
	return inode->sb && inode->sb->block_size ? inode->sb->block_size : PAGE_SIZE;
}

static void fill_stat(struct inode *inode, struct abi_stat *st)
{
	if (inode->ops && inode->ops->refresh)
		inode->ops->refresh(inode);
	memset(st, 0, sizeof(*st));
	st->dev = inode->sb ? inode->sb->dev : 0;
	st->ino = inode->ino;
	st->mode = inode->mode;
	st->nlink = inode->nlink;
	st->uid = inode->uid;
	st->gid = inode->gid;
	st->rdev = inode->rdev;
	st->size = (s64)inode_size(inode);
	st->blksize = (s32)block_size_of(inode);
	st->blocks = (s64)inode->blocks;
	st->atime = (struct abi_timespec){inode->atime.sec, inode->atime.nsec};
	st->mtime = (struct abi_timespec){inode->mtime.sec, inode->mtime.nsec};
	st->ctime = (struct abi_timespec){inode->ctime.sec, inode->ctime.nsec};
}

static long stat_out(struct inode *inode, u64 addr)
{
	struct abi_stat st;

	fill_stat(inode, &st);
	return copy_to_user(uptr_make(addr), &st, sizeof(st));
}

/* An empty name with AT_EMPTY_PATH means the descriptor itself. */
static u32 walk_flags(u64 at_flags)
{
	return (at_flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) | (at_flags & AT_EMPTY_PATH ? WALK_EMPTY : 0);
}

/* For the calls that may be told of a file by descriptor alone, pipes included: 1 when the name is empty. */
static long names_descriptor(u64 name, u64 at_flags)
{
	u8 first;

	if (!(at_flags & AT_EMPTY_PATH))
		return 0;
	if (!name)
		return 1;
	if (get_user_u8(uptr_make(name), &first) < 0)
		return -EFAULT;
	return first == 0;
}

long sys_fstat(SYSCALL_ARGS)
{
	struct file *f = fd_get(fdtable_current(), (int)a0);
	long err;

	if (!f)
		return -EBADF;
	err = stat_out(f->inode, a1);
	file_put(f);
	return err;
}

long sys_newfstatat(SYSCALL_ARGS)
{
	struct path p;
	long err;

	if (a3 & ~(u64)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | 0x800 /* AT_NO_AUTOMOUNT */))
		return -EINVAL;
	err = names_descriptor(a1, a3);
	if (err < 0)
		return err;
	if (err && (int)a0 != AT_FDCWD)
		return sys_fstat(a0, a2, 0, 0, 0, 0);
	err = user_walk((int)a0, a1, walk_flags(a3), &p);
	if (err < 0)
		return err;
	err = stat_out(path_inode(&p), a2);
	path_put(&p);
	return err;
}

static struct abi_statx_time statx_time(struct abi_timespec t)
{
	return (struct abi_statx_time){.sec = t.sec, .nsec = (u32)t.nsec};
}

static long statx_out(struct inode *inode, u64 addr)
{
	struct abi_statx sx = {0};
	struct abi_stat st;

	fill_stat(inode, &st);
	sx.mask = STATX_BASIC_STATS;
	sx.blksize = (u32)st.blksize;
	sx.nlink = st.nlink;
	sx.uid = st.uid;
	sx.gid = st.gid;
	sx.mode = (u16)st.mode;
	sx.ino = st.ino;
	sx.size = (u64)st.size;
	sx.blocks = (u64)st.blocks;
	sx.atime = statx_time(st.atime);
	sx.mtime = statx_time(st.mtime);
	sx.ctime = statx_time(st.ctime);
	sx.rdev_major = RDEV_MAJOR(st.rdev);
	sx.rdev_minor = RDEV_MINOR(st.rdev);
	sx.dev_major = RDEV_MAJOR(st.dev);
	sx.dev_minor = RDEV_MINOR(st.dev);
	return copy_to_user(uptr_make(addr), &sx, sizeof(sx));
}

long sys_statx(SYSCALL_ARGS)
{
	struct file *f;
	struct path p;
	long err;

	if (a2 & ~(u64)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | 0x6800 /* NO_AUTOMOUNT, STATX_SYNC */))
		return -EINVAL;
	err = names_descriptor(a1, a2);
	if (err < 0)
		return err;
	if (err && (int)a0 != AT_FDCWD) {
		f = fd_get(fdtable_current(), (int)a0);
		if (!f)
			return -EBADF;
		err = statx_out(f->inode, a4);
		file_put(f);
		return err;
	}
	err = user_walk((int)a0, a1, walk_flags(a2), &p);
	if (err < 0)
		return err;
	err = statx_out(path_inode(&p), a4);
	path_put(&p);
	return err;
}

static long statfs_out(struct superblock *sb, u64 addr)
{
	struct statfs_info info = {0};
	struct abi_statfs st = {0};
	int err = sb && sb->ops->statfs ? sb->ops->statfs(sb, &info) : -ENOSYS;

	if (err < 0)
		return err;
	st = (struct abi_statfs){.type = info.type,
		.bsize = info.bsize,
		.blocks = info.blocks,
		.bfree = info.bfree,
		.bavail = info.bavail,
		.files = info.files,
		.ffree = info.ffree,
		.fsid = {info.fsid[0], info.fsid[1]},
		.namelen = info.namelen,
		.frsize = info.bsize,
		.flags = info.flags};
	return copy_to_user(uptr_make(addr), &st, sizeof(st));
}

long sys_statfs(SYSCALL_ARGS)
{
	struct path p;
	long err = user_walk(AT_FDCWD, a0, WALK_FOLLOW, &p);

	if (err < 0)
		return err;
	err = statfs_out(path_inode(&p)->sb, a1);
	path_put(&p);
	return err;
}

long sys_fstatfs(SYSCALL_ARGS)
{
	struct file *f = fd_get(fdtable_current(), (int)a0);
	long err;

	if (!f)
		return -EBADF;
	err = statfs_out(f->inode->sb, a1);
	file_put(f);
	return err;
}

/* ---- access ---- */

static long access_at(u64 dirfd, u64 name, u64 mode, u64 flags)
{
	struct path p;
	long err;

	if ((mode & ~7ul) || (flags & ~(u64)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)))
		return -EINVAL;
	if (!(flags & AT_EACCESS))
		cred_access_begin();
	err = user_walk((int)dirfd, name, walk_flags(flags), &p);
	if (err == 0) {
		err = mode ? path_access(&p, (u32)mode) : 0;
		path_put(&p);
	}
	if (!(flags & AT_EACCESS))
		cred_access_end();
	return err;
}

long sys_faccessat(SYSCALL_ARGS)
{
	return access_at(a0, a1, a2, 0);
}

long sys_faccessat2(SYSCALL_ARGS)
{
	return access_at(a0, a1, a2, a3);
}

/* ---- changes ---- */

static long setattr_fd(u64 fd, struct inode_attr *attr)
{
	struct file *f = user_file(fd);
	long err;

	if (!f)
		return -EBADF;
	err = f->path.dentry ? path_setattr(&f->path, attr) : -EINVAL;
	file_put(f);
	return err;
}

static long setattr_at(u64 dirfd, u64 name, u64 flags, struct inode_attr *attr)
{
	struct path p;
	long err;

	if (flags & ~(u64)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	err = user_walk((int)dirfd, name, walk_flags(flags), &p);
	if (err < 0)
		return err;
	if ((attr->valid & ATTR_MODE) && S_ISLNK(path_inode(&p)->mode))
		err = -EOPNOTSUPP;
	else
		err = path_setattr(&p, attr);
	path_put(&p);
	return err;
}

long sys_fchmod(SYSCALL_ARGS)
{
	struct inode_attr attr = {.valid = ATTR_MODE, .mode = (u32)a1 & 07777};

	return setattr_fd(a0, &attr);
}

long sys_fchmodat(SYSCALL_ARGS)
{
	struct inode_attr attr = {.valid = ATTR_MODE, .mode = (u32)a2 & 07777};

	return setattr_at(a0, a1, 0, &attr);
}

long sys_fchmodat2(SYSCALL_ARGS)
{
	struct inode_attr attr = {.valid = ATTR_MODE, .mode = (u32)a2 & 07777};

	return setattr_at(a0, a1, a3, &attr);
}

/* -1 leaves an id as it is. */
static struct inode_attr owner_attr(u32 uid, u32 gid)
{
	return (struct inode_attr){
		.valid = (uid != ~0u ? ATTR_UID : 0) | (gid != ~0u ? ATTR_GID : 0), .uid = uid, .gid = gid};
}

long sys_fchown(SYSCALL_ARGS)
{
	struct inode_attr attr = owner_attr((u32)a1, (u32)a2);

	return setattr_fd(a0, &attr);
}

long sys_fchownat(SYSCALL_ARGS)
{
	struct inode_attr attr = owner_attr((u32)a2, (u32)a3);

	return setattr_at(a0, a1, a4, &attr);
}

static long truncate_attr(struct inode_attr *attr, s64 size)
{
	*attr = (struct inode_attr){.valid = ATTR_SIZE, .size = (u64)size};
	return size < 0 ? -EINVAL : 0;
}

long sys_truncate(SYSCALL_ARGS)
{
	struct inode_attr attr;
	struct path p;
	long err = truncate_attr(&attr, (s64)a1);

	if (err < 0)
		return err;
	err = user_walk(AT_FDCWD, a0, WALK_FOLLOW, &p);
	if (err < 0)
		return err;
	if (S_ISDIR(path_inode(&p)->mode))
		err = -EISDIR;
	else if (!S_ISREG(path_inode(&p)->mode))
		err = -EINVAL;
	else
		err = path_access(&p, 2);
	if (err == 0)
		err = path_setattr(&p, &attr);
	path_put(&p);
	return err;
}

long sys_ftruncate(SYSCALL_ARGS)
{
	struct inode_attr attr;
	struct file *f;
	long err = truncate_attr(&attr, (s64)a1);

	if (err < 0)
		return err;
	f = user_file(a0);
	if (!f)
		return -EBADF;
	if (!(f->mode & FMODE_WRITE) || !S_ISREG(f->inode->mode))
		err = -EINVAL;
	else
		err = file_truncate(f, (u64)a1);
	file_put(f);
	return err;
}

long sys_fallocate(SYSCALL_ARGS)
{
	struct file *f;
	long err;

	if ((s64)a2 < 0 || (s64)a3 <= 0)
		return -EINVAL;
	f = user_file(a0);
	if (!f)
		return -EBADF;
	if (!(f->mode & FMODE_WRITE))
		err = -EBADF;
	else if (S_ISFIFO(f->inode->mode))
		err = -ESPIPE;
	else if (!S_ISREG(f->inode->mode))
		err = -ENODEV;
	else
		err = f->ops->fallocate ? f->ops->fallocate(f, (int)a1, a2, a3) : -EOPNOTSUPP;
	file_put(f);
	return err;
}

static long time_attr(struct inode_attr *attr, const struct abi_timespec *t, u32 which)
{
	struct timespec64 when;

	if (t->nsec == UTIME_OMIT)
		return 0;
	if (t->nsec != UTIME_NOW && (t->nsec < 0 || t->nsec >= 1000000000l))
		return -EINVAL;
	when = t->nsec == UTIME_NOW ? time_wall() : (struct timespec64){t->sec, t->nsec};
	attr->valid |= which;
	if (which == ATTR_ATIME)
		attr->atime = when;
	else
		attr->mtime = when;
	return 0;
}

long sys_utimensat(SYSCALL_ARGS)
{
	struct abi_timespec t[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
	struct inode_attr attr = {0};
	long err;

	if (a2 && copy_from_user(t, uptr_make(a2), sizeof(t)) < 0)
		return -EFAULT;
	err = time_attr(&attr, &t[0], ATTR_ATIME);
	if (err == 0)
		err = time_attr(&attr, &t[1], ATTR_MTIME);
	if (err < 0 || !attr.valid)
		return err;
	if (t[0].nsec == UTIME_NOW && t[1].nsec == UTIME_NOW)
		attr.valid |= ATTR_TIMES_NOW;
	return a1 ? setattr_at(a0, a1, a3, &attr) : setattr_fd(a0, &attr);
}

/* ---- reaching the disk ---- */

static long sync_file(u64 fd, u32 data_only)
{
	struct file *f = user_file(fd);
	long err;

	if (!f)
		return -EBADF;
	err = f->ops->fsync ? f->ops->fsync(f, data_only) : -EINVAL;
	file_put(f);
	return err;
}

long sys_fsync(SYSCALL_ARGS)
{
	return sync_file(a0, 0);
}

long sys_fdatasync(SYSCALL_ARGS)
{
	return sync_file(a0, 1);
}

long sys_sync_file_range(SYSCALL_ARGS)
{
	return sync_file(a0, 1);
}

long sys_sync(SYSCALL_ARGS)
{
	fs_sync_all();
	return 0;
}

long sys_syncfs(SYSCALL_ARGS)
{
	struct file *f = user_file(a0);

	if (!f)
		return -EBADF;
	file_put(f);
	fs_sync_all();
	return 0;
}

/* Advice that this kernel's readahead does not need; the descriptor is checked as Linux does. */
long sys_fadvise64(SYSCALL_ARGS)
{
	struct file *f = user_file(a0);
	long err = 0;

	if (!f)
		return -EBADF;
	if (f->ops->seek == file_seek_none)
		err = -ESPIPE;
	else if (a3 > 5 || (s64)a2 < 0)
		err = -EINVAL;
	file_put(f);
	return err;
}

long sys_readahead(SYSCALL_ARGS)
{
	struct file *f = user_file(a0);
	long err = 0;

	if (!f || !(f->mode & FMODE_READ))
		err = -EBADF;
	else if (!S_ISREG(f->inode->mode))
		err = -EINVAL;
	if (f)
		file_put(f);
	return err;
}

/* ---- directories ---- */

/* Entries gather in a kernel page and are copied out after the directory's lock is dropped. */
struct dirent_sink {
	struct dir_sink sink;
	u8 *buf;
	u32 used, size;
	u32 full;
};

static int emit_dirent(struct dir_sink *sink, const char *name, u32 len, u64 ino, u8 dtype, u64 next_pos)
{
	struct dirent_sink *s = container_of(sink, struct dirent_sink, sink);
	u32 reclen = ALIGN_UP(DIRENT_NAME_OFFSET + len + 1, 8);
	struct abi_dirent *d = (struct abi_dirent *)(s->buf + s->used);

	if (s->used + reclen > s->size) {
		s->full = 1;
		return 1;
	}
	d->ino = ino;
	d->off = (s64)next_pos;
	d->reclen = (u16)reclen;
	d->type = dtype;
	memcpy(d->name, name, len);
	memset(d->name + len, 0, reclen - DIRENT_NAME_OFFSET - len);
	s->used += reclen;
	return 0;
}

long sys_getdents64(SYSCALL_ARGS)
{
	struct dirent_sink s = {.sink.emit = emit_dirent, .size = (u32)MIN(a2, 32768ul)};
	struct file *f = user_file(a0);
	s64 start;
	long n;

	if (!f)
		return -EBADF;
	n = -ENOTDIR;
	if (!S_ISDIR(f->inode->mode) || !f->ops->iterate)
		goto out;
	n = -ENOMEM;
	s.buf = kmalloc(MAX(s.size, 64u), 0);
	if (!s.buf)
		goto out;
	start = READ_ONCE(f->pos);
	n = file_iterate(f, &s.sink);
	if (n >= 0)
		n = s.used || !s.full ? (long)s.used : -EINVAL;
	if (n > 0 && copy_to_user(uptr_make(a1), s.buf, s.used) < 0) {
		WRITE_ONCE(f->pos, start); /* these entries were not delivered */
		n = -EFAULT;
	}
	kfree(s.buf);
out:
	file_put(f);
	return n;
}
