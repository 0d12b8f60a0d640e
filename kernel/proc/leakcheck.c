/* See leakcheck.h. Counts are taken while others may still run: a mismatch counts only when it lasts. */
#include "proc/leakcheck.h"

#ifdef VITRINE_DEBUG

#include "lib/log.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "mm/commit.h"
#include "mm/frame.h"
#include "mm/slab.h"
#include "mm/stat.h"
#include "mm/swap.h"
#include "proc/proc.h"
#include "proc/task.h"
#include "sync/sched.h"

#define TRIES    200
#define PAUSE_NS 10000000ul

/* What is compared: given out by an allocator, and owned by something that lives. */
struct ledger {
	u64 aspaces, vmas, processes, tables, anon_frames, usyscall, promised;
};

static u64 kernel_tables; /* made at boot, beside those that kernel_pagetable counts */

static void count_slab(const struct slab_info *info, void *arg)
{
	struct ledger *out = arg;

	if (strcmp(info->name, "aspace") == 0)
		out->aspaces = info->in_use;
	else if (strcmp(info->name, "vma") == 0)
		out->vmas = info->in_use;
	else if (strcmp(info->name, "process") == 0)
		out->processes = info->in_use;
}

static void count_given(struct ledger *out)
{
	struct frame_stats st;

	frame_stats_read(&st);
	slab_for_each(count_slab, out);
	/* The kernel's own table grows with its stacks. */
	out->tables = st.kinds[FRAME_TABLE] - kernel_tables - READ_ONCE(kernel_pagetable.nr_tables);
	out->anon_frames = st.kinds[FRAME_ANON];
	out->usyscall = st.kinds[FRAME_USYSCALL];
	out->promised = commit_total();
}

static void count_owned(struct ledger *out)
{
	struct process *p;
	struct aspace *as;

	for (int pid = 1; (p = process_next(pid)) != NULL; pid++) {
		pid = p->pid;
		out->processes++;
		as = process_aspace(p);
		if (as) {
			out->aspaces++;
			out->usyscall += as->usyscall != NULL;
			out->vmas += as->vmas.nr;
			out->tables += as->pt.nr_tables;
			out->promised += aspace_promised(as);
			aspace_put(as);
		}
		process_put(p);
	}
	out->anon_frames = atomic64_read(&vm_stats.anon_frames) + swap_cache_alone();
}

struct report {
	leakcheck_fn fn;
	void *arg;
};

static void compare(const struct report *r, const char *what, u64 given, u64 owned)
{
	if (given != owned)
		r->fn(r->arg, what, given, owned);
}

void leakcheck_start(void)
{
	struct frame_stats st;

	frame_stats_read(&st);
	kernel_tables = st.kinds[FRAME_TABLE] - kernel_pagetable.nr_tables;
}

bool leakcheck_balanced(enum leakcheck_when when, leakcheck_fn fn, void *arg)
{
	struct report r = {.fn = fn, .arg = arg};
	struct ledger given, owned;

	for (u32 i = 0; i < TRIES; i++) {
		memset(&given, 0, sizeof(given));
		memset(&owned, 0, sizeof(owned));
		count_given(&given);
		count_owned(&owned);
		/* A family shares frames: then there are more slots than frames. */
		if (when == LEAKCHECK_ALIVE && given.anon_frames < owned.anon_frames)
			owned.anon_frames = given.anon_frames;
		if (memcmp(&given, &owned, sizeof(given)) == 0)
			return true;
		clock_sleep(1 /* CLOCK_MONOTONIC */, clock_mono_ns() + PAUSE_NS, &(u64){0});
	}
	compare(&r, "address spaces", given.aspaces, owned.aspaces);
	compare(&r, "VMAs", given.vmas, owned.vmas);
	compare(&r, "processes", given.processes, owned.processes);
	compare(&r, "page-table frames", given.tables, owned.tables);
	compare(&r, "anonymous frames", given.anon_frames, owned.anon_frames);
	compare(&r, "USYSCALL frames", given.usyscall, owned.usyscall);
	compare(&r, "promised pages", given.promised, owned.promised);
	return false;
}

static void say(void *arg, const char *what, u64 given, u64 owned)
{
	pr_err("leak: %lu %s given out, %lu owned", given, what, owned);
}

void leakcheck_finish(void)
{
	if (!leakcheck_balanced(LEAKCHECK_END, say, NULL))
		panic("leak found at poweroff");
}

#endif
