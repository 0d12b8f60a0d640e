/*
 * Getting frames back when they run short: caches register a shrinker, the
 * frame allocator asks them. One reclaim runs at a time; others that want one
 * wait for it. A shrinker's own allocations do not start another.
 */
#pragma once

#include "lib/list.h"
#include "lib/types.h"

struct shrinker {
	const char *name;
	/* Tries to free about nr_frames; returns how many it freed. May sleep and write to disk; must not block on
	 * locks held around ALLOC calls (use trylock). */
	u64 (*scan)(u64 nr_frames);
	struct list link;
};

/* Never undone. */
void reclaim_register(struct shrinker *s);

/* Runs the shrinkers until about nr are freed; returns the number freed. Context: may sleep. */
u64 reclaim_pages(u64 nr);

/* True while the calling task is inside reclaim_pages (its allocations may take the reserve). */
bool reclaim_active(void);

/*
 * Implemented by proc: memory ran out on behalf of user memory. Ends a process
 * and waits for its memory. False: the caller is dying itself; otherwise it
 * tries again. Context: may sleep, with any sleeping locks held.
 */
bool oom_kill(void);
