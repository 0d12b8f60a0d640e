// host-sources: kernel/lib/bitmap.c kernel/lib/printf.c kernel/lib/string.c kernel/mm/tlb.c
/*
 * The page-table code with 2 bits a level, three levels, 32 pages, against code that knows only what the specification
 * says of a table: after every sequence of three operations out of map, map a superpage of either size, unmap, protect
 * (to read, to execute, to nothing) and split, a walk of our own finds at every page what was asked for, and
 *
 *	R, W, X and U as asked, never W without R, and W with X only where it was asked for
 *	no U in the kernel half, which is the kernel's own
 *	each table referenced once, all of them counted, and emptied ones gone when their whole range was unmapped
 *	what was taken away lies in a range that is flushed before its table is freed
 *	out of memory: map leaves everything as it was; unmap, protect and split may forget a whole leaf, nothing else
 *
 * pagetable_test.c looks through the code's own eyes (pt_query), at more of its functions.
 */
#define PT_INDEX_BITS 2
#define TABLES_KEPT   4
#include "../../kernel/arch/riscv/pagetable.c"
#include "../../kernel/arch/riscv/pagetable_range.c"
#include "../../kernel/arch/riscv/pagetable_report.c"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POOL     64
#define LIVE     32 /* no short sequence needs more tables */
#define NR_PAGES 32
#define POOL_PFN (FAKE_RAM_BASE >> PAGE_SHIFT)

/* The specification's bits. */
enum { V = 1, R = 2, W = 4, X = 8, U = 16, G = 32, A = 64, D = 128, LEAF = R | W | X };

/* ---- frames and the machine ---- */

static char pool[POOL][PAGE_SIZE] ALIGNED(4096);
static struct frame meta[POOL_PFN + POOL];
static u8 in_use[POOL];
static u32 nr_in_use, fail_nth;

char *fake_ram = pool[0];
struct frame *frame_array = meta;
__thread struct task *fake_current;

struct frame *frame_alloc(u32 order, enum frame_kind kind, u32 flags)
{
	ASSERT(order == 0 && kind == FRAME_TABLE && (flags & ALLOC_ZERO));
	if (fail_nth && --fail_nth == 0)
		return NULL;
	for (u32 i = 0; i < POOL; i++) {
		struct frame *f = &meta[POOL_PFN + i];

		if (in_use[i])
			continue;
		in_use[i] = 1;
		nr_in_use++;
		memset(pool[i], 0, 8 * PT_ENTRIES);
		memset(f, 0, sizeof(*f));
		f->kind = FRAME_TABLE;
		atomic_set(&f->refs, 1);
		return f;
	}
	panic("the pool is empty");
}

/* What was taken away since the last look, by page; a flush clears it. */
static u64 stale;
static u64 nr_flushes;

void frame_free(struct frame *f)
{
	u64 i = (u64)(f - meta) - POOL_PFN;

	ASSERT(i < POOL && in_use[i] && !stale);
	in_use[i] = 0;
	nr_in_use--;
	memset(pool[i], 0xa5, 8 * PT_ENTRIES);
}

void spin_wait(struct spinlock *lock)
{
	panic("a lock is taken twice");
}

/* What may have gone stale is known only after the operation; so the ranges are kept until then. */
static u64 flushed;

void tlb_arch_flush(struct pagetable *pt, vaddr_t start, vaddr_t end, u32 tables_freed)
{
	nr_flushes++;
	for (u64 i = 0; i < NR_PAGES; i++)
		if (tables_freed || (i * PAGE_SIZE >= start && i * PAGE_SIZE < end))
			flushed |= BIT(i);
}

void tlb_local_leaf(struct pagetable *pt, vaddr_t va, u64 size)
{
}

bool tlb_pt_in_use(const struct pagetable *pt)
{
	return false;
}

/* ---- the walk ---- */

struct view {
	u64 pa, flags; /* flags 0: not mapped */
	u32 level;
};

static u8 seen[POOL];
static u32 nr_seen;

static u64 entry_pa(u64 pte)
{
	return pte << 10 >> 20 << 12;
}

