// host-sources: kernel/mm/fault.c kernel/mm/fault_around.c kernel/mm/superpage.c kernel/mm/aspace.c kernel/mm/commit.c kernel/mm/aspace_map.c kernel/mm/aspace_brk.c kernel/mm/aspace_remap.c kernel/mm/aspace_advise.c kernel/mm/memobj.c kernel/mm/vma.c kernel/mm/tlb.c kernel/mm/anon.c kernel/mm/frame.c kernel/mm/frame_boot.c kernel/mm/frame_wait.c kernel/mm/reclaim.c kernel/mm/slab.c kernel/mm/swap.c kernel/mm/swap_cache.c kernel/mm/swap_out.c kernel/mm/anon_reclaim.c kernel/mm/fault_swap.c kernel/mm/aspace_swap.c
// host-sources: kernel/arch/riscv/pagetable.c kernel/arch/riscv/pagetable_range.c kernel/arch/riscv/pagetable_report.c kernel/lib/string.c kernel/lib/index.c kernel/lib/bitmap.c kernel/lib/tree.c kernel/lib/printf.c kernel/sync/spinlock.c kernel/sync/mutex.c kernel/sync/rwlock.c kernel/sync/waitq.c
// host-flags: -DTABLES_KEPT=4 -DHAVE_PAGETABLE -iquote tests/host/model/hooks -Wl,--wrap=frame_free
/*
 * The small space, whole: every layout of up to four mappings in eight pages, of telling kinds, with and without a
 * relative by fork; every operation on every range of it; and each of these again with its first, second, …
 * allocation failing. After each: every page against the reference (docs/testing.md), then every page is used.
 *
 *	model_small [PART [PARTS]]	one of so many equal parts of the layouts
 *
 * By default one in 256; TEST_FULL=1: one in 8. 0 1 is all of it.
 */
#include <signal.h>

#include "model/mapping.h"
#include "model/race.h"

#define RAM_MIB   32
#define PAGES     8
#define MAX_VMA   4
/* The eight pages lie on both sides of a 2 MiB edge, so in two tables. */
#define FIRST     (windows[WIN_SMALL].first + 12)
/* Where mremap may go to: another eight, likewise. */
#define ELSEWHERE (windows[WIN_GIGA].first + 12)

enum kind {
	KIND_WRITTEN,  /* private memory, every page written */
	KIND_TOUCHED,  /* private memory; odd pages written, even ones read */
	KIND_READONLY, /* the same, then read-only: a neighbour of another protection */
	KIND_SHARED,   /* shared memory */
	KIND_FILE,     /* a file, private; odd pages written */
	KIND_TAIL,     /* a file, private, that ends in the last page */
	NR_KINDS
};

struct layout {
	u32 nr;
	struct {
		u32 start, end; /* pages */
		enum kind kind;
	} vma[MAX_VMA];
	bool relative;
};

enum operation {
	OP_UNMAP,
	OP_PROTECT_NONE,
	OP_PROTECT_READ,
	OP_PROTECT_WRITE,
	OP_DONTNEED,
	OP_MAP_ANON,
	OP_MAP_FILE,
	OP_MAP_SHARED,
	OP_SHRINK,
	OP_GROW,
	OP_MOVE,
	OP_MOVE_GROW,
	OP_MOVE_INSIDE,
	OP_DONTUNMAP,
	OP_FORK_WRITE,
	OP_HUGE,
	OP_DONTFORK,
	NR_OPERATIONS
};

static u64 nr_layouts, nr_runs, nr_failing;
static u64 leaks;

static void build(const struct layout *l)
{
	space_create(0);
	for (u32 k = 0; k < l->nr; k++) {
		u32 first = FIRST + l->vma[k].start, n = l->vma[k].end - l->vma[k].start;
		enum kind kind = l->vma[k].kind;
		int obj = kind == KIND_SHARED ? OBJ_SHARED : kind >= KIND_FILE ? OBJ_FILE : -1;
		struct map_request rq = {.addr = page_va[first],
			.len = n * PAGE_SIZE,
			.prot = 3,
			.max_prot = PT_RWX,
			.flags = kind == KIND_SHARED ? VMA_SHARED : 0,
			.place = MAP_AT,
			.obj = obj >= 0 ? objs[obj] : NULL,
			.pgoff = obj >= 0 ? 3 + l->vma[k].start : 0,
			.file = (struct file *)(void *)obj_file(obj),
			.file_bytes = kind == KIND_TAIL ? n * PAGE_SIZE - 3000 : 0};

		do_map(0, first, &rq, obj, kind == KIND_SHARED);
		for (u32 i = 0; i < n; i++) {
			bool write = kind == KIND_WRITTEN || kind == KIND_SHARED || (i & 1);

			touch(0, first + i, write ? ACCESS_WRITE : ACCESS_READ);
		}
		if (kind == KIND_READONLY)
			do_protect(0, (struct range){first, n}, VMA_READ);
	}
	if (l->relative)
		do_fork(0);
}

