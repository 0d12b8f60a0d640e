/* Ordered disjoint intervals. See mm/vma.h. */
#include "mm/vma.h"

#include "lib/assert.h"

#define node_vma(n) tree_entry(n, struct vma, node)

static bool vma_summarise(struct tree_node *n)
{
	struct vma *v = node_vma(n);
	vaddr_t start = v->start, end = v->end;
	u64 gap = 0;

	if (n->left) {
		struct vma *l = node_vma(n->left);

		start = l->sub_start;
		gap = MAX(l->sub_gap, v->start - l->sub_end);
	}
	if (n->right) {
		struct vma *r = node_vma(n->right);

		end = r->sub_end;
		gap = MAX(gap, MAX(r->sub_gap, r->sub_start - v->end));
	}
	if (v->sub_start == start && v->sub_end == end && v->sub_gap == gap)
		return false;
	v->sub_start = start;
	v->sub_end = end;
	v->sub_gap = gap;
	return true;
}

void vma_tree_init(struct vma_tree *t)
{
	tree_init_augmented(&t->tree, vma_summarise);
	t->nr = 0;
	t->last = NULL;
}

struct vma *vma_search(struct vma_tree *t, vaddr_t addr)
{
	struct vma *best = NULL;
	struct tree_node *n;

	for (n = t->tree.root; n;) {
		struct vma *v = node_vma(n);

		if (addr < v->end) {
			best = v;
			if (addr >= v->start) {
				/* Readers race for it, with values that are all good. */
				WRITE_ONCE(t->last, v);
				break;
			}
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return best;
}

void vma_insert(struct vma_tree *t, struct vma *v)
{
	struct tree_node **link = &t->tree.root, *parent = NULL;

	DEBUG_ASSERT(v->start < v->end);
	while (*link) {
		parent = *link;
		DEBUG_ASSERT(v->end <= node_vma(parent)->start || v->start >= node_vma(parent)->end);
		link = v->start < node_vma(parent)->start ? &parent->left : &parent->right;
	}
	tree_insert_at(&t->tree, &v->node, parent, link);
	t->nr++;
}

void vma_erase(struct vma_tree *t, struct vma *v)
{
	tree_erase(&t->tree, &v->node);
	t->nr--;
	if (t->last == v)
		t->last = NULL;
}

void vma_resize(struct vma_tree *t, struct vma *v, vaddr_t start, vaddr_t end)
{
	DEBUG_ASSERT(start < end);
	v->start = start;
	v->end = end;
	tree_augment_path(&t->tree, &v->node);
}

void vma_cut(struct vma_tree *t, struct vma *lo, struct vma *hi)
{
	struct tree_node *parent = &lo->node, **link = &lo->node.right;

	DEBUG_ASSERT(lo->start < hi->start && hi->start < hi->end && hi->end == lo->end);
	/* The next in order has its place below lo, whose summary is made anew on the way up from there. */
	lo->end = hi->start;
	while (*link) {
		parent = *link;
		link = &parent->left;
	}
	tree_insert_at(&t->tree, &hi->node, parent, link);
	t->nr++;
}

void vma_absorb(struct vma_tree *t, struct vma *lo, struct vma *hi)
{
	/* Where the next in order is not below lo, lo is below it. */
	bool below = lo->node.right != NULL;

	DEBUG_ASSERT(lo->end == hi->start);
	lo->end = hi->end;
	vma_erase(t, hi);
	/* lo's extent with hi below was the same. Else all above lo change; that one stays says nothing there, because
	 * rotations may have renewed it already. */
	for (struct tree_node *n = &lo->node; n && !below; n = tree_parent(n))
		vma_summarise(n);
}

bool vma_range_free(struct vma_tree *t, vaddr_t start, vaddr_t end)
{
	struct vma *v = vma_find(t, start);

	return !v || v->start >= end;
}

/*
 * Walks downwards from the top, and skips every subtree that has no hole of
 * that size: `top` is where the hole under consideration ends, n the node just
 * below it. A subtree is entered only if it holds a hole that is large enough,
 * so each level is descended once.
 */
vaddr_t vma_find_hole(struct vma_tree *t, u64 len, vaddr_t low, vaddr_t high)
{
	struct tree_node *n = t->tree.root, *at = NULL;
	vaddr_t top = high;

	if (high < low || high - low < len)
		return 0;
	/* The last VMA that begins below `high`. */
	while (n) {
		if (node_vma(n)->start < high) {
			at = n;
			n = n->right;
		} else {
			n = n->left;
		}
	}
	while (at) {
		struct vma *v = node_vma(at);
		vaddr_t bottom = MAX(v->end, low);

		if (top > bottom && top - bottom >= len)
			return top - len;
		top = v->start;
		if (top < low || top - low < len)
			return 0;
		if (at->left) {
			struct vma *l = node_vma(at->left);

			if (top - l->sub_end >= len || l->sub_gap >= len) {
				for (at = at->left; at->right; at = at->right)
					;
				continue;
			}
			top = l->sub_start;
		}
		/* Up to the nearest ancestor that we are to the right of. */
		while ((n = tree_parent(at)) && n->left == at)
			at = n;
		at = n;
	}
	return top >= low && top - low >= len ? top - len : 0;
}

bool vma_mergeable(const struct vma *a, const struct vma *b)
{
	const u32 passing = VMA_NEEDS_COPY | VMA_ZERO_SEEN;

	if (a->end != b->start || ((a->flags ^ b->flags) & ~passing) || a->max_prot != b->max_prot)
		return false;
	if (a->flags & (VMA_SPECIAL | VMA_STACK))
		return false;
	if (a->obj != b->obj || a->file != b->file || a->file_end != b->file_end)
		return false;
	return !a->obj || a->pgoff + vma_pages(a) == b->pgoff;
}

static bool vma_before(const struct tree_node *a, const struct tree_node *b)
{
	return node_vma(a)->start < node_vma(b)->start;
}

void vma_check(const struct vma_tree *t, vaddr_t limit)
{
	struct vma *v, *prev = NULL;
	u32 nr = 0;

	ASSERT(tree_check(&t->tree, vma_before) == t->nr);
	tree_for_each_entry(v, &t->tree, node)
	{
		struct vma copy = *v;

		ASSERT(v->start < v->end && v->end <= limit);
		ASSERT(IS_ALIGNED(v->start | v->end, PAGE_SIZE));
		ASSERT(!prev || prev->end <= v->start);
		ASSERT(!(v->flags & 7 & ~v->max_prot));
		vma_summarise(&v->node);
		ASSERT(copy.sub_start == v->sub_start && copy.sub_end == v->sub_end && copy.sub_gap == v->sub_gap);
		prev = v;
		nr++;
	}
	ASSERT(nr == t->nr);
}
