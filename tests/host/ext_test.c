// host-sources: kernel/fs/ext/balloc.c kernel/fs/ext/bmap.c kernel/fs/ext/dir.c kernel/fs/ext/dirindex.c kernel/fs/ext/extent.c kernel/fs/ext/file.c kernel/fs/ext/group.c kernel/fs/ext/ialloc.c kernel/fs/ext/inode.c kernel/fs/ext/map.c kernel/fs/ext/namei.c kernel/fs/ext/super.c kernel/fs/bdev.c kernel/fs/buf.c kernel/fs/pageio.c kernel/fs/pagecache.c kernel/fs/pagecache_obj.c kernel/fs/pagecache_rw.c kernel/fs/pagecache_reclaim.c kernel/fs/chrdev.c kernel/fs/dcache.c kernel/fs/devfs.c kernel/fs/dir.c kernel/fs/fdtable.c kernel/fs/file.c kernel/fs/fs_context.c kernel/fs/inode.c kernel/fs/inode_attr.c kernel/fs/lock.c kernel/fs/mount.c kernel/fs/open.c kernel/fs/path.c kernel/fs/path_ops.c kernel/fs/perm.c kernel/fs/super.c kernel/fs/tmpfs.c kernel/fs/tmpfs_super.c kernel/mm/frame.c kernel/mm/frame_boot.c kernel/mm/frame_wait.c kernel/mm/reclaim.c kernel/mm/slab.c kernel/lib/string.c kernel/lib/index.c kernel/lib/parse.c kernel/lib/printf.c kernel/lib/bitmap.c kernel/lib/hash.c kernel/sync/spinlock.c kernel/sync/mutex.c kernel/sync/rwlock.c kernel/sync/waitq.c
/*
 * ext on images of every kind that mke2fs makes: random operations through the real VFS and page cache against a model,
 * memory running out, devices failing, disks full, directories of thousands, files with far holes. After each unmount e2fsck must find nothing.
 */
#include "dev/chardev.h"
#include "dev/dev.h"
#include "fs/buf.h"
#include "fs/ext/ext.h"
#include "fs/fs.h"
#include "fs/lock.h"
#include "lib/cmdline.h"
#include "lib/err.h"
#include "mm/uio.h"
#include "mm/usercopy.h"
#define ENV_OWN_CLOCK
#include "mm_env.h"
#include "disk_env.h"

#include "ext_kernel.h"

/* ---- helpers ---- */

