/* Contents of regular files: I/O of cached pages, reserving blocks, truncation, preallocation, holes. */
#include "fs/ext/ext.h"
#include "fs/file.h"
#include "fs/pageio.h"
#include "lib/string.h"
#include "sync/sched.h"

#define FILL_PAGES 16u /* pages zeroed and dirtied at once when a hole inside the file gets blocks */

/* ---- pages from and to disk ---- */

/* Page I/O goes along the file with the last mapping found. Locks: map_lock for reading. */
struct map_cursor {
	struct inode *inode;
	u64 start; /* file block of `m` */
	struct ext_mapping m;
};

/* The mapping of block lblk; at most `max` blocks are of interest. */
static int cursor_map(struct map_cursor *c, u64 lblk, u32 max, u64 *pblk)
{
	if (lblk < c->start || lblk >= c->start + c->m.len) {
		int err = ext_map_locked(c->inode, (u32)lblk, max, &c->m);

		if (err < 0) {
			c->m.len = 0;
			return err;
		}
		c->start = lblk;
	}
	*pblk = c->m.pblk && !c->m.unwritten ? c->m.pblk + (lblk - c->start) : 0;
	return 0;
}

/* One page: holes and what lies beyond the end of file (eof: its first block) are zeroed in reading, left out in writing. */
static int page_transfer(struct pageio *io, struct map_cursor *c, struct frame *f, u64 eof, u64 end)
{
	struct ext_fs *fs = ext_inode_fs(c->inode);
	u32 bits = fs->block_bits;
	u64 lblk = f->index << (PAGE_SHIFT - bits);
	int err = 0;

	for (u32 off = 0; off < PAGE_SIZE && err == 0; off += fs->block_size, lblk++) {
		u64 pblk = 0;

		if (lblk < eof)
			err = cursor_map(c, lblk, (u32)MIN(end - lblk, (u64)UINT32_MAX), &pblk);
		if (err < 0)
			break;
		if (pblk)
			pageio_add(io, f, off, fs->block_size, pblk << (bits - SECTOR_SHIFT));
		else if (io->op == BLK_READ)
			memset((u8 *)frame_kva(f) + off, 0, fs->block_size);
	}
	return err;
}

static int pages_transfer(struct pagecache *pc, struct frame **run, u32 nr, enum blk_op op)
{
	struct inode *inode = pc->inode;
	struct ext_fs *fs = ext_inode_fs(inode);
	struct map_cursor c = {.inode = inode};
	u64 eof = DIV_ROUND_UP(inode_size(inode), (u64)fs->block_size);
	u64 end = MIN((run[nr - 1]->index + 1) << (PAGE_SHIFT - fs->block_bits), 1ul << 32);
	struct pageio io;

	pageio_init(&io, fs->sb->bdev, op);
	eof = MIN(eof, end);
	rwlock_read_lock(&ext_inode(inode)->map_lock);
	for (u32 i = 0; i < nr; i++) {
		int err;

		pageio_frame_begin(run[i]);
		err = page_transfer(&io, &c, run[i], eof, end);
		pageio_frame_end(&io, run[i], err);
	}
	pageio_submit(&io);
	rwlock_read_unlock(&ext_inode(inode)->map_lock);
	return 0;
}

static int ext_pages_read(struct pagecache *pc, struct frame **run, u32 nr)
{
	return pages_transfer(pc, run, nr, BLK_READ);
}

static int ext_pages_write(struct pagecache *pc, struct frame **run, u32 nr)
{
	return pages_transfer(pc, run, nr, BLK_WRITE);
}

/* ---- reserving ---- */

int ext_trim(struct inode *inode)
{
	int err = ext_map_truncate(inode, DIV_ROUND_UP(inode->size, (u64)ext_inode_fs(inode)->block_size));

	ext_inode(inode)->trim_pending = err < 0;
	return err;
}

/* Blocks beyond the end of file may hold anything: they must not become visible. */
static int trim_if_pending(struct inode *inode)
{
	return ext_inode(inode)->trim_pending ? ext_trim(inode) : 0;
}

static int give_blocks(struct inode *inode, u32 lblk, u32 n, const struct ext_mapping *m)
{
	if (m->pblk)
		return ext_map_convert(inode, lblk, n);
	return ext_map_alloc(inode, lblk, n, EXT_ALLOC_WRITTEN);
}

/*
 * Blocks for a hole (or unwritten extent) that readers can see. What was on those blocks must never show: the pages are
 * brought in first, as zeroes, and are dirty before anyone could read them from disk again.
 */
