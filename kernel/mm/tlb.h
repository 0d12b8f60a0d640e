/*
 * The order of every teardown, as an object:
 *
 *   1  unhook the translation        pt_unmap / pt_protect (…, &tlb), under pt->lock
 *   2  flush every hart that may     tlb_flush / tlb_finish
 *      have it cached
 *   3  only then give the frames     tlb_add_frame'd references are dropped
 *      back                          by tlb_finish, after 2
 *
 *	struct tlb tlb;
 *
 *	tlb_start(&tlb, &as->pt);
 *	pt_lock(&as->pt);
 *	pt_unmap(&as->pt, start, end, &tlb);
 *	pt_unlock(&as->pt);
 *	amap_remove(amap, first, nr, &tlb);      (calls tlb_add_frame)
 *	tlb_finish(&tlb);
 *
 * It lives on the stack and never fails: when its batch is full it flushes
 * early and goes on. One thread uses it; pt->lock may be held meanwhile.
 *
 * Two at once on one table: what one has unhooked and not flushed yet, the other
 * finds unhooked. It may not take that for flushed, and give frames back or
 * write a page out that a hart still writes to. So the table counts those that
 * have not flushed (pagetable.unflushed); while there are others, pt_unmap and
 * pt_protect note their whole range.
 *
 * Context: process, no spinlock above RANK_PT held. Flushing other harts goes
 * through the SBI RFENCE extension and does not need their cooperation.
 */
#pragma once

#include "lib/types.h"
#include "mm/frame.h"
#include "mm/pagetable.h"

#define TLB_BATCH 32

struct tlb {
	struct pagetable *pt;
	vaddr_t start, end; /* range whose stale translations may be cached; start >= end: none */
	u32 nr_frames;
	u32 tables_freed; /* non-leaf entries changed: flush must cover them */
	struct frame *batch[TLB_BATCH];
};

void tlb_start(struct tlb *tlb, struct pagetable *pt);
static inline bool tlb_noted(const struct tlb *tlb)
{
	return tlb->start < tlb->end;
}
/* arch: [start, end) had a valid translation that changed. Locks: pt->lock held. */
static inline void tlb_note(struct tlb *tlb, vaddr_t start, vaddr_t end)
{
	if (!tlb_noted(tlb))
		atomic_inc(&tlb->pt->unflushed);
	if (start < tlb->start)
		tlb->start = start;
	if (end > tlb->end)
		tlb->end = end;
}
/* arch: the same, if it may have changed just now by another operation that is not through. Locks: pt->lock held. */
static inline void tlb_note_others(struct tlb *tlb, vaddr_t start, vaddr_t end)
{
	if (unlikely(atomic_read(&tlb->pt->unflushed) > (u32)tlb_noted(tlb)))
		tlb_note(tlb, start, end);
}
/* Gives tlb the caller's reference to f; dropped after the flush. */
void tlb_add_frame(struct tlb *tlb, struct frame *f);
/* Step 2 now; step 3 for what was added so far. The tlb stays usable. */
void tlb_flush(struct tlb *tlb);
void tlb_finish(struct tlb *tlb);

/* Implemented by arch: flush [start, end) of pt on every hart that may cache it. Counted. */
void tlb_arch_flush(struct pagetable *pt, vaddr_t start, vaddr_t end, u32 tables_freed);
