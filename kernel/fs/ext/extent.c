/*
 * Extent trees. The root is i_block (a header and four entries); other nodes
 * fill a block. Inner nodes have sorted index entries, leaves sorted extents.
 *
 *	X1 every node's header has the magic number, entries <= max, and a depth one less than its parent's;
 *	X2 an index entry's key is at most the first key below it, and greater than all keys of its left neighbour's;
 *	X3 extents do not overlap.
 * Each change leaves a valid tree behind: splitting moves half a node and enters it above, and only then is the search
 * done again, so running out of space between two splits harms nothing.
 */
#include "fs/ext/extent.h"
#include "lib/string.h"

struct ext_node {
	struct ext_extent_header *hdr;
	struct buf buf; /* frame NULL: the root */
	s32 pos;        /* entry on the path; in a leaf -1: before the first */
};

struct ext_path {
	u32 depth;
	struct ext_node node[EXT_EXTENT_MAX_DEPTH + 1];
};

/* The last entry with a key <= lblk, or -1. */
static s32 node_search(const struct ext_extent_header *h, u32 lblk)
{
	u32 lo = 0, hi = h->entries;

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (entry_key(h, mid) <= lblk)
			lo = mid + 1;
		else
			hi = mid;
	}
	return (s32)lo - 1;
}

static u32 block_capacity(const struct ext_fs *fs)
{
	return (fs->block_size - (u32)sizeof(struct ext_extent_header)) / (u32)sizeof(struct ext_extent);
}

#define ROOT_CAPACITY 4u

void ext_extent_init_root(struct inode *inode)
{
	struct ext_extent_header *h = (struct ext_extent_header *)(void *)ext_inode(inode)->raw->block;

	memset(h, 0, sizeof(ext_inode(inode)->raw->block));
	h->magic = EXT_EXTENT_MAGIC;
	h->max = ROOT_CAPACITY;
}

static void path_put(struct ext_path *p)
{
	for (u32 i = 1; i <= p->depth; i++)
		if (p->node[i].buf.frame)
			buf_put(&p->node[i].buf);
}

static int node_ok(const struct ext_extent_header *h, u32 depth, u32 capacity)
{
	return h->magic == EXT_EXTENT_MAGIC && h->depth == depth && h->max <= capacity && h->max > 0 &&
		h->entries <= h->max && (depth == 0 || h->entries > 0);
}

/* Reads the child that node `level` points to at its pos. */
static int path_descend(struct inode *inode, struct ext_path *p, u32 level)
{
	struct ext_fs *fs = ext_inode_fs(inode);
	struct ext_node *n = &p->node[level], *child = &p->node[level + 1];
	u64 blk = index_block(&index_entries(n->hdr)[n->pos]);
	int err;

	if (!ext_blocks_ok(fs, blk, 1))
		return ext_error(fs, "inode %lu: extent block %lu is out of place", inode->ino, blk);
	err = buf_read(fs->sb, blk, &child->buf);
	if (err < 0)
		return err;
	child->hdr = (struct ext_extent_header *)(void *)child->buf.data;
	if (node_ok(child->hdr, p->depth - level - 1, block_capacity(fs)))
		return 0;
	buf_put(&child->buf);
	return ext_error(fs, "inode %lu: extent block %lu is damaged", inode->ino, blk);
}

static int path_find(struct inode *inode, u32 lblk, struct ext_path *p)
{
	struct ext_extent_header *root = (struct ext_extent_header *)(void *)ext_inode(inode)->raw->block;
	int err;

	if (root->depth > EXT_EXTENT_MAX_DEPTH || !node_ok(root, root->depth, ROOT_CAPACITY))
		return ext_error(ext_inode_fs(inode), "inode %lu: extent root is damaged", inode->ino);
	p->depth = root->depth;
	for (u32 i = 0; i <= p->depth; i++)
		p->node[i].buf.frame = NULL;
	p->node[0].hdr = root;
	for (u32 i = 0; i < p->depth; i++) {
		p->node[i].pos = MAX(node_search(p->node[i].hdr, lblk), 0);
		err = path_descend(inode, p, i);
		if (err < 0) {
			path_put(p);
			return err;
		}
	}
	p->node[p->depth].pos = node_search(p->node[p->depth].hdr, lblk);
	return 0;
}

