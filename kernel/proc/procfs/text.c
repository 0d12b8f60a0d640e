/* Texts: what a file of procfs says, built in pages and copied out in pieces. */
#include "lib/errno.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/uio.h"
#include "proc/procfs/procfs.h"

#define TEXT_MAX_PAGES (64ul << (20 - PAGE_SHIFT))

struct text *text_create(void)
{
	struct text *t = kzalloc(sizeof(*t), 0);

	if (t)
		refcount_init(&t->refs, 1);
	return t;
}

void text_put(struct text *t)
{
	if (!refcount_put(&t->refs))
		return;
	for (u64 i = 0; i < t->nr_pages; i++)
		kfree(t->pages[i]);
	kfree(t->pages);
	kfree(t);
}

static int text_grow(struct text *t)
{
	u64 max = t->max_pages ? t->max_pages * 2 : 4;
	u8 **pages, *page;

	if (t->nr_pages == TEXT_MAX_PAGES)
		return -EFBIG;
	if (t->nr_pages == t->max_pages) {
		pages = krealloc(t->pages, max * sizeof(*pages), 0);
		if (!pages)
			return -ENOMEM;
		t->pages = pages;
		t->max_pages = max;
	}
	page = kmalloc(PAGE_SIZE, ALLOC_USER);
	if (!page)
		return -ENOMEM;
	t->pages[t->nr_pages++] = page;
	return 0;
}

void text_add(struct text *t, const void *bytes, size_t len)
{
	const u8 *from = bytes;

	while (len && !t->err) {
		u64 at = t->len & ~PAGE_MASK, n;

		if (t->len == t->nr_pages << PAGE_SHIFT) {
			if (t->no_grow) {
				t->missing += len;
				return;
			}
			t->err = text_grow(t);
			continue;
		}
		n = MIN(len, PAGE_SIZE - at);
		memcpy(t->pages[t->len >> PAGE_SHIFT] + at, from, n);
		t->len += n;
		from += n;
		len -= n;
	}
}

int text_reserve(struct text *t, u64 bytes)
{
	while (!t->err && t->nr_pages << PAGE_SHIFT < bytes)
		t->err = text_grow(t);
	return t->err;
}

void text_clear(struct text *t)
{
	t->len = 0;
	t->missing = 0;
}

void text_puts(struct text *t, const char *s)
{
	text_add(t, s, strlen(s));
}

static void text_emit(void *ctx, const char *piece, size_t len)
{
	text_add(ctx, piece, len);
}

void text_printf(struct text *t, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	format_to(text_emit, t, fmt, args);
	va_end(args);
}

void text_escape(struct text *t, const char *s, const char *set)
{
	for (; *s; s++) {
		if (*s == '\\' || strchr(set, *s))
			text_printf(t, "\\%03o", (u8)*s);
		else
			text_add(t, s, 1);
	}
}

void text_pad(struct text *t, u64 line_start, u32 width)
{
	while (t->len - line_start < width && !t->err)
		text_add(t, " ", 1);
}

ssize_t text_copy(const struct text *t, struct uio *uio, s64 *pos)
{
	ssize_t done = 0;

	while (uio->count && (u64)*pos < t->len) {
		u64 at = (u64)*pos & ~PAGE_MASK;
		u64 n = MIN(MIN(PAGE_SIZE - at, t->len - (u64)*pos), uio->count);
		int err = uio_copy_to(uio, t->pages[*pos >> PAGE_SHIFT] + at, n);

		if (err)
			return done ? done : err;
		*pos += (s64)n;
		done += (ssize_t)n;
	}
	return done;
}
