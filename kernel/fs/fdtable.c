/*
 * Descriptor tables: an array of files and two bitmaps, growing by doubling.
 *
 *	used bit   files[fd]     meaning
 *	0          NULL          free
 *	1          NULL          reserved: fd_reserve was called, fd_install or fd_unreserve follows
 *	1          file          open (one reference)
 *
 * The lock guards everything. A table that only one task uses (refs 1) is read without it: others look at it only with a
 * reference of their own, and change nothing.
 *
 * refs counts the tasks that use a table: the last one closes all. lookers counts who keeps its memory: all users together,
 * and each fdtable_look. So who only looks never closes a file, and may let go under any lock.
 */
#include "fs/fs.h"
#include "fs/lock.h"
#include "lib/bitmap.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"

#define FDTABLE_FIRST 64u
#define FDTABLE_MAX   (1u << 20)

struct fdtable {
	struct refcount refs, lookers;
	struct spinlock lock;
	u32 size;   /* multiple of 64 */
	u32 lowest; /* no free descriptor below */
	struct file **files;
	u64 *used, *cloexec;
	struct file *first_files[FDTABLE_FIRST];
	u64 first_used, first_cloexec;
};

static struct slab_cache *fdtable_cache;

void fdtable_init(void)
{
	fdtable_cache = slab_cache_create("fdtable", sizeof(struct fdtable), 8);
}

struct fdtable *fdtable_create(void)
{
	struct fdtable *t = slab_alloc(fdtable_cache, ALLOC_ZERO);

	if (!t)
		return NULL;
	refcount_init(&t->refs, 1);
	refcount_init(&t->lookers, 1);
	spin_init(&t->lock, "fdtable", RANK_FDTABLE);
	t->size = FDTABLE_FIRST;
	t->files = t->first_files;
	t->used = &t->first_used;
	t->cloexec = &t->first_cloexec;
	return t;
}

static u64 fdtable_bytes(u32 size)
{
	return size * sizeof(struct file *) + 2 * BITMAP_BYTES(size);
}

static void fdtable_free_arrays(struct fdtable *t, struct file **files)
{
	if (files != t->first_files)
		kfree(files);
}

/* Makes room for at least `size` descriptors. Not locked. */
static int fdtable_grow(struct fdtable *t, u32 size)
{
	u32 new_size = FDTABLE_FIRST;
	struct file **files, **old;
	u64 *used, *cloexec;

	while (new_size < size)
		new_size *= 2;
	if (new_size > FDTABLE_MAX)
		return -EMFILE;
	files = kzalloc(fdtable_bytes(new_size), 0);
	if (!files)
		return -ENOMEM;
	used = (u64 *)(files + new_size);
	cloexec = used + BITMAP_WORDS(new_size);
	spin_lock(&t->lock);
	if (t->size >= new_size) {
		spin_unlock(&t->lock);
		kfree(files);
		return 0;
	}
	memcpy(files, t->files, t->size * sizeof(*files));
	memcpy(used, t->used, BITMAP_BYTES(t->size));
	memcpy(cloexec, t->cloexec, BITMAP_BYTES(t->size));
	old = t->files;
	t->files = files;
	t->used = used;
	t->cloexec = cloexec;
	t->size = new_size;
	spin_unlock(&t->lock);
	fdtable_free_arrays(t, old);
	return 0;
}

struct fdtable *fdtable_copy(struct fdtable *from)
{
	struct fdtable *t = fdtable_create();
	u64 fd;

	if (!t)
		return NULL;
	for (;;) {
		u32 size = READ_ONCE(from->size);

		if (t->size < size && fdtable_grow(t, size) != 0) {
			fdtable_put(t);
			return NULL;
		}
		spin_lock(&from->lock);
		if (from->size <= t->size)
			break;
		spin_unlock(&from->lock);
	}
	t->lowest = from->lowest;
	bitmap_for_each_set(fd, from->used, from->size)
	{
		struct file *f = from->files[fd];

		if (!f) {
			/* Reserved by another thread: nothing to inherit. */
			t->lowest = MIN(t->lowest, (u32)fd);
			continue;
		}
		file_get(f);
		t->files[fd] = f;
		bitmap_set(t->used, fd);
	}
	memcpy(t->cloexec, from->cloexec, BITMAP_BYTES(from->size));
	spin_unlock(&from->lock);
	return t;
}

void fdtable_get(struct fdtable *t)
{
	refcount_get(&t->refs);
}

