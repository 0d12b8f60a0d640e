/* Open device nodes: character devices of dev/chardev.h as files, and block devices through their page cache. */
#include "dev/block.h"
#include "dev/chardev.h"
#include "fs/fs.h"
#include "lib/errno.h"
#include "mm/aspace.h"
#include "mm/uio.h"
#include "mm/usercopy.h"

#define RDEV_ZERO ((1u << 8) | 5)

static u32 chrdev_flags(const struct file *f)
{
	return (f->flags & O_NONBLOCK ? CDEV_NONBLOCK : 0) | (f->mode & FMODE_READ ? CDEV_READ : 0) |
	       (f->mode & FMODE_WRITE ? CDEV_WRITE : 0) | (f->flags & O_NOCTTY ? CDEV_NOCTTY : 0);
}

static ssize_t chrdev_read(struct file *f, struct uio *uio, s64 *pos)
{
	const struct chardev_ops *ops = f->cdev->ops;

	return ops->read ? ops->read(f->cdev, f->private, uio, chrdev_flags(f)) : -EINVAL;
}

static ssize_t chrdev_write(struct file *f, struct uio *uio, s64 *pos)
{
	const struct chardev_ops *ops = f->cdev->ops;

	return ops->write ? ops->write(f->cdev, f->private, uio, chrdev_flags(f)) : -EINVAL;
}

static long chrdev_ioctl(struct file *f, u32 cmd, u64 arg)
{
	const struct chardev_ops *ops = f->cdev->ops;

	return ops->ioctl ? ops->ioctl(f->cdev, f->private, cmd, arg) : -ENOTTY;
}

static u32 chrdev_poll(struct file *f, struct poll_sink *sink)
{
	const struct chardev_ops *ops = f->cdev->ops;

	return ops->poll ? ops->poll(f->cdev, f->private, sink) : POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
}

static void chrdev_release(struct file *f)
{
	if (f->cdev->ops->close)
		f->cdev->ops->close(f->cdev, f->private);
}

/* A private mapping of /dev/zero is anonymous memory; other devices cannot be mapped. */
static int chrdev_map(struct file *f, struct map_request *rq)
{
	if (f->cdev->rdev != RDEV_ZERO || (rq->flags & VMA_SHARED))
		return -ENODEV;
	rq->obj = NULL;
	rq->file = NULL;
	return 0;
}

/* Devices without a position accept a seek and stay where they are. */
static s64 chrdev_seek(struct file *f, s64 off, int whence)
{
	f->pos = 0;
	return 0;
}

static const struct file_ops chrdev_ops_stream = {
	.read = chrdev_read,
	.write = chrdev_write,
	.seek = file_seek_none,
	.poll = chrdev_poll,
	.ioctl = chrdev_ioctl,
	.map = chrdev_map,
	.release = chrdev_release,
};

static const struct file_ops chrdev_ops_seekable = {
	.read = chrdev_read,
	.write = chrdev_write,
	.seek = chrdev_seek,
	.poll = chrdev_poll,
	.ioctl = chrdev_ioctl,
	.map = chrdev_map,
	.release = chrdev_release,
};

int chrdev_open(struct file *f)
{
	struct chardev *cd = chardev_find(f->inode->rdev);
	int err;

	if (!cd)
		return -ENXIO;
	if (cd->ops->open) {
		err = cd->ops->open(cd, chrdev_flags(f), &f->private);
		if (err)
			return err;
	}
	f->cdev = cd;
	f->ops = cd->seekable ? &chrdev_ops_seekable : &chrdev_ops_stream;
	return 0;
}

/* ---- block devices: f->private is the device's own inode, whose pages its bytes are ---- */

#define BLKROGET 0x125e
#define BLKGETSIZE 0x1260
#define BLKFLSBUF 0x1261
#define BLKSSZGET 0x1268
#define BLKBSZGET 0x80081270u
#define BLKGETSIZE64 0x80081272u

static struct blkdev *file_blkdev(const struct file *f)
{
	return blk_find(f->inode->rdev);
}

static ssize_t blkdev_read(struct file *f, struct uio *uio, s64 *pos)
{
	return pagecache_read(f->private, uio, pos);
}

static ssize_t blkdev_write(struct file *f, struct uio *uio, s64 *pos)
{
	struct inode *inode = f->private;
	ssize_t n;

	if (file_blkdev(f)->read_only)
		return -EPERM;
	rwlock_write_lock(&inode->lock);
	if (f->flags & O_APPEND)
		*pos = (s64)inode->size;
	if ((u64)*pos >= inode->size) {
		n = uio->count ? -ENOSPC : 0;
	} else {
		uio->count = MIN(uio->count, inode->size - (u64)*pos);
		n = pagecache_write(inode, uio, pos);
	}
	rwlock_write_unlock(&inode->lock);
	if (n > 0)
		writeback_balance();
	return n;
}

static s64 blkdev_seek(struct file *f, s64 off, int whence)
{
	u64 size = inode_size(f->private);
	s64 base = whence == 1 ? f->pos : whence == 2 ? (s64)size : 0;

	if (whence < 0 || whence > 2 || __builtin_add_overflow(base, off, &base) || base < 0)
		return -EINVAL;
	f->pos = base;
	return base;
}

static int blkdev_fsync(struct file *f, u32 data_only)
{
	struct inode *inode = f->private;
	int err = pagecache_flush(&inode->pages, 0, ~0ul, PAGECACHE_WAIT);

	return err ? err : blk_flush(file_blkdev(f));
}

static int blkdev_map(struct file *f, struct map_request *rq)
{
	struct inode *inode = f->private;

	rq->obj = &inode->pages.obj;
	return 0;
}

static long blkdev_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct blkdev *bd = file_blkdev(f);
	struct uptr p = uptr_make(arg);

	switch (cmd) {
	case BLKROGET:
		return put_user_u32(p, bd->read_only != 0);
	case BLKGETSIZE:
		return put_user_u64(p, bd->nr_sectors);
	case BLKGETSIZE64:
		return put_user_u64(p, bd->nr_sectors * SECTOR_SIZE);
	case BLKSSZGET:
		return put_user_u32(p, SECTOR_SIZE);
	case BLKBSZGET:
		return put_user_u32(p, PAGE_SIZE);
	case BLKFLSBUF:
		return blkdev_fsync(f, 0);
	default:
		return -ENOTTY;
	}
}

static const struct file_ops blkdev_file_ops = {
	.read = blkdev_read,
	.write = blkdev_write,
	.seek = blkdev_seek,
	.ioctl = blkdev_ioctl,
	.map = blkdev_map,
	.fsync = blkdev_fsync,
};

int blkdev_open(struct file *f)
{
	struct blkdev *bd = file_blkdev(f);

	if (!bd)
		return -ENXIO;
	if (bd->read_only && (f->mode & FMODE_WRITE))
		return -EROFS;
	f->private = bdev_inode(bd);
	if (!f->private)
		return -ENOMEM;
	f->ops = &blkdev_file_ops;
	return 0;
}