#define EXPECT(call, want)                                                                           \
	do {                                                                                         \
		long got_ = (call);                                                                  \
		if (got_ != (want))                                                                  \
			panic("line %d: %s gave %ld, not %ld", __LINE__, #call, got_, (long)(want)); \
	} while (0)

/* Runs an operation with each of its allocations failing in turn, until it succeeds or fails for another reason. */
static u32 fail_nth;
#define NOMEM(err) ((err) == -ENOMEM || (err) == -EIO || (err) == -ENFILE)
#define TRY(call)                                                                                \
	({                                                                                       \
		long e_ = -ENOMEM;                                                               \
		for (u32 k_ = 1; fail_nth && k_ < 60 && NOMEM(e_); k_ += 1 + (u32)env_rand(3)) { \
			alloc_fail_nth(k_);                                                      \
			e_ = (call);                                                             \
			alloc_fail_nth(0);                                                       \
		}                                                                                \
		if (NOMEM(e_))                                                                   \
			e_ = (call);                                                             \
		e_;                                                                              \
	})

static void disk_mount(u32 flags)
{
	struct path p;

	EXPECT(path_walk(NULL, "/mnt", WALK_FOLLOW, &p), 0);
	EXPECT(mount_add(disk_now->name, &p, "ext4", flags, ""), 0);
	path_put(&p);
}

static void disk_unmount(void)
{
	struct path p;
	struct inode *bdev = disk_now->fs_private;

	EXPECT(path_walk(NULL, "/mnt", WALK_FOLLOW, &p), 0);
	EXPECT(mount_remove(&p, 0), 0);
	path_put(&p);
	/* Nothing dirty may be left behind; then forget it, so that the next mount reads the image. */
	EXPECT(index_any_marked(&bdev->pages.index, PC_DIRTY), 0);
	pagecache_drop(&bdev->pages);
}

static void disk_cycle(const char *when)
{
	disk_unmount();
	disk_check(when);
	disk_mount(0);
}

static int open_file(const char *name, u32 flags, struct file **f)
{
	return file_open(NULL, name, flags, 0644, f);
}

static ssize_t write_at(struct file *f, const void *data, u64 len, s64 pos)
{
	struct uio u;

	uio_init_kernel(&u, (void *)(uintptr_t)data, len);
	return file_write(f, &u, &pos);
}

static ssize_t read_at(struct file *f, void *data, u64 len, s64 pos)
{
	struct uio u;

	uio_init_kernel(&u, data, len);
	return file_read(f, &u, &pos);
}

/* ---- the model ---- */

#define NAMES    5
#define MAX_SIZE (700 * 1024)
struct node {
	struct node *parent, *child[NAMES];
	u32 mode;
	int links;
	u32 size;
	u8 *data;     /* MAX_SIZE, for files */
	char *target; /* of a symlink */
};
static struct node *tree;
static u64 model_bytes, limit_bytes;

static struct node *node_new(struct node *parent, u32 mode)
{
	struct node *n = calloc(1, sizeof(*n));

	n->parent = parent;
	n->mode = mode;
	n->links = 1;
	if (S_ISREG(mode))
		n->data = calloc(1, MAX_SIZE);
	return n;
}

static void node_put(struct node *n)
{
	if (--n->links)
		return;
	model_bytes -= n->size;
	free(n->data);
	free(n->target);
	free(n);
}

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

static void tree_free(struct node *n)
{
	for (int i = 0; i < NAMES; i++)
		if (n->child[i])
			tree_free(n->child[i]);
	node_put(n);
}

static const char *const names[NAMES] = {"a", "bb", "a-name-of-middling-length", "d.ext",
	"the-longest-name-of-all-of-them-which-is-there-to-make-records-in-directories-differ-in-size-a-lot"};

struct place {
	char name[1000];
	struct node *dir, *node; /* node: what is there, or NULL */
	int last;
};

/* A name in an existing directory. */
static void random_place(struct place *p)
{
	struct node *n = tree;

	strcpy(p->name, "/mnt");
	for (;;) {
		int c = (int)env_rand(NAMES);

		strcat(p->name, "/");
		strcat(p->name, names[c]);
		p->dir = n;
		p->last = c;
		p->node = n->child[c];
		if (!p->node || !S_ISDIR(p->node->mode) || env_rand(3) == 0 || strlen(p->name) > 800)
			return;
		n = p->node;
	}
}

static struct node *place_make(struct place *p, u32 mode)
{
	return p->dir->child[p->last] = node_new(p->dir, mode);
}

static void check_file(const char *name, const struct node *n)
{
	static u8 buf[MAX_SIZE + 10];
	struct file *f;

	EXPECT(TRY(open_file(name, O_RDONLY, &f)), 0);
	EXPECT(f->inode->size, n->size);
	EXPECT(f->inode->nlink, n->links);
	EXPECT(TRY(read_at(f, buf, sizeof(buf), 0)) < 0, 0);
	EXPECT(read_at(f, buf, sizeof(buf), 0), n->size);
	for (u32 i = 0; i < n->size; i++)
		if (buf[i] != n->data[i])
			panic("%s: byte %u is %x, not %x", name, i, buf[i], n->data[i]);
	file_put(f);
}

static void check_tree(const char *name, const struct node *n)
{
	char child[1200], text[PATH_MAX];
	struct path p;

	EXPECT(path_walk(NULL, name, 0, &p), 0);
	EXPECT(path_inode(&p)->mode & S_IFMT, n->mode & S_IFMT);
	if (S_ISLNK(n->mode)) {
		EXPECT(path_readlink(&p, text, sizeof(text)), (long)strlen(n->target));
		EXPECT(memcmp(text, n->target, strlen(n->target)), 0);
	}
	path_put(&p);
	if (S_ISREG(n->mode))
		check_file(name, n);
	for (int i = 0; S_ISDIR(n->mode) && i < NAMES; i++) {
		snprintf(child, sizeof(child), "%s/%s", name, names[i]);
		if (n->child[i])
			check_tree(child, n->child[i]);
		else
			EXPECT(path_walk(NULL, child, 0, &p), -ENOENT);
	}
}

/* ---- random operations ---- */

static void op_create(void)
{
	struct place p;
	struct file *f;
	long err;

	random_place(&p);
	err = TRY(open_file(p.name, O_CREAT | O_EXCL | O_WRONLY, &f));
	EXPECT(err, p.node ? -EEXIST : 0);
	if (err == 0) {
		place_make(&p, S_IFREG);
		file_put(f);
	}
}

static void op_mkdir(void)
{
	struct place p;

	random_place(&p);
	EXPECT(TRY(path_mkdir(NULL, p.name, 0755)), p.node ? -EEXIST : 0);
	if (!p.node)
		place_make(&p, S_IFDIR);
}

static void op_symlink(void)
{
	char target[1000];
	struct place p;
	u32 len = 1 + (u32)env_rand(env_rand(2) ? 70 : 900);

	random_place(&p);
	memset(target, 'x', len);
	target[len] = 0;
	EXPECT(TRY(path_symlink(target, NULL, p.name)), p.node ? -EEXIST : 0);
	if (!p.node)
		place_make(&p, S_IFLNK)->target = strdup(target);
}

static void op_mknod(void)
{
	struct place p;
	u32 kinds[] = {S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK}, kind = kinds[env_rand(4)];

	random_place(&p);
	EXPECT(TRY(path_mknod(NULL, p.name, kind | 0600,
		       kind == S_IFCHR           ? 0x103
			       : kind == S_IFBLK ? 0x12345678
						 : 0)),
		p.node ? -EEXIST : 0);
	if (!p.node)
		place_make(&p, kind);
}

static void op_remove(void)
{
	struct place p;
	int want;

	random_place(&p);
	if (!p.node) {
		EXPECT(TRY(path_unlink(NULL, p.name)), -ENOENT);
		return;
	}
	want = S_ISDIR(p.node->mode) && !node_empty(p.node) ? -ENOTEMPTY : 0;
	EXPECT(S_ISDIR(p.node->mode) ? TRY(path_rmdir(NULL, p.name)) : TRY(path_unlink(NULL, p.name)), want);
	if (want == 0) {
		p.dir->child[p.last] = NULL;
		node_put(p.node);
	}
}

static int do_link(const char *from, const char *to)
{
	struct path p;
	int err = path_walk(NULL, from, 0, &p);

	if (err)
		return err;
	err = path_link(&p, NULL, to);
	path_put(&p);
	return err;
}

static void op_link(void)
{
	struct place a, b;

	random_place(&a);
	random_place(&b);
	if (!a.node || !S_ISREG(a.node->mode))
		return;
	EXPECT(TRY(do_link(a.name, b.name)), b.node ? -EEXIST : 0);
	if (!b.node) {
		b.dir->child[b.last] = a.node;
		a.node->links++;
	}
}

static int rename_want(const struct place *a, const struct place *b, u32 flags)
{
	u32 a_dir, b_dir;

	if (!a->node)
		return -ENOENT;
	if ((flags & RENAME_EXCHANGE) && !b->node)
		return -ENOENT;
	a_dir = S_ISDIR(a->node->mode);
	b_dir = b->node && S_ISDIR(b->node->mode);
	if (a_dir && node_below(b->dir, a->node))
		return -EINVAL;
	if (b_dir && node_below(a->dir, b->node))
		return flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	if (flags & RENAME_EXCHANGE || a->node == b->node)
		return 0;
	if (b->node && a_dir != b_dir)
		return a_dir ? -ENOTDIR : -EISDIR;
	return b_dir && !node_empty(b->node) ? -ENOTEMPTY : 0;
}

static void op_rename(void)
{
	struct place a, b;
	u32 flags = env_rand(4) == 0 ? RENAME_EXCHANGE : 0;
	int want;

	random_place(&a);
	random_place(&b);
	want = rename_want(&a, &b, flags);
	EXPECT(TRY(path_rename(NULL, a.name, NULL, b.name, flags)), want);
	if (want || a.node == b.node)
		return;
	b.dir->child[b.last] = a.node;
	a.dir->child[a.last] = flags ? b.node : NULL;
	if (S_ISDIR(a.node->mode))
		a.node->parent = b.dir;
	if (flags && S_ISDIR(b.node->mode))
		b.node->parent = a.dir;
	if (!flags && b.node)
		node_put(b.node);
}

static u32 random_size(void)
{
	return (u32)env_rand(env_rand(3) ? 20000 : MAX_SIZE);
}

static void op_write(void)
{
	static u8 data[MAX_SIZE];
	struct place p;
	struct file *f;
	u32 pos = random_size(), len = random_size(), done = 0;

	random_place(&p);
	if (!p.node || !S_ISREG(p.node->mode))
		return;
	len = MIN(len, MAX_SIZE - pos);
	if (model_bytes + len + pos > limit_bytes)
		return;
	for (u32 i = 0; i < len; i++)
		data[i] = (u8)(1 + env_rand(255));
	EXPECT(TRY(open_file(p.name, O_WRONLY, &f)), 0);
	while (done < len) {
		ssize_t n = TRY(write_at(f, data + done, len - done, pos + done));

		EXPECT(n > 0, 1);
		done += (u32)n;
	}
	file_put(f);
	memcpy(p.node->data + pos, data, len);
	if (len && pos + len > p.node->size) {
		model_bytes += pos + len - p.node->size;
		p.node->size = pos + len;
	}
}

static void op_truncate(void)
{
	struct place p;
	struct file *f;
	u32 size = random_size();

	random_place(&p);
	if (!p.node || !S_ISREG(p.node->mode))
		return;
	EXPECT(TRY(open_file(p.name, O_WRONLY, &f)), 0);
	EXPECT(TRY(file_truncate(f, size)), 0);
	file_put(f);
	if (size < p.node->size)
		memset(p.node->data + size, 0, p.node->size - size);
	model_bytes += size;
	model_bytes -= p.node->size;
	p.node->size = size;
}

static void op_fallocate(void)
{
	struct place p;
	struct file *f;
	u32 pos = random_size(), len = 1 + random_size(), keep = (u32)env_rand(2);
	long err;

	random_place(&p);
	if (!p.node || !S_ISREG(p.node->mode))
		return;
	len = MIN(len, MAX_SIZE - pos);
	if (len == 0 || model_bytes + len + pos > limit_bytes)
		return;
	EXPECT(TRY(open_file(p.name, O_WRONLY, &f)), 0);
	err = TRY(file_fallocate(f, (int)keep, pos, len));
	EXPECT(err == 0 || err == -EOPNOTSUPP, 1);
	if (err == 0 && !keep && pos + len > p.node->size) {
		model_bytes += pos + len - p.node->size;
		p.node->size = pos + len;
	}
	file_put(f);
}

/* A store through a shared mapping: as mm/fault.c does it. */
static void op_mmap_write(void)
{
	struct place p;
	struct file *f;
	struct memobj *o;
	struct frame *frame;
	u32 pos, err;

	random_place(&p);
	if (!p.node || !S_ISREG(p.node->mode) || !p.node->size)
		return;
	pos = (u32)env_rand(p.node->size);
	EXPECT(TRY(open_file(p.name, O_RDWR, &f)), 0);
	o = &f->inode->pages.obj;
	EXPECT(TRY(o->ops->load(o, pos >> PAGE_SHIFT)), 0);
	EXPECT(o->ops->get(o, pos >> PAGE_SHIFT, &frame), 0);
	if (!(atomic_read(&frame->flags) & FRAME_DIRTY)) {
		err = (u32)TRY(o->ops->make_writable(o, pos >> PAGE_SHIFT, frame));
		EXPECT(err, 0);
	}
	p.node->data[pos] = ((u8 *)frame_kva(frame))[pos & (PAGE_SIZE - 1)] = (u8)(1 + env_rand(255));
	frame_put(frame);
	file_put(f);
}

static void op_check(void)
{
	struct place p;

	random_place(&p);
	if (p.node && !S_ISDIR(p.node->mode))
		check_tree(p.name, p.node);
}

/* Unlinked while open, written to, then closed: an orphan in between. */
static void op_orphan(void)
{
	struct place p;
	struct file *f;
	char c;

	random_place(&p);
	if (!p.node || !S_ISREG(p.node->mode) || p.node->links > 1 || p.node->size == 0)
		return;
	EXPECT(TRY(open_file(p.name, O_RDWR, &f)), 0);
	EXPECT(TRY(path_unlink(NULL, p.name)), 0);
	EXPECT(TRY(write_at(f, "orphan", 6, 100)), 6);
	EXPECT(TRY(read_at(f, &c, 1, 100)), 1);
	EXPECT(c, 'o');
	fs_sync_all();
	file_put(f);
	p.dir->child[p.last] = NULL;
	node_put(p.node);
}

static void time_passes(void)
{
}

static void op_reclaim(void)
{
	if (env_rand(3) == 0)
		fs_sync_all();
	reclaim_pages(1 + env_rand(200));
	fs_sync_all(); /* as the flusher would: what reclaim put off */
}

static void (*const ops[])(void) = {op_create, op_create, op_mkdir, op_symlink, op_mknod, op_remove, op_link, op_rename,
	op_rename, op_write, op_write, op_write, op_truncate, op_fallocate, op_mmap_write, op_mmap_write, op_check,
	op_orphan, op_reclaim};

static void test_random(u32 rounds, u32 with_failures)
{
	tree = node_new(NULL, S_IFDIR);
	model_bytes = 0;
	fail_nth = with_failures;
	short_copies = 1;
	for (u32 i = 1; i <= rounds; i++) {
		ops[env_rand(ARRAY_SIZE(ops))]();
		if (i % (rounds / 4) == 0) {
			fail_nth = 0;
			check_tree("/mnt", tree);
			disk_cycle("after random operations");
			check_tree("/mnt", tree);
			fail_nth = with_failures;
		}
	}
	fail_nth = 0;
	short_copies = 0;
}

static void remove_all(const char *name, struct node *n)
{
	char child[1200];

	for (int i = 0; i < NAMES; i++) {
		if (!n->child[i])
			continue;
		snprintf(child, sizeof(child), "%s/%s", name, names[i]);
		if (S_ISDIR(n->child[i]->mode)) {
			remove_all(child, n->child[i]);
			EXPECT(path_rmdir(NULL, child), 0);
		} else {
			EXPECT(path_unlink(NULL, child), 0);
		}
	}
}

/* ---- particular things ---- */

static struct ext_fs *mounted_fs(void)
{
	struct path p;
	struct ext_fs *fs;

	EXPECT(path_walk(NULL, "/mnt", WALK_FOLLOW, &p), 0);
	fs = ext_inode_fs(path_inode(&p));
	path_put(&p);
	return fs;
}

static void test_big_directory(void)
{
	char name[64];
	struct file *f;
	struct path p;
	const int nr = 3000;

	EXPECT(path_mkdir(NULL, "/mnt/big", 0755), 0);
	for (int i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), "/mnt/big/file-%d", i);
		EXPECT(open_file(name, O_CREAT | O_EXCL | O_RDWR, &f), 0);
		file_put(f);
	}
	disk_cycle("after a big directory");
	for (int i = 0; i < nr; i += 2) {
		snprintf(name, sizeof(name), "/mnt/big/file-%d", (i * 7) % nr);
		EXPECT(path_unlink(NULL, name), 0);
	}
	for (int i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), "/mnt/big/file-%d", i);
		EXPECT(path_walk(NULL, name, 0, &p), i % 2 ? 0 : -ENOENT);
		if (i % 2)
			path_put(&p);
	}
	EXPECT(path_rmdir(NULL, "/mnt/big"), -ENOTEMPTY);
	for (int i = 1; i < nr; i += 2) {
		snprintf(name, sizeof(name), "/mnt/big/file-%d", i);
		EXPECT(path_unlink(NULL, name), 0);
	}
	EXPECT(path_rmdir(NULL, "/mnt/big"), 0);
}

