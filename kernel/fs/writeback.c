/*
 * Background writing: one flusher thread. Each second, or when kicked, it
 * writes what has been dirty for DIRTY_AGE_NS, or everything when more than a tenth of RAM is
 * dirty. Whoever dirties pages while a fifth of RAM is waiting for the disk sleeps until some of it is there.
 */
#include "fs/buf.h"
#include "fs/inode.h"
#include "fs/pagecache_internal.h"
#include "lib/log.h"
#include "mm/frame.h"
#include "sync/sched.h"
#include "sync/waitq.h"

#define TICK_NS      1000000000ul
#define DIRTY_AGE_NS (5 * TICK_NS)
/* A device that makes no progress delays a writer by this much, not for ever. */
#define THROTTLE_NS  (2 * TICK_NS)

static struct waitq flusher_wake = WAITQ_INIT(flusher_wake, "flusher");
static struct waitq throttled = WAITQ_INIT(throttled, "throttled writers");
static u32 kicked;
static u64 background_limit = ~0ul, writer_limit = ~0ul; /* pages */

static inline u64 pages_waiting(void)
{
	return atomic64_read(&pagecache_dirty) + atomic64_read(&pagecache_writing);
}

void writeback_kick(void)
{
	if (READ_ONCE(kicked))
		return;
	WRITE_ONCE(kicked, 1);
	waitq_wake_all(&flusher_wake);
}

void writeback_progress(void)
{
	if (!list_empty(&throttled.entries) && pages_waiting() <= READ_ONCE(writer_limit))
		waitq_wake_all(&throttled);
}

void writeback_balance(void)
{
	u64 waiting = pages_waiting();

	if (waiting <= background_limit)
		return;
	if (atomic64_read(&pagecache_dirty) > background_limit || waiting > writer_limit)
		writeback_kick();
	if (waiting > writer_limit)
		(void)WAITQ_WAIT(
			&throttled, pages_waiting() <= writer_limit, SLEEP_KILLABLE, clock_mono_ns() + THROTTLE_NS);
}

/* One round over all file systems, then over the devices: metadata that the first wrote is there. */
static void flush_round(u64 before_ns)
{
	struct superblock *sb;

	for (sb = super_next(NULL); sb; sb = super_next(sb))
		super_write_inodes(sb, before_ns, PAGECACHE_START);
	super_write_inodes(bdev_super(), before_ns, PAGECACHE_START);
	writeback_progress();
}

static void flusher(void *arg)
{
	for (;;) {
		u64 now;
		u32 pressed;

		(void)wait_event_timeout(&flusher_wake, READ_ONCE(kicked), clock_mono_ns() + TICK_NS);
		pressed = READ_ONCE(kicked);
		WRITE_ONCE(kicked, 0);
		now = clock_mono_ns();
		if (pressed || atomic64_read(&pagecache_dirty) > background_limit)
			flush_round(now);
		else if (now > DIRTY_AGE_NS)
			flush_round(now - DIRTY_AGE_NS);
	}
}

void writeback_init(void)
{
	pagecache_reclaim_init();
	background_limit = MAX(frame_total() / 10, 64ul);
	writer_limit = MAX(frame_total() / 5, 128ul);
	if (kthread_start("flusher", flusher, NULL) < 0)
		pr_err("fs: no flusher thread: dirty pages are written by sync only");
}
