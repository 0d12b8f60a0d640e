/* The order of a teardown. See mm/tlb.h. */
#include "mm/tlb.h"

void tlb_start(struct tlb *tlb, struct pagetable *pt)
{
	tlb->pt = pt;
	tlb->start = ~0ul;
	tlb->end = 0;
	tlb->nr_frames = 0;
	tlb->tables_freed = 0;
}

void tlb_flush(struct tlb *tlb)
{
	if (tlb_noted(tlb)) {
		tlb_arch_flush(tlb->pt, tlb->start, tlb->end, tlb->tables_freed);
		atomic_dec_return(&tlb->pt->unflushed);
		tlb->start = ~0ul;
		tlb->end = 0;
		tlb->tables_freed = 0;
	}
	for (u32 i = 0; i < tlb->nr_frames; i++)
		frame_put(tlb->batch[i]);
	tlb->nr_frames = 0;
}

void tlb_add_frame(struct tlb *tlb, struct frame *f)
{
	if (tlb->nr_frames == TLB_BATCH)
		tlb_flush(tlb);
	tlb->batch[tlb->nr_frames++] = f;
}

void tlb_finish(struct tlb *tlb)
{
	tlb_flush(tlb);
}
