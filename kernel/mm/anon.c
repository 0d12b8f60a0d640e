/* Anonymous memory. See mm/anon.h. */
#include "mm/anon.h"

#include "lib/assert.h"
#include "lib/errno.h"
#include "mm/slab.h"
#include "mm/stat.h"
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

/* Blocks in [first, end) that nobody else has a part of go back whole, and their slots are empty. */
static void blocks_put(struct amap *am, u64 first, u64 end)
{
	struct frame *f;

	blocks_cut(am, first, end);
	while (!index_empty(&am->blocks) && (f = index_next(&am->blocks, &first)) && first < end) {
		bool last = atomic_read(&f->refs) == 1;

		if (last)
			block_forget(am, first, f);
		else
			index_erase(&am->blocks, first);
		if (last && frame_put_block(f, HUGE_ORDER))
			index_erase_range(&am->pages, first, first + HUGE_NR_PAGES, NULL, NULL);
		first += HUGE_NR_PAGES;
	}
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

static void slot_put(u64 key, void *entry, void *ctx)
{
	frame_put(entry);
}

void amap_put(struct amap *am)
{
	if (!refcount_put(&am->refs))
		return;
	if (!index_empty(&am->pages)) {
		atomic64_sub(&vm_stats.anon_frames, am->pages.count);
		blocks_put(am, 0, UINT64_MAX);
		index_erase_range(&am->pages, 0, UINT64_MAX, slot_put, NULL);
	}
	index_destroy(&am->pages);
	index_destroy(&am->blocks);
	slab_free(amap_cache, am);
}

static void slot_get(void *entry, void *ctx)
{
	frame_get(entry);
}

struct amap *amap_clone(struct amap *am)
{
	struct amap *copy = amap_create();
	int err;

	if (!copy)
		return NULL;
	spin_lock(&am->lock);
	err = index_clone(&copy->pages, &am->pages, slot_get, NULL);
	if (!err && !index_empty(&am->blocks))
		(void)index_clone(&copy->blocks, &am->blocks, NULL, NULL); /* without: no superpages there */
	spin_unlock(&am->lock);
	if (err) {
		amap_put(copy);
		return NULL;
	}
	atomic64_add(&vm_stats.anon_frames, copy->pages.count);
	return copy;
}

u64 amap_erase(struct amap *am, u64 first, u64 nr)
{
	u64 erased;

	spin_lock(&am->lock);
	erased = am->pages.count;
	if (erased) {
		blocks_put(am, first, first + nr);
		index_erase_range(&am->pages, first, first + nr, slot_put, NULL);
	}
	erased -= am->pages.count;
	spin_unlock(&am->lock);
	atomic64_sub(&vm_stats.anon_frames, erased);
	return erased;
}

int amap_move(struct amap *dst, u64 dst_key, struct amap *src, u64 src_key, u64 nr)
{
	int err;

	DEBUG_ASSERT(dst != src);
	spin_lock_pair(&dst->lock, &src->lock);
	err = index_empty(&src->pages) ? 0 : index_move_range(&dst->pages, dst_key, &src->pages, src_key, nr);
	if (!err) {
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
