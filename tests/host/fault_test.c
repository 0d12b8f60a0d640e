// host-sources: kernel/mm/fault.c kernel/mm/fault_around.c kernel/mm/superpage.c kernel/mm/aspace.c kernel/mm/commit.c kernel/mm/aspace_map.c kernel/mm/aspace_brk.c kernel/mm/aspace_remap.c kernel/mm/aspace_advise.c kernel/mm/memobj.c kernel/mm/vma.c kernel/mm/tlb.c kernel/mm/anon.c kernel/mm/frame.c kernel/mm/frame_boot.c kernel/mm/frame_wait.c kernel/mm/reclaim.c kernel/mm/slab.c kernel/lib/string.c kernel/lib/index.c kernel/lib/bitmap.c kernel/lib/tree.c kernel/sync/spinlock.c kernel/sync/mutex.c kernel/sync/rwlock.c kernel/sync/waitq.c kernel/mm/swap.c kernel/mm/swap_cache.c kernel/mm/swap_out.c kernel/mm/anon_reclaim.c kernel/mm/fault_swap.c kernel/mm/aspace_swap.c
/*
 * Address spaces against a model of plain arrays: random map, unmap, protect, remap, brk, fork, exit, DONTNEED,
 * truncation-like unmaps of files, and reads and writes through a TLB that remembers what is not flushed, on processors that set
 * the A and D bits themselves and on those that fault for them. Most
 * operations are run with each of their allocations failing first. Argument: number of steps, seed.
 */
#include "mm_env.h"
#include "mm_pagetable.h"

#include "mm/aspace_priv.h"
#include "mm/fault.h"
#include "mm/stat.h"

#define NPROC         4
#define W             96 /* pages of the window */
#define BASE          0x10000000ul
#define NOBJ          3 /* 0: shared anonymous, 1: file, 2: file */
#define OBJ_PAGES     24
#define REMAP_MAYMOVE 1
#define REMAP_FIXED   2

/* ---- a file: its pages come and go ---- */

struct test_file {
	struct memobj obj;
	u32 refs;
	struct frame *page[OBJ_PAGES];
	u32 disk[OBJ_PAGES]; /* what is on it; a page not in shows this when loaded */
};

static int file_get(struct memobj *o, u64 pgoff, struct frame **out)
{
	struct test_file *f = container_of(o, struct test_file, obj);

	if (pgoff >= OBJ_PAGES)
		return -EFAULT;
	if (!f->page[pgoff])
		return -EAGAIN;
	frame_get(f->page[pgoff]);
	*out = f->page[pgoff];
	return 0;
}

static int file_load(struct memobj *o, u64 pgoff)
{
	struct test_file *f = container_of(o, struct test_file, obj);
	struct frame *fr;

	if (pgoff >= OBJ_PAGES)
		return -EFAULT;
	if (f->page[pgoff])
		return 0;
	fr = frame_alloc(0, FRAME_FILE, ALLOC_ZERO);
	if (!fr)
		return -ENOMEM;
	fr->owner = o->owner;
	*(u32 *)frame_kva(fr) = f->disk[pgoff];
	/* All of the page, so that a tail that must be zero shows. */
	*(u32 *)((u8 *)frame_kva(fr) + PAGE_SIZE - 4) = 0xbad;
	f->page[pgoff] = fr;
	return 0;
}

static int file_make_writable(struct memobj *o, u64 pgoff, struct frame *fr)
{
	struct test_file *f = container_of(o, struct test_file, obj);

	if (f->page[pgoff] != fr)
		return -EAGAIN;
	atomic_or(&fr->flags, FRAME_DIRTY);
	return 0;
}

static void file_writeback(struct test_file *f, u64 pgoff)
{
	struct frame *fr = f->page[pgoff];

	if (!fr || !(atomic_read(&fr->flags) & FRAME_DIRTY))
		return;
	atomic_and(&fr->flags, ~(u32)FRAME_DIRTY);
	memobj_protect(&f->obj, pgoff, pgoff);
	f->disk[pgoff] = *(u32 *)frame_kva(fr);
}

static void file_evict(struct test_file *f, u64 pgoff)
{
	struct frame *fr = f->page[pgoff];

	if (!fr)
		return;
	file_writeback(f, pgoff);
	f->page[pgoff] = NULL;
	fr->owner = NULL;
	memobj_unmap(&f->obj, pgoff, pgoff);
	ASSERT(!(atomic_read(&fr->flags) & FRAME_DIRTY));
	frame_put(fr);
}

