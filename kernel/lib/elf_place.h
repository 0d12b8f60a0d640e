/*
 * What an ELF file says of a byte of its text: function and source line. For reports of faults: a file that is stripped,
 * damaged or made up gives less, or nothing, and never harm. Debug information that is compressed or in another file is not read.
 *
 * Specification: System V ABI, "Object files"; lib/dwarf_line.h.
 */
#pragma once

#include "lib/cursor.h"
#include "lib/dwarf_line.h"
#include "lib/types.h"

#define ELF_PLACE_NAME_MAX 96

struct elf_place {
	u64 addr;                          /* as the file counts addresses */
	char function[ELF_PLACE_NAME_MAX]; /* "": not known */
	u64 offset;                        /* from its start */
	struct dwarf_line at;              /* line 0: not known */
};

/* Room to work in; large, so the caller allocates it. */
struct elf_place_work {
	struct byte_source src; /* set by the caller */
	struct cursor tables, strings;
};

/* Describes the byte at `off` in the file. Returns 0 when a function or a line is known, or -ENOENT. */
int elf_place_find(struct elf_place_work *w, u64 off, struct elf_place *out);
