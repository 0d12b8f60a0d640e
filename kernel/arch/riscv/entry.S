/*
 * Trap entry and exit, and the context switch.
 *
 * sscratch is 0 while the kernel runs, and the current thread while user code
 * does; so one swap with tp tells where a trap came from. With isolate=1 it is the hart's slot
 * while user code runs, and trampoline.S comes before and after what is here (isolate.h).
 *
 * A user trap starts at the top of the thread's kernel stack. A kernel trap
 * goes on below sp, unless sp has left the stack (the lower half of a stack's slot is
 * not mapped): then it is reported on the hart's spare stack.
 */
#include "arch/riscv/csr.h"
#include "asm-offsets.h"

#define X(n) ((n) * 8) /* trapframe slot of register n; slot 0 is pc */

	/* All registers but sp, tp and t0. */
	.macro SAVE_MOST
	sd x1, X(1)(sp)
	sd x3, X(3)(sp)
	sd x6, X(6)(sp)
	sd x7, X(7)(sp)
	sd x8, X(8)(sp)
	sd x9, X(9)(sp)
	sd x10, X(10)(sp)
	sd x11, X(11)(sp)
	sd x12, X(12)(sp)
	sd x13, X(13)(sp)
	sd x14, X(14)(sp)
	sd x15, X(15)(sp)
	sd x16, X(16)(sp)
	sd x17, X(17)(sp)
	sd x18, X(18)(sp)
	sd x19, X(19)(sp)
	sd x20, X(20)(sp)
	sd x21, X(21)(sp)
	sd x22, X(22)(sp)
	sd x23, X(23)(sp)
	sd x24, X(24)(sp)
	sd x25, X(25)(sp)
	sd x26, X(26)(sp)
	sd x27, X(27)(sp)
	sd x28, X(28)(sp)
	sd x29, X(29)(sp)
	sd x30, X(30)(sp)
	sd x31, X(31)(sp)
	.endm

	/* The same and t0; sp and tp come last, by the user. */
	.macro LOAD_MOST
	ld x1, X(1)(sp)
	ld x3, X(3)(sp)
	ld x5, X(5)(sp)
	ld x6, X(6)(sp)
	ld x7, X(7)(sp)
	ld x8, X(8)(sp)
	ld x9, X(9)(sp)
	ld x10, X(10)(sp)
	ld x11, X(11)(sp)
	ld x12, X(12)(sp)
	ld x13, X(13)(sp)
	ld x14, X(14)(sp)
	ld x15, X(15)(sp)
	ld x16, X(16)(sp)
	ld x17, X(17)(sp)
	ld x18, X(18)(sp)
	ld x19, X(19)(sp)
	ld x20, X(20)(sp)
	ld x21, X(21)(sp)
	ld x22, X(22)(sp)
	ld x23, X(23)(sp)
	ld x24, X(24)(sp)
	ld x25, X(25)(sp)
	ld x26, X(26)(sp)
	ld x27, X(27)(sp)
	ld x28, X(28)(sp)
	ld x29, X(29)(sp)
	ld x30, X(30)(sp)
	ld x31, X(31)(sp)
	.endm

	.section .entry.text, "ax"
	/* From the trampoline: tp is the slot. Goes on as if the trap had come to trap_entry. */
	.balign 4
	.globl trap_entry_isolated
	.type trap_entry_isolated, @function
trap_entry_isolated:
	lla sp, trap_entry
	csrw stvec, sp
	ld sp, SLOT_USER_SP(tp)
	ld tp, SLOT_THREAD(tp)
	j trap_from_user_mode
	.size trap_entry_isolated, . - trap_entry_isolated

	.balign 4
	.globl trap_entry
	.type trap_entry, @function
trap_entry:
	csrrw tp, sscratch, tp
	beqz tp, trap_from_kernel
