// host-sources: kernel/fs/chrdev.c kernel/fs/dcache.c kernel/fs/devfs.c kernel/fs/dir.c kernel/fs/fdtable.c kernel/fs/file.c kernel/fs/fs_context.c kernel/fs/inode.c kernel/fs/inode_attr.c kernel/fs/lock.c kernel/fs/mount.c kernel/fs/open.c kernel/fs/path.c kernel/fs/path_ops.c kernel/fs/perm.c kernel/fs/super.c kernel/fs/tmpfs.c kernel/fs/tmpfs_super.c kernel/mm/frame.c kernel/mm/frame_boot.c kernel/mm/frame_wait.c kernel/mm/reclaim.c kernel/mm/slab.c kernel/lib/string.c kernel/lib/parse.c kernel/lib/printf.c kernel/lib/bitmap.c kernel/lib/hash.c kernel/sync/spinlock.c kernel/sync/mutex.c kernel/sync/rwlock.c kernel/sync/waitq.c
// host-flags: -Wl,--wrap=inode_create
/*
 * Names, inodes and superblocks at the very instants at which another hart comes between (other_hart.h).
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
#include "other_hart.h"

#include "fs_kernel.h"

#define EXPECT(call, want)                                                                 \
	do {                                                                               \
		int got_ = (call);                                                         \
		if (got_ != (want))                                                        \
			panic("line %d: %s gave %d, not %d", __LINE__, #call, got_, want); \
	} while (0)

/* ---- a file system of one file, whose inodes nobody pins ---- */

static void (*at_fini)(struct inode *inode), (*at_evict)(struct inode *inode);
static u32 unmounted;

static int mini_lookup(struct inode *dir, const struct qstr *name, struct inode **out)
{
	return name->len == 1 && *name->name == 'x' ? inode_lookup(dir->sb, 2, out) : -ENOENT;
}

static int mini_unlink(struct inode *dir, const struct qstr *name, struct inode *target)
{
	target->nlink = 0;
	return 0;
}

static const struct inode_ops mini_dir_ops = {.lookup = mini_lookup, .unlink = mini_unlink};

static int mini_inode_read(struct inode *inode)
{
	inode->mode = inode->ino == 1 ? S_IFDIR | 0755 : S_IFREG | 0644;
	if (inode->ino == 1)
		inode->ops = &mini_dir_ops;
	return 0;
}

static void mini_inode_fini(struct inode *inode)
{
	if (at_fini)
		at_fini(inode);
}

static void mini_inode_evict(struct inode *inode)
{
	if (at_evict)
		at_evict(inode);
}

static void mini_unmount(struct superblock *sb)
{
	unmounted = 1;
}

static const struct super_ops mini_super_ops = {
	.inode_read = mini_inode_read,
	.inode_fini = mini_inode_fini,
	.inode_evict = mini_inode_evict,
	.unmount = mini_unmount,
};

static int mini_mount(struct superblock *sb, const char *options)
{
	sb->ops = &mini_super_ops;
	return inode_lookup(sb, 1, &sb->root);
}

static struct fs_type mini_type = {.name = "mini", .mount = mini_mount};

static void mount_at(const char *where, const char *type)
{
	struct path p;

	EXPECT(path_mkdir(NULL, where, 0755), 0);
	EXPECT(path_walk(NULL, where, WALK_FOLLOW, &p), 0);
	EXPECT(mount_add(type, &p, type, 0, ""), 0);
	path_put(&p);
	unmounted = 0;
}

static void unmount_mini(void)
{
	struct path p;

	EXPECT(path_walk(NULL, "/mini", WALK_FOLLOW, &p), 0);
	EXPECT(mount_remove(&p, 0), 0);
	path_put(&p);
}

static void walk_once(const char *name)
{
	struct path p;

	EXPECT(path_walk(NULL, name, WALK_FOLLOW, &p), 0);
	path_put(&p);
}

/* ---- reclaim and unmount ---- */

