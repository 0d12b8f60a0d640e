/* The first instructions of a program: its stack is made ready on the one that Linux gave, then main() runs. */
	.section .text.start, "ax"
	.globl _start
_start:
	mv	a0, sp
	call	begin
	/* a0: where argc's argument pointers lie, and the top of what main() may use */
	mv	sp, a0
	mv	a1, a0
	la	a0, begin_argc
	lw	a0, 0(a0)
	li	s0, 0
	call	main
	li	a0, 0
	call	exit
	.section .note.GNU-stack, "", @progbits
