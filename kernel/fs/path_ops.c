/*
 * Changes of directories by name: create, link, remove, rename. Each is: walk to the parent, take the directory's lock,
 * look the last name up under it, check, let the file system do it, bring the name cache up to date.
 */
#include "fs/fs.h"
#include "lib/errno.h"
#include "lib/string.h"

/* One directory change under way: the parent is pinned by the walk and write-locked. */
struct name_op {
	struct walk w;
	struct inode *dir;
	struct dentry *dentry; /* of the last name; referenced */
};

static int name_op_lookup(struct name_op *op)
{
	return dentry_lookup(op->w.place.dentry, &op->w.last, op->w.last_hash, &op->dentry);
}

static void name_op_end(struct name_op *op)
{
	rwlock_write_unlock(&op->dir->lock);
	if (op->dentry)
		dentry_put(op->dentry);
	walk_abort(&op->w);
}

enum create_what { CREATE_DIR, CREATE_OTHER };

/* On success the directory is locked and op->dentry is negative. */
static int create_begin(struct name_op *op, const struct path *dir, const char *name, enum create_what what)
{
	int err = walk_parent(&op->w, dir, name);

	if (err)
		return err;
	if (op->w.last_kind != LAST_NORMAL) {
		walk_abort(&op->w);
		return -EEXIST;
	}
	op->dir = op->w.place.dentry->inode;
	op->dentry = NULL;
	rwlock_write_lock(&op->dir->lock);
	err = name_op_lookup(op);
	if (!err && op->dentry->inode)
		err = -EEXIST;
	if (!err && op->w.slashes && what != CREATE_DIR)
		err = -ENOENT;
	if (!err)
		err = mount_want_write(op->w.place.mount);
	if (!err)
		err = perm_may_create(op->dir);
	if (err)
		name_op_end(op);
	return err;
}

/* A file system that did not know better gets the owner and mode right here. */
static void create_finish(struct name_op *op, struct inode *inode, u32 mode)
{
	u32 uid, gid;

	inode_owner_for(op->dir, &mode, &uid, &gid);
	if (inode->uid != uid || inode->gid != gid || inode->mode != mode) {
		inode->uid = uid;
		inode->gid = gid;
		inode->mode = mode;
		inode_mark_dirty(inode);
	}
	dentry_instantiate(op->dentry, inode);
}

int path_mkdir(const struct path *dir, const char *name, u32 mode)
{
	struct name_op op;
	struct inode *inode;
	int err = create_begin(&op, dir, name, CREATE_DIR);

	if (err)
		return err;
	mode = S_IFDIR | (mode & 01777 & ~task_umask());
	if (!op.dir->ops->mkdir)
		err = -EPERM;
	else if (op.dir->nlink >= LINK_MAX)
		err = -EMLINK;
	else
		err = op.dir->ops->mkdir(op.dir, &op.w.last, mode, &inode);
	if (!err)
		create_finish(&op, inode, mode);
	name_op_end(&op);
	return err;
}

int path_mknod(const struct path *dir, const char *name, u32 mode, u32 rdev)
{
	struct name_op op;
	struct inode *inode;
	u32 type = mode & S_IFMT;
	int err;

	if (type == 0)
		type = S_IFREG;
	if (type == S_IFDIR)
		return -EPERM;
	if (type != S_IFREG && type != S_IFCHR && type != S_IFBLK && type != S_IFIFO && type != S_IFSOCK)
		return -EINVAL;
	if ((type == S_IFCHR || type == S_IFBLK) && cred_current()->fsuid != 0)
		return -EPERM;
	err = create_begin(&op, dir, name, CREATE_OTHER);
	if (err)
		return err;
	mode = type | (mode & 07777 & ~task_umask());
	err = op.dir->ops->create ? op.dir->ops->create(op.dir, &op.w.last, mode, rdev, &inode) : -EPERM;
	if (!err)
		create_finish(&op, inode, mode);
	name_op_end(&op);
	return err;
}

