#include "mm/aspace_where.h"

#include "arch/riscv/layout.h"
#include "lib/string.h"
#include "mm/aspace_priv.h"

#define NEAR_SP  (1ul << 20)  /* an access so near to sp is one to the stack */
#define HEAP_RUN (64ul << 20) /* further than this beyond the heap an address is just wild */

static void vma_take(struct where_vma *out, const struct vma *v)
{
	if (!v)
		return;
	*out = (struct where_vma){
		.start = v->start,
		.end = v->end,
		.flags = v->flags,
		.off = v->pgoff << PAGE_SHIFT,
		.file = v->file ? aspace_share_file(v->file) : NULL,
	};
}

void aspace_where_vma_done(struct where_vma *v)
{
	if (v->file)
		aspace_release_file(v->file);
	v->file = NULL;
}

void aspace_where_done(struct aspace_where *w)
{
	aspace_where_vma_done(&w->at);
	aspace_where_vma_done(&w->below);
	aspace_where_vma_done(&w->above);
}

bool aspace_where_vma(struct aspace *as, vaddr_t addr, struct where_vma *out)
{
	*out = (struct where_vma){0};
	rwlock_read_lock(&as->lock);
	vma_take(out, vma_at(&as->vmas, addr));
	rwlock_read_unlock(&as->lock);
	return out->end != 0;
}

/* ---- kinds ---- */

/* Where the user half would end, but for what isolate=1 keeps for itself: a power of two. */
static vaddr_t user_half_end(void)
{
	return 1ul << (64 - __builtin_clzl(user_end - 1));
}

/* Of addresses that no mapping can have. */
static bool kind_without_maps(vaddr_t addr, enum where_kind *kind)
{
	vaddr_t half = user_half_end();

	if (addr < PAGE_SIZE)
		*kind = WHERE_NULL;
	else if (addr >= -half)
		*kind = WHERE_KERNEL;
	else if (addr >= half)
		*kind = WHERE_DAMAGED;
	else if (addr >= user_end)
		*kind = WHERE_CROSSING;
	else
		return false;
	return true;
}

static vaddr_t freed_start(const struct freed_range *f)
{
	return PAGE_ALIGN_DOWN(f->start_by);
}

/* The latest first: a range may have been used again in between. */
static const struct freed_range *freed_find(const struct aspace *as, vaddr_t addr)
{
	for (u32 i = 1; i <= FREED_KEPT && i <= as->nr_freed; i++) {
		const struct freed_range *f = &as->freed[(as->nr_freed - i) % FREED_KEPT];

		if (freed_start(f) <= addr && addr < f->end)
			return f;
	}
	return NULL;
}

/* `above` is the mapping above addr, which is in none. */
static bool kind_of_stack(struct aspace *as, const struct vma *above, vaddr_t sp, struct aspace_where *w)
{
	vaddr_t top, low;

	if (!above || !(above->flags & VMA_STACK))
		return false;
	top = aspace_stack_top(as, above);
	low = top > as->stack_limit ? PAGE_ALIGN_UP(top - as->stack_limit) : USER_MIN;
	w->stack_low = low;
	w->stack_limit = as->stack_limit;
	if (w->addr >= low) {
		w->kind = WHERE_STACK_BLOCKED;
		return true;
	}
	w->kind = WHERE_STACK_LIMIT;
	return low - w->addr <= STACK_GUARD_GAP ||
		(sp < above->end && (w->addr > sp ? w->addr - sp : sp - w->addr) <= NEAR_SP);
}

/* addr is behind the heap, and nothing lies between. */
static bool is_behind_heap(struct aspace *as, vaddr_t addr)
{
	vaddr_t end = PAGE_ALIGN_UP(as->brk);

	return as->brk_start && addr >= end && addr - end <= HEAP_RUN && vma_range_free(&as->vmas, end, addr + 1);
}

static bool kind_of_heap(struct aspace *as, const struct vma *above, vaddr_t addr)
{
	return is_behind_heap(as, addr) && (!above || above->start - addr > addr - PAGE_ALIGN_UP(as->brk));
}

static void kind_of_hole(struct aspace *as, const struct vma *above, vaddr_t sp, struct aspace_where *w)
{
	const struct freed_range *f = freed_find(as, w->addr);

	if (f) {
		w->kind = WHERE_FREED;
		w->freed_start = freed_start(f);
		w->freed_end = f->end;
		if (f->start_by & FREED_BY_MREMAP)
			w->freed_how = FREED_MREMAP;
		else
			w->freed_how = is_behind_heap(as, w->freed_start) ? FREED_BRK : FREED_MUNMAP;
	} else if (!kind_of_stack(as, above, sp, w)) {
		w->kind = kind_of_heap(as, above, w->addr) ? WHERE_BEYOND_HEAP : WHERE_HOLE;
	}
}

static void where_locked(struct aspace *as, vaddr_t sp, struct aspace_where *w)
{
	struct vma *v = vma_find(&as->vmas, w->addr), *below, *above;
	bool inside = v && v->start <= w->addr;

	above = inside ? vma_next(v) : v;
	below = v ? vma_prev(v) : tree_entry_or_null(tree_last(&as->vmas.tree), struct vma, node);
	if (inside) {
		w->kind = WHERE_VMA;
		vma_take(&w->at, v);
	} else {
		kind_of_hole(as, above, sp, w);
	}
	vma_take(&w->below, below);
	vma_take(&w->above, above);
}

void aspace_where(struct aspace *as, vaddr_t addr, vaddr_t sp, struct aspace_where *out)
{
	memset(out, 0, sizeof(*out));
	out->addr = addr;
	rwlock_read_lock(&as->lock);
	out->brk = as->brk;
	if (!kind_without_maps(addr, &out->kind))
		where_locked(as, sp, out);
	else if (out->kind == WHERE_NULL)
		vma_take(&out->above, vma_first(&as->vmas));
	rwlock_read_unlock(&as->lock);
	if (out->kind != WHERE_DAMAGED)
		out->nr_steps = pt_walk(&as->pt, addr, out->steps, &out->root);
}
