/*
 * Reclaim of anonymous memory: a clock over all amaps.
 *
 * The clock's list has every amap; its head is the one the hand is in, and am->hand is where. One step looks at one
 * leaf of the amap's slots (64 pages) in one hold of amap->lock:
 *
 *	1  harvest: A bits of these pages are read, cleared and flushed, in every VMA that shows them
 *	2  age: a page that was used is young (frame.small 0), another one round older
 *	3  pages of the wanted age: translations dropped and flushed, the slot gets a swap entry (mm/swap.h)
 *
 * A page is left alone when no VMA shows it (it is on its way), or a locked one does. A page shared by several amaps after a
 * fork goes out of each by itself; its frame stays until the last one has let it go.
 *
 * Shared memory (am->obj) is shown by its object's VMAs, under obj->lock, which reclaim may only try for.
 *
 * Why an amap does not go away under the clock: amap_withdraw takes it off the list under the clock's lock, and then takes and
 * drops amap->lock once. Whoever found it on the list took amap->lock before giving up the clock's, and touches neither the amap nor
 * its object after dropping it.
 *
 * Locks: amap_clock.lock (RANK_AMAPS) → amap->lock → pt->lock; obj->lock by trylock only. Never as->lock: whoever wants memory may
 * hold it.
 */
#include "arch/riscv/trace.h"
#include "lib/assert.h"
#include "lib/bitmap.h"
#include "lib/errno.h"
#include "lib/layout.h"
#include "mm/anon.h"
#include "mm/aspace.h"
#include "mm/reclaim.h"
#include "mm/stat.h"
#include "mm/swap.h"
#include "mm/tlb.h"
#include "sync/sched.h"

#define CHUNK   INDEX_WIDTH /* slots looked at in one step */
#define AGE_MAX 3u
#define AGE_OLD 2u /* what is evicted when there is no hurry */

static struct amap_clock {
	struct spinlock lock;
	struct list amaps; /* [lock] amap.link */
	u64 nr;            /* [lock] */
} amap_clock = {.lock = SPINLOCK_INIT("amaps", RANK_AMAPS), .amaps = LIST_INIT(amap_clock.amaps)};
LAYOUT_IS_ADDRESS(amap_clock);
LAYOUT_IS_FIELD(amap_clock, amaps);
LAYOUT_IS_FIELD(amap, link);

void amap_publish(struct amap *am)
{
	spin_lock(&amap_clock.lock);
	list_add_tail(&am->link, &amap_clock.amaps);
	amap_clock.nr++;
	spin_unlock(&amap_clock.lock);
}

void amap_withdraw(struct amap *am)
{
	spin_lock(&amap_clock.lock);
	list_del(&am->link);
	amap_clock.nr--;
	spin_unlock(&amap_clock.lock);
	spin_lock(&am->lock);
	spin_unlock(&am->lock);
}

/* The amap at the head, locked, its object (if any) too. NULL: there is none, or it could not be locked: then it went to the tail. */
static struct amap *clock_take(void)
{
	struct amap *am = NULL;

	spin_lock(&amap_clock.lock);
	if (!list_empty(&amap_clock.amaps)) {
		am = list_first_entry(&amap_clock.amaps, struct amap, link);
		spin_lock(&am->lock);
		if (am->obj && !mutex_trylock(&am->obj->lock)) {
			spin_unlock(&am->lock);
			list_move_tail(&am->link, &amap_clock.amaps);
			am = NULL;
		}
	}
	spin_unlock(&amap_clock.lock);
	return am;
}

static void clock_drop(struct amap *am)
{
	if (am->obj)
		mutex_unlock(&am->obj->lock);
	spin_unlock(&am->lock);
}

/* The hand leaves am, which may be gone by now, for the next one. */
static void clock_advance(const struct amap *am)
{
	spin_lock(&amap_clock.lock);
	if (!list_empty(&amap_clock.amaps) && amap_clock.amaps.next == &am->link)
		list_move_tail(amap_clock.amaps.next, &amap_clock.amaps);
	spin_unlock(&amap_clock.lock);
}

