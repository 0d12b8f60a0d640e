/*
 * Terminals: line discipline, termios, window size, job control; the console
 * (UART) and pseudo-terminals. struct tty_device below it only moves bytes.
 *
 * Sessions and process groups belong to proc/, above this room: a tty keeps
 * `struct pidref *` for its session and foreground group and calls the
 * functions "implemented by proc" below.
 */
#pragma once

#include "lib/types.h"

struct pid; /* proc/pid.h; opaque here */
struct tty;

/* Implemented by proc: */
void pid_get(struct pid *p);
void pid_put(struct pid *p);
int pid_number(const struct pid *p);
int tty_signal_group(struct pid *pgrp, int signo); /* to every process of the group. Context: any */
/* Of current, to be compared only: its parent, or a sibling thread, may put it into others at any time. */
const struct pid *tty_current_pgrp(void);
const struct pid *tty_current_session(void);
int tty_current_is_leader(void); /* session leader? */
struct tty *tty_current(void);   /* controlling tty of current's session, referenced, or NULL (for /dev/tty) */
/* t becomes the controlling tty of current's session if tty_attach agrees. -EPERM: current does not lead it, or it has one. */
int tty_session_attach(struct tty *t);
void tty_session_detach(struct pid *session, struct tty *t); /* hang-up: session loses its tty */
/* 1: the caller may go on; 0 after the group was sent `signo` (return -ERESTARTSYS); -EIO for an orphaned group or blocked signal. */
int tty_background_check(struct pid *tty_pgrp, int signo);
int tty_find_pgrp(int pgid, struct pid **out); /* a group in current's session, referenced; -ESRCH/-EPERM */

void tty_get(struct tty *t);
void tty_put(struct tty *t);
u32 tty_rdev(const struct tty *t);
void tty_hangup_session(struct tty *t); /* the session leader died */
/* For tty_session_attach: t belongs to the session, which refers to it before the caller's lock is dropped. -EPERM: it is taken, or gone. */
int tty_attach(struct tty *t, struct pid *session, struct pid *pgrp);

/* Registers console, tty, ttyS0, ptmx (dev/tty*.c, dev/pty.c). Called by dev_init. */
void tty_init(void);

/* Console input from the UART's interrupt; output path of the kernel log. */
void console_write(const char *s, size_t len);
/* From now on console_write takes no lock (panic). */
void console_enter_panic(void);
