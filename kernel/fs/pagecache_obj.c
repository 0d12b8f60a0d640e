/* A file's pages as a memory object: what mappings and page faults see. See mm/memobj.h. */
#include "fs/inode.h"
#include "fs/pagecache_internal.h"
#include "lib/errno.h"

static inline struct pagecache *obj_cache(struct memobj *o)
{
	return container_of(o, struct pagecache, obj);
}

static int cache_obj_get(struct memobj *o, u64 pgoff, struct frame **out)
{
	struct pagecache *pc = obj_cache(o);
	struct frame *f;

	if (pgoff >= cache_pages(pc))
		return -EFAULT;
	f = pagecache_find(pc, pgoff);
	if (!f)
		return -EAGAIN;
	if (!(atomic_read(&f->flags) & FRAME_UPTODATE)) {
		frame_put(f);
		return -EAGAIN;
	}
	smp_rmb(); /* see pagecache_read_done */
	pagecache_touch(f);
	*out = f;
	return 0;
}

static void cache_obj_get_run(struct memobj *o, u64 pgoff, u32 nr, struct frame **out)
{
	struct pagecache *pc = obj_cache(o);
	u64 end = MIN(cache_pages(pc), pgoff + nr);
	const struct index_node *leaf = NULL;
	u64 irq = spin_lock_irqsave(&pc->lock);

	for (u32 i = 0; i < nr; i++, pgoff++) {
		struct frame *f;

		out[i] = NULL;
		if (pgoff >= end)
			continue;
		if (i == 0 || !(pgoff & INDEX_MASK))
			leaf = index_leaf(&pc->index, pgoff);
		f = leaf ? leaf->slots[pgoff & INDEX_MASK] : NULL;
		if (!f || !(atomic_read(&f->flags) & FRAME_UPTODATE))
			continue;
		frame_get(f);
		pagecache_touch(f);
		out[i] = f;
	}
	smp_rmb(); /* see pagecache_read_done */
	spin_unlock_irqrestore(&pc->lock, irq);
}

static int cache_obj_load(struct memobj *o, u64 pgoff)
{
	struct pagecache *pc = obj_cache(o);
	struct frame *f;
	int err;

	if (pgoff >= cache_pages(pc))
		return -EFAULT;
	/* Where pages are all there is, a hole that is looked at takes room. */
	err = (pc->flags & PAGECACHE_PINNED) ? pc->ops->reserve(pc, pgoff << PAGE_SHIFT, PAGE_SIZE) : 0;
	if (err == 0)
		err = pagecache_get(pc, pgoff, &f);
	if (err == 0)
		frame_put(f);
	return err;
}

static int cache_obj_make_writable(struct memobj *o, u64 pgoff, struct frame *f)
{
	struct pagecache *pc = obj_cache(o);
	u64 pos = pgoff << PAGE_SHIFT;
	u64 size;
	int err = 0;

	rwlock_write_lock(&pc->inode->lock);
	size = inode_size(pc->inode);
	if (f->owner != pc || pos >= size)
		err = -EAGAIN;
	else if (pc->ops->reserve)
		err = pc->ops->reserve(pc, pos, MIN(size - pos, PAGE_SIZE));
	if (err == 0) {
		pagecache_mark_dirty(pc, f);
		pc->inode->mtime = pc->inode->ctime = time_wall();
		inode_mark_dirty(pc->inode);
	}
	rwlock_write_unlock(&pc->inode->lock);
	if (err == 0)
		writeback_balance();
	return err;
}

static int cache_obj_sync(struct memobj *o, u64 first, u64 last)
{
	struct pagecache *pc = obj_cache(o);
	int err = pagecache_flush(pc, first, last, PAGECACHE_WAIT);

	return err ? err : inode_sync(pc->inode, 1);
}

static void cache_obj_get_ref(struct memobj *o)
{
	inode_get(obj_cache(o)->inode);
}

static void cache_obj_put_ref(struct memobj *o)
{
	inode_put(obj_cache(o)->inode);
}

/* The superblock too: the file, and with it the mount, may go meanwhile. */
static void cache_obj_hold(struct memobj *o)
{
	struct inode *inode = obj_cache(o)->inode;

	inode_get(inode);
	refcount_get(&inode->sb->refs);
}

static void cache_obj_release(struct memobj *o)
{
	struct inode *inode = obj_cache(o)->inode;
	struct superblock *sb = inode->sb;

	inode_put(inode);
	super_put(sb);
}

const struct memobj_ops pagecache_obj_ops = {
	.get = cache_obj_get,
	.get_run = cache_obj_get_run,
	.load = cache_obj_load,
	.make_writable = cache_obj_make_writable,
	.sync = cache_obj_sync,
	.get_ref = cache_obj_get_ref,
	.put_ref = cache_obj_put_ref,
	.hold = cache_obj_hold,
	.release = cache_obj_release,
};
