/*
 * The buddy allocator. See mm/frame.h.
 *
 * RAM comes as banks. A bank is initialised in chunks of the largest block from
 * its start up to its frontier, when the free lists run dry; frames beyond it are
 * free, but not in any list, and their metadata has never been written.
 *
 *	bank   [ reserved | blocks in lists, in use ... | beyond: untouched ............ ]
 *	       start                                    frontier                      end
 *
 * zone.lock guards lists, frontiers and counts. A hart's cache of single
 * frames is touched only by that hart with interrupts off.
 */
#include "mm/frame.h"

#include "arch/riscv/arch.h"
#include "arch/riscv/irq.h"
#include "arch/riscv/trace.h"
#include "lib/assert.h"
#include "lib/layout.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/frame_boot.h"
#include "mm/reclaim.h"
#include "mm/slab.h"
#include "sync/spinlock.h"

static_assert(sizeof(struct frame) == 64, "struct frame is one cache line");

#define CHUNK        (1ul << FRAME_MAX_ORDER)
#define CACHE_MAX    64
#define LIKELY_ORDER 4u /* blocks up to this one come together again when memory is reclaimed */
#define BATCH_ORDER  5  /* a refill breaks blocks of at most this order */

struct frame_cache {
	u32 nr;
	struct frame *slot[CACHE_MAX];
	s64 kinds[FRAME_KINDS]; /* frames given out minus frames taken back, by this hart */
} ALIGNED(64);

static struct frame_cache caches[MAX_HARTS];

static struct zone {
	struct spinlock lock;
	struct list free[FRAME_MAX_ORDER + 1]; /* [lock] */
	u64 nr_blocks[FRAME_MAX_ORDER + 1];    /* [lock] */
	u64 listed;                            /* [lock] frames in lists */
	u64 beyond;                            /* [lock] unreserved frames beyond the frontiers */
	u64 reserve;                           /* user memory may not go below it, the kernel to half of it */
	u64 low;                               /* below: reclaim while allocating */
	u64 high;                              /* up to here the reclaim thread works */
	u64 spare;                             /* ALLOC_SPARE may not go below it */
	u64 hoard;                             /* so many free frames in whole 2 MiB blocks are kept for superpages */
	u32 batch;                             /* frames a hart's cache gets and gives at once */
	u32 idle_reclaims;                     /* refills to skip reclaim for: the last one found nothing */
} zone;

/* Free frames are those in lists, those in caches, and those beyond the frontiers. */
LAYOUT_IS_ADDRESS(zone);
LAYOUT_IS_FIELD(zone, listed);
LAYOUT_IS_FIELD(zone, beyond);
LAYOUT_IS_ADDRESS(caches);
LAYOUT_IS_STRUCT(frame_cache);
LAYOUT_IS_FIELD(frame_cache, nr);
LAYOUT_IS_FIELD(frame_cache, kinds);

static bool ready;

bool frame_ready(void)
{
	return ready;
}

u64 frame_total(void)
{
	return boot_ram.total;
}

static struct ram_bank *bank_find(pfn_t pfn)
{
	for (u32 i = 0; i < boot_ram.nr_banks; i++) {
		struct ram_bank *b = &boot_ram.banks[i];

		if (pfn >= b->start && pfn < b->end)
			return b;
	}
	return NULL;
}

bool frame_valid(pfn_t pfn)
{
	struct ram_bank *b = bank_find(pfn);

	return b && pfn < READ_ONCE(b->frontier);
}

/* ---- poison (debug builds) ---- */

#ifdef VITRINE_DEBUG
#define POISON 0xa5a5a5a5a5a5a5a5ul

static void poison_fill(struct frame *f, u32 order)
{
	u64 *p = frame_kva(f);

	for (u64 i = 0; i < (PAGE_SIZE << order) / sizeof(u64); i++)
		p[i] = POISON;
	for (u64 i = 0; i < 1ul << order; i++)
		f[i].spare = POISON;
}

static void poison_verify(struct frame *f, u32 order)
{
	for (u64 i = 0; i < 1ul << order; i++) {
		u64 *p = frame_kva(&f[i]);

		if (f[i].spare != POISON)
			continue;
		f[i].spare = 0;
		for (u64 w = 0; w < PAGE_SIZE / sizeof(u64); w++) {
			if (p[w] != POISON)
				panic("free frame %lx was written at offset %lx: %lx", frame_pfn(&f[i]), w * 8, p[w]);
		}
	}
}
#else
static inline void poison_fill(struct frame *f, u32 order)
{
}
static inline void poison_verify(struct frame *f, u32 order)
{
}
#endif

