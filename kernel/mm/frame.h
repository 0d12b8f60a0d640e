/*
 * Physical page frames: one struct frame for each 4 KiB of RAM, and a buddy
 * allocator over them with a small cache per hart.
 *
 * The array is virtual (KVA_FRAMES, indexed by pfn); only the parts that
 * describe RAM are backed. Metadata of RAM that was never allocated is not
 * initialised: each bank has a frontier, and everything above it is free
 * without the array having been touched. Free RAM itself is never written at boot.
 *
 * Life of a frame:
 *   FREE --frame_alloc--> (kind given) refs = 1 --frame_get/put--> refs 0 --> FREE
 *
 * A frame that user tables map is not counted by those mappings: its owner
 * (an amap slot, the page cache) holds the reference, and drops it only after
 * the translations are unhooked and flushed (mm/tlb.h).
 */
#pragma once

#include "arch/riscv/layout.h"
#include "lib/assert.h"
#include "lib/atomic.h"
#include "lib/list.h"
#include "lib/types.h"

enum frame_kind {
	FRAME_NONE,     /* metadata never initialised (beyond the frontier), or no RAM */
	FRAME_RESERVED, /* firmware, device tree, kernel image, this array */
	FRAME_FREE,     /* in a buddy list (first frame of its block) or inside such a block */
	FRAME_CACHED,   /* free, in a hart's cache */
	FRAME_KERNEL,   /* kmalloc of whole pages and the like */
	FRAME_SLAB,
	FRAME_TABLE,    /* page table; owner: struct pagetable */
	FRAME_STACK,    /* kernel stack */
	FRAME_ANON,     /* owner: struct amap, index: page in it */
	FRAME_FILE,     /* owner: struct pagecache, index: page of the file */
	FRAME_USYSCALL, /* owner: struct aspace */
	FRAME_KINDS
};

/* frame.flags; changed by atomic or/and. Who may set what is said in mm/frame.h's users. */
#define FRAME_BUSY      (1u << 0) /* contents in flux: I/O, or being filled; frame_wait() sleeps */
#define FRAME_UPTODATE  (1u << 1) /* file page: contents valid */
#define FRAME_DIRTY     (1u << 2) /* file page: differs from disk */
#define FRAME_WRITEBACK (1u << 3) /* being written to disk */
#define FRAME_ERROR     (1u << 4) /* the last I/O failed */
#define FRAME_ACCESSED  (1u << 5) /* second chance for reclaim */
#define FRAME_LRU       (1u << 6) /* linked in a reclaim list */
#define FRAME_EXEC      (1u << 7) /* instruction caches know its contents (mm/fault.c) */
#define FRAME_BLOCK     (1u << 8) /* first frame of a 2 MiB block that is whole in some amap (mm/anon.h) */
/* Of FRAME_ANON (mm/swap.h); there, UPTODATE, DIRTY, WRITEBACK and ERROR are about the swap area's copy. */
#define FRAME_SWAPCACHE (1u << 12) /* in the swap cache */
#define FRAME_READAHEAD (1u << 13) /* was read with a neighbour; nobody has asked for it yet */
#define FRAME_RETRIED   (1u << 14) /* was written again after an error */

struct frame {
	u8 kind;             /* enum frame_kind */
	u8 order;            /* of the block this frame heads; FRAME_INSIDE: not the first of its block */
	u16 small;           /* by kind: slab objects in use; anonymous: rounds of reclaim that found it unused */
	struct atomic flags; /* FRAME_* */
	struct atomic refs;  /* 0: free */
	u32 dirty_blocks;    /* file page of a block device: bit per 512-byte sector */
	void *owner;         /* by kind */
	u64 index;           /* by kind */
	struct list link;    /* free list, LRU, slab list, tlb batch, swap cache */
	void *private;       /* by kind: slab free list, swap entry of a frame in the swap cache, … */
	u64 spare;
};

/* Flags of the allocation calls (frames, slab, kmalloc alike). */
#define ALLOC_ZERO   BIT(0) /* contents zero */
#define ALLOC_ATOMIC BIT(1) /* may not sleep nor reclaim; may take the reserve */
#define ALLOC_USER   BIT(2) /* for user memory: leaves the kernel's reserve alone */
#define ALLOC_SPARE  BIT(3) /* only from plenty: no reclaim, and a part of RAM stays free for those who need it */

#define ALLOC_NOWAIT BIT(4) /* no reclaim, and not from the reserve */

#define FRAME_MAX_ORDER 10 /* largest block: 4 MiB */

#define FRAME_INSIDE 0xff

#ifdef HOST_TEST
extern struct frame *frame_array;
#else
#define frame_array ((struct frame *)KVA_FRAMES)
#endif

static inline pfn_t frame_pfn(const struct frame *f)
{
	return (pfn_t)(f - frame_array);
}
static inline paddr_t frame_pa(const struct frame *f)
{
	return frame_pfn(f) << PAGE_SHIFT;
}
static inline void *frame_kva(const struct frame *f)
{
	return phys_to_kva(frame_pa(f));
}
static inline struct frame *pa_frame(paddr_t pa)
{
	return &frame_array[pa >> PAGE_SHIFT];
}
static inline struct frame *kva_frame(const void *kva)
{
	return pa_frame(kva_to_phys(kva));
}

/* Boot: tells of RAM and of holes in it, then opens the allocator. Called by mm_init in that order. */
void frame_add_ram(paddr_t start, paddr_t end);
void frame_reserve(paddr_t start, paddr_t end);
void frame_init(void);
/* Before frame_init has ended: pages for early page tables, zeroed through the direct map. Panics when there is none. */
paddr_t frame_boot_alloc(void);
/* False: use frame_boot_alloc; true: frame_alloc works. */
bool frame_ready(void);

/*
 * 2^order frames, contiguous, aligned to their size, refs = 1 on the first.
 * NULL when there is none (after reclaim, unless ALLOC_ATOMIC).
 * Context: may sleep unless ALLOC_ATOMIC.
 */
struct frame *frame_alloc(u32 order, enum frame_kind kind, u32 flags);
static inline void frame_get(struct frame *f)
{
	atomic_inc(&f->refs);
}
/* Part of frame_put: nobody has a reference any more. */
void frame_free(struct frame *f);
/* Drops a reference; the last one frees the block. Context: any, spinlocks may be held (not ranks above RANK_FRAME). */
static inline void frame_put(struct frame *f)
{
	u32 left = atomic_dec_return(&f->refs);

	if (left == 0)
		frame_free(f);
	else
		ASSERT(left < 0x80000000u);
}

/* A block just allocated becomes 2^order single frames with a reference each. */
void frame_split(struct frame *f, u32 order);

/* True when pfn is RAM whose metadata may be read. */
bool frame_valid(pfn_t pfn);

/* Sleeps until FRAME_BUSY (or _WRITEBACK) is clear; the caller holds a reference. */
void frame_wait(struct frame *f, u32 flag);
/* Takes BUSY, sleeping; or tries. */
void frame_lock_busy(struct frame *f);
bool frame_try_busy(struct frame *f);
/* Clears `flag` and wakes the sleepers. Context: any. */
void frame_clear_wake(struct frame *f, u32 flag);

/* Frames of RAM, for limits: cheap. */
u64 frame_total(void);

struct frame_stats {
	u64 total; /* frames of RAM */
	u64 free;  /* incl. beyond the frontier and hart caches */
	u64 kinds[FRAME_KINDS];
};
void frame_stats_read(struct frame_stats *out);
/* Asserts every invariant of the free lists and counters. Exact only while nobody else allocates. */
void frame_check(void);
