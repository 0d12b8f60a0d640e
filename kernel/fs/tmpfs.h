/* Shared by tmpfs.c (inodes and directories) and tmpfs_super.c (options, superblock). devfs builds on fs/fs.h's part. */
#pragma once

#include "fs/fs.h"
#include "lib/atomic.h"

struct tmpfs_sb {
	struct atomic64 pages, inodes, next_ino;
	u64 max_pages, max_inodes;
	const struct inode_ops *dir_ops;
	const struct file_ops *dir_fops;
};

static inline struct tmpfs_sb *tmpfs_sb(const struct superblock *sb)
{
	return sb->private;
}

/* file_ops_regular with an fsync that has nothing to do */
extern struct file_ops tmpfs_file_ops;
int tmpfs_fsync(struct file *f, u32 data_only);

/* A new inode, referenced by the caller. `private` becomes its own (freed on failure). */
int tmpfs_new(struct superblock *sb, const struct inode *dir, u32 mode, void *private, struct inode **out);
/* The private part of a new directory; NULL: no memory. */
void *tmpfs_dir_alloc(void);
void tmpfs_inode_fini(struct inode *inode);
int tmpfs_mkdir(struct inode *dir, const struct qstr *name, u32 mode, struct inode **out);
int tmpfs_symlink(struct inode *dir, const struct qstr *name, const char *target, struct inode **out);
