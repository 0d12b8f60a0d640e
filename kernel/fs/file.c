/* Open files: allocation, reference counts, and what read(2), write(2), lseek(2), … do before a file's own operation. */
#include "fs/epoll.h"
#include "fs/fs.h"
#include "fs/lock.h"
#include "lib/err.h"
#include "lib/errno.h"
#include "mm/aspace.h"
#include "mm/slab.h"
#include "mm/uio.h"

#define FIONREAD 0x541b
#define SIGXFSZ  25

static struct slab_cache *file_cache;
static struct atomic64 nr_open;
static u64 nr_open_max;

const struct file_ops file_ops_none;

void file_init(void)
{
	struct frame_stats st;

	frame_stats_read(&st);
	/* About a tenth of memory may go to open files, as elsewhere. */
	nr_open_max = MAX(st.total / 4, 4096ul);
	file_cache = slab_cache_create("file", sizeof(struct file), 8);
}

u64 file_nr_open(void)
{
	return atomic64_read(&nr_open);
}

struct file *file_alloc(const struct file_ops *ops, u32 flags)
{
	struct file *f;

	if (atomic64_read(&nr_open) >= nr_open_max)
		return ERR_PTR(-ENFILE);
	f = slab_alloc(file_cache, ALLOC_ZERO);
	if (!f)
		return ERR_PTR(-ENOMEM);
	atomic64_inc(&nr_open);
	refcount_init(&f->refs, 1);
	f->flags = flags & ~(u32)O_CLOEXEC;
	if (!(flags & O_PATH))
		f->mode = ((flags & O_ACCMODE) + 1) & (FMODE_READ | FMODE_WRITE);
	f->ops = ops;
	mutex_init(&f->pos_lock, "file position", RANK_FILE_POS);
	return f;
}

struct file *file_create_anon(struct inode *inode, const struct file_ops *ops, u32 flags)
{
	struct file *f = file_alloc(ops, flags);

	if (IS_ERR(f)) {
		inode_put(inode);
		return f;
	}
	f->inode = inode;
	return f;
}

static void file_free(struct file *f)
{
	if (f->epoll_links)
		epoll_forget(f);
	if (f->inode && f->inode->locks)
		lock_release_file(f);
	if (f->ops->release)
		f->ops->release(f);
	if (f->mode & FMODE_WRITER)
		inode_put_write(f->inode);
	if (f->inode)
		inode_put(f->inode);
	if (f->path.dentry)
		path_put(&f->path);
	slab_free(file_cache, f);
	atomic64_dec(&nr_open);
}

void file_put(struct file *f)
{
	if (refcount_put(&f->refs))
		file_free(f);
}

/* mm/aspace.h: the program of an address space. */
void aspace_release_file(struct file *f)
{
	file_put(f);
}

struct file *aspace_share_file(struct file *f)
{
	file_get(f);
	return f;
}

int file_path(struct file *f, struct path *out)
{
	if (!f->path.dentry) {
		struct dentry *d;

		if (!f->inode)
			return -ENOENT;
		inode_get(f->inode);
		d = dentry_create_unnamed(NULL, f->inode);
		if (!d)
			return -ENOMEM;
		spin_lock(&dcache_lock);
		if (!f->path.dentry) {
			f->path.dentry = d;
			d = NULL;
		}
		spin_unlock(&dcache_lock);
		if (d)
			dentry_put(d);
	}
	path_get(&f->path);
	*out = f->path;
	return 0;
}

/* ---- read and write ---- */

static int file_check_range(s64 pos, u64 count)
{
	s64 end;

	if (pos < 0 || __builtin_add_overflow(pos, count, &end))
		return -EINVAL;
	return 0;
}

static ssize_t file_read_at(struct file *f, struct uio *uio, s64 *pos)
{
	int err = file_check_range(*pos, uio->count);

	return err ? err : f->ops->read(f, uio, pos);
}

/*
 * The only reference is the caller's, or that of the descriptor table that nobody else uses: so nobody else moves the position
 * until the caller is done. (Who only looks at a table may take a reference, but reads nothing through it.)
 */
static inline bool file_is_ours(const struct file *f)
{
	return refcount_read(&f->refs) == 1;
}

static NOINLINE ssize_t file_read_locked(struct file *f, struct uio *uio)
{
	ssize_t n;

	mutex_lock(&f->pos_lock);
	n = file_read_at(f, uio, &f->pos);
	mutex_unlock(&f->pos_lock);
	return n;
}

