/*
 * What the parts of the VFS know of each other: dentries, mounts and the walk. File systems and upper rooms need
 * fs/inode.h, fs/path.h and fs/file.h only.
 *
 *	mount --root--> dentry --inode--> inode
 *	  |               | parent (referenced), hash by (parent, name)
 *	  parent, mountpoint: where ".." of its root leads
 *
 * Invariants
 *  D1. A hashed dentry says the truth about its directory; entering it in the hash and taking it out happen under
 *      dir->lock (lookup: read, change: write) of the parent's inode, and under dcache_lock.
 *  D2. A dentry holds a reference on its parent (the root of a tree is its own) and on its inode (NULL: negative).
 *  D3. refs go 0 -> 1 and 1 -> 0 only under dcache_lock. Refs 0, hashed and not of D6: kept for the shrinker. Else refs 0: freed.
 *  D4. Removed names (unlink, rmdir, rename over) are taken out of the hash and never come back; they keep their inode.
 *  D5. dentry->parent and name change only under dcache_lock and both directories' locks (rename).
 *  D6. A name whose inode has `revalidate` (procfs: what belongs to a process) is never kept without a user. So it does not
 *      outlive its process but where somebody has it open, and nobody has to look for it when the process ends.
 *  D7. dentry->mounted grows under the lock of the name's directory too: a name on which nothing is mounted can be removed or moved
 *      under that lock.
 *
 * Locks: dcache_lock (spinlock, RANK_DCACHE) guards all of the above, the mount tree's links and every fs_context.
 * mount_lock (mutex, RANK_MOUNT) serialises mount and umount.
 */
#pragma once

#include "fs/file.h"
#include "fs/inode.h"
#include "fs/path.h"
#include "lib/list.h"
#include "lib/refcount.h"
#include "sync/spinlock.h"

#define DENTRY_SHORT_NAME 40

struct dentry {
	struct hlist_node hash_link;
	struct dentry *parent;
	const char *name; /* NUL-terminated: short_name, or allocated */
	u32 hash, len;
	struct inode *inode; /* NULL: there is no such name */
	struct superblock *sb;
	struct refcount refs;
	u32 mounted;     /* mounts on it */
	struct list lru; /* when on it: maybe unused */
	struct list siblings, children;
	struct list names; /* in inode->names */
	char short_name[DENTRY_SHORT_NAME];
};

struct mount {
	struct refcount refs;  /* 1 for being in the tree, and each path */
	struct superblock *sb; /* referenced */
	struct dentry *root;   /* referenced */
	struct mount *parent;  /* referenced; NULL: the root mount, or detached */
	struct dentry *mountpoint;
	struct list link; /* all mounts, in order of mounting */
	u32 flags;        /* MOUNT_* of this place */
	u32 attached;
	u32 nr_children;
	char *source;
};

struct fs_context {
	struct refcount refs;
	struct path root, cwd; /* referenced [dcache_lock] */
	u32 umask;
};

extern struct spinlock dcache_lock;

/* ---- dcache.c ---- */

void dcache_init(void);
u32 dentry_hash(const char *name, u32 len);
/* The cached dentry, borrowed under dcache_lock, or NULL. */
struct dentry *dentry_find_locked(struct dentry *parent, const char *name, u32 len, u32 hash);
/*
 * The dentry of a name, asking the file system when it is not cached; referenced, maybe negative.
 * Locks: the caller holds the directory's lock, for reading at least. -ENOENT: the directory was removed.
 */
int dentry_lookup(struct dentry *parent, const struct qstr *name, u32 hash, struct dentry **out);
/* The first dentry of a tree; takes over the inode's reference. NULL: no memory (the inode is put). */
struct dentry *dentry_create_root(struct inode *inode);
/* A nameless dentry for a file that is in no directory (O_TMPFILE). As above. */
struct dentry *dentry_create_unnamed(struct dentry *dir, struct inode *inode);
/* A negative dentry becomes that of `inode` (reference taken over). */
void dentry_instantiate(struct dentry *d, struct inode *inode);
void dentry_unhash(struct dentry *d);
bool dentry_is_hashed(const struct dentry *d); /* roots count as hashed */
/* rename: d takes the place of `over` (unhashed); or they change places. */
void dentry_move(struct dentry *d, struct dentry *over);
void dentry_exchange(struct dentry *a, struct dentry *b);
/* True when `above` is d or one of its ancestors. Locks: rename_lock keeps it true. */
bool dentry_is_below(struct dentry *d, struct dentry *above);
static inline void dentry_get_locked(struct dentry *d)
{
	atomic_inc(&d->refs.count);
}
void dentry_get(struct dentry *d); /* the caller holds a reference already */
void dentry_put(struct dentry *d); /* may sleep */
/* Drops every unused dentry of the superblock; -EBUSY when some are left besides its root. */
int dcache_drop_sb(struct superblock *sb);

