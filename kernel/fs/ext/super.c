/* Mounting: the superblock is checked before anything is believed; then features, groups, root, and the state on disk. */
#include "dev/block.h"
#include "fs/ext/ext.h"
#include "fs/ext/ext_fs.h"
#include "fs/fs.h"
#include "lib/log.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/slab.h"

#define EXT_STATFS_MAGIC 0xef53

int ext_error(struct ext_fs *fs, const char *fmt, ...)
{
	struct superblock *sb = fs->sb;
	char text[160];
	va_list args;

	va_start(args, fmt);
	vscnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	pr_err("ext (%s): %s", sb->bdev->name, text);
	if (ext_rdonly(fs))
		return -EIO;
	fs->mount_state |= EXT_STATE_ERROR;
	fs->super->state |= EXT_STATE_ERROR;
	buf_dirty(&fs->super_buf);
	if (!fs->errors_continue) {
		sb->flags |= MOUNT_RDONLY;
		fs->force_rdonly = 1;
		pr_err("ext (%s): now read-only", sb->bdev->name);
	}
	return -EIO;
}

/* Each type in turn may be tried on a disk: only the last one has something to say. */
static struct fs_type ext2_type, ext3_type, ext4_type;

/* ---- features ---- */

static const struct {
	u32 bit;
	const char *name;
} incompat_names[] =
	{
		{0x1, "compression"},
		{0x8, "journal_dev"},
		{0x100, "mmp"},
		{0x400, "ea_inode"},
		{0x1000, "dirdata"},
		{0x2000, "metadata_csum_seed"},
		{0x4000, "large_dir"},
		{0x8000, "inline_data"},
		{0x10000, "encrypt"},
		{0x20000, "casefold"},
},
  ro_names[] = {
	  {0x80, "has_snapshot"},
	  {0x100, "quota"},
	  {0x200, "bigalloc"},
	  {0x400, "metadata_csum"},
	  {0x800, "replica"},
	  {0x1000, "read-only"},
	  {0x2000, "project"},
	  {0x8000, "verity"},
	  {0x10000, "orphan_present"},
};

static void name_features(char *text, size_t size, u32 bits, int incompat)
{
	u32 nr = incompat ? ARRAY_SIZE(incompat_names) : ARRAY_SIZE(ro_names);
	size_t len = 0;

	text[0] = 0;
	for (u32 b = 0; b < 32; b++) {
		const char *name = NULL;

		if (!(bits & (1u << b)))
			continue;
		for (u32 i = 0; i < nr; i++)
			if ((incompat ? incompat_names[i].bit : ro_names[i].bit) == 1u << b)
				name = incompat ? incompat_names[i].name : ro_names[i].name;
		if (name)
			len += scnprintf(text + len, size - len, " %s", name);
		else
			len += scnprintf(text + len, size - len, " 0x%x", 1u << b);
	}
}

/* ext2 and ext3 are the names of what has no newer features; everything is an ext4. */
static int belongs_to_type(const struct ext_fs *fs)
{
	const u32 old_incompat = EXT_INCOMPAT_FILETYPE | EXT_INCOMPAT_META_BG | EXT_INCOMPAT_RECOVER;
	const u32 old_ro = EXT_RO_SPARSE_SUPER | EXT_RO_LARGE_FILE | EXT_RO_BTREE_DIR;

	if (fs->sb->type == &ext4_type)
		return 1;
	if ((fs->incompat & ~old_incompat) || (fs->ro_compat & ~old_ro))
		return 0;
	return (fs->sb->type == &ext3_type) == !!(fs->compat & EXT_COMPAT_HAS_JOURNAL);
}

