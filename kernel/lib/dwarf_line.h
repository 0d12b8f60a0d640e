/*
 * Which source line an address belongs to, by the line table (.debug_line) of an ELF file: versions 2 to 5, 32- and 64-bit form.
 * Nothing in the file is trusted.
 *
 * Specification: DWARF Debugging Information Format, version 5, section 6.2 "Line Number Information".
 */
#pragma once

#include "lib/cursor.h"
#include "lib/types.h"

#define DWARF_NAME_MAX 96

struct dwarf_range {
	u64 start, len; /* in the file; len 0: there is no such section */
};

struct dwarf_sections {
	struct dwarf_range line, line_str, str;
};

struct dwarf_line {
	u32 line;                  /* 0: not found */
	char dir[DWARF_NAME_MAX];  /* "" where the name says all, or for the directory of the compilation */
	char name[DWARF_NAME_MAX]; /* "": not known */
};

/* `c` reads the tables, `strings` the names in other sections. Returns 0 or -ENOENT. */
int dwarf_line_find(
	struct cursor *c, struct cursor *strings, const struct dwarf_sections *s, u64 addr, struct dwarf_line *out);
