// host-sources: kernel/mm/fault_around.c kernel/mm/fault_swap.c kernel/mm/aspace_map.c kernel/mm/aspace_swap.c kernel/mm/memobj.c kernel/mm/vma.c kernel/mm/tlb.c kernel/mm/anon.c kernel/mm/anon_reclaim.c kernel/mm/swap_out.c kernel/mm/superpage.c kernel/mm/commit.c kernel/mm/frame.c kernel/mm/frame_boot.c kernel/mm/frame_wait.c kernel/mm/reclaim.c kernel/mm/slab.c kernel/lib/string.c kernel/lib/index.c kernel/lib/bitmap.c kernel/lib/tree.c kernel/sync/spinlock.c kernel/sync/mutex.c kernel/sync/rwlock.c kernel/sync/waitq.c
/*
 * Two threads in the memory room, the second of which comes at the worst instant of what the first one does: at a place where that
 * has no lock. The places are calls in the kernel's files, which are replaced here by a turn of the other thread and the same call.
 */
#include "mm_env.h"
#include "mm_pagetable.h"

#include "mm/anon.h"
#include "mm/aspace_priv.h"
#include "mm/fault.h"
#include "mm/stat.h"
#include "mm/superpage.h"
#include "mm/swap.h"
#include "mm/swap_area.h"
#include "sync/waitq.h"

#define BASE     0x10000000ul
#define ELSE     0x20000000ul
#define NR_SLOTS 600

u64 cmdline_number(const char *key, u64 absent)
{
	return absent;
}
void aspace_release_file(struct file *f)
{
}
struct file *aspace_share_file(struct file *f)
{
	return f;
}

/* What happens at the next such place, once. */
static void (*at_unlock)(void), (*at_write_unlock)(void), (*at_insert)(void), (*at_alloc)(void), (*at_read)(void),
	(*at_wait)(void), (*at_lock)(void);
static const void *read_what;
static bool signalled;

static void turn(void (**what)(void))
{
	void (*now)(void) = *what;

	*what = NULL;
	if (now)
		now();
}

static void turn_if_read(const volatile void *p)
{
	if (p == read_what)
		turn(&at_read);
}

static void look_at_counts(void);

#define spin_unlock(lock) (spin_unlock(lock), turn(&at_unlock))
#include "../../kernel/mm/aspace_advise.c"
#undef spin_unlock

#define spin_unlock(lock) (spin_unlock(lock), look_at_counts())
#include "../../kernel/mm/fault.c"
#undef spin_unlock

#define rwlock_write_unlock(lock) (rwlock_write_unlock(lock), turn(&at_write_unlock))
#include "../../kernel/mm/aspace.c"
#include "../../kernel/mm/aspace_brk.c"
#undef rwlock_write_unlock

#define aspace_insert(as, v) (turn(&at_insert), aspace_insert(as, v))
#include "../../kernel/mm/aspace_remap.c"
#undef aspace_insert

#define frame_wait(f, flag)     (turn(&at_wait), frame_wait(f, flag))
#define spin_lock_irqsave(lock) (turn(&at_lock), spin_lock_irqsave(lock))
#include "../../kernel/mm/swap_cache.c"
#undef frame_wait
#undef spin_lock_irqsave

#define kzalloc(size, flags)   (turn(&at_alloc), kzalloc(size, flags))
#define sched_signal_pending() signalled
#undef READ_ONCE
#define READ_ONCE(x)                                                       \
	({                                                                 \
		__typeof__(x) got = *(const volatile __typeof__(x) *)&(x); \
		turn_if_read(&(x));                                        \
		got;                                                       \
	})
#include "../../kernel/mm/swap.c"

/* ---- an area that stores at once ---- */

static u8 stored[NR_SLOTS][PAGE_SIZE];

static int area_store(struct swap_area *a, u64 slot, const void *page)
{
	memcpy(stored[slot], page, PAGE_SIZE);
	return 0;
}

static int area_load(struct swap_area *a, u64 slot, void *page)
{
	memcpy(page, stored[slot], PAGE_SIZE);
	return 0;
}

static void area_release(struct swap_area *a)
{
}

static const struct swap_ops area_ops = {.store = area_store, .load = area_load, .release = area_release};
static int area = -1;

static void area_open(void)
{
	struct swap_source src = {.ops = &area_ops, .name = "area", .kind = "file", .nr_slots = NR_SLOTS, .prio = 1};

	area = swap_area_add(&src);
	ASSERT(area >= 0);
}

/* ---- a program ---- */

static struct aspace *as, *relative;

static u32 *touch(struct aspace *in, vaddr_t va, enum access access)
{
	for (u32 tries = 0; tries < 20; tries++) {
		u32 *p = fake_translate(&in->pt, va, access == ACCESS_WRITE ? PT_WRITE : PT_READ);
		struct fault f = {.addr = va, .access = access, .from_user = 1};

		if (p)
			return p;
		ASSERT(fault_handle(in, &f) == FAULT_DONE);
	}
	panic("the access at %lx never succeeds", va);
}

