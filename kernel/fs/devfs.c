/*
 * devfs: /dev. A tmpfs whose root also shows the devices that are registered at the moment, and whose directory pts shows the
 * pseudo-terminals. People may add files, links and nodes of their own; the devices' nodes cannot be removed, but their
 * owner and mode may be changed and stay so.
 *
 * A device's node has the inode number DEVFS_NODE | kind | rdev, and is made when it is looked up. Positions of a directory
 * reader: the tmpfs entries' cookies, then DEVFS_POS_CHAR + n for the n-th character device, DEVFS_POS_BLOCK + n.
 */
#include "dev/block.h"
#include "dev/chardev.h"
#include "fs/fs.h"
#include "lib/errno.h"
#include "lib/string.h"

#define DEVFS_NODE      BIT(40)
#define DEVFS_BLOCK     BIT(32)
#define DEVFS_POS_CHAR  BIT(40)
#define DEVFS_POS_BLOCK BIT(41)
#define GID_TTY         5u
#define GID_DISK        6u

static struct inode_ops devfs_root_ops, devfs_pts_ops;
static struct super_ops devfs_super_ops;

/* A registered device, copied out of the registry. */
struct devfs_device {
	char name[20];
	u32 len;
	u32 rdev, mode;
	struct chardev *cd;
};

/* The part of a device's name that a directory shows, or NULL: not there. */
static const char *devfs_name_in(const struct inode *dir, const char *name)
{
	if (dir->ops == &devfs_pts_ops)
		return strncmp(name, "pts/", 4) == 0 ? name + 4 : NULL;
	return strchr(name, '/') ? NULL : name;
}

static void devfs_copy(struct devfs_device *out, const char *name, struct chardev *cd, u32 rdev, u32 mode)
{
	out->len = (u32)MIN(strlcpy(out->name, name, sizeof(out->name)), sizeof(out->name) - 1);
	out->cd = cd;
	out->rdev = rdev;
	out->mode = mode;
}

/* The n-th character device that dir shows, or with `name` the one called so. */
static bool devfs_find_char(const struct inode *dir, const struct qstr *name, u64 n, struct devfs_device *out)
{
	struct chardev *cd;
	bool found = false;

	chardev_lock();
	for (cd = chardev_next(NULL); cd; cd = chardev_next(cd)) {
		const char *shown = devfs_name_in(dir, cd->name);

		if (!shown)
			continue;
		if (name ? strlen(shown) != name->len || memcmp(shown, name->name, name->len) != 0 : n-- != 0)
			continue;
		devfs_copy(out, shown, cd, cd->rdev, S_IFCHR | (cd->mode & 0777));
		found = true;
		break;
	}
	chardev_unlock();
	return found;
}

static bool devfs_find_block(const struct inode *dir, const struct qstr *name, u64 n, struct devfs_device *out)
{
	struct blkdev *bd;

	if (dir->ops != &devfs_root_ops)
		return false;
	for (bd = blk_next(NULL); bd; bd = blk_next(bd)) {
		if (name ? strlen(bd->name) != name->len || memcmp(bd->name, name->name, name->len) != 0 : n-- != 0)
			continue;
		devfs_copy(out, bd->name, NULL, bd->rdev, S_IFBLK | 0660);
		return true;
	}
	return false;
}

static u64 devfs_ino(const struct devfs_device *d)
{
	return DEVFS_NODE | (S_ISBLK(d->mode) ? DEVFS_BLOCK : 0) | d->rdev;
}

/* ---- nodes ---- */

static int devfs_node_revalidate(struct inode *inode)
{
	if (chardev_find(inode->rdev) == inode->private)
		return 1;
	inode_unhash(inode);
	return 0;
}

/* Pseudo-terminals come and go; the other devices stay, and their names may be walked over without asking. */
static const struct inode_ops devfs_pty_ops = {.revalidate = devfs_node_revalidate};
static const struct inode_ops devfs_node_ops;

static bool devfs_is_node(const struct inode *inode)
{
	return (inode->ino & DEVFS_NODE) != 0;
}

static bool devfs_is_pty(const struct chardev *cd)
{
	return strncmp(cd->name, "pts/", 4) == 0;
}

static int devfs_inode_read(struct inode *inode)
{
	u32 rdev = (u32)inode->ino;
	struct chardev *cd = NULL;

	inode->uid = 0;
	inode->rdev = rdev;
	inode->ops = &devfs_node_ops;
	inode->atime = inode->mtime = inode->ctime = time_wall();
	if (inode->ino & DEVFS_BLOCK) {
		inode->mode = S_IFBLK | 0660;
		inode->gid = GID_DISK;
		return 0;
	}
	cd = chardev_find(rdev);
	if (!cd)
		return -ENOENT;
	inode->private = cd;
	inode->mode = S_IFCHR | (cd->mode & 0777);
	if (devfs_is_pty(cd)) {
		/* The one who opened the master owns the slave. */
		inode->uid = cred_current()->fsuid;
		inode->gid = GID_TTY;
		inode->ops = &devfs_pty_ops;
	}
	return 0;
}

