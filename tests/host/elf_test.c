// host-sources: kernel/proc/elf.c kernel/proc/script.c kernel/proc/pid_choose.c kernel/lib/index.c kernel/lib/bitmap.c
/* ELF headers and "#!" lines that are whole, cut short, or have flipped bits; and the order of process numbers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host_alloc.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "proc/elf.h"
#include "proc/pid.h"
#include "proc/script.h"

#define FILE_SIZE 0x3000
#define LIMIT     (1ul << 38)

static unsigned seed = 1;

static void put(u8 *at, u64 v, u32 bytes)
{
	memcpy(at, &v, bytes);
}

static void phdr(u8 *f, u32 i, u32 type, u32 flags, u64 offset, u64 vaddr, u64 filesz, u64 memsz)
{
	u8 *p = f + 64 + i * ELF_PHDR_SIZE;

	put(p, type, 4);
	put(p + 4, flags, 4);
	put(p + 8, offset, 8);
	put(p + 16, vaddr, 8);
	put(p + 32, filesz, 8);
	put(p + 40, memsz, 8);
	put(p + 48, 0x1000, 8);
}

/* A small program: text with the headers in it, data with bss, an interpreter, a stack note. */
static void good_file(u8 *f)
{
	static const u8 ident[] = {0x7f, 'E', 'L', 'F', 2, 1, 1};

	memset(f, 0, FILE_SIZE);
	memcpy(f, ident, sizeof(ident));
	put(f + 16, 2, 2);
	put(f + 18, 243, 2);
	put(f + 20, 1, 4);
	put(f + 24, 0x10100, 8);
	put(f + 32, 64, 8);
	put(f + 52, 64, 2);
	put(f + 54, ELF_PHDR_SIZE, 2);
	put(f + 56, 4, 2);
	phdr(f, 0, 3, 4, 0x200, 0x10200, 16, 16);
	phdr(f, 1, 1, 5, 0, 0x10000, 0x1800, 0x1800);
	phdr(f, 2, 1, 6, 0x1800, 0x12800, 0x800, 0x9000);
	phdr(f, 3, 0x6474e551, 6, 0, 0, 0, 0);
	memcpy(f + 0x200, "/lib/ld.so.1234", 16);
}

/* Whatever is accepted must be safe to map. */
static int parse(const u8 *file, size_t size, struct elf_image *img)
{
	size_t window = size < 1024 ? size : 1024;
	struct elf_header hdr;
	u8 *copy = malloc(window ? window : 1), *ph;
	int err;

	memcpy(copy, file, window); /* exact size: the sanitizer sees reads beyond it */
	err = elf_parse_header(copy, window, size, &hdr);
	free(copy);
	if (err)
		return err;
	ASSERT(hdr.nr_phdrs >= 1 && hdr.nr_phdrs <= ELF_MAX_PHDRS);
	ASSERT(hdr.phoff + hdr.nr_phdrs * ELF_PHDR_SIZE <= size);
	ph = malloc(hdr.nr_phdrs * ELF_PHDR_SIZE);
	memcpy(ph, file + hdr.phoff, hdr.nr_phdrs * ELF_PHDR_SIZE);
	err = elf_parse_segments(&hdr, ph, size, LIMIT, img);
	free(ph);
	if (err)
		return err;
	for (u32 i = 0; i < img->nr_segments; i++) {
		const struct elf_segment *s = &img->segments[i];

		ASSERT(s->memsz > 0 && s->filesz <= s->memsz && s->offset + s->filesz <= size);
		ASSERT(((s->vaddr ^ s->offset) & 4095) == 0 && s->vaddr + s->memsz < LIMIT);
		ASSERT(i == 0 || s->vaddr >= s[-1].vaddr + s[-1].memsz);
		ASSERT(s->vaddr >= img->low && s->vaddr + s->memsz <= img->high);
	}
	ASSERT(img->interp_len == 0 || img->interp_offset + img->interp_len <= size);
	ASSERT((img->align & (img->align - 1)) == 0 && img->align <= ELF_MAX_ALIGN);
	return 0;
}

