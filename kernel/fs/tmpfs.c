/*
 * tmpfs: files in memory only. The page cache holds the only copy of a file's bytes (PAGECACHE_PINNED), a directory is a list of
 * entries, and every inode that has a name holds a reference on itself.
 *
 * A directory's entries are in order of their cookies, which are never used again: a reader that stopped at cookie c goes
 * on at the first entry >= c, whatever was removed meanwhile. A hash by name finds them; it grows with the directory.
 *
 * Invariants
 *  T1. nlink > 0 exactly while the inode holds its own reference.
 *  T2. sb->pages counts the frames in all page caches (hooks added/released), sb->inodes the inodes.
 * Locks: a directory's node is guarded by its inode->lock.
 */
#include "fs/tmpfs.h"
#include "lib/errno.h"
#include "lib/hash.h"
#include "lib/string.h"
#include "mm/slab.h"

#define TMPFS_FIRST_COOKIE  2
#define TMPFS_FIRST_BUCKETS 8u
#define TMPFS_ENTRY_SIZE    20 /* what an entry adds to a directory's st_size, as elsewhere */

struct tmpfs_entry {
	struct hlist_node hash_link;
	struct list link;
	u64 cookie;
	struct inode *inode; /* not counted: T1 */
	u32 hash, len;
	char name[];
};

/* inode->private of a directory; of a symlink it is the text. */
struct tmpfs_dir {
	struct list entries;
	struct hlist_head *buckets;
	u32 nr_buckets, nr;
	u64 next_cookie;
	struct hlist_head first[TMPFS_FIRST_BUCKETS];
};

/* ---- memory accounting ---- */

/* Room for the pages of [pos, pos+len) that are not there yet? Others may take it before they come: tmpfs_added has the last word. */
static int tmpfs_reserve(struct pagecache *pc, u64 pos, u64 len)
{
	struct tmpfs_sb *ts = tmpfs_sb(pc->inode->sb);
	u64 first = pos >> PAGE_SHIFT, end = DIV_ROUND_UP(pos + len, PAGE_SIZE);
	u64 used = atomic64_read(&ts->pages), absent = 0;

	if (used + (end - first) <= ts->max_pages)
		return 0;
	for (u64 i = first; i < end; i++) {
		struct frame *f = pagecache_find(pc, i);

		if (f)
			frame_put(f);
		else if (used + ++absent > ts->max_pages)
			return -ENOSPC;
	}
	return 0;
}

static int tmpfs_added(struct pagecache *pc, u64 nr_pages)
{
	struct tmpfs_sb *ts = tmpfs_sb(pc->inode->sb);

	if (atomic64_add_return(&ts->pages, nr_pages) <= ts->max_pages)
		return 0;
	atomic64_sub(&ts->pages, nr_pages);
	return -ENOSPC;
}

static void tmpfs_released(struct pagecache *pc, u64 nr_pages)
{
	atomic64_sub(&tmpfs_sb(pc->inode->sb)->pages, nr_pages);
}

static const struct pagecache_ops tmpfs_pagecache_ops = {
	.reserve = tmpfs_reserve,
	.added = tmpfs_added,
	.released = tmpfs_released,
};

int tmpfs_fsync(struct file *f, u32 data_only)
{
	return 0;
}

static void tmpfs_refresh(struct inode *inode)
{
	inode->blocks = inode->pages.nr_pages * (PAGE_SIZE / 512);
}

/* ---- directory entries ---- */

static struct hlist_head *tmpfs_bucket(struct tmpfs_dir *td, u32 hash)
{
	return &td->buckets[hash & (td->nr_buckets - 1)];
}

static struct tmpfs_entry *tmpfs_find(struct inode *dir, const struct qstr *name)
{
	struct tmpfs_dir *td = dir->private;
	u32 hash = dentry_hash(name->name, name->len);
	struct tmpfs_entry *e;

	hlist_for_each_entry(e, tmpfs_bucket(td, hash), hash_link)
	{
		if (e->hash == hash && e->len == name->len && memcmp(e->name, name->name, name->len) == 0)
			return e;
	}
	return NULL;
}

