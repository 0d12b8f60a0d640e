/*
 * A page fault, from the machine to the answer. trap.c does not know
 * copy-on-write; fault.c does not know scause.
 */
#pragma once

#include "lib/types.h"

struct aspace;

enum access { ACCESS_READ = 1, ACCESS_WRITE = 2, ACCESS_EXEC = 4 };

struct fault {
	vaddr_t addr;
	enum access access;
	u32 from_user; /* 1: user mode; 0: a kernel copy under SUM */
	vaddr_t pc;    /* for reports */
};

/* How a fault was answered, for traces. */
enum fault_how {
	FAULT_HOW_ANON,      /* first write: a new page of zeroes; unless told otherwise (trace.h) */
	FAULT_HOW_NONE,      /* it was not */
	FAULT_HOW_ZERO,      /* read: the shared page of zeroes */
	FAULT_HOW_HUGE,      /* first write: a new 2 MiB block */
	FAULT_HOW_COW,       /* write to a page that others see too: copied */
	FAULT_HOW_REUSE,     /* write to a page that nobody else sees any more: made writable */
	FAULT_HOW_PRESENT,   /* read of a page that is there: mapped again */
	FAULT_HOW_FILE,      /* a file's page, read-only */
	FAULT_HOW_FILE_COPY, /* write to a private mapping of a file, or its last page: copied */
	FAULT_HOW_SHARED,    /* a page of a shared mapping */
	FAULT_HOW_SWAP,      /* it was in swap */
	FAULT_HOW_USYSCALL,  /* the page shared with the kernel */
};

enum fault_result {
	FAULT_DONE,     /* try the instruction again */
	FAULT_SEGV_MAP, /* nothing is mapped there: SIGSEGV, SEGV_MAPERR */
	FAULT_SEGV_ACC, /* mapped, but not so: SIGSEGV, SEGV_ACCERR */
	FAULT_BUS,      /* beyond the end of the file, or I/O error: SIGBUS */
	FAULT_OOM,      /* no memory */
};

/*
 * Makes the access possible or says why not. Context: process, no spinlock,
 * interrupts on; may sleep. The one restart loop is inside.
 */
enum fault_result fault_handle(struct aspace *as, const struct fault *f);

/* Implemented by arch: copies between here and there may not sleep or fault in (faults_off++). */
static inline const char *fault_result_name(enum fault_result r)
{
	static const char *const names[] = {"done", "no mapping", "permission", "bus error", "out of memory"};

	return names[r];
}
