/*
 * Address space ids, with generations.
 *
 * pt->asid is `generation << 16 | number`. Numbers are handed out in order and
 * never given back; when they run out, the generation goes up, every number
 * is free again, and each hart clears its whole TLB before it next runs a
 * table of the new generation (hart.asid_flush). So a dead table's entries can
 * never be matched, and destroying a table needs no flush.
 *
 * A hart that runs user code during a roll-over goes on with its number; that
 * number stays with its table (hart.asid_reserved), so that other harts and flushes
 * of that table agree on it.
 *
 * The fast path takes no lock: hart.asid is exchanged from what it was. The
 * roll-over sets every hart.asid to 0 under asid_lock, so a hart that read an
 * old generation fails the exchange and comes to the slow path, where the
 * pending flush is seen. 0 is kept while the hart runs on the kernel's table.
 *
 * With isolate=1 a table has two numbers, n (even) and n | ASID_USER; what is
 * said of numbers here holds for pairs of them.
 *
 * `asids=N` makes do with N numbers, or with none: for tests of roll-overs, and of machines without.
 */
#include "arch/riscv/boot.h"
#include "arch/riscv/csr.h"
#include "arch/riscv/isolate.h"
#include "arch/riscv/tlb_arch.h"
#include "arch/riscv/trace.h"
#include "mm/pagetable.h"
#include "lib/atomic.h"
#include "lib/cmdline.h"
#include "sync/spinlock.h"

#define GENERATION_STEP (1ul << 16)
#define ASID_KERNEL     (1ul << 63) /* in hart.asid: number 0, of no generation */

static struct spinlock asid_lock = SPINLOCK_INIT("asid", RANK_ASID);
static u64 generation = GENERATION_STEP;
static u64 number_step = 1;
static u64 number_next;
static u64 number_max; /* 0: ASIDs are not used */

void asid_init(void)
{
	u64 satp = csr_read(satp);
	u64 all;

	csr_write(satp, satp | (u64)SATP_ASID_MASK << SATP_ASID_SHIFT);
	all = csr_read(satp) >> SATP_ASID_SHIFT & SATP_ASID_MASK;
	csr_write(satp, satp);
	sfence_all();
	all = MIN(all, cmdline_number("asids", all));
	number_step = isolating ? 2 : 1;
	number_next = number_step;
	/* Every hart may hold a number over a roll-over, and one more must be free. */
	number_max = all / number_step > 2 * MAX_HARTS ? (all + 1 - number_step) & ~(number_step - 1) : 0;
	harts[0].asid = ASID_KERNEL;
}

bool asid_usable(void)
{
	return number_max != 0;
}

u64 asid_roll_overs(void)
{
	return READ_ONCE(generation) / GENERATION_STEP - 1;
}

static void roll_over(void)
{
	__atomic_store_n(&generation, generation + GENERATION_STEP, __ATOMIC_RELAXED);
	trace_note(TRACE_ASID_ROLL, 0, 0, 0, generation, 0);
	for (u32 i = 0; i < nr_harts; i++) {
		u64 active = __atomic_exchange_n(&harts[i].asid, 0, __ATOMIC_SEQ_CST);

		if (active)
			harts[i].asid_reserved = active;
		harts[i].asid_flush = 1;
	}
	number_next = number_step;
}

/* If harts run on with `id` from an earlier generation, moves it into this one. */
static bool reserved_renew(u64 id, u64 renewed)
{
	bool hit = false;

	for (u32 i = 0; i < nr_harts; i++) {
		if (harts[i].asid_reserved != id)
			continue;
		harts[i].asid_reserved = renewed;
		hit = true;
	}
	return hit;
}

static bool number_reserved(u64 number)
{
	for (u32 i = 0; i < nr_harts; i++)
		if (ASID_NUMBER(harts[i].asid_reserved) == number)
			return true;
	return false;
}

static u64 id_new(const struct pagetable *pt)
{
	u64 renewed = generation | ASID_NUMBER(pt->asid);

	if (pt->asid && reserved_renew(pt->asid, renewed))
		return renewed;
	for (;;) {
		if (number_next > number_max) {
			roll_over();
			renewed = generation | ASID_NUMBER(pt->asid);
			/* Other harts may be running on this very table. */
			if (pt->asid && reserved_renew(pt->asid, renewed))
				return renewed;
		}
		renewed = generation | number_next;
		number_next += number_step;
		if (!number_reserved(ASID_NUMBER(renewed)))
			return renewed;
	}
}

u64 asid_take(struct hart *h, struct pagetable *pt)
{
	u64 id = READ_ONCE(pt->asid);
	u64 active = READ_ONCE(h->asid);

	if (!number_max)
		return 0;
	if (active && (id ^ READ_ONCE(generation)) < GENERATION_STEP &&
		__atomic_compare_exchange_n(&h->asid, &active, id, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		return ASID_NUMBER(id);
	spin_lock(&asid_lock);
	id = pt->asid;
	if ((id ^ generation) >= GENERATION_STEP) {
		id = id_new(pt);
		WRITE_ONCE(pt->asid, id);
	}
	if (h->asid_flush) {
		h->asid_flush = 0;
		sfence_all();
	}
	__atomic_store_n(&h->asid, id, __ATOMIC_SEQ_CST);
	spin_unlock(&asid_lock);
	return ASID_NUMBER(id);
}

void asid_leave(struct hart *h)
{
	u64 active = READ_ONCE(h->asid);

	if (active)
		__atomic_compare_exchange_n(&h->asid, &active, ASID_KERNEL, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}
