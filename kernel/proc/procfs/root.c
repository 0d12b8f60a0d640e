/* The file system itself: inodes made from entries, directories, and the reading and writing of texts. */
#include "fs/fs.h"
#include "lib/err.h"
#include "lib/errno.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/slab.h"
#include "mm/uio.h"
#include "proc/proc.h"
#include "proc/procfs/procfs.h"

#define PROC_MAGIC    0x9fa0
#define PROC_ROOT_INO 1
#define POS_ENTRIES   2    /* after "." and ".." */
#define POS_NUMBERS   4096 /* a number's position is this plus the number: it does not change when others come or go */
#define STORE_MAX     4095
#define NUMBER_MAX    10000000ul

static struct spinlock text_lock = SPINLOCK_INIT("proc text", RANK_LEAF); /* file->private of open texts */

static const struct proc_node *inode_node(const struct inode *inode)
{
	return inode->private;
}

/* ---- texts as files ---- */

static struct text *text_of_file(struct file *f)
{
	u64 flags = spin_lock_irqsave(&text_lock);
	struct text *t = f->private;

	if (t)
		refcount_get(&t->refs);
	spin_unlock_irqrestore(&text_lock, flags);
	return t;
}

/* Takes over the reference. */
static void text_set(struct file *f, struct text *t)
{
	u64 flags = spin_lock_irqsave(&text_lock);
	struct text *old = f->private;

	f->private = t;
	spin_unlock_irqrestore(&text_lock, flags);
	if (old)
		text_put(old);
}

static int text_build(struct file *f, struct text **out)
{
	const struct proc_node *n = inode_node(f->inode);
	struct text *t;
	int err;

	if (n->entry->flags & ENTRY_PRIVATE) {
		err = node_may_look(n);
		if (err)
			return err;
	}
	t = text_create();
	if (!t)
		return -ENOMEM;
	err = n->entry->show(t, n);
	if (!err)
		err = t->err;
	if (err) {
		text_put(t);
		return err;
	}
	refcount_get(&t->refs);
	text_set(f, t);
	*out = t;
	return 0;
}

static ssize_t proc_read(struct file *f, struct uio *uio, s64 *pos)
{
	struct text *t = *pos ? text_of_file(f) : NULL;
	ssize_t n;
	int err;

	if (!inode_node(f->inode)->entry->show)
		return -EINVAL;
	if (!t) {
		err = text_build(f, &t);
		if (err)
			return err;
	}
	n = text_copy(t, uio, pos);
	text_put(t);
	return n;
}

static ssize_t proc_write(struct file *f, struct uio *uio, s64 *pos)
{
	const struct proc_node *n = inode_node(f->inode);
	u64 count = uio->count, len = MIN(count, (u64)STORE_MAX);
	char *buf;
	int err;

	if (!n->entry->store)
		return -EIO;
	buf = kmalloc(len + 1, 0);
	if (!buf)
		return -ENOMEM;
	err = uio_copy_from(uio, buf, len);
	buf[len] = 0;
	while (len && buf[len - 1] == '\n')
		buf[--len] = 0;
	if (!err)
		err = n->entry->store(n, buf);
	kfree(buf);
	if (err)
		return err;
	*pos += (s64)count;
	return (ssize_t)count;
}

static void proc_release(struct file *f)
{
	text_set(f, NULL);
}

static const struct file_ops proc_file_ops = {.read = proc_read, .write = proc_write, .release = proc_release};

/* ---- inodes ---- */

static const struct inode_ops system_ops, system_link_ops, pid_ops, owner_ops, private_ops, magic_ops;

/* The same in stat and in a directory listing: who, which entry, which descriptor. */
static u64 node_ino(const struct proc_node *n)
{
	u64 owner = (u64)(u32)(n->tid ? n->tid : n->pid) << 32;

	if (n->fd >= 0)
		return owner | BIT(31) | (S_ISLNK(n->entry->mode) ? 0 : BIT(29)) | (u32)n->fd;
	return owner | (n->tid ? BIT(30) : 0) | ((uintptr_t)n->entry & (BIT(29) - 1));
}

static const struct inode_ops *node_ops(const struct proc_node *n)
{
	const struct proc_entry *e = n->entry;

	if (!n->pid)
		return S_ISLNK(e->mode) ? &system_link_ops : &system_ops;
	if (e->follow)
		return &magic_ops;
	if (e->dir == &pid_dir || e->dir == &threads_dir)
		return &owner_ops;
	return e->flags & ENTRY_PRIVATE ? &private_ops : &pid_ops;
}

