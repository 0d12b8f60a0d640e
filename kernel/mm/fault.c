/*
 * Page faults. See mm/fault.h.
 *
 * One attempt holds as->lock for reading and goes check -> locate -> make
 * present -> map. What cannot be done under it (device I/O, changing the VMA,
 * waiting for memory) ends the attempt with one of the AGAIN_ answers; it is done
 * with no lock held, and everything starts over.
 *
 *	case                        answer
 *	no VMA, stack just above    AGAIN_GROW: grow it (write lock)
 *	private, slot, read         map it read-only, or writable if it is ours alone
 *	private, slot, write        ours alone: map writable; else copy into a new frame (COW)
 *	private, amap shared, write AGAIN_UNSHARE: clone the amap first (write lock)
 *	private, no slot, object    read: map the object's page read-only; write: copy it
 *	private, no slot, none      read: map the zero page; write: a new zeroed frame
 *	shared                      read: map read-only; write: AGAIN_DIRTY until the page is dirty, then map writable
 *	object's page not in        AGAIN_LOAD
 *	private, slot with entry    the swap cache's frame comes back into the slot; not in: AGAIN_SWAP
 *
 * A read fault also maps what is present in the 64 KiB around it.
 */
#include "mm/fault.h"

#include "arch/riscv/arch.h"
#include "arch/riscv/trace.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/failnth.h"
#include "mm/fault_priv.h"
#include "mm/reclaim.h"
#include "mm/stat.h"
#include "mm/swap.h"

#define MAX_TRIES    1000
#define MEMORY_TRIES 64 /* reclaim freed frames each time, and others took them */

static struct frame *zero_frame;

void fault_init(void)
{
	zero_frame = frame_alloc(0, FRAME_KERNEL, ALLOC_ZERO);
	if (!zero_frame)
		panic("no memory for the zero page");
}

/* ---- private pages ---- */

struct amap *fault_amap(struct vma *v)
{
	struct amap *am = READ_ONCE(v->amap), *fresh;

	if (likely(am))
		return am;
	fresh = amap_create();
	if (!fresh)
		return NULL;
	pt_lock(&v->as->pt);
	am = v->amap;
	if (!am) {
		list_add(&v->amap_link, &fresh->mappings);
		store_release(&v->amap, fresh);
	}
	pt_unlock(&v->as->pt);
	if (!am)
		return fresh;
	amap_put(fresh); /* another thread was faster */
	return am;
}

struct amap *slots_lock(struct vma *v)
{
	for (;;) {
		struct amap *am = READ_ONCE(v->amap);

		if (am)
			spin_lock(&am->lock);
		pt_lock(&v->as->pt);
		if (likely(READ_ONCE(v->amap) == am))
			return am;
		pt_unlock(&v->as->pt);
		if (am)
			spin_unlock(&am->lock);
	}
}

void slots_unlock(struct vma *v, struct amap *am)
{
	pt_unlock(&v->as->pt);
	if (am)
		spin_unlock(&am->lock);
}

NOINLINE void leaf_unhook(struct vma *v, vaddr_t va)
{
	u64 was = pt_raw(&v->as->pt, va);
	struct tlb tlb;

	if (was)
		trace_leaf_was(was);
	tlb_start(&tlb, &v->as->pt);
	pt_unmap(&v->as->pt, va, va + PAGE_SIZE, &tlb);
	tlb_finish(&tlb);
}

/* The slot of va, which holds `old` or nothing, gets f. 0, AGAIN or AGAIN_MEMORY. amap->lock held. */
static inline int slot_set(struct vma *v, struct amap *am, vaddr_t va, struct frame *f, struct frame *old)
{
	u64 key = vma_key(v, va);
	int err;

	if (old)
		amap_block_drop(am, key);
	err = index_replace(&am->pages, key, old, f);
	if (unlikely(err))
		return err == -EAGAIN ? AGAIN : AGAIN_MEMORY;
	f->owner = am;
	f->index = key;
	return 0;
}

/*
 * Puts f, new and filled, in the slot of va in place of `old` (NULL: none), and
 * maps it writable. Takes over the reference to f. AGAIN when someone else changed the slot.
 */
static int slot_fill(struct faultctx *fc, vaddr_t va, struct frame *f, struct frame *old, u32 used)
{
	struct vma *v = fc->vma;
	struct amap *am = fault_amap(v);
	int err;

	if (!am) {
		frame_put(f);
		return AGAIN_MEMORY;
	}
	spin_lock(&am->lock);
	err = slot_set(v, am, va, f, old);
	if (unlikely(err)) {
		spin_unlock(&am->lock);
		frame_put(f);
		return err;
	}
	pt_lock(&v->as->pt);
	if (old || v->obj || (v->flags & VMA_ZERO_SEEN))
		leaf_unhook(v, va);
	err = map_leaf(v, va, f, leaf_prot(v, v->flags & VMA_WRITE) | used);
	pt_unlock(&v->as->pt);
	if (!old) {
		atomic64_inc(&v->as->resident);
		atomic64_inc(&vm_stats.anon_frames);
	}
	spin_unlock(&am->lock);
	if (old)
		swap_frame_put(old);
	return unlikely(err) ? AGAIN_TABLE : FAULT_DONE;
}

