/* ioctl(2) on terminals: settings, window size, job control, flow. Numbers: Linux asm-generic/ioctls.h. */
#include "dev/tty_internal.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/usercopy.h"

#define TCGETS     0x5401
#define TCSETS     0x5402
#define TCSETSW    0x5403
#define TCSETSF    0x5404
#define TCSBRK     0x5409
#define TCXONC     0x540a
#define TCFLSH     0x540b
#define TIOCEXCL   0x540c
#define TIOCNXCL   0x540d
#define TIOCSCTTY  0x540e
#define TIOCGPGRP  0x540f
#define TIOCSPGRP  0x5410
#define TIOCOUTQ   0x5411
#define TIOCSTI    0x5412
#define TIOCGWINSZ 0x5413
#define TIOCSWINSZ 0x5414
#define TIOCMGET   0x5415
#define FIONREAD   0x541b
#define TIOCNOTTY  0x5422
#define TIOCGETD   0x5424
#define TCSBRKP    0x5425
#define TIOCGSID   0x5429
#define TCGETS2    0x802c542au
#define TCSETS2    0x402c542bu
#define TCSETSW2   0x402c542cu
#define TCSETSF2   0x402c542du
#define TIOCGDEV   0x80045432u
#define TIOCGEXCL  0x80045440u

#define TIOCM_DTR 0x002u
#define TIOCM_RTS 0x004u
#define TIOCM_CTS 0x020u
#define TIOCM_CAR 0x040u
#define TIOCM_DSR 0x100u

enum apply_when { APPLY_NOW, APPLY_DRAINED, APPLY_FLUSHED };

/* ---- settings ---- */

static long termios_get(struct tty *t, u64 arg, size_t size)
{
	u64 flags = spin_lock_irqsave(&t->lock);
	struct termios copy = t->ld.t;

	spin_unlock_irqrestore(&t->lock, flags);
	return copy_to_user(uptr_make(arg), &copy, size);
}

static bool has_drained(struct tty *t)
{
	return READ_ONCE(t->gone) ||
		(READ_ONCE(t->ld.echo_head) == READ_ONCE(t->ld.echo_tail) && t->driver->pending(t) == 0);
}

static int drain(struct tty *t)
{
	return wait_event_interruptible(&t->writers, has_drained(t));
}

static void apply(struct tty *t, const struct termios *fresh, enum apply_when when)
{
	u64 flags = spin_lock_irqsave(&t->lock);

	if (when == APPLY_FLUSHED)
		ldisc_flush_input(&t->ld);
	ldisc_set_termios(&t->ld, fresh);
	spin_unlock_irqrestore(&t->lock, flags);
	/* What sleepers wait for depends on the settings. */
	waitq_wake_all(&t->readers);
	waitq_wake_all(&t->writers);
	t->driver->input_room(t);
}

static long termios_set(struct tty *t, u64 arg, size_t size, enum apply_when when)
{
	struct termios fresh;
	u64 flags;
	int err = tty_job_check(t, SIGTTOU);

	if (err)
		return err;
	flags = spin_lock_irqsave(&t->lock);
	fresh = t->ld.t;
	spin_unlock_irqrestore(&t->lock, flags);
	if (copy_from_user(&fresh, uptr_make(arg), size) < 0)
		return -EFAULT;
	if (when != APPLY_NOW) {
		err = drain(t);
		if (err)
			return err;
	}
	apply(t, &fresh, when);
	return 0;
}