static void file_get_ref(struct memobj *o)
{
	container_of(o, struct test_file, obj)->refs++;
}
static void file_put_ref(struct memobj *o)
{
	ASSERT(container_of(o, struct test_file, obj)->refs-- > 0);
}

static const struct memobj_ops file_ops = {
	.get = file_get,
	.load = file_load,
	.make_writable = file_make_writable,
	.get_ref = file_get_ref,
	.put_ref = file_put_ref,
};

void aspace_release_file(struct file *f)
{
	(*(u32 *)f)--;
}
struct file *aspace_share_file(struct file *f)
{
	(*(u32 *)f)++;
	return f;
}

/* ---- the model ---- */

struct mpage {
	bool mapped, shared, anon; /* anon: value is private and here */
	u32 prot, value;
	int obj; /* -1: none */
	u32 pgoff;
};

static struct proc {
	struct aspace *as;
	struct mpage page[W];
} procs[NPROC];

static struct memobj *objs[NOBJ];
static struct test_file files[NOBJ];
static u32 obj_value[NOBJ][OBJ_PAGES];
static u32 file_refs[NOBJ];
static u32 next_value = 1, next_fail;
static u64 nr_injected;

static vaddr_t va_of(u32 p)
{
	return BASE + p * PAGE_SIZE;
}

static u32 *model_value(struct mpage *m)
{
	return m->anon || m->obj < 0 ? &m->value : &obj_value[m->obj][m->pgoff];
}

/* Runs `call` with allocation 1, 2, … failing, until it answers something else than -ENOMEM. */
#define INJECT(result, call)                                                         \
	do {                                                                         \
		bool inject = env_rand(3) == 0;                                      \
		for (next_fail = 1;; next_fail++) {                                  \
			alloc_fail_nth(inject ? next_fail : 0);                      \
			(result) = (call);                                           \
			if (!inject || (long)(result) != -ENOMEM || next_fail > 300) \
				break;                                               \
			nr_injected++;                                               \
			alloc_fail_nth(0);                                           \
			check_all();                                                 \
		}                                                                    \
		alloc_fail_nth(0);                                                   \
	} while (0)

static void check_all(void)
{
	for (u32 i = 0; i < NPROC; i++) {
		if (procs[i].as)
			aspace_check(procs[i].as);
	}
}

static long fault_errno(struct aspace *as, vaddr_t va, enum access access)
{
	struct fault f = {.addr = va, .access = access, .from_user = 1};

	switch (fault_handle(as, &f)) {
	case FAULT_DONE: return 0;
	case FAULT_SEGV_MAP: return -EFAULT;
	case FAULT_SEGV_ACC: return -EACCES;
	case FAULT_BUS: return -EIO;
	default: return -ENOMEM;
	}
}

/* A load or store by the program; 0 or why not. */
static long user_access(struct aspace *as, vaddr_t va, u32 *value, enum access access)
{
	u32 need = access == ACCESS_WRITE ? PT_WRITE : PT_READ;

	for (u32 tries = 0; tries < 10; tries++) {
		u32 *p = fake_translate(&as->pt, va, need);
		long err;

		if (p) {
			if (access == ACCESS_WRITE)
				*p = *value;
			else
				*value = *p;
			return 0;
		}
		INJECT(err, fault_errno(as, va, access));
		if (err)
			return err;
	}
	panic("the access at %lx never succeeds", va);
}

static long model_access(struct mpage *m, enum access access)
{
	if (!m->mapped)
		return -EFAULT;
	if (access == ACCESS_WRITE ? !(m->prot & 2) : !(m->prot & 3))
		return -EACCES;
	return m->obj >= 0 && !m->anon && m->pgoff >= OBJ_PAGES ? -EIO : 0;
}

static void op_read(struct proc *p, u32 i)
{
	struct mpage *m = &p->page[i];
	long want = model_access(m, ACCESS_READ);
	u32 got = 0;

	ASSERT(user_access(p->as, va_of(i), &got, ACCESS_READ) == want);
	if (!want && got != *model_value(m))
		panic("page %u of process %d: %u, not %u", i, (int)(p - procs), got, *model_value(m));
}