/* Two pages at BASE, written. */
static void program_start(u32 flags)
{
	struct map_request rq = {
		.addr = BASE, .len = 2 * PAGE_SIZE, .prot = 3, .max_prot = 7, .place = MAP_AT, .flags = flags};

	as = aspace_create();
	ASSERT(as && aspace_map(as, &rq) == (long)BASE);
	for (u32 i = 0; i < 2; i++)
		*touch(as, BASE + i * PAGE_SIZE, ACCESS_WRITE) = 100 + i;
}

static struct amap *amap_at(struct aspace *in, vaddr_t va)
{
	return vma_at(&in->vmas, va)->amap;
}

/* ---- mincore looks at a page that two threads write to ---- */

/* The other one asks for the page, as MADV_POPULATE_WRITE does, or having met the translation before the first one made it writable. */
static void write_fault(void)
{
	struct fault f = {.addr = BASE, .access = ACCESS_WRITE};

	ASSERT(fault_handle(as, &f) == FAULT_DONE);
}

static void test_mincore_shares_nothing(void)
{
	u64 copies;
	u32 *p;
	u8 in = 0;

	program_start(0);
	p = touch(as, BASE, ACCESS_WRITE);
	copies = atomic64_read(&vm_stats.cow_copies);
	at_unlock = write_fault;
	ASSERT(aspace_mincore(as, BASE, 1, &in) == 0 && in == 1 && !at_unlock);
	/* What the first one wrote while a copy was made would be lost. */
	ASSERT(atomic64_read(&vm_stats.cow_copies) == copies && touch(as, BASE, ACCESS_WRITE) == p);
	aspace_put(as);
}

/* ---- code: the caches of all harts come before the word that they know it ---- */

static void flag_is_down(void)
{
	ASSERT(!(atomic_read(&((struct frame *)index_get(&amap_at(as, BASE)->pages, 0))->flags) & FRAME_EXEC));
}

static void test_code_is_known_after_the_flush(void)
{
	struct fault f = {.addr = BASE, .access = ACCESS_EXEC, .from_user = 1};
	u32 flushes;

	program_start(0);
	ASSERT(aspace_protect(as, BASE, PAGE_SIZE, VMA_READ | VMA_EXEC) == 0);
	flushes = env_icache_flushes;
	env_icache_flushing = flag_is_down;
	ASSERT(fault_handle(as, &f) == FAULT_DONE && env_icache_flushes == flushes + 1);
	env_icache_flushing = NULL;
	ASSERT(fault_handle(as, &f) == FAULT_DONE && env_icache_flushes == flushes + 1);
	aspace_put(as);
}

/* ---- a fork that fails at its end ---- */

static void look_at_parent(void)
{
	aspace_check(as);
}

static void test_fork_that_fails_shares_read_only(void)
{
	struct map_request more = {.len = 2 * NR_SLOTS * PAGE_SIZE, .prot = 3, .max_prot = 7, .place = MAP_ANY};
	struct commit_settings was = commit_settings;

	program_start(0);
	ASSERT(aspace_map(as, &more) > 0);
	commit_settings.mode = OVERCOMMIT_NEVER;
	commit_settings.kbytes = 4;
	at_write_unlock = look_at_parent;
	ASSERT(!aspace_fork(as) && !at_write_unlock);
	commit_settings = was;
	*touch(as, BASE, ACCESS_WRITE) += 1;
	ASSERT(*touch(as, BASE, ACCESS_READ) == 101);
	aspace_check(as);
	aspace_put(as);
}

/* ---- two threads move the break ---- */

static vaddr_t brk_other;

static void break_moves(void)
{
	ASSERT(aspace_brk(as, brk_other) == brk_other);
}

/* One takes the break to `first` pages, and before its call returns another one to `second`. */
static void test_break(u64 first, u64 second)
{
	program_start(0);
	as->brk_start = as->brk = ELSE;
	ASSERT(aspace_brk(as, ELSE + 8 * PAGE_SIZE) == ELSE + 8 * PAGE_SIZE);
	brk_other = ELSE + second * PAGE_SIZE;
	at_write_unlock = break_moves;
	(void)aspace_brk(as, ELSE + first * PAGE_SIZE);
	ASSERT(!at_write_unlock && as->brk == brk_other);
	ASSERT(aspace_covered(as, ELSE, as->brk) && vma_range_free(&as->vmas, as->brk, ELSE + 100 * PAGE_SIZE));
	aspace_check(as);
	aspace_put(as);
}

/* ---- a page counts as soon as others can find it, and swap it out ---- */

static void counts_check(struct aspace *in, vaddr_t va)
{
	struct amap *am = amap_at(in, va);

	ASSERT(atomic64_read(&in->swapped) == am->nr_swapped &&
		atomic64_read(&in->resident) == am->pages.count - am->nr_swapped);
}

static bool look;

