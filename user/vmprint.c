/*
 * vmprint - print the page table of a process.
 *
 * usage: vmprint [-l] [-k] [PID]
 *
 *   -l   after each entry, what it means: the address it covers, its size, its permission bits
 *   -k   the whole table, the kernel's half with it, where the kernel shows it
 *
 * Without PID, its own. The text without -l is exactly that of /proc/PID/pagetable.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "include/pagetable_text.h"

static const char *size_name(unsigned int shift)
{
	static const char *const names[] = {"4K", "2M", "1G", "512G", "256T"};

	return names[(shift - 12) / 9];
}

static void entry_print_long(const struct pt_text *pt, const struct pt_entry *e)
{
	static const char letters[] = "vrwxugad";
	char flags[9];

	for (int i = 0; i < 8; i++)
		flags[i] = e->pte >> i & 1 ? letters[i] : '-';
	flags[8] = 0;
	for (int i = 0; i < e->depth; i++)
		fputs(i ? " .." : "..", stdout);
	printf("%u: pte 0x%016lx pa 0x%016lx  va 0x%016lx %5s %s%s\n", e->index, e->pte, e->pa, e->va,
		size_name(pt_shift(pt, e->depth)), flags, pt_is_leaf(e) ? "" : " table");
}

static int print_long(const char *path)
{
	struct pt_text pt;

	if (pt_text_read(&pt, path) < 0) {
		fprintf(stderr, "vmprint: %s\n", pt.error);
		return 1;
	}
	printf("page table 0x%016lx\n", pt.root);
	for (size_t i = 0; i < pt.nr; i++)
		entry_print_long(&pt, &pt.entries[i]);
	pt_text_free(&pt);
	return 0;
}

static int print_plain(const char *path)
{
	char *text = file_read_all(path);

	if (!text) {
		fprintf(stderr, "vmprint: %s: %s\n", path, strerror(errno));
		return 1;
	}
	fputs(text, stdout);
	free(text);
	return 0;
}

static int usage(void)
{
	fputs("usage: vmprint [-l] [-k] [PID]\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	const char *file = "pagetable", *pid = "self";
	int detailed = 0, c;

	while ((c = getopt(argc, argv, "lk")) != -1) {
		if (c == 'l')
			detailed = 1;
		else if (c == 'k')
			file = "kpagetable";
		else
			return usage();
	}
	if (optind < argc)
		pid = argv[optind++];
	if (optind < argc || (strcmp(pid, "self") != 0 && pid[strspn(pid, "0123456789")]))
		return usage();

	char path[64];
	snprintf(path, sizeof(path), "/proc/%.20s/%s", pid, file);
	int status = detailed ? print_long(path) : print_plain(path);
	return fflush(stdout) == 0 ? status : 1;
}
