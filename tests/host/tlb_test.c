// host-sources: kernel/lib/bitmap.c kernel/lib/printf.c kernel/lib/string.c
// host-flags: -fno-sanitize=address -iquotetests/host/fake/tlb -DPT_INDEX_BITS=2 -DTABLES_KEPT=4
/*
 * TLB discipline: the real pagetable.c, tlb.c, asid.c and mm/tlb.c on the machine of fake/tlb/harts.h, where every hart has cached
 * whatever it could have, and stores arrive late. A few address spaces are switched to, mapped, unmapped, protected, harvested,
 * destroyed and made anew by all harts at once. It is wrong when
 *
 *  - a hart that runs an address space, or has just switched to it, has cached more than its table says: another frame, a
 *    permission, or an A or D bit that is not set there. Only pages that some operation has not finished with are excused;
 *  - a frame is given back while any hart can reach it through what it runs, as memory or as a table (a walker that reads a table
 *    that was given back);
 *  - an access faults for ever on what a hart has cached.
 *
 * Random runs, then every interleaving of short programs with up to a few changes from hart to hart. docs/testing.md says
 * which removed flush is seen by what.
 */
#include "fake/tlb/harts.h"

#include "mm/pagetable.h"
#include "mm/tlb.h"

/* A roll-over needs few address spaces: asid.c wants more than two numbers a hart. */
#undef MAX_HARTS
#define MAX_HARTS NR_HARTS_MAX

#include "../../kernel/arch/riscv/asid.c"
#include "../../kernel/arch/riscv/pagetable.c"
#include "../../kernel/arch/riscv/pagetable_range.c"
#include "../../kernel/arch/riscv/pagetable_report.c"
#include "../../kernel/arch/riscv/tlb.c"
#include "../../kernel/mm/tlb.c"

bool isolating;

u64 cmdline_number(const char *key, u64 absent)
{
	return absent;
}

void isolate_switch(const struct hart *h, u64 kernel_satp, u64 user_satp)
{
	cpus[h->index].next_user_satp = user_satp;
}

#define NR_SPACES 5
#define RW        (PT_READ | PT_WRITE | PT_USER)

struct space {
	struct pagetable pt;
	bool live;
	u32 users; /* harts that run on it or work on it */
	struct frame *owner[NR_PAGES];
	bool writable[NR_PAGES];
	u32 unsettled[NR_PAGES]; /* operations that have not finished with the page */
};

static struct space spaces[NR_SPACES];
static struct space *runs_on[NR_HARTS_MAX]; /* NULL: the kernel's table */
static u32 fail_atomic;                     /* one in so many allocations that may not sleep fails; 0: none */
static u64 nr_checks, nr_runs, nr_rolled;

/* ---- frames ---- */

static struct frame *pool_alloc(u32 first, u32 nr, u32 align)
{
	for (u32 i = first; i + align <= first + nr; i += align) {
		u32 k = 0;

		while (k < align && !in_use[i + k])
			k++;
		if (k < align)
			continue;
		for (k = 0; k < align; k++) {
			in_use[i + k] = 1;
			meta[POOL_PFN + i + k] = (struct frame){.kind = FRAME_ANON};
			atomic_set(&meta[POOL_PFN + i + k].refs, 1);
		}
		return &meta[POOL_PFN + i];
	}
	return NULL;
}

struct frame *frame_alloc(u32 order, enum frame_kind kind, u32 flags)
{
	struct frame *f =
		(flags & ALLOC_ATOMIC) && fail_atomic && rand_below(fail_atomic) == 0 ? NULL : pool_alloc(0, POOL, 1);

	ASSERT(order == 0 && kind == FRAME_TABLE && (flags & ALLOC_ZERO));
	if (f) {
		f->kind = FRAME_TABLE;
		memset(frame_kva(f), 0, PT_ENTRIES * sizeof(u64));
	}
	return f;
}

