/* What a reader of RAM must know of tasks and processes: see lib/layout.h. */
#include "lib/layout.h"
#include "proc/pid.h"
#include "proc/task.h"

LAYOUT_IS_STRUCT(task);
LAYOUT_IS_FIELD(task, thread);
LAYOUT_IS_FIELD(task, kstack);
LAYOUT_IS_FIELD(task, proc);
LAYOUT_IS_FIELD(task, tid);
LAYOUT_IS_FIELD(task, name);
LAYOUT_IS_FIELD(task, state);
LAYOUT_IS_FIELD(task, on_hart);
LAYOUT_IS_FIELD(task, hart);
LAYOUT_IS_FIELD(task, as);
LAYOUT_IS_FIELD(task, utime);
LAYOUT_IS_FIELD(task, stime);
LAYOUT_IS_FIELD(task, thread_link);
LAYOUT_IS_FIELD(pid, nr);
LAYOUT_IS_FIELD(pid, task);
LAYOUT_IS_STRUCT(process);
LAYOUT_IS_FIELD(process, pid);
LAYOUT_IS_FIELD(process, ppid);
LAYOUT_IS_FIELD(process, leader);
LAYOUT_IS_FIELD(process, threads);
LAYOUT_IS_FIELD(process, nr_threads);
LAYOUT_IS_FIELD(process, parent);
LAYOUT_IS_FIELD(process, vdso);
LAYOUT_IS_FIELD(process, zombie);
LAYOUT_IS_CONST(TASK_NEW);
LAYOUT_IS_CONST(TASK_RUNNABLE);
LAYOUT_IS_CONST(TASK_SLEEPING);
LAYOUT_IS_CONST(TASK_STOPPED);
LAYOUT_IS_CONST(TASK_ZOMBIE);
LAYOUT_IS_CONST(TASK_DEAD);
