/* Terminals: reading, writing, job control, hang-up. See dev/tty.h, dev/tty_internal.h. */
#include "dev/tty.h"

#include "dev/tty_internal.h"
#include "lib/bitmap.h"
#include "lib/errno.h"
#include "mm/slab.h"
#include "mm/uio.h"

#define CHUNK         256u /* bytes moved in one go, on the stack */
#define VTIME_UNIT_NS 100000000ul
#define POLL_IN       (0x1u | 0x40u) /* POLLIN POLLRDNORM */
#define POLL_OUT      (0x4u | 0x100u)
#define POLL_ERR      0x8u
#define POLL_HUP      0x10u

void tty_setup(struct tty *t, const struct tty_driver *driver, u32 rdev)
{
	refcount_init(&t->refs, 1);
	t->driver = driver;
	t->rdev = rdev;
	spin_init(&t->lock, "tty", RANK_TTY);
	ldisc_init(&t->ld);
	mutex_init(&t->read_turn, "tty reader", RANK_TTY_SLEEP);
	mutex_init(&t->write_turn, "tty writer", RANK_TTY_SLEEP);
	waitq_init(&t->readers, "tty readers");
	waitq_init(&t->writers, "tty writers");
}

void tty_get(struct tty *t)
{
	refcount_get(&t->refs);
}

void tty_put(struct tty *t)
{
	if (refcount_put(&t->refs))
		t->driver->destroy(t);
}

u32 tty_rdev(const struct tty *t)
{
	return t->rdev;
}

/* ---- who it belongs to ---- */

/* Referenced, or NULL. */
static struct pid *foreground(struct tty *t)
{
	u64 flags = spin_lock_irqsave(&t->lock);
	struct pid *pgrp = t->pgrp;

	if (pgrp)
		pid_get(pgrp);
	spin_unlock_irqrestore(&t->lock, flags);
	return pgrp;
}

int tty_signal_foreground(struct tty *t, int signo)
{
	struct pid *pgrp = foreground(t);
	int err = 0;

	if (pgrp) {
		err = tty_signal_group(pgrp, signo);
		pid_put(pgrp);
	}
	return err;
}

int tty_job_check(struct tty *t, int signo)
{
	struct pid *pgrp;
	int ret = 1;

	if (!READ_ONCE(t->session) || READ_ONCE(t->session) != tty_current_session())
		return 0;
	pgrp = foreground(t);
	if (!pgrp)
		return 0;
	if (pgrp != tty_current_pgrp())
		ret = tty_background_check(pgrp, signo);
	pid_put(pgrp);
	return ret > 0 ? 0 : ret == 0 ? -ERESTARTSYS : ret;
}

int tty_attach(struct tty *t, struct pid *session, struct pid *pgrp)
{
	u64 flags = spin_lock_irqsave(&t->lock);
	int err = -EPERM;

	if (!t->session && !t->gone) {
		pid_get(session);
		pid_get(pgrp);
		t->session = session;
		t->pgrp = pgrp;
		err = 0;
	}
	spin_unlock_irqrestore(&t->lock, flags);
	return err;
}

void tty_detach(struct tty *t)
{
	u64 flags = spin_lock_irqsave(&t->lock);
	struct pid *session = t->session, *pgrp = t->pgrp;

	t->session = NULL;
	t->pgrp = NULL;
	spin_unlock_irqrestore(&t->lock, flags);
	if (pgrp) {
		tty_signal_group(pgrp, SIGHUP);
		tty_signal_group(pgrp, SIGCONT);
		pid_put(pgrp);
	}
	if (session) {
		tty_session_detach(session, t);
		pid_put(session);
	}
}

void tty_hangup(struct tty *t)
{
	u64 flags = spin_lock_irqsave(&t->lock);

	WRITE_ONCE(t->generation, t->generation + 1);
	ldisc_flush_input(&t->ld);
	t->ld.stopped = 0;
	spin_unlock_irqrestore(&t->lock, flags);
	waitq_wake_all(&t->readers);
	waitq_wake_all(&t->writers);
	tty_detach(t);
}

