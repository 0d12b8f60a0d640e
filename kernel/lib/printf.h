/*
 * Formatted text: %d %i %u %o %x %X %c %s %p %% ; lengths hh h l ll z j t; flags - + space # 0;
 * width and precision, also as `*`. No floating point, no %n, no positions. An unknown conversion
 * is copied out as it stands. %s of NULL prints "(null)"; %p prints 0x and 16 digits.
 */
#ifndef LIB_PRINTF_H
#define LIB_PRINTF_H

#include <stdarg.h>

#include "lib/types.h"

/* Receives the text piece by piece; pieces are not NUL-terminated. */
typedef void (*format_emit_fn)(void *ctx, const char *text, size_t len);

/* Returns the number of bytes emitted. */
size_t format_to(format_emit_fn emit, void *ctx, const char *fmt, va_list args) PRINTF_LIKE(3, 0);

#ifdef HOST_TEST
#include <stdio.h>
#define LIB_PRINTF(name) k_##name
#else
#define LIB_PRINTF(name) name
#endif

/*
 * At most size - 1 bytes and a NUL (nothing for size 0). Return the length that the whole text has.
 */
int LIB_PRINTF(vsnprintf)(char *buf, size_t size, const char *fmt, va_list args) PRINTF_LIKE(3, 0);
int LIB_PRINTF(snprintf)(char *buf, size_t size, const char *fmt, ...) PRINTF_LIKE(3, 4);

/*
 * The same, but return the length that was stored (without the NUL): good for `len += scnprintf(buf
 * + len, size - len, …)`.
 */
size_t vscnprintf(char *buf, size_t size, const char *fmt, va_list args) PRINTF_LIKE(3, 0);
size_t scnprintf(char *buf, size_t size, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