int path_symlink(const char *target, const struct path *dir, const char *name)
{
	struct name_op op;
	struct inode *inode;
	size_t len = strnlen(target, PATH_MAX);
	int err;

	if (len == 0)
		return -ENOENT;
	if (len >= PATH_MAX)
		return -ENAMETOOLONG;
	err = create_begin(&op, dir, name, CREATE_OTHER);
	if (err)
		return err;
	err = op.dir->ops->symlink ? op.dir->ops->symlink(op.dir, &op.w.last, target, &inode) : -EPERM;
	if (!err)
		create_finish(&op, inode, S_IFLNK | 0777);
	name_op_end(&op);
	return err;
}

int path_link(const struct path *old, const struct path *dir, const char *name)
{
	struct name_op op;
	struct inode *inode = path_inode(old);
	int err;

	if (S_ISDIR(inode->mode))
		return -EPERM;
	err = create_begin(&op, dir, name, CREATE_OTHER);
	if (err)
		return err;
	if (op.dir->sb != inode->sb || op.w.place.mount != old->mount) {
		err = -EXDEV;
		goto out_end;
	}
	if (!op.dir->ops->link) {
		err = -EPERM;
		goto out_end;
	}
	rwlock_write_lock(&inode->lock);
	if (inode->nlink == 0 && !(atomic_read(&inode->state) & INODE_LINKABLE))
		err = -ENOENT;
	else if (inode->nlink >= LINK_MAX)
		err = -EMLINK;
	else
		err = op.dir->ops->link(op.dir, &op.w.last, inode);
	rwlock_write_unlock(&inode->lock);
	if (!err) {
		inode_get(inode);
		dentry_instantiate(op.dentry, inode);
	}
out_end:
	name_op_end(&op);
	return err;
}

/* ---- removing ---- */

static int remove_begin(struct name_op *op, const struct path *dir, const char *name)
{
	int err = walk_parent(&op->w, dir, name);

	if (err)
		return err;
	op->dir = op->w.place.dentry->inode;
	op->dentry = NULL;
	rwlock_write_lock(&op->dir->lock);
	if (op->w.last_kind != LAST_NORMAL)
		return 0;
	err = mount_want_write(op->w.place.mount);
	if (!err)
		err = name_op_lookup(op);
	if (!err && !op->dentry->inode)
		err = -ENOENT;
	if (err)
		name_op_end(op);
	return err;
}

int path_unlink(const struct path *dir, const char *name)
{
	struct name_op op;
	struct inode *victim;
	int err = remove_begin(&op, dir, name);

	if (err)
		return err;
	if (op.w.last_kind != LAST_NORMAL) {
		err = -EISDIR;
		goto out_end;
	}
	victim = op.dentry->inode;
	err = perm_may_delete(op.dir, victim);
	if (!err && S_ISDIR(victim->mode))
		err = -EISDIR;
	else if (!err && op.w.slashes)
		err = -ENOTDIR;
	else if (!err && op.dentry->mounted)
		err = -EBUSY;
	else if (!err && !op.dir->ops->unlink)
		err = -EPERM;
	if (err)
		goto out_end;
	rwlock_write_lock(&victim->lock);
	err = op.dir->ops->unlink(op.dir, &op.w.last, victim);
	rwlock_write_unlock(&victim->lock);
	if (!err)
		dentry_unhash(op.dentry);
out_end:
	name_op_end(&op);
	return err;
}

static int rmdir_kind_error(enum last_kind kind)
{
	switch (kind) {
	case LAST_DOT: return -EINVAL;
	case LAST_DOTDOT: return -ENOTEMPTY;
	default: return -EBUSY;
	}
}

int path_rmdir(const struct path *dir, const char *name)
{
	struct name_op op;
	struct inode *victim;
	int err = remove_begin(&op, dir, name);

	if (err)
		return err;
	if (op.w.last_kind != LAST_NORMAL) {
		err = rmdir_kind_error(op.w.last_kind);
		goto out_end;
	}
	victim = op.dentry->inode;
	err = perm_may_delete(op.dir, victim);
	if (!err && !S_ISDIR(victim->mode))
		err = -ENOTDIR;
	else if (!err && op.dentry->mounted)
		err = -EBUSY;
	else if (!err && !op.dir->ops->rmdir)
		err = -EPERM;
	if (err)
		goto out_end;
	rwlock_write_lock_nested(&victim->lock);
	err = op.dir->ops->rmdir(op.dir, &op.w.last, victim);
	if (!err && victim->nlink)
		inode_set_nlink(victim, 0);
	rwlock_write_unlock(&victim->lock);
	if (!err)
		dentry_unhash(op.dentry);
out_end:
	name_op_end(&op);
	return err;
}

