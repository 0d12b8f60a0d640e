/* Moving pages out, a batch at a time. See mm/swap.h. */
#include "lib/assert.h"
#include "lib/errno.h"
#include "mm/stat.h"
#include "mm/swap_area.h"
#include "sync/sched.h"

#define SHRINK_BATCH 16u

static bool batch_take(struct swap_batch *b)
{
	struct swap_area *fast = swap_area_choose(SWAP_FAST), *slow = swap_area_choose(SWAP_SLOW);

	*b = (struct swap_batch){0};
	if (fast && (!slow || slow->prio <= fast->prio))
		swap_run_take(fast, SWAP_FAST, &b->fast, SWAP_BATCH);
	/* Also where what the fast one does not take may go. */
	if (slow)
		swap_run_take(slow, SWAP_SLOW, &b->slow, SWAP_BATCH);
	if (fast && !b->fast.nr && !b->slow.nr)
		swap_run_take(fast, SWAP_FAST, &b->fast, SWAP_BATCH);
	return b->fast.nr || b->slow.nr;
}

bool swap_batch_start(struct swap_batch *b)
{
	/* Slots of pages that are in memory again are a luxury. */
	return batch_take(b) || (swap_slots_trim() && batch_take(b));
}

/* f is in the cache already: one more holder of its entry, and one reference to f less. */
static void *add_cached(struct swap_batch *b, struct frame *f)
{
	void *entry = READ_ONCE(f->private);
	struct swap_area *a;
	struct swap_slot *s;
	bool last, gone = false;
	u64 irq;
	u32 flags;

	if (!entry)
		return NULL;
	a = swap_area_at(swap_entry_area(entry));
	irq = spin_lock_irqsave(&a->lock);
	if (f->private != entry) {
		spin_unlock_irqrestore(&a->lock, irq);
		return NULL; /* it left this moment */
	}
	s = swap_slot_find(a, swap_entry_slot(entry));
	s->refs += s->refs < SWAP_REFS_MAX;
	flags = atomic_read(&f->flags);
	last = atomic_read(&f->refs) == 2;
	if (last && !(flags & (FRAME_DIRTY | FRAME_WRITEBACK))) {
		swap_cache_remove(a, swap_entry_slot(entry));
		gone = true;
	}
	spin_unlock_irqrestore(&a->lock, irq);
	if (gone)
		frame_put(f);
	frame_put(f);
	b->freed += gone || (last && (flags & FRAME_WRITEBACK));
	return entry;
}

/*
 * Two relatives that share f, each with a lock of its own, may be at this at the same time: who comes second finds f in the
 * cache, gives its slot back, and becomes one more holder of the first one's entry.
 */
static void *const TAKEN = (void *)2;

/* The area has the page when this returns an entry. NULL: it does not fit. */
static void *add_fast(struct swap_batch *b, struct frame *f)
{
	struct swap_area *a = b->fast.area;
	u64 slot = b->fast.first + b->fast.used, irq;
	bool shared = atomic_read(&f->refs) > 1, taken;
	struct swap_slot *s;

	if (a->ops->store(a, slot, frame_kva(f)) != 0)
		return NULL;
	irq = spin_lock_irqsave(&a->lock);
	s = swap_slot_find(a, slot);
	s->refs = 1;
	/* A relative has it still: when it goes there, too, it is here. */
	taken = shared && !swap_cache_insert(a, slot, f, FRAME_UPTODATE);
	if (taken) {
		s->refs = SLOT_RESERVED;
		a->ops->forget(a, slot);
	}
	spin_unlock_irqrestore(&a->lock, irq);
	if (taken)
		return TAKEN;
	b->fast.used++;
	if (!shared) {
		frame_put(f);
		b->freed++;
	}
	atomic64_inc(&vm_stats.pswpout);
	return swap_entry_make(a->number, slot);
}