/* What close(2) does with a file that is out of the table. */
static void fd_close_file(struct fdtable *t, struct file *f)
{
	if (f->ops->flush)
		f->ops->flush(f);
	if (unlikely(f->inode && f->inode->locks))
		lock_release_posix(f, t);
	file_put(f);
}

void fdtable_look(struct fdtable *t)
{
	refcount_get(&t->lookers);
}

void fdtable_unlook(struct fdtable *t)
{
	if (!refcount_put(&t->lookers))
		return;
	fdtable_free_arrays(t, t->files);
	slab_free(fdtable_cache, t);
}

void fdtable_put(struct fdtable *t)
{
	u64 fd;

	if (!refcount_put(&t->refs))
		return;
	bitmap_for_each_set(fd, t->used, t->size)
	{
		struct file *f;

		spin_lock(&t->lock);
		f = t->files[fd];
		t->files[fd] = NULL;
		spin_unlock(&t->lock);
		if (f)
			fd_close_file(t, f);
	}
	fdtable_unlook(t);
}

int fd_peek(struct fdtable *t, int fd, struct fd_info *out)
{
	struct file *f = NULL;

	spin_lock(&t->lock);
	if ((u32)fd < t->size)
		f = t->files[fd];
	if (f)
		*out = (struct fd_info){
			.pos = READ_ONCE(f->pos),
			.mode = f->mode,
			.ino = f->inode ? f->inode->ino : 0,
			.flags = f->flags | (bitmap_test(t->cloexec, (u64)fd) ? (u32)O_CLOEXEC : 0),
		};
	spin_unlock(&t->lock);
	return f ? 0 : -EBADF;
}

/* Frees the number and gives the file (or NULL). Locks: t->lock. */
static struct file *fd_take_locked(struct fdtable *t, u32 fd)
{
	struct file *f = t->files[fd];

	if (!f)
		return NULL;
	t->files[fd] = NULL;
	bitmap_clear(t->used, fd);
	bitmap_clear(t->cloexec, fd);
	if (fd < t->lowest)
		t->lowest = fd;
	return f;
}

void fdtable_close_exec(struct fdtable *t)
{
	u64 fd = 0;

	for (;;) {
		struct file *f;

		spin_lock(&t->lock);
		fd = bitmap_find_set(t->cloexec, t->size, fd);
		f = fd < t->size ? fd_take_locked(t, (u32)fd) : NULL;
		spin_unlock(&t->lock);
		if (fd >= t->size)
			return;
		if (f)
			fd_close_file(t, f);
		fd++;
	}
}

int fd_reserve(struct fdtable *t, u32 min, u64 limit)
{
	u64 fd;
	int err;

	for (;;) {
		spin_lock(&t->lock);
		fd = bitmap_find_clear(t->used, t->size, MAX(min, t->lowest));
		if (fd < t->size && fd < limit) {
			bitmap_set(t->used, fd);
			bitmap_clear(t->cloexec, fd);
			if (min <= t->lowest)
				t->lowest = (u32)fd + 1;
			spin_unlock(&t->lock);
			return (int)fd;
		}
		fd = MAX(t->size, min);
		spin_unlock(&t->lock);
		if (fd >= limit || fd >= FDTABLE_MAX)
			return -EMFILE;
		err = fdtable_grow(t, (u32)fd + 1);
		if (err)
			return err;
	}
}

void fd_install(struct fdtable *t, int fd, struct file *f, u32 cloexec)
{
	spin_lock(&t->lock);
	DEBUG_ASSERT(!t->files[fd] && bitmap_test(t->used, (u64)fd));
	if (cloexec)
		bitmap_set(t->cloexec, (u64)fd);
	store_release(&t->files[fd], f);
	spin_unlock(&t->lock);
}

void fd_unreserve(struct fdtable *t, int fd)
{
	spin_lock(&t->lock);
	bitmap_clear(t->used, (u64)fd);
	if ((u32)fd < t->lowest)
		t->lowest = (u32)fd;
	spin_unlock(&t->lock);
}

struct file *fd_get_shared(struct fdtable *t, u32 fd)
{
	struct file *f = NULL;

	spin_lock(&t->lock);
	if (fd < t->size) {
		f = t->files[fd];
		if (f)
			file_get(f);
	}
	spin_unlock(&t->lock);
	return f;
}

struct file *fd_get(struct fdtable *t, int fd)
{
	struct file *f;