/* ---- a chunk of slots; amap->lock is held, and obj->lock ---- */

struct chunk {
	struct amap *am;
	u64 first;   /* key; bit i of the words below is first + i */
	u64 present; /* frames */
	u64 shown;   /* by some VMA */
	u64 locked;  /* by a locked VMA */
	u64 young;   /* accessed since the last look */
	u64 out;     /* to be evicted */
	bool full;   /* no slot is left: only pages that have one can go */
};

static void chunk_init(struct chunk *c, struct amap *am, u64 first)
{
	const struct index_node *leaf = index_leaf(&am->pages, first);

	*c = (struct chunk){.am = am, .first = first};
	for (u32 i = 0; leaf && i < CHUNK; i++) {
		if (leaf->slots[i] && !slot_is_swap(leaf->slots[i]))
			c->present |= BIT(i);
	}
}

/* Bits of the slots that v shows. */
static u64 chunk_part(const struct chunk *c, const struct vma *v)
{
	u64 start = amap_first_key(c->am, v), end = start + vma_pages(v);
	u64 lo = MAX(start, c->first), hi = MIN(end, c->first + CHUNK);

	if (lo >= hi)
		return 0;
	return (hi - lo == CHUNK ? ~0ul : BIT(hi - lo) - 1) << (lo - c->first);
}

static vaddr_t chunk_va(const struct chunk *c, const struct vma *v, u32 bit)
{
	return v->start + ((c->first + bit - amap_first_key(c->am, v)) << PAGE_SHIFT);
}

/* For each VMA that shows a part of the chunk: fn(c, v, its bits). */
static void chunk_each_vma(struct chunk *c, void (*fn)(struct chunk *c, struct vma *v, u64 part))
{
	struct vma *v;

	if (c->am->obj) {
		list_for_each_entry (v, &c->am->obj->mappings, obj_link) {
			if (chunk_part(c, v))
				fn(c, v, chunk_part(c, v));
		}
	} else {
		list_for_each_entry (v, &c->am->mappings, amap_link) {
			if (chunk_part(c, v))
				fn(c, v, chunk_part(c, v));
		}
	}
}

struct harvest {
	u64 *young;
	u32 first;
};

static void note_young(void *arg, u64 page, u32 prot)
{
	struct harvest *h = arg;

	*h->young |= BIT(h->first + page);
}

static void look_at(struct chunk *c, struct vma *v, u64 part)
{
	u32 lo = bit_lowest(part), hi = bit_highest(part);
	struct harvest h = {.young = &c->young, .first = lo};
	struct tlb tlb;

	c->shown |= part;
	if (READ_ONCE(v->flags) & VMA_LOCKED)
		c->locked |= part;
	if (!(part & c->present))
		return;
	tlb_start(&tlb, &v->as->pt);
	pt_lock(&v->as->pt);
	pt_harvest(&v->as->pt, chunk_va(c, v, lo), chunk_va(c, v, hi) + PAGE_SIZE, &tlb, note_young, &h);
	pt_unlock(&v->as->pt);
	tlb_finish(&tlb);
}

static struct frame *chunk_frame(const struct chunk *c, u32 bit)
{
	return index_get(&c->am->pages, c->first + bit);
}

/* The page can go, and was not used for `age` rounds. One more for a page that needs a slot and will not be free yet. */
static bool may_go(const struct chunk *c, const struct frame *f, u32 unused, u32 age)
{
	bool cached = frame_swap_cached(f);

	/* What shared memory still writes has other contents than what is being written. */
	if (cached ? c->am->obj != NULL : c->full)
		return false;
	return unused >= age + (age && !cached && atomic_read(&f->refs) > 1);
}

