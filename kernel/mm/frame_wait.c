/* Sleeping on a frame's BUSY and WRITEBACK bits: a few wait queues, shared by hash. */
#include "lib/assert.h"
#include "mm/frame.h"
#include "mm/frame_boot.h"
#include "sync/waitq.h"

#define NR_QUEUES 64

static struct waitq queues[NR_QUEUES];

static struct waitq *frame_queue(const struct frame *f)
{
	return &queues[frame_pfn(f) % NR_QUEUES];
}

void frame_wait_init(void)
{
	for (u32 i = 0; i < NR_QUEUES; i++)
		waitq_init(&queues[i], "frame");
}

void frame_wait(struct frame *f, u32 flag)
{
	wait_event(frame_queue(f), !(atomic_read(&f->flags) & flag));
}

bool frame_try_busy(struct frame *f)
{
	return !(atomic_fetch_or(&f->flags, FRAME_BUSY) & FRAME_BUSY);
}

void frame_lock_busy(struct frame *f)
{
	while (!frame_try_busy(f))
		frame_wait(f, FRAME_BUSY);
}

void frame_clear_wake(struct frame *f, u32 flag)
{
	u32 old = atomic_fetch_and(&f->flags, ~flag);

	DEBUG_ASSERT(old & flag);
	(void)old;
	waitq_wake_all(frame_queue(f));
}
