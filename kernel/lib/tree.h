/*
 * Intrusive red-black tree. Locking is the caller's; no memory is allocated, nothing fails.
 *
 * Insertion: tree_insert with an order function; or, where the caller's own search found the place,
 * tree_insert_at:
 *
 *	struct tree_node **link = &tree->root, *parent = NULL;
 *	while (*link) {
 *		parent = *link;
 *		link = key < key_of(parent) ? &parent->left : &parent->right;
 *	}
 *	tree_insert_at(tree, node, parent, link);
 *
 * Lookup is the caller's loop over left and right, from tree->root.
 *
 * Augmentation: when tree->augment is set, each node keeps a summary of its own subtree (the
 * largest end, the largest gap). The tree calls augment(node), children first, whenever a node's
 * children changed; the callback recomputes the node's summary from the node itself and its two
 * children's summaries. When the node's own value changes while it is in the tree, the caller calls
 * tree_augment_path.
 *
 * Invariants (tree_check): T1 in-order walk is sorted (never less(next, prev)); T2 a red node has
 * no red child;
 * T3 every path from the root to a NULL has the same number of black nodes; T4 the root is black;
 * T5 parent links agree with child links.
 */
#ifndef LIB_TREE_H
#define LIB_TREE_H

#include "lib/types.h"

struct tree_node {
	uintptr_t parent_color; /* parent's address | TREE_BLACK; 0 when never inserted or erased */
	struct tree_node *left;
	struct tree_node *right;
};

/* Returns whether the summary is another now: if not, nothing changes above. */
typedef bool (*tree_augment_fn)(struct tree_node *node);
/* Does a come before b? Equal nodes keep the order of insertion. */
typedef bool (*tree_less_fn)(const struct tree_node *a, const struct tree_node *b);

struct tree {
	struct tree_node *root;
	tree_augment_fn augment; /* NULL: none */
};

#define TREE_INIT                             \
	{                                     \
		.root = NULL, .augment = NULL \
	}
#define TREE_BLACK                    1UL
#define tree_entry(ptr, type, member) container_of(ptr, type, member)
#define tree_entry_or_null(ptr, type, member)                               \
	({                                                                  \
		struct tree_node *tree_p = (ptr);                           \
		tree_p ? container_of(tree_p, type, member) : (type *)NULL; \
	})

static inline void tree_init(struct tree *tree)
{
	tree->root = NULL;
	tree->augment = NULL;
}

static inline void tree_init_augmented(struct tree *tree, tree_augment_fn augment)
{
	tree->root = NULL;
	tree->augment = augment;
}

static inline bool tree_empty(const struct tree *tree)
{
	return !tree->root;
}

static inline struct tree_node *tree_parent(const struct tree_node *node)
{
	return (struct tree_node *)(node->parent_color & ~TREE_BLACK);
}

void tree_insert(struct tree *tree, struct tree_node *node, tree_less_fn less);
/* *link is NULL and is the place under `parent` (or &tree->root) found by the caller's search. */
void tree_insert_at(struct tree *tree, struct tree_node *node, struct tree_node *parent, struct tree_node **link);
/* `node` must be in the tree. */
void tree_erase(struct tree *tree, struct tree_node *node);
/* `fresh`, in no tree, takes the place of `old`; both sort alike. */
void tree_replace(struct tree *tree, struct tree_node *old, struct tree_node *fresh);
/* Recomputes the summaries from `node` up to the root. */
void tree_augment_path(struct tree *tree, struct tree_node *node);

/* In order; NULL at the end or for an empty tree. */
struct tree_node *tree_first(const struct tree *tree);
struct tree_node *tree_last(const struct tree *tree);
struct tree_node *tree_next(const struct tree_node *node);
struct tree_node *tree_prev(const struct tree_node *node);

/* Asserts T1–T5 (T1 unless less is NULL). Returns the number of nodes. */
size_t tree_check(const struct tree *tree, tree_less_fn less);

#define tree_for_each_entry(pos, tree, member)                                                \
	for ((pos) = tree_entry_or_null(tree_first(tree), __typeof__(*(pos)), member); (pos); \
		(pos) = tree_entry_or_null(tree_next(&(pos)->member), __typeof__(*(pos)), member))

/* `pos` may be erased, and freed, in the body. */
#define tree_for_each_entry_safe(pos, n, tree, member)                                                            \
	for ((pos) = tree_entry_or_null(tree_first(tree), __typeof__(*(pos)), member);                            \
		(pos) && ((n) = tree_entry_or_null(tree_next(&(pos)->member), __typeof__(*(pos)), member), true); \
		(pos) = (n))

#endif