static void look_at_counts(void)
{
	if (look && amap_at(as, BASE))
		counts_check(as, BASE);
}

static void test_page_counts_at_once(void)
{
	look = true;
	program_start(0);
	look = false;
	aspace_put(as);
}

/* ---- pages move while a relative's go to swap, or come back ---- */

static void relative_swaps_out(void)
{
	ASSERT(anon_page_out(amap_at(relative, BASE), 0, 2) == 2);
}

static void relative_swaps_in(void)
{
	for (u32 i = 0; i < 2; i++)
		ASSERT(*touch(relative, BASE + i * PAGE_SIZE, ACCESS_READ) == 100 + i);
}

static void moves(u32 flags, void (*meanwhile)(void))
{
	at_insert = meanwhile;
	ASSERT(aspace_remap(as, BASE, 2 * PAGE_SIZE, 2 * PAGE_SIZE, 3 | flags, ELSE) == (long)ELSE && !at_insert);
	counts_check(as, ELSE);
	counts_check(relative, BASE);
}

static void test_move_beside_swap(u32 flags)
{
	program_start(VMA_NORESERVE);
	relative = aspace_fork(as);
	ASSERT(relative && amap_at(relative, BASE) == amap_at(as, BASE));
	moves(flags, relative_swaps_out);
	ASSERT(atomic64_read(&as->swapped) == 2);
	aspace_put(as);
	as = aspace_fork(relative);
	ASSERT(as);
	moves(flags, relative_swaps_in);
	ASSERT(atomic64_read(&as->resident) == 2);
	ASSERT(*touch(as, ELSE, ACCESS_READ) == 100);
	ASSERT(aspace_unmap(as, ELSE, 2 * PAGE_SIZE) == 0);
	ASSERT(atomic64_read(&as->resident) == 0 && atomic64_read(&as->swapped) == 0);
	aspace_put(as);
	aspace_put(relative);
}

/* ---- two threads want one page from swap: one has read it, the other one takes it ---- */

static struct frame *frame_read;

static void taken(void)
{
	atomic_or(&frame_read->flags, FRAME_UPTODATE);
	ASSERT(*touch(as, BASE, ACCESS_READ) == 100 && !frame_read->private);
}

/* It is leaving the cache: its flags are gone, the rest goes under the area's lock (swap_cache_remove). */
static void half_taken(void)
{
	frame_read = swap_cache_find(index_get(&amap_at(as, BASE)->pages, 0));
	ASSERT(frame_read);
	frame_put(frame_read);
	atomic_and(&frame_read->flags, ~(u32)FRAME_UPTODATE);
	at_lock = taken;
}

static void test_page_taken_is_no_error(void)
{
	struct frame *f;
	int err;

	program_start(0);
	ASSERT(anon_page_out(amap_at(as, BASE), 0, 1) == 1);
	at_wait = half_taken;
	err = swap_load(index_get(&amap_at(as, BASE)->pages, 0), &f);
	ASSERT(!at_wait && !at_lock);
	ASSERT(err == -EAGAIN);
	aspace_put(as);
}

/* ---- swapoff beside pages on their way out ---- */

static int off_error;

static void swap_off(void)
{
	off_error = swap_area_remove((u32)area);
}

static void test_area_closed_while_it_is_chosen(void)
{
	struct swap_batch b;

	read_what = &swap_area_at((u32)area)->accepting;
	at_read = swap_off;
	off_error = -1;
	ASSERT(!swap_batch_start(&b) && off_error == 0);
	area_open();
}

static void test_area_closed_while_it_grows(void)
{
	struct swap_batch b;

	at_alloc = swap_off;
	signalled = true; /* swapoff would wait for the slots that are about to be taken */
	ASSERT(swap_batch_start(&b) && !at_alloc && off_error == -EINTR);
	signalled = false;
	swap_batch_finish(&b);
	swap_off();
	ASSERT(off_error == 0);
	area_open();
}

int main(void)
{
	struct swap_totals totals;
	u64 before;

	env_start(32);
	swap_init();
	commit_init();
	amap_init();
	aspace_init();
	fault_init();
	anon_reclaim_init();
	area_open();
	for (u32 round = 0; round < 3; round++) {
		before = env_leaks();
		test_mincore_shares_nothing();
		test_code_is_known_after_the_flush();
		test_fork_that_fails_shares_read_only();
		test_area_closed_while_it_is_chosen();
		test_area_closed_while_it_grows();
		test_page_counts_at_once();
		test_break(4, 12);
		test_break(12, 4);
		test_break(12, 16);
		test_break(4, 2);
		test_move_beside_swap(0);
		test_move_beside_swap(4);
		test_page_taken_is_no_error();
		swap_cache_shrink(~0ul);
		swap_off();
		ASSERT(off_error == 0);
		area_open();
		ASSERT(round == 0 || env_leaks() == before);
	}
	swap_totals(&totals);
	ASSERT(totals.free == totals.total && totals.cached == 0);
	return 0;
}
