/*
 * The model's universe: a few address spaces of some windows of pages each, placed where page tables have their
 * edges; and the reference, which says of each page what a program must find there. Nothing here calls mm/.
 *
 *	window    why there
 *	small     around a 2 MiB edge: two tables of leaves
 *	giga      around a 1 GiB edge: two middle tables
 *	top       where mmap without an address goes
 *	heap      brk, across a 2 MiB edge
 *	stack     grows down, across a 2 MiB edge
 *	low       the lowest pages there may be
 *	super     two whole 2 MiB regions and a margin: room for superpages
 *
 * Pages are numbered through all windows; that number is called the page's index.
 */
#ifndef MODEL_UNIVERSE_H
#define MODEL_UNIVERSE_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "mm_env.h"

#include "lib/errno.h"
#include "mm/aspace_priv.h"
#include "mm/fault.h"
#include "mm/stat.h"
#include "mm/superpage.h"

#define NR_SPACES 5
#define NR_HARTS  3
#define NR_OBJS   8
#define OBJ_PAGES 1056 /* of the largest object */

enum { WIN_SMALL, WIN_GIGA, WIN_TOP, WIN_HEAP, WIN_STACK, WIN_LOW, WIN_SUPER, NR_WINDOWS };

#define HEAP_START    (0x20200000ul - 10 * PAGE_SIZE + 0x100)
#define STACK_TOP     (0x30200000ul + 4 * PAGE_SIZE)
#define STACK_PAGES   20 /* how far it may grow; the window has some pages more */
#define SUPER_MARGIN  16
#define NR_PAGES      (32 + 32 + 32 + 24 + 24 + 16 + 1024 + 2 * SUPER_MARGIN)
#define USYSCALL_PAGE NR_PAGES /* its index; it is in no window */
#define NR_REGIONS    20

struct window {
	const char *name;
	vaddr_t base;
	u32 nr;    /* pages */
	u32 first; /* index of its first page */
};

static struct window windows[NR_WINDOWS] = {
	[WIN_SMALL] = {"small", 0x10200000ul - 16 * PAGE_SIZE, 32, 0},
	[WIN_GIGA] = {"giga", 0x80000000ul - 16 * PAGE_SIZE, 32, 0},
	[WIN_TOP] = {"top", USER_MMAP_END - 32 * PAGE_SIZE, 32, 0},
	[WIN_HEAP] = {"heap", 0x20200000ul - 12 * PAGE_SIZE, 24, 0},
	[WIN_STACK] = {"stack", STACK_TOP - 24 * PAGE_SIZE, 24, 0},
	[WIN_LOW] = {"low", USER_MIN, 16, 0},
	[WIN_SUPER] = {"super", 0x50000000ul - SUPER_MARGIN *PAGE_SIZE, 1024 + 2 * SUPER_MARGIN, 0},
};
static vaddr_t page_va[NR_PAGES + 1];
static u8 page_window[NR_PAGES + 1];
static u8 page_region[NR_PAGES + 1]; /* pages of one 2 MiB region of addresses have the same number */

/* What is in a page, as far as the model looks: its first word and its last. */
struct content {
	u32 first, last;
};

/* One page of one address space, as a program would tell of it. */
struct ref_page {
	struct content own; /* anon: what is in it */
	u8 mapped, shared;
	u8 anon; /* private, and no longer what lies below: own counts */
	u8 prot, max_prot;
	u8 dontfork;
	s8 obj; /* what lies below; -1: zeroes */
	u8 has_end;
	s32 file_end; /* has_end: so many bytes from the page's start, the object ends and zeroes begin */
	u32 pgoff;
};

struct space {
	struct aspace *as; /* NULL: no such process now */
	vaddr_t brk;
	struct ref_page page[NR_PAGES];
};
static struct space spaces[NR_SPACES];

/* Objects: 0 is shared memory that is always there, 1 and 2 are files, the rest is shared memory made by mappings. */
enum { OBJ_SHARED, OBJ_FILE, OBJ_FILE2, OBJ_DYNAMIC };
struct ref_object {
	u32 used;
	u32 nr_pages;
	struct content page[OBJ_PAGES];
};
static struct ref_object ref_objs[NR_OBJS];

/* ---- the step under way ---- */

static struct {
	u64 number;
	u32 hart;         /* on which everything happens */
	bool super_round; /* mostly in the window of superpages */
	u32 recent[8];    /* pages touched lately */
	u32 fail;         /* this allocation of the next call fails; 0: none */
	bool quiet;       /* other harts keep still: the order of what they do and what we do could not be told */
	int acting;       /* the space of this step; -1: none */
	bool access;      /* all it does is an access, in whose middle another thread of it may make one too */
	int busy;         /* a space that is going away; -1: none */
	bool verbose;     /* tell what is done */
} now;

/* Pages that a fork is compared by at once. */
static u32 fork_first, fork_pages;

static u64 nr_injected;
static u32 next_value = 1;

static inline u64 mix(u64 x)
{
	x += 0x9e3779b97f4a7c15ul;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ul;
	x = (x ^ x >> 27) * 0x94d049bb133111ebul;
	return x ^ x >> 31;
}

static inline bool one_in(u32 n)
{
	return env_rand(n) == 0;
}

static inline struct content new_content(void)
{
	u32 v = next_value++;

	return (struct content){v, ~v};
}

static inline bool content_is(struct content a, struct content b)
{
	return a.first == b.first && a.last == b.last;
}

