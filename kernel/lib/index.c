/*
 * Radix tree. A walk down keeps the nodes it passed in a path, since nodes have no parent links;
 * whatever has to change above a leaf (marks, pruning of empty nodes) is done by walking that path
 * back up.
 */
#include "lib/alloc.h"
#include "lib/assert.h"
#include "lib/bitmap.h"
#include "lib/checked.h"
#include "lib/errno.h"
#include "lib/index.h"
#include "lib/string.h"

#define INDEX_MAX_DEPTH 11 /* 11 * 6 bits cover 64 */
#define WHICH_PRESENT   INDEX_NR_MARKS

/* nodes[0] is the root, nodes[depth - 1] the last one that exists on the way to the key. */
struct index_path {
	u32 depth;
	bool complete; /* the last one is the leaf */
	struct index_node *nodes[INDEX_MAX_DEPTH];
};

static u32 slot_of(u64 key, u32 shift)
{
	return (u32)((key >> shift) & INDEX_MASK);
}

/* What is left of the key above a node with this shift, lower bits 0. */
static u64 key_above(u64 key, u32 shift)
{
	shift += INDEX_BITS;
	return shift >= 64 ? 0 : key >> shift << shift;
}

static bool key_fits(const struct index *ix, u64 key)
{
	return ix->root && key >> ix->shift <= INDEX_MASK;
}

static struct index_node *node_alloc(void)
{
	struct index_node *node = lib_alloc(sizeof(*node));

	if (node)
		memset(node, 0, sizeof(*node));
	return node;
}

static void node_set_slot(struct index_node *node, u32 slot, void *ptr)
{
	node->slots[slot] = ptr;
	node->present |= BIT(slot);
}

static void node_clear_slot(struct index_node *node, u32 slot)
{
	node->slots[slot] = NULL;
	node->present &= ~BIT(slot);
	for (u32 m = 0; m < INDEX_NR_MARKS; m++)
		node->marks[m] &= ~BIT(slot);
}

static void path_walk(const struct index *ix, u64 key, struct index_path *path)
{
	struct index_node *node = ix->root;
	u32 shift = ix->shift;

	path->depth = 0;
	path->complete = false;
	if (!key_fits(ix, key))
		return;
	for (;;) {
		path->nodes[path->depth++] = node;
		if (shift == 0) {
			path->complete = true;
			return;
		}
		node = node->slots[slot_of(key, shift)];
		if (!node)
			return;
		shift -= INDEX_BITS;
	}
}

/* The shift of path->nodes[i]. */
static u32 path_shift(const struct index *ix, u32 i)
{
	return ix->shift - i * INDEX_BITS;
}

/* The mark was cleared in the last node: carry that upwards. */
static void path_clear_mark(const struct index *ix, u64 key, const struct index_path *path, u32 mark)
{
	for (u32 i = path->depth - 1; i > 0 && path->nodes[i]->marks[mark] == 0; i--)
		path->nodes[i - 1]->marks[mark] &= ~BIT(slot_of(key, path_shift(ix, i - 1)));
}

/*
 * Frees empty nodes from the end of the path up, then needless roots. The path is of no use
 * afterwards.
 */
static void path_prune(struct index *ix, u64 key, struct index_path *path)
{
	while (path->depth > 0 && path->nodes[path->depth - 1]->present == 0) {
		lib_free(path->nodes[--path->depth]);
		if (path->depth == 0) {
			ix->root = NULL;
			ix->shift = 0;
			return;
		}
		node_clear_slot(path->nodes[path->depth - 1], slot_of(key, path_shift(ix, path->depth - 1)));
	}
	while (ix->root && ix->shift > 0 && ix->root->present == 1) {
		struct index_node *root = ix->root;

		ix->root = root->slots[0];
		ix->shift -= INDEX_BITS;
		lib_free(root);
	}
}

/* Makes the tree tall enough for the key. Errors: -ENOMEM, a taller tree than needed may remain. */
static int index_grow(struct index *ix, u64 key)
{
	if (!ix->root) {
		ix->root = node_alloc();
		if (!ix->root)
			return -ENOMEM;
		for (ix->shift = 0; key >> ix->shift > INDEX_MASK; ix->shift += INDEX_BITS)
			;
		return 0;
	}
	while (key >> ix->shift > INDEX_MASK) {
		struct index_node *root = node_alloc();

		if (!root)
			return -ENOMEM;
		node_set_slot(root, 0, ix->root);
		for (u32 m = 0; m < INDEX_NR_MARKS; m++)
			root->marks[m] = ix->root->marks[m] ? 1 : 0;
		ix->root = root;
		ix->shift += INDEX_BITS;
	}
	return 0;
}

