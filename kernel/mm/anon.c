/* Anonymous memory. See mm/anon.h. */
#include "mm/anon.h"

#include "lib/assert.h"
#include "lib/errno.h"
#include "mm/aspace.h"
#include "mm/slab.h"
#include "mm/stat.h"
#include "mm/swap.h"
#include "mm/vma.h"

static struct slab_cache *amap_cache;

void amap_init(void)
{
	amap_cache = slab_cache_create("amap", sizeof(struct amap), 0);
}

struct amap *amap_create(void)
{
	struct amap *am = slab_alloc(amap_cache, 0);

	if (!am)
		return NULL;
	spin_init(&am->lock, "amap", RANK_AMAP);
	refcount_init(&am->refs, 1);
	index_init(&am->pages);
	index_init(&am->blocks);
	list_init(&am->mappings);
	am->nr_swapped = 0;
	am->hand = 0;
	am->obj = NULL;
	amap_publish(am);
	return am;
}

void amap_link(struct vma *v)
{
	spin_lock(&v->amap->lock);
	list_add_tail(&v->amap_link, &v->amap->mappings);
	spin_unlock(&v->amap->lock);
}

void amap_unlink(struct vma *v)
{
	spin_lock(&v->amap->lock);
	list_del(&v->amap_link);
	spin_unlock(&v->amap->lock);
}

static inline u64 nr_present(const struct amap *am)
{
	return am->pages.count - am->nr_swapped;
}

/* `as` has `frames` and `entries` more, or fewer: modulo 2^64. */
static inline void count(struct aspace *as, u64 frames, u64 entries)
{
	if (frames)
		atomic64_add(&as->resident, frames);
	if (entries)
		atomic64_add(&as->swapped, entries);
}

void amap_enter(struct vma *v)
{
	struct amap *am = v->amap;

	spin_lock(&am->lock);
	list_add_tail(&v->amap_link, &am->mappings);
	count(v->as, nr_present(am), am->nr_swapped);
	spin_unlock(&am->lock);
}

void amap_exit(struct vma *v)
{
	struct amap *am = v->amap;

	spin_lock(&am->lock);
	list_del(&v->amap_link);
	count(v->as, -nr_present(am), -am->nr_swapped);
	spin_unlock(&am->lock);
}

void amap_switch(struct vma *v, struct amap *to)
{
	struct amap *from = v->amap;

	spin_lock_pair(&from->lock, &to->lock);
	list_del(&v->amap_link);
	list_add_tail(&v->amap_link, &to->mappings);
	v->amap = to;
	/* Between the clone and now, pages of `from` may have gone out or come in. */
	count(v->as, nr_present(to) - nr_present(from), to->nr_swapped - from->nr_swapped);
	spin_unlock_pair(&from->lock, &to->lock);
	amap_put(from);
}

void amap_join(struct vma *v, struct amap *am)
{
	DEBUG_ASSERT(!v->amap);
	v->amap = am;
	amap_link(v);
}

void amap_leave(struct vma *v)
{
	struct amap *am = v->amap;

	amap_unlink(v);
	v->amap = NULL;
	amap_put(am);
}

/* ---- blocks ---- */

void amap_block_mark(struct amap *am, u64 key, struct frame *f)
{
	if (index_set(&am->blocks, key, f) != 0)
		return;
	atomic_or(&f->flags, FRAME_BLOCK);
	atomic64_inc(&vm_stats.blocks);
}

int amap_block_add(struct amap *am, u64 key, struct frame *f)
{
	u64 next = key;

	if (index_next(&am->pages, &next) && next < key + HUGE_NR_PAGES)
		return -EAGAIN;
	if (index_set_run(&am->pages, key, HUGE_NR_PAGES, f, sizeof(*f)) != 0)
		return -ENOMEM;
	for (u64 i = 0; i < HUGE_NR_PAGES; i++) {
		f[i].owner = am;
		f[i].index = key + i;
	}
	amap_block_mark(am, key, f);
	return 0;
}

/* The block is one no longer, or not in this amap. */
static void block_forget(struct amap *am, u64 key, struct frame *f)
{
	index_erase(&am->blocks, key);
	if (atomic_fetch_and(&f->flags, ~FRAME_BLOCK) & FRAME_BLOCK)
		atomic64_dec(&vm_stats.blocks);
}

void amap_block_break(struct amap *am, u64 key)
{
	u64 first = key;
	struct frame *f = index_prev(&am->blocks, &first);

	if (f && key - first < HUGE_NR_PAGES) {
		block_forget(am, first, f);
		atomic64_inc(&vm_stats.block_splits);
	}
}

/* Blocks at the edges of [first, end) that lie partly outside are such no longer. */
static void blocks_cut(struct amap *am, u64 first, u64 end)
{
	u64 key;
	struct frame *f;

	if (index_empty(&am->blocks))
		return;
	key = first ? first - 1 : 0;
	f = index_prev(&am->blocks, &key);
	if (f && key < first && first - key < HUGE_NR_PAGES)
		amap_block_break(am, key);
	key = end - 1;
	f = index_prev(&am->blocks, &key);
	if (f && key >= first && end - key < HUGE_NR_PAGES)
		amap_block_break(am, key);
}

/* The slots of [first, end) are about to be emptied. */
static void blocks_erase(struct amap *am, u64 first, u64 end)
{
	struct frame *f;

	blocks_cut(am, first, end);
	while (!index_empty(&am->blocks) && (f = index_next(&am->blocks, &first)) && first < end)
		block_forget(am, first, f);
}