static int node_access(struct inode *inode, struct ext_node *n)
{
	return n->buf.frame ? buf_access(&n->buf) : ext_raw_access(inode);
}

static void node_dirty(struct inode *inode, struct ext_node *n)
{
	if (n->buf.frame)
		buf_dirty(&n->buf);
	else
		ext_raw_dirty(inode);
}

/* ---- looking up ---- */

/* Where the next extent after the path's place begins; 2^32 when there is none. */
static u64 path_next_key(const struct ext_path *p)
{
	for (s32 i = (s32)p->depth; i >= 0; i--) {
		const struct ext_node *n = &p->node[i];

		if (n->pos + 1 < (s32)n->hdr->entries)
			return entry_key(n->hdr, (u32)(n->pos + 1));
	}
	return 1ul << 32;
}

int ext_extent_map(struct inode *inode, u32 lblk, u32 max, struct ext_mapping *m)
{
	struct ext_fs *fs = ext_inode_fs(inode);
	struct ext_node *leaf;
	struct ext_path p;
	u64 next;
	int err = path_find(inode, lblk, &p);

	if (err < 0)
		return err;
	leaf = &p.node[p.depth];
	m->pblk = 0;
	m->unwritten = 0;
	if (leaf->pos >= 0) {
		const struct ext_extent *ex = &leaf_entries(leaf->hdr)[leaf->pos];

		if (lblk < extent_end(ex)) {
			m->pblk = extent_start(ex) + (lblk - ex->block);
			m->len = (u32)MIN((u64)max, extent_end(ex) - lblk);
			m->unwritten = (u32)extent_unwritten(ex);
			if (!ext_blocks_ok(fs, m->pblk, m->len))
				err = ext_error(
					fs, "inode %lu: block %u is at %lu, out of place", inode->ino, lblk, m->pblk);
			goto out_put;
		}
	}
	next = path_next_key(&p);
	m->len = next > lblk ? (u32)MIN((u64)max, next - lblk) : 1;
out_put:
	path_put(&p);
	return err;
}

/* ---- making room ---- */

/* A block for a node, zeroed, not linked. */
static int node_alloc(struct inode *inode, u64 goal, struct buf *out)
{
	struct ext_fs *fs = ext_inode_fs(inode);
	u64 blk;
	u32 got;
	int err = ext_alloc_blocks(fs, goal, 1, &blk, &got);

	if (err < 0)
		return err;
	err = buf_new(fs->sb, blk, out);
	if (err < 0) {
		ext_free_blocks(fs, blk, 1);
		return err;
	}
	ext_account(inode, 1);
	return 0;
}

/* The root's entries move into a new block, its only child: one level more. */
static int root_grow(struct inode *inode, struct ext_path *p, u64 goal)
{
	struct ext_extent_header *root = p->node[0].hdr, *h;
	struct buf b;
	int err;

	if (root->depth == EXT_EXTENT_MAX_DEPTH)
		return -EFBIG;
	err = ext_raw_access(inode);
	if (err == 0)
		err = node_alloc(inode, goal, &b);
	if (err < 0)
		return err;
	h = (struct ext_extent_header *)(void *)b.data;
	memcpy(h, root, sizeof(*h) + root->entries * sizeof(struct ext_extent));
	h->max = (u16)block_capacity(ext_inode_fs(inode));
	buf_dirty(&b);
	root->depth++;
	root->entries = 1;
	index_entries(root)[0].block = entry_key(h, 0);
	index_set_block(&index_entries(root)[0], b.blk);
	ext_raw_dirty(inode);
	buf_put(&b);
	return 0;
}

/* Entry [pos + 1] of an inner node with room. */
static void index_insert(struct ext_node *n, u32 key, u64 blk)
{
	struct ext_extent_index *ix = index_entries(n->hdr) + n->pos + 1;

	memmove(ix + 1, ix, (n->hdr->entries - (u32)(n->pos + 1)) * sizeof(*ix));
	ix->block = key;
	index_set_block(ix, blk);
	n->hdr->entries++;
}

