/*
 * The inode cache: one struct inode per (superblock, number), states and invariants in fs/inode.h.
 *
 *	absent --inode_lookup/create--> NEW --publish--> LIVE --last put, linked--> cached --shrinker--> gone
 *	                                 |                 \--last put, nlink 0--> FREEING --evict--> gone
 *	                                 \--abandon, read error--> BAD --last put--> gone
 *
 * icache_lock guards the hash, the LRU, sb->inodes, and refs going 0 -> 1 and 1 -> 0. An inode that is FREEING stays in the
 * hash until its blocks are given back, so that nobody reads it from disk meanwhile; who looks for it waits.
 */
#include "fs/fs.h"
#include "fs/lock.h"
#include "lib/errno.h"
#include "lib/hash.h"
#include "lib/log.h"
#include "mm/reclaim.h"
#include "mm/slab.h"
#include "sync/sched.h"

static struct spinlock icache_lock = SPINLOCK_INIT("icache", RANK_ICACHE);
static struct list *icache_table;
static u64 icache_mask;
static LIST_HEAD(icache_lru);
static LIST_HEAD(icache_deferred); /* FREEING, by lru_link: to be destroyed by the flusher */
static struct waitq icache_freed = WAITQ_INIT(icache_freed, "inode freed");
static struct slab_cache *inode_cache;
static const struct pagecache_ops pagecache_ops_none;

static struct list *icache_bucket(const struct superblock *sb, u64 ino)
{
	return &icache_table[hash_pair((uintptr_t)sb, ino) & icache_mask];
}

static struct inode *icache_find_locked(struct superblock *sb, u64 ino)
{
	struct inode *inode;

	list_for_each_entry (inode, icache_bucket(sb, ino), hash_link) {
		if (inode->ino == ino && inode->sb == sb)
			return inode;
	}
	return NULL;
}

static inline u32 inode_state(const struct inode *inode)
{
	return atomic_read(&inode->state);
}

/* ---- making ---- */

/* Tells directories from other inodes in the lock order. Nobody else knows the inode yet. */
void inode_lock_init(struct inode *inode)
{
	if (S_ISDIR(inode->mode))
		rwlock_init(&inode->lock, "directory", RANK_INODE_DIR);
}

static struct inode *inode_alloc(struct superblock *sb, u64 ino)
{
	struct inode *inode = slab_alloc(inode_cache, ALLOC_ZERO);

	if (!inode)
		return NULL;
	inode->sb = sb;
	inode->ino = ino;
	inode->nlink = 1;
	rwlock_init(&inode->lock, "inode", RANK_INODE);
	refcount_init(&inode->refs, 1);
	atomic_set(&inode->state, INODE_NEW);
	waitq_init(&inode->waitq, "inode");
	list_init(&inode->hash_link);
	list_init(&inode->lru_link);
	list_init(&inode->sb_link);
	list_init(&inode->dirty_link);
	list_init(&inode->names);
	pagecache_init(&inode->pages, inode, &pagecache_ops_none);
	if (sb->ops->inode_init && sb->ops->inode_init(inode) != 0) {
		slab_free(inode_cache, inode);
		return NULL;
	}
	return inode;
}

static void inode_free(struct inode *inode)
{
	if (inode->locks)
		lock_release_inode(inode);
	if (inode->sb->ops->inode_fini)
		inode->sb->ops->inode_fini(inode);
	slab_free(inode_cache, inode);
}

static void inode_hash_locked(struct inode *inode)
{
	list_add(&inode->hash_link, icache_bucket(inode->sb, inode->ino));
	list_add(&inode->sb_link, &inode->sb->inodes);
}

static void inode_end_new(struct inode *inode, u32 bad)
{
	smp_wmb(); /* what the inode is comes before it counts as made */
	atomic_or(&inode->state, bad);
	smp_wmb();
	atomic_and(&inode->state, ~(u32)INODE_NEW);
	waitq_wake_all(&inode->waitq);
}

struct inode *inode_create(struct superblock *sb, u64 ino)
{
	struct inode *inode = inode_alloc(sb, ino);

	if (!inode)
		return NULL;
	spin_lock(&icache_lock);
	inode_hash_locked(inode);
	spin_unlock(&icache_lock);
	return inode;
}

void inode_publish(struct inode *inode)
{
	inode_lock_init(inode);
	inode_end_new(inode, 0);
}

void inode_abandon(struct inode *inode)
{
	inode_unhash(inode);
	inode_end_new(inode, INODE_BAD);
	inode_put(inode);
}

