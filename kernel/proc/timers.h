/*
 * Interval timers and POSIX timers of a process. All of it is guarded by the process's siglock: every start, and every stop of a
 * timer that somebody may still set. The functions of the kernel timers take it too: so it is stopped by ktimer_try_cancel, and
 * where that fails the lock is let go for a moment. A timer that nobody can set any more (deleted, or the process ends) is
 * cancelled without the lock, after it was made sure that its function does not start it again.
 */
#pragma once

#include "lib/index.h"
#include "proc/proc.h"

struct itimer_set {
	struct process *proc;
	struct ktimer real;
	u64 real_interval;
	u64 cpu_left[2], cpu_interval[2]; /* [0] virtual, [1] prof; 0: off */
	struct index ptimers;             /* by id */
};

/* The last thread is exiting; nobody else uses the timers. */
void process_timers_exit(struct process *p);
/* exec: POSIX timers go, interval timers stay. */
void process_timers_exec(struct process *p);

/* The set of the process, made when it is first needed; NULL: no memory. */
struct itimer_set *timers_get(struct process *p);
void ptimers_delete_all(struct itimer_set *set);
/* clocks.c: a time of `clock` on the monotonic one. -EINVAL; -EOPNOTSUPP (CPU clocks). */
long clock_to_mono(u32 clock, u64 ns, u64 *mono);
