/*
 * Open files and descriptor tables.
 */
#pragma once

#include "dev/chardev.h"
#include "fs/inode.h"
#include "fs/path.h"
#include "lib/refcount.h"
#include "lib/types.h"
#include "sync/mutex.h"

struct uio;
struct map_request;

/* open(2) flags, Linux generic numbers */
#define O_ACCMODE   3
#define O_RDONLY    0
#define O_WRONLY    1
#define O_RDWR      2
#define O_CREAT     0100
#define O_EXCL      0200
#define O_NOCTTY    0400
#define O_TRUNC     01000
#define O_APPEND    02000
#define O_NONBLOCK  04000
#define O_DSYNC     010000
#define O_ASYNC     020000
#define O_DIRECT    040000
#define O_LARGEFILE 0100000
#define O_DIRECTORY 0200000
#define O_NOFOLLOW  0400000
#define O_NOATIME   01000000
#define O_CLOEXEC   02000000
#define O_SYNC      (04000000 | O_DSYNC)
#define O_PATH      010000000
#define O_TMPFILE   (020000000 | O_DIRECTORY)

#define POLLIN     1
#define POLLPRI    2
#define POLLOUT    4
#define POLLERR    8
#define POLLHUP    16
#define POLLNVAL   32
#define POLLRDNORM 64
#define POLLWRNORM 256
#define POLLRDHUP  0x2000

/* readdir: emit one entry; nonzero return: full, stop (position stays at this entry). */
struct dir_sink {
	int (*emit)(struct dir_sink *s, const char *name, u32 len, u64 ino, u8 dtype, u64 next_pos);
};

struct file_ops {
	/* NULL: -EINVAL. pos is the place to read at and is advanced; for pipes and ttys it is ignored. */
	ssize_t (*read)(struct file *f, struct uio *uio, s64 *pos);
	ssize_t (*write)(struct file *f, struct uio *uio, s64 *pos);
	s64 (*seek)(struct file *f, s64 off, int whence); /* NULL: generic by inode size; pipes give file_seek_none */
	int (*iterate)(struct file *f, struct dir_sink *sink); /* from f->pos; caller holds inode->lock for reading */
	u32 (*poll)(struct file *f, struct poll_sink *sink);   /* NULL: always readable and writable */
	long (*ioctl)(struct file *f, u32 cmd, u64 arg);       /* NULL: -ENOTTY */
	int (*map)(struct file *f,
		struct map_request *rq); /* NULL: -ENODEV. Fills rq->obj (file_map_pages for page-cache files) */
	int (*fsync)(struct file *f, u32 data_only); /* NULL: -EINVAL */
	int (*open)(struct file *f);                 /* after the inode is found; may change f->ops, f->private */
	void (*flush)(struct file *f);               /* each close(2) of a descriptor */
	void (*release)(struct file *f);             /* the last reference */
	int (*fallocate)(struct file *f, int mode, u64 pos, u64 len);
};

struct file {
	struct refcount refs;
	u32 flags; /* O_* (status and access mode) */
	u32 mode;  /* FMODE_* */
#define FMODE_READ   1
#define FMODE_WRITE  2
#define FMODE_PATH   4 /* O_PATH */
#define FMODE_WRITER 8 /* counted in inode->writers */
	const struct file_ops *ops;
	struct inode *inode;   /* referenced */
	struct path path;      /* where it was opened; mount NULL for pipes, … */
	struct mutex pos_lock; /* guards pos for read/write/seek/getdents on seekable files */
	s64 pos;
	void *private;
	void *epoll_links;    /* fs/epoll.c */
	struct chardev *cdev; /* fs/chrdev.c: device of an open node; private is its cookie */
};

extern const struct file_ops file_ops_regular;                /* page-cache files: ext, tmpfs */
ssize_t file_read(struct file *f, struct uio *uio, s64 *pos); /* checks mode; pos NULL: f->pos under its lock */
ssize_t file_write(struct file *f, struct uio *uio, s64 *pos);
int file_map_pages(struct file *f, struct map_request *rq);
s64 file_seek_none(struct file *f, s64 off, int whence); /* -ESPIPE */
s64 file_seek(struct file *f, s64 off, int whence);      /* lseek(2) */
int file_fsync(struct file *f, u32 data_only);           /* fsync, fdatasync */
int file_fsync_regular(struct file *f, u32 data_only);   /* the generic op: pages, attributes, metadata, device */
int file_truncate(struct file *f, u64 size);             /* ftruncate */
int file_fallocate(struct file *f, int mode, u64 pos, u64 len);
int file_set_flags(struct file *f, u32 flags);    /* fcntl F_SETFL: APPEND, NONBLOCK, ASYNC, DIRECT, NOATIME */
void file_set_nonblock(struct file *f, u32 flag); /* ioctl FIONBIO: O_NONBLOCK or 0 */
u32 file_poll(struct file *f, struct poll_sink *sink);
long file_ioctl(struct file *f, u32 cmd, u64 arg);
void file_accessed(struct file *f); /* relatime */
u64 file_nr_open(void);
/* Reads and writes have no position (pipes, ttys): pread and seek are -ESPIPE. */
static inline int file_is_stream(const struct file *f)
{
	return f->ops->seek == file_seek_none;
}

