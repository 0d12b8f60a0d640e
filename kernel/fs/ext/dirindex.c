/*
 * The names of a directory in memory: an open hash table from name hash to the
 * record's place, so that looking up (also an absent name) reads one block. It is only a help: when there is no memory
 * for it, it is dropped.
 *
 *	slot: 0 never used; TOMB: was used; otherwise hash << 32 | place / 4 + 2
 *
 * Readers (dir locked for reading) only look; one of them may build it. Writers hold the directory's lock for writing.
 */
#include "fs/ext/dir.h"
#include "mm/slab.h"

#define TOMB      1ul
#define MIN_SLOTS 256u
#define MAX_SLOTS (256u * 1024)

struct ext_dirindex {
	u32 mask;
	u32 used; /* live and tombs */
	u32 live;
	u64 slots[];
};

static inline u64 slot_value(u32 hash, u64 at)
{
	return (u64)hash << 32 | (at / 4 + 2);
}

static struct ext_dirindex *index_alloc(u32 slots)
{
	struct ext_dirindex *ix;

	if (slots > MAX_SLOTS)
		return NULL;
	ix = kzalloc(sizeof(*ix) + (size_t)slots * sizeof(u64), 0);
	if (ix)
		ix->mask = slots - 1;
	return ix;
}

/* There is a free slot. */
static void index_put(struct ext_dirindex *ix, u64 value)
{
	u32 i = (u32)(value >> 32) & ix->mask;

	while (ix->slots[i] > TOMB)
		i = (i + 1) & ix->mask;
	if (ix->slots[i] == 0)
		ix->used++;
	ix->live++;
	ix->slots[i] = value;
}

static inline int index_full(const struct ext_dirindex *ix)
{
	return ix->used >= (ix->mask + 1) / 4 * 3;
}

/* One of twice the size, or of the same when most of it is tombs. */
static struct ext_dirindex *index_regrow(struct ext_dirindex *old)
{
	u32 slots = old->mask + 1;
	struct ext_dirindex *ix = index_alloc(old->live >= slots / 2 ? slots * 2 : slots);

	if (ix)
		for (u32 i = 0; i < slots; i++)
			if (old->slots[i] > TOMB)
				index_put(ix, old->slots[i]);
	kfree(old);
	return ix;
}

static int build_one(void *arg, u64 at, const struct ext_dirent *de)
{
	struct ext_dirindex **ix = arg;

	if (index_full(*ix))
		*ix = index_regrow(*ix);
	if (!*ix)
		return 1;
	index_put(*ix, slot_value(ext_name_hash(de->name, de->name_len), at));
	return 0;
}

const struct ext_dirindex *ext_dirindex_build(struct inode *dir)
{
	struct ext_inode *ei = ext_inode(dir);
	struct ext_dirindex *ix = index_alloc(MIN_SLOTS), *none = NULL;

	if (!ix)
		return NULL;
	if (ext_dir_for_each(dir, build_one, &ix) != 0) {
		kfree(ix);
		return NULL;
	}
	if (__atomic_compare_exchange_n(&ei->index, &none, ix, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return ix;
	kfree(ix); /* another reader was faster */
	return none;
}

int ext_dirindex_next(const struct ext_dirindex *ix, u32 hash, u32 *cursor, u64 *at)
{
	while (*cursor <= ix->mask) {
		u64 v = ix->slots[(hash + *cursor) & ix->mask];

		(*cursor)++;
		if (v == 0)
			return 0;
		if (v > TOMB && (u32)(v >> 32) == hash) {
			*at = ((v & UINT32_MAX) - 2) * 4;
			return 1;
		}
	}
	return 0;
}

void ext_dirindex_add(struct ext_inode *ei, u32 hash, u64 at)
{
	if (!ei->index)
		return;
	if (index_full(ei->index))
		ei->index = index_regrow(ei->index);
	if (ei->index)
		index_put(ei->index, slot_value(hash, at));
}

void ext_dirindex_del(struct ext_inode *ei, u32 hash, u64 at)
{
	struct ext_dirindex *ix = ei->index;
	u64 value = slot_value(hash, at);

	if (!ix)
		return;
	for (u32 i = 0; i <= ix->mask; i++) {
		u64 *slot = &ix->slots[(hash + i) & ix->mask];

		if (*slot == 0)
			return;
		if (*slot == value) {
			*slot = TOMB;
			ix->live--;
			return;
		}
	}
}

void ext_dirindex_free(struct ext_inode *ei)
{
	kfree(ei->index);
	ei->index = NULL;
}