/* No hart may reach f through the address space that it runs. */
static void check_unreachable(const struct frame *f)
{
	u64 pa = frame_pa(f);

	for (u32 i = 0; i < 2 * nr_harts; i++) {
		u32 h = i / 2;
		struct cpu *c = &cpus[h];
		u64 satp = i % 2 ? c->user_satp : c->satp;
		u32 asid = satp >> 44 & 0xffff;

		/* Without ASIDs a switch flushes after satp changed: until then the kernel runs, which reads no user memory. */
		if (!satp || (c->activating && !number_max))
			continue;
		walk_everything(h);
		for (u32 p = 0; p < NR_PAGES; p++) {
			for (u32 k = 0; k < c->leaf[asid][p].nr; k++) {
				u64 value = c->leaf[asid][p].value[k];
				u64 at = table_pa(value & (BIT(54) - 1)) +
					(p & ((1u << 2 * (value >> 54)) - 1)) * PAGE_SIZE;

				if (at == pa)
					fail("hart %u can reach a frame that is given back, at page %u", h, p);
			}
		}
	}
}

void frame_free(struct frame *f)
{
	u64 i = (u64)(f - meta) - POOL_PFN;

	ASSERT(i < POOL + NR_DATA && in_use[i] && atomic_read(&f->refs) == 0);
	check_unreachable(f);
	for (u32 h = 0; h < nr_harts; h++)
		cpus[h].stale = true; /* a pointer to this table that is left will be found */
	in_use[i] = 0;
	for (u32 h = 0; h < nr_harts; h++)
		walk_everything(h);
	if (f->kind == FRAME_TABLE)
		memset(frame_kva(f), 0xa5, PT_ENTRIES * sizeof(u64));
}

void spin_wait(struct spinlock *lock)
{
	panic("a lock of the test's own is taken twice");
}

/* ---- checks ---- */

static bool satp_runs(const struct pagetable *pt, u64 root)
{
	return pt->root == root || pt->user_root == root;
}

static struct space *space_of_satp(u64 satp)
{
	for (u32 i = 0; i < NR_SPACES; i++)
		if (spaces[i].live && satp_runs(&spaces[i].pt, (satp & (BIT(44) - 1)) << 12))
			return &spaces[i];
	return NULL;
}

/* What the table says of a page now: the PTE with its level, 0: nothing. */
static u64 table_says(const struct space *s, u32 page)
{
	const u64 *table = phys_to_kva(s->pt.root);

	for (u32 level = 2;; level--) {
		u64 pte = table[page >> 2 * level & 3];

		if (!(pte & 1))
			return 0;
		if (pte & 0xe)
			return pte | (u64)level << 54;
		table = phys_to_kva(table_pa(pte));
	}
}

static u64 page_pa(u64 value, u32 page)
{
	return table_pa(value & (BIT(54) - 1)) + (page & ((1u << 2 * (value >> 54)) - 1)) * PAGE_SIZE;
}

static void check_satp(u32 h, u64 satp)
{
	struct cpu *c = &cpus[h];
	struct space *s = space_of_satp(satp);
	u32 asid = satp >> 44 & 0xffff;

	for (u32 p = 0; s && p < NR_PAGES; p++) {
		u64 now = table_says(s, p);

		for (u32 i = 0; i < c->leaf[asid][p].nr && !s->unsettled[p]; i++) {
			u64 old = c->leaf[asid][p].value[i];

			nr_checks++;
			if (!now || page_pa(now, p) != page_pa(old, p) || (old & 0xff & ~now))
				fail("hart %u has cached %lx for page %u, the table says %lx", h, old, p, now);
		}
	}
}

static void check_hart(u32 h)
{
	if (cpus[h].activating)
		return;
	walk_everything(h);
	check_satp(h, cpus[h].satp);
	if (cpus[h].user_satp)
		check_satp(h, cpus[h].user_satp);
}

static void check_harts(void)
{
	for (u32 h = 0; h < nr_harts; h++)
		check_hart(h);
}

/* ---- operations ---- */

static void settle_begin(struct space *s, u32 first, u32 nr)
{
	u32 end = (first + nr + 15) & ~15u;

	s->users++;
	for (u32 p = first & ~15u; p < end; p++)
		s->unsettled[p]++;
}

static void settle_end(struct space *s, u32 first, u32 nr)
{
	u32 end = (first + nr + 15) & ~15u;

	for (u32 p = first & ~15u; p < end; p++)
		s->unsettled[p]--;
	check_harts();
	s->users--;
}

/* Giving up an address space is a reference dropped, which orders what came before it. */
static void space_left(struct space *s)
{
	hart_fence();
	if (s)
		s->users--;
}

