/*
 * What the real code says against what the reference says: VMAs, slots of amaps, objects' pages, the tables as the
 * machine walks them, what the harts have cached; and where every frame is.
 */
#ifndef MODEL_COMPARE_H
#define MODEL_COMPARE_H

#include "objects.h"

/* What is in the slot of va: a frame, a swap entry, or NULL. */
static inline void *real_slot(struct vma *v, vaddr_t va)
{
	return v->amap ? index_get(&v->amap->pages, vma_key(v, va)) : NULL;
}

/* The frame of the object's page, or NULL when it is not in. Borrowed. */
static inline struct frame *real_object(int obj, u32 pgoff)
{
	struct frame *f = NULL;
	bool quiet = now.quiet;

	if (obj_file(obj))
		return pgoff < FILE_PAGES ? obj_file(obj)->page[pgoff] : NULL;
	now.quiet = true;
	if (objs[obj]->ops->get(objs[obj], pgoff, &f) == 0)
		frame_put(f);
	else
		f = NULL;
	now.quiet = quiet;
	return f;
}

static void compare_vma(u32 s, u32 index, const struct vma *v, const struct ref_page *m)
{
	if ((v->flags & 7) != m->prot)
		differ("page %u of space %u has protection %u, not %u", index, s, v->flags & 7, m->prot);
	if (!vma_private(v) != m->shared || !(v->flags & VMA_DONTFORK) != !m->dontfork)
		differ("page %u of space %u has the flags %x", index, s, v->flags);
	if (v->obj != (m->obj >= 0 ? objs[m->obj] : NULL))
		differ("page %u of space %u shows another object", index, s);
	if (m->obj >= 0 && vma_pgoff(v, page_va[index]) != m->pgoff)
		differ("page %u of space %u shows page %lu of the object, not %u", index, s,
			vma_pgoff(v, page_va[index]), m->pgoff);
}

static inline void compare_content(u32 s, u32 index, const struct frame *f, struct content want, const char *where)
{
	struct content is = content_at(frame_kva(f));

	if (!content_is(is, want))
		differ("page %u of space %u has %x %x %s, not %x %x", index, s, is.first, is.last, where, want.first,
			want.last);
}

/* A valid entry for the page: leads to `f` (NULL: the page of zeroes), and allows no more than it may. */
static void compare_leaf(u32 s, u32 index, u64 pte, const struct vma *v, struct frame *slot, struct frame *below)
{
	const struct ref_page *m = &spaces[s].page[index];
	struct frame *f = slot ? slot : below, *is = pa_frame(m_pa(pte));
	bool writable = pte & M_W;

	if (f ? is != f : is->kind != FRAME_KERNEL)
		differ("page %u of space %u is mapped to a frame of kind %u that it does not have", index, s, is->kind);
	if (atomic_read(&is->refs) == 0)
		differ("page %u of space %u is mapped to a free frame", index, s);
	compare_content(s, index, is, ref_value(m), "where the leaf leads");
	if ((pte & (M_U | M_G)) != M_U || (writable && !(pte & M_R)))
		differ("page %u of space %u has a leaf with the flags %lx", index, s, pte & 0x3ff);
	if (((pte & M_R) && !(m->prot & 3)) || (writable && !(m->prot & 2)) || ((pte & M_X) && !(m->prot & 4)))
		differ("page %u of space %u allows %lx, its protection is %u", index, s, pte & 0xff, m->prot);
	if (!writable)
		return;
	if (!m->shared &&
		(!slot || atomic_read(&slot->refs) != 1 || ((v->flags & VMA_NEEDS_COPY) && amap_shared(v->amap))))
		differ("page %u of space %u is writable and shared copy-on-write", index, s);
	if (m->shared && v->obj->ops->make_writable && !(atomic_read(&is->flags) & FRAME_DIRTY))
		differ("page %u of space %u is writable, and the file does not know it dirty", index, s);
}

