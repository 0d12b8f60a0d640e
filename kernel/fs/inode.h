/*
 * Inodes, superblocks, and what a file system provides.
 *
 * An inode is in memory once per (superblock, number): the inode cache hands
 * out references. Its page cache is part of it.
 *
 *   states: NEW (being read in; sleepers wait) → LIVE → (refs 0: kept cached while nlink > 0, LRU)
 *           → FREEING (evict: nlink 0 → fs frees blocks) → gone
 *
 * Locks
 *   inode->lock (rwlock, RANK_INODE)  write: size, blocks, directory contents change; read: they are looked at.
 *        Two inodes: parent before child; two unrelated ones by address (inode_lock_two); rename also takes sb->rename_lock first.
 *   pagecache (fs/pagecache.h) has its own.
 * All operations: process context, may sleep, 0 or -errno, nothing changed on error, unless said otherwise.
 * The VFS checks permissions, names, read-only mounts and takes the locks; a file system does neither.
 */
#pragma once

#include "fs/pagecache.h"
#include "lib/list.h"
#include "lib/refcount.h"
#include "lib/types.h"
#include "sync/mutex.h"
#include "sync/rwlock.h"
#include "sync/waitq.h"

struct file;
struct file_ops;
struct inode;
struct superblock;
struct blkdev;
struct uio;
struct path;

#define NAME_MAX    255
#define PATH_MAX    4096
#define SYMLOOP_MAX 40
#define LINK_MAX    65000

/* st_mode */
#define S_IFMT      0170000
#define S_IFSOCK    0140000
#define S_IFLNK     0120000
#define S_IFREG     0100000
#define S_IFBLK     0060000
#define S_IFDIR     0040000
#define S_IFCHR     0020000
#define S_IFIFO     0010000
#define S_ISUID     04000
#define S_ISGID     02000
#define S_ISVTX     01000
#define S_ISLNK(m)  (((m)&S_IFMT) == S_IFLNK)
#define S_ISREG(m)  (((m)&S_IFMT) == S_IFREG)
#define S_ISDIR(m)  (((m)&S_IFMT) == S_IFDIR)
#define S_ISCHR(m)  (((m)&S_IFMT) == S_IFCHR)
#define S_ISBLK(m)  (((m)&S_IFMT) == S_IFBLK)
#define S_ISFIFO(m) (((m)&S_IFMT) == S_IFIFO)
#define S_ISSOCK(m) (((m)&S_IFMT) == S_IFSOCK)

struct timespec64 {
	s64 sec;
	s64 nsec;
};
struct timespec64 time_wall(void); /* now; fs/inode.c */

/* A name as the path walk found it: not NUL-terminated. */
struct qstr {
	const char *name;
	u32 len; /* 1 … NAME_MAX */
};

struct inode_attr {
	u32 valid; /* ATTR_* */
	u32 mode;
	u32 uid, gid;
	u64 size;
	struct timespec64 atime, mtime, ctime;
};
#define ATTR_MODE      BIT(0)
#define ATTR_UID       BIT(1)
#define ATTR_GID       BIT(2)
#define ATTR_SIZE      BIT(3)
#define ATTR_ATIME     BIT(4)
#define ATTR_MTIME     BIT(5)
#define ATTR_CTIME     BIT(6)
#define ATTR_TIMES_NOW BIT(7) /* with ATIME/MTIME: "now" was asked for, so write permission suffices */
#define ATTR_OPEN      BIT(8) /* with SIZE: through a file open for writing (ftruncate): no permission check */

enum rename_flags { RENAME_NOREPLACE = 1, RENAME_EXCHANGE = 2 };

struct dir_sink; /* fs/file.h */

/*
 * All may be NULL: -EPERM / -ENOTDIR / -EINVAL as Linux has it. `dir` is write-locked for changes, read-locked for
 * lookup. New inodes are returned referenced. The caller has checked that the name is absent or present.
 */