/* Copy-on-write from `src`, which the caller references; old: src is what the slot holds now. Drops that reference. */
static int private_copy(struct faultctx *fc, struct frame *src, struct frame *old)
{
	struct vma *v = fc->vma;
	struct frame *f = frame_alloc(0, FRAME_ANON, ALLOC_USER);
	int r = AGAIN_MEMORY;

	if (f) {
		page_copy(frame_kva(f), frame_kva(src));
		if (!old && v->file_end && v->file_end < fc->va + PAGE_SIZE) {
			u64 keep = v->file_end - fc->va;

			memset((u8 *)frame_kva(f) + keep, 0, PAGE_SIZE - keep);
		}
		sync_code(v, f);
		atomic64_inc(&vm_stats.cow_copies);
		trace_fault_how(old ? FAULT_HOW_COW : FAULT_HOW_FILE_COPY);
		r = slot_fill(fc, fc->va, f, old, PT_ACCESSED | (fc->access == ACCESS_WRITE ? PT_DIRTY : 0));
	}
	swap_frame_put(src);
	return r;
}

static int zero_write(struct faultctx *fc)
{
	struct vma *v = fc->vma;
	struct frame *f;

	if (!(v->flags & VMA_NOHUGE) && v->end - v->start >= HUGE_SIZE && superpage_fits(v, fc->va) &&
		superpage_fill(fc)) {
		trace_fault_how(FAULT_HOW_HUGE);
		return FAULT_DONE;
	}
	f = frame_alloc(0, FRAME_ANON, ALLOC_USER | ALLOC_ZERO);
	if (!f)
		return AGAIN_MEMORY;
	atomic64_inc(&vm_stats.anon_new);
	return slot_fill(fc, fc->va, f, NULL, PT_ACCESSED | PT_DIRTY);
}

static int zero_read(struct faultctx *fc)
{
	struct vma *v = fc->vma;
	struct amap *am;
	int r = FAULT_DONE;

	trace_fault_how(FAULT_HOW_ZERO);
	sync_code(v, zero_frame);
	__atomic_fetch_or(&v->flags, VMA_ZERO_SEEN, __ATOMIC_RELAXED);
	am = slots_lock(v);
	if (am && index_get(&am->pages, vma_key(v, fc->va)))
		r = AGAIN;
	else if (map_leaf(v, fc->va, zero_frame, leaf_prot(v, false) | PT_ACCESSED) != 0)
		r = AGAIN_TABLE;
	slots_unlock(v, am);
	return r;
}

/* ---- pages of objects ---- */

/* A referenced frame of the object at fc->va, or an answer. */
static int object_get(struct faultctx *fc, struct frame **out)
{
	struct vma *v = fc->vma;
	u64 pgoff = vma_pgoff(v, fc->va);

	switch (v->obj->ops->get(v->obj, pgoff, out)) {
	case 0: return FAULT_DONE;
	case -EAGAIN:
		fc->obj = v->obj;
		fc->pgoff = pgoff;
		memobj_hold(v->obj);
		return AGAIN_LOAD;
	case -ENOMEM: return AGAIN_MEMORY;
	default: return FAULT_BUS;
	}
}

/* Maps the object's page f, whose reference is dropped. writable: of a shared mapping. */
static int object_map(struct faultctx *fc, struct frame *f, bool writable)
{
	struct vma *v = fc->vma;
	struct amap *am;
	int r = AGAIN;

	trace_fault_how(vma_private(v) ? FAULT_HOW_FILE : FAULT_HOW_SHARED);
	sync_code(v, f);
	am = slots_lock(v);
	if (f->owner != v->obj->owner || (am && index_get(&am->pages, vma_key(v, fc->va))))
		r = AGAIN;
	else if (writable && v->obj->ops->make_writable && !(atomic_read(&f->flags) & FRAME_DIRTY))
		r = AGAIN; /* written back meanwhile */
	else if (map_leaf(v, fc->va, f, leaf_prot(v, writable) | PT_ACCESSED | (writable ? PT_DIRTY : 0)) != 0)
		r = AGAIN_TABLE;
	else
		r = FAULT_DONE;
	slots_unlock(v, am);
	frame_put(f);
	if (r == FAULT_DONE) {
		atomic64_inc(&v->as->mapped_file);
		if (!writable)
			fault_around(fc);
	}
	return r;
}

