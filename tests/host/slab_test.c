// host-sources: kernel/mm/frame.c kernel/mm/frame_boot.c kernel/mm/frame_wait.c kernel/mm/reclaim.c kernel/mm/slab.c kernel/lib/string.c kernel/sync/spinlock.c kernel/sync/waitq.c
/* kmalloc and slab caches against a model: no overlap, contents kept, krealloc, failure, everything comes back. */
#include "mm_env.h"

#define N 3000
static u8 *ptr[N];
static size_t len[N];

static void fill(u32 i)
{
	memset(ptr[i], (int)(i * 7 + 1) & 0xff, len[i]);
}

static void verify(u32 i, size_t n)
{
	for (size_t k = 0; k < n; k++)
		ASSERT(ptr[i][k] == (u8)(i * 7 + 1));
}

static void step(u32 i)
{
	size_t n = env_rand(10) ? 1 + env_rand(700) : 1 + env_rand(20000);

	if (!ptr[i]) {
		ptr[i] = env_rand(2) ? kmalloc(n, 0) : kzalloc(n, ALLOC_ATOMIC);
		ASSERT(ptr[i] && IS_ALIGNED((uintptr_t)ptr[i], 16));
		len[i] = n;
		fill(i);
	} else if (env_rand(3) == 0) {
		u8 *p = krealloc(ptr[i], n, 0);

		ASSERT(p);
		ptr[i] = p;
		verify(i, MIN(n, len[i]));
		len[i] = n;
		fill(i);
	} else {
		verify(i, len[i]);
		kfree(ptr[i]);
		ptr[i] = NULL;
	}
}

int main(void)
{
	struct slab_cache *c;
	void *obj[500];
	u64 before;
	char *s;

	env_start(64);
	c = slab_cache_create("test", 104, 0);
	before = env_leaks();
	for (u32 i = 0; i < 60000; i++)
		step((u32)env_rand(N));
	for (u32 i = 0; i < N; i++) {
		if (ptr[i])
			verify(i, len[i]);
		kfree(ptr[i]);
	}
	for (u32 round = 0; round < 3; round++) {
		for (u32 i = 0; i < 500; i++) {
			obj[i] = slab_alloc(c, ALLOC_ZERO);
			ASSERT(obj[i]);
			for (u32 k = 0; k < 104; k++)
				ASSERT(((u8 *)obj[i])[k] == 0);
			memset(obj[i], 0xff, 104);
		}
		for (u32 i = 0; i < 500; i++)
			slab_free(c, obj[i]);
	}
	s = kstrdup("name", 0);
	ASSERT(s && !strcmp(s, "name"));
	kfree(s);
	kfree(NULL);
	alloc_fail_nth(1);
	ASSERT(!kmalloc(10, 0));
	alloc_fail_nth(3);
	ASSERT((s = kmalloc(10, 0)));
	ASSERT((obj[0] = slab_alloc(c, 0)));
	ASSERT(!krealloc(s, 5000, 0));
	kfree(s);
	slab_free(c, obj[0]);
	ASSERT(!kmalloc(64ul << 20, 0));
	ASSERT(env_leaks() == before);
	frame_check();
	return 0;
}
