/*
 * Slab caches. A slab is one block of frames cut into objects of one size; free
 * objects of a slab form a list through their first words. In front of the
 * slabs each hart has a magazine of free objects per cache, touched only by that
 * hart with interrupts off, so that the usual alloc and free take no lock.
 *
 *	slab_alloc  <- magazine <- partial slabs <- frame_alloc
 *	slab_free   -> magazine -> slab (empty: the block goes back)
 *
 * struct frame of a slab: owner = cache (every frame of the block), private =
 * free list, small = objects out (in magazines or in use), index = frames from
 * the block's first.
 */
#include "mm/slab.h"

#include "arch/riscv/arch.h"
#include "arch/riscv/irq.h"
#include "lib/alloc.h"
#include "lib/assert.h"
#include "lib/layout.h"
#include "lib/string.h"
#include "sync/spinlock.h"

#define MAG_SIZE       31 /* with the count: 256 bytes */
#define MAX_CACHES     64
#define MAX_SLAB_ORDER 3

struct magazine {
	u64 nr;
	void *obj[MAG_SIZE];
};

struct slab_cache {
	struct spinlock lock;
	const char *name;
	u32 size; /* of an object, rounded */
	u32 order;
	u32 per_slab;
	u32 mag_max;                      /* objects a magazine of this cache may hold */
	u32 shrinkable;                   /* a shrinker gives its objects back */
	struct list partial;              /* [lock] slabs with a free object */
	u32 nr_empty;                     /* [lock] of them wholly free */
	u64 nr_slabs;                     /* [lock] */
	u64 nr_out;                       /* [lock] objects not in slabs */
	struct magazine *mags[MAX_HARTS]; /* NULL until first used there */
};

static struct slab_cache slab_caches[MAX_CACHES];
static u32 nr_slab_caches;
LAYOUT_IS_ADDRESS(slab_caches);
LAYOUT_IS_ADDRESS(nr_slab_caches);
LAYOUT_IS_STRUCT(slab_cache);
LAYOUT_IS_FIELD(slab_cache, name);
LAYOUT_IS_FIELD(slab_cache, order);
LAYOUT_IS_FIELD(slab_cache, per_slab);
LAYOUT_IS_FIELD(slab_cache, partial);
LAYOUT_IS_FIELD(slab_cache, nr_empty);
LAYOUT_IS_FIELD(slab_cache, nr_slabs);
LAYOUT_IS_FIELD(slab_cache, nr_out);
LAYOUT_IS_FIELD(slab_cache, mags);
LAYOUT_IS_FIELD(magazine, nr);
LAYOUT_IS_FIELD(magazine, obj);
static struct spinlock caches_lock = SPINLOCK_INIT("slab caches", RANK_SLAB);

/* ---- poison (debug builds) ---- */

#ifdef VITRINE_DEBUG
#define POISON 0x6b6b6b6b6b6b6b6bul

/* The first word is the free list's. */
static bool poison_intact(struct slab_cache *c, u64 *obj)
{
	for (u32 i = 1; i < c->size / sizeof(u64); i++) {
		if (obj[i] != POISON)
			return false;
	}
	return true;
}

/* A new object: whatever its frame held before, the poison of another slab perhaps. */
static void poison_fill(struct slab_cache *c, u64 *obj)
{
	for (u32 i = 1; i < c->size / sizeof(u64); i++)
		obj[i] = POISON;
}

static void poison_free(struct slab_cache *c, u64 *obj)
{
	if (c->size > 2 * sizeof(u64) && obj[1] == POISON && poison_intact(c, obj))
		panic("%s: object %p freed twice", c->name, (void *)obj);
	poison_fill(c, obj);
}

static void poison_alloc(struct slab_cache *c, u64 *obj)
{
	if (!poison_intact(c, obj))
		panic("%s: free object %p was written", c->name, (void *)obj);
	/* So that a free that comes at once is not taken for a second one; the caller must not read this. */
	for (u32 i = 0; i < c->size / sizeof(u64); i++)
		obj[i] = 0x5a5a5a5a5a5a5a5aul;
}
#else
static inline void poison_fill(struct slab_cache *c, u64 *obj)
{
}
static inline void poison_free(struct slab_cache *c, u64 *obj)
{
}
static inline void poison_alloc(struct slab_cache *c, u64 *obj)
{
}
#endif