struct inode_ops {
	/* -ENOENT when there is no such name. */
	int (*lookup)(struct inode *dir, const struct qstr *name, struct inode **out);
	int (*create)(struct inode *dir, const struct qstr *name, u32 mode, u32 rdev,
		struct inode **out); /* any S_IF but DIR, LNK */
	int (*mkdir)(struct inode *dir, const struct qstr *name, u32 mode, struct inode **out);
	int (*symlink)(struct inode *dir, const struct qstr *name, const char *target, struct inode **out);
	int (*link)(struct inode *dir, const struct qstr *name, struct inode *target);
	int (*unlink)(struct inode *dir, const struct qstr *name, struct inode *target);
	int (*rmdir)(struct inode *dir, const struct qstr *name, struct inode *target); /* -ENOTEMPTY */
	/* `victim` (or NULL) is what new_name is now. Flags RENAME_EXCHANGE only (NOREPLACE is the VFS's). */
	int (*rename)(struct inode *old_dir, const struct qstr *old_name, struct inode *moved, struct inode *new_dir,
		const struct qstr *new_name, struct inode *victim, u32 flags);
	/* O_TMPFILE: an inode without a name, nlink 0. NULL: -EOPNOTSUPP. */
	int (*tmpfile)(struct inode *dir, u32 mode, struct inode **out);
	/* Target text into buf (PATH_MAX), NUL-terminated; returns its length. */
	int (*readlink)(struct inode *inode, char *buf, size_t size);
	/* A "magic" link (/proc/PID/fd/3, exe, cwd): gives the place itself. NULL for ordinary links. */
	int (*follow)(struct inode *inode, struct path *out);
	/* Applies attr (permission checked, inode write-locked). ATTR_SIZE: frees or reserves blocks; the VFS has cut the page cache.
	 * When shrinking, inode->size is already the new size: free what lies beyond attr->size unconditionally. The VFS copies
	 * every valid field into the inode and marks it dirty after success (inode_apply_attr); NULL: just that. */
	int (*setattr)(struct inode *inode, const struct inode_attr *attr);
	/* Refreshes dynamic attributes before a stat (procfs). */
	void (*refresh)(struct inode *inode);
	/* procfs: may this cached name still be used (nonzero)? NULL: always. In a directory whose ops have it, absent names
	 * are not cached either. */
	int (*revalidate)(struct inode *inode);
	/* A regular file on a block device: file block lblk is at *pblk (0: a hole), and *len blocks from there on (1 ... max) are alike. */
	int (*map_blocks)(struct inode *inode, u64 lblk, u32 max, u64 *pblk, u32 *len);
	/* Extended permission check; NULL: generic mode bits. mask: 4 read, 2 write, 1 exec. */
	int (*permission)(struct inode *inode, u32 mask);
};

#define INODE_NEW         BIT(0)
#define INODE_DIRTY       BIT(1) /* attributes differ from disk */
#define INODE_FREEING     BIT(2)
#define INODE_BAD         BIT(3) /* could not be read: every operation is -EIO */
#define INODE_DIRTY_PAGES BIT(4)
#define INODE_LINKABLE    BIT(5) /* O_TMPFILE without O_EXCL: may be linked although nlink is 0 */

struct inode {
	u64 ino;
	u32 mode, nlink;
	u32 uid, gid;
	u32 rdev; /* of a device node */
	u32 generation;
	u64 size;   /* [lock; read by i_size_read without] */
	u64 blocks; /* 512-byte units in use */
	struct timespec64 atime, mtime, ctime;
	struct superblock *sb;
	const struct inode_ops *ops;
	const struct file_ops *fops;
	struct rwlock lock;
	struct pagecache pages; /* regular files, block devices, directories and symlinks of ext */
	struct refcount refs;
	struct atomic state;   /* INODE_* */
	struct atomic writers; /* open for writing; negative: being executed (ETXTBSY) */
	struct waitq waitq;    /* state changes */
	struct list hash_link; /* [inode cache lock] */
	struct list lru_link;
	struct list sb_link;
	struct list dirty_link; /* [sb->dirty_lock] */
	u64 dirty_since;        /* clock_mono_ns when it was queued there */
	struct list names;      /* dentries of it [dcache lock] */
	void *locks;            /* fs/lock.c: POSIX and flock locks */
	void *pipe;             /* fs/pipe.c: FIFO buffer while open */
	void *private;          /* the file system's own, e.g. struct ext_inode * */
};

struct statfs_info {
	u64 type, bsize, blocks, bfree, bavail, files, ffree;
	u64 namelen, flags;
	u32 fsid[2];
};

struct super_ops {
	/* Allocates/frees inode->private beside the inode; may be NULL. */
	int (*inode_init)(struct inode *inode);
	void (*inode_fini)(struct inode *inode);
	/* Reads attributes of inode->ino from disk (state NEW). */
	int (*inode_read)(struct inode *inode);
	/* Writes attributes to disk (through buffers). */
	int (*inode_write)(struct inode *inode);
	/* Last reference of an inode with nlink 0: give back its blocks and number. The page cache is already empty. */
	void (*inode_evict)(struct inode *inode);
	int (*sync)(struct superblock *sb); /* metadata to disk, device flush */
	int (*statfs)(struct superblock *sb, struct statfs_info *out);
	int (*remount)(struct superblock *sb, u32 flags, const char *options);
	void (*unmount)(struct superblock *sb); /* everything is written; free sb->private */
};

#define MOUNT_RDONLY  1u /* MS_* numbers */
#define MOUNT_NOSUID  2u
#define MOUNT_NODEV   4u
#define MOUNT_NOEXEC  8u
#define MOUNT_NOATIME 1024u

