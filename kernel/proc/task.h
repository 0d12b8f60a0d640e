/*
 * Tasks: a thread of execution and what it shares.
 *
 *   struct task        one thread: registers, scheduling, its own signal mask
 *   struct process     a thread group: pid (tgid), signal handlers' table, pending signals, children, limits, timers
 *   shared by clone flags: aspace (CLONE_VM), fdtable (CLONE_FILES), fs_context (CLONE_FS), handlers (CLONE_SIGHAND)
 *
 *   task states
 *      NEW --sched_start--> RUNNABLE ⇄ RUNNING → SLEEPING (interruptible, killable or not) → RUNNABLE
 *      RUNNING → STOPPED (job control) → RUNNABLE
 *      RUNNING → ZOMBIE (thread: reaped by itself; leader: by wait) → DEAD (switched away, last reference frees)
 *
 * A task that was left for the last time (ZOMBIE or DEAD, on_hart 0) never runs again: sched_finish() frees its stack and
 * drops the reference that being alive held. A zombie keeps its struct until wait takes it out of the pid table.
 *
 * Locks, outermost first (docs/locking.md)
 *   proc->exec_lock  RANK_EXEC, mutex: one exec of a thread group at a time
 *   tasks_lock       RANK_TASKLIST, spinlock, irqsave (terminals signal groups from interrupts): the family tree, groups,
 *                    sessions, thread lists (changes also need the process's siglock), credentials read by others
 *   proc->siglock    RANK_SIGNAL, spinlock, irqsave: pending signals, handlers, stop and exit state, timers of the process;
 *                    two of them at once only child then parent, with tasks_lock held (_nested)
 *   pid_lock         RANK_PIDMAP, spinlock, irqsave: numbers <-> struct pid, pid->task
 *   runq->lock       RANK_RUNQUEUE, spinlock, irqsave: scheduling state of the tasks of one hart; it is handed from the task
 *                    that is left to the one that is entered
 *   timer base lock  RANK_TIMER
 */
#pragma once

#include "arch/riscv/arch.h"
#include "dev/tty.h"
#include "fs/inode.h"
#include "lib/held_locks.h"
#include "lib/list.h"
#include "lib/refcount.h"
#include "lib/tree.h"
#include "lib/types.h"
#include "proc/signal.h"
#include "sync/mutex.h"
#include "sync/spinlock.h"
#include "sync/waitq.h"

struct aspace;
struct fdtable;
struct fs_context;
struct pid;
struct process;
struct robust_list_head;

enum task_state { TASK_NEW, TASK_RUNNABLE, TASK_SLEEPING, TASK_STOPPED, TASK_ZOMBIE, TASK_DEAD };

struct rlimit {
	u64 soft, hard;
};
#define RLIM_CPU        0
#define RLIM_FSIZE      1
#define RLIM_DATA       2
#define RLIM_STACK      3
#define RLIM_CORE       4
#define RLIM_RSS        5
#define RLIM_NPROC      6
#define RLIM_NOFILE     7
#define RLIM_MEMLOCK    8
#define RLIM_AS         9
#define RLIM_LOCKS      10
#define RLIM_SIGPENDING 11
#define RLIM_MSGQUEUE   12
#define RLIM_NICE       13
#define RLIM_RTPRIO     14
#define RLIM_RTTIME     15
#define RLIM_NR         16
#define RLIM_INFINITY   (~0ul)

struct task {
	struct thread thread; /* must be first: tp */
	struct refcount refs;
	vaddr_t kstack;       /* top, kstack_alloc */
	struct process *proc; /* NULL for kernel threads */
	int tid;
	char name[16]; /* comm */

