/*
 * Bulk copies between kernel and user memory. One body serves both directions:
 * one of the two sides is the kernel's and never faults. The contract is in
 * usercopy.h.
 *
 * copy_body: a0 destination, a1 source, a2 bytes; returns bytes not copied.
 * A fault in a block of words restarts from the block's beginning byte by byte,
 * so the count is exact; a fault in the byte loop ends it.
 */
#include "arch/riscv/csr.h"
#include "arch/riscv/extable.h"

	.macro U fixup, insn:vararg
9:	\insn
	EX_TABLE 9b, \fixup
	.endm

	.text
	/* Fails with all bytes left unless [\addr, \addr + a2) is in the user half. */
	.macro RANGE_CHECK addr
	la t0, user_end
	ld t0, 0(t0)
	bgtu a2, t0, copy_nothing
	sub t0, t0, a2
	bgtu \addr, t0, copy_nothing
	.endm

	/* 64 bytes at an offset into both sides. */
	.macro COPY_64 base
	U copy_bytes, ld a3, (\base + 0)(a1)
	U copy_bytes, ld a4, (\base + 8)(a1)
	U copy_bytes, ld a5, (\base + 16)(a1)
	U copy_bytes, ld a7, (\base + 24)(a1)
	U copy_bytes, ld t3, (\base + 32)(a1)
	U copy_bytes, ld t4, (\base + 40)(a1)
	U copy_bytes, ld t5, (\base + 48)(a1)
	U copy_bytes, ld t6, (\base + 56)(a1)
	U copy_bytes, sd a3, (\base + 0)(a0)
	U copy_bytes, sd a4, (\base + 8)(a0)
	U copy_bytes, sd a5, (\base + 16)(a0)
	U copy_bytes, sd a7, (\base + 24)(a0)
	U copy_bytes, sd t3, (\base + 32)(a0)
	U copy_bytes, sd t4, (\base + 40)(a0)
	U copy_bytes, sd t5, (\base + 48)(a0)
	U copy_bytes, sd t6, (\base + 56)(a0)
	.endm

	.globl user_copy_in
	.type user_copy_in, @function
user_copy_in:
	RANGE_CHECK a1
	j copy_body
	.size user_copy_in, . - user_copy_in

	.globl user_copy_out
	.type user_copy_out, @function
user_copy_out:
	RANGE_CHECK a0
	.size user_copy_out, . - user_copy_out

	.type copy_body, @function
copy_body:
	li a6, SSTATUS_SUM
	csrs sstatus, a6
	li t0, 16
	bltu a2, t0, copy_bytes
	/* The destination becomes aligned first. */
	andi t1, a0, 7
	beqz t1, 2f
	li t0, 8
	sub t1, t0, t1
	sub a2, a2, t1
	add t1, a0, t1
1:	U copy_head_fault, lbu t0, 0(a1)
	U copy_head_fault, sb t0, 0(a0)
	addi a1, a1, 1
	addi a0, a0, 1
	bltu a0, t1, 1b
2:	andi t1, a1, 7
	bnez t1, copy_shifted
	li t1, 256
	bltu a2, t1, 8f
3:	.irp base, 0, 64, 128, 192
	COPY_64 \base
	.endr
	addi a1, a1, 256
	addi a0, a0, 256
	addi a2, a2, -256
	bgeu a2, t1, 3b
8:	li t1, 64
	bltu a2, t1, 4f
10:	COPY_64 0
	addi a1, a1, 64
	addi a0, a0, 64
	addi a2, a2, -64
	bgeu a2, t1, 10b
4:	li t1, 8
	bltu a2, t1, copy_bytes
5:	U copy_bytes, ld a3, 0(a1)
	U copy_bytes, sd a3, 0(a0)
	addi a1, a1, 8
	addi a0, a0, 8
	addi a2, a2, -8
	bgeu a2, t1, 5b

copy_bytes:
	beqz a2, copy_done
6:	U copy_done, lbu t0, 0(a1)
	U copy_done, sb t0, 0(a0)
	addi a1, a1, 1
	addi a0, a0, 1
	addi a2, a2, -1
	bnez a2, 6b
copy_done:
	csrc sstatus, a6
copy_nothing:
	mv a0, a2
	ret

	/* In the head, a2 has already lost the whole head. */
copy_head_fault:
	sub t1, t1, a0
	add a2, a2, t1
	j copy_done

	/*
	 * The source is not aligned like the destination: whole aligned words are
	 * loaded and shifted together. They never reach into a page that holds none
	 * of the bytes asked for.
	 */
