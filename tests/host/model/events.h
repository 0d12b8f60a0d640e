/*
 * What happens in a random step: each event chooses what to do and where, and does it (access.h, mapping.h, process.h).
 * Its choices come from env_rand, seeded for each step.
 */
#ifndef MODEL_EVENTS_H
#define MODEL_EVENTS_H

#include "mapping.h"
#include "race.h"

/* In the window of superpages: whole ones, parts of them, and pages near their edges, where things go wrong. */
static struct range some_super_range(void)
{
	const struct window *w = &windows[WIN_SUPER];
	u32 first = SUPER_MARGIN + (u32)env_rand(2) * 512, n = 512;

	switch (env_rand(8)) {
	case 0 ... 1: break;
	case 2: n = first == SUPER_MARGIN ? 1024 : 512; break;
	case 3:
		n = 1 + (u32)env_rand(700);
		first = (u32)env_rand(w->nr - n + 1);
		break;
	case 4:
		n = 1 + (u32)env_rand(8);
		first += (u32)env_rand(504);
		break;
	default: n = 1 + (u32)env_rand(8); first = SUPER_MARGIN - 4 + (u32)env_rand(3) * 512 + (u32)env_rand(5);
	}
	return (struct range){w->first + first, n};
}

/* Mostly a few pages. */
static struct range some_range(void)
{
	static const u8 weights[] = {
		WIN_SMALL, WIN_SMALL, WIN_SMALL, WIN_GIGA, WIN_GIGA, WIN_TOP, WIN_TOP, WIN_HEAP, WIN_STACK, WIN_LOW};
	const struct window *w = &windows[weights[env_rand(ARRAY_SIZE(weights))]];
	u32 n = 1 + (u32)env_rand(8);

	if (one_in(now.super_round ? 2 : 16))
		return some_super_range();
	return (struct range){w->first + (u32)env_rand(w->nr - n + 1), n};
}

/* Often a range with an edge of a mapping of space s for its edge. */
static struct range some_part(u32 s)
{
	struct range r = some_range();
	struct vma *v = vma_at(&spaces[s].as->vmas, range_va(r));
	const struct window *w = &windows[page_window[r.first]];
	vaddr_t start, end;
	u32 first, n;

	if (!v || one_in(2))
		return r;
	start = MAX(v->start, w->base);
	end = MIN(v->end, w->base + w->nr * PAGE_SIZE);
	first = (u32)page_index(start);
	n = (u32)((end - start) >> PAGE_SHIFT);
	switch (env_rand(3)) {
	case 0: return (struct range){first, n};
	case 1: return (struct range){first, 1 + (u32)env_rand(n)};
	default: n = 1 + (u32)env_rand(n); return (struct range){(u32)page_index(end - PAGE_SIZE) + 1 - n, n};
	}
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

static enum access some_access(void)
{
	return one_in(2) ? ACCESS_READ : ACCESS_WRITE;
}

static void event_read(u32 s)
{
	u32 i = some_page(s);

	say("read page %u of space %u", i, s);
	touch(s, i, ACCESS_READ);
}

static void event_write(u32 s)
{
	u32 i = some_page(s);

	say("write %x to page %u of space %u", next_value, i, s);
	touch(s, i, ACCESS_WRITE);
}

static void event_execute(u32 s)
{
	u32 i = some_page(s);

	say("execute page %u of space %u", i, s);
	touch(s, i, ACCESS_EXEC);
}

/* Many pages in a row, as a program fills a table. */
static void event_sweep(u32 s)
{
	struct range r = some_range();
	enum access access = one_in(3) ? ACCESS_READ : ACCESS_WRITE;

	say("%s pages %u to %u of space %u", access == ACCESS_READ ? "read" : "write", r.first, r.first + r.n - 1, s);
	for (u32 i = r.first; i < r.first + r.n; i++)
		touch(s, i, access);
}

static void event_copy(u32 s)
{
	do_copy(s, some_page(s), some_access());
}

/* ---- mappings ---- */

/* What shall be mapped, at r. */
static struct map_request some_request(struct range r, int *obj, bool *shared)
{
	static const int below[] = {-1, -1, -1, -1, OBJ_SHARED, OBJ_FILE, OBJ_FILE2, OBJ_DYNAMIC};
	struct map_request rq = {.addr = range_va(r),
		.len = range_len(r) - env_rand(PAGE_SIZE),
		.prot = (u32)(one_in(3) ? env_rand(8) : 3),
		.max_prot = one_in(8) ? VMA_READ | VMA_EXEC : PT_RWX,
		.place = one_in(2)  ? MAP_AT
			: one_in(2) ? MAP_AT_FREE
				    : MAP_ANY};

