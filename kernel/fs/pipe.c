/*
 * Pipes and FIFOs.
 *
 *	pages[]  [....xxxx][xxxxxxxx][xx......][ none  ]     a ring of bytes over nr_pages pages, a power of two
 *	              ^tail            ^tail + bytes
 *
 * Pages are allocated when the ring first reaches them and stay, so that a busy pipe does not allocate; the shrinker takes
 * those that hold nothing. When the ring is empty it starts again at page 0.
 *
 * Locks
 *   pipe->lock (mutex, RANK_PIPE)  tail, bytes, pages, ends and counters; held across user copies, which may fault.
 *   pipes_lock (spinlock)          the list of pipes, inode->pipe, pipe->users.
 * Sleepers' conditions read `bytes` and the ends without the lock; who is woken looks again under it.
 *
 * Wake-ups: a write wakes one reader; a reader that slept and leaves bytes wakes the next one. A writer that found no room waits
 * for PIPE_BUF free bytes; the read that makes them wakes one, who wakes the next if as much is left when it is done. An
 * end's close wakes all.
 */
#include "fs/pipe.h"

#include "fs/anon.h"
#include "fs/file.h"
#include "fs/inode.h"
#include "lib/err.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/reclaim.h"
#include "mm/slab.h"
#include "mm/uio.h"
#include "sync/waitq.h"

#define DEFAULT_PAGES (PIPE_DEFAULT_SIZE / PAGE_SIZE)
#define PIPE_MAX_SIZE (1ul << 20)
#define FIONREAD      0x541b
#define SIGPIPE       13
#define EVENT_IN      (POLLIN | POLLRDNORM)
#define EVENT_OUT     (POLLOUT | POLLWRNORM)

struct pipe {
	struct mutex lock;
	u64 tail; /* < size */
	u64 bytes;
	u64 size;                       /* nr_pages * PAGE_SIZE */
	u8 **pages;                     /* NULL: not allocated yet */
	u32 nr_readers, nr_writers;     /* open ends */
	u32 reader_opens, writer_opens; /* ever: a FIFO's open waits for the other's to change */
	u32 users;                      /* open files, and opens under way */
	struct waitq readers, writers;
	struct list link;
	u8 *small[DEFAULT_PAGES];
};

static struct spinlock pipes_lock = SPINLOCK_INIT("pipes", RANK_SOCKET);
static LIST_HEAD(pipes);
static struct slab_cache *pipe_cache;
static const struct file_ops pipe_ops;

static u64 pipe_bytes(const struct pipe *p)
{
	return READ_ONCE(p->bytes);
}

static u64 pipe_room(const struct pipe *p)
{
	return READ_ONCE(p->size) - READ_ONCE(p->bytes);
}

static bool reader_may_go(const struct pipe *p)
{
	return pipe_bytes(p) != 0 || !READ_ONCE(p->nr_writers);
}

static bool writer_may_go(const struct pipe *p)
{
	return pipe_room(p) >= PIPE_BUF || !READ_ONCE(p->nr_readers);
}

/* ---- making and freeing ---- */

static struct pipe *pipe_alloc(void)
{
	struct pipe *p = slab_alloc(pipe_cache, ALLOC_ZERO);

	if (!p)
		return NULL;
	mutex_init(&p->lock, "pipe", RANK_PIPE);
	waitq_init(&p->readers, "pipe readers");
	waitq_init(&p->writers, "pipe writers");
	p->size = PIPE_DEFAULT_SIZE;
	p->pages = p->small;
	spin_lock(&pipes_lock);
	list_add_tail(&p->link, &pipes);
	spin_unlock(&pipes_lock);
	return p;
}

static void free_pages(u8 **pages, u64 nr)
{
	for (u64 i = 0; i < nr; i++)
		if (pages[i])
			frame_put(kva_frame(pages[i]));
}

/* Nobody uses it and it is on no list. */
static void pipe_free(struct pipe *p)
{
	free_pages(p->pages, p->size / PAGE_SIZE);
	if (p->pages != p->small)
		kfree(p->pages);
	slab_free(pipe_cache, p);
}

static void pipe_drop_user(struct pipe *p, struct inode *inode)
{
	bool last;

	spin_lock(&pipes_lock);
	last = --p->users == 0;
	if (last) {
		list_del(&p->link);
		if (inode)
			inode->pipe = NULL;
	}
	spin_unlock(&pipes_lock);
	if (last)
		pipe_free(p);
}

/* ---- moving bytes; all under pipe->lock ---- */

static u8 *page_for_write(struct pipe *p, u64 index)
{
	if (unlikely(!p->pages[index])) {
		struct frame *frame = frame_alloc(0, FRAME_KERNEL, 0);

		if (!frame)
			return NULL;
		p->pages[index] = frame_kva(frame);
	}
	return p->pages[index];
}

