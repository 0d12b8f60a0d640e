/* Character devices of dev/chardev.h as open files. (Block devices: fs/bdev.c.) */
#include "dev/chardev.h"
#include "fs/fs.h"
#include "lib/errno.h"
#include "mm/aspace.h"
#include "mm/uio.h"

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
