/* Reading directories. */
#include "fs/fs.h"
#include "lib/errno.h"

u8 dir_type(u32 mode)
{
	return (u8)((mode & S_IFMT) >> 12);
}

int dir_emit_dots(struct file *f, struct dir_sink *sink)
{
	struct inode *dir = f->inode, *parent = dir;

	if (f->pos == 0) {
		if (sink->emit(sink, ".", 1, dir->ino, dir_type(S_IFDIR), 1))
			return 1;
		f->pos = 1;
	}
	if (f->pos == 1) {
		u64 ino;

		spin_lock(&dcache_lock);
		if (f->path.dentry)
			parent = f->path.dentry->parent->inode;
		ino = parent ? parent->ino : dir->ino;
		spin_unlock(&dcache_lock);
		if (sink->emit(sink, "..", 2, ino, dir_type(S_IFDIR), 2))
			return 1;
		f->pos = 2;
	}
	return 0;
}

int file_iterate(struct file *f, struct dir_sink *sink)
{
	struct inode *dir = f->inode;
	int err;

	if (!(f->mode & FMODE_READ))
		return -EBADF;
	if (!dir || !S_ISDIR(dir->mode) || !f->ops->iterate)
		return -ENOTDIR;
	mutex_lock(&f->pos_lock);
	rwlock_read_lock(&dir->lock);
	if (dir->nlink == 0)
		err = -ENOENT;
	else if (atomic_read(&dir->state) & INODE_BAD)
		err = -EIO;
	else
		err = f->ops->iterate(f, sink);
	rwlock_read_unlock(&dir->lock);
	if (err >= 0) {
		err = 0; /* positive: the sink is full */
		file_accessed(f);
	}
	mutex_unlock(&f->pos_lock);
	return err;
}
