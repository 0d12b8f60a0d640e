#include "lib/cursor.h"

#include "lib/checked.h"
#include "lib/string.h"

void cursor_set(struct cursor *c, u64 start, u64 len)
{
	c->bad = c->src->failed || !range_ok(start, len, c->src->size);
	c->pos = start;
	c->end = c->bad ? start : start + len;
}

void cursor_skip(struct cursor *c, u64 len)
{
	if (c->bad || len > c->end - c->pos)
		c->bad = true;
	else
		c->pos += len;
}

/* The window begins at pos, which is below end. */
static bool window_fill(struct cursor *c)
{
	struct byte_source *src = c->src;
	u32 len = (u32)MIN((u64)CURSOR_WINDOW, src->size - c->pos);

	c->base = c->pos;
	c->have = 0;
	if (src->failed || src->budget < len || src->read(src->arg, c->pos, c->window, len) != 0) {
		src->failed = true;
		return false;
	}
	src->budget -= len;
	c->have = len;
	return true;
}

u8 cursor_u8(struct cursor *c)
{
	u64 at = c->pos - c->base;

	if (unlikely(c->bad || c->pos >= c->end)) {
		c->bad = true;
		return 0;
	}
	if (unlikely(at >= c->have)) {
		if (!window_fill(c)) {
			c->bad = true;
			return 0;
		}
		at = 0;
	}
	c->pos++;
	return c->window[at];
}

u64 cursor_uint(struct cursor *c, u32 bytes)
{
	u64 v = 0;

	for (u32 i = 0; i < bytes; i++)
		v |= (u64)cursor_u8(c) << (8 * i);
	return c->bad ? 0 : v;
}

u64 cursor_uleb(struct cursor *c)
{
	u64 v = 0;
	u8 byte;

	for (u32 shift = 0;; shift += shift < 64 ? 7 : 0) {
		byte = cursor_u8(c);
		if (shift < 64)
			v |= (u64)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return c->bad ? 0 : v;
	}
}

s64 cursor_sleb(struct cursor *c)
{
	u32 shift = 0;
	u64 v = 0;
	u8 byte;

	do {
		byte = cursor_u8(c);
		if (shift < 64) {
			v |= (u64)(byte & 0x7f) << shift;
			shift += 7;
		}
	} while (byte & 0x80);
	if (shift < 64 && (byte & 0x40))
		v |= ~0ul << shift;
	return c->bad ? 0 : (s64)v;
}

void cursor_string(struct cursor *c, char *buf, size_t size)
{
	size_t n = 0;
	u8 byte;

	while ((byte = cursor_u8(c)) != 0) {
		if (buf && n + 1 < size)
			buf[n++] = char_is_print(byte) ? (char)byte : '?';
	}
	if (buf && size)
		buf[c->bad ? 0 : n] = 0;
}