static void op_switch(struct space *s)
{
	u32 h = running;
	struct space *old = runs_on[h];

	if (s)
		s->users++;
	runs_on[h] = s;
	switch_begin(h);
	pt_activate(s ? &s->pt : NULL);
	switch_end(h);
	check_hart(h);
	space_left(old);
}

static void op_map(struct space *s, u32 page, u32 level, u32 prot)
{
	u32 nr = 1u << 2 * level;
	struct frame *f = NULL;
	bool taken = false;

	page &= ~(nr - 1);
	if ((page + nr) * PAGE_SIZE > user_end)
		return;
	s->users++;
	pt_lock(&s->pt);
	for (u32 p = page; p < page + nr; p++)
		taken |= s->owner[p] != NULL;
	if (!taken)
		f = pool_alloc(POOL, NR_DATA, nr);
	if (f && pt_map(&s->pt, page * PAGE_SIZE, frame_pa(f), level * PT_INDEX_BITS, prot) != 0) {
		for (u32 i = 0; i < nr; i++)
			in_use[f + i - &meta[POOL_PFN]] = 0;
		f = NULL;
	}
	for (u32 i = 0; f && i < nr; i++) {
		s->owner[page + i] = f + i;
		s->writable[page + i] = prot & PT_WRITE;
	}
	pt_unlock(&s->pt);
	s->users--;
}

static void op_unmap(struct space *s, u32 first, u32 nr)
{
	struct frame *gone[NR_PAGES];
	u32 nr_gone = 0;
	struct tlb tlb;

	settle_begin(s, first, nr);
	tlb_start(&tlb, &s->pt);
	pt_lock(&s->pt);
	for (u32 p = first; p < first + nr; p++) {
		if (s->owner[p])
			gone[nr_gone++] = s->owner[p];
		s->owner[p] = NULL;
	}
	pt_unmap(&s->pt, first * PAGE_SIZE, (first + nr) * PAGE_SIZE, &tlb);
	pt_unlock(&s->pt);
	while (nr_gone)
		tlb_add_frame(&tlb, gone[--nr_gone]);
	tlb_finish(&tlb);
	settle_end(s, first, nr);
}

/* The frames stay where they are: as reclaim or truncation looks for translations that may be gone already. */
static void op_drop(struct space *s, u32 first, u32 nr)
{
	struct tlb tlb;

	settle_begin(s, first, nr);
	tlb_start(&tlb, &s->pt);
	pt_lock(&s->pt);
	pt_unmap(&s->pt, first * PAGE_SIZE, (first + nr) * PAGE_SIZE, &tlb);
	pt_unlock(&s->pt);
	tlb_finish(&tlb);
	settle_end(s, first, nr);
}

static void op_protect(struct space *s, u32 first, u32 nr)
{
	struct tlb tlb;

	settle_begin(s, first, nr);
	tlb_start(&tlb, &s->pt);
	pt_lock(&s->pt);
	for (u32 p = first; p < first + nr; p++)
		s->writable[p] = false;
	pt_protect(&s->pt, first * PAGE_SIZE, (first + nr) * PAGE_SIZE, PT_READ, &tlb);
	pt_unlock(&s->pt);
	tlb_finish(&tlb);
	settle_end(s, first, nr);
}

static void page_seen(void *arg, u64 page, u32 prot)
{
}

static void op_harvest(struct space *s, u32 first, u32 nr)
{
	struct tlb tlb;

	settle_begin(s, first, nr);
	tlb_start(&tlb, &s->pt);
	pt_lock(&s->pt);
	pt_harvest(&s->pt, first * PAGE_SIZE, (first + nr) * PAGE_SIZE, &tlb, page_seen, NULL);
	pt_unlock(&s->pt);
	tlb_finish(&tlb);
	settle_end(s, first, nr);
}

