/*
 * Operations on names. Everything that may fail comes first: reading, finding
 * the entries, inserting a name (which may need a block); then come changes that cannot fail.
 */
#include "fs/ext/ext.h"
#include "lib/string.h"

static int ext_lookup(struct inode *dir, const struct qstr *name, struct inode **out)
{
	struct ext_dirpos pos;
	u32 ino;
	int err = ext_dir_find(dir, name, &pos);

	if (err < 0)
		return err;
	ino = pos.de->inode;
	ext_dir_pos_put(&pos);
	return inode_lookup(dir->sb, ino, out);
}

/* ---- link counts ---- */

/* A directory with too many subdirectories to count has a link count of 1 (dir_nlink). */
static void dir_inc_nlink(struct inode *dir)
{
	if (dir->nlink == 1)
		return;
	inode_set_nlink(dir, dir->nlink >= LINK_MAX ? 1 : dir->nlink + 1);
}

static void dir_dec_nlink(struct inode *dir)
{
	if (dir->nlink > 2)
		inode_set_nlink(dir, dir->nlink - 1);
}

static int dir_may_grow(const struct inode *dir)
{
	return dir->nlink < LINK_MAX || (ext_inode_fs(dir)->ro_compat & EXT_RO_DIR_NLINK) ? 0 : -EMLINK;
}

/* The name is gone already. The last one: an orphan until nobody has it open. */
static void drop_link(struct inode *inode)
{
	inode->ctime = time_wall();
	WRITE_ONCE(inode->nlink, S_ISDIR(inode->mode) || inode->nlink == 0 ? 0 : inode->nlink - 1);
	if (inode->nlink == 0)
		ext_orphan_add(inode);
	else
		inode_mark_dirty(inode);
}

/* ---- creating ---- */

/* Enters the new inode's name and lets it live, or undoes it. */
static int enter_new(struct inode *dir, const struct qstr *name, struct inode *inode, int err, struct inode **out)
{
	if (err == 0)
		err = ext_dir_insert(dir, name, (u32)inode->ino, inode->mode);
	if (err < 0) {
		ext_inode_cancel(inode);
		return err;
	}
	ext_inode_write(inode);
	inode_publish(inode);
	*out = inode;
	return 0;
}

static int ext_create(struct inode *dir, const struct qstr *name, u32 mode, u32 rdev, struct inode **out)
{
	struct inode *inode;
	int err = ext_inode_new(dir, mode, rdev, &inode);

	return err < 0 ? err : enter_new(dir, name, inode, 0, out);
}

static int ext_mkdir(struct inode *dir, const struct qstr *name, u32 mode, struct inode **out)
{
	struct inode *inode;
	int err = dir_may_grow(dir);

	if (err == 0)
		err = ext_inode_new(dir, mode, 0, &inode);
	if (err < 0)
		return err;
	inode->nlink = 2;
	err = enter_new(dir, name, inode, ext_dir_make_empty(inode, (u32)dir->ino), out);
	if (err == 0)
		dir_inc_nlink(dir);
	return err;
}

/* A target of up to 59 bytes is kept in i_block, a longer one in a block. */
#define FAST_TARGET_MAX (EXT_N_BLOCKS * sizeof(u32))

static int write_target(struct inode *inode, const char *target, size_t len)
{
	struct ext_inode *ei = ext_inode(inode);
	struct ext_mapping m;
	struct buf b;
	int err;

	inode->size = len;
	if (len < FAST_TARGET_MAX) {
		memcpy(ei->raw->block, target, len);
		return 0;
	}
	if (ext_inode_fs(inode)->incompat & EXT_INCOMPAT_EXTENTS) {
		ei->raw->flags |= EXT_FL_EXTENTS;
		ext_extent_init_root(inode);
	}
	err = ext_map_alloc(inode, 0, 1, EXT_ALLOC_WRITTEN);
	if (err == 0)
		err = ext_map(inode, 0, 1, &m);
	if (err == 0)
		err = buf_new(inode->sb, m.pblk, &b);
	if (err < 0)
		return err;
	memcpy(b.data, target, len);
	buf_dirty(&b);
	buf_put(&b);
	return 0;
}

