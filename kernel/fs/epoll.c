/*
 * epoll(7).
 *
 *	struct epoll --items (tree by file, fd)--> struct watch --hooks--> queues of the watched file
 *	      \--ready list-------------------------^    |
 *	                            file->epoll_links ---+ (all watches of that file, whichever instance)
 *
 * A wake on a watched file's queue puts the watch on the ready list and wakes who waits for the instance. epoll_wait takes
 * watches off the list, asks the file what is really ready, reports that, and puts level-triggered ones back.
 *
 * Instances may watch instances, EPOLL_MAX_HEIGHT deep. `height` is 0 for one that watches none and greater than that of
 * any it watches; so a loop would have no height and is refused. A callback takes the locks of instance after instance
 * upwards, so the ranks of their spinlocks rise with the height.
 *
 * Locks
 *   epoll_mutex (RANK_EPOLL)   every instance's tree, every watch's life, file->epoll_links, heights, rounds. One for all: it is held for
 *                              short times only, and not while waiting or copying to the user.
 *   epoll->lock (spinlock)     the ready list, watch->events.
 */
#include "fs/epoll.h"

#include "fs/anon.h"
#include "fs/file.h"
#include "lib/err.h"
#include "lib/errno.h"
#include "lib/tree.h"
#include "mm/slab.h"
#include "sync/waitq.h"

#define EPOLL_CTL_ADD  1
#define EPOLL_CTL_DEL  2
#define EPOLL_CTL_MOD  3
#define EPOLLET        (1u << 31)
#define EPOLLONESHOT   (1u << 30)
#define EPOLLWAKEUP    (1u << 29)
#define EPOLLEXCLUSIVE (1u << 28)
#define PRIVATE_BITS   (EPOLLET | EPOLLONESHOT | EPOLLWAKEUP | EPOLLEXCLUSIVE)
#define ALWAYS         (POLLERR | POLLHUP)

#define EPOLL_MAX_HEIGHT 4u
#define MAX_HOOKS        4u
#define BATCH            64u /* events of one epoll_wait at most, on the stack */

static_assert(RANK_EPOLL_READY + 2 * EPOLL_MAX_HEIGHT + 1 < RANK_LOCK_WAIT, "ranks of nested instances");

struct epoll {
	struct spinlock lock;
	struct list ready; /* of watch.ready_link [lock] */
	struct waitq waiters;
	struct tree items; /* [epoll_mutex] */
	struct file *file; /* this instance's own; borrowed */
	u32 height;        /* [epoll_mutex] */
	u64 round;         /* counts calls that collect events [epoll_mutex] */
};

struct epoll_hook {
	struct waitq_entry wait;
	struct waitq *wq;
	struct watch *watch;
};

struct watch {
	struct tree_node node;
	struct epoll *ep;
	struct file *file; /* borrowed: the watch goes before the file does */
	int fd;
	u32 events; /* asked; 0: reported once, not asked again yet (EPOLLONESHOT) [ep->lock] */
	u32 once;   /* EPOLLONESHOT: what was asked when it was reported [ep->lock] */
	u64 data;
	u64 round;              /* the call that reported it last; 0: changed since [epoll_mutex] */
	struct list ready_link; /* [ep->lock] */
	struct watch *next_of_file;
	u32 nr_hooks;
	struct epoll_hook hooks[MAX_HOOKS];
};

struct epoll_event_k {
	u32 events;
	u32 pad;
	u64 data;
};

static struct mutex epoll_mutex = MUTEX_INIT(epoll_mutex, "epoll", RANK_EPOLL);
static const struct file_ops epoll_ops;

static struct epoll *epoll_of(const struct file *f)
{
	return f->ops == &epoll_ops ? f->private : NULL;
}

/* ---- wake-ups ---- */

/* Puts the watch on the ready list and tells. Context: any. */
static void watch_ready(struct watch *w)
{
	struct epoll *ep = w->ep;
	u64 flags = spin_lock_irqsave(&ep->lock);

	if (list_empty(&w->ready_link) && (w->events & ~PRIVATE_BITS))
		list_add_tail(&w->ready_link, &ep->ready);
	spin_unlock_irqrestore(&ep->lock, flags);
	waitq_wake_one_events(&ep->waiters, POLLIN | POLLRDNORM);
}

