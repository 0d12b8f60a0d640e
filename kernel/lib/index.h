/*
 * An index from u64 keys to pointers: page caches, anonymous maps, id tables.
 *
 *	struct index        a radix tree of 64-way nodes; its height follows the largest key.
 *	  root (shift 6)    [ node, NULL, node, ... ]
 *	                       |             |
 *	  leaf (shift 0)    [ ptr, ... ]  [ ptr, NULL, ... ]
 *
 * An entry is any non-NULL pointer; its low bits are the caller's business. NULL means absent. Each
 * entry has two marks (INDEX_MARK_0, INDEX_MARK_1), which can be searched for; a new entry has
 * none, a replaced one keeps its own.
 *
 * Invariants (index_check): X1 a node's `present` bit is set exactly where its slot is non-NULL; X2
 * a leaf's mark is set only on a present slot; X3 an inner node's mark bit is set exactly where the
 * child has any such mark; X4 `count` is the number of entries. A leaf may be empty (reserved)
 * until the next erase near it.
 *
 * Locking is the caller's. Memory comes from lib_alloc, which never sleeps.
 */
#ifndef LIB_INDEX_H
#define LIB_INDEX_H

#include "lib/types.h"

#define INDEX_BITS  6
#define INDEX_WIDTH 64
#define INDEX_MASK  63UL

enum index_mark { INDEX_MARK_0, INDEX_MARK_1, INDEX_NR_MARKS };

struct index_node {
	u64 present;
	u64 marks[INDEX_NR_MARKS];
	void *slots[INDEX_WIDTH]; /* nodes, or entries in a leaf */
};

struct index {
	struct index_node *root; /* NULL: no entries */
	u32 shift;               /* of the root: a multiple of INDEX_BITS, 0 for a leaf */
	u64 count;               /* entries */
};

#define INDEX_INIT                                   \
	{                                            \
		.root = NULL, .shift = 0, .count = 0 \
	}

/* Called for each entry, in order of keys. */
typedef void (*index_entry_fn)(void *entry, void *ctx);
typedef void (*index_key_fn)(u64 key, void *entry, void *ctx);

static inline void index_init(struct index *ix)
{
	ix->root = NULL;
	ix->shift = 0;
	ix->count = 0;
}

static inline bool index_empty(const struct index *ix)
{
	return ix->count == 0;
}

/* The entry, or NULL. */
static inline void *index_get(const struct index *ix, u64 key)
{
	const struct index_node *node = ix->root;
	u32 shift = ix->shift;

	if (!node || key >> shift > INDEX_MASK)
		return NULL;
	for (; shift; shift -= INDEX_BITS) {
		node = (const struct index_node *)node->slots[(key >> shift) & INDEX_MASK];
		if (!node)
			return NULL;
	}
	return node->slots[key & INDEX_MASK];
}

/* The leaf that has the slot of `key`: keys that agree above their low six bits share it. NULL: all of them are absent. */
static inline const struct index_node *index_leaf(const struct index *ix, u64 key)
{
	const struct index_node *node = ix->root;
	u32 shift = ix->shift;

	if (!node || key >> shift > INDEX_MASK)
		return NULL;
	for (; shift && node; shift -= INDEX_BITS)
		node = (const struct index_node *)node->slots[(key >> shift) & INDEX_MASK];
	return node;
}

/*
 * Stores `entry` at `key`, over whatever was there. Storing NULL is index_erase.
 * Errors: -ENOMEM, never if the key is present or reserved.
 */
int index_set(struct index *ix, u64 key, void *entry);

/* index_set, if what is at `key` now is `old` (NULL: nothing); otherwise -EAGAIN. `entry` is not NULL. */
int index_replace(struct index *ix, u64 key, void *old, void *entry);

/* Stores first, first + stride, ... at nr keys from `key` on, all of them absent. Errors: -ENOMEM, nothing stored. */
int index_set_run(struct index *ix, u64 key, u32 nr, void *first, size_t stride);

/*
 * Makes the following index_set at `key` infallible. Holds until the next index_erase (of any key),
 * so keep the index locked between the two. Several keys may be reserved in a row.
 */
int index_reserve(struct index *ix, u64 key);
/* Gives back what a reservation that was not used left behind. Entries are not touched. */
void index_unreserve(struct index *ix, u64 key);

/* Returns the old entry, or NULL. Never fails. */
void *index_erase(struct index *ix, u64 key);

/*
 * The first entry at a key >= *key; *key becomes its key. NULL (and *key unchanged) when there is
 * none.
 */
void *index_next(const struct index *ix, u64 *key);
/* The same among entries with the mark. */
void *index_next_marked(const struct index *ix, u64 *key, enum index_mark mark);
/* The last entry at a key <= *key. */
void *index_prev(const struct index *ix, u64 *key);
/*
 * The first key >= `key` with no entry: a free id. Returns 0 and *free_key, or -ENOSPC when all up
 * to `last` are taken.
 */
int index_find_free(const struct index *ix, u64 key, u64 last, u64 *free_key);

/* All three: nothing happens (false) when the key is absent. */
void index_mark_set(struct index *ix, u64 key, enum index_mark mark);
void index_mark_clear(struct index *ix, u64 key, enum index_mark mark);
bool index_mark_test(const struct index *ix, u64 key, enum index_mark mark);
/* Does any entry have it? */
bool index_any_marked(const struct index *ix, enum index_mark mark);

/*
 * Makes the empty `dst` a copy of `src`, marks included; copies node by node. Then, when nothing
 * can fail any more, calls fn(entry, ctx) for each entry (fn may be NULL). Errors: -ENOMEM, then
 * dst is empty and fn was not called.
 */
int index_clone(struct index *dst, const struct index *src, index_entry_fn fn, void *ctx);

/*
 * Moves the entries of src at [src_key, src_key + nr) to [dst_key, dst_key + nr) of dst, marks
 * included. dst is another index and has no entries there. Errors: -ENOMEM, nothing moved.
 */
int index_move_range(struct index *dst, u64 dst_key, struct index *src, u64 src_key, u64 nr);

/*
 * Erases every entry with a key in [start, end), calling fn(key, entry, ctx) for each (fn may be
 * NULL).
 */
void index_erase_range(struct index *ix, u64 start, u64 end, index_key_fn fn, void *ctx);

/*
 * Frees the nodes; entries are forgotten, not freed. The index is empty afterwards and may be used
 * again.
 */
void index_destroy(struct index *ix);

/* Asserts X1–X4. */
void index_check(const struct index *ix);

/*
 * For each entry from `key` up: `key` is a u64 variable set by the caller. The entry may be erased
 * in the body.
 */
#define index_for_each(ix, key, entry)                  \
	for ((entry) = index_next(ix, &(key)); (entry); \
		(entry) = (key) == UINT64_MAX ? NULL : ((key)++, index_next(ix, &(key))))

#endif