static long termios_call(struct tty *t, u32 cmd, u64 arg)
{
	switch (cmd) {
	case TCGETS: return termios_get(t, arg, TERMIOS_OLD_SIZE);
	case TCSETS: return termios_set(t, arg, TERMIOS_OLD_SIZE, APPLY_NOW);
	case TCSETSW: return termios_set(t, arg, TERMIOS_OLD_SIZE, APPLY_DRAINED);
	case TCSETSF: return termios_set(t, arg, TERMIOS_OLD_SIZE, APPLY_FLUSHED);
	case TCGETS2: return termios_get(t, arg, sizeof(struct termios));
	case TCSETS2: return termios_set(t, arg, sizeof(struct termios), APPLY_NOW);
	case TCSETSW2: return termios_set(t, arg, sizeof(struct termios), APPLY_DRAINED);
	case TCSETSF2: return termios_set(t, arg, sizeof(struct termios), APPLY_FLUSHED);
	default: return -ENOTTY;
	}
}

/* ---- window size ---- */

static long winsize_get(struct tty *t, u64 arg)
{
	u64 flags = spin_lock_irqsave(&t->lock);
	struct winsize size = t->size;

	spin_unlock_irqrestore(&t->lock, flags);
	return copy_to_user(uptr_make(arg), &size, sizeof(size));
}

static long winsize_set(struct tty *t, u64 arg)
{
	struct winsize size;
	u64 flags;
	bool changed;

	if (copy_from_user(&size, uptr_make(arg), sizeof(size)) < 0)
		return -EFAULT;
	flags = spin_lock_irqsave(&t->lock);
	changed = memcmp(&t->size, &size, sizeof(size)) != 0;
	t->size = size;
	spin_unlock_irqrestore(&t->lock, flags);
	if (changed)
		tty_signal_foreground(t, SIGWINCH);
	return 0;
}

/* ---- flow ---- */

enum flush_queue { FLUSH_INPUT, FLUSH_OUTPUT, FLUSH_BOTH };

static long flush(struct tty *t, u64 which)
{
	u64 flags;
	int err = tty_job_check(t, SIGTTOU);

	if (err)
		return err;
	if (which > FLUSH_BOTH)
		return -EINVAL;
	flags = spin_lock_irqsave(&t->lock);
	if (which != FLUSH_OUTPUT)
		ldisc_flush_input(&t->ld);
	if (which != FLUSH_INPUT && t->driver->flush_output)
		t->driver->flush_output(t);
	spin_unlock_irqrestore(&t->lock, flags);
	t->driver->input_room(t);
	waitq_wake_all(&t->writers);
	return 0;
}

/* tcflow: 0 stop output, 1 restart it, 2 and 3 send the STOP and START characters. */
static long flow(struct tty *t, u64 action)
{
	u64 flags;
	u8 c;
	int err = tty_job_check(t, SIGTTOU);

	if (err)
		return err;
	if (action > 3)
		return -EINVAL;
	flags = spin_lock_irqsave(&t->lock);
	if (action < 2) {
		t->ld.stopped = action == 0;
		tty_flush_echo_locked(t);
	} else {
		c = t->ld.t.cc[action == 2 ? VSTOP : VSTART];
		if (c)
			t->driver->put(t, &c, 1);
	}
	spin_unlock_irqrestore(&t->lock, flags);
	waitq_wake_all(&t->writers);
	return 0;
}

/* tcsendbreak and tcdrain: a break cannot be sent; both wait for the output. */
static long send_break(struct tty *t)
{
	int err = tty_job_check(t, SIGTTOU);

	return err ? err : drain(t);
}

/* ---- job control ---- */

static bool controls_caller(const struct tty *t)
{
	return READ_ONCE(t->session) && READ_ONCE(t->session) == tty_current_session();
}

static long put_pid(struct tty *t, struct pid **which, u64 arg)
{
	u64 flags;
	u32 nr;

	flags = spin_lock_irqsave(&t->lock);
	nr = *which ? (u32)pid_number(*which) : 0;
	spin_unlock_irqrestore(&t->lock, flags);
	return put_user_u32(uptr_make(arg), nr);
}