static int give_blocks_filled(struct inode *inode, u32 lblk, u32 n, const struct ext_mapping *m)
{
	u32 shift = PAGE_SHIFT - ext_inode_fs(inode)->block_bits;
	u64 first = lblk >> shift, last = ((u64)lblk + n - 1) >> shift;
	struct frame *pages[FILL_PAGES];
	u32 nr = 0;
	int err = 0, given = 0;

	while (first + nr <= last && err == 0) {
		err = pagecache_get(&inode->pages, first + nr, &pages[nr]);
		if (err == 0)
			nr++;
	}
	if (err == 0) {
		err = give_blocks(inode, lblk, n, m);
		given = 1;
	}
	for (u32 i = 0; i < nr; i++) {
		if (given)
			pagecache_mark_dirty(&inode->pages, pages[i]);
		frame_put(pages[i]);
	}
	/* Some got blocks, some not: the zeroes go out now, since a dirty page must have all its blocks. */
	if (err < 0 && given)
		pagecache_flush(&inode->pages, first, last, PAGECACHE_WAIT);
	return err;
}

/* Every block of [lblk, end) gets written-to blocks; those below `visible` are filled with zeroes. */
static int reserve_blocks(struct inode *inode, u64 lblk, u64 end, u64 visible)
{
	u32 fill_max = FILL_PAGES << (PAGE_SHIFT - ext_inode_fs(inode)->block_bits);
	struct ext_mapping m;
	int err = 0;

	while (lblk < end && err == 0) {
		err = ext_map(inode, (u32)lblk, (u32)(end - lblk), &m);
		if (err < 0 || (m.pblk && !m.unwritten)) {
			lblk += m.len;
			continue;
		}
		if (lblk < visible) {
			/* Whole pages at a time, so that FILL_PAGES suffices wherever it starts. */
			m.len = (u32)MIN((u64)MIN(m.len, fill_max - (u32)(lblk & (fill_max - 1))), visible - lblk);
			err = give_blocks_filled(inode, (u32)lblk, m.len, &m);
		} else {
			err = give_blocks(inode, (u32)lblk, m.len, &m);
		}
		lblk += m.len;
	}
	return err;
}

/*
 * With blocks smaller than pages: a dirty last page has blocks up to the end of file only. When the file grows over
 * it, a mapping may write to the rest of that page without asking (it is dirty already), so the rest gets blocks now.
 */
static int reserve_last_page(struct inode *inode, u64 new_size)
{
	struct ext_fs *fs = ext_inode_fs(inode);
	u64 size = inode->size, page_end = PAGE_ALIGN_UP(size);
	struct frame *f;
	u32 dirty;

	if (fs->block_size == PAGE_SIZE || size == page_end)
		return 0;
	f = pagecache_find(&inode->pages, size >> PAGE_SHIFT);
	if (!f)
		return 0;
	dirty = atomic_read(&f->flags) & FRAME_DIRTY;
	frame_put(f);
	if (!dirty)
		return 0;
	page_end = DIV_ROUND_UP(MIN(page_end, new_size), (u64)fs->block_size);
	return reserve_blocks(inode, DIV_ROUND_UP(size, (u64)fs->block_size), page_end, page_end);
}

static int ext_reserve(struct pagecache *pc, u64 pos, u64 len)
{
	struct inode *inode = pc->inode;
	struct ext_fs *fs = ext_inode_fs(inode);
	u64 bs = fs->block_size, end = pos + len, size = inode->size;
	u64 eof = DIV_ROUND_UP(size, bs);
	int err;

	if (ext_rdonly(fs))
		return -EROFS;
	if (DIV_ROUND_UP(end, bs) > ext_map_limit(inode))
		return -EFBIG;
	err = trim_if_pending(inode);
	if (err < 0)
		return err;
	if (bs < PAGE_SIZE) {
		/* A dirty page has all its blocks (see above). */
		if (pos > size)
			err = reserve_last_page(inode, pos);
		end = MIN(PAGE_ALIGN_UP(end), MAX(size, end));
		pos = PAGE_ALIGN_DOWN(pos);
	}
	if (err == 0)
		err = reserve_blocks(inode, pos / bs, MIN(DIV_ROUND_UP(end, bs), ext_map_limit(inode)), eof);
	if (err < 0 && end > size)
		ext_trim(inode);
	return err;
}

const struct pagecache_ops ext_pages_ops = {
	.read = ext_pages_read,
	.write = ext_pages_write,
	.reserve = ext_reserve,
};

/* ---- truncation ---- */

/* The rest of the last block becomes zero on disk, too; in the cached page it is already. */
static int zero_tail(struct inode *inode, u64 size)
{
	struct ext_fs *fs = ext_inode_fs(inode);
	struct ext_mapping m;
	struct frame *f;
	int err;

	if (size % fs->block_size == 0)
		return 0;
	err = ext_map(inode, (u32)(size >> fs->block_bits), 1, &m);
	if (err < 0 || !m.pblk || m.unwritten)
		return err;
	err = pagecache_get(&inode->pages, size >> PAGE_SHIFT, &f);
	if (err < 0)
		return err;
	pagecache_mark_dirty(&inode->pages, f);
	frame_put(f);
	return 0;
}

