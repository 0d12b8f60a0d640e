// host-sources: kernel/proc/sched.c kernel/proc/balance.c kernel/sync/spinlock.c kernel/lib/tree.c kernel/lib/bitmap.c
// host-flags: -iquotetests/host/fake/proc
/*
 * The scheduler's accounts of time, when another hart brings them up to date between a look at the clock and the run queue's lock.
 */
#include "fake/proc/proc_env.h"
#include "mm/pagetable.h"
#include "proc/sched.h"

#define A_WHILE  1000000ul
#define FAR_AWAY (1ul << 42) /* of virtual run time: more than an hour beyond where it starts */

static struct task idle, task;

/* ---- what the scheduler needs of others ---- */

struct pagetable kernel_pagetable;

void pt_activate(struct pagetable *pt)
{
}

void kstack_free(vaddr_t top)
{
}

void task_put(struct task *t)
{
}

void task_idle_init(struct task *t)
{
}

void ktimer_set_tick(u64 at_ns)
{
}

void hart_kick(u32 index)
{
}

void hart_wait_interrupt(void)
{
}

struct thread *thread_switch(struct thread *prev, struct thread *next)
{
	panic("nobody else wants the hart");
}

/* ---- somebody asks for the task's times, as procfs does ---- */

static u64 seen; /* what he was told */

static void look_from_elsewhere(void)
{
	struct runq *rq = &runqs[0];

	if (spin_is_locked(&rq->lock)) {
		clock_was_read = look_from_elsewhere; /* he has to wait, and comes at the next look */
		return;
	}
	now_ns += A_WHILE;
	spin_lock(&rq->lock);
	runq_account(rq, now_ns);
	seen = task.exec_total;
	spin_unlock(&rq->lock);
}

/* The only task of its hart runs. */
static void start(int nice)
{
	memset(runqs, 0, sizeof(struct runq) * MAX_HARTS);
	idle = task = (struct task){0};
	run_on_hart(&idle, 0);
	sched_init(&idle);
	run_on_hart(&task, 0);
	task.nice = nice;
	task.weight = sched_weight(nice);
	task.affinity = ~0ul;
	task.state = TASK_RUNNABLE;
	task.queued = 1;
	task.vruntime = runqs[0].min_vruntime;
	task.exec_start = now_ns;
	runqs[0].current = &task;
	runqs[0].nr_running = 1;
	seen = 0;
}

static void tick(void)
{
	fake_irq_off = 1;
	sched_tick(0);
	fake_irq_off = 0;
}

static void check_beside(void (*path)(void), int nice)
{
	start(nice);
	now_ns += A_WHILE;
	clock_was_read = look_from_elsewhere;
	path();
	clock_was_read = NULL;
	ASSERT(task.exec_total >= seen); /* nobody's CPU time goes backwards */
	ASSERT(task.vruntime < FAR_AWAY);
	ASSERT(runqs[0].min_vruntime < FAR_AWAY);
}

static void test_looked_at_meanwhile(void)
{
	for (int nice = -20; nice < 20; nice++) {
		check_beside(sched_run, nice);
		check_beside(tick, nice);
	}
}

/* The harts' clocks may differ by a tick (RISC-V privileged architecture, "time"). */
static void test_clock_a_tick_behind(void)
{
	for (int nice = -20; nice < 20; nice++) {
		start(nice);
		now_ns += A_WHILE;
		runq_account(&runqs[0], now_ns);
		runq_account(&runqs[0], now_ns - 100);
		ASSERT(task.vruntime < FAR_AWAY);
		ASSERT(runqs[0].min_vruntime < FAR_AWAY);
	}
}

int main(void)
{
	test_looked_at_meanwhile();
	test_clock_a_tick_behind();
	printf("ok sched\n");
	return 0;
}