static long pgrp_set(struct tty *t, u64 arg)
{
	struct pid *fresh, *old;
	u64 flags;
	u32 nr;
	int err;

	if (!controls_caller(t))
		return -ENOTTY;
	err = tty_job_check(t, SIGTTOU);
	if (err)
		return err;
	if (get_user_u32(uptr_make(arg), &nr) < 0)
		return -EFAULT;
	if ((int)nr <= 0)
		return -EINVAL;
	err = tty_find_pgrp((int)nr, &fresh);
	if (err)
		return err;
	flags = spin_lock_irqsave(&t->lock);
	old = fresh;
	if (t->session == tty_current_session()) {
		old = t->pgrp;
		t->pgrp = fresh;
	} else {
		err = -ENOTTY;
	}
	spin_unlock_irqrestore(&t->lock, flags);
	if (old)
		pid_put(old);
	return err;
}

/* Only a session leader can give it up, for the whole session. */
static long give_up(struct tty *t)
{
	if (!controls_caller(t))
		return -ENOTTY;
	if (!tty_current_is_leader())
		return -EPERM;
	tty_hangup_session(t);
	return 0;
}

static long job_call(struct tty *t, u32 cmd, u64 arg)
{
	switch (cmd) {
	case TIOCSCTTY: return controls_caller(t) ? 0 : tty_session_attach(t);
	case TIOCNOTTY: return give_up(t);
	case TIOCGPGRP: return controls_caller(t) ? put_pid(t, &t->pgrp, arg) : -ENOTTY;
	case TIOCGSID: return controls_caller(t) ? put_pid(t, &t->session, arg) : -ENOTTY;
	case TIOCSPGRP: return pgrp_set(t, arg);
	default: return -ENOTTY;
	}
}

/* ---- the rest ---- */

static u32 nr_readable(struct tty *t)
{
	u64 flags = spin_lock_irqsave(&t->lock);
	u32 n = ldisc_available(&t->ld);

	spin_unlock_irqrestore(&t->lock, flags);
	return n;
}

long tty_ioctl_common(struct tty *t, u32 cmd, u64 arg)
{
	switch (cmd) {
	case TIOCGWINSZ: return winsize_get(t, arg);
	case TIOCSWINSZ: return winsize_set(t, arg);
	default: return termios_call(t, cmd, arg);
	}
}

static long misc_call(struct tty *t, u32 cmd, u64 arg)
{
	struct uptr p = uptr_make(arg);

	switch (cmd) {
	case TCSBRK:
	case TCSBRKP: return send_break(t);
	case TCXONC: return flow(t, arg);
	case TCFLSH: return flush(t, arg);
	case FIONREAD: return put_user_u32(p, nr_readable(t));
	case TIOCOUTQ: return put_user_u32(p, t->driver->pending(t));
	case TIOCSTI: return -EPERM; /* typing into one's own terminal is how sandboxes are left */
	case TIOCEXCL:
	case TIOCNXCL: WRITE_ONCE(t->exclusive, cmd == TIOCEXCL); return 0;
	case TIOCGEXCL: return put_user_u32(p, READ_ONCE(t->exclusive));
	case TIOCMGET:
		return t->driver->flush_output
			? -ENOTTY /* a pty has no modem lines */
			: put_user_u32(p, TIOCM_DTR | TIOCM_RTS | TIOCM_CTS | TIOCM_CAR | TIOCM_DSR);
	case TIOCGETD: return put_user_u32(p, 0); /* N_TTY */
	case TIOCGDEV: return put_user_u32(p, t->rdev);
	default: return -ENOTTY;
	}
}

long tty_ioctl(struct chardev *cd, void *cookie, u32 cmd, u64 arg)
{
	struct tty_open *o = cookie;
	long ret;

	if (tty_is_hung(o))
		return cmd == TIOCSPGRP ? -ENOTTY : -EIO;
	ret = tty_ioctl_common(o->tty, cmd, arg);
	if (ret == -ENOTTY)
		ret = job_call(o->tty, cmd, arg);
	if (ret == -ENOTTY)
		ret = misc_call(o->tty, cmd, arg);
	return ret;
}
