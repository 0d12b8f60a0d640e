/*
 * One unit after the other: its header says where its program begins and where the unit ends; the program is run, and
 * each row holds from its address up to the next row's. Only the unit that has the address gets its tables of
 * directories and files read. Every step of every loop here consumes a byte at least.
 */
#include "lib/dwarf_line.h"

#include "lib/errno.h"
#include "lib/string.h"

/* Standard opcodes. */
enum {
	LNS_COPY = 1,
	LNS_ADVANCE_PC,
	LNS_ADVANCE_LINE,
	LNS_SET_FILE,
	LNS_SET_COLUMN,
	LNS_NEGATE_STMT,
	LNS_SET_BASIC_BLOCK,
	LNS_CONST_ADD_PC,
	LNS_FIXED_ADVANCE_PC,
};
/* Extended opcodes. */
enum { LNE_END_SEQUENCE = 1, LNE_SET_ADDRESS = 2 };
/* What a column of a version 5 table holds, and how. */
enum { LNCT_PATH = 1, LNCT_DIRECTORY = 2 };
enum {
	FORM_DATA2 = 0x05,
	FORM_DATA4 = 0x06,
	FORM_DATA8 = 0x07,
	FORM_STRING = 0x08,
	FORM_BLOCK = 0x09,
	FORM_DATA1 = 0x0b,
	FORM_STRP = 0x0e,
	FORM_UDATA = 0x0f,
	FORM_DATA16 = 0x1e,
	FORM_LINE_STRP = 0x1f,
};

#define MAX_COLUMNS 8

struct unit {
	u64 end;
	u64 tables, program; /* where they begin */
	u32 offset_size;     /* 4 or 8 */
	u32 version;
	u32 min_length; /* bytes that one step of the address is */
	s32 line_base;
	u32 line_range, opcode_base;
	u8 nr_operands[256]; /* of standard opcodes */
};

struct row {
	u64 addr;
	u32 file, line;
};

/* State of a program. */
struct run {
	struct row now, last;
	bool begun;  /* `last` is a row of this sequence */
	bool hidden; /* the sequence was left over from a function that the linker dropped: it was put at 0 */
	u64 target;
};

/* ---- headers ---- */

/* At the start of a unit; after it c->end is the unit's. False: no unit that could be skipped or read. */
static bool unit_bounds(struct cursor *c, struct unit *u, u64 section_end)
{
	u64 len;

	cursor_set(c, c->pos, section_end - c->pos);
	len = cursor_u32(c);
	u->offset_size = 4;
	if (len == 0xffffffff) {
		len = cursor_u64(c);
		u->offset_size = 8;
	}
	if (c->bad || len > c->end - c->pos)
		return false;
	u->end = c->end = c->pos + len;
	return true;
}

static bool unit_header(struct cursor *c, struct unit *u)
{
	u64 header;

	u->version = cursor_u16(c);
	if (u->version < 2 || u->version > 5)
		return false;
	if (u->version >= 5 && (cursor_u8(c) != 8 || cursor_u8(c) != 0)) /* size of addresses, of segment selectors */
		return false;
	header = cursor_uint(c, u->offset_size);
	if (c->bad || header > c->end - c->pos)
		return false;
	u->program = c->pos + header;
	u->min_length = cursor_u8(c);
	if (u->version >= 4)
		cursor_skip(c, 1); /* operations in an instruction: 1 but on machines with long words */
	cursor_skip(c, 1);         /* whether rows begin as statements */
	u->line_base = (s8)cursor_u8(c);
	u->line_range = cursor_u8(c);
	u->opcode_base = cursor_u8(c);
	for (u32 i = 1; i < u->opcode_base; i++)
		u->nr_operands[i] = cursor_u8(c);
	u->tables = c->pos;
	return !c->bad && u->line_range && u->opcode_base;
}

/* ---- the program ---- */

static void sequence_start(struct run *r)
{
	r->now = (struct row){.file = 1, .line = 1};
	r->begun = r->hidden = false;
}

