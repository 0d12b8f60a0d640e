// host-sources: kernel/mm/fault.c kernel/mm/fault_around.c kernel/mm/fault_swap.c kernel/mm/aspace.c kernel/mm/aspace_map.c kernel/mm/aspace_brk.c kernel/mm/aspace_remap.c kernel/mm/aspace_advise.c kernel/mm/aspace_swap.c kernel/mm/memobj.c kernel/mm/vma.c kernel/mm/tlb.c kernel/mm/anon.c kernel/mm/anon_reclaim.c kernel/mm/swap.c kernel/mm/swap_cache.c kernel/mm/swap_out.c kernel/mm/zram.c kernel/mm/lz.c kernel/mm/superpage.c kernel/mm/commit.c kernel/mm/frame.c kernel/mm/frame_boot.c kernel/mm/frame_wait.c kernel/mm/reclaim.c kernel/mm/slab.c kernel/lib/string.c kernel/lib/index.c kernel/lib/bitmap.c kernel/lib/tree.c kernel/sync/spinlock.c kernel/sync/mutex.c kernel/sync/rwlock.c kernel/sync/waitq.c
/*
 * Address spaces in a RAM that is too small for them, against plain arrays: random writes, reads, forks, exits, unmaps, DONTNEED,
 * moves, page-outs, with a disk whose writes end later, or never well; compressed memory; and areas that are closed and opened in
 * the midst of it. After each step the counts of every address space are compared with its slots.
 * Arguments: number of steps, seed.
 */
#include "mm_env.h"
#include "mm_pagetable.h"

#include "lib/cmdline.h"
#include "mm/aspace_priv.h"
#include "mm/commit.h"
#include "mm/fault.h"
#include "mm/stat.h"
#include "mm/superpage.h"
#include "mm/swap.h"
#include "mm/zram.h"

#define NPROC   3
#define W       150 /* pages of the window */
#define BASE    0x10000000ul
#define SHARED  40 /* pages of shared memory, mapped at its start by who has it */
#define NR_DISK 900

/* ---- a disk whose writes take a while ---- */

struct disk {
	u8 page[NR_DISK][PAGE_SIZE];
	struct {
		struct swap_area *area;
		u64 slot;
		struct frame *f;
	} queue[4096];
	u32 nr_queued;
	u32 fail_one_in; /* 0: never */
	u64 nr_failed;
};

static struct disk disk;

/* Ends some of the writes, in any order. */
static void disk_work(u32 nr)
{
	while (nr-- && disk.nr_queued) {
		u32 i = (u32)env_rand(disk.nr_queued);
		struct frame *f = disk.queue[i].f;
		int err = disk.fail_one_in && env_rand(disk.fail_one_in) == 0 ? -EIO : 0;

		ASSERT(atomic_read(&f->flags) & FRAME_WRITEBACK);
		if (!err)
			memcpy(disk.page[disk.queue[i].slot], frame_kva(f), PAGE_SIZE);
		else
			memset(disk.page[disk.queue[i].slot], 0xee, PAGE_SIZE);
		disk.nr_failed += err != 0;
		disk.queue[i] = disk.queue[--disk.nr_queued];
		swap_write_done(f, err);
	}
}

static void disk_all(void)
{
	disk_work(~0u);
}

static void disk_write(struct swap_area *a, u64 first, struct frame **frames, u32 nr)
{
	for (u32 i = 0; i < nr; i++) {
		for (u32 k = 0; k < disk.nr_queued; k++)
			ASSERT(disk.queue[k].slot != first + i);
		ASSERT(disk.nr_queued < 4096);
		disk.queue[disk.nr_queued].slot = first + i;
		disk.queue[disk.nr_queued++].f = frames[i];
	}
}

static void disk_read(struct swap_area *a, u64 first, struct frame **frames, u32 nr)
{
	for (u32 i = 0; i < nr; i++) {
		for (u32 k = 0; k < disk.nr_queued; k++)
			ASSERT(disk.queue[k].slot != first + i); /* it is in the cache */
		memcpy(frame_kva(frames[i]), disk.page[first + i], PAGE_SIZE);
		swap_read_done(frames[i], 0);
	}
}

static void disk_release(struct swap_area *a)
{
	ASSERT(!disk.nr_queued);
}

