/* Counters of the memory room, for /proc/vmstat and /proc/meminfo. */
#pragma once

#include "lib/atomic.h"

struct vm_stats {
	struct atomic64 faults;        /* all user faults handled */
	struct atomic64 faults_major;  /* that waited for a device */
	struct atomic64 anon_new;      /* zero-filled pages */
	struct atomic64 cow_copies;    /* pages copied */
	struct atomic64 cow_reuse;     /* written in place by the last owner */
	struct atomic64 around;        /* neighbours mapped by fault-around */
	struct atomic64 anon_frames;   /* now in amaps and shared memory */
	struct atomic64 shared_frames; /* of these, in shared memory */
	struct atomic64 blocks;        /* 2 MiB blocks of private memory */
	struct atomic64 block_new;     /* made by a first touch */
	struct atomic64 block_none;    /* there was no block for one */
	struct atomic64 block_splits;  /* that became single pages */
	struct atomic64 block_joins;   /* made of single pages */
	struct atomic64 huge_maps;     /* 2 MiB leaves installed */
	struct atomic64 reclaimed;     /* frames freed by shrinkers */
	struct atomic64 oom;           /* user faults that found no memory */
	struct atomic64 oom_kills;     /* processes killed for that */
};

extern struct vm_stats vm_stats;
