/* Runs a short function that does not sleep exactly once; everyone returns after it has run. */
#ifndef SYNC_ONCE_H
#define SYNC_ONCE_H

#include "arch/riscv/irq.h"
#include "lib/atomic.h"

struct once {
	u32 state; /* 0 never ran, 1 runs now, 2 has run */
};

#define ONCE_INIT          \
	{                  \
		.state = 0 \
	}

/* Context: not from an interrupt that may have stopped the function itself. */
static inline void once_run(struct once *once, void (*func)(void))
{
	u32 never = 0;

	if (likely(load_acquire(&once->state) == 2))
		return;
	if (__atomic_compare_exchange_n(&once->state, &never, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
		func();
		store_release(&once->state, 2);
		return;
	}
	while (load_acquire(&once->state) != 2)
		cpu_relax();
}

#endif
