/*
 * What happens to address spaces: each event calls the real code, then does the same to the reference, then compares
 * the pages concerned. Its random choices come from env_rand, seeded for each step.
 *
 * An event may run with one of its allocations failing (now.fail): then it either succeeds all the same or answers
 * -ENOMEM, and the reference stays as it was.
 */
#ifndef MODEL_EVENTS_H
#define MODEL_EVENTS_H

#include "compare.h"

#define REMAP_MAYMOVE   1u
#define REMAP_FIXED     2u
#define REMAP_DONTUNMAP 4u

static inline bool fail_arm(void)
{
	alloc_fail_nth(now.fail);
	return now.fail != 0;
}

static inline void fail_disarm(void)
{
	alloc_fail_nth(0);
	now.fail = 0;
}

/* The answer of `call`, which may be run with an allocation failing. *injected: -ENOMEM may be due to that. */
#define TRY(injected, call)                             \
	({                                              \
		long r_;                                \
		*(injected) = fail_arm();               \
		r_ = (long)(call);                      \
		fail_disarm();                          \
		*(injected) &= r_ == -ENOMEM;           \
		nr_injected += *(injected);             \
		if (*(injected))                        \
			say("  an allocation failed");  \
		r_;                                     \
	})

/* Pages of one window. */
struct range {
	u32 first, n;
};

static inline vaddr_t range_va(struct range r)
{
	return page_va[r.first];
}
static inline u64 range_len(struct range r)
{
	return r.n * PAGE_SIZE;
}

/* Mostly a few pages; in the large window also whole superpages and more. */
static struct range some_range(void)
{
	static const u8 weights[] = {WIN_SMALL, WIN_SMALL, WIN_SMALL, WIN_GIGA, WIN_GIGA, WIN_TOP, WIN_TOP, WIN_HEAP,
		WIN_STACK, WIN_LOW, WIN_SUPER};
	const struct window *w = &windows[weights[env_rand(ARRAY_SIZE(weights))]];
	u32 first, n;

	if (w->nr < 1024 || one_in(2)) {
		n = 1 + (u32)env_rand(8);
		first = (u32)env_rand(w->nr - n + 1);
		/* Where superpages end is where things go wrong. */
		if (w->nr > 1024 && one_in(2))
			first = SUPER_MARGIN - 4 + (u32)env_rand(3) * 512 + (u32)env_rand(5);
	} else if (one_in(2)) {
		n = 512;
		first = SUPER_MARGIN + (u32)env_rand(2) * 512;
	} else {
		n = 1 + (u32)env_rand(700);
		first = (u32)env_rand(w->nr - n + 1);
	}
	return (struct range){w->first + first, n};
}

/* A page to touch: often one that was touched lately, in whatever space, and mostly one that is mapped. */
static u32 some_page(u32 s)
{
	u32 i = 0;

	if (one_in(2))
		return now.recent[env_rand(ARRAY_SIZE(now.recent))];
	for (u32 tries = 0; tries < 6; tries++) {
		i = some_range().first;
		if (spaces[s].page[i].mapped)
			break;
	}
	now.recent[env_rand(ARRAY_SIZE(now.recent))] = i;
	return i;
}

/* ---- accesses ---- */

static long errno_of(enum fault_result r)
{
	switch (r) {
	case FAULT_DONE: return 0;
	case FAULT_SEGV_MAP: return -EFAULT;
	case FAULT_SEGV_ACC: return -EACCES;
	case FAULT_BUS: return -EIO;
	default: return -ENOMEM;
	}
}

/* A fault at page i below a growing stack: the pages down to it are mapped, if the stack may come so far. */
static void ref_grow(u32 s, u32 i)
{
	struct space *sp = &spaces[s];
	struct vma *v = vma_find(&sp->as->vmas, page_va[i]), *below;
	u32 above = i;

	if (!v || v->start <= page_va[i] || !(v->flags & VMA_STACK) || STACK_TOP - page_va[i] > sp->as->stack_limit)
		return;
	below = vma_prev(v); /* the window is smaller than the gap that there must be */
	if (below && below->start >= windows[WIN_STACK].base && (below->flags & PT_RWX))
		return;
	while (!sp->page[above].mapped)
		above++;
	for (u32 k = i; k < above; k++)
		sp->page[k] = (struct ref_page){.mapped = true,
			.obj = -1,
			.prot = sp->page[above].prot,
			.max_prot = sp->page[above].max_prot,
			.dontfork = sp->page[above].dontfork};
}