/* A pseudo-terminal outlives its session: whoever else has it open keeps it (Linux alike). */
void tty_hangup_session(struct tty *t)
{
	if (t->rdev >> 8 == PTS_MAJOR)
		tty_detach(t);
	else
		tty_hangup(t);
}

int tty_is_hung(const struct tty_open *o)
{
	return READ_ONCE(o->tty->gone) || (!o->is_console && o->generation != READ_ONCE(o->tty->generation));
}

/* ---- open and close ---- */

int tty_open_instance(struct tty *t, u32 flags, enum tty_open_kind kind, void **cookie)
{
	struct tty_open *o = kmalloc(sizeof(*o), 0);
	u64 irq;
	int err = 0;

	if (!o)
		return -ENOMEM;
	irq = spin_lock_irqsave(&t->lock);
	if (t->gone)
		err = -EIO;
	else if (t->exclusive && t->nr_open && kind != TTY_OPEN_CONSOLE)
		err = -EBUSY;
	else
		t->nr_open++;
	o->tty = t;
	o->generation = t->generation;
	o->is_console = kind == TTY_OPEN_CONSOLE;
	spin_unlock_irqrestore(&t->lock, irq);
	if (err) {
		kfree(o);
		return err;
	}
	tty_get(t);
	if (!(flags & CDEV_NOCTTY) && (flags & CDEV_READ))
		(void)tty_session_attach(t);
	*cookie = o;
	return 0;
}

void tty_close(struct chardev *cd, void *cookie)
{
	struct tty_open *o = cookie;
	struct tty *t = o->tty;
	u64 flags = spin_lock_irqsave(&t->lock);

	if (--t->nr_open == 0) {
		t->exclusive = 0;
		if (t->driver->closed)
			t->driver->closed(t);
	}
	spin_unlock_irqrestore(&t->lock, flags);
	kfree(o);
	tty_put(t);
}

/* ---- input ---- */

void tty_flush_echo_locked(struct tty *t)
{
	const u8 *bytes;
	u32 n, sent;

	if (t->ld.stopped)
		return;
	while ((n = ldisc_echo_peek(&t->ld, &bytes)) != 0) {
		sent = t->driver->put(t, bytes, n);
		ldisc_echo_drop(&t->ld, sent);
		if (sent < n)
			return;
	}
}

u32 tty_input_locked(struct tty *t, const u8 *bytes, u32 n, struct ldisc_effects *fx)
{
	u32 used;

	spin_assert_held(&t->lock);
	used = ldisc_input(&t->ld, bytes, n, fx);
	if (fx->flush && t->driver->flush_output)
		t->driver->flush_output(t);
	fx->flush = 0;
	tty_flush_echo_locked(t);
	return used;
}

void tty_effects(struct tty *t, const struct ldisc_effects *fx)
{
	if (fx->readable)
		waitq_wake_all(&t->readers);
	if (fx->restarted)
		waitq_wake_all(&t->writers);
	for (u32 signals = fx->signals; signals; signals &= signals - 1)
		tty_signal_foreground(t, (int)bit_lowest(signals));
}

/* ---- reading ---- */

static bool is_raw(const struct tty *t)
{
	return !(READ_ONCE(t->ld.t.lflag) & ICANON);
}

static bool can_read(const struct tty_open *o, u32 min)
{
	return tty_is_hung(o) || ldisc_readable(&o->tty->ld, min);
}

static u32 nr_unread(const struct tty *t)
{
	return READ_ONCE(t->ld.head) - READ_ONCE(t->ld.tail);
}

/* VMIN > 0, VTIME > 0: after the first byte, each further one has VTIME to come. */
static int wait_between_bytes(struct tty_open *o, u32 min, u64 ns)
{
	struct tty *t = o->tty;

	while (!can_read(o, min) && is_raw(t)) {
		u32 had = nr_unread(t);
		int err = wait_event_interruptible_timeout(
			&t->readers, nr_unread(t) != had || tty_is_hung(o), clock_mono_ns() + ns);

		/* What has come is read; if that is nothing because somebody else took it, the read begins again. */
		if (err)
			return err == -ETIMEDOUT || nr_unread(t) ? 0 : err;
	}
	return 0;
}