/* ---- slabs; all [cache.lock], interrupts off ---- */

static void *slab_take(struct slab_cache *c)
{
	struct frame *f;
	void **obj;

	if (list_empty(&c->partial))
		return NULL;
	f = list_first_entry(&c->partial, struct frame, link);
	if (f->small == 0)
		c->nr_empty--;
	obj = f->private;
	f->private = *obj;
	f->small++;
	c->nr_out++;
	if (!f->private)
		list_del(&f->link);
	return obj;
}

/* Returns a slab that became surplus, out of all lists. */
static struct frame *slab_give(struct slab_cache *c, void *obj)
{
	struct frame *f = kva_frame(obj);

	f -= f->index;
	DEBUG_ASSERT(f->owner == c && f->small > 0);
	if (!f->private)
		list_add(&f->link, &c->partial);
	*(void **)obj = f->private;
	f->private = obj;
	c->nr_out--;
	if (--f->small > 0)
		return NULL;
	if (c->nr_empty == 0) {
		c->nr_empty = 1;
		list_move_tail(&f->link, &c->partial);
		return NULL;
	}
	list_del(&f->link);
	c->nr_slabs--;
	return f;
}

/* A fresh slab, its objects chained. No lock held. */
static struct frame *slab_create(struct slab_cache *c, u32 flags)
{
	struct frame *f = frame_alloc(c->order, FRAME_SLAB, flags & (ALLOC_ATOMIC | ALLOC_USER));
	u8 *base;

	if (!f)
		return NULL;
	for (u32 i = 0; i < 1u << c->order; i++) {
		f[i].owner = c;
		f[i].index = i;
	}
	base = frame_kva(f);
	for (u32 i = c->per_slab; i-- > 0;) {
		void **obj = (void **)(base + (u64)i * c->size);

		poison_fill(c, (u64 *)obj);
		*obj = f->private;
		f->private = obj;
	}
	return f;
}

/* ---- magazines ---- */

/* Magazines are never freed; they are cut from whole frames. Returns NULL when there is no memory: then we go without. */
static struct magazine *mag_create(void)
{
	static struct magazine *spare;
	static u32 nr_spare;
	struct magazine *m = NULL;
	u64 irq = spin_lock_irqsave(&caches_lock);

	if (!nr_spare) {
		struct frame *f = frame_alloc(0, FRAME_SLAB, ALLOC_ATOMIC);

		if (f) {
			spare = frame_kva(f);
			nr_spare = PAGE_SIZE / sizeof(*m);
		}
	}
	if (nr_spare) {
		m = spare++;
		nr_spare--;
		m->nr = 0;
	}
	spin_unlock_irqrestore(&caches_lock, irq);
	return m;
}

/* Half fills this hart's magazine and returns one more object. Interrupts are on. */
static NOINLINE void *alloc_slow(struct slab_cache *c, u32 flags)
{
	struct frame *fresh = NULL;
	void *obj;
	u64 irq;

	for (;;) {
		struct magazine *m;

		irq = spin_lock_irqsave(&c->lock);
		if (fresh) {
			list_add(&fresh->link, &c->partial);
			c->nr_empty++;
			c->nr_slabs++;
		}
		obj = slab_take(c);
		m = c->mags[hart_index()];
		while (obj && m && m->nr < c->mag_max / 2) {
			void *more = slab_take(c);

			if (!more)
				break;
			m->obj[m->nr++] = more;
		}
		spin_unlock_irqrestore(&c->lock, irq);
		if (obj)
			return obj;
		fresh = slab_create(c, flags);
		if (!fresh)
			return NULL;
	}
}

