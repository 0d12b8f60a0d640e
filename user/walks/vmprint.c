/* A page table, as the kernel prints it: one page that was written, one that was only promised. */
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "../include/pagetable_text.h"
#include "walk.h"

/* The entry that maps `va`, as /proc/self/pagetable has it. */
static uint64_t printed_entry(const void *va, uint64_t *root)
{
	struct pt_text pt;

	if (pt_text_read(&pt, "/proc/self/pagetable") < 0)
		give_up(pt.error);
	const struct pt_entry *e = pt_find(&pt, va);
	uint64_t pte = e ? e->pte : 0;
	*root = pt.root;
	pt_text_free(&pt);
	return pte;
}

int walk_vmprint(void)
{
	char *page = map_small(2 * PAGE);
	uint64_t root, pte;

	page[0] = 1;
	pte = printed_entry(page, &root);
	stand_still("printed", "pid %d page 0x%lx root 0x%lx pte 0x%lx", getpid(), (unsigned long)page, root, pte);
	page[PAGE] = 1;
	stand_still("touched", "the second page too");
	return 0;
}
