/*
 * ELF files, parsed: pure functions over bytes that a caller has read, which trust nothing. Host-tested with
 * truncated and bit-flipped files.
 *
 * Specification: System V ABI, "Object files"; RISC-V ELF psABI.
 */
#pragma once

#include "lib/types.h"

#define ELF_MAX_PHDRS    64
#define ELF_MAX_SEGMENTS 16
#define ELF_PHDR_SIZE    56
#define ELF_MAX_ALIGN    (1ul << 21)
#define ELF_INTERP_MAX   256

enum elf_kind { ELF_FIXED, ELF_MOVABLE }; /* ET_EXEC, ET_DYN */

struct elf_header {
	enum elf_kind kind;
	u64 entry;
	u64 phoff;
	u32 nr_phdrs;
	u32 flags; /* e_flags */
};

/* One PT_LOAD. Addresses are the file's own: a load bias is added by the caller. */
struct elf_segment {
	u64 vaddr, offset; /* equal modulo the page size */
	u64 filesz, memsz; /* filesz <= memsz; memsz > 0 */
	u32 prot;          /* 1 read, 2 write, 4 exec */
};

struct elf_image {
	u32 nr_segments;
	struct elf_segment segments[ELF_MAX_SEGMENTS]; /* ascending, pages do not overlap but in the last/first one */
	u64 low, high;                                 /* page-aligned extent */
	u64 align;                                     /* largest p_align, at least a page */
	u64 phdr_vaddr;                                /* of the program headers in memory; 0: not there */
	u64 interp_offset;                             /* of the interpreter's name in the file, */
	u32 interp_len;                                /* with its NUL; 0: none */
	u32 exec_stack;                                /* PT_GNU_STACK asks for it */
};

/* `file` holds the first `len` bytes of a file of file_size. 0 or -ENOEXEC. */
int elf_parse_header(const void *file, size_t len, u64 file_size, struct elf_header *out);
/* `phdrs` holds hdr->nr_phdrs * ELF_PHDR_SIZE bytes; `limit`: end of user addresses. 0 or -ENOEXEC. */
int elf_parse_segments(
	const struct elf_header *hdr, const void *phdrs, u64 file_size, u64 limit, struct elf_image *out);