/* Some of an operation was done before it failed: copies that exist may no longer change with what lies below. */
static void settle(u32 s, u32 i)
{
	struct vma *v = vma_at(&spaces[s].as->vmas, page_va[i]);

	if (v && real_slot(v, page_va[i]))
		ref_privatise(&spaces[s].page[i]);
}

/* What an access is to answer; the stack grows in the reference. */
static long expect_access(u32 s, u32 i, enum access access)
{
	if (!spaces[s].page[i].mapped && page_window[i] == WIN_STACK)
		ref_grow(s, i);
	return ref_allowed(&spaces[s].page[i], access);
}

/* An access on the hart of this step, with its faults. *page: the memory. */
static long access_page(u32 s, u32 i, enum access access, void **page)
{
	u32 need = access == ACCESS_WRITE ? M_W : access == ACCESS_EXEC ? M_X : M_R;

	for (u32 tries = 0; tries < 12; tries++) {
		struct fault f = {.addr = page_va[i] + env_rand(PAGE_SIZE), .access = access, .from_user = one_in(2)};
		bool injected;
		long err;

		*page = mmu_access(now.hart, s, i, need);
		if (*page)
			return 0;
		err = TRY(&injected, errno_of(fault_handle(spaces[s].as, &f)));
		if (injected) {
			settle(s, i);
			compare_page(s, i);
		} else if (err) {
			return err;
		}
	}
	differ("an access of kind %u to page %u of space %u never succeeds", access, i, s);
}

static void do_access(u32 s, u32 i, enum access access, struct content *c)
{
	struct ref_page *m = &spaces[s].page[i];
	bool may_grow = !m->mapped && page_window[i] == WIN_STACK;
	u32 fail = now.fail;
	long want, got;
	void *page;

	/* Growth and what follows fail apart from each other. */
	now.fail = may_grow ? 0 : fail;
	want = expect_access(s, i, access);
	got = access_page(s, i, access, &page);
	if (got != want)
		differ("access of kind %u to page %u of space %u: %ld, not %ld", access, i, s, got, want);
	if (got)
		return;
	ref_touched(m, access);
	if (access == ACCESS_WRITE) {
		ref_store(m, *c);
		content_put(page, *c);
	}
	*c = content_at(page);
	if (!content_is(*c, ref_value(m)))
		differ("page %u of space %u reads %x %x, not %x %x", i, s, c->first, c->last, ref_value(m).first,
			ref_value(m).last);
}

static void event_read(u32 s)
{
	u32 i = some_page(s);
	struct content c;

	say("read page %u of space %u", i, s);
	do_access(s, i, ACCESS_READ, &c);
	compare_range(s, i, 1);
}

static void event_write(u32 s)
{
	u32 i = some_page(s);
	struct content c = new_content();

	say("write %x to page %u of space %u", c.first, i, s);
	do_access(s, i, ACCESS_WRITE, &c);
	compare_range(s, i, 1);
}

static void event_execute(u32 s)
{
	u32 i = some_page(s);
	struct content c;

	say("execute page %u of space %u", i, s);
	do_access(s, i, ACCESS_EXEC, &c);
	compare_range(s, i, 1);
}

/* Many pages in a row, as a program fills a table. */
static void event_sweep(u32 s)
{
	struct range r = some_range();
	enum access access = one_in(3) ? ACCESS_READ : ACCESS_WRITE;
	u32 n = MIN(r.n, 600u);

	say("%s pages %u to %u of space %u", access == ACCESS_READ ? "read" : "write", r.first, r.first + n - 1, s);
	for (u32 i = r.first; i < r.first + n; i++) {
		struct content c = new_content();

		do_access(s, i, access, &c);
	}
	compare_range(s, r.first, n);
}

