/*
 * Red-black tree. Insertion and erasure follow the usual case analysis; "sibling", "near" and "far"
 * nephew are seen from the side that lacks a black node. Left and right cases share code through
 * child_slot.
 */
#include "lib/assert.h"
#include "lib/tree.h"

enum side { SIDE_LEFT, SIDE_RIGHT };

static enum side other_side(enum side side)
{
	return side == SIDE_LEFT ? SIDE_RIGHT : SIDE_LEFT;
}

static struct tree_node **child_slot(struct tree_node *node, enum side side)
{
	return side == SIDE_LEFT ? &node->left : &node->right;
}

static bool is_black(const struct tree_node *node)
{
	return !node || (node->parent_color & TREE_BLACK);
}

static bool is_red(const struct tree_node *node)
{
	return !is_black(node);
}

static void set_black(struct tree_node *node)
{
	node->parent_color |= TREE_BLACK;
}

static void set_red(struct tree_node *node)
{
	node->parent_color &= ~TREE_BLACK;
}

static void set_parent(struct tree_node *node, struct tree_node *parent)
{
	node->parent_color = (uintptr_t)parent | (node->parent_color & TREE_BLACK);
}

static void copy_color(struct tree_node *node, const struct tree_node *from)
{
	node->parent_color = (node->parent_color & ~TREE_BLACK) | (from->parent_color & TREE_BLACK);
}

/* Puts `fresh` (may be NULL) where `old` hangs under `parent` (NULL: the root). */
static void replace_child(struct tree *tree, struct tree_node *parent, struct tree_node *old, struct tree_node *fresh)
{
	if (!parent)
		tree->root = fresh;
	else if (parent->left == old)
		parent->left = fresh;
	else
		parent->right = fresh;
}

/*
 * `top` sinks to `side`; its child of the other side takes its place. The set of nodes below stays
 * the same.
 */
static void rotate(struct tree *tree, struct tree_node *top, enum side side)
{
	struct tree_node **slot = child_slot(top, other_side(side));
	struct tree_node *up = *slot;
	struct tree_node **inner = child_slot(up, side);

	*slot = *inner;
	if (*inner)
		set_parent(*inner, top);
	replace_child(tree, tree_parent(top), top, up);
	set_parent(up, tree_parent(top));
	*inner = top;
	set_parent(top, up);
	if (tree->augment) {
		tree->augment(top);
		tree->augment(up);
	}
}

void tree_augment_path(struct tree *tree, struct tree_node *node)
{
	if (!tree->augment)
		return;
	while (node && tree->augment(node))
		node = tree_parent(node);
}

/* Its own summary is of no use yet, so its being the same as before says nothing. */
static void augment_new(struct tree *tree, struct tree_node *node)
{
	if (!tree->augment)
		return;
	tree->augment(node);
	tree_augment_path(tree, tree_parent(node));
}

/* `node` is red; makes an end of a red parent. */
static void insert_fixup(struct tree *tree, struct tree_node *node)
{
	struct tree_node *parent;

	while ((parent = tree_parent(node)) && is_red(parent)) {
		struct tree_node *grand = tree_parent(parent);
		enum side side = grand->left == parent ? SIDE_LEFT : SIDE_RIGHT;
		struct tree_node *uncle = *child_slot(grand, other_side(side));

		if (is_red(uncle)) {
			set_black(parent);
			set_black(uncle);
			set_red(grand);
			node = grand;
			continue;
		}
		if (*child_slot(parent, other_side(side)) == node) {
			rotate(tree, parent, side);
			parent = node;
		}
		set_black(parent);
		set_red(grand);
		rotate(tree, grand, other_side(side));
		break;
	}
	set_black(tree->root);
}

void tree_insert_at(struct tree *tree, struct tree_node *node, struct tree_node *parent, struct tree_node **link)
{
	node->parent_color = (uintptr_t)parent;
	node->left = NULL;
	node->right = NULL;
	*link = node;
	augment_new(tree, node);
	insert_fixup(tree, node);
}

void tree_insert(struct tree *tree, struct tree_node *node, tree_less_fn less)
{
	struct tree_node **link = &tree->root;
	struct tree_node *parent = NULL;

	while (*link) {
		parent = *link;
		link = less(node, parent) ? &parent->left : &parent->right;
	}
	tree_insert_at(tree, node, parent, link);
}

