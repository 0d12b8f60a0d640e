/* From file blocks to disk blocks, whatever the format of the map. */
#include "fs/ext/ext.h"
#include "sync/sched.h"

int ext_map_locked(struct inode *inode, u32 lblk, u32 max, struct ext_mapping *m)
{
	if (ext_uses_extents(inode))
		return ext_extent_map(inode, lblk, max, m);
	return ext_bmap_map(inode, lblk, max, m);
}

int ext_map(struct inode *inode, u32 lblk, u32 max, struct ext_mapping *m)
{
	struct rwlock *lock = &ext_inode(inode)->map_lock;
	int err;

	rwlock_read_lock(lock);
	err = ext_map_locked(inode, lblk, max, m);
	rwlock_read_unlock(lock);
	return err;
}

int ext_map_blocks(struct inode *inode, u64 lblk, u32 max, u64 *pblk, u32 *len)
{
	struct ext_mapping m = {0};
	int err = ext_map(inode, (u32)lblk, max, &m);

	*pblk = m.pblk;
	*len = m.len;
	return err;
}

u64 ext_map_limit(const struct inode *inode)
{
	const struct ext_fs *fs = ext_inode_fs(inode);
	u64 n = fs->addr_per_block;

	if (ext_uses_extents(inode))
		return (1ul << 32) - 1;
	return MIN(EXT_NDIR_BLOCKS + n + n * n + n * n * n, (1ul << 32) - 1);
}

void ext_account(struct inode *inode, s64 nr_blocks)
{
	inode->blocks += (u64)(nr_blocks * (s64)(ext_inode_fs(inode)->block_size / 512));
}

void ext_free_contents(struct inode *inode, u64 start, u64 n)
{
	if (!S_ISREG(inode->mode))
		buf_forget(inode->sb, start, (u32)n);
	ext_free_blocks(ext_inode_fs(inode), start, n);
}

/* Where the block should lie: after the one before it, or else in the inode's group. */
static u64 choose_goal(struct inode *inode, u32 lblk)
{
	struct ext_inode *ei = ext_inode(inode);
	struct ext_mapping m;

	if (ei->next_pblk && ei->next_lblk == lblk)
		return ei->next_pblk;
	if (lblk > 0 && ext_map_locked(inode, lblk - 1, 1, &m) == 0 && m.pblk)
		return m.pblk + 1;
	return ext_group_first_block(ext_inode_fs(inode), ei->group);
}

static int alloc_extent(
	struct inode *inode, u32 lblk, u32 count, enum ext_alloc_kind kind, u64 goal, struct ext_mapping *m)
{
	struct ext_fs *fs = ext_inode_fs(inode);
	u32 max = kind == EXT_ALLOC_UNWRITTEN ? EXT_EXTENT_MAX_UNWRITTEN : EXT_EXTENT_MAX_LEN;
	int err = ext_alloc_blocks(fs, goal, MIN(count, max), &m->pblk, &m->len);

	if (err < 0)
		return err;
	err = ext_extent_insert(inode, lblk, m->pblk, m->len, kind);
	if (err < 0)
		ext_free_blocks(fs, m->pblk, m->len);
	else
		ext_account(inode, m->len);
	return err;
}

int ext_map_alloc(struct inode *inode, u32 lblk, u32 count, enum ext_alloc_kind kind)
{
	struct ext_inode *ei = ext_inode(inode);
	struct ext_mapping m;
	int err = 0;

	rwlock_write_lock(&ei->map_lock);
	while (count && err == 0) {
		u64 goal = choose_goal(inode, lblk);

		if (ext_uses_extents(inode))
			err = alloc_extent(inode, lblk, count, kind, goal, &m);
		else
			err = ext_bmap_alloc(inode, lblk, count, goal, &m);
		if (err < 0)
			break;
		lblk += m.len;
		count -= m.len;
		ei->next_lblk = lblk;
		ei->next_pblk = m.pblk + m.len;
	}
	rwlock_write_unlock(&ei->map_lock);
	inode_mark_dirty(inode); /* i_blocks */
	return err;
}

int ext_map_convert(struct inode *inode, u32 lblk, u32 count)
{
	struct ext_inode *ei = ext_inode(inode);
	int err;

	rwlock_write_lock(&ei->map_lock);
	err = ext_extent_convert(inode, lblk, count);
	rwlock_write_unlock(&ei->map_lock);
	inode_mark_dirty(inode);
	return err;
}

int ext_map_truncate(struct inode *inode, u64 first)
{
	struct ext_inode *ei = ext_inode(inode);
	int more;

	do {
		rwlock_write_lock(&ei->map_lock);
		ei->next_pblk = 0;
		if (ext_uses_extents(inode))
			more = ext_extent_truncate_step(inode, first);
		else
			more = ext_bmap_truncate(inode, first);
		rwlock_write_unlock(&ei->map_lock);
		sched_point();
	} while (more > 0);
	return more;
}
