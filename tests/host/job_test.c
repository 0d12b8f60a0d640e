// host-sources: kernel/dev/tty.c kernel/dev/ldisc.c kernel/proc/job.c kernel/proc/pid.c kernel/proc/pid_choose.c
// host-sources: kernel/sync/spinlock.c kernel/lib/index.c kernel/lib/bitmap.c kernel/lib/string.c
// host-flags: -iquotetests/host/fake/proc
/*
 * Sessions and their terminals under several harts: a terminal is taken while it hangs up, while another thread of the session's leader
 * takes one, and while the session changes, at every instant. A session that is freed too early is seen by the sanitizer.
 */
#include "fake/host_alloc.h"
#include "fake/proc/proc_env.h"
#include "fake/proc/task_refs.h"

#include "dev/tty_internal.h"
#include "lib/err.h"
#include "lib/errno.h"
#include "mm/uio.h"
#include "proc/pid.h"
#include "proc/sched.h"
#include "proc/sigqueue.h"

struct spinlock tasks_lock = SPINLOCK_INIT("tasks", RANK_TASKLIST);

static struct process proc;
static struct task first, second; /* its threads */
static struct tty terminals[2];
static u32 nr_destroyed;

/* ---- tasks and signals ---- */

bool pgrp_is_orphaned_locked(struct pid *pgrp, const struct process *but)
{
	return false;
}

void siginfo_kernel(struct siginfo_k *info, int signo)
{
	*info = (struct siginfo_k){.signo = signo};
}

int signal_send_group(struct pid *pgrp, const struct siginfo_k *info)
{
	return 0;
}

/* ---- what does not come up here ---- */

void waitq_init(struct waitq *wq, const char *name)
{
	list_init(&wq->entries);
}

void waitq_entry_init(struct waitq_entry *entry)
{
}

void waitq_prepare(struct waitq *wq, struct waitq_entry *entry, enum sleep_kind kind)
{
}

void waitq_finish(struct waitq *wq, struct waitq_entry *entry, enum waitq_outcome outcome)
{
}

void waitq_wake_slow(struct waitq *wq, u32 events, enum waitq_entry_state how)
{
}

int sched_sleep(u64 deadline_ns)
{
	panic("sleeps");
}

void mutex_init(struct mutex *m, const char *name, enum lock_rank rank)
{
}

int mutex_lock_interruptible(struct mutex *m)
{
	return 0;
}

bool mutex_trylock(struct mutex *m)
{
	return true;
}

void mutex_unlock(struct mutex *m)
{
}

int uio_copy_to(struct uio *u, const void *src, size_t n)
{
	return -EFAULT;
}

int uio_copy_from(struct uio *u, void *dst, size_t n)
{
	return -EFAULT;
}

int chardev_register(struct chardev *cd)
{
	return 0;
}

long tty_ioctl(struct chardev *cd, void *cookie, u32 cmd, u64 arg)
{
	return -ENOTTY;
}

void console_init(void)
{
}

void pty_init(void)
{
}

/* ---- a process of two threads, its session's leader or not, and two terminals ---- */

static void terminal_destroy(struct tty *t)
{
	nr_destroyed++;
}

static const struct tty_driver driver = {.destroy = terminal_destroy};

static void join(struct pid *which)
{
	proc.pgrp = proc.session = which;
	pid_get(which);
	pid_get(which);
	list_add_tail(&proc.pgrp_link, &which->group);
	list_add_tail(&proc.session_link, &which->session);
}

static void start_threads(void)
{
	memset(&proc, 0, sizeof(proc));
	refcount_init(&proc.refs, 1);
	first = (struct task){.proc = &proc, .state = TASK_RUNNABLE, .refs = REFCOUNT_INIT(1), .pid = pid_alloc(0)};
	second = (struct task){.proc = &proc, .state = TASK_RUNNABLE, .refs = REFCOUNT_INIT(1)};
	pid_attach(first.pid, &first);
	proc.pid = first.tid = first.pid->nr;
	proc.leader = &first;
	run_on_hart(&first, 0);
	nr_destroyed = 0;
	for (u32 i = 0; i < ARRAY_SIZE(terminals); i++) {
		memset(&terminals[i], 0, sizeof(terminals[i]));
		tty_setup(&terminals[i], &driver, TTY_RDEV(PTS_MAJOR, i));
	}
}

static void start_leader(void)
{
	start_threads();
	join(first.pid);
}

/* In a session that nobody else is in. */
static void start_member(void)
{
	struct pid *own;

	start_threads();
	own = pid_alloc(0);
	join(own);
	pid_put(own);
}

/* Each session has the terminal that has it. */
static void check_bonds(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(terminals); i++) {
		struct tty *t = &terminals[i];

		ASSERT(!t->session || t->session->tty == t);
		ASSERT(refcount_read(&t->refs) == 1 + (t->session != NULL));
	}
	ASSERT(!proc.session->tty || proc.session->tty->session == proc.session);
}

static void end(void)
{
	check_bonds();
	for (u32 i = 0; i < ARRAY_SIZE(terminals); i++) {
		tty_detach(&terminals[i]);
		tty_put(&terminals[i]);
	}
	ASSERT(nr_destroyed == ARRAY_SIZE(terminals));
	list_del(&proc.pgrp_link);
	list_del(&proc.session_link);
	pid_put(proc.pgrp);
	pid_put(proc.session);
	pid_detach(first.pid);
	pid_put(first.pid);
	ASSERT(kernel_objects == 0);
}

/* ---- what the other hart does ---- */

static void master_closes(void)
{
	struct tty *t = &terminals[0];
	u64 flags = spin_lock_irqsave(&t->lock);

	t->gone = 1;
	spin_unlock_irqrestore(&t->lock, flags);
	tty_hangup(t);
}

static void take_the_other(void)
{
	run_on_hart(&second, 1);
	(void)tty_session_attach(&terminals[1]);
	run_on_hart(&first, 0);
}

static void new_session(void)
{
	run_on_hart(&second, 1);
	ASSERT(process_setsid() == proc.pid);
	run_on_hart(&first, 0);
}

/* ---- tests ---- */

static void take_while(void (*start)(void), void (*act)(void))
{
	for (u32 at = 1, late = 0; !late; at++) {
		start();
		other_hart_acts(act, at);
		(void)tty_session_attach(&terminals[0]);
		late = other_hart_was_late();
		end();
	}
}

static void test_taken_beside_a_hangup(void)
{
	take_while(start_leader, master_closes);
}

static void test_two_are_taken(void)
{
	take_while(start_leader, take_the_other);
}

static void test_taken_while_session_changes(void)
{
	take_while(start_member, new_session);
}

int main(void)
{
	pid_init();
	test_taken_beside_a_hangup();
	test_two_are_taken();
	test_taken_while_session_changes();
	printf("ok job\n");
	return 0;
}
