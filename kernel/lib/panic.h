/*
 * The end of the road: a kernel bug was found. Prints the message, registers, backtrace; stops the
 * machine with a non-zero status. Implemented by arch/riscv/panic.c; abort() on the host.
 */
#ifndef LIB_PANIC_H
#define LIB_PANIC_H

#include "lib/types.h"

#ifdef HOST_TEST
#include <stdio.h>
#include <stdlib.h>

#define panic(...)                                      \
	do {                                            \
		fprintf(stderr, "panic: " __VA_ARGS__); \
		fputc('\n', stderr);                    \
		abort();                                \
	} while (0)
#else
noreturn void panic(const char *fmt, ...) PRINTF_LIKE(1, 2) COLD;
#endif

#endif
