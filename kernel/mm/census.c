/* Counting pages of address spaces. See mm/census.h. */
#include "mm/census.h"

#include "lib/assert.h"
#include "lib/errno.h"
#include "mm/anon.h"
#include "mm/commit.h"
#include "mm/fault_priv.h"
#include "mm/frame_boot.h"
#include "mm/slab.h"
#include "sync/sched.h"

#define VIEW_BATCH 256 /* pages looked at in one hold of the spinlocks */

/* ---- the pages of one VMA ---- */

struct viewer {
	struct vma *v;
	page_view_fn fn;
	void *arg;
	struct amap *am; /* locked */
	u32 left;        /* of this batch */
};

/* Reads the translation of a slot's page, if it has one. */
static void view_slot(struct viewer *w, vaddr_t va, void *slot)
{
	struct vma *v = w->v;
	struct page_view p = {.va = va, .what = PAGE_PRIVATE};
	struct pt_entry e;

	if (slot_is_swap(slot)) {
		p.swap = (uintptr_t)slot;
	} else {
		p.frame = slot;
		p.alone = atomic_read(&p.frame->refs) == 1 && !((v->flags & VMA_NEEDS_COPY) && amap_shared(w->am));
		if (pt_query(&v->as->pt, va, &e) == 0 && PAGE_ALIGN_DOWN(e.pa) == frame_pa(p.frame)) {
			p.prot = e.prot;
			p.order = e.order;
		}
	}
	w->fn(w->arg, &p);
}

/* One batch of slots from va on. Returns where to go on. */
static vaddr_t view_slots(struct viewer *w, vaddr_t va, vaddr_t end)
{
	struct vma *v = w->v;
	u64 first = vma_key(v, va), last = vma_key(v, end), key = first;
	void *slot;

	index_for_each(&w->am->pages, key, slot)
	{
		if (key >= last || w->left == 0)
			break;
		w->left--;
		view_slot(w, va + ((key - first) << PAGE_SHIFT), slot);
	}
	return slot && key < last ? va + ((key - first) << PAGE_SHIFT) : end;
}

/* Part of a leaf: those of its pages that no slot is behind. */
static bool view_leaf(void *arg, vaddr_t va, u64 nr_pages, const struct pt_entry *e)
{
	struct viewer *w = arg;
	struct vma *v = w->v;

	for (u64 i = 0; i < nr_pages; i++, va += PAGE_SIZE) {
		struct frame *f = pa_frame(e->pa + (i << PAGE_SHIFT));
		struct page_view p = {.va = va, .frame = f, .prot = e->prot, .order = e->order};

		if (w->am && index_get(&w->am->pages, vma_key(v, va)))
			continue;
		p.what = f->kind == FRAME_KERNEL ? PAGE_ZERO : PAGE_OBJECT;
		w->fn(w->arg, &p);
	}
	w->left -= (u32)MIN(nr_pages, (u64)w->left);
	return w->left > 0;
}

static void view_all_slots(struct viewer *w, vaddr_t start, vaddr_t end)
{
	for (vaddr_t va = start; va < end && READ_ONCE(w->v->amap); sched_point()) {
		w->left = VIEW_BATCH;
		w->am = slots_lock(w->v);
		va = view_slots(w, va, end);
		slots_unlock(w->v, w->am);
	}
}

static void view_all_leaves(struct viewer *w, vaddr_t start, vaddr_t end)
{
	if (!w->v->obj && !(w->v->flags & (VMA_ZERO_SEEN | VMA_SPECIAL)))
		return;
	for (vaddr_t va = start; va < end; sched_point()) {
		w->left = VIEW_BATCH;
		w->am = slots_lock(w->v);
		va = pt_scan(&w->v->as->pt, va, end, view_leaf, w);
		slots_unlock(w->v, w->am);
	}
}

void vma_view(struct vma *v, vaddr_t start, vaddr_t end, page_view_fn fn, void *arg)
{
	struct viewer w = {.v = v, .fn = fn, .arg = arg};

	DEBUG_ASSERT(start >= v->start && end <= v->end);
	view_all_slots(&w, start, end);
	view_all_leaves(&w, start, end);
}

u32 vma_object_mappers(struct vma *v, u64 pgoff, const struct frame *f, u32 enough)
{
	struct vma *other;
	u32 nr = 0;

	mutex_lock(&v->obj->lock);
	list_for_each_entry (other, &v->obj->mappings, obj_link) {
		struct pt_entry e;

		if (pgoff < other->pgoff || pgoff - other->pgoff >= vma_pages(other))
			continue;
		pt_lock(&other->as->pt);
		if (pt_query(&other->as->pt, other->start + ((pgoff - other->pgoff) << PAGE_SHIFT), &e) == 0)
			nr += PAGE_ALIGN_DOWN(e.pa) == frame_pa(f);
		pt_unlock(&other->as->pt);
		if (nr >= enough)
			break;
	}
	mutex_unlock(&v->obj->lock);
	return nr;
}