__attribute__((format(printf, 1, 2))) static inline void say(const char *fmt, ...)
{
	va_list ap;

	if (!now.verbose)
		return;
	printf("# step %lu, hart %u: ", now.number, now.hart);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
}

/* The real code and the reference disagree. */
__attribute__((format(printf, 1, 2), __noreturn__)) static inline void differ(const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	panic("step %lu: %s", now.number, text);
}

static inline void universe_init(void)
{
	u32 index = 0, region = 0;

	for (u32 w = 0; w < NR_WINDOWS; w++) {
		windows[w].first = index;
		for (u32 i = 0; i < windows[w].nr; i++, index++) {
			page_va[index] = windows[w].base + i * PAGE_SIZE;
			page_window[index] = (u8)w;
			if (i == 0 || page_va[index] % HUGE_SIZE == 0)
				region++;
			page_region[index] = (u8)region;
		}
	}
	ASSERT(index == NR_PAGES && region + 1 < NR_REGIONS);
	fork_pages = windows[WIN_SUPER].first;
	page_va[USYSCALL_PAGE] = USER_USYSCALL;
	page_region[USYSCALL_PAGE] = (u8)(region + 1);
}

/* The index of the page at va, or -1. */
static inline int page_index(vaddr_t va)
{
	for (u32 w = 0; w < NR_WINDOWS; w++) {
		if (va >= windows[w].base && va < windows[w].base + windows[w].nr * PAGE_SIZE)
			return (int)(windows[w].first + ((va - windows[w].base) >> PAGE_SHIFT));
	}
	return va == USER_USYSCALL ? USYSCALL_PAGE : -1;
}

static inline int space_of(const struct pagetable *pt)
{
	for (u32 s = 0; s < NR_SPACES; s++) {
		if (spaces[s].as && &spaces[s].as->pt == pt)
			return (int)s;
	}
	return -1;
}

/* ---- the reference: what accesses find and do ---- */

enum below { BELOW_ZERO, BELOW_OBJECT, BELOW_TAIL };

/* What lies under a private page, or is a shared one. TAIL: an object's page that ends in zeroes. */
static inline enum below ref_below(const struct ref_page *m)
{
	if (m->obj < 0 || (m->has_end && m->file_end <= 0))
		return BELOW_ZERO;
	return m->has_end && m->file_end < (s32)PAGE_SIZE ? BELOW_TAIL : BELOW_OBJECT;
}

/* The word at `at` of a page whose bytes end at `end`: those beyond are zero. */
static inline u32 word_cut(u32 word, s32 at, s32 end)
{
	s32 keep = end - at;

	return keep >= 4 ? word : keep <= 0 ? 0 : word & ((1u << 8 * keep) - 1);
}

static inline struct content ref_value(const struct ref_page *m)
{
	enum below below = ref_below(m);
	struct content c;

	if (m->anon)
		return m->own;
	if (below == BELOW_ZERO || m->pgoff >= ref_objs[m->obj].nr_pages)
		return (struct content){0, 0};
	c = ref_objs[m->obj].page[m->pgoff];
	if (below == BELOW_TAIL)
		c = (struct content){word_cut(c.first, 0, m->file_end), word_cut(c.last, PAGE_SIZE - 4, m->file_end)};
	return c;
}

/* A private page that nobody may change from outside any more. */
static inline void ref_privatise(struct ref_page *m)
{
	if (m->shared || m->anon)
		return;
	m->own = ref_value(m);
	m->anon = true;
}

static inline void ref_store(struct ref_page *m, struct content c)
{
	ref_privatise(m);
	if (m->shared)
		ref_objs[m->obj].page[m->pgoff] = c;
	else
		m->own = c;
}

/* 0, or how an access fails: -EFAULT, -EACCES, -EIO (SIGBUS). */
static inline long ref_allowed(const struct ref_page *m, enum access access)
{
	u32 need = access == ACCESS_WRITE ? VMA_WRITE : access == ACCESS_EXEC ? VMA_EXEC : VMA_READ | VMA_WRITE;

	if (!m->mapped)
		return -EFAULT;
	if (!(m->prot & need))
		return -EACCES;
	return !m->anon && ref_below(m) != BELOW_ZERO && m->pgoff >= ref_objs[m->obj].nr_pages ? -EIO : 0;
}

/* After an access that succeeded. A page that ends in zeroes is copied at its first use. */
static inline void ref_touched(struct ref_page *m, enum access access)
{
	if (access == ACCESS_WRITE || (!m->shared && ref_below(m) == BELOW_TAIL))
		ref_privatise(m);
}

static inline bool ref_all(u32 s, u32 i, u32 n, bool mapped)
{
	for (u32 k = i; k < i + n; k++) {
		if (spaces[s].page[k].mapped != mapped)
			return false;
	}
	return true;
}

static inline void ref_clear(u32 s, u32 i, u32 n)
{
	memset(&spaces[s].page[i], 0, n * sizeof(struct ref_page));
}

/* Pages still naming a dynamic object keep it. */
static inline bool ref_obj_used(u32 obj)
{
	for (u32 s = 0; s < NR_SPACES; s++) {
		for (u32 i = 0; spaces[s].as && i < NR_PAGES; i++) {
			if (spaces[s].page[i].mapped && spaces[s].page[i].obj == (int)obj)
				return true;
		}
	}
	return false;
}

#endif
