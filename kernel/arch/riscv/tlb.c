/*
 * Which hart may have what in its TLB, and who flushes it.
 *
 *   hart.pt       what satp holds (published after the write of satp)
 *   hart.pt_next  what it is about to hold (published before)
 *   pt->cached    bit h: while hart h is not running on pt, its TLB holds
 *                 nothing stale of pt. A clear bit makes h flush pt's ASID
 *                 before it runs on pt again.
 *
 * Activation of pt on h (pt_activate)          Flush of pt, after PTE stores (tlb_arch_flush)
 *   A1  h.pt_next = pt                           F1  full fence
 *   A2  old = fetch_or(pt->cached, h)            F2  for each hart h:
 *   A3  old lacks h: sfence.vma for the ASID           h runs on pt (pt_next or pt): remember h
 *   A4  write satp                                     else clear h in pt->cached if set, full fence,
 *   A5  h.pt = pt; h.pt_next = NULL                    and look again whether h runs on pt
 *                                                F3  sfence.vma here, SBI RFENCE for the others remembered
 *
 * A hart that is not running on pt thus costs one atomic operation instead of
 * an interrupt. Why no hart keeps a stale entry: A1 and A2 on one side, the
 * clearing and the second look on the other, are a store and a later load of
 * different variables, fully fenced (the atomic operations are sequentially
 * consistent). If A2 comes before the clearing, the second look sees pt_next
 * and h is flushed by F3. If A2 comes after it, h finds its bit clear and
 * flushes itself; the PTE stores came before the clearing that A2 read, so the
 * walks after A3 see them.
 *
 * Of two flushers, the second may find the bit cleared by the first. It looks
 * again all the same: h may have found its bit set in A2, after the second's
 * first look and before the first cleared it. Then h did not flush itself, and
 * the first flushes on h only what is its own business.
 *
 * Between A1 and A5 of a switch from P to Q, hart.pt still is P: until satp
 * changes, the walker may read P's tables, and they may not be freed unseen.
 *
 * Invalid → valid: a hart may have cached that there was nothing, or the lesser
 * permissions of before. It then faults once more than needed; the fault
 * handler comes to pt_map with the very entry that is there already, and pt_map
 * calls tlb_local_leaf. (QEMU never caches that; hardware may.) For kernel
 * addresses trap.c does the same.
 *
 * With isolate=1 a hart "runs on pt" whichever of the two roots satp holds: they share
 * the lower tables, and their ASIDs n and n | 1 are flushed together.
 */
#include "arch/riscv/boot.h"
#include "arch/riscv/csr.h"
#include "arch/riscv/isolate.h"
#include "arch/riscv/pte.h"
#include "arch/riscv/sbi.h"
#include "arch/riscv/tlb_arch.h"
#include "arch/riscv/trace.h"
#include "mm/pagetable.h"
#include "lib/assert.h"
#include "mm/tlb.h"

/* Longer ranges flush the whole ASID. */
#define PAGES_ONE_BY_ONE 16

static u64 satp_mode(void)
{
	return (SATP_SV39 + pt_levels - 3) << SATP_MODE_SHIFT;
}

u64 paging_kernel_satp(void)
{
	return satp_mode() | kernel_pagetable.root >> PAGE_SHIFT;
}

static u64 satp_of(paddr_t root, u64 number)
{
	return satp_mode() | number << SATP_ASID_SHIFT | root >> PAGE_SHIFT;
}

/* This hart forgets all that it may have cached of pt, or what belongs to one page. */
static void flush_local(const struct pagetable *pt, u64 number)
{
	sfence_asid(number);
	if (pt->user_root)
		sfence_asid(number | ASID_USER);
}

static void flush_local_page(const struct pagetable *pt, vaddr_t va, u64 number)
{
	sfence_page(va, number);
	if (pt->user_root)
		sfence_page(va, number | ASID_USER);
}

