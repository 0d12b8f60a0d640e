// host-sources: kernel/mm/anon.c kernel/mm/frame.c kernel/mm/frame_boot.c kernel/mm/frame_wait.c kernel/mm/reclaim.c kernel/mm/slab.c kernel/lib/string.c kernel/lib/index.c kernel/lib/bitmap.c kernel/sync/spinlock.c kernel/sync/waitq.c kernel/mm/swap.c kernel/mm/swap_cache.c kernel/mm/swap_out.c kernel/mm/anon_reclaim.c kernel/mm/tlb.c kernel/sync/mutex.c
/* Amaps: reference counts of frames through clone, move, shift, erase; each of them with each allocation failing. */
#include "mm/anon.h"
#include "mm/aspace.h"
#include "mm/stat.h"
#include "mm/swap.h"
#include "mm_env.h"
#include "mm_pagetable.h"

static void put_page(struct amap *am, u64 key)
{
	struct frame *f = frame_alloc(0, FRAME_ANON, 0);

	ASSERT(f && index_set(&am->pages, key, f) == 0);
	*(u64 *)frame_kva(f) = key;
	atomic64_inc(&vm_stats.anon_frames);
}

static struct frame *page(struct amap *am, u64 key)
{
	return index_get(&am->pages, key);
}

int main(void)
{
	static struct aspace as; /* counts only */
	struct amap *a, *b = NULL;
	u64 before;
	u32 k;

	env_start(32);
	swap_init();
	amap_init();
	before = env_leaks();
	a = amap_create();
	for (u64 key = 0; key < 1000; key += 3)
		put_page(a, key);
	for (k = 1; !b; k++) {
		alloc_fail_nth(k);
		b = amap_clone(a);
		if (!b)
			ASSERT(atomic_read(&page(a, 3)->refs) == 1);
	}
	alloc_fail_nth(0);
	ASSERT(k > 5 && page(a, 300) == page(b, 300) && atomic_read(&page(b, 300)->refs) == 2);
	as.resident.value = a->pages.count;
	amap_erase(a, 0, 301, &as);
	ASSERT(atomic64_read(&as.resident) == 333 - 100 && !page(a, 300) && page(a, 303));
	ASSERT(atomic_read(&page(b, 300)->refs) == 1 && atomic_read(&page(b, 303)->refs) == 2);
	for (k = 1; alloc_fail_nth(k), amap_shift(b, 4096) != 0; k++)
		ASSERT(page(b, 300) && !page(b, 4396));
	alloc_fail_nth(0);
	ASSERT(k > 1 && !page(b, 300) && *(u64 *)frame_kva(page(b, 4396)) == 300);
	/* What a lost keeps its frames alive in b, and moves over. */
	for (k = 1; alloc_fail_nth(k), amap_move(a, 0, b, 4096, 301) != 0; k++)
		ASSERT(!page(a, 300) && page(b, 4396));
	alloc_fail_nth(0);
	ASSERT(page(a, 300) && !page(b, 4396) && page(b, 4399));
	index_check(&a->pages);
	index_check(&b->pages);
	amap_get(a);
	ASSERT(amap_shared(a));
	amap_put(a);
	amap_put(a);
	amap_put(b);
	ASSERT(env_leaks() == before && atomic64_read(&vm_stats.anon_frames) == 0);
	frame_check();
	return 0;
}
