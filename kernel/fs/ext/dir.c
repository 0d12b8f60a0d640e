/*
 * Directories: blocks of records that fill each block exactly. A record with
 * inode 0 is free; a record may be longer than its name needs, and then has room for another. Blocks of a
 * hash tree (dir_index) are valid as plain ones: they are read so, and before the first insertion
 * the inode's INDEX flag is taken away.
 *
 * A directory of more than one block gets an index of its names in memory at its first lookup (dirindex.c): entries
 * never move while they live, so their position is what it keeps.
 */
#include "fs/ext/dir.h"
#include "fs/file.h"
#include "lib/string.h"
#include "sync/sched.h"

static inline u32 dir_blocks(const struct inode *dir)
{
	return (u32)(dir->size >> ext_inode_fs(dir)->block_bits);
}

static inline struct ext_dirent *entry_at(const struct buf *b, u32 off)
{
	return (struct ext_dirent *)(void *)(b->data + off);
}

/* Is the record at `off` of a block in order? */
static inline int entry_ok(const struct ext_fs *fs, const struct ext_dirent *de, u32 off)
{
	u32 rec_len = de->rec_len;

	return rec_len >= ext_dirent_len(1) && rec_len % 4 == 0 && rec_len <= fs->block_size - off &&
		(de->inode == 0 ||
			(ext_dirent_len(de->name_len) <= rec_len && de->name_len && de->inode <= fs->inodes_count));
}

static int entry_bad(struct inode *dir, u32 lblk, u32 off)
{
	return ext_error(ext_inode_fs(dir), "directory %lu: record at %u of block %u is damaged", dir->ino, off, lblk);
}

int ext_dir_block(struct inode *dir, u32 lblk, struct buf *out)
{
	struct ext_mapping m;
	int err = ext_map(dir, lblk, 1, &m);

	if (err < 0)
		return err;
	if (m.pblk == 0 || m.unwritten)
		return ext_error(ext_inode_fs(dir), "directory %lu: block %u is missing", dir->ino, lblk);
	return buf_read(dir->sb, m.pblk, out);
}

void ext_dir_pos_put(struct ext_dirpos *pos)
{
	buf_put(&pos->buf);
}

static inline int entry_is(const struct ext_dirent *de, const char *name, u32 len)
{
	return de->name_len == len && de->inode && memcmp(de->name, name, len) == 0;
}

/* Looks through one block. 1: found (*off), 0: no. */
static int block_find(struct inode *dir, const struct buf *b, u32 lblk, const struct qstr *name, u32 *found)
{
	struct ext_fs *fs = ext_inode_fs(dir);
	u32 off = 0;

	while (off < fs->block_size) {
		struct ext_dirent *de = entry_at(b, off);

		if (!entry_ok(fs, de, off))
			return entry_bad(dir, lblk, off);
		if (entry_is(de, name->name, name->len)) {
			*found = off;
			return 1;
		}
		off += de->rec_len;
	}
	return 0;
}

static int find_linear(struct inode *dir, const struct qstr *name, struct ext_dirpos *pos)
{
	u32 nr = dir_blocks(dir), off = 0;
	int err;

	for (u32 lblk = 0; lblk < nr; lblk++) {
		err = ext_dir_block(dir, lblk, &pos->buf);
		if (err < 0)
			return err;
		err = block_find(dir, &pos->buf, lblk, name, &off);
		if (err > 0) {
			pos->lblk = lblk;
			pos->de = entry_at(&pos->buf, off);
			return 0;
		}
		buf_put(&pos->buf);
		if (err < 0)
			return err;
		sched_point();
	}
	return -ENOENT;
}

static int find_indexed(
	struct inode *dir, const struct ext_dirindex *ix, const struct qstr *name, struct ext_dirpos *pos)
{
	struct ext_fs *fs = ext_inode_fs(dir);
	u32 hash = ext_name_hash(name->name, name->len), cursor = 0;
	u64 at;