static int ext_symlink(struct inode *dir, const struct qstr *name, const char *target, struct inode **out)
{
	size_t len = strlen(target);
	struct inode *inode;
	int err;

	if (len >= dir->sb->block_size)
		return -ENAMETOOLONG;
	err = ext_inode_new(dir, S_IFLNK | 0777, 0, &inode);
	return err < 0 ? err : enter_new(dir, name, inode, write_target(inode, target, len), out);
}

static int ext_readlink(struct inode *inode, char *buf, size_t size)
{
	struct ext_inode *ei = ext_inode(inode);
	size_t len = inode->size;
	struct ext_mapping m;
	struct buf b;
	int err;

	if (len == 0 || len >= inode->sb->block_size)
		return ext_error(ext_inode_fs(inode), "symbolic link %lu has a length of %lu", inode->ino, len);
	len = MIN(len, size - 1);
	if (inode->size < FAST_TARGET_MAX && !(ei->raw->flags & EXT_FL_EXTENTS) &&
		inode->blocks == (ei->raw->file_acl_lo ? inode->sb->block_size / 512 : 0)) {
		memcpy(buf, ei->raw->block, len);
	} else {
		err = ext_map(inode, 0, 1, &m);
		if (err == 0 && !m.pblk)
			err = ext_error(ext_inode_fs(inode), "symbolic link %lu has no block", inode->ino);
		if (err == 0)
			err = buf_read(inode->sb, m.pblk, &b);
		if (err < 0)
			return err;
		memcpy(buf, b.data, len);
		buf_put(&b);
	}
	buf[len] = 0;
	return (int)strlen(buf);
}

static int ext_link(struct inode *dir, const struct qstr *name, struct inode *target)
{
	int err;

	if (target->nlink >= LINK_MAX)
		return -EMLINK;
	err = ext_dir_insert(dir, name, (u32)target->ino, target->mode);
	if (err < 0)
		return err;
	if (target->nlink == 0)
		ext_orphan_remove(target); /* made by O_TMPFILE */
	target->ctime = time_wall();
	inode_set_nlink(target, target->nlink + 1);
	return 0;
}

static int ext_tmpfile(struct inode *dir, u32 mode, struct inode **out)
{
	struct inode *inode;
	int err = ext_inode_new(dir, mode, 0, &inode);

	if (err < 0)
		return err;
	inode->nlink = 0;
	ext_orphan_add(inode);
	inode_publish(inode);
	*out = inode;
	return 0;
}

/* ---- removing ---- */

static int ext_unlink(struct inode *dir, const struct qstr *name, struct inode *target)
{
	struct ext_dirpos pos;
	int err = ext_dir_find(dir, name, &pos);

	if (err < 0)
		return err;
	err = ext_dir_remove(dir, &pos);
	ext_dir_pos_put(&pos);
	if (err == 0)
		drop_link(target);
	return err;
}

static int ext_rmdir(struct inode *dir, const struct qstr *name, struct inode *target)
{
	int err = ext_dir_is_empty(target);

	if (err <= 0)
		return err < 0 ? err : -ENOTEMPTY;
	err = ext_unlink(dir, name, target);
	if (err == 0)
		dir_dec_nlink(dir);
	return err;
}

/* ---- rename ---- */

struct rename {
	struct inode *old_dir, *new_dir, *moved, *victim;
	struct ext_dirpos old_pos, new_pos;       /* entries; new_pos only with a victim */
	struct ext_dirpos old_parent, new_parent; /* ".." of moved and of victim, where that changes */
};

static void pos_put_if(struct ext_dirpos *pos)
{
	if (pos->buf.frame)
		ext_dir_pos_put(pos);
}

static void rename_end(struct rename *r)
{
	pos_put_if(&r->old_pos);
	pos_put_if(&r->new_pos);
	pos_put_if(&r->old_parent);
	pos_put_if(&r->new_parent);
}

/* Finds an entry; on an error the position stays empty. */
static int find_into(struct inode *dir, const struct qstr *name, struct ext_dirpos *pos)
{
	struct ext_dirpos found;
	int err = name ? ext_dir_find(dir, name, &found) : ext_dir_find_parent(dir, &found);

	if (err == 0)
		*pos = found;
	return err;
}

static void now_changed(struct inode *inode)
{
	inode->ctime = time_wall();
	inode_mark_dirty(inode);
}

