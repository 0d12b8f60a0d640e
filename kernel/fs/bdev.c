/*
 * Block devices as inodes: a pseudo superblock with one inode for each device, whose page cache is the device's
 * bytes. Metadata buffers (buf.c) and /dev/vda are both windows on it.
 */
#include "dev/block.h"
#include "fs/buf.h"
#include "fs/file.h"
#include "fs/inode.h"
#include "fs/pageio.h"
#include "lib/bitmap.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/uio.h"

#define BLKROGET     0x125e
#define BLKGETSIZE   0x1260
#define BLKFLSBUF    0x1261
#define BLKSSZGET    0x1268
#define BLKPBSZGET   0x127b
#define BLKBSZGET    0x80081270ul
#define BLKGETSIZE64 0x80081272ul

static inline struct blkdev *cache_bdev(const struct pagecache *pc)
{
	return pc->inode->private;
}

static int bdev_read_pages(struct pagecache *pc, struct frame **run, u32 nr)
{
	struct blkdev *bd = cache_bdev(pc);
	u64 size = bd->nr_sectors << SECTOR_SHIFT;
	struct pageio io;

	pageio_init(&io, bd, BLK_READ);
	for (u32 i = 0; i < nr; i++) {
		u64 pos = run[i]->index << PAGE_SHIFT;
		u32 len = pos < size ? (u32)MIN(size - pos, PAGE_SIZE) : 0;

		pageio_frame_begin(run[i]);
		if (len < PAGE_SIZE)
			memset((u8 *)frame_kva(run[i]) + len, 0, PAGE_SIZE - len);
		if (len)
			pageio_add(&io, run[i], 0, len, pos >> SECTOR_SHIFT);
		pageio_frame_end(&io, run[i], 0);
	}
	pageio_submit(&io);
	return 0;
}

static int bdev_write_pages(struct pagecache *pc, struct frame **run, u32 nr)
{
	struct blkdev *bd = cache_bdev(pc);
	struct pageio io;

	pageio_init(&io, bd, BLK_WRITE);
	for (u32 i = 0; i < nr; i++) {
		struct frame *f = run[i];
		u64 mask = __atomic_exchange_n(&f->dirty_blocks, 0, __ATOMIC_SEQ_CST);
		u64 sector = f->index << (PAGE_SHIFT - SECTOR_SHIFT);

		pageio_frame_begin(f);
		while (mask) {
			u32 first = bit_lowest(mask);
			u32 n = bit_lowest(~(mask >> first));

			pageio_add(&io, f, first << SECTOR_SHIFT, n << SECTOR_SHIFT, sector + first);
			mask &= ~(((1ul << n) - 1) << first);
		}
		pageio_frame_end(&io, f, 0);
	}
	pageio_submit(&io);
	return 0;
}

static const struct pagecache_ops bdev_pages_ops = {.read = bdev_read_pages, .write = bdev_write_pages};
static const struct inode_ops bdev_inode_ops;
static const struct super_ops bdev_super_ops;
static struct fs_type bdev_type = {.name = "bdev"};
static struct superblock bdev_sb;
static struct mutex bdev_lock = MUTEX_INIT(bdev_lock, "block device inodes", RANK_MOUNT);

void bdev_init(void)
{
	bdev_sb.type = &bdev_type;
	bdev_sb.ops = &bdev_super_ops;
	bdev_sb.block_size = PAGE_SIZE;
	bdev_sb.max_size = (1ul << 63) - 1;
	mutex_init(&bdev_sb.rename_lock, "rename", RANK_RENAME);
	mutex_init(&bdev_sb.dirty_lock, "dirty devices", RANK_SLEEP_LEAF);
	list_init(&bdev_sb.dirty);
	list_init(&bdev_sb.inodes);
	list_init(&bdev_sb.link);
	refcount_init(&bdev_sb.refs, 1);
}

struct superblock *bdev_super(void)
{
	return &bdev_sb;
}

static struct inode *bdev_create(struct blkdev *bd)
{
	struct inode *inode = inode_create(&bdev_sb, bd->rdev);