	while (ext_dirindex_next(ix, hash, &cursor, &at)) {
		u32 off = at & (fs->block_size - 1);
		int err;

		pos->lblk = (u32)(at >> fs->block_bits);
		err = ext_dir_block(dir, pos->lblk, &pos->buf);
		if (err < 0)
			return err;
		pos->de = entry_at(&pos->buf, off);
		if (entry_ok(fs, pos->de, off) && entry_is(pos->de, name->name, name->len))
			return 0;
		buf_put(&pos->buf);
	}
	return -ENOENT;
}

int ext_dir_for_each(struct inode *dir, int (*fn)(void *arg, u64 at, const struct ext_dirent *de), void *arg)
{
	struct ext_fs *fs = ext_inode_fs(dir);
	u32 nr = dir_blocks(dir);
	int err = 0;

	for (u32 lblk = 0; lblk < nr && err == 0; lblk++) {
		struct buf b;

		err = ext_dir_block(dir, lblk, &b);
		if (err < 0)
			break;
		for (u32 off = 0; off < fs->block_size && err == 0;) {
			struct ext_dirent *de = entry_at(&b, off);

			if (!entry_ok(fs, de, off))
				err = entry_bad(dir, lblk, off);
			else if (de->inode)
				err = fn(arg, ((u64)lblk << fs->block_bits) + off, de);
			off += de->rec_len;
		}
		buf_put(&b);
		sched_point();
	}
	return err;
}

int ext_dir_find(struct inode *dir, const struct qstr *name, struct ext_dirpos *pos)
{
	const struct ext_dirindex *ix = load_acquire(&ext_inode(dir)->index);

	if (!ix && dir->size > ext_inode_fs(dir)->block_size)
		ix = ext_dirindex_build(dir);
	return ix ? find_indexed(dir, ix, name, pos) : find_linear(dir, name, pos);
}

/* ---- changing ---- */

static inline u8 file_type(const struct ext_fs *fs, u32 mode)
{
	static const u8 types[16] = {[S_IFREG >> 12] = 1,
		[S_IFDIR >> 12] = 2,
		[S_IFCHR >> 12] = 3,
		[S_IFBLK >> 12] = 4,
		[S_IFIFO >> 12] = 5,
		[S_IFSOCK >> 12] = 6,
		[S_IFLNK >> 12] = 7};

	return fs->incompat & EXT_INCOMPAT_FILETYPE ? types[(mode & S_IFMT) >> 12] : 0;
}

static void dir_changed(struct inode *dir)
{
	dir->mtime = dir->ctime = time_wall();
	inode_mark_dirty(dir);
}

/* Room for `need` bytes in a block from `off` on: the record that has it, or NULL; -errno in *err. */
static struct ext_dirent *block_find_room(
	struct inode *dir, const struct buf *b, u32 lblk, u32 *off, u32 need, int *err)
{
	struct ext_fs *fs = ext_inode_fs(dir);

	while (*off < fs->block_size) {
		struct ext_dirent *de = entry_at(b, *off);

		if (!entry_ok(fs, de, *off)) {
			*err = entry_bad(dir, lblk, *off);
			return NULL;
		}
		if (de->rec_len >= need + (de->inode ? ext_dirent_len(de->name_len) : 0))
			return de;
		*off += de->rec_len;
	}
	return NULL;
}

/* Puts the name into the room of record *off; *off becomes its own place. */
static void entry_fill(const struct ext_fs *fs, struct buf *b, u32 *off, const struct qstr *name, u32 ino, u32 mode)
{
	struct ext_dirent *de = entry_at(b, *off);

	if (de->inode) {
		u32 used = ext_dirent_len(de->name_len), rec_len = de->rec_len;

		de->rec_len = (u16)used;
		*off += used;
		de = entry_at(b, *off);
		de->rec_len = (u16)(rec_len - used);
	}
	de->inode = ino;
	de->name_len = (u8)name->len;
	de->file_type = file_type(fs, mode);
	memcpy(de->name, name->name, name->len);
}

