/* Compressed swap in RAM. See mm/zram.h. */
#include "mm/zram.h"

#include "lib/assert.h"
#include "lib/bitmap.h"
#include "lib/cmdline.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/lz.h"
#include "mm/slab.h"
#include "mm/stat.h"
#include "mm/swap.h"

#define GROUP_FRAMES   4u
#define PRIORITY       100 /* before any disk */
#define DEFAULT_PARTS  50u /* percent of RAM */
#define SLOTS_PER_PAGE (PAGE_SIZE / sizeof(struct zslot))

/* nr objects in `frames` frames; in order of size. */
static const struct zclass {
	u8 frames, nr;
} classes[] = {
	{1, 64}, {1, 32}, {1, 21}, {1, 16}, {1, 12}, {1, 10}, {1, 8}, {1, 7}, {1, 6}, {1, 5}, {1, 4}, {1, 3}, {2, 5}, {1, 2},
	{3, 5}, {2, 3}, {3, 4}, {4, 5}};

#define NR_CLASSES (sizeof(classes) / sizeof(classes[0]))

struct zgroup {
	struct list link; /* in zram.partial[class] while an object is free */
	struct frame *frames[GROUP_FRAMES];
	u64 used; /* objects, by bit */
	u32 class;
};

enum zkind { ZSLOT_FREE, ZSLOT_SAME, ZSLOT_OBJECT };

struct zslot {
	union {
		struct zgroup *group;
		u64 word; /* ZSLOT_SAME */
	};
	u16 len;
	u8 nr; /* object of the group */
	u8 kind;
};

static struct {
	struct spinlock work_lock;
	struct spinlock lock;
	struct list partial[NR_CLASSES]; /* [lock] groups with free objects */
	struct zslot **slots;            /* [lock] pages of slots; NULL: never used */
	u64 nr_slots;
	struct lz_table *table; /* [work_lock] */
	u8 *buffer;             /* [work_lock] one page */
} zram = {
	.work_lock = SPINLOCK_INIT("zram work", RANK_ZRAM_WORK),
	.lock = SPINLOCK_INIT("zram", RANK_ZRAM),
};

static inline u32 class_size(u32 class)
{
	return (u32)(classes[class].frames * PAGE_SIZE / classes[class].nr) & ~7u;
}

/* The smallest class that holds len bytes, or NR_CLASSES. */
static u32 class_for(u32 len)
{
	u32 class = 0;

	while (class < NR_CLASSES && class_size(class) < len)
		class++;
	return class;
}

static struct zslot *zslot_at(u64 slot)
{
	struct zslot *page = zram.slots[slot / SLOTS_PER_PAGE];

	return page ? &page[slot % SLOTS_PER_PAGE] : NULL;
}

/* ---- groups ---- */

static void group_free(struct zgroup *g)
{
	for (u32 i = 0; i < classes[g->class].frames; i++) {
		if (g->frames[i])
			frame_put(g->frames[i]);
	}
	kfree(g);
}

static struct zgroup *group_create(u32 class)
{
	struct zgroup *g = kzalloc(sizeof(*g), ALLOC_ATOMIC);

	if (!g)
		return NULL;
	list_init(&g->link);
	g->class = class;
	for (u32 i = 0; i < classes[class].frames; i++) {
		g->frames[i] = frame_alloc(0, FRAME_KERNEL, ALLOC_ATOMIC);
		if (!g->frames[i]) {
			group_free(g);
			return NULL;
		}
	}
	return g;
}

/* A free object of the class in *nr. NULL: no memory. */
static struct zgroup *object_alloc(u32 class, u8 *nr)
{
	struct zgroup *g = NULL, *fresh = NULL;
	u64 irq;

	for (;;) {
		irq = spin_lock_irqsave(&zram.lock);
		if (fresh) {
			list_add(&fresh->link, &zram.partial[class]);
			atomic64_add(&vm_stats.zram_frames, classes[class].frames);
		}
		if (!list_empty(&zram.partial[class])) {
			g = list_first_entry(&zram.partial[class], struct zgroup, link);
			*nr = (u8)bit_lowest(~g->used);
			g->used |= BIT(*nr);
			if (bit_count(g->used) == classes[class].nr)
				list_del(&g->link);
		}
		spin_unlock_irqrestore(&zram.lock, irq);
		if (g)
			return g;
		fresh = group_create(class);
		if (!fresh)
			return NULL;
	}
}