static void unmount_now(struct inode *inode)
{
	at_fini = NULL;
	other_start(unmount_mini);
	ASSERT(!unmounted); /* the inode still belongs to it */
}

static void test_unmount_beside_reclaim(void)
{
	mount_at("/mini", "mini");
	walk_once("/mini/x");
	at_fini = unmount_now;
	reclaim_files();
	ASSERT(!at_fini);
	other_finish();
	ASSERT(unmounted);
	EXPECT(path_rmdir(NULL, "/mini"), 0);
}

/* ---- the flusher and the end of an inode ---- */

static u32 evicted;

static void flush_now(struct inode *inode)
{
	inode_mark_dirty(inode);
	ASSERT(!list_empty(&inode->dirty_link));
	super_write_inodes(inode->sb, ~0ul, PAGECACHE_START);
	ASSERT(!list_empty(&inode->dirty_link)); /* or it could be gone while the flusher still cleans it */
	evicted = 1;
}

static void test_flusher_leaves_the_dying(void)
{
	mount_at("/mini", "mini");
	at_evict = flush_now;
	EXPECT(path_unlink(NULL, "/mini/x"), 0);
	at_evict = NULL;
	ASSERT(evicted);
	unmount_mini();
	ASSERT(unmounted);
	EXPECT(path_rmdir(NULL, "/mini"), 0);
}

/* ---- names that come by themselves ---- */

static struct path dev;
static struct inode_ops slow_ops;
static const struct inode_ops *dev_ops;
static u32 handed_over, left_behind;

static void create_it(void)
{
	struct file *f;

	EXPECT(file_open(NULL, "/dev/new", O_CREAT | O_WRONLY, 0644, &f), 0);
	ASSERT(dentry_is_hashed(f->path.dentry));
	file_put(f);
}

/* The directory's lock goes to who wants to create the name. */
static void lock_is_handed_over(void)
{
	env_waking = NULL;
	spin_lock(&dcache_lock);
	left_behind = dentry_find_locked(dev.dentry, "new", 3, dentry_hash("new", 3)) != NULL;
	spin_unlock(&dcache_lock);
	handed_over = 1;
}

static int slow_lookup(struct inode *dir, const struct qstr *name, struct inode **out)
{
	dev.dentry->inode->ops = dev_ops;
	other_start(create_it);
	ASSERT(other_state == OTHER_SLEEPS);
	env_waking = lock_is_handed_over;
	return dev_ops->lookup(dir, name, out);
}

static void test_absent_name_is_made(void)
{
	struct path p;

	mount_at("/dev", "devfs");
	EXPECT(path_walk(NULL, "/dev", WALK_FOLLOW, &dev), 0);
	dev_ops = dev.dentry->inode->ops;
	slow_ops = *dev_ops;
	slow_ops.lookup = slow_lookup;
	dev.dentry->inode->ops = &slow_ops;
	EXPECT(path_walk(NULL, "/dev/new", 0, &p), -ENOENT);
	ASSERT(handed_over && !left_behind); /* what the walk is about to forget is not to be given an inode */
	other_finish();
	walk_once("/dev/new");
	EXPECT(mount_remove(&dev, 2), 0);
	path_put(&dev);
	EXPECT(path_rmdir(NULL, "/dev"), 0);
}

/* ---- record locks ---- */

static int record(struct file *f, int fd, enum record_cmd cmd, enum record_owner owner, struct flock_k *fl)
{
	struct record_call call = {.cmd = cmd, .owner = owner, .fd = fd, .pid = 1};

	return lock_record(f, &call, fl);
}

