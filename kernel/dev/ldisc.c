#include "dev/ldisc.h"

#include "lib/string.h"

/* Linux numbers; the same on all machines of interest. */
#define SIGNO_INT  2
#define SIGNO_QUIT 3
#define SIGNO_TSTP 20

static const u8 default_cc[NCCS] = {3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0};

void ldisc_init(struct ldisc *ld)
{
	ld->t = (struct termios){
		.iflag = ICRNL | IXON,
		.oflag = OPOST | ONLCR,
		.cflag = B38400 | CS8 | CREAD | HUPCL,
		.lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
		.ispeed = 38400,
		.ospeed = 38400,
	};
	memcpy(ld->t.cc, default_cc, sizeof(default_cc));
	ld->head = ld->canon = ld->tail = 0;
	ld->column = ld->line_column = 0;
	ld->literal_next = ld->stopped = 0;
	ld->echo_head = ld->echo_tail = 0;
}

static bool has_l(const struct ldisc *ld, u32 flag)
{
	return (ld->t.lflag & flag) != 0;
}

/* 0 in cc[] disables the function. */
static bool is_cc(const struct ldisc *ld, u32 which, u8 c)
{
	return c != 0 && ld->t.cc[which] == c;
}

static bool is_control(u8 c)
{
	return c < 0x20 || c == 0x7f;
}

static bool is_word(u8 c)
{
	return char_is_digit(c) || (char_to_lower(c) >= 'a' && char_to_lower(c) <= 'z') || c == '_' || c >= 0x80;
}

static bool is_continuation(const struct ldisc *ld, u8 c)
{
	return (ld->t.iflag & IUTF8) && (c & 0xc0) == 0x80;
}

/* ---- output ---- */

u32 ldisc_output(struct ldisc *ld, u8 c, u8 *out)
{
	u32 oflag = ld->t.oflag, n;

	out[0] = c;
	if (!(oflag & OPOST))
		return 1;
	if (c == '\r') {
		if ((oflag & ONOCR) && ld->column == 0)
			return 0;
		if (!(oflag & OCRNL)) {
			ld->column = 0;
			return 1;
		}
		out[0] = '\n';
		if (oflag & ONLRET)
			ld->column = 0;
		return 1;
	}
	switch (c) {
	case '\n':
		if (oflag & (ONLCR | ONLRET))
			ld->column = 0;
		if (!(oflag & ONLCR))
			return 1;
		out[0] = '\r';
		out[1] = '\n';
		return 2;
	case '\t':
		n = 8 - (ld->column & 7);
		ld->column += n;
		if ((oflag & TABDLY) != XTABS)
			return 1;
		memset(out, ' ', n);
		return n;
	case '\b': ld->column -= ld->column > 0; return 1;
	default:
		if ((oflag & OLCUC) && c >= 'a' && c <= 'z')
			out[0] = (u8)(c - 32);
		if (!is_control(c) && !is_continuation(ld, c))
			ld->column++;
		return 1;
	}
}

/* ---- echo ---- */

static void echo_raw(struct ldisc *ld, u8 c)
{
	u8 out[LDISC_OUTPUT_MAX];
	u32 n;

	if (LDISC_ECHO_SIZE - (ld->echo_head - ld->echo_tail) < LDISC_OUTPUT_MAX)
		return; /* nobody takes it: it is lost, as on any terminal */
	n = ldisc_output(ld, c, out);
	for (u32 i = 0; i < n; i++)
		ld->echo[ld->echo_head++ % LDISC_ECHO_SIZE] = out[i];
}

static void echo_text(struct ldisc *ld, const char *s)
{
	while (*s)
		echo_raw(ld, (u8)*s++);
}

/* As it is shown: control characters as ^X. */
static void echo_char(struct ldisc *ld, u8 c)
{
	if (has_l(ld, ECHOCTL) && is_control(c) && c != '\t') {
		echo_raw(ld, '^');
		c ^= 0x40;
	}
	echo_raw(ld, c);
}