/* Far-apart blocks reach every level of indirection, or make deep extent trees. */
static void test_sparse(void)
{
	struct file *f;
	u64 free_before = mounted_fs()->free_blocks, at;
	u32 value, n = 0;

	EXPECT(open_file("/mnt/sparse", O_CREAT | O_RDWR, &f), 0);
	for (at = 0; at < 1ul << 33; at = at * 3 / 2 + 5000, n++) {
		value = (u32)at + 1;
		if (write_at(f, &value, sizeof(value), (s64)at) != sizeof(value))
			break;
	}
	ASSERT(at > 1ul << 31);
	for (u32 i = 0; i < 700; i++) {
		value = i * 3 + 7;
		EXPECT(write_at(f, &value, sizeof(value), (s64)i * 3 * 4096 + (1l << 24)), sizeof(value));
	}
	file_put(f);
	disk_cycle("after a sparse file");
	EXPECT(open_file("/mnt/sparse", O_RDWR, &f), 0);
	for (u32 i = 0; i < 700; i++) {
		EXPECT(read_at(f, &value, sizeof(value), (s64)i * 3 * 4096 + (1l << 24)), sizeof(value));
		EXPECT(value, i * 3 + 7);
	}
	EXPECT(file_truncate(f, (1ul << 24) + 300 * 3 * 4096 + 17), 0);
	file_put(f);
	disk_cycle("after truncating a sparse file");
	EXPECT(path_unlink(NULL, "/mnt/sparse"), 0);
	EXPECT(mounted_fs()->free_blocks, free_before);
}