static const struct file_ops proc_dir_fops;

static int node_inode(struct superblock *sb, const struct proc_node *n, struct inode **out)
{
	struct proc_node *copy = kmalloc(sizeof(*copy), 0);
	struct inode *inode;

	if (!copy)
		return -ENOMEM;
	*copy = *n;
	inode = inode_create(sb, n->entry == sb->private ? PROC_ROOT_INO : node_ino(n));
	if (!inode) {
		kfree(copy);
		return -ENOMEM;
	}
	inode->private = copy;
	inode->mode = n->entry->mode;
	inode->ops = node_ops(n);
	if (S_ISDIR(inode->mode))
		inode->fops = &proc_dir_fops;
	else if (S_ISREG(inode->mode))
		inode->fops = n->entry->fops ? n->entry->fops : &proc_file_ops;
	inode->atime = inode->mtime = inode->ctime = time_wall();
	/* Out of the cache: its name alone keeps it. */
	inode_unhash(inode);
	inode_publish(inode);
	if (inode->ops->refresh)
		inode->ops->refresh(inode);
	*out = inode;
	return 0;
}

/* Owner and mode as they are now. */
static void pid_refresh(struct inode *inode)
{
	const struct proc_node *n = inode_node(inode);
	struct task *t = node_task(n);
	u32 uid, gid, mode;

	if (!t)
		return;
	task_owner(t, &uid, &gid);
	task_put(t);
	WRITE_ONCE(inode->uid, uid);
	WRITE_ONCE(inode->gid, gid);
	if (n->fd >= 0 && n->entry->follow && fd_node_open(n, &mode))
		WRITE_ONCE(inode->mode, mode);
}

static int pid_revalidate(struct inode *inode)
{
	const struct proc_node *n = inode_node(inode);
	struct task *t = node_task(n);
	u32 mode;

	if (!t)
		return 0;
	task_put(t);
	if (n->fd >= 0 && !fd_node_open(n, &mode))
		return 0;
	pid_refresh(inode);
	return 1;
}

/* Who may look has the owner's bits. A directory of a process that is gone has no names (-ENOENT), as on Linux. */
static int private_permission(struct inode *inode, u32 mask)
{
	int err = node_may_look(inode_node(inode));

	if (err && !(err == -ESRCH && S_ISDIR(inode->mode)))
		return err;
	if (cred_current()->fsuid != 0 && ((inode->mode >> 6) & mask & 7) != (mask & 7))
		return -EACCES;
	return 0;
}

/* Of a process and of its threads: names in it are not asked for when it is gone, as Linux has it. */
static int owner_permission(struct inode *inode, u32 mask)
{
	struct task *t = node_task(inode_node(inode));

	if (!t)
		return -ESRCH;
	task_put(t);
	return (mask & MAY_WRITE) && cred_current()->fsuid != 0 ? -EACCES : 0;
}

static int proc_setattr(struct inode *inode, const struct inode_attr *attr)
{
	return attr->valid & (ATTR_MODE | ATTR_UID | ATTR_GID) ? -EPERM : 0;
}

static int proc_readlink(struct inode *inode, char *buf, size_t size)
{
	const struct proc_node *n = inode_node(inode);

	return n->entry->readlink(n, buf, size);
}

static int magic_readlink(struct inode *inode, char *buf, size_t size)
{
	int err = node_may_look(inode_node(inode));

	return err ? err : proc_readlink(inode, buf, size);
}

static int magic_follow(struct inode *inode, struct path *out)
{
	const struct proc_node *n = inode_node(inode);
	int err = node_may_look(n);

	return err ? err : n->entry->follow(n, out);
}

/* ---- directories ---- */

/* A decimal number as it would be printed. */
static bool name_number(const struct qstr *name, u64 *out)
{
	u64 v = 0;

	if (name->len > 8 || (name->name[0] == '0' && name->len > 1))
		return false;
	for (u32 i = 0; i < name->len; i++) {
		if (!char_is_digit(name->name[i]))
			return false;
		v = v * 10 + (u64)(name->name[i] - '0');
	}
	*out = v;
	return v < NUMBER_MAX;
}

static int node_child(const struct proc_node *dir, const struct qstr *name, struct proc_node *child)
{
	const struct proc_dir *d = dir->entry->dir;
	u64 number;

	*child = *dir;
	for (u32 i = 0; i < d->nr; i++) {
		const char *s = d->entries[i].name;

		if (strlen(s) == name->len && memcmp(s, name->name, name->len) == 0) {
			child->entry = &d->entries[i];
			return 0;
		}
	}
	if (!d->number || !name_number(name, &number))
		return -ENOENT;
	return d->number(dir, number, child);
}

