/*
 * lib_alloc for host tests: malloc, with the k-th allocation failing and a count of live ones.
 * Defines functions: include it in the test's own .c file only.
 */
#ifndef FAKE_HOST_ALLOC_H
#define FAKE_HOST_ALLOC_H

#include <stdlib.h>

#include "lib/alloc.h"

static size_t host_alloc_live;    /* allocations not yet freed */
static size_t host_alloc_count;   /* allocations asked for so far */
static size_t host_alloc_fail_at; /* this one (1 = the next after host_alloc_fail_nth) fails; 0: none */

/* The nth allocation from now fails; 0 turns that off. */
static inline void host_alloc_fail_nth(size_t nth)
{
	host_alloc_count = 0;
	host_alloc_fail_at = nth;
}

void *lib_alloc(size_t size)
{
	void *ptr;

	if (++host_alloc_count == host_alloc_fail_at)
		return NULL;
	ptr = malloc(size);
	if (ptr)
		host_alloc_live++;
	return ptr;
}

void lib_free(void *ptr)
{
	if (ptr)
		host_alloc_live--;
	free(ptr);
}

#endif