/* The full node at `level` (not the root) gives its upper part to a new neighbour; its parent has room. */
static int node_split(struct inode *inode, struct ext_path *p, u32 level, u32 lblk, u64 goal)
{
	struct ext_node *n = &p->node[level], *parent = &p->node[level - 1];
	struct ext_extent *entries = leaf_entries(n->hdr);
	u32 total = n->hdr->entries, keep = total / 2;
	struct ext_extent_header *h;
	struct buf b;
	int err = node_access(inode, parent);

	/* A file that grows at its end leaves full nodes behind. */
	if (lblk > entry_key(n->hdr, total - 1))
		keep = total - 1;
	if (err == 0)
		err = node_access(inode, n);
	if (err == 0)
		err = node_alloc(inode, goal, &b);
	if (err < 0)
		return err;
	h = (struct ext_extent_header *)(void *)b.data;
	*h = *n->hdr;
	h->max = (u16)block_capacity(ext_inode_fs(inode));
	h->entries = (u16)(total - keep);
	memcpy(leaf_entries(h), entries + keep, (total - keep) * sizeof(*entries));
	buf_dirty(&b);
	n->hdr->entries = (u16)keep;
	node_dirty(inode, n);
	index_insert(parent, entry_key(h, 0), b.blk);
	node_dirty(inode, parent);
	buf_put(&b);
	return 0;
}

/* The leaf on the path is full: one split or growth nearer to having room. The path is stale afterwards. */
static int path_make_room(struct inode *inode, struct ext_path *p, u32 lblk, u64 goal)
{
	for (s32 level = (s32)p->depth - 1; level >= 0; level--)
		if (p->node[level].hdr->entries < p->node[level].hdr->max)
			return node_split(inode, p, (u32)level + 1, lblk, goal);
	return root_grow(inode, p, goal);
}

/* ---- inserting ---- */

static u32 max_len(int unwritten)
{
	return unwritten ? EXT_EXTENT_MAX_UNWRITTEN : EXT_EXTENT_MAX_LEN;
}

/* b comes right after a, in the file and on disk, and is of its kind. */
static int extents_join(const struct ext_extent *a, const struct ext_extent *b)
{
	return extent_unwritten(a) == extent_unwritten(b) && extent_end(a) == b->block &&
		extent_start(a) + extent_len(a) == extent_start(b) &&
		extent_len(a) + extent_len(b) <= max_len(extent_unwritten(a));
}

/* The first key of the leaf became smaller: so do the index entries that lead to it. */
static void path_fix_keys(struct inode *inode, struct ext_path *p)
{
	u32 key = entry_key(p->node[p->depth].hdr, 0);

	for (s32 i = (s32)p->depth - 1; i >= 0; i--) {
		struct ext_node *n = &p->node[i];
		struct ext_extent_index *ix = &index_entries(n->hdr)[n->pos];

		if (ix->block <= key)
			break;
		ix->block = key;
		node_dirty(inode, n);
	}
}

/* Entries i and i + 1 of a leaf become one if they join. */
static void leaf_merge(struct ext_extent_header *h, s32 i)
{
	struct ext_extent *ex = leaf_entries(h) + i;

	if (i < 0 || i + 1 >= (s32)h->entries || !extents_join(ex, ex + 1))
		return;
	extent_set_len(ex, extent_len(ex) + extent_len(ex + 1));
	memmove(ex + 1, ex + 2, (h->entries - (u32)i - 2) * sizeof(*ex));
	h->entries--;
}