static int fault_shared(struct faultctx *fc)
{
	struct vma *v = fc->vma;
	bool write = fc->access == ACCESS_WRITE;
	struct frame *f;
	int r = object_get(fc, &f);

	if (r != FAULT_DONE)
		return r;
	if (write && v->obj->ops->make_writable && !(atomic_read(&f->flags) & FRAME_DIRTY)) {
		fc->obj = v->obj;
		fc->pgoff = vma_pgoff(v, fc->va);
		fc->frame = f;
		memobj_hold(v->obj);
		return AGAIN_DIRTY;
	}
	/* Where nobody needs to know of writes, the first fault may be the last. */
	return object_map(fc, f, write || (!v->obj->ops->make_writable && (v->flags & VMA_WRITE)));
}

/* ---- the private case ---- */

/* The slot holds f. Called with amap->lock held; returns without. */
static int fault_slot(struct faultctx *fc, struct amap *am, struct frame *f)
{
	struct vma *v = fc->vma;
	bool write = fc->access == ACCESS_WRITE, own;
	int err;

	trace_fault_how(write ? FAULT_HOW_REUSE : FAULT_HOW_PRESENT);
	if (unlikely(fc->swapped || fc->loaded)) {
		trace_fault_how(FAULT_HOW_SWAP);
		fault_swap_end(fc);
	}
	own = slot_owned(v, f);
	if (write && !own && unlikely(frame_swap_cached(f)))
		own = !(v->flags & VMA_NEEDS_COPY) && swap_cache_own(f);
	if (write && !own) {
		frame_get(f);
		spin_unlock(&am->lock);
		return private_copy(fc, f, f);
	}
	sync_code(v, f);
	pt_lock(&v->as->pt);
	if (unlikely(!index_empty(&am->blocks)) && superpage_map(fc, am))
		err = 0;
	else
		err = map_leaf(v, fc->va, f,
			leaf_prot(v, own && (v->flags & VMA_WRITE)) | PT_ACCESSED | (write ? PT_DIRTY : 0));
	pt_unlock(&v->as->pt);
	if (write) {
		f->owner = am;
		f->index = vma_key(v, fc->va);
		atomic64_inc(&vm_stats.cow_reuse);
	}
	spin_unlock(&am->lock);
	if (err)
		return AGAIN_TABLE;
	if (!write)
		fault_around(fc);
	return FAULT_DONE;
}

static int fault_private(struct faultctx *fc)
{
	struct vma *v = fc->vma;
	struct amap *am = READ_ONCE(v->amap);
	bool write = fc->access == ACCESS_WRITE, from_obj, tail;
	struct frame *f = NULL;
	int r;

	from_obj = v->obj && !(v->file_end && fc->va >= v->file_end);
	/* The page where the file's bytes end and zeroes begin is always a copy. */
	tail = from_obj && v->file_end && v->file_end < fc->va + PAGE_SIZE;
	if (am && (v->flags & VMA_NEEDS_COPY) && (write || tail)) {
		if (amap_shared(am))
			return AGAIN_UNSHARE;
		/* The relatives are gone, and new ones need the lock that we hold. */
		__atomic_fetch_and(&v->flags, ~(u32)VMA_NEEDS_COPY, __ATOMIC_RELAXED);
	}
	if (am) {
		spin_lock(&am->lock);
		f = index_get(&am->pages, vma_key(v, fc->va));
		if (f && unlikely(slot_is_swap(f))) {
			f = fault_swap_slot(fc, am, f);
			if (!f) {
				spin_unlock(&am->lock);
				return AGAIN_SWAP;
			}
		}
		if (f)
			return fault_slot(fc, am, f);
		spin_unlock(&am->lock);
	}
	if (!from_obj)
		return write ? zero_write(fc) : zero_read(fc);
	r = object_get(fc, &f);
	if (r != FAULT_DONE)
		return r;
	return write || tail ? private_copy(fc, f, NULL) : object_map(fc, f, false);
}

/* The page of the lab: the same for every access, never writable. */
static int fault_usyscall(struct faultctx *fc)
{
	struct frame *f = aspace_usyscall(fc->as);
	int err;

	if (!f)
		return AGAIN_MEMORY;
	trace_fault_how(FAULT_HOW_USYSCALL);
	pt_lock(&fc->as->pt);
	err = map_leaf(fc->vma, fc->va, f, leaf_prot(fc->vma, false) | PT_ACCESSED);
	pt_unlock(&fc->as->pt);
	return err ? AGAIN_TABLE : FAULT_DONE;
}

/* ---- one attempt; as->lock is held for reading ---- */

static inline bool access_allowed(const struct vma *v, enum access access)
{
	switch (access) {
	case ACCESS_WRITE: return v->flags & VMA_WRITE;
	case ACCESS_EXEC: return v->flags & VMA_EXEC;
	default: return v->flags & (VMA_READ | VMA_WRITE);
	}
}

