/* What the files of a report share. See proc/explain.h. */
#pragma once

#include "lib/elf_place.h"
#include "lib/types.h"
#include "mm/aspace_where.h"
#include "mm/fault.h"

/* How a program came to die. */
struct death {
	int signo, code;
	vaddr_t addr;
	u64 trap;           /* CAUSE_* of the machine */
	enum access access; /* of a page fault */
	u32 insn;           /* at pc, if it could be read; 16 bits of it, or 32 */
	bool insn_read;
	bool no_memory;
	vaddr_t pc, sp;
};

/* ---- explain_cause.c: the table of cases is there ---- */

enum cause {
	NO_MEMORY,
	BREAKPOINT,
	ZEROES,
	UNIMP,
	PRIVILEGED,
	CSR,
	VECTOR,
	FLOAT,
	ILLEGAL,
	UNALIGNED_ATOMIC,
	UNALIGNED,
	NO_DEVICE,
	SIGNAL_STACK,
	NULL_CALL,
	NULL_POINTER,
	NULL_OFFSET,
	TEXT_POINTER,
	DAMAGED_POINTER,
	KERNEL,
	CROSSING,
	FREED,
	MOVED,
	HEAP_SHRUNK,
	STACK_LIMIT,
	STACK_BLOCKED,
	STACK_EDGE,
	BEYOND_HEAP,
	WILD_CALL,
	WILD,
	USYSCALL,
	VDSO,
	STACK_GUARD,
	NO_PERMISSION,
	FILE_END,
	FILE_ERROR,
	SWAP_ERROR,
	TEXT_WRITE,
	CONSTANT_WRITE,
	READ_ONLY,
	RUN_STACK,
	RUN_HEAP,
	RUN_DATA,
	EXEC_ONLY,
	CHANGED,
};

/* `file_size`: of the mapped file in where->at. */
enum cause cause_find(const struct death *d, const struct aspace_where *w, u64 file_size);
/* What the address is, as the end of "write to 0x8: …". */
void cause_describe(
	enum cause c, const struct death *d, const struct aspace_where *w, u64 file_size, char *buf, size_t size);
const char *cause_sentence(enum cause c);

/* ---- explain_place.c ---- */

#define PLACE_TEXT_MAX 200

/* Room to work in. */
struct place_work {
	struct elf_place_work elf;
	struct elf_place place;
	char *path; /* PATH_MAX bytes */
};
struct place_work *place_work_create(void); /* NULL: no memory */
void place_work_destroy(struct place_work *w);

/* Function, line, and file of the code at addr. call: addr is a return address, and the call is what is meant. */
enum place_kind { PLACE_INSTRUCTION, PLACE_CALL };
void place_describe(
	struct place_work *w, struct aspace *as, vaddr_t addr, enum place_kind kind, char *buf, size_t size);
/* The mapping as a line of /proc/PID/maps has it. */
void place_mapping(struct place_work *w, const struct where_vma *v, char *buf, size_t size);
/* Copies text that anybody may have written, with '?' for what a terminal should not see. */
void text_tame(const char *from, char *buf, size_t size);
