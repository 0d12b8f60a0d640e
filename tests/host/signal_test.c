// host-sources: kernel/proc/sigsend.c kernel/proc/signal.c kernel/proc/sigdeliver.c kernel/proc/pid.c kernel/proc/pid_choose.c
// host-sources: kernel/proc/job.c kernel/sync/spinlock.c kernel/lib/index.c kernel/lib/bitmap.c kernel/lib/string.c
// host-flags: -iquotetests/host/fake/proc
/*
 * Signals under several harts: what one hart sends, or changes, while a thread on another is on its way, at every instant of it.
 * A signal that a sleeper waits for and is not told of would be a hang; a group that is freed too early is seen by the sanitizer.
 */
#include "fake/host_alloc.h"
#include "fake/proc/proc_env.h"
#include "fake/proc/task_refs.h"

#include "arch/riscv/csr.h"
#include "arch/riscv/sigframe.h"
#include "lib/err.h"
#include "lib/errno.h"
#include "mm/fault.h"
#include "proc/cred.h"
#include "proc/explain.h"
#include "proc/pid.h"
#include "proc/sched.h"
#include "proc/sigqueue.h"
#include "proc/vdso.h"

#define CAUGHT 0x1000ul
#define SET    (SIG_BIT(SIGUSR1) | SIG_BIT(SIGUSR2))

struct spinlock tasks_lock = SPINLOCK_INIT("tasks", RANK_TASKLIST);

static struct cred_ref cred = {.refs = REFCOUNT_INIT(1)};
static struct process proc;
static struct task first, second; /* its threads: the leader, and one that sleeps */
static struct pid *group, *session;
static struct trapframe frame;
static void (*while_asleep)(void); /* what happens when the running thread goes to sleep */
static int sleep_result;

/* ---- tasks ---- */

bool cred_may_signal_locked(const struct task *t)
{
	return true;
}

int ptimer_delivered_locked(struct process *p, int timer_id)
{
	return 0;
}

bool pgrp_is_orphaned_locked(struct pid *pgrp, const struct process *but)
{
	spin_assert_held(&tasks_lock);
	return list_empty(&pgrp->group);
}

/* ---- sleep and wake ---- */

bool sched_wake_states(struct task *t, u32 states)
{
	if (!(BIT(t->state) & states))
		return false;
	t->state = TASK_RUNNABLE;
	return true;
}

void sched_wake_signal(struct task *t, enum signal_wake how)
{
	t->thread.work |= THREAD_SIGNAL;
	if (t != current())
		(void)sched_wake_states(t, BIT(TASK_SLEEPING));
}

void sched_prepare_sleep(enum sleep_kind kind)
{
}

void sched_cancel_sleep(void)
{
}

int sched_sleep(u64 deadline_ns)
{
	if (while_asleep)
		while_asleep();
	while_asleep = NULL;
	return sleep_result;
}

void sched_run(void)
{
	if (while_asleep)
		while_asleep();
	while_asleep = NULL;
	if (first.state != TASK_RUNNABLE)
		panic("stopped for ever");
}

void sched_point(void)
{
}

void waitq_wake_slow(struct waitq *wq, u32 events, enum waitq_entry_state how)
{
}

/* ---- what does not come up here ---- */

int sigframe_push(struct trapframe *tf, const struct sigframe_request *rq)
{
	return 0;
}

int sigframe_pop(struct trapframe *tf, u64 *mask, struct sigframe_stack *altstack)
{
	return -EFAULT;
}

vaddr_t vdso_sigreturn(vaddr_t base)
{
	return 0;
}

void explain_death(const struct siginfo_k *info, const struct trapframe *tf)
{
}

void explain_no_memory(const struct fault *f, const struct trapframe *tf)
{
}

noreturn void process_exit_group(int code)
{
	panic("the process ends");
}

noreturn void thread_exit(int code)
{
	panic("the thread ends");
}

void tty_get(struct tty *t)
{
}

void tty_put(struct tty *t)
{
}

int tty_attach(struct tty *t, struct pid *s, struct pid *pgrp)
{
	return -EPERM;
}

/* ---- a process of two threads, alone in its group ---- */

static void thread_start(struct task *t)
{
	*t = (struct task){.proc = &proc, .cred = &cred, .state = TASK_RUNNABLE, .refs = REFCOUNT_INIT(1)};
	t->pid = pid_alloc(0);
	ASSERT(!IS_ERR(t->pid));
	t->tid = t->pid->nr;
	t->thread.tf = &frame;
	signal_queue_init(&t->pending);
	list_add_tail(&t->thread_link, &proc.threads);
	pid_attach(t->pid, t);
}

static void start(void)
{
	memset(&proc, 0, sizeof(proc));
	refcount_init(&proc.refs, 1);
	spin_init(&proc.siglock, "signals", RANK_SIGNAL);
	signal_queue_init(&proc.pending);
	list_init(&proc.threads);
	thread_start(&first);
	thread_start(&second);
	run_on_hart(&first, 0);
	proc.pid = first.tid;
	proc.leader = &first;
	proc.nr_threads = proc.nr_live = 2;
	proc.limits[RLIM_SIGPENDING].soft = 100;
	proc.sighand = sighand_create();
	proc.sighand->action[SIGUSR1 - 1].handler = proc.sighand->action[SIGUSR2 - 1].handler = CAUGHT;
	group = proc.pgrp = pid_alloc(0);
	session = proc.session = pid_alloc(0);
	list_add_tail(&proc.pgrp_link, &group->group);
	while_asleep = NULL;
	sleep_result = 0;
}

