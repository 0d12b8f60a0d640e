/* RAM banks and reservations, before the frame allocator is open. See mm/frame_boot.h. */
#include "mm/frame_boot.h"

#include "lib/assert.h"
#include "lib/string.h"
#include "mm/frame.h"

struct boot_ram boot_ram;

void frame_add_ram(paddr_t start, paddr_t end)
{
	struct ram_bank bank = {
		.start = PAGE_ALIGN_UP(start) >> PAGE_SHIFT,
		.end = end >> PAGE_SHIFT,
	};
	u32 i;

	/* Frame 0 stays out: a frame number of 0 means none to some readers. The direct map is 128 GiB. */
	bank.start = MAX(bank.start, 1ul);
	bank.end = MIN(bank.end, (KVA_FRAMES - KVA_DIRECT) >> PAGE_SHIFT);
	if (bank.start >= bank.end || boot_ram.nr_banks == RAM_MAX_BANKS)
		return;
	for (i = 0; i < boot_ram.nr_banks; i++) {
		struct ram_bank *b = &boot_ram.banks[i];

		if (bank.start <= b->end && b->start <= bank.end) {
			/* Touching banks are one. */
			bank.start = MIN(bank.start, b->start);
			bank.end = MAX(bank.end, b->end);
			boot_ram.nr_banks--;
			memmove(b, b + 1, (boot_ram.nr_banks - i) * sizeof(*b));
			i--;
		}
	}
	for (i = 0; i < boot_ram.nr_banks && boot_ram.banks[i].start < bank.start; i++)
		;
	memmove(&boot_ram.banks[i + 1], &boot_ram.banks[i], (boot_ram.nr_banks - i) * sizeof(bank));
	boot_ram.banks[i] = bank;
	boot_ram.nr_banks++;
}

void frame_reserve(paddr_t start, paddr_t end)
{
	struct ram_range r = {
		.start = start >> PAGE_SHIFT,
		.end = PAGE_ALIGN_UP(end) >> PAGE_SHIFT,
	};
	u32 i;

	if (r.start >= r.end)
		return;
	for (i = 0; i < boot_ram.nr_reserved; i++) {
		struct ram_range *o = &boot_ram.reserved[i];

		if (r.start <= o->end && o->start <= r.end) {
			r.start = MIN(r.start, o->start);
			r.end = MAX(r.end, o->end);
			boot_ram.nr_reserved--;
			memmove(o, o + 1, (boot_ram.nr_reserved - i) * sizeof(*o));
			i--;
		}
	}
	ASSERT(boot_ram.nr_reserved < RAM_MAX_RESERVED);
	for (i = 0; i < boot_ram.nr_reserved && boot_ram.reserved[i].start < r.start; i++)
		;
	memmove(&boot_ram.reserved[i + 1], &boot_ram.reserved[i], (boot_ram.nr_reserved - i) * sizeof(r));
	boot_ram.reserved[i] = r;
	boot_ram.nr_reserved++;
}

pfn_t boot_ram_run(pfn_t pfn, pfn_t end, bool *reserved)
{
	for (u32 i = 0; i < boot_ram.nr_reserved; i++) {
		struct ram_range *r = &boot_ram.reserved[i];

		if (r->end <= pfn)
			continue;
		*reserved = r->start <= pfn;
		return MIN(end, *reserved ? r->end : r->start);
	}
	*reserved = false;
	return end;
}

/* The last reserved range that overlaps [start, end), or NULL. */
static struct ram_range *reserved_overlap(pfn_t start, pfn_t end)
{
	for (u32 i = boot_ram.nr_reserved; i-- > 0;) {
		struct ram_range *r = &boot_ram.reserved[i];

		if (r->start < end && start < r->end)
			return r;
	}
	return NULL;
}

paddr_t boot_ram_take(u64 nr, u64 align)
{
	for (u32 i = 0; i < boot_ram.nr_banks; i++) {
		struct ram_bank *b = &boot_ram.banks[i];
		pfn_t end = b->end;

		while (end >= b->start + nr) {
			pfn_t start = ALIGN_DOWN(end - nr, align);
			struct ram_range *r;

			if (start < b->start)
				break;
			r = reserved_overlap(start, start + nr);
			if (!r) {
				frame_reserve(start << PAGE_SHIFT, (start + nr) << PAGE_SHIFT);
				return start << PAGE_SHIFT;
			}
			end = r->start;
		}
	}
	panic("no RAM for %lu early pages", nr);
}

paddr_t frame_boot_alloc(void)
{
	paddr_t pa;

	ASSERT(!frame_ready());
	pa = boot_ram_take(1, 1);
	page_zero(phys_to_kva(pa));
	return pa;
}