static void watch_woken(struct waitq_entry *wait, u32 events)
{
	struct watch *w = container_of(wait, struct epoll_hook, wait)->watch;

	if (events & READ_ONCE(w->events))
		watch_ready(w);
}

static bool has_ready(const struct epoll *ep)
{
	return !list_empty(&ep->ready);
}

enum take { TAKE_LOOK, TAKE_OFF };

/* The first of the ready list, or NULL. Locks: epoll_mutex, so that nobody else takes one off. */
static struct watch *first_ready(struct epoll *ep, enum take how)
{
	u64 flags = spin_lock_irqsave(&ep->lock);
	struct watch *w = list_first_entry_or_null(&ep->ready, struct watch, ready_link);

	if (w && how == TAKE_OFF)
		list_del(&w->ready_link);
	spin_unlock_irqrestore(&ep->lock, flags);
	return w;
}

/* What is ready now of what is asked. Locks: epoll_mutex. */
static u32 watch_look(struct watch *w)
{
	return file_poll(w->file, NULL) & READ_ONCE(w->events) & ~PRIVATE_BITS;
}

/* ---- the instance's file ---- */

/*
 * Is anything really ready? Watches found idle leave the list. One that is ready stays on it all the time: who is about to sleep in
 * epoll_wait must see it there. Locks: epoll_mutex.
 */
static bool any_ready(struct epoll *ep)
{
	struct watch *w;

	mutex_assert_held(&epoll_mutex);
	while ((w = first_ready(ep, TAKE_LOOK)) != NULL) {
		if (watch_look(w))
			return true;
		/* Off the list, then a look: a wake between the two looks found it there, later ones put it back. */
		(void)first_ready(ep, TAKE_OFF);
		if (watch_look(w)) {
			watch_ready(w);
			return true;
		}
	}
	return false;
}

static u32 epoll_poll(struct file *f, struct poll_sink *sink)
{
	struct epoll *ep = f->private;
	bool nested = mutex_is_held(&epoll_mutex); /* asked by another instance */
	bool ready;

	if (sink)
		sink->add(sink, &ep->waiters);
	if (!nested)
		mutex_lock(&epoll_mutex);
	ready = any_ready(ep);
	if (!nested)
		mutex_unlock(&epoll_mutex);
	return ready ? POLLIN | POLLRDNORM : 0;
}

static void watch_destroy(struct watch *w)
{
	struct watch **link = (struct watch **)&w->file->epoll_links;
	u64 flags;

	mutex_assert_held(&epoll_mutex);
	for (u32 i = 0; i < w->nr_hooks; i++)
		waitq_remove(w->hooks[i].wq, &w->hooks[i].wait);
	flags = spin_lock_irqsave(&w->ep->lock);
	list_del(&w->ready_link);
	spin_unlock_irqrestore(&w->ep->lock, flags);
	tree_erase(&w->ep->items, &w->node);
	while (*link != w)
		link = &(*link)->next_of_file;
	*link = w->next_of_file;
	kfree(w);
}

static void epoll_release(struct file *f)
{
	struct epoll *ep = f->private;
	struct tree_node *node;

	mutex_lock(&epoll_mutex);
	while ((node = tree_first(&ep->items)) != NULL)
		watch_destroy(tree_entry(node, struct watch, node));
	mutex_unlock(&epoll_mutex);
	kfree(ep);
}

static const struct file_ops epoll_ops = {.seek = file_seek_none, .poll = epoll_poll, .release = epoll_release};

/* Ranks by height; see above. */
static void epoll_set_height(struct epoll *ep, u32 height)
{
	ep->height = height;
	lock_id_init(&ep->lock.id, "epoll ready", (enum lock_rank)(RANK_EPOLL_READY + 2 * height));
	lock_id_init(&ep->waiters.lock.id, "epoll waiters", (enum lock_rank)(RANK_EPOLL_READY + 2 * height + 1));
}

int epoll_create_file(u32 flags, struct file **out)
{
	struct epoll *ep = kzalloc(sizeof(*ep), 0);
	struct inode *inode = ep ? anon_inode_create(0600, "[eventpoll]") : NULL;

	if (!inode) {
		kfree(ep);
		return -ENOMEM;
	}
	spin_init(&ep->lock, "epoll ready", RANK_EPOLL_READY);
	waitq_init(&ep->waiters, "epoll waiters");
	epoll_set_height(ep, 0);
	list_init(&ep->ready);
	tree_init(&ep->items);
	*out = file_create_anon(inode, &epoll_ops, O_RDWR);
	if (IS_ERR(*out)) {
		kfree(ep);
		return (int)PTR_ERR(*out);
	}
	(*out)->private = ep;
	ep->file = *out;
	return 0;
}