static void *add_slow(struct swap_batch *b, struct frame *f)
{
	struct swap_area *a = b->slow.area;
	u64 slot = b->slow.first + b->slow.used, irq;
	struct swap_slot *s;
	bool taken;

	irq = spin_lock_irqsave(&a->lock);
	s = swap_slot_find(a, slot);
	s->refs = 1;
	taken = !swap_cache_insert(a, slot, f, FRAME_UPTODATE | FRAME_DIRTY | FRAME_WRITEBACK);
	if (taken)
		s->refs = SLOT_RESERVED;
	spin_unlock_irqrestore(&a->lock, irq);
	if (taken)
		return TAKEN;
	b->slow.used++;
	b->freed += atomic_read(&f->refs) == 1;
	b->frames[b->nr++] = f;
	atomic64_inc(&swap_nr_writing);
	return swap_entry_make(a->number, slot);
}

void *swap_batch_add(struct swap_batch *b, struct frame *f)
{
	void *entry;

	do {
		entry = READ_ONCE(f->private) ? add_cached(b, f) : NULL;
		if (!entry && b->fast.used < b->fast.nr)
			entry = add_fast(b, f);
		if (!entry && b->slow.used < b->slow.nr)
			entry = add_slow(b, f);
	} while (entry == TAKEN);
	return entry;
}

void swap_batch_finish(struct swap_batch *b)
{
	if (b->nr) {
		atomic64_add(&vm_stats.pswpout, b->nr);
		b->slow.area->ops->write(b->slow.area, b->slow.first, b->frames, b->nr);
	}
	if (b->fast.area)
		swap_run_return(&b->fast);
	if (b->slow.area)
		swap_run_return(&b->slow);
}

/* ---- what only the cache has ---- */

/*
 * Takes frames off the old end of the area's list: those the cache alone has go, and are counted; those that a failed write
 * left are put under WRITEBACK again, into `again`. The rest goes to the young end.
 */
static u64 shrink_some(struct swap_area *a, u32 budget, struct frame **again, u32 *nr_again)
{
	u64 irq = spin_lock_irqsave(&a->lock), gone = 0;

	*nr_again = 0;
	for (; budget && !list_empty(&a->cached) && a->ops; budget--) {
		struct frame *f = list_first_entry(&a->cached, struct frame, link);
		u64 slot = swap_entry_slot(f->private);
		u32 flags = atomic_read(&f->flags);

		list_move_tail(&f->link, &a->cached);
		if ((flags & (FRAME_BUSY | FRAME_WRITEBACK)) || atomic_read(&f->refs) != 1)
			continue;
		if ((flags & FRAME_DIRTY) && swap_slot_find(a, slot)->refs) {
			/* Twice is enough: a slot that is worn does not get better. */
			if (*nr_again < SHRINK_BATCH && !(flags & FRAME_RETRIED)) {
				atomic_or(&f->flags, FRAME_WRITEBACK | FRAME_RETRIED);
				again[(*nr_again)++] = f;
			}
			continue;
		}
		frame_put(swap_cache_remove(a, slot));
		gone++;
	}
	spin_unlock_irqrestore(&a->lock, irq);
	return gone;
}

u64 swap_cache_shrink(u64 nr)
{
	struct frame *again[SHRINK_BATCH];
	u64 gone = 0;
	u32 nr_again;

	for (u32 i = 0; i < SWAP_MAX_AREAS && gone < nr; i++) {
		struct swap_area *a = swap_area_at(i);

		for (u64 left = READ_ONCE(a->nr_cached); left && gone < nr; left -= MIN(left, 64ul)) {
			gone += shrink_some(a, (u32)MIN(left, 64ul), again, &nr_again);
			for (u32 k = 0; k < nr_again; k++) {
				atomic64_inc(&swap_nr_writing);
				a->ops->write(a, swap_entry_slot(again[k]->private), &again[k], 1);
			}
			sched_point();
		}
	}
	return gone;
}

u64 swap_cache_alone(void)
{
	u64 nr = 0;

	for (u32 i = 0; i < SWAP_MAX_AREAS; i++) {
		struct swap_area *a = swap_area_at(i);
		u64 irq = spin_lock_irqsave(&a->lock);
		struct frame *f;

		list_for_each_entry (f, &a->cached, link)
			nr += atomic_read(&f->refs) == 1;
		spin_unlock_irqrestore(&a->lock, irq);
	}
	return nr;
}
