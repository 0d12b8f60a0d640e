/* PID/pagemap, /proc/kpagecount and /proc/kpageflags: arrays of 64-bit words, by page number of an address space or of RAM. */
#include "fs/file.h"
#include "lib/errno.h"
#include "mm/aspace.h"
#include "mm/census.h"
#include "mm/slab.h"
#include "mm/uio.h"
#include "proc/cred.h"
#include "proc/proc.h"
#include "proc/procfs/procfs.h"
#include "proc/procfs/system.h"
#include "sync/sched.h"

#define WORD  sizeof(u64)
#define BATCH (PAGE_SIZE / WORD)

/* A read must be of whole words. Returns how many the next batch has; 0: the end, or -EINVAL. */
static s64 words_wanted(const struct uio *uio, s64 pos, u64 nr_all)
{
	u64 first = (u64)pos / WORD;

	if ((u64)pos % WORD || uio->count % WORD)
		return -EINVAL;
	if (first >= nr_all)
		return 0;
	return (s64)MIN(MIN(nr_all - first, uio->count / WORD), BATCH);
}

/* ---- pagemap ---- */

#define PM_PFN_MASK  (BIT(55) - 1)
#define PM_EXCLUSIVE BIT(56)
#define PM_FILE      BIT(61) /* or shared anonymous */
#define PM_SWAP      BIT(62)
#define PM_PRESENT   BIT(63)

struct pagemap {
	vaddr_t start; /* of words[0] */
	u32 show_pfn;
	u64 words[BATCH];
};

static void pagemap_note(void *arg, const struct page_view *p)
{
	struct pagemap *pm = arg;
	u64 word;

	if (!p->frame) {
		/* An entry without its lowest bit: the area in bits 0 to 4, the slot above (mm/swap.h). */
		word = PM_SWAP | (p->swap >> 1 & PM_PFN_MASK);
	} else {
		word = PM_PRESENT | (frame_pfn(p->frame) & PM_PFN_MASK);
		if (p->what == PAGE_OBJECT)
			word |= PM_FILE;
		if (p->alone)
			word |= PM_EXCLUSIVE;
	}
	pm->words[(p->va - pm->start) >> PAGE_SHIFT] = word;
}

/* The pages of objects in [start, end) of v that nobody else shows. */
static void pagemap_note_exclusive(struct pagemap *pm, struct vma *v, vaddr_t start, vaddr_t end)
{
	for (vaddr_t va = start; va < end; va += PAGE_SIZE) {
		u64 *word = &pm->words[(va - pm->start) >> PAGE_SHIFT];

		if ((*word & PM_FILE) &&
			vma_object_mappers(v, vma_pgoff(v, va), &frame_array[*word & PM_PFN_MASK], 2) == 1)
			*word |= PM_EXCLUSIVE;
	}
}

static void pagemap_fill(struct pagemap *pm, struct aspace *as, u64 nr)
{
	vaddr_t end = pm->start + (nr << PAGE_SHIFT);
	struct vma *v;

	for (u64 i = 0; i < nr; i++)
		pm->words[i] = 0;
	rwlock_read_lock(&as->lock);
	for (v = vma_find(&as->vmas, pm->start); v && v->start < end; v = vma_next(v)) {
		vaddr_t from = MAX(v->start, pm->start), to = MIN(v->end, end);

		vma_view(v, from, to, pagemap_note, pm);
		if (v->obj)
			pagemap_note_exclusive(pm, v, from, to);
	}
	rwlock_read_unlock(&as->lock);
	for (u64 i = 0; i < nr && !pm->show_pfn; i++)
		pm->words[i] &= ~PM_PFN_MASK;
}

static ssize_t pagemap_read(struct file *f, struct uio *uio, s64 *pos)
{
	struct aspace *as = NULL;
	ssize_t done = 0;
	struct pagemap *pm;
	int err = node_aspace(f->inode->private, &as);

	if (!as)
		return err;
	pm = kmalloc(sizeof(*pm), 0);
	if (!pm)
		err = -ENOMEM;
	while (!err && uio->count) {
		s64 nr = words_wanted(uio, *pos, user_end >> PAGE_SHIFT);

		if (nr <= 0) {
			err = (int)nr;
			break;
		}
		pm->start = (vaddr_t)*pos / WORD << PAGE_SHIFT;
		pm->show_pfn = cred_capable();
		pagemap_fill(pm, as, (u64)nr);
		err = uio_copy_to(uio, pm->words, (u64)nr * WORD);
		if (!err) {
			*pos += nr * (s64)WORD;
			done += nr * (ssize_t)WORD;
		}
		if (sched_fatal_signal_pending())
			break;
		sched_point();
	}
	kfree(pm);
	aspace_put(as);
	return done ? done : err;
}

