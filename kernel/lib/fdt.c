#include "lib/fdt.h"

#include "lib/errno.h"
#include "lib/string.h"

#define FDT_MAGIC 0xd00dfeed
#define MAX_DEPTH 16

/* Tokens of the structure block (5.4.1). */
enum { TOKEN_BEGIN = 1, TOKEN_END_NODE = 2, TOKEN_PROP = 3, TOKEN_NOP = 4, TOKEN_END = 9 };

static u32 be32_read(const void *at)
{
	const u8 *p = at;

	return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
}

static u64 be64_read(const void *at)
{
	return (u64)be32_read(at) << 32 | be32_read((const u8 *)at + 4);
}

/* A number of `n` cells; more than two: the low two count. */
static u64 cells_read(const void *at, u32 n)
{
	const u8 *p = at;
	u64 v = 0;

	for (u32 i = 0; i < n; i++)
		v = v << 32 | be32_read(p + 4 * i);
	return v;
}

u32 fdt_blob_size(const void *blob)
{
	return be32_read(blob) == FDT_MAGIC ? be32_read((const u8 *)blob + 4) : 0;
}

int fdt_open(struct fdt *fdt, const void *blob, u64 max)
{
	const u8 *b = blob;

	if (max < FDT_HEADER_SIZE || ((uintptr_t)blob & 3))
		return -EINVAL;
	*fdt = (struct fdt){
		.blob = b,
		.size = fdt_blob_size(blob),
		.structs = be32_read(b + 8),
		.strings = be32_read(b + 12),
		.reserve = be32_read(b + 16),
		.strings_len = be32_read(b + 32),
		.structs_len = be32_read(b + 36),
	};
	/* Version 17 layout, and offsets that stay inside (5.2). */
	if (fdt->size < FDT_HEADER_SIZE || fdt->size > max || be32_read(b + 20) < 17 || be32_read(b + 24) > 17 ||
		(fdt->structs & 3) || (fdt->reserve & 7) || fdt->reserve > fdt->size || fdt->structs > fdt->size ||
		fdt->structs_len > fdt->size - fdt->structs || fdt->strings > fdt->size ||
		fdt->strings_len > fdt->size - fdt->strings || fdt->structs_len < 8)
		return -EINVAL;
	return be32_read(b + fdt->structs) == TOKEN_BEGIN ? 0 : -EINVAL;
}

/* ---- the structure block as a stream of tokens ---- */

static u32 token_at(const struct fdt *fdt, u32 off)
{
	if (off > fdt->structs_len - 4)
		return TOKEN_END;
	return be32_read(fdt->blob + fdt->structs + off);
}

/* The offset behind the token at `off`; beyond the block when it is damaged, which token_at reads as the end. */
static u32 token_skip(const struct fdt *fdt, u32 off)
{
	const u8 *base = fdt->blob + fdt->structs;
	u32 len = fdt->structs_len;

	switch (token_at(fdt, off)) {
	case TOKEN_BEGIN: {
		u32 name_max = len - off - 4;
		u32 name_len = (u32)strnlen((const char *)base + off + 4, name_max);

		return name_len == name_max ? len : ALIGN_UP(off + 4 + name_len + 1, 4);
	}
	case TOKEN_PROP: {
		if (len - off < 12)
			return len;
		u32 value_len = be32_read(base + off + 4);

		return value_len > len - off - 12 ? len : ALIGN_UP(off + 12 + value_len, 4);
	}
	case TOKEN_END_NODE:
	case TOKEN_NOP: return off + 4;
	default: return len;
	}
}

int fdt_next_node(const struct fdt *fdt, int node, int *depth)
{
	int own_depth = MAX_DEPTH; /* without a depth of the caller's: to the end of the tree */

	if (node < 0)
		return node;
	if (!depth)
		depth = &own_depth;
	for (u32 off = token_skip(fdt, (u32)node);; off = token_skip(fdt, off)) {
		switch (token_at(fdt, off)) {
		case TOKEN_BEGIN: (*depth)++; return (int)off;
		case TOKEN_END_NODE:
			if (--*depth < 0)
				return -ENOENT;
			break;
		case TOKEN_PROP:
		case TOKEN_NOP: break;
		default: return -ENOENT;
		}
	}
}

int fdt_first_child(const struct fdt *fdt, int node)
{
	int depth = 0;

	return fdt_next_node(fdt, node, &depth);
}

int fdt_next_sibling(const struct fdt *fdt, int node)
{
	int depth = 1;

	do {
		node = fdt_next_node(fdt, node, &depth);
	} while (node >= 0 && depth != 1);
	return node;
}

int fdt_parent(const struct fdt *fdt, int node)
{
	int path[MAX_DEPTH] = {FDT_ROOT};
	int depth = 0;
	int at = FDT_ROOT;

	if (node <= 0)
		return -ENOENT;
	while ((at = fdt_next_node(fdt, at, &depth)) >= 0) {
		if (depth >= MAX_DEPTH)
			continue;
		if (at == node)
			return path[depth - 1];
		path[depth] = at;
	}
	return -ENOENT;
}

