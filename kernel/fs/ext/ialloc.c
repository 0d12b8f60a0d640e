/* Allocation of inode numbers: files near their directory, directories spread out. */
#include "fs/ext/ext.h"
#include "lib/bitmap.h"
#include "lib/string.h"

static inline u32 group_of(const struct ext_fs *fs, u32 ino)
{
	return (ino - 1) / fs->inodes_per_group;
}

/* Inodes of the table that were never used may be garbage on disk: those up to `bit` are zeroed before they count as used. */
static int itable_extend(struct ext_fs *fs, u32 g, u32 bit)
{
	struct ext_group_desc *gd = ext_group(fs, g);
	u32 used, per_block = fs->block_size / fs->inode_size;

	if (!(fs->ro_compat & EXT_RO_GDT_CSUM))
		return 0;
	used = fs->inodes_per_group - MIN(ext_itable_unused_of(fs, gd), fs->inodes_per_group);
	for (u32 i = used; i <= bit; i++) {
		struct buf b;
		int err = buf_read(fs->sb, ext_inode_table(fs, gd) + i / per_block, &b);

		if (err < 0)
			return err;
		memset(b.data + (size_t)(i % per_block) * fs->inode_size, 0, fs->inode_size);
		buf_dirty(&b);
		buf_put(&b);
	}
	if (bit >= used)
		ext_set_itable_unused(fs, gd, fs->inodes_per_group - bit - 1);
	return 0;
}

/* Blocks of an inode table live in a group whose block bitmap must be real from now on. */
static int settle_block_bitmap(struct ext_fs *fs, u32 g)
{
	struct buf b;
	int err;

	if (!(fs->ro_compat & EXT_RO_GDT_CSUM) || !(ext_group(fs, g)->flags & EXT_BG_BLOCK_UNINIT))
		return 0;
	err = ext_block_bitmap_read(fs, g, &b);
	if (err == 0)
		buf_put(&b);
	return err;
}

/* 1: got one, 0: none here, -errno. */
static int ialloc_in_group(struct ext_fs *fs, u32 g, u32 mode, u32 *ino)
{
	struct ext_group_desc *gd = ext_group(fs, g);
	u32 nr = fs->inodes_per_group, bit, first;
	struct buf b;
	int err;

	if (ext_free_inodes_of(fs, gd) == 0)
		return 0;
	err = ext_inode_bitmap_read(fs, g, &b);
	if (err < 0)
		return err;
	/* Reserved numbers are in use on any sane disk; do not rely on it. */
	first = g == 0 ? fs->first_ino - 1 : 0;
	bit = (u32)bitmap_find_clear((u64 *)(void *)b.data, nr, MAX(fs->inode_hint[g], first));
	if (bit >= nr) {
		fs->inode_hint[g] = nr;
		goto out_put;
	}
	err = settle_block_bitmap(fs, g);
	if (err == 0)
		err = buf_access(&b);
	if (err == 0)
		err = ext_group_access(fs, g);
	if (err == 0)
		err = itable_extend(fs, g, bit);
	if (err < 0)
		goto out_put;
	bitmap_set((u64 *)(void *)b.data, bit);
	buf_dirty(&b);
	ext_set_free_inodes(fs, gd, ext_free_inodes_of(fs, gd) - 1);
	if (S_ISDIR(mode))
		ext_set_used_dirs(fs, gd, ext_used_dirs_of(fs, gd) + 1);
	ext_group_dirty(fs, g);
	fs->free_inodes--;
	fs->inode_hint[g] = bit + 1;
	*ino = g * nr + bit + 1;
	err = 1;
out_put:
	buf_put(&b);
	return err;
}

/* A directory: below the root, the group with the fewest directories among the roomy ones; deeper, its parent's if roomy. */
static u32 choose_dir_group(struct ext_fs *fs, const struct inode *dir)
{
	u64 avg_inodes = fs->free_inodes / fs->nr_groups, avg_blocks = fs->free_blocks / fs->nr_groups;
	u32 parent = ext_inode(dir)->group, best = parent, best_dirs = ~0u;

	for (u32 i = 0; i < fs->nr_groups; i++) {
		u32 g = (parent + i) % fs->nr_groups;
		struct ext_group_desc *gd = ext_group(fs, g);
		u32 inodes = ext_free_inodes_of(fs, gd), blocks = ext_free_blocks_of(fs, gd);

		if (dir->ino != EXT_ROOT_INO) {
			if (inodes > 0 && inodes >= avg_inodes / 2 && blocks >= avg_blocks / 2)
				return g;
		} else if (inodes > 0 && inodes >= avg_inodes && blocks >= avg_blocks &&
			ext_used_dirs_of(fs, gd) < best_dirs) {
			best = g;
			best_dirs = ext_used_dirs_of(fs, gd);
		}
	}
	return best;
}

int ext_ialloc(struct ext_fs *fs, const struct inode *dir, u32 mode, u32 *ino)
{
	u32 home;
	int err = 0;

	if (ext_rdonly(fs))
		return -EROFS;
	mutex_lock(&fs->alloc_lock);
	home = S_ISDIR(mode) ? choose_dir_group(fs, dir) : ext_inode(dir)->group;
	for (u32 i = 0; i < fs->nr_groups && err == 0; i++)
		err = ialloc_in_group(fs, (home + i) % fs->nr_groups, mode, ino);
	mutex_unlock(&fs->alloc_lock);
	if (err == 0)
		return -ENOSPC;
	return err < 0 ? err : 0;
}

static int ifree_locked(struct ext_fs *fs, u32 ino, u32 mode)
{
	u32 g = group_of(fs, ino), bit = (ino - 1) % fs->inodes_per_group;
	struct ext_group_desc *gd = ext_group(fs, g);
	struct buf b;
	int err = ext_inode_bitmap_read(fs, g, &b);

	if (err < 0)
		return err;
	if (!bitmap_test((u64 *)(void *)b.data, bit)) {
		err = ext_error(fs, "inode %u is free already", ino);
		goto out_put;
	}
	err = buf_access(&b);
	if (err == 0)
		err = ext_group_access(fs, g);
	if (err < 0)
		goto out_put;
	bitmap_clear((u64 *)(void *)b.data, bit);
	buf_dirty(&b);
	ext_set_free_inodes(fs, gd, ext_free_inodes_of(fs, gd) + 1);
	if (S_ISDIR(mode) && ext_used_dirs_of(fs, gd))
		ext_set_used_dirs(fs, gd, ext_used_dirs_of(fs, gd) - 1);
	ext_group_dirty(fs, g);
	fs->free_inodes++;
	fs->inode_hint[g] = MIN(fs->inode_hint[g], bit);
out_put:
	buf_put(&b);
	return err;
}

void ext_ifree(struct ext_fs *fs, u32 ino, u32 mode)
{
	mutex_lock(&fs->alloc_lock);
	ifree_locked(fs, ino, mode); /* on an error the number leaks; the log or the device says why */
	mutex_unlock(&fs->alloc_lock);
}

int ext_inode_in_use(struct ext_fs *fs, u32 ino)
{
	struct buf b;
	int err, used = 0;

	mutex_lock(&fs->alloc_lock);
	err = ext_inode_bitmap_read(fs, group_of(fs, ino), &b);
	if (err == 0) {
		used = bitmap_test((u64 *)(void *)b.data, (ino - 1) % fs->inodes_per_group);
		buf_put(&b);
	}
	mutex_unlock(&fs->alloc_lock);
	return used;
}