/* Twice the buckets. Without memory the chains just get longer. */
static void tmpfs_grow_hash(struct tmpfs_dir *td)
{
	u32 nr = td->nr_buckets * 2;
	struct hlist_head *buckets = kzalloc(nr * sizeof(*buckets), 0);
	struct tmpfs_entry *e;

	if (!buckets)
		return;
	if (td->buckets != td->first)
		kfree(td->buckets);
	td->buckets = buckets;
	td->nr_buckets = nr;
	list_for_each_entry (e, &td->entries, link)
		hlist_add_head(&e->hash_link, tmpfs_bucket(td, e->hash));
}

static struct tmpfs_entry *tmpfs_entry_alloc(const struct qstr *name)
{
	struct tmpfs_entry *e = kmalloc(sizeof(*e) + name->len, 0);

	if (!e)
		return NULL;
	e->len = name->len;
	e->hash = dentry_hash(name->name, name->len);
	memcpy(e->name, name->name, name->len);
	return e;
}

static void tmpfs_dir_changed(struct inode *dir)
{
	struct tmpfs_dir *td = dir->private;

	dir->mtime = dir->ctime = time_wall();
	dir->size = (u64)td->nr * TMPFS_ENTRY_SIZE;
}

static void tmpfs_insert(struct inode *dir, struct tmpfs_entry *e, struct inode *inode)
{
	struct tmpfs_dir *td = dir->private;

	/* First: growing hashes every entry of the list. */
	if (td->nr >= td->nr_buckets * 2)
		tmpfs_grow_hash(td);
	e->inode = inode;
	e->cookie = td->next_cookie++;
	list_add_tail(&e->link, &td->entries);
	hlist_add_head(&e->hash_link, tmpfs_bucket(td, e->hash));
	td->nr++;
	tmpfs_dir_changed(dir);
}

static void tmpfs_erase(struct inode *dir, struct tmpfs_entry *e)
{
	struct tmpfs_dir *td = dir->private;

	hlist_del(&e->hash_link);
	list_del(&e->link);
	kfree(e);
	td->nr--;
	tmpfs_dir_changed(dir);
}

static bool tmpfs_dir_empty(const struct inode *dir)
{
	return ((struct tmpfs_dir *)dir->private)->nr == 0;
}

/* ---- inodes ---- */

static const struct inode_ops tmpfs_file_inode_ops = {.refresh = tmpfs_refresh};

static int tmpfs_readlink(struct inode *inode, char *buf, size_t size)
{
	return (int)MIN(strlcpy(buf, inode->private, size), size - 1);
}

static const struct inode_ops tmpfs_link_ops = {.readlink = tmpfs_readlink};

u64 tmpfs_next_ino(struct superblock *sb)
{
	return atomic64_inc_return(&tmpfs_sb(sb)->next_ino);
}

void *tmpfs_dir_alloc(void)
{
	struct tmpfs_dir *td = kzalloc(sizeof(*td), 0);

	if (!td)
		return NULL;
	list_init(&td->entries);
	td->buckets = td->first;
	td->nr_buckets = TMPFS_FIRST_BUCKETS;
	td->next_cookie = TMPFS_FIRST_COOKIE;
	return td;
}

static void tmpfs_set_ops(struct inode *inode)
{
	struct tmpfs_sb *ts = tmpfs_sb(inode->sb);

	switch (inode->mode & S_IFMT) {
	case S_IFDIR:
		inode->ops = ts->dir_ops;
		inode->fops = ts->dir_fops;
		break;
	case S_IFLNK: inode->ops = &tmpfs_link_ops; break;
	case S_IFREG:
		inode->ops = &tmpfs_file_inode_ops;
		inode->fops = &tmpfs_file_ops;
		inode->pages.ops = &tmpfs_pagecache_ops;
		inode->pages.flags |= PAGECACHE_PINNED;
		break;
	default: inode->ops = &tmpfs_file_inode_ops;
	}
}

