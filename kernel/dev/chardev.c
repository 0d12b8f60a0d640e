/* The registry of character devices. */
#include "dev/chardev.h"

#include "lib/errno.h"
#include "lib/string.h"
#include "sync/mutex.h"

static struct list devices = LIST_INIT(devices);
static struct mutex lock = MUTEX_INIT(lock, "chardevs", RANK_DEVICE); /* guards devices */
static u64 generation = 1;

void chardev_lock(void)
{
	mutex_lock(&lock);
}

void chardev_unlock(void)
{
	mutex_unlock(&lock);
}

static struct chardev *find_locked(u32 rdev)
{
	struct chardev *cd;

	list_for_each_entry (cd, &devices, link)
		if (cd->rdev == rdev)
			return cd;
	return NULL;
}

int chardev_register(struct chardev *cd)
{
	int err = -EEXIST;

	mutex_lock(&lock);
	if (!find_locked(cd->rdev)) {
		list_add_tail(&cd->link, &devices);
		WRITE_ONCE(generation, generation + 1);
		err = 0;
	}
	mutex_unlock(&lock);
	return err;
}

void chardev_unregister(struct chardev *cd)
{
	mutex_lock(&lock);
	list_del(&cd->link);
	WRITE_ONCE(generation, generation + 1);
	mutex_unlock(&lock);
}

struct chardev *chardev_find(u32 rdev)
{
	struct chardev *cd;

	mutex_lock(&lock);
	cd = find_locked(rdev);
	mutex_unlock(&lock);
	return cd;
}

struct chardev *chardev_next(struct chardev *prev)
{
	struct list *next = prev ? prev->link.next : devices.next;

	return next == &devices ? NULL : container_of(next, struct chardev, link);
}

u64 chardev_generation(void)
{
	return READ_ONCE(generation);
}
