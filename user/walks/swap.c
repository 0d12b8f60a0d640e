/* Pages that leave memory, and one that comes back. */
#include <sys/mman.h>
#include <unistd.h>

#include "walk.h"

#define PAGES 16

int walk_swap(void)
{
	char *pages = map_small(PAGES * PAGE);
	int bad = 0;

	for (size_t i = 0; i < PAGES * PAGE / sizeof(int); i++)
		((int *)pages)[i] = (int)(i * 2654435761u);
	stand_still("filled", "pid %d pages 0x%lx", getpid(), (unsigned long)pages);
	if (madvise(pages, PAGES * PAGE, MADV_PAGEOUT) < 0)
		give_up("madvise");
	stand_still("out", "as we asked");
	for (size_t i = 0; i < PAGE / sizeof(int); i++)
		bad += ((int *)pages)[i] != (int)(i * 2654435761u);
	stand_still("back", "the first page with %d wrong words", bad);
	return 0;
}
