/*
 * The line discipline: what a terminal makes of the bytes typed at it, and of those written to it. Pure: it knows
 * neither tasks nor devices, so it is tested on the host (tests/host/ldisc_test.c).
 *
 *	device --ldisc_input--> cells --ldisc_take--> reader
 *	              \--echo--> echo[] --ldisc_echo_take--> device
 *	writer --ldisc_output--> device
 *
 *	cells, free-running positions:   tail <= canon <= head <= tail + LDISC_SIZE
 *	   tail..canon   whole lines, each closed by a cell marked LDISC_END (canonical mode)
 *	   canon..head   the line being edited; in raw mode all of tail..head may be read
 *
 * Locking is the caller's (one spinlock; nothing here sleeps). Source: POSIX.1-2017, General Terminal Interface;
 * Linux termios(3) where POSIX leaves it open.
 */
#pragma once

#include "dev/termios.h"
#include "lib/types.h"

#define LDISC_SIZE       4096u
#define LDISC_ECHO_SIZE  1024u
#define LDISC_OUTPUT_MAX 8u /* bytes that one written byte may become (a tab) */

#define LDISC_END 0x100u /* this cell closes a line */
#define LDISC_EOF 0x200u /* ... and is no byte itself: ^D */

struct ldisc {
	struct termios t;
	u32 head, canon, tail;
	u32 column;      /* of the cursor, as far as output has told */
	u32 line_column; /* column at which the line being edited began */
	u8 literal_next; /* the next byte is no control character (VLNEXT) */
	u8 stopped;      /* ^S: output waits */
	u32 echo_head, echo_tail;
	u16 cells[LDISC_SIZE];
	u8 echo[LDISC_ECHO_SIZE];
};

/* What input bytes caused besides cells and echo. */
struct ldisc_effects {
	u32 signals;  /* BIT(signal number): to the foreground group */
	u8 readable;  /* a reader may go on now */
	u8 restarted; /* output goes on */
	u8 flush;     /* throw away output not yet sent */
};

/* Linux's settings for a fresh terminal (tty_std_termios). */
void ldisc_init(struct ldisc *ld);

/* Returns how many of the n bytes were used: fewer when the reader must make room first. Adds to *fx. */
u32 ldisc_input(struct ldisc *ld, const u8 *bytes, u32 n, struct ldisc_effects *fx);
/* Would ldisc_input use at least one ordinary byte? */
bool ldisc_has_room(const struct ldisc *ld);

/* Is there something for a reader that wants at least `min` bytes (raw mode), or a line (canonical)? */
bool ldisc_readable(const struct ldisc *ld, u32 min);
/* Bytes in raw mode; those of whole lines in canonical mode (FIONREAD). */
u32 ldisc_available(const struct ldisc *ld);
/* Takes at most n bytes, of one line only in canonical mode. *ended: a line end was taken, so the read is over. */
u32 ldisc_take(struct ldisc *ld, u8 *dst, u32 n, bool *ended);
/* A read was filled exactly and the line's ^D comes next: take it, or the next read would report end of file. */
void ldisc_skip_eof(struct ldisc *ld);

/* One written byte becomes up to LDISC_OUTPUT_MAX bytes for the device. Returns how many. */
u32 ldisc_output(struct ldisc *ld, u8 c, u8 *out);
/* Echo that waits to be sent (already processed for output): a contiguous piece, and its removal. */
u32 ldisc_echo_peek(const struct ldisc *ld, const u8 **bytes);
void ldisc_echo_drop(struct ldisc *ld, u32 n);

/* New settings; unread input is kept and changes its meaning as on Linux. */
void ldisc_set_termios(struct ldisc *ld, const struct termios *t);
/* Forgets unread input. */
void ldisc_flush_input(struct ldisc *ld);
