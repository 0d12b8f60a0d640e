/*
 * pagetable_spin - prints its own page table, says so, and then computes without entering the kernel, so that the driver can
 * ask QEMU for its view of the same table in the meantime.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static char text[1 << 20];
static char big[3 << 20];

static unsigned long ticks(void)
{
	unsigned long t;

	__asm__ volatile("rdtime %0" : "=r"(t));
	return t;
}

int main(void)
{
	int fd = open("/proc/self/pagetable", O_RDONLY);
	long n = 0, r;
	char *p = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	volatile unsigned long work = 0;

	memset(text, 0, sizeof(text));
	memset(big, 1, sizeof(big));
	p[0] = p[5 << 12] = 1;
	mprotect(p, 4096, PROT_READ);
	while (fd >= 0 && (r = read(fd, text + n, sizeof(text) - n)) > 0)
		n += r;
	for (long done = 0; done < n; done += r)
		if ((r = write(1, text + done, n - done)) <= 0)
			return 1;
	if (write(1, "spinning\n", 9) != 9)
		return 1;
	for (unsigned long end = ticks() + 10000000UL * 8; ticks() < end;) /* 8 s at QEMU's 10 MHz */
		work += p[0];
	return 0;
}
