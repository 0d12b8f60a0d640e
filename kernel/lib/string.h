/*
 * Memory and string functions, with the C library's names and contracts; and parsing of numbers.
 *
 * memcpy, memmove, memset, page_zero and page_copy move 64-bit words, unrolled; the build of this
 * kernel must not let the compiler turn their loops into calls of themselves (see string.c). On the
 * host the standard names are the C library's, and this kernel's are tested as k_memcpy and so on.
 */
#ifndef LIB_STRING_H
#define LIB_STRING_H

#include "lib/types.h"

#ifdef HOST_TEST
#include <string.h>
#define LIB_STR(name) k_##name
#else
#define LIB_STR(name) name
#endif

void *LIB_STR(memcpy)(void *dst, const void *src, size_t len);
void *LIB_STR(memmove)(void *dst, const void *src, size_t len);
void *LIB_STR(memset)(void *dst, int byte, size_t len);
int LIB_STR(memcmp)(const void *a, const void *b, size_t len);
void *LIB_STR(memchr)(const void *data, int byte, size_t len);
size_t LIB_STR(strlen)(const char *s);
size_t LIB_STR(strnlen)(const char *s, size_t max);
int LIB_STR(strcmp)(const char *a, const char *b);
int LIB_STR(strncmp)(const char *a, const char *b, size_t len);
char *LIB_STR(strchr)(const char *s, int c);
char *LIB_STR(strrchr)(const char *s, int c);
char *LIB_STR(strstr)(const char *haystack, const char *needle);

/* Copies at most size - 1 bytes and a NUL. Returns strlen(src): >= size says it was cut. */
size_t strlcpy(char *dst, const char *src, size_t size);
/*
 * The same, but returns the length copied, or -E2BIG when it was cut; never reads src past what
 * fits.
 */
ssize_t strscpy(char *dst, const char *src, size_t size);

/* Is every byte 0? */
bool mem_is_zero(const void *data, size_t len);

/* One page, page-aligned. */
void page_zero(void *page);
void page_copy(void *dst, const void *src);

/* ---- numbers ---- */
/*
 * Parses all of `s` as an unsigned number. base 10, 16, 8, 2; or 0: 0x, 0 and 0b prefixes decide
 * (in base 16 a 0x is accepted too). No sign, no spaces; one newline at the end is forgiven.
 * Errors: -EINVAL, -ERANGE; *out unchanged.
 */
int parse_u64(const char *s, u32 base, u64 *out);
/* The same with an optional sign. */
int parse_s64(const char *s, u32 base, s64 *out);
/* The same with an optional suffix K, M, G or T (powers of 1024). */
int parse_size(const char *s, u64 *out);
/*
 * A leading number of at most `len` bytes; *end (may be NULL) is the first byte not used. Errors as
 * parse_u64.
 */
int parse_u64_prefix(const char *s, size_t len, u32 base, u64 *out, const char **end);

/* ---- characters ---- */
static inline bool char_is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static inline bool char_is_space(int c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline bool char_is_print(int c)
{
	return c >= 0x20 && c < 0x7f;
}

static inline int char_to_lower(int c)
{
	return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

#endif