	/* scheduling (proc/sched.c) [run-queue lock of `hart`] */
	enum task_state state;
	u32 sleep_kind; /* enum sleep_kind while SLEEPING */
	u32 on_hart;    /* 1: its registers are on a hart (switching away is not finished) */
	u32 hart;       /* run queue it belongs to */
	u64 affinity;   /* set of harts */
	int nice;
	u32 policy, rt_priority;
	u64 vruntime, exec_start, exec_total; /* ns */
	u64 utime, stime;                     /* ns in user / kernel mode */
	u64 nr_switches, nr_involuntary;
	u32 queued;                   /* 1: counted in its run queue, waiting or running */
	u32 weight;                   /* from nice; 1024 for 0 */
	u64 slice_end;                /* SCHED_RR: when its turn ends */
	u64 cpu_seen;                 /* exec_total at the last tick */
	u64 ticks_user, ticks_system; /* where the tick found it: how exec_total is split */
	struct tree_node run_node;
	struct list run_link;
	u64 sleep_deadline; /* with the timer of a timed sleep */

	/* sharing */
	struct aspace *as; /* NULL for kernel threads */
	u32 leaves_memory; /* [tasks_lock] it exits, and puts its address space just now: frames are still to come free */
	struct fdtable *files;
	struct fs_context *fs;

	/* credentials: replaced as a whole by current only; others read under tasks_lock */
	struct cred_ref *cred;
	u32 access_real; /* access(2) runs: cred_current() is access_cred */
	struct cred access_cred;

	/* signals of this thread [proc->siglock] */
	struct signal_queue pending;
	u64 sigmask, saved_sigmask;
	u32 restore_sigmask;
	u64 wait_set; /* sigtimedwait takes these although they are blocked */
	struct sigaltstack_k altstack;
	struct restart_block {
		u64 (*fn)(struct task *);
		u64 arg[5];
	} restart;

	/* thread life */
	struct pid *pid;  /* referenced; of tid */
	u32 must_exit;    /* an exec or a group exit wants this thread gone [siglock] */
	u32 stop_counted; /* counted in proc->nr_stopped [siglock] */
	u32 times_folded; /* its times are in proc->utime, stime [siglock] */
	u32 exiting;      /* past the start of its exit: takes no signals [siglock] */
	void (*kthread_fn)(void *);
	void *kthread_arg;
	vaddr_t set_child_tid, clear_child_tid;
	vaddr_t robust_list;
	u64 robust_list_len;
	struct list thread_link;  /* in proc->threads [tasks_lock] */
	struct waitq *vfork_done; /* parent waits here for exec or exit */
	int exit_code;
	u64 start_ns;
	u64 nr_minor_faults, nr_major_faults;
	struct held_locks locks; /* sleeping locks held (debug) */
	u32 pdeathsig;
	u32 personality;
	const void *journal; /* later: the open handle */
};

struct process {
	struct refcount refs;
	int pid;                       /* tgid */
	struct task *leader;           /* NULL once reaped [tasks_lock, siglock] */
	struct list threads;           /* [tasks_lock] */
	u32 nr_threads;                /* in the list [tasks_lock] */
	u32 nr_live;                   /* of them, not exiting [siglock] */
	struct process *parent;        /* [tasks_lock] */
	int ppid;                      /* its number, for those who only ask */
	struct list children, sibling; /* [tasks_lock] */
	struct pid *pgrp, *session;    /* [tasks_lock] referenced */
	struct list pgrp_link, session_link;
	int exit_signal;

