/* Swap areas on block devices and in files. See fs/swapfile.h. */
#include "fs/swapfile.h"

#include "dev/block.h"
#include "fs/buf.h"
#include "fs/inode.h"
#include "fs/path.h"
#include "lib/err.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/swap.h"
#include "sync/waitq.h"

#define HEADER_OFFSET    1024u
#define HEADER_MAGIC     "SWAPSPACE2"
#define MAX_BAD          ((PAGE_SIZE - HEADER_OFFSET - sizeof(struct swap_header) - 10) / sizeof(u32))
#define NR_REQUESTS      8u
#define REQUEST_SEGS     32u
#define SECTORS_PER_PAGE ((u32)(PAGE_SIZE >> SECTOR_SHIFT))
#define PIECE_ERROR      BIT(63) /* in frame->spare, above the count of pieces under way */

struct swap_header {
	u32 version;
	u32 last_page;
	u32 nr_bad;
	u8 uuid[16];
	char label[16];
	u32 padding[117];
};

/* Sectors [at, at + nr) of the area are at `sector` of the device. */
struct swap_extent {
	u64 at, nr, sector;
};

struct swap_request {
	struct blk_req rq;
	struct swapfile *sf;
	struct list link; /* in sf->free */
	u64 next_sector;
	struct blk_seg segs[REQUEST_SEGS];
	struct frame *frames[REQUEST_SEGS]; /* of each segment */
};

struct swapfile {
	struct inode *inode; /* referenced: the file, or the device's */
	struct path path;    /* referenced: what was named; its file system stays mounted */
	struct blkdev *bd;
	struct swap_extent *extents; /* in order of `at` */
	u32 nr_extents, max_extents;
	struct spinlock lock;
	struct list free; /* [lock] requests */
	struct waitq free_queue;
	struct swap_request requests[NR_REQUESTS];
};

/* swapon and swapoff are one at a time; it comes before all that they look at. */
static struct mutex swapfile_lock = MUTEX_INIT(swapfile_lock, "swapon", RANK_MOUNT);

/* ---- requests ---- */

static struct swap_request *request_take(struct swapfile *sf)
{
	u64 irq = spin_lock_irqsave(&sf->lock);
	struct swap_request *r = NULL;

	if (!list_empty(&sf->free)) {
		r = list_first_entry(&sf->free, struct swap_request, link);
		list_del(&r->link);
	}
	spin_unlock_irqrestore(&sf->lock, irq);
	return r;
}

static void piece_done(enum blk_op op, struct frame *f, int error)
{
	u64 left;

	if (error)
		__atomic_fetch_or(&f->spare, PIECE_ERROR, __ATOMIC_RELAXED);
	left = __atomic_sub_fetch(&f->spare, 1, __ATOMIC_ACQ_REL);
	if (left & ~PIECE_ERROR)
		return;
	f->spare = 0;
	if (op == BLK_READ)
		swap_read_done(f, left & PIECE_ERROR ? -EIO : 0);
	else
		swap_write_done(f, left & PIECE_ERROR ? -EIO : 0);
}

static void request_done(struct blk_req *rq, int error)
{
	struct swap_request *r = container_of(rq, struct swap_request, rq);
	struct swapfile *sf = r->sf;
	struct frame *frames[REQUEST_SEGS];
	u32 nr = rq->nr_segs;
	enum blk_op op = rq->op;
	u64 irq;

	memcpy(frames, r->frames, nr * sizeof(frames[0]));
	/* First: when the last page is done, the area may be closed and all this be gone. */
	irq = spin_lock_irqsave(&sf->lock);
	list_add(&r->link, &sf->free);
	waitq_wake_one(&sf->free_queue);
	spin_unlock_irqrestore(&sf->lock, irq);
	for (u32 i = 0; i < nr; i++)
		piece_done(op, frames[i], error);
}

struct swap_io {
	struct swapfile *sf;
	enum blk_op op;
	struct swap_request *r; /* being filled, or NULL */
};