/* The leaf for the key, made if need be. NULL: no memory, and nothing changed. */
static struct index_node *leaf_make(struct index *ix, u64 key)
{
	struct index_node *node;

	if (index_grow(ix, key) < 0)
		goto out_prune;
	node = ix->root;
	for (u32 shift = ix->shift; shift; shift -= INDEX_BITS) {
		struct index_node *child = node->slots[slot_of(key, shift)];

		if (!child) {
			child = node_alloc();
			if (!child)
				goto out_prune;
			node_set_slot(node, slot_of(key, shift), child);
		}
		node = child;
	}
	return node;

out_prune:
	index_unreserve(ix, key);
	return NULL;
}

int index_set(struct index *ix, u64 key, void *entry)
{
	struct index_node *leaf;
	u32 slot = slot_of(key, 0);

	if (!entry) {
		index_erase(ix, key);
		return 0;
	}
	leaf = (struct index_node *)index_leaf(ix, key);
	if (unlikely(!leaf)) {
		leaf = leaf_make(ix, key);
		if (!leaf)
			return -ENOMEM;
	}
	if (!leaf->slots[slot])
		ix->count++;
	node_set_slot(leaf, slot, entry);
	return 0;
}

int index_replace(struct index *ix, u64 key, void *old, void *entry)
{
	struct index_node *leaf = (struct index_node *)index_leaf(ix, key);

	if (unlikely(!leaf)) {
		leaf = old ? NULL : leaf_make(ix, key);
		if (!leaf)
			return old ? -EAGAIN : -ENOMEM;
	} else if (leaf->slots[slot_of(key, 0)] != old) {
		return -EAGAIN;
	}
	if (!old)
		ix->count++;
	node_set_slot(leaf, slot_of(key, 0), entry);
	return 0;
}

int index_set_run(struct index *ix, u64 key, u32 nr, void *first, size_t stride)
{
	u64 end = key + nr;
	u8 *entry = first;

	for (u64 k = key; k < end; k = (k | INDEX_MASK) + 1) {
		if (leaf_make(ix, k))
			continue;
		for (u64 made = key; made < k; made = (made | INDEX_MASK) + 1)
			index_unreserve(ix, made);
		return -ENOMEM;
	}
	while (key < end) {
		struct index_node *leaf = (struct index_node *)index_leaf(ix, key);

		do {
			DEBUG_ASSERT(!leaf->slots[slot_of(key, 0)]);
			node_set_slot(leaf, slot_of(key, 0), entry);
			entry += stride;
		} while (++key < end && slot_of(key, 0) != 0);
	}
	ix->count += nr;
	return 0;
}

int index_reserve(struct index *ix, u64 key)
{
	return leaf_make(ix, key) ? 0 : -ENOMEM;
}

void index_unreserve(struct index *ix, u64 key)
{
	struct index_path path;

	path_walk(ix, key, &path);
	path_prune(ix, key, &path);
}

void *index_erase(struct index *ix, u64 key)
{
	struct index_path path;
	struct index_node *leaf;
	void *old;

	path_walk(ix, key, &path);
	if (!path.complete)
		return NULL;
	leaf = path.nodes[path.depth - 1];
	old = leaf->slots[slot_of(key, 0)];
	if (!old)
		return NULL;
	node_clear_slot(leaf, slot_of(key, 0));
	ix->count--;
	for (u32 m = 0; m < INDEX_NR_MARKS; m++)
		path_clear_mark(ix, key, &path, m);
	path_prune(ix, key, &path);
	return old;
}

static u64 node_bits(const struct index_node *node, u32 which)
{
	return which == WHICH_PRESENT ? node->present : node->marks[which];
}

/*
 * First key at or above *key whose bit is set in the given bitmap. Starts again at the root after a
 * subtree without.
 */
