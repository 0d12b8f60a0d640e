/* PID/smaps, PID/smaps_rollup and PID/clear_refs: how much of each mapping is in memory, and whose. */
#include "fs/file.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "mm/census.h"
#include "mm/slab.h"
#include "proc/proc.h"
#include "proc/procfs/maps.h"
#include "proc/procfs/procfs.h"
#include "sync/sched.h"

#define CLEAR_REFS_SOFT_DIRTY 4
#define CLEAR_REFS_MM_HIWATER 5

/* "Name:" and a number of kB, as all lines of smaps have it. */
static void sums_line(struct text *t, const char *name, u64 bytes)
{
	u64 start = t->len;

	text_puts(t, name);
	text_pad(t, start, 16);
	text_printf(t, "%8lu kB\n", bytes >> 10);
}

enum sums_style { SUMS_OF_ONE, SUMS_OF_ALL };

static void sums_show(struct text *t, const struct page_sums *s, enum sums_style style)
{
	sums_line(t, "Rss:", s->rss);
	sums_line(t, "Pss:", s->pss >> PSS_SHIFT);
	sums_line(t, "Pss_Dirty:", s->pss_dirty >> PSS_SHIFT);
	if (style == SUMS_OF_ALL) {
		sums_line(t, "Pss_Anon:", s->pss_anon >> PSS_SHIFT);
		sums_line(t, "Pss_File:", s->pss_file >> PSS_SHIFT);
		sums_line(t, "Pss_Shmem:", s->pss_shmem >> PSS_SHIFT);
	}
	sums_line(t, "Shared_Clean:", s->shared_clean);
	sums_line(t, "Shared_Dirty:", s->shared_dirty);
	sums_line(t, "Private_Clean:", s->private_clean);
	sums_line(t, "Private_Dirty:", s->private_dirty);
	sums_line(t, "Referenced:", s->referenced);
	sums_line(t, "Anonymous:", s->anonymous);
	sums_line(t, "KSM:", 0);
	sums_line(t, "LazyFree:", 0);
	sums_line(t, "AnonHugePages:", s->anon_huge);
	sums_line(t, "ShmemPmdMapped:", s->shmem_huge);
	sums_line(t, "FilePmdMapped:", s->file_huge);
	sums_line(t, "Shared_Hugetlb:", 0);
	sums_line(t, "Private_Hugetlb:", 0);
	sums_line(t, "Swap:", s->swap);
	sums_line(t, "SwapPss:", s->swap_pss >> PSS_SHIFT);
	sums_line(t, "Locked:", s->pss_locked >> PSS_SHIFT);
}

/* A superpage could be put somewhere in it. */
static bool huge_eligible(const struct maps_line *l)
{
	vaddr_t first = ALIGN_UP(l->start, HUGE_SIZE);

	return !(l->flags & (VMA_SHARED | VMA_NOHUGE | VMA_SPECIAL | VMA_STACK)) && !l->file && first >= l->start &&
		first < l->end && l->end - first >= HUGE_SIZE;
}

/* Linux's two-letter names, of those flags that there are here. */
static void flags_show(struct text *t, const struct maps_line *l)
{
	static const struct {
		u32 flag;
		const char *name;
	} names[] =
		{
			{VMA_READ, "rd "},
			{VMA_WRITE, "wr "},
			{VMA_EXEC, "ex "},
			{VMA_SHARED, "sh "},
		},
	  may[] =
		  {
			  {VMA_READ, "mr "},
			  {VMA_WRITE, "mw "},
			  {VMA_EXEC, "me "},
		  },
	  more[] = {
		  {VMA_SHARED, "ms "},
		  {VMA_STACK, "gd "},
		  {VMA_LOCKED, "lo "},
		  {VMA_DONTFORK, "dc "},
		  {VMA_SPECIAL, "de "},
		  {VMA_ACCOUNT, "ac "},
		  {VMA_NORESERVE, "nr "},
		  {VMA_HUGE, "hg "},
		  {VMA_NOHUGE, "nh "},
	  };

	text_puts(t, "VmFlags: ");
	for (u32 i = 0; i < ARRAY_SIZE(names); i++)
		text_puts(t, l->flags & names[i].flag ? names[i].name : "");
	for (u32 i = 0; i < ARRAY_SIZE(may); i++)
		text_puts(t, l->max_prot & may[i].flag ? may[i].name : "");
	for (u32 i = 0; i < ARRAY_SIZE(more); i++)
		text_puts(t, l->flags & more[i].flag ? more[i].name : "");
	text_puts(t, "\n");
}

