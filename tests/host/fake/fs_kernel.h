/*
 * The rooms around the names of fs/ that tests/host/fs_test.c and fs_race_test.c do without: user copies, the page cache,
 * devices. Defines functions: include it in one file.
 */
#pragma once

#include "fs_caller.h"

/* ---- the rest of the kernel ---- */

static struct blkdev disk = {.name = "vda", .rdev = 254 << 8, .nr_sectors = 64};
static struct chardev null_device;
static const struct chardev_ops null_ops;

u64 clock_wall_ns(void)
{
	return 1000000000000ul;
}
u64 clock_mono_ns(void)
{
	return 1000;
}
struct blkdev *blk_find(u32 rdev)
{
	return rdev == disk.rdev ? &disk : NULL;
}
struct blkdev *blk_find_name(const char *name)
{
	return strcmp(name, disk.name) == 0 ? &disk : NULL;
}
struct blkdev *blk_next(struct blkdev *prev)
{
	return prev ? NULL : &disk;
}
int blk_flush(struct blkdev *bd)
{
	return 0;
}
void bdev_init(void)
{
}
int bdev_sync_all(void)
{
	return 0;
}
const struct file_ops bdev_file_ops;
struct chardev *chardev_find(u32 rdev)
{
	return rdev == null_device.rdev ? &null_device : NULL;
}
struct chardev *chardev_next(struct chardev *prev)
{
	return prev ? NULL : &null_device;
}
void chardev_lock(void)
{
}
void chardev_unlock(void)
{
}
int fifo_open(struct file *f)
{
	return -ENXIO;
}
void pipe_init(void)
{
}
void procfs_init(void)
{
}
void writeback_init(void)
{
}
void writeback_balance(void)
{
}
void writeback_kick(void)
{
}
void epoll_forget(struct file *f)
{
}
const char *cmdline_get(const char *key)
{
	return NULL;
}
bool cmdline_flag(const char *key)
{
	return false;
}
void uio_init_kernel(struct uio *u, void *buf, u64 len)
{
	memset(u, 0, sizeof(*u));
}
int put_user_u32(struct uptr p, u32 value)
{
	return -EFAULT;
}
void pagecache_init(struct pagecache *pc, struct inode *inode, const struct pagecache_ops *ops)
{
	memset(pc, 0, sizeof(*pc));
	pc->inode = inode;
	pc->ops = ops;
}
int pagecache_flush(struct pagecache *pc, u64 first, u64 last, enum pagecache_sync how)
{
	return 0;
}
void pagecache_drop(struct pagecache *pc)
{
}
void pagecache_truncate(struct pagecache *pc, u64 size)
{
}
void pagecache_grow(struct inode *inode, u64 size)
{
	inode->size = size;
}
struct frame *pagecache_find(struct pagecache *pc, u64 pgoff)
{
	return NULL;
}
ssize_t pagecache_read(struct inode *inode, struct uio *uio, s64 *pos)
{
	return 0;
}
ssize_t pagecache_write(struct inode *inode, struct uio *uio, s64 *pos)
{
	return 0;
}

/* A file system on a "disk" is a tmpfs here. */
static int fake_mount(struct superblock *sb, const char *options)
{
	return tmpfs_fill(sb, "", &tmpfs_dir_ops, &tmpfs_dir_fops, 0755);
}
static struct fs_type fake_type = {.name = "fake", .needs_dev = 1, .mount = fake_mount};
void ext_init(void)
{
	fs_register(&fake_type);
}
