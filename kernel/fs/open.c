/* open(2): from flags and a name to an open file. */
#include "fs/buf.h"
#include "fs/fs.h"
#include "fs/pipe.h"
#include "lib/err.h"
#include "lib/errno.h"

#define OPEN_FLAGS_OF_CALL (O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC)

enum open_how { OPEN_EXISTING, OPEN_CREATED };

static u32 open_wants(u32 flags)
{
	static const u8 wants[] = {MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE, MAY_READ | MAY_WRITE};

	return wants[flags & O_ACCMODE] | (flags & O_TRUNC ? MAY_WRITE : 0);
}

static int open_check_type(const struct path *p, const struct inode *inode, u32 flags)
{
	u32 want = open_wants(flags);

	switch (inode->mode & S_IFMT) {
	case S_IFLNK: return -ELOOP;
	case S_IFDIR: return (want & MAY_WRITE) || (flags & O_CREAT) ? -EISDIR : 0;
	case S_IFREG: return (want & MAY_WRITE) && mount_is_rdonly(p->mount) ? -EROFS : 0;
	case S_IFCHR:
	case S_IFBLK: return mount_flags(p->mount) & MOUNT_NODEV ? -EACCES : 0;
	case S_IFSOCK: return -ENXIO;
	default: return 0;
	}
}

static int open_check(const struct path *p, struct inode *inode, u32 flags, enum open_how how)
{
	int err;

	if ((flags & O_DIRECTORY) && !S_ISDIR(inode->mode))
		return S_ISLNK(inode->mode) && !(flags & O_NOFOLLOW) ? -ELOOP : -ENOTDIR;
	if (flags & O_PATH)
		return 0;
	err = open_check_type(p, inode, flags);
	if (!err && how == OPEN_EXISTING)
		err = inode_permission(inode, open_wants(flags));
	if (!err && (flags & O_NOATIME) && !perm_is_owner(inode))
		err = -EPERM;
	return err;
}

static int open_by_type(struct file *f)
{
	struct inode *inode = f->inode;

	switch (inode->mode & S_IFMT) {
	case S_IFCHR: return chrdev_open(f);
	case S_IFBLK: f->ops = &bdev_file_ops; return f->ops->open(f);
	case S_IFIFO: return fifo_open(f);
	default:
		if (inode->fops)
			f->ops = inode->fops;
		return f->ops->open ? f->ops->open(f) : 0;
	}
}

static int open_truncate(struct file *f)
{
	struct inode_attr attr = {.valid = ATTR_SIZE | ATTR_OPEN, .size = 0};

	return inode_setattr(f->inode, &attr);
}

/* After the file is set up: writers are counted, the type's own open runs, contents are cut. */
static int open_start(struct file *f, u32 flags, enum open_how how)
{
	struct inode *inode = f->inode;
	int err;

	if (S_ISREG(inode->mode) && (open_wants(flags) & MAY_WRITE)) {
		err = inode_get_write(inode);
		if (err)
			return err;
		f->mode |= FMODE_WRITER;
		smp_mb(); /* super_remount looks for writers after it has said that there shall be none */
		if (mount_is_rdonly(f->path.mount))
			return -EROFS;
	}
	err = open_by_type(f);
	if (err) {
		f->ops = &file_ops_none;
		return err;
	}
	if ((flags & O_TRUNC) && S_ISREG(inode->mode) && how == OPEN_EXISTING)
		err = open_truncate(f);
	return err;
}

/* Opens the inode at *p with the fresh file f. The path's reference goes to the file, or is put; on failure f is, too. */
static int open_with(struct file *f, const struct path *p, u32 flags, enum open_how how, struct file **out)
{
	struct inode *inode = path_inode(p);
	int err = IS_ERR(f) ? (int)PTR_ERR(f) : open_check(p, inode, flags, how);

	if (err) {
		path_put(p);
		if (!IS_ERR(f))
			file_put(f);
		return err;
	}
	f->path = *p;
	inode_get(inode);
	f->inode = inode;
	if (flags & O_PATH)
		f->mode = FMODE_PATH;
	else
		err = open_start(f, flags, how);
	if (err) {
		file_put(f);
		return err;
	}
	f->flags = (f->flags & ~(u32)OPEN_FLAGS_OF_CALL) | (flags & O_PATH ? 0 : O_LARGEFILE);
	*out = f;
	return 0;
}

static int open_path(const struct path *p, u32 flags, enum open_how how, struct file **out)
{
	return open_with(file_alloc(&file_ops_none, flags), p, flags, how, out);
}

int file_open_path(const struct path *p, u32 flags, struct file **out)
{
	path_get(p);
	return open_path(p, flags & ~(u32)(O_CREAT | O_EXCL), OPEN_EXISTING, out);
}

/* ---- O_CREAT ---- */

/* The directory is write-locked and *d is a negative dentry in it. */
static int open_create_locked(struct walk *w, struct dentry *d, u32 mode)
{
	struct inode *dir = w->place.dentry->inode, *inode;
	u32 uid, gid;
	int err = mount_want_write(w->place.mount);

	if (!err)
		err = perm_may_create(dir);
	if (!err && !dir->ops->create)
		err = -EACCES;
	mode = S_IFREG | (mode & 07777 & ~task_umask());
	if (!err)
		err = dir->ops->create(dir, &w->last, mode, 0, &inode);
	if (err)
		return err;
	inode_owner_for(dir, &mode, &uid, &gid);
	if (inode->uid != uid || inode->gid != gid || inode->mode != mode) {
		inode->uid = uid;
		inode->gid = gid;
		inode->mode = mode;
		inode_mark_dirty(inode);
	}
	dentry_instantiate(d, inode);
	return 0;
}

