/*
 * Operations of mm/ that the small space does not go through, each with its first, second, … allocation failing, on a
 * process with a stack, a heap, a file, shared memory and a superpage, and its child that shares all of it.
 * Included by model_small_test.c alone.
 */
#ifndef MODEL_FAILING_H
#define MODEL_FAILING_H

#include "race.h"

#define SUPER (windows[WIN_SUPER].first + SUPER_MARGIN)

static void map_super(u32 s)
{
	struct map_request rq = {
		.addr = page_va[SUPER], .len = HUGE_SIZE, .prot = 3, .max_prot = PT_RWX, .place = MAP_AT};

	do_map(s, SUPER, &rq, -1, false);
}

static void build_rich(void)
{
	static const struct layout l = {.nr = 3, .vma = {{0, 3, KIND_WRITTEN}, {3, 5, KIND_FILE}, {5, 8, KIND_SHARED}}};

	build(&l);
	do_stack(0);
	touch(0, windows[WIN_STACK].first + 22, ACCESS_WRITE);
	do_brk(0, HEAP_START + 3 * PAGE_SIZE);
	touch(0, windows[WIN_HEAP].first + 3, ACCESS_WRITE);
	map_super(0);
	touch(0, SUPER + 7, ACCESS_WRITE);
	do_fork(0);
	touch(1, FIRST, ACCESS_WRITE);
}

static void fail_create(void)
{
	struct aspace *as;

	fail_arm();
	as = aspace_create();
	fail_disarm();
	if (as)
		aspace_put(as);
}

static void fail_object(void)
{
	struct memobj *o;

	fail_arm();
	o = memobj_create_shared(8);
	if (o) {
		(void)o->ops->load(o, 5);
		o->ops->put_ref(o);
	}
	fail_disarm();
}

static void fail_fork(void)
{
	(void)do_fork(0);
}

static void fail_brk_grow(void)
{
	do_brk(0, HEAP_START + 18 * PAGE_SIZE);
}

static void fail_brk_shrink(void)
{
	do_brk(0, HEAP_START + PAGE_SIZE);
}

static void fail_stack(void)
{
	touch(0, windows[WIN_STACK].first + 8, ACCESS_WRITE);
}

static void fail_cow(void)
{
	touch(1, FIRST + 1, ACCESS_WRITE);
}

static void fail_file_read(void)
{
	file_evict(&files[0], 6);
	touch(0, FIRST + 3, ACCESS_READ);
}

static void fail_file_copy(void)
{
	touch(1, FIRST + 3, ACCESS_WRITE);
}

static void fail_shared(void)
{
	touch(1, FIRST + 6, ACCESS_WRITE);
}

static void fail_superpage_write(void)
{
	touch(1, SUPER + 300, ACCESS_WRITE);
}

static void fail_superpage_unmap(void)
{
	do_unmap(0, (struct range){SUPER + 100, 50});
}

static void fail_superpage_protect(void)
{
	do_protect(0, (struct range){SUPER + 100, 412}, VMA_READ);
}

static void fail_superpage_move(void)
{
	do_remap_fixed(0, (struct range){SUPER + 100, 412}, (struct range){SUPER + 512, 412}, 0);
}

static void fail_superpage_new(void)
{
	u32 fail = now.fail;

	now.fail = 0;
	map_super(0);
	now.fail = fail;
	touch(0, SUPER + 7, ACCESS_WRITE);
}

static void fail_collapse(void)
{
	do_collapse(1, (struct range){SUPER, 512});
}

static void fail_copy(void)
{
	u32 word = 1;
	struct ref_page *m = &spaces[1].page[FIRST + 2];

	fail_arm();
	if (aspace_write(spaces[1].as, page_va[FIRST + 2], &word, 4) != 4)
		differ("a copy to user memory does not survive a failing allocation");
	fail_disarm();
	ref_privatise(m);
	m->own.first = word;
}

static void fail_dontneed(void)
{
	do_dontneed(1, (struct range){windows[WIN_STACK].first + 22, 1}, false);
}

static void fail_usyscall(void)
{
	struct fault f = {.addr = USER_USYSCALL, .access = ACCESS_READ, .from_user = 1};

	fail_arm();
	(void)fault_handle(spaces[1].as, &f);
	fail_disarm();
}

static const struct failing {
	const char *name;
	void (*run)(void);
} failing[] = {
	{"aspace_create", fail_create},
	{"memobj_create_shared", fail_object},
	{"aspace_fork", fail_fork},
	{"brk, growing", fail_brk_grow},
	{"brk, shrinking", fail_brk_shrink},
	{"stack growth", fail_stack},
	{"copy-on-write", fail_cow},
	{"a page of a file", fail_file_read},
	{"a copy of a file's page", fail_file_copy},
	{"shared memory", fail_shared},
	{"a write to a shared superpage", fail_superpage_write},
	{"unmapping a part of a superpage", fail_superpage_unmap},
	{"protecting a part of a superpage", fail_superpage_protect},
	{"moving a part of a superpage", fail_superpage_move},
	{"a new superpage", fail_superpage_new},
	{"MADV_COLLAPSE", fail_collapse},
	{"aspace_write", fail_copy},
	{"MADV_DONTNEED in a relative", fail_dontneed},
	{"the USYSCALL page", fail_usyscall},
};

/* Once with its allocation number nth failing. True: that came to pass. */
static bool failing_run(const struct failing *f, u32 nth)
{
	bool fired;

	build_rich();
	now.fail = nth;
	fail_fired = false;
	f->run();
	fired = fail_fired;
	now.fail = 0;
	compare_all();
	for (u32 s = 0; s < NR_SPACES; s++) {
		use_all(s);
		if (spaces[s].as)
			space_exit(s);
	}
	for (u32 k = 0; k < FILE_PAGES; k++)
		file_evict(&files[0], k);
	if (env_leaks() != leaks)
		differ("%s, allocation %u: %ld objects or frames are left over", f->name, nth,
			(long)(env_leaks() - leaks));
	return fired;
}

static void failing_all(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(failing); i++) {
		u32 nth = 1;

		/* A fault goes on after a failure, with more allocations: only the first failing call is told apart. */
		while (failing_run(&failing[i], nth))
			nth++;
		nr_failing += nth - 1;
		printf("# %s: %u allocations\n", failing[i].name, nth - 1);
	}
}

#endif
