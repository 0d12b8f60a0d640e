/* Host fake: nobody watches. */
#ifndef ARCH_RISCV_TRACE_H
#define ARCH_RISCV_TRACE_H

#include "lib/types.h"

#define trace_note(kind, how, va, amount, before, after) ((void)(va), (void)(amount), (void)(before), (void)(after))
#define trace_note_irq_on                                trace_note

static inline void trace_fault_again(void)
{
}

static inline void trace_fault_how(u32 how)
{
}

static inline void trace_leaf(u64 after)
{
}

static inline void trace_leaf_was(u64 before)
{
}

#endif
