// host-sources: kernel/fs/chrdev.c kernel/fs/dcache.c kernel/fs/devfs.c kernel/fs/dir.c kernel/fs/fdtable.c kernel/fs/file.c kernel/fs/fs_context.c kernel/fs/inode.c kernel/fs/inode_attr.c kernel/fs/lock.c kernel/fs/mount.c kernel/fs/open.c kernel/fs/path.c kernel/fs/path_ops.c kernel/fs/perm.c kernel/fs/super.c kernel/fs/tmpfs.c kernel/fs/tmpfs_super.c kernel/mm/frame.c kernel/mm/frame_boot.c kernel/mm/frame_wait.c kernel/mm/reclaim.c kernel/mm/slab.c kernel/lib/string.c kernel/lib/parse.c kernel/lib/printf.c kernel/lib/bitmap.c kernel/lib/hash.c kernel/sync/spinlock.c kernel/sync/mutex.c kernel/sync/rwlock.c kernel/sync/waitq.c
/*
 * Names: the walk, the name cache, changes by name and mounts, over a tmpfs as root. Random operations are compared with a
 * simple tree; the errors are those of Linux. At the end everything is unmounted and nothing may be left.
 */
#include "dev/block.h"
#include "dev/chardev.h"
#include "dev/dev.h"
#include "fs/buf.h"
#include "fs/fs.h"
#include "fs/lock.h"
#include "lib/cmdline.h"
#include "lib/err.h"
#include "lib/errno.h"
#include "mm/uio.h"
#include "mm/usercopy.h"
#define ENV_OWN_CLOCK
#include "mm_env.h"

#include "fs_kernel.h"

/* ---- small helpers ---- */

static int make_file(const char *name)
{
	struct file *f;
	int err = file_open(NULL, name, O_CREAT | O_EXCL | O_WRONLY, 0644, &f);

	if (!err)
		file_put(f);
	return err;
}

static int try_open(const char *name, u32 flags)
{
	struct file *f;
	int err = file_open(NULL, name, flags, 0644, &f);

	if (!err)
		file_put(f);
	return err;
}

static int find(const char *name, u32 flags)
{
	struct path p;
	int err = path_walk(NULL, name, flags, &p);

	if (!err)
		path_put(&p);
	return err;
}

static void expect_name(const char *walk, const char *name)
{
	struct path p;
	char buf[300], *text;

	ASSERT(path_walk(NULL, walk, WALK_FOLLOW, &p) == 0);
	text = path_name(&p, buf, sizeof(buf));
	if (IS_ERR(text) || strcmp(text, name) != 0)
		panic("%s is %s, not %s", walk, IS_ERR(text) ? "?" : text, name);
	path_put(&p);
}

