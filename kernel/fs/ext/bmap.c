/*
 * Block maps of ext2: twelve direct pointers and three trees of one, two and
 * three levels of indirect blocks. i_block itself is in the inode's own buffer.
 *
 *	path of a block: off[0] in i_block, off[1] in the first indirect block, …; the last one is the data pointer's place.
 */
#include "fs/ext/ext.h"
#include "sync/sched.h"

#define MAX_LEVELS 4u

struct bmap_path {
	u32 levels; /* 1 … 4: pointers to follow */
	u32 off[MAX_LEVELS];
	u64 rel; /* block number within the tree of off[0] */
};

/* -EFBIG: out of reach. */
static int bmap_path(const struct ext_fs *fs, u64 lblk, struct bmap_path *p)
{
	u32 bits = fs->addr_bits, mask = fs->addr_per_block - 1;

	if (lblk < EXT_NDIR_BLOCKS) {
		p->levels = 1;
		p->off[0] = (u32)lblk;
		p->rel = 0;
		return 0;
	}
	lblk -= EXT_NDIR_BLOCKS;
	for (u32 n = 1; n < MAX_LEVELS; n++) {
		if (lblk < 1ul << (bits * n)) {
			p->levels = n + 1;
			p->rel = lblk;
			p->off[0] = EXT_NDIR_BLOCKS + n - 1;
			for (u32 i = 1; i <= n; i++)
				p->off[i] = (u32)(lblk >> (bits * (n - i))) & mask;
			return 0;
		}
		lblk -= 1ul << (bits * n);
	}
	return -EFBIG;
}

/* A pointer table: i_block or an indirect block. */
struct bmap_table {
	u32 *slots;
	struct buf buf; /* frame NULL: the inode's own */
};

static void table_put(struct bmap_table *t)
{
	if (t->buf.frame)
		buf_put(&t->buf);
}

static void table_root(struct inode *inode, struct bmap_table *t)
{
	t->slots = ext_inode(inode)->raw->block;
	t->buf.frame = NULL;
}

static int table_read(struct inode *inode, u64 blk, struct bmap_table *t)
{
	struct ext_fs *fs = ext_inode_fs(inode);
	int err;

	if (!ext_blocks_ok(fs, blk, 1))
		return ext_error(fs, "inode %lu: indirect block %lu is out of place", inode->ino, blk);
	err = buf_read(fs->sb, blk, &t->buf);
	if (err == 0)
		t->slots = (u32 *)(void *)t->buf.data;
	return err;
}

static int table_access(struct inode *inode, struct bmap_table *t)
{
	return t->buf.frame ? buf_access(&t->buf) : ext_raw_access(inode);
}

static void table_dirty(struct inode *inode, struct bmap_table *t)
{
	if (t->buf.frame)
		buf_dirty(&t->buf);
	else
		ext_raw_dirty(inode);
}

/* Follows the path as far as there are blocks. *t is the table that level *level's slot is in (to be put). */
static int bmap_walk(struct inode *inode, const struct bmap_path *p, struct bmap_table *t, u32 *level)
{
	u32 i = 0;

	table_root(inode, t);
	while (i < p->levels - 1 && t->slots[p->off[i]]) {
		u64 blk = t->slots[p->off[i]];
		int err;

		table_put(t);
		err = table_read(inode, blk, t);
		if (err < 0)
			return err;
		i++;
	}
	*level = i;
	return 0;
}

/* Pointers of a leaf table from off on. */
static inline u32 leaf_slots(const struct ext_fs *fs, const struct bmap_path *p)
{
	return (p->levels == 1 ? EXT_NDIR_BLOCKS : fs->addr_per_block) - p->off[p->levels - 1];
}

int ext_bmap_map(struct inode *inode, u32 lblk, u32 max, struct ext_mapping *m)
{
	struct ext_fs *fs = ext_inode_fs(inode);
	struct bmap_table t;
	struct bmap_path p;
	u32 level, *slot;
	int err = bmap_path(fs, lblk, &p);

	m->unwritten = 0;
	m->pblk = 0;
	m->len = max;
	if (err < 0)
		return 0; /* nothing can be there */
	err = bmap_walk(inode, &p, &t, &level);
	if (err < 0)
		return err;
	if (level < p.levels - 1) {
		u64 span = 1ul << (fs->addr_bits * (p.levels - 1 - level));

		m->len = (u32)MIN((u64)max, span - (p.rel & (span - 1)));
		goto out_put;
	}
	slot = &t.slots[p.off[level]];
	max = MIN(max, leaf_slots(fs, &p));
	m->pblk = slot[0];
	for (m->len = 1; m->len < max; m->len++)
		if (slot[m->len] != (slot[0] ? slot[0] + m->len : 0))
			break;
	if (m->pblk && !ext_blocks_ok(fs, m->pblk, m->len))
		err = ext_error(fs, "inode %lu: block %u is at %lu, out of place", inode->ino, lblk, m->pblk);
out_put:
	table_put(&t);
	return err;
}

/* New indirect blocks on the way down, not linked yet. */
struct bmap_chain {
	u32 nr;
	struct buf bufs[MAX_LEVELS];
};

static void chain_undo(struct ext_fs *fs, struct bmap_chain *c)
{
	while (c->nr) {
		u64 blk = c->bufs[--c->nr].blk;

		buf_put(&c->bufs[c->nr]);
		ext_free_meta_block(fs, blk);
	}
}

