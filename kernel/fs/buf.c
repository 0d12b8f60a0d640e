/*
 * Buffers: windows on the pages of a device. See buf.h.
 *
 * A page of the device may hold metadata of this file system beside data of
 * files, which is written through the files' own caches. So only sectors that a
 * buffer (or a write to /dev/vda) made dirty are written: frame->dirty_blocks, bit by sector. The bits are set
 * before FRAME_DIRTY is, and taken after it was cleared, so none is lost.
 */
#include "fs/buf.h"

#include "dev/block.h"
#include "fs/inode.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/failnth.h"
#include "mm/reclaim.h"
#include "sync/sched.h"

static inline struct pagecache *buf_cache(const struct superblock *sb)
{
	return &((struct inode *)sb->bdev->fs_private)->pages;
}

/* 0 and the byte's address on the device, or -EIO for a block beyond its end. */
static int buf_locate(const struct superblock *sb, u64 blk, u64 *off)
{
	u64 size = sb->bdev->nr_sectors << SECTOR_SHIFT;

	if (blk >= size / sb->block_size)
		return -EIO;
	*off = blk * sb->block_size;
	return 0;
}

static void buf_set(struct buf *out, struct superblock *sb, u64 blk, struct frame *f, u64 off)
{
	out->blk = blk;
	out->frame = f;
	out->sb = sb;
	out->data = (u8 *)frame_kva(f) + (off & (PAGE_SIZE - 1));
}

#define READ_TRIES    20u
#define READ_PAUSE_NS 10000000ul

/*
 * Memory ran out. Metadata is often read in order to free or undo something, where giving up would leak: so this tries
 * harder than others do, for a fifth of a second.
 */
static NOINLINE int get_again(struct pagecache *pc, u64 pgoff, struct frame **out)
{
	int err = -ENOMEM;

	for (u32 i = 0; i < READ_TRIES && err == -ENOMEM; i++) {
		if (i) {
			writeback_kick();
			sched_prepare_sleep(SLEEP_UNINTERRUPTIBLE);
			sched_sleep(clock_mono_ns() + READ_PAUSE_NS);
		}
		if (!alloc_failed_on_demand())
			reclaim_pages(32);
		err = pagecache_get(pc, pgoff, out);
	}
	return err;
}

int buf_read(struct superblock *sb, u64 blk, struct buf *out)
{
	struct frame *f;
	u64 off;
	int err = buf_locate(sb, blk, &off);

	if (err == 0)
		err = pagecache_get(buf_cache(sb), off >> PAGE_SHIFT, &f);
	if (unlikely(err == -ENOMEM))
		err = get_again(buf_cache(sb), off >> PAGE_SHIFT, &f);
	if (err < 0)
		return err;
	buf_set(out, sb, blk, f, off);
	return 0;
}

int buf_new(struct superblock *sb, u64 blk, struct buf *out)
{
	struct frame *f;
	u64 off;
	u32 from;
	int err = buf_locate(sb, blk, &off);

	if (err < 0)
		return err;
	from = off & (PAGE_SIZE - 1);
	err = pagecache_get_for_write(buf_cache(sb), off >> PAGE_SHIFT, from, from + sb->block_size, &f);
	if (err < 0)
		return err;
	buf_set(out, sb, blk, f, off);
	memset(out->data, 0, sb->block_size);
	return 0;
}

int buf_access(struct buf *b)
{
	(void)b;
	return 0;
}

static inline u32 sector_mask(u32 from, u32 to)
{
	u32 first = from >> SECTOR_SHIFT, end = (to + SECTOR_SIZE - 1) >> SECTOR_SHIFT;

	return ((1u << end) - 1) & ~((1u << first) - 1);
}

void bdev_mark_sectors(struct frame *f, u32 from, u32 to)
{
	u32 mask = sector_mask(from, to);

	smp_mb(); /* the change itself comes before the look at the bits */
	if ((READ_ONCE(f->dirty_blocks) & mask) != mask)
		__atomic_fetch_or(&f->dirty_blocks, mask, __ATOMIC_SEQ_CST);
}

void buf_dirty(struct buf *b)
{
	u32 from = (u32)((uintptr_t)b->data & (PAGE_SIZE - 1));

	bdev_mark_sectors(b->frame, from, from + b->sb->block_size);
	pagecache_mark_dirty(buf_cache(b->sb), b->frame);
}

void buf_put(struct buf *b)
{
	frame_put(b->frame);
	b->frame = NULL;
}

void buf_readahead(struct superblock *sb, u64 blk, u32 nr)
{
	u64 off, end;

	if (nr == 0 || buf_locate(sb, blk, &off) < 0)
		return;
	end = off + (u64)nr * sb->block_size;
	pagecache_readahead(
		buf_cache(sb), off >> PAGE_SHIFT, (u32)(((end - 1) >> PAGE_SHIFT) - (off >> PAGE_SHIFT) + 1));
}

/* A write of the old contents that is under way must not come after one of the new owner's: wait for it. */
void buf_forget(struct superblock *sb, u64 blk, u32 nr)
{
	struct pagecache *pc = buf_cache(sb);
	u64 off = blk * sb->block_size, end = off + (u64)nr * sb->block_size;

	while (off < end) {
		u32 from = off & (PAGE_SIZE - 1);
		u32 to = (u32)MIN(from + (end - off), PAGE_SIZE);
		struct frame *f = pagecache_find(pc, off >> PAGE_SHIFT);

		if (f) {
			__atomic_fetch_and(&f->dirty_blocks, ~sector_mask(from, to), __ATOMIC_SEQ_CST);
			if (atomic_read(&f->flags) & FRAME_WRITEBACK)
				frame_wait(f, FRAME_WRITEBACK);
			frame_put(f);
		}
		off += to - from;
	}
}

int buf_sync_all(struct superblock *sb)
{
	return pagecache_flush(buf_cache(sb), 0, ~0ul, PAGECACHE_WAIT);
}