static void test_full(void)
{
	static u8 data[100000];
	struct file *f, *g;
	u64 free_before = mounted_fs()->free_blocks, pos = 0;
	ssize_t n;

	memset(data, 0x5a, sizeof(data));
	cred.fsuid = 1000; /* the last blocks are for root */
	cred.fsuid = 0;
	EXPECT(open_file("/mnt/full", O_CREAT | O_RDWR, &f), 0);
	while ((n = write_at(f, data, sizeof(data), (s64)pos)) > 0)
		pos += (u64)n;
	EXPECT(n, -ENOSPC);
	ASSERT(mounted_fs()->free_blocks <= 4);
	EXPECT(open_file("/mnt/second", O_CREAT | O_RDWR, &g), 0);
	for (u32 i = 0; i < 20; i++) {
		n = write_at(g, data, 1000, i * 1000);
		EXPECT(n == 1000 || n == -ENOSPC || (n > 0 && n < 1000), 1);
		write_at(f, data, 500, (s64)pos);
	}
	file_put(g);
	file_put(f);
	disk_cycle("with a full disk");
	EXPECT(open_file("/mnt/full", O_RDWR, &f), 0);
	/* Overwriting needs no space. */
	EXPECT(write_at(f, data, sizeof(data), 5000) == sizeof(data) || pos < 105000, 1);
	file_put(f);
	EXPECT(path_unlink(NULL, "/mnt/full"), 0);
	EXPECT(path_unlink(NULL, "/mnt/second"), 0);
	EXPECT(mounted_fs()->free_blocks, free_before);
}

