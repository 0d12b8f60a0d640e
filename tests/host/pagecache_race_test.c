// host-sources: kernel/mm/frame.c kernel/mm/frame_boot.c kernel/mm/frame_wait.c kernel/mm/reclaim.c kernel/mm/slab.c kernel/lib/string.c kernel/lib/index.c kernel/lib/bitmap.c kernel/sync/spinlock.c kernel/sync/mutex.c kernel/sync/rwlock.c kernel/sync/waitq.c
/*
 * Pages of a file, and another hart that comes at the worst instant. Reclaim has chosen a clean page that nobody uses, and before it is
 * taken out somebody writes to it, is in the midst of that, writes it back, or maps it. Truncation has waited for the end of a
 * write-back, and another one begins. The flusher clears what lies behind the end of the file, and the end moves.
 */
#include "mm_env.h"

#include "fs/buf.h"
#include "fs/inode.h"
#include "mm/uio.h"

/* The other hart's turn: when reclaim has looked whether the page is mapped, and when it has looked whether it was accessed. */
static void (*meanwhile)(void);

static void turn(void)
{
	void (*now)(void) = meanwhile;

	meanwhile = NULL;
	if (now)
		now();
}

static bool looked(bool mapped)
{
	if (!mapped)
		turn();
	return mapped;
}

static void (*after_wait)(void); /* a page that is to go is not being written */

static void waited(void)
{
	void (*now)(void) = after_wait;

	after_wait = NULL;
	if (now)
		now();
}

#define frame_wait(f, flag) (frame_wait(f, flag), waited())
#include "../../kernel/fs/pagecache.c"
#undef frame_wait
#include "../../kernel/fs/pagecache_rw.c"
#define memobj_mapped(o) looked(memobj_mapped(o))
#include "../../kernel/fs/pagecache_reclaim.c"

const struct memobj_ops pagecache_obj_ops;
static struct inode file;
static struct list mapping;         /* in file.pages.obj.mappings */
static struct frame *leaf, *writer; /* what a page table shows; what a write(2) has a reference to */

bool super_pin(struct superblock *sb)
{
	return true;
}
void super_unpin(struct superblock *sb)
{
}
void inode_put(struct inode *inode)
{
	ASSERT(!refcount_put(&inode->refs));
}
void inode_mark_pages_dirty(struct inode *inode)
{
}
void inode_mark_dirty(struct inode *inode)
{
}
struct timespec64 time_wall(void)
{
	return (struct timespec64){0};
}
u64 task_rlimit(u32 which)
{
	return ~0ul;
}
void task_raise(int signo)
{
}
void bdev_mark_sectors(struct frame *f, u32 from, u32 to)
{
}
int uio_prefault(struct uio *u, size_t len, enum access access)
{
	return 0;
}
size_t uio_copy_from_nofault(struct uio *u, void *dst, size_t n)
{
	memcpy(dst, (void *)(uintptr_t)(u->iov->base + u->offset), n);
	u->offset += n;
	u->count -= n;
	return n;
}
void uio_revert(struct uio *u, size_t n)
{
	panic("no copy comes up short here");
}
int uio_copy_to(struct uio *u, const void *src, size_t n)
{
	panic("nobody reads here");
}
int uio_clear(struct uio *u, size_t n)
{
	panic("nobody reads here");
}
void writeback_balance(void)
{
}
void writeback_kick(void)
{
}
void writeback_progress(void)
{
}
void memobj_init(struct memobj *o, const struct memobj_ops *ops, void *owner)
{
	o->ops = ops;
	o->owner = owner;
	list_init(&o->mappings);
	mutex_init(&o->lock, "memobj", RANK_MEMOBJ);
}
bool memobj_harvest_locked(struct memobj *o, u64 first, u64 last)
{
	turn();
	return false;
}
void memobj_unmap_locked(struct memobj *o, u64 first, u64 last)
{
	leaf = NULL;
}
void memobj_unmap(struct memobj *o, u64 first, u64 last)
{
	leaf = NULL;
}
void memobj_protect(struct memobj *o, u64 first, u64 last)
{
}

/* ---- the other hart ---- */

static void write_begins(void)
{
	writer = pagecache_find(&file.pages, 0);
	ASSERT(writer);
	memset(frame_kva(writer), 'w', PAGE_SIZE);
}

static void write_ends(void)
{
	pagecache_mark_dirty(&file.pages, writer);
	frame_put(writer);
}

static void write_page(void)
{
	write_begins();
	write_ends();
}

static struct frame *under_way;

static int disk_write(struct pagecache *pc, struct frame **run, u32 nr)
{
	ASSERT(nr == 1);
	under_way = run[0];
	return 0;
}

static int disk_reserve(struct pagecache *pc, u64 pos, u64 len);
static const struct pagecache_ops file_ops = {.write = disk_write, .reserve = disk_reserve};

static void write_out(void)
{
	write_page();
	ASSERT(pagecache_flush(&file.pages, 0, 0, PAGECACHE_START) == 0 && under_way);
}

/* mmap, and a read fault, which looks at the owner again and installs the leaf in one section (memobj.h). */
static void map_page(void)
{
	struct frame *f;

	list_add(&mapping, &file.pages.obj.mappings);
	f = pagecache_find(&file.pages, 0);
	if (f && f->owner == &file.pages)
		leaf = f;
	if (f)
		frame_put(f);
}

