// host-sources: kernel/lib/tree.c
/*
 * Pipes, poll and epoll under real threads: bytes arrive once and in order, small writes stay whole, no wake is lost
 * (that would be a hang, which the alarm ends), the ring agrees with a model through resizes, memory pressure and failures.
 */
#ifndef VITRINE_DEBUG
#define VITRINE_DEBUG 1 /* lock ranks are checked too */
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch/riscv/irq.h"
#include "host_sched.h"
#include "lib/err.h"
#include "lib/rand.h"
#include "mm/frame.h"
#include "sync/lockcheck.c"
#include "sync/mutex.c"
#include "sync/spinlock.c"
#include "sync/waitq.c"

static __thread struct held_locks task_locks;

struct held_locks *held_locks_hart(void)
{
	return fake_current ? &fake_current->hart.locks : NULL;
}

struct held_locks *held_locks_task(void)
{
	return &task_locks;
}

void log_printf(enum log_level level, const char *fmt, ...)
{
}

/* A frame's page, and behind it its struct frame. */
static struct frame *fake_kva_frame(const void *kva)
{
	return (struct frame *)(void *)((char *)(uintptr_t)kva + PAGE_SIZE);
}

static void *fake_frame_kva(struct frame *f)
{
	return (char *)f - PAGE_SIZE;
}

#define kva_frame fake_kva_frame
#define frame_kva fake_frame_kva
#include "fs/pipe.c"

#include "fs/epoll.c"
#include "fs/poll.c"

static u32 live;    /* allocations */
static u32 fail_at; /* this one from now fails; 0: none */

static bool may_alloc(void)
{
	if (fail_at && --fail_at == 0)
		return false;
	__atomic_fetch_add(&live, 1, __ATOMIC_SEQ_CST);
	return true;
}

struct frame *frame_alloc(u32 order, enum frame_kind kind, u32 flags)
{
	struct frame *f = may_alloc() ? fake_kva_frame(aligned_alloc(PAGE_SIZE, 2 * PAGE_SIZE)) : NULL;

	if (f)
		atomic_set(&f->refs, 1);
	return f;
}

void frame_free(struct frame *f)
{
	__atomic_fetch_sub(&live, 1, __ATOMIC_SEQ_CST);
	free(fake_frame_kva(f));
}

void *kmalloc(size_t size, u32 flags)
{
	return may_alloc() ? calloc(1, size) : NULL;
}

void kfree(void *p)
{
	if (p)
		__atomic_fetch_sub(&live, 1, __ATOMIC_SEQ_CST);
	free(p);
}

struct slab_cache *slab_cache_create(const char *name, size_t size, size_t align)
{
	return (struct slab_cache *)(uintptr_t)size;
}

void *slab_alloc(struct slab_cache *c, u32 flags)
{
	return kmalloc((size_t)(uintptr_t)c, flags);
}

void slab_free(struct slab_cache *c, void *obj)
{
	kfree(obj);
}

static struct shrinker *shrinker;

void reclaim_register(struct shrinker *s)
{
	shrinker = s;
}

int uio_copy_to(struct uio *u, const void *src, size_t n)
{
	memcpy((void *)(uintptr_t)(u->fast[0].base + u->offset), src, n);
	u->offset += n;
	u->count -= n;
	return 0;
}

int uio_copy_from(struct uio *u, void *dst, size_t n)
{
	memcpy(dst, (void *)(uintptr_t)(u->fast[0].base + u->offset), n);
	u->offset += n;
	u->count -= n;
	return 0;
}

int put_user_u32(struct uptr p, u32 value)
{
	*(u32 *)(uintptr_t)p.addr = value;
	return 0;
}

int copy_to_user(struct uptr dst, const void *src, size_t n)
{
	memcpy((void *)(uintptr_t)dst.addr, src, n);
	return 0;
}

static __thread u32 sigpipes;

void task_raise(int signo)
{
	ASSERT(signo == SIGPIPE);
	sigpipes++;
}

void anon_init(void)
{
}

struct inode *anon_inode_create(u32 mode, const char *kind)
{
	struct inode *inode = kmalloc(sizeof(*inode), 0);