static void test_times_and_owner(void)
{
	struct inode_attr attr = {.valid = ATTR_MTIME | ATTR_ATIME | ATTR_UID | ATTR_GID | ATTR_MODE,
		.mode = 04751,
		.uid = 70000,
		.gid = 123456,
		.mtime = {5000000000, 987654321},
		.atime = {-5, 1}};
	struct file *f;
	struct path p;
	u32 big;

	EXPECT(open_file("/mnt/attr", O_CREAT | O_RDWR, &f), 0);
	file_put(f);
	EXPECT(path_walk(NULL, "/mnt/attr", 0, &p), 0);
	EXPECT(path_setattr(&p, &attr), 0);
	path_put(&p);
	disk_cycle("after setting attributes");
	EXPECT(path_walk(NULL, "/mnt/attr", 0, &p), 0);
	big = mounted_fs()->inode_size > 128;
	EXPECT(path_inode(&p)->uid, 70000);
	EXPECT(path_inode(&p)->gid, 123456);
	EXPECT(path_inode(&p)->mode, S_IFREG | 04751);
	EXPECT(path_inode(&p)->mtime.sec, big ? 5000000000 : INT32_MAX);
	EXPECT(path_inode(&p)->mtime.nsec, big ? 987654321 : 0);
	EXPECT(path_inode(&p)->atime.sec, -5);
	path_put(&p);
	EXPECT(path_unlink(NULL, "/mnt/attr"), 0);
}

