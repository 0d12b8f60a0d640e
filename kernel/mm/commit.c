/* Overcommit. See mm/commit.h. */
#include "mm/commit.h"

#include "lib/assert.h"
#include "lib/atomic.h"
#include "lib/errno.h"
#include "mm/frame.h"
#include "mm/swap.h"

#define KB_TO_PAGES(kb)   ((kb) >> (PAGE_SHIFT - 10))
#define ADMIN_RESERVE_MAX 8192ul   /* KiB */
#define USER_RESERVE_MAX  131072ul /* KiB */
#define RESERVE_SHARE     32       /* of free memory at boot, or of a process's size */

struct commit_settings commit_settings = {.mode = OVERCOMMIT_GUESS, .ratio = 50};

static struct atomic64 committed; /* pages */

void commit_init(void)
{
	struct frame_stats st;
	u64 share;

	frame_stats_read(&st);
	share = st.free / RESERVE_SHARE << (PAGE_SHIFT - 10);
	commit_settings.admin_reserve_kb = MIN(share, ADMIN_RESERVE_MAX);
	commit_settings.user_reserve_kb = MIN(share, USER_RESERVE_MAX);
}

void commit_swap(struct swap_totals *out)
{
	swap_totals(out);
}

static u64 swap_pages(void)
{
	struct swap_totals t;

	commit_swap(&t);
	return t.total;
}

u64 commit_all_memory(void)
{
	return frame_total() + swap_pages();
}

u64 commit_total(void)
{
	return atomic64_read(&committed);
}

u64 commit_limit(void)
{
	u64 kbytes = READ_ONCE(commit_settings.kbytes);
	u64 ram = kbytes ? KB_TO_PAGES(kbytes) : frame_total() * READ_ONCE(commit_settings.ratio) / 100;

	return ram + swap_pages();
}

/* Mode 2, the promise being counted already. */
static bool within_limit(u64 total, u64 total_pages)
{
	u64 allowed = commit_limit(), reserve;

	reserve = MIN(total_pages / RESERVE_SHARE, KB_TO_PAGES(READ_ONCE(commit_settings.user_reserve_kb)));
	if (!commit_privileged())
		reserve += KB_TO_PAGES(READ_ONCE(commit_settings.admin_reserve_kb));
	return total + reserve < allowed;
}

int commit_take(u64 nr, u64 largest, u64 credit, u64 total_pages)
{
	u32 mode = READ_ONCE(commit_settings.mode);
	u64 total;

	if (mode == OVERCOMMIT_GUESS && unlikely(largest > frame_total()) && largest > commit_all_memory())
		return -ENOMEM;
	total = atomic64_add_return(&committed, nr);
	if (likely(mode != OVERCOMMIT_NEVER) || nr <= credit || within_limit(total - credit, total_pages))
		return 0;
	atomic64_sub(&committed, nr);
	return -ENOMEM;
}

void commit_give(u64 nr)
{
	DEBUG_ASSERT(atomic64_read(&committed) >= nr);
	atomic64_sub(&committed, nr);
}

u64 aspace_promised(struct aspace *as)
{
	struct vma *v;
	u64 nr;

	rwlock_read_lock(&as->lock);
	nr = as->committed;
	for (v = vma_first(&as->vmas); v; v = vma_next(v)) {
		if (!(v->flags & VMA_SHARED))
			continue;
		mutex_lock(&v->obj->lock);
		if (v->obj->mappings.next == &v->obj_link)
			nr += memobj_promised(v->obj);
		mutex_unlock(&v->obj->lock);
	}
	rwlock_read_unlock(&as->lock);
	return nr;
}
