/* Going to sleep, with or without a deadline, and what signals do to sleepers. The argument is told in sched.c. */
#include "arch/riscv/arch.h"
#include "lib/errno.h"
#include "proc/proc.h"
#include "proc/sched.h"

void sched_prepare_sleep(enum sleep_kind kind)
{
	struct task *t = current();

	t->sleep_kind = kind;
	WRITE_ONCE(t->state, TASK_SLEEPING);
	smp_mb();
}

void sched_cancel_sleep(void)
{
	WRITE_ONCE(current()->state, TASK_RUNNABLE);
}

struct sleep_timer {
	struct ktimer timer;
	struct task *task;
};

static void sleep_timer_fire(struct ktimer *timer)
{
	sched_wake(container_of(timer, struct sleep_timer, timer)->task);
}

static bool sleep_interrupted(enum sleep_kind kind)
{
	if (kind == SLEEP_UNINTERRUPTIBLE)
		return false;
	return kind == SLEEP_KILLABLE ? sched_fatal_signal_pending() : sched_signal_pending();
}

static int sleep_timed(u64 deadline_ns)
{
	struct task *t = current();
	struct sleep_timer st = {.task = t, .timer = {.fn = sleep_timer_fire}};

	if (clock_mono_ns() < deadline_ns) {
		t->sleep_deadline = deadline_ns;
		ktimer_start(&st.timer, deadline_ns);
		sched_run();
		ktimer_cancel(&st.timer);
	} else {
		sched_cancel_sleep();
	}
	return clock_mono_ns() >= deadline_ns ? -ETIMEDOUT : 0;
}

int sched_sleep(u64 deadline_ns)
{
	struct task *t = current();
	int ret = 0;

	if (READ_ONCE(t->state) == TASK_RUNNABLE)
		return 0;
	if (sleep_interrupted(t->sleep_kind)) {
		sched_cancel_sleep();
		return -EINTR;
	}
	if (deadline_ns == SCHED_FOREVER)
		sched_run();
	else
		ret = sleep_timed(deadline_ns);
	if (ret == 0 && sleep_interrupted(t->sleep_kind))
		ret = -EINTR;
	return ret;
}

void sched_wake_signal(struct task *t, enum signal_wake how)
{
	u32 states = 0;

	__atomic_fetch_or(&t->thread.work, THREAD_SIGNAL, __ATOMIC_SEQ_CST);
	/* An interrupt may have come between the last look at the work bits and the sleep. */
	if ((t == current() && READ_ONCE(t->state) == TASK_RUNNABLE) || READ_ONCE(t->exiting))
		return;
	smp_mb();
	if (READ_ONCE(t->sleep_kind) == SLEEP_INTERRUPTIBLE ||
		(how == SIGNAL_WAKE_FATAL && READ_ONCE(t->sleep_kind) == SLEEP_KILLABLE))
		states |= BIT(TASK_SLEEPING);
	if (how == SIGNAL_WAKE_FATAL)
		states |= BIT(TASK_STOPPED);
	if (states && sched_wake_states(t, states))
		return;
	/* In user mode on another hart: through the kernel, so that it sees its work bit. */
	if (READ_ONCE(t->on_hart) && READ_ONCE(t->hart) != hart_index())
		hart_kick(READ_ONCE(t->hart));
}
