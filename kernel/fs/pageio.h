/*
 * Moving cached pages to and from a block device: collects pieces of pages that lie next to each other on disk into
 * requests, and ends each page (pagecache_read_done, pagecache_write_done) when its last piece has come.
 *
 *	pageio_init(&io, bd, BLK_READ)
 *	for each page:  pageio_frame_begin(f); pageio_add(&io, f, …) any number of times; pageio_frame_end(&io, f, error)
 *	pageio_submit(&io)
 *
 * Nothing here fails: without memory for a request the piece is moved at once and waited for.
 * Pages are BUSY (reading) or under WRITEBACK: nobody else uses frame->spare, which counts the pieces under way.
 * Context: process, may sleep.
 */
#pragma once

#include "dev/block.h"
#include "lib/types.h"

struct frame;
struct pageio_req;

struct pageio {
	struct blkdev *bd;
	enum blk_op op;
	struct pageio_req *req; /* being filled, or NULL */
};

void pageio_init(struct pageio *io, struct blkdev *bd, enum blk_op op);
void pageio_frame_begin(struct frame *f);
/* len bytes (whole sectors) at byte `off` of the page are at `sector`. */
void pageio_add(struct pageio *io, struct frame *f, u32 off, u32 len, u64 sector);
/* No more pieces of f. `error`: 0, or why the page is bad already. */
void pageio_frame_end(struct pageio *io, struct frame *f, int error);
void pageio_submit(struct pageio *io);