/* ---- rename ---- */

/*
 * Lock order: sb->rename_lock when the parents differ (then nobody else changes the tree's shape, and ancestors are what
 * they seem), the parents (an ancestor first, otherwise by address), then the inodes that lose a link or get another
 * parent: directories by address, then files.
 */
struct rename_op {
	struct walk from, to;
	struct inode *from_dir, *to_dir;
	struct dentry *old, *new; /* referenced */
	struct inode *locked[2];  /* children locked, in order */
	u32 flags;
	u32 cross; /* the parents differ */
};

static void rename_lock_dirs(struct rename_op *r)
{
	struct dentry *from = r->from.place.dentry, *to = r->to.place.dentry;

	r->cross = from != to;
	if (!r->cross) {
		rwlock_write_lock(&r->from_dir->lock);
		return;
	}
	mutex_lock(&r->from_dir->sb->rename_lock);
	if (dentry_is_below(from, to) || (!dentry_is_below(to, from) && r->to_dir < r->from_dir)) {
		rwlock_write_lock(&r->to_dir->lock);
		rwlock_write_lock_nested(&r->from_dir->lock);
	} else {
		rwlock_write_lock(&r->from_dir->lock);
		rwlock_write_lock_nested(&r->to_dir->lock);
	}
}

static void rename_unlock_dirs(struct rename_op *r)
{
	rwlock_write_unlock(&r->from_dir->lock);
	if (r->cross) {
		rwlock_write_unlock(&r->to_dir->lock);
		mutex_unlock(&r->from_dir->sb->rename_lock);
	}
}

static void rename_lock_child(struct inode *inode)
{
	if (S_ISDIR(inode->mode))
		rwlock_write_lock_nested(&inode->lock);
	else
		rwlock_write_lock(&inode->lock);
}

static void rename_lock_children(struct rename_op *r)
{
	struct inode *a = r->old->inode, *b = r->new->inode;

	/* A plain file that only changes its name keeps its own contents and links. */
	if (!S_ISDIR(a->mode) || !r->cross)
		a = NULL;
	if (a && b && (S_ISDIR(b->mode) ? b < a : 0)) {
		struct inode *t = a;

		a = b;
		b = t;
	}
	r->locked[0] = a;
	r->locked[1] = b;
	if (a)
		rename_lock_child(a);
	if (b)
		rename_lock_child(b);
}

static void rename_unlock_children(struct rename_op *r)
{
	if (r->locked[1])
		rwlock_write_unlock(&r->locked[1]->lock);
	if (r->locked[0])
		rwlock_write_unlock(&r->locked[0]->lock);
}

static int rename_lookup(struct rename_op *r)
{
	int err = dentry_lookup(r->from.place.dentry, &r->from.last, r->from.last_hash, &r->old);

	if (err)
		return err;
	if (!r->old->inode)
		return -ENOENT;
	err = dentry_lookup(r->to.place.dentry, &r->to.last, r->to.last_hash, &r->new);
	if (err)
		return err;
	if (r->new->inode && (r->flags & RENAME_NOREPLACE))
		return -EEXIST;
	if (!r->new->inode && (r->flags & RENAME_EXCHANGE))
		return -ENOENT;
	return 0;
}

