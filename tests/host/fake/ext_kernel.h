/*
 * The rooms around fs/ that tests/host/ext_test.c does without: user copies, memory objects, devices. Defines functions:
 * include it in one file.
 */
#pragma once

#include "fs_caller.h"

static u64 wall_ns = 1700000000123456789ul;
static u32 short_copies; /* user copies come up short now and then */

u64 clock_wall_ns(void)
{
	return wall_ns += 1000;
}
u64 clock_mono_ns(void)
{
	return wall_ns;
}
struct chardev *chardev_find(u32 rdev)
{
	return NULL;
}
struct chardev *chardev_next(struct chardev *prev)
{
	return NULL;
}
u64 chardev_generation(void)
{
	return 0;
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
int put_user_u32(struct uptr p, u32 value)
{
	return -EFAULT;
}
int put_user_u64(struct uptr p, u64 value)
{
	return -EFAULT;
}
void writeback_kick(void)
{
}
void writeback_progress(void)
{
}
void writeback_init(void)
{
	pagecache_reclaim_init();
}
void writeback_balance(void)
{
	if (pagecache_nr_dirty() > 4096)
		fs_sync_all();
}

void uio_init_kernel(struct uio *u, void *buf, u64 len)
{
	memset(u, 0, sizeof(*u));
	u->kind = UIO_KERNEL;
	u->fast[0] = (struct uiovec){(u64)(uintptr_t)buf, len};
	u->count = len;
	u->iov = u->fast;
	u->nr_iov = 1;
}
static void *uio_at(struct uio *u)
{
	return (void *)(uintptr_t)(u->fast[0].base + u->offset);
}
void uio_advance_far(struct uio *u, size_t n)
{
	u->offset += n;
	u->count -= n;
}
void uio_revert(struct uio *u, size_t n)
{
	u->offset -= n;
	u->count += n;
}
int uio_copy_to(struct uio *u, const void *src, size_t n)
{
	memcpy(uio_at(u), src, n);
	uio_advance(u, n);
	return 0;
}
int uio_clear(struct uio *u, size_t n)
{
	memset(uio_at(u), 0, n);
	uio_advance(u, n);
	return 0;
}
size_t uio_copy_from_nofault(struct uio *u, void *dst, size_t n)
{
	if (short_copies && env_rand(4) == 0)
		n = env_rand(n);
	memcpy(dst, uio_at(u), n);
	uio_advance(u, n);
	return n;
}
static void (*at_prefault)(void); /* what the test does before a piece is written */
int uio_prefault(struct uio *u, size_t len, enum access access)
{
	if (at_prefault)
		at_prefault();
	return 0;
}
void memobj_init(struct memobj *o, const struct memobj_ops *ops, void *owner)
{
	o->ops = ops;
	o->owner = owner;
	list_init(&o->mappings);
	mutex_init(&o->lock, "memobj", RANK_MEMOBJ);
}
static void (*at_harvest)(void); /* what the test does while reclaim asks a page's mappings */
bool memobj_harvest_locked(struct memobj *o, u64 first, u64 last)
{
	if (at_harvest)
		at_harvest();
	return false;
}
void memobj_unmap_locked(struct memobj *o, u64 first, u64 last)
{
}
void memobj_unmap(struct memobj *o, u64 first, u64 last)
{
}
static void (*at_protect)(void); /* what the test does when pages are about to be written */
void memobj_protect(struct memobj *o, u64 first, u64 last)
{
	if (at_protect)
		at_protect();
}

/* The root of everything is a tmpfs on a disk without contents. */
static int fake_mount(struct superblock *sb, const char *options)
{
	return tmpfs_fill(sb, "", &tmpfs_dir_ops, &tmpfs_dir_fops, 0755);
}
static struct fs_type fake_type = {.name = "fake", .needs_dev = 1, .mount = fake_mount};
