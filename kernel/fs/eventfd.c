#include "fs/eventfd.h"

#include "fs/anon.h"
#include "fs/file.h"
#include "lib/err.h"
#include "lib/errno.h"
#include "mm/slab.h"
#include "mm/uio.h"
#include "sync/waitq.h"

#define EVENTFD_MAX (~0ul - 1)

struct eventfd {
	struct spinlock lock;
	u64 count;     /* [lock; sleepers look without] */
	u32 semaphore; /* a read takes 1, not all */
	struct waitq readers, writers;
};

/* False: the count is 0. */
static bool take(struct eventfd *e, u64 *value)
{
	bool ok;

	spin_lock(&e->lock);
	ok = e->count != 0;
	*value = e->semaphore ? 1 : e->count;
	if (ok)
		WRITE_ONCE(e->count, e->count - *value);
	spin_unlock(&e->lock);
	return ok;
}

/* False: it would pass the limit. */
static bool add(struct eventfd *e, u64 value)
{
	bool ok;

	spin_lock(&e->lock);
	ok = EVENTFD_MAX - e->count >= value;
	if (ok)
		WRITE_ONCE(e->count, e->count + value);
	spin_unlock(&e->lock);
	return ok;
}

static ssize_t eventfd_read(struct file *f, struct uio *uio, s64 *pos)
{
	struct eventfd *e = f->private;
	u64 value;
	int err;

	if (uio->count < sizeof(value))
		return -EINVAL;
	while (!take(e, &value)) {
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&e->readers, READ_ONCE(e->count) != 0);
		if (err)
			return err;
	}
	waitq_wake_all_events(&e->writers, POLLOUT | POLLWRNORM);
	return uio_copy_to(uio, &value, sizeof(value)) < 0 ? -EFAULT : (ssize_t)sizeof(value);
}

static ssize_t eventfd_write(struct file *f, struct uio *uio, s64 *pos)
{
	struct eventfd *e = f->private;
	u64 value;
	int err;

	if (uio->count < sizeof(value))
		return -EINVAL;
	if (uio_copy_from(uio, &value, sizeof(value)) < 0)
		return -EFAULT;
	if (value > EVENTFD_MAX)
		return -EINVAL;
	while (!add(e, value)) {
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&e->writers, EVENTFD_MAX - READ_ONCE(e->count) >= value);
		if (err)
			return err;
	}
	if (value)
		waitq_wake_all_events(&e->readers, POLLIN | POLLRDNORM);
	return sizeof(value);
}

static u32 eventfd_poll(struct file *f, struct poll_sink *sink)
{
	struct eventfd *e = f->private;
	u64 count;

	if (sink) {
		sink->add(sink, &e->readers);
		sink->add(sink, &e->writers);
	}
	count = READ_ONCE(e->count);
	return (count ? POLLIN | POLLRDNORM : 0) | (count < EVENTFD_MAX ? POLLOUT | POLLWRNORM : 0);
}

static void eventfd_release(struct file *f)
{
	kfree(f->private);
}

static const struct file_ops eventfd_ops = {
	.read = eventfd_read,
	.write = eventfd_write,
	.seek = file_seek_none,
	.poll = eventfd_poll,
	.release = eventfd_release,
};

int eventfd_create(u32 initial, u32 flags, struct file **out)
{
	struct eventfd *e = kzalloc(sizeof(*e), 0);
	struct inode *inode = e ? anon_inode_create(0600, "[eventfd]") : NULL;

	if (!inode) {
		kfree(e);
		return -ENOMEM;
	}
	spin_init(&e->lock, "eventfd", RANK_SOCKET);
	e->count = initial;
	e->semaphore = flags & EFD_SEMAPHORE;
	waitq_init(&e->readers, "eventfd readers");
	waitq_init(&e->writers, "eventfd writers");
	*out = file_create_anon(inode, &eventfd_ops, O_RDWR | (flags & O_NONBLOCK));
	if (IS_ERR(*out)) {
		kfree(e);
		return (int)PTR_ERR(*out);
	}
	(*out)->private = e;
	return 0;
}