static const struct swap_ops disk_ops = {.read = disk_read, .write = disk_write, .release = disk_release};
static int disk_area = -1;

static void disk_open(void)
{
	static const u32 bad[] = {3, 4, 77};
	struct swap_source src = {.ops = &disk_ops,
		.name = "disk",
		.kind = "file",
		.nr_slots = NR_DISK,
		.bad = bad,
		.nr_bad = 3,
		.prio = env_rand(2) ? 200 : SWAP_PRIO_AUTO};

	disk_area = swap_area_add(&src);
	ASSERT(disk_area >= 0);
}

/* ---- what the rest of the kernel has ---- */

u64 cmdline_number(const char *key, u64 absent)
{
	return absent;
}
void aspace_release_file(struct file *f)
{
}
struct file *aspace_share_file(struct file *f)
{
	return f;
}

/* ---- the model ---- */

struct mpage {
	bool mapped, shared;
	u32 value;
};

static struct proc {
	struct aspace *as;
	struct mpage page[W];
} procs[NPROC];

static u32 shared_value[SHARED];
static struct memobj *shared;
static u32 next_value = 1;
static u64 nr_oom;

static vaddr_t va_of(u32 p)
{
	return BASE + p * PAGE_SIZE;
}

static u32 *model_value(struct proc *p, u32 i)
{
	return p->page[i].shared ? &shared_value[i] : &p->page[i].value;
}

/* A page says its value all over; every fifth one does not compress. */
static void page_write(u32 *words, u32 value)
{
	u32 x = value | 1;

	for (u32 k = 0; k < PAGE_SIZE / 4; k++) {
		x = x * 1664525 + 1013904223;
		words[k] = value % 5 == 0 ? x : k % 50 ? value : value + k;
	}
	words[0] = value;
}

static void page_check(const u32 *words, u32 value)
{
	u32 x = value | 1;

	for (u32 k = 0; value && k < PAGE_SIZE / 4; k++) {
		x = x * 1664525 + 1013904223;
		ASSERT(words[k] == (k == 0 ? value : value % 5 == 0 ? x : k % 50 ? value : value + k));
	}
	for (u32 k = 0; !value && k < PAGE_SIZE / 4; k++)
		ASSERT(words[k] == 0);
}

/* A load or store by the program: its page, or NULL when there is no memory for it. */
static u32 *user_page(struct aspace *as, vaddr_t va, enum access access)
{
	for (u32 tries = 0; tries < 20; tries++) {
		u32 *p = fake_translate(&as->pt, va, access == ACCESS_WRITE ? PT_WRITE : PT_READ);
		struct fault f = {.addr = va, .access = access, .from_user = 1};
		enum fault_result r;

		if (p)
			return p;
		r = fault_handle(as, &f);
		if (r == FAULT_OOM)
			return NULL;
		if (r != FAULT_DONE)
			panic("fault at %lx: %s", va, fault_result_name(r));
	}
	panic("the access at %lx never succeeds", va);
}

static void op_read(struct proc *p, u32 i)
{
	u32 *words;

	if (!p->page[i].mapped)
		return;
	words = user_page(p->as, va_of(i), ACCESS_READ);
	nr_oom += !words;
	if (words)
		page_check(words, *model_value(p, i));
}

static void op_write(struct proc *p, u32 i)
{
	u32 *words;

	if (!p->page[i].mapped)
		return;
	words = user_page(p->as, va_of(i), ACCESS_WRITE);
	nr_oom += !words;
	if (!words)
		return;
	page_check(words, *model_value(p, i));
	*model_value(p, i) = next_value++;
	page_write(words, *model_value(p, i));
}

static void op_map(struct proc *p, u32 i, u32 n)
{
	struct map_request rq = {
		.addr = va_of(i), .len = n * PAGE_SIZE, .prot = 3, .max_prot = 7, .place = MAP_AT, .flags = VMA_NORESERVE};

	if (i + n <= SHARED && env_rand(2)) {
		rq.flags |= VMA_SHARED;
		rq.obj = shared;
		rq.pgoff = i;
	}
	if (aspace_map(p->as, &rq) < 0)
		return;
	for (u32 k = i; k < i + n; k++)
		p->page[k] = (struct mpage){.mapped = true, .shared = rq.obj != NULL};
}