void pt_activate(struct pagetable *pt)
{
	struct hart *h = this_hart();
	u64 bit = BIT(h->index);
	u64 number = 0;

	DEBUG_ASSERT(!irq_enabled());
	if (!pt)
		pt = &kernel_pagetable;
	if (h->pt == pt)
		return;
	WRITE_ONCE(h->pt_next, pt); /* A1 */
	if (pt == &kernel_pagetable) {
		asid_leave(h);
	} else {
		number = asid_take(h, pt);
		if (!(__atomic_fetch_or(&pt->cached, bit, __ATOMIC_SEQ_CST) & bit)) /* A2 */
			flush_local(pt, number);                                    /* A3 */
		else if (number)
			h->nr_switch_spared++;
	}
	csr_write(satp, satp_of(pt->root, number)); /* A4 */
	if (pt->user_root)
		isolate_switch(h, satp_of(pt->root, number), satp_of(pt->user_root, asid_usable() ? number | ASID_USER : 0));
	if (!asid_usable())
		sfence_all();
	store_release(&h->pt, pt); /* A5 */
	store_release(&h->pt_next, NULL);
}

/* pt_next first: it is cleared after pt was set. */
static bool hart_runs(const struct hart *h, const struct pagetable *pt)
{
	return load_acquire(&h->pt_next) == pt || load_acquire(&h->pt) == pt;
}

bool tlb_pt_in_use(const struct pagetable *pt)
{
	for (u32 i = 0; i < nr_harts; i++)
		if (hart_runs(&harts[i], pt))
			return true;
	return false;
}

/* F1 and F2: the harts that run on pt; the others have been told to flush later. */
static u64 running_harts(struct pagetable *pt)
{
	u64 running = 0;

	smp_mb();
	for (u32 i = 0; i < nr_harts; i++) {
		if (hart_runs(&harts[i], pt)) {
			running |= BIT(i);
			continue;
		}
		if (load_acquire(&pt->cached) & BIT(i)) {
			__atomic_fetch_and(&pt->cached, ~BIT(i), __ATOMIC_SEQ_CST);
			smp_mb();
		}
		if (hart_runs(&harts[i], pt))
			running |= BIT(i);
	}
	return running;
}

/*
 * Each call interrupts those harts. So a few pages of two ASIDs go in one call for all ASIDs, which costs others these
 * pages at most; everything of two ASIDs takes two.
 */
static void flush_remote(const struct pagetable *pt, u64 others, vaddr_t start, u64 size, u64 number)
{
	if (pt->user_root && size != ~0ul) {
		sbi_remote_sfence(others, start, size);
		return;
	}
	sbi_remote_sfence_asid(others, start, size, number);
	if (pt->user_root && asid_usable())
		sbi_remote_sfence_asid(others, start, size, number | ASID_USER);
}

void tlb_arch_flush(struct pagetable *pt, vaddr_t start, vaddr_t end, u32 tables_freed)
{
	struct hart *self = this_hart();
	u64 number, running;

	if (start >= end && !tables_freed)
		return;
	running = running_harts(pt);
	number = asid_usable() ? ASID_NUMBER(READ_ONCE(pt->asid)) : 0;
	start &= PAGE_MASK;
	/* With an address, sfence.vma orders leaf entries only. */
	if (tables_freed || end - start > PAGES_ONE_BY_ONE * PAGE_SIZE) {
		start = 0;
		end = ~0ul;
	}
	if (running & BIT(self->index)) {
		if (end == ~0ul)
			flush_local(pt, number);
		else
			for (vaddr_t va = start; va < end; va += PAGE_SIZE)
				flush_local_page(pt, va, number);
	}
	running &= ~BIT(self->index);
	if (running) {
		self->nr_shootdowns++;
		trace_note(TRACE_FLUSH, 0, start, end == ~0ul ? ~0ul : (end - start) >> PAGE_SHIFT, pt->root, running);
		flush_remote(pt, running, start, end - start, number);
	} else if (nr_harts > 1) {
		self->nr_remote_spared++;
	}
}

void tlb_local_leaf(struct pagetable *pt, vaddr_t va, u64 size)
{
	u64 number = asid_usable() ? ASID_NUMBER(READ_ONCE(pt->asid)) : 0;

	if (size == PAGE_SIZE)
		flush_local_page(pt, va, number);
	else
		flush_local(pt, number);
}

void tlb_flush_kernel(vaddr_t start, vaddr_t end)
{
	u64 others = harts_online_mask() & ~BIT(hart_index());

	smp_mb();
	if (end - start > PAGES_ONE_BY_ONE * PAGE_SIZE)
		sfence_all();
	else
		for (vaddr_t va = start; va < end; va += PAGE_SIZE)
			sfence_page_global(va);
	if (others)
		sbi_remote_sfence(others, start, end - start);
}
