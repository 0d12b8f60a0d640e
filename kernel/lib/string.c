/*
 * Memory functions move 64-bit words, 32 or 64 to a loop turn, so that zeroing a page costs about
 * 550 instructions and copying one about 1,080. Compilers recognise such loops and would replace
 * them by calls of the very functions they are in; the empty volatile asm (NO_IDIOM) in each loop
 * forbids that and emits nothing.
 */
#include "lib/errno.h"
#include "lib/string.h"

#define NO_IDIOM() __asm__ volatile("")

/* May alias anything, also where the compiler assumes strict aliasing (the host). */
typedef u64 __attribute__((may_alias)) word_t;

#define WORD_SIZE sizeof(word_t)
#define WORD_MASK (WORD_SIZE - 1)

/* All eight loads come before the stores: right for overlapping areas with dst below src. */
static ALWAYS_INLINE void copy_8_words(word_t *d, const word_t *s)
{
	word_t a0 = s[0], a1 = s[1], a2 = s[2], a3 = s[3];
	word_t a4 = s[4], a5 = s[5], a6 = s[6], a7 = s[7];

	d[0] = a0;
	d[1] = a1;
	d[2] = a2;
	d[3] = a3;
	d[4] = a4;
	d[5] = a5;
	d[6] = a6;
	d[7] = a7;
}

static ALWAYS_INLINE void copy_64_words(word_t *d, const word_t *s)
{
	copy_8_words(d, s);
	copy_8_words(d + 8, s + 8);
	copy_8_words(d + 16, s + 16);
	copy_8_words(d + 24, s + 24);
	copy_8_words(d + 32, s + 32);
	copy_8_words(d + 40, s + 40);
	copy_8_words(d + 48, s + 48);
	copy_8_words(d + 56, s + 56);
}

static ALWAYS_INLINE void set_16_words(word_t *d, word_t v)
{
	d[0] = v;
	d[1] = v;
	d[2] = v;
	d[3] = v;
	d[4] = v;
	d[5] = v;
	d[6] = v;
	d[7] = v;
	d[8] = v;
	d[9] = v;
	d[10] = v;
	d[11] = v;
	d[12] = v;
	d[13] = v;
	d[14] = v;
	d[15] = v;
}

static ALWAYS_INLINE void set_64_words(word_t *d, word_t v)
{
	set_16_words(d, v);
	set_16_words(d + 16, v);
	set_16_words(d + 32, v);
	set_16_words(d + 48, v);
}

void page_zero(void *page)
{
	word_t *end = (word_t *)((char *)page + PAGE_SIZE);

	for (word_t *d = page; d != end; d += 256) {
		set_64_words(d, 0);
		set_64_words(d + 64, 0);
		set_64_words(d + 128, 0);
		set_64_words(d + 192, 0);
		NO_IDIOM();
	}
}

void page_copy(void *dst, const void *src)
{
	word_t *d = dst;
	const word_t *s = src;
	const word_t *end = (const word_t *)((const char *)src + PAGE_SIZE);

	for (; s != end; d += 128, s += 128) {
		copy_64_words(d, s);
		copy_64_words(d + 64, s + 64);
		NO_IDIOM();
	}
}

/* Both aligned. */
static ALWAYS_INLINE void copy_aligned(word_t *d, const word_t *s, size_t nr)
{
	const word_t *end = s + nr;

	if (nr >= 64) {
		const word_t *end64 = s + (nr & ~63UL);

		for (; s != end64; d += 64, s += 64) {
			copy_64_words(d, s);
			NO_IDIOM();
		}
	}
	for (; end - s >= 8; d += 8, s += 8) {
		copy_8_words(d, s);
		NO_IDIOM();
	}
	while (s != end) {
		*d++ = *s++;
		NO_IDIOM();
	}
}

/*
 * d aligned, src not: reads only whole aligned words, each holding at least one wanted byte, and
 * joins neighbours by shifts. Some unwanted bytes are read too, never across a page; the address
 * sanitizer is kept out.
 */
static NOINLINE __attribute__((no_sanitize("address"))) void copy_shifted(word_t *d, const char *src, size_t nr)
{
	u32 right = (u32)((uintptr_t)src & WORD_MASK) * 8;
	u32 left = 64 - right;
	const word_t *s = (const word_t *)((uintptr_t)src & ~WORD_MASK);
	word_t low = *s++;

	for (; nr >= 4; nr -= 4, d += 4, s += 4) {
		word_t a = s[0], b = s[1], c = s[2], e = s[3];

		d[0] = low >> right | a << left;
		d[1] = a >> right | b << left;
		d[2] = b >> right | c << left;
		d[3] = c >> right | e << left;
		low = e;
		NO_IDIOM();
	}
	for (; nr; nr--) {
		word_t high = *s++;

		*d++ = low >> right | high << left;
		low = high;
	}
}

/* Upwards: right whenever dst is not inside (src, src + len). */
static ALWAYS_INLINE void copy_up(char *dst, const char *src, size_t len)
{
	const char *end = src + len;

	if (len >= 8) {
		size_t nr;

		while ((uintptr_t)dst & WORD_MASK) {
			*dst++ = *src++;
			NO_IDIOM();
		}
		nr = (size_t)(end - src) / WORD_SIZE;
		if (((uintptr_t)src & WORD_MASK) == 0)
			copy_aligned((word_t *)(void *)dst, (const word_t *)(const void *)src, nr);
		else if (nr)
			copy_shifted((word_t *)(void *)dst, src, nr);
		dst += nr * WORD_SIZE;
		src += nr * WORD_SIZE;
	}
	while (src != end) {
		*dst++ = *src++;
		NO_IDIOM();
	}
}