int tmpfs_new(struct superblock *sb, const struct inode *dir, u32 mode, void *private, struct inode **out)
{
	struct tmpfs_sb *ts = tmpfs_sb(sb);
	struct inode *inode;
	int err = -ENOSPC;

	if (atomic64_inc_return(&ts->inodes) > ts->max_inodes)
		goto out_uncount;
	inode = inode_create(sb, tmpfs_next_ino(sb));
	if (!inode) {
		err = -ENOMEM;
		goto out_uncount;
	}
	inode_init_owner(inode, dir, mode);
	inode->nlink = S_ISDIR(mode) ? 2 : 1;
	inode->private = private;
	tmpfs_set_ops(inode);
	inode_publish(inode);
	*out = inode;
	return 0;

out_uncount:
	atomic64_dec(&ts->inodes);
	kfree(private);
	return err;
}

static void tmpfs_free_dir(struct tmpfs_dir *td)
{
	struct tmpfs_entry *e, *n;

	list_for_each_entry_safe (e, n, &td->entries, link)
		kfree(e);
	if (td->buckets != td->first)
		kfree(td->buckets);
	kfree(td);
}

void tmpfs_inode_fini(struct inode *inode)
{
	if (!inode->ops)
		return; /* never set up */
	atomic64_dec(&tmpfs_sb(inode->sb)->inodes);
	if (S_ISDIR(inode->mode))
		tmpfs_free_dir(inode->private);
	else
		kfree(inode->private);
}

/* A name less: the last one takes the inode's own reference. */
static void tmpfs_drop_link(struct inode *inode, u32 links)
{
	inode->nlink -= links;
	inode->ctime = time_wall();
	if (inode->nlink == 0)
		inode_put(inode);
}

/* ---- operations on directories ---- */

int tmpfs_lookup(struct inode *dir, const struct qstr *name, struct inode **out)
{
	struct tmpfs_entry *e = tmpfs_find(dir, name);

	if (!e)
		return -ENOENT;
	inode_get(e->inode);
	*out = e->inode;
	return 0;
}

/* Makes an inode and its entry. The inode's own reference and the caller's. */
static int tmpfs_make(struct inode *dir, const struct qstr *name, u32 mode, u32 rdev, void *private, struct inode **out)
{
	struct tmpfs_entry *e = tmpfs_entry_alloc(name);
	struct inode *inode;
	int err;

	if (!e) {
		kfree(private);
		return -ENOMEM;
	}
	err = tmpfs_new(dir->sb, dir, mode, private, &inode);
	if (err) {
		kfree(e);
		return err;
	}
	inode->rdev = rdev;
	tmpfs_insert(dir, e, inode);
	inode_get(inode);
	*out = inode;
	return 0;
}

static int tmpfs_create(struct inode *dir, const struct qstr *name, u32 mode, u32 rdev, struct inode **out)
{
	return tmpfs_make(dir, name, mode, rdev, NULL, out);
}

int tmpfs_mkdir(struct inode *dir, const struct qstr *name, u32 mode, struct inode **out)
{
	struct tmpfs_dir *td = tmpfs_dir_alloc();
	int err;

	if (!td)
		return -ENOMEM;
	err = tmpfs_make(dir, name, mode, 0, td, out);
	if (!err)
		dir->nlink++;
	return err;
}

int tmpfs_symlink(struct inode *dir, const struct qstr *name, const char *target, struct inode **out)
{
	char *text = kstrdup(target, 0);
	int err;

	if (!text)
		return -ENOMEM;
	err = tmpfs_make(dir, name, S_IFLNK | 0777, 0, text, out);
	if (!err)
		(*out)->size = strlen(target);
	return err;
}

static int tmpfs_tmpfile(struct inode *dir, u32 mode, struct inode **out)
{
	int err = tmpfs_new(dir->sb, dir, mode, NULL, out);

	if (!err)
		(*out)->nlink = 0;
	return err;
}

static int tmpfs_link(struct inode *dir, const struct qstr *name, struct inode *target)
{
	struct tmpfs_entry *e = tmpfs_entry_alloc(name);

	if (!e)
		return -ENOMEM;
	if (target->nlink++ == 0)
		inode_get(target);
	target->ctime = time_wall();
	tmpfs_insert(dir, e, target);
	return 0;
}

