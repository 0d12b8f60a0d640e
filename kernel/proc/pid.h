/*
 * Numbers of tasks, process groups and sessions.
 *
 * A struct pid is one number and everything that goes by it now: at most one task, the processes whose group it is,
 * the processes whose session it is. It is allocated with a task and lives as long as anyone refers to it, so a
 * number is not given out again while a group or session of that name exists.
 *
 *   reference held by   task->pid, process->pgrp, process->session, terminals, lookups
 *   pid_lock            the table, and pid->task
 *   tasks_lock          group, session, tty
 */
#pragma once

#include "dev/tty.h"
#include "lib/index.h"
#include "lib/list.h"
#include "lib/refcount.h"
#include "lib/types.h"

struct task;
struct tty;

#define PID_MAX_DEFAULT 32768
#define PID_MAX_LIMIT   4194304
#define PID_RESERVED    300 /* after the first round, numbers start here */

struct pid {
	struct refcount refs;
	int nr;
	struct task *task;   /* NULL: gone, or only a group's or session's name is left */
	struct list group;   /* process.pgrp_link */
	struct list session; /* process.session_link */
	struct tty *tty;     /* the session's controlling terminal, referenced */
};

/* Pure: which number comes next. Host-tested. `ix` has every number in use. 0 and *nr, or -EAGAIN: all taken. */
int pid_choose(const struct index *ix, int last, int max, int *nr);

/* pid_get, pid_put and pid_number are declared in dev/tty.h, for terminals. Context: any. */
void pid_init(void);
/* A fresh number, or exactly `nr` (0: any). One reference. ERR_PTR: -EAGAIN, -ENOMEM. */
struct pid *pid_alloc(int nr);
/* Referenced, or NULL. Context: any. */
struct pid *pid_lookup(int nr);
void pid_attach(struct pid *p, struct task *t);
void pid_detach(struct pid *p);
/* The next number in use from `nr` up, referenced, or NULL. */
struct pid *pid_next(int nr);
/* Upper bound of numbers; /proc/sys/kernel/pid_max. */
extern int pid_max;