/* Downwards, for dst inside (src, src + len). */
static void copy_down(char *dst, const char *src, size_t len)
{
	dst += len;
	src += len;
	if ((((uintptr_t)dst ^ (uintptr_t)src) & WORD_MASK) == 0 && len >= 16) {
		while ((uintptr_t)dst & WORD_MASK) {
			*--dst = *--src;
			len--;
			NO_IDIOM();
		}
		for (; len >= 8 * WORD_SIZE; len -= 8 * WORD_SIZE) {
			dst -= 8 * WORD_SIZE;
			src -= 8 * WORD_SIZE;
			copy_8_words((word_t *)(void *)dst, (const word_t *)(const void *)src);
			NO_IDIOM();
		}
	}
	while (len--) {
		*--dst = *--src;
		NO_IDIOM();
	}
}

void *LIB_STR(memcpy)(void *dst, const void *src, size_t len)
{
	copy_up(dst, src, len);
	return dst;
}

void *LIB_STR(memmove)(void *dst, const void *src, size_t len)
{
	if ((uintptr_t)dst - (uintptr_t)src >= len)
		copy_up(dst, src, len);
	else if (dst != src)
		copy_down(dst, src, len);
	return dst;
}

void *LIB_STR(memset)(void *dst, int byte, size_t len)
{
	u8 *p = dst;

	if (len >= 16) {
		word_t value = (u8)byte * 0x0101010101010101UL;
		word_t *d;
		word_t *end32;
		word_t *end;

		while ((uintptr_t)p & WORD_MASK) {
			*p++ = (u8)byte;
			len--;
			NO_IDIOM();
		}
		d = (word_t *)(void *)p;
		end = d + len / WORD_SIZE;
		end32 = d + (len / WORD_SIZE & ~31UL);
		for (; d != end32; d += 32) {
			set_16_words(d, value);
			set_16_words(d + 16, value);
			NO_IDIOM();
		}
		while (d != end) {
			*d++ = value;
			NO_IDIOM();
		}
		p = (u8 *)d;
		len &= WORD_MASK;
	}
	while (len--) {
		*p++ = (u8)byte;
		NO_IDIOM();
	}
	return dst;
}

int LIB_STR(memcmp)(const void *a, const void *b, size_t len)
{
	const u8 *p = a;
	const u8 *q = b;

	if ((((uintptr_t)p | (uintptr_t)q) & WORD_MASK) == 0) {
		while (len >= WORD_SIZE && *(const word_t *)(const void *)p == *(const word_t *)(const void *)q) {
			p += WORD_SIZE;
			q += WORD_SIZE;
			len -= WORD_SIZE;
		}
	}
	for (; len; p++, q++, len--)
		if (*p != *q)
			return *p < *q ? -1 : 1;
	return 0;
}

void *LIB_STR(memchr)(const void *data, int byte, size_t len)
{
	const u8 *p = data;

	for (; len; p++, len--)
		if (*p == (u8)byte)
			return (void *)(uintptr_t)p;
	return NULL;
}

bool mem_is_zero(const void *data, size_t len)
{
	const u8 *p = data;

	for (; len && ((uintptr_t)p & WORD_MASK); p++, len--)
		if (*p)
			return false;
	for (; len >= 4 * WORD_SIZE; p += 4 * WORD_SIZE, len -= 4 * WORD_SIZE) {
		const word_t *w = (const word_t *)(const void *)p;

		if (w[0] | w[1] | w[2] | w[3])
			return false;
	}
	for (; len; p++, len--)
		if (*p)
			return false;
	return true;
}

/* ---- strings ---- */
size_t LIB_STR(strlen)(const char *s)
{
	const char *p = s;

	while (*p) {
		p++;
		NO_IDIOM();
	}
	return (size_t)(p - s);
}

size_t LIB_STR(strnlen)(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

int LIB_STR(strcmp)(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (u8)*a - (u8)*b;
}

int LIB_STR(strncmp)(const char *a, const char *b, size_t len)
{
	for (; len; a++, b++, len--)
		if (*a != *b || !*a)
			return (u8)*a - (u8)*b;
	return 0;
}

char *LIB_STR(strchr)(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)(uintptr_t)s;
		if (!*s)
			return NULL;
	}
}

char *LIB_STR(strrchr)(const char *s, int c)
{
	const char *found = NULL;

	for (;; s++) {
		if (*s == (char)c)
			found = s;
		if (!*s)
			return (char *)(uintptr_t)found;
	}
}

char *LIB_STR(strstr)(const char *haystack, const char *needle)
{
	for (;; haystack++) {
		const char *h = haystack;
		const char *n = needle;

		while (*n && *h == *n) {
			h++;
			n++;
		}
		if (!*n)
			return (char *)(uintptr_t)haystack;
		if (!*h)
			return NULL;
	}
}

size_t strlcpy(char *dst, const char *src, size_t size)
{
	size_t i = 0;

	for (; src[i]; i++)
		if (i + 1 < size)
			dst[i] = src[i];
	if (size)
		dst[MIN(i, size - 1)] = '\0';
	return i;
}

ssize_t strscpy(char *dst, const char *src, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		dst[i] = src[i];
		if (!src[i])
			return (ssize_t)i;
	}
	if (size)
		dst[size - 1] = '\0';
	return -E2BIG;
}