static int tmpfs_unlink(struct inode *dir, const struct qstr *name, struct inode *target)
{
	struct tmpfs_entry *e = tmpfs_find(dir, name);

	if (!e)
		return -EPERM; /* a device node, which devfs shows by itself */
	tmpfs_erase(dir, e);
	tmpfs_drop_link(target, 1);
	return 0;
}

static int tmpfs_rmdir(struct inode *dir, const struct qstr *name, struct inode *target)
{
	struct tmpfs_entry *e = tmpfs_find(dir, name);

	if (!e)
		return -EPERM;
	if (!tmpfs_dir_empty(target))
		return -ENOTEMPTY;
	tmpfs_erase(dir, e);
	dir->nlink--;
	tmpfs_drop_link(target, 2);
	return 0;
}

static int tmpfs_exchange(struct inode *old_dir, struct tmpfs_entry *a, struct inode *new_dir, struct tmpfs_entry *b)
{
	struct inode *t = a->inode;

	a->inode = b->inode;
	b->inode = t;
	if (old_dir != new_dir && S_ISDIR(a->inode->mode) != S_ISDIR(b->inode->mode)) {
		old_dir->nlink += S_ISDIR(a->inode->mode) ? 1 : -1u;
		new_dir->nlink += S_ISDIR(b->inode->mode) ? 1 : -1u;
	}
	tmpfs_dir_changed(old_dir);
	tmpfs_dir_changed(new_dir);
	a->inode->ctime = b->inode->ctime = time_wall();
	return 0;
}

static int tmpfs_rename(struct inode *old_dir, const struct qstr *old_name, struct inode *moved, struct inode *new_dir,
	const struct qstr *new_name, struct inode *victim, u32 flags)
{
	struct tmpfs_entry *from = tmpfs_find(old_dir, old_name), *to = tmpfs_find(new_dir, new_name);
	u32 is_dir = S_ISDIR(moved->mode);

	if (!from || (victim && !to))
		return -EPERM;
	if (flags & RENAME_EXCHANGE)
		return tmpfs_exchange(old_dir, from, new_dir, to);
	if (victim && is_dir && !tmpfs_dir_empty(victim))
		return -ENOTEMPTY;
	if (victim) {
		to->inode = moved;
		tmpfs_dir_changed(new_dir);
		tmpfs_drop_link(victim, is_dir ? 2 : 1);
	} else {
		to = tmpfs_entry_alloc(new_name);
		if (!to)
			return -ENOMEM;
		tmpfs_insert(new_dir, to, moved);
		if (is_dir)
			new_dir->nlink++;
	}
	tmpfs_erase(old_dir, from);
	if (is_dir)
		old_dir->nlink--;
	moved->ctime = time_wall();
	return 0;
}

/* 1: the sink is full; 0: the end. */
int tmpfs_iterate(struct file *f, struct dir_sink *sink)
{
	struct tmpfs_dir *td = f->inode->private;
	struct tmpfs_entry *e;

	if (dir_emit_dots(f, sink))
		return 1;
	list_for_each_entry (e, &td->entries, link) {
		if (e->cookie < (u64)f->pos)
			continue;
		if (sink->emit(sink, e->name, e->len, e->inode->ino, dir_type(e->inode->mode), e->cookie + 1))
			return 1;
		f->pos = (s64)e->cookie + 1;
	}
	return 0;
}

const struct inode_ops tmpfs_dir_ops = {
	.lookup = tmpfs_lookup,
	.create = tmpfs_create,
	.mkdir = tmpfs_mkdir,
	.symlink = tmpfs_symlink,
	.tmpfile = tmpfs_tmpfile,
	.link = tmpfs_link,
	.unlink = tmpfs_unlink,
	.rmdir = tmpfs_rmdir,
	.rename = tmpfs_rename,
};

const struct file_ops tmpfs_dir_fops = {.iterate = tmpfs_iterate, .fsync = tmpfs_fsync};
