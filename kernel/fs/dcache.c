/* The name cache: see the invariants in fs/fs.h. */
#include "fs/fs.h"
#include "lib/errno.h"
#include "lib/hash.h"
#include "lib/string.h"
#include "mm/reclaim.h"
#include "mm/slab.h"

struct spinlock dcache_lock = SPINLOCK_INIT("dcache", RANK_DCACHE);

static struct hlist_head *dcache_table;
static u64 dcache_mask;
static struct slab_cache *dentry_cache;
static LIST_HEAD(dcache_lru); /* newest first */
static u64 dcache_nr;         /* all dentries, for the shrinker's sense of proportion */

u32 dentry_hash(const char *name, u32 len)
{
	u64 h = 0;

	for (u32 i = 0; i < len; i++)
		h = (h + (u8)name[i]) * 0x9e3779b1u;
	return (u32)(h ^ (h >> 32));
}

static inline struct hlist_head *dcache_bucket(const struct dentry *parent, u32 hash)
{
	u64 h = ((uintptr_t)parent >> 6) * 0x9e3779b97f4a7c15UL + hash;

	return &dcache_table[(h ^ (h >> 24)) & dcache_mask];
}

struct dentry *dentry_find_locked(struct dentry *parent, const char *name, u32 len, u32 hash)
{
	struct dentry *d;

	hlist_for_each_entry(d, dcache_bucket(parent, hash), hash_link)
	{
		if (d->hash == hash && d->parent == parent && d->len == len && memcmp(d->name, name, len) == 0)
			return d;
	}
	return NULL;
}

bool dentry_is_hashed(const struct dentry *d)
{
	return d->parent == d || !hlist_unhashed(&d->hash_link);
}

/* May it stay when nobody uses it (D3)? */
static bool dentry_is_kept(const struct dentry *d)
{
	bool comes_and_goes = d->inode && d->inode->ops && d->inode->ops->revalidate;

	return d->parent != d && !hlist_unhashed(&d->hash_link) && !comes_and_goes;
}

/* ---- life ---- */

static struct dentry *dentry_alloc(struct dentry *parent, const char *name, u32 len, u32 hash)
{
	struct dentry *d = slab_alloc(dentry_cache, 0);
	char *text;

	if (!d)
		return NULL;
	text = d->short_name;
	if (len >= DENTRY_SHORT_NAME) {
		text = kmalloc(len + 1, 0);
		if (!text) {
			slab_free(dentry_cache, d);
			return NULL;
		}
	}
	memcpy(text, name, len);
	text[len] = 0;
	d->name = text;
	d->len = len;
	d->hash = hash;
	hlist_node_init(&d->hash_link);
	d->parent = parent ? parent : d;
	d->inode = NULL;
	d->sb = parent ? parent->sb : NULL;
	refcount_init(&d->refs, 1);
	d->mounted = 0;
	list_init(&d->lru);
	list_init(&d->siblings);
	list_init(&d->children);
	list_init(&d->names);
	return d;
}

static void dentry_free(struct dentry *d)
{
	if (d->name != d->short_name)
		kfree((void *)d->name);
	slab_free(dentry_cache, d);
}

static void dentry_attach_locked(struct dentry *d)
{
	if (d->parent != d) {
		dentry_get_locked(d->parent);
		list_add(&d->siblings, &d->parent->children);
	}
	dcache_nr++;
}

/*
 * Takes an unused dentry out of everything and gives back its inode (to be put without the lock). The parent's reference
 * becomes the caller's.
 */
static struct inode *dentry_detach_locked(struct dentry *d)
{
	struct inode *inode = d->inode;

	hlist_del(&d->hash_link);
	list_del(&d->lru);
	list_del(&d->siblings);
	list_del(&d->names);
	d->inode = NULL;
	dcache_nr--;
	return inode;
}

/* Locks: dcache_lock held, dropped here. d has no references and is not to be kept. */
static void dentry_kill(struct dentry *d)
{
	while (d) {
		struct dentry *parent = d->parent == d ? NULL : d->parent;
		struct inode *inode = dentry_detach_locked(d);

		spin_unlock(&dcache_lock);
		if (inode)
			inode_put(inode);
		dentry_free(d);
		d = parent;
		if (!d || ref_put_fast(&d->refs))
			return;
		spin_lock(&dcache_lock);
		if (atomic_dec_return(&d->refs.count) != 0 || dentry_is_kept(d)) {
			if (refcount_read(&d->refs) == 0 && list_empty(&d->lru))
				list_add(&d->lru, &dcache_lru);
			break;
		}
	}
	spin_unlock(&dcache_lock);
}