const struct file_ops pagemap_file_ops = {.read = pagemap_read};

/* ---- kpagecount, kpageflags ---- */

/* Linux's numbers (include/uapi/linux/kernel-page-flags.h) of what there is here. */
enum {
	KPF_LOCKED = 0,
	KPF_ERROR = 1,
	KPF_REFERENCED = 2,
	KPF_UPTODATE = 3,
	KPF_DIRTY = 4,
	KPF_LRU = 5,
	KPF_SLAB = 7,
	KPF_WRITEBACK = 8,
	KPF_BUDDY = 10,
	KPF_MMAP = 11,
	KPF_ANON = 12,
	KPF_SWAPBACKED = 14,
	KPF_NOPAGE = 20,
	KPF_THP = 22,
	KPF_PGTABLE = 26,
};

static u64 kpf(u32 frame_flags, u32 flag, u32 bit)
{
	return frame_flags & flag ? BIT(bit) : 0;
}

static u64 word_of_flags(const struct census *c, pfn_t pfn)
{
	const struct frame *f = &frame_array[pfn];
	u32 flags;
	u64 word;

	/* RAM that was never used has no metadata yet, and is free. */
	if (!frame_valid(pfn))
		return BIT(census_is_ram(pfn) ? KPF_BUDDY : KPF_NOPAGE);
	flags = atomic_read(&f->flags);
	word = census_count(c, pfn) ? BIT(KPF_MMAP) : 0;
	word |= census_huge(c, pfn) ? BIT(KPF_THP) : 0;
	switch (f->kind) {
	case FRAME_FREE:
	case FRAME_NONE: return BIT(KPF_BUDDY);
	case FRAME_SLAB: return word | BIT(KPF_SLAB);
	case FRAME_TABLE: return word | BIT(KPF_PGTABLE);
	case FRAME_ANON: word |= BIT(KPF_UPTODATE) | BIT(KPF_ANON) | BIT(KPF_SWAPBACKED); break;
	case FRAME_FILE: break;
	default: return word;
	}
	return word | kpf(flags, FRAME_BUSY, KPF_LOCKED) | kpf(flags, FRAME_ERROR, KPF_ERROR) |
		kpf(flags, FRAME_ACCESSED, KPF_REFERENCED) | kpf(flags, FRAME_UPTODATE, KPF_UPTODATE) |
		kpf(flags, FRAME_DIRTY, KPF_DIRTY) | kpf(flags, FRAME_LRU, KPF_LRU) |
		kpf(flags, FRAME_WRITEBACK, KPF_WRITEBACK);
}

static u64 word_of_count(const struct census *c, pfn_t pfn)
{
	return census_count(c, pfn);
}

/* One census for each batch. */
static ssize_t frames_read(struct uio *uio, s64 *pos, u64 (*word)(const struct census *c, pfn_t pfn))
{
	u64 *words = kmalloc(PAGE_SIZE, 0);
	ssize_t done = 0;
	int err = words ? 0 : -ENOMEM;

	while (!err && uio->count) {
		s64 nr = words_wanted(uio, *pos, census_end_pfn());
		pfn_t first = (u64)*pos / WORD;
		struct census *c;

		if (nr <= 0) {
			err = (int)nr;
			break;
		}
		c = census_take(first, first + (u64)nr);
		for (s64 i = 0; c && i < nr; i++)
			words[i] = word(c, first + (u64)i);
		err = c ? uio_copy_to(uio, words, (u64)nr * WORD) : -ENOMEM;
		census_free(c);
		if (!err) {
			*pos += nr * (s64)WORD;
			done += nr * (ssize_t)WORD;
		}
		if (sched_fatal_signal_pending())
			break;
		sched_point();
	}
	kfree(words);
	return done ? done : err;
}

static ssize_t kpagecount_read(struct file *f, struct uio *uio, s64 *pos)
{
	return frames_read(uio, pos, word_of_count);
}

static ssize_t kpageflags_read(struct file *f, struct uio *uio, s64 *pos)
{
	return frames_read(uio, pos, word_of_flags);
}

const struct file_ops kpagecount_file_ops = {.read = kpagecount_read};
const struct file_ops kpageflags_file_ops = {.read = kpageflags_read};
