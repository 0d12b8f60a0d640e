/*
 * The one lock order. A thread may take a lock only if its rank is greater than those of all locks
 * of the same sort (sleeping, spinning) that it holds; a pair of the same rank is taken in address
 * order with the _nested form. A sleeping lock is never taken under a spinlock, so every spinlock
 * comes after every sleeping lock. docs/locking.md tells the reasons.
 *
 * To add a lock: one line, in its place, with what it guards. Numbers have gaps; nothing depends on
 * their values.
 */
#ifndef SYNC_RANK_H
#define SYNC_RANK_H

/* clang-format off */
enum lock_rank {
	RANK_NONE = 0, /* not checked: tests only */

	/* ---- sleeping locks (mutex, rwlock), outermost first ---- */
	RANK_MOUNT = 10,       /* the mount table; mount and unmount */
	RANK_EXEC = 20,        /* one exec at a time in a thread group; changing credentials */
	RANK_EPOLL = 25,       /* one epoll instance's set of watched files */
	RANK_FILE_POS = 30,    /* an open file's position, while read and write use it */
	RANK_TTY_SLEEP = 35,   /* a terminal's reader or writer turn */
	RANK_PIPE = 40,        /* one pipe's ring, across the user copy */
	RANK_RENAME = 50,      /* renames between directories of one file system */
	RANK_INODE_DIR = 60,   /* a directory inode's entries (parent before child: _nested) */
	RANK_INODE = 70,       /* another inode's size and blocks, for writers */
	RANK_ASPACE = 100,     /* one address space's VMAs */
	RANK_INODE_MAP = 110,  /* an inode's page cache against truncation; below faults */
	RANK_MEMOBJ = 115,     /* a memory object's list of mappings */
	RANK_JOURNAL = 120,    /* a running transaction: handles are readers */
	RANK_EXT_MAP = 130,    /* an inode's block map */
	RANK_EXT_ALLOC = 140,  /* block and inode bitmaps of an ext file system */
	RANK_SWAP_SLEEP = 150, /* swap areas coming and going */
	RANK_DEVICE = 160,     /* one device's configuration */
	RANK_SLEEP_LEAF = 190, /* a sleeping lock inside which no other is taken */

	/* ---- spinlocks, outermost first ---- */
	RANK_FDTABLE = 200,     /* a table of file descriptors */
	RANK_FS_STATE = 210,    /* a task group's root and current directory */
	RANK_DCACHE = 220,      /* the name cache */
	RANK_ICACHE = 230,      /* the table of inodes in memory */
	RANK_INODE_SPIN = 240,  /* an inode's small fields */
	RANK_AMAPS = 300,       /* the list of all anonymous maps */
	RANK_AMAP = 310,        /* an anonymous map's slots */
	RANK_PAGECACHE = 320,   /* one inode's index of pages */
	RANK_PT = 340,          /* one page table */
	RANK_ZRAM_WORK = 345,   /* the buffers of compression */
	RANK_SWAP = 350,        /* the slots and the cache of a swap area; taken by the end of writes */
	RANK_ZRAM = 355,        /* where compressed pages are */
	RANK_LRU = 360,         /* the lists of reclaimable frames */
	RANK_BLOCK = 400,       /* a block device's queue */
	RANK_VIRTIO = 410,      /* a virtqueue */
	RANK_FUTEX = 490,       /* a bucket of futex waiters; held with interrupts on, so below what handlers take */
	RANK_TASKLIST = 500,    /* the table of tasks; parents and children */
	RANK_PROC_GROUP = 510,  /* process groups and sessions */
	RANK_SIGNAL = 520,      /* a thread group's signal handlers and pending signals */
	RANK_TTY = 540,         /* a terminal's buffers and line discipline */
	RANK_PTIMER = 550,      /* a process's timers */
	RANK_PIDMAP = 555,      /* process numbers; one may be put under a terminal's lock */
	RANK_SOCKET = 560,      /* one socket or pipe, for its small state */
	RANK_WAITQ = 600,       /* a wait queue: its waker may hold any of the above */
	RANK_EPOLL_READY = 610, /* an epoll instance's ready list, taken in its callback */
	RANK_WAITQ_INNER = 620, /* a wait queue woken from another's callback */
	RANK_LOCK_WAIT = 640,   /* inside a mutex or rwlock: the list of who waits */
	RANK_TASK = 650,        /* one task's state word */
	RANK_RUNQUEUE = 660,    /* one hart's run queue */
	RANK_ASID = 670,        /* address space ids; a switch of tasks takes it under the run queue */
	RANK_TIMER = 680,       /* one hart's timers */
	RANK_SLAB = 700,        /* one slab cache */
	RANK_FRAME = 720,       /* the frame allocator's free lists */
	RANK_IRQ = 760,         /* the interrupt controller */
	RANK_UART = 780,        /* the console device */
	RANK_RAND = 790,        /* the random generator's state */
	RANK_LEAF = 900,        /* a spinlock inside which no other is taken */
};
/* clang-format on */

#endif
