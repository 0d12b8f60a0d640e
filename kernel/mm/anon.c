/* Anonymous memory. See mm/anon.h. */
#include "mm/anon.h"

#include "lib/assert.h"
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
		index_erase_range(&am->pages, 0, UINT64_MAX, slot_put, NULL);
	}
	index_destroy(&am->pages);
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
	if (erased)
		index_erase_range(&am->pages, first, first + nr, slot_put, NULL);
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
		}
	}
	if (!err) {
		list_for_each_entry (v, &am->mappings, amap_link)
			v->apgoff += by;
	}
	spin_unlock(&am->lock);
	return err;
}