u32 ldisc_echo_peek(const struct ldisc *ld, const u8 **bytes)
{
	u32 at = ld->echo_tail % LDISC_ECHO_SIZE;

	*bytes = ld->echo + at;
	return MIN(ld->echo_head - ld->echo_tail, LDISC_ECHO_SIZE - at);
}

void ldisc_echo_drop(struct ldisc *ld, u32 n)
{
	ld->echo_tail += n;
}

/* ---- the buffer ---- */

static u32 cells_used(const struct ldisc *ld)
{
	return ld->head - ld->tail;
}

static u16 *cell(struct ldisc *ld, u32 pos)
{
	return &ld->cells[pos % LDISC_SIZE];
}

/* In canonical mode the last cell is kept for the end of the line. */
bool ldisc_has_room(const struct ldisc *ld)
{
	u32 limit = has_l(ld, ICANON) ? LDISC_SIZE - 1 : LDISC_SIZE;

	return cells_used(ld) < limit || (has_l(ld, ICANON) && ld->canon == ld->tail);
}

static void store(struct ldisc *ld, u32 value)
{
	if (cells_used(ld) < LDISC_SIZE)
		*cell(ld, ld->head++) = (u16)value;
}

static void store_raw(struct ldisc *ld, u8 c, struct ldisc_effects *fx)
{
	if (c == 0xff && (ld->t.iflag & (PARMRK | ISTRIP)) == PARMRK)
		store(ld, c);
	store(ld, c);
	fx->readable = 1;
}

static void store_end(struct ldisc *ld, u32 value, struct ldisc_effects *fx)
{
	store(ld, value | LDISC_END);
	ld->canon = ld->head;
	fx->readable = 1;
}

/* ---- editing ---- */

/* How far the cell before `end` moved the cursor, if it is a tab. */
static u32 tab_width(struct ldisc *ld, u32 end)
{
	u32 col = ld->line_column, before = col;

	for (u32 pos = ld->canon; pos != end; pos++) {
		u8 c = (u8)*cell(ld, pos);

		before = col;
		if (c == '\t')
			col = (col | 7) + 1;
		else if (is_control(c))
			col += has_l(ld, ECHOCTL) ? 2 : 0;
		else if (!is_continuation(ld, c))
			col++;
	}
	return col - before;
}

static void echo_erased(struct ldisc *ld, u8 c, u32 tab)
{
	if (c == '\t') {
		while (tab--)
			echo_raw(ld, '\b');
		return;
	}
	if (is_control(c)) {
		if (!has_l(ld, ECHOCTL))
			return;
		echo_text(ld, "\b \b");
	}
	echo_text(ld, "\b \b");
}

/* Takes the last character (all its UTF-8 bytes) off the line. */
static void erase_one(struct ldisc *ld)
{
	u32 width = 0, last = ld->head - 1;
	u8 c;

	while (last != ld->canon && is_continuation(ld, (u8)*cell(ld, last)))
		last--;
	c = (u8)*cell(ld, last);
	if (c == '\t')
		width = tab_width(ld, ld->head);
	ld->head = last;
	if (!has_l(ld, ECHO))
		return;
	if (has_l(ld, ECHOE))
		echo_erased(ld, c, width);
	else
		echo_char(ld, ld->t.cc[VERASE]);
}

static void erase_word(struct ldisc *ld)
{
	bool in_word = false;

	while (ld->head != ld->canon) {
		bool word = is_word((u8)*cell(ld, ld->head - 1));

		if (in_word && !word)
			return;
		in_word |= word;
		erase_one(ld);
	}
}

static void erase_line(struct ldisc *ld)
{
	u32 shown = ECHO | ECHOE | ECHOK | ECHOKE;

	/* Long lines are not rubbed out byte by byte: the echo buffer would not hold it. */
	if ((ld->t.lflag & shown) == shown && ld->head - ld->canon <= LDISC_ECHO_SIZE / 8) {
		while (ld->head != ld->canon)
			erase_one(ld);
		return;
	}
	ld->head = ld->canon;
	if (!has_l(ld, ECHO))
		return;
	echo_char(ld, ld->t.cc[VKILL]);
	if (has_l(ld, ECHOK))
		echo_raw(ld, '\n');
}

