/* printf and fprintf. Each call's output is gathered, and written in pieces of LINE bytes at most. */
#include <stdarg.h>

#include "lib.h"

#define LINE 96

struct out {
	int fd, n;
	char text[LINE];
};

static void flush(struct out *o)
{
	if (o->n)
		write(o->fd, o->text, o->n);
	o->n = 0;
}

static void put(struct out *o, char c)
{
	if (o->n == LINE)
		flush(o);
	o->text[o->n++] = c;
}

static void put_string(struct out *o, const char *s)
{
	for (s = s ? s : "(null)"; *s; s++)
		put(o, *s);
}

static void put_number(struct out *o, uint64 value, uint base, int negative)
{
	char digits[24];
	int n = 0;

	do
		digits[n++] = "0123456789ABCDEF"[value % base];
	while ((value /= base));
	if (negative)
		put(o, '-');
	while (n)
		put(o, digits[--n]);
}

static void put_signed(struct out *o, long value)
{
	put_number(o, value < 0 ? 0 - (uint64)value : (uint64)value, 10, value < 0);
}

static void put_pointer(struct out *o, uint64 value)
{
	put_string(o, "0x");
	for (int shift = 60; shift >= 0; shift -= 4)
		put(o, "0123456789ABCDEF"[value >> shift & 15]);
}

/* What follows %l: d, u, x, or another l; alone it is an unsigned number, as it once was. Returns the last letter used. */
static const char *put_long(struct out *o, const char *f, va_list *ap)
{
	const char *last = f + 1;

	if (*last == 'l')
		last++;
	switch (*last) {
	case 'd': put_signed(o, va_arg(*ap, long)); return last;
	case 'u': put_number(o, va_arg(*ap, uint64), 10, 0); return last;
	case 'x': put_number(o, va_arg(*ap, uint64), 16, 0); return last;
	default: put_number(o, va_arg(*ap, uint64), 10, 0); return f;
	}
}

static void print(int fd, const char *f, va_list *ap)
{
	struct out o;

	o.fd = fd;
	o.n = 0;
	for (; *f; f++) {
		if (*f != '%') {
			put(&o, *f);
			continue;
		}
		switch (*++f) {
		case 'd': put_signed(&o, va_arg(*ap, int)); break;
		case 'u': put_number(&o, va_arg(*ap, uint), 10, 0); break;
		case 'x': put_number(&o, va_arg(*ap, uint), 16, 0); break;
		case 'l': f = put_long(&o, f, ap); break;
		case 'p': put_pointer(&o, va_arg(*ap, uint64)); break;
		case 's': put_string(&o, va_arg(*ap, const char *)); break;
		case 'c': put(&o, (char)va_arg(*ap, int)); break;
		case '%': put(&o, '%'); break;
		case 0: f--; break;
		default:
			/* Unknown ones are shown as they stand. */
			put(&o, '%');
			put(&o, *f);
		}
	}
	flush(&o);
}

void fprintf(int fd, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	print(fd, format, &ap);
	va_end(ap);
}

void printf(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	print(1, format, &ap);
	va_end(ap);
}