/* A new block at the end, one free record. */
static int dir_append(struct inode *dir, struct buf *out)
{
	struct ext_fs *fs = ext_inode_fs(dir);
	u32 lblk = dir_blocks(dir);
	struct ext_mapping m;
	int err;

	if ((u64)lblk + 1 >= ext_map_limit(dir) || dir->size >= (u64)INT32_MAX - fs->block_size)
		return -ENOSPC;
	err = ext_map_alloc(dir, lblk, 1, EXT_ALLOC_WRITTEN);
	if (err < 0)
		return err;
	err = ext_map(dir, lblk, 1, &m);
	if (err == 0)
		err = buf_new(dir->sb, m.pblk, out);
	if (err < 0) {
		ext_map_truncate(dir, lblk);
		return err;
	}
	entry_at(out, 0)->rec_len = (u16)fs->block_size;
	WRITE_ONCE(dir->size, dir->size + fs->block_size);
	inode_mark_dirty(dir);
	return 0;
}

/* The block and record with room for `need` bytes, looking from the hint on. */
static int find_room(struct inode *dir, u32 need, struct buf *b, u32 *lblk, u32 *off)
{
	struct ext_inode *ei = ext_inode(dir);
	u32 nr = dir_blocks(dir);
	int err = 0;

	*off = ei->insert_off;
	for (*lblk = ei->insert_blk; *lblk < nr; (*lblk)++) {
		err = ext_dir_block(dir, *lblk, b);
		if (err < 0)
			return err;
		if (block_find_room(dir, b, *lblk, off, need, &err))
			return 0;
		buf_put(b);
		if (err < 0)
			return err;
		*off = 0;
		sched_point();
	}
	*off = 0;
	return dir_append(dir, b);
}

int ext_dir_insert(struct inode *dir, const struct qstr *name, u32 ino, u32 mode)
{
	struct ext_fs *fs = ext_inode_fs(dir);
	struct ext_inode *ei = ext_inode(dir);
	struct buf b;
	u32 lblk, off;
	int err = find_room(dir, ext_dirent_len(name->len), &b, &lblk, &off);

	if (err < 0)
		return err;
	err = buf_access(&b);
	if (err < 0) {
		buf_put(&b);
		return err;
	}
	entry_fill(fs, &b, &off, name, ino, mode);
	buf_dirty(&b);
	buf_put(&b);
	ei->insert_blk = lblk;
	ei->insert_off = off;
	ext_dirindex_add(ei, ext_name_hash(name->name, name->len), ((u64)lblk << fs->block_bits) + off);
	if (ei->raw->flags & EXT_FL_INDEX) {
		ei->raw->flags &= ~EXT_FL_INDEX;
		ext_raw_dirty(dir);
	}
	dir_changed(dir);
	return 0;
}

int ext_dir_remove(struct inode *dir, struct ext_dirpos *pos)
{
	struct ext_fs *fs = ext_inode_fs(dir);
	struct ext_inode *ei = ext_inode(dir);
	u32 at = (u32)((u8 *)pos->de - pos->buf.data), off = 0;
	struct ext_dirent *prev = NULL;
	int err;

	while (off < at) {
		prev = entry_at(&pos->buf, off);
		if (!entry_ok(fs, prev, off))
			return entry_bad(dir, pos->lblk, off);
		off += prev->rec_len;
	}
	if (off != at)
		return entry_bad(dir, pos->lblk, at);
	err = buf_access(&pos->buf);
	if (err < 0)
		return err;
	ext_dirindex_del(ei, ext_name_hash(pos->de->name, pos->de->name_len), ((u64)pos->lblk << fs->block_bits) + at);
	pos->de->inode = 0;
	if (prev)
		prev->rec_len = (u16)(prev->rec_len + pos->de->rec_len);
	buf_dirty(&pos->buf);
	if (pos->lblk <= ei->insert_blk) {
		u32 room = prev ? (u32)((u8 *)prev - pos->buf.data) : 0;

		ei->insert_off = pos->lblk < ei->insert_blk ? room : MIN(ei->insert_off, room);
		ei->insert_blk = pos->lblk;
	}
	dir_changed(dir);
	return 0;
}

