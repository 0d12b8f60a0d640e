/*
 * The log ring: the texts lie one after another in `text` (wrapping round), and record `seq` is
 * described by slot seq % NR_SLOTS. Kept are the records [first_seq, next_seq); a new one pushes
 * out the oldest until both its text and its slot are free. Everything is guarded by `ring.lock`,
 * with interrupts off.
 */
#include "lib/atomic.h"
#include "lib/errno.h"
#include "lib/layout.h"
#include "lib/log.h"
#include "lib/printf.h"
#include "lib/string.h"

#define NR_SLOTS 1024

struct log_slot {
	u64 time_ns;
	u64 start; /* running byte number of the text; its place is start % LOG_RING_SIZE */
	u16 len;
	u8 level;
};

struct log_state {
	u32 lock; /* 0 free, 1 held: a raw test-and-set lock, since sync/ may itself log */
	bool panicking;
	enum log_level threshold;
	log_clock_fn clock;
	log_console_fn console;
	u64 first_seq;
	u64 next_seq;
	u64 end; /* running byte number where the next text goes */
	struct log_slot slots[NR_SLOTS];
	char text[LOG_RING_SIZE];
};

static struct log_state ring = {.threshold = LOG_LEVEL_INFO};

/* For readers of RAM, in a dump above all (docs/view.md). */
LAYOUT_ENTRY("log_ring", LAYOUT_ADDRESS, &ring, sizeof(ring));
LAYOUT_IS_FIELD(log_state, first_seq);
LAYOUT_IS_FIELD(log_state, next_seq);
LAYOUT_IS_FIELD(log_state, slots);
LAYOUT_IS_FIELD(log_state, text);
LAYOUT_IS_STRUCT(log_slot);
LAYOUT_IS_FIELD(log_slot, time_ns);
LAYOUT_IS_FIELD(log_slot, start);
LAYOUT_IS_FIELD(log_slot, len);
LAYOUT_IS_FIELD(log_slot, level);

static u64 log_lock(void)
{
	u64 flags = log_irq_save();

	while (__atomic_exchange_n(&ring.lock, 1, __ATOMIC_ACQUIRE)) {
		while (READ_ONCE(ring.lock)) {
			/* The holder may be the very code that panicked, or be stopped. */
			if (READ_ONCE(ring.panicking))
				return flags;
		}
	}
	return flags;
}

static void log_unlock(u64 flags)
{
	store_release(&ring.lock, 0);
	log_irq_restore(flags);
}

void log_enter_panic(void)
{
	WRITE_ONCE(ring.panicking, true);
}

static struct log_slot *slot_of(u64 seq)
{
	return &ring.slots[seq % NR_SLOTS];
}

static void record_load(u64 seq, struct log_record *record)
{
	const struct log_slot *slot = slot_of(seq);

	record->seq = seq;
	record->time_ns = slot->time_ns;
	record->level = slot->level;
	record->len = slot->len;
	for (u32 i = 0; i < slot->len; i++)
		record->text[i] = ring.text[(slot->start + i) % LOG_RING_SIZE];
	record->text[slot->len] = '\0';
}

/* Gives the record its seq and time. */
static void record_store(struct log_record *record)
{
	struct log_slot *slot;

	record->seq = ring.next_seq;
	record->time_ns = ring.clock ? ring.clock() : 0;
	while (ring.first_seq < ring.next_seq &&
		(ring.next_seq - ring.first_seq == NR_SLOTS ||
			ring.end + record->len - slot_of(ring.first_seq)->start > LOG_RING_SIZE))
		ring.first_seq++;
	slot = slot_of(ring.next_seq);
	slot->time_ns = record->time_ns;
	slot->start = ring.end;
	slot->len = (u16)record->len;
	slot->level = (u8)record->level;
	for (u32 i = 0; i < record->len; i++)
		ring.text[(ring.end + i) % LOG_RING_SIZE] = record->text[i];
	ring.end += record->len;
	ring.next_seq++;
}

static void console_show(const struct log_record *record)
{
	char line[LOG_LINE_MAX];

	if (!ring.console || (record->level > ring.threshold && !ring.panicking))
		return;
	ring.console(line, log_format(record, LOG_STYLE_CONSOLE, line, sizeof(line)));
}

void log_vprintf(enum log_level level, const char *fmt, va_list args)
{
	struct log_record record;
	u64 flags;

	record.level = level;
	record.len = (u32)vscnprintf(record.text, sizeof(record.text), fmt, args);
	if (record.len && record.text[record.len - 1] == '\n')
		record.len--;
	record.text[record.len] = '\0';
	for (u32 i = 0; i < record.len; i++)
		if (record.text[i] == '\n')
			record.text[i] = ' ';
	flags = log_lock();
	record_store(&record);
	console_show(&record);
	log_unlock(flags);
}

void log_printf(enum log_level level, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_vprintf(level, fmt, args);
	va_end(args);
}

/* ---- set-up ---- */
void log_set_clock(log_clock_fn clock)
{
	WRITE_ONCE(ring.clock, clock);
}

void log_console_raw(const char *text)
{
	if (ring.console)
		ring.console(text, strlen(text));
}

void log_set_console(log_console_fn console, enum log_replay replay)
{
	u64 flags = log_lock();

	ring.console = console;
	for (u64 seq = ring.first_seq; replay == LOG_REPLAY_ALL && seq < ring.next_seq; seq++) {
		struct log_record record;

		record_load(seq, &record);
		console_show(&record);
	}
	log_unlock(flags);
}

void log_set_level(enum log_level level)
{
	WRITE_ONCE(ring.threshold, level);
}

enum log_level log_get_level(void)
{
	return READ_ONCE(ring.threshold);
}

/* ---- reading ---- */
u64 log_next_seq(void)
{
	return READ_ONCE(ring.next_seq);
}

u64 log_first_seq(void)
{
	return READ_ONCE(ring.first_seq);
}

int log_read_record(u64 *seq, struct log_record *record)
{
	u64 flags = log_lock();
	u64 at = MAX(*seq, ring.first_seq);
	int err = -EAGAIN;

	if (at < ring.next_seq) {
		record_load(at, record);
		*seq = at + 1;
		err = 0;
	}
	log_unlock(flags);
	return err;
}

size_t log_format(const struct log_record *record, enum log_style style, char *buf, size_t size)
{
	u64 us = record->time_ns / 1000;
	size_t len = 0;

	if (style == LOG_STYLE_KMSG)
		return scnprintf(buf, size, "%u,%lu,%lu,-;%.*s\n", record->level, record->seq, us, (int)record->len,
			record->text);
	if (style == LOG_STYLE_SYSLOG)
		len = scnprintf(buf, size, "<%u>", record->level);
	return len +
		scnprintf(buf + len, size - len, "[%5lu.%06lu] %.*s\n", us / 1000000, us % 1000000, (int)record->len,
			record->text);
}

size_t log_read(u64 *seq, enum log_style style, char *buf, size_t size)
{
	size_t stored = 0;

	for (;;) {
		struct log_record record;
		char line[LOG_LINE_MAX];
		u64 next = *seq;
		size_t len;

		if (log_read_record(&next, &record) < 0)
			return stored;
		len = log_format(&record, style, line, sizeof(line));
		if (len > size - stored)
			return stored;
		for (size_t i = 0; i < len; i++)
			buf[stored + i] = line[i];
		stored += len;
		*seq = next;
	}
}
