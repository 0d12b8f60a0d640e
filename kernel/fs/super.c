/* Superblocks: mounting a file system, sharing it among mounts, syncing, and taking it down. */
#include "dev/block.h"
#include "fs/buf.h"
#include "fs/fs.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "sync/sched.h"
#include "sync/waitq.h"

static struct spinlock supers_lock = SPINLOCK_INIT("superblocks", RANK_ICACHE);
static LIST_HEAD(supers);
static LIST_HEAD(fs_types);
static u32 super_next_minor = 1; /* of superblocks without a device: st_dev 0:n */

void fs_register(struct fs_type *t)
{
	spin_lock(&supers_lock);
	list_add_tail(&t->link, &fs_types);
	spin_unlock(&supers_lock);
}

struct fs_type *fs_type_find(const char *name)
{
	struct fs_type *t, *found = NULL;

	spin_lock(&supers_lock);
	list_for_each_entry (t, &fs_types, link) {
		if (strcmp(t->name, name) == 0) {
			found = t;
			break;
		}
	}
	spin_unlock(&supers_lock);
	return found;
}

/* Types are never unregistered. */
struct fs_type *fs_type_next(struct fs_type *prev)
{
	struct list *l = prev ? prev->link.next : fs_types.next;

	return l == &fs_types ? NULL : list_entry(l, struct fs_type, link);
}

static struct superblock *super_alloc(struct fs_type *type, struct blkdev *bd, u32 flags)
{
	struct superblock *sb = kzalloc(sizeof(*sb), 0);

	if (!sb)
		return NULL;
	sb->type = type;
	sb->bdev = bd;
	sb->flags = flags & MOUNT_RDONLY;
	sb->block_size = PAGE_SIZE;
	sb->max_size = (1ul << 63) - 1;
	mutex_init(&sb->rename_lock, "rename", RANK_RENAME);
	mutex_init(&sb->dirty_lock, "dirty inodes", RANK_SLEEP_LEAF);
	list_init(&sb->dirty);
	list_init(&sb->inodes);
	list_init(&sb->link);
	refcount_init(&sb->refs, 1);
	spin_lock(&supers_lock);
	sb->dev = bd ? bd->rdev : super_next_minor++;
	spin_unlock(&supers_lock);
	return sb;
}

/* Source names a block device: "/dev/vda", "vda", or a path to its node. */
static int super_find_device(const char *source, struct blkdev **out)
{
	struct path p;
	u32 mode, rdev;
	int err;

	*out = blk_find_name(strncmp(source, "/dev/", 5) == 0 ? source + 5 : source);
	if (*out)
		return 0;
	err = path_walk(NULL, source, WALK_FOLLOW, &p);
	if (err)
		return err;
	mode = path_inode(&p)->mode;
	rdev = path_inode(&p)->rdev;
	path_put(&p);
	if (!S_ISBLK(mode))
		return -ENOTBLK;
	*out = blk_find(rdev);
	return *out ? 0 : -ENXIO;
}

static struct superblock *super_find_shared(struct fs_type *type, struct blkdev *bd, int *err)
{
	struct superblock *sb, *found = NULL;

	*err = 0;
	spin_lock(&supers_lock);
	list_for_each_entry (sb, &supers, link) {
		if (sb->bdev != bd)
			continue;
		if (sb->type != type || !refcount_get_not_zero(&sb->refs))
			*err = -EBUSY;
		else
			found = sb;
		break;
	}
	spin_unlock(&supers_lock);
	return found;
}

/* Locks: mount_lock, so that a device is not mounted twice. */
int super_mount(struct fs_type *type, const char *source, u32 flags, const char *options, struct superblock **out)
{
	struct blkdev *bd = NULL;
	struct superblock *sb;
	int err;

	if (type->needs_dev) {
		err = super_find_device(source, &bd);
		if (err)
			return err;
		sb = super_find_shared(type, bd, &err);
		if (sb || err) {
			*out = sb;
			return err;
		}
		if (bd->read_only && !(flags & MOUNT_RDONLY))
			return -EACCES;
	}
	sb = super_alloc(type, bd, flags);
	if (!sb)
		return -ENOMEM;
	err = type->mount(sb, options ? options : "");
	if (err) {
		if (sb->ops)
			inode_evict_all(sb);
		kfree(sb);
		return err;
	}
	inode_get(sb->root);
	sb->root_dentry = dentry_create_root(sb->root);
	if (!sb->root_dentry) {
		refcount_init(&sb->refs, 1);
		super_put(sb);
		return -ENOMEM;
	}
	spin_lock(&supers_lock);
	list_add_tail(&sb->link, &supers);
	spin_unlock(&supers_lock);
	*out = sb;
	return 0;
}

