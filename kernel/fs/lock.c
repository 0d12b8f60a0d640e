/* Advisory file locks: see fs/lock.h. */
#include "fs/lock.h"
#include "fs/fs.h"
#include "lib/errno.h"
#include "mm/slab.h"
#include "sync/waitq.h"

enum lock_kind { KIND_FLOCK, KIND_RECORD };

struct file_lock {
	struct list link; /* in lock_set, in no order; own record locks never overlap */
	void *owner;
	enum lock_kind kind;
	enum record_owner record_owner;
	s16 type;
	u64 start, end; /* both inclusive */
	int pid;
};

struct lock_set {
	struct list locks;
};

/* Someone asleep in RECORD_SET_WAIT: for deadlock detection. */
struct lock_waiter {
	struct list link;
	void *owner, *blocker;
};

static struct mutex lock_mutex = MUTEX_INIT(lock_mutex, "file locks", RANK_SLEEP_LEAF);
static LIST_HEAD(lock_waiters);
static struct waitq lock_waitq = WAITQ_INIT(lock_waitq, "file locks");
static u64 lock_generation; /* rises with each release */

static struct lock_set *lock_set_of(struct inode *inode)
{
	struct lock_set *set = inode->locks;

	if (set)
		return set;
	set = kmalloc(sizeof(*set), ALLOC_ATOMIC);
	if (set) {
		list_init(&set->locks);
		inode->locks = set;
	}
	return set;
}

static void lock_released(void)
{
	WRITE_ONCE(lock_generation, lock_generation + 1);
	waitq_wake_all(&lock_waitq);
}

static struct file_lock *lock_conflict(struct lock_set *set, const struct file_lock *rq)
{
	struct file_lock *l;

	list_for_each_entry (l, &set->locks, link) {
		if (l->kind == rq->kind && l->owner != rq->owner && l->start <= rq->end && rq->start <= l->end &&
			(l->type == F_WRLCK || rq->type == F_WRLCK))
			return l;
	}
	return NULL;
}

/* Would waiting for `blocker` close a circle back to `owner`? */
static bool lock_would_deadlock(void *owner, void *blocker)
{
	struct lock_waiter *w;
	u32 steps = 0;
	bool found = true;

	while (found && steps++ < 1000) {
		if (blocker == owner)
			return true;
		found = false;
		list_for_each_entry (w, &lock_waiters, link) {
			if (w->owner == blocker) {
				blocker = w->blocker;
				found = true;
				break;
			}
		}
	}
	return false;
}

/*
 * Makes *rq so: own locks in its range are replaced, those of the same type that touch it melt into it. `fresh` and `split` are
 * spare locks; those not used come back as they are. Returns how many spares were used.
 */
static u32 lock_apply(struct lock_set *set, struct file_lock *rq, struct file_lock *fresh, struct file_lock *split)
{
	struct file_lock *l, *n;
	u32 used = 0;

	list_for_each_entry_safe (l, n, &set->locks, link) {
		u64 before = rq->start ? rq->start - 1 : 0, after = rq->end == ~0ul ? ~0ul : rq->end + 1;

		if (l->owner != rq->owner || l->kind != rq->kind)
			continue;
		if (l->type == rq->type && l->start <= after && l->end >= before) {
			rq->start = MIN(rq->start, l->start);
			rq->end = MAX(rq->end, l->end);
			list_del(&l->link);
			kfree(l);
			continue;
		}
		if (l->start > rq->end || l->end < rq->start)
			continue;
		if (l->start < rq->start && l->end > rq->end) {
			*split = *l;
			split->start = rq->end + 1;
			l->end = rq->start - 1;
			list_add(&split->link, &set->locks);
			used |= 2;
		} else if (l->start < rq->start) {
			l->end = rq->start - 1;
		} else if (l->end > rq->end) {
			l->start = rq->end + 1;
		} else {
			list_del(&l->link);
			kfree(l);
		}
	}
	if (rq->type != F_UNLCK) {
		*fresh = *rq;
		list_add(&fresh->link, &set->locks);
		used |= 1;
	}
	return used;
}

/* One try. 0; -EAGAIN with *blocker: held by another; -ENOLCK: no memory. Locks: lock_mutex. */
static int lock_try(struct inode *inode, struct file_lock *rq, void **blocker)
{
	struct lock_set *set = lock_set_of(inode);
	struct file_lock *conflict, *fresh, *split;
	u32 used = 0;

	if (!set)
		return -ENOLCK;
	conflict = rq->type == F_UNLCK ? NULL : lock_conflict(set, rq);
	if (conflict) {
		*blocker = conflict->owner;
		return -EAGAIN;
	}
	/* Without reclaim, which may want locks of this rank. */
	fresh = kmalloc(sizeof(*fresh), ALLOC_ATOMIC);
	split = kmalloc(sizeof(*split), ALLOC_ATOMIC);
	if (fresh && split)
		used = lock_apply(set, rq, fresh, split);
	if (!(used & 1))
		kfree(fresh);
	if (!(used & 2))
		kfree(split);
	if (!fresh || !split)
		return -ENOLCK;
	lock_released(); /* an unlock or a downgrade may let others go on */
	return 0;
}

enum lock_wait { LOCK_NOWAIT, LOCK_WAIT };