static int check_features(struct ext_fs *fs)
{
	const char *dev = fs->sb->bdev->name;
	u32 unknown = fs->incompat & ~EXT_INCOMPAT_SUPPORTED;
	char names[120];

	if (unknown) {
		name_features(names, sizeof(names), unknown, 1);
		pr_err("ext (%s): not mounted: features that this kernel does not have:%s", dev, names);
		return -EINVAL;
	}
	unknown = fs->ro_compat & ~EXT_RO_SUPPORTED;
	if (unknown) {
		name_features(names, sizeof(names), unknown, 0);
		pr_warn("ext (%s): read-only, because this kernel cannot write with:%s", dev, names);
		fs->force_rdonly = 1;
	}
	if (fs->incompat & EXT_INCOMPAT_RECOVER) {
		pr_warn("ext (%s): read-only, because its journal holds changes that are not carried out: run e2fsck",
			dev);
		fs->force_rdonly = 1;
	}
	return 0;
}

/* ---- geometry ---- */

static int bad_super(const struct ext_fs *fs, const char *what)
{
	if (fs->sb->type == &ext4_type)
		pr_err("ext (%s): not mounted: %s", fs->sb->bdev->name, what);
	return -EINVAL;
}

static int read_sizes(struct ext_fs *fs, const struct ext_disk_super *s)
{
	if (s->log_block_size > 2)
		return bad_super(fs, "its blocks are larger than a page");
	fs->block_bits = 10 + s->log_block_size;
	fs->block_size = 1u << fs->block_bits;
	fs->compat = s->rev_level ? s->feature_compat : 0;
	fs->incompat = s->rev_level ? s->feature_incompat : 0;
	fs->ro_compat = s->rev_level ? s->feature_ro_compat : 0;
	fs->inode_size = s->rev_level ? s->inode_size : EXT_GOOD_OLD_INODE_SIZE;
	fs->first_ino = s->rev_level ? s->first_ino : EXT_GOOD_OLD_FIRST_INO;
	fs->desc_size = fs->incompat & EXT_INCOMPAT_64BIT ? s->desc_size : 32;
	fs->blocks_count = s->blocks_count_lo;
	fs->reserved_blocks = s->r_blocks_count_lo;
	if (fs->incompat & EXT_INCOMPAT_64BIT) {
		fs->blocks_count |= (u64)s->blocks_count_hi << 32;
		fs->reserved_blocks |= (u64)s->r_blocks_count_hi << 32;
	}
	fs->inodes_count = s->inodes_count;
	fs->first_data_block = s->first_data_block;
	fs->blocks_per_group = s->blocks_per_group;
	fs->inodes_per_group = s->inodes_per_group;
	return 0;
}

static int check_sizes(struct ext_fs *fs)
{
	u32 bits = fs->block_size * 8;
	u64 device = fs->sb->bdev->nr_sectors >> (fs->block_bits - SECTOR_SHIFT);

	if (fs->inode_size < 128 || fs->inode_size > fs->block_size || !IS_POWER_OF_2(fs->inode_size))
		return bad_super(fs, "odd inode size");
	if (fs->desc_size < 32 || fs->desc_size > fs->block_size || !IS_POWER_OF_2(fs->desc_size))
		return bad_super(fs, "odd group descriptor size");
	if (fs->first_data_block != (fs->block_size == 1024 ? 1 : 0))
		return bad_super(fs, "odd first block");
	if (fs->blocks_per_group == 0 || fs->blocks_per_group > bits || fs->blocks_per_group % 8)
		return bad_super(fs, "odd group size");
	if (fs->inodes_per_group == 0 || fs->inodes_per_group > bits ||
		fs->inodes_per_group % (fs->block_size / fs->inode_size))
		return bad_super(fs, "odd number of inodes in a group");
	if (fs->blocks_count <= fs->first_data_block + 1 || fs->blocks_count > device)
		return bad_super(fs, "it is larger than its device");
	if (fs->first_ino < EXT_GOOD_OLD_FIRST_INO || fs->first_ino > fs->inodes_per_group)
		return bad_super(fs, "odd first inode");
	fs->nr_groups = (u32)DIV_ROUND_UP(fs->blocks_count - fs->first_data_block, (u64)fs->blocks_per_group);
	if ((u64)fs->nr_groups * fs->inodes_per_group != fs->inodes_count)
		return bad_super(fs, "odd number of inodes");
	fs->desc_per_block = fs->block_size / fs->desc_size;
	fs->nr_gdt = DIV_ROUND_UP(fs->nr_groups, fs->desc_per_block);
	fs->itable_blocks = fs->inodes_per_group / (fs->block_size / fs->inode_size);
	fs->addr_per_block = fs->block_size / 4;
	fs->addr_bits = fs->block_bits - 2;
	return 0;
}

