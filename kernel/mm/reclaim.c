/* Shrinkers. See mm/reclaim.h. */
#include "mm/reclaim.h"

#include "arch/riscv/thread.h"
#include "mm/stat.h"
#include "sync/waitq.h"

struct vm_stats vm_stats;

static LIST_HEAD(shrinkers);
static struct spinlock shrinkers_lock = SPINLOCK_INIT("shrinkers", RANK_LEAF);
static struct waitq reclaim_done = WAITQ_INIT(reclaim_done, "reclaim");
static struct task *reclaimer; /* who runs the shrinkers now, or NULL */

void reclaim_register(struct shrinker *s)
{
	spin_lock(&shrinkers_lock);
	list_add_tail(&s->link, &shrinkers);
	spin_unlock(&shrinkers_lock);
}

bool reclaim_active(void)
{
	struct task *t = READ_ONCE(reclaimer);

	return t && t == current();
}

static bool reclaim_begin(void)
{
	struct task *none = NULL;

	return __atomic_compare_exchange_n(&reclaimer, &none, current(), false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* Not a lock with a rank: it is entered with any sleeping locks held, and whoever is inside takes those only by trylock. */
u64 reclaim_pages(u64 nr)
{
	struct shrinker *s;
	u64 freed = 0;

	if (list_empty(&shrinkers) || !current() || reclaim_active())
		return 0;
	if (!reclaim_begin()) {
		/* Another one is at it: what it frees is for all. */
		wait_event(&reclaim_done, READ_ONCE(reclaimer) == NULL);
		if (!reclaim_begin())
			return 1;
	}
	/* Entries are only ever added, at the end. */
	list_for_each_entry (s, &shrinkers, link) {
		if (freed >= nr)
			break;
		freed += s->scan(nr - freed);
	}
	atomic64_add(&vm_stats.reclaimed, freed);
	store_release(&reclaimer, (struct task *)NULL);
	waitq_wake_all(&reclaim_done);
	return freed;
}
