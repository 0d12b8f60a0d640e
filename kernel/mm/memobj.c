/* Memory objects: who maps them; and shared anonymous memory. See mm/memobj.h. */
#include "mm/memobj.h"

#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/index.h"
#include "lib/refcount.h"
#include "mm/anon.h"
#include "mm/aspace.h"
#include "mm/commit.h"
#include "mm/slab.h"
#include "mm/stat.h"
#include "mm/swap.h"
#include "mm/tlb.h"

void memobj_init(struct memobj *o, const struct memobj_ops *ops, void *owner)
{
	o->ops = ops;
	o->owner = owner;
	mutex_init(&o->lock, "memobj", RANK_MEMOBJ);
	list_init(&o->mappings);
}

void memobj_link(struct vma *v)
{
	mutex_lock(&v->obj->lock);
	list_add_tail(&v->obj_link, &v->obj->mappings);
	mutex_unlock(&v->obj->lock);
}

void memobj_unlink(struct vma *v)
{
	mutex_lock(&v->obj->lock);
	list_del(&v->obj_link);
	mutex_unlock(&v->obj->lock);
}

enum change { CHANGE_UNMAP, CHANGE_PROTECT };

static void change_mapping(struct vma *v, u64 first, u64 last, enum change what)
{
	u64 from = MAX(first, v->pgoff), to = MIN(last, v->pgoff + vma_pages(v) - 1);
	vaddr_t start, end;
	struct tlb tlb;

	if (from > to || (what == CHANGE_PROTECT && vma_private(v)))
		return;
	start = v->start + ((from - v->pgoff) << PAGE_SHIFT);
	end = v->start + ((to - v->pgoff + 1) << PAGE_SHIFT);
	tlb_start(&tlb, &v->as->pt);
	pt_lock(&v->as->pt);
	if (what == CHANGE_UNMAP)
		pt_unmap(&v->as->pt, start, end, &tlb);
	else
		pt_protect(&v->as->pt, start, end, PT_READ | PT_EXEC, &tlb);
	pt_unlock(&v->as->pt);
	tlb_finish(&tlb);
}

/* A VMA's edges change only under o->lock, and it leaves the list before its page table goes. */
static void change_all_locked(struct memobj *o, u64 first, u64 last, enum change what)
{
	struct vma *v;

	mutex_assert_held(&o->lock);
	list_for_each_entry (v, &o->mappings, obj_link)
		change_mapping(v, first, last, what);
}

static void change_all(struct memobj *o, u64 first, u64 last, enum change what)
{
	mutex_lock(&o->lock);
	change_all_locked(o, first, last, what);
	mutex_unlock(&o->lock);
}

static void note_accessed(void *arg, u64 page, u32 prot)
{
	*(bool *)arg = true;
}

bool memobj_harvest_locked(struct memobj *o, u64 first, u64 last)
{
	bool accessed = false;
	struct vma *v;

	mutex_assert_held(&o->lock);
	list_for_each_entry (v, &o->mappings, obj_link) {
		u64 from = MAX(first, v->pgoff), to = MIN(last, v->pgoff + vma_pages(v) - 1);
		struct tlb tlb;

		if (from > to)
			continue;
		tlb_start(&tlb, &v->as->pt);
		pt_lock(&v->as->pt);
		pt_harvest(&v->as->pt, v->start + ((from - v->pgoff) << PAGE_SHIFT),
			v->start + ((to - v->pgoff + 1) << PAGE_SHIFT), &tlb, note_accessed, &accessed);
		pt_unlock(&v->as->pt);
		tlb_finish(&tlb);
	}
	return accessed;
}

void memobj_unmap_locked(struct memobj *o, u64 first, u64 last)
{
	change_all_locked(o, first, last, CHANGE_UNMAP);
}

void memobj_unmap(struct memobj *o, u64 first, u64 last)
{
	change_all(o, first, last, CHANGE_UNMAP);
}

void memobj_protect(struct memobj *o, u64 first, u64 last)
{
	change_all(o, first, last, CHANGE_PROTECT);
}

/* ---- shared anonymous memory ---- */

struct shared_anon {
	struct memobj obj;
	struct refcount refs;
	u64 nr_pages;
	u64 promised;    /* pages: all of them or none (mm/commit.h) */
	struct amap *am; /* its pages, by page of the object; am->obj is us. Owned */
};

