/*
 * Pseudo-terminals: /dev/ptmx makes a pair; its other end is /dev/pts/N, an ordinary terminal whose device is the master.
 *
 *	program on pts/N <--ldisc--> ring --> master's read
 *	                    ldisc <---------- master's write
 *
 * A number N has a struct pts for ever (a chardev that a path walk has found must stay), in use while a pair lives.
 *
 *	free --ptmx open--> busy, registered --master closes--> busy, hung up --last slave closes--> free
 */
#include "dev/tty_internal.h"
#include "lib/errno.h"
#include "lib/printf.h"
#include "mm/slab.h"
#include "mm/uio.h"
#include "mm/usercopy.h"

#define RING_SIZE    8192u /* power of two */
#define CHUNK        256u
#define ROOM_TO_WAKE 1024u
#define PTS_MAX      (1u << 20) /* minors of one major */

#define TIOCSIG    0x40045436u
#define TIOCGPTN   0x80045430u
#define TIOCSPTLCK 0x40045431u
#define TIOCGPTLCK 0x80045439u
#define FIONREAD   0x541b
#define TIOCGPGRP  0x540f
#define TIOCGSID   0x5429

#define SIGINT  2
#define SIGQUIT 3
#define SIGTSTP 20

struct pts {
	struct chardev cd;
	u32 number;
	u32 busy;         /* [pts_lock] */
	struct pty *pty;  /* [pts_lock] NULL when the master is closed */
	struct list link; /* all, by number [pts_lock] */
};

/* All but the constant fields: [slave.lock]. */
struct pty {
	struct tty slave;
	struct pts *pts;
	u32 locked;       /* TIOCSPTLCK: the slave cannot be opened yet */
	u32 slave_closed; /* it was open and is no more */
	u32 head, tail;   /* of the ring, free-running */
	struct waitq master_readers, master_writers;
	u8 ring[RING_SIZE];
};

static struct spinlock pts_lock = SPINLOCK_INIT("pts", RANK_LEAF);
static struct list all_pts = LIST_INIT(all_pts);

static struct pty *pty_of(struct tty *t)
{
	return container_of(t, struct pty, slave);
}

/* ---- the slave's device side ---- */

static u32 slave_room(struct tty *t)
{
	struct pty *p = pty_of(t);

	return RING_SIZE - (READ_ONCE(p->head) - READ_ONCE(p->tail));
}

static u32 slave_put(struct tty *t, const u8 *bytes, u32 n)
{
	struct pty *p = pty_of(t);

	n = MIN(n, slave_room(t));
	for (u32 i = 0; i < n; i++)
		p->ring[(p->head + i) % RING_SIZE] = bytes[i];
	WRITE_ONCE(p->head, p->head + n);
	if (n)
		waitq_wake_all(&p->master_readers);
	return n;
}

/* What the master has not read yet counts as sent, as on Linux: nobody drains a pty. */
static u32 slave_pending(struct tty *t)
{
	return 0;
}

static void slave_flush_output(struct tty *t)
{
	struct pty *p = pty_of(t);

	WRITE_ONCE(p->tail, p->head);
	waitq_wake_all(&t->writers);
}

static void slave_input_room(struct tty *t)
{
	waitq_wake_all(&pty_of(t)->master_writers);
}

static void slave_closed(struct tty *t)
{
	struct pty *p = pty_of(t);

	WRITE_ONCE(p->slave_closed, 1);
	waitq_wake_all(&p->master_readers);
	waitq_wake_all(&p->master_writers);
}

static void slave_destroy(struct tty *t)
{
	struct pty *p = pty_of(t);
	struct pts *s = p->pts;

	kfree(p);
	spin_lock(&pts_lock);
	s->busy = 0;
	spin_unlock(&pts_lock);
}

static const struct tty_driver slave_driver = {
	.put = slave_put,
	.room = slave_room,
	.pending = slave_pending,
	.flush_output = slave_flush_output,
	.input_room = slave_input_room,
	.closed = slave_closed,
	.destroy = slave_destroy,
};

/* ---- pts/N ---- */

static int pts_open(struct chardev *cd, u32 flags, void **cookie)
{
	struct pts *s = cd->private;
	struct pty *p;
	u64 irq;
	int err = -EIO;

	spin_lock(&pts_lock);
	p = s->pty;
	if (p)
		tty_get(&p->slave);
	spin_unlock(&pts_lock);
	if (!p)
		return -EIO;
	if (!READ_ONCE(p->locked))
		err = tty_open_instance(&p->slave, flags, TTY_OPEN_ORDINARY, cookie);
	if (err == 0) {
		irq = spin_lock_irqsave(&p->slave.lock);
		WRITE_ONCE(p->slave_closed, 0);
		spin_unlock_irqrestore(&p->slave.lock, irq);
	}
	tty_put(&p->slave);
	return err;
}