/* Chooses the pages that were not used for `age` rounds, and makes the others older. */
static void chunk_age(struct chunk *c, u32 age)
{
	c->shown |= c->am->obj ? c->present : 0; /* its object alone holds it */
	for (u64 left = c->present & c->shown & ~c->locked; left; left &= left - 1) {
		u32 bit = bit_lowest(left);
		struct frame *f = chunk_frame(c, bit);
		u32 unused = c->young & BIT(bit) ? 0 : MIN(READ_ONCE(f->small) + 1u, AGE_MAX);

		WRITE_ONCE(f->small, (u16)unused);
		if (may_go(c, f, unused, age))
			c->out |= BIT(bit);
	}
}

static void unmap_out(struct chunk *c, struct vma *v, u64 part)
{
	struct tlb tlb;
	u64 left = part & c->out;

	if (!left)
		return;
	tlb_start(&tlb, &v->as->pt);
	pt_lock(&v->as->pt);
	while (left) {
		u32 lo = bit_lowest(left), nr = ~(left >> lo) ? bit_lowest(~(left >> lo)) : CHUNK;

		pt_unmap(&v->as->pt, chunk_va(c, v, lo), chunk_va(c, v, lo) + nr * PAGE_SIZE, &tlb);
		left &= nr == CHUNK ? 0 : ~((BIT(nr) - 1) << lo);
	}
	pt_unlock(&v->as->pt);
	tlb_finish(&tlb);
}

/* The chosen pages go into the batch, as many as it takes. Returns how many slots have an entry now. */
static u64 chunk_evict(struct chunk *c, struct swap_batch *b)
{
	struct amap *am = c->am;
	u64 nr = 0;

	if (!c->out)
		return 0;
	/* What is in no slot of the object any more will not be mapped again by who found it there (mm/memobj.h). */
	for (u64 left = am->obj ? c->out : 0; left; left &= left - 1)
		chunk_frame(c, bit_lowest(left))->owner = NULL;
	chunk_each_vma(c, unmap_out);
	for (u64 left = c->out; left; left &= left - 1) {
		u64 key = c->first + bit_lowest(left);
		struct frame *f = index_get(&am->pages, key);
		void *entry;

		/* Before the frame, which may be the block's first, belongs to somebody else. */
		amap_block_drop(am, key);
		entry = swap_batch_add(b, f);
		if (!entry) {
			f->owner = am;
			WRITE_ONCE(f->small, 0); /* others first, the next time */
			continue;
		}
		(void)index_set(&am->pages, key, entry); /* in place of the frame: needs no memory */
		amap_count_swap(am, key, -1);
		nr++;
	}
	atomic64_add(&vm_stats.pgsteal_anon, nr);
	if (nr)
		trace_note(TRACE_SWAP_OUT, 0, c->first, nr, (u64)am, 0);
	return nr;
}

/* ---- blocks: used or unused as a whole, because looking at a part would split the leaf ---- */

#define BLOCK_MASK ((u64)HUGE_NR_PAGES - 1)

static void note_used(void *arg, u64 page, u32 prot)
{
	*(bool *)arg = true;
}

static bool block_used(struct amap *am, u64 first)
{
	bool used = false;
	struct vma *v;

	list_for_each_entry (v, &am->mappings, amap_link) {
		u64 lo = MAX(first, v->apgoff), hi = MIN(first + HUGE_NR_PAGES, v->apgoff + vma_pages(v));
		struct tlb tlb;

		if (lo >= hi)
			continue;
		tlb_start(&tlb, &v->as->pt);
		pt_lock(&v->as->pt);
		pt_harvest(&v->as->pt, v->start + ((lo - v->apgoff) << PAGE_SHIFT),
			v->start + ((hi - v->apgoff) << PAGE_SHIFT), &tlb, note_used, &used);
		pt_unlock(&v->as->pt);
		tlb_finish(&tlb);
	}
	return used;
}

