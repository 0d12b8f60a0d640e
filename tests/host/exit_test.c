// host-sources: kernel/sync/spinlock.c
// host-flags: -iquotetests/host/fake/proc -ffunction-sections -Wl,--gc-sections
/* A thread that ends, and what was meant for it. Of exit.c, one step is called; what the others need is not linked. */
#include "fake/proc/proc_env.h"

#include "../../kernel/proc/exit.c"

struct spinlock tasks_lock = SPINLOCK_INIT("tasks", RANK_TASKLIST);

static struct process proc;
static struct task first = {.proc = &proc}, second = {.proc = &proc};
static u32 second_woken;

void sched_wake_signal(struct task *t, enum signal_wake how)
{
	ASSERT(t == &second);
	second_woken++;
}

bool stop_check_complete_locked(struct process *p)
{
	return false;
}

void signal_notify_parent_locked(struct process *p, int code, int status)
{
}

/* The first was chosen for a process-wide signal and ends without it. */
static void end_first(u64 second_mask, u64 second_waits_for)
{
	spin_init(&proc.siglock, "signals", RANK_SIGNAL);
	list_init(&proc.threads);
	list_add_tail(&first.thread_link, &proc.threads);
	list_add_tail(&second.thread_link, &proc.threads);
	proc.nr_live = 2;
	proc.pending.set = SIG_BIT(SIGUSR1);
	first.exiting = 0;
	second.sigmask = second_mask;
	second.wait_set = second_waits_for;
	second_woken = 0;
	ASSERT(!exit_begin(&first, 0));
}

int main(void)
{
	run_on_hart(&first, 0);
	end_first(0, 0);
	ASSERT(second_woken == 1);
	end_first(SIG_BIT(SIGUSR1), 0);
	ASSERT(second_woken == 0);
	end_first(SIG_BIT(SIGUSR1), SIG_BIT(SIGUSR1)); /* blocked, but sigwait takes it */
	ASSERT(second_woken == 1);
	printf("ok exit\n");
	return 0;
}
