/*
 * An amap: the private pages of one VMA, by page number. The slot holds the
 * frame's reference; translations hold none.
 *
 * Who shares an amap (exactly one of):
 *  A1  one VMA;
 *  A2  several VMAs of one address space, pieces of what once was one VMA: none
 *      has VMA_NEEDS_COPY, their key ranges are disjoint and cover all slots;
 *  A3  one VMA in each of several address spaces, relatives by fork: all have
 *      VMA_NEEDS_COPY, and each one's key range covers all slots. Nobody adds or
 *      removes slots; who wants to takes a clone first (amap_clone).
 *
 * Which it is changes only under the address space's lock for writing (a single
 * VMA whose relatives went away may clear its own flag under the lock for reading).
 * Frames with one reference may be written in place by the slot's owner.
 *
 * Locks: amap->lock (spinlock, RANK_AMAP) guards the slots.
 */
#pragma once

#include "lib/index.h"
#include "lib/refcount.h"
#include "lib/types.h"
#include "mm/frame.h"
#include "sync/spinlock.h"

struct amap {
	struct spinlock lock;
	struct refcount refs; /* VMAs */
	struct index pages;   /* [lock] struct frame * */
};

void amap_init(void);
struct amap *amap_create(void); /* NULL: no memory */
static inline void amap_get(struct amap *am)
{
	refcount_get(&am->refs);
}
/* The last one gives the frames back: their translations are gone and flushed. */
void amap_put(struct amap *am);
static inline bool amap_shared(const struct amap *am)
{
	return refcount_read(&am->refs) > 1;
}

/* Every slot, the frames now shared. NULL: no memory. */
struct amap *amap_clone(struct amap *am);
/* Gives back the frames of keys [first, first + nr), already unmapped and flushed. Returns how many. */
u64 amap_erase(struct amap *am, u64 first, u64 nr);
/* Moves slots to another amap, which has none there. 0/-ENOMEM, then nothing moved. */
int amap_move(struct amap *dst, u64 dst_key, struct amap *src, u64 src_key, u64 nr);
/* Adds `by` to every key. The amap has one VMA. 0/-ENOMEM. */
int amap_shift(struct amap *am, u64 by);
