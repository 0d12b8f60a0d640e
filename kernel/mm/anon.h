/*
 * An amap: the private pages of one VMA, by page number. A slot holds the
 * frame's reference, or one to a swap entry (mm/swap.h); translations hold none.
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
 * Frames with one reference may be written in place by the slot's owner. So nobody takes a second one for a moment to such
 * a frame: a write fault would copy it while another thread writes to it, whose translation is there already.
 *
 * Reverse map: amap->mappings are the VMAs that show its slots. Reclaim finds every
 * translation of a slot through it, holding amap->lock alone. So, while that is
 * held, start, end and apgoff of those VMAs stand still, and every translation of
 * a slot is one of them. A slot that none of them covers is on its way to another
 * VMA or amap: whoever finds it there leaves it alone.
 *
 * Counts: as->resident and as->swapped are the frames and entries in slots that its VMAs show. They change together
 * with the slots, or with amap->mappings, in one hold of amap->lock.
 *
 * Blocks: an entry in amap->blocks at key k says that slots k ... k + 511 hold the
 * frames of one 2 MiB block, in order, from the entry on. Who changes one of those
 * slots takes the entry out first (amap_block_drop). Mapping the block by one leaf
 * is up to mm/superpage.c.
 *
 * Locks: amap->lock (spinlock, RANK_AMAP) guards slots, blocks and mappings.
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
	struct index pages;   /* [lock] slots: struct frame *, or a swap entry */
	struct index blocks;  /* [lock] first frame of a block, by the key of its first slot */
	struct list mappings; /* [lock] struct vma.amap_link */
	u64 nr_swapped;       /* [lock] slots with a swap entry */
	u64 hand;             /* [lock] where reclaim goes on (mm/anon_reclaim.c) */
	struct list link;     /* all amaps [mm/anon_reclaim.c] */
	struct memobj *obj;   /* shared memory: its object, whose VMAs show the slots by pgoff; else NULL */
};

/* What a slot holds: a frame, or (low bit set) a swap entry. */
static inline bool slot_is_swap(const void *slot)
{
	return (uintptr_t)slot & 1;
}

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

struct aspace;
struct memobj;
struct vma;
/* v, whose amap is set, shows its slots from now on; or no longer. Locks: take amap->lock. */
void amap_link(struct vma *v);
void amap_unlink(struct vma *v);
/*
 * The same for a VMA that is the only one of its address space to show the amap (A1, A3), and the pages that
 * the amap has then are counted in the address space, or no longer: fork, unmapping, unsharing.
 */
void amap_enter(struct vma *v);
void amap_exit(struct vma *v);
/* v shows `to`, a clone of its amap, instead. Takes over the caller's reference to it, and drops v's to the old one. */
void amap_switch(struct vma *v, struct amap *to);
/* Gives v, which has no amap, the caller's reference to `am`; or takes v's away. */
void amap_join(struct vma *v, struct amap *am);
void amap_leave(struct vma *v);

/* Every slot, the frames now shared. NULL: no memory. */
struct amap *amap_clone(struct amap *am);
/* ---- blocks; all with amap->lock held ---- */

/* Slots key ... key + 511 get the frames of the block f, which was split, with their references. 0; -EAGAIN: one of them
 * is not empty; -ENOMEM. */
int amap_block_add(struct amap *am, u64 key, struct frame *f);
/* The slots from key on hold the frames of the split block f, in order, which is said now (if memory allows). */
void amap_block_mark(struct amap *am, u64 key, struct frame *f);
/* The first frame of the block that begins at key, or NULL. */
static inline struct frame *amap_block(const struct amap *am, u64 key)
{
	return index_empty(&am->blocks) ? NULL : index_get(&am->blocks, key);
}
/* The slot at key is about to change: if it is in a block, that is one no longer. */
void amap_block_break(struct amap *am, u64 key);
static inline void amap_block_drop(struct amap *am, u64 key)
{
	if (unlikely(!index_empty(&am->blocks)))
		amap_block_break(am, key);
}

/* ---- ranges of slots ---- */

/* Gives back the pages of keys [first, first + nr), already unmapped and flushed, which count in `as`. */
void amap_erase(struct amap *am, u64 first, u64 nr, struct aspace *as);
/* Moves slots to another amap, which has none there. 0/-ENOMEM, then nothing moved. */
int amap_move(struct amap *dst, u64 dst_key, struct amap *src, u64 src_key, u64 nr);
/* Adds `by` to every key, and to its VMA's apgoff: it has one. 0/-ENOMEM. */
int amap_shift(struct amap *am, u64 by);

/* ---- swap; all with amap->lock held ---- */

/* The VMAs that show key have a page in memory more (by 1) or fewer (by -1), and an entry fewer or more. */
void amap_count_swap(struct amap *am, u64 key, int by);
/* The slot at key, which holds `entry`, gets its frame f, with the caller's reference. */
void amap_swap_in(struct amap *am, u64 key, void *entry, struct frame *f);
/* The key of the first page that v shows of am. */
u64 amap_first_key(const struct amap *am, const struct vma *v);

/* ---- reclaim (anon_reclaim.c) ---- */

/* am can be found by reclaim from now on; or no longer, and nobody is at it any more. */
void amap_publish(struct amap *am);
void amap_withdraw(struct amap *am);
/* Swaps out what can be of keys [first, first + nr), however warm (MADV_PAGEOUT); or makes it first to go (MADV_COLD).
 * Returns the pages evicted. Locks: as->lock of a VMA that shows them. Context: may sleep. */
u64 anon_page_out(struct amap *am, u64 first, u64 nr);
void anon_cool(struct amap *am, u64 first, u64 nr);
void anon_reclaim_init(void);
