// host-sources: kernel/dev/ldisc.c
/* The line discipline against what a person at a terminal expects: each test types bytes and looks at what is read, echoed, signalled. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dev/ldisc.h"

static struct ldisc ld;
static struct ldisc_effects fx;
static int failures;

#define CHECK(cond)                                                               \
	do {                                                                      \
		if (!(cond)) {                                                    \
			printf("not ok: %s:%d: %s\n", __FILE__, __LINE__, #cond); \
			failures++;                                               \
		}                                                                 \
	} while (0)

static void start(void)
{
	memset(&ld, 0xa5, sizeof(ld));
	ldisc_init(&ld);
	memset(&fx, 0, sizeof(fx));
}

static u32 type(const char *s)
{
	return ldisc_input(&ld, (const u8 *)s, (u32)strlen(s), &fx);
}

/* Everything echoed since the last call. */
static const char *echoed(void)
{
	static char out[2048];
	const u8 *p;
	u32 n, len = 0;

	while ((n = ldisc_echo_peek(&ld, &p)) != 0) {
		memcpy(out + len, p, n);
		len += n;
		ldisc_echo_drop(&ld, n);
	}
	out[len] = '\0';
	return out;
}

/* One read(2) of at most n bytes, as tty.c does it; "(none)" when it would wait. */
static const char *readn(u32 n)
{
	static char out[8192];
	u32 len = 0, got, want;
	bool ended;

	if (!ldisc_readable(&ld, 1))
		return "(none)";
	do {
		want = n - len < 100 ? n - len : 100;
		got = ldisc_take(&ld, (u8 *)out + len, want, &ended);
		len += got;
		if (len == n && !ended)
			ldisc_skip_eof(&ld);
	} while (got == want && !ended && len < n);
	out[len] = '\0';
	return out;
}

#define READS(s)  CHECK(strcmp(readn(4096), s) == 0)
#define ECHOES(s) CHECK(strcmp(echoed(), s) == 0)

static void set_raw(u32 iflag)
{
	struct termios t = ld.t;

	t.iflag = iflag;
	t.lflag = 0;
	ldisc_set_termios(&ld, &t);
}

static void test_lines(void)
{
	start();
	type("hel");
	READS("(none)");
	CHECK(!fx.readable);
	type("lo\rtwo\n");
	CHECK(fx.readable && ldisc_available(&ld) == 10);
	ECHOES("hello\r\ntwo\r\n");
	READS("hello\n");
	CHECK(strcmp(readn(2), "tw") == 0);
	READS("o\n");
	READS("(none)");
}

static void test_end_of_file(void)
{
	start();
	type("\004");
	CHECK(ldisc_readable(&ld, 1) && ldisc_available(&ld) == 0);
	READS("");
	READS("(none)");
	type("abc\004def\n");
	READS("abc");
	READS("def\n");
	type("abc\004x\n");
	CHECK(strcmp(readn(3), "abc") == 0); /* filled exactly: the ^D is not another end of file */
	READS("x\n");
	ECHOES("abcdef\r\nabcx\r\n");
	type("\026\004\n"); /* quoted */
	READS("\004\n");
}

static void test_end_of_file_at_a_piece(void)
{
	char line[128];

	start();
	memset(line, 'y', 100);
	strcpy(line + 100, "\004z\n");
	type(line);
	CHECK(strlen(readn(4096)) == 100);
	READS("z\n");
}

static void test_erase(void)
{
	start();
	type("ab\177c");
	ECHOES("ab\b \bc");
	type("\001\177\n");
	ECHOES("^A\b \b\b \b\r\n");
	READS("ac\n");
	type("\177\177\n");
	READS("\n");
	echoed();
	type("foo bar  \027x\n");
	ECHOES("foo bar  \b \b\b \b\b \b\b \b\b \bx\r\n");
	READS("foo x\n");
	type("abc\025d\n");
	ECHOES("abc\b \b\b \b\b \bd\r\n");
	READS("d\n");
	type("a\tb\177\177\n");
	ECHOES("a\tb\b \b\b\b\b\b\b\b\b\r\n");
	READS("a\n");
}

static void test_erase_utf8(void)
{
	start();
	ld.t.iflag |= IUTF8;
	type("a\xc3\xa9\177\n");
	ECHOES("a\xc3\xa9\b \b\r\n");
	READS("a\n");
	start();
	type("a\xc3\xa9\177\n");
	READS("a\xc3\n");
}

static void test_kill_without_echoke(void)
{
	start();
	ld.t.lflag &= ~ECHOKE;
	type("abc\025d\n");
	ECHOES("abc^U\r\nd\r\n");
	READS("d\n");
}

static void test_signals(void)
{
	start();
	type("abc\003");
	CHECK(fx.signals == BIT(2) && fx.flush);
	ECHOES("^C"); /* the rest of the echo was flushed with the line */
	READS("(none)");
	fx.signals = 0;
	type("\034\032");
	CHECK(fx.signals == (BIT(3) | BIT(20)));
	ld.t.lflag |= NOFLSH;
	type("x\003y\n");
	READS("xy\n");
	ld.t.lflag &= ~ISIG;
	fx.signals = 0;
	type("\003\n");
	CHECK(fx.signals == 0);
	READS("\003\n");
}

static void test_flow(void)
{
	start();
	type("\023");
	CHECK(ld.stopped);
	type("a");
	CHECK(ld.stopped && !fx.restarted);
	type("\021");
	CHECK(!ld.stopped && fx.restarted);
	ld.t.iflag |= IXANY;
	type("\023b");
	CHECK(!ld.stopped);
	type("\n");
	READS("ab\n");
	ld.t.iflag &= ~IXON;
	type("\023\n");
	CHECK(!ld.stopped);
	READS("\023\n");
}

