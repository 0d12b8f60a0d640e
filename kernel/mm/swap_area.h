/* Inside swap: an area and its slots. Shared by swap.c, swap_cache.c and swap_out.c. */
#pragma once

#include "mm/swap.h"

#define SWAP_CHUNK (PAGE_SIZE / sizeof(struct swap_slot)) /* slots described by one page */

#define SWAP_REFS_MAX 0xfffffff0u /* a count that came here stays */
#define SLOT_RESERVED 0xfffffffeu /* refs: a batch has it, no entry of it exists */
#define SLOT_BAD      0xffffffffu /* refs: never given out */

struct swap_slot {
	u32 refs;  /* holders, or SLOT_* */
	u32 frame; /* pfn + 1 of its frame in the cache; 0: none */
};

/* Slots come in chunks; a chunk that was never used has no memory, and all its slots are free. */
struct swap_chunk {
	struct swap_slot *slots;
	u32 nr_free;
};

struct swap_area {
	struct spinlock lock;
	const struct swap_ops *ops; /* NULL: not in use */
	void *private;
	u32 number;
	u32 accepting; /* [lock] slots may be given out */
	int prio;
	u64 nr_slots;             /* numbers of slots, incl. bad ones */
	u64 usable;               /* [lock] not bad */
	u64 used;                 /* [lock] of these */
	u64 cursor;               /* [lock] chunk where the last run was found */
	struct swap_chunk *chunk; /* [lock] */
	struct list cached;       /* [lock] frame.link, oldest first */
	u64 nr_cached;            /* [lock] */
	char *name;
	const char *kind;
};

struct swap_area *swap_area_at(u32 number);
static inline bool swap_area_sync(const struct swap_area *a)
{
	return a->ops->store != NULL;
}

/* All of these: area->lock is held. */

/* NULL: no such slot, or one that was never used. */
struct swap_slot *swap_slot_find(struct swap_area *a, u64 slot);
/* Entries of it may exist. */
static inline bool swap_slot_held(const struct swap_slot *s)
{
	return s->refs && s->refs < SLOT_RESERVED;
}
/* Nobody needs it. `bad`: it could not be written. */
enum slot_fate { SLOT_FREE, SLOT_WORN };
void swap_slot_release(struct swap_area *a, u64 slot, enum slot_fate fate);
static inline struct frame *swap_slot_frame(const struct swap_slot *s)
{
	return s->frame ? &frame_array[s->frame - 1] : NULL;
}
/* f comes into the cache, with the reference that the caller gives; or goes, and the caller gets the reference. False: it is
 * in the cache already, for a relative that was swapped out at the same time. */
MUST_CHECK bool swap_cache_insert(struct swap_area *a, u64 slot, struct frame *f, u32 flags);
struct frame *swap_cache_remove(struct swap_area *a, u64 slot);

/* An area that stores at once, or one that writes. */
enum swap_speed { SWAP_FAST, SWAP_SLOW };
/* Takes a run of free slots. False: there is none, or the area is not open or not of this sort any more. Context: no locks. */
bool swap_run_take(struct swap_area *a, enum swap_speed speed, struct swap_run *run, u32 want);
/* Slots from run->first + run->used on are free again. */
void swap_run_return(struct swap_run *run);
/* Slots whose pages are in memory, and in the cache for nobody, are free again: how many. Context: no locks. */
u64 swap_slots_trim(void);
/* The open area of the highest priority that has free slots and is of this sort; NULL: none. A hint: no lock is held. */
struct swap_area *swap_area_choose(enum swap_speed speed);

extern struct atomic64 swap_nr_cached, swap_nr_writing;
