/* Inodes on disk: reading, writing, making, and their end; the orphan list. */
#include "dev/block.h"
#include "fs/ext/ext.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/slab.h"

static struct slab_cache *ext_inode_cache;

int ext_inode_slab_init(void)
{
	ext_inode_cache = slab_cache_create_shrinkable("ext inode", sizeof(struct ext_inode), 8);
	return ext_inode_cache ? 0 : -ENOMEM;
}

int ext_inode_init(struct inode *inode)
{
	struct ext_inode *ei = slab_alloc(ext_inode_cache, ALLOC_ZERO);

	if (!ei)
		return -ENOMEM;
	ei->inode = inode;
	rwlock_init(&ei->map_lock, "ext map", RANK_EXT_MAP);
	spin_init(&ei->raw_lock, "ext inode", RANK_INODE_SPIN);
	list_init(&ei->orphan_link);
	inode->private = ei;
	return 0;
}

void ext_inode_fini(struct inode *inode)
{
	struct ext_fs *fs = ext_inode_fs(inode);
	struct ext_inode *ei = ext_inode(inode);

	if (!list_empty(&ei->orphan_link)) {
		/* It could not be evicted: it stays on the list on disk. */
		mutex_lock(&fs->orphan_lock);
		list_del(&ei->orphan_link);
		mutex_unlock(&fs->orphan_lock);
	}
	ext_dirindex_free(ei);
	if (ei->ibuf.frame)
		buf_put(&ei->ibuf);
	slab_free(ext_inode_cache, ei);
	inode->private = NULL;
}

int ext_raw_access(struct inode *inode)
{
	return buf_access(&ext_inode(inode)->ibuf);
}

void ext_raw_dirty(struct inode *inode)
{
	buf_dirty(&ext_inode(inode)->ibuf);
}

/* Takes hold of the disk inode's buffer (E1). */
static int inode_locate(struct inode *inode)
{
	struct ext_fs *fs = ext_inode_fs(inode);
	struct ext_inode *ei = ext_inode(inode);
	u32 at = (u32)(inode->ino - 1) % fs->inodes_per_group;
	u32 per_block = fs->block_size / fs->inode_size;
	int err;

	ei->group = (u32)(inode->ino - 1) / fs->inodes_per_group;
	err = buf_read(fs->sb, ext_inode_table(fs, ext_group(fs, ei->group)) + at / per_block, &ei->ibuf);
	if (err == 0)
		ei->raw = (struct ext_disk_inode *)(void *)(ei->ibuf.data + (size_t)(at % per_block) * fs->inode_size);
	return err;
}

/* ---- attributes ---- */

/* Does the disk inode reach up to and with this field? */
#define HAS_EXTRA(fs, raw, field)                                                \
	((fs)->inode_size > EXT_GOOD_OLD_INODE_SIZE &&                           \
		offsetof(struct ext_disk_inode, field) + sizeof((raw)->field) <= \
			EXT_GOOD_OLD_INODE_SIZE + (size_t)(raw)->extra_isize)

static struct timespec64 time_decode(u32 sec, u32 extra)
{
	return (struct timespec64){
		.sec = (s64)(s32)sec + ((s64)(extra & 3) << 32), .nsec = MIN(extra >> 2, 999999999u)};
}

static u32 time_extra(struct timespec64 t)
{
	return (u32)(((t.sec - (s64)(s32)t.sec) >> 32) & 3) | (u32)t.nsec << 2;
}

/* Without the extra field: 32 bits, signed. */
static u32 time_short(struct timespec64 t)
{
	return (u32)CLAMP(t.sec, (s64)INT32_MIN, (s64)INT32_MAX);
}

static u64 acl_block(const struct ext_fs *fs, const struct ext_disk_inode *raw)
{
	return raw->file_acl_lo | (fs->incompat & EXT_INCOMPAT_64BIT ? (u64)raw->file_acl_hi << 32 : 0);
}