	if (unlikely(refcount_read(&t->refs) != 1))
		return fd_get_shared(t, (u32)fd);
	if (unlikely((u32)fd >= t->size))
		return NULL;
	f = t->files[(u32)fd];
	if (likely(f))
		file_get(f);
	return f;
}

static NOINLINE struct borrowed_file borrow_shared(struct fdtable *t, int fd)
{
	struct file *f = fd_get_shared(t, (u32)fd);

	if (f && (f->mode & FMODE_PATH)) {
		file_put(f);
		f = NULL;
	}
	return (struct borrowed_file){.file = f, .held = f != NULL};
}

struct borrowed_file fd_borrow(struct fdtable *t, int fd)
{
	struct file *f;

	if (unlikely(refcount_read(&t->refs) != 1))
		return borrow_shared(t, fd);
	f = likely((u32)fd < t->size) ? t->files[(u32)fd] : NULL;
	if (f && unlikely(f->mode & FMODE_PATH))
		f = NULL;
	return (struct borrowed_file){.file = f};
}

int fd_close(struct fdtable *t, int fd)
{
	struct file *f = NULL;

	spin_lock(&t->lock);
	if ((u32)fd < t->size)
		f = fd_take_locked(t, (u32)fd);
	spin_unlock(&t->lock);
	if (!f)
		return -EBADF;
	fd_close_file(t, f);
	return 0;
}

int fd_close_range(struct fdtable *t, u32 first, u32 last, u32 cloexec_only)
{
	u64 fd = first;

	if (first > last)
		return -EINVAL;
	for (;; fd++) {
		struct file *f = NULL;
		u64 end;

		spin_lock(&t->lock);
		end = MIN((u64)t->size, (u64)last + 1);
		fd = fd < end ? bitmap_find_set(t->used, t->size, fd) : end;
		if (fd < end && cloexec_only)
			bitmap_set(t->cloexec, fd);
		else if (fd < end)
			f = fd_take_locked(t, (u32)fd);
		spin_unlock(&t->lock);
		if (fd >= end)
			return 0;
		if (f)
			fd_close_file(t, f);
	}
}

int fd_dup_to(struct fdtable *t, struct file *f, int fd, u32 cloexec, u64 limit)
{
	struct file *old;
	int err;

	if (fd < 0 || (u64)fd >= limit)
		return -EBADF;
	if ((u32)fd >= READ_ONCE(t->size)) {
		err = fdtable_grow(t, (u32)fd + 1);
		if (err)
			return err;
	}
	spin_lock(&t->lock);
	old = t->files[fd];
	if (!old && bitmap_test(t->used, (u64)fd)) {
		spin_unlock(&t->lock);
		return -EBUSY; /* another thread is just opening it */
	}
	t->files[fd] = f;
	bitmap_set(t->used, (u64)fd);
	if (cloexec)
		bitmap_set(t->cloexec, (u64)fd);
	else
		bitmap_clear(t->cloexec, (u64)fd);
	spin_unlock(&t->lock);
	if (old)
		fd_close_file(t, old);
	return fd;
}

bool fd_is(struct fdtable *t, int fd, const struct file *f)
{
	bool is;

	spin_lock(&t->lock);
	is = (u32)fd < t->size && t->files[fd] == f;
	spin_unlock(&t->lock);
	return is;
}

int fd_cloexec(struct fdtable *t, int fd)
{
	int on = -EBADF;

	spin_lock(&t->lock);
	if ((u32)fd < t->size && t->files[fd])
		on = bitmap_test(t->cloexec, (u64)fd);
	spin_unlock(&t->lock);
	return on;
}

int fd_set_cloexec(struct fdtable *t, int fd, u32 on)
{
	int err = -EBADF;

	spin_lock(&t->lock);
	if ((u32)fd < t->size && t->files[fd]) {
		if (on)
			bitmap_set(t->cloexec, (u64)fd);
		else
			bitmap_clear(t->cloexec, (u64)fd);
		err = 0;
	}
	spin_unlock(&t->lock);
	return err;
}

int fd_next(struct fdtable *t, int fd)
{
	u64 next;

	spin_lock(&t->lock);
	for (next = (u64)MAX(fd, 0); next < t->size; next++) {
		next = bitmap_find_set(t->used, t->size, next);
		if (next < t->size && t->files[next])
			break;
	}
	spin_unlock(&t->lock);
	return next < t->size ? (int)next : -1;
}