static void io_submit(struct swap_io *io)
{
	struct swap_request *r = io->r;

	io->r = NULL;
	if (r)
		blk_submit(io->sf->bd, &r->rq);
}

static void io_add(struct swap_io *io, struct frame *f, u32 off, u32 len, u64 sector)
{
	struct swapfile *sf = io->sf;
	u32 max = MIN(MAX(sf->bd->max_segs, 1u), REQUEST_SEGS);
	struct swap_request *r = io->r;

	if (r && (r->next_sector != sector || r->rq.nr_segs == max)) {
		io_submit(io);
		r = NULL;
	}
	if (!r) {
		/* Those under way come back by themselves. */
		wait_event(&sf->free_queue, (r = request_take(sf)) != NULL);
		r->rq = (struct blk_req){.op = io->op, .sector = sector, .segs = r->segs, .done = request_done};
		r->next_sector = sector;
		io->r = r;
	}
	__atomic_fetch_add(&f->spare, 1, __ATOMIC_RELAXED);
	r->segs[r->rq.nr_segs] = (struct blk_seg){.pa = frame_pa(f) + off, .len = len};
	r->frames[r->rq.nr_segs++] = f;
	r->next_sector += len >> SECTOR_SHIFT;
}

/* The extent that has sector `at` of the area. */
static const struct swap_extent *extent_find(const struct swapfile *sf, u64 at)
{
	u32 lo = 0, hi = sf->nr_extents;

	while (hi - lo > 1) {
		u32 mid = (lo + hi) / 2;

		if (sf->extents[mid].at <= at)
			lo = mid;
		else
			hi = mid;
	}
	return &sf->extents[lo];
}

static void io_page(struct swap_io *io, u64 slot, struct frame *f)
{
	u64 at = slot * SECTORS_PER_PAGE, end = at + SECTORS_PER_PAGE, start = at;

	f->spare = 1; /* until all pieces are added */
	while (at < end) {
		const struct swap_extent *e = extent_find(io->sf, at);
		u64 n = MIN(end, e->at + e->nr) - at;

		io_add(io, f, (u32)(at - start) << SECTOR_SHIFT, (u32)n << SECTOR_SHIFT, e->sector + (at - e->at));
		at += n;
	}
	piece_done(io->op, f, 0);
}

static void io_run(struct swap_area *a, enum blk_op op, u64 first, struct frame **frames, u32 nr)
{
	struct swap_io io = {.sf = swap_area_of(a), .op = op};

	for (u32 i = 0; i < nr; i++)
		io_page(&io, first + i, frames[i]);
	io_submit(&io);
}

static void swapfile_read(struct swap_area *a, u64 first, struct frame **frames, u32 nr)
{
	io_run(a, BLK_READ, first, frames, nr);
}

static void swapfile_write(struct swap_area *a, u64 first, struct frame **frames, u32 nr)
{
	io_run(a, BLK_WRITE, first, frames, nr);
}

static void swapfile_free(struct swapfile *sf)
{
	inode_put(sf->inode);
	path_put(&sf->path);
	kfree(sf->extents);
	kfree(sf);
}

static void swapfile_release(struct swap_area *a)
{
	struct swapfile *sf = swap_area_of(a);

	inode_allow_write(sf->inode);
	swapfile_free(sf);
}

static const struct swap_ops swapfile_ops = {
	.read = swapfile_read, .write = swapfile_write, .release = swapfile_release};

/* ---- where the pages are ---- */

static int extent_add(struct swapfile *sf, u64 at, u64 nr, u64 sector)
{
	struct swap_extent *last = sf->nr_extents ? &sf->extents[sf->nr_extents - 1] : NULL, *more;

	if (last && last->sector + last->nr == sector) {
		last->nr += nr;
		return 0;
	}
	if (sf->nr_extents == sf->max_extents) {
		more = krealloc(sf->extents, (sf->max_extents * 2 + 16) * sizeof(*more), 0);
		if (!more)
			return -ENOMEM;
		sf->extents = more;
		sf->max_extents = sf->max_extents * 2 + 16;
	}
	sf->extents[sf->nr_extents++] = (struct swap_extent){at, nr, sector};
	return 0;
}