static void op_unmap(struct proc *p, u32 i, u32 n)
{
	if (aspace_unmap(p->as, va_of(i), n * PAGE_SIZE) == 0)
		memset(&p->page[i], 0, n * sizeof(p->page[0]));
}

static void op_dontneed(struct proc *p, u32 i, u32 n)
{
	for (u32 k = i; k < i + n; k++) {
		if (!p->page[k].mapped)
			return;
	}
	if (aspace_advise(p->as, va_of(i), n * PAGE_SIZE, 4) != 0)
		return;
	for (u32 k = i; k < i + n; k++)
		p->page[k].value = 0;
}

static void op_move(struct proc *p, u32 i, u32 n)
{
	u32 to = (u32)env_rand(W - 12);
	struct vma *v;
	long at;

	if (i < to + n && to < i + n)
		return;
	for (u32 k = 0; k < n; k++) {
		if (!p->page[i + k].mapped || p->page[i + k].shared)
			return;
	}
	v = vma_at(&p->as->vmas, va_of(i));
	if (!v || v->end < va_of(i + n))
		return;
	at = aspace_remap(p->as, va_of(i), n * PAGE_SIZE, n * PAGE_SIZE, 3, va_of(to));
	if (at < 0)
		return;
	memcpy(&p->page[to], &p->page[i], n * sizeof(p->page[0]));
	memset(&p->page[i], 0, n * sizeof(p->page[0]));
}

static void op_fork(struct proc *p)
{
	for (u32 i = 0; i < NPROC; i++) {
		struct proc *c = &procs[i];

		if (c->as)
			continue;
		c->as = aspace_fork(p->as);
		if (c->as)
			memcpy(c->page, p->page, sizeof(c->page));
		return;
	}
}

static void op_exit(struct proc *p)
{
	u32 alive = 0;

	for (u32 i = 0; i < NPROC; i++)
		alive += procs[i].as != NULL;
	if (alive == 1)
		return;
	aspace_put(p->as);
	memset(p, 0, sizeof(*p));
}

static void op_advise(struct proc *p, u32 i, u32 n, int advice)
{
	int err = aspace_advise(p->as, va_of(i), n * PAGE_SIZE, advice);

	ASSERT(err == 0 || err == -ENOMEM || err == -EINVAL);
}

static void op_swapoff(void)
{
	int err;

	if (disk_area < 0) {
		disk_open();
		return;
	}
	err = swap_area_remove((u32)disk_area);
	ASSERT(err == 0 || err == -ENOMEM);
	if (!err)
		disk_area = -1;
}

/* The counts say what the slots say. */
static void check_counts(struct proc *p)
{
	u64 frames = 0, entries = 0;
	struct vma *v;

	tree_for_each_entry(v, &p->as->vmas.tree, node)
	{
		u64 key = v->apgoff;
		void *slot;

		if (!v->amap)
			continue;
		index_for_each(&v->amap->pages, key, slot)
		{
			if (key >= v->apgoff + vma_pages(v))
				break;
			entries += slot_is_swap(slot);
			frames += !slot_is_swap(slot);
		}
	}
	if (frames != atomic64_read(&p->as->resident) || entries != atomic64_read(&p->as->swapped))
		panic("%lu frames and %lu entries, counted as %lu and %lu", frames, entries,
			atomic64_read(&p->as->resident), atomic64_read(&p->as->swapped));
}

static void step(void)
{
	struct proc *p = &procs[env_rand(NPROC)];
	u32 i = (u32)env_rand(W - 12), n = 1 + (u32)env_rand(10);

	if (!p->as)
		return;
	switch (env_rand(40)) {
	case 0: op_map(p, i, n); break;
	case 1: op_unmap(p, i, n); break;
	case 2: op_dontneed(p, i, n); break;
	case 3: op_move(p, i, n); break;
	case 4: op_fork(p); break;
	case 5:
		if (env_rand(8) == 0)
			op_exit(p);
		break;
	case 6: op_advise(p, i, n, 21); break;
	case 7: op_advise(p, 0, W, env_rand(10) ? 20 : 21); break;
	case 8: op_advise(p, i, n, 3); break;
	case 9: reclaim_pages(1 + env_rand(40)); break;
	case 10:
		if (env_rand(12) == 0)
			op_swapoff();
		break;
	case 11 ... 14: disk_work((u32)env_rand(20)); break;
	case 15 ... 26: op_read(p, (u32)env_rand(W)); break;
	default: op_write(p, (u32)env_rand(W));
	}
}