static const struct chardev_ops pts_ops = {
	.open = pts_open,
	.close = tty_close,
	.read = tty_read,
	.write = tty_write,
	.ioctl = tty_ioctl,
	.poll = tty_poll,
};

/* ---- numbers ---- */

/* The lowest free number, now busy; or NULL, and *next is the number that a new struct pts should have. */
static struct pts *pts_take_free(u32 *next)
{
	struct pts *s, *found = NULL;

	*next = 0;
	spin_lock(&pts_lock);
	list_for_each_entry (s, &all_pts, link) {
		if (!s->busy) {
			s->busy = 1;
			found = s;
			break;
		}
		*next = s->number + 1;
	}
	spin_unlock(&pts_lock);
	return found;
}

/* Enters a new number; false: somebody else has just made it. */
static bool pts_enter(struct pts *s)
{
	struct pts *last;
	bool fits;

	spin_lock(&pts_lock);
	last = list_empty(&all_pts) ? NULL : list_last_entry(&all_pts, struct pts, link);
	fits = s->number == (last ? last->number + 1 : 0);
	if (fits)
		list_add_tail(&s->link, &all_pts);
	spin_unlock(&pts_lock);
	return fits;
}

/* A busy, unregistered number; NULL: no memory. */
static struct pts *pts_alloc(void)
{
	struct pts *s;
	u32 nr;

	for (;;) {
		s = pts_take_free(&nr);
		if (s || nr >= PTS_MAX)
			return s;
		s = kzalloc(sizeof(*s), 0);
		if (!s)
			return NULL;
		s->number = nr;
		s->busy = 1;
		s->cd.rdev = TTY_RDEV(PTS_MAJOR, nr);
		s->cd.mode = 0666;
		s->cd.ops = &pts_ops;
		s->cd.private = s;
		snprintf(s->cd.name, sizeof(s->cd.name), "pts/%u", nr);
		if (pts_enter(s))
			return s;
		kfree(s);
	}
}

/* ---- the master ---- */

static int master_open(struct chardev *cd, u32 flags, void **cookie)
{
	struct pty *p = kzalloc(sizeof(*p), 0);
	struct pts *s;

	if (!p)
		return -ENOMEM;
	s = pts_alloc();
	if (!s) {
		kfree(p);
		return -ENOSPC;
	}
	tty_setup(&p->slave, &slave_driver, s->cd.rdev);
	waitq_init(&p->master_readers, "pty master readers");
	waitq_init(&p->master_writers, "pty master writers");
	p->pts = s;
	p->locked = 1;
	spin_lock(&pts_lock);
	s->pty = p;
	spin_unlock(&pts_lock);
	chardev_register(&s->cd);
	*cookie = p;
	return 0;
}

static void master_close(struct chardev *cd, void *cookie)
{
	struct pty *p = cookie;
	struct tty *t = &p->slave;
	u64 flags;

	chardev_unregister(&p->pts->cd);
	spin_lock(&pts_lock);
	p->pts->pty = NULL;
	spin_unlock(&pts_lock);
	flags = spin_lock_irqsave(&t->lock);
	t->gone = 1;
	spin_unlock_irqrestore(&t->lock, flags);
	tty_hangup(t);
	tty_put(t);
}

/* Takes up to n bytes; *over: there is nothing and nobody will write. */
static u32 ring_take(struct pty *p, u8 *dst, u32 n, bool *over)
{
	u64 flags = spin_lock_irqsave(&p->slave.lock);

	n = MIN(n, p->head - p->tail);
	for (u32 i = 0; i < n; i++)
		dst[i] = p->ring[(p->tail + i) % RING_SIZE];
	WRITE_ONCE(p->tail, p->tail + n);
	tty_flush_echo_locked(&p->slave);
	*over = p->head == p->tail && p->slave_closed;
	spin_unlock_irqrestore(&p->slave.lock, flags);
	return n;
}

static bool master_can_read(const struct pty *p)
{
	return READ_ONCE(p->head) != READ_ONCE(p->tail) || READ_ONCE(p->slave_closed);
}

