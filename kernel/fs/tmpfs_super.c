/* tmpfs: mount options, limits, and the superblock. */
#include "fs/tmpfs.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"

#define TMPFS_MAGIC 0x01021994

struct file_ops tmpfs_file_ops;

struct tmpfs_options {
	u64 size, nr_inodes, mode, uid, gid;
};

static int tmpfs_parse_one(const char *key, const char *value, struct tmpfs_options *o)
{
	struct frame_stats st;
	char number[24];
	size_t len = strlen(value);
	int err;

	if (strcmp(key, "size") == 0 && len > 1 && len < sizeof(number) && value[len - 1] == '%') {
		memcpy(number, value, len - 1);
		number[len - 1] = 0;
		err = parse_u64(number, 10, &o->size);
		frame_stats_read(&st);
		o->size = o->size * st.total / 100 * PAGE_SIZE;
		return err;
	}
	if (strcmp(key, "size") == 0)
		return parse_size(value, &o->size);
	if (strcmp(key, "nr_inodes") == 0)
		return parse_size(value, &o->nr_inodes);
	if (strcmp(key, "mode") == 0)
		return parse_u64(value, 8, &o->mode);
	if (strcmp(key, "uid") == 0)
		return parse_u64(value, 10, &o->uid);
	if (strcmp(key, "gid") == 0)
		return parse_u64(value, 10, &o->gid);
	return -EINVAL;
}

static int tmpfs_parse(const char *options, struct tmpfs_options *o)
{
	char *copy = kstrdup(options, 0), *at = copy;
	int err = 0;

	if (!copy)
		return -ENOMEM;
	while (at && *at && !err) {
		char *next = strchr(at, ','), *value = strchr(at, '=');

		if (next)
			*next++ = 0;
		if (value && (!next || value < next)) {
			*value++ = 0;
			err = tmpfs_parse_one(at, value, o);
		} else if (*at) {
			err = -EINVAL;
		}
		at = next;
	}
	kfree(copy);
	return err;
}

static int tmpfs_statfs(struct superblock *sb, struct statfs_info *out)
{
	struct tmpfs_sb *ts = tmpfs_sb(sb);
	u64 pages = MIN(atomic64_read(&ts->pages), ts->max_pages);
	u64 inodes = MIN(atomic64_read(&ts->inodes), ts->max_inodes);

	*out = (struct statfs_info){
		.type = TMPFS_MAGIC,
		.bsize = PAGE_SIZE,
		.blocks = ts->max_pages,
		.bfree = ts->max_pages - pages,
		.bavail = ts->max_pages - pages,
		.files = ts->max_inodes,
		.ffree = ts->max_inodes - inodes,
		.namelen = NAME_MAX,
	};
	return 0;
}

static int tmpfs_remount(struct superblock *sb, u32 flags, const char *options)
{
	struct tmpfs_sb *ts = tmpfs_sb(sb);
	struct tmpfs_options o = {.size = ts->max_pages * PAGE_SIZE, .nr_inodes = ts->max_inodes};
	int err = tmpfs_parse(options, &o);

	if (err)
		return err;
	if (o.size / PAGE_SIZE < atomic64_read(&ts->pages) || o.nr_inodes < atomic64_read(&ts->inodes))
		return -EINVAL;
	ts->max_pages = DIV_ROUND_UP(o.size, PAGE_SIZE);
	ts->max_inodes = o.nr_inodes;
	return 0;
}

static void tmpfs_unmount(struct superblock *sb)
{
	kfree(sb->private);
}

const struct super_ops tmpfs_super_ops = {
	.inode_fini = tmpfs_inode_fini,
	.statfs = tmpfs_statfs,
	.remount = tmpfs_remount,
	.unmount = tmpfs_unmount,
};

int tmpfs_fill(struct superblock *sb, const char *options, const struct inode_ops *dir_ops,
	const struct file_ops *dir_fops, u32 root_mode)
{
	struct frame_stats st;
	struct tmpfs_options o = {.mode = root_mode, .uid = cred_current()->fsuid, .gid = cred_current()->fsgid};
	struct tmpfs_sb *ts;
	void *td;
	int err;

	frame_stats_read(&st);
	o.size = st.total / 2 * PAGE_SIZE;
	o.nr_inodes = st.total / 2;
	err = tmpfs_parse(options, &o);
	if (err)
		return err;
	ts = kzalloc(sizeof(*ts), 0);
	td = ts ? tmpfs_dir_alloc() : NULL;
	if (!td) {
		kfree(ts);
		return -ENOMEM;
	}
	ts->max_pages = o.size ? DIV_ROUND_UP(o.size, PAGE_SIZE) : ~0ul >> PAGE_SHIFT;
	ts->max_inodes = o.nr_inodes ? o.nr_inodes : ~0ul >> 1;
	ts->dir_ops = dir_ops;
	ts->dir_fops = dir_fops;
	sb->private = ts;
	sb->ops = &tmpfs_super_ops;
	sb->pins_inodes = 1;
	err = tmpfs_new(sb, NULL, S_IFDIR | (u32)(o.mode & 07777), td, &sb->root);
	if (err) {
		sb->ops = NULL;
		kfree(ts);
		return err;
	}
	sb->root->uid = (u32)o.uid;
	sb->root->gid = (u32)o.gid;
	return 0;
}

static struct qstr tmpfs_qstr(const char *name)
{
	return (struct qstr){.name = name, .len = (u32)strlen(name)};
}

int tmpfs_add_dir(struct inode *dir, const char *name, u32 mode, struct inode **out)
{
	struct qstr q = tmpfs_qstr(name);
	struct inode *inode;
	int err = tmpfs_mkdir(dir, &q, S_IFDIR | mode, &inode);

	if (err)
		return err;
	inode_put(inode);
	if (out)
		*out = inode;
	return 0;
}

int tmpfs_add_link(struct inode *dir, const char *name, const char *target)
{
	struct qstr q = tmpfs_qstr(name);
	struct inode *inode;
	int err = tmpfs_symlink(dir, &q, target, &inode);

	if (!err)
		inode_put(inode);
	return err;
}

static int tmpfs_mount(struct superblock *sb, const char *options)
{
	return tmpfs_fill(sb, options, &tmpfs_dir_ops, &tmpfs_dir_fops, 01777);
}

struct fs_type tmpfs_type = {.name = "tmpfs", .mount = tmpfs_mount};

void tmpfs_init(void)
{
	tmpfs_file_ops = file_ops_regular;
	tmpfs_file_ops.fsync = tmpfs_fsync;
	fs_register(&tmpfs_type);
}