	*obj = below[env_rand(ARRAY_SIZE(below))];
	if (r.n >= 512 && !one_in(8)) {
		*obj = -1; /* what may become superpages */
		rq.prot = 3;
	}
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

static void event_map(u32 s)
{
	struct range r = some_range();
	bool shared;
	int obj;
	struct map_request rq = some_request(r, &obj, &shared);
	u32 at = r.first;

	if (rq.place == MAP_ANY && (one_in(2) || !ref_all(s, r.first, r.n, false))) {
		int hole = r.n <= windows[WIN_TOP].nr ? top_hole(s, r.n) : -1;

		/* Without a place in the window, who knows where it would go. */
		rq.place = hole < 0 ? MAP_AT : MAP_ANY;
		rq.addr = hole < 0 ? rq.addr : 0;
		at = hole < 0 ? at : (u32)hole;
	}
	do_map(s, at, &rq, obj, shared);
}

static void event_unmap(u32 s)
{
	do_unmap(s, some_part(s));
}

static void event_protect(u32 s)
{
	do_protect(s, some_part(s), one_in(2) ? 3 : (u32)env_rand(8));
}

static void event_brk(u32 s)
{
	do_brk(s, HEAP_START + env_rand(20 * PAGE_SIZE));
}

static u32 room_from(u32 i)
{
	const struct window *w = &windows[page_window[i]];

	return w->first + w->nr - i;
}

static void event_remap(u32 s)
{
	struct range r = some_part(s);
	u32 nn = one_in(3) ? r.n : one_in(2) ? r.n + (u32)env_rand(4) : 1 + (u32)env_rand(12);

	if (page_window[r.first] != WIN_STACK)
		do_remap(s, r, MIN(room_from(r.first), nn), one_in(2) ? REMAP_MAYMOVE : 0);
}

static void event_remap_fixed(u32 s)
{
	struct range r = some_part(s), to = some_range();
	u32 flags = 0;

	if (page_window[r.first] == WIN_STACK)
		return;
	if (one_in(2) && room_from(to.first) >= r.n)
		to.n = r.n;
	if (one_in(3) && to.n == r.n)
		flags = REMAP_DONTUNMAP;
	if (one_in(8) && spaces[s].page[r.first].shared)
		r.n = 0;
	do_remap_fixed(s, r, to, flags);
}

/* ---- advice ---- */

static void event_dontneed(u32 s)
{
	do_dontneed(s, some_part(s), one_in(4));
}

/* Advice that changes no content: hints, huge pages, inheritance. */
static void event_advise(u32 s)
{
	static const u8 advices[] = {0, 1, 2, 3, 10, 11, 14, 15, 16, 17, 20, 21};

	do_advise(s, some_part(s), advices[env_rand(ARRAY_SIZE(advices))]);
}

static void event_populate(u32 s)
{
	do_populate(s, some_part(s), some_access());
}

static void event_collapse(u32 s)
{
	do_collapse(s, (struct range){windows[WIN_SUPER].first + SUPER_MARGIN + (u32)env_rand(2) * 512, 512});
}

/* ---- processes, files, reports ---- */

static void event_fork(u32 s)
{
	(void)do_fork(s);
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

static void event_file(u32 s)
{
	int obj = one_in(2) ? OBJ_FILE : OBJ_FILE2;
	u32 pgoff = (u32)env_rand(FILE_PAGES), what = (u32)env_rand(8);

	say("file %d: %s page %u", obj, what < 3 ? "write back" : what < 7 ? "evict" : "cut at", pgoff);
	if (what < 3)
		file_writeback(obj_file(obj), pgoff);
	else if (what < 7)
		file_evict(obj_file(obj), pgoff);
	else
		do_cut(obj, pgoff);
	for (u32 i = 0; i < windows[WIN_HEAP].first; i++) {
		if (spaces[s].page[i].mapped && spaces[s].page[i].obj == obj)
			compare_page(s, i);
	}
}

static void event_accessed(u32 s)
{
	do_accessed(s, some_page(s));
}

static void event_look(u32 s)
{
	do_look(s, some_range());
}

/* Whatever can be had back is taken from all spaces: nobody may notice. */
static void event_reclaim(u32 s)
{
	u64 nr = 1 + env_rand(32);

	say("reclaim of %lu frames", nr);
	reclaim_pages(nr);
	compare_range(s, 0, windows[WIN_SUPER].first);
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
	{"stack", do_stack, 10},
	{"brk", event_brk, 30},
	{"remap", event_remap, 30},
	{"remap fixed", event_remap_fixed, 30},
	{"dontneed", event_dontneed, 30},
	{"advise", event_advise, 40},
	{"populate", event_populate, 10},
	{"collapse", event_collapse, 16},
	{"fork", event_fork, 30},
	{"exit", event_exit, 10},
	{"exec", event_exec, 2},
	{"file", event_file, 50},
	{"accessed", event_accessed, 12},
	{"look", event_look, 12},
	{"speculate", event_speculate, 40},
	{"reclaim", event_reclaim, 6},
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