/* True: the slot at key is in a block, and that stays whole for this round. Its first frame has its age. */
static bool block_stays(struct amap *am, u64 key, u32 age)
{
	u64 first = key & ~BLOCK_MASK;
	struct frame *f = amap_block(am, first);
	u32 unused;

	if (!f)
		return false;
	unused = block_used(am, first) ? 0 : MIN(READ_ONCE(f->small) + 1u, AGE_MAX);
	/* When it breaks, its pages go on with its age. */
	for (u64 i = 0; i < (unused < age ? 1 : HUGE_NR_PAGES); i++)
		WRITE_ONCE(f[i].small, (u16)unused);
	return unused < age;
}

/* ---- the clock ---- */

struct turn {
	u64 freed;  /* frames that nobody has any more */
	u64 looked; /* slots, and a few for each amap */
	u64 amaps;  /* that the hand has left */
};

/* One step of the hand. */
static void clock_step(struct swap_batch *b, u32 age, struct turn *t)
{
	struct amap *am = clock_take();
	struct chunk c;
	bool end;
	u64 key;

	t->looked += 4;
	if (!am) {
		t->amaps++;
		return;
	}
	key = am->hand;
	end = !index_next(&am->pages, &key);
	if (!end && block_stays(am, key, age)) {
		t->looked++;
		am->hand = (key & ~BLOCK_MASK) + HUGE_NR_PAGES;
	} else if (!end) {
		chunk_init(&c, am, key & ~(u64)(CHUNK - 1));
		c.full = swap_batch_full(b);
		if (c.present) {
			chunk_each_vma(&c, look_at);
			chunk_age(&c, age);
			(void)chunk_evict(&c, b);
		}
		t->looked += bit_count(c.present) + 1;
		atomic64_add(&vm_stats.pgscan_anon, bit_count(c.present));
		am->hand = c.first + CHUNK;
	} else {
		am->hand = 0;
	}
	clock_drop(am);
	if (end) {
		clock_advance(am);
		t->amaps++;
	}
}

/* Pages that could go. */
static u64 anon_size(void)
{
	struct swap_totals st;

	swap_totals(&st);
	return st.total ? atomic64_read(&vm_stats.anon_frames) + st.cached : 0;
}

/* Without a free slot, what one relative has put into the cache can still go out of the others. */
static bool batch_start(struct swap_batch *b)
{
	struct swap_totals st;

	if (swap_batch_start(b))
		return true;
	swap_totals(&st);
	return st.cached > 0;
}

/*
 * A page that relatives by fork share is free when the last of them has let it go: in a hurry the hand goes all the way round for
 * that. Only in no hurry it stops after a part of the round.
 */
static u64 anon_scan(u64 want)
{
	u32 pass = reclaim_pass();
	u32 age = AGE_OLD - MIN(pass, AGE_OLD);
	u64 part = pass ? ~0ul : MAX(16 * want, 1024ul), round = READ_ONCE(amap_clock.nr);
	struct turn t = {.freed = swap_cache_shrink(want)};

	/* The hand is somewhere inside the first one, and meets it again at the end. */
	while (t.freed < want && t.looked < part && t.amaps <= round) {
		struct swap_batch b;

		if (!batch_start(&b))
			break;
		clock_step(&b, age, &t);
		swap_batch_finish(&b);
		t.freed += b.freed;
		sched_point();
	}
	return t.freed;
}

static struct shrinker shrinker = {
	.name = "anonymous",
	.kind = RECLAIM_ANON,
	.scan = anon_scan,
	.size = anon_size,
	.settle = swap_write_wait,
};

void anon_reclaim_init(void)
{
	reclaim_register(&shrinker);
}

/* ---- by hand: madvise; as->lock of a VMA that shows the keys is held, so the amap stays ---- */

enum advice { ADVICE_OUT, ADVICE_COOL };

