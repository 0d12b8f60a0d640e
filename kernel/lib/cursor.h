/*
 * Reading a file that nobody trusts, piece by piece: little-endian numbers, LEB128, strings. Every read is checked against the
 * range that was set; the first one beyond it makes the cursor bad, and from then on all numbers are 0. What may be read
 * of the source in all is bounded, so a parser whose loops consume a byte each time comes to an end.
 */
#pragma once

#include "lib/types.h"

#define CURSOR_WINDOW 1024

struct byte_source {
	/* Fills `to` with the `len` bytes at `off`, which lie within size. 0 or -errno. */
	int (*read)(void *arg, u64 off, void *to, size_t len);
	void *arg;
	u64 size;
	u64 budget;  /* bytes that may still be asked for */
	bool failed; /* a read failed, or the budget is spent: no cursor can go on */
};

struct cursor {
	struct byte_source *src;
	u64 pos, end;
	bool bad;
	u64 base; /* the window holds [base, base + have) */
	u32 have;
	u8 window[CURSOR_WINDOW];
};

static inline void cursor_init(struct cursor *c, struct byte_source *src)
{
	c->src = src;
	c->pos = c->end = c->base = 0;
	c->have = 0;
	c->bad = true;
}

/* From here on, [start, start + len) is read. Bad if that is not within the source. */
void cursor_set(struct cursor *c, u64 start, u64 len);
static inline bool cursor_more(const struct cursor *c)
{
	return !c->bad && c->pos < c->end;
}
void cursor_skip(struct cursor *c, u64 len);

u8 cursor_u8(struct cursor *c);
/* bytes: 1 … 8 */
u64 cursor_uint(struct cursor *c, u32 bytes);
static inline u16 cursor_u16(struct cursor *c)
{
	return (u16)cursor_uint(c, 2);
}
static inline u32 cursor_u32(struct cursor *c)
{
	return (u32)cursor_uint(c, 4);
}
static inline u64 cursor_u64(struct cursor *c)
{
	return cursor_uint(c, 8);
}
/* Bits beyond the 64th are lost. */
u64 cursor_uleb(struct cursor *c);
s64 cursor_sleb(struct cursor *c);
/* A string with its NUL. buf gets as much of it as fits, with '?' for what a terminal should not see; NULL: nothing. */
void cursor_string(struct cursor *c, char *buf, size_t size);