/* The hardware's side of a write: from what is cached, the worst first. */
static bool hart_writes(struct space *s, u32 page)
{
	struct cpu *c = &cpus[running];
	u32 asid = c->satp >> 44 & 0xffff;
	u64 *slot;
	u32 level = 0;

	walk_everything(running);
	if (c->nothing[asid][page])
		return false;
	for (u32 i = 0; i < c->leaf[asid][page].nr; i++)
		if (!(c->leaf[asid][page].value[i] & PTE_W))
			return false;
	slot = slot_find(&s->pt, page * PAGE_SIZE, &level);
	if (slot && (*slot & (PTE_V | PTE_W)) == (PTE_V | PTE_W)) {
		table_changes(slot);
		*slot |= PTE_A | PTE_D;
	}
	return true;
}

/* A write by the program on this hart, with the fault handler's answer when it needs one. */
static void op_write(u32 page)
{
	struct space *s = runs_on[running];

	for (u32 tries = 0; s && !hart_writes(s, page); tries++) {
		struct frame *f;
		u32 level = 0;
		const u64 *slot;
		int err = 0;

		pt_lock(&s->pt);
		f = s->owner[page];
		slot = slot_find(&s->pt, page * PAGE_SIZE, &level);
		if (f && level == 0) {
			s->writable[page] = true;
			err = pt_map(&s->pt, page * PAGE_SIZE, frame_pa(f), 0, RW | PT_ACCESSED | PT_DIRTY);
		}
		pt_unlock(&s->pt);
		(void)slot;
		if (!f || err || level || s->unsettled[page])
			break; /* a fault that ends otherwise, or another one's business with this page */
		if (tries == 8)
			fail("hart %u faults for ever at page %u", running, page);
	}
}

static void op_kernel_unmap(u32 i)
{
	for (u32 h = 0; h < nr_harts; h++)
		walk_everything(h);
	kernel_pages[i] = false;
	hart_fence();
	tlb_flush_kernel(KERNEL_VA(i), KERNEL_VA(i + 1));
	for (u32 h = 0; h < nr_harts; h++)
		if (cpus[h].kernel[i])
			fail("hart %u has cached a kernel page that is gone", h);
}

static void op_kernel_map(u32 i)
{
	kernel_pages[i] = true;
	for (u32 h = 0; h < nr_harts; h++)
		cpus[h].stale = true;
}

static void space_make(struct space *s)
{
	memset(s, 0, sizeof(*s));
	s->users = 1;
	ASSERT(pt_create(&s->pt) == 0);
	s->live = true;
	s->users = 0;
}

/* As aspace_put: the tables go without a flush, then the frames. */
static void op_remake(struct space *s)
{
	struct frame *gone[NR_PAGES];
	u32 nr_gone = 0;

	if (s->users || !s->live)
		return;
	s->live = false;
	for (u32 p = 0; p < NR_PAGES; p++)
		if (s->owner[p])
			gone[nr_gone++] = s->owner[p];
	pt_destroy(&s->pt);
	while (nr_gone)
		frame_put(gone[--nr_gone]);
	space_make(s);
}

/* ---- running ---- */

static void (*programs[NR_HARTS_MAX])(void);
static u32 (*choose)(void);

static u32 schedule(void)
{
	u32 next = choose();

	ASSERT(next == running || !cpus[next].done);
	return next;
}

static u32 next_runnable(u32 from)
{
	for (u32 k = 1; k <= nr_harts; k++) {
		u32 h = (from + k) % nr_harts;

		if (!cpus[h].done)
			return h;
	}
	return from;
}

static void coroutine(void)
{
	programs[running]();
	cpus[running].done = true;
	cpus[running].waiting = false;
	for (u32 h = 0; h < nr_harts; h++) {
		if (!cpus[h].done) {
			running = h;
			setcontext(&cpus[h].context);
		}
	}
	setcontext(&scheduler);
}

