/* Swap areas: slots, their references, and areas that come and go. See mm/swap.h. */
#include "mm/swap.h"

#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/layout.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/stat.h"
#include "mm/swap_area.h"
#include "sync/mutex.h"
#include "sync/sched.h"
#include "sync/waitq.h"

static struct swap_area swap_areas[SWAP_MAX_AREAS];
LAYOUT_IS_ADDRESS(swap_areas);
LAYOUT_IS_STRUCT(swap_area);
LAYOUT_IS_FIELD(swap_area, ops);
LAYOUT_IS_FIELD(swap_area, nr_slots);
LAYOUT_IS_FIELD(swap_area, used);
LAYOUT_IS_FIELD(swap_area, nr_cached);
LAYOUT_IS_FIELD(swap_area, chunk);
LAYOUT_IS_STRUCT(swap_chunk);
LAYOUT_IS_FIELD(swap_chunk, slots);
LAYOUT_IS_STRUCT(swap_slot);
LAYOUT_IS_FIELD(swap_slot, refs);
LAYOUT_IS_FIELD(swap_slot, frame);
LAYOUT_IS_CONST(SWAP_AREA_BITS);
LAYOUT_IS_CONST(SWAP_CHUNK);
LAYOUT_IS_CONST(SWAP_REFS_MAX);
LAYOUT_IS_CONST(SLOT_RESERVED);
LAYOUT_IS_CONST(SLOT_BAD);
static struct mutex areas_lock = MUTEX_INIT(areas_lock, "swap areas", RANK_SWAP_SLEEP);
static struct atomic64 nr_usable, nr_used;
static struct waitq never = WAITQ_INIT(never, "swapoff");
static int next_prio = -2; /* of an area that does not ask for one: Linux counts down from here */

#define SWAPOFF_PAUSE_NS 10000000ul

void swap_init(void)
{
	for (u32 i = 0; i < SWAP_MAX_AREAS; i++) {
		swap_areas[i].number = i;
		spin_init(&swap_areas[i].lock, "swap area", RANK_SWAP);
		list_init(&swap_areas[i].cached);
	}
}

struct swap_area *swap_area_at(u32 number)
{
	return &swap_areas[number];
}

void *swap_area_of(const struct swap_area *a)
{
	return a->private;
}

void swap_areas_lock(void)
{
	mutex_lock(&areas_lock);
}

void swap_areas_unlock(void)
{
	mutex_unlock(&areas_lock);
}

void *swap_area_private(u32 number, const struct swap_ops *ops)
{
	return number < SWAP_MAX_AREAS && swap_areas[number].ops == ops ? swap_areas[number].private : NULL;
}

bool swap_available(void)
{
	for (u32 i = 0; i < SWAP_MAX_AREAS; i++) {
		if (READ_ONCE(swap_areas[i].accepting) &&
			READ_ONCE(swap_areas[i].used) < READ_ONCE(swap_areas[i].usable))
			return true;
	}
	return false;
}

/* ---- slots ---- */

struct swap_slot *swap_slot_find(struct swap_area *a, u64 slot)
{
	struct swap_chunk *c;

	if (!a->ops || slot >= a->nr_slots)
		return NULL;
	c = &a->chunk[slot / SWAP_CHUNK];
	return c->slots ? &c->slots[slot % SWAP_CHUNK] : NULL;
}

void swap_slot_release(struct swap_area *a, u64 slot, enum slot_fate fate)
{
	struct swap_chunk *c = &a->chunk[slot / SWAP_CHUNK];
	struct swap_slot *s = &c->slots[slot % SWAP_CHUNK];

	DEBUG_ASSERT(!s->frame);
	a->used--;
	atomic64_dec(&nr_used);
	if (fate == SLOT_WORN) {
		s->refs = SLOT_BAD;
		a->usable--;
		atomic64_dec(&nr_usable);
		return;
	}
	s->refs = 0;
	c->nr_free++;
	if (a->ops->forget)
		a->ops->forget(a, slot);
}

void swap_entry_dup(void *entry)
{
	struct swap_area *a = &swap_areas[swap_entry_area(entry)];
	u64 irq = spin_lock_irqsave(&a->lock);
	struct swap_slot *s = swap_slot_find(a, swap_entry_slot(entry));

	ASSERT(s && swap_slot_held(s));
	if (s->refs < SWAP_REFS_MAX)
		s->refs++;
	spin_unlock_irqrestore(&a->lock, irq);
}

