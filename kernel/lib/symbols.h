/*
 * The kernel's own symbol table: which function and which source line an
 * address of kernel text belongs to. tools/mksyms writes the table from the
 * debug information after a first link; a second link appends it to .rodata.
 *
 * A look-up only reads .rodata: no allocation, no lock, a bounded stack. So it
 * may be called from a panic, in any context and on any hart. Without a table
 * (a kernel of the first link) every look-up fails, and nothing else changes.
 */
#pragma once

#include "lib/types.h"

struct symbol {
	const char *name; /* the function */
	u64 start;        /* its first address */
	u64 offset;       /* addr - start */
	const char *file; /* "mm/fault.c", or NULL when the line is not known */
	u32 line;         /* 0 when not known */
};

/*
 * Describes the function that contains `addr`. For a return address pass it
 * less one: the line is then the call's, even when nothing follows the call.
 * Errors: -ENOENT (outside kernel text, or no table); *out is then all zero.
 */
int symbol_lookup(u64 addr, struct symbol *out);

/* The address of the function `name`, or 0. Slow; for tests and boot arguments. */
u64 symbol_address(const char *name);
