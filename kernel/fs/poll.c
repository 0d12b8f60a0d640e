/*
 * poll(2) and select(2).
 *
 * The first look at each file also adds an entry to the queues that it names; a wake on any of them sets `triggered` and wakes
 * the task. Then: look again at all, sleep if nothing was found and nothing was triggered since, and so on.
 *
 * No event is lost: an entry is on its queue before the file is looked at; `triggered` is cleared before each look, and read
 * after the task is marked as sleeping (sync/sched.h).
 */
#include "fs/poll.h"

#include "fs/file.h"
#include "lib/errno.h"
#include "mm/slab.h"
#include "sync/waitq.h"

#define FIXED_ENTRIES 32u /* on the stack: enough for 16 files with two queues each */
#define CHUNK_ENTRIES 64u

struct poll_table;

struct poll_entry {
	struct waitq_entry wait;
	struct waitq *wq;
	struct file *file; /* referenced: it keeps the queue alive */
	struct poll_table *table;
};

struct poll_chunk {
	struct poll_chunk *next;
	struct poll_entry entries[CHUNK_ENTRIES];
};

struct poll_table {
	struct poll_sink sink;
	struct task *task;
	struct file *file; /* being looked at */
	u32 triggered;
	u32 nr; /* entries in use, in the fixed ones or the newest chunk */
	int err;
	struct poll_chunk *chunks;
	struct poll_entry fixed[FIXED_ENTRIES];
};

static void poll_woken(struct waitq_entry *wait, u32 events)
{
	struct poll_table *table = container_of(wait, struct poll_entry, wait)->table;

	WRITE_ONCE(table->triggered, 1);
	sched_wake(table->task);
}

static struct poll_entry *poll_entry_alloc(struct poll_table *table)
{
	struct poll_chunk *chunk;

	if (!table->chunks && table->nr < FIXED_ENTRIES)
		return &table->fixed[table->nr++];
	if (!table->chunks || table->nr == CHUNK_ENTRIES) {
		chunk = kmalloc(sizeof(*chunk), 0);
		if (!chunk)
			return NULL;
		chunk->next = table->chunks;
		/* The fixed entries are all in use from here on: see poll_table_fini. */
		table->chunks = chunk;
		table->nr = 0;
	}
	return &table->chunks->entries[table->nr++];
}

static void poll_add(struct poll_sink *sink, struct waitq *wq)
{
	struct poll_table *table = container_of(sink, struct poll_table, sink);
	struct poll_entry *entry = poll_entry_alloc(table);

	if (!entry) {
		table->err = -ENOMEM;
		return;
	}
	file_get(table->file);
	entry->file = table->file;
	entry->table = table;
	entry->wq = wq;
	waitq_entry_init_func(&entry->wait, poll_woken);
	waitq_add(wq, &entry->wait);
}

static void poll_table_init(struct poll_table *table)
{
	table->sink.add = poll_add;
	table->task = current();
	table->triggered = 0;
	table->nr = 0;
	table->err = 0;
	table->chunks = NULL;
}

static void poll_remove(struct poll_entry *entries, u32 nr)
{
	for (u32 i = 0; i < nr; i++) {
		waitq_remove(entries[i].wq, &entries[i].wait);
		file_put(entries[i].file);
	}
}

static void poll_table_fini(struct poll_table *table)
{
	struct poll_chunk *chunk = table->chunks;

	poll_remove(table->fixed, chunk ? FIXED_ENTRIES : table->nr);
	while (chunk) {
		struct poll_chunk *next = chunk->next;

		poll_remove(chunk->entries, chunk == table->chunks ? table->nr : CHUNK_ENTRIES);
		kfree(chunk);
		chunk = next;
	}
}

/* What is ready; adds entries unless sink is NULL. */
static u32 poll_look(struct poll_table *table, struct file *f, struct poll_sink *sink)
{
	table->file = f;
	return file_poll(f, sink);
}

u32 file_poll_now(struct file *f)
{
	return file_poll(f, NULL);
}

/* Sleeps unless something was triggered since the last look. 0, -EINTR, -ETIMEDOUT. */
static int poll_sleep(struct poll_table *table, u64 deadline_ns)
{
	sched_prepare_sleep(SLEEP_INTERRUPTIBLE);
	if (READ_ONCE(table->triggered)) {
		sched_cancel_sleep();
		return sched_signal_pending() ? -EINTR : 0;
	}
	return sched_sleep(deadline_ns);
}

/* One look at everything: how many are ready, or -errno. */
typedef long (*poll_scan_fn)(struct poll_table *table, void *arg, struct poll_sink *sink);