static void decode_times(const struct ext_fs *fs, struct inode *inode, const struct ext_disk_inode *raw)
{
	inode->atime = time_decode(raw->atime, HAS_EXTRA(fs, raw, atime_extra) ? raw->atime_extra : 0);
	inode->mtime = time_decode(raw->mtime, HAS_EXTRA(fs, raw, mtime_extra) ? raw->mtime_extra : 0);
	inode->ctime = time_decode(raw->ctime, HAS_EXTRA(fs, raw, ctime_extra) ? raw->ctime_extra : 0);
}

static void decode_blocks(const struct ext_fs *fs, struct inode *inode, const struct ext_disk_inode *raw)
{
	u64 n = raw->blocks_lo;

	if (fs->ro_compat & EXT_RO_HUGE_FILE) {
		n |= (u64)raw->blocks_hi << 32;
		if (raw->flags & EXT_FL_HUGE_FILE)
			n *= fs->block_size / 512;
	}
	inode->blocks = n;
}

static void decode_device(struct inode *inode, const struct ext_disk_inode *raw)
{
	if (S_ISCHR(inode->mode) || S_ISBLK(inode->mode))
		inode->rdev = raw->block[0] ? raw->block[0] & 0xffff : raw->block[1];
}

static int inode_sane(const struct inode *inode, const struct ext_disk_inode *raw)
{
	struct ext_fs *fs = ext_inode_fs(inode);
	u32 type = inode->mode & S_IFMT;

	if (type != S_IFREG && type != S_IFDIR && type != S_IFLNK && type != S_IFCHR && type != S_IFBLK &&
		type != S_IFIFO && type != S_IFSOCK)
		return 0;
	if (S_ISDIR(type) &&
		(inode->size == 0 || inode->size % fs->block_size || inode->size >> fs->block_bits >= 1ul << 32))
		return 0;
	if (inode->size > (u64)INT64_MAX || (raw->flags & EXT_FL_INLINE_DATA))
		return 0;
	if ((raw->flags & EXT_FL_EXTENTS) && !(fs->incompat & EXT_INCOMPAT_EXTENTS))
		return 0;
	return fs->inode_size == EXT_GOOD_OLD_INODE_SIZE ||
		(raw->extra_isize <= fs->inode_size - EXT_GOOD_OLD_INODE_SIZE && raw->extra_isize % 4 == 0);
}

int ext_inode_read(struct inode *inode)
{
	struct ext_fs *fs = ext_inode_fs(inode);
	const struct ext_disk_inode *raw;
	int err;

	if (inode->ino > fs->inodes_count || (inode->ino != EXT_ROOT_INO && inode->ino < fs->first_ino))
		return ext_error(fs, "inode number %lu is out of range", inode->ino);
	err = inode_locate(inode);
	if (err < 0)
		return err;
	raw = ext_inode(inode)->raw;
	inode->mode = raw->mode;
	inode->nlink = raw->links_count;
	inode->uid = raw->uid_lo | (u32)raw->uid_hi << 16;
	inode->gid = raw->gid_lo | (u32)raw->gid_hi << 16;
	inode->size = raw->size_lo;
	if (S_ISREG(inode->mode))
		inode->size |= (u64)raw->size_hi << 32;
	inode->generation = raw->generation;
	if (inode->nlink == 0 && !fs->orphan_scan)
		return ext_error(fs, "inode %lu has a name but is deleted", inode->ino);
	if (!inode_sane(inode, raw))
		return ext_error(fs, "inode %lu is damaged (mode %o, size %lu)", inode->ino, inode->mode, inode->size);
	decode_times(fs, inode, raw);
	decode_blocks(fs, inode, raw);
	decode_device(inode, raw);
	ext_inode_set_ops(inode);
	return 0;
}

/* A first file of 2 GiB or more is a feature of the file system. */
static void note_large_file(struct ext_fs *fs)
{
	if (fs->ro_compat & EXT_RO_LARGE_FILE)
		return;
	fs->ro_compat |= EXT_RO_LARGE_FILE;
	fs->super->feature_ro_compat |= EXT_RO_LARGE_FILE;
	buf_dirty(&fs->super_buf);
}

