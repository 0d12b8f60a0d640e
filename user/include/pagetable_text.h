/*
 * Reads the text of /proc/PID/pagetable (and kpagetable) into an array of entries, strictly: a line that
 * differs from the format in one byte is an error with its number.
 *
 *	page table 0x0000000087f6e000
 *	..0: pte 0x0000000021fda801 pa 0x0000000087f6a000
 *	.. ..0: pte 0x0000000021fda401 pa 0x0000000087f69000
 *	.. .. ..16: pte 0x0000000021fdac1b pa 0x0000000087f6b000
 *
 * One ".." a level. The number of levels is not told: it is that of the deepest line, since every process
 * has a page of the smallest size (USYSCALL).
 */
#ifndef PAGETABLE_TEXT_H
#define PAGETABLE_TEXT_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PTE_V       0x001UL
#define PTE_R       0x002UL
#define PTE_W       0x004UL
#define PTE_X       0x008UL
#define PTE_U       0x010UL
#define PTE_G       0x020UL
#define PTE_A       0x040UL
#define PTE_D       0x080UL
#define PTE_LEAF    (PTE_R | PTE_W | PTE_X)
/* Physical page number: bits 53 to 10 (privileged specification, "Sv39 page table entry"). */
#define PTE_PA(pte) (((pte) >> 10 & ((1UL << 44) - 1)) << 12)

#define PT_MAX_LEVELS 5
#define PT_NR_ENTRIES 512

struct pt_entry {
	int depth; /* 1: in the root table */
	unsigned int index;
	uint64_t pte;
	uint64_t pa;
	uint64_t va; /* first address that the entry covers */
};

struct pt_text {
	uint64_t root;
	int nr_levels;
	size_t nr;
	struct pt_entry *entries; /* in the order of the text: by address */
	char error[256];          /* why pt_text_read() failed */
};

static inline unsigned int pt_shift(const struct pt_text *pt, int depth)
{
	return 12 + 9 * (unsigned int)(pt->nr_levels - depth);
}

static inline int pt_is_leaf(const struct pt_entry *entry)
{
	return (entry->pte & PTE_LEAF) != 0;
}

/* The whole of a file of unknown size, 0-terminated, to be freed; NULL with errno set. */
static inline char *file_read_all(const char *path)
{
	size_t size = 1 << 16, len = 0;
	char *text = malloc(size);
	ssize_t nr = -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	while (fd >= 0 && text && (nr = read(fd, text + len, size - len - 1)) > 0) {
		len += (size_t)nr;
		if (size - len < 4096) {
			char *larger = realloc(text, size *= 2);
			if (!larger)
				free(text);
			text = larger;
		}
	}
	if (fd >= 0)
		close(fd);
	if (text && nr == 0) {
		text[len] = 0;
		return text;
	}
	free(text);
	return NULL;
}

/* Parses one entry's line. The line is rendered again and compared, so nothing is passed over. */
static inline int pt_line_parse(const char *line, struct pt_entry *entry)
{
	char again[128];
	int len = 0, depth = 1;
	const char *p = line;

	if (strncmp(p, "..", 2) != 0)
		return -1;
	for (p += 2; strncmp(p, " ..", 3) == 0; p += 3)
		depth++;
	unsigned long pte, pa;
	if (depth > PT_MAX_LEVELS || sscanf(p, "%u: pte 0x%lx pa 0x%lx", &entry->index, &pte, &pa) != 3)
		return -1;
	for (int i = 0; i < depth; i++)
		len += sprintf(again + len, i ? " .." : "..");
	snprintf(again + len, sizeof(again) - (size_t)len, "%u: pte 0x%016lx pa 0x%016lx", entry->index, pte, pa);
	entry->depth = depth;
	entry->pte = pte;
	entry->pa = pa;
	return strcmp(line, again) == 0 && entry->index < PT_NR_ENTRIES ? 0 : -1;
}

/* Fills in the addresses, which need the number of levels. */
static inline void pt_addresses_set(struct pt_text *pt)
{
	uint64_t base[PT_MAX_LEVELS + 1] = {0};

	for (size_t i = 0; i < pt->nr; i++) {
		struct pt_entry *e = &pt->entries[i];
		unsigned int top = 12 + 9 * (unsigned int)pt->nr_levels;

		e->va = base[e->depth - 1] | (uint64_t)e->index << pt_shift(pt, e->depth);
		/* Addresses are sign-extended from the highest translated bit. */
		if (e->depth == 1 && top < 64 && (e->va >> (top - 1) & 1))
			e->va |= ~0UL << top;
		base[e->depth] = e->va;
	}
}

static inline void pt_text_free(struct pt_text *pt)
{
	free(pt->entries);
	pt->entries = NULL;
}

/* Reads and parses the file at `path`. Returns 0, or -1 with the reason in pt->error and nothing held. */
static inline int pt_text_read(struct pt_text *pt, const char *path)
{
	char *text = file_read_all(path), *next, again[64];
	int nr_line = 0;
	size_t room = 0;

	memset(pt, 0, sizeof(*pt));
	if (!text) {
		snprintf(pt->error, sizeof(pt->error), "%s: %m", path);
		return -1;
	}
	for (char *line = text; *line; line = next) {
		next = strchr(line, '\n');
		if (!next)
			goto bad_line;
		*next++ = 0;
		if (nr_line++ == 0) {
			if (sscanf(line, "page table 0x%lx", &pt->root) != 1)
				goto bad_line;
			snprintf(again, sizeof(again), "page table 0x%016lx", pt->root);
			if (strcmp(line, again) != 0)
				goto bad_line;
			continue;
		}
		if (pt->nr == room) {
			room = room ? room * 2 : 256;
			void *larger = realloc(pt->entries, room * sizeof(*pt->entries));
			if (!larger)
				goto bad_line;
			pt->entries = larger;
		}
		struct pt_entry *entry = &pt->entries[pt->nr];
		if (pt_line_parse(line, entry) < 0)
			goto bad_line;
		pt->nr++;
		if (entry->depth > pt->nr_levels)
			pt->nr_levels = entry->depth;
		continue;
bad_line:
		snprintf(pt->error, sizeof(pt->error), "%s: line %d is not in the format: %.60s", path, nr_line, line);
		free(text);
		pt_text_free(pt);
		return -1;
	}
	free(text);
	pt_addresses_set(pt);
	return 0;
}

/* The leaf that translates `va`, or NULL. */
static inline const struct pt_entry *pt_find(const struct pt_text *pt, const volatile void *va)
{
	for (size_t i = 0; i < pt->nr; i++) {
		const struct pt_entry *e = &pt->entries[i];

		if (pt_is_leaf(e) && ((uint64_t)(uintptr_t)va - e->va) >> pt_shift(pt, e->depth) == 0)
			return e;
	}
	return NULL;
}

#endif