void inode_unhash(struct inode *inode)
{
	spin_lock(&icache_lock);
	list_del(&inode->hash_link);
	list_del(&inode->lru_link);
	spin_unlock(&icache_lock);
}

/* ---- looking up ---- */

static bool icache_is_freeing(struct superblock *sb, u64 ino)
{
	struct inode *inode;
	bool freeing;

	spin_lock(&icache_lock);
	inode = icache_find_locked(sb, ino);
	freeing = inode && (inode_state(inode) & INODE_FREEING);
	spin_unlock(&icache_lock);
	return freeing;
}

static void inode_get_locked(struct inode *inode)
{
	atomic_inc(&inode->refs.count);
}

/* Enters `fresh` unless the number is there already; that one comes back referenced, or NULL when `fresh` went in. */
static struct inode *icache_enter(struct inode *fresh, struct superblock *sb, u64 ino)
{
	struct inode *inode;

	for (;;) {
		spin_lock(&icache_lock);
		inode = icache_find_locked(sb, ino);
		if (!inode || !(inode_state(inode) & INODE_FREEING))
			break;
		spin_unlock(&icache_lock);
		wait_event(&icache_freed, !icache_is_freeing(sb, ino));
	}
	if (inode)
		inode_get_locked(inode);
	else if (fresh)
		inode_hash_locked(fresh);
	spin_unlock(&icache_lock);
	return inode;
}

static int inode_wait_new(struct inode *inode, struct inode **out)
{
	if (inode_state(inode) & INODE_NEW)
		wait_event(&inode->waitq, !(inode_state(inode) & INODE_NEW));
	smp_rmb(); /* see inode_end_new */
	if (inode_state(inode) & INODE_BAD) {
		inode_put(inode);
		return -EIO;
	}
	*out = inode;
	return 0;
}

int inode_lookup(struct superblock *sb, u64 ino, struct inode **out)
{
	struct inode *inode = icache_enter(NULL, sb, ino), *fresh;
	int err;

	if (inode)
		return inode_wait_new(inode, out);
	fresh = inode_alloc(sb, ino);
	if (!fresh)
		return -ENOMEM;
	inode = icache_enter(fresh, sb, ino);
	if (inode) {
		inode_free(fresh);
		return inode_wait_new(inode, out);
	}
	err = sb->ops->inode_read(fresh);
	if (err) {
		inode_abandon(fresh);
		return err;
	}
	inode_publish(fresh);
	*out = fresh;
	return 0;
}

void inode_get(struct inode *inode)
{
	refcount_get(&inode->refs);
}

/* ---- dirt ---- */

static void inode_queue_dirty(struct inode *inode, u32 flag)
{
	struct superblock *sb = inode->sb;

	if ((inode_state(inode) & flag) || !sb || sb->pins_inodes)
		return; /* queued already, or nothing to write to */
	mutex_lock(&sb->dirty_lock);
	if (!(atomic_fetch_or(&inode->state, flag) & (INODE_DIRTY | INODE_DIRTY_PAGES)) &&
		list_empty(&inode->dirty_link)) {
		inode->dirty_since = clock_mono_ns();
		list_add_tail(&inode->dirty_link, &sb->dirty);
	}
	mutex_unlock(&sb->dirty_lock);
}

void inode_mark_dirty(struct inode *inode)
{
	smp_mb(); /* the change comes before the look at the flag; who writes the inode clears that before it reads */
	inode_queue_dirty(inode, INODE_DIRTY);
}

void inode_mark_pages_dirty(struct inode *inode)
{
	inode_queue_dirty(inode, INODE_DIRTY_PAGES);
}

/*
 * Takes the inode off the dirty list and says what was dirty. Flags go before anything is written, so that a change made
 * meanwhile queues it again. Locks: sb->dirty_lock.
 */
static u32 inode_clean_locked(struct inode *inode)
{
	mutex_assert_held(&inode->sb->dirty_lock);
	list_del(&inode->dirty_link);
	return atomic_fetch_and(&inode->state, ~(u32)(INODE_DIRTY | INODE_DIRTY_PAGES));
}

static u32 inode_clean(struct inode *inode)
{
	struct superblock *sb = inode->sb;
	u32 was;

	mutex_lock(&sb->dirty_lock);
	was = inode_clean_locked(inode);
	mutex_unlock(&sb->dirty_lock);
	return was;
}