/* Joins fresh to a neighbour in its leaf. 1: done. */
static int leaf_join(struct ext_node *leaf, const struct ext_extent *fresh)
{
	struct ext_extent *ex = leaf_entries(leaf->hdr) + leaf->pos;

	if (leaf->pos >= 0 && extents_join(ex, fresh)) {
		extent_set_len(ex, extent_len(ex) + extent_len(fresh));
		leaf_merge(leaf->hdr, leaf->pos);
		return 1;
	}
	if (leaf->pos + 1 < (s32)leaf->hdr->entries && extents_join(fresh, ex + 1)) {
		ex[1].block = fresh->block;
		extent_set_start(&ex[1], extent_start(fresh));
		extent_set_len(&ex[1], extent_len(&ex[1]) + extent_len(fresh));
		return 1;
	}
	return 0;
}

enum join { JOIN, KEEP_APART };

static int extent_insert(struct inode *inode, const struct ext_extent *fresh, enum join join)
{
	struct ext_node *leaf;
	struct ext_extent *ex;
	struct ext_path p;
	int err;

	for (;;) {
		err = path_find(inode, fresh->block, &p);
		if (err < 0)
			return err;
		leaf = &p.node[p.depth];
		for (u32 i = 0; i <= p.depth && err == 0; i++)
			err = node_access(inode, &p.node[i]);
		if (err < 0 || (join == JOIN && leaf_join(leaf, fresh)))
			break;
		if (leaf->hdr->entries < leaf->hdr->max) {
			ex = leaf_entries(leaf->hdr) + leaf->pos + 1;
			memmove(ex + 1, ex, (leaf->hdr->entries - (u32)(leaf->pos + 1)) * sizeof(*ex));
			*ex = *fresh;
			leaf->hdr->entries++;
			break;
		}
		err = path_make_room(inode, &p, fresh->block, extent_start(fresh));
		path_put(&p);
		if (err < 0)
			return err;
	}
	if (err == 0) {
		node_dirty(inode, leaf);
		path_fix_keys(inode, &p);
	}
	path_put(&p);
	return err;
}

int ext_extent_insert(struct inode *inode, u32 lblk, u64 pblk, u32 len, enum ext_alloc_kind kind)
{
	struct ext_extent fresh = {.block = lblk};

	fresh.len = (u16)(kind == EXT_ALLOC_UNWRITTEN ? len + EXT_EXTENT_MAX_LEN : len);
	extent_set_start(&fresh, pblk);
	return extent_insert(inode, &fresh, JOIN);
}

/* ---- unwritten → written ---- */

/* Makes an extent begin at lblk where one goes across it. On error nothing changed. */
static int extent_split_at(struct inode *inode, u64 lblk)
{
	struct ext_extent tail, *ex;
	struct ext_node *leaf;
	struct ext_path p;
	u32 whole;
	int err;

	if (lblk >= 1ul << 32)
		return 0;
	err = path_find(inode, (u32)lblk, &p);
	if (err < 0)
		return err;
	leaf = &p.node[p.depth];
	ex = leaf->pos >= 0 ? leaf_entries(leaf->hdr) + leaf->pos : NULL;
	if (!ex || ex->block == lblk || extent_end(ex) <= lblk) {
		path_put(&p);
		return 0;
	}
	whole = extent_len(ex);
	tail = *ex;
	tail.block = (u32)lblk;
	extent_set_start(&tail, extent_start(ex) + (lblk - ex->block));
	extent_set_len(&tail, whole - (u32)(lblk - ex->block));
	extent_set_len(ex, (u32)(lblk - ex->block));
	node_dirty(inode, leaf);
	path_put(&p);
	err = extent_insert(inode, &tail, KEEP_APART);
	if (err == 0)
		return 0;
	/* The cut back, wherever the failed insertion has moved it to. */
	if (path_find(inode, (u32)lblk, &p) == 0) {
		leaf = &p.node[p.depth];
		extent_set_len(leaf_entries(leaf->hdr) + leaf->pos, whole);
		node_dirty(inode, leaf);
		path_put(&p);
	}
	return err;
}

