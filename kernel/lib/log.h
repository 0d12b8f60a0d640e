/*
 * The kernel log: a ring of records, each one line of text with level, sequence number and time;
 * new ones overwrite the oldest. Records at or below the console threshold also go to the console
 * sink, as they are written.
 *
 * Context: any, on any hart, also with interrupts off and locks held. A single raw lock guards the
 * ring and the console; the sink runs under it with interrupts off, so the sink must not log and
 * must not sleep. Sequence numbers start at 0 and have no gaps: a reader that finds a later one
 * than it asked for has lost the rest.
 */
#ifndef LIB_LOG_H
#define LIB_LOG_H

#include <stdarg.h>

#include "lib/types.h"

/* The numbers of syslog(2). */
enum log_level {
	LOG_LEVEL_EMERG,
	LOG_LEVEL_ALERT,
	LOG_LEVEL_CRIT,
	LOG_LEVEL_ERR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

#define LOG_TEXT_MAX  240 /* longer lines are cut */
#define LOG_LINE_MAX  (LOG_TEXT_MAX + 48)
#define LOG_RING_SIZE (64 * 1024)

struct log_record {
	u64 seq;
	u64 time_ns; /* of the log clock */
	enum log_level level;
	u32 len;                     /* of text */
	char text[LOG_TEXT_MAX + 1]; /* no newline; NUL-terminated */
};

/* ---- writing ---- */
/* One record; a newline at the end is optional, others inside become spaces. */
void log_printf(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);
void log_vprintf(enum log_level level, const char *fmt, va_list args) PRINTF_LIKE(2, 0);

#define pr_emerg(...)  log_printf(LOG_LEVEL_EMERG, __VA_ARGS__)
#define pr_err(...)    log_printf(LOG_LEVEL_ERR, __VA_ARGS__)
#define pr_warn(...)   log_printf(LOG_LEVEL_WARN, __VA_ARGS__)
#define pr_notice(...) log_printf(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define pr_info(...)   log_printf(LOG_LEVEL_INFO, __VA_ARGS__)
#ifdef VITRINE_DEBUG
#define pr_debug(...) log_printf(LOG_LEVEL_DEBUG, __VA_ARGS__)
#else
#define pr_debug(...)                                             \
	do {                                                      \
		if (0)                                            \
			log_printf(LOG_LEVEL_DEBUG, __VA_ARGS__); \
	} while (0)
#endif

/* ---- set-up ---- */
typedef u64 (*log_clock_fn)(void);
typedef void (*log_console_fn)(const char *text, size_t len);
enum log_replay { LOG_REPLAY_NONE, LOG_REPLAY_ALL };

/* Time stamps are 0 before this. */
void log_set_clock(log_clock_fn clock);
/* NULL: none. LOG_REPLAY_ALL first prints what the ring holds already (threshold applied). */
void log_set_console(log_console_fn console, enum log_replay replay);
/*
 * The console shows records with level <= this (LOG_LEVEL_WARN: quiet). Starts as LOG_LEVEL_INFO.
 */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
/* Straight to the console sink, as it is; not kept. For panic. */
void log_console_raw(const char *text);
/* For panic: from now on the log takes no lock and the console shows everything. */
void log_enter_panic(void);

/* ---- reading: /proc/kmsg, syslog(2) ---- */
/* Sequence number that the next record will get, and of the oldest one kept (equal: none kept). */
u64 log_next_seq(void);
u64 log_first_seq(void);

/*
 * Copies out the record `*seq`, or the oldest kept if that was overwritten, and moves *seq past it.
 * Errors: -EAGAIN when it is not written yet.
 */
int log_read_record(u64 *seq, struct log_record *record);

enum log_style {
	LOG_STYLE_CONSOLE, /* "[    1.234567] text\n" */
	LOG_STYLE_SYSLOG,  /* the same with "<level>" before */
	LOG_STYLE_KMSG,    /* "level,seq,usec,-;text\n", /dev/kmsg */
};
/* One line into buf (LOG_LINE_MAX suffices). Returns its length. */
size_t log_format(const struct log_record *record, enum log_style style, char *buf, size_t size);

/*
 * As many whole lines as fit, from record *seq on; *seq moves past them. Returns the bytes stored:
 * 0 when there is nothing newer (or the next line does not fit).
 */
size_t log_read(u64 *seq, enum log_style style, char *buf, size_t size);

/* ---- implemented by arch ---- */
/* Interrupts off on this hart, returning what they were; and back. */
u64 log_irq_save(void);
void log_irq_restore(u64 flags);

#endif
