/* 2 MiB in one leaf, until a piece is taken out. */
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "walk.h"

/* Memory that begins where a superpage may. */
static char *map_aligned(void)
{
	char *p = mmap(NULL, 2 * HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *aligned;

	if (p == MAP_FAILED)
		give_up("mmap");
	aligned = (char *)(((uintptr_t)p + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
	if (aligned > p)
		munmap(p, (size_t)(aligned - p));
	if (p + HUGE_PAGE > aligned)
		munmap(aligned + HUGE_PAGE, (size_t)(p + HUGE_PAGE - aligned));
	/* Without superpages the advice is refused; the walk goes on, and shows it. */
	madvise(aligned, HUGE_PAGE, MADV_HUGEPAGE);
	return aligned;
}

int walk_superpage(void)
{
	volatile char *start = map_aligned();

	start[0] = 1;
	stand_still("touched", "pid %d start 0x%lx", getpid(), (unsigned long)start);
	for (size_t i = 0; i < HUGE_PAGE / PAGE; i++)
		start[i * PAGE] = (char)i;
	stand_still("filled", "all of it");
	if (munmap((char *)start + 100 * PAGE, PAGE) < 0)
		give_up("munmap");
	stand_still("cut", "page 100 is given back");
	return 0;
}
