/* Pages that leave memory, and one that comes back. */
#include <sys/mman.h>
#include <unistd.h>

#include "walk.h"

#define PAGES 16

/* What word i of the pages holds: no two pages alike, and repetitive enough to be packed. */
static int word(size_t i)
{
	return (int)(i / 32);
}

static int out_and_back(char *pages)
{
	int bad = 0;

	for (size_t i = 0; i < PAGES * PAGE / sizeof(int); i++)
		((int *)pages)[i] = word(i);
	stand_still("filled", "pid %d pages 0x%lx", getpid(), (unsigned long)pages);
	if (madvise(pages, PAGES * PAGE, MADV_PAGEOUT) < 0)
		give_up("madvise");
	stand_still("out", "as we asked");
	for (size_t i = 0; i < PAGE / sizeof(int); i++)
		bad += ((int *)pages)[i] != word(i);
	stand_still("back", "the first page with %d wrong words", bad);
	return 0;
}

int walk_swap(void)
{
	return out_and_back(map_small(PAGES * PAGE));
}

/* The same with memory that is shared: it has one list of pages, whoever shows them. */
int walk_swap_shared(void)
{
	char *pages = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED)
		give_up("no memory");
	return out_and_back(pages);
}
