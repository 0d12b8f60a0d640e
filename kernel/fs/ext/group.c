/* Block groups: descriptors, their checksums, and bitmaps that are made on first use. */
#include "fs/ext/ext.h"
#include "lib/bitmap.h"
#include "lib/checked.h"
#include "lib/string.h"

/* ---- where things are ---- */

struct ext_group_desc *ext_group(struct ext_fs *fs, u32 g)
{
	u8 *block = fs->gdt[g / fs->desc_per_block].data;

	return (struct ext_group_desc *)(void *)(block + (size_t)(g % fs->desc_per_block) * fs->desc_size);
}

u64 ext_group_first_block(const struct ext_fs *fs, u32 g)
{
	return fs->first_data_block + (u64)g * fs->blocks_per_group;
}

u32 ext_group_nr_blocks(const struct ext_fs *fs, u32 g)
{
	return (u32)MIN(fs->blocks_count - ext_group_first_block(fs, g), (u64)fs->blocks_per_group);
}

static int is_power_of(u32 n, u32 base)
{
	while (n > base && n % base == 0)
		n /= base;
	return n == base;
}

static int group_has_super(const struct ext_fs *fs, u32 g)
{
	if (g == 0)
		return 1;
	if (fs->compat & EXT_COMPAT_SPARSE_SUPER2)
		return g == fs->super->backup_bgs[0] || g == fs->super->backup_bgs[1];
	if (g == 1 || !(fs->ro_compat & EXT_RO_SPARSE_SUPER))
		return 1;
	return is_power_of(g, 3) || is_power_of(g, 5) || is_power_of(g, 7);
}

static int in_meta_bg(const struct ext_fs *fs, u32 gdt_block)
{
	return (fs->incompat & EXT_INCOMPAT_META_BG) && gdt_block >= fs->super->first_meta_bg;
}

u64 ext_gdt_location(const struct ext_fs *fs, u32 i)
{
	u32 g = i * fs->desc_per_block;

	if (!in_meta_bg(fs, i))
		return fs->first_data_block + 1 + i;
	return ext_group_first_block(fs, g) + (u32)group_has_super(fs, g);
}

/* Superblock copy and descriptors at the start of the group. */
static u32 group_base_blocks(const struct ext_fs *fs, u32 g)
{
	u32 has_super = (u32)group_has_super(fs, g);
	u32 in_meta = g % fs->desc_per_block;

	if (in_meta_bg(fs, g / fs->desc_per_block))
		return has_super + (in_meta == 0 || in_meta == 1 || in_meta == fs->desc_per_block - 1);
	if (!has_super)
		return 0;
	if (fs->incompat & EXT_INCOMPAT_META_BG)
		return 1 + fs->super->first_meta_bg;
	return 1 + fs->nr_gdt + fs->super->reserved_gdt_blocks;
}

/* ---- fields in two halves ---- */

static inline int wide(const struct ext_fs *fs)
{
	return fs->desc_size >= sizeof(struct ext_group_desc);
}

u64 ext_block_bitmap(const struct ext_fs *fs, const struct ext_group_desc *gd)
{
	return gd->block_bitmap_lo | (wide(fs) ? (u64)gd->block_bitmap_hi << 32 : 0);
}

u64 ext_inode_bitmap(const struct ext_fs *fs, const struct ext_group_desc *gd)
{
	return gd->inode_bitmap_lo | (wide(fs) ? (u64)gd->inode_bitmap_hi << 32 : 0);
}

u64 ext_inode_table(const struct ext_fs *fs, const struct ext_group_desc *gd)
{
	return gd->inode_table_lo | (wide(fs) ? (u64)gd->inode_table_hi << 32 : 0);
}

u32 ext_free_blocks_of(const struct ext_fs *fs, const struct ext_group_desc *gd)
{
	return gd->free_blocks_lo | (wide(fs) ? (u32)gd->free_blocks_hi << 16 : 0);
}

u32 ext_free_inodes_of(const struct ext_fs *fs, const struct ext_group_desc *gd)
{
	return gd->free_inodes_lo | (wide(fs) ? (u32)gd->free_inodes_hi << 16 : 0);
}

u32 ext_used_dirs_of(const struct ext_fs *fs, const struct ext_group_desc *gd)
{
	return gd->used_dirs_lo | (wide(fs) ? (u32)gd->used_dirs_hi << 16 : 0);
}

u32 ext_itable_unused_of(const struct ext_fs *fs, const struct ext_group_desc *gd)
{
	return gd->itable_unused_lo | (wide(fs) ? (u32)gd->itable_unused_hi << 16 : 0);
}