static int proc_lookup(struct inode *dir, const struct qstr *name, struct inode **out)
{
	const struct proc_node *n = inode_node(dir);
	struct proc_node child;
	int err;

	if (n->pid && !pid_revalidate(dir))
		return -ENOENT;
	err = node_child(n, name, &child);
	return err ? err : node_inode(dir->sb, &child, out);
}

static int emit_numbers(struct file *f, const struct proc_node *n, struct dir_sink *sink)
{
	const struct proc_dir *d = n->entry->dir;
	struct proc_node child;
	char name[24];
	s64 nr;

	while ((nr = d->next(n, (u64)f->pos - POS_NUMBERS)) >= 0) {
		u32 len = (u32)scnprintf(name, sizeof(name), "%ld", nr);

		f->pos = POS_NUMBERS + nr;
		child = *n;
		/* It may have gone since: then it is not listed. */
		if (d->number(n, (u64)nr, &child) == 0 &&
			sink->emit(sink, name, len, node_ino(&child), dir_type(child.entry->mode), (u64)f->pos + 1))
			return 1;
		f->pos++;
	}
	return 0;
}

static int proc_iterate(struct file *f, struct dir_sink *sink)
{
	const struct proc_node *n = inode_node(f->inode);
	const struct proc_dir *d = n->entry->dir;
	struct proc_node child;

	if (n->pid && !pid_revalidate(f->inode))
		return -ENOENT;
	if (dir_emit_dots(f, sink))
		return 0;
	for (; f->pos < POS_ENTRIES + d->nr; f->pos++) {
		const struct proc_entry *e = &d->entries[f->pos - POS_ENTRIES];

		child = *n;
		child.entry = e;
		if (sink->emit(
			    sink, e->name, (u32)strlen(e->name), node_ino(&child), dir_type(e->mode), (u64)f->pos + 1))
			return 0;
	}
	if (!d->number)
		return 0;
	if (f->pos < POS_NUMBERS)
		f->pos = POS_NUMBERS;
	emit_numbers(f, n, sink);
	return 0;
}

static const struct file_ops proc_dir_fops = {.iterate = proc_iterate};

static const struct inode_ops system_ops = {.lookup = proc_lookup, .setattr = proc_setattr};
static const struct inode_ops system_link_ops = {.readlink = proc_readlink, .setattr = proc_setattr};
static const struct inode_ops pid_ops = {
	.lookup = proc_lookup,
	.setattr = proc_setattr,
	.refresh = pid_refresh,
	.revalidate = pid_revalidate,
};
static const struct inode_ops owner_ops = {
	.lookup = proc_lookup,
	.setattr = proc_setattr,
	.refresh = pid_refresh,
	.revalidate = pid_revalidate,
	.permission = owner_permission,
};
static const struct inode_ops private_ops = {
	.lookup = proc_lookup,
	.setattr = proc_setattr,
	.refresh = pid_refresh,
	.revalidate = pid_revalidate,
	.permission = private_permission,
};
static const struct inode_ops magic_ops = {
	.readlink = magic_readlink,
	.follow = magic_follow,
	.setattr = proc_setattr,
	.refresh = pid_refresh,
	.revalidate = pid_revalidate,
};

/* ---- the superblock ---- */

static void proc_inode_fini(struct inode *inode)
{
	kfree(inode->private);
}

static int proc_statfs(struct superblock *sb, struct statfs_info *out)
{
	out->type = PROC_MAGIC;
	out->bsize = PAGE_SIZE;
	out->namelen = NAME_MAX;
	return 0;
}

static const struct super_ops proc_super_ops = {.inode_fini = proc_inode_fini, .statfs = proc_statfs};

static struct proc_dir root_dir = {.number = process_number, .next = process_next_number};
static const struct proc_entry root_entry = {.name = "/", .mode = S_IFDIR | 0555, .dir = &root_dir};

static int procfs_mount(struct superblock *sb, const char *options)
{
	struct proc_node root = {.entry = &root_entry, .fd = -1};

	sb->ops = &proc_super_ops;
	sb->private = (void *)&root_entry;
	return node_inode(sb, &root, &sb->root);
}

static struct fs_type procfs_type = {.name = "proc", .dynamic = 1, .mount = procfs_mount};

void procfs_init(void)
{
	root_dir.entries = root_entries;
	root_dir.nr = nr_root_entries;
	fs_register(&procfs_type);
}