/* ---- */

static struct frame *page_make(void)
{
	struct frame *f;

	ASSERT(pagecache_get(&file.pages, 0, &f) == 0);
	frame_put(f);
	atomic_and(&f->flags, ~FRAME_ACCESSED);
	return f;
}

/* Reclaim, with the other hart's turn at the worst instant. Returns the pages it took. */
static u64 reclaim_beside(void (*other)(void))
{
	u64 freed;

	meanwhile = other;
	freed = pagecache_scan(1);
	ASSERT(!meanwhile);
	return freed;
}

static void file_forget(void)
{
	list_del(&mapping);
	pagecache_drop(&file.pages);
	ASSERT(file.pages.nr_pages == 0 && pagecache_nr_dirty() == 0 && pagecache_nr_cached() == 0 && lru.nr == 0);
}

static void test_one(bool mapped)
{
	struct frame *f;
	u64 freed;

	/* Nobody comes. */
	if (mapped)
		list_add(&mapping, &file.pages.obj.mappings);
	leaf = page_make();
	ASSERT(pagecache_scan(1) == 1 && !pagecache_find(&file.pages, 0) && (!mapped || !leaf));

	f = page_make();
	ASSERT(reclaim_beside(write_page) == 0 && f->owner == &file.pages);
	ASSERT((atomic_read(&f->flags) & FRAME_DIRTY) && *(char *)frame_kva(f) == 'w');
	list_del(&mapping);
	pagecache_drop(&file.pages);

	if (mapped)
		list_add(&mapping, &file.pages.obj.mappings);
	f = page_make();
	freed = reclaim_beside(write_begins);
	write_ends();
	ASSERT(freed == 0 && f->owner == &file.pages && (atomic_read(&f->flags) & FRAME_DIRTY));
	list_del(&mapping);
	pagecache_drop(&file.pages);

	if (mapped)
		list_add(&mapping, &file.pages.obj.mappings);
	f = page_make();
	ASSERT(reclaim_beside(write_out) == 0 && f->owner == &file.pages);
	pagecache_write_done(under_way, 0);
	file_forget();
}

static void test_mapped_meanwhile(void)
{
	struct frame *f = page_make();

	leaf = NULL;
	(void)reclaim_beside(map_page);
	ASSERT(!leaf || (leaf == f && f->owner == &file.pages));
	file_forget();
}

/* ---- truncation, and the flusher, who holds no lock of the inode ---- */

static void write_starts(void)
{
	ASSERT(pagecache_flush(&file.pages, 0, 0, PAGECACHE_START) == 0 && under_way);
}

static void write_is_done(void)
{
	struct frame *f = under_way;

	under_way = NULL;
	pagecache_write_done(f, 0);
}

static void test_truncated_while_written(void)
{
	(void)page_make();
	write_page();
	under_way = NULL;
	after_wait = write_starts;
	env_sleeping = write_is_done;
	pagecache_truncate(&file.pages, 0);
	ASSERT(!after_wait && !under_way && pagecache_nr_writeback() == 0);
	env_sleeping = NULL;
	file_forget();
}

/* ---- the flusher clears the tail of the last page (write_run), and the file grows by a write to another page ---- */

#define OLD_END 100

static struct frame *last_page;
static bool clearing;

static void write_byte(u64 at)
{
	char byte = 'x';
	struct uio u;
	s64 pos = (s64)at;

	uio_init_one(&u, UIO_KERNEL, (u64)(uintptr_t)&byte, 1);
	ASSERT(pagecache_write(&file, &u, &pos) == 1);
}

/* It has the page BUSY, and has read where the end is. */
static void clear_begins(void)
{
	ASSERT(frame_try_busy(last_page) && file.size == OLD_END);
	clearing = true;
}

/* Before, if somebody waits for the page; or after all. */
static void clear_ends(void)
{
	if (!clearing)
		return;
	clearing = false;
	memset((char *)frame_kva(last_page) + OLD_END, 0, PAGE_SIZE - OLD_END);
	frame_clear_wake(last_page, FRAME_BUSY);
}

static int disk_reserve(struct pagecache *pc, u64 pos, u64 len)
{
	turn();
	return 0;
}

static void test_grows_while_tail_is_cleared(void)
{
	file.size = 0;
	write_byte(OLD_END - 1);
	last_page = pagecache_find(&file.pages, 0);
	meanwhile = clear_begins;
	env_sleeping = clear_ends;
	write_byte(4 * PAGE_SIZE + 10);
	write_byte(2 * OLD_END);
	env_sleeping = NULL;
	clear_ends();
	ASSERT(!meanwhile && ((char *)frame_kva(last_page))[2 * OLD_END] == 'x');
	frame_put(last_page);
	file_forget();
}

int main(void)
{
	u64 before;

	env_start(8);
	pagecache_init(&file.pages, &file, &file_ops);
	refcount_init(&file.refs, 1);
	file.size = PAGE_SIZE;
	list_init(&mapping);
	before = env_leaks();
	test_one(false);
	test_one(true);
	test_mapped_meanwhile();
	test_truncated_while_written();
	test_grows_while_tail_is_cleared();
	ASSERT(env_leaks() <= before + 1); /* at most what an empty index keeps */
	return 0;
}