static int ext_set_size(struct inode *inode, u64 size)
{
	struct ext_fs *fs = ext_inode_fs(inode);
	u64 blocks = DIV_ROUND_UP(size, (u64)fs->block_size);
	int err, err2;

	if (size > inode->size) {
		if (blocks > ext_map_limit(inode))
			return -EFBIG;
		err = trim_if_pending(inode);
		if (err == 0)
			err = reserve_last_page(inode, size);
		if (err == 0)
			pagecache_truncate(&inode->pages, inode->size); /* nothing but the tail of the last page */
		return err;
	}
	/* inode->size is `size` already. */
	err = zero_tail(inode, size);
	err2 = ext_trim(inode);
	inode_mark_dirty(inode);
	return err ? err : err2;
}

int ext_setattr(struct inode *inode, const struct inode_attr *attr)
{
	if (ext_rdonly(ext_inode_fs(inode)))
		return -EROFS;
	if ((attr->valid & ATTR_SIZE) && S_ISREG(inode->mode))
		return ext_set_size(inode, attr->size);
	return 0;
}

/* ---- fallocate, lseek ---- */

#define FALLOC_KEEP_SIZE 1

static int preallocate(struct inode *inode, u64 lblk, u64 end)
{
	struct ext_mapping m;
	int err = 0;

	while (lblk < end && err == 0) {
		err = ext_map(inode, (u32)lblk, (u32)(end - lblk), &m);
		if (err == 0 && !m.pblk)
			err = ext_map_alloc(inode, (u32)lblk, m.len, EXT_ALLOC_UNWRITTEN);
		lblk += m.len;
		sched_point();
	}
	return err;
}

static int fallocate_locked(struct inode *inode, int mode, u64 pos, u64 len)
{
	struct ext_fs *fs = ext_inode_fs(inode);
	u64 bs = fs->block_size, end = pos + len;
	int err;

	if ((mode & ~FALLOC_KEEP_SIZE) || !ext_uses_extents(inode))
		return -EOPNOTSUPP;
	if (ext_rdonly(fs))
		return -EROFS;
	if (end < pos || DIV_ROUND_UP(end, bs) > ext_map_limit(inode))
		return -EFBIG;
	err = trim_if_pending(inode);
	if (err == 0)
		err = preallocate(inode, pos / bs, DIV_ROUND_UP(end, bs));
	if (err == 0 && !(mode & FALLOC_KEEP_SIZE) && end > inode->size)
		err = ext_set_size(inode, end);
	if (err < 0) {
		if (end > inode->size)
			ext_trim(inode);
		return err;
	}
	if (!(mode & FALLOC_KEEP_SIZE) && end > inode->size)
		pagecache_grow(inode, end);
	inode->ctime = time_wall();
	inode_mark_dirty(inode);
	return 0;
}

static int ext_fallocate(struct file *f, int mode, u64 pos, u64 len)
{
	int err;

	rwlock_write_lock(&f->inode->lock);
	err = fallocate_locked(f->inode, mode, pos, len);
	rwlock_write_unlock(&f->inode->lock);
	return err;
}

enum { SEEK_FROM_START, SEEK_FROM_HERE, SEEK_FROM_END, SEEK_DATA, SEEK_HOLE };

/* The first place at or after `off` that is (or is not) data; the end of file counts as a hole. */
static s64 find_data(struct inode *inode, u64 off, int whence)
{
	struct ext_fs *fs = ext_inode_fs(inode);
	u64 size = inode_size(inode), end = DIV_ROUND_UP(size, (u64)fs->block_size);
	u64 lblk = off >> fs->block_bits;
	struct ext_mapping m;

	if (off >= size)
		return -ENXIO;
	while (lblk < end) {
		int err = ext_map(inode, (u32)lblk, (u32)MIN(end - lblk, (u64)UINT32_MAX), &m);

		if (err < 0)
			return err;
		if ((m.pblk && !m.unwritten) == (whence == SEEK_DATA))
			return (s64)MIN(MAX(lblk << fs->block_bits, off), size);
		lblk += m.len;
	}
	return whence == SEEK_HOLE ? (s64)size : -ENXIO;
}

static s64 ext_seek(struct file *f, s64 off, int whence)
{
	switch (whence) {
	case SEEK_FROM_START: break;
	case SEEK_FROM_HERE:
		if (__builtin_add_overflow(off, f->pos, &off))
			return -EOVERFLOW;
		break;
	case SEEK_FROM_END:
		if (__builtin_add_overflow(off, (s64)inode_size(f->inode), &off))
			return -EOVERFLOW;
		break;
	case SEEK_DATA:
	case SEEK_HOLE:
		off = off < 0 ? -ENXIO : find_data(f->inode, (u64)off, whence);
		if (off < 0)
			return off;
		break;
	default: return -EINVAL;
	}
	if (off < 0 || (u64)off > f->inode->sb->max_size)
		return -EINVAL;
	f->pos = off;
	return off;
}

struct file_ops ext_file_ops;

/* The generic operations of cached files, and two of our own. */
void ext_file_init(void)
{
	ext_file_ops = file_ops_regular;
	ext_file_ops.fallocate = ext_fallocate;
	ext_file_ops.seek = ext_seek;
}
