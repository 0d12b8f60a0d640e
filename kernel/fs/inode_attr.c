/* Inodes' attributes: time, owner, links, locks of two, and who writes or executes. */
#include "dev/dev.h"
#include "fs/fs.h"
#include "lib/errno.h"

struct timespec64 time_wall(void)
{
	u64 ns = clock_wall_ns();

	return (struct timespec64){.sec = (s64)(ns / 1000000000), .nsec = (s64)(ns % 1000000000)};
}

void inode_set_nlink(struct inode *inode, u32 nlink)
{
	WRITE_ONCE(inode->nlink, nlink);
	inode_mark_dirty(inode);
}

void inode_lock_two(struct inode *a, struct inode *b)
{
	if (a == b) {
		rwlock_write_lock(&a->lock);
		return;
	}
	/* Directories come before other inodes, then addresses decide. */
	if (S_ISDIR(a->mode) == S_ISDIR(b->mode) ? a > b : S_ISDIR(b->mode)) {
		struct inode *t = a;

		a = b;
		b = t;
	}
	rwlock_write_lock(&a->lock);
	rwlock_write_lock_nested(&b->lock);
}

void inode_unlock_two(struct inode *a, struct inode *b)
{
	rwlock_write_unlock(&a->lock);
	if (a != b)
		rwlock_write_unlock(&b->lock);
}

void inode_owner_for(const struct inode *dir, u32 *mode, u32 *uid, u32 *gid)
{
	const struct cred *cred = cred_current();

	*uid = cred->fsuid;
	*gid = cred->fsgid;
	if (likely(!dir || !(dir->mode & S_ISGID)))
		return;
	*gid = dir->gid;
	if (S_ISDIR(*mode))
		*mode |= S_ISGID;
	else if ((*mode & (S_ISGID | 010)) == (S_ISGID | 010) && cred->fsuid != 0 && !cred_in_group(dir->gid))
		*mode &= ~(u32)S_ISGID;
}

void inode_init_owner(struct inode *inode, const struct inode *dir, u32 mode)
{
	inode_owner_for(dir, &mode, &inode->uid, &inode->gid);
	inode->mode = mode;
	inode->atime = inode->mtime = inode->ctime = time_wall();
}

void inode_apply_attr(struct inode *inode, const struct inode_attr *attr)
{
	if (attr->valid & ATTR_MODE)
		inode->mode = (inode->mode & S_IFMT) | (attr->mode & 07777);
	if (attr->valid & ATTR_UID)
		inode->uid = attr->uid;
	if (attr->valid & ATTR_GID)
		inode->gid = attr->gid;
	if ((attr->valid & ATTR_SIZE) && attr->size > inode->size)
		pagecache_grow(inode, attr->size);
	else if (attr->valid & ATTR_SIZE)
		WRITE_ONCE(inode->size, attr->size);
	if (attr->valid & ATTR_ATIME)
		inode->atime = attr->atime;
	if (attr->valid & ATTR_MTIME)
		inode->mtime = attr->mtime;
	if (attr->valid & ATTR_CTIME)
		inode->ctime = attr->ctime;
	inode_mark_dirty(inode);
}

static int inode_count_users(struct inode *inode, s32 step)
{
	u32 v = atomic_read(&inode->writers), seen;

	for (;;) {
		if ((s32)v * step < 0)
			return -ETXTBSY;
		seen = atomic_cmpxchg(&inode->writers, v, v + (u32)step);
		if (seen == v)
			return 0;
		v = seen;
	}
}

int inode_get_write(struct inode *inode)
{
	return inode_count_users(inode, 1);
}

void inode_put_write(struct inode *inode)
{
	atomic_dec(&inode->writers);
}

int inode_deny_write(struct inode *inode)
{
	return inode_count_users(inode, -1);
}

void inode_allow_write(struct inode *inode)
{
	atomic_inc(&inode->writers);
}