static void compare_page(u32 s, u32 index)
{
	struct space *sp = &spaces[s];
	const struct ref_page *m = &sp->page[index];
	vaddr_t va = page_va[index];
	struct vma *v = vma_at(&sp->as->vmas, va);
	struct frame *slot, *below = NULL;
	u32 level;
	u64 pte = *m_walk(&sp->as->pt, va, &level);

	mmu_check_page(s, index, pte & M_V ? m_page_pte(pte, level, va) : 0);
	if (!v != !m->mapped)
		differ("page %u of space %u is %smapped", index, s, v ? "" : "not ");
	if (!v) {
		if (pte)
			differ("page %u of space %u is unmapped and has the entry %lx", index, s, pte);
		return;
	}
	compare_vma(s, index, v, m);
	slot = real_slot(v, va);
	if (slot_is_swap(slot)) {
		/* What is in it shows when somebody wants it. */
		if (pte & M_V)
			differ("page %u of space %u is swapped out and mapped", index, s);
		return;
	}
	if (slot)
		compare_content(s, index, slot, ref_value(m), "in its slot");
	else if (m->anon && (m->own.first || m->own.last))
		differ("page %u of space %u lost its private page", index, s);
	if (!slot && ref_below(m) == BELOW_OBJECT) {
		below = real_object(m->obj, m->pgoff);
		if (below)
			compare_content(s, index, below, ref_value(m), "in its object");
	}
	if (pte & M_V)
		compare_leaf(s, index, m_page_pte(pte, level, va), v, slot, below);
}

/* All of a short range; of a long one the ends and some between. */
static void compare_range(u32 s, u32 first, u32 n)
{
	if (!spaces[s].as)
		return;
	for (u32 i = first; i < first + n; i++) {
		if (n > 64 && i == first + 24) {
			for (u32 k = 0; k < 16; k++)
				compare_page(s, first + (u32)env_rand(n));
			i = first + n - 24;
		}
		compare_page(s, i);
	}
}

/* ---- where the frames are ---- */

static u16 *counted; /* by frame number: slots, objects and tables that hold it */

struct seen_amap {
	const struct amap *am;
	u32 vmas;
	u64 covered;
};
static struct seen_amap seen_amaps[1024];
static u32 nr_seen_amaps;

static void count_frame(const struct frame *f)
{
	counted[frame_pfn(f)]++;
}

/* What amap->blocks says of 512 slots. */
static void compare_blocks(const struct amap *am)
{
	struct frame *block;
	u64 key = 0;

	index_check(&am->blocks);
	index_for_each(&am->blocks, key, block)
	{
		if (frame_pfn(block) % HUGE_NR_PAGES)
			differ("a block begins at frame %lx", frame_pfn(block));
		for (u64 i = 0; i < HUGE_NR_PAGES; i++) {
			if (index_get(&am->pages, key + i) != &block[i])
				differ("slot %lx is not page %lu of the block that begins at %lx", key + i, i, key);
		}
	}
}

static void count_amap(struct vma *v)
{
	struct seen_amap *seen = seen_amaps;
	u64 key = v->apgoff;
	struct frame *f;
	u64 nr = 0;

	while (seen < seen_amaps + nr_seen_amaps && seen->am != v->amap)
		seen++;
	if (seen == seen_amaps + nr_seen_amaps) {
		u64 k = 0;

		ASSERT(nr_seen_amaps++ < ARRAY_SIZE(seen_amaps));
		*seen = (struct seen_amap){.am = v->amap};
		compare_blocks(v->amap);
		index_for_each(&v->amap->pages, k, f)
		{
			if (!slot_is_swap(f))
				count_frame(f);
		}
	}
	seen->vmas++;
	index_for_each(&v->amap->pages, key, f)
	{
		if (key >= v->apgoff + vma_pages(v))
			break;
		nr++;
	}
	if ((v->flags & VMA_NEEDS_COPY) && nr != v->amap->pages.count)
		differ("an amap shared by relatives has slots outside of a VMA at %lx", v->start);
	seen->covered += v->flags & VMA_NEEDS_COPY ? 0 : nr;
}

