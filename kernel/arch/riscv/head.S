/*
 * The first instructions. A RISC-V boot image header makes the flat image
 * loadable by other loaders; its first word jumps over it.
 *
 * Entry (boot hart): MMU off, S-mode, a0 = hart id, a1 = physical address of
 * the device tree. Everything up to the write of satp uses addresses relative to
 * pc only, so the image may lie at any address that is a multiple of 2 MiB.
 *
 * The MMU is turned on without an identity mapping: stvec holds the virtual
 * address of the next step, so the fetch that follows the write of satp, which
 * finds nothing at its physical address, "traps" there.
 */
#include "asm-offsets.h"

	.section .head.text, "ax"
	.balign 4
	.globl _start
_start:
	j boot_hart_start
	.balign 4
	.word 0
	.dword 0x200000                 /* load offset from the start of RAM */
	.dword _kernel_end - _start
	.dword 0                        /* flags: little endian */
	.word 2                         /* header version 0.2 */
	.word 0
	.dword 0
	.ascii "RISCV\0\0\0"
	.ascii "RSC\x05"
	.word 0

	/*
	 * OpenSBI before 1.2 may send a hart that is being started here, to the address it kept for it from boot,
	 * instead of to secondary_start: it marks the hart as started before it writes the address. Whoever is not the
	 * first here is such a hart, and what it needs is in place: its starter filled it in before the call.
	 */
boot_hart_start:
	csrw sie, zero
	la t0, boot_entered
	li t1, 1
	amoswap.w.aqrl t1, t1, (t0)
	bnez t1, secondary_start
	rdinstret s3
	mv s1, a0
	mv s2, a1
	la t0, _bss_start
	la t1, _bss_end
1:	sd zero, 0(t0)
	sd zero, 8(t0)
	sd zero, 16(t0)
	sd zero, 24(t0)
	sd zero, 32(t0)
	sd zero, 40(t0)
	sd zero, 48(t0)
	sd zero, 56(t0)
	addi t0, t0, 64
	bltu t0, t1, 1b

	la sp, boot_stack_top
	call early_map
	la t0, image_shift
	ld t0, 0(t0)
	add sp, sp, t0
	la t1, 2f
	add t1, t1, t0
	csrw stvec, t1
	sfence.vma
	csrw satp, a0
	.balign 4
2:	la t0, trap_entry
	csrw stvec, t0
	csrw sscratch, zero
	la tp, boot_task
	rdcycle t0
	li t1, 0x9e3779b97f4a7c15
	mul t0, t0, t1
	sd t0, THREAD_CANARY(tp)
	sd sp, THREAD_KERNEL_SP(tp)
	li s0, 0                        /* where backtraces end */
	mv a0, s1
	mv a1, s2
	mv a2, s3
	call boot_main
3:	wfi
	j 3b

	.balign 4
	.globl secondary_start
secondary_start:
	csrw sie, zero
	la a1, secondary_boot           /* not the firmware's argument: the same race */
	ld tp, SECONDARY_THREAD(a1)
	ld sp, SECONDARY_SP(a1)
	ld t0, SECONDARY_SHIFT(a1)
	ld a2, SECONDARY_SATP(a1)
	la t1, 1f
	add t1, t1, t0
	csrw stvec, t1
	sfence.vma
	csrw satp, a2
	.balign 4
1:	la t0, trap_entry
	csrw stvec, t0
	csrw sscratch, zero
	li s0, 0
	call secondary_main
	j 3b

	.section .data
	.balign 4
boot_entered:                           /* not in .bss, which the first hart clears */
	.word 0

	/* The page below the boot stack is left out of the final page table. */
	.section .bss.page_aligned, "aw", @nobits
	.balign 4096
	.globl boot_stack_guard, boot_stack_top, boot_spare_stack_top, boot_task
boot_stack_guard:
	.zero 4096
	.zero KSTACK_BYTES
boot_stack_top:
	.zero 8192
boot_spare_stack_top:
boot_task:
	.zero 4096