/* The n-th request fails: errors come back, nothing crashes, and after e2fsck -y the disk is fine. */
static void test_io_errors(const char *options)
{
	for (u64 n = 1; n < 120; n += 1 + n / 8) {
		disk_make(options, 8192);
		disk_requests = 0;
		disk_fail_at = 0;
		disk_mount(0);
		tree = node_new(NULL, S_IFDIR);
		for (u32 i = 0; i < 40; i++) {
			op_create();
			op_mkdir();
			op_write();
		}
		disk_cycle("before I/O errors");
		disk_fail_at = disk_requests + n;
		for (u32 i = 0; i < 200; i++) {
			struct place p;
			struct file *f;

			random_place(&p);
			switch (env_rand(5)) {
			case 0:
				if (open_file(p.name, O_CREAT | O_RDWR, &f) == 0) {
					write_at(f, names, sizeof(names), (s64)random_size());
					file_truncate(f, random_size());
					file_put(f);
				}
				break;
			case 1: path_unlink(NULL, p.name); break;
			case 2: path_mkdir(NULL, p.name, 0755); break;
			case 3: path_rmdir(NULL, p.name); break;
			default:
				fs_sync_all();
				reclaim_pages(1000);
				fs_sync_all(); /* as the flusher would: what reclaim put off */
				break;
			}
		}
		tree_free(tree);
		disk_fail_at = 0;
		fs_sync_all();
		{
			struct path p;

			EXPECT(path_walk(NULL, "/mnt", WALK_FOLLOW, &p), 0);
			EXPECT(mount_remove(&p, 0), 0);
			path_put(&p);
			pagecache_drop(&((struct inode *)disk_now->fs_private)->pages);
		}
		EXPECT(run_command("PATH=$PATH:/usr/sbin e2fsck -fy %s >/dev/null 2>&1", disk_image) <= 1, 1);
	}
}