/* A machine after boot: every hart on the kernel's table. */
static void machine_start(u32 nr, bool asids)
{
	struct frame *f;

	nr_harts = nr;
	nr_stores = 0;
	memset(in_use, 0, sizeof(in_use));
	memset(harts, 0, sizeof(harts));
	memset(runs_on, 0, sizeof(runs_on));
	memset(given_back, 0, sizeof(given_back));
	running = 0;
	choose = NULL;
	asid_lock = (struct spinlock)SPINLOCK_INIT("asid", RANK_ASID);
	generation = GENERATION_STEP;
	number_next = 1;
	satp_asids = !asids ? 0 : isolating ? 15 : 7;
	pt_levels = 3;
	user_end = (NR_PAGES - (isolating ? 2 : 0)) * PAGE_SIZE;
	pt_trapframe = isolating ? 0x10000000 : 0;
	pt_trampoline = isolating ? 0x10001000 : 0;
	f = pool_alloc(0, POOL, 1);
	memset(frame_kva(f), 0, PT_ENTRIES * sizeof(u64));
	kernel_pagetable = (struct pagetable){.root = frame_pa(f)};
	for (u32 h = 0; h < nr; h++) {
		struct cpu *c = &cpus[h];
		char *stack = c->stack ? c->stack : malloc(STACK_BYTES);

		cpu_forget_all(h);
		c->stack = stack;
		c->satp = paging_kernel_satp();
		c->user_satp = 0;
		c->stale = true;
		c->done = c->waiting = c->activating = false;
		harts[h].index = h;
		harts[h].hartid = h;
		harts[h].pt = &kernel_pagetable;
	}
}

static u32 choose_self(void)
{
	return running;
}

static void spaces_start(void)
{
	choose = choose_self;
	asid_init();
	for (u32 i = 0; i < NR_SPACES; i++)
		space_make(&spaces[i]);
	for (u32 i = 0; i < NR_KPAGES; i++)
		kernel_pages[i] = true;
}

static void run(u32 (*chooser)(void))
{
	for (u32 h = 0; h < nr_harts; h++) {
		struct cpu *c = &cpus[h];

		c->done = programs[h] == NULL;
		getcontext(&c->context);
		c->context.uc_stack.ss_sp = c->stack;
		c->context.uc_stack.ss_size = STACK_BYTES;
		c->context.uc_link = NULL;
		makecontext(&c->context, coroutine, 0);
	}
	choose = chooser;
	running = next_runnable(nr_harts - 1);
	swapcontext(&scheduler, &cpus[running].context);
	choose = choose_self;
	running = 0;
	stores_drain(0, ~0ul);
	check_harts();
	nr_runs++;
	nr_rolled += generation != GENERATION_STEP;
}

static void spaces_end(void)
{
	for (u32 h = 0; h < nr_harts; h++) {
		running = h;
		hart_fence();
		op_switch(NULL);
		hart_fence();
	}
	for (u32 i = 0; i < NR_SPACES; i++) {
		pt_check(&spaces[i].pt);
		ASSERT(spaces[i].users == 0);
	}
}

/* ---- random runs ---- */

static u64 run_seed;
static u32 ops_each;

static u32 choose_random(void)
{
	if (cpus[running].waiting || rand_below(3) == 0) {
		u32 h = (u32)rand_below(nr_harts);

		return cpus[h].done ? next_runnable(h) : h;
	}
	return running;
}

static void random_range(u32 *first, u32 *nr)
{
	static const u32 lengths[] = {1, 1, 2, 4, 7, 16, 20, 32};

	*nr = lengths[rand_below(ARRAY_SIZE(lengths))];
	*first = (u32)rand_below(NR_PAGES);
	if (*first + *nr > NR_PAGES)
		*first = NR_PAGES - *nr;
}

static void random_program(void)
{
	for (u32 i = 0; i < ops_each; i++) {
		struct space *s = &spaces[rand_below(NR_SPACES)];
		u32 first, nr;

		random_range(&first, &nr);
		if (!s->live)
			continue;
		switch (rand_below(16)) {
		case 0:
		case 1:
		case 2: op_switch(s); break;
		case 3: op_switch(NULL); break;
		case 4:
		case 5: op_map(s, first, rand_below(4) == 0, RW | (rand_below(2) ? PT_ACCESSED | PT_DIRTY : 0)); break;
		case 6: op_map(s, first, (u32)rand_below(isolating ? 2 : 3), PT_READ | PT_USER | PT_ACCESSED); break;
		case 7:
		case 8: op_unmap(s, first, nr); break;
		case 9: op_protect(s, first, nr); break;
		case 10: rand_below(2) ? op_harvest(s, first, nr) : op_drop(s, first, nr); break;
		case 11:
		case 12:
		case 13: op_write(first); break;
		case 14:
			if (rand_below(2))
				op_kernel_unmap(running);
			else
				op_kernel_map(running);
			break;
		default: op_remake(s); break;
		}
	}
}