/* Takes n bytes from uio, which fit. Returns how many went in, or -errno when none. Small writes go in whole or not at all. */
static ssize_t put_bytes(struct pipe *p, struct uio *uio, u64 n)
{
	u64 at = (p->tail + p->bytes) & (p->size - 1);
	u64 done = 0;
	int err = 0;

	while (done < n) {
		u64 off = at & (PAGE_SIZE - 1);
		u64 len = MIN(n - done, PAGE_SIZE - off);
		u8 *page = page_for_write(p, at >> PAGE_SHIFT);

		err = page ? uio_copy_from(uio, page + off, len) : -ENOMEM;
		if (unlikely(err))
			break;
		done += len;
		at = (at + len) & (p->size - 1);
	}
	if (unlikely(err && n <= PIPE_BUF))
		return err;
	WRITE_ONCE(p->bytes, p->bytes + done);
	return done ? (ssize_t)done : err;
}

static ssize_t take_bytes(struct pipe *p, struct uio *uio, u64 n)
{
	u64 done = 0;
	int err = 0;

	while (done < n) {
		u64 off = p->tail & (PAGE_SIZE - 1);
		u64 len = MIN(n - done, PAGE_SIZE - off);

		err = uio_copy_to(uio, p->pages[p->tail >> PAGE_SHIFT] + off, len);
		if (unlikely(err))
			break;
		done += len;
		p->tail = (p->tail + len) & (p->size - 1);
		WRITE_ONCE(p->bytes, p->bytes - len);
	}
	if (p->bytes == 0)
		p->tail = 0;
	return done ? (ssize_t)done : err;
}

/* ---- read and write ---- */

static ssize_t pipe_read(struct file *f, struct uio *uio, s64 *pos)
{
	struct pipe *p = f->private;
	u64 had, left, room;
	bool slept = false;
	ssize_t n;
	int err;

	if (!uio->count)
		return 0;
	for (;;) {
		mutex_lock(&p->lock);
		had = p->bytes;
		if (had) {
			n = take_bytes(p, uio, MIN(had, uio->count));
			left = p->bytes;
			room = p->size - left;
			mutex_unlock(&p->lock);
			if (unlikely(left && slept))
				waitq_wake_one_events(&p->readers, EVENT_IN);
			if (room >= PIPE_BUF && room - (had - left) < PIPE_BUF)
				waitq_wake_one_events(&p->writers, EVENT_OUT);
			return n;
		}
		n = p->nr_writers ? -EAGAIN : 0;
		mutex_unlock(&p->lock);
		if (n == 0 || (f->flags & O_NONBLOCK))
			return n;
		slept = true;
		err = wait_event_interruptible(&p->readers, reader_may_go(p));
		if (err)
			return err;
	}
}

/* One try under the lock: bytes written (0: no room), or -errno. `atomic`: all or nothing. */
static ssize_t write_once(struct pipe *p, struct uio *uio, bool atomic)
{
	ssize_t n = 0;
	u64 room;

	mutex_lock(&p->lock);
	room = p->size - p->bytes;
	if (unlikely(!p->nr_readers))
		n = -EPIPE;
	else if (room >= uio->count)
		n = put_bytes(p, uio, uio->count);
	else if (!atomic && room)
		n = put_bytes(p, uio, room);
	mutex_unlock(&p->lock);
	if (n > 0)
		waitq_wake_one_events(&p->readers, EVENT_IN);
	return n;
}

static ssize_t pipe_write(struct file *f, struct uio *uio, s64 *pos)
{
	struct pipe *p = f->private;
	bool atomic = uio->count <= PIPE_BUF;
	bool slept = false;
	u64 total = 0;
	ssize_t n;

	if (!uio->count)
		return 0;
	for (;;) {
		n = write_once(p, uio, atomic);
		if (n < 0)
			break;
		total += (u64)n;
		if (!uio->count)
			break;
		if (f->flags & O_NONBLOCK) {
			n = -EAGAIN;
			break;
		}
		slept = true;
		n = wait_event_interruptible(&p->writers, writer_may_go(p));
		if (n < 0)
			break;
	}
	if (n == -EPIPE)
		task_raise(SIGPIPE);
	if (unlikely(slept && pipe_room(p) >= PIPE_BUF))
		waitq_wake_one_events(&p->writers, EVENT_OUT);
	return total ? (ssize_t)total : n;
}

static u32 pipe_poll(struct file *f, struct poll_sink *sink)
{
	struct pipe *p = f->private;
	u32 ready = 0;

	if (f->mode & FMODE_READ) {
		if (sink)
			sink->add(sink, &p->readers);
		if (pipe_bytes(p))
			ready |= EVENT_IN;
		/* A FIFO that never had a writer since this open is not hung up. */
		if (!READ_ONCE(p->nr_writers) && (u64)f->pos != READ_ONCE(p->writer_opens))
			ready |= POLLHUP;
	}
	if (f->mode & FMODE_WRITE) {
		if (sink)
			sink->add(sink, &p->writers);
		if (pipe_room(p) >= PIPE_BUF)
			ready |= EVENT_OUT;
		if (!READ_ONCE(p->nr_readers))
			ready |= POLLERR;
	}
	return ready;
}

