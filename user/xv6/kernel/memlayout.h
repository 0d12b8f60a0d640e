/*
 * Addresses by their classic names. Physical ones belong to the board that the classic kernel runs on; a program uses
 * them only to see that it cannot reach them.
 *
 * TRAPFRAME is where a process's own memory must end: the first page of the kernel's below MAXVA. On Vitrine that
 * page is USYSCALL.
 */
#ifndef XV6_MEMLAYOUT_H
#define XV6_MEMLAYOUT_H

#define UART0       0x10000000L
#define UART0_IRQ   10
#define VIRTIO0     0x10001000L
#define VIRTIO0_IRQ 1
#define CLINT       0x2000000L
#define PLIC        0x0c000000L
#define KERNBASE    0x80000000L
#define PHYSTOP     (KERNBASE + 128 * 1024 * 1024)

#define TRAMPOLINE (MAXVA - PGSIZE)
#define USYSCALL   (TRAMPOLINE - 2 * PGSIZE)
#define TRAPFRAME  USYSCALL
#define KSTACK(p)  (TRAMPOLINE - ((p) + 1) * 2 * PGSIZE)

struct usyscall {
	int pid;
};

#endif
