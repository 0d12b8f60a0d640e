/* Address-space calls. */
#include "arch/riscv/arch.h"
#include "fs/file.h"
#include "lib/errno.h"
#include "mm/aspace.h"
#include "mm/commit.h"
#include "mm/slab.h"
#include "proc/proc.h"
#include "sys/sys.h"

#define MAP_SHARED          0x01u
#define MAP_PRIVATE         0x02u
#define MAP_SHARED_VALIDATE 0x03u
#define MAP_TYPE            0x0fu
#define MAP_FIXED           0x10u
#define MAP_ANONYMOUS       0x20u
#define MAP_GROWSDOWN       0x0100u
#define MAP_LOCKED          0x2000u
#define MAP_NORESERVE       0x4000u
#define MAP_STACK           0x20000u
#define MAP_POPULATE        0x8000u
#define MAP_FIXED_NOREPLACE 0x100000u
#define PROT_MASK           7u

#define MREMAP_KNOWN       7u
#define PGACCESS_MAX_PAGES 65536

/* Permissions and object of a file mapping; -EACCES where the descriptor does not allow it. */
static long map_file(struct map_request *rq, u64 fd, u32 prot, u32 flags, struct file **held)
{
	struct file *f = user_file(fd);
	long err;

	if (!f)
		return -EBADF;
	err = -EACCES;
	if (!(f->mode & FMODE_READ))
		goto out;
	if ((flags & MAP_TYPE) != MAP_PRIVATE) {
		if ((prot & VMA_WRITE) && !(f->mode & FMODE_WRITE))
			goto out;
		if (!(f->mode & FMODE_WRITE))
			rq->max_prot &= ~(u32)VMA_WRITE;
	}
	if (f->path.mount && (mount_flags(f->path.mount) & MOUNT_NOEXEC)) {
		err = -EPERM;
		if (prot & VMA_EXEC)
			goto out;
		rq->max_prot &= ~(u32)VMA_EXEC;
	}
	rq->file = f;
	err = f->ops->map ? f->ops->map(f, rq) : -ENODEV;
	if (err == 0) {
		*held = f; /* until the mapping is made; rq->file may say something else (/dev/zero) */
		return 0;
	}
out:
	file_put(f);
	return err;
}

static long map_prepare(struct map_request *rq, u64 fd, u32 prot, u32 flags, struct file **held)
{
	u32 type = flags & MAP_TYPE;

	if (type != MAP_PRIVATE && type != MAP_SHARED && type != MAP_SHARED_VALIDATE)
		return -EINVAL;
	if (flags & MAP_FIXED)
		rq->place = MAP_AT;
	if (flags & MAP_FIXED_NOREPLACE)
		rq->place = MAP_AT_FREE;
	rq->flags = (type != MAP_PRIVATE ? VMA_SHARED : 0) | (flags & MAP_GROWSDOWN ? VMA_STACK : 0) |
		(flags & MAP_LOCKED ? VMA_LOCKED : 0) |
		((flags & MAP_NORESERVE) && commit_may_skip() ? VMA_NORESERVE : 0) |
		(flags & MAP_STACK ? VMA_NOHUGE : 0);
	if (!(flags & MAP_ANONYMOUS))
		return map_file(rq, fd, prot, flags, held);
	if (type == MAP_PRIVATE)
		return 0;
	rq->pgoff = 0;
	rq->obj = rq->flags & VMA_NORESERVE ? memobj_create_shared_noreserve(DIV_ROUND_UP(rq->len, PAGE_SIZE))
					    : memobj_create_shared(DIV_ROUND_UP(rq->len, PAGE_SIZE));
	return rq->obj ? 0 : -ENOMEM;
}

/* MAP_POPULATE: a courtesy, failures do not matter. */
static void populate(u64 addr, u64 len, u32 prot)
{
	if (prot & (VMA_READ | VMA_WRITE))
		(void)user_prefault(uptr_make(addr), len, prot & VMA_WRITE ? ACCESS_WRITE : ACCESS_READ);
}

long sys_mmap(SYSCALL_ARGS)
{
	u32 prot = (u32)a2, flags = (u32)a3;
	struct map_request rq = {.addr = a0,
		.len = a1,
		.prot = prot & PROT_MASK,
		.max_prot = VMA_READ | VMA_WRITE | VMA_EXEC,
		.pgoff = a5 >> PAGE_SHIFT};
	struct file *held = NULL;
	long ret;

	if ((a5 & (PAGE_SIZE - 1)) || a1 == 0)
		return -EINVAL;
	if (a1 > user_end)
		return -ENOMEM;
	if ((flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) && (a0 & (PAGE_SIZE - 1)))
		return -EINVAL;
	if (rq.pgoff + DIV_ROUND_UP(a1, PAGE_SIZE) < rq.pgoff)
		return -EOVERFLOW;
	if (flags & MAP_LOCKED) {
		ret = memlock_check(DIV_ROUND_UP(a1, PAGE_SIZE));
		if (ret < 0)
			return ret == -ENOMEM ? -EAGAIN : ret;
	}
	ret = map_prepare(&rq, a4, rq.prot, flags, &held);
	if (ret < 0)
		return ret;
	ret = aspace_map(current()->as, &rq);
	/* The mapping took references of its own. */
	if (held)
		file_put(held);
	else if (rq.obj)
		rq.obj->ops->put_ref(rq.obj);
	if (ret >= 0 && ((flags & (MAP_POPULATE | MAP_LOCKED)) || current()->as->lock_future))
		populate((u64)ret, a1, rq.prot);
	return ret;
}