void dentry_get(struct dentry *d)
{
	refcount_get(&d->refs);
}

void dentry_put(struct dentry *d)
{
	if (ref_put_fast(&d->refs))
		return;
	spin_lock(&dcache_lock);
	if (atomic_dec_return(&d->refs.count) == 0) {
		if (!dentry_is_kept(d)) {
			dentry_kill(d);
			return;
		}
		if (list_empty(&d->lru))
			list_add(&d->lru, &dcache_lru);
	}
	spin_unlock(&dcache_lock);
}

static void dentry_set_inode_locked(struct dentry *d, struct inode *inode)
{
	d->inode = inode;
	list_add(&d->names, &inode->names);
}

struct dentry *dentry_create_root(struct inode *inode)
{
	struct dentry *d = dentry_alloc(NULL, "/", 1, 0);

	if (!d) {
		inode_put(inode);
		return NULL;
	}
	d->sb = inode->sb;
	spin_lock(&dcache_lock);
	dentry_attach_locked(d);
	dentry_set_inode_locked(d, inode);
	spin_unlock(&dcache_lock);
	return d;
}

struct dentry *dentry_create_unnamed(struct dentry *dir, struct inode *inode)
{
	char name[24] = "#";
	u32 len = 1;
	struct dentry *d;

	for (u64 n = inode->ino; n && len < sizeof(name) - 1; n /= 10)
		name[len++] = (char)('0' + n % 10);
	d = dentry_alloc(dir, name, len, 0);
	if (!d) {
		inode_put(inode);
		return NULL;
	}
	spin_lock(&dcache_lock);
	dentry_attach_locked(d);
	dentry_set_inode_locked(d, inode);
	spin_unlock(&dcache_lock);
	return d;
}

/* ---- lookup ---- */

/* Enters a new dentry in the cache unless someone was faster; either way the one to use comes back, referenced. */
static struct dentry *dentry_enter(struct dentry *fresh, struct inode *inode)
{
	struct dentry *d;

	spin_lock(&dcache_lock);
	d = dentry_find_locked(fresh->parent, fresh->name, fresh->len, fresh->hash);
	if (d) {
		dentry_get_locked(d);
		spin_unlock(&dcache_lock);
		dentry_free(fresh);
		if (inode)
			inode_put(inode);
		return d;
	}
	dentry_attach_locked(fresh);
	hlist_add_head(&fresh->hash_link, dcache_bucket(fresh->parent, fresh->hash));
	if (inode)
		dentry_set_inode_locked(fresh, inode);
	spin_unlock(&dcache_lock);
	return fresh;
}

int dentry_lookup(struct dentry *parent, const struct qstr *name, u32 hash, struct dentry **out)
{
	struct inode *dir = parent->inode, *inode = NULL;
	struct dentry *d;
	int err;

	spin_lock(&dcache_lock);
	d = dentry_find_locked(parent, name->name, name->len, hash);
	if (d) {
		dentry_get_locked(d);
		spin_unlock(&dcache_lock);
		*out = d;
		return 0;
	}
	spin_unlock(&dcache_lock);
	if (dir->nlink == 0)
		return -ENOENT;
	if (!dir->ops || !dir->ops->lookup)
		return -ENOTDIR;
	d = dentry_alloc(parent, name->name, name->len, hash);
	if (!d)
		return -ENOMEM;
	err = dir->ops->lookup(dir, name, &inode);
	if (err && err != -ENOENT) {
		dentry_free(d);
		return err;
	}
	*out = dentry_enter(d, err ? NULL : inode);
	return 0;
}

void dentry_instantiate(struct dentry *d, struct inode *inode)
{
	spin_lock(&dcache_lock);
	ASSERT(!d->inode);
	dentry_set_inode_locked(d, inode);
	spin_unlock(&dcache_lock);
}

/* d's directory is gone: remembered absences in it would keep it, and its blocks, for nothing. */
static void dentry_prune_children(struct dentry *d)
{
	struct dentry *child, *unused;

	do {
		unused = NULL;
		spin_lock(&dcache_lock);
		list_for_each_entry (child, &d->children, siblings) {
			if (refcount_read(&child->refs) == 0) {
				unused = child;
				break;
			}
		}
		if (unused)
			dentry_kill(unused); /* drops the lock */
		else
			spin_unlock(&dcache_lock);
	} while (unused);
}

void dentry_unhash(struct dentry *d)
{
	spin_lock(&dcache_lock);
	hlist_del(&d->hash_link);
	list_del(&d->lru);
	spin_unlock(&dcache_lock);
	dentry_prune_children(d);
}