/* ---- the census ---- */

#define PER_PAGE    (PAGE_SIZE / sizeof(u16))
#define COUNT_HUGE  BIT(15)
#define ASPACES_MAX 65536u

struct census {
	pfn_t first, end;
	u16 *pages[]; /* counters, PER_PAGE in each */
};

static u16 *census_slot(const struct census *c, pfn_t pfn)
{
	u64 i = pfn - c->first;

	return pfn >= c->first && pfn < c->end ? &c->pages[i / PER_PAGE][i % PER_PAGE] : NULL;
}

static void census_note(void *arg, const struct page_view *p)
{
	u16 *slot;

	if (!p->frame || p->what == PAGE_ZERO)
		return;
	slot = census_slot(arg, frame_pfn(p->frame));
	if (!slot)
		return;
	if ((*slot & CENSUS_MAX) < CENSUS_MAX)
		(*slot)++;
	if (p->order)
		*slot |= COUNT_HUGE;
}

/* One VMA in each hold of the lock: who maps and unmaps need not wait for all of it. */
static void census_walk(struct census *c, struct aspace *as)
{
	vaddr_t at = 0;
	struct vma *v;

	do {
		rwlock_read_lock(&as->lock);
		v = vma_find(&as->vmas, at);
		if (v) {
			vma_view(v, v->start, v->end, census_note, c);
			at = v->end;
		}
		rwlock_read_unlock(&as->lock);
		sched_point();
	} while (v);
}

/* Ascending, by Shell's method: so that what several processes share stands together. */
static void sort_pointers(struct aspace **p, u32 nr)
{
	for (u32 gap = nr / 2; gap > 0; gap /= 2) {
		for (u32 i = gap; i < nr; i++) {
			struct aspace *x = p[i];
			u32 k = i;

			for (; k >= gap && p[k - gap] > x; k -= gap)
				p[k] = p[k - gap];
			p[k] = x;
		}
	}
}

/* Every address space there is, referenced, some more than once. 0/-ENOMEM. */
static int aspaces_collect(struct aspace ***out, u32 *nr)
{
	struct aspace **all = NULL, **grown, *as;
	u32 max = 0;

	*nr = 0;
	for (int pid = 1; *nr < ASPACES_MAX && (as = census_next_aspace(&pid)) != NULL; pid++) {
		if (*nr == max) {
			grown = krealloc(all, (max + 128) * sizeof(*all), 0);
			if (!grown) {
				aspace_put(as);
				while (*nr > 0)
					aspace_put(all[--*nr]);
				kfree(all);
				return -ENOMEM;
			}
			all = grown;
			max += 128;
		}
		all[(*nr)++] = as;
	}
	*out = all;
	return 0;
}

static int census_count_all(struct census *c)
{
	struct aspace **all;
	u32 nr;
	int err = aspaces_collect(&all, &nr);

	if (err)
		return err;
	sort_pointers(all, nr);
	for (u32 i = 0; i < nr; i++) {
		if (i == 0 || all[i] != all[i - 1])
			census_walk(c, all[i]);
	}
	for (u32 i = 0; i < nr; i++)
		aspace_put(all[i]);
	kfree(all);
	return 0;
}

static u64 census_nr_pages(const struct census *c)
{
	return DIV_ROUND_UP(c->end - c->first, PER_PAGE);
}

struct census *census_take(pfn_t first, pfn_t end)
{
	struct census *c = kzalloc(sizeof(*c) + DIV_ROUND_UP(end - first, PER_PAGE) * sizeof(c->pages[0]), 0);

	if (!c)
		return NULL;
	c->first = first;
	c->end = end;
	for (u64 i = 0; i < census_nr_pages(c); i++) {
		c->pages[i] = kzalloc(PAGE_SIZE, ALLOC_USER);
		if (!c->pages[i])
			goto out_free;
	}
	if (census_count_all(c) == 0)
		return c;
out_free:
	census_free(c);
	return NULL;
}

pfn_t census_first_pfn(void)
{
	return boot_ram.banks[0].start;
}

pfn_t census_end_pfn(void)
{
	return boot_ram.banks[boot_ram.nr_banks - 1].end;
}

bool census_is_ram(pfn_t pfn)
{
	for (u32 i = 0; i < boot_ram.nr_banks; i++) {
		if (pfn >= boot_ram.banks[i].start && pfn < boot_ram.banks[i].end)
			return true;
	}
	return false;
}

struct census *census_take_all(void)
{
	return census_take(census_first_pfn(), census_end_pfn());
}

void census_free(struct census *c)
{
	for (u64 i = 0; c && i < census_nr_pages(c); i++)
		kfree(c->pages[i]);
	kfree(c);
}

u32 census_count(const struct census *c, pfn_t pfn)
{
	const u16 *slot = census_slot(c, pfn);

	return slot ? *slot & CENSUS_MAX : 0;
}

bool census_huge(const struct census *c, pfn_t pfn)
{
	const u16 *slot = census_slot(c, pfn);

	return slot && (*slot & COUNT_HUGE);
}