static void test_raw(void)
{
	start();
	set_raw(0);
	type("a\r\003\004\177");
	CHECK(ldisc_available(&ld) == 5 && ldisc_readable(&ld, 5) && !ldisc_readable(&ld, 6));
	READS("a\r\003\004\177");
	ECHOES("");
	ld.t.iflag = INLCR;
	type("\n");
	READS("\r");
	ld.t.iflag = IGNCR;
	type("\rq");
	READS("q");
	ld.t.iflag = ISTRIP;
	type("\xe1");
	READS("a");
}

static void test_mode_changes_keep_input(void)
{
	struct termios lines;

	start();
	lines = ld.t;
	type("one\ntw");
	set_raw(0);
	READS("one\ntw");
	type("xyz");
	ldisc_set_termios(&ld, &lines);
	READS("xyz");
	READS("(none)");
	type("half");
	set_raw(0);
	ldisc_set_termios(&ld, &lines);
	type("way\n");
	READS("half");
	READS("way\n");
}

static void test_line_ends(void)
{
	start();
	ld.t.cc[VEOL] = ';';
	type("ab;cd\n");
	READS("ab;");
	READS("cd\n");
	ld.t.lflag &= ~ECHO;
	ld.t.lflag |= ECHONL;
	echoed();
	type("pw\n");
	ECHOES("\r\n");
	READS("pw\n");
}

static void test_long_line(void)
{
	u32 used = 0;
	u8 c = 'z';

	start();
	ld.t.lflag &= ~ECHO;
	for (u32 i = 0; i < 5000; i++)
		used += ldisc_input(&ld, &c, 1, &fx);
	CHECK(used == 5000);
	type("\n");
	CHECK(ldisc_available(&ld) == LDISC_SIZE);
	CHECK(!ldisc_has_room(&ld) && type("more") == 0);
	CHECK(type("\003") == 1 && fx.signals == BIT(2)); /* ^C passes a full buffer */
	CHECK(ldisc_available(&ld) == 0);
	for (u32 i = 0; i < 5000; i++)
		ldisc_input(&ld, &c, 1, &fx);
	type("\n");
	CHECK(strlen(readn(8000)) == LDISC_SIZE && readn(1)[0] == '(');
}

static void test_raw_full(void)
{
	u8 c = 'z';

	start();
	set_raw(0);
	for (u32 i = 0; i < LDISC_SIZE; i++)
		CHECK(ldisc_input(&ld, &c, 1, &fx) == 1);
	CHECK(ldisc_input(&ld, &c, 1, &fx) == 0);
	CHECK(strlen(readn(10)) == 10 && type("0123456789ab") == 10);
}

static const char *output(const char *s)
{
	static char out[256];
	u32 len = 0;

	while (*s)
		len += ldisc_output(&ld, (u8)*s++, (u8 *)out + len);
	out[len] = '\0';
	return out;
}

static void test_output(void)
{
	start();
	CHECK(strcmp(output("a\nb\r"), "a\r\nb\r") == 0);
	ld.t.oflag |= XTABS;
	CHECK(strcmp(output("ab\tc\n\tx"), "ab      c\r\n        x") == 0);
	ld.t.oflag = OPOST | OCRNL;
	CHECK(strcmp(output("a\rb"), "a\nb") == 0);
	ld.t.oflag = OPOST | ONOCR;
	CHECK(strcmp(output("\n\r"), "\n\r") == 0); /* column not 0 after a bare newline */
	CHECK(strcmp(output("\r\r"), "") == 0);
	ld.t.oflag = OPOST | OLCUC;
	CHECK(strcmp(output("aZ1"), "AZ1") == 0);
	ld.t.oflag = 0;
	CHECK(strcmp(output("a\n\t"), "a\n\t") == 0);
}

static void test_reprint_and_quote(void)
{
	start();
	type("ab\022");
	ECHOES("ab^R\r\nab");
	type("\026\003\n");
	ECHOES("^\b^C\r\n");
	CHECK(fx.signals == 0);
	READS("ab\003\n");
}

/* Random bytes and reads and settings: the invariants of the header hold. */
static void test_random(void)
{
	u8 bytes[64], sink[300];
	bool ended;

	start();
	srand(1);
	for (u32 round = 0; round < 200000; round++) {
		u32 n = (u32)rand() % sizeof(bytes);

		for (u32 i = 0; i < n; i++)
			bytes[i] = (u8)(rand() % 4 ? 'a' + rand() % 26 : rand());
		ldisc_input(&ld, bytes, n, &fx);
		if (rand() % 2)
			echoed();
		if (rand() % 3)
			ldisc_take(&ld, sink, 1 + (u32)rand() % sizeof(sink), &ended);
		if (rand() % 64 == 0) {
			struct termios t = ld.t;

			t.iflag = (u32)rand() & 077777;
			t.oflag = (u32)rand() & 017777;
			t.lflag = (u32)rand() & 0177777;
			ldisc_set_termios(&ld, &t);
		}
		CHECK(ld.canon - ld.tail <= ld.head - ld.tail && ld.head - ld.tail <= LDISC_SIZE);
		CHECK(ld.echo_head - ld.echo_tail <= LDISC_ECHO_SIZE);
		if (failures)
			return;
	}
}

int main(void)
{
	test_lines();
	test_end_of_file();
	test_end_of_file_at_a_piece();
	test_erase();
	test_erase_utf8();
	test_kill_without_echoke();
	test_signals();
	test_flow();
	test_raw();
	test_mode_changes_keep_input();
	test_line_ends();
	test_long_line();
	test_raw_full();
	test_output();
	test_reprint_and_quote();
	test_random();
	if (failures == 0)
		printf("ok ldisc\n");
	return failures != 0;
}
