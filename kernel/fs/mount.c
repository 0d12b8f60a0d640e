/*
 * The mount tree. Each mount shows a tree of dentries at a place; where several are mounted on one place, the last is seen.
 * Links change under mount_lock and dcache_lock, so the walk needs the latter only.
 */
#include "dev/block.h"
#include "fs/buf.h"
#include "fs/fs.h"
#include "fs/pipe.h"
#include "lib/cmdline.h"
#include "lib/err.h"
#include "lib/errno.h"
#include "lib/layout.h"
#include "lib/log.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/slab.h"

static struct mutex mount_lock = MUTEX_INIT(mount_lock, "mount", RANK_MOUNT);
static LIST_HEAD(mounts);
static struct mount *root_mount;
LAYOUT_IS_ADDRESS(root_mount);

struct mount *mount_root(void)
{
	return root_mount;
}

u32 mount_flags(const struct mount *m)
{
	return m ? m->flags | (m->sb->flags & MOUNT_RDONLY) : 0;
}

struct superblock *mount_sb(const struct mount *m)
{
	return m->sb;
}

int mount_is_rdonly(const struct mount *m)
{
	return (mount_flags(m) & MOUNT_RDONLY) != 0 || (m && READ_ONCE(m->sb->going_rdonly));
}

int mount_want_write(const struct mount *m)
{
	return mount_is_rdonly(m) ? -EROFS : 0;
}

static struct mount *mount_on_locked(const struct mount *parent, const struct dentry *d)
{
	struct mount *m;

	list_for_each_entry_reverse(m, &mounts, link)
	{
		if (m->mountpoint == d && m->parent == parent)
			return m;
	}
	return NULL;
}

void mount_cross_down_locked(struct path *p)
{
	struct mount *m;

	while (p->dentry->mounted && (m = mount_on_locked(p->mount, p->dentry)) != NULL) {
		p->mount = m;
		p->dentry = m->root;
	}
}

/* ---- life ---- */

/* Takes over the superblock's reference, also on failure. */
static struct mount *mount_create(const char *source, struct superblock *sb, struct dentry *root, u32 flags)
{
	struct mount *m = kzalloc(sizeof(*m), 0);

	if (m)
		m->source = kstrdup(source, 0);
	if (!m || !m->source) {
		kfree(m);
		super_put(sb);
		return NULL;
	}
	refcount_init(&m->refs, 1);
	m->sb = sb;
	dentry_get(root);
	m->root = root;
	m->flags = flags & (MOUNT_RDONLY | MOUNT_NOSUID | MOUNT_NODEV | MOUNT_NOEXEC | MOUNT_NOATIME);
	list_init(&m->link);
	return m;
}

static void mount_free(struct mount *m)
{
	dentry_put(m->root);
	super_put(m->sb);
	kfree(m->source);
	kfree(m);
}

void mount_put(struct mount *m)
{
	if (likely(m) && refcount_put(&m->refs))
		mount_free(m);
}

/*
 * The directory of d's name, locked and referenced: who removes or moves the name holds its lock from the question whether something is
 * mounted there until the name is gone. NULL: d is a root, which stays. d is held by the caller.
 */
static struct dentry *lock_directory_of(const struct dentry *d)
{
	struct dentry *dir;

	for (;;) {
		spin_lock(&dcache_lock);
		dir = d->parent;
		if (dir != d)
			dentry_get_locked(dir);
		spin_unlock(&dcache_lock);
		if (dir == d)
			return NULL;
		rwlock_read_lock(&dir->inode->lock);
		if (READ_ONCE(d->parent) == dir)
			return dir;
		rwlock_read_unlock(&dir->inode->lock);
		dentry_put(dir);
	}
}

static int mount_attach_at(struct mount *m, const struct path *p)
{
	int err = 0;

	spin_lock(&dcache_lock);
	if (!dentry_is_hashed(p->dentry) || !p->mount->attached)
		err = -ENOENT;
	else if (S_ISDIR(p->dentry->inode->mode) != S_ISDIR(m->root->inode->mode))
		err = -ENOTDIR;
	if (!err) {
		mount_get(p->mount);
		dentry_get_locked(p->dentry);
		m->parent = p->mount;
		m->mountpoint = p->dentry;
		m->parent->nr_children++;
		m->mountpoint->mounted++;
		m->attached = 1;
		list_add_tail(&m->link, &mounts);
	}
	spin_unlock(&dcache_lock);
	return err;
}

