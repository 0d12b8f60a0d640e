/*
 * What ext2 and ext4 have on disk. Sources: the "ext4 Data Structures and Algorithms" document of the Linux kernel,
 * and "The Second Extended File System" by D. Poirier. All numbers are little-endian, as are
 * this kernel's machine and its test hosts, so fields are used as they stand.
 */
#pragma once

#include "lib/types.h"

#define EXT_MAGIC               0xef53
#define EXT_ROOT_INO            2u
#define EXT_GOOD_OLD_FIRST_INO  11u
#define EXT_GOOD_OLD_INODE_SIZE 128u

/* s_state */
#define EXT_STATE_VALID 1u
#define EXT_STATE_ERROR 2u

#define EXT_COMPAT_HAS_JOURNAL   0x4u
#define EXT_COMPAT_DIR_INDEX     0x20u
#define EXT_COMPAT_SPARSE_SUPER2 0x200u

#define EXT_INCOMPAT_FILETYPE 0x2u
#define EXT_INCOMPAT_RECOVER  0x4u
#define EXT_INCOMPAT_META_BG  0x10u
#define EXT_INCOMPAT_EXTENTS  0x40u
#define EXT_INCOMPAT_64BIT    0x80u
#define EXT_INCOMPAT_FLEX_BG  0x200u
#define EXT_INCOMPAT_SUPPORTED                                                                        \
	(EXT_INCOMPAT_FILETYPE | EXT_INCOMPAT_RECOVER | EXT_INCOMPAT_META_BG | EXT_INCOMPAT_EXTENTS | \
		EXT_INCOMPAT_64BIT | EXT_INCOMPAT_FLEX_BG)

#define EXT_RO_SPARSE_SUPER 0x1u
#define EXT_RO_LARGE_FILE   0x2u
#define EXT_RO_BTREE_DIR    0x4u /* never used by anyone */
#define EXT_RO_HUGE_FILE    0x8u
#define EXT_RO_GDT_CSUM     0x10u
#define EXT_RO_DIR_NLINK    0x20u
#define EXT_RO_EXTRA_ISIZE  0x40u
#define EXT_RO_SUPPORTED                                                                                   \
	(EXT_RO_SPARSE_SUPER | EXT_RO_LARGE_FILE | EXT_RO_BTREE_DIR | EXT_RO_HUGE_FILE | EXT_RO_GDT_CSUM | \
		EXT_RO_DIR_NLINK | EXT_RO_EXTRA_ISIZE)

struct ext_disk_super { /* at byte 1024 */
	u32 inodes_count;
	u32 blocks_count_lo;
	u32 r_blocks_count_lo; /* for root */
	u32 free_blocks_count_lo;
	u32 free_inodes_count;
	u32 first_data_block;
	u32 log_block_size; /* 1024 << this */
	u32 log_cluster_size;
	u32 blocks_per_group;
	u32 clusters_per_group;
	u32 inodes_per_group;
	u32 mtime;
	u32 wtime;
	u16 mnt_count;
	u16 max_mnt_count;
	u16 magic;
	u16 state;
	u16 errors;
	u16 minor_rev_level;
	u32 lastcheck;
	u32 checkinterval;
	u32 creator_os;
	u32 rev_level;
	u16 def_resuid;
	u16 def_resgid;
	u32 first_ino; /* from here on: revision 1 */
	u16 inode_size;
	u16 block_group_nr;
	u32 feature_compat;
	u32 feature_incompat;
	u32 feature_ro_compat;
	u8 uuid[16];
	char volume_name[16];
	char last_mounted[64];
	u32 algorithm_usage_bitmap;
	u8 prealloc_blocks;
	u8 prealloc_dir_blocks;
	u16 reserved_gdt_blocks;
	u8 journal_uuid[16];
	u32 journal_inum;
	u32 journal_dev;
	u32 last_orphan; /* head of the list through i_dtime */
	u32 hash_seed[4];
	u8 def_hash_version;
	u8 jnl_backup_type;
	u16 desc_size; /* with 64BIT */
	u32 default_mount_opts;
	u32 first_meta_bg;
	u32 mkfs_time;
	u32 jnl_blocks[17];
	u32 blocks_count_hi;
	u32 r_blocks_count_hi;
	u32 free_blocks_count_hi;
	u16 min_extra_isize;
	u16 want_extra_isize;
	u32 flags;
	u8 rest1[588 - 356];
	u32 backup_bgs[2]; /* with SPARSE_SUPER2 */
	u8 rest2[1024 - 596];
};
static_assert(sizeof(struct ext_disk_super) == 1024, "ext superblock");
static_assert(offsetof(struct ext_disk_super, last_orphan) == 232, "ext superblock");
static_assert(offsetof(struct ext_disk_super, blocks_count_hi) == 336, "ext superblock");

