/* The LZ4 block format. See mm/lz.h. */
#include "mm/lz.h"

#include "lib/errno.h"
#include "lib/string.h"

#define MATCH_MIN     4u
#define LAST_LITERALS 5u  /* a block ends with so many at least */
#define MATCH_LIMIT   12u /* no match starts in so many last bytes */
#define NIBBLE_MAX    15u
#define SKIP_TRIGGER  5u /* after 2^n failures in a row, steps get longer: what does not compress is soon over */

static inline u32 load4(const u8 *p)
{
	return (u32)p[0] | (u32)p[1] << 8 | (u32)p[2] << 16 | (u32)p[3] << 24;
}

static inline u32 hash4(u32 v)
{
	return v * 2654435761u >> (32 - LZ_TABLE_BITS);
}

/* ---- compression ---- */

struct sink {
	u8 *at, *end;
};

static bool put_byte(struct sink *s, u32 byte)
{
	if (s->at == s->end)
		return false;
	*s->at++ = (u8)byte;
	return true;
}

/* What of a length does not go into its four bits. */
static bool put_rest(struct sink *s, u32 n)
{
	if (n < NIBBLE_MAX)
		return true;
	for (n -= NIBBLE_MAX; n >= 255; n -= 255) {
		if (!put_byte(s, 255))
			return false;
	}
	return put_byte(s, n);
}

/* A sequence; match 0: the last one, literals only. */
static bool put_sequence(struct sink *s, const u8 *literals, u32 nr, u32 offset, u32 match)
{
	u32 extra = match ? match - MATCH_MIN : 0;

	if (!put_byte(s, MIN(nr, NIBBLE_MAX) << 4 | MIN(extra, NIBBLE_MAX)) || !put_rest(s, nr))
		return false;
	if ((size_t)(s->end - s->at) < nr)
		return false;
	memcpy(s->at, literals, nr);
	s->at += nr;
	if (!match)
		return true;
	return put_byte(s, offset & 255) && put_byte(s, offset >> 8) && put_rest(s, extra);
}

static u32 match_length(const u8 *src, u32 a, u32 b, u32 end)
{
	u32 n = MATCH_MIN;

	while (b + n < end && src[a + n] == src[b + n])
		n++;
	return n;
}

u32 lz_compress(const u8 *src, u32 len, u8 *dst, u32 cap, struct lz_table *table)
{
	struct sink s = {dst, dst + cap};
	u32 anchor = 0, pos = 1, missed = 0;

	memset(table, 0, sizeof(*table));
	while (len > MATCH_LIMIT && pos < len - MATCH_LIMIT) {
		u32 word = load4(src + pos), n;
		u16 *slot = &table->at[hash4(word)];
		u32 from = *slot;

		*slot = (u16)pos;
		if (load4(src + from) != word) {
			pos += 1 + (missed++ >> SKIP_TRIGGER);
			continue;
		}
		missed = 0;
		n = match_length(src, from, pos, len - LAST_LITERALS);
		if (!put_sequence(&s, src + anchor, pos - anchor, pos - from, n))
			return 0;
		pos += n;
		anchor = pos;
	}
	if (!put_sequence(&s, src + anchor, len - anchor, 0, 0))
		return 0;
	return (u32)(s.at - dst);
}

/* ---- decompression: the input may be anything ---- */

/* A length that began with `nibble`: false when the input ends, or it is beyond all reason. */
static bool get_length(const u8 **at, const u8 *end, u32 nibble, u32 *out)
{
	u32 n = nibble, byte = 255;

	while (nibble == NIBBLE_MAX && byte == 255) {
		if (*at == end || n > LZ_MAX_INPUT)
			return false;
		byte = *(*at)++;
		n += byte;
	}
	*out = n;
	return true;
}

int lz_decompress(const u8 *src, u32 len, u8 *dst, u32 want)
{
	const u8 *at = src, *end = src + len;
	u32 out = 0;

	while (at < end) {
		u32 token = *at++, nr, match, offset;

		if (!get_length(&at, end, token >> 4, &nr) || nr > (size_t)(end - at) || nr > want - out)
			return -EINVAL;
		memcpy(dst + out, at, nr);
		at += nr;
		out += nr;
		if (at == end)
			return out == want ? 0 : -EINVAL;
		if (end - at < 2)
			return -EINVAL;
		offset = (u32)at[0] | (u32)at[1] << 8;
		at += 2;
		if (!offset || offset > out || !get_length(&at, end, token & NIBBLE_MAX, &match))
			return -EINVAL;
		match += MATCH_MIN;
		if (match > want - out)
			return -EINVAL;
		/* Byte by byte: what is copied may be what was just written. */
		for (; match; match--, out++)
			dst[out] = dst[out - offset];
	}
	return -EINVAL;
}