/*
 * The last name was not found in the cache: looks it up, and creates it, under the directory's lock. Locked before and
 * after; *d is pinned. *how says whether it was created.
 */
static int open_lookup_create(struct walk *w, u32 mode, struct dentry **d, enum open_how *how)
{
	struct inode *dir;
	int err;

	walk_unlock(w);
	dir = w->place.dentry->inode;
	rwlock_write_lock(&dir->lock);
	err = dentry_lookup(w->place.dentry, &w->last, w->last_hash, d);
	if (!err && !(*d)->inode) {
		err = open_create_locked(w, *d, mode);
		if (err) {
			/* A name that may appear by itself is not remembered as absent. */
			if (dir->sb->type->dynamic || dir->ops->revalidate)
				dentry_unhash(*d);
			dentry_put(*d);
		}
		*how = OPEN_CREATED;
	}
	rwlock_write_unlock(&dir->lock);
	spin_lock(&dcache_lock);
	if (!err)
		w->pin_child = *d;
	return err;
}

/* One round: w is at the parent. 0: w->place is the file; 1: a symlink was followed, go on. Locked before and after. */
static int open_create_step(struct walk *w, u32 flags, u32 mode, enum open_how *how)
{
	struct dentry *d;
	int err = 0;

	if (w->last_kind != LAST_NORMAL || w->slashes)
		return w->last_kind == LAST_NORMAL || !(flags & O_EXCL) ? -EISDIR : -EEXIST;
	d = dentry_find_locked(w->place.dentry, w->last.name, w->last.len, w->last_hash);
	if (!d || !d->inode || (d->inode->ops && d->inode->ops->revalidate))
		err = open_lookup_create(w, mode, &d, how);
	if (err)
		return err;
	if (*how == OPEN_EXISTING && (flags & O_EXCL))
		return -EEXIST;
	if (S_ISLNK(d->inode->mode)) {
		u32 magic = d->inode->ops->follow != NULL;

		if (flags & O_NOFOLLOW)
			return -ELOOP;
		err = walk_push_link(w, d);
		if (err || magic)
			return err;
		err = walk_to_parent(w);
		return err ? err : 1;
	}
	w->place.dentry = d;
	mount_cross_down_locked(&w->place);
	return 0;
}

static int open_create(const struct path *dir, const char *name, u32 flags, u32 mode, struct file **out)
{
	enum open_how how = OPEN_EXISTING;
	struct file *f = file_alloc(&file_ops_none, flags); /* first: nothing is created that could not be opened */
	struct walk w;
	struct path p;
	int err = IS_ERR(f) ? (int)PTR_ERR(f) : walk_start(&w, dir, name);

	if (err) {
		if (!IS_ERR(f))
			file_put(f);
		return err;
	}
	err = walk_to_parent(&w);
	if (!err) {
		do {
			err = open_create_step(&w, flags, mode, &how);
		} while (err == 1);
	}
	if (err) {
		walk_end(&w);
		file_put(f);
		return err;
	}
	walk_take(&w, &p);
	return open_with(f, &p, flags, how, out);
}

static int open_tmpfile(const struct path *dir, const char *name, u32 flags, u32 mode, struct file **out)
{
	struct path at, p;
	struct inode *inode;
	int err;

	if (!(open_wants(flags & ~(u32)O_TRUNC) & MAY_WRITE))
		return -EINVAL;
	err = path_walk(dir, name, WALK_FOLLOW | WALK_DIRECTORY, &at);
	if (err)
		return err;
	err = mount_want_write(at.mount);
	if (!err)
		err = perm_may_create(path_inode(&at));
	if (!err && !path_inode(&at)->ops->tmpfile)
		err = -EOPNOTSUPP;
	if (!err)
		err = path_inode(&at)->ops->tmpfile(path_inode(&at), S_IFREG | (mode & 07777 & ~task_umask()), &inode);
	if (err)
		goto out_put_dir;
	if (!(flags & O_EXCL))
		atomic_or(&inode->state, INODE_LINKABLE);
	p.dentry = dentry_create_unnamed(at.dentry, inode);
	if (!p.dentry) {
		err = -ENOMEM;
		goto out_put_dir;
	}
	p.mount = at.mount;
	mount_get(p.mount);
	err = open_path(&p, flags & ~(u32)(O_TMPFILE | O_TRUNC), OPEN_CREATED, out);
out_put_dir:
	path_put(&at);
	return err;
}

int file_open(const struct path *dir, const char *name, u32 flags, u32 mode, struct file **out)
{
	struct path p;
	int err;

	if (!*name)
		return -ENOENT;
	if (flags & O_PATH)
		flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	else if ((flags & O_TMPFILE) == O_TMPFILE)
		return open_tmpfile(dir, name, flags, mode, out);
	else if (flags & O_CREAT)
		return flags & O_DIRECTORY ? -EINVAL : open_create(dir, name, flags, mode, out);
	err = path_walk(dir, name, flags & O_NOFOLLOW ? 0 : WALK_FOLLOW, &p);
	return err ? err : open_path(&p, flags, OPEN_EXISTING, out);
}