	if (inode) {
		inode->mode = mode;
		refcount_init(&inode->refs, 1);
	}
	return inode;
}

void inode_get(struct inode *inode)
{
	refcount_get(&inode->refs);
}

void inode_put(struct inode *inode)
{
	if (refcount_put(&inode->refs)) {
		ASSERT(!inode->pipe);
		kfree(inode);
	}
}

struct file *file_alloc(const struct file_ops *ops, u32 flags)
{
	struct file *f = kmalloc(sizeof(*f), 0);

	if (!f)
		return ERR_PTR(-ENOMEM);
	refcount_init(&f->refs, 1);
	f->flags = flags;
	f->mode = ((flags & O_ACCMODE) + 1) & (FMODE_READ | FMODE_WRITE);
	f->ops = ops;
	return f;
}

struct file *file_create_anon(struct inode *inode, const struct file_ops *ops, u32 flags)
{
	struct file *f = file_alloc(ops, flags);

	if (IS_ERR(f))
		inode_put(inode);
	else
		f->inode = inode;
	return f;
}

void file_put(struct file *f)
{
	if (!refcount_put(&f->refs))
		return;
	if (f->epoll_links)
		epoll_forget(f);
	if (f->ops->release)
		f->ops->release(f);
	inode_put(f->inode);
	kfree(f);
}

s64 file_seek_none(struct file *f, s64 off, int whence)
{
	return -ESPIPE;
}

u32 file_poll(struct file *f, struct poll_sink *sink)
{
	return f->ops->poll(f, sink);
}

static struct file *table[64];

struct fdtable *fdtable_current(void)
{
	return NULL;
}

struct file *fd_get(struct fdtable *t, int fd)
{
	if (fd < 0 || fd >= 64 || !table[fd])
		return NULL;
	file_get(table[fd]);
	return table[fd];
}

static ssize_t rd(struct file *f, void *buf, u64 n)
{
	struct uio u = {.count = n, .fast[0].base = (u64)(uintptr_t)buf};

	return f->ops->read(f, &u, NULL);
}

static ssize_t wr(struct file *f, const void *buf, u64 n)
{
	struct uio u = {.count = n, .fast[0].base = (u64)(uintptr_t)buf};

	return f->ops->write(f, &u, NULL);
}

/* ---- the ring against a model ---- */

static void test_model(void)
{
	struct xorshift rng;
	struct file *p[2];
	static u8 buf[200000];
	u64 in = 0, out = 0;

	xorshift_init(&rng, 42);
	ASSERT(pipe_create(p, O_NONBLOCK) == 0);
	for (u32 round = 0; round < 60000; round++) {
		u64 size = (u64)pipe_size(p[0]), n = 1 + xorshift_below(&rng, round % 7 == 0 ? 150000 : 6000),
		    bytes = in - out;
		ssize_t got;

		switch (xorshift_below(&rng, 5)) {
		case 0:
		case 1:
			for (u64 i = 0; i < n; i++)
				buf[i] = (u8)((in + i) * 31 >> 4);
			got = wr(p[1], buf, n);
			if (size - bytes >= n)
				ASSERT(got == (ssize_t)n);
			else if (n <= PIPE_BUF || size == bytes)
				ASSERT(got == -EAGAIN);
			else
				ASSERT(got == (ssize_t)(size - bytes));
			in += got > 0 ? (u64)got : 0;
			break;
		case 2:
		case 3:
			got = rd(p[0], buf, n);
			ASSERT(got == (bytes ? (ssize_t)MIN(n, bytes) : -EAGAIN));
			for (ssize_t i = 0; i < got; i++)
				ASSERT(buf[i] == (u8)((out + (u64)i) * 31 >> 4));
			out += got > 0 ? (u64)got : 0;
			break;
		default:
			if (round % 3 == 0) {
				long fresh = pipe_set_size(p[0], n);

				ASSERT(fresh == -EBUSY || (u64)fresh >= n);
				ASSERT(fresh != -EBUSY || bytes > n / 2);
			} else {
				shrinker->scan(round % 5);
			}
		}
	}
	file_put(p[0]);
	ASSERT(wr(p[1], buf, 1) == -EPIPE && sigpipes == 1);
	file_put(p[1]);
	ASSERT(live == 0);
}

