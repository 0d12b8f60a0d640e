/*
 * The serial console: an NS16550A-compatible UART. Bytes out go through a ring that the
 * transmit interrupt empties; bytes in are handed to a sink in interrupt context.
 */
#pragma once

#include "lib/types.h"

struct fdt;

struct uart_sink {
	void (*received)(const u8 *bytes, u32 n); /* Context: interrupt */
	void (*room)(void);                       /* the ring has room again. Context: interrupt */
};

/* Finds /chosen/stdout-path's UART or the first compatible one. -ENODEV: none, named in the log. */
int uart_init(const struct fdt *fdt);
/* Takes as many bytes as fit; returns how many. Context: any. */
u32 uart_put(const char *s, u32 n);
/* Bytes in the ring not yet sent (tcdrain, TIOCOUTQ). */
u32 uart_pending(void);
u32 uart_room(void);
void uart_set_sink(const struct uart_sink *sink);
