/* Host fake: nobody watches. */
#ifndef ARCH_RISCV_TRACE_H
#define ARCH_RISCV_TRACE_H

#include "lib/types.h"

#define trace_note(kind, how, va, nr, before, after) ((void)(va), (void)(nr), (void)(before), (void)(after))

static inline void trace_fault_how(u32 how)
{
}

static inline void trace_leaf(u64 before, u64 after)
{
}

static inline void trace_leaf_was(u64 before)
{
}

#endif
