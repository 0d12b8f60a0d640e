/*
 * procfs: what the kernel knows, as files. Everything is made when it is asked for; nothing here owns any state.
 *
 *	struct proc_entry   one name, static: type, mode, and the function that writes the text
 *	struct proc_dir     a directory: a table of entries, then numbers (pids, tids, descriptors) asked for one by one
 *	struct proc_node    inode->private: an entry, and whose it is
 *
 * A node names its process by pid and start time, and holds no reference: a cached name keeps no process and no number
 * alive. Each operation looks the process up anew (node_task), gets -ESRCH when it is gone, and otherwise works on a
 * referenced task; what belongs to it is taken by reference under the lock that the headers name (tasks_lock for as,
 * files, fs and cred).
 *
 * A file's text is built as a whole at each read at offset 0 and kept with the open file, so that partial reads fit
 * together. No lock is held while the text is copied to the user. fs_init calls procfs_init (declared in fs/fs.h).
 */
#pragma once

#include <stdarg.h>

#include "fs/file.h"
#include "fs/inode.h"
#include "lib/refcount.h"
#include "lib/types.h"
#include "proc/task.h"

struct aspace;
struct uio;

/* ---- texts (text.c) ---- */

/* A growing text in pages of its own. Errors stick: check err at the end. */
struct text {
	struct refcount refs;
	u8 **pages;
	u64 nr_pages, max_pages;
	u64 len;
	u64 missing; /* bytes that did not fit while no_grow was set */
	u32 no_grow; /* a spinlock is held: no allocation */
	int err;     /* 0, -ENOMEM, -EFBIG */
};

struct text *text_create(void); /* NULL: no memory */
void text_put(struct text *t);
void text_add(struct text *t, const void *bytes, size_t len);
void text_puts(struct text *t, const char *s);
void text_printf(struct text *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Bytes in `set`, and backslashes, as \ooo. */
void text_escape(struct text *t, const char *s, const char *set);
/* Spaces up to column `width`, counted from `line_start`. */
void text_pad(struct text *t, u64 line_start, u32 width);
/* Room for `bytes` in all, so that no_grow texts of that length fit. */
int text_reserve(struct text *t, u64 bytes);
void text_clear(struct text *t);
/* Copies from *pos on and advances it. Bytes, or -EFAULT. */
ssize_t text_copy(const struct text *t, struct uio *uio, s64 *pos);

/* ---- entries ---- */

struct proc_dir;
struct proc_node;

struct proc_entry {
	const char *name;
	u32 mode; /* S_IF… and permissions */
	u32 flags;
#define ENTRY_PRIVATE BIT(0) /* for the process's owner and root only */
	int (*show)(struct text *t, const struct proc_node *n);
	/* `buf` is NUL-terminated, newlines at the end removed. 0 or -errno. */
	int (*store)(const struct proc_node *n, const char *buf);
	const struct proc_dir *dir;
	/* Links. Length or -errno; follow only for magic ones. */
	int (*readlink)(const struct proc_node *n, char *buf, size_t size);
	int (*follow)(const struct proc_node *n, struct path *out);
	const struct file_ops *fops; /* instead of show and store */
	const void *data;            /* for a show or store that serves several entries */
};

struct proc_dir {
	const struct proc_entry *entries;
	u32 nr;
	/* The child of that number, or -ENOENT: fills *child. */
	int (*number)(const struct proc_node *dir, u64 number, struct proc_node *child);
	/* The first number from `from` up that there is, or -1. */
	s64 (*next)(const struct proc_node *dir, u64 from);
};

struct proc_node {
	const struct proc_entry *entry;
	int pid;      /* 0: of the system */
	int tid;      /* 0: of the whole process */
	int fd;       /* -1: none */
	u64 start_ns; /* of the process, or of thread tid */
};

#define PROC_FILE(n, perm, fn)                                  \
	{                                                       \
		.name = n, .mode = S_IFREG | (perm), .show = fn \
	}
#define PROC_DIR(n, perm, d)                                  \
	{                                                     \
		.name = n, .mode = S_IFDIR | (perm), .dir = d \
	}

/* ---- processes (task.c) ---- */

/* The node's task (a process's leader), referenced; NULL: it is gone. */
struct task *node_task(const struct proc_node *n);
/* What it has, referenced, or NULL. */
struct aspace *task_aspace(struct task *t);
struct fdtable *task_files(struct task *t); /* fdtable_unlook when done: procfs never closes files under its locks */
struct fs_context *task_fs(struct task *t);
/* May the caller look into it? */
bool task_may_look(struct task *t);
/* 0, -ESRCH, -EACCES. */
int node_may_look(const struct proc_node *n);
/* The owner that its files show. */
void task_owner(struct task *t, u32 *uid, u32 *gid);

/* A node's address space after node_may_look: 0 and *out (NULL: it has none), or -errno. */
int node_aspace(const struct proc_node *n, struct aspace **out);

extern const struct proc_dir pid_dir, tid_dir, threads_dir, fd_dir, fdinfo_dir, sys_dir;
extern const struct proc_entry root_entries[];
extern const u32 nr_root_entries;
extern const struct file_ops mem_file_ops, pagemap_file_ops;

/* The pids in /proc itself (task.c). */
int process_number(const struct proc_node *dir, u64 number, struct proc_node *child);
s64 process_next_number(const struct proc_node *dir, u64 from);

/* ---- texts of a process ---- */
int show_stat(struct text *t, const struct proc_node *n); /* stat.c */
int show_statm(struct text *t, const struct proc_node *n);
int show_status(struct text *t, const struct proc_node *n); /* status.c */
int show_limits(struct text *t, const struct proc_node *n);
int show_maps(struct text *t, const struct proc_node *n); /* maps.c */
int show_smaps(struct text *t, const struct proc_node *n); /* smaps.c */
int show_smaps_rollup(struct text *t, const struct proc_node *n);
int store_clear_refs(const struct proc_node *n, const char *buf);
int show_oom_score(struct text *t, const struct proc_node *n); /* oomfiles.c */
int show_oom_score_adj(struct text *t, const struct proc_node *n);
int store_oom_score_adj(const struct proc_node *n, const char *buf);
int show_oom_adj(struct text *t, const struct proc_node *n);
int store_oom_adj(const struct proc_node *n, const char *buf);
int show_pagetable(struct text *t, const struct proc_node *n);
int show_pagetable_all(struct text *t, const struct proc_node *n);
int show_kernel_pagetable(struct text *t, const struct proc_node *n);
int show_mounts(struct text *t, const struct proc_node *n); /* mounts.c */
int show_mountinfo(struct text *t, const struct proc_node *n);
/* Of the debug kernel (debug.c). */
int show_check(struct text *t, const struct proc_node *n);
extern const struct file_ops fail_nth_file_ops;

/* Sizes of an address space, in pages; resident ones by a walk (mm/census.h). */
struct memory_sums {
	u64 size, peak, resident_anon, resident_file, resident_shmem, swap;
	u64 data, stack, exec, code, locked, tables;
};
void aspace_sums(struct aspace *as, struct memory_sums *out); /* stat.c */
static inline u64 memory_resident(const struct memory_sums *s)
{
	return s->resident_anon + s->resident_file + s->resident_shmem;
}

/* fd still open? For revalidation; the link's permissions into *mode. */
bool fd_node_open(const struct proc_node *n, u32 *mode);
