/*
 * The layout note: where a reader outside of the machine finds the kernel's structures in its RAM. ELF note "Vitrine",
 * type 1 (kernel.lds makes its header); it lies in the kernel file and, with the image, in RAM. Its descriptor is an
 * array of struct layout_entry, in no order. docs/view.md lists the names.
 *
 * Each room tells of its own structures, in the file that they belong to. A reader looks names up, so that a structure
 * may change without a word to it; a name is never given another meaning.
 */
#pragma once

#include "lib/types.h"

enum layout_kind {
	LAYOUT_CONST,   /* value: a number */
	LAYOUT_ADDRESS, /* value: kernel address of a variable, size: its bytes */
	LAYOUT_STRUCT,  /* size: bytes of "struct NAME" */
	LAYOUT_FIELD,   /* "NAME.member": value: offset, size: bytes */
};

struct layout_entry {
	char name[48]; /* NUL-terminated */
	u64 value;
	u32 size;
	u32 kind; /* enum layout_kind */
};

#if defined(__riscv)
#define LAYOUT_ENTRY(text, k, v, s)                                                                                    \
	static const struct layout_entry LIB_UNIQUE(layout_) __attribute__((used, section(".note.vitrine.layout"))) = { \
		.name = text, .value = (u64)(v), .size = (u32)(s), .kind = (k)}
#else /* on the host nobody reads it */
#define LAYOUT_ENTRY(text, k, v, s) static_assert(sizeof(text) <= 48, "layout name")
#endif

/* Each is a declaration: outside of functions, with a semicolon. */
#define LAYOUT_IS_CONST(name)         LAYOUT_ENTRY(#name, LAYOUT_CONST, name, 8)
#define LAYOUT_IS_ADDRESS(variable)   LAYOUT_ENTRY(#variable, LAYOUT_ADDRESS, &(variable), sizeof(variable))
#define LAYOUT_IS_STRUCT(type)        LAYOUT_ENTRY(#type, LAYOUT_STRUCT, 0, sizeof(struct type))
#define LAYOUT_IS_FIELD(type, member) \
	LAYOUT_ENTRY(#type "." #member, LAYOUT_FIELD, offsetof(struct type, member), sizeof(((struct type *)0)->member))
