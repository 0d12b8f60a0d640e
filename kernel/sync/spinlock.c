#include "sync/spinlock.h"

/*
 * Reads until the lock looks free before trying again: the line is not fought over while it is
 * held.
 */
void spin_wait(struct spinlock *lock)
{
	do {
		while (READ_ONCE(lock->word) != 0)
			cpu_relax();
	} while (!spin_try_raw(lock));
}

void spin_lock_pair(struct spinlock *a, struct spinlock *b)
{
	struct spinlock *first = a < b ? a : b;
	struct spinlock *second = a < b ? b : a;

	spin_lock(first);
	if (first != second)
		spin_lock_nested(second);
}

void spin_unlock_pair(struct spinlock *a, struct spinlock *b)
{
	spin_unlock(a);
	if (a != b)
		spin_unlock(b);
}
