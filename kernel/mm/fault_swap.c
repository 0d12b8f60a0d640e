/* Faults on pages that are swapped out. See mm/fault.c. */
#include "lib/assert.h"
#include "lib/errno.h"
#include "mm/fault_priv.h"
#include "mm/swap.h"

struct frame *fault_swap_slot(struct faultctx *fc, struct amap *am, void *entry)
{
	struct frame *f = swap_cache_find(entry);

	if (!f) {
		fc->entry = entry;
		return NULL;
	}
	amap_swap_in(am, vma_key(fc->vma, fc->va), entry, f);
	fc->swapped = true;
	/* Our other reference would look like another owner. */
	fault_swap_end(fc);
	return f;
}

int fault_swap_load(struct faultctx *fc)
{
	int err;

	fault_swap_end(fc);
	err = swap_load(fc->entry, &fc->loaded);
	switch (err) {
	case 0: fc->major = 1; return FAULT_DONE;
	case -EAGAIN: return FAULT_DONE; /* another thread was faster */
	case -ENOMEM: return AGAIN_MEMORY;
	default: return FAULT_BUS;
	}
}

void fault_swap_end(struct faultctx *fc)
{
	if (fc->loaded)
		swap_frame_put(fc->loaded);
	fc->loaded = NULL;
}