static bool map_over(struct range r, int obj, u32 flags)
{
	struct map_request rq = {.addr = range_va(r),
		.len = range_len(r),
		.prot = 3,
		.max_prot = PT_RWX,
		.flags = flags,
		.place = MAP_AT,
		.obj = obj >= 0 ? objs[obj] : NULL,
		.pgoff = obj >= 0 ? r.first - FIRST + 3 : 0,
		.file = (struct file *)(void *)obj_file(obj)};

	return do_map(0, r.first, &rq, obj, flags & VMA_SHARED);
}

static void fork_and_write(struct range r)
{
	int c = do_fork(0);

	for (u32 i = r.first; c > 0 && i < r.first + r.n; i++) {
		touch((u32)c, i, ACCESS_WRITE);
		touch(0, i, ACCESS_READ);
	}
}

static void operate(enum operation op, struct range r)
{
	struct range away = {ELSEWHERE, r.n};

	switch (op) {
	case OP_UNMAP: do_unmap(0, r); break;
	case OP_PROTECT_NONE: do_protect(0, r, 0); break;
	case OP_PROTECT_READ: do_protect(0, r, VMA_READ); break;
	case OP_PROTECT_WRITE: do_protect(0, r, VMA_READ | VMA_WRITE); break;
	case OP_DONTNEED: do_dontneed(0, r, false); break;
	case OP_MAP_ANON: map_over(r, -1, 0); break;
	case OP_MAP_FILE: map_over(r, OBJ_FILE, 0); break;
	case OP_MAP_SHARED: map_over(r, OBJ_SHARED, VMA_SHARED); break;
	case OP_SHRINK: do_remap(0, r, 1, 0); break;
	case OP_GROW: do_remap(0, r, r.n + 2, 0); break;
	case OP_MOVE: do_remap_fixed(0, r, away, 0); break;
	case OP_MOVE_GROW:
		away.n += 2;
		do_remap_fixed(0, r, away, 0);
		break;
	case OP_MOVE_INSIDE: do_remap_fixed(0, r, (struct range){FIRST + (r.first - FIRST + 4) % PAGES, 2}, 0); break;
	case OP_DONTUNMAP: do_remap_fixed(0, r, away, REMAP_DONTUNMAP); break;
	case OP_FORK_WRITE: fork_and_write(r); break;
	case OP_HUGE: do_advise(0, r, 14); break;
	case OP_DONTFORK: do_advise(0, r, 10); break;
	case NR_OPERATIONS: break;
	}
}

/* Everything is used once: what the operation left in disorder shows. */
static void use_all(u32 s)
{
	for (u32 i = 0; spaces[s].as && i < PAGES; i++) {
		touch(s, FIRST + i, i & 1 ? ACCESS_WRITE : ACCESS_READ);
		touch(s, ELSEWHERE + i, i & 1 ? ACCESS_READ : ACCESS_WRITE);
	}
}

static void compare_both(void)
{
	for (u32 s = 0; s < NR_SPACES; s++) {
		compare_range(s, FIRST - 1, PAGES + 2);
		compare_range(s, ELSEWHERE - 1, PAGES + 4);
		if (spaces[s].as)
			check_space(s);
	}
}

/* One layout, one operation on one range, its allocation number `fail` failing (0: none). True: that came to pass. */
static bool run(const struct layout *l, enum operation op, struct range r, u32 fail)
{
	bool fired;

	now.number = ++nr_runs;
	build(l);
	now.fail = fail;
	fail_fired = false;
	operate(op, r);
	fired = fail_fired;
	now.fail = 0;
	compare_both();
	for (u32 s = 0; s < NR_SPACES; s++)
		use_all(s);
	if (nr_runs % 64 == 0)
		compare_both();
	if (nr_runs % 4096 == 0)
		compare_frames();
	for (u32 s = 0; s < NR_SPACES; s++) {
		if (spaces[s].as)
			space_exit(s);
	}
	if (nr_runs % 64 == 0) {
		for (u32 i = 0; i < FILE_PAGES; i++)
			file_evict(&files[0], i);
		if (env_leaks() != leaks)
			differ("%lu objects or frames are left over", env_leaks() - leaks);
	}
	return fired;
}