static long pipe_ioctl(struct file *f, u32 cmd, u64 arg)
{
	if (cmd != FIONREAD)
		return -ENOTTY;
	return put_user_u32(uptr_make(arg), (u32)pipe_bytes(f->private));
}

/* ---- ends ---- */

static void close_ends(struct pipe *p, u32 mode)
{
	mutex_lock(&p->lock);
	if (mode & FMODE_READ)
		WRITE_ONCE(p->nr_readers, p->nr_readers - 1);
	if (mode & FMODE_WRITE)
		WRITE_ONCE(p->nr_writers, p->nr_writers - 1);
	mutex_unlock(&p->lock);
	waitq_wake_all(&p->readers);
	waitq_wake_all(&p->writers);
}

static void pipe_release(struct file *f)
{
	close_ends(f->private, f->mode);
	pipe_drop_user(f->private, f->inode);
}

static const struct file_ops pipe_ops = {
	.read = pipe_read,
	.write = pipe_write,
	.seek = file_seek_none,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
	.release = pipe_release,
};

int pipe_create(struct file *out[2], u32 flags)
{
	struct pipe *p = pipe_alloc();
	struct inode *inode = anon_inode_create(S_IFIFO | 0600, "pipe");
	int err = -ENOMEM;

	if (!p || !inode)
		goto out_free;
	p->nr_readers = p->nr_writers = 1;
	p->reader_opens = p->writer_opens = 1;
	p->users = 2;
	inode->pipe = p;
	inode_get(inode);
	out[0] = file_create_anon(inode, &pipe_ops, O_RDONLY | flags);
	if (IS_ERR(out[0])) {
		err = (int)PTR_ERR(out[0]);
		goto out_free;
	}
	out[0]->private = p;
	out[1] = file_create_anon(inode, &pipe_ops, O_WRONLY | flags);
	if (IS_ERR(out[1])) {
		p->users = 1;
		p->nr_writers = 0;
		file_put(out[0]); /* frees the pipe */
		return (int)PTR_ERR(out[1]);
	}
	out[1]->private = p;
	return 0;
out_free:
	if (inode) {
		inode->pipe = NULL;
		inode_put(inode);
	}
	if (p) {
		p->users = 1;
		pipe_drop_user(p, NULL);
	}
	return err;
}

/* ---- FIFOs ---- */

/* The inode's pipe, made if there is none, with one user more. */
static struct pipe *fifo_pipe(struct inode *inode)
{
	struct pipe *fresh = pipe_alloc(), *p;

	if (!fresh)
		return NULL;
	spin_lock(&pipes_lock);
	if (!inode->pipe)
		inode->pipe = fresh;
	p = inode->pipe;
	p->users++;
	if (p != fresh)
		list_del(&fresh->link);
	spin_unlock(&pipes_lock);
	if (p != fresh)
		pipe_free(fresh);
	return p;
}

/* Counts the caller's ends, and says in *alone whether nobody had the other end open then. */
static int fifo_count_ends(struct file *f, struct pipe *p, bool *alone)
{
	u32 mode = f->mode & (FMODE_READ | FMODE_WRITE);

	*alone = (mode == FMODE_READ && !p->nr_writers) || (mode == FMODE_WRITE && !p->nr_readers);
	if (*alone && mode == FMODE_WRITE && (f->flags & O_NONBLOCK))
		return -ENXIO;
	if (mode & FMODE_READ) {
		WRITE_ONCE(p->nr_readers, p->nr_readers + 1);
		WRITE_ONCE(p->reader_opens, p->reader_opens + 1);
	}
	if (mode & FMODE_WRITE) {
		WRITE_ONCE(p->nr_writers, p->nr_writers + 1);
		WRITE_ONCE(p->writer_opens, p->writer_opens + 1);
	}
	return 0;
}

/* Waits until the other side has opened too, since it was seen to have opened so many times: it may be gone again by now. */
static int fifo_meet(struct file *f, struct pipe *p, u32 seen_readers, u32 seen_writers)
{
	if (f->mode & FMODE_WRITE)
		return wait_event_interruptible(&p->writers, READ_ONCE(p->reader_opens) != seen_readers);
	f->pos = seen_writers;
	if (f->flags & O_NONBLOCK)
		return 0;
	return wait_event_interruptible(&p->readers, READ_ONCE(p->writer_opens) != seen_writers);
}

