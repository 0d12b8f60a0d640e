/*
 * Futexes: sleeping on a word of user memory.
 *
 * A key names the word: (address space, address) for private ones, (memory object, byte offset) for those in shared mappings.
 * Waiters hang in a hash of buckets by key.
 *
 * Why no wake is lost: the waiter reads the word under its bucket's lock and enters the bucket before it drops the lock; the waker
 * changed the word before it takes that lock. User memory is read under the lock with faults off; where
 * that falls short, the lock is dropped, the page is brought in, and everything starts over.
 *
 * waiter->bucket is NULL once it was woken; it changes under the bucket's lock (requeue: both buckets').
 */
#include "arch/riscv/usercopy.h"
#include "dev/dev.h"
#include "lib/errno.h"
#include "lib/hash.h"
#include "mm/aspace.h"
#include "mm/vma.h"
#include "proc/proc.h"
#include "proc/sched.h"

#define BUCKETS           256
#define OP_PRIVATE        128u
#define OP_CLOCK_REALTIME 256u
#define MATCH_ANY         (~0u)

enum {
	OP_WAIT = 0,
	OP_WAKE = 1,
	OP_FD = 2,
	OP_REQUEUE = 3,
	OP_CMP_REQUEUE = 4,
	OP_WAKE_OP = 5,
	OP_WAIT_BITSET = 9,
	OP_WAKE_BITSET = 10,
};

/* Robust lists: bits of the word that a thread owns. */
#define ROBUST_WAITERS    0x80000000u
#define ROBUST_OWNER_DIED 0x40000000u
#define ROBUST_TID_MASK   0x3fffffffu
#define ROBUST_MAX        2048

struct futex_key {
	const void *space;
	u64 offset;
};

struct futex_bucket {
	struct spinlock lock;
	struct list waiters;
};

struct futex_waiter {
	struct list link;
	struct futex_bucket *bucket;
	struct futex_key key;
	struct task *task;
	u32 bitset;
};

static struct futex_bucket buckets[BUCKETS];

void futex_init(void)
{
	for (u32 i = 0; i < BUCKETS; i++) {
		spin_init(&buckets[i].lock, "futex", RANK_FUTEX);
		list_init(&buckets[i].waiters);
	}
}

/* ---- keys ---- */

/* 0, -EINVAL (misaligned), -EFAULT. */
static int key_make(struct uptr uaddr, u32 op, struct futex_key *key)
{
	struct aspace *as = current()->as;
	struct vma *v;
	int err = 0;

	if (uaddr.addr & 3)
		return -EINVAL;
	if (!user_range_ok(uaddr, 4))
		return -EFAULT;
	*key = (struct futex_key){.space = as, .offset = uaddr.addr};
	if (op & OP_PRIVATE)
		return 0;
	rwlock_read_lock(&as->lock);
	v = vma_at(&as->vmas, uaddr.addr);
	if (!v || !(v->flags & (VMA_READ | VMA_WRITE))) {
		err = -EFAULT;
	} else if ((v->flags & VMA_SHARED) && v->obj) {
		key->space = v->obj;
		key->offset = (v->pgoff << PAGE_SHIFT) + (uaddr.addr - v->start);
	}
	rwlock_read_unlock(&as->lock);
	return err;
}

static struct futex_bucket *bucket_of(const struct futex_key *key)
{
	return &buckets[hash_pair((u64)key->space, key->offset) % BUCKETS];
}

static bool key_equal(const struct futex_key *a, const struct futex_key *b)
{
	return a->space == b->space && a->offset == b->offset;
}

/* The word, without faulting. */
static bool word_read(struct uptr uaddr, u32 *value)
{
	return copy_from_user_nofault(value, uaddr, sizeof(*value)) == 0;
}

/* ---- waking ---- */

