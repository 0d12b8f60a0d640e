/* Host fake: every host thread is a hart of its own. */
#ifndef ARCH_RISCV_HART_H
#define ARCH_RISCV_HART_H

#include "lib/held_locks.h"
#include "lib/types.h"

struct hart {
	u32 id;
	struct held_locks locks;
	u32 irq_depth;
	u32 spin_depth;
};

#define MAX_HARTS 64

/* Tests of mm/ run on one host thread: hart 0. */
static inline u32 hart_index(void)
{
	return 0;
}

#endif