/* Finds the superblock, and holds its buffer. -EINVAL without a word: not ext. */
static int super_load(struct ext_fs *fs)
{
	struct superblock *sb = fs->sb;
	int err;

	sb->block_size = 1024;
	err = buf_read(sb, 1, &fs->super_buf);
	if (err < 0)
		return err;
	fs->super = (struct ext_disk_super *)(void *)fs->super_buf.data;
	err = fs->super->magic == EXT_MAGIC ? read_sizes(fs, fs->super) : -EINVAL;
	buf_put(&fs->super_buf);
	if (err < 0)
		return err;
	sb->block_size = fs->block_size;
	err = buf_read(sb, 1024 / fs->block_size, &fs->super_buf);
	if (err < 0)
		return err;
	fs->super = (struct ext_disk_super *)(void *)(fs->super_buf.data + 1024 % fs->block_size);
	return check_sizes(fs);
}

/* ---- groups ---- */

static int check_group(struct ext_fs *fs, u32 g)
{
	const struct ext_group_desc *gd = ext_group(fs, g);
	u64 first = fs->first_data_block, table = ext_inode_table(fs, gd);

	if (ext_block_bitmap(fs, gd) <= first || ext_block_bitmap(fs, gd) >= fs->blocks_count ||
		ext_inode_bitmap(fs, gd) <= first || ext_inode_bitmap(fs, gd) >= fs->blocks_count || table <= first ||
		table >= fs->blocks_count || fs->itable_blocks > fs->blocks_count - table)
		return bad_super(fs, "a group descriptor points out of the file system");
	if (ext_free_blocks_of(fs, gd) > fs->blocks_per_group || ext_free_inodes_of(fs, gd) > fs->inodes_per_group)
		return bad_super(fs, "a group descriptor counts more than there is");
	if ((fs->ro_compat & EXT_RO_GDT_CSUM) && gd->checksum != ext_group_csum(fs, g, gd))
		return bad_super(fs, "a group descriptor's checksum is wrong: run e2fsck");
	fs->free_blocks += ext_free_blocks_of(fs, gd);
	fs->free_inodes += ext_free_inodes_of(fs, gd);
	return 0;
}

static int groups_load(struct ext_fs *fs)
{
	int err;

	fs->csum_seed = ext_crc16(0xffff, fs->super->uuid, sizeof(fs->super->uuid));
	fs->gdt = kzalloc(fs->nr_gdt * sizeof(*fs->gdt), 0);
	fs->inode_hint = kzalloc(fs->nr_groups * sizeof(*fs->inode_hint), 0);
	fs->group_checked = kzalloc(fs->nr_groups, 0);
	if (!fs->gdt || !fs->inode_hint || !fs->group_checked)
		return -ENOMEM;
	for (u32 i = 0; i < fs->nr_gdt; i++) {
		err = buf_read(fs->sb, ext_gdt_location(fs, i), &fs->gdt[i]);
		if (err < 0)
			return err;
	}
	for (u32 g = 0; g < fs->nr_groups; g++) {
		err = check_group(fs, g);
		if (err < 0)
			return err;
	}
	return 0;
}

static void fs_free(struct ext_fs *fs)
{
	for (u32 i = 0; fs->gdt && i < fs->nr_gdt; i++)
		if (fs->gdt[i].frame)
			buf_put(&fs->gdt[i]);
	if (fs->super_buf.frame)
		buf_put(&fs->super_buf);
	kfree(fs->gdt);
	kfree(fs->inode_hint);
	kfree(fs->group_checked);
	fs->sb->private = NULL;
	kfree(fs);
}

/* ---- state ---- */