static void walk(u64 table_pa, u32 level, u64 first, struct view *out)
{
	u64 n = (table_pa - FAKE_RAM_BASE) >> 12, span = 1ul << 2 * level;
	const u64 *table = (const u64 *)(const void *)pool[n];

	ASSERT(n < POOL && in_use[n] && !seen[n]);
	seen[n] = 1;
	nr_seen++;
	for (u64 i = 0; i < 4 && first + i * span < NR_PAGES; i++) {
		u64 pte = table[i], at = first + i * span;

		if (!(pte & V)) {
			ASSERT(pte == 0);
			continue;
		}
		if (!(pte & LEAF)) {
			ASSERT(level > 0 && (pte & 0x3ff) == V && pte >> 54 == 0);
			walk(entry_pa(pte), level - 1, at, out);
			continue;
		}
		ASSERT((pte & U) && !(pte & G) && (!(pte & W) || (pte & R)) && pte >> 54 == 0);
		ASSERT(entry_pa(pte) % (span << 12) == 0);
		for (u64 k = 0; k < span; k++)
			out[at + k] = (struct view){entry_pa(pte) + (k << 12), pte & (LEAF | A | D), level};
	}
}

/* ---- operations ---- */

enum kind { MAP, UNMAP, PROTECT, SPLIT };
struct op {
	enum kind kind;
	u32 start, end, level, prot; /* pages; prot: of map, or what protect keeps */
};

static struct op ops[600];
static u32 nr_ops;

struct state {
	struct pagetable pt;
	struct view page[NR_PAGES];
};

static void ops_make(void)
{
	static const u32 bounds[] = {0, 1, 4, 6, 15, 16, 17, 20, 32};
	static const u32 prots[] = {PT_READ | PT_WRITE, PT_READ | PT_EXEC, PT_RWX};
	static const u32 keeps[] = {PT_READ, PT_EXEC, PT_READ | PT_EXEC};

	for (u32 level = 0; level < 3; level++)
		for (u32 i = 0; i < NR_PAGES; i += 1u << 2 * level)
			ops[nr_ops++] = (struct op){MAP, i, i + (1u << 2 * level), level, prots[(i + level) % 3]};
	for (u32 a = 0; a < ARRAY_SIZE(bounds); a++)
		for (u32 b = a + 1; b < ARRAY_SIZE(bounds); b++) {
			ops[nr_ops++] = (struct op){UNMAP, bounds[a], bounds[b], 0, 0};
			ops[nr_ops++] = (struct op){PROTECT, bounds[a], bounds[b], 0, keeps[(a + b) % 3]};
			if (bounds[b] - bounds[a] < 16)
				ops[nr_ops++] = (struct op){SPLIT, bounds[a], bounds[b], 0, 0};
		}
}

static bool overlaps(const struct op *op, u64 start, u64 span)
{
	return op->start < start + span && start < op->end;
}

/* Leaves that the range cuts become smaller ones, where they are concerned at all. */
static void expect_split(struct state *s, const struct op *op, u64 takes)
{
	for (u32 i = 0; i < NR_PAGES; i++) {
		struct view *p = &s->page[i];

		while (p->flags && p->level) {
			u64 span = 1ul << 2 * p->level, start = i & ~(span - 1);
			bool inside = start >= op->start && start + span <= op->end;

			if (!overlaps(op, start, span) || inside || !(op->kind == UNMAP || (p->flags & takes)))
				break;
			p->level--;
		}
	}
}

static int expect_map(struct state *s, const struct op *op, u64 pa)
{
	for (u32 i = op->start; i < op->end; i++)
		if (s->page[i].flags && s->page[i].level != op->level)
			return -EEXIST;
	for (u32 i = op->start; i < op->end; i++)
		s->page[i] = (struct view){pa + (i - op->start) * PAGE_SIZE, (u64)op->prot << 1 | A, op->level};
	return 0;
}

static void expect(struct state *s, const struct op *op)
{
	u64 takes = op->kind == PROTECT ? (u64)(PT_RWX & ~op->prot) << 1 : A;

	if (op->kind == PROTECT && (takes & R))
		takes |= W;
	expect_split(s, op, takes);
	for (u32 i = op->start; i < op->end; i++) {
		struct view *p = &s->page[i];

		if (op->kind != UNMAP)
			p->flags &= ~takes;
		if (op->kind == UNMAP || !(p->flags & LEAF))
			*p = (struct view){0};
	}
}