	struct spinlock siglock;
	struct sighand *sighand;     /* shared by CLONE_SIGHAND */
	struct signal_queue pending; /* for the whole process */
	u32 group_exit, group_exit_code;
	u32 stopped;    /* a stop is in force: threads stop on their way to user mode */
	u32 stop_taken; /* a thread took a stop signal to act on it, and no SIGCONT came since [siglock] */
	u32 stop_signal, stop_reported, continued;
	u32 nr_stopped;       /* threads that did */
	u32 stop_complete;    /* all did: wait may report it */
	vaddr_t vdso;         /* where exec put it; 0: nowhere */
	u32 notify_continued; /* the parent is still to hear of SIGCONT */
	u32 unkillable;       /* pid 1: default actions do not touch it */
	u32 zombie;           /* wait may take it [tasks_lock] */
	u32 fault_logged;
	struct mutex exec_lock;
	struct task *exec_task;     /* kills its siblings in an exec [siglock] */
	struct waitq threads_wait;  /* exec_task waits here for nr_live 1 */
	struct inode *text;         /* the program file: nobody may write to it; referenced */
	u32 files_shared;           /* CLONE_FILES with another process: exec takes a copy */
	u64 cpu_ns;                 /* used, as ticks saw it: for CPU-time timers and RLIMIT_CPU */
	u64 cpu_warn_ns;            /* next SIGXCPU */
	struct waitq wait_children; /* wait4 sleeps here */
	struct rlimit limits[RLIM_NR];
	struct itimer_set *timers;                  /* proc/timers.c */
	u64 utime, stime, child_utime, child_stime; /* of dead threads / reaped children */
	u64 minor_faults, major_faults, child_minor_faults, child_major_faults;
	u64 nr_voluntary, nr_involuntary, max_rss_pages, child_max_rss;
	u32 execed;
	u32 dumpable;
	u32 is_subreaper, has_subreaper;
	int oom_score_adj, oom_score_adj_min; /* proc/oom.h; who is not root may not go below the second */
	u32 oom_victim;                       /* enum oom_victim [tasks_lock] */
	int exit_code;
	u64 start_ns;
};

extern struct spinlock tasks_lock;

static inline struct process *current_process(void)
{
	return current()->proc;
}
void task_get(struct task *t);
void task_put(struct task *t);

/* By number, referenced, or NULL. */
struct task *task_lookup(int tid);
struct process *process_lookup(int pid);
void process_get(struct process *p);
void process_put(struct process *p);
/* Next process with pid ≥ `pid`, referenced, or NULL (procfs, kill -1). */
struct process *process_next(int pid);
/* Its address space, referenced, or NULL (exited, kernel). */
struct aspace *process_aspace(struct process *p);
/* One of its threads runs on `as`. */
bool process_shares(struct process *p, const struct aspace *as);
/* A kernel thread. ERR_PTR on failure. */
struct task *kthread_create(const char *name, void (*fn)(void *), void *arg);
/* Runs `fn` as a kernel thread pinned to the harts of `affinity`. */
struct task *kthread_create_on(const char *name, void (*fn)(void *), void *arg, u64 affinity);

/* CPU time so far, never going backwards: exact in sum, split by where ticks found the task. */
void task_times(struct task *t, u64 *utime_ns, u64 *stime_ns);
/* The same for all threads, dead ones included. Locks: takes siglock. */
void process_times(struct process *p, u64 *utime_ns, u64 *stime_ns);
/* 'R' 'S' 'D' 'T' 'Z' 'I' 'X', as /proc/PID/stat shows it. */
char task_state_letter(const struct task *t);
/* Tasks there are, and may be. */
u32 task_count(void), task_count_max(void);
void task_set_name(struct task *t, const char *name);

/* ---- life, for fork.c, exit.c and init.c ---- */
/* A task in state NEW with number, stack and one reference for its life; runs entry(arg). ERR_PTR. */
struct task *task_create(const char *name, int tid, void (*entry)(void *), void *arg);
/* Undo, for a task that was never started; t->cred and t->pid may be NULL. */
void task_discard(struct task *t);
/* One thread, its own group and limits; no reference to anything. NULL: no memory. */
struct process *process_alloc(void);
/* The program file may be written to again. */
void process_drop_text(struct process *p);
extern struct process *init_process;
/* Takes a zombie out of every table; frees what nobody refers to. Locks: tasks_lock held. */
void process_release_locked(struct process *p);
/* Current leaves its memory for `as` (NULL: the kernel's) and gives up its reference on the old one. */
void task_change_aspace(struct aspace *as);
/* Whoever waits for t to leave its memory is told: robust futexes, clear_child_tid, a vfork parent. t is current. */
void task_leave_memory(struct task *t);
/* A vfork parent that waits for t goes on. */
void vfork_release(struct task *t);
