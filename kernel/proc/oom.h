/* Out of memory: what a process's files of /proc and its exit have to do with it. The question itself is mm/reclaim.h oom_kill. */
#pragma once

#include "lib/types.h"

struct process;

#define OOM_SCORE_ADJ_MIN (-1000) /* never killed for memory */
#define OOM_SCORE_ADJ_MAX 1000

/* process.oom_victim */
enum oom_victim {
	OOM_VICTIM_NONE,
	OOM_VICTIM_DYING, /* its memory is waited for */
	OOM_VICTIM_GONE,
	OOM_VICTIM_STUCK, /* it did not die in time */
};

/* Starts the thread that decides. */
void oom_start(void);
/* A thread of p, which is an oom_victim, has given up its memory. */
void oom_memory_left(struct process *p);
/* 0 … 2000 or so, as /proc/PID/oom_score shows it. May sleep. */
u64 oom_score(struct process *p);