#include "model/failing.h"

static void tell(const struct layout *l, enum operation op, struct range r, u32 fail)
{
	printf("# layout:");
	for (u32 k = 0; k < l->nr; k++)
		printf(" [%u, %u) kind %u", l->vma[k].start, l->vma[k].end, l->vma[k].kind);
	printf("%s; operation %u on [%u, %u); allocation %u fails\n", l->relative ? ", forked" : "", op,
		r.first - FIRST, r.first - FIRST + r.n, fail);
	fflush(stdout);
}

static struct {
	const struct layout *l;
	enum operation op;
	struct range r;
	u32 fail;
} at;

static void on_abort(int sig)
{
	tell(at.l, at.op, at.r, at.fail);
}

static void layout_try(const struct layout *l)
{
	nr_layouts++;
	at.l = l;
	for (u32 op = 0; op < NR_OPERATIONS; op++) {
		for (u32 a = 0; a < PAGES; a++) {
			for (u32 b = a + 1; b <= PAGES; b++) {
				at.op = (enum operation)op;
				at.r = (struct range){FIRST + a, b - a};
				for (at.fail = 0; run(l, at.op, at.r, at.fail) || !at.fail; at.fail++)
					nr_failing += at.fail != 0;
			}
		}
	}
}

/* ---- all layouts ---- */

static u64 part, parts, layout_number;

static void layout_kinds(struct layout *l, u32 k)
{
	if (k == l->nr) {
		for (u32 relative = 0; relative < 2; relative++) {
			l->relative = relative;
			/* Neighbours are spread over all parts. */
			if (mix(layout_number++) % parts == part)
				layout_try(l);
		}
		return;
	}
	/* All kinds of up to two mappings; of more, those that a row of kinds in turn begins with. */
	for (u32 kind = 0; kind < NR_KINDS; kind++) {
		u32 step = l->nr <= 2 ? 0 : kind;

		for (u32 i = k; i < (step || l->nr > 2 ? l->nr : k + 1); i++)
			l->vma[i].kind = (enum kind)((kind + (l->nr > 2 ? i * (1 + layout_number % 3) : 0)) % NR_KINDS);
		layout_kinds(l, l->nr > 2 ? l->nr : k + 1);
	}
}

static void layouts(struct layout *l, u32 k, u32 from)
{
	if (k == l->nr) {
		layout_kinds(l, 0);
		return;
	}
	for (u32 a = from; a < PAGES; a++) {
		for (u32 b = a + 1; b <= PAGES; b++) {
			l->vma[k].start = a;
			l->vma[k].end = b;
			layouts(l, k + 1, b);
		}
	}
}

int main(int argc, char **argv)
{
	const char *full = getenv("TEST_FULL");

	parts = argc > 2 ? strtoul(argv[2], NULL, 0) : full && strcmp(full, "1") == 0 ? 8 : 256;
	part = argc > 1 ? strtoul(argv[1], NULL, 0) : 0;
	user_end = 1ul << 38;
	env_start(RAM_MIB);
	mmu_init(RAM_MIB);
	compare_init();
	universe_init();
	fork_first = FIRST;
	fork_pages = PAGES;
	amap_init();
	aspace_init();
	fault_init();
	superpage_init();
	memset(&now, 0, sizeof(now));
	now.acting = now.busy = -1;
	now.quiet = true; /* what others do in between is for the random model */
	objects_init();
	for (u32 i = 0; i < ref_objs[OBJ_SHARED].nr_pages; i++)
		ASSERT(objs[OBJ_SHARED]->ops->load(objs[OBJ_SHARED], i) == 0); /* they stay */
	leaks = env_leaks();
	failing_all();
	signal(SIGABRT, on_abort);
	for (u32 nr = 0; nr <= MAX_VMA; nr++) {
		struct layout l = {.nr = nr};

		layouts(&l, 0, 0);
	}
	compare_frames();
	objects_end();
	frame_check();
	printf("# part %lu of %lu: %lu layouts of %lu, %lu runs, %lu of them with a failing allocation\n", part, parts,
		nr_layouts, layout_number, nr_runs, nr_failing);
	return 0;
}
