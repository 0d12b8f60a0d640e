// host-sources: kernel/lib/index.c kernel/lib/bitmap.c
/*
 * Random operations against an array of pairs; clone and move; every operation with each of its
 * allocations failing.
 */
#include <stdio.h>

#include "host_alloc.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/index.h"
#include "lib/rand.h"

#define NR 128

struct pair {
	u64 key;
	void *entry; /* NULL: absent */
	bool marks[INDEX_NR_MARKS];
};

static struct pair model[NR]; /* sorted by key, keys distinct */
static char objects[NR];

static struct pair *model_next(u64 key, int mark)
{
	for (u32 i = 0; i < NR; i++)
		if (model[i].key >= key && model[i].entry && (mark < 0 || model[i].marks[mark]))
			return &model[i];
	return NULL;
}

static void check_all(const struct index *ix)
{
	u64 count = 0;

	index_check(ix);
	for (u32 i = 0; i < NR; i++) {
		ASSERT(index_get(ix, model[i].key) == model[i].entry);
		count += model[i].entry != NULL;
		for (u32 m = 0; m < INDEX_NR_MARKS; m++)
			ASSERT(index_mark_test(ix, model[i].key, m) == model[i].marks[m]);
	}
	ASSERT(ix->count == count);
}

static void check_search(const struct index *ix, u64 from)
{
	for (int mark = -1; mark < INDEX_NR_MARKS; mark++) {
		struct pair *want = model_next(from, mark);
		u64 key = from;
		void *got = mark < 0 ? index_next(ix, &key) : index_next_marked(ix, &key, mark);

		ASSERT(got == (want ? want->entry : NULL));
		ASSERT(key == (want ? want->key : from));
	}
	for (int i = NR - 1; i >= -1; i--) {
		u64 key = from;
		void *got;

		if (i >= 0 && (model[i].key > from || !model[i].entry))
			continue;
		got = index_prev(ix, &key);
		ASSERT(got == (i < 0 ? NULL : model[i].entry));
		ASSERT(key == (i < 0 ? from : model[i].key));
		break;
	}
}

/* Widths from a few bits to all 64, clustered, so that leaves are shared. */
static void make_keys(struct xorshift *rng, u32 bits)
{
	u64 key = 0;

	for (u32 i = 0; i < NR; i++) {
		u64 step =
			1 + (xorshift_below(rng, 3) ? xorshift_below(rng, 4) : xorshift_next(rng) >> (64 - (bits - 7)));

		if (i == 0 && xorshift_below(rng, 2))
			step = 0;
		key += step;
		model[i] = (struct pair){.key = key};
	}
	if (bits == 64)
		model[NR - 1].key = UINT64_MAX;
}

static void random_steps(u64 seed, u32 bits)
{
	struct index ix = INDEX_INIT;
	struct xorshift rng;

	xorshift_init(&rng, seed);
	make_keys(&rng, bits);
	for (u32 step = 0; step < 2000; step++) {
		struct pair *p = &model[xorshift_below(&rng, NR)];
		u32 mark = (u32)xorshift_below(&rng, INDEX_NR_MARKS);

		switch (xorshift_below(&rng, 6)) {
		case 0:
		case 1:
			p->entry = &objects[xorshift_below(&rng, NR)];
			ASSERT(index_set(&ix, p->key, p->entry) == 0);
			break;
		case 2:
			ASSERT(index_erase(&ix, p->key) == p->entry);
			*p = (struct pair){.key = p->key};
			break;
		case 3:
			index_mark_set(&ix, p->key, mark);
			p->marks[mark] = p->entry != NULL;
			break;
		case 4:
			index_mark_clear(&ix, p->key, mark);
			p->marks[mark] = false;
			break;
		default: check_search(&ix, p->key + xorshift_below(&rng, 3) - 1); break;
		}
		if (step % 16 == 0)
			check_all(&ix);
	}
	check_search(&ix, 0);
	check_search(&ix, UINT64_MAX);
	index_erase_range(&ix, 0, UINT64_MAX, NULL, NULL);
	index_erase(&ix, UINT64_MAX);
	ASSERT(index_empty(&ix) && !ix.root);
	ASSERT(host_alloc_live == 0);
}

static void count_entry(void *entry, void *ctx)
{
	(*(u32 *)ctx)++;
}

static void fill(struct index *ix, u32 n, u64 stride)
{
	for (u32 i = 0; i < n; i++) {
		ASSERT(index_set(ix, i * stride, &objects[i]) == 0);
		if (i % 3 == 0)
			index_mark_set(ix, i * stride, INDEX_MARK_1);
	}
}

