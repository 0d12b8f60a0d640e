#include "proc/vdso.h"

#include "arch/riscv/vdso.h"
#include "lib/errno.h"
#include "sync/once.h"
#include "mm/aspace.h"
#include "mm/frame.h"
#include "mm/memobj.h"

/* Page 0 is the data, the image follows. All of them are part of the kernel's own, and are never freed. */
#define PINNED_REFS (1u << 30)

static struct memobj vdso_obj;

static int vdso_get(struct memobj *o, u64 pgoff, struct frame **out)
{
	struct frame *f;

	if (pgoff > vdso_nr_pages())
		return -EFAULT;
	f = pa_frame(pgoff == 0 ? vdso_data_pa() : vdso_image_pa() + (pgoff - 1) * PAGE_SIZE);
	if (unlikely(f->owner != o)) {
		/* The metadata of reserved frames is written when the allocator first comes by: not at boot. */
		atomic_set(&f->refs, PINNED_REFS);
		f->index = pgoff;
		f->owner = o;
	}
	frame_get(f);
	*out = f;
	return 0;
}

static int vdso_load(struct memobj *o, u64 pgoff)
{
	return -EFAULT;
}

static void vdso_no_ref(struct memobj *o)
{
}

static const struct memobj_ops vdso_ops = {
	.get = vdso_get,
	.load = vdso_load,
	.get_ref = vdso_no_ref,
	.put_ref = vdso_no_ref,
};

static void vdso_init(void)
{
	memobj_init(&vdso_obj, &vdso_ops, &vdso_obj);
}

long vdso_map(struct aspace *as, vaddr_t below)
{
	static struct once once = ONCE_INIT;
	u64 len = vdso_nr_pages() * PAGE_SIZE;
	vaddr_t base = below - PAGE_SIZE - len;
	struct map_request rq = {
		.addr = base - PAGE_SIZE,
		.len = PAGE_SIZE,
		.prot = VMA_READ,
		.max_prot = VMA_READ,
		.flags = VMA_SPECIAL,
		.place = MAP_AT_FREE,
		.obj = &vdso_obj,
	};
	long at;

	once_run(&once, vdso_init);
	at = aspace_map(as, &rq);
	if (at < 0)
		return at;
	rq.addr = base;
	rq.len = len;
	rq.pgoff = 1;
	rq.prot = rq.max_prot = VMA_READ | VMA_EXEC;
	at = aspace_map(as, &rq);
	return at < 0 ? at : (long)base;
}

vaddr_t vdso_sigreturn(vaddr_t base)
{
	return base ? base + VDSO_RT_SIGRETURN : 0;
}
