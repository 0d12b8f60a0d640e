/*
 * What Vitrine offers beyond the Linux system calls. Linux has none of this: the functions that enter
 * the kernel fail there with ENOSYS, and the USYSCALL page is not mapped.
 */
#ifndef VITRINE_H
#define VITRINE_H

#include <sys/syscall.h>
#include <unistd.h>

/*
 * A page of the kernel's, readable and not writable, at one address in every process and every paging
 * mode. It belongs to the process: a fork has its own from the start.
 */
#define USYSCALL 0x3fffffd000UL

struct usyscall {
	int pid;
};

/* getpid() without entering the kernel. */
static inline int ugetpid(void)
{
	return ((const volatile struct usyscall *)USYSCALL)->pid;
}

#define SYS_pgaccess 0x2000

/*
 * Which of the `n` pages from `va` were accessed since the last call that reported them: bit i of the
 * bitmap at `mask` for page i, lowest bit first, (n + 7) / 8 bytes. Unmapped pages read 0. What the
 * kernel did on this process's behalf counts. Returns 0, or -1 with errno: EINVAL for a range that is
 * none or too long, EFAULT for a bad `mask`; then nothing is cleared.
 */
static inline int pgaccess(void *va, int n, void *mask)
{
	return (int)syscall(SYS_pgaccess, va, n, mask);
}

#endif
