/* Interrupt enable of this hart (sstatus.SIE), and the polite spin. */
#pragma once

#include "lib/types.h"

#define SSTATUS_SIE_BIT 2ul

static inline u64 irq_save(void)
{
	u64 old;

	__asm__ volatile("csrrci %0, sstatus, 2" : "=r"(old)::"memory");
	return old & SSTATUS_SIE_BIT;
}

static inline void irq_restore(u64 flags)
{
	__asm__ volatile("csrs sstatus, %0" ::"r"(flags & SSTATUS_SIE_BIT) : "memory");
}

static inline void irq_enable(void)
{
	__asm__ volatile("csrsi sstatus, 2" ::: "memory");
}

static inline void irq_disable(void)
{
	__asm__ volatile("csrci sstatus, 2" ::: "memory");
}

static inline bool irq_enabled(void)
{
	u64 s;

	__asm__ volatile("csrr %0, sstatus" : "=r"(s));
	return (s & SSTATUS_SIE_BIT) != 0;
}

/* Which mode the interrupt stopped (sstatus.SPP). Context: an interrupt handler, before anything else traps. */
static inline bool irq_from_user(void)
{
	u64 s;

	__asm__ volatile("csrr %0, sstatus" : "=r"(s));
	return (s & 0x100) == 0;
}

static inline void cpu_relax(void)
{
	/* Zihintpause `pause`: a hint on every implementation. */
	__asm__ volatile(".insn i 0x0F, 0, x0, x0, 0x010" ::: "memory");
}
