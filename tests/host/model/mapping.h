/* Changing what is mapped: mmap, munmap, mprotect, brk, the stack, mremap. See access.h for how. */
#ifndef MODEL_MAPPING_H
#define MODEL_MAPPING_H

#include "access.h"

#define REMAP_MAYMOVE   1u
#define REMAP_FIXED     2u
#define REMAP_DONTUNMAP 4u

/* ---- mappings ---- */

static struct ref_page fresh_page(u32 prot, u32 max_prot, int obj, u32 pgoff, bool shared)
{
	return (struct ref_page){.mapped = true,
		.shared = shared,
		.prot = (u8)prot,
		.max_prot = (u8)max_prot,
		.obj = (s8)obj,
		.pgoff = pgoff};
}

/* The highest place for n pages below the top of mmap's area, if it is in the window; or -1. */
static int top_hole(u32 s, u32 n)
{
	const struct window *w = &windows[WIN_TOP];

	for (u32 i = w->first + w->nr - n + 1; i-- > w->first;) {
		if (ref_all(s, i, n, false))
			return (int)i;
	}
	return -1;
}

static void ref_map(u32 s, struct range r, const struct map_request *rq, int obj, bool shared)
{
	bool ends = rq->file_bytes && rq->file_bytes < range_len(r);

	for (u32 k = 0; k < r.n; k++) {
		struct ref_page *m = &spaces[s].page[r.first + k];

		*m = fresh_page(rq->prot, rq->max_prot | rq->prot, obj, (u32)rq->pgoff + k, shared);
		m->has_end = ends;
		m->file_end = ends ? (s32)rq->file_bytes - (s32)(k * PAGE_SIZE) : 0;
	}
}

/*
 * mmap. at: the index it must come to. A dynamic object is given up here: the mapping keeps it. True: nothing was done,
 * for an allocation failed. So it is with the other operations.
 */
static inline bool do_map(u32 s, u32 at, const struct map_request *rq, int obj, bool shared)
{
	struct range r = {at, (u32)(PAGE_ALIGN_UP(rq->len) >> PAGE_SHIFT)};
	bool free = ref_all(s, r.first, r.n, false), injected;
	long got;

	say("map %u pages at %u of space %u: place %u, protection %u, object %d, page %lu, flags %x, file bytes %lu",
		r.n, at, s, rq->place, rq->prot, obj, rq->pgoff, rq->flags, rq->file_bytes);
	got = TRY(&injected, aspace_map(spaces[s].as, rq));
	if (obj >= OBJ_DYNAMIC)
		rq->obj->ops->put_ref(rq->obj);
	if (obj >= OBJ_DYNAMIC && got < 0)
		ref_objs[obj].used = 0;
	if (!injected && rq->place == MAP_AT_FREE && !free) {
		if (got != -EEXIST)
			differ("a mapping over another one: %ld", got);
	} else if (!injected) {
		if (got != (long)range_va(r))
			differ("a mapping at page %u went to %lx", r.first, got);
		ref_map(s, r, rq, obj, shared);
	}
	compare_range(s, r.first, r.n);
	return injected;
}

static inline bool do_unmap(u32 s, struct range r)
{
	bool injected;
	long err;

	say("unmap %u pages at %u of space %u", r.n, r.first, s);
	err = TRY(&injected, aspace_unmap(spaces[s].as, range_va(r), range_len(r)));
	if (!injected) {
		if (err)
			differ("munmap: %ld", err);
		ref_clear(s, r.first, r.n);
	}
	compare_range(s, r.first, r.n);
	return injected;
}

static long expect_protect(u32 s, struct range r, u32 prot)
{
	for (u32 k = r.first; k < r.first + r.n; k++) {
		if (!spaces[s].page[k].mapped)
			return -ENOMEM;
		if (prot & ~(u32)spaces[s].page[k].max_prot)
			return -EACCES;
	}
	return 0;
}

static inline bool do_protect(u32 s, struct range r, u32 prot)
{
	long want = expect_protect(s, r, prot), err;
	bool injected;

	say("protect %u pages at %u of space %u: %u", r.n, r.first, s, prot);
	err = TRY(&injected, aspace_protect(spaces[s].as, range_va(r), range_len(r), prot));
	if (!injected && err != want)
		differ("mprotect: %ld, not %ld", err, want);
	for (u32 k = r.first; !err && k < r.first + r.n; k++)
		spaces[s].page[k].prot = (u8)prot;
	compare_range(s, r.first, r.n);
	return injected;
}

/* Where the stack's window is empty. */
static inline void do_stack(u32 s)
{
	const struct window *w = &windows[WIN_STACK];
	struct map_request rq = {.addr = STACK_TOP - 2 * PAGE_SIZE,
		.len = 2 * PAGE_SIZE,
		.prot = 3,
		.max_prot = PT_RWX,
		.flags = VMA_STACK,
		.place = MAP_AT_FREE};
	struct range r = {w->first + w->nr - 2, 2};
	bool injected;

	if (!ref_all(s, w->first, w->nr, false))
		return;
	say("a new stack for space %u", s);
	if (TRY(&injected, aspace_map(spaces[s].as, &rq)) > 0)
		ref_map(s, r, &rq, -1, false);
	else if (!injected)
		differ("no stack for space %u", s);
	compare_range(s, w->first, w->nr);
}