/* ---- buddy lists; all [zone.lock] ---- */

static void block_insert(struct frame *f, u32 order)
{
	f->kind = FRAME_FREE;
	f->order = (u8)order;
	list_add(&f->link, &zone.free[order]);
	zone.nr_blocks[order]++;
}

static void block_remove(struct frame *f)
{
	list_del(&f->link);
	zone.nr_blocks[f->order]--;
}

/* The block's frames are of kind FREE. `bank` holds it. */
static void buddy_insert(struct ram_bank *bank, struct frame *f, u32 order)
{
	pfn_t pfn = frame_pfn(f);

	zone.listed += 1ul << order;
	for (; order < FRAME_MAX_ORDER; order++) {
		pfn_t other = pfn ^ (1ul << order);
		struct frame *b = &frame_array[other];

		if (other < bank->start || other >= bank->frontier)
			break;
		if (b->kind != FRAME_FREE || b->order != order)
			break;
		block_remove(b);
		frame_array[pfn | (1ul << order)].order = FRAME_INSIDE;
		pfn &= ~(1ul << order);
	}
	block_insert(&frame_array[pfn], order);
}

/* Initialises the metadata of the next chunk and frees what is not reserved of it. False: no RAM is left untouched. */
static bool frontier_advance(void)
{
	for (u32 i = 0; i < boot_ram.nr_banks; i++) {
		struct ram_bank *b = &boot_ram.banks[i];
		pfn_t pfn = b->frontier, end, stop;
		bool reserved;

		if (pfn >= b->end)
			continue;
		end = MIN((pfn | (CHUNK - 1)) + 1, b->end);
		for (pfn_t p = pfn; p < end; p++) {
			struct frame *f = &frame_array[p];

			memset(f, 0, sizeof(*f));
			f->kind = FRAME_RESERVED;
			list_init(&f->link);
		}
		b->frontier = end;
		for (; pfn < end; pfn = stop) {
			stop = boot_ram_run(pfn, end, &reserved);
			if (reserved)
				continue;
			zone.beyond -= stop - pfn;
			while (pfn < stop) {
				u32 order = 0;

				while (order < FRAME_MAX_ORDER && IS_ALIGNED(pfn, 2ul << order) &&
					pfn + (2ul << order) <= stop)
					order++;
				for (pfn_t p = pfn; p < pfn + (1ul << order); p++) {
					frame_array[p].kind = FRAME_FREE;
					frame_array[p].order = FRAME_INSIDE;
				}
				buddy_insert(b, &frame_array[pfn], order);
				pfn += 1ul << order;
			}
		}
		return true;
	}
	return false;
}

/* A block of exactly `order`, out of the lists. */
static struct frame *buddy_take(u32 order)
{
	u32 o;

	do {
		for (o = order; o <= FRAME_MAX_ORDER; o++) {
			struct frame *f;

			if (list_empty(&zone.free[o]))
				continue;
			f = list_first_entry(&zone.free[o], struct frame, link);
			block_remove(f);
			while (o > order) {
				o--;
				block_insert(f + (1ul << o), o);
			}
			zone.listed -= 1ul << order;
			f->order = (u8)order;
			return f;
		}
	} while (frontier_advance());
	return NULL;
}

/*
 * The hoard: the last free blocks of 2 MiB are not broken for smaller things while there is something to reclaim. So a
 * machine whose memory is full of cached files, which come and go page by page, still has superpages to give.
 */
#define ALLOC_BREAK BIT(31) /* inside this file: the hoard too, there is nothing else */

/* Free frames, without the hoard. Exact with zone.lock held. */
static u64 zone_free(void)
{
	u64 blocks = READ_ONCE(zone.beyond), all = READ_ONCE(zone.listed) + blocks;

	for (u32 order = HUGE_ORDER; order <= FRAME_MAX_ORDER; order++)
		blocks += READ_ONCE(zone.nr_blocks[order]) << order;
	return all - MIN(blocks, zone.hoard);
}

/* Free frames for an allocation. [zone.lock] */
static u64 zone_free_for(u32 order, u32 flags)
{
	if (order >= HUGE_ORDER || (flags & (ALLOC_ATOMIC | ALLOC_BREAK)) || reclaim_active())
		return zone.listed + zone.beyond;
	return zone_free();
}