ssize_t file_read(struct file *f, struct uio *uio, s64 *pos)
{
	if (unlikely(!(f->mode & FMODE_READ)))
		return -EBADF;
	if (unlikely(!f->ops->read))
		return f->inode && S_ISDIR(f->inode->mode) ? -EISDIR : -EINVAL;
	if (file_is_stream(f))
		return pos ? -ESPIPE : f->ops->read(f, uio, &f->pos);
	if (pos)
		return file_read_at(f, uio, pos);
	if (file_is_ours(f))
		return file_read_at(f, uio, &f->pos);
	return file_read_locked(f, uio);
}

static ssize_t file_write_at(struct file *f, struct uio *uio, s64 *pos)
{
	int err = file_check_range(*pos, uio->count);

	return err ? err : f->ops->write(f, uio, pos);
}

static NOINLINE ssize_t file_write_locked(struct file *f, struct uio *uio)
{
	ssize_t n;

	mutex_lock(&f->pos_lock);
	n = file_write_at(f, uio, &f->pos);
	mutex_unlock(&f->pos_lock);
	return n;
}

ssize_t file_write(struct file *f, struct uio *uio, s64 *pos)
{
	if (unlikely(!(f->mode & FMODE_WRITE)))
		return -EBADF;
	if (unlikely(!f->ops->write))
		return -EINVAL;
	if (file_is_stream(f))
		return pos ? -ESPIPE : f->ops->write(f, uio, &f->pos);
	if (pos)
		return file_write_at(f, uio, pos);
	if (file_is_ours(f))
		return file_write_at(f, uio, &f->pos);
	return file_write_locked(f, uio);
}

ssize_t file_kernel_read(struct file *f, void *buf, size_t len, u64 pos)
{
	struct uio uio;
	s64 at = (s64)pos;

	if (!f->ops->read)
		return -EINVAL;
	uio_init_kernel(&uio, buf, len);
	return file_read_at(f, &uio, &at);
}

/* ---- position ---- */

s64 file_seek_none(struct file *f, s64 off, int whence)
{
	return -ESPIPE;
}

static s64 file_seek_generic(struct file *f, s64 off, int whence)
{
	u64 size = inode_size(f->inode);
	s64 base;

	switch (whence) {
	case 0: /* SEEK_SET */ base = 0; break;
	case 1: /* SEEK_CUR */ base = f->pos; break;
	case 2: /* SEEK_END */ base = (s64)size; break;
	case 3: /* SEEK_DATA: everything up to the end counts as data */
	case 4: /* SEEK_HOLE */
		if (off < 0 || (u64)off >= size)
			return -ENXIO;
		base = 0;
		if (whence == 4)
			off = (s64)size;
		break;
	default: return -EINVAL;
	}
	if (__builtin_add_overflow(base, off, &base))
		return -EOVERFLOW;
	if (base < 0)
		return -EINVAL;
	f->pos = base;
	return base;
}

s64 file_seek(struct file *f, s64 off, int whence)
{
	s64 pos;

	if (f->mode & FMODE_PATH)
		return -EBADF;
	if (file_is_stream(f))
		return -ESPIPE;
	mutex_lock(&f->pos_lock);
	pos = f->ops->seek ? f->ops->seek(f, off, whence) : file_seek_generic(f, off, whence);
	mutex_unlock(&f->pos_lock);
	return pos;
}

/* ---- the rest ---- */

/* relatime: when the last access is not after the last change, or a day old. */
void file_accessed(struct file *f)
{
	struct inode *inode = f->inode;
	struct timespec64 now;

	if ((f->flags & O_NOATIME) || !f->path.mount || (mount_flags(f->path.mount) & (MOUNT_RDONLY | MOUNT_NOATIME)))
		return;
	now = time_wall();
	if (inode->atime.sec > inode->mtime.sec && inode->atime.sec > inode->ctime.sec &&
		now.sec - inode->atime.sec < 86400)
		return;
	if (inode->atime.sec == now.sec && inode->atime.sec >= inode->mtime.sec && inode->atime.sec >= inode->ctime.sec)
		return;
	inode->atime = now;
	inode_mark_dirty(inode);
}

int file_fsync(struct file *f, u32 data_only)
{
	if (f->mode & FMODE_PATH)
		return -EBADF;
	return f->ops->fsync ? f->ops->fsync(f, data_only) : -EINVAL;
}

int file_fsync_regular(struct file *f, u32 data_only)
{
	struct superblock *sb = f->inode->sb;
	int err = inode_sync(f->inode, data_only);

	if (!err && sb->ops->sync && !(sb->flags & MOUNT_RDONLY))
		err = sb->ops->sync(sb);
	return err;
}