/* ---- watches ---- */

static struct watch *watch_find(struct epoll *ep, const struct file *f, int fd)
{
	struct tree_node *node = ep->items.root;

	while (node) {
		struct watch *w = tree_entry(node, struct watch, node);

		if (w->file == f && w->fd == fd)
			return w;
		node = f < w->file || (f == w->file && fd < w->fd) ? node->left : node->right;
	}
	return NULL;
}

static bool watch_less(const struct tree_node *a, const struct tree_node *b)
{
	const struct watch *x = tree_entry(a, struct watch, node), *y = tree_entry(b, struct watch, node);

	return x->file < y->file || (x->file == y->file && x->fd < y->fd);
}

/*
 * Raises ep to at least `height`, and first those that watch it. -ELOOP: too high, which a loop always is. Partial: instances
 * above may stay higher than they need be.
 */
static int epoll_raise(struct epoll *ep, u32 height)
{
	if (ep->height >= height)
		return 0;
	if (height > EPOLL_MAX_HEIGHT)
		return -ELOOP;
	for (struct watch *w = ep->file->epoll_links; w; w = w->next_of_file) {
		int err = epoll_raise(w->ep, height + 1);

		if (err)
			return err;
	}
	epoll_set_height(ep, height);
	return 0;
}

struct hook_sink {
	struct poll_sink sink;
	struct watch *watch;
	int err;
};

static void hook_add(struct poll_sink *sink, struct waitq *wq)
{
	struct hook_sink *hs = container_of(sink, struct hook_sink, sink);
	struct watch *w = hs->watch;
	struct epoll_hook *hook;

	if (w->nr_hooks == MAX_HOOKS) {
		hs->err = -ENOSPC;
		return;
	}
	hook = &w->hooks[w->nr_hooks++];
	hook->wq = wq;
	hook->watch = w;
	waitq_entry_init_func(&hook->wait, watch_woken);
	waitq_add(wq, &hook->wait);
}

static int watch_add(struct epoll *ep, struct file *f, int fd, u32 events, u64 data)
{
	struct watch *w = kzalloc(sizeof(*w), 0);
	struct epoll *inner = epoll_of(f);
	struct hook_sink hs = {.sink.add = hook_add, .watch = w};
	u32 ready;
	int err = 0;

	if (!w)
		return -ENOMEM;
	w->ep = ep;
	w->file = f;
	w->fd = fd;
	w->events = events | ALWAYS;
	w->data = data;
	list_init(&w->ready_link);
	w->next_of_file = f->epoll_links;
	f->epoll_links = w;
	tree_insert(&ep->items, &w->node, watch_less);
	if (inner)
		err = epoll_raise(ep, inner->height + 1);
	if (!err) {
		ready = file_poll(f, &hs.sink) & w->events & ~PRIVATE_BITS;
		err = hs.err;
		if (!err && ready)
			watch_ready(w);
	}
	if (err)
		watch_destroy(w);
	return err;
}

static int watch_change(struct watch *w, u32 events, u64 data)
{
	u64 flags = spin_lock_irqsave(&w->ep->lock);

	WRITE_ONCE(w->events, events | ALWAYS);
	w->data = data;
	w->round = 0;
	spin_unlock_irqrestore(&w->ep->lock, flags);
	/* After the new events can be seen: a wake before this look is found by the look. */
	smp_mb();
	if (watch_look(w))
		watch_ready(w);
	return 0;
}

static int control_locked(struct epoll *ep, int op, int fd, struct file *f, u32 events, u64 data)
{
	struct watch *w = watch_find(ep, f, fd);

	switch (op) {
	case EPOLL_CTL_ADD: return w ? -EEXIST : watch_add(ep, f, fd, events, data);
	case EPOLL_CTL_DEL:
		if (!w)
			return -ENOENT;
		watch_destroy(w);
		return 0;
	default:
		if (!w)
			return -ENOENT;
		/* EPOLLEXCLUSIVE can only be given at ADD, and such a watch cannot be changed. */
		if ((events | w->events) & EPOLLEXCLUSIVE)
			return -EINVAL;
		return watch_change(w, events, data);
	}
}