/* Until a read of `count` bytes should look at the buffer. 1: it should, and return 0 if it finds nothing. */
static int wait_input(struct tty_open *o, u64 count, u32 flags)
{
	struct tty *t = o->tty;
	bool raw = is_raw(t);
	u32 vmin = raw ? t->ld.t.cc[VMIN] : 1;
	u64 vtime = raw ? t->ld.t.cc[VTIME] * VTIME_UNIT_NS : 0;
	u32 min = (u32)MIN(count, (u64)vmin);
	int err;

	if (vmin == 0 && vtime == 0)
		return 1;
	if (flags & CDEV_NONBLOCK)
		return can_read(o, 1) ? 0 : -EAGAIN;
	if (vmin == 0) {
		err = wait_event_interruptible_timeout(&t->readers, can_read(o, 1), clock_mono_ns() + vtime);
		return err == -ERESTARTSYS ? err : 1;
	}
	if (vtime) {
		err = wait_event_interruptible(&t->readers, can_read(o, 1) || is_raw(t) != raw);
		return err ? err : wait_between_bytes(o, min, vtime);
	}
	err = wait_event_interruptible(&t->readers, can_read(o, min) || is_raw(t) != raw);
	/* A signal ends the wait for the rest, not the bytes that have come. */
	return err && raw && nr_unread(t) ? 0 : err;
}

/* Copies what is there now. *ended: the read is over even with nothing. */
static ssize_t read_now(struct tty *t, struct uio *uio, bool *ended)
{
	u8 chunk[CHUNK];
	u64 total = 0, flags;
	u32 want, n;
	int err = mutex_lock_interruptible(&t->read_turn);

	if (err)
		return err;
	do {
		want = (u32)MIN(uio->count, (u64)CHUNK);
		flags = spin_lock_irqsave(&t->lock);
		n = ldisc_take(&t->ld, chunk, want, ended);
		if (n == uio->count && !*ended)
			ldisc_skip_eof(&t->ld);
		spin_unlock_irqrestore(&t->lock, flags);
		if (n && uio_copy_to(uio, chunk, n) < 0) {
			err = -EFAULT;
			break;
		}
		total += n;
	} while (n == want && !*ended && uio->count);
	mutex_unlock(&t->read_turn);
	if (total || *ended)
		t->driver->input_room(t);
	return total ? (ssize_t)total : err;
}

ssize_t tty_read(struct chardev *cd, void *cookie, struct uio *uio, u32 flags)
{
	struct tty_open *o = cookie;
	bool ended = false;
	ssize_t n;
	int may_be_empty;

	if (!uio->count)
		return 0;
	for (;;) {
		if (tty_is_hung(o))
			return 0;
		n = tty_job_check(o->tty, SIGTTIN);
		if (n < 0)
			return n;
		may_be_empty = wait_input(o, uio->count, flags);
		if (may_be_empty < 0)
			return may_be_empty;
		if (tty_is_hung(o))
			return 0;
		/* It may have been put into the background meanwhile. */
		n = tty_job_check(o->tty, SIGTTIN);
		if (n == 0)
			n = read_now(o->tty, uio, &ended);
		if (n != 0 || ended || may_be_empty)
			return n;
	}
}

/* ---- writing ---- */

static bool can_write(const struct tty_open *o)
{
	return tty_is_hung(o) || (!READ_ONCE(o->tty->ld.stopped) && o->tty->driver->room(o->tty) >= LDISC_OUTPUT_MAX);
}

/* Processes and sends what fits; returns how many of the n bytes are done. */
static u32 send_locked(struct tty *t, const u8 *bytes, u32 n)
{
	u8 out[2 * CHUNK];
	u32 done = 0, len = 0, room;

	tty_flush_echo_locked(t);
	if (t->ld.stopped)
		return 0;
	room = t->driver->room(t);
	if (!(t->ld.t.oflag & OPOST))
		return t->driver->put(t, bytes, MIN(n, room));
	room = MIN(room, (u32)sizeof(out));
	while (done < n && len + LDISC_OUTPUT_MAX <= room)
		len += ldisc_output(&t->ld, bytes[done++], out + len);
	t->driver->put(t, out, len);
	return done;
}