int ext_dir_replace(struct inode *dir, struct ext_dirpos *pos, u32 ino, u32 mode)
{
	int err = buf_access(&pos->buf);

	if (err < 0)
		return err;
	pos->de->inode = ino;
	pos->de->file_type = file_type(ext_inode_fs(dir), mode);
	buf_dirty(&pos->buf);
	dir_changed(dir);
	return 0;
}

int ext_dir_make_empty(struct inode *inode, u32 parent_ino)
{
	struct ext_fs *fs = ext_inode_fs(inode);
	struct qstr dot = {.name = ".", .len = 1}, dotdot = {.name = "..", .len = 2};
	struct buf b;
	u32 off = 0;
	int err = dir_append(inode, &b);

	if (err < 0)
		return err;
	entry_fill(fs, &b, &off, &dot, (u32)inode->ino, S_IFDIR);
	entry_fill(fs, &b, &off, &dotdot, parent_ino, S_IFDIR);
	buf_dirty(&b);
	buf_put(&b);
	ext_inode(inode)->insert_off = off;
	return 0;
}

int ext_dir_find_parent(struct inode *dir, struct ext_dirpos *pos)
{
	struct ext_fs *fs = ext_inode_fs(dir);
	u32 off;
	int err = ext_dir_block(dir, 0, &pos->buf);

	if (err < 0)
		return err;
	pos->lblk = 0;
	off = entry_at(&pos->buf, 0)->rec_len;
	if (entry_ok(fs, entry_at(&pos->buf, 0), 0) && off < fs->block_size) {
		pos->de = entry_at(&pos->buf, off);
		if (entry_ok(fs, pos->de, off) && entry_is(pos->de, "..", 2))
			return 0;
	}
	buf_put(&pos->buf);
	return ext_error(fs, "directory %lu has no parent entry", dir->ino);
}

static inline int is_dots(const struct ext_dirent *de)
{
	return de->name[0] == '.' && (de->name_len == 1 || (de->name_len == 2 && de->name[1] == '.'));
}

static int entry_not_dots(void *arg, u64 at, const struct ext_dirent *de)
{
	return !is_dots(de);
}

int ext_dir_is_empty(struct inode *dir)
{
	int found = ext_dir_for_each(dir, entry_not_dots, NULL);

	return found < 0 ? found : !found;
}

/* ---- reading ---- */

static u8 dirent_dtype(const struct ext_fs *fs, const struct ext_dirent *de)
{
	static const u8 dtypes[8] = {
		0, 8 /* REG */, 4 /* DIR */, 2 /* CHR */, 6 /* BLK */, 1 /* FIFO */, 12 /* SOCK */, 10 /* LNK */};

	return (fs->incompat & EXT_INCOMPAT_FILETYPE) && de->file_type < 8 ? dtypes[de->file_type] : 0;
}

/* Positions are byte offsets; one that is in the middle of a record (its entry is gone) means the next. */
static int ext_iterate(struct file *f, struct dir_sink *sink)
{
	struct inode *dir = f->inode;
	struct ext_fs *fs = ext_inode_fs(dir);

	while ((u64)f->pos < dir->size) {
		u32 lblk = (u32)((u64)f->pos >> fs->block_bits);
		u64 base = (u64)lblk << fs->block_bits;
		struct buf b;
		int err = ext_dir_block(dir, lblk, &b), full = 0;

		if (err < 0)
			return err;
		for (u32 off = 0; off < fs->block_size;) {
			struct ext_dirent *de = entry_at(&b, off);
			u64 next = base + off + de->rec_len;

			if (!entry_ok(fs, de, off)) {
				err = entry_bad(dir, lblk, off);
				break;
			}
			if (base + off >= (u64)f->pos) {
				full = de->inode &&
					sink->emit(sink, de->name, de->name_len, de->inode, dirent_dtype(fs, de), next);
				if (full)
					break;
				f->pos = (s64)next;
			}
			off += de->rec_len;
		}
		buf_put(&b);
		if (err < 0 || full)
			return err;
		f->pos = MAX(f->pos, (s64)(base + fs->block_size));
		sched_point();
	}
	return 0;
}

const struct file_ops ext_dir_file_ops = {
	.iterate = ext_iterate,
	.fsync = file_fsync_regular,
};