trap_from_user_mode:
	sd sp, THREAD_SCRATCH(tp)
	ld sp, THREAD_KERNEL_SP(tp)
	addi sp, sp, -TF_SIZE
	sd x5, X(5)(sp)
	SAVE_MOST
	ld t0, THREAD_SCRATCH(tp)
	csrrw t1, sscratch, zero
	csrr t2, scause
	csrr t3, sepc
	csrr t4, sstatus
	sd t0, X(2)(sp)
	sd t1, X(4)(sp)
	sd t2, TF_CAUSE(sp)
	sd t4, TF_STATUS(sp)
	li s0, 0                        /* where backtraces end */
	mv a0, sp
	li t5, CAUSE_ECALL_USER
	bne t2, t5, trap_from_user

	/* A system call returns behind the ecall. */
	addi t3, t3, 4
	sd t3, TF_PC(sp)
	ld t1, X(10)(sp)
	sd t1, TF_ORIG_A0(sp)
	csrsi sstatus, SSTATUS_SIE
	call syscall_dispatch

	.globl return_to_user
return_to_user:
	csrci sstatus, SSTATUS_SIE
return_irq_off:
	lw t0, THREAD_WORK(tp)
	bnez t0, return_work
return_plain:
	ld t0, TF_STATUS(sp)
	ld t1, TF_PC(sp)
	csrw sscratch, tp
	csrw sstatus, t0
	csrw sepc, t1
	LOAD_MOST
	ld tp, X(4)(sp)
	ld sp, X(2)(sp)
	sret

	/* The trampoline does the rest: the tables change, and then there is no stack. */
return_isolated:
	ld t0, TF_STATUS(sp)
	ld t1, TF_PC(sp)
	ld t2, THREAD_HART(tp)
	ld t3, X(4)(sp)
	ld t4, HART_ENTRY_SLOT(t2)
	sd t3, SLOT_USER_TP(t4)
	sd tp, SLOT_THREAD(t4)
	ld tp, HART_TRAMPOLINE(t2)
	csrw sscratch, t4
	csrw stvec, tp
	csrw sstatus, t0
	csrw sepc, t1
	LOAD_MOST
	ld sp, X(2)(sp)
	jr TRAMPOLINE_OUT(tp)

	/* t0: thread.work. What is to be done comes first, then the event, then the other way out. */
return_work:
	andi t1, t0, WORK_TO_DO
	bnez t1, return_busy
#if TRACE
	andi t1, t0, WORK_TRACE
	beqz t1, 1f
	mv a0, sp
	call trace_return
	lw t0, THREAD_WORK(tp)
1:
#endif
	andi t1, t0, WORK_ISOLATED
	bnez t1, return_isolated
	j return_plain
return_busy:
	csrsi sstatus, SSTATUS_SIE
	mv a0, sp
	call user_return_work
	j return_to_user

trap_from_user:
	csrr t1, stval
	sd t3, TF_PC(sp)
	sd t1, TF_TVAL(sp)
	call trap_user
	j return_irq_off
	.size trap_entry, . - trap_entry

	/* Below the frame lies a record like a function's, so that backtraces go through. */
#define KTF_SIZE (TF_SIZE + 16)

	.macro SAVE_KERNEL
	sd x4, X(4)(sp)
	sd x5, X(5)(sp)
	SAVE_MOST
	csrr t1, scause
	csrr t2, sepc
	csrr t3, stval
	li t4, SSTATUS_SUM              /* no trap handler reaches user memory by accident */
	csrrc t4, sstatus, t4
	sd t1, TF_CAUSE(sp)
	sd t2, TF_PC(sp)
	sd t3, TF_TVAL(sp)
	sd t4, TF_STATUS(sp)
	sd s0, (TF_SIZE + 0)(sp)
	sd t2, (TF_SIZE + 8)(sp)
	addi s0, sp, KTF_SIZE
	mv a0, sp
	.endm

	.balign 4
	.type trap_from_kernel, @function
trap_from_kernel:
	csrr tp, sscratch
	csrw sscratch, t0
	ld t0, THREAD_KERNEL_SP(tp)
	addi sp, sp, -KTF_SIZE
	addi t0, t0, -1
	sub t0, t0, sp
	srli t0, t0, KSTACK_LOG         /* 0 while sp is within the stack */
	bnez t0, trap_off_stack
	csrrw t0, sscratch, zero
	SAVE_KERNEL
	addi t1, sp, KTF_SIZE
	sd t1, X(2)(sp)
	call trap_kernel
	ld t0, TF_STATUS(sp)
	ld t1, TF_PC(sp)
	csrw sstatus, t0
	csrw sepc, t1
	LOAD_MOST
	ld sp, X(2)(sp)
	sret