static void smap_show(struct text *t, const struct maps_line *l, const struct page_sums *s, char *buf)
{
	maps_line_show(t, l, buf);
	sums_line(t, "Size:", l->end - l->start);
	sums_line(t, "KernelPageSize:", PAGE_SIZE);
	sums_line(t, "MMUPageSize:", PAGE_SIZE);
	sums_show(t, s, SUMS_OF_ONE);
	text_printf(t, "THPeligible:    %8u\n", huge_eligible(l));
	flags_show(t, l);
}

/* The first VMA at or beyond `at`, summed up, and its line. False: there is none. */
static bool smap_take(struct aspace *as, vaddr_t at, const struct census *c, struct maps_line *l, struct page_sums *s)
{
	struct vma *v;

	rwlock_read_lock(&as->lock);
	v = vma_find(&as->vmas, at);
	if (v) {
		vma_sum(v, c, s);
		maps_line_take(l, v);
	}
	rwlock_read_unlock(&as->lock);
	return v != NULL;
}

static int smaps_show_each(struct text *t, struct aspace *as, const struct census *c)
{
	char *buf = kmalloc(PATH_MAX, 0);
	struct page_sums s = {0};
	struct maps_line l;

	if (!buf)
		return -ENOMEM;
	for (vaddr_t at = 0; !t->err && smap_take(as, at, c, &l, &s); at = l.end) {
		smap_show(t, &l, &s, buf);
		maps_line_done(&l);
		s = (struct page_sums){0};
		sched_point();
	}
	kfree(buf);
	return 0;
}

static int smaps_show_rollup(struct text *t, struct aspace *as, const struct census *c)
{
	vaddr_t first = 0, at = 0;
	struct page_sums s = {0};
	struct maps_line l;
	u64 line_start = t->len;

	for (; smap_take(as, at, c, &l, &s); at = l.end) {
		if (!at)
			first = l.start;
		maps_line_done(&l);
	}
	text_printf(t, "%08lx-%08lx ---p 00000000 00:00 0", first, at);
	text_pad(t, line_start, MAPS_NAME_COLUMN);
	text_puts(t, "[rollup]\n");
	sums_show(t, &s, SUMS_OF_ALL);
	return 0;
}

static int smaps_build(struct text *t, const struct proc_node *n,
	int (*show)(struct text *t, struct aspace *as, const struct census *c))
{
	struct aspace *as = NULL;
	struct census *c;
	int err = node_aspace(n, &as);

	if (!as)
		return err;
	c = census_take_all();
	err = c ? show(t, as, c) : -ENOMEM;
	census_free(c);
	aspace_put(as);
	return err;
}

int show_smaps(struct text *t, const struct proc_node *n)
{
	return smaps_build(t, n, smaps_show_each);
}

int show_smaps_rollup(struct text *t, const struct proc_node *n)
{
	return smaps_build(t, n, smaps_show_rollup);
}

/* ---- clear_refs ---- */

int store_clear_refs(const struct proc_node *n, const char *buf)
{
	struct aspace *as = NULL;
	struct task *task;
	u64 which;
	int err;

	while (char_is_space(*buf))
		buf++;
	/* There are no soft-dirty bits to clear. */
	if (parse_u64(buf, 10, &which) != 0 || which < CLEAR_REFS_ALL || which > CLEAR_REFS_MM_HIWATER ||
		which == CLEAR_REFS_SOFT_DIRTY)
		return -EINVAL;
	err = node_aspace(n, &as);
	if (!as)
		return err;
	if (which == CLEAR_REFS_MM_HIWATER) {
		task = node_task(n);
		if (task) {
			task->proc->max_rss_pages = 0;
			task_put(task);
		}
	} else {
		aspace_clear_refs(as, (enum clear_refs)which);
	}
	aspace_put(as);
	return 0;
}