/* The kernel copies across the edge of two pages. How much: as far as the first that refuses. */
static void event_copy(u32 s)
{
	u32 i = some_page(s), words[2] = {next_value++, next_value++}, last, done = 0;
	enum access access = one_in(2) ? ACCESS_READ : ACCESS_WRITE;
	vaddr_t at = page_va[i] + PAGE_SIZE - 4;
	long want = 0, got;

	last = i + 1 < NR_PAGES && page_va[i + 1] == page_va[i] + PAGE_SIZE ? i + 1 : i;
	say("kernel copy of kind %u, pages %u to %u of space %u", access, i, last, s);
	for (u32 k = i; k <= last && !want; k++) {
		want = expect_access(s, k, access);
		/* A stack that cannot grow shows only in what the real fault says. */
		if (want)
			break;
		ref_touched(&spaces[s].page[k], access);
		done += 4;
	}
	now.quiet = true;
	got = access == ACCESS_READ ? aspace_read(spaces[s].as, at, words, 4 * (last - i + 1))
				    : aspace_write(spaces[s].as, at, words, 4 * (last - i + 1));
	now.quiet = false;
	if (got != (done ? (long)done : -EFAULT))
		differ("kernel copy from page %u of space %u: %ld of %u bytes", i, s, got, done);
	for (u32 k = i; k < i + done / 4; k++) {
		struct content c = ref_value(&spaces[s].page[k]);
		u32 *word = k == i ? &c.last : &c.first;

		if (access == ACCESS_WRITE) {
			*word = words[k - i];
			ref_store(&spaces[s].page[k], c);
		} else if (*word != words[k - i]) {
			differ("kernel read of page %u of space %u: %x, not %x", k, s, words[k - i], *word);
		}
	}
	compare_range(s, i, last - i + 1);
}

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

/* What shall be mapped, at r. */
static struct map_request some_request(struct range r, int *obj, bool *shared)
{
	static const int below[] = {-1, -1, -1, -1, OBJ_SHARED, OBJ_FILE, OBJ_FILE2, OBJ_DYNAMIC};
	struct map_request rq = {.addr = range_va(r),
		.len = range_len(r) - env_rand(PAGE_SIZE),
		.prot = (u32)(one_in(3) ? env_rand(8) : 3),
		.max_prot = one_in(8) ? VMA_READ | VMA_EXEC : PT_RWX,
		.place = one_in(2) ? MAP_AT : one_in(2) ? MAP_AT_FREE : MAP_ANY};