/* Counts tables and checks that each is reached once and every leaf is of a page that there is. */
static u64 count_tables(u32 s, paddr_t table, u32 level, vaddr_t va)
{
	const u64 *slots = m_table(table);
	u64 nr = 1;

	if (counted[table >> PAGE_SHIFT]++)
		differ("a table of space %u is referenced twice", s);
	for (u32 i = 0; i < (level == 2 ? 256 : 512); i++) {
		vaddr_t at = va + ((u64)i << (12 + 9 * level));

		if (!(slots[i] & M_V))
			continue;
		if (level && !(slots[i] & M_LEAF))
			nr += count_tables(s, m_pa(slots[i]), level - 1, at);
		else if (m_pa(slots[i]) & ((PAGE_SIZE << 9 * level) - 1))
			differ("a leaf of level %u of space %u leads to %lx", level, s, m_pa(slots[i]));
		else if (page_index(at) < 0)
			differ("space %u has a leaf at %lx, where nothing is", s, at);
	}
	return nr;
}

static void count_space(u32 s)
{
	struct aspace *as = spaces[s].as;
	u64 resident = 0;
	struct vma *v;

	for (v = vma_first(&as->vmas); v; v = vma_next(v)) {
		u64 key = v->apgoff;
		struct frame *f;

		if (!v->amap)
			continue;
		count_amap(v);
		index_for_each(&v->amap->pages, key, f)
		{
			if (key >= v->apgoff + vma_pages(v))
				break;
			resident++;
		}
	}
	if (resident != atomic64_read(&as->resident))
		differ("space %u counts %lu pages as its own, and has %lu", s, atomic64_read(&as->resident), resident);
	if (as->usyscall)
		count_frame(as->usyscall);
	if (count_tables(s, as->pt.root, 2, 0) != as->pt.nr_tables)
		differ("space %u counts its tables wrong", s);
}

static void count_objects(void)
{
	for (u32 k = 0; k < NR_OBJS; k++) {
		if (!ref_objs[k].used || (k >= OBJ_DYNAMIC && !ref_obj_used(k)))
			continue;
		for (u32 i = 0; i < MAX(ref_objs[k].nr_pages, (u32)FILE_PAGES); i++) {
			struct frame *f = real_object((int)k, i);

			if (f)
				count_frame(f);
		}
	}
}

/* Every frame of user memory and every table is held as often as its count says, by somebody who was found. */
static void compare_frames(void)
{
	memset(counted, 0, ((FAKE_RAM_BASE >> PAGE_SHIFT) + env_ram_frames) * sizeof(*counted));
	nr_seen_amaps = 0;
	for (u32 s = 0; s < NR_SPACES; s++) {
		if (spaces[s].as)
			count_space(s);
	}
	for (u32 i = 0; i < nr_seen_amaps; i++) {
		const struct seen_amap *seen = &seen_amaps[i];

		if (refcount_read(&seen->am->refs) != seen->vmas)
			differ("an amap has %u references and %u VMAs", refcount_read(&seen->am->refs), seen->vmas);
		if (seen->covered && seen->covered != seen->am->pages.count)
			differ("an amap has %lu slots, its VMAs cover %lu", seen->am->pages.count, seen->covered);
	}
	count_objects();
	for (pfn_t p = FAKE_RAM_BASE >> PAGE_SHIFT; p < (FAKE_RAM_BASE >> PAGE_SHIFT) + env_ram_frames; p++) {
		const struct frame *f = &frame_array[p];

		if (!frame_valid(p) ||
			(f->kind != FRAME_ANON && f->kind != FRAME_FILE && f->kind != FRAME_TABLE &&
				f->kind != FRAME_USYSCALL))
			continue;
		if (atomic_read(&f->refs) != counted[p])
			differ("frame %lx of kind %u has %u references, %u were found", p, f->kind,
				atomic_read(&f->refs), counted[p]);
	}
}

static void check_space(u32 s)
{
	bool quiet = now.quiet;

	now.quiet = true;
	aspace_check(spaces[s].as);
	now.quiet = quiet;
}

static inline void compare_all(void)
{
	for (u32 s = 0; s < NR_SPACES; s++) {
		if (!spaces[s].as)
			continue;
		for (u32 i = 0; i < NR_PAGES; i++)
			compare_page(s, i);
		check_space(s);
	}
	compare_frames();
}

static inline void compare_init(void)
{
	counted = calloc((FAKE_RAM_BASE >> PAGE_SHIFT) + env_ram_frames, sizeof(*counted));
	ASSERT(counted);
}

#endif