static int lock_acquire(struct inode *inode, struct file_lock *rq, enum lock_wait wait)
{
	struct lock_waiter waiter = {.owner = rq->owner};
	u64 generation;
	int err;

	for (;;) {
		mutex_lock(&lock_mutex);
		err = lock_try(inode, rq, &waiter.blocker);
		if (err != -EAGAIN || wait == LOCK_NOWAIT) {
			mutex_unlock(&lock_mutex);
			return err;
		}
		if (rq->kind == KIND_RECORD && lock_would_deadlock(rq->owner, waiter.blocker)) {
			mutex_unlock(&lock_mutex);
			return -EDEADLK;
		}
		list_init(&waiter.link);
		if (rq->kind == KIND_RECORD)
			list_add(&waiter.link, &lock_waiters);
		generation = lock_generation;
		mutex_unlock(&lock_mutex);
		err = wait_event_interruptible(&lock_waitq, READ_ONCE(lock_generation) != generation);
		mutex_lock(&lock_mutex);
		list_del(&waiter.link);
		mutex_unlock(&lock_mutex);
		if (err)
			return err;
	}
}

int lock_flock(struct file *f, int op)
{
	struct file_lock rq = {.owner = f, .kind = KIND_FLOCK, .start = 0, .end = ~0ul};
	enum lock_wait wait = op & LOCK_NB ? LOCK_NOWAIT : LOCK_WAIT;

	switch (op & ~LOCK_NB) {
	case LOCK_SH: rq.type = F_RDLCK; break;
	case LOCK_EX: rq.type = F_WRLCK; break;
	case LOCK_UN: rq.type = F_UNLCK; break;
	default: return -EINVAL;
	}
	if ((f->mode & FMODE_PATH) || !f->inode)
		return -EBADF;
	return lock_acquire(f->inode, &rq, wait);
}

/* struct flock's relative range to [start, end]. */
static int lock_range(struct file *f, const struct flock_k *fl, u64 *start, u64 *end)
{
	s64 base, first, last;

	switch (fl->whence) {
	case 0: base = 0; break;
	case 1: base = f->pos; break;
	case 2: base = (s64)inode_size(f->inode); break;
	default: return -EINVAL;
	}
	if (__builtin_add_overflow(base, fl->start, &first))
		return -EOVERFLOW;
	last = -1;
	if (fl->len > 0 && __builtin_add_overflow(first, fl->len - 1, &last))
		return -EOVERFLOW;
	if (fl->len < 0) {
		last = first - 1;
		if (__builtin_add_overflow(first, fl->len, &first))
			return -EINVAL;
	}
	if (first < 0)
		return -EINVAL;
	*start = (u64)first;
	*end = fl->len == 0 ? ~0ul : (u64)last;
	return 0;
}

static int lock_get_record(struct inode *inode, const struct file_lock *rq, struct flock_k *fl)
{
	struct file_lock *l = NULL;

	mutex_lock(&lock_mutex);
	if (inode->locks)
		l = lock_conflict(inode->locks, rq);
	if (l) {
		fl->type = l->type;
		fl->whence = 0;
		fl->start = (s64)l->start;
		fl->len = l->end == ~0ul ? 0 : (s64)(l->end - l->start + 1);
		fl->pid = l->record_owner == RECORD_OFD ? -1 : l->pid;
	} else {
		fl->type = F_UNLCK;
	}
	mutex_unlock(&lock_mutex);
	return 0;
}

/*
 * The descriptor may have been closed by another thread since f was found by it. That close released what the table held then; this
 * lock came after it and would never go.
 */
static int lock_check_open(struct file *f, const struct record_call *call, struct file_lock *undo)
{
	struct fdtable *t = undo->owner;

	if (fd_is(t, call->fd, f))
		return 0;
	undo->type = F_UNLCK;
	if (lock_acquire(f->inode, undo, LOCK_NOWAIT))
		lock_release_posix(f, t); /* no memory to split a lock in two */
	return -EBADF;
}

int lock_record(struct file *f, const struct record_call *call, struct flock_k *fl)
{
	struct file_lock rq = {.kind = KIND_RECORD, .record_owner = call->owner, .type = fl->type, .pid = call->pid};
	struct file_lock asked;
	int err;

	if ((f->mode & FMODE_PATH) || !f->inode)
		return -EBADF;
	if (fl->type < F_RDLCK || fl->type > F_UNLCK || (call->cmd == RECORD_GET && fl->type == F_UNLCK))
		return -EINVAL;
	rq.owner = call->owner == RECORD_OFD ? (void *)f : (void *)fdtable_current();
	err = lock_range(f, fl, &rq.start, &rq.end);
	if (err)
		return err;
	if (call->cmd == RECORD_GET)
		return lock_get_record(f->inode, &rq, fl);
	if ((fl->type == F_RDLCK && !(f->mode & FMODE_READ)) || (fl->type == F_WRLCK && !(f->mode & FMODE_WRITE)))
		return -EBADF;
	asked = rq;
	err = lock_acquire(f->inode, &rq, call->cmd == RECORD_SET_WAIT ? LOCK_WAIT : LOCK_NOWAIT);
	if (!err && call->owner == RECORD_POSIX && fl->type != F_UNLCK)
		err = lock_check_open(f, call, &asked);
	return err;
}

static void lock_release_owner(struct inode *inode, void *owner)
{
	struct lock_set *set;
	struct file_lock *l, *n;
	u32 released = 0;

	mutex_lock(&lock_mutex);
	set = inode->locks;
	list_for_each_entry_safe (l, n, &set->locks, link) {
		if (l->owner != owner)
			continue;
		list_del(&l->link);
		kfree(l);
		released = 1;
	}
	if (released)
		lock_released();
	mutex_unlock(&lock_mutex);
}

void lock_release_posix(struct file *f, struct fdtable *owner)
{
	lock_release_owner(f->inode, owner);
}

void lock_release_file(struct file *f)
{
	lock_release_owner(f->inode, f);
}

void lock_release_inode(struct inode *inode)
{
	struct lock_set *set = inode->locks;
	struct file_lock *l, *n;

	list_for_each_entry_safe (l, n, &set->locks, link)
		kfree(l);
	kfree(set);
	inode->locks = NULL;
}
