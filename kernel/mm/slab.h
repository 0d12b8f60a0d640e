/*
 * Kernel objects: slab caches of one size each, and kmalloc on top of them
 * (sizes to 4 KiB from caches of powers of two, with ¾ steps; larger from whole frames).
 * All calls: ALLOC_* flags of mm/frame.h; NULL when out of memory. Freeing: any context.
 */
#pragma once

#include "lib/types.h"
#include "mm/failnth.h"
#include "mm/frame.h"

struct slab_cache;

/* Never destroyed. `align` 0: 8 bytes. `name` is kept. Panics only at boot. */
struct slab_cache *slab_cache_create(const char *name, size_t size, size_t align);
/* The same for objects that a shrinker gives back (mm/reclaim.h). */
struct slab_cache *slab_cache_create_shrinkable(const char *name, size_t size, size_t align);
void *slab_alloc(struct slab_cache *c, u32 flags);
void slab_free(struct slab_cache *c, void *obj);

void *kmalloc(size_t size, u32 flags);
static inline void *kzalloc(size_t size, u32 flags)
{
	return kmalloc(size, flags | ALLOC_ZERO);
}
void *krealloc(void *p, size_t size, u32 flags); /* on failure p stays as it was */
void kfree(void *p);                             /* NULL is fine */
char *kstrdup(const char *s, u32 flags);

/* Calls fn for each cache (for /proc/slabinfo and the leak count at poweroff). */
struct slab_info {
	const char *name;
	size_t size;
	u64 in_use, total;
};
void slab_for_each(void (*fn)(const struct slab_info *, void *arg), void *arg);
/* Frames of shrinkable caches. */
u64 slab_shrinkable_frames(void);
void slab_init(void);
