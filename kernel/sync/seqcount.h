/*
 * Sequence counts: readers of a few plain words never wait for a lock and never block the writer;
 * they try again if a writer was at work. Writers exclude each other by a lock of their own, and do
 * not sleep inside.
 *
 *	do {
 *		seq = seqcount_read_begin(&s);
 *		copy = shared;		(READ_ONCE of each word)
 *	} while (seqcount_read_retry(&s, seq));
 */
#ifndef SYNC_SEQCOUNT_H
#define SYNC_SEQCOUNT_H

#include "arch/riscv/irq.h"
#include "lib/atomic.h"

struct seqcount {
	u32 seq; /* odd: a writer is at work */
};

#define SEQCOUNT_INIT    \
	{                \
		.seq = 0 \
	}

static inline void seqcount_init(struct seqcount *s)
{
	s->seq = 0;
}

static inline u32 seqcount_read_begin(const struct seqcount *s)
{
	u32 seq;

	while (unlikely((seq = load_acquire(&s->seq)) & 1))
		cpu_relax();
	return seq;
}

static inline bool seqcount_read_retry(const struct seqcount *s, u32 seq)
{
	smp_rmb();
	return unlikely(READ_ONCE(s->seq) != seq);
}

/* Where an interrupt on this hart may read, the writer has interrupts off. */
static inline void seqcount_write_begin(struct seqcount *s)
{
	WRITE_ONCE(s->seq, s->seq + 1);
	smp_wmb();
}

static inline void seqcount_write_end(struct seqcount *s)
{
	store_release(&s->seq, s->seq + 1);
}

#endif
