/*
 * The memory that lib/ itself needs (index nodes). Implemented by mm/slab; on the host by
 * tests/host/fake/host_alloc.h.
 *
 * Context: any where a spinlock may be taken; never sleeps. The contents are undefined, the
 * alignment is 16.
 */
#ifndef LIB_ALLOC_H
#define LIB_ALLOC_H

#include "lib/types.h"

/* NULL when there is no memory. */
void *lib_alloc(size_t size);
/* NULL is harmless. */
void lib_free(void *ptr);

#endif
