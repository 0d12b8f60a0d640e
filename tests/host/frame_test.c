// host-sources: kernel/mm/frame.c kernel/mm/frame_boot.c kernel/mm/frame_wait.c kernel/mm/reclaim.c kernel/mm/slab.c kernel/lib/string.c kernel/sync/spinlock.c kernel/sync/waitq.c
/* The buddy allocator: no overlap, coalescing back to what it was, floors, reclaim, untouched RAM, busy bits. */
#include "mm_env.h"

#define MAX_HELD 4096
static struct frame *held[MAX_HELD];
static u8 held_order[MAX_HELD];
static u32 nr_held;
static u8 *taken; /* by pfn: model */

static void take(u32 order, u32 flags)
{
	struct frame *f = frame_alloc(order, FRAME_KERNEL, flags);

	if (!f)
		return;
	ASSERT(IS_ALIGNED(frame_pfn(f), 1ul << order) && frame_valid(frame_pfn(f)));
	for (u64 i = 0; i < 1ul << order; i++) {
		ASSERT(!taken[frame_pfn(f) + i]);
		taken[frame_pfn(f) + i] = 1;
		if (flags & ALLOC_ZERO)
			ASSERT(mem_is_zero(frame_kva(f + i), PAGE_SIZE));
		memset(frame_kva(f + i), 0x11, 64);
	}
	held[nr_held] = f;
	held_order[nr_held++] = (u8)order;
}

static void give(u32 i)
{
	for (u64 p = 0; p < 1ul << held_order[i]; p++)
		taken[frame_pfn(held[i]) + p] = 0;
	if (env_rand(4) == 0) {
		frame_get(held[i]);
		frame_put(held[i]);
	}
	frame_put(held[i]);
	held[i] = held[--nr_held];
	held_order[i] = held_order[nr_held];
}

static u32 scans;
static u64 scan(u64 nr)
{
	u64 n = MIN(nr, (u64)nr_held);

	scans++;
	ASSERT(reclaim_active());
	for (u64 i = 0; i < n; i++)
		give(0);
	return n;
}

int main(void)
{
	static struct shrinker shrinker = {.name = "test", .scan = scan};
	struct frame_stats st;
	u64 total;

	env_start(32);
	taken = calloc(1, (FAKE_RAM_BASE + (32ul << 20)) >> PAGE_SHIFT);
	frame_stats_read(&st);
	total = st.free;
	ASSERT(st.kinds[FRAME_RESERVED] > 37 && st.free + st.kinds[FRAME_RESERVED] == st.total);
	/* A few allocations touch neither far RAM nor far metadata. */
	take(0, 0);
	ASSERT(frame_array[(FAKE_RAM_BASE >> PAGE_SHIFT) + 3000].kind == 0xee);
	for (u32 i = 0; i < 20000; i++) {
		if (env_rand(2) && nr_held < MAX_HELD)
			take(env_rand(8) ? 0 : (u32)env_rand(6), env_rand(2) ? ALLOC_ZERO : 0);
		else if (nr_held)
			give((u32)env_rand(nr_held));
		if (i % 500 == 0)
			frame_check();
	}
	while (nr_held)
		give(0);
	frame_check();
	/* The whole machine as large blocks, after all that: everything coalesced but what caches hold. */
	for (u32 i = 0; i < 20 && nr_held < MAX_HELD; i++)
		take(FRAME_MAX_ORDER, ALLOC_ATOMIC);
	ASSERT(nr_held >= 5);
	while (nr_held)
		give(0);
	/* Floors: users stop before the kernel, the kernel before atomic. */
	for (u32 before = MAX_HELD; before != nr_held;) {
		before = nr_held;
		for (u32 i = 0; i < 16 && nr_held < MAX_HELD; i++)
			take(1, ALLOC_USER);
	}
	ASSERT(!frame_alloc(1, FRAME_ANON, ALLOC_USER));
	take(1, 0);
	while (frame_alloc(1, FRAME_KERNEL, 0))
		;
	ASSERT(!frame_alloc(1, FRAME_KERNEL, 0));
	ASSERT(frame_alloc(1, FRAME_KERNEL, ALLOC_ATOMIC));
	reclaim_register(&shrinker);
	ASSERT(frame_alloc(1, FRAME_KERNEL, 0) && scans > 0);
	ASSERT(!reclaim_active());
	alloc_fail_nth(2);
	take(0, ALLOC_ATOMIC);
	ASSERT(!frame_alloc(0, FRAME_KERNEL, 0));
	/* BUSY */
	ASSERT(frame_try_busy(held[0]) && !frame_try_busy(held[0]));
	frame_clear_wake(held[0], FRAME_BUSY);
	frame_lock_busy(held[0]);
	frame_clear_wake(held[0], FRAME_BUSY);
	frame_wait(held[0], FRAME_BUSY);
	frame_check();
	frame_stats_read(&st);
	ASSERT(st.free < total && st.kinds[FRAME_ANON] == 0);
	return 0;
}