/* The magazine is full (or there is none yet). Interrupts are on. */
static NOINLINE void free_slow(struct slab_cache *c, void *obj)
{
	struct frame *surplus[MAG_SIZE + 1];
	struct magazine *m;
	u32 nr = 0;
	u64 irq;

	if (!READ_ONCE(c->mags[hart_index()]) && frame_ready()) {
		m = mag_create();
		irq = irq_save();
		/* We may have moved to another hart meanwhile, or an interrupt was faster. */
		if (m && !c->mags[hart_index()])
			c->mags[hart_index()] = m;
		irq_restore(irq);
	}
	irq = spin_lock_irqsave(&c->lock);
	m = c->mags[hart_index()];
	surplus[nr] = slab_give(c, obj);
	nr += surplus[nr] != NULL;
	while (m && m->nr > c->mag_max / 2) {
		surplus[nr] = slab_give(c, m->obj[--m->nr]);
		nr += surplus[nr] != NULL;
	}
	spin_unlock_irqrestore(&c->lock, irq);
	while (nr)
		frame_put(surplus[--nr]);
}

static inline void *cache_alloc(struct slab_cache *c, u32 flags)
{
	u64 irq = irq_save();
	struct magazine *m = c->mags[hart_index()];
	void *obj = NULL;

	if (likely(m && m->nr))
		obj = m->obj[--m->nr];
	irq_restore(irq);
	if (unlikely(!obj)) {
		obj = alloc_slow(c, flags);
		if (!obj)
			return NULL;
	}
	poison_alloc(c, obj);
	if (flags & ALLOC_ZERO)
		memset(obj, 0, c->size);
	return obj;
}

static inline void cache_free(struct slab_cache *c, void *obj)
{
	struct magazine *m;
	u64 irq;

	poison_free(c, obj);
	irq = irq_save();
	m = c->mags[hart_index()];
	if (likely(m && m->nr < c->mag_max)) {
		m->obj[m->nr++] = obj;
		irq_restore(irq);
		return;
	}
	irq_restore(irq);
	free_slow(c, obj);
}

/* ---- caches ---- */

void *slab_alloc(struct slab_cache *c, u32 flags)
{
	if (alloc_should_fail())
		return NULL;
	return cache_alloc(c, flags);
}

void slab_free(struct slab_cache *c, void *obj)
{
	DEBUG_ASSERT(kva_frame(obj)->kind == FRAME_SLAB && kva_frame(obj)->owner == c);
	cache_free(c, obj);
}

/* The smallest block that wastes at most an eighth, or the largest allowed. */
static u32 slab_order(u32 size)
{
	u32 order = 0;

	while (order < MAX_SLAB_ORDER) {
		u64 bytes = PAGE_SIZE << order;

		if (size <= bytes && bytes % size <= bytes / 8)
			break;
		order++;
	}
	return order;
}

struct slab_cache *slab_cache_create(const char *name, size_t size, size_t align)
{
	struct slab_cache *c;
	u64 irq;

	if (!align)
		align = sizeof(u64);
	size = ALIGN_UP(MAX(size, sizeof(u64)), align);
	irq = spin_lock_irqsave(&caches_lock);
	if (nr_slab_caches == MAX_CACHES || size > PAGE_SIZE << MAX_SLAB_ORDER || !IS_POWER_OF_2(align))
		panic("slab cache %s: bad size %lu, or too many caches", name, size);
	c = &slab_caches[nr_slab_caches];
	spin_init(&c->lock, name, RANK_SLAB);
	c->name = name;
	c->size = (u32)size;
	c->order = slab_order(c->size);
	c->per_slab = (u32)((PAGE_SIZE << c->order) / size);
	c->mag_max = size <= 256 ? MAG_SIZE : size <= 1024 ? 16 : 8;
	list_init(&c->partial);
	store_release(&nr_slab_caches, nr_slab_caches + 1);
	spin_unlock_irqrestore(&caches_lock, irq);
	return c;
}

struct slab_cache *slab_cache_create_shrinkable(const char *name, size_t size, size_t align)
{
	struct slab_cache *c = slab_cache_create(name, size, align);

	c->shrinkable = 1;
	return c;
}

u64 slab_shrinkable_frames(void)
{
	u32 nr = load_acquire(&nr_slab_caches);
	u64 frames = 0;

	for (u32 i = 0; i < nr; i++) {
		if (slab_caches[i].shrinkable)
			frames += READ_ONCE(slab_caches[i].nr_slabs) << slab_caches[i].order;
	}
	return frames;
}

