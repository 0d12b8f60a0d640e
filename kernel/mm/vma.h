/*
 * VMAs: the promises of an address space, as an ordered set of disjoint,
 * page-aligned intervals. Pure logic: no locks, no allocation but of the VMAs
 * themselves, builds on the host.
 *
 * Invariants (vma_check)
 *  1. start < end, both multiples of the page size, end <= user_end.
 *  2. VMAs do not overlap and are ordered by start.
 *  3. Neighbours that could be one are one, but for what a failed operation cut (aspace_merge); not checked.
 *  4. max_prot contains prot.
 */
#pragma once

#include "lib/list.h"
#include "lib/tree.h"
#include "lib/types.h"

struct amap;
struct memobj;
struct file;
struct aspace;

/* Permissions equal PROT_* and PT_READ… in value: 1 read, 2 write, 4 exec. */
#define VMA_READ       BIT(0)
#define VMA_WRITE      BIT(1)
#define VMA_EXEC       BIT(2)
#define VMA_SHARED     BIT(3)
#define VMA_STACK      BIT(4) /* grows down on a fault just below */
#define VMA_HEAP       BIT(5) /* the brk area, for names */
#define VMA_LOCKED     BIT(6) /* mlock */
#define VMA_DONTFORK   BIT(7)
#define VMA_NOHUGE     BIT(8)
#define VMA_HUGE       BIT(9)
#define VMA_SPECIAL    BIT(10) /* USYSCALL, vDSO: not to be unmapped piecemeal, no accounting */
#define VMA_NEEDS_COPY BIT(11) /* the amap is shared with a fork relative; a write clones it first */
#define VMA_ZERO_SEEN  BIT(12) /* leaves may show the zero page: a write drops the leaf first */
#define VMA_NORESERVE  BIT(13)
#define VMA_ACCOUNT    BIT(14) /* its pages are promised: mm/commit.h */

struct vma {
	vaddr_t start, end;
	u32 flags; /* VMA_* incl. current permissions */
	u32 max_prot;
	struct tree_node node; /* in the tree, by start */
	struct list obj_link;  /* in obj->mappings [obj->lock] */
	struct aspace *as;
	struct memobj *obj;         /* lower layer, or NULL: zeroes. Owned reference */
	u64 pgoff;                  /* page of obj at start */
	struct file *file;          /* for names. Owned reference */
	struct amap *amap;          /* upper layer, or NULL: nothing private yet. Owned reference */
	u64 apgoff;                 /* key in amap of the page at start */
	struct list amap_link;      /* in amap->mappings [amap->lock] */
	vaddr_t w_start, w_end;     /* leaves outside are not writable; w_start >= w_end: none is [pt->lock] */
	u64 file_end;               /* bytes at and beyond this va are zeroes, not obj (bss tail); 0: none */
	vaddr_t sub_start, sub_end; /* of the subtree below node: its extent, */
	u64 sub_gap;                /* and the largest hole between its VMAs */
};

struct vma_tree {
	struct tree tree;
	u32 nr;
	struct vma *last; /* found last: most lookups repeat */
};

void vma_tree_init(struct vma_tree *t);

/* The first VMA that ends beyond addr (it may begin beyond it too), or NULL. */
struct vma *vma_search(struct vma_tree *t, vaddr_t addr);
static inline struct vma *vma_find(struct vma_tree *t, vaddr_t addr)
{
	struct vma *last = READ_ONCE(t->last);

	return likely(last) && addr >= last->start && addr < last->end ? last : vma_search(t, addr);
}
/* The VMA that contains addr, or NULL. */
static inline struct vma *vma_at(struct vma_tree *t, vaddr_t addr)
{
	struct vma *v = vma_find(t, addr);

	return v && v->start <= addr ? v : NULL;
}
/* The neighbours in order, or NULL. */
static inline struct vma *vma_next(const struct vma *v)
{
	return tree_entry_or_null(tree_next(&v->node), struct vma, node);
}
static inline struct vma *vma_prev(const struct vma *v)
{
	return tree_entry_or_null(tree_prev(&v->node), struct vma, node);
}
static inline struct vma *vma_first(const struct vma_tree *t)
{
	return tree_entry_or_null(tree_first(&t->tree), struct vma, node);
}

/* start and end are set; the place must be free. */
void vma_insert(struct vma_tree *t, struct vma *v);
void vma_erase(struct vma_tree *t, struct vma *v);
/* Moves the edges of a VMA in the tree; it may not pass a neighbour. pgoff and apgoff are the caller's. */
void vma_resize(struct vma_tree *t, struct vma *v, vaddr_t start, vaddr_t end);

/* lo, which is in the tree, gives its upper part to hi, which is not: hi's start is within lo, its end is lo's. */
void vma_cut(struct vma_tree *t, struct vma *lo, struct vma *hi);
/* The reverse: hi, which begins where lo ends, leaves the tree, and lo ends where it did. */
void vma_absorb(struct vma_tree *t, struct vma *lo, struct vma *hi);

/* True when [start, end) holds no VMA. */
bool vma_range_free(struct vma_tree *t, vaddr_t start, vaddr_t end);
/* The highest address a with [a, a+len) free and in [low, high); 0: none. O(log n). */
vaddr_t vma_find_hole(struct vma_tree *t, u64 len, vaddr_t low, vaddr_t high);

static inline u64 vma_pages(const struct vma *v)
{
	return (v->end - v->start) >> PAGE_SHIFT;
}
/* Key in the amap of the page at va. */
static inline u64 vma_key(const struct vma *v, vaddr_t va)
{
	return v->apgoff + ((va - v->start) >> PAGE_SHIFT);
}
/* Page of the object at va. */
static inline u64 vma_pgoff(const struct vma *v, vaddr_t va)
{
	return v->pgoff + ((va - v->start) >> PAGE_SHIFT);
}
static inline bool vma_private(const struct vma *v)
{
	return !(v->flags & VMA_SHARED);
}

/* True when all but the amaps would let `a` and `b`, which begins where a ends, be one VMA. */
bool vma_mergeable(const struct vma *a, const struct vma *b);

/* Asserts the invariants. */
void vma_check(const struct vma_tree *t, vaddr_t limit);