	*obj = below[env_rand(ARRAY_SIZE(below))];
	*shared = *obj == OBJ_SHARED || *obj >= OBJ_DYNAMIC || (*obj >= 0 && one_in(2));
	rq.flags = *shared ? VMA_SHARED : one_in(6) ? VMA_HUGE : one_in(12) ? VMA_NORESERVE : 0;
	if (*obj >= OBJ_DYNAMIC) {
		rq.obj = object_new(r.n, obj);
		if (!rq.obj)
			*obj = -1;
		*shared = *obj >= 0;
		rq.flags = *shared ? VMA_SHARED : 0;
	} else if (*obj >= 0) {
		rq.obj = objs[*obj];
		rq.pgoff = env_rand(FILE_PAGES);
	}
	rq.file = (struct file *)(void *)obj_file(*obj);
	if (*obj >= 0 && !*shared && one_in(4))
		rq.file_bytes = 1 + env_rand(range_len(r));
	return rq;
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

static void event_map(u32 s)
{
	struct range r = some_range();
	int obj, hole = -1;
	bool shared, injected, free;
	struct map_request rq = some_request(r, &obj, &shared);
	long at;

	free = ref_all(s, r.first, r.n, false);
	if (rq.place == MAP_ANY && (!free || one_in(2))) {
		hole = r.n <= windows[WIN_TOP].nr ? top_hole(s, r.n) : -1;
		if (hole < 0)
			rq.place = MAP_AT;
		rq.addr = rq.place == MAP_ANY ? 0 : rq.addr;
	}
	say("map %u pages at %u of space %u: place %u, protection %u, object %d, page %lu, flags %x, file bytes %lu", r.n,
		hole >= 0 ? (u32)hole : r.first, s, rq.place, rq.prot, obj, rq.pgoff, rq.flags, rq.file_bytes);
	at = TRY(&injected, aspace_map(spaces[s].as, &rq));
	if (obj >= OBJ_DYNAMIC)
		rq.obj->ops->put_ref(rq.obj); /* the mapping keeps it, if there is one */
	if (obj >= OBJ_DYNAMIC && at < 0)
		ref_objs[obj].used = 0;
	if (hole >= 0)
		r.first = (u32)hole;
	if (!injected && rq.place == MAP_AT_FREE && !free) {
		if (at != -EEXIST)
			differ("a mapping over another one: %ld", at);
	} else if (!injected) {
		if (at != (long)range_va(r))
			differ("a mapping at page %u went to %lx", r.first, at);
		ref_map(s, r, &rq, obj, shared);
	}
	compare_range(s, r.first, r.n);
}

static void event_unmap(u32 s)
{
	struct range r = some_range();
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

static void event_protect(u32 s)
{
	struct range r = some_range();
	u32 prot = one_in(2) ? 3 : (u32)env_rand(8);
	long want = expect_protect(s, r, prot), err;
	bool injected;

	say("protect %u pages at %u of space %u: %u", r.n, r.first, s, prot);
	err = TRY(&injected, aspace_protect(spaces[s].as, range_va(r), range_len(r), prot));
	if (!injected && err != want)
		differ("mprotect: %ld, not %ld", err, want);
	for (u32 k = r.first; !err && k < r.first + r.n; k++)
		spaces[s].page[k].prot = (u8)prot;
	compare_range(s, r.first, r.n);
}

static void event_stack(u32 s)
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

static void event_brk(u32 s)
{
	struct space *sp = &spaces[s];
	const struct window *w = &windows[WIN_HEAP];
	vaddr_t want = HEAP_START + env_rand(20 * PAGE_SIZE), got;
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

static void event_remap_fixed(u32 s)
{
	struct range r = some_range(), to = some_range();
	u32 flags = REMAP_MAYMOVE | REMAP_FIXED, n = r.n;
	bool injected, one = one_vma(s, r);
	long at;

	if (page_window[r.first] == WIN_STACK)
		return;
	if (r.n > 8 && one_in(2))
		to = some_range();
	if (one_in(4) && to.first + r.n <= windows[page_window[to.first]].first + windows[page_window[to.first]].nr) {
		flags |= REMAP_DONTUNMAP;
		to.n = r.n;
	}
	if (one_in(8) && spaces[s].page[r.first].shared)
		n = 0;
	say("remap %u pages at %u of space %u to %u pages at %u, flags %u", n, r.first, s, to.n, to.first, flags);
	at = TRY(&injected,
		aspace_remap(spaces[s].as, range_va(r), n * PAGE_SIZE, range_len(to), flags, range_va(to)));
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
}

/* Grows or shrinks; where it may move, it goes to the top window if there is room. */
static void event_remap(u32 s)
{
	struct range r = some_range();
	u32 w = page_window[r.first], room = windows[w].first + windows[w].nr - r.first, to;
	u32 nn = MIN(room, one_in(3) ? r.n : 1 + (u32)env_rand(12)), flags = one_in(2) ? REMAP_MAYMOVE : 0;
	bool injected, one = one_vma(s, r);
	int hole = nn <= windows[WIN_TOP].nr ? top_hole(s, nn) : -1;
	long at;

	if (w == WIN_STACK || ((flags & REMAP_MAYMOVE) && hole < 0))
		return;
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
}

/* ---- advice ---- */

static void event_dontneed(u32 s)
{
	struct range r = some_range();
	bool holes = !ref_all(s, r.first, r.n, true), lazy = one_in(4), injected, bad = false;
	long err;

	for (u32 k = r.first; k < r.first + r.n; k++)
		bad |= spaces[s].page[k].mapped && (spaces[s].page[k].obj >= 0 || spaces[s].page[k].shared);
	bad &= lazy;
	if (holes)
		now.fail = 0; /* it answers -ENOMEM when it has done all it could */
	say("madvise(%s), %u pages at %u of space %u", lazy ? "FREE" : "DONTNEED", r.n, r.first, s);
	err = TRY(&injected, aspace_advise(spaces[s].as, range_va(r), range_len(r), lazy ? 8 : 4));
	if (!injected && err != (bad ? -EINVAL : holes ? -ENOMEM : 0))
		differ("madvise(DONTNEED): %ld", err);
	for (u32 k = r.first; !injected && !bad && k < r.first + r.n; k++) {
		spaces[s].page[k].anon = 0;
		spaces[s].page[k].own = (struct content){0, 0};
	}
	compare_range(s, r.first, r.n);
}

/* Advice that changes no content: hints, huge pages, inheritance. */
static void event_advise(u32 s)
{
	static const u8 advices[] = {0, 1, 2, 3, 10, 11, 14, 15, 16, 17, 20, 21};
	u8 advice = advices[env_rand(ARRAY_SIZE(advices))];
	struct range r = some_range();
	bool holes = !ref_all(s, r.first, r.n, true), injected;
	long err;

	if (holes)
		now.fail = 0;
	say("madvise(%u), %u pages at %u of space %u", advice, r.n, r.first, s);
	err = TRY(&injected, aspace_advise(spaces[s].as, range_va(r), range_len(r), advice));
	if (!injected && err != (holes && advice != 3 ? -ENOMEM : 0))
		differ("madvise(%u): %ld", advice, err);
	for (u32 k = r.first; !injected && k < r.first + r.n; k++) {
		struct ref_page *m = &spaces[s].page[k];

		if (m->mapped && (advice == 10 || advice == 11))
			m->dontfork = advice == 10;
	}
	compare_range(s, r.first, r.n);
}

static void event_populate(u32 s)
{
	struct range r = some_range();
	enum access access = one_in(2) ? ACCESS_READ : ACCESS_WRITE;
	long want = 0, err;
	u32 done;

	now.fail = 0; /* a fault may wait for memory and go on */
	say("populate %u pages at %u of space %u, access %u", r.n, r.first, s, access);
	for (done = 0; done < r.n && !want; done++) {
		want = expect_access(s, r.first + done, access);
		if (!want)
			ref_touched(&spaces[s].page[r.first + done], access);
	}
	want = want == -EACCES ? -EINVAL : want == -EIO ? -EFAULT : want ? -ENOMEM : 0;
	now.quiet = true;
	err = aspace_advise(spaces[s].as, range_va(r), range_len(r), access == ACCESS_READ ? 22 : 23);
	now.quiet = false;
	if (err != want)
		differ("madvise(POPULATE): %ld, not %ld", err, want);
	compare_range(s, r.first, r.n);
}

/* ---- processes ---- */

static int space_free(void)
{
	for (u32 s = 0; s < NR_SPACES; s++) {
		if (!spaces[s].as)
			return (int)s;
	}
	return -1;
}

static void space_born(u32 s, struct aspace *as)
{
	memset(&spaces[s], 0, sizeof(spaces[s]));
	spaces[s].as = as;
	spaces[s].brk = HEAP_START;
	aspace_set_pid(as, (int)s);
}

static void space_create(u32 s)
{
	struct aspace *as = aspace_create();

	ASSERT(as);
	as->brk_start = as->brk = HEAP_START;
	as->stack_top = STACK_TOP;
	as->stack_limit = STACK_PAGES * PAGE_SIZE;
	space_born(s, as);
}

static void space_exit(u32 s)
{
	aspace_put(spaces[s].as); /* while it still is in its place, so that the machine knows it */
	memset(&spaces[s], 0, sizeof(spaces[s]));
}

static void event_fork(u32 s)
{
	int c = space_free();
	bool armed = now.fail != 0;
	struct aspace *child;

	if (c < 0)
		return;
	say("fork of space %u to %d", s, c);
	fail_arm();
	child = aspace_fork(spaces[s].as);
	fail_disarm();
	if (!child && !armed)
		differ("fork: no memory");
	nr_injected += !child;
	if (child) {
		space_born((u32)c, child);
		spaces[c].brk = spaces[s].brk;
		memcpy(spaces[c].page, spaces[s].page, sizeof(spaces[c].page));
		for (u32 i = 0; i < NR_PAGES; i++) {
			if (spaces[c].page[i].dontfork)
				ref_clear((u32)c, i, 1);
		}
		compare_range((u32)c, 0, windows[WIN_SUPER].first);
	}
	compare_range(s, 0, windows[WIN_SUPER].first);
}

static void event_exit(u32 s)
{
	u32 alive = 0;

	for (u32 i = 0; i < NR_SPACES; i++)
		alive += spaces[i].as != NULL;
	if (alive == 1)
		return;
	say("exit of space %u", s);
	space_exit(s);
}

static void event_exec(u32 s)
{
	say("exec in space %u", s);
	space_exit(s);
	space_create(s);
}

/* ---- files ---- */

static void event_file(u32 s)
{
	int obj = one_in(2) ? OBJ_FILE : OBJ_FILE2;
	struct model_file *f = obj_file(obj);
	u32 pgoff = (u32)env_rand(FILE_PAGES), what = (u32)env_rand(8);

	say("file %d: %s page %u", obj, what < 3 ? "write back" : what < 7 ? "evict" : "cut at", pgoff);
	if (what < 3) {
		file_writeback(f, pgoff);
	} else if (what < 7) {
		file_evict(f, pgoff);
	} else {
		file_resize(f, pgoff);
		for (u32 i = MIN(pgoff, ref_objs[obj].nr_pages); i < FILE_PAGES; i++)
			ref_objs[obj].page[i] = (struct content){0, 0};
		ref_objs[obj].nr_pages = pgoff;
	}
	for (u32 i = 0; i < windows[WIN_HEAP].first; i++) {
		if (spaces[s].page[i].mapped && spaces[s].page[i].obj == obj)
			compare_page(s, i);
	}
}

/* ---- reports ---- */

/* Accessed since the last call: what a hart touches is reported, once, however much it had cached. */
static void event_accessed(u32 s)
{
	u64 bits[DIV_ROUND_UP(1024, 64)];
	u32 i = some_page(s), w = page_window[i], n = MIN(windows[w].nr - (i - windows[w].first), 1024u);
	struct content c = {0, 0};
	bool ok;

	say("pgaccess of %u pages at %u of space %u", n, i, s);
	ok = aspace_accessed(spaces[s].as, page_va[i], n, bits) == 0;
	compare_range(s, i, n);
	ok &= aspace_accessed(spaces[s].as, page_va[i], n, bits) == 0;
	for (u32 k = 0; ok && k < n; k++)
		ok = !(bits[k / 64] >> k % 64 & 1);
	if (!ok)
		differ("pgaccess of space %u at page %u reports what nobody touched", s, i);
	now.fail = 0;
	do_access(s, i, ACCESS_READ, &c);
	aspace_accessed(spaces[s].as, page_va[i], 1, bits);
	if ((bits[0] & 1) != (ref_allowed(&spaces[s].page[i], ACCESS_READ) == 0))
		differ("pgaccess of page %u of space %u: %lx", i, s, bits[0]);
	compare_range(s, i, 1);
}

static void event_look(u32 s)
{
	struct range r = some_range();
	u8 vec[1024];
	u32 *page, level;
	bool whole = ref_all(s, r.first, r.n, true);
	struct fault f = {.addr = USER_USYSCALL, .access = ACCESS_READ, .from_user = 1};

	if (aspace_mincore(spaces[s].as, range_va(r), r.n, vec) != (whole ? 0 : -ENOMEM))
		differ("mincore of %u pages at %u of space %u", r.n, r.first, s);
	if (aspace_sync(spaces[s].as, range_va(r), range_len(r), 4) != (whole ? 0 : -ENOMEM))
		differ("msync of %u pages at %u of space %u", r.n, r.first, s);
	for (u32 tries = 0; tries < 4 && !(page = mmu_access(now.hart, s, USYSCALL_PAGE, M_R)); tries++)
		fault_handle(spaces[s].as, &f);
	if (!page || *page != s)
		differ("the USYSCALL page of space %u is wrong", s);
	mmu_check_page(s, USYSCALL_PAGE, *m_walk(&spaces[s].as->pt, USER_USYSCALL, &level));
	compare_range(s, r.first, r.n);
}

static void event_speculate(u32 s)
{
	struct range r = some_range();

	for (u32 k = 0; k < MIN(r.n, 16u); k++)
		mmu_speculate((u32)env_rand(NR_HARTS), s, r.first + k);
	if (one_in(4))
		pt_reserve(&spaces[s].as->pt, range_va(r), 0);
	compare_range(s, r.first, r.n);
}

/* To add an event: a function, and a line here. Weights are relative. */
static const struct event {
	const char *name;
	void (*run)(u32 s);
	u32 weight;
} events[] = {
	{"read", event_read, 200},
	{"write", event_write, 240},
	{"execute", event_execute, 30},
	{"sweep", event_sweep, 12},
	{"copy", event_copy, 60},
	{"map", event_map, 90},
	{"unmap", event_unmap, 40},
	{"protect", event_protect, 60},
	{"stack", event_stack, 10},
	{"brk", event_brk, 30},
	{"remap", event_remap, 30},
	{"remap fixed", event_remap_fixed, 30},
	{"dontneed", event_dontneed, 30},
	{"advise", event_advise, 40},
	{"populate", event_populate, 10},
	{"fork", event_fork, 30},
	{"exit", event_exit, 10},
	{"exec", event_exec, 2},
	{"file", event_file, 50},
	{"accessed", event_accessed, 12},
	{"look", event_look, 12},
	{"speculate", event_speculate, 40},
};

static u64 event_counts[ARRAY_SIZE(events)];

static u32 event_total(void)
{
	u32 total = 0;

	for (u32 i = 0; i < ARRAY_SIZE(events); i++)
		total += events[i].weight;
	return total;
}

static const struct event *some_event(void)
{
	static u32 total;
	u64 at;

	total = total ? total : event_total();
	at = env_rand(total);
	for (u32 i = 0;; i++) {
		if (at < events[i].weight) {
			event_counts[i]++;
			return &events[i];
		}
		at -= events[i].weight;
	}
}

#endif