/* One chunk of the keys [first, end). Returns what was evicted. */
static u64 advise_chunk(struct amap *am, u64 first, u64 end, u64 base, enum advice advice, struct swap_batch *b)
{
	u64 part = ~0ul, nr = 0;
	struct chunk c;

	if (am->obj)
		mutex_lock(&am->obj->lock);
	spin_lock(&am->lock);
	chunk_init(&c, am, base);
	part <<= first > base ? first - base : 0;
	if (end < base + CHUNK)
		part &= BIT(end - base) - 1;
	c.present &= part;
	chunk_each_vma(&c, look_at);
	c.young = 0;
	chunk_age(&c, advice == ADVICE_OUT ? 0 : AGE_MAX + 1);
	if (advice == ADVICE_OUT)
		nr = chunk_evict(&c, b);
	for (u64 left = advice == ADVICE_COOL ? c.present : 0; left; left &= left - 1)
		WRITE_ONCE(chunk_frame(&c, bit_lowest(left))->small, AGE_OLD);
	clock_drop(am);
	return nr;
}

static u64 advise_range(struct amap *am, u64 first, u64 nr, enum advice advice)
{
	u64 base = first & ~(u64)(CHUNK - 1), end = first + nr, done = 0;
	struct swap_batch b;

	while (base < end) {
		u64 got;

		if (advice == ADVICE_OUT && !swap_batch_start(&b))
			break;
		got = advise_chunk(am, first, end, base, advice, &b);
		if (advice == ADVICE_OUT)
			swap_batch_finish(&b);
		done += got;
		/* A batch is smaller than a chunk: the rest of it comes next. */
		if (!got)
			base += CHUNK;
		sched_point();
	}
	return done;
}

u64 anon_page_out(struct amap *am, u64 first, u64 nr)
{
	return advise_range(am, first, nr, ADVICE_OUT);
}

void anon_cool(struct amap *am, u64 first, u64 nr)
{
	(void)advise_range(am, first, nr, ADVICE_COOL);
}

/* ---- swapoff ---- */

/* The first entry of the area from *key on that may be touched; NULL: none. */
static void *find_entry(struct amap *am, u32 area, u64 *key)
{
	void *slot;

	if (!am->nr_swapped)
		return NULL;
	index_for_each(&am->pages, *key, slot)
	{
		struct chunk c = {.am = am, .first = *key & ~(u64)(CHUNK - 1)};

		if (!slot_is_swap(slot) || swap_entry_area(slot) != area)
			continue;
		chunk_each_vma(&c, look_at);
		if (am->obj || (c.shown & BIT(*key - c.first)))
			return slot;
	}
	return NULL;
}

/* Entries of the area in the amap at the clock's head get their frames, as far as the cache has them. *entry: the first that has
 * none; NULL: the amap has no more. False: that, or it could not be locked. */
static bool swap_in_step(u32 area, struct amap **in, u64 *key, void **entry)
{
	struct amap *am = clock_take();
	struct frame *f;
	void *found;

	*entry = NULL;

	if (!am)
		return false;
	if (am != *in) {
		*in = am;
		*key = 0;
	}
	while ((found = find_entry(am, area, key)) != NULL && (f = swap_cache_find(found)) != NULL)
		amap_swap_in(am, *key, found, f);
	*entry = found;
	clock_drop(am);
	if (!found)
		clock_advance(am);
	return found != NULL;
}

int anon_swap_in_all(u32 area)
{
	u64 turns = READ_ONCE(amap_clock.nr) * 2 + 1, key = 0;
	struct amap *in = NULL;
	struct frame *f = NULL;
	void *entry = NULL;
	int err = 0;

	while (turns && !err) {
		if (!swap_in_step(area, &in, &key, &entry)) {
			turns--;
			in = NULL;
		}
		if (f)
			swap_frame_put(f);
		f = NULL;
		if (entry)
			err = swap_load(entry, &f);
		if (err == -EAGAIN)
			err = 0;
		if (!err && sched_signal_pending())
			err = -EINTR;
		sched_point();
	}
	if (f)
		swap_frame_put(f);
	return err;
}