static int inode_write_out(struct inode *inode, u32 was, enum pagecache_sync how)
{
	int err = 0, err2;

	if (inode_state(inode) & INODE_BAD)
		return 0;
	if (was & INODE_DIRTY_PAGES)
		err = pagecache_flush(&inode->pages, 0, ~0ul, how);
	/* Writing pages may have changed attributes (blocks): those are queued again and written by the next round. */
	if ((was & INODE_DIRTY) && inode->sb->ops->inode_write && inode->nlink) {
		err2 = inode->sb->ops->inode_write(inode);
		if (!err)
			err = err2;
	}
	return err;
}

int inode_sync(struct inode *inode, u32 data_only)
{
	u32 was = 0;
	int err, err2;

	if (inode_state(inode) & (INODE_DIRTY | INODE_DIRTY_PAGES))
		was = inode_clean(inode);
	err = pagecache_flush(&inode->pages, 0, ~0ul, PAGECACHE_WAIT);
	if ((was & INODE_DIRTY) && inode->sb->ops->inode_write) {
		err2 = inode->sb->ops->inode_write(inode);
		if (!err)
			err = err2;
	}
	return err;
}

/* False: it is being destroyed. */
static bool inode_get_unless_freeing(struct inode *inode)
{
	bool lives;

	spin_lock(&icache_lock);
	lives = !(inode_state(inode) & INODE_FREEING);
	if (lives)
		inode_get_locked(inode);
	spin_unlock(&icache_lock);
	return lives;
}

/*
 * The next dirty inode old enough, referenced and off the list, or NULL; *was: what was dirty. One that is being destroyed is left on the
 * list: once it is off, it may be gone.
 */
static struct inode *super_take_dirty(struct superblock *sb, u64 before_ns, u32 *was)
{
	struct inode *inode = NULL, *i;

	mutex_lock(&sb->dirty_lock);
	list_for_each_entry (i, &sb->dirty, dirty_link) {
		if (i->dirty_since > before_ns)
			break;
		if (inode_get_unless_freeing(i)) {
			inode = i;
			*was = inode_clean_locked(i);
			break;
		}
	}
	mutex_unlock(&sb->dirty_lock);
	return inode;
}

static void super_destroy_deferred(struct superblock *sb);

int super_write_inodes(struct superblock *sb, u64 before_ns, enum pagecache_sync how)
{
	struct inode *inode;
	u32 was = 0;
	int err, first = 0;

	if (!list_empty(&icache_deferred))
		super_destroy_deferred(sb);
	if (sb->flags & MOUNT_RDONLY)
		return 0;
	/* What becomes dirty meanwhile is for the next round. */
	before_ns = MIN(before_ns, clock_mono_ns());
	while ((inode = super_take_dirty(sb, before_ns, &was)) != NULL) {
		err = inode_write_out(inode, was, how);
		if (!first)
			first = err;
		inode_put(inode);
		sched_point();
	}
	return first;
}

/* ---- the end ---- */

/* The last reference is gone, or the superblock is; state is FREEING and nobody else will touch it. */
static void inode_destroy(struct inode *inode)
{
	const struct super_ops *ops = inode->sb->ops;

	if (!list_empty(&inode->dirty_link))
		inode_clean(inode);
	pagecache_drop(&inode->pages);
	if (inode->nlink == 0 && !(inode_state(inode) & INODE_BAD) && ops->inode_evict)
		ops->inode_evict(inode);
	if (!list_empty(&inode->dirty_link))
		inode_clean(inode);
	spin_lock(&icache_lock);
	list_del(&inode->hash_link);
	list_del(&inode->sb_link);
	spin_unlock(&icache_lock);
	waitq_wake_all(&icache_freed);
	inode_free(inode);
}

void inode_put(struct inode *inode)
{
	if (ref_put_fast(&inode->refs))
		return;
	spin_lock(&icache_lock);
	if (atomic_dec_return(&inode->refs.count) != 0) {
		spin_unlock(&icache_lock);
		return;
	}
	if (inode->nlink != 0 && !list_empty(&inode->hash_link) && !(inode_state(inode) & INODE_BAD)) {
		if (list_empty(&inode->lru_link))
			list_add(&inode->lru_link, &icache_lru);
		spin_unlock(&icache_lock);
		return;
	}
	atomic_or(&inode->state, INODE_FREEING);
	list_del(&inode->lru_link);
	if (reclaim_active()) {
		/* Freeing its blocks takes locks that whoever wants memory may hold: later. */
		list_add_tail(&inode->lru_link, &icache_deferred);
		spin_unlock(&icache_lock);
		writeback_kick();
		return;
	}
	spin_unlock(&icache_lock);
	inode_destroy(inode);
}

