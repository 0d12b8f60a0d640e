/*
 * A block device over an image file, for host tests of file systems: requests are carried out at once; the n-th can be made
 * to fail. And mke2fs, e2fsck, debugfs on that file. Defines functions: include it in the test's own .c file only.
 */
#ifndef FAKE_DISK_ENV_H
#define FAKE_DISK_ENV_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dev/block.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "mm/frame.h"

static char disk_dir[] = "/tmp/ext_test.XXXXXX";
static char disk_image[64];
static int disk_fd = -1;
static u64 disk_requests, disk_fail_at; /* the request with this number fails; 0: none */
static bool disk_hold;                  /* writes are not done before disk_release */
static LIST_HEAD(disk_held);
static struct blkdev *disk_now; /* the image's device: a new one for each image */
static struct blkdev disk_root = {.name = "vda", .rdev = 254 << 8, .nr_sectors = 64, .max_segs = 8};

static void disk_submit(struct blkdev *bd, struct blk_req *rq)
{
	off_t at = (off_t)(rq->sector << SECTOR_SHIFT);
	int err = 0;

	if (bd == &disk_root) {
		for (u32 i = 0; i < rq->nr_segs; i++)
			memset(phys_to_kva(rq->segs[i].pa), 0, rq->segs[i].len);
		rq->done(rq, 0);
		return;
	}
	if (disk_hold && rq->op == BLK_WRITE) {
		list_add_tail(&rq->link, &disk_held);
		return;
	}
	if (++disk_requests == disk_fail_at)
		err = -EIO;
	for (u32 i = 0; i < rq->nr_segs && !err; i++) {
		void *mem = phys_to_kva(rq->segs[i].pa);
		ssize_t n, len = rq->segs[i].len;

		ASSERT((u64)at + (u64)len <= bd->nr_sectors << SECTOR_SHIFT);
		n = rq->op == BLK_READ ? pread(disk_fd, mem, (size_t)len, at) : pwrite(disk_fd, mem, (size_t)len, at);
		ASSERT(n == len);
		at += len;
	}
	rq->done(rq, err);
}

/* The oldest write that was held is done. */
static inline void disk_release(void)
{
	struct blk_req *rq = list_first_entry(&disk_held, struct blk_req, link);
	bool hold = disk_hold;

	ASSERT(!list_empty(&disk_held));
	list_del(&rq->link);
	disk_hold = false;
	disk_submit(disk_now, rq);
	disk_hold = hold;
}

static const struct blkdev_ops disk_ops = {.submit = disk_submit};

void blk_submit(struct blkdev *bd, struct blk_req *rq)
{
	ASSERT(rq->nr_segs <= bd->max_segs);
	disk_submit(bd, rq);
}

static int disk_sync_error;
static void disk_sync_done(struct blk_req *rq, int error)
{
	disk_sync_error = error;
}

int blk_rw_sync(struct blkdev *bd, enum blk_op op, u64 sector, void *buf, u32 len)
{
	struct blk_seg seg = {.pa = kva_to_phys(buf), .len = len};
	struct blk_req rq = {.op = op, .sector = sector, .nr_segs = 1, .segs = &seg, .done = disk_sync_done};

	disk_submit(bd, &rq);
	return disk_sync_error;
}

int blk_flush(struct blkdev *bd)
{
	return 0;
}

struct blkdev *blk_find_name(const char *name)
{
	if (strcmp(name, disk_root.name) == 0)
		return &disk_root;
	return disk_now && strcmp(name, disk_now->name) == 0 ? disk_now : NULL;
}

struct blkdev *blk_find(u32 rdev)
{
	return disk_now && disk_now->rdev == rdev ? disk_now : rdev == disk_root.rdev ? &disk_root : NULL;
}

struct blkdev *blk_next(struct blkdev *prev)
{
	return prev == &disk_root ? disk_now : prev ? NULL : &disk_root;
}

static void disk_start(void)
{
	ASSERT(mkdtemp(disk_dir));
	snprintf(disk_image, sizeof(disk_image), "%s/image", disk_dir);
	disk_root.ops = &disk_ops;
}

static int run_command(const char *fmt, ...)
{
	char text[700];
	va_list ap;
	int status;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	status = system(text);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

/* A new image, and a device for it. */
static void disk_make(const char *mke2fs_options, u64 kib)
{
	static u32 serial = 1;

	if (disk_fd >= 0)
		close(disk_fd);
	unlink(disk_image);
	ASSERT(run_command("PATH=$PATH:/usr/sbin:/sbin mke2fs -q -F %s %s %luk >/dev/null", mke2fs_options, disk_image,
		       kib) == 0);
	disk_fd = open(disk_image, O_RDWR);
	ASSERT(disk_fd >= 0);
	disk_now = calloc(1, sizeof(*disk_now));
	snprintf(disk_now->name, sizeof(disk_now->name), "vdb%u", serial);
	disk_now->rdev = (254 << 8) + serial++;
	disk_now->nr_sectors = kib * 2;
	disk_now->max_segs = 1 + serial % 32;
	disk_now->ops = &disk_ops;
}

static void disk_check(const char *when)
{
	if (run_command("PATH=$PATH:/usr/sbin:/sbin e2fsck -fn %s >%s/fsck 2>&1", disk_image, disk_dir) == 0)
		return;
	run_command("cat %s/fsck", disk_dir);
	panic("e2fsck found errors %s; image: %s", when, disk_image);
}

#endif