/* The last holder is gone, and f is in the cache for nobody: is there a reason to keep it there? */
static bool keep_cached(const struct swap_area *a, const struct frame *f)
{
	u32 flags = atomic_read(&f->flags);

	if (flags & (FRAME_BUSY | FRAME_WRITEBACK))
		return true; /* W3: the end of the I/O sees to it */
	/* As long as it is not written to, it can go again without I/O. That is worth a slot if there are plenty. */
	return !(flags & FRAME_DIRTY) && atomic_read(&f->refs) > 1 && !swap_area_sync(a) && a->used * 2 < a->usable;
}

void swap_entry_put(void *entry)
{
	u64 slot = swap_entry_slot(entry);
	struct swap_area *a = &swap_areas[swap_entry_area(entry)];
	u64 irq = spin_lock_irqsave(&a->lock);
	struct swap_slot *s = swap_slot_find(a, slot);
	struct frame *f;

	ASSERT(s && swap_slot_held(s));
	f = swap_slot_frame(s);
	if (s->refs == SWAP_REFS_MAX || --s->refs) {
		f = NULL;
	} else if (!f) {
		swap_slot_release(a, slot, SLOT_FREE);
	} else {
		f = keep_cached(a, f) ? NULL : swap_cache_remove(a, slot);
	}
	spin_unlock_irqrestore(&a->lock, irq);
	if (f)
		frame_put(f);
}

/* ---- runs ---- */

/* A free slot of the chunk and those after it that are free too: how many, at most want. a->lock is held. */
static u32 chunk_take(struct swap_area *a, u64 nr, u32 want, u64 *first)
{
	struct swap_chunk *c = &a->chunk[nr];
	u64 at = 0;
	u32 got = 0;

	while (c->slots[at].refs || c->slots[at].frame)
		at++;
	*first = nr * SWAP_CHUNK + at;
	for (; got < want && at < SWAP_CHUNK && !c->slots[at].refs && !c->slots[at].frame; at++, got++)
		c->slots[at].refs = SLOT_RESERVED;
	c->nr_free -= got;
	a->used += got;
	atomic64_add(&nr_used, got);
	return got;
}

/* Memory for a chunk that is used for the first time. Slots beyond the end of the area are bad. */
static bool chunk_grow(struct swap_area *a, u64 nr)
{
	struct swap_slot *slots = kzalloc(PAGE_SIZE, ALLOC_ATOMIC);
	u64 irq;

	if (!slots)
		return false;
	for (u64 i = 0; i < SWAP_CHUNK; i++) {
		if (nr * SWAP_CHUNK + i >= a->nr_slots)
			slots[i].refs = SLOT_BAD;
	}
	irq = spin_lock_irqsave(&a->lock);
	if (!a->chunk[nr].slots) {
		a->chunk[nr].slots = slots;
		slots = NULL;
	}
	spin_unlock_irqrestore(&a->lock, irq);
	kfree(slots);
	return true;
}

#define NO_CHUNK (~0ul)

/* A run of the next chunk with free slots; if that needs memory first, its number is returned, otherwise NO_CHUNK. a->lock is held. */
static u64 run_find(struct swap_area *a, struct swap_run *run, u32 want)
{
	u64 nr_chunks = DIV_ROUND_UP(a->nr_slots, SWAP_CHUNK);

	for (u64 i = 0; i < nr_chunks; i++) {
		u64 nr = (a->cursor + i) % nr_chunks;

		if (!a->chunk[nr].nr_free)
			continue;
		if (!a->chunk[nr].slots)
			return nr;
		a->cursor = nr;
		run->nr = chunk_take(a, nr, want, &run->first);
		break;
	}
	return NO_CHUNK;
}