	if (!inode)
		return NULL;
	inode->mode = S_IFBLK | 0600;
	inode->rdev = bd->rdev;
	inode->size = bd->nr_sectors << SECTOR_SHIFT;
	inode->ops = &bdev_inode_ops;
	inode->fops = &bdev_file_ops;
	inode->private = bd;
	inode->pages.ops = &bdev_pages_ops;
	inode->pages.flags |= PAGECACHE_SECTORS;
	inode_publish(inode);
	return inode;
}

/* Mounts (which come first) are serialised by a lock of the same rank; opens of devices hold none. */
struct inode *bdev_inode(struct blkdev *bd)
{
	struct inode *inode = load_acquire(&bd->fs_private);

	if (inode)
		return inode;
	mutex_lock_nested(&bdev_lock);
	if (!bd->fs_private)
		store_release(&bd->fs_private, (void *)bdev_create(bd));
	inode = bd->fs_private;
	mutex_unlock(&bdev_lock);
	return inode;
}

static int bdev_sync(struct blkdev *bd)
{
	struct inode *inode = bdev_inode(bd);
	int err = inode ? pagecache_flush(&inode->pages, 0, ~0ul, PAGECACHE_WAIT) : -ENOMEM;
	int err2 = blk_flush(bd);

	return err ? err : err2;
}

int bdev_sync_all(void)
{
	struct blkdev *bd;
	int err, first = 0;

	for (bd = blk_next(NULL); bd; bd = blk_next(bd)) {
		err = bd->fs_private ? bdev_sync(bd) : 0;
		first = first ? first : err;
	}
	return first;
}

/* ---- open files ---- */

static inline struct blkdev *file_bdev(const struct file *f)
{
	return f->private;
}

static int bdev_open(struct file *f)
{
	struct blkdev *bd = blk_find(f->inode->rdev);

	if (!bd)
		return -ENXIO;
	if (bd->read_only && (f->mode & FMODE_WRITE))
		return -EROFS;
	if (!bdev_inode(bd))
		return -ENOMEM;
	f->private = bd;
	return 0;
}

static ssize_t bdev_read(struct file *f, struct uio *uio, s64 *pos)
{
	return pagecache_read(bdev_inode(file_bdev(f)), uio, pos);
}

/* Up to the end of the device; -ENOSPC there. */
static ssize_t bdev_write(struct file *f, struct uio *uio, s64 *pos)
{
	struct inode *inode = bdev_inode(file_bdev(f));
	u64 size = inode_size(inode), excess = 0;
	ssize_t n;

	if (uio->count == 0)
		return 0;
	if ((u64)*pos >= size)
		return -ENOSPC;
	if (uio->count > size - (u64)*pos)
		excess = uio->count - (size - (u64)*pos);
	uio->count -= excess;
	rwlock_write_lock(&inode->lock);
	n = pagecache_write(inode, uio, pos);
	rwlock_write_unlock(&inode->lock);
	uio->count += excess;
	return n;
}

static s64 bdev_seek(struct file *f, s64 off, int whence)
{
	s64 size = (s64)inode_size(bdev_inode(file_bdev(f)));

	switch (whence) {
	case 0: break;
	case 1: off += f->pos; break;
	case 2: off += size; break;
	default: return -EINVAL;
	}
	if (off < 0)
		return -EINVAL;
	f->pos = off;
	return off;
}

static long bdev_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct blkdev *bd = file_bdev(f);
	struct uptr out = uptr_make(arg);

	switch (cmd) {
	case BLKGETSIZE64: return put_user_u64(out, bd->nr_sectors << SECTOR_SHIFT);
	case BLKGETSIZE: return put_user_u64(out, bd->nr_sectors);
	case BLKSSZGET:
	case BLKPBSZGET: return put_user_u32(out, SECTOR_SIZE);
	case BLKBSZGET: return put_user_u32(out, (u32)PAGE_SIZE);
	case BLKROGET: return put_user_u32(out, bd->read_only);
	case BLKFLSBUF: return bdev_sync(bd);
	default: return -ENOTTY;
	}
}

static int bdev_fsync(struct file *f, u32 data_only)
{
	return bdev_sync(file_bdev(f));
}

const struct file_ops bdev_file_ops = {
	.open = bdev_open,
	.read = bdev_read,
	.write = bdev_write,
	.seek = bdev_seek,
	.ioctl = bdev_ioctl,
	.fsync = bdev_fsync,
};