void ext_set_free_blocks(const struct ext_fs *fs, struct ext_group_desc *gd, u32 n)
{
	gd->free_blocks_lo = (u16)n;
	if (wide(fs))
		gd->free_blocks_hi = (u16)(n >> 16);
}

void ext_set_free_inodes(const struct ext_fs *fs, struct ext_group_desc *gd, u32 n)
{
	gd->free_inodes_lo = (u16)n;
	if (wide(fs))
		gd->free_inodes_hi = (u16)(n >> 16);
}

void ext_set_used_dirs(const struct ext_fs *fs, struct ext_group_desc *gd, u32 n)
{
	gd->used_dirs_lo = (u16)n;
	if (wide(fs))
		gd->used_dirs_hi = (u16)(n >> 16);
}

void ext_set_itable_unused(const struct ext_fs *fs, struct ext_group_desc *gd, u32 n)
{
	gd->itable_unused_lo = (u16)n;
	if (wide(fs))
		gd->itable_unused_hi = (u16)(n >> 16);
}

/* ---- checksums ---- */

/* CRC-16, polynomial 0x8005 reflected, four bits a step. */
u16 ext_crc16(u16 crc, const void *data, size_t len)
{
	static const u16 nibble[16] = {0x0000, 0xcc01, 0xd801, 0x1400, 0xf001, 0x3c00, 0x2800, 0xe401, 0xa001, 0x6c00,
		0x7800, 0xb401, 0x5000, 0x9c01, 0x8801, 0x4400};
	const u8 *p = data;

	while (len--) {
		crc ^= *p++;
		crc = (u16)(crc >> 4) ^ nibble[crc & 15];
		crc = (u16)(crc >> 4) ^ nibble[crc & 15];
	}
	return crc;
}

u16 ext_group_csum(const struct ext_fs *fs, u32 g, const struct ext_group_desc *gd)
{
	u16 crc = ext_crc16(fs->csum_seed, &g, sizeof(g));

	crc = ext_crc16(crc, gd, offsetof(struct ext_group_desc, checksum));
	if (fs->desc_size > 32)
		crc = ext_crc16(crc, &gd->block_bitmap_hi, fs->desc_size - 32);
	return crc;
}

int ext_group_access(struct ext_fs *fs, u32 g)
{
	return buf_access(&fs->gdt[g / fs->desc_per_block]);
}

void ext_group_dirty(struct ext_fs *fs, u32 g)
{
	if (fs->ro_compat & EXT_RO_GDT_CSUM) {
		struct ext_group_desc *gd = ext_group(fs, g);

		gd->checksum = ext_group_csum(fs, g, gd);
	}
	buf_dirty(&fs->gdt[g / fs->desc_per_block]);
}

/* ---- bitmaps ---- */

/* Marks those of [start, start + n) that lie in group g. */
static void mark_in_group(const struct ext_fs *fs, u64 *map, u32 g, u64 start, u64 n)
{
	u64 first = ext_group_first_block(fs, g), end = first + ext_group_nr_blocks(fs, g);
	u64 from = MAX(start, first), to = MIN(start + n, end);

	if (from < to)
		bitmap_set_range(map, from - first, to - from);
}

/* With flex_bg a group may hold the bitmaps and tables of others: then it is not BLOCK_UNINIT, but look all the same. */
static void make_block_bitmap(struct ext_fs *fs, u32 g, u64 *map)
{
	u32 nr = ext_group_nr_blocks(fs, g);

	memset(map, 0, fs->block_size);
	bitmap_set_range(map, 0, MIN(group_base_blocks(fs, g), nr));
	bitmap_set_range(map, nr, fs->block_size * 8 - nr);
	for (u32 i = 0; i < fs->nr_groups; i++) {
		struct ext_group_desc *gd = ext_group(fs, i);

		if (i != g && !(fs->incompat & EXT_INCOMPAT_FLEX_BG))
			continue;
		mark_in_group(fs, map, g, ext_block_bitmap(fs, gd), 1);
		mark_in_group(fs, map, g, ext_inode_bitmap(fs, gd), 1);
		mark_in_group(fs, map, g, ext_inode_table(fs, gd), fs->itable_blocks);
	}
}

static int has_flag(const struct ext_fs *fs, const struct ext_group_desc *gd, u32 flag)
{
	return (fs->ro_compat & EXT_RO_GDT_CSUM) && (gd->flags & flag);
}