/* The blocks behind the first nr_pages of the file. -EINVAL: there is a hole. */
static int map_file(struct swapfile *sf, u64 nr_pages)
{
	struct inode *inode = sf->inode;
	u32 sectors = inode->sb->block_size >> SECTOR_SHIFT;
	u64 lblk = 0, end = DIV_ROUND_UP(nr_pages * SECTORS_PER_PAGE, sectors);
	int err = 0;

	while (lblk < end && !err) {
		u64 pblk;
		u32 len;

		err = inode->ops->map_blocks(inode, lblk, (u32)MIN(end - lblk, 0x10000ul), &pblk, &len);
		if (!err && !pblk)
			err = -EINVAL;
		if (!err)
			err = extent_add(sf, lblk * sectors, (u64)len * sectors, pblk * sectors);
		lblk += len;
	}
	return err;
}

/* ---- swapon ---- */

static bool device_mounted(const struct blkdev *bd)
{
	struct superblock *sb;
	bool mounted = false;

	for (sb = super_next(NULL); sb; sb = super_next(sb))
		mounted |= sb->bdev == bd;
	return mounted;
}

/* The inode whose page cache has the area's bytes, referenced, and its device. */
static int find_area(const struct path *p, struct inode **inode, struct blkdev **bd)
{
	struct inode *named = path_inode(p);

	if (S_ISBLK(named->mode)) {
		*bd = blk_find(named->rdev);
		if (!*bd)
			return -ENXIO;
		*inode = bdev_inode(*bd);
		if (!*inode)
			return -ENOMEM;
		inode_get(*inode);
		return 0;
	}
	if (!S_ISREG(named->mode) || !named->ops->map_blocks || !named->sb->bdev)
		return -EINVAL;
	*bd = named->sb->bdev;
	*inode = named;
	inode_get(named);
	return 0;
}

/* Checks the header, and says how many slots there are and which are bad (in *bad: kfree). */
static int read_header(struct inode *inode, struct swap_source *src, u32 **bad)
{
	u64 pages = inode_size(inode) >> PAGE_SHIFT;
	const struct swap_header *h;
	struct frame *f;
	const u8 *page;
	int err;

	*bad = NULL;
	if (pages < 2)
		return -EINVAL;
	err = pagecache_get(&inode->pages, 0, &f);
	if (err)
		return err;
	page = frame_kva(f);
	h = (const struct swap_header *)(const void *)(page + HEADER_OFFSET);
	err = -EINVAL;
	if (memcmp(page + PAGE_SIZE - 10, HEADER_MAGIC, 10) != 0 || h->version != 1 || !h->last_page ||
		h->last_page >= pages || h->nr_bad > MAX_BAD || (h->nr_bad && S_ISREG(inode->mode)))
		goto out_put;
	err = 0;
	src->nr_slots = (u64)h->last_page + 1;
	src->nr_bad = h->nr_bad;
	if (h->nr_bad) {
		*bad = kmalloc(h->nr_bad * sizeof(u32), 0);
		if (*bad)
			memcpy(*bad, h + 1, h->nr_bad * sizeof(u32));
		else
			err = -ENOMEM;
	}
	src->bad = *bad;
out_put:
	frame_put(f);
	return err;
}

static struct swapfile *swapfile_create(struct inode *inode, struct blkdev *bd)
{
	struct swapfile *sf = kzalloc(sizeof(*sf), 0);

	if (!sf)
		return NULL;
	sf->inode = inode;
	sf->bd = bd;
	spin_init(&sf->lock, "swap requests", RANK_BLOCK);
	list_init(&sf->free);
	waitq_init(&sf->free_queue, "swap requests");
	for (u32 i = 0; i < NR_REQUESTS; i++) {
		sf->requests[i].sf = sf;
		list_add(&sf->requests[i].link, &sf->free);
	}
	return sf;
}