/* fcntl has found the file, then another thread closes the descriptor. */
static void test_locked_after_close(void)
{
	struct flock_k ask = {.type = F_WRLCK, .start = 0, .len = 10}, found = ask;
	struct file *a, *b;
	int fd;

	table = fdtable_create();
	EXPECT(file_open(NULL, "/lock", O_CREAT | O_RDWR, 0644, &a), 0);
	EXPECT(file_open(NULL, "/lock", O_RDWR, 0, &b), 0);
	fd = fd_reserve(table, 0, 10);
	fd_install(table, fd, a, 0);
	EXPECT(record(a, fd, RECORD_SET, RECORD_POSIX, &ask), 0);
	a = fd_get(table, fd);
	EXPECT(fd_close(table, fd), 0);
	EXPECT(record(a, fd, RECORD_SET, RECORD_POSIX, &ask), -EBADF);
	EXPECT(record(b, 0, RECORD_GET, RECORD_OFD, &found), 0);
	EXPECT(found.type, F_UNLCK);
	file_put(a);
	file_put(b);
	fdtable_put(table);
	EXPECT(path_unlink(NULL, "/lock"), 0);
}

/* ---- remounting ---- */

static struct super_ops sync_ops;
static u32 synced;

/* While everything is being written, somebody would like to write more. */
static int write_during_sync(struct superblock *sb)
{
	struct file *f;

	EXPECT(file_open(NULL, "/w", O_WRONLY, 0, &f), -EROFS);
	EXPECT(file_open(NULL, "/v", O_CREAT | O_WRONLY, 0644, &f), -EROFS);
	EXPECT(path_mkdir(NULL, "/u", 0755), -EROFS);
	synced = 1;
	return 0;
}

static void test_write_while_remounted(void)
{
	struct path root;
	struct superblock *sb;
	const struct super_ops *ops;
	struct file *f;

	EXPECT(path_walk(NULL, "/", WALK_FOLLOW, &root), 0);
	sb = mount_sb(root.mount);
	ops = sb->ops;
	sync_ops = *ops;
	sync_ops.sync = write_during_sync;
	sb->ops = &sync_ops;
	EXPECT(file_open(NULL, "/w", O_CREAT | O_WRONLY, 0644, &f), 0);
	EXPECT(mount_remount(&root, MOUNT_RDONLY, ""), -EBUSY);
	file_put(f);
	EXPECT(file_open(NULL, "/w", O_WRONLY, 0, &f), 0); /* as before after a refusal */
	file_put(f);
	EXPECT(mount_remount(&root, MOUNT_RDONLY, ""), 0);
	ASSERT(synced);
	sb->ops = ops;
	EXPECT(mount_remount(&root, 0, ""), 0);
	EXPECT(path_unlink(NULL, "/w"), 0);
	path_put(&root);
}

/* ---- owners ---- */

static struct inode *given;
static int answer;

static void make_setuid(void)
{
	struct inode_attr attr = {.valid = ATTR_MODE, .mode = 04755};

	answer = inode_setattr(given, &attr);
}

/* The owner wants a set-uid program while root takes the file over: that would be root's. */
static void test_mode_set_while_owner_changes(void)
{
	struct file *f;

	EXPECT(file_open(NULL, "/program", O_CREAT | O_WRONLY, 0755, &f), 0);
	given = f->inode;
	given->uid = cred.fsuid = 1000;
	rwlock_write_lock(&given->lock);
	other_start(make_setuid);
	ASSERT(other_state == OTHER_SLEEPS);
	given->uid = 0;
	rwlock_write_unlock(&given->lock);
	other_finish();
	cred.fsuid = 0;
	EXPECT(answer, -EPERM);
	EXPECT((int)(given->mode & 07777), 0755);
	file_put(f);
	EXPECT(path_unlink(NULL, "/program"), 0);
}

/* ---- a tmpfs with room for one inode more ---- */

static void (*at_create)(void);
struct inode *__real_inode_create(struct superblock *sb, u64 ino);
struct inode *__wrap_inode_create(struct superblock *sb, u64 ino);

struct inode *__wrap_inode_create(struct superblock *sb, u64 ino)
{
	void (*now)(void) = at_create;

	at_create = NULL;
	if (now)
		now();
	return __real_inode_create(sb, ino);
}

static void create_the_other(void)
{
	answer = path_mkdir(NULL, "/t/d/b", 0755);
}

static void create_two(void)
{
	other_start(create_the_other);
	other_finish();
}