static void test_failing_memory(void)
{
	struct file *p[2];
	static u8 buf[20000];
	u32 k = 1;
	int err;

	do {
		fail_at = k++;
		err = pipe_create(p, O_NONBLOCK);
		fail_at = 0;
		ASSERT(err == 0 || live == 0);
	} while (err);
	ASSERT(k > 4);
	fail_at = 1;
	ASSERT(wr(p[1], buf, 100) == -ENOMEM);
	fail_at = 2;
	ASSERT(wr(p[1], buf, 20000) == 4096);
	for (k = 1; k < 4; k++) {
		fail_at = k;
		err = (int)pipe_set_size(p[1], 1 << 20);
		fail_at = 0;
		ASSERT(k > 2 || err == -ENOMEM);
	}
	ASSERT(rd(p[0], buf, 20000) == 4096);
	file_put(p[1]);
	ASSERT(rd(p[0], buf, 1) == 0);
	file_put(p[0]);
	ASSERT(live == 0);
}

/* ---- threads ---- */

#define NR_TASKS 4
#define RECORDS  4000
#define RECORD   96

static struct task tasks[2 * NR_TASKS + 1], main_task;
static struct file *ends[2];
static u32 seen, watched_with_poll;

static void write_records(struct task *task, void *arg)
{
	u8 rec[RECORD];

	memset(rec, (int)(uintptr_t)arg, sizeof(rec));
	for (u32 i = 0; i < RECORDS; i++)
		ASSERT(wr(ends[1], rec, sizeof(rec)) == sizeof(rec));
}

/* Whole records come, since every write and read has the same length. */
static void read_records(struct task *task, void *arg)
{
	struct pollfd_k p = {.fd = 0, .events = POLLIN};
	u8 rec[RECORD];
	ssize_t n;

	for (;;) {
		if (watched_with_poll) {
			ASSERT(poll_files(&p, 1, SCHED_FOREVER) == 1);
			ASSERT(p.revents & (POLLIN | POLLHUP));
		}
		n = rd(ends[0], rec, sizeof(rec));
		if (n == -EAGAIN && watched_with_poll)
			continue;
		if (n == 0)
			return;
		ASSERT(n == RECORD);
		for (u32 i = 1; i < RECORD; i++)
			ASSERT(rec[i] == rec[0]);
		__atomic_fetch_add(&seen, 1, __ATOMIC_SEQ_CST);
	}
}

static void test_many(u64 size)
{
	ASSERT(pipe_create(ends, 0) == 0);
	ASSERT(pipe_set_size(ends[0], size) == (long)size);
	if (watched_with_poll)
		ends[0]->flags |= O_NONBLOCK;
	table[0] = ends[0];
	seen = 0;
	for (u32 i = 0; i < NR_TASKS; i++) {
		host_task_start(&tasks[i], write_records, (void *)(uintptr_t)(i + 1));
		host_task_start(&tasks[NR_TASKS + i], read_records, NULL);
	}
	for (u32 i = 0; i < NR_TASKS; i++)
		host_task_join(&tasks[i]);
	file_put(ends[1]);
	for (u32 i = 0; i < NR_TASKS; i++)
		host_task_join(&tasks[NR_TASKS + i]);
	ASSERT(seen == NR_TASKS * RECORDS);
	table[0] = NULL;
	file_put(ends[0]);
	ASSERT(live == 0);
}

/* Big writes through a small ring to one reader, in order. */
static void write_stream(struct task *task, void *arg)
{
	static u8 buf[50000];
	u64 at = 0;

	for (u32 round = 0; round < 400; round++) {
		u64 n = 1 + (round * 7919u) % sizeof(buf);

		for (u64 i = 0; i < n; i++)
			buf[i] = (u8)((at + i) >> 3);
		ASSERT(wr(ends[1], buf, n) == (ssize_t)n);
		at += n;
	}
	file_put(ends[1]);
}

