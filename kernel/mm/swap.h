/*
 * Swap: places outside of memory where pages that nobody looks at are kept.
 *
 * A swap area (a partition, a file, or compressed memory: mm/zram.c) is an array of page-sized
 * slots. A swap entry names one of them; it is a word with the low bit set, so that it fits where
 * a struct frame * fits (mm/anon.h):
 *
 *	63                 6 5     1 0
 *	[ slot of the area   | area  | 1 ]
 *
 * References: each holder of an entry (an amap slot, a slot of shared memory) has one, counted in
 * the area. Besides, a slot may have a frame: the swap cache. The cache has a reference of its own
 * on the frame, and whoever looks for the page finds it there instead of reading.
 *
 *	refs  frame  the slot is
 *	0     -      free
 *	n     -      on the area only
 *	n     f      both; f is BUSY while it is read, WRITEBACK while it is written, DIRTY when the area does not have it
 *	0     f      nobody's: f was taken back into memory, and what the area has is still the same (or f is still written)
 *
 * Invariants
 *  W1. A frame in the cache has FRAME_SWAPCACHE, and its `private` is the entry; the cache has one reference.
 *  W2. Its contents do not change: with the cache's reference nobody owns it alone (slot_owned in mm/fault_priv.h).
 *      Whoever wants to write takes it out first (swap_cache_own), or writes a copy. Shared memory, which knows no
 *      copies, takes it out whenever it maps it (swap_cache_leave).
 *  W3. A slot that is being read or written has a frame: it is not given to anybody else.
 *
 * Locks: area->lock (spinlock, RANK_SWAP, taken with interrupts off: writes end in interrupts) guards slots,
 * references and cache of its area; swap_mutex (RANK_SWAP_SLEEP) areas coming and going.
 */
#pragma once

#include "lib/types.h"
#include "mm/frame.h"
#include "sync/spinlock.h"

#define SWAP_MAX_AREAS  29u
#define SWAP_AREA_BITS  5
#define SWAP_ENTRY_BITS (1 + SWAP_AREA_BITS)

/* ---- entries ---- */

static inline void *swap_entry_make(u32 area, u64 slot)
{
	return (void *)(slot << SWAP_ENTRY_BITS | (u64)area << 1 | 1);
}
/* Both are what /proc/PID/pagemap shows of a swapped page: the area in bits 0-4, the slot in bits 5-54. */
static inline u32 swap_entry_area(const void *entry)
{
	return (u32)((uintptr_t)entry >> 1) & ((1u << SWAP_AREA_BITS) - 1);
}
static inline u64 swap_entry_slot(const void *entry)
{
	return (uintptr_t)entry >> SWAP_ENTRY_BITS;
}

/* One more holder; one less. The last one gives the slot back, when no I/O is under way on it any more. Context: any. */
void swap_entry_dup(void *entry);
void swap_entry_put(void *entry);

/* ---- reports ---- */

struct swap_totals {
	u64 total;  /* slots of all areas */
	u64 free;   /* of these */
	u64 cached; /* frames in the swap cache */
};
void swap_totals(struct swap_totals *out);

struct swap_info {
	char name[256];
	const char *kind; /* "partition", "file" */
	u64 nr_slots, used;
	int prio;
};
/* Area number i (0 <= i < SWAP_MAX_AREAS) for /proc/swaps: false when there is none. Context: may sleep. */
bool swap_info_read(u32 i, struct swap_info *out);
