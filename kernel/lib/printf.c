#include "lib/printf.h"

enum { FLAG_LEFT = 1, FLAG_PLUS = 2, FLAG_SPACE = 4, FLAG_ZERO = 8, FLAG_ALT = 16, FLAG_UPPER = 32 };
enum length { LENGTH_CHAR, LENGTH_SHORT, LENGTH_INT, LENGTH_LONG };

/* One conversion. */
struct spec {
	u32 flags;
	u32 width;
	s32 precision; /* -1: none given */
	enum length length;
	char conversion;
};

struct output {
	format_emit_fn emit;
	void *ctx;
	size_t total;
};

static void put(struct output *out, const char *text, size_t len)
{
	if (len) {
		out->emit(out->ctx, text, len);
		out->total += len;
	}
}

static void put_repeated(struct output *out, char c, size_t n)
{
	char chunk[16];

	for (size_t i = 0; i < sizeof(chunk); i++)
		chunk[i] = c;
	for (; n > sizeof(chunk); n -= sizeof(chunk))
		put(out, chunk, sizeof(chunk));
	put(out, chunk, n);
}

/* prefix, zeros, body; padded to the width. */
static void put_field(struct output *out, const struct spec *spec, const char *prefix, size_t prefix_len, size_t zeros,
	const char *body, size_t len)
{
	size_t used = prefix_len + zeros + len;
	size_t pad = spec->width > used ? spec->width - used : 0;

	if (!(spec->flags & FLAG_LEFT))
		put_repeated(out, ' ', pad);
	put(out, prefix, prefix_len);
	put_repeated(out, '0', zeros);
	put(out, body, len);
	if (spec->flags & FLAG_LEFT)
		put_repeated(out, ' ', pad);
}

static void put_number(struct output *out, const struct spec *spec, u64 value, u32 base, const char *prefix)
{
	const char *digits = spec->flags & FLAG_UPPER ? "0123456789ABCDEF" : "0123456789abcdef";
	char body[24];
	size_t at = sizeof(body);
	size_t prefix_len = 0;
	size_t zeros = 0;
	size_t len;

	while (prefix[prefix_len])
		prefix_len++;
	for (; value; value /= base)
		body[--at] = digits[value % base];
	len = sizeof(body) - at;
	if (spec->precision >= 0) {
		if ((size_t)spec->precision > len)
			zeros = (size_t)spec->precision - len;
	} else {
		if (len == 0)
			zeros = 1;
		if ((spec->flags & (FLAG_ZERO | FLAG_LEFT)) == FLAG_ZERO && spec->width > prefix_len + zeros + len)
			zeros = spec->width - prefix_len - len;
	}
	if (base == 8 && (spec->flags & FLAG_ALT) && zeros == 0)
		zeros = 1;
	put_field(out, spec, prefix, prefix_len, zeros, body + at, len);
}

static void put_signed(struct output *out, const struct spec *spec, s64 value)
{
	const char *prefix = "";

	if (value < 0)
		prefix = "-";
	else if (spec->flags & FLAG_PLUS)
		prefix = "+";
	else if (spec->flags & FLAG_SPACE)
		prefix = " ";
	put_number(out, spec, value < 0 ? 0 - (u64)value : (u64)value, 10, prefix);
}

static void put_unsigned(struct output *out, const struct spec *spec, u64 value)
{
	switch (spec->conversion) {
	case 'x': put_number(out, spec, value, 16, (spec->flags & FLAG_ALT) && value ? "0x" : ""); break;
	case 'X': put_number(out, spec, value, 16, (spec->flags & FLAG_ALT) && value ? "0X" : ""); break;
	case 'o': put_number(out, spec, value, 8, ""); break;
	default: put_number(out, spec, value, 10, ""); break;
	}
}

static void put_string(struct output *out, const struct spec *spec, const char *s)
{
	size_t len = 0;

	if (!s)
		s = "(null)";
	while ((spec->precision < 0 || len < (size_t)spec->precision) && s[len])
		len++;
	put_field(out, spec, "", 0, 0, s, len);
}

static const char *parse_flags(const char *p, struct spec *spec)
{
	for (;; p++) {
		switch (*p) {
		case '-': spec->flags |= FLAG_LEFT; break;
		case '+': spec->flags |= FLAG_PLUS; break;
		case ' ': spec->flags |= FLAG_SPACE; break;
		case '0': spec->flags |= FLAG_ZERO; break;
		case '#': spec->flags |= FLAG_ALT; break;
		default: return p;
		}
	}
}

static const char *parse_decimal(const char *p, u32 *value)
{
	*value = 0;
	for (; *p >= '0' && *p <= '9'; p++)
		if (*value < 100000)
			*value = *value * 10 + (u32)(*p - '0');
	return p;
}