static void test_random(u32 runs, u32 nr, bool asids)
{
	for (u32 h = 0; h < nr; h++)
		programs[h] = random_program;
	for (u32 i = 0; i < runs; i++) {
		run_seed = seed;
		ops_each = 40;
		lazy_stores = i % 2;
		machine_start(nr, asids);
		spaces_start();
		fail_atomic = i % 3 == 0 ? 8 : 0;
		run(choose_random);
		fail_atomic = 0;
		spaces_end();
	}
}

/* ---- every interleaving of short programs ---- */

static u32 step_now, cuts[3], nr_cuts, cut_next;
static const char *scenario_name;

/* Goes to the next hart at the given steps, and where a lock is waited for. */
static u32 choose_cuts(void)
{
	step_now++;
	if (cut_next < nr_cuts && step_now == cuts[cut_next]) {
		cut_next++;
		return next_runnable(running);
	}
	return cpus[running].waiting ? next_runnable(running) : running;
}

static void describe_run(void)
{
	if (choose == choose_cuts)
		fprintf(stderr, "in \"%s\", changing harts at steps %u %u %u\n", scenario_name, cuts[0], cuts[1],
			cuts[2]);
	else
		fprintf(stderr, "in a random run of %u harts, isolate=%u, seed %lu\n", nr_harts, isolating, run_seed);
}

#define A (&spaces[0])
#define B (&spaces[1])

static void unmap_page(void)
{
	op_unmap(A, 5, 1);
}
static void unmap_many(void)
{
	op_unmap(A, 4, 20);
}
static void unmap_all(void)
{
	op_unmap(A, 0, 32);
}
static void drop_page(void)
{
	op_drop(A, 5, 1);
}
static void protect_page(void)
{
	op_protect(A, 5, 1);
}
static void protect_many(void)
{
	op_protect(A, 0, 32);
}
static void harvest(void)
{
	op_harvest(A, 0, 8);
}
static void map_and_unmap(void)
{
	op_unmap(A, 5, 1);
	op_map(A, 5, 0, RW | PT_ACCESSED);
	op_unmap(A, 5, 1);
}
static void superpage_over_tables(void)
{
	op_unmap(A, 4, 4);
	op_map(A, 4, 1, RW | PT_ACCESSED);
	op_unmap(A, 6, 1); /* splits it */
}
static void enter(void)
{
	op_switch(A);
	op_write(5);
}
static void leave_and_enter(void)
{
	op_switch(A);
	op_switch(NULL);
	op_switch(A);
}
static void enter_by_way_of_b(void)
{
	op_switch(B);
	op_switch(A);
	op_switch(B);
}
static void move_to_b(void)
{
	op_switch(B);
	op_write(5);
}
static void leave(void)
{
	op_switch(NULL);
}
/* Uses up the numbers: the generation changes. */
static void roll_over_others(void)
{
	for (u32 i = 1; i < NR_SPACES; i++)
		op_switch(&spaces[i]);
	op_switch(NULL);
	for (u32 i = 1; i < NR_SPACES; i++)
		op_remake(&spaces[i]);
	for (u32 i = 1; i < NR_SPACES; i++)
		op_switch(&spaces[i]);
}
static void remake_a(void)
{
	op_switch(NULL);
	op_remake(A);
}
static void write_page(void)
{
	op_write(5);
	op_write(20);
}
static void kernel_page(void)
{
	op_kernel_unmap(0);
}

