/* Out of memory: who dies for it. */
#include "lib/log.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "mm/frame.h"
#include "mm/reclaim.h"
#include "proc/pid.h"
#include "proc/proc.h"
#include "proc/sigqueue.h"

static u64 resident_kib(struct process *p)
{
	struct aspace *as = process_aspace(p);
	u64 pages = 0;

	if (as) {
		pages = aspace_resident(as);
		aspace_put(as);
	}
	return pages << (PAGE_SHIFT - 10);
}

/* The process with the most memory that may be killed, referenced, or NULL. */
static struct process *biggest_process(void)
{
	struct process *p, *best = NULL;
	u64 most = 0;
	int pid = 2;

	while ((p = process_next(pid)) != NULL) {
		u64 size = p->group_exit ? 0 : resident_kib(p);

		pid = p->pid + 1;
		if (size > most) {
			most = size;
			if (best)
				process_put(best);
			best = p;
		} else {
			process_put(p);
		}
	}
	return best;
}

static void kill_for_memory(struct process *p)
{
	struct frame_stats st;
	u64 flags, kib;
	char name[16];

	kib = resident_kib(p);
	frame_stats_read(&st);
	flags = spin_lock_irqsave(&p->siglock);
	memcpy(name, p->leader ? p->leader->name : "?", p->leader ? sizeof(name) : 2);
	process_kill_locked(p, SIGKILL);
	spin_unlock_irqrestore(&p->siglock, flags);
	pr_warn("out of memory: killed %s[%d], which had %lu KiB; %lu KiB are free", name, p->pid, kib,
		st.free << (PAGE_SHIFT - 10));
}

bool oom_kill(void)
{
	struct process *p = current()->proc;

	if (p && p->group_exit)
		return true; /* it is on its way out */
	if (p && !p->unkillable) {
		kill_for_memory(p);
		return true;
	}
	p = biggest_process();
	if (!p) {
		if (current()->proc)
			panic("out of memory, and nothing is left to kill but init");
		return false;
	}
	kill_for_memory(p);
	process_put(p);
	sched_point();
	return true;
}