static inline void do_brk(u32 s, vaddr_t want)
{
	struct space *sp = &spaces[s];
	const struct window *w = &windows[WIN_HEAP];
	vaddr_t got;
	u32 from = (u32)page_index(PAGE_ALIGN_UP(sp->brk) - 1) + 1, to = (u32)page_index(PAGE_ALIGN_UP(want) - 1) + 1;
	bool room = from >= to || ref_all(s, from, to - from, false);
	bool armed = now.fail != 0;

	say("brk of space %u from %lx to %lx", s, sp->brk, want);
	fail_arm();
	got = aspace_brk(sp->as, want);
	fail_disarm();
	if (got != (room ? want : sp->brk) && !(armed && got == sp->brk))
		differ("brk: %lx", got);
	nr_injected += armed && room && got != want;
	if (got == want && from < to) {
		struct map_request rq = {.prot = 3, .max_prot = PT_RWX};

		ref_map(s, (struct range){from, to - from}, &rq, -1, false);
	} else if (got == want && from > to) {
		ref_clear(s, to, from - to);
	}
	sp->brk = got;
	compare_range(s, w->first, w->nr);
}

/* ---- mremap ---- */

/* What page k of a moved or grown mapping is; it had n pages from i. */
static struct ref_page remapped_page(u32 s, u32 i, u32 n, u32 k)
{
	const struct ref_page *m = &spaces[s].page[i];
	struct ref_page fresh;

	if (k < n)
		return spaces[s].page[i + k];
	fresh = fresh_page(m->prot, m->max_prot, m->obj, m->obj >= 0 ? m->pgoff + k : 0, m->shared);
	fresh.dontfork = m->dontfork;
	fresh.has_end = m->has_end;
	fresh.file_end = m->file_end - (s32)(k * PAGE_SIZE);
	return fresh;
}

static void ref_remap(u32 s, u32 i, u32 n, u32 to, u32 nn, u32 flags)
{
	static struct ref_page moved[NR_PAGES];

	for (u32 k = 0; k < nn; k++)
		moved[k] = remapped_page(s, i, n, k);
	if (!(flags & REMAP_DONTUNMAP))
		ref_clear(s, i, n);
	for (u32 k = i; (flags & REMAP_DONTUNMAP) && k < i + n; k++) {
		spaces[s].page[k].anon = 0;
		spaces[s].page[k].own = (struct content){0, 0};
	}
	memcpy(&spaces[s].page[to], moved, nn * sizeof(moved[0]));
}

/* All of it is one VMA. Which pages are, the reference does not say. */
static bool one_vma(u32 s, struct range r)
{
	struct vma *v = vma_at(&spaces[s].as->vmas, range_va(r));

	return v && v->end >= range_va(r) + range_len(r);
}

static bool ranges_overlap(u32 a, u32 an, u32 b, u32 bn)
{
	return a < b + bn && b < a + an;
}

/* To the range `to`. r.n may be 0: another view of shared memory. flags: 0 or REMAP_DONTUNMAP. */
static inline bool do_remap_fixed(u32 s, struct range r, struct range to, u32 flags)
{
	bool injected, one = one_vma(s, r);
	u32 n = r.n;
	long at;

	flags |= REMAP_MAYMOVE | REMAP_FIXED;
	say("remap %u pages at %u of space %u to %u pages at %u, flags %u", n, r.first, s, to.n, to.first, flags);
	at = TRY(&injected, aspace_remap(spaces[s].as, range_va(r), n * PAGE_SIZE, range_len(to), flags, range_va(to)));
	if (injected) {
	} else if (((flags & REMAP_DONTUNMAP) && n != to.n) || ranges_overlap(r.first, n, to.first, to.n)) {
		if (at != -EINVAL)
			differ("mremap onto itself: %ld", at);
	} else if (!spaces[s].page[r.first].mapped || (n && !one)) {
		if (at != -EFAULT)
			differ("mremap of what is not one mapping: %ld", at);
	} else if ((flags & REMAP_DONTUNMAP) && spaces[s].page[r.first].shared) {
		if (at != -EINVAL)
			differ("MREMAP_DONTUNMAP of shared memory: %ld", at);
	} else {
		if (at != (long)range_va(to))
			differ("mremap: %ld", at);
		ref_remap(s, r.first, n, to.first, to.n, flags);
	}
	compare_range(s, r.first, r.n);
	compare_range(s, to.first, to.n);
	return injected;
}

/* Grows or shrinks; where it may move, it goes to the top window if there is room. */
static inline bool do_remap(u32 s, struct range r, u32 nn, u32 flags)
{
	bool injected, one = one_vma(s, r);
	int hole = nn <= windows[WIN_TOP].nr ? top_hole(s, nn) : -1;
	u32 to;
	long at;

	if (hole < 0)
		flags &= ~REMAP_MAYMOVE; /* who knows where it would go */
	say("remap %u pages at %u of space %u to %u pages, flags %u", r.n, r.first, s, nn, flags);
	at = TRY(&injected, aspace_remap(spaces[s].as, range_va(r), range_len(r), nn * PAGE_SIZE, flags, 0));
	if (injected) {
	} else if (!one) {
		if (at != -EFAULT)
			differ("mremap of what is not one mapping: %ld", at);
	} else if (at == -ENOMEM && nn > r.n && !(flags & REMAP_MAYMOVE)) {
		say("  no room");
	} else {
		to = at == (long)range_va(r) ? r.first : (u32)hole;
		if (at != (long)page_va[to] || (to != r.first && nn <= r.n))
			differ("mremap: %lx", at);
		ref_remap(s, r.first, r.n, to, nn, 0);
		compare_range(s, to, nn);
	}
	compare_range(s, r.first, MAX(r.n, nn));
	return injected;
}

#endif
