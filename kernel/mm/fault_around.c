/* The neighbours of a read fault, mapped before anybody asks. See mm/fault.c. */
#include "mm/fault_priv.h"
#include "mm/stat.h"

#define AROUND_PAGES 16
#define AROUND_BYTES (AROUND_PAGES * PAGE_SIZE)

/* Referenced frames of the object for the nr pages from `start`; NULL where it has none ready, or where the file ends. */
static void around_get(const struct faultctx *fc, vaddr_t start, u32 nr, struct frame **pages)
{
	const struct vma *v = fc->vma;
	u32 want = nr, got = 0;

	if (v->file_end && start + nr * PAGE_SIZE > v->file_end)
		want = v->file_end > start ? (u32)((v->file_end - start) >> PAGE_SHIFT) : 0;
	if (v->obj && v->obj->ops->get_run) {
		v->obj->ops->get_run(v->obj, vma_pgoff(v, start), want, pages);
		got = want;
	}
	for (; v->obj && got < want; got++) {
		if (v->obj->ops->get(v->obj, vma_pgoff(v, start + got * PAGE_SIZE), &pages[got]) != 0)
			pages[got] = NULL;
	}
	for (; got < nr; got++)
		pages[got] = NULL;
	if (v->flags & VMA_EXEC) {
		for (u32 i = 0; i < want; i++) {
			if (pages[i])
				sync_code(v, pages[i]);
		}
	}
}

/* What a leaf for the slot's frame may allow at va. The locks of slots_lock are held. */
static struct pt_page around_slot(struct vma *v, vaddr_t va, struct frame *slot)
{
	bool own;

	if (slot_is_swap(slot))
		return (struct pt_page){0};
	own = (v->flags & VMA_WRITE) && slot_owned(v, slot);
	if ((v->flags & VMA_EXEC) && !(atomic_read(&slot->flags) & FRAME_EXEC))
		return (struct pt_page){0};
	if (own)
		written_extend(v, va);
	return (struct pt_page){.pa = frame_pa(slot), .prot = leaf_prot(v, own)};
}

/* Leaves for nr pages from va: slots come before object pages; prot 0: nothing to map. The same locks. */
static void around_leaves(
	struct vma *v, vaddr_t va, struct amap *am, struct frame **pages, struct pt_page *leaves, u32 nr)
{
	const void *owner = v->obj ? v->obj->owner : NULL;
	u32 prot = leaf_prot(v, false);
	u64 key = vma_key(v, va);

	for (u32 i = 0; i < nr; i++) {
		struct frame *f = pages[i];

		leaves[i].prot = 0;
		if (f && f->owner == owner)
			leaves[i] = (struct pt_page){.pa = frame_pa(f), .prot = prot};
	}
	for (u32 i = 0; am && i < nr; i++) {
		const struct index_node *leaf = index_leaf(&am->pages, key + i);
		u32 in_leaf = MIN(nr - i, (u32)(INDEX_WIDTH - ((key + i) & INDEX_MASK)));

		for (u32 k = 0; leaf && k < in_leaf; k++) {
			struct frame *slot = leaf->slots[(key + i + k) & INDEX_MASK];

			if (slot)
				leaves[i + k] = around_slot(v, va + (i + k) * PAGE_SIZE, slot);
		}
		i += in_leaf - 1;
	}
}

/* The neighbours of a read fault; what is mapped already stays. */
void fault_around(struct faultctx *fc)
{
	struct vma *v = fc->vma;
	vaddr_t start = MAX(ALIGN_DOWN(fc->va, AROUND_BYTES), v->start);
	vaddr_t end = MIN(ALIGN_DOWN(fc->va, AROUND_BYTES) + AROUND_BYTES, v->end);
	struct frame *pages[AROUND_PAGES];
	struct pt_page leaves[AROUND_PAGES];
	struct amap *am;
	u32 nr = (u32)((end - start) >> PAGE_SHIFT), mapped;

	around_get(fc, start, nr, pages);
	am = slots_lock(v);
	around_leaves(v, start, am, pages, leaves, nr);
	mapped = pt_map_missing(&v->as->pt, start, leaves, nr);
	slots_unlock(v, am);
	for (u32 i = 0; i < nr; i++) {
		if (pages[i])
			frame_put(pages[i]);
	}
	atomic64_add(&vm_stats.around, mapped);
	if (v->obj)
		atomic64_add(&v->as->mapped_file, mapped);
}