/* How many free frames an allocation with these flags must leave. */
static u64 zone_floor(u32 flags)
{
	if (flags & ALLOC_SPARE)
		return zone.hoard ? zone.low : zone.spare;
	if ((flags & ALLOC_ATOMIC) || reclaim_active())
		return 0;
	return (flags & ALLOC_USER) ? zone.reserve : zone.reserve / 2;
}

/* ---- the harts' caches; all with interrupts off ---- */

static void cache_refill(struct frame_cache *c, u64 floor, u32 flags)
{
	u32 got = 0;

	spin_lock(&zone.lock);
	while (got < zone.batch && zone_free_for(0, flags) > floor) {
		u32 order = 0;
		struct frame *f;

		while (order < BATCH_ORDER && list_empty(&zone.free[order]))
			order++;
		/* Rather less than to break a block for the last few. */
		if ((1ul << order) > zone.batch - got && got >= zone.batch / 2)
			break;
		while ((1ul << order) > zone.batch - got)
			order--;
		f = buddy_take(order);
		if (!f)
			break;
		for (u32 i = 1u << order; i-- > 0;) {
			f[i].kind = FRAME_CACHED;
			f[i].order = 0;
			c->slot[c->nr++] = &f[i];
		}
		got += 1u << order;
	}
	trace_note(TRACE_ALLOC, 0, zone.listed + zone.beyond, got, 0, 0);
	spin_unlock(&zone.lock);
}

static void cache_drain(struct frame_cache *c, u32 keep)
{
	u32 give = c->nr - keep;

	spin_lock(&zone.lock);
	/* The oldest go; what was freed last is warm. */
	for (u32 i = 0; i < give; i++) {
		struct frame *f = c->slot[i];

		f->kind = FRAME_FREE;
		buddy_insert(bank_find(frame_pfn(f)), f, 0);
	}
	trace_note(TRACE_FREE, 0, zone.listed + zone.beyond, give, 0, 0);
	spin_unlock(&zone.lock);
	for (u32 i = 0; i < keep; i++)
		c->slot[i] = c->slot[give + i];
	c->nr = keep;
}

static inline void frame_born(struct frame *f, enum frame_kind kind)
{
	f->kind = (u8)kind;
	f->order = 0;
	f->small = 0;
	atomic_set(&f->flags, 0);
	atomic_set(&f->refs, 1);
	f->dirty_blocks = 0;
	f->owner = NULL;
	f->index = 0;
	f->private = NULL;
	list_init(&f->link);
}

static inline struct frame *cache_take(enum frame_kind kind)
{
	u64 irq = irq_save();
	struct frame_cache *c = &caches[hart_index()];
	struct frame *f = NULL;

	if (likely(c->nr)) {
		f = c->slot[--c->nr];
		frame_born(f, kind);
		c->kinds[kind]++;
	}
	irq_restore(irq);
	return f;
}

/* ---- allocation ---- */

static struct frame *try_alloc(u32 order, enum frame_kind kind, u32 flags)
{
	u64 floor = zone_floor(flags);
	struct frame *f = NULL;
	u64 irq = irq_save();
	struct frame_cache *c = &caches[hart_index()];

	if (order == 0) {
		if (!c->nr)
			cache_refill(c, floor, flags);
		irq_restore(irq);
		return cache_take(kind);
	}
	spin_lock(&zone.lock);
	if (zone_free_for(order, flags) >= floor + (1ul << order))
		f = buddy_take(order);
	/* Said with the lock held: a hart that frees the buddy would take the block for a free one, and join the two. */
	if (f)
		f->kind = (u8)kind;
	spin_unlock(&zone.lock);
	if (f) {
		for (u64 i = 1; i < 1ul << order; i++) {
			f[i].kind = (u8)kind;
			f[i].order = FRAME_INSIDE;
		}
		frame_born(f, kind);
		f->order = (u8)order;
		c->kinds[kind] += 1l << order;
	}
	irq_restore(irq);
	return f;
}

u64 frame_shortage(void)
{
	u64 nr = zone_free();

	return nr < zone.high ? zone.high - nr : 0;
}

bool frame_short(void)
{
	return READ_ONCE(zone.listed) + READ_ONCE(zone.beyond) < zone.low;
}

/* Has a little reclaimed ahead of need; when that found nothing, the next refills do not try. */
static void reclaim_ahead(void)
{
	if (zone_free() >= zone.low || reclaim_active())
		return;
	if (reclaim_wake())
		return;
	if (zone.idle_reclaims) {
		zone.idle_reclaims--;
		return;
	}
	if (!reclaim_pages(2 * zone.batch))
		zone.idle_reclaims = 32;
}