long epoll_control(struct file *epf, int op, int fd, struct file *f, u32 events, u64 data)
{
	struct epoll *ep = epoll_of(epf);
	long err;

	if (!f->ops->poll)
		return -EPERM;
	if (!ep || f == epf || op < EPOLL_CTL_ADD || op > EPOLL_CTL_MOD)
		return -EINVAL;
	mutex_lock(&epoll_mutex);
	err = control_locked(ep, op, fd, f, events, data);
	mutex_unlock(&epoll_mutex);
	return err;
}

void epoll_forget(struct file *f)
{
	mutex_lock(&epoll_mutex);
	while (f->epoll_links)
		watch_destroy(f->epoll_links);
	mutex_unlock(&epoll_mutex);
}

/* ---- waiting ---- */

/* After it was reported: once-only ones go to sleep, level-triggered ones back on the list. */
static void watch_reported(struct watch *w)
{
	struct epoll *ep = w->ep;
	u64 flags = spin_lock_irqsave(&ep->lock);

	w->round = ep->round;
	if (w->events & EPOLLONESHOT) {
		w->once = w->events;
		WRITE_ONCE(w->events, w->events & PRIVATE_BITS);
	} else if (!(w->events & EPOLLET) && list_empty(&w->ready_link)) {
		list_add_tail(&w->ready_link, &ep->ready);
	}
	spin_unlock_irqrestore(&ep->lock, flags);
}

/* The user did not get what that round has collected: as if it had not been, but for what others have reported or changed since. */
static void unreport(struct epoll *ep, u64 round)
{
	struct watch *w;
	u64 flags;

	mutex_lock(&epoll_mutex);
	tree_for_each_entry(w, &ep->items, node)
	{
		if (w->round != round)
			continue;
		flags = spin_lock_irqsave(&ep->lock);
		if (w->events & EPOLLONESHOT)
			WRITE_ONCE(w->events, w->once);
		spin_unlock_irqrestore(&ep->lock, flags);
		watch_ready(w);
	}
	mutex_unlock(&epoll_mutex);
}

/* Fills `events`; returns how many. */
static u32 collect(struct epoll *ep, struct epoll_event_k *events, u32 max, u64 *round)
{
	struct watch *w, *first_back = NULL;
	u32 n = 0, ready;

	mutex_lock(&epoll_mutex);
	*round = ++ep->round;
	while (n < max && (w = first_ready(ep, TAKE_OFF)) != NULL) {
		if (w == first_back) { /* once round: the rest was reported already */
			u64 flags = spin_lock_irqsave(&ep->lock);

			if (list_empty(&w->ready_link))
				list_add(&w->ready_link, &ep->ready);
			spin_unlock_irqrestore(&ep->lock, flags);
			break;
		}
		ready = watch_look(w);
		if (!ready)
			continue;
		events[n++] = (struct epoll_event_k){.events = ready, .data = w->data};
		watch_reported(w);
		if (!first_back && !(w->events & (EPOLLET | EPOLLONESHOT)))
			first_back = w;
	}
	mutex_unlock(&epoll_mutex);
	return n;
}

long epoll_wait_events(struct file *epf, struct uptr out, int max, u64 deadline_ns)
{
	struct epoll *ep = epoll_of(epf);
	struct epoll_event_k events[BATCH];
	u64 round;
	u32 n;
	int err = deadline_ns ? 0 : -ETIMEDOUT;

	if (!ep || max <= 0)
		return -EINVAL;
	for (;;) {
		n = collect(ep, events, (u32)MIN(max, (int)BATCH), &round);
		if (n || err)
			break;
		err = WAITQ_WAIT(&ep->waiters, has_ready(ep), SLEEP_INTERRUPTIBLE, deadline_ns);
	}
	if (!n)
		return err == -ETIMEDOUT ? 0 : err;
	/* Others may wait for what is left. */
	if (has_ready(ep))
		waitq_wake_one_events(&ep->waiters, POLLIN | POLLRDNORM);
	if (copy_to_user(out, events, n * sizeof(events[0])) == 0)
		return (long)n;
	unreport(ep, round);
	return -EFAULT;
}