static void check_all(void)
{
	for (u32 i = 0; i < NPROC; i++) {
		if (procs[i].as) {
			check_counts(&procs[i]);
			aspace_check(procs[i].as);
		}
	}
}

/* Everything is read once more, and all exit. */
static void run_end(void)
{
	for (u32 i = 0; i < NPROC; i++) {
		for (u32 k = 0; procs[i].as && k < W; k++)
			op_read(&procs[i], k);
	}
	check_all();
	for (u32 i = 0; i < NPROC; i++) {
		if (procs[i].as)
			aspace_put(procs[i].as);
		memset(&procs[i], 0, sizeof(procs[i]));
	}
	memset(shared_value, 0, sizeof(shared_value));
}

static void run(u64 steps, u32 fail_one_in)
{
	disk.fail_one_in = fail_one_in;
	procs[0].as = aspace_create();
	ASSERT(procs[0].as);
	op_map(&procs[0], 0, W);
	for (u64 s = 0; s < steps; s++) {
		step();
		if (s % 16 == 0)
			check_all();
	}
	disk.fail_one_in = 0;
	run_end();
}

static u64 nr_free(void)
{
	struct frame_stats st;

	frame_stats_read(&st);
	return st.free;
}

/* Pages that all relatives by fork share are no memory before the last of them has let them go. */
static void reclaim_frees_what_relatives_share(void)
{
	u64 before, got;

	procs[0].as = aspace_create();
	ASSERT(procs[0].as);
	op_map(&procs[0], 0, W);
	for (u32 i = 0; i < W; i++)
		op_write(&procs[0], i);
	op_fork(&procs[0]);
	op_fork(&procs[0]);
	for (u32 i = 0; i < NPROC; i++)
		op_write(&procs[i], 0); /* until then they have one amap */
	ASSERT(nr_oom == 0);
	before = nr_free();
	got = reclaim_pages(64);
	disk_all();
	ASSERT(got && nr_free() >= before + got / 2); /* compressed memory and tables take some of it */
	run_end();
}

int main(int argc, char **argv)
{
	u64 steps = argc > 1 ? strtoul(argv[1], NULL, 0) : 60000;
	struct swap_totals st;
	u64 before;

	if (argc > 2)
		env_seed = strtoul(argv[2], NULL, 0) * 0x9e3779b97f4a7c15ul + 1;
	env_sleeping = disk_all;
	env_start(2);
	swap_init();
	commit_init();
	amap_init();
	aspace_init();
	fault_init();
	anon_reclaim_init();
	zram_init();
	before = env_leaks();
	for (u32 round = 0; round < 4; round++) {
		shared = memobj_create_shared(SHARED);
		ASSERT(shared);
		if (disk_area < 0)
			disk_open();
		reclaim_frees_what_relatives_share();
		run(steps / 4, round == 3 ? 30 : 0);
		shared->ops->put_ref(shared);
		disk_all();
		if (disk_area >= 0) {
			ASSERT(swap_area_remove((u32)disk_area) == 0);
			disk_area = -1;
		}
		swap_totals(&st);
		ASSERT(st.free == st.total && st.cached == 0);
		ASSERT(atomic64_read(&vm_stats.anon_frames) == 0 && atomic64_read(&vm_stats.zram_pages) == 0 &&
			atomic64_read(&vm_stats.zram_frames) == 0);
	}
	printf("out %lu, in %lu, refused by compression %lu, failed writes %lu, out of memory %lu\n",
		atomic64_read(&vm_stats.pswpout), atomic64_read(&vm_stats.pswpin), atomic64_read(&vm_stats.zram_refused),
		disk.nr_failed, nr_oom);
	ASSERT(steps < 10000 || (atomic64_read(&vm_stats.pswpout) > 1000 && atomic64_read(&vm_stats.pswpin) > 1000));
	/* What is left: the tables of slots that were used. */
	ASSERT(env_leaks() <= before + 16);
	frame_check();
	return 0;
}