/* First use of a group's bitmap in this mount: its own metadata must be in use, and the counts must agree. */
static int check_block_bitmap(struct ext_fs *fs, u32 g, const u64 *map)
{
	struct ext_group_desc *gd = ext_group(fs, g);
	u64 first = ext_group_first_block(fs, g);
	u32 nr = ext_group_nr_blocks(fs, g);
	u64 own[2] = {ext_block_bitmap(fs, gd), ext_inode_bitmap(fs, gd)};
	u64 table = ext_inode_table(fs, gd);

	for (u32 i = 0; i < 2; i++)
		if (own[i] >= first && own[i] < first + nr && !bitmap_test(map, own[i] - first))
			return ext_error(fs, "group %u: its bitmap says that its own metadata is free", g);
	if (range_within(table, fs->itable_blocks, first, first + nr) &&
		bitmap_find_clear(map, table - first + fs->itable_blocks, table - first) <
			table - first + fs->itable_blocks)
		return ext_error(fs, "group %u: its bitmap says that its inode table is free", g);
	if (nr - bitmap_count(map, nr) != ext_free_blocks_of(fs, gd))
		return ext_error(fs, "group %u: %u blocks are free, its descriptor says %u", g,
			nr - (u32)bitmap_count(map, nr), ext_free_blocks_of(fs, gd));
	return 0;
}

#define CHECKED_BLOCKS 1u
#define CHECKED_INODES 2u

int ext_block_bitmap_read(struct ext_fs *fs, u32 g, struct buf *out)
{
	struct ext_group_desc *gd = ext_group(fs, g);
	int err;

	mutex_assert_held(&fs->alloc_lock);
	if (has_flag(fs, gd, EXT_BG_BLOCK_UNINIT)) {
		err = buf_new(fs->sb, ext_block_bitmap(fs, gd), out);
		if (err < 0)
			return err;
		make_block_bitmap(fs, g, (u64 *)(void *)out->data);
		gd->flags &= (u16)~EXT_BG_BLOCK_UNINIT;
		buf_dirty(out);
		ext_group_dirty(fs, g);
	} else {
		err = buf_read(fs->sb, ext_block_bitmap(fs, gd), out);
		if (err < 0)
			return err;
	}
	if (!(fs->group_checked[g] & CHECKED_BLOCKS)) {
		err = check_block_bitmap(fs, g, (u64 *)(void *)out->data);
		fs->group_checked[g] |= CHECKED_BLOCKS;
	}
	if (err < 0)
		buf_put(out);
	return err;
}

int ext_inode_bitmap_read(struct ext_fs *fs, u32 g, struct buf *out)
{
	struct ext_group_desc *gd = ext_group(fs, g);
	u32 nr = fs->inodes_per_group;
	u64 *map;
	int err;

	mutex_assert_held(&fs->alloc_lock);
	if (has_flag(fs, gd, EXT_BG_INODE_UNINIT)) {
		err = buf_new(fs->sb, ext_inode_bitmap(fs, gd), out);
		if (err < 0)
			return err;
		bitmap_set_range((u64 *)(void *)out->data, nr, fs->block_size * 8 - nr);
		gd->flags &= (u16)~EXT_BG_INODE_UNINIT;
		buf_dirty(out);
		ext_group_dirty(fs, g);
	} else {
		err = buf_read(fs->sb, ext_inode_bitmap(fs, gd), out);
		if (err < 0)
			return err;
	}
	if (!(fs->group_checked[g] & CHECKED_INODES)) {
		map = (u64 *)(void *)out->data;
		if (nr - bitmap_count(map, nr) != ext_free_inodes_of(fs, gd))
			err = ext_error(fs, "group %u: %u inodes are free, its descriptor says %u", g,
				nr - (u32)bitmap_count(map, nr), ext_free_inodes_of(fs, gd));
		fs->group_checked[g] |= CHECKED_INODES;
	}
	if (err < 0)
		buf_put(out);
	return err;
}

int ext_blocks_ok(struct ext_fs *fs, u64 start, u64 n)
{
	struct ext_group_desc *gd;
	u64 table;
	u32 g;

	if (!range_within(start, n, (u64)fs->first_data_block + 1, fs->blocks_count))
		return 0;
	/* The group's own metadata; with flex_bg that of others is not looked at here. */
	g = (u32)((start - fs->first_data_block) / fs->blocks_per_group);
	gd = ext_group(fs, g);
	table = ext_inode_table(fs, gd);
	return !range_overlaps(start, start + n, table, table + fs->itable_blocks) &&
		!range_overlaps(start, start + n, ext_block_bitmap(fs, gd), ext_block_bitmap(fs, gd) + 1) &&
		!range_overlaps(start, start + n, ext_inode_bitmap(fs, gd), ext_inode_bitmap(fs, gd) + 1);
}
