/* The same question a hundred times, to the kernel and to a page of its. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../include/vitrine.h"
#include "walk.h"

#define TIMES 100

int walk_usyscall(void)
{
	long pid = 0;

	for (int i = 0; i < TIMES; i++)
		pid = syscall(SYS_getpid);
	stand_still("asked", "pid %ld times %d", pid, TIMES);
	pid = 0;
	for (int i = 0; i < TIMES; i++)
		pid = ugetpid();
	stand_still("read", "upid %ld page 0x%lx", pid, USYSCALL);
	return 0;
}
