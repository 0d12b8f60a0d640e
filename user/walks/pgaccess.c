/* Which pages were used: the A bits, cleared, set by the machine, and read. */
#include <string.h>
#include <unistd.h>

#include "../include/vitrine.h"
#include "walk.h"

#define PAGES 8

int walk_pgaccess(void)
{
	unsigned int mask = 0;
	char *pages = map_small(PAGES * PAGE);

	memset(pages, 1, PAGES * PAGE);
	stand_still("written", "pid %d pages 0x%lx", getpid(), (unsigned long)pages);
	if (pgaccess(pages, PAGES, &mask) < 0)
		give_up("pgaccess");
	stand_still("cleared", "first 0x%x", mask & 0xff);
	(void)*(volatile char *)(pages + 2 * PAGE);
	*(volatile char *)(pages + 5 * PAGE) = 2;
	stand_still("used", "page 2 was read and page 5 written");
	if (pgaccess(pages, PAGES, &mask) < 0)
		give_up("pgaccess");
	stand_still("asked", "second 0x%x", mask & 0xff);
	return 0;
}
