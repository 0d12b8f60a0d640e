/*
 * The crossing between the two tables of isolate=1 (isolate.h): the only code that user mode's table maps. It runs at a
 * user address, alone in its page, so that nothing else of the kernel can be seen there.
 *
 * sscratch is the hart's slot, in either table at the same address. Both ways leave with all registers as they came,
 * but for sp and tp on the way in: the slot keeps the user's sp, sscratch the user's tp.
 */
#include "asm-offsets.h"

	.macro TRAMPOLINE flush:vararg
	csrrw tp, sscratch, tp
	sd sp, SLOT_USER_SP(tp)
	ld sp, SLOT_KERNEL_SATP(tp)
	csrw satp, sp
	\flush
	ld sp, SLOT_ENTER(tp)
	jr sp
	.endm

	.macro TRAMPOLINE_EXIT flush:vararg
	csrr tp, sscratch
	ld tp, SLOT_USER_SATP(tp)
	csrw satp, tp
	\flush
	csrr tp, sscratch
	ld tp, SLOT_USER_TP(tp)
	sret
	.endm

	/* The address in stvec; the way out lies TRAMPOLINE_OUT behind it. */
	.section .trampoline.text, "ax"
	.balign 64
	.globl trampoline
	.type trampoline, @function
trampoline:
	TRAMPOLINE
	.org trampoline + TRAMPOLINE_OUT
	TRAMPOLINE_EXIT
	.size trampoline, . - trampoline

	/* For a machine without ASIDs: nothing cached on one side may serve the other. */
	.balign 64
	.globl trampoline_flushing
	.type trampoline_flushing, @function
trampoline_flushing:
	TRAMPOLINE sfence.vma
	.org trampoline_flushing + TRAMPOLINE_OUT
	TRAMPOLINE_EXIT sfence.vma
	.size trampoline_flushing, . - trampoline_flushing
