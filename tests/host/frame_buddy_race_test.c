// host-sources: kernel/mm/frame_boot.c kernel/mm/frame_wait.c kernel/mm/reclaim.c kernel/mm/slab.c kernel/lib/string.c kernel/sync/spinlock.c kernel/sync/waitq.c
/*
 * A block that one hart has just taken, while another hart frees its buddy: they must not become one. The other hart
 * comes at the worst instant, when the lock of the lists was given back.
 */
#include "mm_env.h"

static struct frame *to_free; /* what the other hart frees */

static void unlock_and_intrude(struct spinlock *lock)
{
	struct frame *f = to_free;

	spin_unlock(lock);
	to_free = NULL;
	if (f)
		frame_put(f);
}

#define spin_unlock(lock) unlock_and_intrude(lock)
#include "../../kernel/mm/frame.c"

#define MAX_BLOCKS 64

/* Two buddies of this order, both taken. */
static void buddies_take(u32 order, struct frame *pair[2])
{
	static struct frame *blocks[MAX_BLOCKS];
	u32 nr = 0;

	pair[0] = NULL;
	while (!pair[0]) {
		ASSERT(nr < MAX_BLOCKS);
		blocks[nr++] = frame_alloc(order, FRAME_KERNEL, 0);
		ASSERT(blocks[nr - 1]);
		for (u32 i = 0; i < nr - 1 && !pair[0]; i++) {
			if ((frame_pfn(blocks[i]) ^ frame_pfn(blocks[nr - 1])) == 1ul << order) {
				pair[0] = blocks[i];
				pair[1] = blocks[nr - 1];
			}
		}
	}
	for (u32 i = 0; i < nr; i++) {
		if (blocks[i] != pair[0] && blocks[i] != pair[1])
			frame_put(blocks[i]);
	}
}

int main(void)
{
	struct frame *pair[2], *again;

	env_start(32);
	for (u32 order = 1; order < FRAME_MAX_ORDER; order++) {
		buddies_take(order, pair);
		frame_put(pair[0]);
		to_free = pair[1];
		again = frame_alloc(order, FRAME_ANON, 0);
		ASSERT(again == pair[0] && !to_free);
		frame_check();
		frame_put(again);
		frame_check();
	}
	return 0;
}
