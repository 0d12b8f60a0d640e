/*
 * read(2) and write(2) on cached files.
 *
 * User buffers may fault, also on the very page that is being read or written.
 * Reading holds nothing but a reference, so its copy may fault. Writing holds
 * the inode's lock and perhaps a BUSY page: it faults the buffer in first, copies with
 * faults off, and tries again when the copy came up short.
 */
#include "fs/buf.h"
#include "fs/inode.h"
#include "fs/pagecache_internal.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/uio.h"
#include "sync/sched.h"

#define RESERVE_STEP (256ul * 1024)

/* One page's part of a read. */
static int read_piece(struct pagecache *pc, struct uio *uio, u64 pos, u64 len)
{
	struct frame *f;
	int err;

	if (pc->flags & PAGECACHE_PINNED) {
		/* A hole of tmpfs is read without making it. */
		f = pagecache_find(pc, pos >> PAGE_SHIFT);
		if (!f)
			return uio_clear(uio, len);
		frame_put(f);
	}
	err = pagecache_get(pc, pos >> PAGE_SHIFT, &f);
	if (err < 0)
		return err;
	err = uio_copy_to(uio, (u8 *)frame_kva(f) + (pos & (PAGE_SIZE - 1)), len);
	frame_put(f);
	return err;
}

ssize_t pagecache_read(struct inode *inode, struct uio *uio, s64 *pos)
{
	u64 done = 0;
	int err = 0;

	while (uio->count) {
		u64 at = (u64)*pos, size = inode_size(inode);
		u64 before = uio->count, len;

		if (at >= size)
			break;
		len = MIN(MIN(uio->count, size - at), PAGE_SIZE - (at & (PAGE_SIZE - 1)));
		err = read_piece(&inode->pages, uio, at, len);
		done += before - uio->count;
		*pos += (s64)(before - uio->count);
		if (err < 0)
			break;
		if (uio->count && sched_fatal_signal_pending()) {
			err = -EINTR;
			break;
		}
		sched_point();
	}
	return done ? (ssize_t)done : err;
}

/* The page to overwrite [from, to) of. A page nothing of which survives is not read; it comes BUSY and not UPTODATE. */
static int page_for_write(struct pagecache *pc, u64 pgoff, u32 from, u32 to, struct frame **out)
{
	u64 start = pgoff << PAGE_SHIFT, size = inode_size(pc->inode);
	struct frame *f = pagecache_find(pc, pgoff);
	int err;

	if (f) {
		frame_put(f);
		return pagecache_get(pc, pgoff, out);
	}
	if (start < size && !(from == 0 && start + to >= size) && !(from == 0 && to == PAGE_SIZE) && pc->ops->read)
		return pagecache_get(pc, pgoff, out);
	err = pagecache_insert(pc, pgoff, out);
	return err == -EEXIST ? pagecache_get(pc, pgoff, out) : err;
}

/* After a copy of `copied` bytes at `from` into a page that was born for it: the rest is zero, and it is valid. */
static void finish_new_page(struct frame *f, u32 from, u32 copied)
{
	u8 *data = frame_kva(f);

	memset(data, 0, from);
	memset(data + from + copied, 0, PAGE_SIZE - from - copied);
	pagecache_read_done(f, 0);
}

int pagecache_get_for_write(struct pagecache *pc, u64 pgoff, u32 from, u32 to, struct frame **out)
{
	int err = page_for_write(pc, pgoff, from, to, out);

	if (err == 0 && !(atomic_read(&(*out)->flags) & FRAME_UPTODATE))
		finish_new_page(*out, 0, 0);
	return err;
}

void pagecache_grow(struct inode *inode, u64 size)
{
	u64 old = inode->size;
	struct frame *f = old & (PAGE_SIZE - 1) ? pagecache_find(&inode->pages, old >> PAGE_SHIFT) : NULL;

	if (f)
		frame_lock_busy(f);
	WRITE_ONCE(inode->size, size);
	if (f) {
		frame_clear_wake(f, FRAME_BUSY);
		frame_put(f);
	}
}

/*
 * Copies one page's part. Returns the bytes copied (0: the buffer went away, fault it in again) or -errno.
 * The end of file moves while the page is BUSY, so that write-back does not take the new bytes for a tail to clear; and so is the
 * page that had the end before.
 */
static ssize_t write_piece(struct pagecache *pc, struct uio *uio, u64 pos, u64 len)
{
	struct inode *inode = pc->inode;
	u32 from = pos & (PAGE_SIZE - 1);
	struct frame *f;
	size_t copied;
	u32 fresh, grows;
	int err = page_for_write(pc, pos >> PAGE_SHIFT, from, from + (u32)len, &f);

	if (err < 0)
		return err;
	fresh = !(atomic_read(&f->flags) & FRAME_UPTODATE);
	grows = pos + len > inode->size;
	if (grows && !fresh)
		frame_lock_busy(f);
	copied = uio_copy_from_nofault(uio, (u8 *)frame_kva(f) + from, len);
	if (fresh && copied < len && (pos & PAGE_MASK) < inode->size) {
		/* What was not overwritten after all is on disk only: start over. */
		uio_revert(uio, copied);
		pagecache_remove(pc, f);
		frame_clear_wake(f, FRAME_BUSY);
		frame_put(f);
		return 0;
	}
	if (copied && pos + copied > inode->size) {
		if (pos >> PAGE_SHIFT == inode->size >> PAGE_SHIFT)
			WRITE_ONCE(inode->size, pos + copied);
		else
			pagecache_grow(inode, pos + copied);
	}
	if (fresh)
		finish_new_page(f, from, (u32)copied);
	else if (grows)
		frame_clear_wake(f, FRAME_BUSY);
	if (copied) {
		pagecache_touch(f);
		if (pc->flags & PAGECACHE_SECTORS)
			bdev_mark_sectors(f, from, from + (u32)copied);
		pagecache_mark_dirty(pc, f);
	}
	frame_put(f);
	return (ssize_t)copied;
}