/* True: the row before this one has the target. */
static bool row_add(struct run *r)
{
	if (r->begun && !r->hidden && r->last.addr <= r->target && r->target < r->now.addr)
		return true;
	if (!r->begun && r->now.addr == 0)
		r->hidden = true;
	r->last = r->now;
	r->begun = true;
	return false;
}

/* True: found. */
static bool extended(struct cursor *c, struct run *r)
{
	u64 len = cursor_uleb(c), next;
	u8 op;

	if (c->bad || len == 0 || len > c->end - c->pos) {
		c->bad = true;
		return false;
	}
	next = c->pos + len;
	op = cursor_u8(c);
	if (op == LNE_END_SEQUENCE) {
		if (row_add(r))
			return true;
		sequence_start(r);
	} else if (op == LNE_SET_ADDRESS && len == 9) {
		r->now.addr = cursor_u64(c);
	}
	cursor_skip(c, next - c->pos);
	return false;
}

/* An opcode below opcode_base. True: found. */
static bool standard(struct cursor *c, const struct unit *u, struct run *r, u8 op)
{
	switch (op) {
	case LNS_COPY: return row_add(r);
	case LNS_ADVANCE_PC: r->now.addr += cursor_uleb(c) * u->min_length; break;
	case LNS_ADVANCE_LINE: r->now.line += (u32)cursor_sleb(c); break;
	case LNS_SET_FILE: r->now.file = (u32)cursor_uleb(c); break;
	case LNS_CONST_ADD_PC: r->now.addr += (u64)((255 - u->opcode_base) / u->line_range) * u->min_length; break;
	case LNS_FIXED_ADVANCE_PC: r->now.addr += cursor_u16(c); break;
	default:
		for (u32 i = 0; i < u->nr_operands[op]; i++)
			cursor_uleb(c);
		break;
	}
	return false;
}

/* True: r->last is the target's row. */
static bool program_run(struct cursor *c, const struct unit *u, struct run *r)
{
	c->pos = u->program;
	sequence_start(r);
	while (cursor_more(c)) {
		u8 op = cursor_u8(c);
		bool found;

		if (op >= u->opcode_base) {
			u32 step = op - u->opcode_base;

			r->now.addr += (u64)(step / u->line_range) * u->min_length;
			r->now.line += (u32)(u->line_base + (s32)(step % u->line_range));
			found = row_add(r);
		} else {
			found = op == 0 ? extended(c, r) : standard(c, u, r, op);
		}
		if (found)
			return !c->bad;
	}
	return false;
}

/* ---- names, versions 2 to 4: strings, the list ends with an empty one ---- */

/* The n-th (from 1) string of the list of directories; n 0: none. Leaves c behind the list. */
static void old_directory(struct cursor *c, u64 n, char *buf, size_t size)
{
	char first[2];

	for (u64 i = 1; !c->bad; i++) {
		u64 start = c->pos;

		cursor_string(c, first, sizeof(first));
		if (!first[0])
			return;
		if (i == n) {
			u64 next = c->pos;

			c->pos = start;
			cursor_string(c, buf, size);
			c->pos = next;
		}
	}
}

static void old_names(struct cursor *c, const struct unit *u, u32 file, struct dwarf_line *out)
{
	u64 dir = 0;

	c->pos = u->tables;
	old_directory(c, 0, NULL, 0);
	for (u32 i = 1; !c->bad; i++) {
		cursor_string(c, out->name, sizeof(out->name));
		if (!out->name[0])
			return;
		dir = cursor_uleb(c);
		cursor_uleb(c); /* time of change */
		cursor_uleb(c); /* length */
		if (i == file)
			break;
	}
	c->pos = u->tables;
	if (dir && out->name[0] != '/')
		old_directory(c, dir, out->dir, sizeof(out->dir));
}

/* ---- names, version 5: tables that say themselves what their columns are ---- */

struct columns {
	u32 nr;
	u64 content[MAX_COLUMNS], form[MAX_COLUMNS];
	u64 rows;
};

