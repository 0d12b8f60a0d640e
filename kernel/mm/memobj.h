/*
 * A memory object: something whose pages can be mapped. Files have one (their
 * page cache), shared anonymous memory has one. Private anonymous memory has
 * none: its pages are in the VMA's amap (mm/anon.h).
 *
 * get() is the fast path and never waits for a device; load() may. The fault
 * handler calls get under the address-space lock and, on -EAGAIN, drops every
 * lock, calls load, and starts over.
 *
 * A translation of an object's page may be installed only under pt->lock and
 * only while frame->owner still is the object's cookie (memobj.owner); truncate
 * and reclaim first take the page out (owner = NULL), then call
 * memobj_unmap(), then drop the reference.
 */
#pragma once

#include "lib/list.h"
#include "lib/types.h"
#include "mm/fault.h"
#include "mm/frame.h"
#include "sync/mutex.h"

struct memobj;

struct memobj_ops {
	/* None of the first three is called with a spinlock held. */
	/* A referenced, up-to-date frame of page `pgoff`. -EAGAIN: load() it first; -EFAULT: beyond the end (SIGBUS). */
	int (*get)(struct memobj *o, u64 pgoff, struct frame **out);
	/* get() for the nr pages from pgoff on, at once; NULL where get() would fail. May itself be NULL. */
	void (*get_run)(struct memobj *o, u64 pgoff, u32 nr, struct frame **out);
	/* Brings it in. 0, -EFAULT (beyond the end), -EIO, -ENOMEM. May sleep. */
	int (*load)(struct memobj *o, u64 pgoff);
	/* A shared mapping is about to write the page: allocate what a later write-back needs, mark it dirty.
	 * 0, -ENOSPC, -EIO, -EAGAIN (page went away: start over). May sleep; called with no locks. It leaves FRAME_DIRTY
	 * set; a page that has it already is mapped writable without a call. Write-back clears FRAME_DIRTY first and
	 * then calls memobj_protect. NULL: pages need no such thing. */
	int (*make_writable)(struct memobj *o, u64 pgoff, struct frame *f);
	/* msync: writes dirty pages of [first, last] to disk and waits. */
	int (*sync)(struct memobj *o, u64 first, u64 last);
	/* For a mapping, which has the file besides. */
	void (*get_ref)(struct memobj *o);
	void (*put_ref)(struct memobj *o); /* may sleep */
	/* For who has nothing else, for a moment: what the object is part of stays too. NULL: as get_ref and put_ref. */
	void (*hold)(struct memobj *o);
	void (*release)(struct memobj *o); /* may sleep */
};

struct memobj {
	const struct memobj_ops *ops;
	void *owner;          /* what frame->owner of its pages says */
	struct mutex lock;    /* RANK_MEMOBJ: guards mappings */
	struct list mappings; /* struct vma.obj_link */
};

void memobj_init(struct memobj *o, const struct memobj_ops *ops, void *owner);

/* Of an object that some VMA has now, to use it when the address space's lock is given back: the VMA and its file may go then. */
static inline void memobj_hold(struct memobj *o)
{
	(o->ops->hold ? o->ops->hold : o->ops->get_ref)(o);
}
static inline void memobj_release(struct memobj *o)
{
	(o->ops->release ? o->ops->release : o->ops->put_ref)(o);
}

/* mm/: a VMA enters or leaves o->mappings. Locks: take o->lock. */
struct vma;
void memobj_link(struct vma *v);
void memobj_unlink(struct vma *v);

/* Drops every translation of pages [first, last] in every address space (also private ones that still show the
 * object's page), flushed when it returns. Locks: takes o->lock, each pt->lock. May sleep. */
void memobj_unmap(struct memobj *o, u64 first, u64 last);
/* The same for reclaim, which may only try for o->lock. Locks: o->lock held. */
void memobj_unmap_locked(struct memobj *o, u64 first, u64 last);
/* Was any of these pages accessed through a mapping since the last call (private pages in their place included)? Clears the
 * A bits. Locks: o->lock held. */
bool memobj_harvest_locked(struct memobj *o, u64 first, u64 last);
/* Takes away write permission likewise, so that the next write faults (before write-back). */
void memobj_protect(struct memobj *o, u64 first, u64 last);
/* True when any page is mapped (cheap, may be stale). */
static inline bool memobj_mapped(struct memobj *o)
{
	return !list_empty(&o->mappings);
}

/* Shared anonymous memory of nr_pages; zero-filled on demand. NULL: no memory. Born with one reference. */
struct memobj *memobj_create_shared(u64 nr_pages);
/* The pages of shared anonymous memory, borrowed: slots as in mm/anon.h, locked by amap->lock. NULL: another kind of object. */
struct amap;
struct amap *memobj_amap(struct memobj *o);
/* The same, not promised (MAP_NORESERVE; mm/commit.h). */
struct memobj *memobj_create_shared_noreserve(u64 nr_pages);
/* Pages promised with it: shared anonymous memory only. */
u64 memobj_promised(const struct memobj *o);
