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

#endif
