/* Block devices: the registry, and synchronous requests on top of submit. */
#include "dev/block.h"

#include "lib/errno.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "sync/spinlock.h"
#include "sync/waitq.h"

/* Only grows, at boot; readers need no lock. */
static struct list devices = LIST_INIT(devices);

void blk_register(struct blkdev *bd)
{
	list_add_tail(&bd->link, &devices);
}

struct blkdev *blk_find(u32 rdev)
{
	struct blkdev *bd;

	list_for_each_entry (bd, &devices, link)
		if (bd->rdev == rdev)
			return bd;
	return NULL;
}

struct blkdev *blk_find_name(const char *name)
{
	struct blkdev *bd;

	list_for_each_entry (bd, &devices, link)
		if (strcmp(bd->name, name) == 0)
			return bd;
	return NULL;
}

struct blkdev *blk_next(struct blkdev *prev)
{
	struct list *next = prev ? prev->link.next : devices.next;

	return next == &devices ? NULL : container_of(next, struct blkdev, link);
}

void blk_submit(struct blkdev *bd, struct blk_req *rq)
{
	u64 sectors = 0;

	for (u32 i = 0; i < rq->nr_segs; i++)
		sectors += rq->segs[i].len >> SECTOR_SHIFT;
	if (rq->op == BLK_READ) {
		__atomic_fetch_add(&bd->nr_reads, 1, __ATOMIC_RELAXED);
		__atomic_fetch_add(&bd->sectors_read, sectors, __ATOMIC_RELAXED);
	} else if (rq->op == BLK_WRITE) {
		__atomic_fetch_add(&bd->nr_writes, 1, __ATOMIC_RELAXED);
		__atomic_fetch_add(&bd->sectors_written, sectors, __ATOMIC_RELAXED);
	}
	bd->ops->submit(bd, rq);
}

struct sync_wait {
	struct completion done;
	int error;
};

static void sync_done(struct blk_req *rq, int error)
{
	struct sync_wait *w = rq->private;

	w->error = error;
	completion_complete(&w->done);
}

static int submit_and_wait(struct blkdev *bd, struct blk_req *rq)
{
	struct sync_wait w;

	completion_init(&w.done, "block");
	rq->done = sync_done;
	rq->private = &w;
	blk_submit(bd, rq);
	completion_wait(&w.done);
	return w.error;
}

int blk_rw_sync(struct blkdev *bd, enum blk_op op, u64 sector, void *buf, u32 len)
{
	struct blk_seg seg = {.pa = kva_to_phys(buf), .len = len};
	struct blk_req rq = {.op = op, .sector = sector, .nr_segs = 1, .segs = &seg};

	return submit_and_wait(bd, &rq);
}

int blk_flush(struct blkdev *bd)
{
	struct blk_req rq = {.op = BLK_FLUSH};

	return submit_and_wait(bd, &rq);
}
