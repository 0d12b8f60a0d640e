/* Requests of page pieces. See pageio.h. */
#include "fs/pageio.h"

#include "fs/pagecache_internal.h"
#include "lib/errno.h"
#include "mm/slab.h"

#define PAGEIO_SEGS  32u
#define PAGEIO_ERROR BIT(63) /* in frame->spare, above the count of pieces under way */

struct pageio_req {
	struct blk_req rq;
	u64 next_sector;
	struct blk_seg segs[PAGEIO_SEGS];
	struct frame *frames[PAGEIO_SEGS]; /* of each segment */
};

void pageio_init(struct pageio *io, struct blkdev *bd, enum blk_op op)
{
	io->bd = bd;
	io->op = op;
	io->req = NULL;
}

/* One for each piece under way, and one until pageio_frame_end. */
void pageio_frame_begin(struct frame *f)
{
	f->spare = 1;
}

/* A piece, or the bias, is done. Context: any. */
static void piece_done(enum blk_op op, struct frame *f, int error)
{
	u64 left;
	int result;

	if (error)
		__atomic_fetch_or(&f->spare, PAGEIO_ERROR, __ATOMIC_RELAXED);
	left = __atomic_sub_fetch(&f->spare, 1, __ATOMIC_ACQ_REL);
	if (left & ~PAGEIO_ERROR)
		return;
	result = left & PAGEIO_ERROR ? -EIO : 0;
	if (op == BLK_READ) {
		pagecache_clear_tail(f);
		pagecache_read_done(f, result);
	} else {
		pagecache_write_done(f, result);
	}
}

static void request_done(struct blk_req *rq, int error)
{
	struct pageio_req *r = container_of(rq, struct pageio_req, rq);

	for (u32 i = 0; i < rq->nr_segs; i++)
		piece_done(rq->op, r->frames[i], error);
	kfree(r);
}

void pageio_submit(struct pageio *io)
{
	struct pageio_req *r = io->req;

	io->req = NULL;
	if (r)
		blk_submit(io->bd, &r->rq);
}

static struct pageio_req *request_start(struct pageio *io, u64 sector)
{
	struct pageio_req *r = kmalloc(sizeof(*r), ALLOC_ATOMIC);

	if (!r)
		return NULL;
	r->rq = (struct blk_req){.op = io->op, .sector = sector, .segs = r->segs, .done = request_done};
	r->next_sector = sector;
	io->req = r;
	return r;
}

/* The last segment grows when the piece is its continuation in memory, too. */
static int piece_extends(const struct pageio_req *r, const struct frame *f, paddr_t pa)
{
	const struct blk_seg *last = &r->segs[r->rq.nr_segs - 1];

	return r->frames[r->rq.nr_segs - 1] == f && last->pa + last->len == pa;
}

void pageio_add(struct pageio *io, struct frame *f, u32 off, u32 len, u64 sector)
{
	u32 max = MIN(MAX(io->bd->max_segs, 1u), PAGEIO_SEGS);
	paddr_t pa = frame_pa(f) + off;
	struct pageio_req *r = io->req;

	if (r && r->next_sector == sector && piece_extends(r, f, pa)) {
		r->segs[r->rq.nr_segs - 1].len += len;
		r->next_sector += len >> SECTOR_SHIFT;
		return;
	}
	if (r && (r->next_sector != sector || r->rq.nr_segs == max)) {
		pageio_submit(io);
		r = NULL;
	}
	if (!r)
		r = request_start(io, sector);
	__atomic_fetch_add(&f->spare, 1, __ATOMIC_RELAXED);
	if (!r) {
		piece_done(io->op, f, blk_rw_sync(io->bd, io->op, sector, (u8 *)frame_kva(f) + off, len));
		return;
	}
	r->segs[r->rq.nr_segs] = (struct blk_seg){.pa = pa, .len = len};
	r->frames[r->rq.nr_segs++] = f;
	r->next_sector += len >> SECTOR_SHIFT;
}

void pageio_frame_end(struct pageio *io, struct frame *f, int error)
{
	piece_done(io->op, f, error);
}