static void test_set_out_of_memory(void)
{
	static const u64 keys[] = {0, 70, 5000, 1UL << 40, UINT64_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		for (size_t nth = 1;; nth++) {
			struct index ix = INDEX_INIT;
			size_t live;
			int err;

			ASSERT(index_set(&ix, 3, &objects[0]) == 0);
			index_mark_set(&ix, 3, INDEX_MARK_0);
			live = host_alloc_live;
			host_alloc_fail_nth(nth);
			err = index_set(&ix, keys[i], &objects[1]);
			host_alloc_fail_nth(0);
			index_check(&ix);
			if (err) {
				ASSERT(err == -ENOMEM && ix.count == 1 && host_alloc_live == live);
				ASSERT(index_get(&ix, keys[i]) == NULL);
			}
			ASSERT(index_mark_test(&ix, 3, INDEX_MARK_0));
			index_destroy(&ix);
			ASSERT(host_alloc_live == 0);
			if (!err)
				break;
		}
	}
}

static void test_reserve(void)
{
	struct index ix = INDEX_INIT;
	int err;

	ASSERT(index_reserve(&ix, 12345) == 0 && index_reserve(&ix, 12346) == 0 && index_reserve(&ix, 1) == 0);
	index_check(&ix);
	host_alloc_fail_nth(1);
	err = index_set(&ix, 12345, &objects[0]);
	ASSERT(err == 0);
	err = index_set(&ix, 1, &objects[0]);
	ASSERT(err == 0);
	host_alloc_fail_nth(0);
	index_unreserve(&ix, 12346);
	ASSERT(index_reserve(&ix, 1UL << 50) == 0);
	index_unreserve(&ix, 1UL << 50);
	ASSERT(ix.count == 2 && index_erase(&ix, 12345) && index_erase(&ix, 1));
	ASSERT(!ix.root && host_alloc_live == 0);
}

static void test_clone(void)
{
	for (size_t nth = 1;; nth++) {
		struct index src = INDEX_INIT;
		struct index dst = INDEX_INIT;
		u32 calls = 0;
		size_t live;
		int err;

		fill(&src, 100, 777);
		live = host_alloc_live;
		host_alloc_fail_nth(nth);
		err = index_clone(&dst, &src, count_entry, &calls);
		host_alloc_fail_nth(0);
		index_check(&dst);
		ASSERT(err ? calls == 0 && index_empty(&dst) && host_alloc_live == live : calls == 100);
		for (u32 i = 0; !err && i < 100; i++) {
			ASSERT(index_get(&dst, i * 777) == &objects[i]);
			ASSERT(index_mark_test(&dst, i * 777, INDEX_MARK_1) == (i % 3 == 0));
		}
		index_destroy(&dst);
		index_check(&src);
		index_destroy(&src);
		ASSERT(host_alloc_live == 0);
		if (!err)
			return;
	}
}

static void test_move(void)
{
	for (size_t nth = 1;; nth++) {
		struct index src = INDEX_INIT;
		struct index dst = INDEX_INIT;
		size_t live;
		int err;

		fill(&src, 100, 50);
		ASSERT(index_set(&dst, 5, &objects[0]) == 0);
		live = host_alloc_live;
		host_alloc_fail_nth(nth);
		err = index_move_range(&dst, 100000, &src, 1000, 2000);
		host_alloc_fail_nth(0);
		index_check(&dst);
		index_check(&src);
		if (err) {
			ASSERT(err == -ENOMEM && src.count == 100 && dst.count == 1 && host_alloc_live == live);
		} else {
			ASSERT(src.count == 60 && dst.count == 41);
			for (u32 i = 20; i < 60; i++) {
				u64 to = 100000 + i * 50 - 1000;

				ASSERT(index_get(&dst, to) == &objects[i]);
				ASSERT(index_mark_test(&dst, to, INDEX_MARK_1) == (i % 3 == 0));
			}
		}
		index_destroy(&dst);
		index_destroy(&src);
		ASSERT(host_alloc_live == 0);
		if (!err)
			return;
	}
}

static void test_find_free(void)
{
	struct index ix = INDEX_INIT;
	u64 key;

	ASSERT(index_find_free(&ix, 7, 10, &key) == 0 && key == 7);
	fill(&ix, 128, 1);
	ASSERT(index_find_free(&ix, 0, 127, &key) == -ENOSPC);
	ASSERT(index_find_free(&ix, 0, 128, &key) == 0 && key == 128);
	index_erase(&ix, 70);
	ASSERT(index_find_free(&ix, 3, 1000, &key) == 0 && key == 70);
	ASSERT(index_find_free(&ix, 71, 127, &key) == -ENOSPC);
	ASSERT(index_set(&ix, UINT64_MAX, &objects[0]) == 0);
	ASSERT(index_find_free(&ix, UINT64_MAX, UINT64_MAX, &key) == -ENOSPC);
	ASSERT(index_find_free(&ix, 130, 129, &key) == -ENOSPC && index_any_marked(&ix, INDEX_MARK_1));
	ASSERT(index_set(&ix, 5, NULL) == 0 && !index_get(&ix, 5) && !index_any_marked(&ix, INDEX_MARK_0));
	index_check(&ix);
	index_destroy(&ix);
}

int main(void)
{
	for (u64 seed = 1; seed <= 40; seed++)
		random_steps(seed, seed % 4 == 0 ? 64 : 8 + (u32)(seed % 30));
	test_set_out_of_memory();
	test_reserve();
	test_clone();
	test_move();
	test_find_free();
	return 0;
}