/* Locks: mount_lock. `where` is referenced by the caller; crossed down to what is seen there, which stays while the lock is held. */
static int mount_attach(struct mount *m, const struct path *where)
{
	struct path p = *where;
	struct dentry *dir;
	int err;

	mutex_assert_held(&mount_lock);
	spin_lock(&dcache_lock);
	mount_cross_down_locked(&p);
	spin_unlock(&dcache_lock);
	dir = lock_directory_of(p.dentry);
	err = mount_attach_at(m, &p);
	if (dir) {
		rwlock_read_unlock(&dir->inode->lock);
		dentry_put(dir);
	}
	return err;
}

int mount_add(const char *source, const struct path *where, const char *type, u32 flags, const char *options)
{
	struct fs_type *t = fs_type_find(type);
	struct superblock *sb;
	struct mount *m;
	int err;

	if (!t)
		return -ENODEV;
	mutex_lock(&mount_lock);
	err = super_mount(t, source, flags, options, &sb);
	if (err)
		goto out_unlock;
	m = mount_create(source, sb, sb->root_dentry, flags);
	if (!m) {
		err = -ENOMEM;
		goto out_unlock;
	}
	err = mount_attach(m, where);
	if (err)
		mount_put(m);
out_unlock:
	mutex_unlock(&mount_lock);
	return err;
}

int mount_bind(const struct path *from, const struct path *where)
{
	struct mount *m;
	int err;

	mutex_lock(&mount_lock);
	if (!refcount_get_not_zero(&from->mount->sb->refs)) {
		mutex_unlock(&mount_lock);
		return -EINVAL;
	}
	m = mount_create(from->mount->source, from->mount->sb, from->dentry, from->mount->flags);
	err = m ? mount_attach(m, where) : -ENOMEM;
	if (err && m)
		mount_put(m);
	mutex_unlock(&mount_lock);
	return err;
}

int mount_remount(const struct path *where, u32 flags, const char *options)
{
	struct mount *m = where->mount;
	int err;

	if (where->dentry != m->root)
		return -EINVAL;
	mutex_lock(&mount_lock);
	err = super_remount(m->sb, flags, options);
	if (!err)
		m->flags = flags & (MOUNT_RDONLY | MOUNT_NOSUID | MOUNT_NODEV | MOUNT_NOEXEC | MOUNT_NOATIME);
	mutex_unlock(&mount_lock);
	return err;
}

/* Unhooks m; the references it held on its place come back in *place. Locks: mount_lock, dcache_lock. */
static void mount_detach_locked(struct mount *m, struct path *place)
{
	place->mount = m->parent;
	place->dentry = m->mountpoint;
	m->parent->nr_children--;
	m->mountpoint->mounted--;
	m->parent = NULL;
	m->mountpoint = NULL;
	m->attached = 0;
	list_del(&m->link);
}

#define MNT_DETACH 2u

/* A mount without children below (and including) m. Locks: dcache_lock. */
static struct mount *mount_leaf_locked(struct mount *m)
{
	struct mount *c;

	while (m->nr_children) {
		list_for_each_entry (c, &mounts, link) {
			if (c->parent == m)
				break;
		}
		m = c;
	}
	return m;
}

/* where: the root of the mount, referenced by the caller (one reference of the mount is his). */
int mount_remove(const struct path *where, u32 flags)
{
	struct mount *m = where->mount;
	struct path place;
	u32 last = 0;
	int err = 0;

	if (where->dentry != m->root)
		return -EINVAL;
	mutex_lock(&mount_lock);
	spin_lock(&dcache_lock);
	if (!m->attached)
		err = -EINVAL;
	else if (m == root_mount)
		err = -EBUSY;
	else if (!(flags & MNT_DETACH) && (m->nr_children || refcount_read(&m->refs) > 2))
		err = -EBUSY;
	/* In the same hold of the lock: one that was not busy is gone before anybody walks into it. */
	while (!err && !last) {
		struct mount *leaf = mount_leaf_locked(m);

		last = leaf == m;
		mount_detach_locked(leaf, &place);
		spin_unlock(&dcache_lock);
		mount_put(leaf);
		path_put(&place);
		spin_lock(&dcache_lock);
	}
	spin_unlock(&dcache_lock);
	mutex_unlock(&mount_lock);
	return err;
}

/* ---- listing ---- */

/* The mount after `prev` (whose reference is dropped), referenced; NULL: the first, the end. */
static struct mount *mount_next(struct mount *prev)
{
	struct list *l;
	struct mount *next = NULL;

	spin_lock(&dcache_lock);
	l = prev && prev->attached ? prev->link.next : prev ? &mounts : mounts.next;
	if (l != &mounts) {
		next = list_entry(l, struct mount, link);
		mount_get(next);
	}
	spin_unlock(&dcache_lock);
	if (prev)
		mount_put(prev);
	return next;
}

