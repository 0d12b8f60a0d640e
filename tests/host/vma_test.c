// host-sources: kernel/mm/vma.c kernel/lib/tree.c
/* The interval set against a plain array of pages: find, insert, erase, resize, holes; and that holes are found fast. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/assert.h"
#include "mm/vma.h"

#define PAGES 256
static struct vma *owner[PAGES]; /* model */
static struct vma_tree tree;
static unsigned seed = 1;

static u64 pick(u64 below)
{
	return (u64)rand_r(&seed) % below;
}

static vaddr_t model_hole(u64 nr, u64 low, u64 high)
{
	for (u64 end = high; end >= low + nr; end--) {
		u64 i;

		for (i = end - nr; i < end && !owner[i]; i++)
			;
		if (i == end)
			return (end - nr) << PAGE_SHIFT;
	}
	return 0;
}

static void set(struct vma *v, struct vma *value)
{
	for (u64 p = v->start >> PAGE_SHIFT; p < v->end >> PAGE_SHIFT; p++)
		owner[p] = value;
}

static void random_step(void)
{
	u64 p = 1 + pick(PAGES - 9), n = 1 + pick(8), low, high;
	struct vma *v = vma_find(&tree, p << PAGE_SHIFT), *want = NULL;

	for (u64 i = p; i < PAGES && !want; i++)
		want = owner[i];
	ASSERT(v == want);
	ASSERT(vma_at(&tree, p << PAGE_SHIFT) == owner[p]);
	if (!owner[p] && vma_range_free(&tree, p << PAGE_SHIFT, (p + n) << PAGE_SHIFT)) {
		v = calloc(1, sizeof(*v));
		v->start = p << PAGE_SHIFT;
		v->end = (p + n) << PAGE_SHIFT;
		v->flags = v->max_prot = 0;
		v->pgoff = pick(1 << 30) * 2;
		v->obj = (void *)v; /* never mergeable */
		vma_insert(&tree, v);
		set(v, v);
	} else if (owner[p] && pick(2)) {
		v = owner[p];
		set(v, NULL);
		vma_erase(&tree, v);
		free(v);
	} else if (owner[p] && vma_pages(owner[p]) > 1) {
		v = owner[p];
		set(v, NULL);
		vma_resize(&tree, v, v->start + (pick(2) ? PAGE_SIZE : 0), v->end);
		set(v, v);
	}
	low = 1 + pick(PAGES / 2);
	high = low + pick(PAGES - low);
	ASSERT(vma_find_hole(&tree, n << PAGE_SHIFT, low << PAGE_SHIFT, high << PAGE_SHIFT) ==
		model_hole(n, low, high));
	vma_check(&tree, PAGES << PAGE_SHIFT);
}

/* 60,000 single pages with one-page holes between: a two-page search must not walk them all each time. */
static void many(void)
{
	struct vma *v = calloc(60000, sizeof(*v));
	clock_t start = clock();

	vma_tree_init(&tree);
	for (u64 i = 0; i < 60000; i++) {
		v[i].start = (2 * i + 10) << PAGE_SHIFT;
		v[i].end = v[i].start + PAGE_SIZE;
		vma_insert(&tree, &v[i]);
	}
	for (u64 i = 0; i < 60000; i++)
		ASSERT(vma_find_hole(&tree, 2 * PAGE_SIZE, PAGE_SIZE, 120009ul << PAGE_SHIFT) == 8ul << PAGE_SHIFT);
	ASSERT((clock() - start) / CLOCKS_PER_SEC < 5);
	free(v);
}

int main(void)
{
	vma_tree_init(&tree);
	for (u32 i = 0; i < 40000; i++)
		random_step();
	for (u64 p = 0; p < PAGES; p++) {
		struct vma *v = owner[p];

		if (v) {
			set(v, NULL);
			vma_erase(&tree, v);
			free(v);
		}
	}
	ASSERT(tree.nr == 0);
	many();
	return 0;
}