/* Blocks go where their slots went; what finds no memory is a block no longer. */
static void blocks_move(struct index *to, u64 to_key, struct amap *from, u64 key, u64 nr)
{
	if (index_empty(&from->blocks) || index_move_range(to, to_key, &from->blocks, key, nr) == 0)
		return;
	for (u64 at = key; at < key + nr; at++) {
		if (!index_next(&from->blocks, &at) || at >= key + nr)
			break;
		amap_block_break(from, at);
	}
}

static void slot_put(u64 key, void *slot, void *ctx)
{
	if (slot_is_swap(slot)) {
		((struct amap *)ctx)->nr_swapped--;
		swap_entry_put(slot);
	} else {
		swap_frame_put(slot);
	}
}

void amap_put(struct amap *am)
{
	if (!refcount_put(&am->refs))
		return;
	amap_withdraw(am);
	if (!index_empty(&am->pages)) {
		atomic64_sub(&vm_stats.anon_frames, nr_present(am));
		if (am->obj)
			atomic64_sub(&vm_stats.shared_frames, nr_present(am));
		blocks_erase(am, 0, UINT64_MAX);
		index_erase_range(&am->pages, 0, UINT64_MAX, slot_put, am);
	}
	index_destroy(&am->pages);
	index_destroy(&am->blocks);
	slab_free(amap_cache, am);
}

static void slot_get(void *slot, void *ctx)
{
	if (slot_is_swap(slot))
		swap_entry_dup(slot);
	else
		frame_get(slot);
}

struct amap *amap_clone(struct amap *am)
{
	struct amap *copy = amap_create();
	int err;

	if (!copy)
		return NULL;
	spin_lock(&am->lock);
	err = index_clone(&copy->pages, &am->pages, slot_get, NULL);
	copy->nr_swapped = err ? 0 : am->nr_swapped;
	if (!err && !index_empty(&am->blocks))
		(void)index_clone(&copy->blocks, &am->blocks, NULL, NULL); /* without: no superpages there */
	spin_unlock(&am->lock);
	if (err) {
		amap_put(copy);
		return NULL;
	}
	atomic64_add(&vm_stats.anon_frames, nr_present(copy));
	return copy;
}

void amap_erase(struct amap *am, u64 first, u64 nr, struct aspace *as)
{
	u64 frames, entries;

	spin_lock(&am->lock);
	frames = nr_present(am);
	entries = am->nr_swapped;
	if (!index_empty(&am->pages)) {
		blocks_erase(am, first, first + nr);
		index_erase_range(&am->pages, first, first + nr, slot_put, am);
	}
	frames -= nr_present(am);
	entries -= am->nr_swapped;
	count(as, -frames, -entries);
	spin_unlock(&am->lock);
	atomic64_sub(&vm_stats.anon_frames, frames);
}

/* Entries among the slots [first, first + nr). */
static u64 count_entries(const struct amap *am, u64 first, u64 nr)
{
	u64 key = first, entries = 0;
	void *slot;

	index_for_each(&am->pages, key, slot)
	{
		if (key - first >= nr)
			break;
		entries += slot_is_swap(slot);
	}
	return entries;
}

int amap_move(struct amap *dst, u64 dst_key, struct amap *src, u64 src_key, u64 nr)
{
	int err;

	DEBUG_ASSERT(dst != src);
	spin_lock_pair(&dst->lock, &src->lock);
	err = index_empty(&src->pages) ? 0 : index_move_range(&dst->pages, dst_key, &src->pages, src_key, nr);
	if (!err) {
		u64 entries = src->nr_swapped ? count_entries(dst, dst_key, nr) : 0;

		src->nr_swapped -= entries;
		dst->nr_swapped += entries;
		blocks_cut(src, src_key, src_key + nr);
		blocks_move(&dst->blocks, dst_key, src, src_key, nr);
	}
	spin_unlock_pair(&dst->lock, &src->lock);
	return err;
}

int amap_shift(struct amap *am, u64 by)
{
	struct index fresh;
	struct vma *v;
	u64 last = UINT64_MAX;
	int err = 0;

	index_init(&fresh);
	spin_lock(&am->lock);
	if (index_prev(&am->pages, &last)) {
		err = index_move_range(&fresh, by, &am->pages, 0, last + 1);
		if (!err) {
			index_destroy(&am->pages);
			am->pages = fresh;
			index_init(&fresh);
			blocks_move(&fresh, by, am, 0, last + 1);
			index_destroy(&am->blocks);
			am->blocks = fresh;
		}
	}
	if (!err) {
		list_for_each_entry (v, &am->mappings, amap_link)
			v->apgoff += by;
	}
	spin_unlock(&am->lock);
	return err;
}

/* ---- swap ---- */

u64 amap_first_key(const struct amap *am, const struct vma *v)
{
	return am->obj ? v->pgoff : v->apgoff;
}

void amap_count_swap(struct amap *am, u64 key, int by)
{
	struct vma *v;

	list_for_each_entry (v, &am->mappings, amap_link) {
		if (key - v->apgoff < vma_pages(v))
			count(v->as, (u64)by, (u64)-by);
	}
	am->nr_swapped -= (u64)by;
	atomic64_add(&vm_stats.anon_frames, (u64)by);
	if (am->obj)
		atomic64_add(&vm_stats.shared_frames, (u64)by);
}

void amap_swap_in(struct amap *am, u64 key, void *entry, struct frame *f)
{
	DEBUG_ASSERT(index_get(&am->pages, key) == entry);
	(void)index_set(&am->pages, key, f); /* there is one at key already: no memory is needed */
	f->owner = am;
	f->index = key;
	f->small = 0;
	amap_count_swap(am, key, 1);
	/* Shared memory is written without asking. */
	if (am->obj && frame_swap_cached(f))
		swap_cache_leave(f);
	swap_entry_put(entry);
}
