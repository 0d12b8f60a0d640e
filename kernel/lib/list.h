/*
 * Intrusive lists. Locking is the caller's.
 *
 * struct list: a doubly linked ring; the head is itself a node. A node that is on no list points at
 * itself, so that list_empty(&node) says "on no list"; list_del puts it back in that state, and
 * list_del twice is harmless. struct hlist_head: one word, for the chains of a hash table.
 *
 * Argument order: the node first, then the head.
 */
#ifndef LIB_LIST_H
#define LIB_LIST_H

#include "lib/types.h"

struct list {
	struct list *next;
	struct list *prev;
};

#define LIST_INIT(name)                          \
	{                                        \
		.next = &(name), .prev = &(name) \
	}
#define LIST_HEAD(name) struct list name = LIST_INIT(name)

static inline void list_init(struct list *l)
{
	l->next = l;
	l->prev = l;
}

static inline bool list_empty(const struct list *head)
{
	return READ_ONCE(head->next) == head;
}

static inline void list_insert_between(struct list *node, struct list *prev, struct list *next)
{
	next->prev = node;
	node->next = next;
	node->prev = prev;
	WRITE_ONCE(prev->next, node);
}

/* Adds at the front. `node` must be on no list. Also: inserts after the node `head`. */
static inline void list_add(struct list *node, struct list *head)
{
	list_insert_between(node, head, head->next);
}

/* Adds at the end. Also: inserts before the node `head`. */
static inline void list_add_tail(struct list *node, struct list *head)
{
	list_insert_between(node, head->prev, head);
}

static inline void list_del(struct list *node)
{
	node->next->prev = node->prev;
	WRITE_ONCE(node->prev->next, node->next);
	list_init(node);
}

static inline void list_move(struct list *node, struct list *head)
{
	list_del(node);
	list_add(node, head);
}

static inline void list_move_tail(struct list *node, struct list *head)
{
	list_del(node);
	list_add_tail(node, head);
}

/* Moves all nodes of `from` to the end of `to`; `from` becomes empty. */
static inline void list_splice_tail(struct list *from, struct list *to)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

/* Moves all nodes of `from` to the front of `to`; `from` becomes empty. */
static inline void list_splice(struct list *from, struct list *to)
{
	if (list_empty(from))
		return;
	list_splice_tail(to, from);
	list_splice_tail(from, to);
}

static inline bool list_is_last(const struct list *node, const struct list *head)
{
	return node->next == head;
}

static inline bool list_is_single(const struct list *head)
{
	return !list_empty(head) && head->next == head->prev;
}

/* Walks the whole list. */
static inline size_t list_length(const struct list *head)
{
	size_t n = 0;

	for (const struct list *l = head->next; l != head; l = l->next)
		n++;
	return n;
}

#define list_entry(ptr, type, member)        container_of(ptr, type, member)
/* The list must not be empty. */
#define list_first_entry(head, type, member) list_entry((head)->next, type, member)
#define list_last_entry(head, type, member)  list_entry((head)->prev, type, member)
/* NULL when the list is empty. `head` is evaluated twice. */
#define list_first_entry_or_null(head, type, member) \
	(list_empty(head) ? (type *)NULL : list_first_entry(head, type, member))
/* The neighbour; at the end this is the head in disguise. */
#define list_next_entry(pos, member) list_entry((pos)->member.next, __typeof__(*(pos)), member)
#define list_prev_entry(pos, member) list_entry((pos)->member.prev, __typeof__(*(pos)), member)

/*
 * Iteration: `pos` (and `n`) are entry pointers that the caller declared. In the safe form `pos`
 * may be removed from the list, and freed, in the body. After a loop that ran to the end `pos` is
 * no entry.
 */
#define list_for_each(pos, head) for ((pos) = (head)->next; (pos) != (head); (pos) = (pos)->next)

#define list_for_each_entry(pos, head, member)                                                       \
	for ((pos) = list_entry((head)->next, __typeof__(*(pos)), member); &(pos)->member != (head); \
		(pos) = list_next_entry(pos, member))

#define list_for_each_entry_safe(pos, n, head, member)                                                         \
	for ((pos) = list_entry((head)->next, __typeof__(*(pos)), member), (n) = list_next_entry(pos, member); \
		&(pos)->member != (head); (pos) = (n), (n) = list_next_entry(n, member))

#define list_for_each_entry_reverse(pos, head, member)                                               \
	for ((pos) = list_entry((head)->prev, __typeof__(*(pos)), member); &(pos)->member != (head); \
		(pos) = list_prev_entry(pos, member))

/* ---- hash chains ---- */
struct hlist_node {
	struct hlist_node *next;
	struct hlist_node **link; /* what points at this node; NULL: on no chain */
};

struct hlist_head {
	struct hlist_node *first;
};

#define HLIST_INIT            \
	{                     \
		.first = NULL \
	}

static inline void hlist_init(struct hlist_head *head)
{
	head->first = NULL;
}

static inline void hlist_node_init(struct hlist_node *node)
{
	node->next = NULL;
	node->link = NULL;
}

static inline bool hlist_empty(const struct hlist_head *head)
{
	return !head->first;
}

static inline bool hlist_unhashed(const struct hlist_node *node)
{
	return !node->link;
}

static inline void hlist_add_head(struct hlist_node *node, struct hlist_head *head)
{
	node->next = head->first;
	if (node->next)
		node->next->link = &node->next;
	head->first = node;
	node->link = &head->first;
}

/* Harmless for an initialised node that is on no chain. */
static inline void hlist_del(struct hlist_node *node)
{
	if (!node->link)
		return;
	*node->link = node->next;
	if (node->next)
		node->next->link = node->link;
	hlist_node_init(node);
}

#define hlist_entry_or_null(ptr, type, member)                                \
	({                                                                    \
		struct hlist_node *hlist_p = (ptr);                           \
		hlist_p ? container_of(hlist_p, type, member) : (type *)NULL; \
	})

/* `pos` is an entry pointer; NULL after a loop that ran to the end. */
#define hlist_for_each_entry(pos, head, member)                                             \
	for ((pos) = hlist_entry_or_null((head)->first, __typeof__(*(pos)), member); (pos); \
		(pos) = hlist_entry_or_null((pos)->member.next, __typeof__(*(pos)), member))

/* `n` is a struct hlist_node pointer; `pos` may be removed in the body. */
#define hlist_for_each_entry_safe(pos, n, head, member)                              \
	for ((pos) = hlist_entry_or_null((head)->first, __typeof__(*(pos)), member); \
		(pos) && ((n) = (pos)->member.next, true); (pos) = hlist_entry_or_null(n, __typeof__(*(pos)), member))

#endif