trap_off_stack:
	addi sp, sp, KTF_SIZE
	sd sp, THREAD_SCRATCH(tp)
	ld t0, THREAD_HART(tp)
	ld sp, HART_SPARE_STACK(t0)
	addi sp, sp, -KTF_SIZE
	csrrw t0, sscratch, zero
	SAVE_KERNEL
	ld t1, THREAD_SCRATCH(tp)
	sd t1, X(2)(sp)
	call trap_overflow
	.size trap_from_kernel, . - trap_from_kernel

	/* struct thread *context_switch(struct thread *prev, struct thread *next) */
	.text
	.globl context_switch
	.type context_switch, @function
context_switch:
	sd ra, (THREAD_CTX + 0)(a0)
	sd sp, (THREAD_CTX + 8)(a0)
	sd s0, (THREAD_CTX + 16)(a0)
	sd s1, (THREAD_CTX + 24)(a0)
	sd s2, (THREAD_CTX + 32)(a0)
	sd s3, (THREAD_CTX + 40)(a0)
	sd s4, (THREAD_CTX + 48)(a0)
	sd s5, (THREAD_CTX + 56)(a0)
	sd s6, (THREAD_CTX + 64)(a0)
	sd s7, (THREAD_CTX + 72)(a0)
	sd s8, (THREAD_CTX + 80)(a0)
	sd s9, (THREAD_CTX + 88)(a0)
	sd s10, (THREAD_CTX + 96)(a0)
	sd s11, (THREAD_CTX + 104)(a0)
	ld ra, (THREAD_CTX + 0)(a1)
	ld sp, (THREAD_CTX + 8)(a1)
	ld s0, (THREAD_CTX + 16)(a1)
	ld s1, (THREAD_CTX + 24)(a1)
	ld s2, (THREAD_CTX + 32)(a1)
	ld s3, (THREAD_CTX + 40)(a1)
	ld s4, (THREAD_CTX + 48)(a1)
	ld s5, (THREAD_CTX + 56)(a1)
	ld s6, (THREAD_CTX + 64)(a1)
	ld s7, (THREAD_CTX + 72)(a1)
	ld s8, (THREAD_CTX + 80)(a1)
	ld s9, (THREAD_CTX + 88)(a1)
	ld s10, (THREAD_CTX + 96)(a1)
	ld s11, (THREAD_CTX + 104)(a1)
	/*
	 * A reservation that prev's lr made must not let next's sc succeed. An
	 * sc of our own drops it; what it may store goes to unused stack.
	 */
	addi t0, sp, -8
	sc.d t1, zero, (t0)
	mv tp, a1
	ret
	.size context_switch, . - context_switch

	/* Where a new thread's first switch returns to: s1(s2), and then to user mode. */
	.globl thread_entry
	.type thread_entry, @function
thread_entry:
	mv a0, s2
	jalr s1
	j return_to_user
	.size thread_entry, . - thread_entry

	/*
	 * void fp_regs_save(struct fpstate *) and fp_regs_load: the caller has turned
	 * the unit on. As raw encodings (fsd, fld), because the kernel is
	 * assembled for a machine without floating point.
	 */
	.globl fp_regs_save
	.type fp_regs_save, @function
fp_regs_save:
	.irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	.insn s 0x27, 3, x\n, (8*\n)(a0)
	.endr
	csrr t0, CSR_FCSR
	sw t0, FP_FCSR(a0)
	ret
	.size fp_regs_save, . - fp_regs_save

	.globl fp_regs_load
	.type fp_regs_load, @function
fp_regs_load:
	.irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	.insn i 0x07, 3, x\n, (8*\n)(a0)
	.endr
	lw t0, FP_FCSR(a0)
	csrw CSR_FCSR, t0
	ret
	.size fp_regs_load, . - fp_regs_load
