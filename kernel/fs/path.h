/*
 * Names: the dentry cache, mounts, and the walk from a string to a place.
 *
 * A dentry is a name in a directory; negative ones remember absence. A path is a dentry on a mount.
 * The cache is a hash by (parent, name) under a spinlock with references; a walk of cached components takes no
 * sleeping lock. Changes of a directory happen under its inode->lock for writing.
 */
#pragma once

#include "lib/list.h"
#include "lib/refcount.h"
#include "lib/types.h"

struct dentry;
struct inode;
struct mount;
struct superblock;

struct path {
	struct mount *mount;
	struct dentry *dentry;
};

void path_get(const struct path *p);
void path_put(const struct path *p);
struct inode *path_inode(const struct path *p); /* borrowed; never NULL for a found path */

#define WALK_FOLLOW       BIT(0) /* follow a final symlink */
#define WALK_DIRECTORY    BIT(1) /* the result must be one */
#define WALK_EMPTY        BIT(2) /* AT_EMPTY_PATH: "" means dir itself */
#define WALK_NO_AUTOMOUNT 0

/* `name` relative to dir (NULL: current's cwd; absolute: current's root). Referenced result. */
int path_walk(const struct path *dir, const char *name, u32 flags, struct path *out);

/* The parent directory and the last component, for create/remove. `last` points into name's copy held in ctx. */
struct path_parent {
	struct path dir;  /* referenced */
	char *buf;        /* the walk's copy, owned */
	const char *last; /* final component, NUL-terminated */
	u32 len;
	u32 trailing_slash; /* there was one */
	u32 last_kind;      /* 0 ordinary, 1 ".", 2 "..", 3 "/" */
};
int path_walk_parent(const struct path *dir, const char *name, struct path_parent *out);
void path_parent_put(struct path_parent *pp);

/* Absolute name as current's root sees it into buf's END; returns its start, or ERR_PTR(-ERANGE). "(unreachable)" outside. */
/* A deleted directory: -ENOENT (getcwd); another deleted name ends in " (deleted)". */
char *path_name(const struct path *p, char *buf, size_t size);
/* The same, but " (deleted)" for directories too (/proc/PID/cwd). */
char *path_describe(const struct path *p, char *buf, size_t size);

/* ---- operations by name: permission checks, locks, cache upkeep included ---- */
int path_mkdir(const struct path *dir, const char *name, u32 mode);
int path_mknod(const struct path *dir, const char *name, u32 mode, u32 rdev);
int path_unlink(const struct path *dir, const char *name);
int path_rmdir(const struct path *dir, const char *name);
int path_symlink(const char *target, const struct path *dir, const char *name);
int path_link(const struct path *old, const struct path *dir, const char *name);
int path_rename(
	const struct path *old_dir, const char *old_name, const struct path *new_dir, const char *new_name, u32 flags);
struct inode_attr;
int path_setattr(const struct path *p, struct inode_attr *attr); /* chmod, chown, truncate, utimes: checks and does */
int path_readlink(const struct path *p, char *buf, size_t size);
int path_access(const struct path *p, u32 mask);

/* ---- mounts (fs/mount.c) ---- */
int mount_add(const char *source, const struct path *where, const char *type, u32 flags, const char *options);
int mount_remount(const struct path *where, u32 flags, const char *options);
int mount_bind(const struct path *from, const struct path *where);
int mount_remove(const struct path *where, u32 flags); /* -EBUSY; MNT_DETACH 2 */
u32 mount_flags(const struct mount *m);
struct superblock *mount_sb(const struct mount *m);
/* For /proc/mounts: calls fn with source, mount point, type, options. */
void mount_for_each(
	int (*fn)(void *arg, const char *source, const char *where, const char *type, const char *options), void *arg);
int mount_want_write(const struct mount *m); /* 0 or -EROFS */

/* ---- where a process stands; shared by CLONE_FS ---- */
struct fs_context;
struct fs_context *fs_context_create(void);
struct fs_context *fs_context_copy(struct fs_context *c);
void fs_context_get(struct fs_context *c);
void fs_context_put(struct fs_context *c);
void fs_context_cwd(struct fs_context *c, struct path *out);  /* referenced */
void fs_context_root(struct fs_context *c, struct path *out); /* referenced */
void fs_context_set_cwd(struct fs_context *c, const struct path *p);
void fs_context_set_root(struct fs_context *c, const struct path *p);
u32 fs_context_umask(struct fs_context *c);
u32 fs_context_set_umask(struct fs_context *c, u32 mask);
struct fs_context *fs_context_current(void); /* implemented by proc; borrowed */
