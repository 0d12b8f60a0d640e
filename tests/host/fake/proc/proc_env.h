/*
 * What tests of proc/ share: a path of the kernel runs on the test's own thread, and at a chosen instant of it, where interrupts
 * are on, another hart does something. A test tries all of them, one run each:
 *
 *	for (u32 at = 1, late = 0; !late; at++) {
 *		other_hart_acts(act, at);
 *		the path
 *		late = other_hart_was_late();
 *	}
 *
 * Defines functions: include it in the test's own .c file only.
 */
#pragma once

#include <stdlib.h>

#include "arch/riscv/arch.h"
#include "arch/riscv/irq.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/proc.h"
#include "proc/task.h"

__thread u64 fake_irq_off;
__thread struct task *fake_current;
struct hart harts[MAX_HARTS];
u32 nr_harts = 2;

/* ---- the other hart ---- */

static struct {
	void (*act)(void);
	u32 wait; /* instants until then */
} other_hart;

void host_instant(void)
{
	void (*act)(void) = other_hart.act;

	if (fake_irq_off || !act || --other_hart.wait)
		return;
	other_hart.act = NULL;
	act();
}

static inline void other_hart_acts(void (*act)(void), u32 at)
{
	other_hart.act = act;
	other_hart.wait = at;
}

/* Was the path so short that the other hart has not come to act? Then it does now. */
static inline bool other_hart_was_late(void)
{
	void (*act)(void) = other_hart.act;

	other_hart.act = NULL;
	if (act)
		act();
	return act != NULL;
}

/* ---- time and place ---- */

static u64 now_ns = 1000000000;
static void (*clock_was_read)(void); /* what another hart does then, before the reader goes on; once */

u64 clock_mono_ns(void)
{
	void (*act)(void) = clock_was_read;
	u64 now = now_ns;

	clock_was_read = NULL;
	if (act)
		act();
	return now;
}

static inline void run_on_hart(struct task *t, u32 hart)
{
	harts[hart].index = hart;
	t->thread.hart = &harts[hart];
	fake_current = t;
}

/* ---- memory ---- */

static size_t kernel_objects; /* not freed yet */

void *kmalloc(size_t size, u32 flags)
{
	kernel_objects++;
	return calloc(1, size);
}

void kfree(void *p)
{
	kernel_objects -= p != NULL;
	free(p);
}

struct slab_cache {
	size_t size;
};

struct slab_cache *slab_cache_create(const char *name, size_t size, size_t align)
{
	struct slab_cache *c = malloc(sizeof(*c));

	c->size = size;
	return c;
}

void *slab_alloc(struct slab_cache *c, u32 flags)
{
	return kmalloc(c->size, flags);
}

void slab_free(struct slab_cache *c, void *obj)
{
	kfree(obj);
}