static long poll_loop(poll_scan_fn scan, void *arg, u64 deadline_ns)
{
	struct poll_table table;
	struct poll_sink *sink = deadline_ns ? &table.sink : NULL;
	long found;
	int err = deadline_ns ? 0 : -ETIMEDOUT;

	poll_table_init(&table);
	for (;;) {
		WRITE_ONCE(table.triggered, 0);
		smp_mb();
		found = scan(&table, arg, sink);
		if (found == 0)
			found = table.err;
		if (found || err)
			break;
		sink = NULL;
		err = poll_sleep(&table, deadline_ns);
	}
	poll_table_fini(&table);
	if (found)
		return found;
	return err == -ETIMEDOUT ? 0 : err;
}

/* ---- poll ---- */

struct poll_request {
	struct pollfd_k *fds;
	u32 nr;
};

static u32 poll_one(struct poll_table *table, const struct pollfd_k *p, struct poll_sink *sink)
{
	struct file *f = fd_get(fdtable_current(), p->fd);
	u32 ready;

	if (!f)
		return POLLNVAL;
	if (f->mode & FMODE_PATH)
		ready = POLLNVAL;
	else
		ready = poll_look(table, f, sink) & ((u16)p->events | POLLERR | POLLHUP);
	file_put(f);
	return ready;
}

static long poll_scan(struct poll_table *table, void *arg, struct poll_sink *sink)
{
	struct poll_request *rq = arg;
	long found = 0;

	for (u32 i = 0; i < rq->nr; i++) {
		struct pollfd_k *p = &rq->fds[i];

		p->revents = 0;
		if (p->fd < 0)
			continue;
		p->revents = (s16)poll_one(table, p, sink);
		if (p->revents) {
			found++;
			sink = NULL; /* it will not sleep */
		}
		if (i % 64 == 63)
			sched_point();
	}
	return found;
}

long poll_files(struct pollfd_k *fds, u32 nr, u64 deadline_ns)
{
	struct poll_request rq = {.fds = fds, .nr = nr};

	return poll_loop(poll_scan, &rq, deadline_ns);
}

/* ---- select ---- */

#define SELECT_IN         (POLLIN | POLLRDNORM | POLLHUP | POLLERR)
#define SELECT_OUT        (POLLOUT | POLLWRNORM | POLLERR)
#define SELECT_EXCEPT     POLLPRI
#define SELECT_FAST_WORDS 4u

static const u32 select_bits[3] = {SELECT_IN, SELECT_OUT, SELECT_EXCEPT};

struct select_request {
	u32 nr;
	u64 *sets[3];    /* what is asked; NULL: nothing */
	u64 *results[3]; /* as many words */
};

static bool select_asks(const struct select_request *rq, u32 set, u32 fd)
{
	return rq->sets[set] && (rq->sets[set][fd / 64] >> (fd % 64) & 1);
}

static long select_one(struct poll_table *table, struct select_request *rq, u32 fd, struct poll_sink *sink)
{
	struct file *f = fd_get(fdtable_current(), (int)fd);
	long found = 0;
	u32 ready;

	if (!f)
		return -EBADF;
	ready = f->mode & FMODE_PATH ? 0 : poll_look(table, f, sink);
	if (f->mode & FMODE_PATH)
		found = -EBADF;
	file_put(f);
	for (u32 set = 0; set < 3; set++) {
		if (select_asks(rq, set, fd) && (ready & select_bits[set])) {
			rq->results[set][fd / 64] |= BIT(fd % 64);
			found++;
		}
	}
	return found;
}

static long select_scan(struct poll_table *table, void *arg, struct poll_sink *sink)
{
	struct select_request *rq = arg;
	u32 words = DIV_ROUND_UP(rq->nr, 64u);
	long found = 0, n;

	for (u32 set = 0; set < 3; set++)
		for (u32 w = 0; w < words; w++)
			rq->results[set][w] = 0;
	for (u32 fd = 0; fd < rq->nr; fd++) {
		if (!select_asks(rq, 0, fd) && !select_asks(rq, 1, fd) && !select_asks(rq, 2, fd))
			continue;
		n = select_one(table, rq, fd, sink);
		if (n < 0)
			return n;
		found += n;
		if (found)
			sink = NULL;
	}
	return found;
}

long select_files(u32 nr, u64 *in, u64 *out, u64 *except, u64 deadline_ns)
{
	struct select_request rq = {.nr = nr, .sets = {in, out, except}};
	u64 fast[3 * SELECT_FAST_WORDS], *results = fast;
	u32 words = DIV_ROUND_UP(nr, 64u);
	long found;

	if (words > SELECT_FAST_WORDS) {
		results = kmalloc(3 * words * sizeof(u64), 0);
		if (!results)
			return -ENOMEM;
	}
	for (u32 set = 0; set < 3; set++)
		rq.results[set] = results + set * words;
	found = poll_loop(select_scan, &rq, deadline_ns);
	for (u32 set = 0; set < 3 && found >= 0; set++)
		for (u32 w = 0; rq.sets[set] && w < words; w++)
			rq.sets[set][w] = rq.results[set][w];
	if (results != fast)
		kfree(results);
	return found;
}