static void test_two_want_the_last_inode(void)
{
	struct path p;

	EXPECT(path_mkdir(NULL, "/t", 0755), 0);
	EXPECT(path_walk(NULL, "/t", WALK_FOLLOW, &p), 0);
	EXPECT(mount_add("t", &p, "tmpfs", 0, "nr_inodes=3"), 0);
	path_put(&p);
	EXPECT(path_mkdir(NULL, "/t/d", 0755), 0);
	at_create = create_two;
	EXPECT(path_mkdir(NULL, "/t/a", 0755), 0);
	EXPECT(answer, -ENOSPC);
	EXPECT(path_rmdir(NULL, "/t/a"), 0);
	EXPECT(path_mkdir(NULL, "/t/d/b", 0755), 0);
	EXPECT(path_mkdir(NULL, "/t/a", 0755), -ENOSPC);
	EXPECT(path_walk(NULL, "/t", WALK_FOLLOW, &p), 0);
	EXPECT(mount_remove(&p, 0), 0);
	path_put(&p);
	EXPECT(path_rmdir(NULL, "/t"), 0);
}

/* ---- flags of an open file ---- */

static struct file *flagged;

static void block_and_not(void)
{
	for (u32 i = 0; i < 10000000; i++)
		file_set_nonblock(flagged, i & 1 ? 0 : O_NONBLOCK);
}

/* FIONBIO on one hart takes back nothing that F_SETFL does on another. Under real threads: the moment is one instruction long. */
static void test_flags_set_by_two(void)
{
	EXPECT(file_open(NULL, "/flags", O_CREAT | O_WRONLY, 0644, &flagged), 0);
	other_launch(block_and_not);
	while (__atomic_load_n(&other_state, __ATOMIC_SEQ_CST) != OTHER_DONE) {
		EXPECT(file_set_flags(flagged, O_APPEND), 0);
		ASSERT(READ_ONCE(flagged->flags) & O_APPEND);
		EXPECT(file_set_flags(flagged, 0), 0);
		ASSERT(!(READ_ONCE(flagged->flags) & O_APPEND));
	}
	other_finish();
	file_put(flagged);
	EXPECT(path_unlink(NULL, "/flags"), 0);
}

/* ---- mounting on a name that is being removed ---- */

static struct path mount_what, mount_where;
static struct inode_ops removing_ops;
static const struct inode_ops *root_ops;

static void mount_it(void)
{
	answer = mount_bind(&mount_what, &mount_where);
}

/* The name has been looked at: nothing is mounted there. */
static int rmdir_beside_mount(struct inode *dir, const struct qstr *name, struct inode *victim)
{
	other_start(mount_it);
	return root_ops->rmdir(dir, name, victim);
}

static int unlink_beside_mount(struct inode *dir, const struct qstr *name, struct inode *victim)
{
	other_start(mount_it);
	return root_ops->unlink(dir, name, victim);
}

static int rename_beside_mount(struct inode *old_dir, const struct qstr *old_name, struct inode *moved,
	struct inode *new_dir, const struct qstr *new_name, struct inode *victim, u32 flags)
{
	other_start(mount_it);
	return root_ops->rename(old_dir, old_name, moved, new_dir, new_name, victim, flags);
}

static void removal_starts(const char *what, const char *where)
{
	struct inode *root;

	EXPECT(path_walk(NULL, what, 0, &mount_what), 0);
	EXPECT(path_walk(NULL, where, 0, &mount_where), 0);
	root = mount_where.dentry->parent->inode;
	root_ops = root->ops;
	removing_ops = *root_ops;
	removing_ops.rmdir = rmdir_beside_mount;
	removing_ops.unlink = unlink_beside_mount;
	removing_ops.rename = rename_beside_mount;
	root->ops = &removing_ops;
}

/* Here nothing is left of the name but the reference. */
static void removal_ends(int want)
{
	other_finish();
	mount_where.dentry->parent->inode->ops = root_ops;
	EXPECT(answer, want);
	EXPECT((int)mount_where.dentry->mounted, want == 0);
	path_put(&mount_what);
	path_put(&mount_where);
}

