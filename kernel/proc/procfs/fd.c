/* A process's open files: fd/ (links to the places) and fdinfo/. */
#include "fs/anon.h"
#include "lib/err.h"
#include "lib/errno.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "proc/procfs/procfs.h"

static struct fdtable *node_files(const struct proc_node *n)
{
	struct task *t = node_task(n);
	struct fdtable *files;

	if (!t)
		return NULL;
	files = task_files(t);
	task_put(t);
	return files;
}

/* Context: no locks: the file may be the last reference. */
static struct file *node_file(const struct proc_node *n)
{
	struct fdtable *files = node_files(n);
	struct file *f;

	if (!files)
		return NULL;
	f = fd_get_shared(files, (u32)n->fd);
	fdtable_unlook(files);
	return f;
}

/* Called under the directory's lock too, where no file may be put. */
static int node_peek(const struct proc_node *n, struct fd_info *out)
{
	struct fdtable *files = node_files(n);
	int err;

	if (!files)
		return -ESRCH;
	err = fd_peek(files, n->fd, out);
	fdtable_unlook(files);
	return err;
}

bool fd_node_open(const struct proc_node *n, u32 *mode)
{
	struct fd_info info;

	if (node_peek(n, &info) != 0)
		return false;
	*mode = S_IFLNK | (info.mode & FMODE_READ ? 0500 : 0) | (info.mode & FMODE_WRITE ? 0300 : 0);
	return true;
}

static int fd_follow(const struct proc_node *n, struct path *out)
{
	struct file *f = node_file(n);
	int err;

	if (!f)
		return -ENOENT;
	err = file_path(f, out);
	file_put(f);
	return err;
}

static int fd_readlink(const struct proc_node *n, char *buf, size_t size)
{
	struct file *f = node_file(n);
	const char *name;
	struct path p;
	int len;

	if (!f)
		return -ENOENT;
	name = file_anon_name(f, buf, size);
	if (!name) {
		len = file_path(f, &p);
		name = len ? ERR_PTR(len) : path_describe(&p, buf, size);
		if (!len)
			path_put(&p);
	}
	len = IS_ERR(name) ? (int)PTR_ERR(name) : (int)strlen(name);
	if (len >= 0)
		memmove(buf, name, (size_t)len + 1);
	file_put(f);
	return len;
}

static int show_fdinfo(struct text *t, const struct proc_node *n)
{
	struct fd_info info;

	if (node_peek(n, &info) != 0)
		return -ENOENT;
	text_printf(t, "pos:\t%li\nflags:\t0%o\nmnt_id:\t0\nino:\t%lu\n", info.pos, info.flags, info.ino);
	return 0;
}

/* ---- directories ---- */

static const struct proc_entry fd_entry = {
	.name = "fd",
	.mode = S_IFLNK | 0700,
	.follow = fd_follow,
	.readlink = fd_readlink,
};
static const struct proc_entry fdinfo_entry = {
	.name = "fdinfo",
	.mode = S_IFREG | 0444,
	.flags = ENTRY_PRIVATE,
	.show = show_fdinfo,
};

static int fd_number(const struct proc_node *dir, u64 number, struct proc_node *child)
{
	u32 mode;

	child->entry = dir->entry->dir == &fd_dir ? &fd_entry : &fdinfo_entry;
	child->fd = (int)number;
	return fd_node_open(child, &mode) ? 0 : -ENOENT;
}

static s64 fd_next_number(const struct proc_node *dir, u64 from)
{
	struct fdtable *files = node_files(dir);
	s64 fd;

	if (!files)
		return -1;
	fd = from > INT32_MAX ? -1 : fd_next(files, (int)from);
	fdtable_unlook(files);
	return fd;
}

const struct proc_dir fd_dir = {.number = fd_number, .next = fd_next_number};
const struct proc_dir fdinfo_dir = {.number = fd_number, .next = fd_next_number};