void slab_for_each(void (*fn)(const struct slab_info *, void *arg), void *arg)
{
	u32 nr = load_acquire(&nr_slab_caches);

	for (u32 i = 0; i < nr; i++) {
		struct slab_cache *c = &slab_caches[i];
		struct slab_info info = {.name = c->name, .size = c->size};
		u64 irq = spin_lock_irqsave(&c->lock);

		info.total = c->nr_slabs * c->per_slab;
		info.in_use = c->nr_out;
		for (u32 h = 0; h < MAX_HARTS; h++) {
			if (c->mags[h])
				info.in_use -= READ_ONCE(c->mags[h]->nr);
		}
		spin_unlock_irqrestore(&c->lock, irq);
		fn(&info, arg);
	}
}

/* ---- kmalloc ---- */

/* 544 is an index node (lib/index.h). Multiples of 16: lib_alloc promises that alignment. */
static const struct {
	u16 size;
	const char *name;
} classes[] = {
	{16, "kmalloc-16"},
	{32, "kmalloc-32"},
	{48, "kmalloc-48"},
	{64, "kmalloc-64"},
	{96, "kmalloc-96"},
	{128, "kmalloc-128"},
	{192, "kmalloc-192"},
	{256, "kmalloc-256"},
	{384, "kmalloc-384"},
	{544, "kmalloc-544"},
	{768, "kmalloc-768"},
	{1024, "kmalloc-1024"},
	{1536, "kmalloc-1536"},
	{2048, "kmalloc-2048"},
	{3072, "kmalloc-3072"},
};

#define CLASS_MAX   3072
#define CLASS_SHIFT 4

static struct slab_cache *class_cache[ARRAY_SIZE(classes)];
static u8 class_of[CLASS_MAX >> CLASS_SHIFT]; /* by (size - 1) >> CLASS_SHIFT */

void slab_init(void)
{
	u32 class = 0;

	for (u32 i = 0; i < ARRAY_SIZE(classes); i++)
		class_cache[i] = slab_cache_create(classes[i].name, classes[i].size, 16);
	for (u32 i = 0; i < ARRAY_SIZE(class_of); i++) {
		if (((i + 1) << CLASS_SHIFT) > classes[class].size)
			class ++;
		class_of[i] = (u8) class;
	}
}

static u32 size_order(size_t size)
{
	u32 order = 0;

	while (order <= FRAME_MAX_ORDER && PAGE_SIZE << order < size)
		order++;
	return order;
}

void *kmalloc(size_t size, u32 flags)
{
	struct frame *f;
	u32 order;

	if (likely(size <= CLASS_MAX)) {
		if (alloc_should_fail())
			return NULL;
		return cache_alloc(class_cache[class_of[size ? (size - 1) >> CLASS_SHIFT : 0]], flags);
	}
	order = size_order(size);
	if (order > FRAME_MAX_ORDER)
		return NULL;
	f = frame_alloc(order, FRAME_KERNEL, flags);
	return f ? frame_kva(f) : NULL;
}

void kfree(void *p)
{
	struct frame *f;

	if (!p)
		return;
	f = kva_frame(p);
	if (likely(f->kind == FRAME_SLAB)) {
		cache_free(f->owner, p);
		return;
	}
	ASSERT(f->kind == FRAME_KERNEL && f->order != FRAME_INSIDE);
	frame_put(f);
}

static size_t kmalloc_size(void *p)
{
	struct frame *f = kva_frame(p);

	return f->kind == FRAME_SLAB ? ((struct slab_cache *)f->owner)->size : PAGE_SIZE << f->order;
}

void *krealloc(void *p, size_t size, u32 flags)
{
	size_t old;
	void *fresh;

	if (!p)
		return kmalloc(size, flags);
	old = kmalloc_size(p);
	if (size <= old && size > old / 4)
		return p;
	fresh = kmalloc(size, flags);
	if (!fresh)
		return NULL;
	memcpy(fresh, p, MIN(old, size));
	kfree(p);
	return fresh;
}

char *kstrdup(const char *s, u32 flags)
{
	size_t len = strlen(s) + 1;
	char *copy = kmalloc(len, flags);

	if (copy)
		memcpy(copy, s, len);
	return copy;
}

/* ---- what lib/ asks for ---- */

void *lib_alloc(size_t size)
{
	return kmalloc(size, ALLOC_ATOMIC);
}

void lib_free(void *ptr)
{
	kfree(ptr);
}