static int super_sync(struct superblock *sb)
{
	int err, err2;

	if (sb->flags & MOUNT_RDONLY)
		return 0;
	err = super_write_inodes(sb, ~0ul, PAGECACHE_START);
	/* Writing pages makes inodes dirty again (blocks, times): twice gets the attributes too. */
	err2 = super_write_inodes(sb, ~0ul, PAGECACHE_WAIT);
	err = err ? err : err2;
	if (sb->ops->sync) {
		err2 = sb->ops->sync(sb);
		err = err ? err : err2;
	}
	return err;
}

static struct waitq unpinned = WAITQ_INIT(unpinned, "superblock unpinned");

/* Whoever pins looks at `dying` after it has counted itself, super_destroy at the count after it has set `dying`. */
bool super_pin(struct superblock *sb)
{
	atomic_inc(&sb->pins);
	smp_mb();
	if (likely(!READ_ONCE(sb->dying)))
		return true;
	super_unpin(sb);
	return false;
}

void super_unpin(struct superblock *sb)
{
	(void)atomic_dec_return(&sb->pins); /* sb may be gone now */
	waitq_wake_all(&unpinned);
}

/* The last mount is gone. */
static void super_destroy(struct superblock *sb)
{
	WRITE_ONCE(sb->dying, 1);
	smp_mb();
	wait_event(&unpinned, atomic_read(&sb->pins) == 0);
	if (sb->root_dentry && dcache_drop_sb(sb) != 0)
		pr_warn("fs: names of a %s are still in use at unmount", sb->type->name);
	super_sync(sb);
	if (sb->root_dentry)
		dentry_put(sb->root_dentry);
	if (sb->root && !sb->pins_inodes)
		inode_put(sb->root);
	/* After the sync nothing is dirty; what evicting unlinked inodes changes is written by unmount. */
	inode_evict_all(sb);
	if (sb->ops->unmount)
		sb->ops->unmount(sb);
	spin_lock(&supers_lock);
	list_del(&sb->link);
	spin_unlock(&supers_lock);
	kfree(sb);
}

void super_put(struct superblock *sb)
{
	if (refcount_put(&sb->refs))
		super_destroy(sb);
}

struct superblock *super_next(struct superblock *prev)
{
	struct list *l;
	struct superblock *next = NULL;

	spin_lock(&supers_lock);
	for (l = prev ? prev->link.next : supers.next; l != &supers; l = l->next) {
		struct superblock *sb = list_entry(l, struct superblock, link);

		if (refcount_get_not_zero(&sb->refs)) {
			next = sb;
			break;
		}
	}
	spin_unlock(&supers_lock);
	if (prev)
		super_put(prev);
	return next;
}

void fs_sync_all(void)
{
	struct superblock *sb;

	/* First start everything everywhere, then wait. */
	for (sb = super_next(NULL); sb; sb = super_next(sb))
		super_write_inodes(sb, ~0ul, PAGECACHE_START);
	for (sb = super_next(NULL); sb; sb = super_next(sb)) {
		int err = super_sync(sb);

		if (err)
			pr_err("fs: sync of a %s failed: error %d", sb->type->name, -err);
	}
	bdev_sync_all();
}

int super_remount(struct superblock *sb, u32 flags, const char *options)
{
	u32 change = (sb->flags ^ flags) & MOUNT_RDONLY;
	int err = 0;

	if (change && !(flags & MOUNT_RDONLY) && sb->bdev && sb->bdev->read_only)
		return -EACCES;
	if (change && (flags & MOUNT_RDONLY)) {
		/* First: whoever opens a file for writing counts himself and then looks again (open_start). */
		WRITE_ONCE(sb->going_rdonly, 1);
		smp_mb();
		err = inode_check_no_writers(sb);
		if (!err)
			err = super_sync(sb);
	}
	if (!err && sb->ops->remount)
		err = sb->ops->remount(sb, flags, options ? options : "");
	if (!err)
		sb->flags = (sb->flags & ~MOUNT_RDONLY) | (flags & MOUNT_RDONLY);
	WRITE_ONCE(sb->going_rdonly, 0);
	return err;
}

void fs_shutdown(void)
{
	struct superblock *sb;
	int err;

	fs_sync_all();
	for (sb = super_next(NULL); sb; sb = super_next(sb)) {
		if (!sb->bdev || (sb->flags & MOUNT_RDONLY))
			continue;
		inode_evict_orphans(sb);
		err = super_sync(sb);
		if (!err && sb->ops->remount)
			err = sb->ops->remount(sb, sb->flags | MOUNT_RDONLY, "");
		sb->flags |= MOUNT_RDONLY;
		if (!err)
			err = blk_flush(sb->bdev);
		if (err)
			pr_err("fs: %s was not shut down cleanly: error %d", sb->bdev->name, -err);
	}
}
