/*
 * Getting frames back when they run short: caches and anonymous memory register a shrinker; the
 * frame allocator asks for them.
 *
 *	free frames   above low    nothing happens
 *	              below low    the reclaim thread (kswapd) works until there are `high`
 *	              at reserve   whoever wants memory reclaims itself, and waits for what it has started to write
 *
 * One reclaim runs at a time; others that want one wait for it. A shrinker's own allocations do not
 * start another, and may take the reserve.
 *
 * Balance: each round asks file pages and anonymous pages for a share each. The share goes by vm.swappiness
 * (0: anonymous pages only when nothing else is left; 100: alike; 200: file pages last) and by how many of those looked at
 * lately could be taken: a set that is in use is looked at in vain. Rounds of one reclaim get more severe (reclaim_pass).
 */
#pragma once

#include "lib/list.h"
#include "lib/types.h"

#define RECLAIM_PASSES 3u

enum reclaim_kind { RECLAIM_FILE, RECLAIM_ANON, RECLAIM_KINDS };

struct shrinker {
	const char *name;
	enum reclaim_kind kind;
	/* Tries to free about nr_frames; returns how many it freed, or will when what it started to write is written. May sleep
	 * and write to disk; must not block on locks held around ALLOC calls (use trylock). */
	u64 (*scan)(u64 nr_frames);
	u64 (*size)(void);    /* frames that it might free, roughly. May be NULL */
	bool (*settle)(void); /* sleeps until most of what it started to write is written; false: nothing was. May be NULL */
	struct list link;
};

/* For a shrinker's scan: 0 takes what was not used for long, RECLAIM_PASSES - 1 takes anything. */
u32 reclaim_pass(void);

/* Never undone. */
void reclaim_register(struct shrinker *s);

/* Runs the shrinkers until about nr are freed; returns the number freed. Context: may sleep. */
u64 reclaim_pages(u64 nr);

/* Gives back every page of a file that can go. Context: may sleep. */
void reclaim_files(void);

/* True while the calling task is inside reclaim_pages (its allocations may take the reserve). */
bool reclaim_active(void);

/* Starts the reclaim thread. Context: there are tasks. */
void reclaim_init(void);
/* Wakes it; false: it does not run, or found nothing lately. Context: may sleep. */
bool reclaim_wake(void);
/* Implemented by frame.c: how many free frames are missing to the high watermark. */
u64 frame_shortage(void);
/* So little is free that one who needs memory may be without hope. */
bool frame_short(void);

/* /proc/sys/vm/swappiness: 0 ... 200. */
extern u32 vm_swappiness;

/*
 * Implemented by proc: memory ran out on behalf of user memory. Ends a process
 * and waits for its memory. False: the caller is dying itself; otherwise it
 * tries again. Context: may sleep, with any sleeping locks held.
 */
bool oom_kill(void);
