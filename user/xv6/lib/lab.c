/* The calls of the page-table work. */
#include "lib.h"

int ugetpid(void)
{
	return ((const volatile struct usyscall *)USYSCALL)->pid;
}

int pgaccess(void *va, int n, void *mask)
{
	if (n < 0 || !writable(mask, ((uint64)n + 7) / 8))
		return -1;
	return classic(call3(NR_pgaccess, va, n, mask));
}

/* ---- the page table as text (docs/abi.md) ---- */

struct text {
	int fd, n, at;
	char buf[256];
};

static int text_open(struct text *t)
{
	struct linux_rlimit limit, more;

	t->n = t->at = 0;
	call4(NR_prlimit64, 0, RLIMIT_NOFILE, 0, &limit);
	more = limit;
	more.soft = limit.hard < 64 ? limit.hard : 64;
	call4(NR_prlimit64, 0, RLIMIT_NOFILE, &more, 0);
	t->fd = (int)call4(NR_openat, FD_PROC, "self/pagetable", O_RDONLY, 0);
	call4(NR_prlimit64, 0, RLIMIT_NOFILE, &limit, 0);
	return t->fd;
}

static int text_char(struct text *t)
{
	if (t->at == t->n) {
		t->n = (int)call3(NR_read, t->fd, t->buf, sizeof(t->buf));
		t->at = 0;
		if (t->n <= 0)
			return t->n = 0;
	}
	return t->buf[t->at++];
}

/* One line of it: how deep (1 and up; 0 for the first line), which entry, what it holds. 0 at the end. */
static int text_line(struct text *t, int *depth, uint64 *index, uint64 *pte)
{
	int c = text_char(t), spaces = 0;

	if (!c)
		return 0;
	*depth = 0;
	*index = *pte = 0;
	for (; c == '.' || c == ' '; c = text_char(t))
		*depth += c == '.';
	*depth /= 2;
	for (; c >= '0' && c <= '9'; c = text_char(t))
		*index = *index * 10 + (uint64)(c - '0');
	/* INDEX: pte 0x...: the number follows the second space. */
	for (; c && c != '\n'; c = text_char(t)) {
		spaces += c == ' ';
		if (spaces == 2 && c != ' ' && c != 'x')
			*pte = *pte << 4 | (uint64)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	return 1;
}

static int table_depth(void)
{
	struct text t;
	uint64 index, pte;
	int depth, deepest = 0;

	if (text_open(&t) < 0)
		return 0;
	while (text_line(&t, &depth, &index, &pte))
		deepest = depth > deepest ? depth : deepest;
	call1(NR_close, t.fd);
	return deepest;
}

/* A page of the heap that is shared since a fork is writable for the program all the same, and is shown so. */
uint64 pgpte(void *va)
{
	uint64 page = (uint64)va >> PGSHIFT, at = 0, index, pte, found = 0;
	int depth, levels = table_depth();
	struct text t;

	if (!levels || text_open(&t) < 0)
		return 0;
	while (!found && text_line(&t, &depth, &index, &pte)) {
		int shift = 9 * (levels - depth);

		if (!depth)
			continue;
		at = (at >> (shift + 9) << (shift + 9)) | index << shift;
		if (PTE_LEAF(pte) && page >> shift == at >> shift)
			found = pte;
	}
	call1(NR_close, t.fd);
	if (found && (char *)va >= __stack_bottom && bytes_from(va))
		found |= PTE_W;
	return found;
}

void kpgtbl(void)
{
	struct text t;

	if (text_open(&t) < 0)
		return;
	while ((t.n = (int)call3(NR_read, t.fd, t.buf, sizeof(t.buf))) > 0)
		write(1, t.buf, t.n);
	call1(NR_close, t.fd);
}