/* Images with random bytes changed: any error will do, a crash will not. */
static void test_corruption(const char *options, u32 seeds)
{
	for (u32 s = 0; s < seeds; s++) {
		struct path p;
		u32 nr = 1 + (u32)env_rand(30);
		char text[PATH_MAX];
		int err;

		disk_make(options, 4096);
		disk_mount(0);
		tree = node_new(NULL, S_IFDIR);
		for (u32 i = 0; i < 60; i++)
			ops[env_rand(ARRAY_SIZE(ops))]();
		disk_unmount();
		tree_free(tree);
		for (u32 i = 0; i < nr; i++) {
			u8 byte = (u8)env_rand(256);

			/* Mostly metadata: the front of the disk. */
			ASSERT(pwrite(disk_fd, &byte, 1, (off_t)env_rand(env_rand(4) ? 1 << 18 : 4 << 20)) == 1);
		}
		EXPECT(path_walk(NULL, "/mnt", WALK_FOLLOW, &p), 0);
		err = mount_add(disk_now->name, &p, "ext4", 0, "");
		path_put(&p);
		tree = node_new(NULL, S_IFDIR);
		for (u32 i = 0; err == 0 && i < 300; i++) {
			struct place at;
			struct file *f;

			random_place(&at);
			if (path_walk(NULL, at.name, 0, &p) == 0) {
				if (!at.node)
					place_make(&at, path_inode(&p)->mode & S_IFMT);
				if (S_ISLNK(path_inode(&p)->mode))
					path_readlink(&p, text, sizeof(text));
				path_put(&p);
			}
			if (open_file(at.name, env_rand(2) ? O_CREAT | O_RDWR : O_RDWR, &f) == 0) {
				read_at(f, text, sizeof(text), (s64)random_size());
				write_at(f, text, sizeof(text), (s64)random_size());
				file_truncate(f, random_size());
				file_put(f);
			} else if (env_rand(4) == 0) {
				path_rmdir(NULL, at.name);
			}
			if (env_rand(3) == 0)
				path_unlink(NULL, at.name);
		}
		tree_free(tree);
		if (err == 0) {
			EXPECT(path_walk(NULL, "/mnt", WALK_FOLLOW, &p), 0);
			EXPECT(mount_remove(&p, 0), 0);
			path_put(&p);
		}
		if (disk_now->fs_private)
			pagecache_drop(&((struct inode *)disk_now->fs_private)->pages);
	}
}

