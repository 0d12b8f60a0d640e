/*
 * Memory objects for the model: files, whose pages come, are written back, evicted and cut off; and shared anonymous
 * memory, which is the kernel's own. ref_objs says what is in them.
 */
#ifndef MODEL_OBJECTS_H
#define MODEL_OBJECTS_H

#include "mmu.h"

#define FILE_PAGES 48

struct model_file {
	struct memobj obj;
	u32 refs;  /* of VMAs */
	u32 names; /* struct file references */
	u32 nr_pages;
	struct frame *page[FILE_PAGES];
	struct content disk[FILE_PAGES];
};

static struct model_file files[2]; /* of the objects OBJ_FILE and OBJ_FILE2 */
static struct memobj *objs[NR_OBJS];

static inline struct model_file *file_of(struct memobj *o)
{
	return container_of(o, struct model_file, obj);
}

static void file_writeback(struct model_file *f, u64 pgoff);
static void file_evict(struct model_file *f, u64 pgoff);

static int file_get(struct memobj *o, u64 pgoff, struct frame **out)
{
	struct model_file *f = file_of(o);

	if (pgoff >= f->nr_pages)
		return -EFAULT;
	if (!f->page[pgoff])
		return -EAGAIN;
	frame_get(f->page[pgoff]);
	*out = f->page[pgoff];
	/* The caller holds nothing that keeps the page in the file: reclaim may come before it maps it. */
	if (one_in(32))
		file_evict(f, pgoff);
	return 0;
}

static void file_get_run(struct memobj *o, u64 pgoff, u32 nr, struct frame **out)
{
	for (u32 i = 0; i < nr; i++) {
		if (file_get(o, pgoff + i, &out[i]) != 0)
			out[i] = NULL;
	}
}

static int file_load(struct memobj *o, u64 pgoff)
{
	struct model_file *f = file_of(o);
	struct frame *fr;

	if (pgoff >= f->nr_pages)
		return -EFAULT;
	if (f->page[pgoff])
		return 0;
	fr = frame_alloc(0, FRAME_FILE, ALLOC_ZERO);
	if (!fr)
		return -ENOMEM;
	fr->owner = o->owner;
	fr->index = pgoff;
	content_put(frame_kva(fr), f->disk[pgoff]);
	f->page[pgoff] = fr;
	if (one_in(32))
		file_evict(f, pgoff);
	return 0;
}

static int file_make_writable(struct memobj *o, u64 pgoff, struct frame *fr)
{
	struct model_file *f = file_of(o);

	if (pgoff >= f->nr_pages || f->page[pgoff] != fr)
		return -EAGAIN;
	atomic_or(&fr->flags, FRAME_DIRTY);
	if (one_in(32))
		file_writeback(f, pgoff); /* before the caller maps it writable */
	return 0;
}

/* As a page cache does it: DIRTY goes first, then write permission, then the content is taken. */
static void file_writeback(struct model_file *f, u64 pgoff)
{
	struct frame *fr = f->page[pgoff];

	if (!fr || !(atomic_read(&fr->flags) & FRAME_DIRTY))
		return;
	atomic_and(&fr->flags, ~(u32)FRAME_DIRTY);
	memobj_protect(&f->obj, pgoff, pgoff);
	f->disk[pgoff] = content_at(frame_kva(fr));
}

static void file_drop(struct model_file *f, u64 pgoff)
{
	struct frame *fr = f->page[pgoff];

	if (!fr)
		return;
	f->page[pgoff] = NULL;
	fr->owner = NULL;
	memobj_unmap(&f->obj, pgoff, pgoff);
	frame_put(fr);
}

static void file_evict(struct model_file *f, u64 pgoff)
{
	do {
		file_writeback(f, pgoff);
	} while (f->page[pgoff] && (atomic_read(&f->page[pgoff]->flags) & FRAME_DIRTY));
	file_drop(f, pgoff);
}

static void file_resize(struct model_file *f, u32 nr_pages)
{
	u32 old = f->nr_pages;

	f->nr_pages = nr_pages;
	for (u32 i = nr_pages; i < old; i++)
		file_drop(f, i);
	for (u32 i = MIN(old, nr_pages); i < FILE_PAGES; i++)
		f->disk[i] = (struct content){0, 0};
}

static void file_get_ref(struct memobj *o)
{
	file_of(o)->refs++;
}
static void file_put_ref(struct memobj *o)
{
	ASSERT(file_of(o)->refs-- > 0);
}

/* One with get_run and one without. */
static const struct memobj_ops file_ops[2] = {
	{
		.get = file_get,
		.load = file_load,
		.make_writable = file_make_writable,
		.get_ref = file_get_ref,
		.put_ref = file_put_ref,
	},
	{
		.get = file_get,
		.get_run = file_get_run,
		.load = file_load,
		.make_writable = file_make_writable,
		.get_ref = file_get_ref,
		.put_ref = file_put_ref,
	},
};

void aspace_release_file(struct file *f)
{
	ASSERT(((struct model_file *)(void *)f)->names-- > 0);
}
struct file *aspace_share_file(struct file *f)
{
	((struct model_file *)(void *)f)->names++;
	return f;
}

static inline struct model_file *obj_file(int obj)
{
	return obj == OBJ_FILE || obj == OBJ_FILE2 ? &files[obj - OBJ_FILE] : NULL;
}

static inline void objects_init(void)
{
	objs[OBJ_SHARED] = memobj_create_shared(64);
	ASSERT(objs[OBJ_SHARED]);
	ref_objs[OBJ_SHARED] = (struct ref_object){.used = 1, .nr_pages = 64};
	for (u32 k = 0; k < 2; k++) {
		struct ref_object *r = &ref_objs[OBJ_FILE + k];

		memobj_init(&files[k].obj, &file_ops[k], &files[k]);
		objs[OBJ_FILE + k] = &files[k].obj;
		r->used = 1;
		r->nr_pages = files[k].nr_pages = FILE_PAGES;
		for (u32 i = 0; i < FILE_PAGES; i++)
			files[k].disk[i] = r->page[i] = new_content();
	}
}

/* Everybody has unmapped them. */
static inline void objects_end(void)
{
	objs[OBJ_SHARED]->ops->put_ref(objs[OBJ_SHARED]);
	for (u32 k = 0; k < 2; k++) {
		for (u32 i = 0; i < FILE_PAGES; i++)
			file_drop(&files[k], i);
		if (files[k].refs || files[k].names || !list_empty(&files[k].obj.mappings))
			differ("file %u still has %u references and %u names", k, files[k].refs, files[k].names);
	}
}

/* A new piece of shared memory: its object, which only mappings keep, or NULL. *obj: its number. */
static inline struct memobj *object_new(u32 nr_pages, int *obj)
{
	for (u32 k = OBJ_DYNAMIC; k < NR_OBJS; k++) {
		struct memobj *o;

		if (ref_objs[k].used && ref_obj_used(k))
			continue;
		o = memobj_create_shared(nr_pages);
		if (!o)
			return NULL;
		memset(&ref_objs[k], 0, sizeof(ref_objs[k]));
		ref_objs[k].used = 1;
		ref_objs[k].nr_pages = nr_pages;
		objs[k] = o;
		*obj = (int)k;
		return o;
	}
	return NULL;
}

#endif
