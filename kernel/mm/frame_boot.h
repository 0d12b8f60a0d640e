/*
 * RAM before the allocator is open: banks, what is reserved in them, and pages
 * taken for early tables. Inside mm/; frame.c goes on with what is here.
 */
#pragma once

#include "lib/types.h"

#define RAM_MAX_BANKS    16
#define RAM_MAX_RESERVED 64

struct ram_bank {
	pfn_t start, end;
	pfn_t frontier; /* metadata is initialised below it */
};

struct ram_range {
	pfn_t start, end;
};

struct boot_ram {
	struct ram_bank banks[RAM_MAX_BANKS]; /* sorted, disjoint */
	u32 nr_banks;
	struct ram_range reserved[RAM_MAX_RESERVED]; /* sorted, disjoint, not touching */
	u32 nr_reserved;
	u64 total; /* frames of RAM */
};

extern struct boot_ram boot_ram;

/* nr contiguous unreserved pages, reserved from now on; from the top of the first bank that has them. Panics if none. */
paddr_t boot_ram_take(u64 nr, u64 align);

/* The end of the longest run from pfn (at most to end) that is wholly reserved or wholly not; says which. */
pfn_t boot_ram_run(pfn_t pfn, pfn_t end, bool *reserved);

/* frame_wait.c */
void frame_wait_init(void);
