// host-sources: kernel/mm/fault.c kernel/mm/fault_around.c kernel/mm/fault_swap.c kernel/mm/aspace.c kernel/mm/aspace_map.c kernel/mm/aspace_brk.c kernel/mm/aspace_remap.c kernel/mm/aspace_advise.c kernel/mm/aspace_swap.c kernel/mm/memobj.c kernel/mm/vma.c kernel/mm/tlb.c kernel/mm/anon.c kernel/mm/anon_reclaim.c kernel/mm/swap.c kernel/mm/swap_cache.c kernel/mm/swap_out.c kernel/mm/superpage.c kernel/mm/commit.c kernel/mm/frame.c kernel/mm/frame_boot.c kernel/mm/frame_wait.c kernel/mm/reclaim.c kernel/mm/slab.c kernel/lib/string.c kernel/lib/index.c kernel/lib/bitmap.c kernel/lib/tree.c kernel/sync/spinlock.c kernel/sync/mutex.c kernel/sync/rwlock.c kernel/sync/waitq.c
/*
 * Two relatives share a page, and both are swapped out at the same time: each holds the lock of its own amap, and nothing is
 * common to them but the page. The second one comes while the first one's area takes the page; in the other case that area has
 * no room, and the second one's page is on its way to a slower area already.
 */
#include "mm_env.h"
#include "mm_pagetable.h"

#include "mm/anon.h"
#include "mm/aspace_priv.h"
#include "mm/fault.h"
#include "mm/stat.h"
#include "mm/swap.h"

#define BASE     0x10000000ul
#define NR_SLOTS 64

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

/* ---- an area that stores at once, and one that writes later ---- */

static u8 fast_page[NR_SLOTS][PAGE_SIZE], slow_page[NR_SLOTS][PAGE_SIZE];
static bool fast_has[NR_SLOTS], fast_full;
static struct aspace *second; /* who comes in between; NULL: nobody */

static struct amap *amap_of(struct aspace *as)
{
	return vma_at(&as->vmas, BASE)->amap;
}

static int fast_store(struct swap_area *a, u64 slot, const void *page)
{
	struct aspace *other = second;

	second = NULL;
	if (other)
		ASSERT(anon_page_out(amap_of(other), 0, 1) <= 1);
	if (fast_full)
		return -ENOSPC;
	ASSERT(!fast_has[slot]); /* what was there was forgotten */
	fast_has[slot] = true;
	memcpy(fast_page[slot], page, PAGE_SIZE);
	return 0;
}

static int fast_load(struct swap_area *a, u64 slot, void *page)
{
	ASSERT(fast_has[slot]);
	memcpy(page, fast_page[slot], PAGE_SIZE);
	return 0;
}

static void fast_forget(struct swap_area *a, u64 slot)
{
	fast_has[slot] = false;
}

static struct frame *queue[NR_SLOTS];
static u64 queue_slot[NR_SLOTS];
static u32 nr_queued;

static void slow_write(struct swap_area *a, u64 first, struct frame **frames, u32 nr)
{
	for (u32 i = 0; i < nr; i++) {
		queue_slot[nr_queued] = first + i;
		queue[nr_queued++] = frames[i];
	}
}

static void slow_read(struct swap_area *a, u64 first, struct frame **frames, u32 nr)
{
	for (u32 i = 0; i < nr; i++) {
		memcpy(frame_kva(frames[i]), slow_page[first + i], PAGE_SIZE);
		swap_read_done(frames[i], 0);
	}
}

static void slow_end(void)
{
	while (nr_queued) {
		nr_queued--;
		memcpy(slow_page[queue_slot[nr_queued]], frame_kva(queue[nr_queued]), PAGE_SIZE);
		swap_write_done(queue[nr_queued], 0);
	}
}

static void area_release(struct swap_area *a)
{
}

static const struct swap_ops fast_ops = {.store = fast_store, .load = fast_load, .forget = fast_forget, .release = area_release};
static const struct swap_ops slow_ops = {.read = slow_read, .write = slow_write, .release = area_release};

/* ---- programs ---- */

static u32 *touch(struct aspace *as, vaddr_t va, enum access access)
{
	for (u32 tries = 0; tries < 20; tries++) {
		u32 *p = fake_translate(&as->pt, va, access == ACCESS_WRITE ? PT_WRITE : PT_READ);
		struct fault f = {.addr = va, .access = access, .from_user = 1};

		if (p)
			return p;
		ASSERT(fault_handle(as, &f) == FAULT_DONE);
	}
	panic("the access at %lx never succeeds", va);
}

/* Parent and child with an amap each, which share the page at BASE alone. */
static void family(struct aspace *pair[2], u32 value)
{
	struct map_request rq = {.addr = BASE, .len = 2 * PAGE_SIZE, .prot = 3, .max_prot = 7, .place = MAP_AT, .flags = VMA_NORESERVE};

	pair[0] = aspace_create();
	ASSERT(pair[0] && aspace_map(pair[0], &rq) == (long)BASE);
	*touch(pair[0], BASE, ACCESS_WRITE) = value;
	pair[1] = aspace_fork(pair[0]);
	ASSERT(pair[1]);
	for (u32 i = 0; i < 2; i++)
		*touch(pair[i], BASE + PAGE_SIZE, ACCESS_WRITE) = i;
	ASSERT(amap_of(pair[0]) != amap_of(pair[1]));
}

static void both_at_once(u32 value)
{
	struct aspace *pair[2];

	family(pair, value);
	second = pair[1];
	ASSERT(anon_page_out(amap_of(pair[0]), 0, 1) <= 1 && !second);
	slow_end();
	for (u32 i = 0; i < 2; i++) {
		ASSERT(atomic64_read(&pair[i]->swapped) == 1 && atomic64_read(&pair[i]->resident) == 1);
		ASSERT(*touch(pair[i], BASE, ACCESS_READ) == value);
	}
	*touch(pair[1], BASE, ACCESS_WRITE) = value + 1;
	ASSERT(*touch(pair[0], BASE, ACCESS_READ) == value && *touch(pair[1], BASE, ACCESS_READ) == value + 1);
	for (u32 i = 0; i < 2; i++)
		aspace_put(pair[i]);
}

int main(void)
{
	struct swap_source fast = {.ops = &fast_ops, .name = "fast", .kind = "file", .nr_slots = NR_SLOTS, .prio = 2};
	struct swap_source slow = {.ops = &slow_ops, .name = "slow", .kind = "file", .nr_slots = NR_SLOTS, .prio = 1};
	struct swap_totals totals;
	struct frame_stats st;
	u64 anon;

	env_start(32);
	swap_init();
	commit_init();
	amap_init();
	aspace_init();
	fault_init();
	anon_reclaim_init();
	ASSERT(swap_area_add(&fast) >= 0 && swap_area_add(&slow) >= 0);
	frame_stats_read(&st);
	anon = st.kinds[FRAME_ANON];
	for (u32 i = 0; i < 20; i++) {
		fast_full = i & 1;
		both_at_once(100 * (i + 1));
	}
	swap_cache_shrink(~0ul);
	swap_totals(&totals);
	frame_stats_read(&st);
	ASSERT(totals.free == totals.total && totals.cached == 0 && st.kinds[FRAME_ANON] == anon);
	for (u32 i = 0; i < NR_SLOTS; i++)
		ASSERT(!fast_has[i]);
	return 0;
}
