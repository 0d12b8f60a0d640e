/*
 * Leak accounting, in the debug build: at poweroff, what the living processes own is counted and compared with what the
 * allocators have given out.
 */
#pragma once

#include "lib/types.h"

#ifdef VITRINE_DEBUG
typedef void (*leakcheck_fn)(void *arg, const char *what, u64 given, u64 owned);

/* Before the first process: what the kernel itself holds. */
void leakcheck_start(void);
/* Panics when something is owned by nobody. May sleep: others are given time to finish dying. */
void leakcheck_finish(void);
/* False when something is owned by nobody (at the end also: by two), and fn is called for each such sort. May sleep likewise. */
enum leakcheck_when { LEAKCHECK_ALIVE, LEAKCHECK_END };
bool leakcheck_balanced(enum leakcheck_when when, leakcheck_fn fn, void *arg);
#else
static inline void leakcheck_start(void)
{
}
static inline void leakcheck_finish(void)
{
}
#endif
