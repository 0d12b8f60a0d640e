/*
 * Reader of the table that tools/mksyms writes. The format, little-endian:
 *
 *   header     struct table_header
 *   functions  u32 start[n], sorted; u32 name[n] (offsets into the strings)
 *   blocks     struct line_block[m], sorted by start; each is the first of up
 *              to ROWS_PER_BLOCK rows of the line table and says where in the
 *              row stream its successors are
 *   files      u32 name[k]
 *   rows       a byte stream; each row is (address delta, line delta, file?):
 *              a ULEB128 of the address delta / 2, then a ULEB128 of
 *              zigzag(line delta) << 1 | file_changes, then, when it does, a
 *              ULEB128 of the file's number
 *   strings    NUL-terminated
 *
 * Addresses are offsets from _kernel_start. A row holds from its address up to
 * the next row's; line 0 says "no line from here on".
 */
#include "lib/symbols.h"

#include "lib/errno.h"
#include "lib/string.h"

#define TABLE_MAGIC 0x4d595356u /* "VSYM" */

struct table_header {
	u32 magic;
	u32 text_size;
	u32 nr_functions;
	u32 nr_blocks;
	u32 functions, blocks, files, rows, strings, size; /* byte offsets into the table */
};

struct line_block {
	u32 start;
	u32 rows; /* offset of the block's second row in the row stream */
	u32 line;
	u16 file;
	u16 nr_rows; /* rows that follow the first */
};

extern const u8 _kernel_start[];
extern const u8 _ksyms_start[];
extern const u8 _ksyms_end[];

static const struct table_header *table_get(void)
{
	const struct table_header *table = (const struct table_header *)_ksyms_start;

	if ((u64)(_ksyms_end - _ksyms_start) < sizeof(*table) || table->magic != TABLE_MAGIC)
		return NULL;
	return table;
}

static const void *table_at(const struct table_header *table, u32 offset)
{
	return (const u8 *)table + offset;
}

static const char *table_string(const struct table_header *table, u32 offset)
{
	return table_at(table, table->strings + offset);
}

static u32 uleb_read(const u8 **pos)
{
	u32 value = 0;
	u32 shift = 0;
	u8 byte;

	do {
		byte = *(*pos)++;
		value |= (u32)(byte & 0x7f) << shift;
		shift += 7;
	} while ((byte & 0x80) && shift < 32);
	return value;
}

/* The last of `n` elements, `stride` bytes apart, whose leading u32 is <= key; -1 if none. */
static int search_last(const void *base, u32 n, u32 stride, u32 key)
{
	u32 low = 0;
	u32 high = n;

	while (low < high) {
		u32 mid = low + (high - low) / 2;

		if (*(const u32 *)((const u8 *)base + (u64)mid * stride) <= key)
			low = mid + 1;
		else
			high = mid;
	}
	return (int)low - 1;
}

static void line_lookup(const struct table_header *table, u32 offset, struct symbol *out)
{
	const struct line_block *blocks = table_at(table, table->blocks);
	int index = search_last(blocks, table->nr_blocks, sizeof(*blocks), offset);
	const u32 *files = table_at(table, table->files);

	if (index < 0)
		return;

	const struct line_block *block = &blocks[index];
	const u8 *pos = table_at(table, table->rows + block->rows);
	u32 start = block->start;
	u32 line = block->line;
	u32 file = block->file;

	for (u32 i = 0; i < block->nr_rows; i++) {
		start += uleb_read(&pos) * 2;
		if (start > offset)
			break;

		u32 word = uleb_read(&pos);
		u32 zigzag = word >> 1;

		line += (zigzag >> 1) ^ (0u - (zigzag & 1));
		if (word & 1)
			file = uleb_read(&pos);
	}
	if (line) {
		out->line = line;
		out->file = table_string(table, files[file]);
	}
}

int symbol_lookup(u64 addr, struct symbol *out)
{
	const struct table_header *table = table_get();
	u64 base = (u64)_kernel_start;

	*out = (struct symbol){0};
	if (!table || addr < base || addr - base >= table->text_size)
		return -ENOENT;

	u32 offset = (u32)(addr - base);
	const u32 *starts = table_at(table, table->functions);
	const u32 *names = starts + table->nr_functions;
	int index = search_last(starts, table->nr_functions, sizeof(u32), offset);

	if (index < 0)
		return -ENOENT;
	out->name = table_string(table, names[index]);
	out->start = base + starts[index];
	out->offset = offset - starts[index];
	line_lookup(table, offset, out);
	return 0;
}

u64 symbol_address(const char *name)
{
	const struct table_header *table = table_get();

	if (!table)
		return 0;

	const u32 *starts = table_at(table, table->functions);
	const u32 *names = starts + table->nr_functions;

	for (u32 i = 0; i < table->nr_functions; i++)
		if (strcmp(table_string(table, names[i]), name) == 0)
			return (u64)_kernel_start + starts[i];
	return 0;
}
