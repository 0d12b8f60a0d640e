// host-sources: kernel/lib/log.c kernel/lib/printf.c
/* The log ring: order, overwriting, reading back, console threshold, formats. */
#include <string.h>

#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/log.h"

static u32 irq_off;
static u64 now;
static char console[4096];
static size_t console_len;

u64 log_irq_save(void)
{
	return irq_off++;
}

void log_irq_restore(u64 flags)
{
	irq_off = (u32)flags;
}

static u64 fake_clock(void)
{
	return now;
}

static void fake_console(const char *text, size_t len)
{
	ASSERT(irq_off && console_len + len < sizeof(console));
	memcpy(console + console_len, text, len);
	console_len += len;
	console[console_len] = '\0';
}

static void test_formats(void)
{
	struct log_record r;
	char buf[LOG_LINE_MAX];
	u64 seq = 0;

	pr_info("early");
	pr_debug("not in release");
	log_set_clock(fake_clock);
	now = 12345678901;
	pr_warn("two\nlines %d\n", 7);
	log_set_console(fake_console, LOG_REPLAY_ALL);
	ASSERT(strcmp(console, "[    0.000000] early\n[   12.345678] two lines 7\n") == 0);
	log_set_level(LOG_LEVEL_WARN);
	pr_info("quiet");
	pr_err("loud");
	ASSERT(strstr(console, "loud\n") && !strstr(console, "quiet"));
	ASSERT(log_next_seq() == 4 && log_first_seq() == 0);
	ASSERT(log_read_record(&seq, &r) == 0 && seq == 1 && r.seq == 0 && strcmp(r.text, "early") == 0);
	ASSERT(log_read_record(&seq, &r) == 0 && r.level == LOG_LEVEL_WARN && r.time_ns == now);
	log_format(&r, LOG_STYLE_SYSLOG, buf, sizeof(buf));
	ASSERT(strcmp(buf, "<4>[   12.345678] two lines 7\n") == 0);
	log_format(&r, LOG_STYLE_KMSG, buf, sizeof(buf));
	ASSERT(strcmp(buf, "4,1,12345678,-;two lines 7\n") == 0);
	seq = 4;
	ASSERT(log_read_record(&seq, &r) == -EAGAIN && seq == 4);
}

static void test_overwriting(void)
{
	struct log_record r;
	u64 expected, seq = 0;
	char line[LOG_TEXT_MAX + 50];
	char buf[300];

	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	for (u32 i = 0; i < 5000; i++)
		log_printf(LOG_LEVEL_INFO, "%u %.*s", i, (int)(i % sizeof(line)), line);
	ASSERT(log_next_seq() == 5004);
	ASSERT(log_next_seq() - log_first_seq() > LOG_RING_SIZE / LOG_TEXT_MAX - 2);
	expected = log_first_seq();
	while (log_read_record(&seq, &r) == 0) {
		char want[LOG_TEXT_MAX + 1];
		u32 i = (u32)expected - 4;

		snprintf(want, sizeof(want), "%u %.*s", i, (int)(i % sizeof(line)), line);
		ASSERT(r.seq == expected && seq == expected + 1 && strcmp(r.text, want) == 0);
		expected++;
	}
	ASSERT(expected == 5004);
	seq = 5001;
	for (u32 i = 0; i < 3000; i++)
		pr_info("s");
	ASSERT(log_next_seq() - log_first_seq() == 1024);
	ASSERT(log_read(&seq, LOG_STYLE_CONSOLE, buf, 5) == 0 && seq == 5001);
	seq = log_next_seq() - 2;
	ASSERT(log_read(&seq, LOG_STYLE_CONSOLE, buf, sizeof(buf)) == 2 * strlen("[   12.345678] s\n"));
	ASSERT(seq == log_next_seq());
}

int main(void)
{
	test_formats();
	test_overwriting();
	ASSERT(irq_off == 0);
	console_len = 0;
	log_enter_panic();
	pr_info("shown now");
	ASSERT(strstr(console, "shown now"));
	return 0;
}