static void reprint(struct ldisc *ld, u8 c)
{
	echo_char(ld, c);
	echo_raw(ld, '\n');
	for (u32 pos = ld->canon; pos != ld->head; pos++)
		echo_char(ld, (u8)*cell(ld, pos));
}

/* True when c was an editing function. */
static bool edit(struct ldisc *ld, u8 c)
{
	if (is_cc(ld, VERASE, c)) {
		if (ld->head != ld->canon)
			erase_one(ld);
	} else if (is_cc(ld, VKILL, c)) {
		if (ld->head != ld->canon)
			erase_line(ld);
	} else if (!has_l(ld, IEXTEN)) {
		return false;
	} else if (is_cc(ld, VWERASE, c)) {
		erase_word(ld);
	} else if (is_cc(ld, VLNEXT, c)) {
		ld->literal_next = 1;
		if (has_l(ld, ECHO) && has_l(ld, ECHOCTL))
			echo_text(ld, "^\b");
	} else if (is_cc(ld, VREPRINT, c) && has_l(ld, ECHO)) {
		reprint(ld, c);
	} else {
		return false;
	}
	return true;
}

/* ---- input ---- */

static void line_char(struct ldisc *ld, u8 c)
{
	if (cells_used(ld) >= LDISC_SIZE - 1) { /* the line is too long */
		if (has_l(ld, ECHO) && (ld->t.iflag & IMAXBEL))
			echo_raw(ld, '\a');
		return;
	}
	if (has_l(ld, ECHO)) {
		if (ld->head == ld->canon)
			ld->line_column = ld->column;
		echo_char(ld, c);
	}
	store(ld, c);
}

static void canonical_char(struct ldisc *ld, u8 c, struct ldisc_effects *fx)
{
	if (edit(ld, c))
		return;
	if (c == '\n') {
		if (has_l(ld, ECHO | ECHONL))
			echo_raw(ld, '\n');
		store_end(ld, c, fx);
	} else if (is_cc(ld, VEOF, c)) {
		store_end(ld, LDISC_EOF, fx);
	} else if (is_cc(ld, VEOL, c) || (is_cc(ld, VEOL2, c) && has_l(ld, IEXTEN))) {
		if (has_l(ld, ECHO))
			echo_char(ld, c);
		store_end(ld, c, fx);
	} else {
		line_char(ld, c);
	}
}

static void restart(struct ldisc *ld, struct ldisc_effects *fx)
{
	ld->stopped = 0;
	fx->restarted = 1;
}

static u32 signal_of(const struct ldisc *ld, u8 c)
{
	if (!has_l(ld, ISIG))
		return 0;
	if (is_cc(ld, VINTR, c))
		return SIGNO_INT;
	if (is_cc(ld, VQUIT, c))
		return SIGNO_QUIT;
	return is_cc(ld, VSUSP, c) ? SIGNO_TSTP : 0;
}

/* Flow control and signals; true when c was one of them. They need no room in the buffer. */
static bool control_char(struct ldisc *ld, u8 c, struct ldisc_effects *fx)
{
	u32 signo;

	if (ld->t.iflag & IXON) {
		if (is_cc(ld, VSTART, c)) {
			restart(ld, fx);
			return true;
		}
		if (is_cc(ld, VSTOP, c)) {
			ld->stopped = 1;
			return true;
		}
		if (ld->stopped && (ld->t.iflag & IXANY))
			restart(ld, fx);
	}
	signo = signal_of(ld, c);
	if (!signo)
		return false;
	if (!has_l(ld, NOFLSH)) {
		ldisc_flush_input(ld);
		ld->echo_tail = ld->echo_head;
		fx->flush = 1;
	}
	if (ld->stopped)
		restart(ld, fx);
	if (has_l(ld, ECHO))
		echo_char(ld, c);
	fx->signals |= (u32)BIT(signo);
	return true;
}

