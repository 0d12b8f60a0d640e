/*
 * Character devices, as devfs shows them: dev/ registers a name, a number and
 * operations that know nothing of files. fs/devfs makes nodes of them.
 */
#pragma once

#include "lib/list.h"
#include "lib/types.h"

struct uio; /* mm/uio.h */
struct waitq;

/* Open flags that a device cares about. */
#define CDEV_NONBLOCK BIT(0)
#define CDEV_READ     BIT(1)
#define CDEV_WRITE    BIT(2)
#define CDEV_NOCTTY   BIT(3)

/* What fs's poll hands to a device: the device calls add for each queue that will be woken on a change. */
struct poll_sink {
	void (*add)(struct poll_sink *sink, struct waitq *wq);
};

struct chardev;

struct chardev_ops {
	/* All may be NULL. `*cookie` is the open instance's private word. 0/-errno. */
	int (*open)(struct chardev *cd, u32 flags, void **cookie);
	void (*close)(struct chardev *cd, void *cookie);
	ssize_t (*read)(struct chardev *cd, void *cookie, struct uio *uio, u32 flags);
	ssize_t (*write)(struct chardev *cd, void *cookie, struct uio *uio, u32 flags);
	long (*ioctl)(struct chardev *cd, void *cookie, u32 cmd, u64 arg);     /* -ENOTTY: not known */
	u32 (*poll)(struct chardev *cd, void *cookie, struct poll_sink *sink); /* POLL* bits ready; sink may be NULL */
};

struct chardev {
	char name[20]; /* "null", "tty", "pts/3" */
	u32 rdev; /* Linux numbers: null 1:3, zero 1:5, full 1:7, random 1:8, urandom 1:9, kmsg 1:11, tty 5:0, console 5:1, ptmx 5:2, ttyS0 4:64, pts 136:n, rtc0 254?, … */
	u32 mode; /* permissions of the node, e.g. 0666 */
	u32 seekable; /* llseek succeeds (null, zero, …) */
	const struct chardev_ops *ops;
	void *private;
	struct list link;
};

int chardev_register(struct chardev *cd);    /* -EEXIST */
void chardev_unregister(struct chardev *cd); /* open instances live on until closed; the node is gone */
struct chardev *chardev_find(u32 rdev);
struct chardev *chardev_next(struct chardev *
		prev); /* in order of registration; NULL: first. Locks: none, list only grows by ptys; hold chardev_lock()… */
void chardev_lock(void);
void chardev_unlock(void);
/* Rises with each change of the list: devfs refreshes its nodes. */
u64 chardev_generation(void);
