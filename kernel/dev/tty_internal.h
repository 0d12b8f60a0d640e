/*
 * What tty.c, tty_ioctl.c, console.c and pty.c know of each other.
 *
 * A struct tty is a terminal as programs see it; a struct tty_driver moves its bytes. Each open file has a struct
 * tty_open, because a hang-up ends those that are open and not those that come later.
 *
 * Life: references are held by open files, by the session it controls (proc's tty_session_attach), by a pty's master,
 * and for ever by the console itself.
 *
 * Locks: tty->lock (spinlock, RANK_TTY, taken by interrupt handlers) guards all but the two waitqs. Signals to groups are
 * sent after it is dropped: the locks of proc come before it. read_turn and write_turn (mutexes, RANK_TTY_SLEEP) are held
 * while bytes are copied, so that one read's or write's bytes stay together; a reader does not wait for input under its turn.
 * Conditions of sleepers read the words of the buffers without the lock: they decide only whether to look again.
 */
#pragma once

#include "dev/chardev.h"
#include "dev/ldisc.h"
#include "dev/tty.h"
#include "lib/refcount.h"
#include "sync/mutex.h"
#include "sync/spinlock.h"
#include "sync/waitq.h"

#define SIGHUP   1
#define SIGCONT  18
#define SIGTTIN  21
#define SIGTTOU  22
#define SIGWINCH 28

#define TTY_RDEV(major, minor) ((u32)(major) << 8 | ((u32)(minor)&0xff) | ((u32)(minor) & ~0xffu) << 12)

/* put, room and flush_output are called under tty->lock, room also without. */
struct tty_driver {
	u32 (*put)(struct tty *t, const u8 *bytes, u32 n); /* takes what fits */
	u32 (*room)(struct tty *t);
	u32 (*pending)(struct tty *t);       /* bytes on their way (tcdrain, TIOCOUTQ) */
	void (*flush_output)(struct tty *t); /* NULL: bytes taken cannot be called back */
	void (*input_room)(struct tty *t);   /* a reader made room. Not locked */
	void (*closed)(struct tty *t);       /* the last open file is gone; may be NULL. Locked */
	void (*destroy)(struct tty *t);      /* the last reference is gone */
};

#define PTS_MAJOR 136u

struct tty {
	struct refcount refs;
	const struct tty_driver *driver;
	u32 rdev;
	struct spinlock lock;
	struct ldisc ld;
	struct winsize size;
	struct pid *session, *pgrp; /* referenced, or NULL: controls no session */
	u32 generation;             /* rises with each hang-up */
	u32 gone;                   /* never to be opened again: the master closed */
	u32 nr_open;
	u32 exclusive; /* TIOCEXCL */
	struct mutex read_turn, write_turn;
	struct waitq readers, writers; /* writers: also who waits for output to drain */
};

struct tty_open {
	struct tty *tty;
	u32 generation;
	u32 is_console; /* /dev/console never hangs up */
};

/* ---- tty.c ---- */

void tty_setup(struct tty *t, const struct tty_driver *driver, u32 rdev); /* refs = 1 */
enum tty_open_kind { TTY_OPEN_ORDINARY, TTY_OPEN_CONSOLE };
int tty_open_instance(struct tty *t, u32 flags, enum tty_open_kind kind, void **cookie);
extern const struct chardev_ops tty_ops; /* all but open, for a struct tty_open */
void tty_close(struct chardev *cd, void *cookie);
ssize_t tty_read(struct chardev *cd, void *cookie, struct uio *uio, u32 flags);
ssize_t tty_write(struct chardev *cd, void *cookie, struct uio *uio, u32 flags);
u32 tty_poll(struct chardev *cd, void *cookie, struct poll_sink *sink);
int tty_is_hung(const struct tty_open *o);

/* Bytes typed at it; returns how many were used. Locks: tty->lock held; call tty_effects after dropping it. */
u32 tty_input_locked(struct tty *t, const u8 *bytes, u32 n, struct ldisc_effects *fx);
void tty_effects(struct tty *t, const struct ldisc_effects *fx);
/* Sends waiting echo. Locks: tty->lock. */
void tty_flush_echo_locked(struct tty *t);
/* Its session loses the terminal: SIGHUP and SIGCONT to its foreground. */
void tty_detach(struct tty *t);
/* The same, and open files end. */
void tty_hangup(struct tty *t);
/* 0, or what a background process gets: -ERESTARTSYS (after the signal), -EIO. */
int tty_job_check(struct tty *t, int signo);
int tty_signal_foreground(struct tty *t, int signo);

/* ---- tty_ioctl.c ---- */
long tty_ioctl(struct chardev *cd, void *cookie, u32 cmd, u64 arg);
/* The calls that mean the same on a pty's master. -ENOTTY: not one of them. */
long tty_ioctl_common(struct tty *t, u32 cmd, u64 arg);

/* ---- console.c, pty.c ---- */
void console_init(void);
void pty_init(void);
