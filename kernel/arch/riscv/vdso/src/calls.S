/* The parts of the vDSO that are system calls after all. Numbers: Linux riscv64. */

	/* Unwinders know a signal frame by exactly these two instructions. */
	.section .text.sigreturn, "ax"
	.balign 4
	.globl __vdso_rt_sigreturn
	.type __vdso_rt_sigreturn, @function
__vdso_rt_sigreturn:
	.option push
	.option norvc
	li a7, 139
	ecall
	.option pop
	.size __vdso_rt_sigreturn, . - __vdso_rt_sigreturn

	.text
	.macro CALL name, nr
	.balign 4
	.globl \name
	.type \name, @function
\name:
	li a7, \nr
	ecall
	ret
	.size \name, . - \name
	.endm

	CALL __vdso_clock_getres, 114
	CALL __vdso_getcpu, 168
	CALL __vdso_flush_icache, 259
