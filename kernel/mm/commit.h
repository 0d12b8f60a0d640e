/*
 * Overcommit: how much memory has been promised, and how much may be.
 *
 * A promise is a page that somebody may fill with something that no file has: private writable mappings (VMA_ACCOUNT; stacks,
 * heaps and data segments among them) and shared anonymous memory. It is charged when it is made, not when the page is touched:
 * by mmap, brk, mremap, mprotect that makes writable, stack growth, fork and exec.
 *
 *	vm.overcommit_memory   what is refused, with -ENOMEM
 *	  0 guess              one promise larger than RAM and swap together
 *	  1 always             nothing
 *	  2 never              what takes the sum of all promises over the limit (commit_limit)
 *
 * The sum is kept in every mode. MAP_NORESERVE is a promise that is not counted, except in mode 2, where it means nothing.
 *
 * Invariant: as->committed is the number of pages of its VMAs with VMA_ACCOUNT (aspace_check), and the sum of them and of what
 * objects were charged for is commit_total(); proc/leakcheck.c compares them at poweroff.
 */
#pragma once

#include "lib/types.h"
#include "mm/aspace.h"
#include "mm/swap.h"

enum overcommit { OVERCOMMIT_GUESS, OVERCOMMIT_ALWAYS, OVERCOMMIT_NEVER };

/* vm.overcommit_* and vm.*_reserve_kbytes; single words, read without a lock. */
struct commit_settings {
	u32 mode;             /* enum overcommit */
	u32 ratio;            /* per cent of RAM, for the limit */
	u64 kbytes;           /* instead of the ratio; 0: the ratio counts */
	u64 user_reserve_kb;  /* mode 2: kept back from each process, but no more than 1/32 of its size */
	u64 admin_reserve_kb; /* mode 2: kept back from all but root */
};
extern struct commit_settings commit_settings;

void commit_init(void);

/* Promises nr pages, of which `largest` in one piece, to somebody who has total_pages of address space; `credit` of what is
 * promised already will be given up for it. 0/-ENOMEM. */
int commit_take(u64 nr, u64 largest, u64 credit, u64 total_pages);
void commit_give(u64 nr);

/* The same for an address space. Locks: as->lock held for writing, or as is not in use yet. */
static inline int commit_charge(struct aspace *as, u64 nr, u64 credit)
{
	int err = commit_take(nr, nr, credit, as->nr_pages);

	if (!err)
		as->committed += nr;
	return err;
}

/* Many mappings at once, for a fork. */
static inline int commit_charge_all(struct aspace *as, u64 nr, u64 largest)
{
	int err = commit_take(nr, largest, 0, as->nr_pages);

	if (!err)
		as->committed += nr;
	return err;
}

static inline void commit_release(struct aspace *as, u64 nr)
{
	as->committed -= nr;
	commit_give(nr);
}

/* What VMA_ACCOUNT is to be for a new mapping with these flags and permissions: the flag, or 0. */
static inline u32 commit_flag(u32 flags)
{
	return (flags & (VMA_WRITE | VMA_SHARED | VMA_NORESERVE | VMA_SPECIAL)) == VMA_WRITE ? VMA_ACCOUNT : 0;
}

/* MAP_NORESERVE is honoured. */
static inline bool commit_may_skip(void)
{
	return READ_ONCE(commit_settings.mode) != OVERCOMMIT_NEVER;
}

/* Pages promised, and the limit of mode 2. */
u64 commit_total(void);
u64 commit_limit(void);
/* RAM and swap, in pages. */
u64 commit_all_memory(void);
/* Sizes of swap, for reports. */
void commit_swap(struct swap_totals *out);

/* What `as` accounts for: its own pages, and those of shared anonymous memory that it is the first to map. Locks: takes as->lock. */
u64 aspace_promised(struct aspace *as);

/* Implemented by proc: root, for whom the admin reserve is kept. */
bool commit_privileged(void);