/* The waiter's frame may be gone as soon as bucket is NULL: its task is held across the wake. */
static void waiter_wake_locked(struct futex_waiter *w)
{
	struct task *t = w->task;

	task_get(t);
	list_del(&w->link);
	store_release(&w->bucket, NULL);
	sched_wake(t);
	task_put(t);
}

static u32 wake_locked(struct futex_bucket *b, const struct futex_key *key, u32 nr, u32 bitset)
{
	struct futex_waiter *w, *next;
	u32 woken = 0;

	list_for_each_entry_safe (w, next, &b->waiters, link) {
		if (woken >= nr)
			break;
		if (!key_equal(&w->key, key) || !(w->bitset & bitset))
			continue;
		waiter_wake_locked(w);
		woken++;
	}
	return woken;
}

static long futex_wake(struct uptr uaddr, u32 op, u32 nr, u32 bitset)
{
	struct futex_bucket *b;
	struct futex_key key;
	u32 woken;
	int err;

	if (!bitset)
		return -EINVAL;
	err = key_make(uaddr, op, &key);
	if (err)
		return err;
	b = bucket_of(&key);
	spin_lock(&b->lock);
	woken = wake_locked(b, &key, nr, bitset);
	spin_unlock(&b->lock);
	return woken;
}

/* ---- waiting ---- */

/* 0: queued; -EWOULDBLOCK: the word differs; -EFAULT. */
static int wait_enter(struct futex_waiter *w, struct uptr uaddr, u32 expected)
{
	struct futex_bucket *b = bucket_of(&w->key);
	u32 value;

	for (;;) {
		spin_lock(&b->lock);
		if (likely(word_read(uaddr, &value)))
			break;
		spin_unlock(&b->lock);
		if (get_user_u32(uaddr, &value))
			return -EFAULT;
	}
	if (value == expected) {
		w->bucket = b;
		list_add_tail(&w->link, &b->waiters);
	}
	spin_unlock(&b->lock);
	return value == expected ? 0 : -EWOULDBLOCK;
}

/* Leaves the bucket, whichever it is in by now. False: it was woken. */
static bool wait_leave(struct futex_waiter *w)
{
	for (;;) {
		struct futex_bucket *b = load_acquire(&w->bucket);
		bool still;

		if (!b)
			return false;
		spin_lock(&b->lock);
		still = w->bucket == b;
		if (still) {
			list_del(&w->link);
			w->bucket = NULL;
		}
		spin_unlock(&b->lock);
		if (still)
			return true;
	}
}

static u64 wait_restart(struct task *t);

static long futex_wait(struct uptr uaddr, u32 op, u32 expected, u64 mono, u32 bitset)
{
	struct task *t = current();
	struct futex_waiter w = {.task = t, .bitset = bitset};
	int err;

	if (!bitset)
		return -EINVAL;
	err = key_make(uaddr, op, &w.key);
	if (!err)
		err = wait_enter(&w, uaddr, expected);
	if (err)
		return err;
	for (;;) {
		sched_prepare_sleep(SLEEP_INTERRUPTIBLE);
		if (!load_acquire(&w.bucket) || err)
			break;
		err = sched_sleep(mono);
	}
	sched_cancel_sleep();
	if (!wait_leave(&w))
		return 0;
	if (err == -ETIMEDOUT)
		return -ETIMEDOUT;
	if (mono == SCHED_FOREVER)
		return -ERESTARTSYS;
	/* Again with the same end, not with the same length. */
	t->restart = (struct restart_block){.fn = wait_restart, .arg = {uaddr.addr, op, expected, mono, bitset}};
	return -ERESTART_RESTARTBLOCK;
}

static u64 wait_restart(struct task *t)
{
	const u64 *a = t->restart.arg;

	return (u64)futex_wait(uptr_make(a[0]), (u32)a[1], (u32)a[2], a[3], (u32)a[4]);
}

/* ---- two words ---- */

