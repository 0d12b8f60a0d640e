#include "fs/anon.h"

#include "fs/file.h"
#include "fs/inode.h"
#include "lib/printf.h"

#define ANON_DEV 0xffu /* st_dev 0:255; mounted superblocks count from 0:1 */

static struct atomic64 next_ino;
static const struct super_ops anon_super_ops;
static struct fs_type anon_type = {.name = "anon", .link = LIST_INIT(anon_type.link)};
static struct superblock anon_sb;

void anon_init(void)
{
	struct superblock *sb = &anon_sb;

	sb->type = &anon_type;
	sb->ops = &anon_super_ops;
	sb->block_size = PAGE_SIZE;
	sb->dev = ANON_DEV;
	sb->max_size = (1ul << 63) - 1;
	mutex_init(&sb->rename_lock, "rename", RANK_RENAME);
	mutex_init(&sb->dirty_lock, "dirty inodes", RANK_SLEEP_LEAF);
	list_init(&sb->dirty);
	list_init(&sb->inodes);
	list_init(&sb->link);
	refcount_init(&sb->refs, 1);
}

struct inode *anon_inode_create(u32 mode, const char *kind)
{
	const struct cred *cred = cred_current();
	struct inode *inode = inode_create(&anon_sb, atomic64_inc_return(&next_ino));

	if (!inode)
		return NULL;
	inode->mode = mode;
	inode->uid = cred->fsuid;
	inode->gid = cred->fsgid;
	inode->atime = inode->mtime = inode->ctime = time_wall();
	inode->private = (void *)(uintptr_t)kind;
	inode_unhash(inode);
	inode_publish(inode);
	return inode;
}

const char *file_anon_name(struct file *f, char *buf, size_t size)
{
	const struct inode *inode = f->inode;

	if (!inode || inode->sb != &anon_sb)
		return NULL;
	if (S_ISFIFO(inode->mode))
		snprintf(buf, size, "%s:[%lu]", (const char *)inode->private, inode->ino);
	else
		snprintf(buf, size, "anon_inode:%s", (const char *)inode->private);
	return buf;
}
