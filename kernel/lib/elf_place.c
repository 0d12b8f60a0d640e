#include "lib/elf_place.h"

#include "lib/errno.h"
#include "lib/string.h"

#define EHDR_SIZE    64
#define PHDR_SIZE    56
#define SHDR_SIZE    64
#define SYM_SIZE     24
#define MAX_PHDRS    64
#define MAX_SECTIONS 512
#define UNSIZED_MAX  256 /* bytes that a function without a size is believed to have */

#define MACHINE_RISCV 243
#define PT_LOAD       1

enum { SHT_PROGBITS = 1, SHT_SYMTAB = 2, SHT_STRTAB = 3, SHT_DYNSYM = 11 };
#define SHF_COMPRESSED 0x800u

enum { STT_FUNC = 2, STT_GNU_IFUNC = 10 };
enum { STB_GLOBAL = 1 };

struct header {
	u64 phoff, shoff;
	u32 nr_phdrs, nr_sections, names; /* names: section that has the sections' names */
};

struct section {
	u32 name, type;
	u64 flags, offset, size;
	u32 link;
};

struct sections {
	struct section symtab, dynsym; /* type 0: none */
	struct dwarf_sections dwarf;
};

static bool header_read(struct cursor *c, struct header *h)
{
	static const u8 ident[6] = {0x7f, 'E', 'L', 'F', 2 /* 64 bits */, 1 /* little-endian */};

	cursor_set(c, 0, EHDR_SIZE);
	for (u32 i = 0; i < sizeof(ident); i++) {
		if (cursor_u8(c) != ident[i])
			return false;
	}
	cursor_skip(c, 12);
	if (cursor_u16(c) != MACHINE_RISCV)
		return false;
	cursor_skip(c, 12);
	h->phoff = cursor_u64(c);
	h->shoff = cursor_u64(c);
	cursor_skip(c, 6);
	if (cursor_u16(c) != PHDR_SIZE)
		return false;
	h->nr_phdrs = cursor_u16(c);
	if (cursor_u16(c) != SHDR_SIZE)
		h->shoff = 0;
	h->nr_sections = cursor_u16(c);
	h->names = cursor_u16(c);
	if (!h->shoff || h->nr_sections > MAX_SECTIONS)
		h->nr_sections = 0;
	return !c->bad && h->nr_phdrs <= MAX_PHDRS;
}

/* The address that the file gives to its byte at `off`. */
static bool address_of(struct cursor *c, const struct header *h, u64 off, u64 *addr)
{
	cursor_set(c, h->phoff, (u64)h->nr_phdrs * PHDR_SIZE);
	for (u32 i = 0; i < h->nr_phdrs && !c->bad; i++) {
		u32 type = cursor_u32(c);
		u64 start, vaddr, size;

		cursor_skip(c, 4);
		start = cursor_u64(c);
		vaddr = cursor_u64(c);
		cursor_skip(c, 8);
		size = cursor_u64(c);
		cursor_skip(c, 16);
		if (!c->bad && type == PT_LOAD && off >= start && off - start < size) {
			*addr = vaddr + (off - start);
			return true;
		}
	}
	return false;
}

static bool section_read(struct cursor *c, const struct header *h, u32 i, struct section *s)
{
	if (i >= h->nr_sections)
		return false;
	cursor_set(c, h->shoff, (u64)h->nr_sections * SHDR_SIZE);
	cursor_skip(c, (u64)i * SHDR_SIZE);
	s->name = cursor_u32(c);
	s->type = cursor_u32(c);
	s->flags = cursor_u64(c);
	cursor_skip(c, 8);
	s->offset = cursor_u64(c);
	s->size = cursor_u64(c);
	s->link = cursor_u32(c);
	return !c->bad;
}

static void dwarf_section(struct dwarf_sections *d, const struct section *s, const char *name)
{
	struct dwarf_range range = {s->offset, s->size};

	if (s->flags & SHF_COMPRESSED)
		return;
	if (strcmp(name, ".debug_line") == 0)
		d->line = range;
	else if (strcmp(name, ".debug_line_str") == 0)
		d->line_str = range;
	else if (strcmp(name, ".debug_str") == 0)
		d->str = range;
}

static void sections_find(struct elf_place_work *w, const struct header *h, struct sections *out)
{
	struct section s, names;
	char name[24];

	memset(out, 0, sizeof(*out));
	if (!section_read(&w->tables, h, h->names, &names))
		names.size = 0;
	for (u32 i = 0; section_read(&w->tables, h, i, &s); i++) {
		if (s.type == SHT_SYMTAB) {
			out->symtab = s;
		} else if (s.type == SHT_DYNSYM) {
			out->dynsym = s;
		} else if (s.type == SHT_PROGBITS && names.size) {
			cursor_set(&w->strings, names.offset, names.size);
			cursor_skip(&w->strings, s.name);
			cursor_string(&w->strings, name, sizeof(name));
			dwarf_section(&out->dwarf, &s, name);
		}
	}
}

/* ---- functions ---- */

struct function {
	u32 name;
	u64 start;
	bool sized, global, there;
};

/* The function that contains addr; or, among those that do not say how long they are, the last that begins shortly before it. */
static void function_consider(struct function *best, const struct function *f, u64 size, u64 addr)
{
	if (f->start > addr || addr - f->start >= (f->sized ? size : UNSIZED_MAX))
		return;
	if (best->there && best->sized != f->sized) {
		if (best->sized)
			return;
	} else if (best->there && (f->start < best->start || (f->start == best->start && best->global))) {
		return;
	}
	*best = *f;
}

static bool function_find(
	struct elf_place_work *w, const struct header *h, const struct section *table, u64 addr, struct elf_place *out)
{
	struct function best = {.there = false};
	struct cursor *c = &w->tables;
	struct section strings;

	if (!table->type || !section_read(c, h, table->link, &strings) || strings.type != SHT_STRTAB)
		return false;
	cursor_set(c, table->offset, table->size);
	while (cursor_more(c)) {
		struct function f = {.there = true};
		u32 info, shndx;
		u64 size;

		f.name = cursor_u32(c);
		info = cursor_u8(c);
		cursor_skip(c, 1);
		shndx = cursor_u16(c);
		f.start = cursor_u64(c);
		size = cursor_u64(c);
		f.sized = size != 0;
		f.global = info >> 4 == STB_GLOBAL;
		info &= 15;
		if (!c->bad && shndx && (info == STT_FUNC || info == STT_GNU_IFUNC))
			function_consider(&best, &f, size, addr);
	}
	if (!best.there)
		return false;
	cursor_set(&w->strings, strings.offset, strings.size);
	cursor_skip(&w->strings, best.name);
	cursor_string(&w->strings, out->function, sizeof(out->function));
	out->offset = addr - best.start;
	return out->function[0] != 0;
}

int elf_place_find(struct elf_place_work *w, u64 off, struct elf_place *out)
{
	struct sections s;
	struct header h;
	bool known;

	memset(out, 0, sizeof(*out));
	cursor_init(&w->tables, &w->src);
	cursor_init(&w->strings, &w->src);
	if (!header_read(&w->tables, &h) || !address_of(&w->tables, &h, off, &out->addr))
		return -ENOENT;
	sections_find(w, &h, &s);
	known = function_find(w, &h, &s.symtab, out->addr, out) || function_find(w, &h, &s.dynsym, out->addr, out);
	if (dwarf_line_find(&w->tables, &w->strings, &s.dwarf, out->addr, &out->at) == 0)
		known = true;
	return known ? 0 : -ENOENT;
}