static int chain_make(struct ext_fs *fs, struct bmap_chain *c, u32 nr, u64 goal)
{
	u64 blk;
	u32 got;
	int err;

	for (c->nr = 0; c->nr < nr; c->nr++) {
		err = ext_alloc_blocks(fs, goal, 1, &blk, &got);
		if (err == 0) {
			err = buf_new(fs->sb, blk, &c->bufs[c->nr]);
			if (err < 0)
				ext_free_blocks(fs, blk, 1);
		}
		if (err < 0) {
			chain_undo(fs, c);
			return err;
		}
		goal = blk + 1;
	}
	return 0;
}

/* Fills and links what was allocated; nothing fails here. */
static void bmap_commit(struct inode *inode, const struct bmap_path *p, struct bmap_table *t, u32 level,
	struct bmap_chain *c, const struct ext_mapping *m)
{
	u32 *slot = &t->slots[p->off[level]];
	u32 *leaf = slot;

	if (c->nr)
		leaf = (u32 *)(void *)c->bufs[c->nr - 1].data + p->off[p->levels - 1];
	for (u32 i = 0; i < m->len; i++)
		leaf[i] = (u32)(m->pblk + i);
	for (u32 i = 0; i < c->nr; i++) {
		if (i + 1 < c->nr)
			((u32 *)(void *)c->bufs[i].data)[p->off[level + 1 + i]] = (u32)c->bufs[i + 1].blk;
		buf_dirty(&c->bufs[i]);
	}
	if (c->nr)
		*slot = (u32)c->bufs[0].blk;
	table_dirty(inode, t);
	ext_account(inode, (s64)m->len + c->nr);
}

int ext_bmap_alloc(struct inode *inode, u32 lblk, u32 max, u64 goal, struct ext_mapping *m)
{
	struct ext_fs *fs = ext_inode_fs(inode);
	struct bmap_chain chain = {.nr = 0};
	struct bmap_table t;
	struct bmap_path p;
	u32 level, want;
	int err = bmap_path(fs, lblk, &p);

	if (err < 0)
		return err;
	err = bmap_walk(inode, &p, &t, &level);
	if (err < 0)
		return err;
	max = MIN(max, leaf_slots(fs, &p));
	want = max;
	if (level == p.levels - 1) {
		const u32 *slot = &t.slots[p.off[level]];

		for (want = 1; want < max && slot[want] == 0; want++)
			;
	}
	err = table_access(inode, &t);
	if (err == 0)
		err = chain_make(fs, &chain, p.levels - 1 - level, goal);
	if (err < 0)
		goto out_put;
	if (chain.nr)
		goal = chain.bufs[chain.nr - 1].blk + 1;
	err = ext_alloc_blocks(fs, goal, want, &m->pblk, &m->len);
	if (err < 0) {
		chain_undo(fs, &chain);
		goto out_put;
	}
	m->unwritten = 0;
	bmap_commit(inode, &p, &t, level, &chain, m);
	while (chain.nr)
		buf_put(&chain.bufs[--chain.nr]);
out_put:
	table_put(&t);
	return err;
}

/* ---- truncation ---- */

/* Clears data pointers [from, nr) of a table and frees their blocks, run by run. */
static void free_leaves(struct inode *inode, u32 *slots, u32 from, u32 nr)
{
	u64 start = 0, len = 0, freed = 0;

	for (u32 i = from; i < nr; i++) {
		u64 blk = slots[i];

		if (blk == 0)
			continue;
		slots[i] = 0;
		freed++;
		if (len && blk == start + len) {
			len++;
			continue;
		}
		if (len)
			ext_free_contents(inode, start, len);
		start = blk;
		len = 1;
	}
	if (len)
		ext_free_contents(inode, start, len);
	ext_account(inode, -(s64)freed);
}

/*
 * Frees everything from relative block `from` on in the tree whose root is *slot, `level` indirections above data (1 … 3).
 * With from == 0 the tree goes altogether. The caller dirties *slot's table. Depth of recursion: 3.
 */
static int free_tree(struct inode *inode, u32 *slot, u32 level, u64 from)
{
	struct ext_fs *fs = ext_inode_fs(inode);
	u32 nr = fs->addr_per_block, shift = fs->addr_bits * (level - 1);
	u64 blk = *slot;
	struct bmap_table t;
	int err;

	if (blk == 0)
		return 0;
	err = table_read(inode, blk, &t);
	if (err == 0)
		err = buf_access(&t.buf);
	if (err < 0)
		return err;
	if (level == 1) {
		free_leaves(inode, t.slots, (u32)from, nr);
	} else {
		for (u32 i = (u32)(from >> shift); i < nr && err == 0; i++) {
			err = free_tree(
				inode, &t.slots[i], level - 1, i == from >> shift ? from & ((1ul << shift) - 1) : 0);
			sched_point();
		}
	}
	if (err == 0 && from == 0) {
		*slot = 0;
		buf_put(&t.buf);
		ext_free_meta_block(fs, blk);
		ext_account(inode, -1);
		return 0;
	}
	buf_dirty(&t.buf);
	buf_put(&t.buf);
	return err;
}

int ext_bmap_truncate(struct inode *inode, u64 first)
{
	struct ext_fs *fs = ext_inode_fs(inode);
	u32 *block = ext_inode(inode)->raw->block;
	u64 base = EXT_NDIR_BLOCKS;
	int err = ext_raw_access(inode);

	if (err < 0)
		return err;
	if (first < EXT_NDIR_BLOCKS)
		free_leaves(inode, block, (u32)first, EXT_NDIR_BLOCKS);
	for (u32 level = 1; level < MAX_LEVELS && err == 0; level++) {
		u64 span = 1ul << (fs->addr_bits * level);

		if (first < base + span)
			err = free_tree(
				inode, &block[EXT_NDIR_BLOCKS + level - 1], level, first > base ? first - base : 0);
		base += span;
	}
	ext_raw_dirty(inode);
	return err;
}