/* zram.lock is held. Returns the group when it is empty now and off the list: group_free it. */
static struct zgroup *object_release(struct zgroup *g, u32 nr)
{
	const struct zclass *c = &classes[g->class];

	if (bit_count(g->used) == c->nr)
		list_add(&g->link, &zram.partial[g->class]);
	g->used &= ~BIT(nr);
	if (g->used)
		return NULL;
	list_del(&g->link);
	atomic64_sub(&vm_stats.zram_frames, c->frames);
	return g;
}

/* Copies between a buffer and an object, which may lie in two frames. */
enum copy { COPY_IN, COPY_OUT };

static void object_copy(const struct zgroup *g, u32 nr, void *buf, u32 len, enum copy how)
{
	u32 off = nr * class_size(g->class), done = 0;

	while (done < len) {
		u32 n = MIN(len - done, (u32)PAGE_SIZE - off % (u32)PAGE_SIZE);
		u8 *at = (u8 *)frame_kva(g->frames[off / PAGE_SIZE]) + off % PAGE_SIZE;

		if (how == COPY_IN)
			memcpy(at, (u8 *)buf + done, n);
		else
			memcpy((u8 *)buf + done, at, n);
		done += n;
		off += n;
	}
}

/* ---- the area's operations ---- */

/* A page of the table of slots is made when one of them is used first. */
static bool slots_grow(u64 slot)
{
	struct zslot **page = &zram.slots[slot / SLOTS_PER_PAGE], *fresh;
	u64 irq;

	if (READ_ONCE(*page))
		return true;
	fresh = kzalloc(PAGE_SIZE, ALLOC_ATOMIC);
	if (!fresh)
		return false;
	irq = spin_lock_irqsave(&zram.lock);
	if (!*page) {
		*page = fresh;
		fresh = NULL;
	}
	spin_unlock_irqrestore(&zram.lock, irq);
	kfree(fresh);
	return true;
}

/* Is the page one word, over and over? */
static bool page_same(const u64 *words, u64 *word)
{
	for (u32 i = 1; i < PAGE_SIZE / sizeof(u64); i++) {
		if (words[i] != words[0])
			return false;
	}
	*word = words[0];
	return true;
}

static void slot_set(u64 slot, struct zslot what)
{
	u64 irq = spin_lock_irqsave(&zram.lock);

	*zslot_at(slot) = what;
	spin_unlock_irqrestore(&zram.lock, irq);
	atomic64_inc(&vm_stats.zram_pages);
	atomic64_add(&vm_stats.zram_same, what.kind == ZSLOT_SAME);
	atomic64_add(&vm_stats.zram_bytes, what.len);
}

static int zram_store(struct swap_area *a, u64 slot, const void *page)
{
	struct zslot what = {.kind = ZSLOT_SAME};
	u32 len, class;

	if (!slots_grow(slot))
		goto refused;
	if (page_same(page, &what.word)) {
		slot_set(slot, what);
		return 0;
	}
	spin_lock(&zram.work_lock);
	len = lz_compress(page, PAGE_SIZE, zram.buffer, class_size(NR_CLASSES - 1), zram.table);
	class = len ? class_for(len) : NR_CLASSES;
	what.group = class < NR_CLASSES ? object_alloc(class, &what.nr) : NULL;
	if (what.group)
		object_copy(what.group, what.nr, zram.buffer, len, COPY_IN);
	spin_unlock(&zram.work_lock);
	if (!what.group)
		goto refused;
	what.kind = ZSLOT_OBJECT;
	what.len = (u16)len;
	slot_set(slot, what);
	return 0;
refused:
	atomic64_inc(&vm_stats.zram_refused);
	return -ENOSPC;
}

