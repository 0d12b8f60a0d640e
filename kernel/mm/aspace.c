/* Birth, fork and death of address spaces. See mm/aspace.h. */
#include "mm/aspace.h"

#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/aspace_priv.h"
#include "mm/commit.h"
#include "mm/slab.h"
#include "mm/stat.h"
#include "mm/superpage.h"

static struct slab_cache *aspace_cache, *vma_cache;
bool freed_noted = true;

void aspace_note_freed(enum freed_noting how)
{
	WRITE_ONCE(freed_noted, how == FREED_NOTE);
}

void aspace_init(void)
{
	aspace_cache = slab_cache_create("aspace", sizeof(struct aspace), 0);
	vma_cache = slab_cache_create("vma", sizeof(struct vma), 0);
}

struct vma *vma_create(struct aspace *as)
{
	struct vma *v = slab_alloc(vma_cache, ALLOC_ZERO);

	if (v) {
		v->as = as;
		list_init(&v->obj_link);
		list_init(&v->amap_link);
	}
	return v;
}

struct vma *vma_copy(struct aspace *as, struct vma *v)
{
	struct vma *c = slab_alloc(vma_cache, 0);

	if (!c)
		return NULL;
	*c = *v;
	c->as = as;
	c->w_start = c->w_end = 0;
	list_init(&c->obj_link);
	list_init(&c->amap_link);
	if (c->amap)
		amap_get(c->amap);
	if (c->obj)
		c->obj->ops->get_ref(c->obj);
	if (c->file)
		c->file = aspace_share_file(c->file);
	return c;
}

void vma_free(struct vma *v)
{
	slab_free(vma_cache, v);
}

static struct aspace *aspace_alloc(void)
{
	struct aspace *as = slab_alloc(aspace_cache, 0);

	if (!as)
		return NULL;
	memset(as, 0, offsetof(struct aspace, freed));
	if (pt_create(&as->pt) != 0) {
		slab_free(aspace_cache, as);
		return NULL;
	}
	rwlock_init(&as->lock, "aspace", RANK_ASPACE);
	refcount_init(&as->refs, 1);
	vma_tree_init(&as->vmas);
	as->mmap_top = USER_MMAP_END;
	as->limit_pages = ~0ul;
	as->data_limit_pages = ~0ul;
	return as;
}

struct aspace *aspace_create(void)
{
	struct aspace *as = aspace_alloc();
	struct vma *v;

	if (!as)
		return NULL;
	v = vma_create(as);
	if (!v) {
		aspace_put(as);
		return NULL;
	}
	v->start = USER_USYSCALL;
	v->end = USER_USYSCALL + PAGE_SIZE;
	v->flags = VMA_READ | VMA_SPECIAL;
	v->max_prot = VMA_READ;
	aspace_insert(as, v);
	return as;
}

/* Nobody runs on it yet, so there is no page that says something else. */
void aspace_set_pid(struct aspace *as, int pid)
{
	DEBUG_ASSERT(!as->usyscall);
	as->pid = pid;
}

/* Few programs look at it: the page is made when one does. */
struct frame *aspace_usyscall(struct aspace *as)
{
	struct frame *f = load_acquire(&as->usyscall), *none = NULL;