#define EXPECT(call, want)                                                                 \
	do {                                                                               \
		int got_ = (call);                                                         \
		if (got_ != (want))                                                        \
			panic("line %d: %s gave %d, not %d", __LINE__, #call, got_, want); \
	} while (0)

/* ---- the model ---- */

#define NAMES 4
struct node {
	struct node *parent, *child[NAMES]; /* child: NULL for a file */
	int is_dir, links;
};
static struct node *tree;

static int node_empty(const struct node *n)
{
	for (int i = 0; i < NAMES; i++)
		if (n->child[i])
			return 0;
	return 1;
}

static int node_below(const struct node *n, const struct node *above)
{
	for (; n; n = n->parent)
		if (n == above)
			return 1;
	return 0;
}

/* Levels in n, itself included. */
static int node_height(const struct node *n)
{
	int high = 0;

	for (int i = 0; i < NAMES; i++)
		if (n->child[i])
			high = MAX(high, node_height(n->child[i]));
	return high + 1;
}

static int node_depth(const struct node *n)
{
	int depth = 0;

	for (; n->parent; n = n->parent)
		depth++;
	return depth;
}

struct place {
	char name[40];
	struct node *dir; /* NULL: err says why */
	int last, err;
};

static void random_place(struct place *p)
{
	u32 depth = 1 + (u32)env_rand(4);
	struct node *n = tree;

	p->name[0] = 0;
	p->err = 0;
	for (u32 i = 0; i < depth; i++) {
		int c = (int)env_rand(NAMES);

		strcat(p->name, "/");
		strcat(p->name, env_rand(8) ? "" : "./");
		strncat(p->name, &"abcd"[c], 1);
		if (i == depth - 1) {
			p->last = c;
			p->dir = n;
			if (!p->err && !n->is_dir)
				p->err = -ENOTDIR;
			return;
		}
		if (p->err)
			continue;
		if (!n->is_dir)
			p->err = -ENOTDIR;
		else if (!n->child[c])
			p->err = -ENOENT;
		else
			n = n->child[c];
	}
}

static int model_make(struct place *p, int is_dir)
{
	struct node *n;

	if (p->err)
		return p->err;
	if (p->dir->child[p->last])
		return -EEXIST;
	n = calloc(1, sizeof(*n));
	n->parent = p->dir;
	n->is_dir = is_dir;
	n->links = 1;
	p->dir->child[p->last] = n;
	return 0;
}

static void model_drop(struct node *n)
{
	if (--n->links == 0)
		free(n);
}

static int model_remove(struct place *p, int is_dir)
{
	struct node *n;

	if (p->err)
		return p->err;
	n = p->dir->child[p->last];
	if (!n)
		return -ENOENT;
	if (is_dir && !n->is_dir)
		return -ENOTDIR;
	if (!is_dir && n->is_dir)
		return -EISDIR;
	if (is_dir && !node_empty(n))
		return -ENOTEMPTY;
	p->dir->child[p->last] = NULL;
	model_drop(n);
	return 0;
}

static int model_rename(struct place *a, struct place *b, u32 flags)
{
	struct node *old, *new;

	if (a->err || b->err)
		return a->err ? a->err : b->err;
	old = a->dir->child[a->last];
	new = b->dir->child[b->last];
	if (!old)
		return -ENOENT;
	if (new && (flags & RENAME_NOREPLACE))
		return -EEXIST;
	if (!new && (flags & RENAME_EXCHANGE))
		return -ENOENT;
	if (old->is_dir && node_below(b->dir, old))
		return -EINVAL;
	if (new &&new->is_dir && node_below(a->dir, new))
		return flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	if (new && !(flags & RENAME_EXCHANGE)) {
		if (old->is_dir && !new->is_dir)
			return -ENOTDIR;
		if (!old->is_dir && new->is_dir)
			return -EISDIR;
	}
	if (new == old)
		return 0;
	if (flags & RENAME_EXCHANGE) {
		a->dir->child[a->last] = new;
		b->dir->child[b->last] = old;
		new->parent = a->dir;
		old->parent = b->dir;
		return 0;
	}
	if (new &&new->is_dir && !node_empty(new))
		return -ENOTEMPTY;
	a->dir->child[a->last] = NULL;
	b->dir->child[b->last] = old;
	old->parent = b->dir;
	if (new)
		model_drop(new);
	return 0;
}

static int model_link(struct place *a, struct place *b)
{
	struct node *old;

	if (a->err)
		return a->err;
	old = a->dir->child[a->last];
	if (!old)
		return -ENOENT;
	if (old->is_dir)
		return -EPERM;
	if (b->err)
		return b->err;
	if (b->dir->child[b->last])
		return -EEXIST;
	b->dir->child[b->last] = old;
	old->links++;
	return 0;
}

static int real_link(const char *a, const char *b)
{
	struct path p;
	int err = path_walk(NULL, a, 0, &p);

	if (err)
		return err;
	err = path_link(&p, NULL, b);
	path_put(&p);
	return err;
}

struct counting_sink {
	struct dir_sink sink;
	u32 seen, nr, stop_after;
};

static int count_entry(struct dir_sink *s, const char *name, u32 len, u64 ino, u8 dtype, u64 next_pos)
{
	struct counting_sink *c = container_of(s, struct counting_sink, sink);

	if (c->nr == c->stop_after)
		return 1;
	c->nr++;
	if (len == 1 && name[0] >= 'a' && name[0] <= 'd')
		c->seen |= 1u << (name[0] - 'a');
	return 0;
}

/* The directory shows what the model says, read a piece at a time. */
static void check_dir(const char *name, const struct node *n)
{
	struct counting_sink c = {.sink.emit = count_entry, .stop_after = 1 + (u32)env_rand(3)};
	struct file *f;
	u32 want = 0, got;

	EXPECT(file_open(NULL, name, O_RDONLY | O_DIRECTORY, 0, &f), 0);
	ASSERT(f->inode->nlink >= 2);
	do {
		c.nr = 0;
		ASSERT(file_iterate(f, &c.sink) == 0);
		got = c.nr;
	} while (got);
	file_put(f);
	for (int i = 0; i < NAMES; i++)
		want |= n->child[i] ? 1u << i : 0;
	ASSERT(c.seen == want);
}

static void check_tree(struct node *n, char *name)
{
	size_t len = strlen(name);
	struct path p;
	u32 dirs = 2;

	check_dir(len ? name : "/", n);
	for (int i = 0; i < NAMES; i++) {
		name[len] = '/';
		name[len + 1] = "abcd"[i];
		name[len + 2] = 0;
		if (!n->child[i]) {
			EXPECT(find(name, 0), -ENOENT);
			continue;
		}
		EXPECT(path_walk(NULL, name, 0, &p), 0);
		ASSERT(!S_ISDIR(path_inode(&p)->mode) == !n->child[i]->is_dir);
		if (!n->child[i]->is_dir)
			ASSERT((int)path_inode(&p)->nlink == n->child[i]->links);
		path_put(&p);
		if (n->child[i]->is_dir) {
			dirs++;
			expect_name(name, name);
			check_tree(n->child[i], name);
		}
	}
	name[len] = 0;
	EXPECT(path_walk(NULL, len ? name : "/", 0, &p), 0);
	ASSERT(path_inode(&p)->nlink == dirs);
	path_put(&p);
}

static void random_step(void)
{
	static const u32 flags[] = {0, 0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE};
	struct place a, b;
	u32 f;

	random_place(&a);
	random_place(&b);
	switch (env_rand(7)) {
	case 0: EXPECT(make_file(a.name), model_make(&a, 0)); break;
	case 1:
	case 2: EXPECT(path_mkdir(NULL, a.name, 0755), model_make(&a, 1)); break;
	case 3: EXPECT(path_unlink(NULL, a.name), model_remove(&a, 0)); break;
	case 4: EXPECT(path_rmdir(NULL, a.name), model_remove(&a, 1)); break;
	case 5: EXPECT(real_link(a.name, b.name), model_link(&a, &b)); break;
	default:
		f = flags[env_rand(ARRAY_SIZE(flags))];
		/* Moves must not make the tree deeper than names reach. */
		if (!a.err && !b.err &&
			(node_height(a.dir) + node_depth(b.dir) > 9 || node_height(b.dir) + node_depth(a.dir) > 9))
			break;
		EXPECT(path_rename(NULL, a.name, NULL, b.name, f), model_rename(&a, &b, f));
	}
}

static void remove_all(struct node *n, char *name)
{
	size_t len = strlen(name);

	for (int i = 0; i < NAMES; i++) {
		if (!n->child[i])
			continue;
		name[len] = '/';
		name[len + 1] = "abcd"[i];
		name[len + 2] = 0;
		if (n->child[i]->is_dir) {
			remove_all(n->child[i], name);
			EXPECT(path_rmdir(NULL, name), 0);
		} else {
			EXPECT(path_unlink(NULL, name), 0);
		}
		model_drop(n->child[i]);
		n->child[i] = NULL;
	}
	name[len] = 0;
}

static void test_model(void)
{
	char name[64] = "";

	tree = calloc(1, sizeof(*tree));
	tree->is_dir = 1;
	for (u32 i = 0; i < 60000; i++) {
		random_step();
		if (i % 200 == 0)
			check_tree(tree, name);
		if (i % 5000 == 0)
			reclaim_pages(100);
	}
	check_tree(tree, name);
	remove_all(tree, name);
	free(tree);
}

/* ---- single behaviours ---- */

static void test_symlinks(void)
{
	char long_name[300];
	struct file *f;

	EXPECT(path_mkdir(NULL, "/s", 0755), 0);
	EXPECT(path_mkdir(NULL, "/s/d", 0755), 0);
	EXPECT(path_symlink("d", NULL, "/s/rel"), 0);
	EXPECT(path_symlink("/s/./d/", NULL, "/s/abs"), 0);
	EXPECT(path_symlink("loop2", NULL, "/s/loop1"), 0);
	EXPECT(path_symlink("loop1", NULL, "/s/loop2"), 0);
	EXPECT(path_symlink("d/made", NULL, "/s/dangling"), 0);
	EXPECT(path_symlink("", NULL, "/s/empty"), -ENOENT);
	EXPECT(path_symlink("x", NULL, "/s/slash/"), -ENOENT);
	expect_name("/s/rel", "/s/d");
	expect_name("/s/rel/..", "/s");
	expect_name("//s///abs//.//", "/s/d");
	EXPECT(find("/s/loop1", WALK_FOLLOW), -ELOOP);
	EXPECT(find("/s/loop1", 0), 0);
	EXPECT(find("/s/loop1/", 0), -ELOOP);
	EXPECT(find("/s/dangling", WALK_FOLLOW), -ENOENT);
	EXPECT(try_open("/s/dangling", O_CREAT | O_EXCL | O_WRONLY), -EEXIST);
	EXPECT(try_open("/s/dangling", O_CREAT | O_NOFOLLOW | O_WRONLY), -ELOOP);
	EXPECT(try_open("/s/dangling", O_CREAT | O_WRONLY), 0);
	EXPECT(find("/s/d/made", 0), 0);
	EXPECT(find("/s/d/made/", 0), -ENOTDIR);
	EXPECT(find("/s/d/made/x", 0), -ENOTDIR);
	EXPECT(try_open("/s/rel", O_NOFOLLOW), -ELOOP);
	EXPECT(try_open("/s/rel", O_NOFOLLOW | O_PATH), 0);
	EXPECT(try_open("/s/d/made", O_DIRECTORY), -ENOTDIR);
	EXPECT(try_open("/s/d", O_WRONLY), -EISDIR);
	EXPECT(try_open("/s/d", O_CREAT), -EISDIR);
	EXPECT(try_open("/s/new/", O_CREAT | O_WRONLY), -EISDIR);
	EXPECT(path_unlink(NULL, "/s/d"), -EISDIR);
	EXPECT(path_unlink(NULL, "/s/rel/"), -ENOTDIR);
	EXPECT(path_rmdir(NULL, "/s/rel"), -ENOTDIR);
	EXPECT(path_rmdir(NULL, "/s/d/."), -EINVAL);
	EXPECT(path_rmdir(NULL, "/s/d/.."), -ENOTEMPTY);
	EXPECT(path_rmdir(NULL, "/"), -EBUSY);
	EXPECT(path_mkdir(NULL, "/", 0755), -EEXIST);
	EXPECT(path_mkdir(NULL, "", 0755), -ENOENT);
	EXPECT(path_rename(NULL, "/s/d", NULL, "/s/d/e", 0), -EINVAL);
	EXPECT(path_rename(NULL, "/s/d", NULL, "/s/e/", 0), 0);
	EXPECT(path_rename(NULL, "/s/e", NULL, "/s/d", 0), 0);
	EXPECT(path_rename(NULL, "/s/rel", NULL, "/s/x/", 0), -ENOTDIR);
	EXPECT(path_rename(NULL, "/s/.", NULL, "/s/x", 0), -EBUSY);
	memset(long_name, 'n', 256);
	long_name[0] = '/';
	long_name[256] = 0;
	EXPECT(make_file(long_name), 0);
	EXPECT(path_unlink(NULL, long_name), 0);
	long_name[256] = 'n';
	long_name[257] = 0;
	EXPECT(make_file(long_name), -ENAMETOOLONG);
	EXPECT(file_open(NULL, "/s", O_TMPFILE | O_RDWR, 0600, &f), 0);
	ASSERT(f->inode->nlink == 0);
	EXPECT(path_link(&f->path, NULL, "/s/linked"), 0);
	ASSERT(f->inode->nlink == 1);
	file_put(f);
	EXPECT(path_unlink(NULL, "/s/linked"), 0);
	for (const char *const *n = (const char *const[]){"/s/d/made", "/s/rel", "/s/abs", "/s/loop1", "/s/loop2",
		     "/s/dangling", NULL};
		*n; n++)
		EXPECT(path_unlink(NULL, *n), 0);
	EXPECT(path_rmdir(NULL, "/s/d/"), 0);
	EXPECT(path_rmdir(NULL, "/s"), 0);
}

static void test_permissions(void)
{
	struct inode_attr attr = {.valid = ATTR_MODE, .mode = 01777};
	struct path p;

	EXPECT(path_mkdir(NULL, "/sticky", 0777), 0);
	EXPECT(path_walk(NULL, "/sticky", 0, &p), 0);
	EXPECT(path_setattr(&p, &attr), 0);
	path_put(&p);
	EXPECT(path_mkdir(NULL, "/closed", 0700), 0);
	EXPECT(make_file("/sticky/root"), 0);
	cred.fsuid = 7;
	EXPECT(find("/closed/x", 0), -EACCES);
	EXPECT(path_unlink(NULL, "/sticky/root"), -EPERM);
	EXPECT(try_open("/sticky/root", O_WRONLY), -EACCES);
	EXPECT(try_open("/sticky/root", O_RDONLY), 0);
	EXPECT(make_file("/sticky/mine"), 0);
	EXPECT(path_rename(NULL, "/sticky/mine", NULL, "/sticky/root", 0), -EPERM);
	EXPECT(path_unlink(NULL, "/sticky/mine"), 0);
	EXPECT(path_mknod(NULL, "/sticky/null", S_IFCHR | 0666, 0x103), -EPERM);
	EXPECT(make_file("/no"), -EACCES);
	cred.fsuid = 0;
	EXPECT(path_unlink(NULL, "/sticky/root"), 0);
	/* Executed files are not written, written files not executed. */
	EXPECT(make_file("/prog"), 0);
	EXPECT(path_walk(NULL, "/prog", 0, &p), 0);
	EXPECT(inode_deny_write(path_inode(&p)), 0);
	EXPECT(try_open("/prog", O_RDWR), -ETXTBSY);
	inode_allow_write(path_inode(&p));
	EXPECT(try_open("/prog", O_RDWR), 0);
	path_put(&p);
	EXPECT(path_unlink(NULL, "/prog"), 0);
	EXPECT(path_rmdir(NULL, "/sticky"), 0);
	EXPECT(path_rmdir(NULL, "/closed"), 0);
}

static void test_mounts(void)
{
	struct path p, cwd;
	struct file *f;
	char buf[64];

	EXPECT(path_mkdir(NULL, "/m", 0755), 0);
	EXPECT(path_walk(NULL, "/m", 0, &p), 0);
	EXPECT(mount_add("none", &p, "nosuch", 0, ""), -ENODEV);
	EXPECT(mount_add("none", &p, "tmpfs", 0, "size=x"), -EINVAL);
	EXPECT(mount_add("none", &p, "tmpfs", 0, "size=64K,nr_inodes=3,mode=755"), 0);
	path_put(&p);
	EXPECT(path_mkdir(NULL, "/m/d", 0755), 0);
	expect_name("/m/d/../../m/d", "/m/d");
	EXPECT(make_file("/m/f"), 0);
	EXPECT(make_file("/m/g"), -ENOSPC);
	EXPECT(path_rename(NULL, "/m/f", NULL, "/f", 0), -EXDEV);
	EXPECT(real_link("/m/f", "/f"), -EXDEV);
	EXPECT(path_rmdir(NULL, "/m"), -EBUSY);
	EXPECT(path_rename(NULL, "/m", NULL, "/n", 0), -EBUSY);
	EXPECT(file_open(NULL, "/m/f", O_RDWR, 0, &f), 0);
	EXPECT(path_walk(NULL, "/m", 0, &p), 0);
	EXPECT(mount_remove(&p, 0), -EBUSY);
	EXPECT(mount_remount(&p, MOUNT_RDONLY, ""), -EBUSY);
	file_put(f);
	EXPECT(mount_remount(&p, MOUNT_RDONLY, ""), 0);
	EXPECT(path_unlink(NULL, "/m/f"), -EROFS);
	EXPECT(make_file("/m/f"), -EEXIST);
	EXPECT(make_file("/m/h"), -EROFS);
	EXPECT(try_open("/m/f", O_WRONLY), -EROFS);
	EXPECT(mount_remount(&p, 0, "nr_inodes=10"), 0);
	EXPECT(make_file("/m/h"), 0);
	EXPECT(mount_remove(&p, 0), 0);
	path_put(&p);
	EXPECT(find("/m/f", 0), -ENOENT);
	/* A deleted current directory has no name; a chroot hides what is above. */
	EXPECT(path_walk(NULL, "/m", 0, &p), 0);
	fs_context_set_cwd(context, &p);
	EXPECT(path_rmdir(NULL, "/m"), 0);
	ASSERT(PTR_ERR(path_name(&p, buf, sizeof(buf))) == -ENOENT);
	EXPECT(find("x", 0), -ENOENT);
	EXPECT(make_file("x"), -ENOENT);
	EXPECT(find("..", 0), 0);
	path_put(&p);
	EXPECT(path_mkdir(NULL, "/jail", 0755), 0);
	fs_context_root(context, &cwd);
	fs_context_set_cwd(context, &cwd);
	EXPECT(path_walk(NULL, "/jail", 0, &p), 0);
	fs_context_set_root(context, &p);
	expect_name("/../..", "/");
	EXPECT(find("/jail", 0), -ENOENT);
	fs_context_set_root(context, &cwd);
	path_put(&cwd);
	path_put(&p);
	EXPECT(path_rmdir(NULL, "/jail"), 0);
}

static void test_devfs(void)
{
	struct counting_sink c = {.sink.emit = count_entry, .stop_after = 100};
	struct file *f;
	struct path p;

	EXPECT(path_mkdir(NULL, "/dev", 0755), 0);
	EXPECT(path_walk(NULL, "/dev", 0, &p), 0);
	EXPECT(mount_add("dev", &p, "devtmpfs", 0, ""), 0);
	path_put(&p);
	EXPECT(try_open("/dev/null", O_RDWR), 0);
	EXPECT(try_open("/dev/nothing", O_RDWR), -ENOENT);
	EXPECT(path_unlink(NULL, "/dev/null"), -EPERM);
	EXPECT(make_file("/dev/null"), -EEXIST);
	EXPECT(find("/dev/vda", 0), 0);
	EXPECT(make_file("/dev/shm/x"), 0);
	EXPECT(make_file("/dev/log"), 0);
	EXPECT(file_open(NULL, "/dev", O_RDONLY, 0, &f), 0);
	ASSERT(file_iterate(f, &c.sink) == 0);
	ASSERT(c.nr == 2 + 7 + 2); /* dots; shm pts fd stdin stdout stderr log; null vda */
	file_put(f);
	EXPECT(path_walk(NULL, "/dev", 0, &p), 0);
	EXPECT(mount_remove(&p, 0), 0);
	path_put(&p);
	EXPECT(path_rmdir(NULL, "/dev"), 0);
}

static void test_descriptors(void)
{
	struct fdtable *t = fdtable_create(), *copy;
	struct file *f;
	int fd;

	EXPECT(file_open(NULL, "/", O_RDONLY, 0, &f), 0);
	for (int i = 0; i < 300; i++) {
		fd = fd_reserve(t, 0, 1024);
		ASSERT(fd == i);
		file_get(f);
		fd_install(t, fd, f, i % 2 ? 1 : 0);
	}
	EXPECT(fd_reserve(t, 0, 300), -EMFILE);
	EXPECT(fd_close(t, 77), 0);
	EXPECT(fd_close(t, 77), -EBADF);
	EXPECT(fd_reserve(t, 3, 1024), 77);
	fd_unreserve(t, 77);
	EXPECT(fd_reserve(t, 500, 1024), 500);
	fd_unreserve(t, 500);
	copy = fdtable_copy(t);
	fdtable_close_exec(copy);
	EXPECT(fd_next(copy, 1), 2);
	EXPECT(fd_cloexec(t, 1), 1);
	EXPECT(fd_close_range(copy, 10, ~0u, 0), 0);
	EXPECT(fd_next(copy, 9), -1);
	file_get(f);
	EXPECT(fd_dup_to(copy, f, 900, 1, 1024), 900);
	ASSERT(fd_get(copy, 900) == f);
	file_put(f);
	fdtable_put(copy);
	fdtable_put(t);
	ASSERT(refcount_read(&f->refs) == 1);
	file_put(f);
}

static int lock_ofd(struct file *f, enum record_cmd cmd, struct flock_k *fl)
{
	struct record_call call = {.cmd = cmd, .owner = RECORD_OFD, .pid = 1};

	return lock_record(f, &call, fl);
}

static void test_locks(void)
{
	struct flock_k fl = {.type = F_WRLCK, .start = 10, .len = 10};
	struct file *a, *b;

	EXPECT(make_file("/lock"), 0);
	EXPECT(file_open(NULL, "/lock", O_RDWR, 0, &a), 0);
	EXPECT(file_open(NULL, "/lock", O_RDWR, 0, &b), 0);
	EXPECT(lock_flock(a, LOCK_EX | LOCK_NB), 0);
	EXPECT(lock_flock(b, LOCK_SH | LOCK_NB), -EAGAIN);
	EXPECT(lock_flock(a, LOCK_UN), 0);
	EXPECT(lock_flock(b, LOCK_SH | LOCK_NB), 0);
	EXPECT(lock_ofd(a, RECORD_SET, &fl), 0);
	EXPECT(lock_ofd(b, RECORD_SET, &fl), -EAGAIN);
	fl = (struct flock_k){.type = F_UNLCK, .start = 12, .len = 2};
	EXPECT(lock_ofd(a, RECORD_SET, &fl), 0);
	fl = (struct flock_k){.type = F_WRLCK, .start = 12, .len = 2};
	EXPECT(lock_ofd(b, RECORD_SET, &fl), 0);
	fl = (struct flock_k){.type = F_WRLCK, .start = 0, .len = 0};
	EXPECT(lock_ofd(b, RECORD_GET, &fl), 0);
	ASSERT(fl.type == F_WRLCK && ((fl.start == 10 && fl.len == 2) || (fl.start == 14 && fl.len == 6)));
	file_put(a);
	fl = (struct flock_k){.type = F_WRLCK, .start = 0, .len = 0};
	EXPECT(lock_ofd(b, RECORD_SET, &fl), 0);
	file_put(b);
	EXPECT(path_unlink(NULL, "/lock"), 0);
}

/* Every operation, with each of its allocations failing in turn. */
static void test_no_memory(void)
{
	u32 k;
	int err;

#define UNTIL_DONE(call)                                                       \
	for (k = 1, err = -ENOMEM; err; k++) {                                 \
		alloc_fail_nth(k);                                             \
		err = (call);                                                  \
		alloc_fail_nth(0);                                             \
		if (err && err != -ENOMEM && err != -ENFILE && err != -ENOLCK) \
			panic("line %d: %s gave %d", __LINE__, #call, err);    \
		reclaim_pages(1000);                                           \
	}
	UNTIL_DONE(path_mkdir(NULL, "/k", 0755));
	UNTIL_DONE(make_file("/k/f"));
	UNTIL_DONE(path_symlink("f", NULL, "/k/l"));
	UNTIL_DONE(try_open("/k/l", O_RDWR));
	UNTIL_DONE(real_link("/k/f", "/k/g"));
	UNTIL_DONE(path_rename(NULL, "/k/g", NULL, "/k/h", 0));
	UNTIL_DONE(path_unlink(NULL, "/k/h"));
	UNTIL_DONE(path_unlink(NULL, "/k/l"));
	UNTIL_DONE(path_unlink(NULL, "/k/f"));
	UNTIL_DONE(path_rmdir(NULL, "/k"));
}

int main(void)
{
	u64 before;

	env_start(64);
	strcpy(null_device.name, "null");
	null_device.rdev = 0x103;
	null_device.mode = 0666;
	null_device.ops = &null_ops;
	fs_init();
	EXPECT(fs_mount_root("vda", 0), 0);
	context = fs_context_create();
	table = fdtable_create();
	reclaim_pages(10000);
	before = env_leaks();
	test_symlinks();
	test_permissions();
	test_mounts();
	test_devfs();
	test_descriptors();
	test_locks();
	test_no_memory();
	test_model();
	reclaim_pages(10000);
	if (env_leaks() != before)
		panic("leaked: %lu objects before, %lu now", before, env_leaks());
	frame_check();
	printf("fs_test: ok\n");
	return 0;
}