static void data_char(struct ldisc *ld, u8 c, struct ldisc_effects *fx)
{
	if (c == '\r') {
		if (ld->t.iflag & IGNCR)
			return;
		if (ld->t.iflag & ICRNL)
			c = '\n';
	} else if (c == '\n' && (ld->t.iflag & INLCR)) {
		c = '\r';
	}
	if (has_l(ld, ICANON)) {
		canonical_char(ld, c, fx);
		return;
	}
	if (has_l(ld, ECHO)) {
		if (c == '\n')
			echo_raw(ld, c);
		else
			echo_char(ld, c);
	}
	store_raw(ld, c, fx);
}

/* False: no room; the byte was not used. */
static bool input_char(struct ldisc *ld, u8 c, struct ldisc_effects *fx)
{
	if (ld->literal_next) {
		if (!ldisc_has_room(ld))
			return false;
		ld->literal_next = 0;
		if (has_l(ld, ICANON))
			line_char(ld, c);
		else
			store_raw(ld, c, fx);
		return true;
	}
	if (ld->t.iflag & ISTRIP)
		c &= 0x7f;
	if ((ld->t.iflag & IUCLC) && has_l(ld, IEXTEN))
		c = (u8)char_to_lower(c);
	if (!has_l(ld, EXTPROC) && control_char(ld, c, fx))
		return true;
	if (!ldisc_has_room(ld))
		return false;
	data_char(ld, c, fx);
	return true;
}

u32 ldisc_input(struct ldisc *ld, const u8 *bytes, u32 n, struct ldisc_effects *fx)
{
	u32 i;

	for (i = 0; i < n; i++)
		if (!input_char(ld, bytes[i], fx))
			break;
	return i;
}

/* ---- reading ---- */

bool ldisc_readable(const struct ldisc *ld, u32 min)
{
	if (has_l(ld, ICANON))
		return ld->canon != ld->tail;
	return cells_used(ld) >= MAX(min, 1u);
}

u32 ldisc_available(const struct ldisc *ld)
{
	u32 n = 0;

	if (!has_l(ld, ICANON))
		return cells_used(ld);
	for (u32 pos = ld->tail; pos != ld->canon; pos++)
		n += !(ld->cells[pos % LDISC_SIZE] & LDISC_EOF);
	return n;
}

u32 ldisc_take(struct ldisc *ld, u8 *dst, u32 n, bool *ended)
{
	bool lines = has_l(ld, ICANON);
	u32 end = lines ? ld->canon : ld->head;
	u32 got = 0;

	*ended = false;
	while (ld->tail != end && !*ended) {
		u16 value = *cell(ld, ld->tail);

		*ended = lines && (value & LDISC_END);
		if (!(lines && (value & LDISC_EOF))) {
			if (got == n) {
				*ended = false;
				break;
			}
			dst[got++] = (u8)value;
		} else if (got == n && n != 0) {
			*ended = false; /* left for ldisc_skip_eof, or for the next piece of the same read */
			break;
		}
		ld->tail++;
	}
	if (!lines)
		ld->canon = ld->tail;
	return got;
}

void ldisc_skip_eof(struct ldisc *ld)
{
	if (has_l(ld, ICANON) && ld->tail != ld->canon && (*cell(ld, ld->tail) & LDISC_EOF))
		ld->tail++;
}

/* ---- settings ---- */

void ldisc_set_termios(struct ldisc *ld, const struct termios *t)
{
	bool was = has_l(ld, ICANON);

	ld->t = *t;
	if (!(t->iflag & IXON))
		ld->stopped = 0;
	if (was == has_l(ld, ICANON))
		return;
	ld->literal_next = 0;
	/* To canonical: what was typed counts as one line. To raw: every cell is plain. */
	for (u32 pos = ld->tail; pos != ld->head; pos++)
		*cell(ld, pos) &= 0xff;
	if (!was && cells_used(ld))
		*cell(ld, ld->head - 1) |= LDISC_END;
	ld->canon = was ? ld->tail : ld->head;
}

void ldisc_flush_input(struct ldisc *ld)
{
	ld->tail = ld->canon = ld->head;
	ld->literal_next = 0;
}