	if (f)
		return f;
	f = frame_alloc(0, FRAME_USYSCALL, ALLOC_ZERO);
	if (!f)
		return NULL;
	f->owner = as;
	*(int *)frame_kva(f) = as->pid;
	if (__atomic_compare_exchange_n(&as->usyscall, &none, f, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return f;
	frame_put(f); /* another thread was faster */
	return none;
}

/*
 * No task runs on it and nobody borrows it. Its VMAs leave their objects' lists
 * first, so that nobody looks for our translations; then the table goes with
 * every translation at once; then what the VMAs own.
 */
static void aspace_destroy(struct aspace *as)
{
	LIST_HEAD(dead);
	struct vma *v;

	superpage_unwatch(as);
	tree_for_each_entry(v, &as->vmas.tree, node)
	{
		if (v->obj)
			memobj_unlink(v);
		if (v->amap)
			amap_unlink(v);
		list_add_tail(&v->obj_link, &dead);
	}
	pt_destroy(&as->pt);
	aspace_release(&dead);
	commit_give(as->committed);
	if (as->usyscall)
		frame_put(as->usyscall);
	if (as->exe)
		aspace_release_file(as->exe);
	slab_free(aspace_cache, as);
}

void aspace_put(struct aspace *as)
{
	if (refcount_put(&as->refs))
		aspace_destroy(as);
}

/* ---- fork ---- */

static void fork_copy_fields(struct aspace *to, const struct aspace *from)
{
	to->brk_start = from->brk_start;
	to->brk = from->brk;
	to->mmap_top = from->mmap_top;
	to->stack_top = from->stack_top;
	to->stack_limit = from->stack_limit;
	to->limit_pages = from->limit_pages;
	to->data_limit_pages = from->data_limit_pages;
	to->peak_pages = from->peak_pages;
	to->no_superpages = from->no_superpages;
	to->arg_start = from->arg_start;
	to->arg_end = from->arg_end;
	to->env_start = from->env_start;
	to->env_end = from->env_end;
	to->code_start = from->code_start;
	to->code_end = from->code_end;
	to->data_start = from->data_start;
	to->data_end = from->data_end;
	memcpy(to->auxv, from->auxv, sizeof(to->auxv));
	to->nr_auxv = from->nr_auxv;
	if (from->exe)
		to->exe = aspace_share_file(from->exe);
}

/* 0/-ENOMEM. */
static int fork_vma(struct aspace *child, struct vma *v)
{
	struct amap *am;
	struct vma *c;

	if (v->amap && vma_privatise(v) != 0)
		return -ENOMEM;
	c = vma_copy(child, v);
	if (!c)
		return -ENOMEM;
	c->flags &= ~(u32)(VMA_LOCKED | VMA_ZERO_SEEN);
	am = c->amap;
	c->amap = NULL;
	aspace_insert(child, c);
	if (am) {
		c->flags |= VMA_NEEDS_COPY;
		__atomic_fetch_or(&v->flags, VMA_NEEDS_COPY, __ATOMIC_RELAXED);
		c->amap = am;
		amap_enter(c);
	}
	return 0;
}

/* The parent's leaves of shared pages lose their write permission; flushed when this returns. */
static void fork_write_protect(struct aspace *parent)
{
	struct tlb tlb;
	struct vma *v;

	tlb_start(&tlb, &parent->pt);
	tree_for_each_entry(v, &parent->vmas.tree, node)
	{
		if (!v->amap || v->w_start >= v->w_end || (v->flags & VMA_DONTFORK))
			continue;
		pt_lock(&parent->pt);
		pt_protect(&parent->pt, v->w_start, v->w_end, PT_READ | PT_EXEC, &tlb);
		v->w_start = v->w_end = 0;
		pt_unlock(&parent->pt);
	}
	tlb_finish(&tlb);
}

struct aspace *aspace_fork(struct aspace *parent)
{
	struct aspace *child = aspace_create();
	struct vma *v;
	u64 promised = 0, largest = 0;
	int err = 0;

	if (!child)
		return NULL;
	rwlock_write_lock(&parent->lock);
	fork_copy_fields(child, parent);
	tree_for_each_entry(v, &parent->vmas.tree, node)
	{
		if ((v->flags & VMA_DONTFORK) || ((v->flags & VMA_SPECIAL) && !v->obj))
			continue;
		err = fork_vma(child, v);
		if (err)
			break;
		if (v->flags & VMA_ACCOUNT) {
			promised += vma_pages(v);
			largest = MAX(largest, vma_pages(v));
		}
	}
	if (!err)
		err = commit_charge_all(child, promised, largest);
	fork_write_protect(parent);
	rwlock_write_unlock(&parent->lock);
	if (!err)
		return child;
	/* The parent's flags stay: with no relative left, the next write clears them. Until then it is shared like any other. */
	aspace_put(child);
	return NULL;
}

u64 aspace_resident(struct aspace *as)
{
	u64 anon = atomic64_read(&as->resident), size = READ_ONCE(as->nr_pages);

	return anon + MIN(atomic64_read(&as->mapped_file), size > anon ? size - anon : 0);
}

/* ---- checking ---- */

/* Each block's slots hold its frames, in order. amap->lock is held. */
static void check_blocks(const struct amap *am)
{
	u64 key = 0;
	struct frame *f;

	index_for_each(&am->blocks, key, f)
	{
		for (u64 i = 0; i < HUGE_NR_PAGES; i++)
			ASSERT(index_get(&am->pages, key + i) == f + i && atomic_read(&f[i].refs) > 0);
	}
}

static void check_amap(struct aspace *as, struct vma *v)
{
	struct amap *am = v->amap;
	bool whole = !amap_shared(am) || (v->flags & VMA_NEEDS_COPY);
	u64 key = 0, end = v->apgoff + vma_pages(v), entries = 0;
	struct frame *f;

	spin_lock(&am->lock);
	index_check(&am->pages);
	index_check(&am->blocks);
	check_blocks(am);
	index_for_each(&am->pages, key, f)
	{
		struct pt_entry e;
		vaddr_t va;

		entries += slot_is_swap(f);
		if (key < v->apgoff || key >= end) {
			ASSERT(!whole);
			continue;
		}
		va = v->start + ((key - v->apgoff) << PAGE_SHIFT);
		if (slot_is_swap(f)) {
			pt_lock(&as->pt);
			ASSERT(pt_query(&as->pt, va, &e) != 0);
			pt_unlock(&as->pt);
			continue;
		}
		ASSERT(f->kind == FRAME_ANON && atomic_read(&f->refs) > 0);
		pt_lock(&as->pt);
		if (pt_query(&as->pt, va, &e) == 0) {
			ASSERT(PAGE_ALIGN_DOWN(e.pa) == frame_pa(f));
			if (e.prot & PT_WRITE) {
				ASSERT(v->flags & VMA_WRITE);
				ASSERT(atomic_read(&f->refs) == 1);
				ASSERT(!amap_shared(am) || !(v->flags & VMA_NEEDS_COPY));
				ASSERT(va >= v->w_start && va < v->w_end);
			}
		}
		pt_unlock(&as->pt);
	}
	ASSERT(entries == am->nr_swapped);
	spin_unlock(&am->lock);
}

void aspace_check(struct aspace *as)
{
	struct vma *v;
	u64 pages = 0, promised = 0;

	rwlock_read_lock(&as->lock);
	vma_check(&as->vmas, user_end);
	tree_for_each_entry(v, &as->vmas.tree, node)
	{
		ASSERT(v->as == as);
		ASSERT(!(v->flags & VMA_NEEDS_COPY) || v->amap);
		ASSERT(vma_private(v) || (v->obj && !v->amap));
		ASSERT((v->obj != NULL) == !list_empty(&v->obj_link));
		if (v->amap)
			check_amap(as, v);
		pages += vma_pages(v);
		promised += v->flags & VMA_ACCOUNT ? vma_pages(v) : 0;
	}
	ASSERT(pages == as->nr_pages && promised == as->committed);
	rwlock_read_unlock(&as->lock);
	pt_check(&as->pt);
}
