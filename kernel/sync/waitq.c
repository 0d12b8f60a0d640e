#include "sync/waitq.h"

void waitq_init(struct waitq *wq, const char *name)
{
	waitq_init_ranked(wq, name, RANK_WAITQ);
}

void waitq_init_ranked(struct waitq *wq, const char *name, enum lock_rank rank)
{
	spin_init(&wq->lock, name, rank);
	list_init(&wq->entries);
}

/* ---- waking ---- */
static void wake_locked(struct waitq *wq, u32 events, enum waitq_entry_state how)
{
	struct waitq_entry *entry;
	struct waitq_entry *next;

	spin_assert_held(&wq->lock);
	list_for_each_entry_safe (entry, next, &wq->entries, node) {
		if (entry->func) {
			entry->func(entry, events);
			continue;
		}
		list_del(&entry->node);
		entry->state = how;
		sched_wake(entry->task);
		if (how == WAITQ_TAKEN_ONE)
			return;
	}
}

void waitq_wake_slow(struct waitq *wq, u32 events, enum waitq_entry_state how)
{
	u64 flags = spin_lock_irqsave(&wq->lock);

	wake_locked(wq, events, how);
	spin_unlock_irqrestore(&wq->lock, flags);
}

/* ---- waiting ---- */
void waitq_entry_init(struct waitq_entry *entry)
{
	list_init(&entry->node);
	entry->func = NULL;
	entry->task = current();
	entry->state = WAITQ_IDLE;
}

void waitq_entry_init_func(struct waitq_entry *entry, waitq_fn func)
{
	list_init(&entry->node);
	entry->func = func;
	entry->task = NULL;
	entry->state = WAITQ_IDLE;
}

static void add_locked(struct waitq *wq, struct waitq_entry *entry)
{
	spin_assert_held(&wq->lock);
	if (entry->state == WAITQ_QUEUED)
		return;
	if (entry->func)
		list_add(&entry->node, &wq->entries);
	else
		list_add_tail(&entry->node, &wq->entries);
	entry->state = WAITQ_QUEUED;
}

/* The barrier: the entry is on the queue before the caller looks at what it waits for (waitq_has_waiters has the other one). */
void waitq_add(struct waitq *wq, struct waitq_entry *entry)
{
	u64 flags = spin_lock_irqsave(&wq->lock);

	add_locked(wq, entry);
	spin_unlock_irqrestore(&wq->lock, flags);
	smp_mb();
}

void waitq_remove(struct waitq *wq, struct waitq_entry *entry)
{
	u64 flags = spin_lock_irqsave(&wq->lock);

	list_del(&entry->node);
	entry->state = WAITQ_IDLE;
	spin_unlock_irqrestore(&wq->lock, flags);
}

void waitq_prepare(struct waitq *wq, struct waitq_entry *entry, enum sleep_kind kind)
{
	sched_prepare_sleep(kind);
	waitq_add(wq, entry);
}

void waitq_finish(struct waitq *wq, struct waitq_entry *entry, enum waitq_outcome outcome)
{
	bool pass_on;
	u64 flags;

	sched_cancel_sleep();
	flags = spin_lock_irqsave(&wq->lock);
	pass_on = entry->state == WAITQ_TAKEN_ONE && outcome == WAITQ_GAVE_UP;
	list_del(&entry->node);
	entry->state = WAITQ_IDLE;
	if (pass_on)
		wake_locked(wq, WAITQ_ALL_EVENTS, WAITQ_TAKEN_ONE);
	spin_unlock_irqrestore(&wq->lock, flags);
}

/*
 * ---- completions ---- `done` is read and written under the queue's lock only, and the waking is
 * done under it too: when a waiter sees `done`, the completer has only the final store of
 * spin_unlock left to do, so the waiter may free the completion.
 */
void completion_init(struct completion *c, const char *name)
{
	waitq_init(&c->wq, name);
	c->done = 0;
}

void completion_complete(struct completion *c)
{
	u64 flags = spin_lock_irqsave(&c->wq.lock);

	if (c->done != COMPLETION_ALL)
		c->done++;
	wake_locked(&c->wq, WAITQ_ALL_EVENTS, WAITQ_TAKEN_ONE);
	spin_unlock_irqrestore(&c->wq.lock, flags);
}

void completion_complete_all(struct completion *c)
{
	u64 flags = spin_lock_irqsave(&c->wq.lock);

	c->done = COMPLETION_ALL;
	wake_locked(&c->wq, WAITQ_ALL_EVENTS, WAITQ_TAKEN_ALL);
	spin_unlock_irqrestore(&c->wq.lock, flags);
}

/* Uses up one completion, if there is one. */
static bool completion_take(struct completion *c)
{
	u64 flags = spin_lock_irqsave(&c->wq.lock);
	bool done = c->done != 0;

	if (done && c->done != COMPLETION_ALL)
		c->done--;
	spin_unlock_irqrestore(&c->wq.lock, flags);
	return done;
}

void completion_wait(struct completion *c)
{
	wait_event(&c->wq, completion_take(c));
}

int completion_wait_killable(struct completion *c)
{
	return wait_event_killable(&c->wq, completion_take(c));
}

int completion_wait_timeout(struct completion *c, u64 deadline_ns)
{
	return wait_event_timeout(&c->wq, completion_take(c), deadline_ns);
}

bool completion_is_done(struct completion *c)
{
	u64 flags = spin_lock_irqsave(&c->wq.lock);
	bool done = c->done != 0;

	spin_unlock_irqrestore(&c->wq.lock, flags);
	return done;
}
