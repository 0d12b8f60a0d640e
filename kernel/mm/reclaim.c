/* Shrinkers, their balance, and the reclaim thread. See mm/reclaim.h. */
#include "mm/reclaim.h"

#include "arch/riscv/thread.h"
#include "lib/log.h"
#include "mm/frame.h"
#include "mm/stat.h"
#include "sync/sched.h"
#include "sync/waitq.h"

#define THREAD_BATCH 64ul         /* frames the thread asks for at once */
#define REST_NS      100000000ul  /* how long it rests when there was nothing */
#define SWAPPINESS   60u

struct vm_stats vm_stats;
u32 vm_swappiness = SWAPPINESS;

static LIST_HEAD(shrinkers);
static struct spinlock shrinkers_lock = SPINLOCK_INIT("shrinkers", RANK_LEAF);
static struct waitq reclaim_done = WAITQ_INIT(reclaim_done, "reclaim");
static struct task *reclaimer; /* who runs the shrinkers now, or NULL */
static u32 pass;               /* the reclaimer's */

static struct {
	struct waitq wake;
	u32 wanted;
	u32 state; /* enum below */
	u64 rests; /* clock_mono_ns until when it is of no use */
} thread = {.wake = WAITQ_INIT(thread.wake, "reclaim thread")};

enum { THREAD_NONE, THREAD_RUNS };

/* What reclaim found lately, by kind; only the reclaimer touches it. */
static struct {
	u64 looked, taken;
} recent[RECLAIM_KINDS];

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

u32 reclaim_pass(void)
{
	return pass;
}

static bool reclaim_begin(void)
{
	struct task *none = NULL;

	return __atomic_compare_exchange_n(&reclaimer, &none, current(), false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* ---- balance ---- */

static u64 looked_at(enum reclaim_kind kind)
{
	return atomic64_read(kind == RECLAIM_ANON ? &vm_stats.pgscan_anon : &vm_stats.pgscan_file);
}

/* Runs the shrinkers of a kind. */
static u64 scan_kind(enum reclaim_kind kind, u64 nr)
{
	u64 before = looked_at(kind), freed = 0;
	struct shrinker *s;

	if (!nr)
		return 0;
	/* Entries are only ever added, at the end. */
	list_for_each_entry (s, &shrinkers, link) {
		if (s->kind == kind && freed < nr)
			freed += s->scan(nr - freed);
	}
	recent[kind].looked += looked_at(kind) - before;
	recent[kind].taken += freed;
	/* The past counts less and less. */
	if (recent[kind].looked > 16384) {
		recent[kind].looked /= 2;
		recent[kind].taken /= 2;
	}
	return freed;
}

static u64 size_of(enum reclaim_kind kind)
{
	struct shrinker *s;
	u64 size = 0;

	list_for_each_entry (s, &shrinkers, link)
		size += s->kind == kind && s->size ? s->size() : 0;
	return size;
}

/* How many of nr frames anonymous memory shall give. */
static u64 anon_share(u64 nr)
{
	u64 file = size_of(RECLAIM_FILE), anon = size_of(RECLAIM_ANON), want[RECLAIM_KINDS];
	u32 swappiness = MIN(READ_ONCE(vm_swappiness), 200u);

	if (!anon || (!swappiness && pass < RECLAIM_PASSES - 1))
		return 0;
	if (file < nr)
		return nr;
	want[RECLAIM_FILE] = 200 - swappiness;
	want[RECLAIM_ANON] = swappiness;
	for (u32 k = 0; k < RECLAIM_KINDS; k++)
		want[k] = want[k] * (64 + 1024 * recent[k].taken / (recent[k].looked + 1)) + 1;
	return DIV_ROUND_UP(nr * want[RECLAIM_ANON], want[RECLAIM_FILE] + want[RECLAIM_ANON]);
}

static u64 run_shrinkers(u64 nr)
{
	u64 freed = 0;

	for (pass = 0; pass < RECLAIM_PASSES && freed < nr; pass++) {
		u64 left = nr - freed, anon = anon_share(left);

		freed += scan_kind(RECLAIM_FILE, left - anon);
		freed += scan_kind(RECLAIM_ANON, anon);
		/* What the one did not have, the other may. */
		if (pass == RECLAIM_PASSES - 1 && !freed)
			freed = scan_kind(anon ? RECLAIM_FILE : RECLAIM_ANON, left);
		if (pass && freed)
			break;
	}
	return freed;
}

/* What was started to be written is not free before that. */
static bool settle(void)
{
	struct shrinker *s;
	bool waited = false;

	list_for_each_entry (s, &shrinkers, link)
		waited |= s->settle && s->settle();
	return waited;
}

static void reclaim_end(u64 freed)
{
	atomic64_add(&vm_stats.reclaimed, freed);
	store_release(&reclaimer, (struct task *)NULL);
	waitq_wake_all(&reclaim_done);
}

/* Not a lock with a rank: it is entered with any sleeping locks held, and whoever is inside takes those only by trylock. */
static u64 reclaim_run(u64 nr)
{
	u64 freed;

	if (!reclaim_begin()) {
		/* Another one is at it: what it frees is for all. */
		wait_event(&reclaim_done, READ_ONCE(reclaimer) == NULL);
		if (!reclaim_begin())
			return 1;
	}
	freed = run_shrinkers(nr);
	reclaim_end(freed);
	return freed;
}

void reclaim_files(void)
{
	u64 freed = 0;

	wait_event(&reclaim_done, reclaim_begin());
	/* Pages used lately go in the second round. */
	for (u32 round = 0; round < 2; round++)
		freed += scan_kind(RECLAIM_FILE, frame_total());
	reclaim_end(freed);
}

u64 reclaim_pages(u64 nr)
{
	u64 freed;

	if (list_empty(&shrinkers) || !current() || reclaim_active())
		return 0;
	atomic64_inc(&vm_stats.allocstall);
	freed = reclaim_run(nr);
	atomic64_add(&vm_stats.pgsteal_direct, freed);
	return settle() && !freed ? 1 : freed;
}

/* ---- the thread ---- */

bool reclaim_wake(void)
{
	if (READ_ONCE(thread.state) == THREAD_NONE)
		return false;
	if (READ_ONCE(thread.rests) && clock_mono_ns() < READ_ONCE(thread.rests))
		return false;
	if (!READ_ONCE(thread.wanted)) {
		WRITE_ONCE(thread.wanted, 1);
		waitq_wake_all(&thread.wake);
	}
	return true;
}

static void reclaim_thread(void *arg)
{
	for (;;) {
		u64 freed = 1;

		wait_event(&thread.wake, READ_ONCE(thread.wanted));
		atomic64_inc(&vm_stats.kswapd_wakes);
		WRITE_ONCE(thread.rests, 0);
		while (freed && frame_shortage()) {
			freed = reclaim_run(THREAD_BATCH);
			atomic64_add(&vm_stats.pgsteal_kswapd, freed);
			freed += settle();
			sched_point();
		}
		if (!freed)
			WRITE_ONCE(thread.rests, clock_mono_ns() + REST_NS);
		WRITE_ONCE(thread.wanted, 0);
	}
}

void reclaim_init(void)
{
	if (kthread_start("kswapd", reclaim_thread, NULL) < 0)
		pr_err("mm: no reclaim thread: whoever wants memory reclaims itself");
	else
		WRITE_ONCE(thread.state, THREAD_RUNS);
}