static void encode_blocks(const struct ext_fs *fs, const struct inode *inode, struct ext_disk_inode *raw)
{
	u64 n = inode->blocks;

	raw->flags &= ~EXT_FL_HUGE_FILE;
	if ((fs->ro_compat & EXT_RO_HUGE_FILE) && n >> 48) {
		raw->flags |= EXT_FL_HUGE_FILE;
		n /= fs->block_size / 512;
	}
	raw->blocks_lo = (u32)n;
	if (fs->ro_compat & EXT_RO_HUGE_FILE)
		raw->blocks_hi = (u16)(n >> 32);
}

static void encode_times(const struct ext_fs *fs, const struct inode *inode, struct ext_disk_inode *raw)
{
	int wide = HAS_EXTRA(fs, raw, atime_extra); /* the last of the three */

	raw->atime = wide ? (u32)inode->atime.sec : time_short(inode->atime);
	raw->mtime = wide ? (u32)inode->mtime.sec : time_short(inode->mtime);
	raw->ctime = wide ? (u32)inode->ctime.sec : time_short(inode->ctime);
	if (wide) {
		raw->atime_extra = time_extra(inode->atime);
		raw->mtime_extra = time_extra(inode->mtime);
		raw->ctime_extra = time_extra(inode->ctime);
	}
}

/* Locks: raw_lock: of two who write the inode, the second writes what is newer. Returns the size. */
static u64 encode_attributes(struct ext_fs *fs, struct inode *inode, struct ext_disk_inode *raw)
{
	u64 size = inode_size(inode);

	raw->mode = (u16)inode->mode;
	raw->uid_lo = (u16)inode->uid;
	raw->uid_hi = (u16)(inode->uid >> 16);
	raw->gid_lo = (u16)inode->gid;
	raw->gid_hi = (u16)(inode->gid >> 16);
	raw->links_count = (u16)inode->nlink;
	raw->size_lo = (u32)size;
	if (S_ISREG(inode->mode))
		raw->size_hi = (u32)(size >> 32);
	encode_blocks(fs, inode, raw);
	encode_times(fs, inode, raw);
	return size;
}

int ext_inode_write(struct inode *inode)
{
	struct ext_fs *fs = ext_inode_fs(inode);
	struct ext_inode *ei = ext_inode(inode);
	u64 size;
	int err;

	if (!ei->raw || (atomic_read(&inode->state) & INODE_BAD))
		return 0;
	if (ei->trim_pending && rwlock_write_trylock(&inode->lock)) {
		ext_trim(inode);
		rwlock_write_unlock(&inode->lock);
	}
	err = ext_raw_access(inode);
	if (err < 0)
		return err;
	spin_lock(&ei->raw_lock);
	size = encode_attributes(fs, inode, ei->raw);
	spin_unlock(&ei->raw_lock);
	if (S_ISREG(inode->mode) && size > INT32_MAX)
		note_large_file(fs);
	ext_raw_dirty(inode);
	return 0;
}

void ext_inode_set_ops(struct inode *inode)
{
	switch (inode->mode & S_IFMT) {
	case S_IFREG:
		inode->ops = &ext_file_inode_ops;
		inode->fops = &ext_file_ops;
		inode->pages.ops = &ext_pages_ops;
		break;
	case S_IFDIR:
		inode->ops = &ext_dir_ops;
		inode->fops = &ext_dir_file_ops;
		break;
	case S_IFLNK: inode->ops = &ext_symlink_ops; break;
	default: inode->ops = &ext_special_ops; break;
	}
}

/* ---- new ---- */