static const struct {
	const char *options;
	u64 kib;
} kinds[] = {
	{"-t ext2 -b 4096", 32768},
	{"-t ext2 -b 1024 -I 128", 24576},
	{"-t ext2 -b 2048 -O ^dir_index", 24576},
	{"-t ext4 -O ^has_journal,^metadata_csum,^64bit", 32768},
	{"-t ext4 -b 1024 -O ^has_journal,^metadata_csum,^64bit", 40960},
	{"-t ext4 -b 1024 -I 128 -O ^has_journal,^metadata_csum,^64bit,uninit_bg,^flex_bg", 40960},
	{"-t ext4 -b 4096 -O ^has_journal,^metadata_csum,^64bit,uninit_bg -E lazy_itable_init=1", 32768},
	{"-t ext4 -b 1024 -O ^has_journal,^metadata_csum,64bit,uninit_bg,meta_bg,^resize_inode", 40960},
	{"-t ext4 -b 4096 -O ^metadata_csum,^64bit -J size=4", 32768}, /* a clean journal stays as it is */
	{"-t ext3 -b 1024 -g 1024 -J size=1", 16384},
};

int main(int argc, char **argv)
{
	u32 rounds = argc > 1 ? (u32)atoi(argv[1]) : 1200;
	char log_name[64];
	u64 start;

	if (argc > 2)
		env_seed = strtoul(argv[2], NULL, 0);
	env_sleeping = time_passes;
	env_start(96);
	disk_start();
	fs_init();
	fs_register(&fake_type);
	EXPECT(fs_mount_root("vda", 0), 0);
	context = fs_context_create();
	EXPECT(path_mkdir(NULL, "/mnt", 0755), 0);
	for (u32 k = 0; k < ARRAY_SIZE(kinds); k++) {
		fprintf(stderr, "# %s\n", kinds[k].options);
		disk_make(kinds[k].options, kinds[k].kib);
		disk_mount(0);
		start = mounted_fs()->free_blocks;
		limit_bytes = kinds[k].kib * 1024 / 2;
		test_random(rounds, 0);
		remove_all("/mnt", tree);
		tree_free(tree);
		ASSERT(mounted_fs()->free_blocks + 40 >= start);
		test_random(rounds / 2, 1);
		remove_all("/mnt", tree);
		tree_free(tree);
		test_big_directory();
		test_sparse();
		test_full();
		test_times_and_owner();
		disk_unmount();
		disk_check("at the end");
	}
	/* From here on the kernel's log is full of what was done to it; a panic is its last line. */
	snprintf(log_name, sizeof(log_name), "%s/log", disk_dir);
	ASSERT(freopen(log_name, "w", stderr));
	test_io_errors(kinds[0].options);
	test_io_errors(kinds[4].options);
	test_corruption(kinds[1].options, 25);
	test_corruption(kinds[4].options, 25);
	test_corruption(kinds[3].options, 25);
	run_command("rm -rf %s", disk_dir);
	puts("ok");
	return 0;
}