/* Brings the counts and the time in the superblock up to date. */
static void super_update(struct ext_fs *fs)
{
	struct ext_disk_super *s = fs->super;

	mutex_lock(&fs->alloc_lock);
	s->free_blocks_count_lo = (u32)fs->free_blocks;
	if (fs->incompat & EXT_INCOMPAT_64BIT)
		s->free_blocks_count_hi = (u32)(fs->free_blocks >> 32);
	s->free_inodes_count = (u32)fs->free_inodes;
	mutex_unlock(&fs->alloc_lock);
	s->wtime = (u32)time_wall().sec;
	buf_dirty(&fs->super_buf);
}

static int super_flush(struct ext_fs *fs)
{
	int err = buf_sync_all(fs->sb), err2 = blk_flush(fs->sb->bdev);

	return err ? err : err2;
}

/* From now on the disk says that it is in use (E3). */
static int begin_writing(struct ext_fs *fs)
{
	struct ext_disk_super *s = fs->super;
	const char *dev = fs->sb->bdev->name;

	fs->mount_state = s->state;
	if (!(s->state & EXT_STATE_VALID))
		pr_warn("ext (%s): was not unmounted cleanly: run e2fsck", dev);
	else if (s->state & EXT_STATE_ERROR)
		pr_warn("ext (%s): has known errors: run e2fsck", dev);
	else if ((s16)s->max_mnt_count > 0 && s->mnt_count >= s->max_mnt_count)
		pr_warn("ext (%s): was mounted %u times without a check: run e2fsck", dev, s->mnt_count);
	s->state &= (u16)~EXT_STATE_VALID;
	s->mnt_count++;
	s->mtime = (u32)time_wall().sec;
	super_update(fs);
	return super_flush(fs);
}

/* Everything else is written. */
static int end_writing(struct ext_fs *fs)
{
	fs->super->state = (u16)((fs->mount_state & (EXT_STATE_VALID | EXT_STATE_ERROR)) |
		(fs->super->state & ~(EXT_STATE_VALID)));
	super_update(fs);
	return super_flush(fs);
}

static int ext_sync(struct superblock *sb)
{
	struct ext_fs *fs = ext_fs(sb);
	int err;

	if (ext_rdonly(fs))
		return 0;
	super_update(fs);
	err = super_flush(fs);
	if (err == -EIO)
		ext_error(fs, "the device did not take all metadata");
	return err;
}

static int ext_remount(struct superblock *sb, u32 flags, const char *options)
{
	struct ext_fs *fs = ext_fs(sb);
	int err;

	if (!((sb->flags ^ flags) & MOUNT_RDONLY))
		return 0;
	if (flags & MOUNT_RDONLY)
		return end_writing(fs);
	if (fs->force_rdonly)
		return -EROFS;
	err = begin_writing(fs);
	if (err < 0)
		return err;
	sb->flags &= ~MOUNT_RDONLY;
	ext_orphan_cleanup(fs);
	return ext_rdonly(fs) ? -EIO : 0;
}

static void ext_unmount(struct superblock *sb)
{
	struct ext_fs *fs = ext_fs(sb);

	if (!ext_rdonly(fs) && end_writing(fs) < 0)
		pr_err("ext (%s): not everything could be written at unmount", sb->bdev->name);
	fs_free(fs);
}

static int ext_statfs(struct superblock *sb, struct statfs_info *out)
{
	struct ext_fs *fs = ext_fs(sb);
	u64 overhead = (u64)fs->nr_groups * (fs->itable_blocks + 2) + fs->first_data_block + 1 + fs->nr_gdt;

	mutex_lock(&fs->alloc_lock);
	out->type = EXT_STATFS_MAGIC;
	out->bsize = fs->block_size;
	out->blocks = fs->blocks_count - MIN(overhead, fs->blocks_count);
	out->bfree = fs->free_blocks;
	out->bavail = fs->free_blocks > fs->reserved_blocks ? fs->free_blocks - fs->reserved_blocks : 0;
	out->files = fs->inodes_count;
	out->ffree = fs->free_inodes;
	mutex_unlock(&fs->alloc_lock);
	out->namelen = NAME_MAX;
	memcpy(out->fsid, fs->super->uuid, sizeof(out->fsid));
	return 0;
}