static void end(void)
{
	signal_queue_flush(&proc.pending, ~0ul);
	signal_queue_flush(&first.pending, ~0ul);
	list_del(&proc.pgrp_link);
	pid_put(proc.pgrp);
	pid_put(proc.session);
	pid_detach(first.pid);
	pid_detach(second.pid);
	pid_put(first.pid);
	pid_put(second.pid);
	sighand_put(proc.sighand);
	ASSERT(kernel_objects == 0);
	ASSERT(refcount_read(&proc.refs) == 1 && refcount_read(&first.refs) == 1);
}

/* From another process, on another hart. */
static void send(int signo)
{
	struct task *me = fake_current;
	static struct process stranger;
	static struct task sender = {.proc = &stranger};
	struct siginfo_k info;

	siginfo_kernel(&info, signo);
	run_on_hart(&sender, 1);
	(void)signal_send_process(&proc, &info);
	fake_current = me;
}

/* ---- SIGCONT beside a stop that begins ---- */

static u32 go_on_late;

static void go_on(void)
{
	send(SIGCONT);
}

static void go_on_at_last(void)
{
	go_on_late = other_hart_was_late();
}

static void stop_with(int signo)
{
	go_on_late = 0;
	for (u32 at = 1; !go_on_late; at++) {
		start();
		list_del(&second.thread_link);
		proc.nr_threads = proc.nr_live = 1;
		send(signo);
		ASSERT(first.thread.work & THREAD_SIGNAL);
		while_asleep = go_on_at_last;
		other_hart_acts(go_on, at);
		while (first.thread.work & THREAD_SIGNAL)
			user_return_work(&frame);
		go_on_late |= other_hart_was_late();
		ASSERT(!proc.stopped && first.state == TASK_RUNNABLE);
		end();
	}
}

static void test_sigcont_beside_stop(void)
{
	stop_with(SIGSTOP);
	stop_with(SIGTSTP);
}

/* ---- signals that two threads wait for: none is left with a sleeper that wants it ---- */

static void second_waits(void)
{
	second.sigmask = SET;
	second.wait_set = SET;
	second.state = TASK_SLEEPING;
}

static void send_one(void)
{
	send(SIGUSR1);
}

static void send_both(void)
{
	send(SIGUSR1);
	send(SIGUSR2);
}

static void check_nobody_missed_it(void)
{
	ASSERT(!(proc.pending.set & SET) || second.state == TASK_RUNNABLE);
}

static void test_sigwait_gives_up(void)
{
	struct siginfo_k info;

	for (u32 at = 1, late = 0; !late; at++) {
		start();
		first.sigmask = SET;
		second_waits();
		sleep_result = -ETIMEDOUT;
		other_hart_acts(send_one, at);
		(void)signal_timedwait(SET, &info, now_ns);
		late = other_hart_was_late();
		check_nobody_missed_it();
		end();
	}
}

static void test_sigwait_takes_one_of_two(void)
{
	struct siginfo_k info;

	start();
	first.sigmask = SET;
	second_waits();
	while_asleep = send_both;
	ASSERT(signal_timedwait(SET, &info, ~0ul) == SIGUSR1);
	check_nobody_missed_it();
	end();
}

static void test_blocked_while_another_waits(void)
{
	u64 set = SET;

	for (u32 at = 1, late = 0; !late; at++) {
		start();
		second_waits();
		other_hart_acts(send_one, at);
		ASSERT(signal_procmask(0, &set, NULL) == 0);
		late = other_hart_was_late();
		check_nobody_missed_it();
		end();
	}
}

/* ---- the caller's group, which changes ---- */

static void leave_group(void)
{
	run_on_hart(&second, 1);
	ASSERT(process_setpgid(0, 0) == 0);
	run_on_hart(&first, 0);
}

static void test_kill_own_group(void)
{
	for (u32 at = 1, late = 0; !late; at++) {
		start();
		other_hart_acts(leave_group, at);
		ASSERT(signal_kill(0, SIGUSR1) == 0);
		late = other_hart_was_late();
		ASSERT(proc.pending.set == SIG_BIT(SIGUSR1));
		end();
	}
}

static void test_terminal_asks_for_group(void)
{
	for (u32 at = 1, late = 0; !late; at++) {
		start();
		proc.sighand->action[SIGTTOU - 1].handler = CAUGHT;
		other_hart_acts(leave_group, at);
		(void)tty_background_check(session, SIGTTOU);
		late = other_hart_was_late();
		end();
	}
}

/* ---- exec.c, take_leadership: the leader and the number change hands one after the other ---- */

static void test_process_is_found_while_leader_changes(void)
{
	struct process *p;

	start();
	proc.leader = &second;
	p = process_lookup(proc.pid);
	ASSERT(p == &proc);
	process_put(p);
	ASSERT(!process_lookup(second.tid)); /* a thread's number is no process */
	end();
}

int main(void)
{
	pid_init();
	signal_init();
	test_sigcont_beside_stop();
	test_sigwait_gives_up();
	test_sigwait_takes_one_of_two();
	test_blocked_while_another_waits();
	test_kill_own_group();
	test_terminal_asks_for_group();
	test_process_is_found_while_leader_changes();
	printf("ok signal\n");
	return 0;
}