const char *fdt_name(const struct fdt *fdt, int node)
{
	if (node < 0 || token_at(fdt, (u32)node) != TOKEN_BEGIN || token_skip(fdt, (u32)node) >= fdt->structs_len)
		return "";
	return (const char *)fdt->blob + fdt->structs + node + 4;
}

static bool name_matches(const char *name, const char *want, size_t len)
{
	return strncmp(name, want, len) == 0 && (name[len] == '\0' || name[len] == '@');
}

int fdt_find_path(const struct fdt *fdt, const char *path)
{
	int node = FDT_ROOT;

	while (node >= 0) {
		while (*path == '/')
			path++;
		if (!*path)
			return node;

		const char *end = path;
		int child;

		while (*end && *end != '/')
			end++;
		fdt_for_each_child(
			fdt, child, node) if (name_matches(fdt_name(fdt, child), path, (size_t)(end - path))) break;
		node = child;
		path = end;
	}
	return node;
}

bool fdt_is_compatible(const struct fdt *fdt, int node, const char *compatible)
{
	u32 len;
	const char *list = fdt_prop(fdt, node, "compatible", &len);
	size_t want = strlen(compatible) + 1;

	while (list && len >= want) {
		if (memcmp(list, compatible, want) == 0)
			return true;

		u32 step = (u32)strnlen(list, len) + 1;

		if (step >= len)
			break;
		list += step;
		len -= step;
	}
	return false;
}

int fdt_find_compatible(const struct fdt *fdt, int after, const char *compatible)
{
	int node = after;

	while ((node = fdt_next_node(fdt, node, NULL)) >= 0)
		if (fdt_is_compatible(fdt, node, compatible))
			break;
	return node;
}

int fdt_find_phandle(const struct fdt *fdt, u32 phandle)
{
	int node = FDT_ROOT;

	while (node >= 0 && fdt_prop_u32(fdt, node, "phandle", 0, 0) != phandle)
		node = fdt_next_node(fdt, node, NULL);
	return phandle ? node : -ENOENT;
}

bool fdt_enabled(const struct fdt *fdt, int node)
{
	const char *status = fdt_prop_string(fdt, node, "status");

	return !status || strcmp(status, "okay") == 0 || strcmp(status, "ok") == 0;
}

/* ---- properties ---- */

const void *fdt_prop(const struct fdt *fdt, int node, const char *name, u32 *len)
{
	size_t want = strlen(name) + 1;

	if (node < 0)
		return NULL;
	for (u32 off = token_skip(fdt, (u32)node);; off = token_skip(fdt, off)) {
		u32 token = token_at(fdt, off);

		if (token == TOKEN_NOP)
			continue;
		/* A node's properties come before its children. A damaged one reads as the end. */
		if (token != TOKEN_PROP || token_skip(fdt, off) >= fdt->structs_len)
			return NULL;

		const u8 *p = fdt->blob + fdt->structs + off;
		u32 name_off = be32_read(p + 8);

		if (name_off >= fdt->strings_len || want > fdt->strings_len - name_off ||
			memcmp(fdt->blob + fdt->strings + name_off, name, want) != 0)
			continue;
		if (len)
			*len = be32_read(p + 4);
		return p + 12;
	}
}

u32 fdt_prop_u32(const struct fdt *fdt, int node, const char *name, u32 index, u32 absent)
{
	u32 len;
	const u8 *p = fdt_prop(fdt, node, name, &len);

	return p && index < len / 4 ? be32_read(p + 4 * (u64)index) : absent;
}

u32 fdt_prop_cells(const struct fdt *fdt, int node, const char *name)
{
	u32 len;

	return fdt_prop(fdt, node, name, &len) ? len / 4 : 0;
}

const char *fdt_prop_string(const struct fdt *fdt, int node, const char *name)
{
	u32 len;
	const char *s = fdt_prop(fdt, node, name, &len);

	return s && strnlen(s, len) < len ? s : NULL;
}

/* How addresses below `node` are written: by its own #address-cells and #size-cells (2.3.5). */
static void cell_counts(const struct fdt *fdt, int node, u32 *addr_cells, u32 *size_cells)
{
	*addr_cells = MIN(fdt_prop_u32(fdt, node, "#address-cells", 0, 2), 4u);
	*size_cells = MIN(fdt_prop_u32(fdt, node, "#size-cells", 0, 1), 4u);
}

/* One step up: an address on the bus below `bus` as one on the bus above it (`ranges`, 2.3.8). */
static int range_translate(const struct fdt *fdt, int bus, int above, paddr_t *addr)
{
	u32 len, child_cells, parent_cells, size_cells, unused_cells;
	const u8 *p = fdt_prop(fdt, bus, "ranges", &len);

	if (!p)
		return -EINVAL;
	if (len == 0)
		return 0;
	cell_counts(fdt, bus, &child_cells, &size_cells);
	cell_counts(fdt, above, &parent_cells, &unused_cells);

	u32 step = 4 * (child_cells + parent_cells + size_cells);

	for (; step && len >= step; len -= step, p += step) {
		u64 child = cells_read(p, child_cells);
		u64 size = cells_read(p + 4 * (child_cells + parent_cells), size_cells);

		if (*addr < child || *addr - child >= size)
			continue;
		*addr = *addr - child + cells_read(p + 4 * child_cells, parent_cells);
		return 0;
	}
	return -EINVAL;
}