static void *find_up(const struct index *ix, u64 *key, u32 which)
{
	u64 k = *key;

	while (key_fits(ix, k)) {
		const struct index_node *node = ix->root;
		u32 shift = ix->shift;
		u64 bits;

		while ((bits = node_bits(node, which) & (~0UL << slot_of(k, shift))) != 0) {
			u32 slot = bit_lowest(bits);

			if (slot != slot_of(k, shift))
				k = key_above(k, shift) | (u64)slot << shift;
			if (shift == 0) {
				*key = k;
				return node->slots[slot];
			}
			node = node->slots[slot];
			shift -= INDEX_BITS;
		}
		if (shift == ix->shift)
			return NULL;
		k = key_above(k, shift) + BIT(shift + INDEX_BITS);
		if (k == 0)
			return NULL;
	}
	return NULL;
}

void *index_next(const struct index *ix, u64 *key)
{
	return find_up(ix, key, WHICH_PRESENT);
}

void *index_next_marked(const struct index *ix, u64 *key, enum index_mark mark)
{
	return find_up(ix, key, mark);
}

void *index_prev(const struct index *ix, u64 *key)
{
	u64 k = *key;

	if (!ix->root)
		return NULL;
	if (!key_fits(ix, k))
		k = BIT(ix->shift + INDEX_BITS) - 1; /* such a root is below the top: no overflow */
	for (;;) {
		const struct index_node *node = ix->root;
		u32 shift = ix->shift;
		u64 bits;

		while ((bits = node->present & (~0UL >> (INDEX_MASK - slot_of(k, shift)))) != 0) {
			u32 slot = bit_highest(bits);

			if (slot != slot_of(k, shift))
				k = key_above(k, shift) | (u64)slot << shift | (BIT(shift) - 1);
			if (shift == 0) {
				*key = k;
				return node->slots[slot];
			}
			node = node->slots[slot];
			shift -= INDEX_BITS;
		}
		if (shift == ix->shift || key_above(k, shift) == 0)
			return NULL;
		k = key_above(k, shift) - 1;
	}
}

int index_find_free(const struct index *ix, u64 key, u64 last, u64 *free_key)
{
	while (key <= last) {
		struct index_path path;
		u64 free;

		path_walk(ix, key, &path);
		if (!path.complete) {
			*free_key = key;
			return 0;
		}
		free = ~path.nodes[path.depth - 1]->present & (~0UL << slot_of(key, 0));
		key = key_above(key, 0);
		if (free) {
			key |= bit_lowest(free);
			if (key > last)
				return -ENOSPC;
			*free_key = key;
			return 0;
		}
		if (add_overflow(key, (u64)INDEX_WIDTH, &key))
			break;
	}
	return -ENOSPC;
}

void index_mark_set(struct index *ix, u64 key, enum index_mark mark)
{
	struct index_path path;

	path_walk(ix, key, &path);
	if (!path.complete || !path.nodes[path.depth - 1]->slots[slot_of(key, 0)])
		return;
	for (u32 i = 0; i < path.depth; i++)
		path.nodes[i]->marks[mark] |= BIT(slot_of(key, path_shift(ix, i)));
}

void index_mark_clear(struct index *ix, u64 key, enum index_mark mark)
{
	struct index_path path;

	path_walk(ix, key, &path);
	if (!path.complete)
		return;
	path.nodes[path.depth - 1]->marks[mark] &= ~BIT(slot_of(key, 0));
	path_clear_mark(ix, key, &path, mark);
}

bool index_mark_test(const struct index *ix, u64 key, enum index_mark mark)
{
	struct index_path path;

	path_walk(ix, key, &path);
	return path.complete && (path.nodes[path.depth - 1]->marks[mark] & BIT(slot_of(key, 0)));
}

bool index_any_marked(const struct index *ix, enum index_mark mark)
{
	return ix->root && ix->root->marks[mark] != 0;
}

static void free_subtree(struct index_node *node, u32 shift)
{
	u64 bits = shift ? node->present : 0;

	for (; bits; bits &= bits - 1)
		free_subtree(node->slots[bit_lowest(bits)], shift - INDEX_BITS);
	lib_free(node);
}

void index_destroy(struct index *ix)
{
	if (ix->root)
		free_subtree(ix->root, ix->shift);
	index_init(ix);
}

static struct index_node *copy_subtree(const struct index_node *src, u32 shift)
{
	struct index_node *node = lib_alloc(sizeof(*node));

	if (!node)
		return NULL;
	memcpy(node, src, sizeof(*node));
	if (shift == 0)
		return node;
	for (u64 bits = src->present; bits; bits &= bits - 1) {
		u32 slot = bit_lowest(bits);

		node->slots[slot] = copy_subtree(src->slots[slot], shift - INDEX_BITS);
		if (!node->slots[slot]) {
			node->present &= BIT(slot) - 1; /* only what was copied is freed */
			free_subtree(node, shift);
			return NULL;
		}
	}
	return node;
}