static void op_write(struct proc *p, u32 i)
{
	struct mpage *m = &p->page[i];
	long want = model_access(m, ACCESS_WRITE);
	u32 value = next_value++;

	ASSERT(user_access(p->as, va_of(i), &value, ACCESS_WRITE) == want);
	if (want)
		return;
	if (!m->shared)
		m->anon = true;
	*model_value(m) = value;
}

static bool model_free(struct proc *p, u32 i, u32 n)
{
	for (u32 k = i; k < i + n; k++) {
		if (p->page[k].mapped)
			return false;
	}
	return true;
}

static void op_map(struct proc *p, u32 i, u32 n)
{
	int obj = (int)env_rand(2 + NOBJ) - 2;
	bool shared = obj == 0 || (obj > 0 && env_rand(2));
	struct map_request rq = {
		.addr = va_of(i),
		.len = n * PAGE_SIZE - env_rand(PAGE_SIZE),
		.prot = (u32)env_rand(4),
		.max_prot = 7,
		.flags = shared            ? VMA_SHARED
			: env_rand(8) == 0 ? VMA_HUGE
					   : 0,
		.place = env_rand(2)  ? MAP_AT
			: env_rand(2) ? MAP_AT_FREE
				      : MAP_ANY,
		.pgoff = env_rand(OBJ_PAGES),
	};
	long at;

	obj = MAX(obj, -1);
	rq.obj = obj >= 0 ? objs[obj] : NULL;
	rq.file = obj > 0 ? (struct file *)&file_refs[obj] : NULL;
	if (rq.place == MAP_ANY && !model_free(p, i, n))
		return; /* it would go elsewhere */
	INJECT(at, aspace_map(p->as, &rq));
	if (rq.place == MAP_AT_FREE && !model_free(p, i, n)) {
		ASSERT(at == -EEXIST);
		return;
	}
	ASSERT(at == (long)rq.addr);
	for (u32 k = 0; k < n; k++)
		p->page[i + k] = (struct mpage){
			.mapped = true, .shared = shared, .prot = rq.prot, .obj = obj, .pgoff = (u32)rq.pgoff + k};
}

static void op_unmap(struct proc *p, u32 i, u32 n)
{
	int err;

	INJECT(err, aspace_unmap(p->as, va_of(i), n * PAGE_SIZE));
	ASSERT(err == 0);
	memset(&p->page[i], 0, n * sizeof(p->page[0]));
}

static void op_protect(struct proc *p, u32 i, u32 n)
{
	u32 prot = (u32)env_rand(4);
	bool hole = false;
	int err;

	for (u32 k = i; k < i + n; k++)
		hole |= !p->page[k].mapped;
	if (hole) {
		ASSERT(aspace_protect(p->as, va_of(i), n * PAGE_SIZE, prot) == -ENOMEM);
		return;
	}
	INJECT(err, aspace_protect(p->as, va_of(i), n * PAGE_SIZE, prot));
	ASSERT(err == 0);
	for (u32 k = i; k < i + n; k++)
		p->page[k].prot = prot;
}

static void op_dontneed(struct proc *p, u32 i, u32 n)
{
	int err;

	if (env_rand(4) == 0)
		INJECT(err, aspace_advise(p->as, va_of(i), n * PAGE_SIZE, env_rand(2) ? 14 : 15));
	for (u32 k = i; k < i + n; k++) {
		if (!p->page[k].mapped)
			return;
	}
	INJECT(err, aspace_advise(p->as, va_of(i), n * PAGE_SIZE, 4));
	ASSERT(err == 0);
	for (u32 k = i; k < i + n; k++) {
		p->page[k].anon = false;
		p->page[k].value = 0;
	}
}

/* One VMA's worth: what the kernel will accept. */
static bool model_same(struct proc *p, u32 i, u32 n)
{
	struct vma *v;
	bool same;

	rwlock_read_lock(&p->as->lock);
	v = vma_at(&p->as->vmas, va_of(i));
	same = v && v->end >= va_of(i + n);
	rwlock_read_unlock(&p->as->lock);
	return same;
}

