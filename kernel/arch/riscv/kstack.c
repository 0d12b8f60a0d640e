/*
 * Kernel stacks: slot i of KVA_STACKS has its lower half unmapped and a stack in
 * the upper half, so a stack lies between guards. Freed stacks stay mapped on a
 * short list, because fork and exit alternate; beyond that they are taken apart.
 */
#include "arch/riscv/arch.h"
#include "arch/riscv/boot.h"
#include "arch/riscv/layout.h"
#include "arch/riscv/paging.h"
#include "arch/riscv/tlb_arch.h"
#include "mm/pagetable.h"
#include "lib/assert.h"
#include "lib/list.h"
#include "mm/frame.h"
#include "sync/spinlock.h"

#define NR_SLOTS ((1ul << 30) / KSTACK_SLOT) /* the 1 GiB whose table boot made */
#define KEEP_MAX 64

static struct spinlock kstack_lock = SPINLOCK_INIT("kstack", RANK_LEAF);
static u64 slots_used[NR_SLOTS / 64];      /* bit per slot [kstack_lock] */
static u32 first_free;                     /* no free slot below word first_free */
static struct list kept = LIST_INIT(kept); /* struct list in the lowest bytes of each kept stack */
static u32 nr_kept;

static vaddr_t slot_stack(u64 slot)
{
	return KVA_STACKS + slot * KSTACK_SLOT + KSTACK_SLOT - KSTACK_SIZE;
}

/* A slot's number, or NR_SLOTS. */
static u64 slot_take(void)
{
	for (; first_free < ARRAY_SIZE(slots_used); first_free++) {
		u64 word = slots_used[first_free];

		if (~word) {
			u32 bit = (u32)__builtin_ctzl(~word);

			slots_used[first_free] |= BIT(bit);
			return first_free * 64ul + bit;
		}
	}
	return NR_SLOTS;
}

static void slot_release(u64 slot)
{
	u64 flags = spin_lock_irqsave(&kstack_lock);

	slots_used[slot / 64] &= ~BIT(slot % 64);
	first_free = MIN(first_free, (u32)(slot / 64));
	spin_unlock_irqrestore(&kstack_lock, flags);
}

/* Takes the lowest `len` bytes of a stack apart. No hart may have them in its TLB when the frames are given back. */
static void stack_unmap(vaddr_t stack, u64 len)
{
	paddr_t pages[KSTACK_SIZE / PAGE_SIZE];

	if (!len)
		return;
	for (u64 i = 0; i < len / PAGE_SIZE; i++)
		pages[i] = arch_unmap_kernel_page(stack + i * PAGE_SIZE);
	tlb_flush_kernel(stack, stack + len);
	for (u64 i = 0; i < len / PAGE_SIZE; i++)
		frame_put(pa_frame(pages[i]));
}

static bool stack_map(vaddr_t stack)
{
	for (u64 done = 0; done < KSTACK_SIZE; done += PAGE_SIZE) {
		struct frame *f = frame_alloc(0, FRAME_STACK, 0);

		if (f && arch_map_kernel(stack + done, frame_pa(f), PAGE_SIZE) == 0)
			continue;
		if (f)
			frame_put(f);
		stack_unmap(stack, done);
		return false;
	}
	return true;
}

vaddr_t kstack_alloc(void)
{
	u64 flags = spin_lock_irqsave(&kstack_lock);
	vaddr_t stack = 0;
	u64 slot = NR_SLOTS;

	if (!list_empty(&kept)) {
		stack = (vaddr_t)kept.next;
		list_del(kept.next);
		nr_kept--;
	} else {
		slot = slot_take();
	}
	spin_unlock_irqrestore(&kstack_lock, flags);
	if (stack)
		return stack + KSTACK_SIZE;
	if (slot == NR_SLOTS)
		return 0;
	stack = slot_stack(slot);
	if (!stack_map(stack)) {
		slot_release(slot);
		return 0;
	}
	return stack + KSTACK_SIZE;
}

void kstack_free(vaddr_t top)
{
	vaddr_t stack = top - KSTACK_SIZE;
	u64 flags;
	bool keep;

	ASSERT(stack >= KVA_STACKS && stack < KVA_STACKS_END && (stack & (KSTACK_SIZE - 1)) == 0);
	flags = spin_lock_irqsave(&kstack_lock);
	keep = nr_kept < KEEP_MAX;
	if (keep) {
		list_add((struct list *)stack, &kept);
		nr_kept++;
	}
	spin_unlock_irqrestore(&kstack_lock, flags);
	if (keep)
		return;
	stack_unmap(stack, KSTACK_SIZE);
	slot_release((stack - KVA_STACKS) / KSTACK_SLOT);
}
