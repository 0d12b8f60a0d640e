/*
 * Reader of a flattened device tree (Devicetree Specification 0.4, chapter 5).
 * Pure logic over the blob: no allocation, no state but the struct fdt, every
 * access checked against the blob's size, so that a damaged one gives errors
 * and never a wild read. Builds on the host.
 *
 * A node is named by its offset in the structure block (the root is FDT_ROOT);
 * negative values are -errno: -ENOENT where nothing was found, -EINVAL where the
 * blob is damaged. Every function that takes a node accepts a negative one and
 * then finds nothing, so that look-ups chain.
 */
#pragma once

#include "lib/types.h"

struct fdt {
	const u8 *blob;
	u32 size;    /* of the whole */
	u32 structs; /* offset and size of the structure block */
	u32 structs_len;
	u32 strings;
	u32 strings_len;
	u32 reserve; /* offset of the memory reservation block */
};

#define FDT_ROOT        0
#define FDT_HEADER_SIZE 40

/* The size the header claims, or 0 when the magic number is wrong. Reads 8 bytes. */
u32 fdt_blob_size(const void *blob);
/* Opens a blob of at most `max` bytes. 0/-EINVAL. */
int fdt_open(struct fdt *fdt, const void *blob, u64 max);

/* ---- nodes ---- */

/* The next node depth first; *depth (may be NULL) goes up and down with it. Start from FDT_ROOT at depth 0. */
int fdt_next_node(const struct fdt *fdt, int node, int *depth);
int fdt_first_child(const struct fdt *fdt, int node);
int fdt_next_sibling(const struct fdt *fdt, int node);
int fdt_parent(const struct fdt *fdt, int node);
/* "uart@10000000"; "" for the root and for no node. */
const char *fdt_name(const struct fdt *fdt, int node);
/* By path; a component without "@…" matches the first node of that name. "/" is the root. */
int fdt_find_path(const struct fdt *fdt, const char *path);
/* The next node after `after` (FDT_ROOT to start; the root itself is not looked at) whose compatible list has `compatible`. */
int fdt_find_compatible(const struct fdt *fdt, int after, const char *compatible);
int fdt_find_phandle(const struct fdt *fdt, u32 phandle);
bool fdt_is_compatible(const struct fdt *fdt, int node, const char *compatible);
/* False when `status` says neither "okay" nor "ok". */
bool fdt_enabled(const struct fdt *fdt, int node);

#define fdt_for_each_child(fdt, child, node) \
	for ((child) = fdt_first_child(fdt, node); (child) >= 0; (child) = fdt_next_sibling(fdt, child))
#define fdt_for_each_compatible(fdt, node, compat)                             \
	for ((node) = fdt_find_compatible(fdt, FDT_ROOT, compat); (node) >= 0; \
		(node) = fdt_find_compatible(fdt, node, compat))

/* ---- properties ---- */

/* The value, big-endian as it is in the blob, or NULL. *len (may be NULL) is its length in bytes. */
const void *fdt_prop(const struct fdt *fdt, int node, const char *name, u32 *len);
/* One big-endian cell of a property, or `absent`. */
u32 fdt_prop_u32(const struct fdt *fdt, int node, const char *name, u32 index, u32 absent);
u32 fdt_prop_cells(const struct fdt *fdt, int node, const char *name); /* how many cells it has */
/* A NUL-terminated string value (the first of a list), or NULL. */
const char *fdt_prop_string(const struct fdt *fdt, int node, const char *name);

/*
 * The index-th entry of `reg`, translated through the `ranges` of all parents to a physical address. -ENOENT when
 * there is no such entry, -EINVAL when a parent does not translate it. `size` may be NULL.
 */
int fdt_reg(const struct fdt *fdt, int node, u32 index, paddr_t *addr, u64 *size);

/* ---- what boot wants ---- */

typedef void fdt_range_fn(void *arg, paddr_t start, u64 size);

/* Every bank of every enabled memory node. */
void fdt_for_each_memory(const struct fdt *fdt, fdt_range_fn *fn, void *arg);
/* The memory reservation block and the children of /reserved-memory (those with a fixed place). */
void fdt_for_each_reserved(const struct fdt *fdt, fdt_range_fn *fn, void *arg);
/* /chosen/bootargs, or "". */
const char *fdt_bootargs(const struct fdt *fdt);
/* /cpus/timebase-frequency, or that of the first cpu; 0 when absent. */
u32 fdt_timebase(const struct fdt *fdt);

struct fdt_cpu {
	u64 hartid;
	u32 intc_phandle; /* of its interrupt controller, 0: none */
	const char *isa;  /* "rv64imafdc_sstc…", or "" */
	const char *mmu;  /* "riscv,sv57", or "" */
	int node;
};
/* The index-th enabled cpu node in tree order; -ENOENT beyond the last. */
int fdt_cpu(const struct fdt *fdt, u32 index, struct fdt_cpu *out);
/* Whether an isa string names the multi-letter extension `ext`, e.g. "sstc". */
bool fdt_isa_has(const char *isa, const char *ext);