static void devfs_inode_fini(struct inode *inode)
{
	if (!devfs_is_node(inode))
		tmpfs_super_ops.inode_fini(inode);
}

static int devfs_lookup(struct inode *dir, const struct qstr *name, struct inode **out)
{
	struct devfs_device d;
	struct inode *inode;
	int err = tmpfs_lookup(dir, name, out);

	if (err != -ENOENT)
		return err;
	if (!devfs_find_char(dir, name, 0, &d) && !devfs_find_block(dir, name, 0, &d))
		return -ENOENT;
	err = inode_lookup(dir->sb, devfs_ino(&d), &inode);
	if (err)
		return err;
	/* What people changed on it is kept while the device is there: the first lookup pins it (ptys come and go). */
	if ((!d.cd || !devfs_is_pty(d.cd)) && __atomic_exchange_n(&inode->generation, 1, __ATOMIC_RELAXED) == 0)
		inode_get(inode);
	*out = inode;
	return 0;
}

static int devfs_iterate(struct file *f, struct dir_sink *sink)
{
	struct inode *dir = f->inode;
	struct devfs_device d;

	if ((u64)f->pos < DEVFS_POS_CHAR) {
		if (tmpfs_iterate(f, sink))
			return 1;
		f->pos = (s64)DEVFS_POS_CHAR;
	}
	while ((u64)f->pos < DEVFS_POS_BLOCK && devfs_find_char(dir, NULL, (u64)f->pos - DEVFS_POS_CHAR, &d)) {
		if (sink->emit(sink, d.name, d.len, devfs_ino(&d), dir_type(d.mode), (u64)f->pos + 1))
			return 1;
		f->pos++;
	}
	if ((u64)f->pos < DEVFS_POS_BLOCK)
		f->pos = (s64)DEVFS_POS_BLOCK;
	while (devfs_find_block(dir, NULL, (u64)f->pos - DEVFS_POS_BLOCK, &d)) {
		if (sink->emit(sink, d.name, d.len, devfs_ino(&d), dir_type(d.mode), (u64)f->pos + 1))
			return 1;
		f->pos++;
	}
	return 0;
}

static const struct file_ops devfs_dir_fops = {.iterate = devfs_iterate};

/* ---- mounting ---- */

static int devfs_populate(struct inode *root)
{
	static const char *const links[][2] = {
		{"fd", "/proc/self/fd"},
		{"stdin", "/proc/self/fd/0"},
		{"stdout", "/proc/self/fd/1"},
		{"stderr", "/proc/self/fd/2"},
	};
	struct inode *dir;
	int err = tmpfs_add_dir(root, "shm", 01777, NULL);

	if (!err)
		err = tmpfs_add_dir(root, "pts", 0755, &dir);
	if (!err) {
		dir->ops = &devfs_pts_ops;
		dir->fops = &devfs_dir_fops;
	}
	for (u32 i = 0; !err && i < ARRAY_SIZE(links); i++)
		err = tmpfs_add_link(root, links[i][0], links[i][1]);
	return err;
}

static int devfs_mount(struct superblock *sb, const char *options)
{
	/* Directories that people make in it show no devices: only the root and pts have these operations. */
	int err = tmpfs_fill(sb, options, &tmpfs_dir_ops, &tmpfs_dir_fops, 0755);

	if (err)
		return err;
	sb->ops = &devfs_super_ops;
	sb->root->ops = &devfs_root_ops;
	sb->root->fops = &devfs_dir_fops;
	err = devfs_populate(sb->root);
	if (err) {
		inode_evict_all(sb);
		sb->ops->unmount(sb);
		sb->ops = NULL;
	}
	return err;
}

/* devpts: the pseudo-terminals alone. */
static int devpts_mount(struct superblock *sb, const char *options)
{
	int err = tmpfs_fill(sb, "", &tmpfs_dir_ops, &tmpfs_dir_fops, 0755);

	if (err)
		return err;
	sb->ops = &devfs_super_ops;
	sb->root->ops = &devfs_pts_ops;
	sb->root->fops = &devfs_dir_fops;
	return 0;
}

static struct fs_type devfs_type = {.name = "devfs", .dynamic = 1, .mount = devfs_mount};
static struct fs_type devtmpfs_type = {.name = "devtmpfs", .dynamic = 1, .mount = devfs_mount};
static struct fs_type devpts_type = {.name = "devpts", .dynamic = 1, .mount = devpts_mount};

void devfs_init(void)
{
	devfs_root_ops = tmpfs_dir_ops;
	devfs_root_ops.lookup = devfs_lookup;
	devfs_pts_ops = devfs_root_ops;
	devfs_super_ops = tmpfs_super_ops;
	devfs_super_ops.inode_read = devfs_inode_read;
	devfs_super_ops.inode_fini = devfs_inode_fini;
	fs_register(&devfs_type);
	fs_register(&devtmpfs_type);
	fs_register(&devpts_type);
}
