/* Who may do what to an inode. Mode bits only; uid 0 stands for every capability. */
#include "fs/fs.h"
#include "lib/errno.h"

/* The three bits of `mode` that count for the caller. */
static u32 perm_bits(const struct inode *inode, const struct cred *cred)
{
	if (cred->fsuid == inode->uid)
		return inode->mode >> 6;
	if (cred->fsgid == inode->gid || cred_in_group(inode->gid))
		return inode->mode >> 3;
	return inode->mode;
}

static int perm_generic(const struct inode *inode, u32 mask)
{
	const struct cred *cred = cred_current();

	if ((perm_bits(inode, cred) & mask) == mask)
		return 0;
	if (cred->fsuid != 0)
		return -EACCES;
	if ((mask & MAY_EXEC) && !S_ISDIR(inode->mode) && !(inode->mode & 0111))
		return -EACCES;
	return 0;
}

int inode_permission(struct inode *inode, u32 mask)
{
	if (atomic_read(&inode->state) & INODE_BAD)
		return -EIO;
	if (inode->ops && inode->ops->permission)
		return inode->ops->permission(inode, mask);
	return perm_generic(inode, mask & 7);
}

int perm_may_search_locked(const struct inode *dir)
{
	if (unlikely(dir->ops && dir->ops->permission))
		return -EAGAIN;
	if (likely((dir->mode & 0111) == 0111))
		return 0;
	return perm_generic(dir, MAY_EXEC);
}

int perm_is_owner(const struct inode *inode)
{
	u32 uid = cred_current()->fsuid;

	return uid == 0 || uid == inode->uid;
}

int perm_may_create(struct inode *dir)
{
	if (dir->nlink == 0)
		return -ENOENT;
	return inode_permission(dir, MAY_WRITE | MAY_EXEC);
}

int perm_may_delete(struct inode *dir, const struct inode *victim)
{
	int err = inode_permission(dir, MAY_WRITE | MAY_EXEC);

	if (err)
		return err;
	if ((dir->mode & S_ISVTX) && !perm_is_owner(victim) && !perm_is_owner(dir))
		return -EPERM;
	return 0;
}

/* ---- attributes ---- */

static int perm_chown(const struct inode *inode, const struct inode_attr *attr)
{
	const struct cred *cred = cred_current();

	if (cred->fsuid == 0)
		return 0;
	if ((attr->valid & ATTR_UID) && (attr->uid != inode->uid || cred->fsuid != inode->uid))
		return -EPERM;
	if ((attr->valid & ATTR_GID) && attr->gid != inode->gid &&
		(cred->fsuid != inode->uid || (attr->gid != cred->fsgid && !cred_in_group(attr->gid))))
		return -EPERM;
	return 0;
}

static int perm_utimes(struct inode *inode, const struct inode_attr *attr)
{
	if (perm_is_owner(inode))
		return 0;
	if (!(attr->valid & ATTR_TIMES_NOW))
		return -EPERM;
	return inode_permission(inode, MAY_WRITE);
}

static int perm_resize(struct inode *inode, const struct inode_attr *attr)
{
	if (S_ISDIR(inode->mode))
		return -EISDIR;
	if (!S_ISREG(inode->mode))
		return -EINVAL;
	if (attr->size > inode->sb->max_size)
		return -EFBIG;
	if (attr->size > inode_size(inode) && attr->size > task_rlimit(RLIMIT_FSIZE)) {
		task_raise(SIGNAL_FILE_SIZE);
		return -EFBIG;
	}
	if (attr->valid & ATTR_OPEN)
		return 0;
	return inode_permission(inode, MAY_WRITE);
}

/* What a change of owner takes from the mode of a non-directory. */
static u32 perm_mode_without_setid(u32 mode)
{
	mode &= ~(u32)S_ISUID;
	if (mode & 010)
		mode &= ~(u32)S_ISGID;
	return mode;
}