#define EXT_BG_INODE_UNINIT 1u
#define EXT_BG_BLOCK_UNINIT 2u
#define EXT_BG_INODE_ZEROED 4u

struct ext_group_desc { /* the first half, 32 bytes, without 64BIT */
	u32 block_bitmap_lo;
	u32 inode_bitmap_lo;
	u32 inode_table_lo;
	u16 free_blocks_lo;
	u16 free_inodes_lo;
	u16 used_dirs_lo;
	u16 flags;
	u32 exclude_bitmap_lo;
	u16 block_bitmap_csum_lo;
	u16 inode_bitmap_csum_lo;
	u16 itable_unused_lo;
	u16 checksum;
	u32 block_bitmap_hi;
	u32 inode_bitmap_hi;
	u32 inode_table_hi;
	u16 free_blocks_hi;
	u16 free_inodes_hi;
	u16 used_dirs_hi;
	u16 itable_unused_hi;
	u32 exclude_bitmap_hi;
	u16 block_bitmap_csum_hi;
	u16 inode_bitmap_csum_hi;
	u32 reserved;
};
static_assert(sizeof(struct ext_group_desc) == 64, "ext group descriptor");

#define EXT_NDIR_BLOCKS 12u
#define EXT_N_BLOCKS    15u

/* i_flags */
#define EXT_FL_SYNC        0x8u
#define EXT_FL_IMMUTABLE   0x10u
#define EXT_FL_APPEND      0x20u
#define EXT_FL_INDEX       0x1000u
#define EXT_FL_HUGE_FILE   0x40000u
#define EXT_FL_EXTENTS     0x80000u
#define EXT_FL_INLINE_DATA 0x10000000u
#define EXT_FL_INHERIT     0xc0u /* a new inode takes over from its directory: nodump, noatime */

struct ext_disk_inode {
	u16 mode;
	u16 uid_lo;
	u32 size_lo;
	u32 atime;
	u32 ctime;
	u32 mtime;
	u32 dtime; /* or the next orphan */
	u16 gid_lo;
	u16 links_count;
	u32 blocks_lo;
	u32 flags;
	u32 version;
	u32 block[EXT_N_BLOCKS];
	u32 generation;
	u32 file_acl_lo;
	u32 size_hi;
	u32 faddr;
	u16 blocks_hi;
	u16 file_acl_hi;
	u16 uid_hi;
	u16 gid_hi;
	u16 checksum_lo;
	u16 reserved;
	u16 extra_isize; /* from here on: inodes larger than 128 bytes */
	u16 checksum_hi;
	u32 ctime_extra; /* ns << 2 | epoch */
	u32 mtime_extra;
	u32 atime_extra;
	u32 crtime;
	u32 crtime_extra;
	u32 version_hi;
	u32 projid;
};
static_assert(offsetof(struct ext_disk_inode, block) == 40, "ext inode");
static_assert(offsetof(struct ext_disk_inode, extra_isize) == 128, "ext inode");

#define EXT_EXTENT_MAGIC         0xf30a
#define EXT_EXTENT_MAX_DEPTH     5u
#define EXT_EXTENT_MAX_LEN       32768u
#define EXT_EXTENT_MAX_UNWRITTEN 32767u

struct ext_extent_header {
	u16 magic;
	u16 entries;
	u16 max;
	u16 depth; /* 0: a leaf */
	u32 generation;
};

struct ext_extent {
	u32 block;
	u16 len; /* above EXT_EXTENT_MAX_LEN: unwritten, len - EXT_EXTENT_MAX_LEN blocks */
	u16 start_hi;
	u32 start_lo;
};

struct ext_extent_index {
	u32 block;
	u32 leaf_lo;
	u16 leaf_hi;
	u16 unused;
};

struct ext_dirent {
	u32 inode; /* 0: free */
	u16 rec_len;
	u8 name_len;
	u8 file_type;
	char name[];
};
#define EXT_DIRENT_HEADER 8u

/* In front of a block of extended attributes. */
#define EXT_XATTR_MAGIC 0xea020000u
struct ext_xattr_header {
	u32 magic;
	u32 refcount;
	u32 blocks;
	u32 hash;
	u32 checksum;
	u32 reserved[3];
};
