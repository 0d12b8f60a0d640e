/* A lot of memory, of which hardly anything is used. */
#include <unistd.h>

#include "walk.h"

#define LEN (32UL << 20)

int walk_lazy(void)
{
	volatile char *start = map_small(LEN);

	stand_still("promised", "pid %d start 0x%lx pages %lu", getpid(), (unsigned long)start, LEN / PAGE);
	start[0] = 1;
	stand_still("wrote", "the first page");
	(void)start[64 * PAGE];
	(void)start[128 * PAGE];
	stand_still("looked", "at pages 64 and 128");
	start[64 * PAGE] = 1;
	stand_still("changed", "page 64");
	return 0;
}