struct superblock {
	const struct fs_type *type;
	const struct super_ops *ops;
	struct blkdev *bdev; /* or NULL */
	u32 block_size;
	u32 flags;                /* MOUNT_* in force for the whole superblock */
	u32 dev;                  /* st_dev */
	u64 max_size;             /* largest file */
	struct inode *root;       /* referenced */
	struct mutex rename_lock; /* RANK_RENAME: directory renames */
	struct mutex dirty_lock;
	struct list dirty;    /* inodes to write */
	struct list inodes;   /* all cached [inode cache lock] */
	struct refcount refs; /* mounts */
	struct list link;
	struct dentry *root_dentry; /* fs/mount.c: the name of root; referenced */
	u32 pins_inodes;            /* tmpfs: every linked inode holds a reference on itself */
	struct atomic pins;         /* super_pin */
	u32 dying;                  /* the last mount is gone */
	u32 going_rdonly;           /* being remounted read-only: nobody begins to write */
	void *private;
};

struct fs_type {
	const char *name;
	u32 needs_dev;
	u32 dynamic; /* names come and go by themselves: absent ones are not cached */
	/* Fills sb (ops, root, private). */
	int (*mount)(struct superblock *sb, const char *options);
	struct list link;
};
void fs_register(struct fs_type *t);

/* ---- inode cache (fs/inode.c) ---- */

/* The inode of that number, referenced; read in by sb->ops->inode_read when not cached. */
int inode_lookup(struct superblock *sb, u64 ino, struct inode **out);
/* A fresh one (create): in the cache, state NEW until inode_publish. NULL: no memory. */
struct inode *inode_create(struct superblock *sb, u64 ino);
void inode_publish(struct inode *inode);
/* Undo of inode_create before publishing. */
void inode_abandon(struct inode *inode);
void inode_get(struct inode *inode);
void inode_put(struct inode *inode);        /* may sleep */
void inode_mark_dirty(struct inode *inode); /* attributes. May sleep */
void inode_mark_pages_dirty(
	struct inode *inode); /* its page cache has dirty pages; called without pc->lock. May sleep */
/* For a fresh inode: type, permissions, owner (fsuid), group (fsgid, or dir's when that is setgid), times. */
void inode_init_owner(struct inode *inode, const struct inode *dir, u32 mode);
void inode_apply_attr(struct inode *inode, const struct inode_attr *attr);
/* Out of the cache: freed at the last put, although it has links. */
void inode_unhash(struct inode *inode);
/* Open for writing / executed: -ETXTBSY when the other is the case. */
int inode_get_write(struct inode *inode);
void inode_put_write(struct inode *inode);
int inode_deny_write(struct inode *inode);
void inode_allow_write(struct inode *inode);
void inode_set_nlink(struct inode *inode, u32 nlink);
int inode_sync(struct inode *inode, u32 data_only); /* pages, attributes, waits; no device flush */
static inline u64 inode_size(const struct inode *inode)
{
	return READ_ONCE(inode->size);
}
void inode_lock_two(struct inode *a, struct inode *b); /* write, by address; either may equal the other */
void inode_unlock_two(struct inode *a, struct inode *b);
int inode_permission(struct inode *inode, u32 mask); /* current's fsuid, fsgid and groups; 4 r, 2 w, 1 x */

/* ---- credentials; implemented by proc ---- */
struct cred {
	u32 uid, euid, suid, fsuid;
	u32 gid, egid, sgid, fsgid;
	u32 nr_groups;
	const u32 *groups;
};
const struct cred *cred_current(void); /* borrowed, stable during the call */
int cred_in_group(u32 gid);
u32 task_umask(void);
void task_raise(int signo); /* to current: SIGXFSZ, SIGPIPE */
#define SIGNAL_FILE_SIZE 25 /* SIGXFSZ */
#define RLIMIT_FSIZE     1
u64 task_rlimit(u32 which); /* RLIMIT_* current soft limit */

void fs_init(void);                               /* caches, types, root mount waits for fs_mount_root */
int fs_mount_root(const char *device, u32 flags); /* "vda" … ; names what is missing in the log */
void fs_sync_all(void);
/* The next mounted superblock, referenced; prev's reference is dropped. NULL: first / end. For sync and the flusher. */
struct superblock *super_next(struct superblock *prev);
void super_put(struct superblock *sb);
/*
 * Reclaim is about to take apart something that belongs to sb; super_unpin ends it, and only then may sb go. False: sb is going away
 * already, and takes all that belongs to it apart by itself. Context: any; the caller knows that sb is there, by a lock that keeps
 * what he found from going.
 */
MUST_CHECK bool super_pin(struct superblock *sb);
void super_unpin(struct superblock *sb);
/* Writes inodes (pages and attributes, not metadata buffers) of sb that were queued dirty at or before `before_ns`. WAIT also
 * waits for the pages. The first error. */
int super_write_inodes(struct superblock *sb, u64 before_ns, enum pagecache_sync how);
/* Poweroff and reboot: everything to disk, unlinked open files freed, superblocks marked clean and read-only. */
void fs_shutdown(void);
