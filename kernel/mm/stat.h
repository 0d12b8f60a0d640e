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
	struct atomic64 pswpin;         /* pages read from swap areas */
	struct atomic64 pswpout;        /* pages written to them */
	struct atomic64 swap_ra;        /* of pswpin: neighbours nobody had asked for */
	struct atomic64 swap_ra_hit;    /* of these: asked for later */
	struct atomic64 pgscan_anon;    /* anonymous pages looked at by reclaim */
	struct atomic64 pgscan_file;    /* cached file pages looked at */
	struct atomic64 pgsteal_anon;   /* anonymous pages evicted */
	struct atomic64 pgsteal_file;   /* file pages dropped */
	struct atomic64 pgsteal_kswapd; /* of both: by the reclaim thread */
	struct atomic64 pgsteal_direct; /* of both: by who wanted memory */
	struct atomic64 allocstall;     /* reclaims by who wanted memory */
	struct atomic64 kswapd_wakes;   /* reclaims by the thread */
	struct atomic64 zram_pages;     /* now in compressed memory */
	struct atomic64 zram_same;      /* of these: a word repeated, without data */
	struct atomic64 zram_bytes;     /* what the others are compressed to */
	struct atomic64 zram_frames;    /* frames that hold them */
	struct atomic64 zram_refused;   /* pages that did not compress, or found no memory */
	struct atomic64 reclaimed;     /* frames freed by shrinkers */
	struct atomic64 oom;           /* user faults that found no memory */
	struct atomic64 oom_kills;     /* processes killed for that */
};

extern struct vm_stats vm_stats;
