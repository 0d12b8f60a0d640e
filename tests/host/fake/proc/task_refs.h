/* References to tasks and processes that outlive the test: the last one is never put. Defines functions: include it in one file. */
#pragma once

#include "proc/task.h"

void task_get(struct task *t)
{
	refcount_get(&t->refs);
}

void task_put(struct task *t)
{
	ASSERT(!refcount_put(&t->refs));
}

void process_get(struct process *p)
{
	refcount_get(&p->refs);
}

void process_put(struct process *p)
{
	ASSERT(!refcount_put(&p->refs));
}
