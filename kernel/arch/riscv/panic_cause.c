/*
 * One sentence of cause for a trap of the kernel's own, for the panic report. The first that holds counts.
 *
 *	trap, address                                     sentence
 *	illegal instruction, breakpoint                   what lies at pc is not code that was meant to run
 *	access fault, misaligned access                   nothing answers there; not a multiple of the operand's size
 *	page fault, 0 … 4095; fetch, 0, other             a null function pointer, a null pointer, the field at that offset of one
 *	  the last 4095 addresses                         an error number was used as a pointer
 *	  near a poison pattern                           something was used that had been given back
 *	  between the halves                              a damaged pointer
 *	  below user_end                                  user memory, outside the functions that copy from and to it; fetch: a jump there
 *	  stacks                                          the guard below a stack, or a stack that was given back
 *	  mapped, store; text, constants, other           the kernel wrote to its own text or constants
 *	  mapped, fetch                                   the kernel jumped into data
 *	  mapped, allowed                                 a translation that was kept too long
 *	  direct map, frame array, devices, image         what is missing there
 */
#include "arch/riscv/arch.h"
#include "arch/riscv/boot.h"
#include "arch/riscv/csr.h"
#include "arch/riscv/layout.h"
#include "arch/riscv/pte.h"
#include "arch/riscv/trap.h"
#include "lib/printf.h"

#define POISON_SLAB  0x6b6b6b6b6b6b6b6bul /* mm/slab.c */
#define POISON_FRAME 0xa5a5a5a5a5a5a5a5ul /* mm/frame.c */
#define POISON_REACH 65536ul              /* so far behind a freed pointer a field may lie */
#define MAX_ERRNO    4095ul

static bool near(vaddr_t va, u64 pattern)
{
	return va - pattern < POISON_REACH || pattern - va < POISON_REACH;
}

/* Of addresses that are wrong by themselves. */
static const char *bad_pointer(const struct trapframe *tf, char *buf, size_t size)
{
	vaddr_t va = tf->tval;
	bool fetch = tf->cause == CAUSE_FETCH_PAGE;

	if (va < PAGE_SIZE && fetch)
		return "A NULL function pointer was called.";
	if (va == 0)
		return "A NULL pointer was used.";
	if (va < PAGE_SIZE) {
		scnprintf(buf, size, "The field at offset %lu of a NULL pointer was used.", va);
		return buf;
	}
	if (-va <= MAX_ERRNO) {
		scnprintf(buf, size, "An error number, -%lu or one near it, was used as a pointer.", -va);
		return buf;
	}
	if (near(va, POISON_SLAB))
		return "A pointer in a kernel object that had been given back was used (slab poison).";
	if (near(va, POISON_FRAME))
		return "A pointer in a page that had been given back was used (frame poison).";
	if (va < user_end)
		return fetch ? "The kernel jumped to a user address: a damaged function pointer or return address."
			     : "User memory was touched outside the functions that copy from and to it.";
	return va < KVA_START ? "A pointer is damaged or was never set: it is in neither half of the address space."
			      : NULL;
}

static bool in_image(vaddr_t va, const u8 *start, const u8 *end)
{
	return va >= (vaddr_t)start && va < (vaddr_t)end;
}

/* Of addresses that the kernel's table maps. */
static const char *forbidden(const struct trapframe *tf, u64 pte)
{
	paddr_t pa = pte_pa(pte);

	if (tf->cause == CAUSE_STORE_PAGE && !(pte & PTE_W)) {
		if (pa >= image_to_phys(_text_start) && pa < image_to_phys(_text_end))
			return "The kernel wrote to its own text, which is read-only by every way to it.";
		return "The kernel wrote to its own constants, which are read-only by every way to them.";
	}
	if (tf->cause == CAUSE_FETCH_PAGE && !(pte & PTE_X))
		return "The kernel jumped into data, which is not executable: a damaged function pointer or return "
		       "address.";
	if (tf->cause == CAUSE_LOAD_PAGE && !(pte & PTE_R))
		return "The kernel read what it may only execute.";
	return "The table allows the access: this hart used an older translation, one that a flush has missed.";
}

/* Of addresses of the kernel half that are not mapped. */
static const char *missing(vaddr_t va, char *buf, size_t size)
{
	if (in_image(va, boot_stack_guard, boot_stack_guard + PAGE_SIZE))
		return "The boot stack overflowed into its guard page.";
	if (va >= KVA_IMAGE)
		return "Nothing of the kernel's image is mapped there.";
	if (va >= KVA_DEVICES)
		return "No device register is mapped there.";
	if (va >= KVA_STACKS)
		return (va - KVA_STACKS) % KSTACK_SLOT < KSTACK_SLOT - KSTACK_SIZE
			? "The guard below a kernel stack was touched: the stack overflowed, or a pointer into it ran "
			  "too far."
			: "A kernel stack that had been given back was used.";
	if (va >= KVA_FRAMES)
		return "There is no such frame in the array of frames: a page number or a pointer is damaged.";
	scnprintf(buf, size, "The direct map has no physical address 0x%lx: it is not RAM, or it is set aside.",
		va - KVA_DIRECT);
	return buf;
}

const char *panic_cause(const struct trapframe *tf, u64 pte, char *buf, size_t size)
{
	const char *said;

	switch (tf->cause) {
	case CAUSE_ILLEGAL:
		return "What lies at pc is no instruction: the kernel jumped there by mistake, or came where it never "
		       "should.";
	case CAUSE_BREAKPOINT:
		return "The kernel ran into a breakpoint instruction, which the compiler puts where it never comes.";
	case CAUSE_FETCH_ACCESS:
	case CAUSE_LOAD_ACCESS:
	case CAUSE_STORE_ACCESS: return "No memory and no device answers at the physical address behind this one.";
	case CAUSE_FETCH_MISALIGNED:
	case CAUSE_LOAD_MISALIGNED:
	case CAUSE_STORE_MISALIGNED: return "The address is not a multiple of the operand's size.";
	case CAUSE_FETCH_PAGE:
	case CAUSE_LOAD_PAGE:
	case CAUSE_STORE_PAGE: break;
	default: return NULL;
	}
	said = bad_pointer(tf, buf, size);
	if (said)
		return said;
	return pte ? forbidden(tf, pte) : missing(tf->tval, buf, size);
}