static int fault_attempt(struct faultctx *fc)
{
	struct vma *v = vma_find(&fc->as->vmas, fc->va);

	fc->vma = v;
	if (unlikely(!v))
		return FAULT_SEGV_MAP;
	if (unlikely(v->start > fc->va))
		return aspace_may_grow(fc->as, v, fc->va) ? AGAIN_GROW : FAULT_SEGV_MAP;
	if (unlikely(!access_allowed(v, fc->access)))
		return FAULT_SEGV_ACC;
	if (unlikely((v->flags & VMA_SPECIAL) && !v->obj))
		return fault_usyscall(fc);
	return vma_private(v) ? fault_private(fc) : fault_shared(fc);
}

/* ---- what is done between attempts, with no lock held; FAULT_DONE: try again ---- */

static int do_grow(struct faultctx *fc)
{
	int err = aspace_grow_stack(fc->as, fc->va);

	return err == 0 ? FAULT_DONE : err == -ENOMEM ? AGAIN_MEMORY : FAULT_SEGV_MAP;
}

static int do_unshare(struct faultctx *fc)
{
	struct vma *v;
	int err = 0;

	rwlock_write_lock(&fc->as->lock);
	v = vma_at(&fc->as->vmas, fc->va);
	if (v && v->amap)
		err = vma_unshare(v);
	rwlock_write_unlock(&fc->as->lock);
	return err ? AGAIN_MEMORY : FAULT_DONE;
}

static int do_load(struct faultctx *fc)
{
	int err = fc->obj->ops->load(fc->obj, fc->pgoff);

	fc->major = 1;
	memobj_release(fc->obj);
	if (err == 0 || err == -EAGAIN)
		return FAULT_DONE;
	return err == -ENOMEM ? AGAIN_MEMORY : FAULT_BUS;
}

static int do_dirty(struct faultctx *fc)
{
	int err = fc->obj->ops->make_writable(fc->obj, fc->pgoff, fc->frame);

	frame_put(fc->frame);
	memobj_release(fc->obj);
	if (err == 0 || err == -EAGAIN)
		return FAULT_DONE;
	return err == -ENOMEM ? AGAIN_MEMORY : FAULT_BUS;
}

static int do_memory(struct faultctx *fc)
{
	if (alloc_failed_on_demand())
		return FAULT_DONE;
	if (fc->memory_tries++ < MEMORY_TRIES && reclaim_pages(64))
		return FAULT_DONE;
	atomic64_inc(&vm_stats.oom);
	if (!oom_kill())
		return FAULT_OOM;
	fc->memory_tries = 0;
	return FAULT_DONE;
}

static int fault_between(struct faultctx *fc, int again)
{
	int r = FAULT_DONE;

	trace_fault_again();
	switch (again) {
	case AGAIN_GROW: r = do_grow(fc); break;
	case AGAIN_UNSHARE: r = do_unshare(fc); break;
	case AGAIN_LOAD: r = do_load(fc); break;
	case AGAIN_SWAP: r = fault_swap_load(fc); break;
	case AGAIN_DIRTY: r = do_dirty(fc); break;
	case AGAIN_TABLE: r = pt_reserve(&fc->as->pt, fc->va, 0) ? AGAIN_MEMORY : FAULT_DONE; break;
	case AGAIN_MEMORY: r = AGAIN_MEMORY; break;
	}
	return r == AGAIN_MEMORY ? do_memory(fc) : r;
}

NO_CANARY enum fault_result fault_handle(struct aspace *as, const struct fault *f)
{
	struct faultctx fc;
	int r;

	if (unlikely(f->addr >= user_end))
		return FAULT_SEGV_MAP;
	fc.as = as;
	fc.va = PAGE_ALIGN_DOWN(f->addr);
	fc.access = f->access;
	fc.memory_tries = 0;
	fc.major = 0;
	fc.loaded = NULL;
	fc.swapped = false;
	for (u32 tries = 0;; tries++) {
		rwlock_read_lock(&as->lock);
		r = fault_attempt(&fc);
		rwlock_read_unlock(&as->lock);
		if (likely(r < AGAIN))
			break;
		r = fault_between(&fc, r);
		if (r != FAULT_DONE)
			break;
		if (tries > MAX_TRIES) {
			pr_err("fault at %lx starts over for ever", f->addr);
			r = FAULT_BUS;
			break;
		}
	}
	if (unlikely(fc.loaded))
		fault_swap_end(&fc);
	if (unlikely(fc.major)) {
		as->nr_faults_major++;
		atomic64_inc(&vm_stats.faults_major);
	} else {
		as->nr_faults_minor++;
	}
	atomic64_inc(&vm_stats.faults);
	return (enum fault_result)r;
}