static int zram_load(struct swap_area *a, u64 slot, void *page)
{
	u64 irq = spin_lock_irqsave(&zram.lock);
	struct zslot what = *zslot_at(slot);
	int err;

	spin_unlock_irqrestore(&zram.lock, irq);
	if (what.kind == ZSLOT_SAME) {
		for (u32 i = 0; i < PAGE_SIZE / sizeof(u64); i++)
			((u64 *)page)[i] = what.word;
		return 0;
	}
	DEBUG_ASSERT(what.kind == ZSLOT_OBJECT);
	spin_lock(&zram.work_lock);
	object_copy(what.group, what.nr, zram.buffer, what.len, COPY_OUT);
	err = lz_decompress(zram.buffer, what.len, page, PAGE_SIZE);
	spin_unlock(&zram.work_lock);
	if (err)
		pr_err("zram: slot %lu is damaged", slot);
	return err ? -EIO : 0;
}

static void zram_forget(struct swap_area *a, u64 slot)
{
	u64 irq = spin_lock_irqsave(&zram.lock);
	struct zslot *s = zslot_at(slot), was = {0};
	struct zgroup *empty = NULL;

	if (s) {
		was = *s;
		*s = (struct zslot){0};
	}
	if (was.kind == ZSLOT_OBJECT)
		empty = object_release(was.group, was.nr);
	spin_unlock_irqrestore(&zram.lock, irq);
	if (empty)
		group_free(empty);
	if (was.kind == ZSLOT_FREE)
		return;
	atomic64_dec(&vm_stats.zram_pages);
	atomic64_sub(&vm_stats.zram_same, was.kind == ZSLOT_SAME);
	atomic64_sub(&vm_stats.zram_bytes, was.len);
}

static void zram_free(void)
{
	for (u64 i = 0; zram.slots && i < DIV_ROUND_UP(zram.nr_slots, SLOTS_PER_PAGE); i++)
		kfree(zram.slots[i]);
	kfree(zram.slots);
	kfree(zram.table);
	kfree(zram.buffer);
	zram.slots = NULL;
	zram.table = NULL;
	zram.buffer = NULL;
}

static void zram_release(struct swap_area *a)
{
	zram_free();
}

static const struct swap_ops zram_ops = {
	.store = zram_store,
	.load = zram_load,
	.forget = zram_forget,
	.release = zram_release,
};

/* ---- setup ---- */

/* Pages asked for by `zram=`. */
static u64 wanted_pages(void)
{
	const char *value = cmdline_get("zram");
	u64 percent;
	size_t len;

	if (!value)
		return frame_total() * DEFAULT_PARTS / 100;
	len = strlen(value);
	if (!len || value[len - 1] != '%')
		return cmdline_number("zram", 0) >> PAGE_SHIFT;
	percent = 0;
	for (size_t i = 0; i < len - 1; i++) {
		if (value[i] < '0' || value[i] > '9' || percent > 1000) {
			pr_warn("zram=%s is no size: none", value);
			return 0;
		}
		percent = percent * 10 + (u64)(value[i] - '0');
	}
	return frame_total() * percent / 100;
}

void zram_init(void)
{
	struct swap_source src = {
		.ops = &zram_ops, .name = "/dev/zram0", .kind = "partition", .nr_slots = wanted_pages(), .prio = PRIORITY};

	if (!src.nr_slots)
		return;
	for (u32 i = 0; i < NR_CLASSES; i++)
		list_init(&zram.partial[i]);
	zram.nr_slots = src.nr_slots;
	zram.slots = kzalloc(DIV_ROUND_UP(src.nr_slots, SLOTS_PER_PAGE) * sizeof(struct zslot *), 0);
	zram.table = kmalloc(sizeof(*zram.table), 0);
	zram.buffer = kmalloc(PAGE_SIZE, 0);
	if (zram.slots && zram.table && zram.buffer && swap_area_add(&src) >= 0)
		return;
	pr_err("zram: no memory for an area of %lu KiB", src.nr_slots << (PAGE_SHIFT - 10));
	zram_free();
}