static void op_remap(struct proc *p, u32 i, u32 n)
{
	u32 to = (u32)env_rand(W - 12), nn = 1 + (u32)env_rand(8);
	struct mpage moved[16] = {0};
	bool fixed = env_rand(2), first;
	long at;

	if (!model_same(p, i, n)) {
		ASSERT(aspace_remap(p->as, va_of(i), n * PAGE_SIZE, nn * PAGE_SIZE, 1, 0) < 0);
		return;
	}
	if (fixed && i < to + nn && to < i + n) {
		ASSERT(aspace_remap(p->as, va_of(i), n * PAGE_SIZE, nn * PAGE_SIZE, REMAP_MAYMOVE | REMAP_FIXED,
			       va_of(to)) == -EINVAL);
		return;
	}
	INJECT(at,
		aspace_remap(p->as, va_of(i), n * PAGE_SIZE, nn * PAGE_SIZE, fixed ? REMAP_MAYMOVE | REMAP_FIXED : 0,
			va_of(to)));
	if (at == -ENOMEM && !fixed)
		return; /* no room to grow */
	if (fixed ? at != (long)va_of(to) : at != (long)va_of(i))
		panic("mremap: %ld", at);
	first = p->page[i].obj >= 0;
	for (u32 k = 0; k < nn; k++) {
		if (k < n)
			moved[k] = p->page[i + k];
		else
			moved[k] = (struct mpage){.mapped = true,
				.shared = p->page[i].shared,
				.prot = p->page[i].prot,
				.obj = p->page[i].obj,
				.pgoff = first ? p->page[i].pgoff + k : 0};
	}
	if (at == (long)va_of(i))
		to = i;
	memset(&p->page[i], 0, n * sizeof(p->page[0]));
	memcpy(&p->page[to], moved, nn * sizeof(p->page[0]));
}

