/* Swap areas, and pages that stay in memory. */
#include "fs/inode.h"
#include "fs/path.h"
#include "fs/swapfile.h"
#include "lib/errno.h"
#include "mm/aspace.h"
#include "proc/proc.h"
#include "sys/sys.h"
#include "sys/uapi/abi.h"

#define MCL_CURRENT 1u
#define MCL_FUTURE  2u
#define MCL_ONFAULT 4u

#define MLOCK_ONFAULT 1u

/* The path that user memory names, for one who may change what is swap. */
static long swap_path(u64 name, struct path *out)
{
	return cred_capable() ? user_walk(AT_FDCWD, name, WALK_FOLLOW, out) : -EPERM;
}

long sys_swapon(SYSCALL_ARGS)
{
	struct path p;
	long err = swap_path(a0, &p);

	if (err)
		return err;
	err = swap_on(&p, (u32)a1);
	path_put(&p);
	return err;
}

long sys_swapoff(SYSCALL_ARGS)
{
	struct path p;
	long err = swap_path(a0, &p);

	if (err)
		return err;
	err = swap_off(&p);
	path_put(&p);
	return err;
}

/* ---- mlock and its kin ---- */

/* May `nr` pages more be locked? 0, -EPERM, -ENOMEM. */
static int lock_allowed(struct aspace *as, u64 nr)
{
	u64 limit = task_rlimit(RLIM_MEMLOCK);

	if (cred_capable() || limit == RLIM_INFINITY)
		return 0;
	if (!limit)
		return -EPERM;
	return aspace_locked(as) + nr > limit >> PAGE_SHIFT ? -ENOMEM : 0;
}

int memlock_check(u64 nr_pages)
{
	return lock_allowed(current()->as, nr_pages);
}

/* The pages of a call's range; -EINVAL: it wraps; -ENOMEM: it leaves the user half. */
static int lock_range(u64 addr, u64 len, vaddr_t *start, vaddr_t *end)
{
	*start = ALIGN_DOWN(addr, PAGE_SIZE);
	*end = ALIGN_UP(addr + len, PAGE_SIZE);
	if (*end < *start)
		return -EINVAL;
	return *end > user_end ? -ENOMEM : 0;
}

static long lock_pages(u64 addr, u64 len, u32 flags)
{
	struct aspace *as = current()->as;
	vaddr_t start, end;
	long err = lock_range(addr, len, &start, &end);

	if (!err)
		err = lock_allowed(as, (end - start) >> PAGE_SHIFT);
	if (err || start == end)
		return err;
	err = aspace_lock_range(as, start, end, ASPACE_LOCK);
	if (!err && !(flags & MLOCK_ONFAULT))
		err = aspace_populate(as, start, end);
	return err;
}

long sys_mlock(SYSCALL_ARGS)
{
	return lock_pages(a0, a1, 0);
}

long sys_mlock2(SYSCALL_ARGS)
{
	return a2 & ~(u64)MLOCK_ONFAULT ? -EINVAL : lock_pages(a0, a1, (u32)a2);
}

long sys_munlock(SYSCALL_ARGS)
{
	vaddr_t start, end;
	long err = lock_range(a0, a1, &start, &end);

	if (err || start == end)
		return err;
	return aspace_lock_range(current()->as, start, end, ASPACE_UNLOCK);
}

/* MCL_CURRENT: a page that cannot be had is no failure. */
long sys_mlockall(SYSCALL_ARGS)
{
	struct aspace *as = current()->as;
	int err;

	if (!a0 || (a0 & ~(u64)(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) || a0 == MCL_ONFAULT)
		return -EINVAL;
	err = lock_allowed(as, a0 & MCL_CURRENT ? READ_ONCE(as->nr_pages) - aspace_locked(as) : 0);
	if (err)
		return err;
	as->lock_future = a0 & MCL_FUTURE ? 1 : 0;
	if (!(a0 & MCL_CURRENT))
		return 0;
	aspace_lock_all(as, ASPACE_LOCK);
	if (!(a0 & MCL_ONFAULT))
		aspace_populate_locked(as);
	return 0;
}

long sys_munlockall(SYSCALL_ARGS)
{
	struct aspace *as = current()->as;

	as->lock_future = 0;
	aspace_lock_all(as, ASPACE_UNLOCK);
	return 0;
}
