/*
 * malloc and free over sbrk. The heap is a row of blocks, each with a header; a header tells the size of its block and
 * of the one before it, so that neighbours are found both ways and joined when freed. Free blocks
 * are on a ring. Each piece that sbrk gave ends with a header of size 0, which is never free.
 */
#include "lib.h"

#define GRAIN   16
#define IN_USE  1u
#define AT_ONCE (64 * 1024) /* the least that is asked of sbrk */

struct block {
	uint64 size;               /* with the header, in bytes; IN_USE in bit 0 */
	uint64 before;             /* size of the block before this one, 0: none */
	struct block *next, *prev; /* while free */
};

#define HEADER 16 /* of it is kept while in use */

static struct block ring = {.next = &ring, .prev = &ring};
static struct block *last; /* the closing header of the newest piece */

static uint64 size_of(const struct block *b)
{
	return b->size & ~(uint64)IN_USE;
}

static struct block *after(struct block *b)
{
	return (struct block *)((char *)b + size_of(b));
}

static void ring_remove(struct block *b)
{
	b->prev->next = b->next;
	b->next->prev = b->prev;
}

static void block_free(struct block *b, uint64 size)
{
	struct block *next = (struct block *)((char *)b + size);

	if (!(next->size & IN_USE)) {
		ring_remove(next);
		size += size_of(next);
	}
	if (b->before) {
		struct block *previous = (struct block *)((char *)b - b->before);

		if (!(previous->size & IN_USE)) {
			ring_remove(previous);
			size += size_of(previous);
			b = previous;
		}
	}
	b->size = size;
	after(b)->before = size;
	b->next = ring.next;
	b->prev = &ring;
	ring.next->prev = b;
	ring.next = b;
}

/* One more piece of at least `size` bytes; joined to the one before it when nothing lies between. */
static int heap_more(uint64 size)
{
	uint64 len = size + 2 * HEADER;
	char *p = sbrk(0);
	struct block *b;

	len = PGROUNDUP(len < AT_ONCE ? AT_ONCE : len);
	if ((uint64)p % GRAIN && sbrk((int)(GRAIN - (uint64)p % GRAIN)) == SBRK_ERROR)
		return -1;
	p = len > 0x7fffffff ? SBRK_ERROR : sbrk((int)len);
	if (p == SBRK_ERROR)
		return -1;
	b = (struct block *)p;
	if (last && (char *)last + HEADER == p)
		b = last;
	else
		b->before = 0;
	last = (struct block *)(p + len - HEADER);
	last->size = IN_USE;
	block_free(b, (uint64)((char *)last - (char *)b));
	return 0;
}

static struct block *block_find(uint64 size)
{
	for (struct block *b = ring.next; b != &ring; b = b->next)
		if (size_of(b) >= size)
			return b;
	return 0;
}

void *malloc(uint n)
{
	uint64 size = ((uint64)n + HEADER + GRAIN - 1) & ~(uint64)(GRAIN - 1), rest;
	struct block *b;

	if (size < sizeof(struct block))
		size = sizeof(struct block);
	b = block_find(size);
	if (!b) {
		if (heap_more(size) < 0)
			return 0;
		b = block_find(size);
	}
	ring_remove(b);
	rest = size_of(b) - size;
	b->size |= IN_USE;
	if (rest >= sizeof(struct block)) {
		struct block *tail = (struct block *)((char *)b + size);

		b->size = size | IN_USE;
		tail->before = size;
		block_free(tail, rest);
	}
	return (char *)b + HEADER;
}

void free(void *p)
{
	struct block *b;

	if (!p)
		return;
	b = (struct block *)((char *)p - HEADER);
	block_free(b, size_of(b));
}
