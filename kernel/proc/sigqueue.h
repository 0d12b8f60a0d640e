/*
 * Signals, inside this room: handlers' table, queues, and the forms of sending for callers that hold siglock.
 *
 * sighand is shared by the threads of a process (and by CLONE_SIGHAND processes). It is read and changed under the
 * siglock of the process at hand; a change by another process that shares it may be seen word by word.
 */
#pragma once

#include "lib/refcount.h"
#include "proc/signal.h"
#include "proc/task.h"

struct ptimer;

struct sighand {
	struct refcount refs;
	struct sigaction_k action[NSIG]; /* [signo - 1] */
};

struct siginfo_node {
	struct list link;
	struct siginfo_k info;
	int timer_id; /* of the POSIX timer that sent it, or -1 */
};

#define SS_ONSTACK    1
#define SS_DISABLE    2
#define SS_AUTODISARM 0x80000000u
#define MINSIGSTKSZ   2048
#define SIG_DFL       0ul
#define SIG_IGN       1ul
#define SIGSET_STOP   (SIG_BIT(SIGSTOP) | SIG_BIT(SIGTSTP) | SIG_BIT(SIGTTIN) | SIG_BIT(SIGTTOU))
#define SIGSET_IGNORE (SIG_BIT(SIGCHLD) | SIG_BIT(SIGCONT) | SIG_BIT(SIGURG) | SIG_BIT(SIGWINCH))
#define SIGSET_FAULT \
	(SIG_BIT(SIGSEGV) | SIG_BIT(SIGBUS) | SIG_BIT(SIGILL) | SIG_BIT(SIGTRAP) | SIG_BIT(SIGFPE) | SIG_BIT(SIGSYS))
#define SIGSET_UNBLOCKABLE (SIG_BIT(SIGKILL) | SIG_BIT(SIGSTOP))

void signal_init(void);
struct sighand *sighand_create(void);
struct sighand *sighand_copy(struct process *from); /* NULL: no memory */
void sighand_put(struct sighand *sh);
/* exec: caught signals back to default; ignored ones stay so. Nobody else uses the table. */
void sighand_reset(struct sighand *sh);

void signal_queue_init(struct signal_queue *q);
/* Throws away everything pending whose bit is in `set`. Locks: siglock, or nobody else knows the queue. */
void signal_queue_flush(struct signal_queue *q, u64 set);
/* Takes the lowest signal of `set`, faults first; 0: none. Locks: siglock held. */
int signal_dequeue_locked(struct task *t, u64 set, struct siginfo_k *out, int *timer_id);

/* Locks: siglock held. */
int signal_send_locked(struct process *p, struct task *thread, const struct siginfo_k *info, int timer_id);
/* Starts the end of the whole process: every thread will see it. Locks: siglock held. */
void process_kill_locked(struct process *p, int status);
/* What current could have delivered now. */
u64 signal_deliverable(const struct task *t);
/* Tells the parent of an exit, stop or continue, by its rules. Locks: tasks_lock held. */
void signal_notify_parent_locked(struct process *p, int code, int status);
/* Every process of the group. Locks: tasks_lock held. */
int signal_group_locked(struct pid *pgrp, const struct siginfo_k *info);
void siginfo_kernel(struct siginfo_k *info, int signo);
/* The POSIX timer's signal is being delivered: its overrun count, and the next period starts. Locks: siglock held. */
int ptimer_delivered_locked(struct process *p, int timer_id);
const char *signal_name(int signo);
/* No member has a parent in another group of the session (`but` does not count): nobody could continue it. Locks: tasks_lock. */
bool pgrp_is_orphaned_locked(struct pid *pgrp, const struct process *but);
/* Internal to the three signal files. */
int signal_queue_add(struct signal_queue *q, const struct siginfo_k *info, int timer_id, u64 limit);
void sigmask_set_locked(struct task *t, u64 mask);
bool stop_check_complete_locked(struct process *p);
/* Of `set`, what t would take: what it does not block, and what it waits for. Locks: siglock held. */
static inline u64 signal_wanted_locked(const struct task *t, u64 set)
{
	return t->exiting ? 0 : set & (~t->sigmask | t->wait_set);
}