long sys_munmap(SYSCALL_ARGS)
{
	return aspace_unmap(current()->as, a0, a1);
}

long sys_mprotect(SYSCALL_ARGS)
{
	if (a2 & ~(u64)(PROT_MASK | 0x03000000u /* GROWSDOWN, GROWSUP */))
		return -EINVAL;
	return aspace_protect(current()->as, a0, a1, (u32)a2 & PROT_MASK);
}

long sys_mremap(SYSCALL_ARGS)
{
	if (a3 & ~(u64)MREMAP_KNOWN)
		return -EINVAL;
	return aspace_remap(current()->as, a0, a1, a2, (u32)a3, a4);
}

long sys_brk(SYSCALL_ARGS)
{
	return (long)aspace_brk(current()->as, a0);
}

long sys_madvise(SYSCALL_ARGS)
{
	return aspace_advise(current()->as, a0, a1, (int)a2);
}

long sys_msync(SYSCALL_ARGS)
{
	if ((a2 & ~7ul) || (a2 & 5) == 5)
		return -EINVAL;
	return aspace_sync(current()->as, a0, a1, (int)a2);
}

long sys_mincore(SYSCALL_ARGS)
{
	u64 pages = DIV_ROUND_UP(a1, PAGE_SIZE), done = 0;
	u8 vec[256];

	if (a0 & (PAGE_SIZE - 1))
		return -EINVAL;
	if (!user_range_ok(uptr_make(a0), a1))
		return -ENOMEM;
	while (done < pages) {
		u64 n = MIN(pages - done, sizeof(vec));
		int err = aspace_mincore(current()->as, a0 + done * PAGE_SIZE, n, vec);

		if (err < 0)
			return err;
		if (copy_to_user(uptr_make(a2 + done), vec, n) < 0)
			return -EFAULT;
		done += n;
	}
	return 0;
}

long sys_riscv_flush_icache(SYSCALL_ARGS)
{
	if (a2 & ~1ul)
		return -EINVAL;
	arch_flush_icache();
	if (!(a2 & 1)) /* SYS_RISCV_FLUSH_ICACHE_LOCAL */
		arch_flush_icache_all((nr_harts == 64 ? ~0ul : BIT(nr_harts) - 1) & ~BIT(hart_index()));
	return 0;
}

/* On every hart that may run this process: a context switch or an interrupt is a full barrier here. */
long sys_membarrier(SYSCALL_ARGS)
{
	enum { QUERY = 0, GLOBAL = 1, PRIVATE = 8, REGISTER_PRIVATE = 16 };

	if (a1)
		return -EINVAL;
	switch (a0) {
	case QUERY: return GLOBAL | PRIVATE | REGISTER_PRIVATE;
	case GLOBAL:
	case PRIVATE:
		/* fence.i on the others goes through the firmware and returns when all have done it. */
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		arch_flush_icache_all((nr_harts == 64 ? ~0ul : BIT(nr_harts) - 1) & ~BIT(hart_index()));
		return 0;
	case REGISTER_PRIVATE: return 0;
	default: return -EINVAL;
	}
}

/* LAB.md L3. The mask is written whole before anything is lost: A bits are cleared only when it can be. */
long sys_pgaccess(SYSCALL_ARGS)
{
	long n = (int)a1;
	u64 bytes = DIV_ROUND_UP((u64)n, 8);
	u64 *bitmap;
	long err;

	if (n < 0 || n > PGACCESS_MAX_PAGES || (a0 & (PAGE_SIZE - 1)))
		return -EINVAL;
	if (!user_range_ok(uptr_make(a0), (u64)n * PAGE_SIZE))
		return -EINVAL;
	if (n == 0)
		return 0;
	err = user_prefault(uptr_make(a2), bytes, ACCESS_WRITE);
	if (err < 0)
		return err;
	bitmap = kzalloc(ALIGN_UP(bytes, 8), 0);
	if (!bitmap)
		return -ENOMEM;
	err = aspace_accessed(current()->as, a0, (u64)n, bitmap);
	if (err == 0)
		err = copy_to_user(uptr_make(a2), bitmap, bytes);
	kfree(bitmap);
	return err;
}
