/* Advice, fork, files that change below their mappings, and reports. See access.h for how. */
#ifndef MODEL_PROCESS_H
#define MODEL_PROCESS_H

#include "access.h"

/* ---- advice ---- */

/* MADV_DONTNEED, or MADV_FREE (lazy), which does the same so far. */
static inline bool do_dontneed(u32 s, struct range r, bool lazy)
{
	bool holes = !ref_all(s, r.first, r.n, true), injected, bad = false;
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
	return injected;
}

/* Advice that changes no content: hints, huge pages, inheritance. */
static inline bool do_advise(u32 s, struct range r, u32 advice)
{
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
	return injected;
}

/* Gathers superpages: whether it can be done is the kernel's business, the content stays in any case. */
static inline void do_collapse(u32 s, struct range r)
{
	long err;

	say("madvise(COLLAPSE), %u pages at %u of space %u", r.n, r.first, s);
	fail_arm();
	err = aspace_advise(spaces[s].as, range_va(r), range_len(r), 25);
	fail_disarm();
	if (err && err != -EINVAL && err != -ENOMEM && err != -EAGAIN)
		differ("madvise(COLLAPSE): %ld", err);
	compare_range(s, r.first, r.n);
}

static inline void do_populate(u32 s, struct range r, enum access access)
{
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
	int busy = now.busy;

	now.busy = (int)s;
	mmu_retire(s);            /* nobody runs on it any more */
	aspace_put(spaces[s].as); /* while it still is in its place, so that the machine knows it */
	now.busy = busy;
	memset(&spaces[s], 0, sizeof(spaces[s]));
}

/* The child's number, or -1: no place for it, or an allocation failed. */
static inline int do_fork(u32 s)
{
	int c = space_free();
	bool armed = now.fail != 0;
	struct aspace *child;

	if (c < 0)
		return c;
	say("fork of space %u to %d", s, c);
	fail_arm();
	child = aspace_fork(spaces[s].as);
	fail_disarm();
	if (!child && !armed)
		differ("fork: no memory");
	nr_injected += !child;
	compare_range(s, fork_first, fork_pages);
	if (!child)
		return -1;
	space_born((u32)c, child);
	spaces[c].brk = spaces[s].brk;
	memcpy(spaces[c].page, spaces[s].page, sizeof(spaces[c].page));
	for (u32 i = 0; i < NR_PAGES; i++) {
		if (spaces[c].page[i].dontfork)
			ref_clear((u32)c, i, 1);
	}
	compare_range((u32)c, fork_first, fork_pages);
	return c;
}

/* ---- files ---- */

/* The file ends there from now on. */
static inline void do_cut(int obj, u32 nr_pages)
{
	struct ref_object *o = &ref_objs[obj];

	now.quiet = true;
	file_resize(obj_file(obj), nr_pages);
	now.quiet = false;
	for (u32 i = MIN(nr_pages, o->nr_pages); i < FILE_PAGES; i++)
		o->page[i] = (struct content){0, 0};
	o->nr_pages = nr_pages;
}

/* ---- reports ---- */

/* Accessed since the last call: what a hart touches is reported, once, however much it had cached. */
static inline void do_accessed(u32 s, u32 i)
{
	u64 bits[DIV_ROUND_UP(1024, 64)];
	u32 w = page_window[i], n = MIN(windows[w].nr - (i - windows[w].first), 1024u);
	struct content c = {0, 0};
	bool ok;

	say("pgaccess of %u pages at %u of space %u", n, i, s);
	now.quiet = true;
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
	now.quiet = false;
	compare_range(s, i, 1);
}

/* mincore, msync and the USYSCALL page. */
static inline void do_look(u32 s, struct range r)
{
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

#endif
