// host-sources: kernel/fs/ext/balloc.c kernel/fs/ext/bmap.c kernel/fs/ext/dir.c kernel/fs/ext/dirindex.c kernel/fs/ext/extent.c kernel/fs/ext/file.c kernel/fs/ext/group.c kernel/fs/ext/ialloc.c kernel/fs/ext/inode.c kernel/fs/ext/map.c kernel/fs/ext/namei.c kernel/fs/ext/super.c kernel/fs/bdev.c kernel/fs/buf.c kernel/fs/pageio.c kernel/fs/pagecache.c kernel/fs/pagecache_obj.c kernel/fs/pagecache_rw.c kernel/fs/pagecache_reclaim.c kernel/fs/chrdev.c kernel/fs/dcache.c kernel/fs/devfs.c kernel/fs/dir.c kernel/fs/fdtable.c kernel/fs/file.c kernel/fs/fs_context.c kernel/fs/inode.c kernel/fs/inode_attr.c kernel/fs/lock.c kernel/fs/mount.c kernel/fs/open.c kernel/fs/path.c kernel/fs/path_ops.c kernel/fs/perm.c kernel/fs/super.c kernel/fs/tmpfs.c kernel/fs/tmpfs_super.c kernel/mm/frame.c kernel/mm/frame_boot.c kernel/mm/frame_wait.c kernel/mm/reclaim.c kernel/mm/slab.c kernel/lib/string.c kernel/lib/index.c kernel/lib/parse.c kernel/lib/printf.c kernel/lib/bitmap.c kernel/lib/hash.c kernel/sync/spinlock.c kernel/sync/mutex.c kernel/sync/rwlock.c kernel/sync/waitq.c
/*
 * Files of an ext4 at the very instants at which another hart comes between: reclaim finds a clean page that is written to meanwhile;
 * truncation takes out a dirty page that the flusher begins to write; two write an inode's attributes; the disk is unmounted beside a
 * fault. e2fsck has the last word. And of a tmpfs, where two write what is room for once.
 */
#include "dev/chardev.h"
#include "dev/dev.h"
#include "fs/buf.h"
#include "fs/ext/ext.h"
#include "fs/fs.h"
#include "fs/lock.h"
#include "fs/pagecache_internal.h"
#include "lib/cmdline.h"
#include "lib/err.h"
#include "mm/uio.h"
#include "mm/usercopy.h"
#define ENV_OWN_CLOCK
#include "mm_env.h"
#include "other_hart.h"
#include "disk_env.h"

#include "ext_kernel.h"

