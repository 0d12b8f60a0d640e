/* clang-format off: assembly */
/*
 * The fix-up table: instructions that may fault on a user address (or be
 * illegal on some machine), and where to go on when they do. Sorted at boot.
 */
#pragma once

#ifdef __ASSEMBLER__
	.macro EX_TABLE insn, fixup
	.pushsection __ex_table, "a"
	.balign 8
	.dword \insn, \fixup
	.popsection
	.endm
#else
#include "lib/types.h"

#define EX_TABLE(insn, fixup) \
	".pushsection __ex_table, \"a\"\n" \
	".balign 8\n" \
	".dword " insn ", " fixup "\n" \
	".popsection\n"

/* Where to go on for a fault at pc, or 0. */
vaddr_t extable_find(vaddr_t pc);
#endif
