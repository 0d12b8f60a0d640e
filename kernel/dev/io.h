/*
 * Device registers: sized volatile accesses, ordered against memory as a
 * driver expects (a write is seen by the device after all memory it was told of;
 * a read comes before what is done with the answer).
 */
#pragma once

#include "lib/types.h"

static inline u32 io_read32(const volatile void *reg)
{
	u32 v = *(const volatile u32 *)reg;

	__asm__ volatile("fence i, ir" ::: "memory");
	return v;
}

static inline void io_write32(volatile void *reg, u32 v)
{
	__asm__ volatile("fence w, o" ::: "memory");
	*(volatile u32 *)reg = v;
}

static inline u8 io_read8(const volatile void *reg)
{
	u8 v = *(const volatile u8 *)reg;

	__asm__ volatile("fence i, ir" ::: "memory");
	return v;
}

static inline void io_write8(volatile void *reg, u8 v)
{
	__asm__ volatile("fence w, o" ::: "memory");
	*(volatile u8 *)reg = v;
}

static inline volatile void *io_at(volatile void *base, u64 offset)
{
	return (volatile u8 *)base + offset;
}