static void init_raw(struct ext_fs *fs, struct inode *inode, const struct inode *dir)
{
	struct ext_disk_inode *raw = ext_inode(inode)->raw;
	u32 want = fs->super->want_extra_isize ? fs->super->want_extra_isize : 32u;

	memset(raw, 0, fs->inode_size);
	raw->generation = inode->generation;
	raw->flags = ext_inode(dir)->raw->flags & EXT_FL_INHERIT;
	if (fs->inode_size > EXT_GOOD_OLD_INODE_SIZE) {
		raw->extra_isize = (u16)MIN(ALIGN_UP(want, 4), fs->inode_size - EXT_GOOD_OLD_INODE_SIZE);
		if (HAS_EXTRA(fs, raw, crtime_extra)) {
			raw->crtime = (u32)inode->ctime.sec;
			raw->crtime_extra = time_extra(inode->ctime);
		}
	}
	if ((fs->incompat & EXT_INCOMPAT_EXTENTS) && (S_ISREG(inode->mode) || S_ISDIR(inode->mode))) {
		raw->flags |= EXT_FL_EXTENTS;
		ext_extent_init_root(inode);
	}
	if (S_ISCHR(inode->mode) || S_ISBLK(inode->mode))
		raw->block[inode->rdev >> 16 ? 1 : 0] = inode->rdev;
}

int ext_inode_new(struct inode *dir, u32 mode, u32 rdev, struct inode **out)
{
	struct ext_fs *fs = ext_inode_fs(dir);
	struct inode *inode;
	u32 ino;
	int err = ext_ialloc(fs, dir, mode, &ino);

	if (err < 0)
		return err;
	inode = inode_create(fs->sb, ino);
	if (!inode) {
		ext_ifree(fs, ino, mode);
		return -ENOMEM;
	}
	inode_init_owner(inode, dir, mode);
	inode->rdev = rdev;
	inode->generation = __atomic_fetch_add(&fs->next_generation, 1, __ATOMIC_RELAXED);
	err = inode_locate(inode);
	if (err == 0)
		err = ext_raw_access(inode);
	if (err < 0) {
		inode_abandon(inode);
		ext_ifree(fs, ino, mode);
		return err;
	}
	init_raw(fs, inode, dir);
	ext_inode_set_ops(inode);
	ext_inode_write(inode);
	*out = inode;
	return 0;
}

/* The number is free again: what is on disk says so. */
static void raw_mark_deleted(struct inode *inode)
{
	struct ext_disk_inode *raw = ext_inode(inode)->raw;

	raw->links_count = 0;
	raw->dtime = (u32)time_wall().sec;
	raw->size_lo = 0;
	raw->size_hi = 0;
	raw->blocks_lo = 0;
	raw->blocks_hi = 0;
	raw->file_acl_lo = 0;
	raw->file_acl_hi = 0;
	ext_raw_dirty(inode);
}

void ext_inode_cancel(struct inode *inode)
{
	struct ext_fs *fs = ext_inode_fs(inode);
	u32 ino = (u32)inode->ino, mode = inode->mode;

	if (inode->blocks)
		ext_map_truncate(inode, 0);
	WRITE_ONCE(inode->nlink, 0);
	raw_mark_deleted(inode);
	inode_abandon(inode);
	ext_ifree(fs, ino, mode);
}

/* ---- the end ---- */

/* A block of extended attributes may be shared by several inodes. */
static void release_xattr_block(struct ext_fs *fs, struct inode *inode)
{
	u64 blk = acl_block(fs, ext_inode(inode)->raw);
	struct ext_xattr_header *h;
	struct buf b;
	u32 last = 0;

	if (blk == 0)
		return;
	if (!ext_blocks_ok(fs, blk, 1)) {
		ext_error(fs, "inode %lu: attribute block %lu is out of place", inode->ino, blk);
		return;
	}
	mutex_lock(&fs->orphan_lock);
	if (buf_read(fs->sb, blk, &b) == 0) {
		h = (struct ext_xattr_header *)(void *)b.data;
		if (h->magic != EXT_XATTR_MAGIC || h->refcount == 0) {
			ext_error(fs, "inode %lu: attribute block %lu is damaged", inode->ino, blk);
		} else if (h->refcount > 1) {
			h->refcount--;
			buf_dirty(&b);
		} else {
			last = 1;
		}
		buf_put(&b);
	}
	if (last)
		ext_free_meta_block(fs, blk);
	mutex_unlock(&fs->orphan_lock);
	ext_account(inode, -1);
}

