/* The swap cache, and reading pages back. See mm/swap.h. */
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "mm/stat.h"
#include "mm/swap_area.h"
#include "sync/waitq.h"

#define READ_CLUSTER 8u /* slots, aligned: neighbours went out together, and are likely to be wanted together */

struct atomic64 swap_nr_cached, swap_nr_writing;
static struct waitq write_queue = WAITQ_INIT(write_queue, "swap write");

#define CACHE_FLAGS (FRAME_SWAPCACHE | FRAME_UPTODATE | FRAME_DIRTY | FRAME_ERROR | FRAME_READAHEAD | FRAME_RETRIED)

bool swap_cache_insert(struct swap_area *a, u64 slot, struct frame *f, u32 flags)
{
	struct swap_slot *s = swap_slot_find(a, slot);
	void *none = NULL;

	DEBUG_ASSERT(!s->frame);
	if (!__atomic_compare_exchange_n(
		    &f->private, &none, swap_entry_make(a->number, slot), false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return false;
	DEBUG_ASSERT(list_empty(&f->link));
	atomic_or(&f->flags, FRAME_SWAPCACHE | flags);
	s->frame = (u32)frame_pfn(f) + 1;
	list_add_tail(&f->link, &a->cached);
	a->nr_cached++;
	atomic64_inc(&swap_nr_cached);
	return true;
}

struct frame *swap_cache_remove(struct swap_area *a, u64 slot)
{
	struct swap_slot *s = swap_slot_find(a, slot);
	struct frame *f = swap_slot_frame(s);
	u32 flags;

	s->frame = 0;
	list_del(&f->link);
	a->nr_cached--;
	atomic64_dec(&swap_nr_cached);
	flags = atomic_fetch_and(&f->flags, ~CACHE_FLAGS);
	DEBUG_ASSERT(!(flags & (FRAME_BUSY | FRAME_WRITEBACK)));
	store_release(&f->private, NULL); /* from here on another area may take it in */
	if (!s->refs)
		swap_slot_release(
			a, slot, (flags & (FRAME_DIRTY | FRAME_ERROR)) == (FRAME_DIRTY | FRAME_ERROR) ? SLOT_WORN : SLOT_FREE);
	return f;
}

/* The area in whose cache f is, locked, with its slot; NULL: in none. */
static struct swap_area *cached_lock(struct frame *f, u64 *slot, u64 *irq)
{
	for (;;) {
		void *entry = READ_ONCE(f->private);
		struct swap_area *a;

		if (!entry)
			return NULL;
		a = swap_area_at(swap_entry_area(entry));
		*irq = spin_lock_irqsave(&a->lock);
		if (f->private == entry) {
			*slot = swap_entry_slot(entry);
			return a;
		}
		spin_unlock_irqrestore(&a->lock, *irq);
	}
}

bool swap_cache_own(struct frame *f)
{
	u64 slot, irq;
	struct swap_area *a = cached_lock(f, &slot, &irq);
	u32 flags;
	bool own;

	if (!a)
		return atomic_read(&f->refs) == 1;
	flags = atomic_read(&f->flags);
	own = atomic_read(&f->refs) == 2 && !(flags & (FRAME_BUSY | FRAME_WRITEBACK));
	/* The holders of the entry have the area's copy, if there is one. */
	if ((flags & FRAME_DIRTY) && swap_slot_find(a, slot)->refs)
		own = false;
	if (own)
		swap_cache_remove(a, slot);
	spin_unlock_irqrestore(&a->lock, irq);
	if (own)
		frame_put(f);
	return own;
}

void swap_cache_leave(struct frame *f)
{
	u64 slot, irq;
	struct swap_area *a = cached_lock(f, &slot, &irq);
	bool leave;

	if (!a)
		return;
	leave = !(atomic_read(&f->flags) & (FRAME_BUSY | FRAME_WRITEBACK));
	if (leave)
		swap_cache_remove(a, slot);
	spin_unlock_irqrestore(&a->lock, irq);
	if (leave)
		frame_put(f);
}

void swap_cached_put(struct frame *f)
{
	u64 slot, irq;
	struct swap_area *a = cached_lock(f, &slot, &irq);

	if (a) {
		bool last = !swap_slot_find(a, slot)->refs && atomic_read(&f->refs) == 2 &&
			!(atomic_read(&f->flags) & (FRAME_BUSY | FRAME_WRITEBACK));

		if (last)
			swap_cache_remove(a, slot);
		spin_unlock_irqrestore(&a->lock, irq);
		if (last)
			frame_put(f);
	}
	frame_put(f);
}

/* ---- the end of I/O ---- */

void swap_read_done(struct frame *f, int error)
{
	u64 slot, irq;
	struct swap_area *a = cached_lock(f, &slot, &irq);
	bool last = !swap_slot_find(a, slot)->refs; /* nobody wants it any more */

	atomic_or(&f->flags, error ? FRAME_ERROR : FRAME_UPTODATE);
	frame_clear_wake(f, FRAME_BUSY);
	if (last)
		swap_cache_remove(a, slot);
	spin_unlock_irqrestore(&a->lock, irq);
	if (last)
		frame_put(f);
}

void swap_write_done(struct frame *f, int error)
{
	u64 slot, irq;
	struct swap_area *a = cached_lock(f, &slot, &irq);
	bool gone;

	/* A page that could not be written stays in memory: its contents are nowhere else. */
	if (error)
		atomic_or(&f->flags, FRAME_ERROR);
	else
		atomic_and(&f->flags, ~(FRAME_DIRTY | FRAME_ERROR | FRAME_RETRIED));
	frame_clear_wake(f, FRAME_WRITEBACK);
	gone = !swap_slot_find(a, slot)->refs || (!error && atomic_read(&f->refs) == 1);
	if (gone)
		swap_cache_remove(a, slot);
	spin_unlock_irqrestore(&a->lock, irq);
	if (gone)
		frame_put(f);
	if (error)
		pr_err("swap: slot %lu of area %u cannot be written: error %d", slot, a->number, -error);
	atomic64_dec(&swap_nr_writing);
	waitq_wake_all(&write_queue);
}

bool swap_write_wait(void)
{
	u64 before = atomic64_read(&swap_nr_writing);

	/* Not for those that come after. */
	if (before)
		wait_event(&write_queue, atomic64_read(&swap_nr_writing) <= before / 4);
	return before > 0;
}

/* ---- finding and reading ---- */

struct frame *swap_cache_find(void *entry)
{
	struct swap_area *a = swap_area_at(swap_entry_area(entry));
	u64 irq = spin_lock_irqsave(&a->lock);
	struct swap_slot *s = swap_slot_find(a, swap_entry_slot(entry));
	struct frame *f = s ? swap_slot_frame(s) : NULL;

	if (f && !(atomic_read(&f->flags) & FRAME_UPTODATE))
		f = NULL;
	if (f) {
		frame_get(f);
		if (atomic_fetch_and(&f->flags, ~FRAME_READAHEAD) & FRAME_READAHEAD)
			atomic64_inc(&vm_stats.swap_ra_hit);
	}
	spin_unlock_irqrestore(&a->lock, irq);
	return f;
}

/* The frame of the slot in any state, referenced; NULL and *err 0: it is to be read, -EAGAIN: the entry is stale. */
static struct frame *cache_look(struct swap_area *a, u64 slot, int *err)
{
	u64 irq = spin_lock_irqsave(&a->lock);
	struct swap_slot *s = swap_slot_find(a, slot);
	struct frame *f = NULL;

	*err = s && swap_slot_held(s) ? 0 : -EAGAIN;
	if (!*err)
		f = swap_slot_frame(s);
	if (f)
		frame_get(f);
	spin_unlock_irqrestore(&a->lock, irq);
	return f;
}

/* The slot has a page that nobody has in memory. A hint. */
static bool worth_reading(struct swap_area *a, u64 slot)
{
	u64 irq = spin_lock_irqsave(&a->lock);
	struct swap_slot *s = swap_slot_find(a, slot);
	bool worth = s && swap_slot_held(s) && !s->frame;

	spin_unlock_irqrestore(&a->lock, irq);
	return worth;
}

/* f, BUSY, becomes the frame of a slot that has none. False: it is not wanted; the reference stays the caller's. */
static bool cache_claim(struct swap_area *a, u64 slot, struct frame *f, u32 flags)
{
	u64 irq = spin_lock_irqsave(&a->lock);
	struct swap_slot *s = swap_slot_find(a, slot);
	bool wanted = s && swap_slot_held(s) && !s->frame && swap_cache_insert(a, slot, f, FRAME_BUSY | flags);

	spin_unlock_irqrestore(&a->lock, irq);
	return wanted;
}

/* A page that could not be read leaves, so that the next try reads anew. Drops the caller's reference. False: it was not that, it is
 * leaving or has left because somebody took it. */
static bool drop_failed(struct frame *f)
{
	u64 slot, irq;
	struct swap_area *a = cached_lock(f, &slot, &irq);
	bool drop = false;

	if (a) {
		drop = !(atomic_read(&f->flags) & (FRAME_UPTODATE | FRAME_BUSY));
		if (drop)
			swap_cache_remove(a, slot);
		spin_unlock_irqrestore(&a->lock, irq);
	}
	if (drop)
		frame_put(f);
	frame_put(f);
	return drop;
}

/* Reads a page at once from an area that has it in memory. */
static void read_sync(struct swap_area *a, u64 slot, struct frame *f)
{
	atomic64_inc(&vm_stats.pswpin);
	swap_read_done(f, a->ops->load(a, slot, frame_kva(f)));
}

/* Starts reading `slot`, whose frame f is claimed, with those around it that can be had. */
static void read_cluster(struct swap_area *a, u64 slot, struct frame *f)
{
	u64 first = ALIGN_DOWN(slot, (u64)READ_CLUSTER);
	struct frame *run[READ_CLUSTER];
	u32 nr = 0, total = 0;

	for (u64 at = first; at < first + READ_CLUSTER; at++) {
		struct frame *n = at == slot ? f : NULL;

		if (!n && worth_reading(a, at)) {
			n = frame_alloc(0, FRAME_ANON, ALLOC_USER | ALLOC_NOWAIT);
			if (n && !cache_claim(a, at, n, FRAME_READAHEAD)) {
				frame_put(n);
				n = NULL;
			}
		}
		if (n) {
			run[nr++] = n;
			total++;
		} else if (nr) {
			a->ops->read(a, at - nr, run, nr);
			nr = 0;
		}
	}
	if (nr)
		a->ops->read(a, first + READ_CLUSTER - nr, run, nr);
	atomic64_add(&vm_stats.pswpin, total);
	atomic64_add(&vm_stats.swap_ra, total - 1);
}

/* 0: look again. */
static int read_start(struct swap_area *a, u64 slot)
{
	struct frame *f = frame_alloc(0, FRAME_ANON, ALLOC_USER);

	if (!f)
		return -ENOMEM;
	if (!cache_claim(a, slot, f, 0)) {
		frame_put(f);
		return 0;
	}
	if (swap_area_sync(a))
		read_sync(a, slot, f);
	else
		read_cluster(a, slot, f);
	return 0;
}

int swap_load(void *entry, struct frame **out)
{
	struct swap_area *a = swap_area_at(swap_entry_area(entry));
	u64 slot = swap_entry_slot(entry);
	bool mine = false; /* this call has waited for the read */
	int err;

	for (;;) {
		struct frame *f = cache_look(a, slot, &err);

		if (err)
			return err;
		if (!f) {
			err = read_start(a, slot);
			if (err)
				return err;
			mine = true;
			continue;
		}
		mine |= (atomic_read(&f->flags) & FRAME_BUSY) != 0;
		frame_wait(f, FRAME_BUSY);
		if (atomic_read(&f->flags) & FRAME_UPTODATE) {
			*out = f;
			return 0;
		}
		if (READ_ONCE(f->private) != entry) {
			frame_put(f); /* it was read, and has left the cache since: somebody took it, or nobody wants it */
			continue;
		}
		if (drop_failed(f) && mine)
			return -EIO;
	}
}
