/*
 * What an address is to an address space: for reports of faults. All of it is copied out under as->lock, so that names can be
 * looked up later, without it.
 *
 *	kind            the address is
 *	NULL            in the first page, which is never mapped
 *	DAMAGED         no address in this paging mode: its upper bits are not all alike
 *	KERNEL          in the kernel half
 *	CROSSING        in the two pages of isolate=1 above user_end
 *	VMA             in a mapping
 *	FREED           in no mapping, but in a range taken away lately
 *	STACK_LIMIT     below the lowest address that the stack above may grow to, and near that or near sp
 *	STACK_BLOCKED   where the stack above might grow, if there were not another mapping so near, or a limit on all memory
 *	BEYOND_HEAP     behind the heap, nearer to it than to the mapping above
 *	HOLE            anywhere else between mappings
 *
 * The first that holds counts.
 */
#pragma once

#include "lib/types.h"
#include "mm/aspace.h"
#include "mm/pagetable.h"

enum where_kind {
	WHERE_NULL,
	WHERE_DAMAGED,
	WHERE_KERNEL,
	WHERE_CROSSING,
	WHERE_VMA,
	WHERE_FREED,
	WHERE_STACK_LIMIT,
	WHERE_STACK_BLOCKED,
	WHERE_BEYOND_HEAP,
	WHERE_HOLE,
};

enum freed_how { FREED_MUNMAP, FREED_MREMAP, FREED_BRK };

struct where_vma {
	vaddr_t start, end; /* end 0: there is none */
	u32 flags;          /* VMA_* */
	u64 off;            /* in the object that its pages come from, of its first byte */
	struct file *file;  /* referenced, or NULL */
};

struct aspace_where {
	vaddr_t addr;
	enum where_kind kind;
	struct where_vma at;            /* of WHERE_VMA */
	struct where_vma below, above;  /* the neighbours of `at`, or of the hole */
	vaddr_t freed_start, freed_end; /* of WHERE_FREED, */
	enum freed_how freed_how;
	vaddr_t stack_low; /* of WHERE_STACK_LIMIT: the lowest address the stack may reach */
	u64 stack_limit;
	vaddr_t brk;
	paddr_t root; /* of the table that user code runs on */
	u32 nr_steps; /* 0: no walk, for it is no address */
	struct pt_step steps[PT_MAX_LEVELS];
};

/* sp: the stack pointer at the fault. Locks: takes as->lock for reading. aspace_where_done drops the references. */
void aspace_where(struct aspace *as, vaddr_t addr, vaddr_t sp, struct aspace_where *out);
void aspace_where_done(struct aspace_where *w);

/* The mapping at addr alone. False: there is none. */
bool aspace_where_vma(struct aspace *as, vaddr_t addr, struct where_vma *out);
void aspace_where_vma_done(struct where_vma *v);
