/*
 * Swap areas on block devices and in files: swapon(2), swapoff(2).
 *
 * The format is mkswap's, version 1. The first page is the header:
 *
 *	1024  u32 version (1), u32 last_page, u32 nr_badpages, u8 uuid[16], char label[16], u32 padding[117], u32 badpages[]
 *	4086  "SWAPSPACE2"
 *
 * A file's blocks are looked up once, at swapon, and then read and written on the device without the page cache. It must
 * have no holes. While it is in use it cannot be opened for writing nor truncated (-ETXTBSY), as a running program.
 *
 * I/O is asynchronous and allocates nothing: an area has a few requests of its own, and who finds none waits for one.
 */
#pragma once

#include "lib/types.h"

struct path;

#define SWAP_FLAG_PREFER    0x8000u
#define SWAP_FLAG_PRIO_MASK 0x7fffu
#define SWAP_FLAG_DISCARD   0x70000u /* all three bits: accepted, nothing is discarded */

/* 0; -EINVAL: no swap header, holes, bad flags, not a file or device; -EBUSY: in use, or mounted; -ETXTBSY: open for writing;
 * -EPERM: too many areas; -EIO, -ENOMEM. The caller has checked the right to. */
int swap_on(const struct path *p, u32 flags);
/* 0; -EINVAL: not in use; -ENOMEM: what is there does not fit in memory; -EINTR; -EIO. */
int swap_off(const struct path *p);