/* Sends n bytes, sleeping for room. Returns how many went out; fewer only with *err set. */
static u32 send(struct tty_open *o, const u8 *bytes, u32 n, u32 flags, int *err)
{
	struct tty *t = o->tty;
	u32 done = 0;
	u64 irq;

	for (;;) {
		if (tty_is_hung(o)) {
			*err = -EIO;
			return done;
		}
		irq = spin_lock_irqsave(&t->lock);
		done += send_locked(t, bytes + done, n - done);
		spin_unlock_irqrestore(&t->lock, irq);
		if (done == n)
			return done;
		if (flags & CDEV_NONBLOCK) {
			if (can_write(o))
				continue;
			*err = -EAGAIN;
			return done;
		}
		*err = wait_event_interruptible(&t->writers, can_write(o));
		if (*err)
			return done;
	}
}

static int take_write_turn(struct tty *t, u32 flags)
{
	if (!(flags & CDEV_NONBLOCK))
		return mutex_lock_interruptible(&t->write_turn);
	return mutex_trylock(&t->write_turn) ? 0 : -EAGAIN;
}

ssize_t tty_write(struct chardev *cd, void *cookie, struct uio *uio, u32 flags)
{
	struct tty_open *o = cookie;
	struct tty *t = o->tty;
	u8 chunk[CHUNK];
	u64 total = 0;
	int err;

	if (tty_is_hung(o))
		return -EIO;
	if (READ_ONCE(t->ld.t.lflag) & TOSTOP) {
		err = tty_job_check(t, SIGTTOU);
		if (err)
			return err;
	}
	err = take_write_turn(t, flags);
	if (err)
		return err;
	while (uio->count && !err) {
		u32 n = (u32)MIN(uio->count, (u64)CHUNK);

		if (uio_copy_from(uio, chunk, n) < 0)
			err = -EFAULT;
		else
			total += send(o, chunk, n, flags, &err);
	}
	mutex_unlock(&t->write_turn);
	return total ? (ssize_t)total : err;
}

/* ---- poll ---- */

u32 tty_poll(struct chardev *cd, void *cookie, struct poll_sink *sink)
{
	struct tty_open *o = cookie;
	struct tty *t = o->tty;
	u32 ready = 0, min = 1;

	if (sink) {
		sink->add(sink, &t->readers);
		sink->add(sink, &t->writers);
	}
	if (tty_is_hung(o))
		return POLL_IN | POLL_OUT | POLL_ERR | POLL_HUP;
	if (is_raw(t) && !t->ld.t.cc[VTIME])
		min = t->ld.t.cc[VMIN];
	if (ldisc_readable(&t->ld, min))
		ready |= POLL_IN;
	if (can_write(o))
		ready |= POLL_OUT;
	return ready;
}

const struct chardev_ops tty_ops = {
	.close = tty_close, .read = tty_read, .write = tty_write, .ioctl = tty_ioctl, .poll = tty_poll};

/* ---- /dev/tty ---- */

static int current_open(struct chardev *cd, u32 flags, void **cookie)
{
	struct tty *t = tty_current();
	int err;

	if (!t)
		return -ENXIO;
	err = tty_open_instance(t, flags | CDEV_NOCTTY, TTY_OPEN_ORDINARY, cookie);
	tty_put(t);
	return err;
}

static const struct chardev_ops current_ops = {
	.open = current_open,
	.close = tty_close,
	.read = tty_read,
	.write = tty_write,
	.ioctl = tty_ioctl,
	.poll = tty_poll,
};

static struct chardev current_dev = {.name = "tty", .rdev = TTY_RDEV(5, 0), .mode = 0666, .ops = &current_ops};

void tty_init(void)
{
	console_init();
	chardev_register(&current_dev);
	pty_init();
}
