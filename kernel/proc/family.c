/* Questions about a process's relatives. */
#include "proc/proc.h"
#include "proc/task.h"

int process_parent_pid(void)
{
	u64 flags = spin_lock_irqsave(&tasks_lock);
	struct process *parent = current_process()->parent;
	int pid = parent ? parent->pid : 0;

	spin_unlock_irqrestore(&tasks_lock, flags);
	return pid;
}