static void op_fork(struct proc *p)
{
	struct proc *c = NULL;
	struct aspace *as = NULL;

	for (u32 i = 0; i < NPROC; i++) {
		if (!procs[i].as)
			c = &procs[i];
	}
	if (!c)
		return;
	if (env_rand(2)) {
		for (u32 k = 1; !as; k++) {
			alloc_fail_nth(k);
			as = aspace_fork(p->as);
			alloc_fail_nth(0);
			nr_injected += !as;
			check_all();
		}
	}
	if (!as)
		as = aspace_fork(p->as);
	ASSERT(as);
	c->as = as;
	memcpy(c->page, p->page, sizeof(c->page));
	aspace_set_pid(as, (int)(c - procs));
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

static void op_foreign(struct proc *p, u32 i)
{
	struct mpage *m = &p->page[i];
	u32 value = next_value++, got = 0;

	if (model_access(m, ACCESS_READ) == 0) {
		ASSERT(aspace_read(p->as, va_of(i), &got, 4) == 4);
		ASSERT(got == *model_value(m));
	} else {
		ASSERT(aspace_read(p->as, va_of(i), &got, 4) == -EFAULT);
	}
	if (model_access(m, ACCESS_WRITE) == 0) {
		ASSERT(aspace_write(p->as, va_of(i), &value, 4) == 4);
		m->anon |= !m->shared;
		*model_value(m) = value;
	}
}

static void op_file(void)
{
	struct test_file *f = &files[1 + env_rand(2)];
	u64 pgoff = env_rand(OBJ_PAGES);

	if (env_rand(2))
		file_writeback(f, pgoff);
	else
		file_evict(f, pgoff);
}

static void check_tlb_and_usyscall(struct proc *p)
{
	u32 pid = 99;
	u64 bits[2];

	ASSERT(user_access(p->as, USER_USYSCALL, &pid, ACCESS_READ) == 0 && pid == (u32)(p - procs));
	ASSERT(user_access(p->as, USER_USYSCALL, &pid, ACCESS_WRITE) == -EACCES);
	ASSERT(aspace_accessed(p->as, BASE, W, bits) == 0);
}

static void step(void)
{
	struct proc *p = &procs[env_rand(NPROC)];
	u32 i = (u32)env_rand(W - 12), n = 1 + (u32)env_rand(8);

	if (!p->as)
		return;
	switch (env_rand(20)) {
	case 0 ... 2: op_map(p, i, n); break;
	case 3: op_unmap(p, i, n); break;
	case 4: op_protect(p, i, n); break;
	case 5: op_dontneed(p, i, n); break;
	case 6: op_remap(p, i, n); break;
	case 7: op_fork(p); break;
	case 8:
		if (env_rand(3) == 0)
			op_exit(p);
		break;
	case 9: op_foreign(p, i); break;
	case 10: op_file(); break;
	case 11: fake_of(&p->as->pt)->table_missing = 1; break;
	case 12 ... 15: op_write(p, i); break;
	default: op_read(p, i);
	}
}

/* ---- fixed cases ---- */

static void test_stack_and_brk(void)
{
	struct aspace *as = aspace_create();
	struct map_request rq = {.addr = 0x20000000,
		.len = 2 * PAGE_SIZE,
		.prot = 3,
		.max_prot = 7,
		.flags = VMA_STACK,
		.place = MAP_AT};
	vaddr_t top = 0x20000000 + 2 * PAGE_SIZE;
	u32 v = 5;

	ASSERT(aspace_map(as, &rq) == 0x20000000);
	as->stack_top = top;
	as->stack_limit = 600 * PAGE_SIZE;
	ASSERT(user_access(as, top - 600 * PAGE_SIZE, &v, ACCESS_WRITE) == 0);
	ASSERT(user_access(as, top - 601 * PAGE_SIZE, &v, ACCESS_WRITE) == -EFAULT);
	ASSERT(user_access(as, top - 300 * PAGE_SIZE, &v, ACCESS_READ) == 0 && v == 0);
	/* A neighbour closer than the guard gap stops growth; an inaccessible one does not. */
	as->stack_limit = 2000 * PAGE_SIZE;
	rq = (struct map_request){
		.addr = top - 900 * PAGE_SIZE, .len = PAGE_SIZE, .prot = 1, .max_prot = 7, .place = MAP_AT};
	ASSERT(aspace_map(as, &rq) > 0);
	ASSERT(user_access(as, top - 700 * PAGE_SIZE, &v, ACCESS_WRITE) == -EFAULT);
	ASSERT(user_access(as, top - 640 * PAGE_SIZE, &v, ACCESS_WRITE) == 0);
	ASSERT(aspace_protect(as, top - 900 * PAGE_SIZE, PAGE_SIZE, 0) == 0);
	ASSERT(user_access(as, top - 700 * PAGE_SIZE, &v, ACCESS_WRITE) == 0);
	/* brk */
	as->brk_start = as->brk = 0x30000100;
	ASSERT(aspace_brk(as, 0) == 0x30000100);
	ASSERT(aspace_brk(as, 0x30005000) == 0x30005000);
	v = 77;
	ASSERT(user_access(as, 0x30004ffc, &v, ACCESS_WRITE) == 0);
	ASSERT(aspace_brk(as, 0x30009000) == 0x30009000);
	ASSERT(as->vmas.nr == 4); /* heap pieces became one */
	ASSERT(aspace_brk(as, 0x30004001) == 0x30004001);
	ASSERT(user_access(as, 0x30005000, &v, ACCESS_WRITE) == -EFAULT);
	ASSERT(user_access(as, 0x30004ffc, &v, ACCESS_READ) == 0 && v == 77);
	ASSERT(aspace_brk(as, 0x30003000) == 0x30003000 && aspace_brk(as, 0x30006000) == 0x30006000);
	ASSERT(user_access(as, 0x30004ffc, &v, ACCESS_READ) == 0 && v == 0);
	aspace_check(as);
	/* The impossible, limits, bad arguments. */
	rq = (struct map_request){.len = 1ul << 40, .prot = 3, .place = MAP_ANY};
	ASSERT(aspace_map(as, &rq) == -ENOMEM);
	rq.len = 200ul << 20;
	ASSERT(aspace_map(as, &rq) == -ENOMEM);
	rq.flags = VMA_NORESERVE;
	ASSERT(aspace_map(as, &rq) > 0);
	as->limit_pages = as->nr_pages + 1;
	rq.len = 2 * PAGE_SIZE;
	ASSERT(aspace_map(as, &rq) == -ENOMEM);
	rq.len = 0;
	ASSERT(aspace_map(as, &rq) == -EINVAL);
	ASSERT(aspace_unmap(as, 5, 10) == -EINVAL && aspace_unmap(as, PAGE_SIZE, 0) == -EINVAL);
	ASSERT(aspace_unmap(as, USER_USYSCALL, PAGE_SIZE) == 0);
	ASSERT(user_access(as, USER_USYSCALL, &v, ACCESS_READ) == -EFAULT);
	ASSERT(user_access(as, 0, &v, ACCESS_READ) == -EFAULT);
	ASSERT(user_access(as, ~7ul, &v, ACCESS_READ) == -EFAULT);
	aspace_put(as);
}

/* An ELF segment: file bytes end inside a page, zeroes follow; also for a reader that never writes. */
static void test_bss_tail(void)
{
	struct aspace *as = aspace_create();
	struct map_request rq = {.addr = 0x40000000,
		.len = 4 * PAGE_SIZE,
		.prot = 1,
		.max_prot = 7,
		.place = MAP_AT,
		.obj = objs[1],
		.pgoff = 2,
		.file_bytes = PAGE_SIZE + 100};
	u32 v;

	ASSERT(aspace_map(as, &rq) > 0);
	ASSERT(user_access(as, 0x40000000 + PAGE_SIZE - 4, &v, ACCESS_READ) == 0 && v == 0xbad);
	ASSERT(user_access(as, 0x40000000 + 2 * PAGE_SIZE - 4, &v, ACCESS_READ) == 0 && v == 0);
	ASSERT(user_access(as, 0x40000000 + PAGE_SIZE, &v, ACCESS_READ) == 0 && v == obj_value[1][3]);
	ASSERT(user_access(as, 0x40000000 + 3 * PAGE_SIZE, &v, ACCESS_READ) == 0 && v == 0);
	aspace_check(as);
	aspace_put(as);
}

/* Ten thousand mappings that touch: they merge, downwards as mmap goes. */
static void test_merge_downwards(void)
{
	struct aspace *as = aspace_create();
	u32 v = 1;

	for (u32 i = 0; i < 500; i++) {
		struct map_request rq = {.len = PAGE_SIZE, .prot = 3, .max_prot = 7};
		long at = aspace_map(as, &rq);

		v = i;
		ASSERT(at > 0 && user_access(as, (vaddr_t)at, &v, ACCESS_WRITE) == 0);
	}
	ASSERT(as->vmas.nr == 2);
	for (u32 i = 0; i < 500; i++)
		ASSERT(user_access(as, USER_MMAP_END - (i + 1) * PAGE_SIZE, &v, ACCESS_READ) == 0 && v == i);
	aspace_check(as);
	aspace_put(as);
}

int main(int argc, char **argv)
{
	u64 steps = argc > 1 ? strtoul(argv[1], NULL, 0) : 60000;
	u64 before;

	if (argc > 2)
		env_seed = strtoul(argv[2], NULL, 0) * 0x9e3779b97f4a7c15ul + 1;
	env_start(64);
	amap_init();
	aspace_init();
	fault_init();
	before = env_leaks();
	objs[0] = memobj_create_shared(OBJ_PAGES);
	for (u32 k = 1; k < NOBJ; k++) {
		memobj_init(&files[k].obj, &file_ops, &files[k]);
		objs[k] = &files[k].obj;
		for (u32 i = 0; i < OBJ_PAGES; i++)
			obj_value[k][i] = files[k].disk[i] = next_value++;
	}
	test_stack_and_brk();
	test_bss_tail();
	test_merge_downwards();
	procs[0].as = aspace_create();
	aspace_set_pid(procs[0].as, 0);
	for (u64 i = 0; i < steps; i++) {
		/* Both kinds of processors, by turns. */
		fake_ad_faults = i / 512 % 2;
		step();
		check_all();
		if (i % 64 == 0) {
			struct proc *p = &procs[env_rand(NPROC)];

			for (u32 k = 0; p->as && k < W; k++)
				op_read(p, k);
			if (p->as)
				check_tlb_and_usyscall(p);
		}
	}
	for (u32 i = 0; i < NPROC; i++) {
		if (procs[i].as)
			aspace_put(procs[i].as);
	}
	objs[0]->ops->put_ref(objs[0]);
	for (u32 k = 1; k < NOBJ; k++) {
		for (u32 i = 0; i < OBJ_PAGES; i++)
			file_evict(&files[k], i);
		ASSERT(files[k].refs == 0 && file_refs[k] == 0 && list_empty(&objs[k]->mappings));
	}
	ASSERT(env_leaks() == before && atomic64_read(&vm_stats.anon_frames) == 0);
	frame_check();
	printf("# %lu steps, %lu injected failures, %lu faults, %lu copies, %lu reuses, %lu "
	       "around\n",
		steps, nr_injected, vm_stats.faults.value, vm_stats.cow_copies.value, vm_stats.cow_reuse.value,
		vm_stats.around.value);
	return 0;
}
