// host-sources: kernel/lib/tree.c
/*
 * Random insertions and erasures against a sorted array; an augmented tree keeps the largest value
 * of each subtree.
 */
#include "lib/assert.h"
#include "lib/rand.h"
#include "lib/tree.h"

#define NR 256

struct item {
	struct tree_node node;
	u64 key;
	u64 value;
	u64 max_value; /* of the subtree */
	bool in_tree;
};

static struct item items[NR];
static struct tree tree;

static struct item *item_of(struct tree_node *node)
{
	return tree_entry_or_null(node, struct item, node);
}

static bool item_less(const struct tree_node *a, const struct tree_node *b)
{
	return tree_entry(a, struct item, node)->key < tree_entry(b, struct item, node)->key;
}

static u64 own_max(const struct item *item)
{
	u64 max = item->value;

	if (item->node.left)
		max = MAX(max, item_of(item->node.left)->max_value);
	if (item->node.right)
		max = MAX(max, item_of(item->node.right)->max_value);
	return max;
}

static bool item_augment(struct tree_node *node)
{
	u64 old = item_of(node)->max_value;

	item_of(node)->max_value = own_max(item_of(node));
	return item_of(node)->max_value != old;
}

static void check(void)
{
	struct item *item;
	u64 previous = 0;
	size_t expected = 0;
	size_t seen = 0;

	for (u32 i = 0; i < NR; i++)
		expected += items[i].in_tree;
	ASSERT(tree_check(&tree, item_less) == expected);
	tree_for_each_entry(item, &tree, node)
	{
		ASSERT(item->in_tree);
		ASSERT(item->key >= previous);
		ASSERT(item->max_value == own_max(item));
		previous = item->key;
		seen++;
	}
	ASSERT(seen == expected);
	for (struct tree_node *n = tree_last(&tree); n; n = tree_prev(n))
		seen--;
	ASSERT(seen == 0);
}

static void random_steps(u64 seed, u32 keys)
{
	struct xorshift rng;
	struct item *item;
	struct item *next;

	xorshift_init(&rng, seed);
	tree_init_augmented(&tree, item_augment);
	for (u32 step = 0; step < 3000; step++) {
		item = &items[xorshift_below(&rng, NR)];
		if (!item->in_tree) {
			item->key = xorshift_below(&rng, keys);
			item->value = xorshift_next(&rng);
			tree_insert(&tree, &item->node, item_less);
			item->in_tree = true;
		} else if (xorshift_below(&rng, 4) == 0) {
			item->value = xorshift_next(&rng);
			tree_augment_path(&tree, &item->node);
		} else {
			tree_erase(&tree, &item->node);
			item->in_tree = false;
		}
		if (step % 7 == 0)
			check();
	}
	tree_for_each_entry_safe(item, next, &tree, node)
	{
		tree_erase(&tree, &item->node);
		item->in_tree = false;
	}
	ASSERT(tree_empty(&tree));
}

static void test_replace(void)
{
	static struct item fresh;
	struct tree_node *root;

	tree_init_augmented(&tree, item_augment);
	for (u32 i = 0; i < 50; i++) {
		items[i].key = i;
		items[i].value = i;
		items[i].in_tree = true;
		tree_insert(&tree, &items[i].node, item_less);
	}
	fresh.key = 20;
	fresh.value = 1000;
	fresh.in_tree = true;
	tree_replace(&tree, &items[20].node, &fresh.node);
	items[20].in_tree = false;
	ASSERT(tree_check(&tree, item_less) == 50);
	ASSERT(item_of(tree.root)->max_value == 1000);
	root = tree.root;
	items[20] = *item_of(root);
	tree_replace(&tree, root, &items[20].node);
	ASSERT(tree.root == &items[20].node && tree_check(&tree, item_less) == 50);
}

int main(void)
{
	for (u64 seed = 1; seed <= 20; seed++)
		random_steps(seed, seed % 2 ? 40 : 100000);
	test_replace();
	return 0;
}