/* A table's description. Without columns a row would be no byte, and there may be any number of them. */
static bool columns_read(struct cursor *c, struct columns *t)
{
	t->nr = cursor_u8(c);
	if (t->nr > MAX_COLUMNS)
		return false;
	for (u32 i = 0; i < t->nr; i++) {
		t->content[i] = cursor_uleb(c);
		t->form[i] = cursor_uleb(c);
	}
	t->rows = cursor_uleb(c);
	return !c->bad && (t->nr || !t->rows);
}

static void string_at(struct cursor *strings, const struct dwarf_range *section, u64 off, char *buf, size_t size)
{
	cursor_set(strings, section->start, section->len);
	cursor_skip(strings, off);
	cursor_string(strings, buf, size);
}

/* Reads one value; a string goes to buf. Each form that is known here is a byte at least. */
static u64 value_read(struct cursor *c, struct cursor *strings, const struct dwarf_sections *s, const struct unit *u,
	u64 form, char *buf)
{
	u64 off;

	switch (form) {
	case FORM_DATA1: return cursor_u8(c);
	case FORM_DATA2: return cursor_u16(c);
	case FORM_DATA4: return cursor_u32(c);
	case FORM_DATA8: return cursor_u64(c);
	case FORM_UDATA: return cursor_uleb(c);
	case FORM_DATA16: cursor_skip(c, 16); return 0;
	case FORM_BLOCK: cursor_skip(c, cursor_uleb(c)); return 0;
	case FORM_STRING: cursor_string(c, buf, DWARF_NAME_MAX); return 0;
	case FORM_LINE_STRP:
	case FORM_STRP:
		off = cursor_uint(c, u->offset_size);
		if (buf)
			string_at(strings, form == FORM_STRP ? &s->str : &s->line_str, off, buf, DWARF_NAME_MAX);
		return 0;
	default: c->bad = true; return 0;
	}
}

/* Row `wanted` (from 0) of the table at c: its path to buf. Returns its directory; leaves c behind the table. */
static u64 table_row(struct cursor *c, struct cursor *strings, const struct dwarf_sections *s, const struct unit *u,
	u64 wanted, char *buf)
{
	struct columns t;
	u64 dir = 0;

	if (!columns_read(c, &t)) {
		c->bad = true;
		return 0;
	}
	for (u64 row = 0; row < t.rows && !c->bad; row++) {
		for (u32 i = 0; i < t.nr; i++) {
			bool path = row == wanted && t.content[i] == LNCT_PATH;
			u64 v = value_read(c, strings, s, u, t.form[i], path ? buf : NULL);

			if (row == wanted && t.content[i] == LNCT_DIRECTORY)
				dir = v;
		}
	}
	return dir;
}

static void new_names(struct cursor *c, struct cursor *strings, const struct dwarf_sections *s, const struct unit *u,
	u32 file, struct dwarf_line *out)
{
	u64 dir;

	c->pos = u->tables;
	table_row(c, strings, s, u, ~0ul, NULL);
	dir = table_row(c, strings, s, u, file, out->name);
	c->pos = u->tables;
	if (!c->bad && dir && out->name[0] != '/')
		table_row(c, strings, s, u, dir, out->dir);
}

/* ---- */

int dwarf_line_find(
	struct cursor *c, struct cursor *strings, const struct dwarf_sections *s, u64 addr, struct dwarf_line *out)
{
	struct run r = {.target = addr};
	struct unit u;
	u64 end;

	memset(out, 0, sizeof(*out));
	cursor_set(c, s->line.start, s->line.len);
	if (c->bad)
		return -ENOENT;
	for (end = c->end; c->pos < end && unit_bounds(c, &u, end); c->pos = u.end) {
		if (!unit_header(c, &u) || !program_run(c, &u, &r)) {
			if (c->src->failed)
				return -ENOENT;
			continue;
		}
		if (!r.last.line)
			return -ENOENT;
		out->line = r.last.line;
		if (u.version < 5)
			old_names(c, &u, r.last.file, out);
		else
			new_names(c, strings, s, &u, r.last.file, out);
		if (c->bad)
			out->name[0] = out->dir[0] = 0;
		return 0;
	}
	return -ENOENT;
}
