/*
 * Host fake: the places where a path turns interrupts off, or on again, are instants at which another hart may do something. The
 * test says what (fake/proc/proc_env.h).
 */
#ifndef ARCH_RISCV_IRQ_H
#define ARCH_RISCV_IRQ_H

#include <sched.h>

#include "lib/types.h"

extern __thread u64 fake_irq_off;
void host_instant(void);

static inline u64 irq_save(void)
{
	u64 flags = fake_irq_off;

	host_instant();
	fake_irq_off = 1;
	return flags;
}

static inline void irq_restore(u64 flags)
{
	fake_irq_off = flags;
	host_instant();
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

static inline bool irq_from_user(void)
{
	return false;
}

static inline void cpu_relax(void)
{
	sched_yield();
}

#endif