/* ---- directories (fs/dir.c) ---- */
/* getdents: runs f->ops->iterate under the position's and the inode's lock. `sink` must not touch user memory. */
int file_iterate(struct file *f, struct dir_sink *sink);
/* For a file system's iterate: "." and ".." at positions 0 and 1. Nonzero: the sink is full. Then f->pos >= 2. */
int dir_emit_dots(struct file *f, struct dir_sink *sink);
u8 dir_type(u32 mode);                                                    /* DT_* of an inode mode */
ssize_t file_kernel_read(struct file *f, void *buf, size_t len, u64 pos); /* exec */

struct file *file_alloc(const struct file_ops *ops, u32 flags); /* or ERR_PTR(-ENFILE or -ENOMEM); refs = 1 */
static inline void file_get(struct file *f)
{
	refcount_get(&f->refs);
}
void file_put(struct file *f); /* may sleep */

/* open(2)'s heart: relative to `dir` (NULL: current's cwd). */
int file_open(const struct path *dir, const char *name, u32 flags, u32 mode, struct file **out);
/* Opens what path says already. */
int file_open_path(const struct path *p, u32 flags, struct file **out);
/* A file that has no name (pipe, eventfd, memfd): takes over the inode's reference, also when it fails: as file_alloc. */
struct file *file_create_anon(struct inode *inode, const struct file_ops *ops, u32 flags);

/* Its place, referenced, also for files without a name (pipes: a nameless dentry on no mount): for /proc/PID/fd. */
int file_path(struct file *f, struct path *out);

/* ---- descriptor tables (fs/fdtable.c) ---- */

struct fdtable; /* shared by CLONE_FILES */
struct fdtable *fdtable_create(void);
struct fdtable *fdtable_copy(struct fdtable *t); /* fork; NULL: no memory */
void fdtable_get(struct fdtable *t);
void fdtable_put(struct fdtable *t); /* the last one closes all */
/* Keeps the table's memory, not its files (procfs). Context: any; the caller knows that someone uses it. */
void fdtable_look(struct fdtable *t);
void fdtable_unlook(struct fdtable *t);
void fdtable_close_exec(struct fdtable *t);
/* Lowest free number ≥ min, reserved and empty; -EMFILE against `limit` (RLIMIT_NOFILE). */
int fd_reserve(struct fdtable *t, u32 min, u64 limit);
void fd_install(struct fdtable *t, int fd, struct file *f, u32 cloexec); /* takes over the caller's reference */
void fd_unreserve(struct fdtable *t, int fd);
struct file *fd_get(struct fdtable *t, int fd);        /* referenced, or NULL; O_PATH files too */
struct file *fd_get_shared(struct fdtable *t, u32 fd); /* the same for who only looks at t: always locked */
/*
 * A descriptor's file for as long as one system call of the table's user lasts: referenced only where somebody else could
 * close it meanwhile, that is, in a table with several users. (A table gets its second user by its only one.)
 */
struct borrowed_file {
	struct file *file; /* NULL: there is none, or only an O_PATH one */
	u64 held;          /* fd_return drops a reference */
};
struct borrowed_file fd_borrow(struct fdtable *t, int fd);
static inline void fd_return(struct borrowed_file b)
{
	if (unlikely(b.held))
		file_put(b.file);
}
int fd_close(struct fdtable *t, int fd); /* -EBADF */
int fd_close_range(struct fdtable *t, u32 first, u32 last, u32 cloexec_only);
int fd_dup_to(struct fdtable *t, struct file *f, int fd, u32 cloexec,
	u64 limit);                                          /* dup3: replaces; takes over the reference on success */
bool fd_is(struct fdtable *t, int fd, const struct file *f); /* still, or another one by now? */
int fd_cloexec(struct fdtable *t, int fd);                   /* 0/1/-EBADF */
int fd_set_cloexec(struct fdtable *t, int fd, u32 on);
/* What a descriptor says of its file, without a reference to that. -EBADF. Context: process, spinlocks up to RANK_FDTABLE. */
struct fd_info {
	s64 pos;
	u32 mode, flags; /* FMODE_*; O_*, with O_CLOEXEC of the descriptor */
	u64 ino;
};
int fd_peek(struct fdtable *t, int fd, struct fd_info *out);
int fd_next(struct fdtable *t, int fd); /* first open descriptor ≥ fd, or -1 (procfs) */

struct fdtable *fdtable_current(void); /* implemented by proc; borrowed */
