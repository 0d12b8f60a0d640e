/*
 * Leak accounting, in the debug build: at poweroff, what the living processes own is counted and compared with what the
 * allocators have given out.
 */
#pragma once

#ifdef VITRINE_DEBUG
/* Before the first process: what the kernel itself holds. */
void leakcheck_start(void);
/* Panics when something is owned by nobody. May sleep: others are given time to finish dying. */
void leakcheck_finish(void);
#else
static inline void leakcheck_start(void)
{
}
static inline void leakcheck_finish(void)
{
}
#endif
