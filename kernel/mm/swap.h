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

#include "lib/list.h"
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

/* ---- the cache: frames with FRAME_SWAPCACHE ---- */

static inline bool frame_swap_cached(const struct frame *f)
{
	return atomic_read(&f->flags) & FRAME_SWAPCACHE;
}

/* The frame of an entry, up to date and referenced; NULL: swap_load it. The caller holds the entry, or an old copy of it. */
struct frame *swap_cache_find(void *entry);
/*
 * Brings the page of an entry in, and a few of its neighbours: the frame, referenced, in *out. That keeps it there; whether it
 * still is the entry's, swap_cache_find says under the lock of a slot that has the entry. The entry may be one that
 * nobody holds any more. 0; -EAGAIN: it is stale, look again; -EIO; -ENOMEM. Context: may sleep.
 */
int swap_load(void *entry, struct frame **out);
/* f, of which the caller and the cache have the only references, leaves the cache: the caller may write it. False: it cannot,
 * being written out. Context: any. */
bool swap_cache_own(struct frame *f);
/* f, a page of shared memory that is in memory again, leaves the cache: at once, or when it is written. Its entry is put next. */
void swap_cache_leave(struct frame *f);
/* frame_put for a frame that may be in the cache: f does not stay there for nobody. Context: any. */
void swap_cached_put(struct frame *f);
static inline void swap_frame_put(struct frame *f)
{
	if (unlikely(frame_swap_cached(f)))
		swap_cached_put(f);
	else
		frame_put(f);
}
/* Frames that only the cache has: they are in no slot of an amap. Context: any. */
u64 swap_cache_alone(void);
/* Drops up to nr frames that only the cache has; writes those again that a failed write left there. Returns how many.
 * Context: may sleep. */
u64 swap_cache_shrink(u64 nr);

/* ---- moving pages out ---- */

#define SWAP_BATCH 32u

/* Consecutive free slots that a batch has, and uses from the front. */
struct swap_run {
	struct swap_area *area; /* NULL: none */
	u64 first;
	u32 nr, used;
};

/*
 * A batch of pages on their way out:
 *
 *	swap_batch_start(&b)             takes free slots: the only step that can fail for want of them
 *	lock the amap, unmap, flush
 *	entry = swap_batch_add(&b, f)    f becomes an entry: at once (compressed memory), or when it is written
 *	unlock
 *	swap_batch_finish(&b)            starts the writes, gives unused slots back
 */
struct swap_batch {
	struct swap_run fast, slow; /* of an area that stores at once; of one that writes */
	struct frame *frames[SWAP_BATCH];
	u32 nr;    /* frames: to be written */
	u64 freed; /* frames that nobody else has: they are gone already, or will be when they are written */
};

/* False: there is no room in any area. Context: may sleep. */
bool swap_batch_start(struct swap_batch *b);
/* No more pages can be added. */
static inline bool swap_batch_full(const struct swap_batch *b)
{
	return b->fast.used == b->fast.nr && b->slow.used == b->slow.nr;
}
/* Takes over the caller's reference to f, which nobody maps: returns the entry that stands for it. NULL: no area takes it, and
 * the reference stays. Context: the lock of f's slot is held. */
void *swap_batch_add(struct swap_batch *b, struct frame *f);
/* Context: may sleep. */
void swap_batch_finish(struct swap_batch *b);
/* Sleeps until most of what is being written has been. False: nothing was. */
bool swap_write_wait(void);

/* ---- areas: for their providers (fs/swapfile.c, mm/zram.c) ---- */

struct swap_area;

/*
 * A provider has either read and write, which return at once, or load, store and forget, which do the thing.
 * Slots are numbered from 0; slot 0 of a disk area is its header, and bad.
 */
struct swap_ops {
	/* Moves frames[0 ... nr) from or to slots first ...; each ends with swap_read_done/swap_write_done, whatever happens.
	 * Context: may sleep; may not allocate with reclaim. */
	void (*read)(struct swap_area *a, u64 first, struct frame **frames, u32 nr);
	void (*write)(struct swap_area *a, u64 first, struct frame **frames, u32 nr);
	/* Context: spinlocks are held. store: -ENOSPC: this page does not fit. */
	int (*store)(struct swap_area *a, u64 slot, const void *page);
	int (*load)(struct swap_area *a, u64 slot, void *page);
	/* Nobody needs what the slot has. Context: area->lock is held. */
	void (*forget)(struct swap_area *a, u64 slot);
	/* The area is no more. */
	void (*release)(struct swap_area *a);
};

/* The I/O of one frame ended: 0 or -errno. Context: any. */
void swap_read_done(struct frame *f, int error);
void swap_write_done(struct frame *f, int error);

struct swap_source {
	const struct swap_ops *ops;
	void *private;    /* area->private */
	const char *name; /* copied */
	const char *kind;
	u64 nr_slots;
	const u32 *bad; /* slots that are not to be used, besides 0 of a disk area */
	u32 nr_bad;
	int prio; /* SWAP_PRIO_AUTO: below all that came before */
};
#define SWAP_PRIO_AUTO (-1)

/* A new area, used from now on: its number, or -ENOMEM, -EPERM (too many), -EINVAL (no usable slot). Context: may sleep. */
int swap_area_add(const struct swap_source *src);
/* Brings back all that the area has, and closes it. -ENOMEM, -EIO, -EINTR: it stays open. Context: may sleep. */
int swap_area_remove(u32 number);
/* The `private` of an open area of this provider, or NULL: borrowed; areas stay while the caller holds swap_areas_lock. */
void *swap_area_private(u32 number, const struct swap_ops *ops);
void *swap_area_of(const struct swap_area *a);
void swap_areas_lock(void);
void swap_areas_unlock(void);
/* False: nothing can be swapped out now. */
bool swap_available(void);

/* Implemented by mm/anon_reclaim.c: takes every entry of an area back into memory, as far as it finds them. 0; -ENOMEM, -EIO,
 * -EINTR; -EAGAIN: some are on their way from one place to another. */
int anon_swap_in_all(u32 area);

void swap_init(void);

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