static void each_entry(const struct index_node *node, u32 shift, index_entry_fn fn, void *ctx)
{
	for (u64 bits = node->present; bits; bits &= bits - 1) {
		void *ptr = node->slots[bit_lowest(bits)];

		if (shift)
			each_entry(ptr, shift - INDEX_BITS, fn, ctx);
		else
			fn(ptr, ctx);
	}
}

int index_clone(struct index *dst, const struct index *src, index_entry_fn fn, void *ctx)
{
	ASSERT(!dst->root);
	if (!src->root)
		return 0;
	dst->root = copy_subtree(src->root, src->shift);
	if (!dst->root)
		return -ENOMEM;
	dst->shift = src->shift;
	dst->count = src->count;
	if (fn)
		each_entry(dst->root, dst->shift, fn, ctx);
	return 0;
}

/* Calls index_unreserve in dst for each entry of src in [start, end). */
static void unreserve_range(struct index *dst, u64 dst_key, const struct index *src, u64 start, u64 end)
{
	u64 key = start;

	while (key < end && index_next(src, &key) && key < end) {
		index_unreserve(dst, dst_key + (key - start));
		key++;
	}
}

int index_move_range(struct index *dst, u64 dst_key, struct index *src, u64 src_key, u64 nr)
{
	u64 end = src_key + nr;
	u64 key = src_key;
	void *entry;

	ASSERT(dst != src);
	while (key < end && index_next(src, &key) && key < end) {
		if (index_reserve(dst, dst_key + (key - src_key)) < 0) {
			unreserve_range(dst, dst_key, src, src_key, key);
			return -ENOMEM;
		}
		key++;
	}
	key = src_key;
	while (key < end && (entry = index_next(src, &key)) && key < end) {
		u64 to = dst_key + (key - src_key);
		int err = index_set(dst, to, entry);

		ASSERT(err == 0);
		for (u32 m = 0; m < INDEX_NR_MARKS; m++)
			if (index_mark_test(src, key, m))
				index_mark_set(dst, to, m);
		index_erase(src, key);
	}
	return 0;
}

/* Of the whole subtree, whose first key is `base`. */
static void erase_subtree(struct index_node *node, u32 shift, u64 base, index_key_fn fn, void *ctx)
{
	for (u64 bits = node->present; bits; bits &= bits - 1) {
		u32 slot = bit_lowest(bits);
		u64 key = base | (u64)slot << shift;

		if (shift)
			erase_subtree(node->slots[slot], shift - INDEX_BITS, key, fn, ctx);
		else if (fn)
			fn(key, node->slots[slot], ctx);
	}
	lib_free(node);
}

void index_erase_range(struct index *ix, u64 start, u64 end, index_key_fn fn, void *ctx)
{
	u64 key = start;

	/* All of it (but perhaps the very last key there is): nothing has to be kept in order meanwhile. */
	if (start == 0 && ix->root && ix->shift + INDEX_BITS < 64 && end >> (ix->shift + INDEX_BITS)) {
		struct index_node *root = ix->root;
		u32 shift = ix->shift;

		index_init(ix);
		erase_subtree(root, shift, 0, fn, ctx);
		return;
	}
	while (key < end) {
		void *entry = index_next(ix, &key);

		if (!entry || key >= end)
			return;
		index_erase(ix, key);
		if (fn)
			fn(key, entry, ctx);
	}
}

static u64 check_subtree(const struct index_node *node, u32 shift)
{
	u64 count = 0;

	for (u32 slot = 0; slot < INDEX_WIDTH; slot++) {
		const struct index_node *child = node->slots[slot];

		ASSERT(((node->present & BIT(slot)) != 0) == (child != NULL));
		for (u32 m = 0; m < INDEX_NR_MARKS; m++) {
			bool marked = (node->marks[m] & BIT(slot)) != 0;

			ASSERT(!marked || child);
			ASSERT(shift == 0 || !child || marked == (child->marks[m] != 0));
		}
		if (child)
			count += shift ? check_subtree(child, shift - INDEX_BITS) : 1;
	}
	return count;
}

void index_check(const struct index *ix)
{
	ASSERT(ix->count == (ix->root ? check_subtree(ix->root, ix->shift) : 0));
	ASSERT(ix->root || ix->shift == 0);
}