/* Drops a reference without the lock unless it may be the last. */
static inline bool ref_put_fast(struct refcount *r)
{
	u32 v = refcount_read(r);

	while (v > 1) {
		if (__atomic_compare_exchange_n(&r->count.value, &v, v - 1, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
			return true;
	}
	return false;
}

/* ---- mount.c ---- */

/* Both: NULL is fine (files that are on no mount). */
static inline void mount_get(struct mount *m)
{
	if (likely(m))
		refcount_get(&m->refs);
}
void mount_put(struct mount *m); /* may sleep: the last one gives up the superblock */
/* Moves *p down to the top mount on it. Locks: dcache_lock; p is borrowed. */
void mount_cross_down_locked(struct path *p);
/* The root of everything; borrowed. */
struct mount *mount_root(void);
int mount_is_rdonly(const struct mount *m);

/* ---- super.c ---- */

struct fs_type *fs_type_find(const char *name);
struct fs_type *fs_type_next(struct fs_type *prev);
/* A superblock of that type on that source, referenced: an existing one of the same device, or a new one. */
int super_mount(struct fs_type *type, const char *source, u32 flags, const char *options, struct superblock **out);
int super_remount(struct superblock *sb, u32 flags, const char *options);

/* ---- inode.c ---- */

void inode_cache_init(void);
/* Frees all inodes of a superblock that is going away. */
void inode_evict_all(struct superblock *sb);
/* Poweroff: frees the blocks of unlinked inodes that are still open. */
void inode_evict_orphans(struct superblock *sb);
/* -EBUSY when a regular file of sb is open for writing, or an unlinked one is open. */
int inode_check_no_writers(struct superblock *sb);
void inode_lock_init(struct inode *inode); /* when its type is known */

/* Who owns a fresh inode in dir, and with which mode (setgid directories). */
void inode_owner_for(const struct inode *dir, u32 *mode, u32 *uid, u32 *gid);

/* ---- perm.c ---- */

#define MAY_EXEC  1u
#define MAY_WRITE 2u
#define MAY_READ  4u
/* Search permission without the lock being dropped: 0, -EACCES; -EAGAIN: inode_permission must be asked (it may sleep). */
int perm_may_search_locked(const struct inode *dir);
int perm_may_create(struct inode *dir);
int perm_may_delete(struct inode *dir, const struct inode *victim);
int perm_is_owner(const struct inode *inode); /* or root */
/* Checks whether the caller may, and applies; may change attr->mode (set-id bits). Takes the inode's lock. */
int inode_setattr(struct inode *inode, struct inode_attr *attr);
/* A write or a change of owner takes set-id bits away. Locks: inode->lock, writing. */
void inode_strip_setid(struct inode *inode);

/* ---- path.c: the walk ---- */

enum last_kind { LAST_NORMAL, LAST_DOT, LAST_DOTDOT, LAST_ROOT };

/*
 * The walk holds dcache_lock while it goes over cached names, without references: `place` is borrowed under the lock.
 * Whatever may sleep first pins the place, drops the lock, and retakes it afterwards.
 */
struct walk {
	struct path place;        /* where it stands; valid under dcache_lock or while pinned */
	struct path pin;          /* referenced, or NULLs */
	struct dentry *pin_child; /* referenced, or NULL */
	struct fs_context *ctx;
	const char *cursor; /* the rest of the name */
	char *owned;        /* buffer of the rest after a symlink, or NULL */
	u32 nr_links;
	struct qstr last;
	u32 last_hash;
	enum last_kind last_kind;
	u32 slashes; /* after the last component */
};

/* Locks the cache and stands at the start. -ENOENT: nothing is mounted yet (not locked). */
int walk_start(struct walk *w, const struct path *dir, const char *name);
/* Up to the directory of the last component, which is in w->last. Locks: dcache_lock held before and after. */
int walk_to_parent(struct walk *w);
enum walk_follow { WALK_LAST_NOFOLLOW, WALK_LAST_FOLLOW };
/* From there to the last component. */
int walk_last(struct walk *w, enum walk_follow follow);
/* The symlink `link` (child of w->place) is followed: its text goes before the rest. */
int walk_push_link(struct walk *w, struct dentry *link);
/* Pins the place and drops the lock. */
void walk_unlock(struct walk *w);
/* References w->place into *out and ends the walk (lock dropped, pins put). */
void walk_take(struct walk *w, struct path *out);
void walk_end(struct walk *w);   /* locked: ends it without a result */
void walk_abort(struct walk *w); /* not locked: the same */

/* A walk to the parent, unlocked, for operations by name. place is referenced by w->pin. */
int walk_parent(struct walk *w, const struct path *dir, const char *name);

/* ---- fs_context.c ---- */
/* current's, or for the kernel itself one that stands at the root. */
struct fs_context *fs_context_or_kernel(void);

/* ---- open.c, chrdev.c ---- */

int chrdev_open(struct file *f);
extern const struct file_ops
	file_ops_none; /* every operation refused: O_PATH, failed opens, directories without iterate */

/* ---- file.c ---- */

void file_init(void);
void fdtable_init(void);

/* ---- file systems of this folder ---- */

extern struct fs_type tmpfs_type;
void tmpfs_init(void);
void devfs_init(void);
/* Sets up sb as an empty tmpfs with these operations for its directories. */
int tmpfs_fill(struct superblock *sb, const char *options, const struct inode_ops *dir_ops,
	const struct file_ops *dir_fops, u32 root_mode);
/* Makes a directory or a link inside a tmpfs that is being mounted. */
int tmpfs_add_dir(struct inode *dir, const char *name, u32 mode, struct inode **out);
int tmpfs_add_link(struct inode *dir, const char *name, const char *target);
extern const struct inode_ops tmpfs_dir_ops;
extern const struct file_ops tmpfs_dir_fops;
int tmpfs_lookup(struct inode *dir, const struct qstr *name, struct inode **out);
int tmpfs_iterate(struct file *f, struct dir_sink *sink);
extern const struct super_ops tmpfs_super_ops;
u64 tmpfs_next_ino(struct superblock *sb);

/* ---- implemented by other files of fs/ ---- */

void ext_init(void);    /* ext/: registers its types */
void procfs_init(void); /* procfs.c: likewise */