int ext_extent_convert(struct inode *inode, u32 lblk, u32 count)
{
	u64 at = lblk, end = (u64)lblk + count;
	int err = extent_split_at(inode, lblk);

	if (err == 0)
		err = extent_split_at(inode, end);
	while (err == 0 && at < end) {
		struct ext_extent *ex;
		struct ext_node *leaf;
		struct ext_path p;

		err = path_find(inode, (u32)at, &p);
		if (err < 0)
			break;
		leaf = &p.node[p.depth];
		ex = leaf_entries(leaf->hdr) + leaf->pos;
		if (leaf->pos < 0 || extent_end(ex) <= at) {
			at = path_next_key(&p);
			path_put(&p);
			continue;
		}
		at = extent_end(ex);
		if (extent_unwritten(ex)) {
			ex->len = (u16)(ex->len - EXT_EXTENT_MAX_LEN);
			leaf_merge(leaf->hdr, leaf->pos);
			leaf_merge(leaf->hdr, leaf->pos - 1);
			node_dirty(inode, leaf);
		}
		path_put(&p);
	}
	return err;
}

/* ---- truncation ---- */

/* The leaf is empty: it and every node above that becomes empty with it goes. */
static void path_prune(struct inode *inode, struct ext_path *p)
{
	struct ext_fs *fs = ext_inode_fs(inode);
	u32 level = p->depth;

	while (level > 0 && p->node[level].hdr->entries == 0) {
		struct ext_node *n = &p->node[level], *parent = &p->node[level - 1];
		u64 blk = n->buf.blk;

		buf_put(&n->buf);
		/* Always the last entry: truncation goes from the end. */
		parent->hdr->entries--;
		node_dirty(inode, parent);
		ext_free_meta_block(fs, blk);
		ext_account(inode, -1);
		level--;
	}
	if (p->node[0].hdr->entries == 0) {
		p->node[0].hdr->depth = 0;
		ext_raw_dirty(inode);
	}
}

/* An only child that fits into the root moves up. */
static int root_shrink(struct inode *inode)
{
	struct ext_extent_header *root;
	struct ext_path p;
	u64 blk;
	int err;

	for (;;) {
		err = path_find(inode, 0, &p);
		if (err < 0)
			return err;
		root = p.node[0].hdr;
		if (p.depth == 0 || root->entries != 1 || p.node[1].hdr->entries > ROOT_CAPACITY) {
			path_put(&p);
			return 0;
		}
		blk = p.node[1].buf.blk;
		memcpy(root, p.node[1].hdr, sizeof(*root) + p.node[1].hdr->entries * sizeof(struct ext_extent));
		root->max = ROOT_CAPACITY;
		ext_raw_dirty(inode);
		path_put(&p);
		ext_free_meta_block(ext_inode_fs(inode), blk);
		ext_account(inode, -1);
	}
}

/* Cuts the extents of one leaf back to `first`. 1: what lies before the leaf may have to go, too. */
static int leaf_cut(struct inode *inode, struct ext_node *leaf, u64 first)
{
	while (leaf->hdr->entries) {
		struct ext_extent *ex = leaf_entries(leaf->hdr) + leaf->hdr->entries - 1;
		u64 start = extent_start(ex);
		u32 len = extent_len(ex), keep = 0;

		if (extent_end(ex) <= first)
			return 0;
		if (ex->block < first) {
			keep = (u32)(first - ex->block);
			extent_set_len(ex, keep);
		} else {
			leaf->hdr->entries--;
		}
		node_dirty(inode, leaf);
		ext_account(inode, -(s64)(len - keep));
		ext_free_contents(inode, start + keep, len - keep);
		if (keep)
			return 0;
	}
	return 1;
}

int ext_extent_truncate_step(struct inode *inode, u64 first)
{
	struct ext_path p;
	int more, err = path_find(inode, ~0u, &p);

	if (err < 0)
		return err;
	for (u32 i = 0; i <= p.depth && err == 0; i++)
		err = node_access(inode, &p.node[i]);
	if (err < 0) {
		path_put(&p);
		return err;
	}
	more = leaf_cut(inode, &p.node[p.depth], first);
	if (p.node[p.depth].hdr->entries == 0)
		path_prune(inode, &p);
	path_put(&p);
	p.node[0].hdr = (struct ext_extent_header *)(void *)ext_inode(inode)->raw->block;
	if (more && p.node[0].hdr->entries)
		return 1;
	return root_shrink(inode);
}
