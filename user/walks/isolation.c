/* A process that only stands there, for its tables to be looked at. */
#include <unistd.h>

#include "walk.h"

int walk_isolation(void)
{
	volatile char *page = map_small(PAGE);

	page[0] = 1;
	stand_still("here", "pid %d page 0x%lx", getpid(), (unsigned long)page);
	return 0;
}
