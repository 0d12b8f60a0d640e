/* Parsing of numbers (declared in lib/string.h). */
#include "lib/checked.h"
#include "lib/errno.h"
#include "lib/string.h"

/* 36 or more: no digit. */
static u32 digit_value(int c)
{
	if (char_is_digit(c))
		return (u32)(c - '0');
	c = char_to_lower(c);
	return c >= 'a' && c <= 'z' ? (u32)(c - 'a' + 10) : 36;
}

/* Length of a prefix that counts: 0x or 0b with a digit of that base after it. Settles *base. */
static size_t parse_prefix(const char *s, size_t len, u32 *base)
{
	u32 named = 0;

	if (len > 2 && s[0] == '0') {
		if (char_to_lower(s[1]) == 'x' && digit_value(s[2]) < 16)
			named = 16;
		else if (char_to_lower(s[1]) == 'b' && digit_value(s[2]) < 2)
			named = 2;
	}
	if (named && (*base == 0 || *base == named)) {
		*base = named;
		/* In base 16, 0b1 is a number itself; it did not get here, as named is 2. */
		return 2;
	}
	if (*base == 0)
		*base = len > 1 && s[0] == '0' ? 8 : 10;
	return 0;
}

int parse_u64_prefix(const char *s, size_t len, u32 base, u64 *out, const char **end)
{
	size_t i = parse_prefix(s, len, &base);
	size_t start = i;
	u64 value = 0;

	for (; i < len; i++) {
		u32 digit = digit_value(s[i]);

		if (digit >= base)
			break;
		if (mul_overflow(value, (u64)base, &value) || add_overflow(value, (u64)digit, &value))
			return -ERANGE;
	}
	if (i == start)
		return -EINVAL;
	*out = value;
	if (end)
		*end = s + i;
	return 0;
}

/* Is this the end, forgiving one newline? */
static bool at_end(const char *s)
{
	return s[0] == '\0' || (s[0] == '\n' && s[1] == '\0');
}

/* strlen without the host's name for it. */
static size_t text_length(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

int parse_u64(const char *s, u32 base, u64 *out)
{
	const char *end;
	u64 value;
	int err = parse_u64_prefix(s, text_length(s), base, &value, &end);

	if (err)
		return err;
	if (!at_end(end))
		return -EINVAL;
	*out = value;
	return 0;
}

int parse_s64(const char *s, u32 base, s64 *out)
{
	bool negative = s[0] == '-';
	u64 limit = negative ? (u64)INT64_MAX + 1 : (u64)INT64_MAX;
	u64 value;
	int err;

	if (s[0] == '-' || s[0] == '+')
		s++;
	err = parse_u64(s, base, &value);
	if (err)
		return err;
	if (value > limit)
		return -ERANGE;
	*out = (s64)(negative ? 0 - value : value);
	return 0;
}

int parse_size(const char *s, u64 *out)
{
	const char *end;
	u32 shift = 0;
	u64 value;
	int err = parse_u64_prefix(s, text_length(s), 0, &value, &end);

	if (err)
		return err;
	switch (char_to_lower(*end)) {
	case 'k': shift = 10; break;
	case 'm': shift = 20; break;
	case 'g': shift = 30; break;
	case 't': shift = 40; break;
	default: break;
	}
	if (!at_end(shift ? end + 1 : end))
		return -EINVAL;
	if (value > UINT64_MAX >> shift)
		return -ERANGE;
	*out = value << shift;
	return 0;
}