static void page_accessed(void *arg, u64 page, u32 prot)
{
	ASSERT(prot & PT_ACCESSED);
}

/* Runs it; the pages whose translations it changed must have been flushed. fail: an allocation failed in it. */
static int op_run(struct state *s, const struct op *op, u64 pa, struct tlb *tlb)
{
	vaddr_t start = op->start * PAGE_SIZE, end = op->end * PAGE_SIZE;
	int err = 0;

	tlb_start(tlb, &s->pt);
	pt_lock(&s->pt);
	switch (op->kind) {
	case MAP: err = pt_map(&s->pt, start, pa, op->level * PT_INDEX_BITS, op->prot | PT_USER | PT_ACCESSED); break;
	case UNMAP: pt_unmap(&s->pt, start, end, tlb); break;
	case PROTECT: pt_protect(&s->pt, start, end, op->prot, tlb); break;
	/* Taking the A bits of a part is what splits a leaf and changes nothing else. */
	case SPLIT: pt_harvest(&s->pt, start, end, tlb, page_accessed, NULL); break;
	}
	pt_unlock(&s->pt);
	return err;
}

static bool view_is(const struct view *a, const struct view *b)
{
	return a->flags == b->flags && (!a->flags || (a->pa == b->pa && a->level == b->level));
}

enum memory { ENOUGH, SHORT };

/* After an operation; `before`: what there was. SHORT: a leaf that had to be split may be gone. */
static void compare(struct state *s, const struct op *op, const struct view *before, enum memory memory)
{
	static struct view is[NR_PAGES];

	memset(is, 0, sizeof(is));
	memset(seen, 0, sizeof(seen));
	nr_seen = 0;
	walk(s->pt.root, 2, 0, is);
	ASSERT(nr_seen == s->pt.nr_tables);
	for (u32 i = 0; i < NR_PAGES; i++) {
		if (view_is(&is[i], &s->page[i]))
			continue;
		ASSERT(memory == SHORT && before[i].level > 0 && op->kind != MAP);
		/* Forgotten whole, or not split for want of memory, which loses no more than what was asked for. */
		ASSERT(!is[i].flags || (op->kind == SPLIT && is[i].pa == s->page[i].pa));
		s->page[i] = is[i];
	}
	stale = 0;
	for (u32 i = 0; i < NR_PAGES; i++)
		if (before[i].flags && (before[i].pa != is[i].pa || (before[i].flags & ~is[i].flags)))
			stale |= BIT(i);
}

/* Tables that the unmapped range covered are gone; of others, only a few empty ones stay. */
static void check_emptied(const struct state *s, const struct op *op)
{
	const u64 *root = phys_to_kva(s->pt.root);

	for (u32 i = 0; op->kind == UNMAP && i < 2; i++)
		ASSERT(!(op->start <= i * 16 && op->end >= i * 16 + 16) || root[i] == 0);
}

static void check_kernel_half(const struct state *s)
{
	const u64 *root = phys_to_kva(s->pt.root);

	ASSERT(root[2] == (0x12345ul << 10 | V) && root[3] == 0);
}

static void step(struct state *s, const struct op *op, u64 pa, enum memory memory)
{
	struct view before[NR_PAGES];
	struct tlb tlb;
	int err, want = 0;

	memcpy(before, s->page, sizeof(before));
	flushed = 0;
	err = op_run(s, op, pa, &tlb);
	if (op->kind != MAP)
		expect(s, op);
	else if (!(memory == SHORT && err == -ENOMEM))
		want = expect_map(s, op, pa);
	ASSERT(err == want || (memory == SHORT && err == -ENOMEM));
	compare(s, op, before, memory);
	/* frame_free asserts that nothing is stale any more. */
	if (tlb.start < tlb.end || tlb.tables_freed) {
		for (u32 i = 0; i < NR_PAGES; i++)
			if (tlb.tables_freed || (i * PAGE_SIZE >= tlb.start && i * PAGE_SIZE < tlb.end))
				stale &= ~BIT(i);
	}
	/* A frame replaced by pt_map is the caller's to unmap first. */
	if (stale && op->kind != MAP)
		panic("operation %u on [%u, %u), level %u: pages %lx are not flushed", op->kind, op->start, op->end,
			op->level, stale);
	stale = 0;
	tlb_finish(&tlb);
	check_emptied(s, op);
	check_kernel_half(s);
	pt_check(&s->pt);
}