static const struct super_ops ext_super_ops = {
	.inode_init = ext_inode_init,
	.inode_fini = ext_inode_fini,
	.inode_read = ext_inode_read,
	.inode_write = ext_inode_write,
	.inode_evict = ext_inode_evict,
	.sync = ext_sync,
	.statfs = ext_statfs,
	.remount = ext_remount,
	.unmount = ext_unmount,
};

/* ---- mounting ---- */

/* errors=continue goes on after damage; unknown options are named and left alone. */
static void read_options(struct ext_fs *fs, const char *options)
{
	while (*options) {
		const char *comma = strchr(options, ',');
		size_t len = comma ? (size_t)(comma - options) : strlen(options);

		if (len == 15 && memcmp(options, "errors=continue", len) == 0)
			fs->errors_continue = 1;
		else if (len && !(len == 17 && memcmp(options, "errors=remount-ro", len) == 0))
			pr_warn("ext (%s): option \"%.*s\" has no effect", fs->sb->bdev->name, (int)len, options);
		options += len + (comma != NULL);
	}
}

static int root_load(struct ext_fs *fs)
{
	struct inode *root;
	int err = inode_lookup(fs->sb, EXT_ROOT_INO, &root);

	if (err < 0)
		return err;
	if (!S_ISDIR(root->mode)) {
		inode_put(root);
		return ext_error(fs, "the root is not a directory");
	}
	fs->sb->root = root;
	return 0;
}

static void fs_limits(struct ext_fs *fs)
{
	u64 n = fs->addr_per_block, blocks = (1ul << 32) - 1;

	if (!(fs->incompat & EXT_INCOMPAT_EXTENTS))
		blocks = MIN(blocks, EXT_NDIR_BLOCKS + n + n * n + n * n * n);
	fs->sb->max_size = blocks << fs->block_bits;
}

static int ext_mount(struct superblock *sb, const char *options)
{
	struct ext_fs *fs;
	int err;

	if (!bdev_inode(sb->bdev))
		return -ENOMEM;
	fs = kzalloc(sizeof(*fs), 0);
	if (!fs)
		return -ENOMEM;
	fs->sb = sb;
	sb->private = fs;
	mutex_init(&fs->alloc_lock, "ext bitmaps", RANK_EXT_ALLOC);
	mutex_init(&fs->orphan_lock, "ext orphans", RANK_EXT_MAP);
	list_init(&fs->orphans);
	read_options(fs, options);
	err = super_load(fs);
	if (err == 0)
		err = belongs_to_type(fs) ? check_features(fs) : -EINVAL;
	if (err == 0)
		err = groups_load(fs);
	if (err < 0)
		goto out_free;
	if (fs->force_rdonly || sb->bdev->read_only)
		sb->flags |= MOUNT_RDONLY;
	fs->next_generation = (u32)time_wall().nsec;
	fs_limits(fs);
	sb->ops = &ext_super_ops;
	err = root_load(fs);
	if (err == 0 && !ext_rdonly(fs))
		err = begin_writing(fs);
	if (err < 0)
		goto out_inodes;
	if (!ext_rdonly(fs))
		ext_orphan_cleanup(fs);
	return 0;

out_inodes:
	if (sb->root)
		inode_put(sb->root);
	inode_evict_all(sb);
	sb->root = NULL;
	sb->ops = NULL;
out_free:
	fs_free(fs);
	return err;
}

static struct fs_type ext2_type = {.name = "ext2", .needs_dev = 1, .mount = ext_mount};
static struct fs_type ext3_type = {.name = "ext3", .needs_dev = 1, .mount = ext_mount};
static struct fs_type ext4_type = {.name = "ext4", .needs_dev = 1, .mount = ext_mount};

void ext_init(void)
{
	ASSERT(ext_inode_slab_init() == 0);
	ext_file_init();
	fs_register(&ext2_type);
	fs_register(&ext3_type);
	fs_register(&ext4_type);
}