/* ---- rename ---- */

static void dentry_swap_names(struct dentry *a, struct dentry *b)
{
	const char *name = a->name;
	u32 len = a->len, hash = a->hash;
	bool a_short = a->name == a->short_name, b_short = b->name == b->short_name;
	char text[DENTRY_SHORT_NAME];

	memcpy(text, a->short_name, DENTRY_SHORT_NAME);
	memcpy(a->short_name, b->short_name, DENTRY_SHORT_NAME);
	memcpy(b->short_name, text, DENTRY_SHORT_NAME);
	a->name = b_short ? a->short_name : b->name;
	b->name = a_short ? b->short_name : name;
	a->len = b->len;
	b->len = len;
	a->hash = b->hash;
	b->hash = hash;
}

/* The parents' reference counts stay right: each child's reference goes where the child goes. */
static void dentry_swap_places(struct dentry *a, struct dentry *b)
{
	struct dentry *parent = a->parent;

	dentry_swap_names(a, b);
	a->parent = b->parent;
	b->parent = parent;
	list_move(&a->siblings, &a->parent->children);
	list_move(&b->siblings, &b->parent->children);
}

void dentry_move(struct dentry *d, struct dentry *over)
{
	spin_lock(&dcache_lock);
	hlist_del(&d->hash_link);
	hlist_del(&over->hash_link);
	list_del(&over->lru);
	dentry_swap_places(d, over);
	hlist_add_head(&d->hash_link, dcache_bucket(d->parent, d->hash));
	spin_unlock(&dcache_lock);
	dentry_prune_children(over);
}

void dentry_exchange(struct dentry *a, struct dentry *b)
{
	spin_lock(&dcache_lock);
	hlist_del(&a->hash_link);
	hlist_del(&b->hash_link);
	dentry_swap_places(a, b);
	hlist_add_head(&a->hash_link, dcache_bucket(a->parent, a->hash));
	hlist_add_head(&b->hash_link, dcache_bucket(b->parent, b->hash));
	spin_unlock(&dcache_lock);
}

bool dentry_is_below(struct dentry *d, struct dentry *above)
{
	bool below;

	spin_lock(&dcache_lock);
	while (d != above && d->parent != d)
		d = d->parent;
	below = d == above;
	spin_unlock(&dcache_lock);
	return below;
}

/* ---- giving memory back ---- */

/*
 * The oldest entry of the list, its superblock pinned; used ones leave it, and come back when they are put; so do those of a superblock
 * that is going away. Locks: dcache_lock.
 */
static struct dentry *dcache_pick_victim(void)
{
	while (!list_empty(&dcache_lru)) {
		struct dentry *d = list_last_entry(&dcache_lru, struct dentry, lru);

		list_del(&d->lru);
		if (refcount_read(&d->refs) == 0 && super_pin(d->sb))
			return d;
	}
	return NULL;
}

static u64 dcache_scan(u64 nr_frames)
{
	u64 per_frame = PAGE_SIZE / sizeof(struct dentry), freed = 0;

	while (freed < nr_frames * per_frame) {
		struct superblock *sb;
		struct dentry *d;

		spin_lock(&dcache_lock);
		d = dcache_pick_victim();
		if (!d) {
			spin_unlock(&dcache_lock);
			break;
		}
		sb = d->sb;
		dentry_kill(d);
		super_unpin(sb);
		freed++;
	}
	return freed / per_frame;
}

int dcache_drop_sb(struct superblock *sb)
{
	struct dentry *root = sb->root_dentry;

	for (;;) {
		struct dentry *d = root;

		spin_lock(&dcache_lock);
		while (!list_empty(&d->children))
			d = list_first_entry(&d->children, struct dentry, siblings);
		if (d == root || refcount_read(&d->refs) != 0) {
			spin_unlock(&dcache_lock);
			return d == root ? 0 : -EBUSY;
		}
		dentry_kill(d);
		sched_point();
	}
}

static struct shrinker dcache_shrinker = {.name = "dcache", .scan = dcache_scan};

void dcache_init(void)
{
	struct frame_stats st;
	u64 nr;

	frame_stats_read(&st);
	nr = st.total >= 65536 ? 8192 : 2048;
	dcache_table = kzalloc(nr * sizeof(*dcache_table), 0);
	ASSERT(dcache_table);
	dcache_mask = nr - 1;
	dentry_cache = slab_cache_create_shrinkable("dentry", sizeof(struct dentry), 8);
	reclaim_register(&dcache_shrinker);
}
