/* Allocation of blocks: contiguous runs near a goal, under one lock. */
#include "fs/ext/ext.h"
#include "lib/bitmap.h"

#define SHORT_RUN  8u  /* right behind the goal, this many will do */
#define DECENT_RUN 16u /* in a group other than the goal's, this many are worth it on the first round */

/* The best run of at most `want` clear bits: the first that is long enough from `from` on, then from 0. Its length, or 0. */
static u32 find_run(const u64 *map, u32 nr, u32 from, u32 want, u32 *start)
{
	u32 best = 0, end = nr, at = from;

	if (from < nr && !bitmap_test(map, from)) {
		*start = from;
		best = (u32)(bitmap_find_set(map, MIN(from + want, nr), from)) - from;
		if (best >= MIN(want, SHORT_RUN))
			return best;
	}
	for (u32 round = 0; round < 2; round++) {
		while (at < end) {
			u32 first = (u32)bitmap_find_clear(map, end, at), stop;

			if (first >= end)
				break;
			stop = (u32)bitmap_find_set(map, MIN(first + want, nr), first);
			if (stop - first > best) {
				best = stop - first;
				*start = first;
				if (best >= want)
					return best;
			}
			at = stop + 1;
		}
		end = from;
		at = 0;
	}
	return best;
}

/* Takes a run of at least `least` blocks in group g. 1: done, 0: not here, -errno. */
static int alloc_in_group(struct ext_fs *fs, u32 g, u32 from, u32 want, u32 least, u64 *start, u32 *got)
{
	struct ext_group_desc *gd = ext_group(fs, g);
	struct buf b;
	u32 bit = 0, n;
	int err = ext_block_bitmap_read(fs, g, &b);

	if (err < 0)
		return err;
	n = find_run((u64 *)(void *)b.data, ext_group_nr_blocks(fs, g), from, want, &bit);
	if (n < least || n > ext_free_blocks_of(fs, gd)) {
		buf_put(&b);
		return 0;
	}
	*start = ext_group_first_block(fs, g) + bit;
	if (!ext_blocks_ok(fs, *start, n)) {
		buf_put(&b);
		return ext_error(fs, "group %u: blocks %lu+%u are not free for use", g, *start, n);
	}
	err = buf_access(&b);
	if (err == 0)
		err = ext_group_access(fs, g);
	if (err == 0) {
		bitmap_set_range((u64 *)(void *)b.data, bit, n);
		buf_dirty(&b);
		ext_set_free_blocks(fs, gd, ext_free_blocks_of(fs, gd) - n);
		ext_group_dirty(fs, g);
		fs->free_blocks -= n;
		*got = n;
	}
	buf_put(&b);
	return err < 0 ? err : 1;
}

/* Blocks that the caller may take: some are kept for root. */
static u64 blocks_available(const struct ext_fs *fs)
{
	const struct cred *cred = cred_current();

	if (cred->fsuid == 0 || cred->fsuid == fs->super->def_resuid ||
		(fs->super->def_resgid && cred_in_group(fs->super->def_resgid)))
		return fs->free_blocks;
	return fs->free_blocks > fs->reserved_blocks ? fs->free_blocks - fs->reserved_blocks : 0;
}

static int alloc_locked(struct ext_fs *fs, u64 goal, u32 want, u64 *start, u32 *got)
{
	u64 available = blocks_available(fs);
	u32 home, from;
	int err;

	if (available == 0)
		return -ENOSPC;
	want = (u32)MIN(MIN((u64)want, available), (u64)fs->blocks_per_group);
	if (goal < fs->first_data_block || goal >= fs->blocks_count)
		goal = fs->first_data_block;
	home = (u32)((goal - fs->first_data_block) / fs->blocks_per_group);
	from = (u32)((goal - fs->first_data_block) % fs->blocks_per_group);
	for (u32 round = 0; round < 2; round++) {
		u32 least = round == 0 ? MIN(want, DECENT_RUN) : 1;

		for (u32 i = 0; i < fs->nr_groups; i++) {
			u32 g = (home + i) % fs->nr_groups;

			if (ext_free_blocks_of(fs, ext_group(fs, g)) < least)
				continue;
			err = alloc_in_group(fs, g, i == 0 ? from : 0, want, least, start, got);
			if (err)
				return err < 0 ? err : 0;
		}
	}
	return -ENOSPC;
}

int ext_alloc_blocks(struct ext_fs *fs, u64 goal, u32 want, u64 *start, u32 *got)
{
	int err;

	if (ext_rdonly(fs))
		return -EROFS;
	mutex_lock(&fs->alloc_lock);
	err = alloc_locked(fs, goal, want, start, got);
	mutex_unlock(&fs->alloc_lock);
	return err;
}

/* [start, start + n) lies in group g. */
static int free_in_group(struct ext_fs *fs, u32 g, u64 start, u32 n)
{
	struct ext_group_desc *gd = ext_group(fs, g);
	u32 bit = (u32)(start - ext_group_first_block(fs, g));
	struct buf b;
	int err;

	if (!ext_blocks_ok(fs, start, n))
		return ext_error(fs, "blocks %lu+%u hold metadata and cannot be freed", start, n);
	err = ext_block_bitmap_read(fs, g, &b);
	if (err < 0)
		return err;
	if (bitmap_find_clear((u64 *)(void *)b.data, bit + n, bit) < bit + n) {
		buf_put(&b);
		return ext_error(fs, "blocks %lu+%u are partly free already", start, n);
	}
	err = buf_access(&b);
	if (err == 0)
		err = ext_group_access(fs, g);
	if (err == 0) {
		bitmap_clear_range((u64 *)(void *)b.data, bit, n);
		buf_dirty(&b);
		ext_set_free_blocks(fs, gd, ext_free_blocks_of(fs, gd) + n);
		ext_group_dirty(fs, g);
		fs->free_blocks += n;
	}
	buf_put(&b);
	return err;
}

void ext_free_blocks(struct ext_fs *fs, u64 start, u64 n)
{
	mutex_lock(&fs->alloc_lock);
	while (n) {
		u32 g = (u32)((start - fs->first_data_block) / fs->blocks_per_group);
		u64 room = ext_group_first_block(fs, g) + fs->blocks_per_group - start;
		u32 here = (u32)MIN(room, n);

		if (start >= fs->blocks_count || free_in_group(fs, g, start, here) < 0)
			break; /* leaked; the log or the device says why */
		start += here;
		n -= here;
	}
	mutex_unlock(&fs->alloc_lock);
}

void ext_free_meta_block(struct ext_fs *fs, u64 blk)
{
	buf_forget(fs->sb, blk, 1);
	ext_free_blocks(fs, blk, 1);
}