#define ALLOC_NO_RECLAIM (ALLOC_ATOMIC | ALLOC_SPARE | ALLOC_NOWAIT)

static NOINLINE struct frame *alloc_slow(u32 order, enum frame_kind kind, u32 flags)
{
	struct frame *f;

	if (!(flags & ALLOC_NO_RECLAIM))
		reclaim_ahead();
	f = try_alloc(order, kind, flags);
	if (f || (flags & ALLOC_NO_RECLAIM) || reclaim_active())
		return f;
	/* Single frames that become free make a large block only by luck: not where there are enough of them already. */
	if (order > LIKELY_ORDER && !frame_shortage())
		return try_alloc(order, kind, flags | ALLOC_BREAK);
	if (zone.idle_reclaims) {
		zone.idle_reclaims--;
		f = try_alloc(order, kind, flags | ALLOC_BREAK);
	}
	for (u32 tries = 0; tries < (order > LIKELY_ORDER ? 1 : 4) && !f; tries++) {
		u64 got = reclaim_pages(MAX(64ul, 2ul << MIN(order, LIKELY_ORDER)));

		f = try_alloc(order, kind, flags);
		if (!got) {
			zone.idle_reclaims = 32;
			break;
		}
	}
	return f ? f : try_alloc(order, kind, flags | ALLOC_BREAK);
}

static NOINLINE struct frame *alloc_zeroed_slow(u32 order, enum frame_kind kind, u32 flags)
{
	struct frame *f = alloc_slow(order, kind, flags);

	if (!f)
		return NULL;
	poison_verify(f, order);
	if (flags & ALLOC_ZERO) {
		for (u64 i = 0; i < 1ul << order; i++)
			page_zero(frame_kva(&f[i]));
	}
	return f;
}

struct frame *frame_alloc(u32 order, enum frame_kind kind, u32 flags)
{
	struct frame *f;

	DEBUG_ASSERT(order <= FRAME_MAX_ORDER && kind > FRAME_CACHED && kind < FRAME_KINDS);
	if (alloc_should_fail())
		return NULL;
	if (unlikely(order != 0) || unlikely(!(f = cache_take(kind))))
		return alloc_zeroed_slow(order, kind, flags);
	poison_verify(f, 0);
	if (flags & ALLOC_ZERO)
		page_zero(frame_kva(f));
	return f;
}

void frame_free(struct frame *f)
{
	struct frame_cache *c;
	u32 order = f->order;
	u64 irq;

	DEBUG_ASSERT(order <= FRAME_MAX_ORDER && f->kind > FRAME_CACHED);
	DEBUG_ASSERT(list_empty(&f->link));
	poison_fill(f, order);
	irq = irq_save();
	c = &caches[hart_index()];
	c->kinds[f->kind] -= 1l << order;
	f->owner = NULL;
	if (likely(order == 0)) {
		f->kind = FRAME_CACHED;
		c->slot[c->nr++] = f;
		if (unlikely(c->nr >= 2 * zone.batch))
			cache_drain(c, zone.batch);
	} else {
		spin_lock(&zone.lock);
		for (u64 i = 0; i < 1ul << order; i++) {
			f[i].kind = FRAME_FREE;
			f[i].order = FRAME_INSIDE;
			f[i].owner = NULL;
		}
		buddy_insert(bank_find(frame_pfn(f)), f, order);
		spin_unlock(&zone.lock);
	}
	irq_restore(irq);
}

/* ---- blocks as single frames ---- */

void frame_split(struct frame *f, u32 order)
{
	enum frame_kind kind = f->kind;

	DEBUG_ASSERT(f->order == order && atomic_read(&f->refs) == 1);
	for (u64 i = 0; i < 1ul << order; i++)
		frame_born(&f[i], kind);
}

/* ---- boot ---- */

/* Backs the metadata array where it describes this bank. */
static void bank_map_array(struct ram_bank *b, vaddr_t *mapped_to)
{
	vaddr_t start = (vaddr_t)&frame_array[b->start], end = (vaddr_t)&frame_array[b->end];
	u64 align = end - start >= HUGE_SIZE ? HUGE_SIZE : PAGE_SIZE;
	u64 len;
	paddr_t pa;

	start = MAX(ALIGN_DOWN(start, align), *mapped_to);
	end = PAGE_ALIGN_UP(end);
	if (start >= end)
		return;
	len = end - start;
	if (!IS_ALIGNED(start, align))
		align = PAGE_SIZE;
	pa = boot_ram_take(len >> PAGE_SHIFT, align >> PAGE_SHIFT);
	if (arch_map_kernel(start, pa, len) != 0)
		panic("cannot map the frame array for RAM at %lx", b->start << PAGE_SHIFT);
	*mapped_to = end;
}