/* Growing over the old end: what the last page holds behind it (a mapping may have written there) becomes zero. */
static void clear_behind_end(struct pagecache *pc, u64 size)
{
	u32 tail = size & (PAGE_SIZE - 1);
	struct frame *f = tail ? pagecache_find(pc, size >> PAGE_SHIFT) : NULL;

	if (!f)
		return;
	frame_wait(f, FRAME_BUSY);
	if (atomic_read(&f->flags) & FRAME_UPTODATE)
		memset((u8 *)frame_kva(f) + tail, 0, PAGE_SIZE - tail);
	frame_put(f);
}

/* How far this write may go: -EFBIG, or the bytes allowed. */
static s64 write_limit(struct inode *inode, u64 pos, u64 len)
{
	u64 limit = task_rlimit(RLIMIT_FSIZE);

	if (pos >= limit) {
		task_raise(SIGNAL_FILE_SIZE);
		return -EFBIG;
	}
	if (inode->sb && inode->sb->max_size) {
		if (pos >= inode->sb->max_size)
			return -EFBIG;
		limit = MIN(limit, inode->sb->max_size);
	}
	return (s64)MIN(len, limit - pos);
}

/* Blocks for the next stretch; less of it when the disk is nearly full. Returns bytes reserved or -errno. */
static s64 reserve_stretch(struct pagecache *pc, u64 pos, u64 len)
{
	int err;

	len = MIN(len, RESERVE_STEP - (pos & (PAGE_SIZE - 1)));
	if (!pc->ops->reserve)
		return (s64)len;
	err = pc->ops->reserve(pc, pos, len);
	if (err == -ENOSPC && len > PAGE_SIZE - (pos & (PAGE_SIZE - 1))) {
		len = PAGE_SIZE - (pos & (PAGE_SIZE - 1));
		err = pc->ops->reserve(pc, pos, len);
	}
	return err < 0 ? err : (s64)len;
}

/* Writes up to `len` bytes whose blocks are reserved. Returns bytes or -errno when none. */
static ssize_t write_stretch(struct inode *inode, struct uio *uio, s64 *pos, u64 len)
{
	u64 done = 0;
	ssize_t n = 0;

	while (done < len) {
		u64 at = (u64)*pos;
		u64 piece = MIN(len - done, PAGE_SIZE - (at & (PAGE_SIZE - 1)));

		n = uio_prefault(uio, piece, ACCESS_READ);
		if (n < 0)
			break;
		n = write_piece(&inode->pages, uio, at, piece);
		if (n < 0)
			break;
		*pos += n;
		done += (u64)n;
		sched_point();
	}
	return done ? (ssize_t)done : n;
}

/* Blocks were reserved beyond an end of file that did not move that far: give them back. */
static void trim_reservation(struct inode *inode, u64 reserved_end)
{
	struct inode_attr attr = {.valid = ATTR_SIZE, .size = inode->size};

	if (reserved_end > inode->size && inode->ops && inode->ops->setattr)
		inode->ops->setattr(inode, &attr);
}

ssize_t pagecache_write(struct inode *inode, struct uio *uio, s64 *pos)
{
	s64 allowed = write_limit(inode, (u64)*pos, uio->count);
	u64 done = 0;
	s64 n = 0;

	if (uio->count == 0)
		return 0;
	if (allowed < 0)
		return allowed;
	/* A buffer that is bad from its first byte changes nothing. */
	n = uio_prefault(uio, MIN(uio->count, PAGE_SIZE), ACCESS_READ);
	if (n < 0)
		return n;
	if ((u64)*pos > inode->size)
		clear_behind_end(&inode->pages, inode->size);
	while (done < (u64)allowed) {
		u64 at = (u64)*pos;
		s64 stretch = reserve_stretch(&inode->pages, at, (u64)allowed - done);

		n = stretch;
		if (stretch < 0)
			break;
		n = write_stretch(inode, uio, pos, (u64)stretch);
		if (n > 0)
			done += (u64)n;
		if (n < stretch) {
			trim_reservation(inode, at + (u64)stretch);
			break;
		}
		writeback_balance();
		if (sched_fatal_signal_pending())
			break;
	}
	if (done) {
		inode->mtime = inode->ctime = time_wall();
		inode_mark_dirty(inode);
	}
	return done ? (ssize_t)done : n;
}