/* Where each hart is when it begins; bits of the harts that run on A. */
static const struct scenario {
	const char *name;
	void (*program[NR_HARTS_MAX])(void);
	u32 on_a;
	u32 cuts;
} scenarios[] = {
	{"a page is unmapped while another hart runs there", {unmap_page, write_page}, 3, 3},
	{"a page is unmapped while another hart comes", {unmap_page, enter}, 1, 3},
	{"a page is unmapped from outside while another hart comes", {unmap_page, enter}, 0, 3},
	{"a page is unmapped while another hart leaves", {unmap_page, leave}, 3, 3},
	{"a page is unmapped while another hart leaves and comes back", {unmap_page, leave_and_enter}, 3, 3},
	{"a page is unmapped while another hart passes through", {unmap_page, enter_by_way_of_b}, 3, 3},
	{"a page is unmapped, mapped, unmapped while another hart comes", {map_and_unmap, enter}, 1, 2},
	{"a range is unmapped while another hart comes", {unmap_many, enter}, 1, 2},
	{"everything is unmapped while another hart runs there", {unmap_all, write_page}, 3, 3},
	{"everything is unmapped while another hart comes and goes", {unmap_all, leave_and_enter}, 1, 2},
	{"a page is protected while another hart writes", {protect_page, write_page}, 3, 3},
	{"a page is protected while another hart comes", {protect_page, enter}, 0, 3},
	{"all pages are protected while another hart passes through", {protect_many, enter_by_way_of_b}, 2, 2},
	{"A bits are harvested while another hart comes", {harvest, enter}, 1, 3},
	{"a superpage takes the place of tables while another hart comes", {superpage_over_tables, enter}, 1, 2},
	{"two harts unmap, one comes", {unmap_page, unmap_all, enter}, 0, 2},
	{"two harts unmap, one leaves and comes back", {protect_page, unmap_page, leave_and_enter}, 4, 2},
	{"a page is unmapped whose translation goes at the same time", {drop_page, unmap_page, write_page}, 7, 2},
	{"a roll-over while a hart runs and unmaps", {unmap_page, roll_over_others}, 1, 2},
	{"a roll-over while a hart comes", {leave_and_enter, roll_over_others}, 1, 2},
	{"a roll-over while two harts run and one unmaps", {unmap_many, write_page, roll_over_others}, 3, 1},
	{"a table dies while its last user leaves", {remake_a, move_to_b}, 3, 3},
	{"a kernel page goes while another hart comes", {kernel_page, enter}, 0, 3},
};

static void scenario_run(const struct scenario *sc)
{
	u32 nr = sc->program[2] ? 3 : 2;

	machine_start(nr, true);
	spaces_start();
	for (u32 p = 0; p < 8; p++)
		op_map(A, p, 0, RW | PT_ACCESSED | PT_DIRTY);
	op_map(A, 20, 1, RW | PT_ACCESSED | PT_DIRTY);
	/* Each has been there, so that its TLB may hold something, and its bit is set. */
	for (u32 h = 0; h < nr; h++) {
		running = h;
		op_switch(A);
		hart_fence();
	}
	for (u32 h = 0; h < nr; h++) {
		running = h;
		if (!(sc->on_a & BIT(h)))
			op_switch(NULL);
		hart_fence();
		programs[h] = sc->program[h];
	}
	for (u32 h = nr; h < NR_HARTS_MAX; h++)
		programs[h] = NULL;
	running = 0;
	step_now = cut_next = 0;
	run(choose_cuts);
	spaces_end();
}

/* All places for `left` more cuts behind the last one. False: the run was shorter than that. */
static void scenario_cut(const struct scenario *sc, u32 depth)
{
	nr_cuts = depth;
	scenario_run(sc);
	if (depth == sc->cuts)
		return;
	for (u32 at = depth ? cuts[depth - 1] + 1 : 1;; at++) {
		cuts[depth] = at;
		nr_cuts = depth + 1;
		scenario_cut(sc, depth + 1);
		nr_cuts = depth + 1;
		if (cut_next <= depth) /* the last cut of that run was not reached */
			break;
	}
}

static void test_scenarios(void)
{
	lazy_stores = true;
	for (u32 i = 0; i < ARRAY_SIZE(scenarios); i++) {
		u64 before = nr_runs;

		scenario_name = scenarios[i].name;
		memset(cuts, 0, sizeof(cuts));
		scenario_cut(&scenarios[i], 0);
		printf("# %s: %lu interleavings\n", scenario_name, nr_runs - before);
	}
}

int main(void)
{
	setlinebuf(stdout);
	irq_disable(); /* as pt_activate wants it */
	for (u32 i = 0; i < 2; i++) {
		isolating = i;
		printf("# isolate=%u\n", i);
		test_scenarios();
		test_random(2000, 2, true);
		test_random(2000, 3, true);
		test_random(1000, 3, false);
	}
	printf("ok 1 tlb\n1..1\n# %lu runs, %lu of them with a roll-over, %lu cached entries looked at\n", nr_runs,
		nr_rolled, nr_checks);
	return 0;
}