static void test_stream(void)
{
	static u8 buf[30000];
	u64 at = 0;
	ssize_t n;

	ASSERT(pipe_create(ends, 0) == 0);
	pipe_set_size(ends[0], 16384);
	host_task_start(&tasks[0], write_stream, NULL);
	while ((n = rd(ends[0], buf, 1 + at % sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			ASSERT(buf[i] == (u8)((at + (u64)i) >> 3));
		at += (u64)n;
	}
	ASSERT(n == 0);
	host_task_join(&tasks[0]);
	file_put(ends[0]);
	ASSERT(live == 0);
}

/* ---- epoll ---- */

static struct file *pairs[8][2];

static void write_to_all(struct task *task, void *arg)
{
	for (u32 i = 0; i < 20000; i++)
		ASSERT(wr(pairs[i * 5 % 8][1], "x", 1) == 1);
	for (u32 i = 0; i < 8; i++)
		file_put(pairs[i][1]);
}

/* One instance in another; edge and level triggered: every byte is found, then every end. */
static void test_epoll(u32 how)
{
	struct epoll_event_k ev[3];
	struct file *inner, *outer;
	u32 bytes = 0, closed = 0;
	u8 buf[16];

	ASSERT(epoll_create_file(0, &inner) == 0 && epoll_create_file(0, &outer) == 0);
	for (u32 i = 0; i < 8; i++) {
		ASSERT(pipe_create(pairs[i], O_NONBLOCK) == 0);
		pairs[i][1]->flags &= ~(u32)O_NONBLOCK;
		ASSERT(epoll_control(inner, EPOLL_CTL_ADD, (int)i, pairs[i][0], POLLIN | how, i) == 0);
		ASSERT(epoll_control(inner, EPOLL_CTL_ADD, (int)i, pairs[i][0], POLLIN, i) == -EEXIST);
	}
	ASSERT(epoll_control(outer, EPOLL_CTL_ADD, 9, inner, POLLIN, 9) == 0);
	ASSERT(epoll_control(inner, EPOLL_CTL_ADD, 9, outer, POLLIN, 9) == -ELOOP);
	ASSERT(epoll_control(inner, EPOLL_CTL_ADD, 9, inner, POLLIN, 9) == -EINVAL);
	ASSERT(epoll_wait_events(outer, uptr_make((u64)(uintptr_t)ev), 3, 0) == 0);
	host_task_start(&tasks[0], write_to_all, NULL);
	while (closed < 8) {
		long n;

		ASSERT(epoll_wait_events(outer, uptr_make((u64)(uintptr_t)ev), 3, SCHED_FOREVER) == 1);
		ASSERT(ev[0].data == 9 && ev[0].events == POLLIN);
		n = epoll_wait_events(inner, uptr_make((u64)(uintptr_t)ev), 3, 0);
		for (long i = 0; i < n; i++) {
			struct file *f = pairs[ev[i].data][0];
			ssize_t got;

			while ((got = rd(f, buf, sizeof(buf))) > 0)
				bytes += (u32)got;
			if (got == 0) {
				file_put(f); /* leaves the instance */
				closed++;
			}
		}
	}
	host_task_join(&tasks[0]);
	ASSERT(bytes == 20000);
	ASSERT(epoll_wait_events(outer, uptr_make((u64)(uintptr_t)ev), 3, 0) == 0);
	file_put(inner);
	file_put(outer);
	ASSERT(live == 0);
}

/*
 * One task is about to sleep in epoll_wait for what has just become ready, while another asks the instance whether anything is: that one's
 * look must not hide it. The watched file is `shy`, whose poll() is the instant.
 */
static struct waitq shy_queue;
static struct file *shy_ep;
static u32 shy_ready, in_look, asleep, waited;

static u32 shy_poll(struct file *f, struct poll_sink *sink)
{
	if (sink)
		sink->add(sink, &shy_queue);
	if (!READ_ONCE(shy_ready))
		return 0;
	if (current() == &main_task) {
		__atomic_store_n(&in_look, 1, __ATOMIC_SEQ_CST);
		while (!__atomic_load_n(&asleep, __ATOMIC_SEQ_CST))
			sched_yield();
	}
	return POLLIN;
}

static void about_to_sleep(void)
{
	__atomic_store_n(&asleep, 1, __ATOMIC_SEQ_CST);
}

/* The waiter has found nothing; it is not on the queue yet. */
static void becomes_ready(void)
{
	WRITE_ONCE(shy_ready, 1);
	waitq_wake_all(&shy_queue);
	__atomic_store_n(&waited, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&in_look, __ATOMIC_SEQ_CST))
		sched_yield();
	host_sleeping = about_to_sleep;
}

static void wait_for_shy(struct task *task, void *arg)
{
	struct epoll_event_k ev;

	host_preparing = becomes_ready;
	ASSERT(epoll_wait_events(shy_ep, uptr_make((u64)(uintptr_t)&ev), 1, clock_mono_ns() + 20000000000ul) == 1);
	__atomic_store_n(&waited, 2, __ATOMIC_SEQ_CST);
}

static void test_epoll_asked_by_another(void)
{
	static const struct file_ops shy_ops = {.poll = shy_poll};
	struct file *shy;
	u64 until;

	waitq_init(&shy_queue, "shy");
	shy = file_create_anon(anon_inode_create(0600, "shy"), &shy_ops, O_RDONLY);
	ASSERT(epoll_create_file(0, &shy_ep) == 0);
	ASSERT(epoll_control(shy_ep, EPOLL_CTL_ADD, 1, shy, POLLIN, 1) == 0);
	host_task_start(&tasks[0], wait_for_shy, NULL);
	while (!__atomic_load_n(&waited, __ATOMIC_SEQ_CST))
		sched_yield();
	ASSERT(file_poll_now(shy_ep) & POLLIN);
	until = clock_mono_ns() + 5000000000ul;
	while (__atomic_load_n(&waited, __ATOMIC_SEQ_CST) != 2 && clock_mono_ns() < until)
		sched_yield();
	ASSERT(waited == 2);
	host_task_join(&tasks[0]);
	file_put(shy);
	file_put(shy_ep);
	ASSERT(live == 0);
}

static void test_epoll_depth(void)
{
	struct file *eps[EPOLL_MAX_HEIGHT + 2];

	for (u32 i = 0; i < ARRAY_SIZE(eps); i++)
		ASSERT(epoll_create_file(0, &eps[i]) == 0);
	for (u32 i = 0; i + 1 < ARRAY_SIZE(eps); i++)
		ASSERT(epoll_control(eps[i], EPOLL_CTL_ADD, 0, eps[i + 1], POLLIN, 0) ==
			(i + 2 < ARRAY_SIZE(eps) ? 0 : -ELOOP));
	for (u32 i = 0; i < ARRAY_SIZE(eps); i++)
		file_put(eps[i]);
	ASSERT(live == 0);
}

static void test_poll_and_select(void)
{
	struct pollfd_k p[40];
	u64 in = 0x0f, out = 0xf0;
	struct file *e[2];

	ASSERT(pipe_create(e, 0) == 0);
	for (u32 i = 0; i < 40; i++) {
		table[i] = e[i / 4 % 2];
		p[i] = (struct pollfd_k){.fd = (int)i, .events = POLLIN};
	}
	/* More entries than fit the stack, and nothing ready: the time runs out. */
	ASSERT(poll_files(p, 40, clock_mono_ns() + 2000000) == 0);
	fail_at = 1;
	ASSERT(poll_files(p, 40, SCHED_FOREVER) == -ENOMEM);
	fail_at = 0;
	p[3].fd = 63;
	ASSERT(poll_files(p, 40, SCHED_FOREVER) == 1 && p[3].revents == POLLNVAL);
	ASSERT(select_files(40, &in, &out, NULL, SCHED_FOREVER) == 4 && in == 0 && out == 0xf0);
	ASSERT(wr(e[1], "a", 1) == 1);
	in = 0x03;
	ASSERT(select_files(40, &in, &out, NULL, 0) == 6 && in == 3);
	in = 1ul << 50;
	ASSERT(select_files(60, &in, NULL, NULL, 0) == -EBADF);
	file_put(e[0]);
	file_put(e[1]);
	ASSERT(live == 0);
}

/* ---- FIFOs ---- */

static struct inode *fifo;

static struct file *fifo_file(u32 flags, int *err)
{
	struct file *f;

	inode_get(fifo);
	f = file_create_anon(fifo, &(const struct file_ops){0}, flags);
	*err = fifo_open(f);
	if (*err) {
		inode_put(fifo);
		kfree(f);
		return NULL;
	}
	return f;
}

static void fifo_writer(struct task *task, void *arg)
{
	int err;
	struct file *f = fifo_file(O_WRONLY, &err);

	ASSERT(err == 0 && wr(f, "F", 1) == 1);
	file_put(f);
}

static void test_fifo(void)
{
	struct file *r;
	char c;
	int err;

	fifo = anon_inode_create(S_IFIFO | 0600, "fifo");
	ASSERT(!fifo_file(O_WRONLY | O_NONBLOCK, &err) && err == -ENXIO && !fifo->pipe);
	for (u32 i = 0; i < 500; i++) {
		host_task_start(&tasks[0], fifo_writer, NULL);
		r = fifo_file(O_RDONLY, &err);
		ASSERT(err == 0 && rd(r, &c, 1) == 1 && c == 'F' && rd(r, &c, 1) == 0);
		ASSERT(file_poll(r, NULL) == POLLHUP);
		host_task_join(&tasks[0]);
		file_put(r);
	}
	r = fifo_file(O_RDONLY | O_NONBLOCK, &err);
	ASSERT(rd(r, &c, 1) == 0 && file_poll(r, NULL) == 0); /* nobody has written yet: no hang-up */
	host_task_set_signal(&main_task, true);
	file_put(r);
	ASSERT(!fifo_file(O_RDONLY, &err) && err == -ERESTARTSYS && !fifo->pipe);
	host_task_set_signal(&main_task, false);
	inode_put(fifo);
	ASSERT(live == 0);
}

/* Somebody who closes his end while another's open, which has counted it already, wakes the FIFO's queues. */
static struct {
	struct waitq_entry watch;
	struct file *f;
	u32 *ends;
	u32 go;
} leaver;

static void leave_when_told(struct task *task, void *arg)
{
	while (!__atomic_load_n(&leaver.go, __ATOMIC_SEQ_CST))
		sched_yield();
	file_put(leaver.f);
}

static void tell_and_wait(struct waitq_entry *entry, u32 events)
{
	__atomic_store_n(&leaver.go, 1, __ATOMIC_SEQ_CST);
	while (READ_ONCE(*leaver.ends))
		sched_yield();
}

static void open_while_other_leaves(u32 flags, struct file *other)
{
	struct pipe *p = fifo->pipe;
	struct file *f;
	int err;

	leaver.f = other;
	leaver.ends = flags == O_RDONLY ? &p->nr_writers : &p->nr_readers;
	leaver.go = 0;
	waitq_entry_init_func(&leaver.watch, tell_and_wait);
	host_task_start(&tasks[0], leave_when_told, NULL);
	host_task_set_signal(&main_task, true); /* waiting would be answered with an error */
	waitq_add(&p->writers, &leaver.watch);
	f = fifo_file(flags, &err);
	waitq_remove(&p->writers, &leaver.watch);
	host_task_set_signal(&main_task, false);
	host_task_join(&tasks[0]);
	ASSERT(f && err == 0 && *leaver.ends == 0);
	file_put(f);
}

static void test_fifo_other_side_leaves(void)
{
	struct file *r, *w;
	int err;

	fifo = anon_inode_create(S_IFIFO | 0600, "fifo");
	r = fifo_file(O_RDONLY | O_NONBLOCK, &err);
	w = fifo_file(O_WRONLY, &err);
	open_while_other_leaves(O_RDONLY, w);
	w = fifo_file(O_WRONLY, &err);
	open_while_other_leaves(O_WRONLY, r);
	file_put(w);
	inode_put(fifo);
	ASSERT(live == 0);
}

int main(void)
{
	host_task_init(&main_task);
	fake_current = &main_task;
	alarm(120);
	pipe_init();
	test_model();
	test_failing_memory();
	test_many(4096);
	test_many(65536);
	watched_with_poll = 1;
	test_many(4096);
	test_stream();
	test_epoll(0);
	test_epoll(EPOLLET);
	test_epoll_asked_by_another();
	test_epoll_depth();
	test_poll_and_select();
	test_fifo();
	test_fifo_other_side_leaves();
	printf("ok pipe\n");
	return 0;
}
