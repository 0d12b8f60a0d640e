/* The process's memory: sbrk, and which addresses a program may give to calls. */
#include "lib.h"

/*
 * The heap grows from the stack's end. A run of memory given at once counts against the session's budget, one that is
 * only promised does not; so the heap remembers its runs, lowest first. When there is no room for one
 * more run, the last one grows, and keeps its kind.
 */
#define NR_RUNS 16

static struct run {
	uint64 end; /* page-aligned */
	int how;    /* SBRK_EAGER or SBRK_LAZY */
} runs[NR_RUNS];
static int nr_runs;
static uint64 heap_end; /* the break; 0: not moved yet */

static uint64 heap_break(void)
{
	return heap_end ? heap_end : (uint64)__heap;
}

static uint64 pages_end(void)
{
	return PGROUNDUP(heap_break());
}

static uint64 run_start(int i)
{
	return i ? runs[i - 1].end : (uint64)__heap;
}

uint heap_pages(void)
{
	uint64 bytes = 0;

	for (int i = 0; i < nr_runs; i++)
		if (runs[i].how == SBRK_EAGER)
			bytes += runs[i].end - run_start(i);
	return (uint)(bytes / PGSIZE);
}

/* ---- what lies in the process ---- */

uint64 bytes_from(const void *p)
{
	uint64 at = (uint64)p;

	if (at >= (uint64)__user_start && at < (uint64)__guard)
		return (uint64)__guard - at;
	if (at >= (uint64)__stack_bottom && at < pages_end())
		return pages_end() - at;
	return 0;
}

int readable(const void *p, uint64 n)
{
	return n == 0 || bytes_from(p) >= n;
}

int writable(const void *p, uint64 n)
{
	return n == 0 || ((const char *)p >= __data_start && bytes_from(p) >= n);
}

int string_length(const char *p, int max)
{
	uint64 room = bytes_from(p);

	for (int n = 0; n < max && (uint64)n < room; n++)
		if (!p[n])
			return n;
	return -1;
}

/* ---- growing and shrinking ---- */

static int heap_grow(uint64 from, uint64 to, int how)
{
	uint pages = (uint)((to - from) / PGSIZE);
	int merge = nr_runs && (runs[nr_runs - 1].how == how || nr_runs == NR_RUNS);
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;

	if (merge)
		how = runs[nr_runs - 1].how;
	if (how == SBRK_EAGER) {
		if (session_grow(pages) < 0)
			return -1;
		flags |= MAP_POPULATE;
	}
	/* Whatever Linux placed up there (its stack, the vDSO) is of no more use to the program. */
	if (call6(NR_mmap, from, to - from, PROT_RW, flags, -1, 0) != (long)from) {
		if (how == SBRK_EAGER)
			session_shrink(pages);
		return -1;
	}
	/* A page that is only promised must not bring 511 others. */
	if (how == SBRK_LAZY)
		call3(NR_madvise, from, to - from, MADV_NOHUGEPAGE);
	if (!merge)
		runs[nr_runs++].how = how;
	runs[nr_runs - 1].end = to;
	return 0;
}

static void heap_shrink(uint64 to, uint64 from)
{
	uint before = heap_pages();

	call2(NR_munmap, to, from - to);
	while (nr_runs && run_start(nr_runs - 1) >= to)
		nr_runs--;
	if (nr_runs)
		runs[nr_runs - 1].end = to;
	session_shrink(before - heap_pages());
}

char *sys_sbrk(int n, int how)
{
	uint64 old = heap_break(), new = old + (uint64)(long)n;

	/* More is given back than there is: the classic kernel leaves all as it was. */
	if (n < 0 && new > old)
		return (char *)old;
	if (n > 0 && new > TRAPFRAME)
		return SBRK_ERROR;
	/* What the program itself stands on is given back: it cannot go on. */
	if (new < (uint64)__heap)
		call2(NR_kill, getpid(), SIGKILL);
	if (PGROUNDUP(new) > pages_end()) {
		if (heap_grow(pages_end(), PGROUNDUP(new), how) < 0)
			return SBRK_ERROR;
	} else if (PGROUNDUP(new) < pages_end()) {
		heap_shrink(PGROUNDUP(new), pages_end());
	}
	heap_end = new;
	return (char *)old;
}

char *sbrk(int n)
{
	return sys_sbrk(n, SBRK_EAGER);
}

char *sbrklazy(int n)
{
	return sys_sbrk(n, SBRK_LAZY);
}
