// host-sources: kernel/lib/string.c kernel/sync/spinlock.c kernel/sync/waitq.c
/*
 * Out of memory: the process that was chosen ends by itself before it is killed, while the log is written. Nobody may wait for it
 * then: it has no memory to give back any more, and does not say so. But one whose memory just goes is waited for.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../../kernel/proc/oom.c"

__thread struct task *fake_current;
struct spinlock tasks_lock = SPINLOCK_INIT("tasks", RANK_TASKLIST);
struct vm_stats vm_stats;
struct process *init_process;

static struct task deciding, leader;
static struct cred_ref cred;
static struct aspace memory;
static struct process victim = {.pid = 7, .leader = &leader, .nr_live = 1};
static bool ends_by_itself;
static u32 nr_kills, nr_waits;

/* The log takes its time. */
void log_printf(enum log_level level, const char *fmt, ...)
{
	if (ends_by_itself)
		leader.as = NULL;
}

u64 clock_mono_ns(void)
{
	return 0;
}
void sched_prepare_sleep(enum sleep_kind kind)
{
}
void sched_cancel_sleep(void)
{
}
/* It dies while it is waited for. */
int sched_sleep(u64 deadline_ns)
{
	nr_waits++;
	if (leader.leaves_memory)
		leader.leaves_memory = 0;
	else if (!nr_kills || !leader.as)
		return -ETIMEDOUT;
	leader.as = NULL;
	oom_memory_left(&victim);
	return 0;
}
void sched_wake(struct task *task)
{
}
bool sched_fatal_signal_pending(void)
{
	return false;
}
struct task *kthread_create(const char *name, void (*fn)(void *), void *arg)
{
	return &deciding;
}

struct process *process_next(int pid)
{
	return pid <= victim.pid ? &victim : NULL;
}
void process_put(struct process *p)
{
}
struct aspace *process_aspace(struct process *p)
{
	return p == &victim ? leader.as : NULL;
}
bool process_shares(struct process *p, const struct aspace *as)
{
	return as && p == &victim && leader.as == as;
}
void process_kill_locked(struct process *p, int signo)
{
	nr_kills++;
}
void aspace_put(struct aspace *as)
{
}
void aspace_count_resident(struct aspace *as, struct resident_pages *out)
{
	*out = (struct resident_pages){.anon = 100};
}
bool frame_short(void)
{
	return true;
}
void frame_stats_read(struct frame_stats *out)
{
	memset(out, 0, sizeof(*out));
}
u64 commit_all_memory(void)
{
	return 1000;
}
u64 commit_total(void)
{
	return 0;
}
void commit_swap(struct swap_totals *out)
{
	memset(out, 0, sizeof(*out));
}
u64 pagecache_nr_dirty(void)
{
	return 0;
}

static void decide(bool alone)
{
	ends_by_itself = alone;
	nr_kills = nr_waits = 0;
	victim.oom_victim = OOM_VICTIM_NONE;
	leader.as = &memory;
	oom_decide();
	ASSERT(!leader.as);
}

int main(void)
{
	fake_current = &deciding;
	leader.cred = &cred;
	leader.proc = &victim;
	list_init(&victim.threads);
	list_add(&leader.thread_link, &victim.threads);
	spin_init(&victim.siglock, "signals", RANK_SIGNAL);

	decide(false);
	ASSERT(nr_kills == 1 && nr_waits == 1 && victim.oom_victim == OOM_VICTIM_GONE);
	decide(true);
	ASSERT(nr_kills == 0 && nr_waits == 0 && victim.oom_victim == OOM_VICTIM_NONE);
	/* The process is over, and its address space still being taken apart: nobody else is killed for want of that memory. */
	victim.nr_live = 0;
	nr_kills = nr_waits = 0;
	leader.leaves_memory = 1;
	oom_decide();
	ASSERT(nr_kills == 0 && nr_waits == 1 && victim.oom_victim == OOM_VICTIM_GONE);
	printf("ok oom\n");
	return 0;
}