static void test_elf(void)
{
	static u8 good[FILE_SIZE], bad[FILE_SIZE];
	struct elf_image img;
	u32 accepted = 0;

	good_file(good);
	ASSERT(parse(good, FILE_SIZE, &img) == 0);
	ASSERT(img.nr_segments == 2 && img.low == 0x10000 && img.high == 0x1c000);
	ASSERT(img.phdr_vaddr == 0x10040 && img.interp_len == 16 && !img.exec_stack);
	ASSERT(img.segments[1].prot == 3 && img.segments[0].prot == 5);
	for (size_t len = 0; len < FILE_SIZE; len += len < 0x400 ? 1 : 97)
		ASSERT(len >= 0x2000 ? parse(good, len, &img) == 0 : parse(good, len, &img) == -ENOEXEC);
	for (u32 round = 0; round < 20000; round++) {
		u32 flips = 1 + (u32)rand_r(&seed) % 4;

		memcpy(bad, good, FILE_SIZE);
		while (flips-- > 0)
			bad[(u32)rand_r(&seed) % 288] ^= (u8)(1u << (rand_r(&seed) % 8));
		accepted += parse(bad, FILE_SIZE, &img) == 0;
	}
	ASSERT(accepted > 1000 && accepted < 19000);
	printf("ok 1 elf: truncated and bit-flipped headers\n");
}

static void check_script(const char *text, int err, const char *interp, const char *arg)
{
	struct script s;
	int got = script_parse(text, strlen(text), &s);

	if (got != err || (!err && (strcmp(s.interp, interp) || strcmp(s.arg, arg))))
		panic("script \"%s\": %d, \"%s\", \"%s\"", text, got, s.interp, s.arg);
}

static void test_script(void)
{
	char text[600];
	struct script s;

	check_script("#!/bin/sh\n", 0, "/bin/sh", "");
	check_script("#! \t/bin/awk  -f  x \t\nmore", 0, "/bin/awk", "-f  x");
	check_script("#!/bin/sh", 0, "/bin/sh", "");
	check_script("#!\n", -ENOEXEC, "", "");
	check_script("#!   ", -ENOEXEC, "", "");
	check_script("#", -ENOEXEC, "", "");
	check_script("", -ENOEXEC, "", "");
	memset(text, 'a', sizeof(text));
	memcpy(text, "#!", 2);
	ASSERT(script_parse(text, sizeof(text), &s) == -ENOEXEC); /* the name is cut off */
	text[100] = ' ';
	ASSERT(script_parse(text, sizeof(text), &s) == 0 && strlen(s.interp) == 98);
	for (u32 round = 0; round < 20000; round++) {
		size_t len = (size_t)rand_r(&seed) % 300;
		char *exact = malloc(len + 1);

		for (size_t i = 0; i < len; i++)
			exact[i] = "#! \t\n\0/ax"[rand_r(&seed) % 9];
		if (len > 2 && (rand_r(&seed) & 1))
			memcpy(exact, "#!", 2);
		exact = realloc(exact, len ? len : 1);
		if (script_parse(exact, len, &s) == 0)
			ASSERT(s.interp[0] && strlen(s.interp) < SCRIPT_LINE_MAX && strlen(s.arg) < SCRIPT_LINE_MAX);
		free(exact);
	}
	printf("ok 2 script: interpreter lines\n");
}

static void test_pids(void)
{
	struct index ix = INDEX_INIT;
	int last = 1, nr, max = 1000;
	static int thing;

	ASSERT(index_set(&ix, 1, &thing) == 0);
	for (int want = 2; want < max; want++) {
		ASSERT(pid_choose(&ix, last, max, &nr) == 0 && nr == want);
		last = nr;
		if (nr % 3 == 0)
			ASSERT(index_set(&ix, (u64)nr, &thing) == 0);
	}
	/* The second round begins behind the reserved numbers, and skips those in use. */
	ASSERT(pid_choose(&ix, last, max, &nr) == 0 && nr == PID_RESERVED + 1);
	for (int i = 0; i < max; i++)
		ASSERT(index_set(&ix, (u64)i, &thing) == 0);
	ASSERT(pid_choose(&ix, 500, max, &nr) == -EAGAIN);
	index_erase(&ix, 400);
	ASSERT(pid_choose(&ix, 500, max, &nr) == 0 && nr == 400);
	index_destroy(&ix);
	printf("ok 3 pid: order of numbers\n");
}

int main(void)
{
	printf("KTAP version 1\n1..3\n");
	test_elf();
	test_script();
	test_pids();
	return 0;
}