copy_shifted:
	slli t1, t1, 3                  /* bits of the first word that come before a1 */
	neg t2, t1                      /* shifts use the low six bits: 64 - t1 */
	andi t3, a1, -8
	U copy_bytes, ld t4, 0(t3)
	li t0, 8
	bltu a2, t0, copy_bytes
7:	U copy_bytes, ld t5, 8(t3)
	srl t4, t4, t1
	sll t6, t5, t2
	or t4, t4, t6
	U copy_bytes, sd t4, 0(a0)
	mv t4, t5
	addi t3, t3, 8
	addi a1, a1, 8
	addi a0, a0, 8
	addi a2, a2, -8
	bgeu a2, t0, 7b
	j copy_bytes
	.size copy_body, . - copy_body

	/* user_clear: a0 address, a1 bytes. */
	.globl user_clear
	.type user_clear, @function
user_clear:
	mv a2, a1
	RANGE_CHECK a0
	li a6, SSTATUS_SUM
	csrs sstatus, a6
	li t0, 16
	bltu a2, t0, clear_bytes
1:	andi t1, a0, 7
	beqz t1, 2f
	U copy_done, sb zero, 0(a0)
	addi a0, a0, 1
	addi a2, a2, -1
	j 1b
2:	li t1, 64
	bltu a2, t1, 4f
3:	U clear_bytes, sd zero, 0(a0)
	U clear_bytes, sd zero, 8(a0)
	U clear_bytes, sd zero, 16(a0)
	U clear_bytes, sd zero, 24(a0)
	U clear_bytes, sd zero, 32(a0)
	U clear_bytes, sd zero, 40(a0)
	U clear_bytes, sd zero, 48(a0)
	U clear_bytes, sd zero, 56(a0)
	addi a0, a0, 64
	addi a2, a2, -64
	bgeu a2, t1, 3b
4:	li t1, 8
	bltu a2, t1, clear_bytes
5:	U clear_bytes, sd zero, 0(a0)
	addi a0, a0, 8
	addi a2, a2, -8
	bgeu a2, t1, 5b
clear_bytes:
	beqz a2, copy_done
6:	U copy_done, sb zero, 0(a0)
	addi a0, a0, 1
	addi a2, a2, -1
	bnez a2, 6b
	j copy_done
	.size user_clear, . - user_clear

	/*
	 * user_strncpy: a0 destination, a1 source, a2 room. Eight bytes at a time
	 * where both are aligned; an aligned word never crosses into another page.
	 */
#define EFAULT_RESULT -14
#define ENAMETOOLONG_RESULT -36
	.globl user_strncpy
	.type user_strncpy, @function
user_strncpy:
	la t0, user_end
	ld t0, 0(t0)
	bgeu a1, t0, strncpy_bad
	sub t1, t0, a1                  /* bytes up to the end of the user half */
	li a5, ENAMETOOLONG_RESULT
	bleu a2, t1, 1f
	mv a2, t1                       /* running out of these is a fault, not a long name */
	li a5, EFAULT_RESULT
1:	li a6, SSTATUS_SUM
	csrs sstatus, a6
	mv t2, a0
	add a4, a0, a2                  /* end of the destination */
	xor t3, a0, a1
	andi t3, t3, 7
	bnez t3, strncpy_bytes
	li a7, 0x0101010101010101
	slli t4, a7, 7                  /* 0x8080… */
2:	andi t3, a0, 7
	bnez t3, 3f
	/* Aligned: whole words while there is room and no NUL in them. */
4:	addi t3, a0, 8
	bgtu t3, a4, strncpy_bytes
	U strncpy_fault, ld t5, 0(a1)
	sub t6, t5, a7
	not t0, t5
	and t6, t6, t0
	and t6, t6, t4
	bnez t6, strncpy_bytes
	sd t5, 0(a0)
	addi a1, a1, 8
	mv a0, t3
	j 4b
3:	bgeu a0, a4, strncpy_full
	U strncpy_fault, lbu t5, 0(a1)
	sb t5, 0(a0)
	beqz t5, strncpy_end
	addi a1, a1, 1
	addi a0, a0, 1
	j 2b
strncpy_bytes:
	bgeu a0, a4, strncpy_full
	U strncpy_fault, lbu t5, 0(a1)
	sb t5, 0(a0)
	beqz t5, strncpy_end
	addi a1, a1, 1
	addi a0, a0, 1
	j strncpy_bytes
strncpy_end:
	csrc sstatus, a6
	sub a0, a0, t2
	ret
strncpy_full:
	csrc sstatus, a6
	mv a0, a5
	ret
strncpy_fault:
	csrc sstatus, a6
strncpy_bad:
	li a0, EFAULT_RESULT
	ret
	.size user_strncpy, . - user_strncpy