int fdt_reg(const struct fdt *fdt, int node, u32 index, paddr_t *addr, u64 *size)
{
	u32 len, addr_cells, size_cells;
	const u8 *p = fdt_prop(fdt, node, "reg", &len);
	int bus = fdt_parent(fdt, node);

	if (!p || bus < 0)
		return -ENOENT;
	cell_counts(fdt, bus, &addr_cells, &size_cells);

	u32 step = 4 * (addr_cells + size_cells);

	if (!step || index >= len / step)
		return -ENOENT;
	p += (u64)index * step;
	*addr = cells_read(p, addr_cells);
	if (size)
		*size = cells_read(p + 4 * addr_cells, size_cells);
	while (bus > FDT_ROOT) {
		int above = fdt_parent(fdt, bus);
		int err = range_translate(fdt, bus, above, addr);

		if (err)
			return err;
		bus = above;
	}
	return 0;
}

/* ---- what boot wants ---- */

static void regs_for_each(const struct fdt *fdt, int node, fdt_range_fn *fn, void *arg)
{
	paddr_t start;
	u64 size;

	for (u32 i = 0; fdt_reg(fdt, node, i, &start, &size) == 0; i++)
		if (size && start + size > start)
			fn(arg, start, size);
}

void fdt_for_each_memory(const struct fdt *fdt, fdt_range_fn *fn, void *arg)
{
	int node;

	fdt_for_each_child(fdt, node, FDT_ROOT)
	{
		const char *type = fdt_prop_string(fdt, node, "device_type");

		if (type && strcmp(type, "memory") == 0 && fdt_enabled(fdt, node))
			regs_for_each(fdt, node, fn, arg);
	}
}

void fdt_for_each_reserved(const struct fdt *fdt, fdt_range_fn *fn, void *arg)
{
	int node;

	for (u32 off = fdt->reserve; off <= fdt->size - 16; off += 16) {
		u64 start = be64_read(fdt->blob + off);
		u64 size = be64_read(fdt->blob + off + 8);

		if (!start && !size)
			break;
		if (size && start + size > start)
			fn(arg, start, size);
	}
	fdt_for_each_child(fdt, node, fdt_find_path(fdt, "/reserved-memory")) if (fdt_enabled(fdt, node))
		regs_for_each(fdt, node, fn, arg);
}

const char *fdt_bootargs(const struct fdt *fdt)
{
	const char *args = fdt_prop_string(fdt, fdt_find_path(fdt, "/chosen"), "bootargs");

	return args ? args : "";
}

u32 fdt_timebase(const struct fdt *fdt)
{
	int cpus = fdt_find_path(fdt, "/cpus");
	u32 hz = fdt_prop_u32(fdt, cpus, "timebase-frequency", 0, 0);

	return hz ? hz : fdt_prop_u32(fdt, fdt_first_child(fdt, cpus), "timebase-frequency", 0, 0);
}

int fdt_cpu(const struct fdt *fdt, u32 index, struct fdt_cpu *out)
{
	int cpus = fdt_find_path(fdt, "/cpus");
	u32 addr_cells = MIN(fdt_prop_u32(fdt, cpus, "#address-cells", 0, 1), 2u);
	int node, child;

	fdt_for_each_child(fdt, node, cpus)
	{
		const char *type = fdt_prop_string(fdt, node, "device_type");
		u32 len;
		const void *reg = fdt_prop(fdt, node, "reg", &len);

		if (!type || strcmp(type, "cpu") != 0 || !fdt_enabled(fdt, node) || !reg || len < 4 * addr_cells ||
			index-- > 0)
			continue;
		*out = (struct fdt_cpu){.hartid = cells_read(reg, addr_cells), .node = node};
		out->isa = fdt_prop_string(fdt, node, "riscv,isa");
		out->isa = out->isa ? out->isa : "";
		out->mmu = fdt_prop_string(fdt, node, "mmu-type");
		out->mmu = out->mmu ? out->mmu : "";
		fdt_for_each_child(fdt, child, node) if (fdt_prop(fdt, child, "interrupt-controller", NULL))
			out->intc_phandle = fdt_prop_u32(fdt, child, "phandle", 0, 0);
		return 0;
	}
	return -ENOENT;
}

bool fdt_isa_has(const char *isa, const char *ext)
{
	size_t len = strlen(ext);

	/* Multi-letter extensions follow the single letters, each behind an underscore. */
	while ((isa = strchr(isa, '_'))) {
		isa++;
		if (strncmp(isa, ext, len) == 0 && (isa[len] == '_' || isa[len] == '\0'))
			return true;
	}
	return false;
}