static int rename_exchange(struct rename *r)
{
	struct inode *a = r->moved, *b = r->victim;
	int cross = r->old_dir != r->new_dir, err = 0;

	if (cross && S_ISDIR(a->mode) && !S_ISDIR(b->mode))
		err = dir_may_grow(r->new_dir);
	if (cross && !S_ISDIR(a->mode) && S_ISDIR(b->mode))
		err = dir_may_grow(r->old_dir);
	if (err == 0 && cross && S_ISDIR(a->mode))
		err = find_into(a, NULL, &r->old_parent);
	if (err == 0 && cross && S_ISDIR(b->mode))
		err = find_into(b, NULL, &r->new_parent);
	if (err == 0)
		err = ext_dir_replace(r->old_dir, &r->old_pos, (u32)b->ino, b->mode);
	if (err == 0)
		err = ext_dir_replace(r->new_dir, &r->new_pos, (u32)a->ino, a->mode);
	if (err < 0)
		return err;
	if (r->old_parent.buf.frame) {
		ext_dir_replace(a, &r->old_parent, (u32)r->new_dir->ino, S_IFDIR);
		dir_dec_nlink(r->old_dir);
		dir_inc_nlink(r->new_dir);
	}
	if (r->new_parent.buf.frame) {
		ext_dir_replace(b, &r->new_parent, (u32)r->old_dir->ino, S_IFDIR);
		dir_dec_nlink(r->new_dir);
		dir_inc_nlink(r->old_dir);
	}
	now_changed(a);
	now_changed(b);
	return 0;
}

static int rename_over(struct rename *r, const struct qstr *new_name)
{
	struct inode *moved = r->moved, *victim = r->victim;
	u32 is_dir = S_ISDIR(moved->mode);
	int cross = r->old_dir != r->new_dir, err = 0;

	if (victim && S_ISDIR(victim->mode)) {
		err = ext_dir_is_empty(victim);
		err = err < 0 ? err : err ? 0 : -ENOTEMPTY;
	} else if (is_dir && cross) {
		err = dir_may_grow(r->new_dir);
	}
	if (err == 0 && is_dir && cross)
		err = find_into(moved, NULL, &r->old_parent);
	if (err == 0)
		err = victim ? ext_dir_replace(r->new_dir, &r->new_pos, (u32)moved->ino, moved->mode)
			     : ext_dir_insert(r->new_dir, new_name, (u32)moved->ino, moved->mode);
	if (err == 0)
		err = ext_dir_remove(r->old_dir, &r->old_pos);
	if (err < 0)
		return err;
	if (r->old_parent.buf.frame)
		ext_dir_replace(moved, &r->old_parent, (u32)r->new_dir->ino, S_IFDIR);
	if (is_dir && (cross || victim))
		dir_dec_nlink(r->old_dir);
	if (is_dir && cross && !victim)
		dir_inc_nlink(r->new_dir);
	now_changed(moved);
	if (victim)
		drop_link(victim);
	return 0;
}

static int ext_rename(struct inode *old_dir, const struct qstr *old_name, struct inode *moved, struct inode *new_dir,
	const struct qstr *new_name, struct inode *victim, u32 flags)
{
	struct rename r = {.old_dir = old_dir, .new_dir = new_dir, .moved = moved, .victim = victim};
	int err = find_into(old_dir, old_name, &r.old_pos);

	if (err == 0 && victim)
		err = find_into(new_dir, new_name, &r.new_pos);
	if (err == 0)
		err = flags & RENAME_EXCHANGE ? rename_exchange(&r) : rename_over(&r, new_name);
	rename_end(&r);
	return err;
}

const struct inode_ops ext_dir_ops = {
	.lookup = ext_lookup,
	.create = ext_create,
	.mkdir = ext_mkdir,
	.symlink = ext_symlink,
	.link = ext_link,
	.unlink = ext_unlink,
	.rmdir = ext_rmdir,
	.rename = ext_rename,
	.tmpfile = ext_tmpfile,
	.setattr = ext_setattr,
};
const struct inode_ops ext_file_inode_ops = {.setattr = ext_setattr, .map_blocks = ext_map_blocks};
const struct inode_ops ext_symlink_ops = {.readlink = ext_readlink, .setattr = ext_setattr};
const struct inode_ops ext_special_ops = {.setattr = ext_setattr};