/* ---- sums ---- */

struct summing {
	const struct vma *v;
	const struct census *census;
	struct page_sums *sums;
};

/* Differs from what could be read again: private pages always do. */
static bool page_dirty(const struct page_view *p)
{
	return p->what == PAGE_PRIVATE || (p->prot & PT_DIRTY) || (atomic_read(&p->frame->flags) & FRAME_DIRTY);
}

static void sum_shared(struct page_sums *s, const struct page_view *p, u32 mappers, u64 pss)
{
	bool dirty = page_dirty(p);

	s->pss += pss;
	if (dirty)
		s->pss_dirty += pss;
	if (mappers > 1) {
		s->shared_dirty += dirty ? PAGE_SIZE : 0;
		s->shared_clean += dirty ? 0 : PAGE_SIZE;
	} else {
		s->private_dirty += dirty ? PAGE_SIZE : 0;
		s->private_clean += dirty ? 0 : PAGE_SIZE;
	}
}

/* Anonymous, of shared memory, or of a file. */
static void sum_kind(struct page_sums *s, const struct page_view *p, u64 pss)
{
	u64 huge = p->order ? PAGE_SIZE : 0;

	if (p->what == PAGE_PRIVATE) {
		s->anonymous += PAGE_SIZE;
		s->anon_huge += huge;
		s->pss_anon += pss;
	} else if (p->frame->kind == FRAME_ANON) {
		s->shmem_huge += huge;
		s->pss_shmem += pss;
	} else {
		s->file_huge += huge;
		s->pss_file += pss;
	}
}

static void sum_page(void *arg, const struct page_view *p)
{
	const struct summing *w = arg;
	struct page_sums *s = w->sums;
	u32 mappers;
	u64 pss;

	if (p->what == PAGE_ZERO)
		return;
	if (!p->frame) {
		s->swap += PAGE_SIZE;
		s->swap_pss += PAGE_SIZE << PSS_SHIFT;
		return;
	}
	/* What came since the census has one, as far as we know. */
	mappers = MAX(census_count(w->census, frame_pfn(p->frame)), 1u);
	pss = (PAGE_SIZE << PSS_SHIFT) / mappers;
	s->rss += PAGE_SIZE;
	sum_shared(s, p, mappers, pss);
	sum_kind(s, p, pss);
	if (w->v->flags & VMA_LOCKED)
		s->pss_locked += pss;
	if ((p->prot & PT_ACCESSED) || (atomic_read(&p->frame->flags) & FRAME_ACCESSED))
		s->referenced += PAGE_SIZE;
}

void vma_sum(struct vma *v, const struct census *c, struct page_sums *sums)
{
	struct summing w = {.v = v, .census = c, .sums = sums};

	vma_view(v, v->start, v->end, sum_page, &w);
}

static void resident_note(void *arg, const struct page_view *p)
{
	struct resident_pages *r = arg;

	if (p->what != PAGE_OBJECT)
		return;
	if (p->frame->kind == FRAME_ANON) {
		r->shmem++;
	} else {
		r->file++;
	}
}

void aspace_count_resident(struct aspace *as, struct resident_pages *out)
{
	struct viewer w = {.fn = resident_note, .arg = out};

	/* The amaps' pages are counted as they come and go. */
	*out = (struct resident_pages){.anon = atomic64_read(&as->resident), .swap = atomic64_read(&as->swapped)};
	rwlock_read_lock(&as->lock);
	for (w.v = vma_first(&as->vmas); w.v; w.v = vma_next(w.v)) {
		if (w.v->obj || (w.v->flags & VMA_SPECIAL))
			view_all_leaves(&w, w.v->start, w.v->end);
	}
	rwlock_read_unlock(&as->lock);
}

/* ---- /proc/PID/clear_refs ---- */

static void page_forget_access(void *arg, u64 page, u32 prot)
{
}

static void frame_forget_access(void *arg, const struct page_view *p)
{
	if (p->frame && p->what != PAGE_ZERO)
		atomic_and(&p->frame->flags, ~(u32)FRAME_ACCESSED);
}

static bool clear_refs_wants(const struct vma *v, enum clear_refs which)
{
	return which == CLEAR_REFS_ALL || (which == CLEAR_REFS_FILE) == (v->obj != NULL);
}

void aspace_clear_refs(struct aspace *as, enum clear_refs which)
{
	struct vma *v;
	struct tlb tlb;

	rwlock_read_lock(&as->lock);
	for (v = vma_first(&as->vmas); v; v = vma_next(v)) {
		if (!clear_refs_wants(v, which))
			continue;
		vma_view(v, v->start, v->end, frame_forget_access, NULL);
		tlb_start(&tlb, &as->pt);
		pt_lock(&as->pt);
		pt_harvest(&as->pt, v->start, v->end, &tlb, page_forget_access, NULL);
		pt_unlock(&as->pt);
		tlb_finish(&tlb);
	}
	rwlock_read_unlock(&as->lock);
}
