/*
 * The scheduler as the rest of this room uses it (sync/sched.h is its face to everyone else).
 *
 * Each hart has a run queue: an ordered list of real-time tasks, and below them a tree of fair tasks by vruntime (time
 * run, weighted by nice). The running task is counted (`queued`, nr_running) but is in neither.
 *
 * Who may change what: see sched.c's opening comment.
 */
#pragma once

#include "lib/list.h"
#include "lib/tree.h"
#include "lib/types.h"
#include "sync/sched.h"
#include "sync/spinlock.h"

struct task;

#define SCHED_OTHER 0
#define SCHED_FIFO  1
#define SCHED_RR    2
#define SCHED_BATCH 3
#define SCHED_IDLE  5

struct runq {
	struct spinlock lock;
	u32 hart;
	struct task *current; /* runs now; idle when nothing does */
	struct task *idle;
	struct task *previous;   /* the one being left, until sched_finish */
	u32 moving;              /* `previous` is RUNNABLE but may not run here: sched_finish places it */
	struct list rt;          /* by descending priority, then arrival */
	struct tree fair;        /* by vruntime */
	struct tree_node *first; /* smallest vruntime */
	u32 nr_running;          /* queued tasks, the running one included, idle not */
	u64 min_vruntime;        /* never decreases; newcomers start near it */
	u64 nr_switches;
	u64 next_balance; /* ns */
	u64 user_ns, nice_ns, system_ns, idle_ns;
};
extern struct runq runqs[];

void sched_init(struct task *boot_idle);
void task_idle_init(struct task *t); /* task.c: of the hart that calls */
void sched_load_start(void);
u32 sched_weight(int nice);
/* First time on a queue: NEW → RUNNABLE. */
void sched_start(struct task *t);
/* Inherits scheduling parameters; `child` is NEW. */
void sched_fork(struct task *child, const struct task *parent);
/* Gives the hart away; returns at once if nobody else wants it and the task is RUNNABLE. */
void sched_run(void);
/* Current is ZOMBIE or DEAD: never returns. */
noreturn void sched_exit(void);
/* The first thing that a new task does: finishes the switch to it, interrupts on. */
void sched_first_run(void);
/* Makes it runnable if its state is one of `states` (BIT(TASK_…)). Context: any. */
bool sched_wake_states(struct task *t, u32 states);
/* A signal came for `t`: its work bit is set, and a sleep that the signal ends is ended. */
enum signal_wake { SIGNAL_WAKE_NORMAL, SIGNAL_WAKE_FATAL };
void sched_wake_signal(struct task *t, enum signal_wake how);
/* From the timer interrupt of this hart. `from_user`: 1 when it stopped user code. */
void sched_tick(u32 from_user);
/* Updates exec_total of a task that may be running. */
u64 sched_exec_total(struct task *t);

/* ---- queues, for balance.c and sched_ctl.c. Locks: rq->lock held, interrupts off ---- */
/* Locks the queue that t belongs to. */
struct runq *task_runq_lock(struct task *t);
/* Brings the running task's times up to `now`, which is read under the lock: others do this too, and times only grow. */
void runq_account(struct runq *rq, u64 now);
void runq_add(struct runq *rq, struct task *t);
/* Takes out a waiting task, which will be added to `to`. Locks: both queues'. */
void runq_remove(struct runq *rq, struct task *t, struct runq *to);
/* A task that is not queued changes its queue. Locks: from's. */
void task_set_hart(struct task *t, struct runq *from, struct runq *to);
/* Around a change of weight, policy or priority. */
void runq_rehome(struct runq *rq, struct task *t); /* unlocks rq */
bool runq_change_begin(struct runq *rq, struct task *t);
void runq_change_end(struct runq *rq, struct task *t, bool was_waiting);

/* ---- balance.c ---- */
u32 balance_choose_hart(const struct task *t, u32 previous);
void balance_idle_begin(struct runq *rq);
void balance_idle_end(struct runq *rq);
void balance_hart_online(struct runq *rq);
/* Nothing to run: takes a waiting task from the busiest queue. Context: interrupts off, no lock. */
void balance_idle_pull(struct runq *rq);
/* Now and then, from the tick. Context: interrupts off, no lock. */
void balance_tick(struct runq *rq, u64 now);

/* ---- ktimer.c ---- */
void ktimer_init(void);
/* proc_init's other parts */
void timers_init(void);
void futex_init(void);
/* timers.c: CPU-time timers and limits of current. Context: the timer interrupt. */
void process_tick(u32 from_user);
/* When this hart's scheduler wants its next tick; ~0: never. Context: interrupts off. */
void ktimer_set_tick(u64 at_ns);