static void mount_options(const struct mount *m, char *buf, size_t size)
{
	u32 flags = mount_flags(m);

	snprintf(buf, size, "%s%s%s%s,%s", flags & MOUNT_RDONLY ? "ro" : "rw", flags & MOUNT_NOSUID ? ",nosuid" : "",
		flags & MOUNT_NODEV ? ",nodev" : "", flags & MOUNT_NOEXEC ? ",noexec" : "",
		flags & MOUNT_NOATIME ? "noatime" : "relatime");
}

void mount_for_each(
	int (*fn)(void *arg, const char *source, const char *where, const char *type, const char *options), void *arg)
{
	char *buf = kmalloc(PATH_MAX, 0), options[64];
	struct mount *m;

	if (!buf)
		return;
	for (m = mount_next(NULL); m; m = mount_next(m)) {
		struct path p = {.mount = m, .dentry = m->root};
		char *where = path_name(&p, buf, PATH_MAX);

		if (IS_ERR(where) || *where != '/')
			continue; /* outside the caller's root */
		mount_options(m, options, sizeof(options));
		if (fn(arg, m->source, where, m->sb->type->name, options)) {
			mount_put(m);
			break;
		}
	}
	kfree(buf);
}

/* ---- boot ---- */

static int mount_root_try(const char *device, u32 flags, struct superblock **out)
{
	int err = -ENODEV, first = -ENODEV;

	mutex_lock(&mount_lock);
	for (struct fs_type *t = fs_type_next(NULL); t; t = fs_type_next(t)) {
		if (!t->needs_dev)
			continue;
		err = super_mount(t, device, flags, "", out);
		if (!err)
			break;
		if (first == -ENODEV || first == -EINVAL)
			first = err;
	}
	mutex_unlock(&mount_lock);
	return err ? first : 0;
}

static void mount_dev_at_boot(void)
{
	struct path dev;
	int err = path_walk(NULL, "/dev", WALK_FOLLOW | WALK_DIRECTORY, &dev);

	if (!err) {
		err = mount_add("dev", &dev, "devfs", MOUNT_NOSUID, "");
		path_put(&dev);
	}
	if (err)
		pr_warn("fs: no devices under /dev: the root file system has no directory /dev (error %d)", -err);
}

static void mount_root_explain(const char *device, int err)
{
	struct blkdev *bd = blk_next(NULL);

	if (!bd) {
		pr_err("fs: no block device: pass one with -drive file=IMAGE,if=none,format=raw,id=d0 -device "
		       "virtio-blk-device,drive=d0");
		return;
	}
	if (!blk_find_name(strncmp(device, "/dev/", 5) == 0 ? device + 5 : device)) {
		pr_err("fs: there is no block device \"%s\": root= on the kernel command line names it", device);
		for (; bd; bd = blk_next(bd))
			pr_err("fs:   there is /dev/%s, %lu KiB", bd->name, bd->nr_sectors / 2);
		return;
	}
	pr_err("fs: %s holds no file system that can be mounted (error %d): make one with mke2fs -t ext4 -O "
	       "^has_journal,^metadata_csum,^64bit",
		device, -err);
}

int fs_mount_root(const char *device, u32 flags)
{
	struct superblock *sb;
	const char *name = device;
	char source[32];
	int err;

	if (!name || !*name)
		name = cmdline_get("root");
	if (!name || !*name)
		name = "/dev/vda";
	if (cmdline_flag("ro"))
		flags |= MOUNT_RDONLY;
	err = mount_root_try(name, flags, &sb);
	if (err) {
		mount_root_explain(name, err);
		return err;
	}
	scnprintf(source, sizeof(source), "%s%s", name[0] == '/' ? "" : "/dev/", name);
	root_mount = mount_create(source, sb, sb->root_dentry, flags);
	if (!root_mount)
		return -ENOMEM;
	spin_lock(&dcache_lock);
	root_mount->attached = 1;
	list_add_tail(&root_mount->link, &mounts);
	spin_unlock(&dcache_lock);
	pr_info("fs: root is %s (%s%s)", source, sb->type->name, mount_is_rdonly(root_mount) ? ", read-only" : "");
	mount_dev_at_boot();
	return 0;
}

void fs_init(void)
{
	dcache_init();
	inode_cache_init();
	bdev_init();
	file_init();
	fdtable_init();
	pipe_init();
	ext_init();
	tmpfs_init();
	devfs_init();
	procfs_init();
	writeback_init();
}