static int has_map(const struct inode *inode)
{
	struct ext_fs *fs = ext_inode_fs(inode);
	u64 acl = acl_block(fs, ext_inode(inode)->raw) ? fs->block_size / 512 : 0;

	if (S_ISREG(inode->mode) || S_ISDIR(inode->mode))
		return 1;
	return S_ISLNK(inode->mode) && inode->blocks > acl;
}

void ext_inode_evict(struct inode *inode)
{
	struct ext_fs *fs = ext_inode_fs(inode);

	if (!ext_inode(inode)->raw || ext_rdonly(fs))
		return;
	/* On an error it stays an orphan: the next mount, or e2fsck, finishes this. */
	if (has_map(inode) && ext_map_truncate(inode, 0) < 0)
		return;
	release_xattr_block(fs, inode);
	ext_orphan_remove(inode);
	raw_mark_deleted(inode);
	ext_ifree(fs, (u32)inode->ino, inode->mode);
}

/* ---- orphans ---- */

void ext_orphan_add(struct inode *inode)
{
	struct ext_fs *fs = ext_inode_fs(inode);
	struct ext_inode *ei = ext_inode(inode);

	mutex_lock(&fs->orphan_lock);
	if (list_empty(&ei->orphan_link)) {
		ei->raw->dtime = fs->super->last_orphan;
		fs->super->last_orphan = (u32)inode->ino;
		list_add(&ei->orphan_link, &fs->orphans);
		buf_dirty(&fs->super_buf);
	}
	mutex_unlock(&fs->orphan_lock);
	ext_inode_write(inode);
}

void ext_orphan_remove(struct inode *inode)
{
	struct ext_fs *fs = ext_inode_fs(inode);
	struct ext_inode *ei = ext_inode(inode);

	mutex_lock(&fs->orphan_lock);
	if (!list_empty(&ei->orphan_link)) {
		if (ei->orphan_link.prev == &fs->orphans) {
			fs->super->last_orphan = ei->raw->dtime;
			buf_dirty(&fs->super_buf);
		} else {
			struct ext_inode *newer = list_prev_entry(ei, orphan_link);

			newer->raw->dtime = ei->raw->dtime;
			ext_raw_dirty(newer->inode);
		}
		list_del(&ei->orphan_link);
		ei->raw->dtime = 0;
		ext_raw_dirty(inode);
	}
	mutex_unlock(&fs->orphan_lock);
}

/* One from the head of the list on disk. 0: go on. */
static int orphan_finish(struct ext_fs *fs, u32 ino)
{
	struct inode *inode;
	int err;

	if (ino < fs->first_ino || ino > fs->inodes_count || !ext_inode_in_use(fs, ino))
		return ext_error(fs, "orphan list: inode %u is not in use", ino);
	err = inode_lookup(fs->sb, ino, &inode);
	if (err < 0)
		return err;
	fs->super->last_orphan = ext_inode(inode)->raw->dtime;
	ext_inode(inode)->raw->dtime = 0;
	buf_dirty(&fs->super_buf);
	ext_raw_dirty(inode);
	if (inode->nlink) {
		/* A truncation that was interrupted. */
		err = S_ISREG(inode->mode) ? ext_map_truncate(inode, DIV_ROUND_UP(inode->size, fs->block_size)) : 0;
		ext_inode_write(inode);
	}
	inode_put(inode); /* evicts it when it has no names */
	return err;
}

void ext_orphan_cleanup(struct ext_fs *fs)
{
	u32 left = fs->inodes_count, done = 0;
	int err = 0;

	if (fs->mount_state & EXT_STATE_ERROR)
		return;
	fs->orphan_scan = 1;
	while (fs->super->last_orphan && left-- && err == 0 && !ext_rdonly(fs)) {
		err = orphan_finish(fs, fs->super->last_orphan);
		done++;
	}
	fs->orphan_scan = 0;
	if (done)
		pr_info("ext (%s): %u unlinked files were removed", fs->sb->bdev->name, done);
}