#define EXPECT(call, want)                                                                           \
	do {                                                                                         \
		long got_ = (call);                                                                  \
		if (got_ != (want))                                                                  \
			panic("line %d: %s gave %ld, not %ld", __LINE__, #call, got_, (long)(want)); \
	} while (0)

static struct file *file;
static struct list mapping; /* stands for a VMA that maps the file */
static u32 visits;

static void write_byte(char c)
{
	struct uio u;
	s64 pos = 0;

	uio_init_kernel(&u, &c, 1);
	EXPECT(file_write(file, &u, &pos), 1);
}

static char read_byte(void)
{
	struct uio u;
	s64 pos = 0;
	char c = 0;

	uio_init_kernel(&u, &c, 1);
	EXPECT(file_read(file, &u, &pos), 1);
	return c;
}

static struct pagecache *cache(void)
{
	return &file->inode->pages;
}

static bool is_cached(void)
{
	struct frame *f = pagecache_find(cache(), 0);

	if (f)
		frame_put(f);
	return f != NULL;
}

static void open_mapped(void)
{
	EXPECT(file_open(NULL, "/mnt/f", O_CREAT | O_RDWR, 0644, &file), 0);
	list_init(&mapping);
	list_add(&mapping, &cache()->obj.mappings);
	visits = 0;
}

static void close_mapped(void)
{
	list_del(&mapping);
	file_put(file);
}

/* ---- reclaim ---- */

static struct frame *in_use;

static void writes_now(void)
{
	if (visits++ == 0)
		write_byte('b');
}

static void finds_now(void)
{
	if (visits++ == 0)
		in_use = pagecache_find(cache(), 0);
}

static void test_written_while_reclaimed(void)
{
	open_mapped();
	write_byte('a');
	fs_sync_all();
	at_harvest = writes_now;
	reclaim_files();
	at_harvest = NULL;
	ASSERT(visits);
	EXPECT(read_byte(), 'b');
	/* Found by a writer that has not come to its change yet. */
	fs_sync_all();
	visits = 0;
	in_use = NULL;
	at_harvest = finds_now;
	reclaim_files();
	at_harvest = NULL;
	ASSERT(in_use);
	*(char *)frame_kva(in_use) = 'c';
	pagecache_mark_dirty(cache(), in_use);
	frame_put(in_use);
	EXPECT(read_byte(), 'c');
	/* And nobody's page goes. */
	fs_sync_all();
	reclaim_files();
	ASSERT(!is_cached());
	EXPECT(read_byte(), 'c');
	close_mapped();
}

/* ---- truncation ---- */

static void time_passes(void)
{
	if (fake_current == (struct task *)(void *)&other_task)
		other_sleeps();
	else if (visits)
		other_finish();
	else
		disk_release();
}

static void flush(void)
{
	at_protect = other_sleeps; /* it has taken the page up and is about to write it */
	EXPECT(pagecache_flush(cache(), 0, 0, PAGECACHE_START), 0);
}

/* The wait for one write is over: the flusher begins the next. */
static void flusher_begins(void)
{
	if (visits++ == 0)
		other_start(flush);
}

static void test_truncated_while_flushed(void)
{
	open_mapped();
	write_byte('a');
	disk_hold = true;
	EXPECT(pagecache_flush(cache(), 0, 0, PAGECACHE_START), 0);
	disk_hold = false;
	write_byte('b'); /* dirty again while it is being written */
	env_awake = flusher_begins;
	EXPECT(file_truncate(file, 0), 0);
	env_awake = NULL;
	ASSERT(visits);
	other_finish();
	at_protect = NULL;
	ASSERT(!is_cached() && pagecache_nr_writeback() == 0);
	close_mapped();
}

/* ---- attributes ---- */

static void sync_inode(void)
{
	EXPECT(inode_sync(file->inode, 0), 0);
}

/*
 * The flusher is writing the attributes, which it may have read before they changed; fsync comes with the new ones. It has to wait, or the
 * old ones would go over them, and nobody would know that they have to be written.
 */
static void test_attributes_written_by_two(void)
{
	struct ext_inode *ei;

	EXPECT(file_open(NULL, "/mnt/f", O_RDWR, 0, &file), 0);
	ei = ext_inode(file->inode);
	fs_sync_all();
	file->inode->mtime.sec = 77;
	inode_mark_dirty(file->inode);
	spin_lock(&ei->raw_lock); /* as ext_inode_write does */
	other_launch(sync_inode);
	usleep(100000);
	ASSERT(READ_ONCE(other_state) == OTHER_RUNS && READ_ONCE(ei->raw->mtime) != 77);
	spin_unlock(&ei->raw_lock);
	other_wait();
	other_finish();
	ASSERT(ei->raw->mtime == 77);
	file_put(file);
}

/* ---- a tmpfs, which is full ---- */

static char two_pages[2 * PAGE_SIZE];
static struct file *other_file;

static void write_other(void)
{
	struct uio u;
	s64 pos = 0;

	uio_init_kernel(&u, two_pages, sizeof(two_pages));
	EXPECT(file_write(other_file, &u, &pos), sizeof(two_pages));
}

/* It has asked whether there is room. The first call looks at the buffer alone. */
static void room_is_taken(void)
{
	if (visits++ != 1)
		return;
	at_prefault = NULL;
	other_start(write_other);
	other_finish();
}

static void test_two_fill_a_tmpfs(void)
{
	struct path p;
	struct uio u;
	s64 pos = 0;

	EXPECT(path_mkdir(NULL, "/t", 0755), 0);
	EXPECT(path_walk(NULL, "/t", WALK_FOLLOW, &p), 0);
	EXPECT(mount_add("t", &p, "tmpfs", 0, "size=12K"), 0);
	path_put(&p);
	EXPECT(file_open(NULL, "/t/a", O_CREAT | O_RDWR, 0644, &file), 0);
	EXPECT(file_open(NULL, "/t/b", O_CREAT | O_RDWR, 0644, &other_file), 0);
	visits = 0;
	at_prefault = room_is_taken;
	uio_init_kernel(&u, two_pages, sizeof(two_pages));
	EXPECT(file_write(file, &u, &pos), PAGE_SIZE);
	EXPECT(file->inode->pages.nr_pages + other_file->inode->pages.nr_pages, 3);
	uio_init_kernel(&u, two_pages, sizeof(two_pages));
	EXPECT(file_write(file, &u, &pos), -ENOSPC);
	/* A place that came free can be written to. */
	EXPECT(file_truncate(other_file, PAGE_SIZE), 0);
	EXPECT(file_write(file, &u, &pos), PAGE_SIZE);
	file_put(file);
	file_put(other_file);
	EXPECT(path_walk(NULL, "/t", WALK_FOLLOW, &p), 0);
	EXPECT(mount_remove(&p, 0), 0);
	path_put(&p);
}

/* ---- unmounting ---- */

static bool disk_in_use(void)
{
	struct superblock *sb;
	bool found = false;

	for (sb = super_next(NULL); sb; sb = super_next(sb))
		found |= sb->bdev == disk_now;
	return found;
}

static void unmount(void)
{
	struct path p;

	EXPECT(path_walk(NULL, "/mnt", WALK_FOLLOW, &p), 0);
	EXPECT(mount_remove(&p, 0), 0);
	path_put(&p);
}

/* A fault is about to load a page; beside it another thread unmaps and closes the file, and root unmounts the disk. */
static void test_unmounted_beside_a_fault(void)
{
	struct memobj *obj;

	EXPECT(file_open(NULL, "/mnt/f", O_RDWR, 0, &file), 0);
	write_byte('d');
	obj = &cache()->obj;
	memobj_hold(obj);
	file_put(file);
	unmount();
	ASSERT(disk_in_use());
	EXPECT(obj->ops->load(obj, 0), 0);
	memobj_release(obj);
	ASSERT(!disk_in_use());
}

int main(void)
{
	struct path p;

	env_sleeping = time_passes;
	env_start(96);
	disk_start();
	fs_init();
	fs_register(&fake_type);
	EXPECT(fs_mount_root("vda", 0), 0);
	context = fs_context_create();
	EXPECT(path_mkdir(NULL, "/mnt", 0755), 0);
	disk_make("-t ext4 -O ^has_journal,^metadata_csum,^64bit", 4096);
	EXPECT(path_walk(NULL, "/mnt", WALK_FOLLOW, &p), 0);
	EXPECT(mount_add(disk_now->name, &p, "ext4", 0, ""), 0);
	path_put(&p);
	test_written_while_reclaimed();
	test_truncated_while_flushed();
	test_attributes_written_by_two();
	test_unmounted_beside_a_fault();
	test_two_fill_a_tmpfs();
	disk_check("at the end");
	run_command("rm -rf %s", disk_dir);
	puts("ok");
	return 0;
}