void frame_init(void)
{
	vaddr_t mapped_to = 0;
	u64 usable;

	spin_init(&zone.lock, "frames", RANK_FRAME);
	for (u32 o = 0; o <= FRAME_MAX_ORDER; o++)
		list_init(&zone.free[o]);
	if (!boot_ram.nr_banks)
		panic("the device tree names no RAM");
	for (u32 i = 0; i < boot_ram.nr_banks; i++)
		bank_map_array(&boot_ram.banks[i], &mapped_to);
	for (u32 i = 0; i < boot_ram.nr_banks; i++) {
		struct ram_bank *b = &boot_ram.banks[i];
		bool reserved;

		b->frontier = b->start;
		boot_ram.total += b->end - b->start;
		for (pfn_t p = b->start, stop; p < b->end; p = stop) {
			stop = boot_ram_run(p, b->end, &reserved);
			if (!reserved)
				zone.beyond += stop - p;
		}
	}
	usable = zone.beyond;
	zone.reserve = CLAMP(usable / 128, 64ul, 4096ul);
	zone.low = zone.reserve * 2;
	zone.high = zone.reserve * 3;
	zone.spare = zone.low + usable / 16;
	zone.hoard = ALIGN_DOWN(usable / 32, HUGE_NR_PAGES);
	zone.batch = usable < 16384 ? 8 : CACHE_MAX / 2;
	frame_wait_init();
	ready = true;
}

/* ---- reports ---- */

void frame_stats_read(struct frame_stats *out)
{
	u64 cached = 0, used = 0;

	memset(out, 0, sizeof(*out));
	for (u32 h = 0; h < MAX_HARTS; h++) {
		cached += READ_ONCE(caches[h].nr);
		for (u32 k = 0; k < FRAME_KINDS; k++)
			out->kinds[k] += (u64)READ_ONCE(caches[h].kinds[k]);
	}
	for (u32 k = 0; k < FRAME_KINDS; k++)
		used += out->kinds[k];
	out->total = boot_ram.total;
	out->free = READ_ONCE(zone.listed) + READ_ONCE(zone.beyond) + cached;
	out->kinds[FRAME_CACHED] = cached;
	out->kinds[FRAME_FREE] = out->free - cached;
	if (used + out->free < out->total)
		out->kinds[FRAME_RESERVED] = out->total - used - out->free;
}

static u64 check_list(u32 order)
{
	struct frame *f;
	u64 nr = 0;

	list_for_each_entry (f, &zone.free[order], link) {
		ASSERT(f->kind == FRAME_FREE && f->order == order);
		ASSERT(IS_ALIGNED(frame_pfn(f), 1ul << order));
		ASSERT(atomic_read(&f->refs) == 0);
		for (u64 i = 1; i < 1ul << order; i++)
			ASSERT(f[i].kind == FRAME_FREE && f[i].order == FRAME_INSIDE);
		nr++;
	}
	ASSERT(nr == zone.nr_blocks[order]);
	return nr << order;
}

void frame_check(void)
{
	u64 irq = spin_lock_irqsave(&zone.lock);
	u64 listed = 0, counted[FRAME_KINDS] = {0};
	struct frame_stats st;

	for (u32 o = 0; o <= FRAME_MAX_ORDER; o++)
		listed += check_list(o);
	ASSERT(listed == zone.listed);
	for (u32 i = 0; i < boot_ram.nr_banks; i++) {
		for (pfn_t p = boot_ram.banks[i].start; p < boot_ram.banks[i].frontier; p++) {
			ASSERT(frame_array[p].kind > FRAME_NONE && frame_array[p].kind < FRAME_KINDS);
			counted[frame_array[p].kind]++;
		}
	}
	ASSERT(counted[FRAME_FREE] == listed);
	frame_stats_read(&st);
	for (u32 k = FRAME_CACHED; k < FRAME_KINDS; k++)
		ASSERT(counted[k] == st.kinds[k]);
	spin_unlock_irqrestore(&zone.lock, irq);
}