int fifo_open(struct file *f)
{
	struct pipe *p = fifo_pipe(f->inode);
	u32 seen_readers, seen_writers;
	bool alone;
	int err;

	if (!p)
		return -ENOMEM;
	mutex_lock(&p->lock);
	seen_readers = p->reader_opens;
	seen_writers = p->writer_opens;
	err = fifo_count_ends(f, p, &alone);
	mutex_unlock(&p->lock);
	if (!err) {
		waitq_wake_all(&p->readers);
		waitq_wake_all(&p->writers);
		if (alone)
			err = fifo_meet(f, p, seen_readers, seen_writers);
		if (err)
			close_ends(p, f->mode & (FMODE_READ | FMODE_WRITE));
	}
	if (err) {
		pipe_drop_user(p, f->inode);
		return err;
	}
	f->private = p;
	f->ops = &pipe_ops;
	return 0;
}

/* ---- size ---- */

long pipe_size(struct file *f)
{
	struct pipe *p = f->private;

	return f->ops == &pipe_ops ? (long)READ_ONCE(p->size) : -EBADF;
}

/* Copies the ring's bytes to the start of fresh pages. */
static int copy_ring(struct pipe *p, u8 **pages)
{
	for (u64 done = 0; done < p->bytes;) {
		u64 from = (p->tail + done) & (p->size - 1);
		u64 to_off = done & (PAGE_SIZE - 1), from_off = from & (PAGE_SIZE - 1);
		u64 len = MIN(p->bytes - done, PAGE_SIZE - MAX(to_off, from_off));

		if (!pages[done >> PAGE_SHIFT]) {
			struct frame *frame = frame_alloc(0, FRAME_KERNEL, 0);

			if (!frame)
				return -ENOMEM;
			pages[done >> PAGE_SHIFT] = frame_kva(frame);
		}
		memcpy(pages[done >> PAGE_SHIFT] + to_off, p->pages[from >> PAGE_SHIFT] + from_off, len);
		done += len;
	}
	return 0;
}

static int resize_locked(struct pipe *p, u64 size, u8 **pages)
{
	u8 **old = p->pages;
	u64 old_nr = p->size / PAGE_SIZE;
	int err;

	if (p->bytes > size)
		return -EBUSY;
	err = copy_ring(p, pages);
	if (err)
		return err;
	p->pages = pages;
	WRITE_ONCE(p->size, size);
	p->tail = 0;
	free_pages(old, old_nr);
	if (old != p->small)
		kfree(old);
	return 0;
}

long pipe_set_size(struct file *f, u64 bytes)
{
	struct pipe *p = f->private;
	u64 size = PAGE_SIZE;
	u8 **pages;
	int err = 0;

	if (f->ops != &pipe_ops)
		return -EBADF;
	if (bytes > 1ul << 31)
		return -EINVAL;
	if (bytes > PIPE_MAX_SIZE)
		return -EPERM;
	while (size < bytes)
		size <<= 1;
	pages = kzalloc(size / PAGE_SIZE * sizeof(*pages), 0);
	if (!pages)
		return -ENOMEM;
	mutex_lock(&p->lock);
	if (size == p->size)
		err = 1;
	else
		err = resize_locked(p, size, pages);
	mutex_unlock(&p->lock);
	if (err) {
		free_pages(pages, size / PAGE_SIZE);
		kfree(pages);
	}
	waitq_wake_all(&p->writers);
	return err < 0 ? err : (long)size;
}

/* ---- memory pressure ---- */

/* Frees pages that hold no bytes. Locks: pipe->lock. */
static u64 drop_empty_pages(struct pipe *p)
{
	u64 nr = p->size / PAGE_SIZE, first = p->tail >> PAGE_SHIFT, freed = 0;
	u64 used = p->bytes ? ((p->tail & (PAGE_SIZE - 1)) + p->bytes + PAGE_SIZE - 1) >> PAGE_SHIFT : 0;

	for (u64 i = used; i < nr; i++) {
		u8 **page = &p->pages[(first + i) & (nr - 1)];

		if (!*page)
			continue;
		frame_put(kva_frame(*page));
		*page = NULL;
		freed++;
	}
	return freed;
}

static u64 pipes_scan(u64 nr_frames)
{
	struct pipe *p;
	u64 freed = 0;

	spin_lock(&pipes_lock);
	list_for_each_entry (p, &pipes, link) {
		if (freed >= nr_frames)
			break;
		if (mutex_trylock(&p->lock)) {
			freed += drop_empty_pages(p);
			mutex_unlock(&p->lock);
		}
	}
	spin_unlock(&pipes_lock);
	return freed;
}

static struct shrinker pipe_shrinker = {.name = "pipes", .scan = pipes_scan};

void pipe_init(void)
{
	anon_init();
	pipe_cache = slab_cache_create("pipe", sizeof(struct pipe), 8);
	reclaim_register(&pipe_shrinker);
}
