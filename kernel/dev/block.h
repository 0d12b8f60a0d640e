/*
 * Block devices. A request is a run of sectors and the memory pieces it goes
 * to or comes from; it completes in interrupt context by calling done().
 * Sectors are 512 bytes. Memory is given by physical pieces; its owner keeps it
 * alive and busy until done().
 */
#pragma once

#include "lib/list.h"
#include "lib/types.h"

#define SECTOR_SIZE  512
#define SECTOR_SHIFT 9

enum blk_op { BLK_READ, BLK_WRITE, BLK_FLUSH };

struct blk_seg {
	paddr_t pa;
	u32 len; /* multiple of SECTOR_SIZE */
};

struct blk_req {
	enum blk_op op;
	u64 sector;
	u32 nr_segs;
	struct blk_seg *segs;
	void (*done)(struct blk_req *rq, int error); /* 0 or -EIO …; interrupt context, may free rq */
	void *private;
	int error;        /* the driver's, on the way to done() */
	struct list link; /* the driver's queue while submitted */
};

struct blkdev;

struct blkdev_ops {
	/* Queues rq; never fails: errors go to done(). Context: any but a spinlock of higher rank; may be called from process context only. */
	void (*submit)(struct blkdev *bd, struct blk_req *rq);
};

struct blkdev {
	char name[16]; /* "vda" */
	u32 rdev;      /* Linux device number: makedev(254, 0) … */
	u64 nr_sectors;
	u32 max_segs; /* of a request */
	u32 read_only;
	const struct blkdev_ops *ops;
	void *private;
	struct list link;
	void *fs_private; /* fs/: the device's inode (page cache) */
	u64 nr_reads, nr_writes, sectors_read, sectors_written;
};

void blk_register(struct blkdev *bd);
struct blkdev *blk_find(u32 rdev);
struct blkdev *blk_find_name(const char *name);
struct blkdev *blk_next(struct blkdev *prev); /* NULL: first */

/* Counts the request and hands it to the driver; the way to submit one. */
void blk_submit(struct blkdev *bd, struct blk_req *rq);
/* Sleeps until done; buf is direct-map kernel memory. 0/-EIO. */
int blk_rw_sync(struct blkdev *bd, enum blk_op op, u64 sector, void *buf, u32 len);
int blk_flush(struct blkdev *bd);