/* May the caller, and what changes along with it? The owner and the mode that this goes by stay as they are: the lock is held. */
static int perm_setattr_locked(struct inode *inode, struct inode_attr *attr)
{
	int err = 0;

	rwlock_assert_write_held(&inode->lock);
	if (atomic_read(&inode->state) & INODE_BAD)
		return -EIO;
	if (attr->valid & (ATTR_UID | ATTR_GID))
		err = perm_chown(inode, attr);
	if (!err && (attr->valid & ATTR_MODE) && !perm_is_owner(inode))
		err = -EPERM;
	if (!err && (attr->valid & (ATTR_ATIME | ATTR_MTIME)) && !(attr->valid & ATTR_SIZE))
		err = perm_utimes(inode, attr);
	if (!err && (attr->valid & ATTR_SIZE))
		err = perm_resize(inode, attr);
	if (err)
		return err;
	if ((attr->valid & (ATTR_UID | ATTR_GID)) && !(attr->valid & ATTR_MODE) && !S_ISDIR(inode->mode) &&
		(inode->mode & (S_ISUID | S_ISGID))) {
		attr->valid |= ATTR_MODE;
		attr->mode = perm_mode_without_setid(inode->mode);
	} else if ((attr->valid & ATTR_MODE) && (attr->mode & S_ISGID) && cred_current()->fsuid != 0) {
		u32 gid = attr->valid & ATTR_GID ? attr->gid : inode->gid;

		if (cred_current()->fsgid != gid && !cred_in_group(gid))
			attr->mode &= ~(u32)S_ISGID;
	}
	return 0;
}

static int inode_resize_locked(struct inode *inode, const struct inode_attr *attr)
{
	u64 old = inode->size;
	int err;

	if (attr->size < old) {
		/* The size first: a fault that comes between the two sees the new end. */
		WRITE_ONCE(inode->size, attr->size);
		pagecache_truncate(&inode->pages, attr->size);
	}
	err = inode->ops->setattr ? inode->ops->setattr(inode, attr) : 0;
	if (err && attr->size < old)
		inode_mark_dirty(inode);
	return err;
}

int inode_setattr(struct inode *inode, struct inode_attr *attr)
{
	struct timespec64 now = time_wall();
	int err;

	rwlock_write_lock(&inode->lock);
	err = perm_setattr_locked(inode, attr);
	if (err)
		goto out_unlock;
	if (attr->valid & ATTR_SIZE) {
		attr->valid |= ATTR_MTIME;
		attr->mtime = now;
		if (!(attr->valid & ATTR_MODE) && (inode->mode & (S_ISUID | S_ISGID)) && cred_current()->fsuid != 0) {
			attr->valid |= ATTR_MODE;
			attr->mode = perm_mode_without_setid(inode->mode);
		}
	}
	attr->valid |= ATTR_CTIME;
	attr->ctime = now;
	if (attr->valid & ATTR_SIZE)
		err = inode_resize_locked(inode, attr);
	else
		err = inode->ops && inode->ops->setattr ? inode->ops->setattr(inode, attr) : 0;
	if (!err)
		inode_apply_attr(inode, attr);
out_unlock:
	rwlock_write_unlock(&inode->lock);
	return err;
}

void inode_strip_setid(struct inode *inode)
{
	u32 mode;

	rwlock_assert_write_held(&inode->lock);
	if (likely(!(inode->mode & (S_ISUID | S_ISGID))) || cred_current()->fsuid == 0)
		return;
	mode = perm_mode_without_setid(inode->mode);
	if (mode != inode->mode) {
		inode->mode = mode;
		inode_mark_dirty(inode);
	}
}

int path_setattr(const struct path *p, struct inode_attr *attr)
{
	struct inode *inode = path_inode(p);
	int err = 0;

	if (p->mount)
		err = mount_want_write(p->mount);
	if (err)
		return err;
	if ((attr->valid & ATTR_SIZE) && !(attr->valid & ATTR_OPEN)) {
		err = perm_resize(inode, attr); /* "not permitted" comes before "text file busy" */
		if (!err)
			err = inode_get_write(inode);
		if (err)
			return err;
		err = inode_setattr(inode, attr);
		inode_put_write(inode);
		return err;
	}
	return inode_setattr(inode, attr);
}

int path_access(const struct path *p, u32 mask)
{
	struct inode *inode = path_inode(p);

	if ((mask & MAY_WRITE) && !S_ISCHR(inode->mode) && !S_ISBLK(inode->mode) && !S_ISFIFO(inode->mode) &&
		!S_ISSOCK(inode->mode) && mount_want_write(p->mount) != 0)
		return -EROFS;
	if ((mask & MAY_EXEC) && S_ISREG(inode->mode) && (mount_flags(p->mount) & MOUNT_NOEXEC))
		return -EACCES;
	return mask ? inode_permission(inode, mask) : 0;
}
