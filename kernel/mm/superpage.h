/*
 * When private memory is mapped by 2 MiB leaves. How such a leaf is made and
 * split is arch's business (mm/pagetable.h); that 512 slots hold the frames of one
 * block is the amap's (mm/anon.h). Here is the policy:
 *
 *   first touch   of an aligned 2 MiB region that lies in one VMA and has no page
 *                 yet: one block, if there are plenty (superpage_fill)
 *   later touch   of a region that is a block, by whoever shares it: one leaf,
 *                 read-only while others share it (superpage_map)
 *   promotion     a thread looks through the address spaces where a block would
 *                 have fitted, and gathers populated regions in one (superpage_collect)
 *
 * A block never has to stay one: whoever changes a slot or takes a part of the
 * translations away splits what must be split, and nothing of that can fail.
 * With no block to be had, memory comes in 4 KiB pages.
 *
 * `thp=always|madvise|never` on the kernel command line; MADV_HUGEPAGE,
 * MADV_NOHUGEPAGE, MADV_COLLAPSE and PR_SET_THP_DISABLE as on Linux.
 *
 *   as->lock                    regions stand still (read: fill, map; write: collect)
 *     superpages.lock           the list of address spaces to look through (RANK_LEAF)
 *     amap->lock, pt->lock      as in mm/fault.c
 */
#pragma once

#include "lib/types.h"

struct aspace;

void superpage_init(void);

/* Puts `as` among those that are looked through, or takes it out (before it goes). */
void superpage_watch(struct aspace *as);
void superpage_unwatch(struct aspace *as);

/* MADV_COLLAPSE: gathers the regions in [start, end) now, at any price in memory. 0, -EINVAL: a region cannot be one;
 * -ENOMEM. Locks: takes as->lock for writing. */
int superpage_collect(struct aspace *as, vaddr_t start, vaddr_t end);