/* Names with a slash behind them must be directories. */
static int rename_check_kinds(const struct rename_op *r)
{
	u32 old_is_dir = S_ISDIR(r->old->inode->mode);
	u32 new_is_dir = r->new->inode &&S_ISDIR(r->new->inode->mode);

	if (!old_is_dir && (r->from.slashes || (r->to.slashes && !(r->flags & RENAME_EXCHANGE))))
		return -ENOTDIR;
	if ((r->flags & RENAME_EXCHANGE) && r->to.slashes && !new_is_dir)
		return -ENOTDIR;
	if (r->new->inode && !(r->flags & RENAME_EXCHANGE)) {
		if (old_is_dir && !new_is_dir)
			return -ENOTDIR;
		if (!old_is_dir && new_is_dir)
			return -EISDIR;
	}
	return 0;
}

static int rename_check_permission(const struct rename_op *r)
{
	struct inode *moved = r->old->inode, *victim = r->new->inode;
	int err = perm_may_delete(r->from_dir, moved);

	if (!err)
		err = victim ? perm_may_delete(r->to_dir, victim) : perm_may_create(r->to_dir);
	/* The ".." of a directory that moves is a change of it. */
	if (!err && r->cross && S_ISDIR(moved->mode))
		err = inode_permission(moved, MAY_WRITE);
	if (!err && r->cross && (r->flags & RENAME_EXCHANGE) && S_ISDIR(victim->mode))
		err = inode_permission(victim, MAY_WRITE);
	return err;
}

static int rename_check(const struct rename_op *r)
{
	int err;

	/* Into itself; or what would be replaced holds the source. */
	if (dentry_is_below(r->to.place.dentry, r->old))
		return -EINVAL;
	if (dentry_is_below(r->from.place.dentry, r->new))
		return r->flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	err = rename_check_permission(r);
	if (!err)
		err = rename_check_kinds(r);
	if (!err && (r->old->mounted || r->new->mounted))
		err = -EBUSY;
	if (!err && r->cross && S_ISDIR(r->old->inode->mode) && !r->new->inode && r->to_dir->nlink >= LINK_MAX)
		err = -EMLINK;
	if (!err && !r->from_dir->ops->rename)
		err = -EPERM;
	return err;
}

static int rename_do(struct rename_op *r)
{
	struct inode *victim = r->new->inode;
	int err;

	if (victim == r->old->inode)
		return 0; /* two links of one file: nothing to do */
	rename_lock_children(r);
	err = r->from_dir->ops->rename(
		r->from_dir, &r->from.last, r->old->inode, r->to_dir, &r->to.last, victim, r->flags & RENAME_EXCHANGE);
	if (!err && victim && S_ISDIR(victim->mode) && !(r->flags & RENAME_EXCHANGE) && victim->nlink)
		inode_set_nlink(victim, 0);
	rename_unlock_children(r);
	if (err)
		return err;
	if (r->flags & RENAME_EXCHANGE)
		dentry_exchange(r->old, r->new);
	else
		dentry_move(r->old, r->new);
	return 0;
}

static int rename_locked(struct rename_op *r)
{
	int err;

	rename_lock_dirs(r);
	err = rename_lookup(r);
	if (!err)
		err = rename_check(r);
	if (!err)
		err = rename_do(r);
	rename_unlock_dirs(r);
	if (r->old)
		dentry_put(r->old);
	if (r->new)
		dentry_put(r->new);
	return err;
}

int path_rename(
	const struct path *old_dir, const char *old_name, const struct path *new_dir, const char *new_name, u32 flags)
{
	struct rename_op r = {.flags = flags};
	int err;

	if ((flags & ~(u32)(RENAME_NOREPLACE | RENAME_EXCHANGE)) || flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	err = walk_parent(&r.from, old_dir, old_name);
	if (err)
		return err;
	err = walk_parent(&r.to, new_dir, new_name);
	if (err)
		goto out_from;
	r.from_dir = r.from.place.dentry->inode;
	r.to_dir = r.to.place.dentry->inode;
	if (r.from.place.mount != r.to.place.mount)
		err = -EXDEV;
	else if (r.from.last_kind != LAST_NORMAL)
		err = -EBUSY;
	else if (r.to.last_kind != LAST_NORMAL)
		err = flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	else
		err = mount_want_write(r.from.place.mount);
	if (!err)
		err = rename_locked(&r);
	walk_abort(&r.to);
out_from:
	walk_abort(&r.from);
	return err;
}