/* The subtree `node` (may be NULL) under `parent` lacks one black node on every path. */
static void erase_fixup(struct tree *tree, struct tree_node *node, struct tree_node *parent)
{
	while (parent && is_black(node)) {
		enum side side = parent->left == node ? SIDE_LEFT : SIDE_RIGHT;
		struct tree_node *sibling = *child_slot(parent, other_side(side));
		struct tree_node *near;
		struct tree_node *far;

		if (is_red(sibling)) {
			set_black(sibling);
			set_red(parent);
			rotate(tree, parent, side);
			sibling = *child_slot(parent, other_side(side));
		}
		near = *child_slot(sibling, side);
		far = *child_slot(sibling, other_side(side));
		if (is_black(near) && is_black(far)) {
			set_red(sibling);
			node = parent;
			parent = tree_parent(node);
			continue;
		}
		if (is_black(far)) {
			set_black(near);
			set_red(sibling);
			rotate(tree, sibling, other_side(side));
			far = sibling;
			sibling = near;
		}
		copy_color(sibling, parent);
		set_black(parent);
		set_black(far);
		rotate(tree, parent, side);
		return;
	}
	if (node)
		set_black(node);
}

static struct tree_node *leftmost(struct tree_node *node)
{
	while (node->left)
		node = node->left;
	return node;
}

/*
 * Takes `node`, which has two children, out by putting its successor in its place. Returns where a
 * node is now missing: the successor's old parent (or itself), and in *child what moved up there.
 */
static struct tree_node *splice_successor(struct tree *tree, struct tree_node *node, struct tree_node **child)
{
	struct tree_node *succ = leftmost(node->right);
	struct tree_node *parent = tree_parent(succ);

	*child = succ->right;
	if (parent == node) {
		parent = succ;
	} else {
		parent->left = *child;
		if (*child)
			set_parent(*child, parent);
		succ->right = node->right;
		set_parent(succ->right, succ);
	}
	succ->left = node->left;
	set_parent(succ->left, succ);
	succ->parent_color = node->parent_color;
	replace_child(tree, tree_parent(node), node, succ);
	return parent;
}

void tree_erase(struct tree *tree, struct tree_node *node)
{
	struct tree_node *parent;
	struct tree_node *child;
	struct tree_node *moved = NULL; /* into the place of `node` */
	bool lost_black;

	if (node->left && node->right) {
		moved = leftmost(node->right);
		lost_black = is_black(moved);
		parent = splice_successor(tree, node, &child);
	} else {
		lost_black = is_black(node);
		parent = tree_parent(node);
		child = node->left ? node->left : node->right;
		replace_child(tree, parent, node, child);
		if (child)
			set_parent(child, parent);
	}
	tree_augment_path(tree, parent);
	if (moved)
		augment_new(tree, moved);
	if (lost_black)
		erase_fixup(tree, child, parent);
	node->parent_color = 0;
	node->left = NULL;
	node->right = NULL;
}

void tree_replace(struct tree *tree, struct tree_node *old, struct tree_node *fresh)
{
	*fresh = *old;
	replace_child(tree, tree_parent(old), old, fresh);
	if (fresh->left)
		set_parent(fresh->left, fresh);
	if (fresh->right)
		set_parent(fresh->right, fresh);
	old->parent_color = 0;
	old->left = NULL;
	old->right = NULL;
	augment_new(tree, fresh);
}

struct tree_node *tree_first(const struct tree *tree)
{
	return tree->root ? leftmost(tree->root) : NULL;
}

struct tree_node *tree_last(const struct tree *tree)
{
	struct tree_node *node = tree->root;

	while (node && node->right)
		node = node->right;
	return node;
}

struct tree_node *tree_next(const struct tree_node *node)
{
	struct tree_node *parent;

	if (node->right)
		return leftmost(node->right);
	while ((parent = tree_parent(node)) && node == parent->right)
		node = parent;
	return parent;
}

struct tree_node *tree_prev(const struct tree_node *node)
{
	struct tree_node *parent;

	if (node->left) {
		struct tree_node *last = node->left;

		while (last->right)
			last = last->right;
		return last;
	}
	while ((parent = tree_parent(node)) && node == parent->left)
		node = parent;
	return parent;
}

/* Returns the black height; counts nodes. */
static u32 check_subtree(const struct tree_node *node, size_t *nr)
{
	u32 height;

	if (!node)
		return 0;
	(*nr)++;
	ASSERT(!node->left || tree_parent(node->left) == node);
	ASSERT(!node->right || tree_parent(node->right) == node);
	ASSERT(is_black(node) || (is_black(node->left) && is_black(node->right)));
	height = check_subtree(node->left, nr);
	ASSERT(height == check_subtree(node->right, nr));
	return height + (is_black(node) ? 1 : 0);
}

size_t tree_check(const struct tree *tree, tree_less_fn less)
{
	struct tree_node *node = tree_first(tree);
	size_t nr = 0;

	ASSERT(is_black(tree->root));
	ASSERT(!tree->root || !tree_parent(tree->root));
	check_subtree(tree->root, &nr);
	for (; less && node; node = tree_next(node)) {
		struct tree_node *next = tree_next(node);

		ASSERT(!next || !less(next, node));
	}
	return nr;
}