static struct shared_anon *shared_of(struct memobj *o)
{
	return container_of(o, struct shared_anon, obj);
}

static int shared_get(struct memobj *o, u64 pgoff, struct frame **out)
{
	struct shared_anon *s = shared_of(o);
	struct frame *f;

	if (pgoff >= s->nr_pages)
		return -EFAULT;
	spin_lock(&s->am->lock);
	f = index_get(&s->am->pages, pgoff);
	if (f && unlikely(slot_is_swap(f))) {
		void *entry = f;

		f = swap_cache_find(entry);
		if (f)
			amap_swap_in(s->am, pgoff, entry, f);
	}
	if (f)
		frame_get(f);
	spin_unlock(&s->am->lock);
	*out = f;
	return f ? 0 : -EAGAIN;
}

/* The slot has `old`, or nothing: a zeroed page, or what was swapped out, comes there unless someone was faster. */
static int shared_fill(struct shared_anon *s, u64 pgoff, void *old)
{
	struct amap *am = s->am;
	struct frame *f, *in;
	int err = 0;

	if (old) {
		err = swap_load(old, &f);
		if (err)
			return err;
	} else {
		f = frame_alloc(0, FRAME_ANON, ALLOC_ZERO | ALLOC_USER);
		if (!f)
			return -ENOMEM;
	}
	spin_lock(&am->lock);
	if (index_get(&am->pages, pgoff) == old) {
		if (old) {
			in = swap_cache_find(old);
			if (in)
				amap_swap_in(am, pgoff, old, in);
		} else {
			f->owner = am;
			f->index = pgoff;
			err = index_set(&am->pages, pgoff, f);
			if (!err) {
				f = NULL;
				atomic64_inc(&vm_stats.anon_frames);
				atomic64_inc(&vm_stats.shared_frames);
			}
		}
	}
	spin_unlock(&am->lock);
	if (f)
		swap_frame_put(f);
	return err;
}

static int shared_load(struct memobj *o, u64 pgoff)
{
	struct shared_anon *s = shared_of(o);
	void *old;

	if (pgoff >= s->nr_pages)
		return -EFAULT;
	spin_lock(&s->am->lock);
	old = index_get(&s->am->pages, pgoff);
	spin_unlock(&s->am->lock);
	return old && !slot_is_swap(old) ? 0 : shared_fill(s, pgoff, old);
}

static int shared_sync(struct memobj *o, u64 first, u64 last)
{
	return 0; /* there is no disk behind it */
}

static void shared_get_ref(struct memobj *o)
{
	refcount_get(&shared_of(o)->refs);
}

static void shared_put_ref(struct memobj *o)
{
	struct shared_anon *s = shared_of(o);

	if (!refcount_put(&s->refs))
		return;
	DEBUG_ASSERT(list_empty(&o->mappings));
	amap_put(s->am);
	commit_give(s->promised);
	kfree(s);
}

static const struct memobj_ops shared_ops = {
	.get = shared_get,
	.load = shared_load,
	.sync = shared_sync,
	.get_ref = shared_get_ref,
	.put_ref = shared_put_ref,
};

struct amap *memobj_amap(struct memobj *o)
{
	return o->ops == &shared_ops ? shared_of(o)->am : NULL;
}

struct memobj *memobj_create_shared_noreserve(u64 nr_pages)
{
	struct shared_anon *s = kmalloc(sizeof(*s), 0);

	if (!s)
		return NULL;
	s->am = amap_create();
	if (!s->am) {
		kfree(s);
		return NULL;
	}
	memobj_init(&s->obj, &shared_ops, s->am);
	refcount_init(&s->refs, 1);
	s->nr_pages = nr_pages;
	s->promised = 0;
	spin_lock(&s->am->lock);
	s->am->obj = &s->obj;
	spin_unlock(&s->am->lock);
	return &s->obj;
}

u64 memobj_promised(const struct memobj *o)
{
	return o->ops == &shared_ops ? container_of(o, struct shared_anon, obj)->promised : 0;
}

struct memobj *memobj_create_shared(u64 nr_pages)
{
	struct memobj *o;

	if (commit_take(nr_pages, nr_pages, 0, 0) != 0)
		return NULL;
	o = memobj_create_shared_noreserve(nr_pages);
	if (o)
		shared_of(o)->promised = nr_pages;
	else
		commit_give(nr_pages);
	return o;
}