static long futex_requeue(struct uptr from, struct uptr to, u32 op, u32 nr_wake, u32 nr_move, const u32 *expected)
{
	struct futex_bucket *b1, *b2;
	struct futex_waiter *w, *next;
	struct futex_key key1, key2;
	u32 value, woken, moved = 0;
	int err;

	if ((int)nr_wake < 0 || (int)nr_move < 0)
		return -EINVAL;
	err = key_make(from, op, &key1);
	if (!err)
		err = key_make(to, op, &key2);
	if (err)
		return err;
	b1 = bucket_of(&key1);
	b2 = bucket_of(&key2);
	for (;;) {
		spin_lock_pair(&b1->lock, &b2->lock);
		if (!expected || word_read(from, &value))
			break;
		spin_unlock_pair(&b1->lock, &b2->lock);
		if (get_user_u32(from, &value))
			return -EFAULT;
	}
	if (expected && value != *expected) {
		spin_unlock_pair(&b1->lock, &b2->lock);
		return -EAGAIN;
	}
	woken = wake_locked(b1, &key1, nr_wake, MATCH_ANY);
	if (key_equal(&key1, &key2))
		nr_move = 0; /* they are there already */
	list_for_each_entry_safe (w, next, &b1->waiters, link) {
		if (moved >= nr_move)
			break;
		if (!key_equal(&w->key, &key1))
			continue;
		w->key = key2;
		list_move_tail(&w->link, &b2->waiters);
		store_release(&w->bucket, b2);
		moved++;
	}
	spin_unlock_pair(&b1->lock, &b2->lock);
	return woken + moved;
}

/* FUTEX_WAKE_OP: op:4 | cmp:4 | oparg:12 | cmparg:12 */
static int wake_op_apply(u32 code, u32 old, u32 *fresh)
{
	u32 op = code >> 28 & 7, arg = (u32)((int)(code << 8) >> 20);

	if (code & 0x80000000u)
		arg = 1u << (arg & 31);
	switch (op) {
	case 0: *fresh = arg; return 0;
	case 1: *fresh = old + arg; return 0;
	case 2: *fresh = old | arg; return 0;
	case 3: *fresh = old & ~arg; return 0;
	case 4: *fresh = old ^ arg; return 0;
	default: return -ENOSYS;
	}
}

static int wake_op_compare(u32 code, u32 old)
{
	int arg = (int)(code << 20) >> 20, v = (int)old;

	switch (code >> 24 & 15) {
	case 0: return v == arg;
	case 1: return v != arg;
	case 2: return v < arg;
	case 3: return v <= arg;
	case 4: return v > arg;
	case 5: return v >= arg;
	default: return -ENOSYS;
	}
}

static long futex_wake_op(struct uptr uaddr, struct uptr uaddr2, u32 op, u32 nr, u32 nr2, u32 code)
{
	struct futex_bucket *b1, *b2;
	struct futex_key key1, key2;
	u32 old, seen, fresh, woken;
	int err = key_make(uaddr, op, &key1), second;

	if (!err)
		err = key_make(uaddr2, op, &key2);
	if (err)
		return err;
	b1 = bucket_of(&key1);
	b2 = bucket_of(&key2);
	for (;;) {
		if (get_user_u32(uaddr2, &old))
			return -EFAULT;
		err = wake_op_apply(code, old, &fresh);
		if (err)
			return err;
		spin_lock_pair(&b1->lock, &b2->lock);
		/* One atomic step: the word is exchanged only if nobody changed it since. */
		user_faults_off();
		err = user_cmpxchg32(uaddr2.addr, old, fresh, &seen);
		user_faults_on();
		if (err == 0 && seen == old)
			break;
		spin_unlock_pair(&b1->lock, &b2->lock);
		if (err && user_prefault(uaddr2, sizeof(u32), ACCESS_WRITE))
			return -EFAULT;
	}
	woken = wake_locked(b1, &key1, nr, MATCH_ANY);
	second = wake_op_compare(code, old);
	if (second > 0)
		woken += wake_locked(b2, &key2, nr2, MATCH_ANY);
	spin_unlock_pair(&b1->lock, &b2->lock);
	return second < 0 ? second : (long)woken;
}