static const char *parse_length(const char *p, struct spec *spec)
{
	spec->length = LENGTH_INT;
	if (*p == 'h') {
		p++;
		spec->length = *p == 'h' ? LENGTH_CHAR : LENGTH_SHORT;
		return *p == 'h' ? p + 1 : p;
	}
	if (*p == 'l' || *p == 'z' || *p == 'j' || *p == 't') {
		spec->length = LENGTH_LONG;
		return p[0] == 'l' && p[1] == 'l' ? p + 2 : p + 1;
	}
	return p;
}

/* va_list may be an array type: a struct lets it go by reference. */
struct arguments {
	va_list list;
};

static const char *parse_spec(const char *p, struct spec *spec, struct arguments *args)
{
	spec->flags = 0;
	spec->precision = -1;
	p = parse_flags(p, spec);
	if (*p == '*') {
		int width = va_arg(args->list, int);

		if (width < 0)
			spec->flags |= FLAG_LEFT;
		spec->width = width < 0 ? 0u - (u32)width : (u32)width;
		p++;
	} else {
		p = parse_decimal(p, &spec->width);
	}
	if (*p == '.') {
		u32 precision;

		p++;
		if (*p == '*') {
			spec->precision = va_arg(args->list, int);
			p++;
		} else {
			p = parse_decimal(p, &precision);
			spec->precision = (s32)precision;
		}
	}
	p = parse_length(p, spec);
	spec->conversion = *p;
	return p;
}

static s64 fetch_signed(const struct spec *spec, struct arguments *args)
{
	switch (spec->length) {
	case LENGTH_LONG: return va_arg(args->list, long);
	case LENGTH_CHAR: return (signed char)va_arg(args->list, int);
	case LENGTH_SHORT: return (short)va_arg(args->list, int);
	default: return va_arg(args->list, int);
	}
}

static u64 fetch_unsigned(const struct spec *spec, struct arguments *args)
{
	switch (spec->length) {
	case LENGTH_LONG: return va_arg(args->list, unsigned long);
	case LENGTH_CHAR: return (unsigned char)va_arg(args->list, unsigned int);
	case LENGTH_SHORT: return (unsigned short)va_arg(args->list, unsigned int);
	default: return va_arg(args->list, unsigned int);
	}
}

/* Returns whether the conversion is a known one. */
static bool put_conversion(struct output *out, struct spec *spec, struct arguments *args)
{
	char c;

	switch (spec->conversion) {
	case 'd':
	case 'i': put_signed(out, spec, fetch_signed(spec, args)); return true;
	case 'X':
		spec->flags |= FLAG_UPPER;
		put_unsigned(out, spec, fetch_unsigned(spec, args));
		return true;
	case 'u':
	case 'o':
	case 'x': put_unsigned(out, spec, fetch_unsigned(spec, args)); return true;
	case 'c':
		c = (char)va_arg(args->list, int);
		put_field(out, spec, "", 0, 0, &c, 1);
		return true;
	case 's': put_string(out, spec, va_arg(args->list, const char *)); return true;
	case 'p':
		spec->precision = 16;
		put_number(out, spec, (uintptr_t)va_arg(args->list, void *), 16, "0x");
		return true;
	case '%': put(out, "%", 1); return true;
	default: return false;
	}
}

size_t format_to(format_emit_fn emit, void *ctx, const char *fmt, va_list list)
{
	struct output out = {.emit = emit, .ctx = ctx};
	struct arguments args;
	const char *p = fmt;

	va_copy(args.list, list);
	while (*p) {
		const char *start = p;
		struct spec spec;

		while (*p && *p != '%')
			p++;
		put(&out, start, (size_t)(p - start));
		if (!*p)
			break;
		start = p;
		p = parse_spec(p + 1, &spec, &args);
		if (!put_conversion(&out, &spec, &args))
			put(&out, start, (size_t)(p - start) + (*p ? 1 : 0));
		if (*p)
			p++;
	}
	va_end(args.list);
	return out.total;
}

struct buffer {
	char *at;
	size_t room; /* without the NUL */
};

static void buffer_emit(void *ctx, const char *text, size_t len)
{
	struct buffer *b = ctx;
	size_t n = len < b->room ? len : b->room;

	for (size_t i = 0; i < n; i++)
		b->at[i] = text[i];
	b->at += n;
	b->room -= n;
}

int LIB_PRINTF(vsnprintf)(char *buf, size_t size, const char *fmt, va_list args)
{
	struct buffer b = {.at = buf, .room = size ? size - 1 : 0};
	size_t len = format_to(buffer_emit, &b, fmt, args);

	if (size)
		*b.at = '\0';
	return (int)len;
}

int LIB_PRINTF(snprintf)(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = LIB_PRINTF(vsnprintf)(buf, size, fmt, args);
	va_end(args);
	return len;
}

size_t vscnprintf(char *buf, size_t size, const char *fmt, va_list args)
{
	size_t len = (size_t)LIB_PRINTF(vsnprintf)(buf, size, fmt, args);

	if (len < size)
		return len;
	return size ? size - 1 : 0;
}

size_t scnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	size_t len;

	va_start(args, fmt);
	len = vscnprintf(buf, size, fmt, args);
	va_end(args);
	return len;
}