int file_truncate(struct file *f, u64 size)
{
	struct inode_attr attr = {.valid = ATTR_SIZE | ATTR_OPEN, .size = size};
	int err;

	if (f->mode & FMODE_PATH)
		return -EBADF;
	if (!(f->mode & FMODE_WRITE) || !f->inode || !S_ISREG(f->inode->mode))
		return -EINVAL;
	err = f->path.mount ? mount_want_write(f->path.mount) : 0;
	return err ? err : inode_setattr(f->inode, &attr);
}

int file_fallocate(struct file *f, int mode, u64 pos, u64 len)
{
	u64 end;

	if (!(f->mode & FMODE_WRITE))
		return -EBADF;
	if ((s64)pos < 0 || (s64)len <= 0)
		return -EINVAL;
	if (file_is_stream(f))
		return -ESPIPE;
	if (__builtin_add_overflow(pos, len, &end) || end > f->inode->sb->max_size)
		return -EFBIG;
	if (S_ISDIR(f->inode->mode))
		return -EISDIR;
	if (!S_ISREG(f->inode->mode))
		return -ENODEV;
	return f->ops->fallocate ? f->ops->fallocate(f, mode, pos, len) : -EOPNOTSUPP;
}

int file_set_flags(struct file *f, u32 flags)
{
	const u32 may_change = O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME;

	if (f->mode & FMODE_PATH)
		return -EBADF;
	if ((flags & ~f->flags & O_NOATIME) && !perm_is_owner(f->inode))
		return -EPERM;
	/* All that ever change: what comes between the load and the store is as if it had come before. */
	WRITE_ONCE(f->flags, (READ_ONCE(f->flags) & ~may_change) | (flags & may_change));
	return 0;
}

/* The other flags stay what they are now, not what they were a moment ago. */
void file_set_nonblock(struct file *f, u32 flag)
{
	if (flag)
		__atomic_fetch_or(&f->flags, O_NONBLOCK, __ATOMIC_RELAXED);
	else
		__atomic_fetch_and(&f->flags, ~(u32)O_NONBLOCK, __ATOMIC_RELAXED);
}

u32 file_poll(struct file *f, struct poll_sink *sink)
{
	return f->ops->poll ? f->ops->poll(f, sink) : POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
}

long file_ioctl(struct file *f, u32 cmd, u64 arg)
{
	if (f->mode & FMODE_PATH)
		return -EBADF;
	return f->ops->ioctl ? f->ops->ioctl(f, cmd, arg) : -ENOTTY;
}

/* ---- regular files ---- */

static ssize_t regular_read(struct file *f, struct uio *uio, s64 *pos)
{
	ssize_t n = pagecache_read(f->inode, uio, pos);

	file_accessed(f);
	return n;
}

/* How far this write may reach: cuts uio, or -EFBIG. */
static int regular_limit(const struct inode *inode, struct uio *uio, s64 pos)
{
	u64 rlimit = task_rlimit(RLIMIT_FSIZE), limit = MIN(rlimit, inode->sb->max_size);

	if (uio->count == 0)
		return 0;
	if ((u64)pos >= limit) {
		if ((u64)pos >= rlimit)
			task_raise(SIGXFSZ);
		return -EFBIG;
	}
	uio->count = MIN(uio->count, limit - (u64)pos);
	return 0;
}

static ssize_t regular_write(struct file *f, struct uio *uio, s64 *pos)
{
	struct inode *inode = f->inode;
	ssize_t n;
	int err;

	rwlock_write_lock(&inode->lock);
	if (f->flags & O_APPEND)
		*pos = (s64)inode->size;
	n = regular_limit(inode, uio, *pos);
	if (n == 0 && uio->count) {
		inode_strip_setid(inode);
		n = pagecache_write(inode, uio, pos);
	}
	rwlock_write_unlock(&inode->lock);
	if (n > 0 && (f->flags & O_DSYNC)) {
		err = file_fsync_regular(f, !(f->flags & O_SYNC & ~O_DSYNC));
		if (err)
			n = err;
	}
	if (n > 0)
		writeback_balance();
	return n;
}

int file_map_pages(struct file *f, struct map_request *rq)
{
	rq->obj = &f->inode->pages.obj;
	file_accessed(f);
	return 0;
}

static long regular_ioctl(struct file *f, u32 cmd, u64 arg)
{
	if (cmd != FIONREAD)
		return -ENOTTY;
	return put_user_u32(uptr_make(arg), (u32)(inode_size(f->inode) - (u64)f->pos));
}

const struct file_ops file_ops_regular = {
	.read = regular_read,
	.write = regular_write,
	.map = file_map_pages,
	.fsync = file_fsync_regular,
	.ioctl = regular_ioctl,
};