/* What the cache has goes to the disk and is forgotten: from now on the disk changes behind it. */
static int forget_cache(struct inode *inode)
{
	int err;

	rwlock_write_lock(&inode->lock);
	err = pagecache_flush(&inode->pages, 0, ~0ul, PAGECACHE_WAIT);
	if (!err)
		pagecache_truncate(&inode->pages, 0);
	rwlock_write_unlock(&inode->lock);
	return err;
}

/* The number of the area of this inode, or -EINVAL. */
static int area_of(const struct inode *inode)
{
	int found = -EINVAL;

	swap_areas_lock();
	for (u32 i = 0; i < SWAP_MAX_AREAS; i++) {
		struct swapfile *sf = swap_area_private(i, &swapfile_ops);

		if (sf && sf->inode == inode)
			found = (int)i;
	}
	swap_areas_unlock();
	return found;
}

/* Takes over the inode's reference, which is write-protected, when it succeeds. */
static int area_open(const struct path *p, struct inode *inode, struct blkdev *bd, struct swap_source *src)
{
	struct swapfile *sf;
	u32 *bad;
	int err = read_header(inode, src, &bad);

	if (err)
		return err;
	err = forget_cache(inode);
	if (err)
		goto out_bad;
	err = -ENOMEM;
	sf = swapfile_create(inode, bd);
	if (!sf)
		goto out_bad;
	src->private = sf;
	path_get(p);
	sf->path = *p;
	if (S_ISREG(inode->mode))
		err = map_file(sf, src->nr_slots);
	else
		err = extent_add(sf, 0, src->nr_slots * SECTORS_PER_PAGE, 0);
	if (!err)
		err = swap_area_add(src);
	if (err < 0) {
		path_put(&sf->path);
		kfree(sf->extents);
		kfree(sf);
	}
out_bad:
	kfree(bad);
	return MIN(err, 0);
}

static int swap_on_locked(const struct path *p, struct swap_source *src)
{
	struct inode *inode;
	struct blkdev *bd;
	int err = find_area(p, &inode, &bd);

	if (err)
		return err;
	src->kind = S_ISREG(inode->mode) ? "file" : "partition";
	err = -EBUSY;
	if (area_of(inode) >= 0 || (!S_ISREG(inode->mode) && device_mounted(bd)))
		goto out_put;
	err = -EACCES;
	if (bd->read_only)
		goto out_put;
	err = inode_deny_write(inode);
	if (err)
		goto out_put;
	err = area_open(p, inode, bd, src);
	if (!err)
		return 0;
	inode_allow_write(inode);
out_put:
	inode_put(inode);
	return err;
}

int swap_on(const struct path *p, u32 flags)
{
	struct swap_source src = {.ops = &swapfile_ops, .prio = SWAP_PRIO_AUTO};
	char *buf;
	int err;

	if (flags & ~(SWAP_FLAG_PREFER | SWAP_FLAG_PRIO_MASK | SWAP_FLAG_DISCARD))
		return -EINVAL;
	if (flags & SWAP_FLAG_PREFER)
		src.prio = (int)(flags & SWAP_FLAG_PRIO_MASK);
	buf = kmalloc(PATH_MAX, 0);
	if (!buf)
		return -ENOMEM;
	src.name = path_name(p, buf, PATH_MAX);
	err = IS_ERR(src.name) ? (int)PTR_ERR(src.name) : 0;
	if (!err) {
		mutex_lock(&swapfile_lock);
		err = swap_on_locked(p, &src);
		mutex_unlock(&swapfile_lock);
	}
	kfree(buf);
	return err;
}

int swap_off(const struct path *p)
{
	struct inode *inode;
	struct blkdev *bd;
	int err;

	mutex_lock(&swapfile_lock);
	err = find_area(p, &inode, &bd);
	if (!err) {
		err = area_of(inode);
		if (err >= 0)
			err = swap_area_remove((u32)err);
		inode_put(inode);
	}
	mutex_unlock(&swapfile_lock);
	return err;
}
