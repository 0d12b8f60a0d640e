/* Questions about a process's relatives. */
#include "proc/proc.h"
#include "proc/task.h"

int process_parent_pid(void)
{
	return READ_ONCE(current_process()->ppid);
}
