// host-sources: kernel/proc/wait.c
// host-flags: -iquotetests/host/fake/proc -ffunction-sections -Wl,--gc-sections
/* wait(2) beside a child that another hart continues, and that stops again. */
#include "fake/proc/proc_env.h"
#include "proc/cred.h"
#include "proc/pid.h"
#include "proc/sigqueue.h"

#define OPTIONS (1u | 2u | 8u) /* WNOHANG, WUNTRACED, WCONTINUED */

struct spinlock tasks_lock = SPINLOCK_INIT("tasks", RANK_TASKLIST);

static struct process parent, child;
static struct task me = {.proc = &parent}, leader = {.proc = &child};
static struct cred_ref cred = {.refs = REFCOUNT_INIT(1)};
static struct pid group;

void process_release_locked(struct process *p)
{
	panic("the child lives");
}

/* Nobody sleeps here. */
void waitq_entry_init(struct waitq_entry *entry)
{
}

void waitq_prepare(struct waitq *wq, struct waitq_entry *entry, enum sleep_kind kind)
{
}

void waitq_finish(struct waitq *wq, struct waitq_entry *entry, enum waitq_outcome outcome)
{
}

int sched_sleep(u64 deadline_ns)
{
	return 0;
}

/* The child's siglock is taken: SIGCONT is being sent, and has got half way. */
void spin_wait(struct spinlock *lock)
{
	ASSERT(lock == &child.siglock && child.stopped == 0);
	child.stop_complete = 0;
	child.continued = 1;
	lock->word = 1; /* given back, and had by who waited */
}

static int wait_once(struct wait_result *out)
{
	const struct wait_request rq = {.options = OPTIONS};

	return process_wait(&rq, out);
}

int main(void)
{
	struct wait_result out;

	run_on_hart(&me, 0);
	list_init(&parent.children);
	spin_init(&child.siglock, "signals", RANK_SIGNAL);
	child.leader = &leader;
	leader.cred = &cred;
	child.pgrp = &group;
	child.exit_signal = SIGCHLD;
	list_add_tail(&child.sibling, &parent.children);
	child.stop_complete = 1; /* stopped, and nobody was told yet; */
	child.stop_signal = SIGSTOP;
	child.siglock.word = 1; /* and being continued */
	ASSERT(wait_once(&out) == 1 && out.code == CLD_CONTINUED);
	ASSERT(!child.stop_reported && !child.continued);
	child.stop_complete = 1; /* the next stop is not taken for one that was told */
	ASSERT(wait_once(&out) == 1 && out.code == CLD_STOPPED);
	ASSERT(wait_once(&out) == 0);
	printf("ok wait\n");
	return 0;
}