bool swap_run_take(struct swap_area *a, enum swap_speed speed, struct swap_run *run, u32 want)
{
	*run = (struct swap_run){.area = a};
	for (;;) {
		u64 irq = spin_lock_irqsave(&a->lock), grow = NO_CHUNK;
		bool grown;

		/* Since it was chosen it may have been closed, and another one may be here. */
		if (a->accepting && swap_area_sync(a) == (speed == SWAP_FAST))
			grow = run_find(a, run, want);
		a->used += grow != NO_CHUNK; /* so that it stays open (area_drain) */
		spin_unlock_irqrestore(&a->lock, irq);
		if (grow == NO_CHUNK)
			break;
		grown = chunk_grow(a, grow);
		irq = spin_lock_irqsave(&a->lock);
		a->used--;
		spin_unlock_irqrestore(&a->lock, irq);
		if (!grown)
			break;
	}
	return run->nr > 0;
}

void swap_run_return(struct swap_run *run)
{
	struct swap_area *a = run->area;
	u64 irq;

	if (run->used == run->nr)
		return;
	irq = spin_lock_irqsave(&a->lock);
	for (u32 i = run->used; i < run->nr; i++)
		swap_slot_release(a, run->first + i, SLOT_FREE);
	spin_unlock_irqrestore(&a->lock, irq);
	run->nr = run->used;
}

struct swap_area *swap_area_choose(enum swap_speed speed)
{
	static u32 last;
	struct swap_area *best = NULL;

	/* Areas of one priority take turns. */
	for (u32 i = 1; i <= SWAP_MAX_AREAS; i++) {
		struct swap_area *a = &swap_areas[(READ_ONCE(last) + i) % SWAP_MAX_AREAS];
		const struct swap_ops *ops = READ_ONCE(a->ops);

		/* It may be closed at any time: swap_run_take() looks again. */
		if (!ops || !READ_ONCE(a->accepting) || (ops->store != NULL) != (speed == SWAP_FAST) ||
			READ_ONCE(a->used) >= READ_ONCE(a->usable))
			continue;
		if (!best || a->prio > best->prio)
			best = a;
	}
	if (best)
		WRITE_ONCE(last, best->number);
	return best;
}

/* ---- areas ---- */

static void area_free_memory(struct swap_area *a)
{
	for (u64 i = 0; a->chunk && i < DIV_ROUND_UP(a->nr_slots, SWAP_CHUNK); i++)
		kfree(a->chunk[i].slots);
	kfree(a->chunk);
	kfree(a->name);
	a->chunk = NULL;
	a->name = NULL;
}

/* 0/-ENOMEM/-EINVAL. Nobody else knows the area yet. */
static int mark_bad(struct swap_area *a, u64 slot)
{
	struct swap_chunk *c = &a->chunk[slot / SWAP_CHUNK];

	if (slot >= a->nr_slots)
		return -EINVAL;
	if (!c->slots && !chunk_grow(a, slot / SWAP_CHUNK))
		return -ENOMEM;
	if (c->slots[slot % SWAP_CHUNK].refs == SLOT_BAD)
		return 0;
	c->slots[slot % SWAP_CHUNK].refs = SLOT_BAD;
	c->nr_free--;
	a->usable--;
	return 0;
}

static int area_prepare(struct swap_area *a, const struct swap_source *src)
{
	u64 nr_chunks = DIV_ROUND_UP(src->nr_slots, SWAP_CHUNK);
	int err = 0;

	a->private = src->private;
	a->nr_slots = a->usable = src->nr_slots;
	a->used = a->cursor = a->nr_cached = 0;
	a->kind = src->kind;
	a->name = kstrdup(src->name, 0);
	a->chunk = kzalloc(nr_chunks * sizeof(*a->chunk), 0);
	if (!a->name || !a->chunk)
		return -ENOMEM;
	for (u64 i = 0; i < nr_chunks; i++)
		a->chunk[i].nr_free = (u32)MIN(a->nr_slots - i * SWAP_CHUNK, SWAP_CHUNK);
	if (src->ops->read)
		err = mark_bad(a, 0);
	for (u32 i = 0; i < src->nr_bad && !err; i++)
		err = mark_bad(a, src->bad[i]);
	return err ? err : a->usable ? 0 : -EINVAL;
}

