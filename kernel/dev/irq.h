/*
 * External interrupts: a table from the interrupt controller's source numbers
 * to handlers. The controller is the PLIC (dev/plic.c).
 *
 * Handlers run on one hart at a time for one source, interrupts off. They are
 * registered at boot and stay.
 */
#pragma once

#include "lib/types.h"

struct fdt;

typedef void (*irq_handler)(void *arg);

/* Finds and sets up the controller. -ENODEV: none, named in the log. */
int irq_init(const struct fdt *fdt);
/* This hart accepts external interrupts. Context: interrupts off. */
void irq_start_hart(void);
/* Calls fn(arg) at each interrupt of `source`. -EINVAL: no such source; -EBUSY: taken. `name` is kept. */
int irq_register(u32 source, const char *name, irq_handler fn, void *arg);
/* The first interrupt source of a device node, or 0. */
u32 irq_of_node(const struct fdt *fdt, int node);
/* For /proc/interrupts: 0, or -ENOENT when the source has no handler. */
struct irq_info {
	const char *name;
	u64 count;
};
int irq_info(u32 source, struct irq_info *out);
u32 irq_nr_sources(void);