/* Destroys the inodes of sb whose last reference was dropped inside reclaim. The caller holds a reference on sb. */
static void super_destroy_deferred(struct superblock *sb)
{
	struct inode *inode, *found;

	do {
		found = NULL;
		spin_lock(&icache_lock);
		list_for_each_entry (inode, &icache_deferred, lru_link) {
			if (inode->sb == sb) {
				found = inode;
				list_del(&inode->lru_link);
				break;
			}
		}
		spin_unlock(&icache_lock);
		if (found)
			inode_destroy(found);
	} while (found);
}

/*
 * The oldest unused inode that is clean and has no pages (those wait for the flusher and for the page cache's own reclaim), its superblock
 * pinned. Locks: icache_lock.
 */
static struct inode *icache_pick_victim(u32 *budget)
{
	struct inode *inode;

	while (!list_empty(&icache_lru) && (*budget)-- > 0) {
		inode = list_last_entry(&icache_lru, struct inode, lru_link);
		list_del(&inode->lru_link);
		if (refcount_read(&inode->refs) != 0)
			continue;
		if ((inode_state(inode) & (INODE_DIRTY | INODE_DIRTY_PAGES)) || inode->pages.nr_pages) {
			list_add(&inode->lru_link, &icache_lru);
			continue;
		}
		if (!super_pin(inode->sb))
			continue;
		atomic_or(&inode->state, INODE_FREEING);
		return inode;
	}
	return NULL;
}

static u64 icache_scan(u64 nr_frames)
{
	u64 per_frame = PAGE_SIZE / sizeof(struct inode), freed = 0;
	u32 budget = 4096;

	while (freed < nr_frames * per_frame) {
		struct superblock *sb;
		struct inode *inode;

		spin_lock(&icache_lock);
		inode = icache_pick_victim(&budget);
		spin_unlock(&icache_lock);
		if (!inode)
			break;
		sb = inode->sb;
		inode_destroy(inode);
		super_unpin(sb);
		freed++;
	}
	return freed / per_frame;
}

void inode_evict_all(struct superblock *sb)
{
	u32 pins = sb->pins_inodes ? 1 : 0;

	for (;;) {
		struct inode *inode;

		spin_lock(&icache_lock);
		inode = list_first_entry_or_null(&sb->inodes, struct inode, sb_link);
		if (inode) {
			atomic_or(&inode->state, INODE_FREEING);
			list_del(&inode->lru_link);
		}
		spin_unlock(&icache_lock);
		if (!inode)
			return;
		if (refcount_read(&inode->refs) > pins)
			pr_warn("fs: inode %lu of %s is still in use at unmount", inode->ino, sb->type->name);
		inode_destroy(inode);
		sched_point();
	}
}

void inode_evict_orphans(struct superblock *sb)
{
	for (;;) {
		struct inode *inode, *found = NULL;

		spin_lock(&icache_lock);
		list_for_each_entry (inode, &sb->inodes, sb_link) {
			if (inode->nlink == 0 && !(inode_state(inode) & (INODE_FREEING | INODE_BAD | INODE_NEW))) {
				found = inode;
				inode_get_locked(inode);
				break;
			}
		}
		spin_unlock(&icache_lock);
		if (!found)
			return;
		pagecache_drop(&found->pages);
		if (sb->ops->inode_evict)
			sb->ops->inode_evict(found);
		atomic_or(&found->state, INODE_BAD);
		inode_put(found);
	}
}

int inode_check_no_writers(struct superblock *sb)
{
	struct inode *inode;
	int err = 0;

	spin_lock(&icache_lock);
	list_for_each_entry (inode, &sb->inodes, sb_link) {
		if ((s32)atomic_read(&inode->writers) > 0 || (inode->nlink == 0 && refcount_read(&inode->refs) != 0)) {
			err = -EBUSY;
			break;
		}
	}
	spin_unlock(&icache_lock);
	return err;
}

static struct shrinker icache_shrinker = {.name = "icache", .scan = icache_scan};

void inode_cache_init(void)
{
	struct frame_stats st;
	u64 nr;

	frame_stats_read(&st);
	nr = st.total >= 65536 ? 2048 : 512;
	icache_table = kmalloc(nr * sizeof(*icache_table), 0);
	ASSERT(icache_table);
	for (u64 i = 0; i < nr; i++)
		list_init(&icache_table[i]);
	icache_mask = nr - 1;
	inode_cache = slab_cache_create_shrinkable("inode", sizeof(struct inode), 8);
	reclaim_register(&icache_shrinker);
}