/* ---- the call ---- */

long futex_call(struct uptr uaddr, u32 op, u32 val, u64 timeout_ns, u32 val2, struct uptr uaddr2, u32 val3)
{
	s64 offset = clock_wall_offset();

	if ((op & OP_CLOCK_REALTIME) && timeout_ns != ~0ul)
		timeout_ns = offset > 0 && timeout_ns < (u64)offset ? 0 : timeout_ns - (u64)offset;
	switch (op & ~(OP_PRIVATE | OP_CLOCK_REALTIME)) {
	case OP_WAIT: return futex_wait(uaddr, op, val, timeout_ns, MATCH_ANY);
	case OP_WAIT_BITSET: return futex_wait(uaddr, op, val, timeout_ns, val3);
	case OP_WAKE: return futex_wake(uaddr, op, val, MATCH_ANY);
	case OP_WAKE_BITSET: return futex_wake(uaddr, op, val, val3);
	case OP_REQUEUE: return futex_requeue(uaddr, uaddr2, op, val, val2, NULL);
	case OP_CMP_REQUEUE: return futex_requeue(uaddr, uaddr2, op, val, val2, &val3);
	case OP_WAKE_OP: return futex_wake_op(uaddr, uaddr2, op, val, val2, val3);
	default: return -ENOSYS; /* priority inheritance, descriptors */
	}
}

/* ---- robust lists: a thread dies with locks held ---- */

/* Marks the word of a lock that t held, and lets one waiter try. False: bad memory. */
static bool robust_release(struct task *t, vaddr_t addr, bool pending)
{
	struct uptr at = uptr_make(addr);
	u32 value, fresh, seen;

	if (addr & 3)
		return false;
	for (;;) {
		if (get_user_u32(at, &value))
			return false;
		/* It was about to unlock, or to lock, when it died: whoever waits is to look again. */
		if (pending && value == 0) {
			(void)futex_wake(at, 0, 1, MATCH_ANY);
			return true;
		}
		if ((value & ROBUST_TID_MASK) != (u32)t->tid)
			return true;
		fresh = (value & ROBUST_WAITERS) | ROBUST_OWNER_DIED;
		if (user_cmpxchg32(addr, value, fresh, &seen))
			return false;
		if (seen == value)
			break;
	}
	if (value & ROBUST_WAITERS)
		(void)futex_wake(at, 0, 1, MATCH_ANY);
	return true;
}

/* struct robust_list_head { next; futex_offset; list_op_pending }; bit 0 of a link: a PI futex, not supported. */
void futex_exit_robust(struct task *t)
{
	struct uptr head = uptr_make(t->robust_list);
	u64 entry, offset, pending, next;

	if (uptr_null(head))
		return;
	t->robust_list = 0;
	if (get_user_u64(head, &entry) || get_user_u64(uptr_add(head, 8), &offset) ||
		get_user_u64(uptr_add(head, 16), &pending))
		return;
	for (u32 i = 0; i < ROBUST_MAX && (entry & ~1ul) != head.addr; i++) {
		/* The link is read first: once released, the entry may be reused. */
		bool ok = get_user_u64(uptr_make(entry & ~1ul), &next) == 0;

		if (entry != pending && !robust_release(t, (entry & ~1ul) + offset, false))
			return;
		if (!ok)
			return;
		entry = next;
	}
	if (pending & ~1ul)
		(void)robust_release(t, (pending & ~1ul) + offset, true);
}

long task_get_robust_list(int tid, vaddr_t *head, u64 *len)
{
	struct task *t = tid ? task_lookup(tid) : current();
	long err = 0;

	if (!t)
		return -ESRCH;
	if (t->proc != current_process() && !cred_capable())
		err = -EPERM;
	*head = t->robust_list;
	*len = 24;
	if (tid)
		task_put(t);
	return err;
}