static ssize_t master_read(struct chardev *cd, void *cookie, struct uio *uio, u32 flags)
{
	struct pty *p = cookie;
	u8 chunk[CHUNK];
	u64 total = 0;
	bool over;
	u32 n;
	int err;

	while (uio->count) {
		n = ring_take(p, chunk, (u32)MIN(uio->count, (u64)CHUNK), &over);
		if (n) {
			if (uio_copy_to(uio, chunk, n) < 0)
				return total ? (ssize_t)total : -EFAULT;
			total += n;
			continue;
		}
		if (total)
			break;
		if (over)
			return -EIO;
		if (flags & CDEV_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&p->master_readers, master_can_read(p));
		if (err)
			return err;
	}
	if (slave_room(&p->slave) >= ROOM_TO_WAKE)
		waitq_wake_all(&p->slave.writers);
	return (ssize_t)total;
}

/* Types n bytes; returns how many, fewer only with *err set. */
static u32 type_bytes(struct pty *p, const u8 *bytes, u32 n, u32 flags, int *err)
{
	struct tty *t = &p->slave;
	u32 done = 0;

	for (;;) {
		struct ldisc_effects fx = {0};
		u64 irq = spin_lock_irqsave(&t->lock);

		done += tty_input_locked(t, bytes + done, n - done, &fx);
		spin_unlock_irqrestore(&t->lock, irq);
		tty_effects(t, &fx);
		if (done == n)
			return done;
		if (flags & CDEV_NONBLOCK)
			*err = -EAGAIN;
		else
			*err = wait_event_interruptible(&p->master_writers, ldisc_has_room(&t->ld));
		if (*err)
			return done;
	}
}

static ssize_t master_write(struct chardev *cd, void *cookie, struct uio *uio, u32 flags)
{
	struct pty *p = cookie;
	u8 chunk[CHUNK];
	u64 total = 0;
	int err = 0;

	while (uio->count && !err) {
		u32 n = (u32)MIN(uio->count, (u64)CHUNK);

		if (uio_copy_from(uio, chunk, n) < 0)
			err = -EFAULT;
		else
			total += type_bytes(p, chunk, n, flags, &err);
	}
	return total ? (ssize_t)total : err;
}

static u32 master_poll(struct chardev *cd, void *cookie, struct poll_sink *sink)
{
	struct pty *p = cookie;
	u32 ready = 0;

	if (sink) {
		sink->add(sink, &p->master_readers);
		sink->add(sink, &p->master_writers);
	}
	if (READ_ONCE(p->head) != READ_ONCE(p->tail))
		ready |= 0x1 | 0x40; /* POLLIN POLLRDNORM */
	if (READ_ONCE(p->slave_closed))
		ready |= 0x10; /* POLLHUP */
	if (ldisc_has_room(&p->slave.ld))
		ready |= 0x4 | 0x100; /* POLLOUT POLLWRNORM */
	return ready;
}

/* ---- ioctl on the master ---- */

static long set_locked(struct pty *p, u64 arg)
{
	u32 on;

	if (get_user_u32(uptr_make(arg), &on) < 0)
		return -EFAULT;
	WRITE_ONCE(p->locked, on != 0);
	return 0;
}

static long master_pid(struct pty *p, struct pid **which, u64 arg)
{
	u64 flags = spin_lock_irqsave(&p->slave.lock);
	u32 nr = *which ? (u32)pid_number(*which) : 0;

	spin_unlock_irqrestore(&p->slave.lock, flags);
	return put_user_u32(uptr_make(arg), nr);
}

static long master_ioctl(struct chardev *cd, void *cookie, u32 cmd, u64 arg)
{
	struct pty *p = cookie;
	struct uptr user = uptr_make(arg);

	switch (cmd) {
	case TIOCGPTN: return put_user_u32(user, p->pts->number);
	case TIOCSPTLCK: return set_locked(p, arg);
	case TIOCGPTLCK: return put_user_u32(user, READ_ONCE(p->locked));
	case FIONREAD: return put_user_u32(user, READ_ONCE(p->head) - READ_ONCE(p->tail));
	case TIOCSIG:
		if (arg != SIGINT && arg != SIGQUIT && arg != SIGTSTP)
			return -EINVAL;
		return tty_signal_foreground(&p->slave, (int)arg);
	case TIOCGPGRP: return master_pid(p, &p->slave.pgrp, arg);
	case TIOCGSID: return master_pid(p, &p->slave.session, arg);
	default: return tty_ioctl_common(&p->slave, cmd, arg);
	}
}

static const struct chardev_ops master_ops = {
	.open = master_open,
	.close = master_close,
	.read = master_read,
	.write = master_write,
	.ioctl = master_ioctl,
	.poll = master_poll,
};

static struct chardev ptmx_dev = {.name = "ptmx", .rdev = TTY_RDEV(5, 2), .mode = 0666, .ops = &master_ops};

void pty_init(void)
{
	chardev_register(&ptmx_dev);
}