/* ---- sequences, with shared beginnings ---- */

struct snapshot {
	u64 entries[LIVE][PT_ENTRIES];
	struct frame meta[LIVE];
	u8 in_use[LIVE];
	u32 nr_in_use;
};

static struct snapshot snaps[3];
static u64 nr_sequences, nr_short;

static void snapshot_take(struct snapshot *snap)
{
	for (u32 i = 0; i < LIVE; i++)
		memcpy(snap->entries[i], pool[i], sizeof(snap->entries[i]));
	memcpy(snap->meta, meta + POOL_PFN, sizeof(snap->meta));
	memcpy(snap->in_use, in_use, sizeof(snap->in_use));
	snap->nr_in_use = nr_in_use;
}

static void snapshot_restore(const struct snapshot *snap)
{
	for (u32 i = 0; i < LIVE; i++)
		memcpy(pool[i], snap->entries[i], sizeof(snap->entries[i]));
	memcpy(meta + POOL_PFN, snap->meta, sizeof(snap->meta));
	memcpy(in_use, snap->in_use, sizeof(snap->in_use));
	nr_in_use = snap->nr_in_use;
}

static u64 pa_of(const struct op *op, u32 depth)
{
	return (op->level + 1ul) * 0x10000000ul + depth * 0x1000000ul;
}

static void sequences(struct state *s, u32 depth)
{
	struct state saved = *s;

	snapshot_take(&snaps[depth]);
	for (u32 i = 0; i < nr_ops; i++) {
		step(s, &ops[i], pa_of(&ops[i], depth), ENOUGH);
		if (depth == 2)
			nr_sequences++;
		else
			sequences(s, depth + 1);
		if (depth == 2 && nr_sequences % 64 == 0) {
			pt_destroy(&s->pt);
			ASSERT(nr_in_use == 0);
		}
		*s = saved;
		snapshot_restore(&snaps[depth]);
	}
}

/* Every sequence of two, the second with its first, second, … allocation failing. */
static void sequences_short(struct state *s)
{
	for (u32 i = 0; i < nr_ops; i++) {
		struct state saved = *s, first;

		snapshot_take(&snaps[0]);
		step(s, &ops[i], pa_of(&ops[i], 0), ENOUGH);
		first = *s;
		snapshot_take(&snaps[1]);
		for (u32 k = 0; k < nr_ops; k++) {
			for (u32 nth = 1, fired = 1; fired; nth++) {
				fail_nth = nth;
				step(s, &ops[k], pa_of(&ops[k], 1), SHORT);
				fired = fail_nth == 0;
				fail_nth = 0;
				nr_short += fired;
				*s = first;
				snapshot_restore(&snaps[1]);
			}
		}
		*s = saved;
		snapshot_restore(&snaps[0]);
	}
}

int main(void)
{
	static struct state s; /* frames name its table as their owner: one object all along */
	static u64 kernel_root[PT_ENTRIES] ALIGNED(4096);

	user_end = NR_PAGES * PAGE_SIZE;
	pt_levels = 3;
	kernel_root[2] = 0x12345ul << 10 | V;
	kernel_pagetable.root = kva_to_phys(kernel_root);
	pt_kernel_slots[0] = 2;
	pt_nr_kernel_slots = 1;
	ops_make();
	ASSERT(pt_create(&s.pt) == 0);
	sequences_short(&s);
	sequences(&s, 0);
	pt_destroy(&s.pt);
	ASSERT(nr_in_use == 0);
	printf("# %lu sequences of 3 out of %u operations, %lu with an allocation failing, %lu flushes\n", nr_sequences,
		nr_ops, nr_short, nr_flushes);
	return 0;
}
