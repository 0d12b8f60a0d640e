#include "arch/riscv/isolate.h"

#include "arch/riscv/boot.h"
#include "arch/riscv/layout.h"
#include "arch/riscv/pagetable_arch.h"
#include "arch/riscv/tlb_arch.h"
#include "lib/assert.h"
#include "lib/cmdline.h"

bool isolating;

static struct entry_slot entry_slots[PAGE_SIZE / sizeof(struct entry_slot)] ALIGNED(PAGE_SIZE);

void isolate_init(void)
{
	isolating = cmdline_flag("isolate");
	if (!isolating)
		return;
	pt_trapframe = image_to_phys(entry_slots);
	pt_trampoline = image_to_phys(trampoline) & PAGE_MASK;
}

void isolate_start_hart(struct hart *h)
{
	const u8 *code = asid_usable() ? trampoline : trampoline_flushing;

	if (!isolating)
		return;
	entry_slots[h->index].enter = (u64)trap_entry_isolated;
	h->entry_slot = user_end + h->index * sizeof(struct entry_slot);
	h->trampoline = user_end + PAGE_SIZE + ((vaddr_t)code & ~PAGE_MASK);
}

void isolate_switch(const struct hart *h, u64 kernel_satp, u64 user_satp)
{
	struct entry_slot *slot = &entry_slots[h->index];

	slot->kernel_satp = kernel_satp;
	slot->user_satp = user_satp;
}
