#include "proc/elf.h"

#include "lib/checked.h"
#include "lib/errno.h"
#include "lib/string.h"

#define EHDR_SIZE     64
#define MACHINE_RISCV 243
#define TYPE_EXEC     2
#define TYPE_DYN      3
#define PT_LOAD       1
#define PT_INTERP     3
#define PT_PHDR       6
#define PT_GNU_STACK  0x6474e551u
#define PF_X          1u
#define PF_W          2u
#define PF_R          4u

struct ehdr {
	u8 ident[16];
	u16 type, machine;
	u32 version;
	u64 entry, phoff, shoff;
	u32 flags;
	u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
static_assert(sizeof(struct ehdr) == EHDR_SIZE, "Elf64_Ehdr");

struct phdr {
	u32 type, flags;
	u64 offset, vaddr, paddr, filesz, memsz, align;
};
static_assert(sizeof(struct phdr) == ELF_PHDR_SIZE, "Elf64_Phdr");

int elf_parse_header(const void *file, size_t len, u64 file_size, struct elf_header *out)
{
	static const u8 ident[7] = {0x7f, 'E', 'L', 'F', 2 /* 64 bits */, 1 /* little-endian */, 1};
	struct ehdr h;

	if (len < EHDR_SIZE || file_size < EHDR_SIZE)
		return -ENOEXEC;
	memcpy(&h, file, sizeof(h));
	if (memcmp(h.ident, ident, sizeof(ident)) != 0 || h.machine != MACHINE_RISCV || h.version != 1)
		return -ENOEXEC;
	if (h.type != TYPE_EXEC && h.type != TYPE_DYN)
		return -ENOEXEC;
	if (h.phentsize != ELF_PHDR_SIZE || h.phnum == 0 || h.phnum > ELF_MAX_PHDRS)
		return -ENOEXEC;
	if (!range_ok(h.phoff, (u64)h.phnum * ELF_PHDR_SIZE, file_size))
		return -ENOEXEC;
	*out = (struct elf_header){
		.kind = h.type == TYPE_EXEC ? ELF_FIXED : ELF_MOVABLE,
		.entry = h.entry,
		.phoff = h.phoff,
		.nr_phdrs = h.phnum,
		.flags = h.flags,
	};
	return 0;
}

static u32 prot_of(u32 flags)
{
	return (flags & PF_R ? 1u : 0) | (flags & PF_W ? 2u : 0) | (flags & PF_X ? 4u : 0);
}

static int segment_add(struct elf_image *img, const struct phdr *ph, u64 file_size, u64 limit)
{
	struct elf_segment *s = &img->segments[img->nr_segments];
	u64 end;

	if (ph->memsz == 0)
		return ph->filesz == 0 ? 0 : -ENOEXEC;
	if (img->nr_segments == ELF_MAX_SEGMENTS)
		return -ENOEXEC;
	if (ph->filesz > ph->memsz || !range_ok(ph->offset, ph->filesz, file_size))
		return -ENOEXEC;
	if (add_overflow(ph->vaddr, ph->memsz, &end) || end > limit - PAGE_SIZE)
		return -ENOEXEC;
	if ((ph->vaddr ^ ph->offset) & (PAGE_SIZE - 1))
		return -ENOEXEC;
	if (ph->align > 1 && !IS_POWER_OF_2(ph->align))
		return -ENOEXEC;
	/* In order, as the specification says; two may share a page, the later one then has it. */
	if (img->nr_segments && ph->vaddr < s[-1].vaddr + s[-1].memsz)
		return -ENOEXEC;
	*s = (struct elf_segment){
		.vaddr = ph->vaddr,
		.offset = ph->offset,
		.filesz = ph->filesz,
		.memsz = ph->memsz,
		.prot = prot_of(ph->flags),
	};
	if (img->nr_segments++ == 0)
		img->low = PAGE_ALIGN_DOWN(ph->vaddr);
	img->high = PAGE_ALIGN_UP(end);
	img->align = MAX(img->align, MIN(ph->align, ELF_MAX_ALIGN));
	return 0;
}

static int interp_note(struct elf_image *img, const struct phdr *ph, u64 file_size)
{
	if (img->interp_len)
		return 0; /* the first counts */
	if (ph->filesz < 2 || ph->filesz > ELF_INTERP_MAX || !range_ok(ph->offset, ph->filesz, file_size))
		return -ENOEXEC;
	img->interp_offset = ph->offset;
	img->interp_len = (u32)ph->filesz;
	return 0;
}

/* Without PT_PHDR: in the segment that has the table's bytes. */
static void phdr_locate(struct elf_image *img, const struct elf_header *hdr)
{
	u64 bytes = (u64)hdr->nr_phdrs * ELF_PHDR_SIZE;

	for (u32 i = 0; i < img->nr_segments; i++) {
		const struct elf_segment *s = &img->segments[i];

		if (range_within(hdr->phoff, bytes, s->offset, s->offset + s->filesz)) {
			img->phdr_vaddr = s->vaddr + (hdr->phoff - s->offset);
			return;
		}
	}
}

int elf_parse_segments(const struct elf_header *hdr, const void *phdrs, u64 file_size, u64 limit, struct elf_image *out)
{
	struct phdr ph;

	memset(out, 0, sizeof(*out));
	out->align = PAGE_SIZE;
	for (u32 i = 0; i < hdr->nr_phdrs; i++) {
		int err = 0;

		memcpy(&ph, (const u8 *)phdrs + i * ELF_PHDR_SIZE, sizeof(ph));
		if (ph.type == PT_LOAD)
			err = segment_add(out, &ph, file_size, limit);
		else if (ph.type == PT_INTERP)
			err = interp_note(out, &ph, file_size);
		else if (ph.type == PT_GNU_STACK)
			out->exec_stack = (ph.flags & PF_X) != 0;
		if (err)
			return err;
	}
	if (out->nr_segments == 0)
		return -ENOEXEC;
	if (hdr->kind == ELF_FIXED && out->low < PAGE_SIZE)
		return -ENOEXEC; /* the first page stays unmapped */
	if (hdr->entry < out->low || hdr->entry >= out->high)
		return -ENOEXEC;
	phdr_locate(out, hdr);
	return 0;
}