int swap_area_add(const struct swap_source *src)
{
	struct swap_area *a = NULL;
	int err = -EPERM;
	u64 irq;

	mutex_lock(&areas_lock);
	for (u32 i = 0; i < SWAP_MAX_AREAS && !a; i++) {
		if (!swap_areas[i].ops)
			a = &swap_areas[i];
	}
	if (a)
		err = area_prepare(a, src);
	if (err) {
		if (a)
			area_free_memory(a);
		goto out_unlock;
	}
	a->prio = src->prio == SWAP_PRIO_AUTO ? next_prio-- : src->prio;
	atomic64_add(&nr_usable, a->usable);
	irq = spin_lock_irqsave(&a->lock);
	a->ops = src->ops;
	a->accepting = 1;
	spin_unlock_irqrestore(&a->lock, irq);
	err = (int)a->number;
	pr_info("swap: %s %s, %lu KiB, priority %d", a->kind, a->name, a->usable << (PAGE_SHIFT - 10), a->prio);
out_unlock:
	mutex_unlock(&areas_lock);
	return err;
}

/* Frames that are in the cache for nobody give their slots back. */
static u64 cache_empty(struct swap_area *a)
{
	u64 irq = spin_lock_irqsave(&a->lock), nr = 0;
	struct frame *f, *next;

	list_for_each_entry_safe (f, next, &a->cached, link) {
		u64 slot = swap_entry_slot(f->private);

		if (swap_slot_find(a, slot)->refs || (atomic_read(&f->flags) & (FRAME_BUSY | FRAME_WRITEBACK)))
			continue;
		frame_put(swap_cache_remove(a, slot));
		nr++;
	}
	spin_unlock_irqrestore(&a->lock, irq);
	return nr;
}

u64 swap_slots_trim(void)
{
	u64 nr = 0;

	for (u32 i = 0; i < SWAP_MAX_AREAS; i++)
		nr += READ_ONCE(swap_areas[i].nr_cached) ? cache_empty(&swap_areas[i]) : 0;
	return nr;
}

static void area_accept(struct swap_area *a, u32 accept)
{
	u64 irq = spin_lock_irqsave(&a->lock);

	a->accepting = accept;
	spin_unlock_irqrestore(&a->lock, irq);
}

/* Everything comes back; what is on its way or under I/O for the moment is looked for again. */
static int area_drain(struct swap_area *a)
{
	while (READ_ONCE(a->used)) {
		int err = anon_swap_in_all(a->number);

		if (err && err != -EAGAIN)
			return err;
		cache_empty(a);
		if (!READ_ONCE(a->used))
			break;
		if (sched_signal_pending())
			return -EINTR;
		(void)wait_event_timeout(&never, READ_ONCE(a->used) == 0, clock_mono_ns() + SWAPOFF_PAUSE_NS);
	}
	return 0;
}

int swap_area_remove(u32 number)
{
	struct swap_area *a = &swap_areas[number];
	struct swap_area closed;
	u64 irq;
	int err = -EINVAL;

	mutex_lock(&areas_lock);
	if (number >= SWAP_MAX_AREAS || !a->ops) {
		mutex_unlock(&areas_lock);
		return err;
	}
	area_accept(a, 0);
	err = area_drain(a);
	if (err) {
		area_accept(a, 1);
		mutex_unlock(&areas_lock);
		return err;
	}
	irq = spin_lock_irqsave(&a->lock);
	DEBUG_ASSERT(list_empty(&a->cached));
	closed = *a;
	a->ops = NULL;
	a->chunk = NULL;
	a->name = NULL;
	spin_unlock_irqrestore(&a->lock, irq);
	atomic64_sub(&nr_usable, closed.usable);
	mutex_unlock(&areas_lock);
	/* The provider may take locks that come before ours. */
	closed.ops->release(&closed);
	area_free_memory(&closed);
	return 0;
}

/* ---- reports ---- */

void swap_totals(struct swap_totals *out)
{
	u64 used = atomic64_read(&nr_used);

	out->total = atomic64_read(&nr_usable);
	out->free = out->total - MIN(used, out->total);
	out->cached = atomic64_read(&swap_nr_cached);
}

bool swap_info_read(u32 i, struct swap_info *out)
{
	struct swap_area *a = &swap_areas[i];
	bool there;

	mutex_lock(&areas_lock);
	there = i < SWAP_MAX_AREAS && a->ops;
	if (there) {
		strlcpy(out->name, a->name, sizeof(out->name));
		out->kind = a->kind;
		out->nr_slots = READ_ONCE(a->usable);
		out->used = READ_ONCE(a->used);
		out->prio = a->prio;
	}
	mutex_unlock(&areas_lock);
	return there;
}
