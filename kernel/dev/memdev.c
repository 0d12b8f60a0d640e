/* The devices that are only behaviour: null, zero, full, random, urandom, kmsg. */
#include "dev/memdev.h"

#include "dev/chardev.h"
#include "dev/dev.h"
#include "dev/random.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/uio.h"
#include "sync/sched.h"
#include "sync/waitq.h"

#define MEM_MAJOR 1u

static ssize_t null_read(struct chardev *cd, void *cookie, struct uio *uio, u32 flags)
{
	return 0;
}

static ssize_t null_write(struct chardev *cd, void *cookie, struct uio *uio, u32 flags)
{
	ssize_t n = (ssize_t)uio->count;

	uio_advance(uio, uio->count);
	return n;
}

static ssize_t zero_read(struct chardev *cd, void *cookie, struct uio *uio, u32 flags)
{
	u64 done = 0;

	while (uio->count) {
		u64 n = MIN(uio->count, (u64)PAGE_SIZE);

		if (uio_clear(uio, n) < 0)
			return done ? (ssize_t)done : -EFAULT;
		done += n;
		if (!uio->count || sched_signal_pending())
			break;
		sched_point();
	}
	return (ssize_t)done;
}

static ssize_t full_write(struct chardev *cd, void *cookie, struct uio *uio, u32 flags)
{
	return uio->count ? -ENOSPC : 0;
}

static ssize_t urandom_read(struct chardev *cd, void *cookie, struct uio *uio, u32 flags)
{
	u8 chunk[256];
	u64 done = 0;

	while (uio->count) {
		u64 n = MIN(uio->count, sizeof(chunk));

		random_bytes(chunk, n);
		if (uio_copy_to(uio, chunk, n) < 0)
			return done ? (ssize_t)done : -EFAULT;
		done += n;
		if (uio->count && sched_signal_pending())
			break;
		sched_point();
	}
	memset(chunk, 0, sizeof(chunk));
	return (ssize_t)done;
}

static ssize_t random_read(struct chardev *cd, void *cookie, struct uio *uio, u32 flags)
{
	int err;

	if (!random_ready()) {
		if (flags & CDEV_NONBLOCK)
			return -EAGAIN;
		err = random_wait_ready();
		if (err < 0)
			return err;
	}
	return urandom_read(cd, cookie, uio, flags);
}

static ssize_t random_write(struct chardev *cd, void *cookie, struct uio *uio, u32 flags)
{
	u8 chunk[256];
	u64 done = 0;

	while (uio->count) {
		u64 n = MIN(uio->count, sizeof(chunk));

		if (uio_copy_from(uio, chunk, n) < 0)
			return done ? (ssize_t)done : -EFAULT;
		random_stir(chunk, n);
		done += n;
		sched_point();
	}
	return (ssize_t)done;
}

/* kmsg: each reader has its own place in the log; each read gives one record. */
static int kmsg_open(struct chardev *cd, u32 flags, void **cookie)
{
	u64 *seq = kmalloc(sizeof(*seq), 0);

	if (!seq)
		return -ENOMEM;
	*seq = log_first_seq();
	*cookie = seq;
	return 0;
}

static void kmsg_close(struct chardev *cd, void *cookie)
{
	kfree(cookie);
}

static ssize_t kmsg_read(struct chardev *cd, void *cookie, struct uio *uio, u32 flags)
{
	struct log_record *rec = kmalloc(sizeof(*rec) + LOG_LINE_MAX, 0);
	char *line = (char *)(rec + 1);
	ssize_t n;

	if (!rec)
		return -ENOMEM;
	n = log_read_record(cookie, rec);
	if (n == 0) {
		n = (ssize_t)log_format(rec, LOG_STYLE_KMSG, line, LOG_LINE_MAX);
		if ((u64)n > uio->count)
			n = -EINVAL;
		else if (uio_copy_to(uio, line, (size_t)n) < 0)
			n = -EFAULT;
	}
	kfree(rec);
	return n;
}

static ssize_t kmsg_write(struct chardev *cd, void *cookie, struct uio *uio, u32 flags)
{
	char text[LOG_TEXT_MAX + 1];
	u64 n = MIN(uio->count, (u64)LOG_TEXT_MAX);
	u64 all = uio->count;
	char *start = text;

	if (uio_copy_from(uio, text, n) < 0)
		return -EFAULT;
	text[n] = '\0';
	if (text[0] == '<') { /* "<level>text" */
		char *end = strchr(text, '>');

		start = end ? end + 1 : text;
	}
	log_printf(LOG_LEVEL_NOTICE, "%s", start);
	return (ssize_t)all;
}

static u32 always_ready(struct chardev *cd, void *cookie, struct poll_sink *sink)
{
	return 0x1 | 0x4 | 0x40 | 0x100; /* POLLIN POLLOUT POLLRDNORM POLLWRNORM */
}

static const struct chardev_ops null_ops = {.read = null_read, .write = null_write, .poll = always_ready};
static const struct chardev_ops zero_ops = {.read = zero_read, .write = null_write, .poll = always_ready};
static const struct chardev_ops full_ops = {.read = zero_read, .write = full_write, .poll = always_ready};
static const struct chardev_ops random_ops = {.read = random_read, .write = random_write, .poll = always_ready};
static const struct chardev_ops urandom_ops = {.read = urandom_read, .write = random_write, .poll = always_ready};
static const struct chardev_ops kmsg_ops = {
	.open = kmsg_open, .close = kmsg_close, .read = kmsg_read, .write = kmsg_write, .poll = always_ready};

static struct chardev memdevs[] = {
	{.name = "null", .rdev = MEM_MAJOR << 8 | 3, .mode = 0666, .seekable = 1, .ops = &null_ops},
	{.name = "zero", .rdev = MEM_MAJOR << 8 | 5, .mode = 0666, .seekable = 1, .ops = &zero_ops},
	{.name = "full", .rdev = MEM_MAJOR << 8 | 7, .mode = 0666, .seekable = 1, .ops = &full_ops},
	{.name = "random", .rdev = MEM_MAJOR << 8 | 8, .mode = 0666, .seekable = 1, .ops = &random_ops},
	{.name = "urandom", .rdev = MEM_MAJOR << 8 | 9, .mode = 0666, .seekable = 1, .ops = &urandom_ops},
	{.name = "kmsg", .rdev = MEM_MAJOR << 8 | 11, .mode = 0644, .seekable = 1, .ops = &kmsg_ops},
};

void memdev_init(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(memdevs); i++)
		chardev_register(&memdevs[i]);
}