static void create_file(const char *name)
{
	struct file *f;

	EXPECT(file_open(NULL, name, O_CREAT | O_WRONLY, 0644, &f), 0);
	file_put(f);
}

static void test_mounted_on_what_is_removed(void)
{
	EXPECT(path_mkdir(NULL, "/a", 0755), 0);
	EXPECT(path_mkdir(NULL, "/d", 0755), 0);
	removal_starts("/a", "/d");
	EXPECT(path_rmdir(NULL, "/d"), 0);
	removal_ends(-ENOENT);

	EXPECT(path_mkdir(NULL, "/d", 0755), 0);
	removal_starts("/a", "/d");
	EXPECT(path_mkdir(NULL, "/b", 0755), 0);
	EXPECT(path_rename(NULL, "/b", NULL, "/d", 0), 0);
	removal_ends(-ENOENT);
	EXPECT(path_rmdir(NULL, "/d"), 0);

	create_file("/f");
	create_file("/g");
	removal_starts("/g", "/f");
	EXPECT(path_unlink(NULL, "/f"), 0);
	removal_ends(-ENOENT);
	EXPECT(path_unlink(NULL, "/g"), 0);
	EXPECT(path_rmdir(NULL, "/a"), 0);
}

/* It goes on where the name is now; and what stays is mounted on. */
static void test_mounted_on_what_is_not_removed(void)
{
	struct path top;

	EXPECT(path_mkdir(NULL, "/a", 0755), 0);
	EXPECT(path_mkdir(NULL, "/d", 0755), 0);
	EXPECT(path_mkdir(NULL, "/e", 0755), 0);
	EXPECT(path_mkdir(NULL, "/d/x", 0755), 0);
	removal_starts("/a", "/d");
	EXPECT(path_rmdir(NULL, "/d"), -ENOTEMPTY);
	removal_ends(0);
	EXPECT(path_walk(NULL, "/d", WALK_FOLLOW, &top), 0);
	EXPECT(mount_remove(&top, 0), 0);
	path_put(&top);

	removal_starts("/a", "/d/x");
	EXPECT(path_rename(NULL, "/d/x", NULL, "/e/y", 0), 0);
	other_finish();
	EXPECT(answer, 0);
	ASSERT(strcmp(mount_where.dentry->parent->name, "e") == 0);
	path_put(&mount_what);
	path_put(&mount_where);
	EXPECT(path_walk(NULL, "/e/y", WALK_FOLLOW, &top), 0);
	EXPECT(mount_remove(&top, 0), 0);
	path_put(&top);
	EXPECT(path_walk(NULL, "/d", WALK_FOLLOW, &top), 0);
	top.dentry->inode->ops = root_ops;
	path_put(&top);
	EXPECT(path_rmdir(NULL, "/e/y"), 0);
	EXPECT(path_rmdir(NULL, "/e"), 0);
	EXPECT(path_rmdir(NULL, "/d"), 0);
	EXPECT(path_rmdir(NULL, "/a"), 0);
}

int main(void)
{
	u64 before;

	env_sleeping = other_sleeps;
	env_start(64);
	strcpy(null_device.name, "null");
	null_device.rdev = 0x103;
	null_device.mode = 0666;
	null_device.ops = &null_ops;
	fs_init();
	fs_register(&mini_type);
	EXPECT(fs_mount_root("vda", 0), 0);
	context = fs_context_create();
	reclaim_pages(10000);
	before = env_leaks();
	test_unmount_beside_reclaim();
	test_flusher_leaves_the_dying();
	test_absent_name_is_made();
	test_locked_after_close();
	test_write_while_remounted();
	test_mode_set_while_owner_changes();
	test_two_want_the_last_inode();
	test_flags_set_by_two();
	test_mounted_on_what_is_removed();
	test_mounted_on_what_is_not_removed();
	reclaim_pages(10000);
	if (env_leaks() != before)
		panic("leaked: %lu objects before, %lu now", before, env_leaks());
	frame_check();
	printf("fs_race_test: ok\n");
	return 0;
}
