/* Host fake: a host thread has no interrupts; the flag is kept so that pairing can be checked. */
#ifndef ARCH_RISCV_IRQ_H
#define ARCH_RISCV_IRQ_H

#include <sched.h>

#include "lib/types.h"

static __thread u64 fake_irq_off;

static inline u64 irq_save(void)
{
	u64 flags = fake_irq_off;

	fake_irq_off = 1;
	return flags;
}

static inline void irq_restore(u64 flags)
{
	fake_irq_off = flags;
}

static inline void irq_enable(void)
{
	fake_irq_off = 0;
}

static inline void irq_disable(void)
{
	fake_irq_off = 1;
}

static inline bool irq_enabled(void)
{
	return !fake_irq_off;
}

static inline void cpu_relax(void)
{
	sched_yield();
}

#endif
