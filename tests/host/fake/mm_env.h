/*
 * What the memory room needs around it, on the host: RAM, locks' scheduler, a log.
 * Defines functions: include it in the test's own .c file only.
 *
 *	env_start(mib)    RAM with a hole, the frame allocator and slab open
 *	env_leaks()       objects and frames in use, to be compared before and after
 */
#ifndef FAKE_MM_ENV_H
#define FAKE_MM_ENV_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/riscv/arch.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/commit.h"
#include "mm/frame.h"
#include "mm/reclaim.h"
#include "mm/slab.h"
#include "sync/lockcheck.h"
#include "sync/sched.h"

char *fake_ram;
struct frame *frame_array;
static u64 env_ram_frames;
#ifndef HAVE_PAGETABLE /* the real one has it */
u64 user_end = 1ul << 38;
#endif
static struct hart env_hart;
static struct thread env_task = {.hart = &env_hart};
__thread struct task *fake_current;
static u32 env_oom_kills, env_icache_flushes;
static void (*env_icache_flushing)(void); /* a test that wants to look at that moment */

int arch_map_kernel(vaddr_t va, paddr_t pa, u64 len)
{
	ASSERT(IS_ALIGNED(va | pa | len, PAGE_SIZE) || (va & ~PAGE_MASK) == 0);
	return 0;
}

void arch_flush_icache_all(u64 harts)
{
	env_icache_flushes++;
	if (env_icache_flushing)
		env_icache_flushing();
}

bool commit_privileged(void)
{
	return true;
}

bool oom_kill(void)
{
	env_oom_kills++;
	return true;
}

void log_printf(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

/* One thread: a sleep would never end, unless the test does what is waited for. */
static void (*env_sleeping)(void);
/* What the test does at these instants, if anything: a sleep, or the wait before it, has ended; a sleeper is woken. */
static void (*env_awake)(void), (*env_waking)(void);

void sched_prepare_sleep(enum sleep_kind kind)
{
	if (!env_sleeping)
		panic("the test would sleep");
}
void sched_cancel_sleep(void)
{
	if (env_awake)
		env_awake();
}
int sched_sleep(u64 deadline_ns)
{
	if (!env_sleeping)
		panic("the test would sleep");
	env_sleeping();
	return deadline_ns == SCHED_FOREVER ? 0 : -ETIMEDOUT;
}
void sched_wake(struct task *task)
{
	if (env_waking)
		env_waking();
}
void sched_point(void)
{
}
bool sched_fatal_signal_pending(void)
{
	return false;
}
bool sched_signal_pending(void)
{
	return false;
}

int kthread_start(const char *name, void (*fn)(void *), void *arg)
{
	return 0; /* it never gets a turn */
}
/* A test with a clock and a command line of its own says so. */
#ifndef ENV_OWN_CLOCK
u64 clock_mono_ns(void)
{
	return 0;
}
const char *cmdline_get(const char *key)
{
	return NULL;
}
#endif

static u64 env_seed = 0x9e3779b97f4a7c15ul;

static inline u64 env_rand(u64 below)
{
	env_seed ^= env_seed << 13;
	env_seed ^= env_seed >> 7;
	env_seed ^= env_seed << 17;
	return (env_seed >> 11) % below;
}

static inline void env_start_ram(u64 mib)
{
	u64 bytes = mib << 20;
	u64 nr = (FAKE_RAM_BASE + bytes) >> PAGE_SHIFT;

	env_ram_frames = bytes >> PAGE_SHIFT;
	fake_current = (struct task *)(void *)&env_task;
	fake_ram = aligned_alloc(HUGE_SIZE, bytes);
	frame_array = aligned_alloc(PAGE_SIZE, PAGE_ALIGN_UP(nr * sizeof(*frame_array)));
	ASSERT(fake_ram && frame_array);
	/* Neither RAM nor the array is zero at power-on. */
	memset(frame_array, 0xee, nr * sizeof(*frame_array));
	memset(fake_ram, 0xdd, bytes);
	/* Two banks, a hole between them, reserved ranges. */
	frame_add_ram(FAKE_RAM_BASE + bytes / 2 + 8 * PAGE_SIZE, FAKE_RAM_BASE + bytes);
	frame_add_ram(FAKE_RAM_BASE, FAKE_RAM_BASE + bytes / 2);
	frame_reserve(FAKE_RAM_BASE, FAKE_RAM_BASE + 37 * PAGE_SIZE);
	frame_reserve(FAKE_RAM_BASE + 100 * PAGE_SIZE + 5, FAKE_RAM_BASE + 101 * PAGE_SIZE + 7);
	frame_init();
}

static inline void env_start(u64 mib)
{
	env_start_ram(mib);
	slab_init();
}

static inline void env_count_cache(const struct slab_info *info, void *arg)
{
	*(u64 *)arg += info->in_use;
}

/* Slab objects in use, and frames that are not slabs. */
static inline u64 env_leaks(void)
{
	struct frame_stats st;
	u64 nr = 0;

	slab_for_each(env_count_cache, &nr);
	frame_stats_read(&st);
	for (u32 k = FRAME_KERNEL; k < FRAME_KINDS; k++)
		nr += k == FRAME_SLAB ? 0 : st.kinds[k];
	return nr;
}

#endif
