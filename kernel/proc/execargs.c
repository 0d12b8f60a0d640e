/*
 * Arguments of a new program.
 *
 *   stack_top ->  8 zero bytes
 *                 strings: argv, envp, file name
 *                 16 random bytes
 *                 AT_NULL pair … auxiliary vector
 *                 NULL, envp pointers
 *                 NULL, argv pointers
 *   sp        ->  argc                                   (16-byte aligned)
 */
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "mm/slab.h"
#include "proc/exec.h"
#include "proc/proc.h"

#define STACK_EXTRA  (128ul << 10) /* mapped below what is used at once; it grows by faults */
#define ARGS_FLOOR   (128ul << 10)
#define ARGS_CEILING (6ul << 20)
#define RANDOM_BYTES 16
#define HWCAP_IMAFDC ((1u << 0) | (1u << 2) | (1u << 3) | (1u << 5) | (1u << 8) | (1u << 12))
#define CLOCK_TICKS  100

enum {
	AT_NULL = 0,
	AT_PHDR = 3,
	AT_PHENT = 4,
	AT_PHNUM = 5,
	AT_PAGESZ = 6,
	AT_BASE = 7,
	AT_FLAGS = 8,
	AT_ENTRY = 9,
	AT_UID = 11,
	AT_EUID = 12,
	AT_GID = 13,
	AT_EGID = 14,
	AT_HWCAP = 16,
	AT_CLKTCK = 17,
	AT_SECURE = 23,
	AT_RANDOM = 25,
	AT_EXECFN = 31,
	AT_SYSINFO_EHDR = 33,
	AT_MINSIGSTKSZ = 51,
};

/* ---- collecting ---- */

static int page_add(struct exec_args *a)
{
	if (a->nr_pages == a->max_pages) {
		u32 max = a->max_pages ? a->max_pages * 2 : 8;
		u8 **grown = krealloc(a->pages, max * sizeof(*grown), 0);

		if (!grown)
			return -ENOMEM;
		a->pages = grown;
		a->max_pages = max;
	}
	a->pages[a->nr_pages] = kmalloc(PAGE_SIZE, 0);
	if (!a->pages[a->nr_pages])
		return -ENOMEM;
	a->nr_pages++;
	return 0;
}

void exec_args_free(struct exec_args *a)
{
	for (u32 i = 0; i < a->nr_pages; i++)
		kfree(a->pages[i]);
	kfree(a->pages);
	a->pages = NULL;
	a->nr_pages = 0;
}

/* Room at the end of the block: where, and how much of it is in one piece. */
static int args_room(struct exec_args *a, char **at, size_t *room)
{
	size_t used = a->len & (PAGE_SIZE - 1);
	int err;

	if (a->len >= a->limit)
		return -E2BIG;
	if (a->len == (u64)a->nr_pages * PAGE_SIZE) {
		err = page_add(a);
		if (err)
			return err;
	}
	*at = (char *)a->pages[a->len >> PAGE_SHIFT] + used;
	*room = MIN(PAGE_SIZE - used, a->limit - a->len);
	return 0;
}

/* Every string also costs the pointer to it. */
static int args_charge_pointer(struct exec_args *a)
{
	if (a->limit < sizeof(u64) || a->limit - sizeof(u64) <= a->len)
		return -E2BIG;
	a->limit -= sizeof(u64);
	return 0;
}

static int args_add_kernel(struct exec_args *a, const char *s)
{
	size_t left = strlen(s) + 1, room;
	int err = args_charge_pointer(a);
	char *at;

	while (!err && left > 0) {
		err = args_room(a, &at, &room);
		if (err)
			break;
		room = MIN(room, left);
		memcpy(at, s, room);
		s += room;
		left -= room;
		a->len += room;
	}
	return err;
}

static int args_add_user(struct exec_args *a, struct uptr s)
{
	u64 start = a->len;
	int err = args_charge_pointer(a);
	size_t room;
	ssize_t n;
	char *at;

	while (!err) {
		err = args_room(a, &at, &room);
		if (err)
			break;
		n = strncpy_from_user(at, s, room);
		if (n >= 0) {
			a->len += (u64)n + 1;
			return a->len - start > EXEC_STRING_MAX ? -E2BIG : 0;
		}
		if (n != -ENAMETOOLONG)
			return (int)n;
		/* The room is full of its bytes: on to the next page. */
		a->len += room;
		s = uptr_add(s, room);
		if (a->len - start > EXEC_STRING_MAX)
			return -E2BIG;
	}
	return err;
}

static int args_add_user_array(struct exec_args *a, struct uptr array, u32 skip, u32 *count)
{
	u64 word;
	int err = 0;

	for (u32 i = 0; !uptr_null(array); i++) {
		err = get_user_u64(uptr_add(array, i * sizeof(u64)), &word);
		if (err || !word)
			break;
		if (i < skip)
			continue;
		err = args_add_user(a, uptr_make(word));
		if (err)
			break;
		(*count)++;
	}
	return err;
}

static int args_add_kernel_array(struct exec_args *a, const char *const *array, u32 skip, u32 *count)
{
	int err = 0;

	for (u32 i = 0; !err && array[i]; i++) {
		if (i < skip)
			continue;
		err = args_add_kernel(a, array[i]);
		(*count)++;
	}
	return err;
}

static int args_add_argv(struct exec *e, const struct exec_source *src)
{
	struct exec_args *a = &e->args;
	u32 skip = e->nr_prefix ? 1 : 0;
	int err = 0;

	for (u32 i = e->nr_prefix; !err && i-- > 0;) {
		err = args_add_kernel(a, e->prefix[i]);
		a->argc++;
	}
	if (err)
		return err;
	err = src->argv ? args_add_kernel_array(a, src->argv, skip, &a->argc)
			: args_add_user_array(a, src->user_argv, skip, &a->argc);
	/* No program is started without argv[0]. */
	if (!err && a->argc == 0) {
		err = args_add_kernel(a, "");
		a->argc = 1;
	}
	return err;
}

int exec_args_collect(struct exec *e, const struct exec_source *src)
{
	struct exec_args *a = &e->args;
	int err;

	a->limit = CLAMP(task_rlimit(RLIM_STACK) / 4, ARGS_FLOOR, ARGS_CEILING);
	err = args_add_argv(e, src);
	if (err)
		return err;
	a->env_offset = a->len;
	err = src->envp ? args_add_kernel_array(a, src->envp, 0, &a->envc)
			: args_add_user_array(a, src->user_envp, 0, &a->envc);
	if (err)
		return err;
	a->name_offset = a->len;
	return args_add_kernel(a, e->name);
}

/* ---- the stack ---- */

/* Writes words upwards, some at a time. */
struct words {
	struct aspace *as;
	vaddr_t at;
	u32 nr;
	int err;
	u64 buf[64];
};

static void words_flush(struct words *w)
{
	size_t bytes = w->nr * sizeof(u64);

	if (!w->err && bytes && aspace_write(w->as, w->at, w->buf, bytes) != (ssize_t)bytes)
		w->err = -ENOMEM;
	w->at += bytes;
	w->nr = 0;
}

static void words_put(struct words *w, u64 word)
{
	if (w->nr == ARRAY_SIZE(w->buf))
		words_flush(w);
	w->buf[w->nr++] = word;
}

/* Offset behind the string that starts at `at`. */
static u64 string_end(const struct exec_args *a, u64 at)
{
	for (;;) {
		const u8 *p = a->pages[at >> PAGE_SHIFT] + (at & (PAGE_SIZE - 1));
		u64 left = PAGE_SIZE - (at & (PAGE_SIZE - 1));
		const u8 *nul = memchr(p, 0, left);

		if (nul)
			return at + (u64)(nul - p) + 1;
		at += left;
	}
}

static u64 words_put_pointers(struct words *w, const struct exec_args *a, vaddr_t base, u64 offset, u32 nr)
{
	for (u32 i = 0; i < nr; i++) {
		words_put(w, base + offset);
		offset = string_end(a, offset);
	}
	words_put(w, 0);
	return offset;
}

static void auxv_add(struct aspace *as, u64 type, u64 value)
{
	as->auxv[as->nr_auxv++] = type;
	as->auxv[as->nr_auxv++] = value;
}

static void auxv_fill(struct exec *e, vaddr_t strings, vaddr_t random)
{
	const struct cred *c = e->cred ? &e->cred->cred : &current()->cred->cred;
	const struct exec_image *p = &e->program;
	struct aspace *as = e->as;

	as->nr_auxv = 0;
	if (e->vdso)
		auxv_add(as, AT_SYSINFO_EHDR, e->vdso);
	auxv_add(as, AT_HWCAP, HWCAP_IMAFDC);
	auxv_add(as, AT_PAGESZ, PAGE_SIZE);
	auxv_add(as, AT_CLKTCK, CLOCK_TICKS);
	auxv_add(as, AT_PHDR, p->elf.phdr_vaddr ? p->elf.phdr_vaddr + p->bias : 0);
	auxv_add(as, AT_PHENT, ELF_PHDR_SIZE);
	auxv_add(as, AT_PHNUM, p->hdr.nr_phdrs);
	auxv_add(as, AT_BASE, e->has_interp ? e->interp.bias : 0);
	auxv_add(as, AT_FLAGS, 0);
	auxv_add(as, AT_ENTRY, p->hdr.entry + p->bias);
	auxv_add(as, AT_UID, c->uid);
	auxv_add(as, AT_EUID, c->euid);
	auxv_add(as, AT_GID, c->gid);
	auxv_add(as, AT_EGID, c->egid);
	auxv_add(as, AT_SECURE, e->secure);
	auxv_add(as, AT_RANDOM, random);
	auxv_add(as, AT_EXECFN, strings + e->args.name_offset);
	auxv_add(as, AT_MINSIGSTKSZ, MINSIGSTKSZ);
	auxv_add(as, AT_NULL, 0);
	static_assert(ARRAY_SIZE(((struct aspace *)0)->auxv) >= 2 * 20, "auxv has room");
}

static int stack_map(struct exec *e, u64 used)
{
	u64 len = PAGE_ALIGN_UP(used + STACK_EXTRA);
	struct map_request rq = {
		.addr = e->stack_top - len,
		.len = len,
		.prot = VMA_READ | VMA_WRITE | (e->program.elf.exec_stack ? VMA_EXEC : 0),
		.max_prot = VMA_READ | VMA_WRITE | VMA_EXEC,
		.flags = VMA_STACK,
		.place = MAP_AT_FREE,
	};
	long at = aspace_map(e->as, &rq);

	return at < 0 ? (int)at : 0;
}

static int strings_write(struct exec *e, vaddr_t to)
{
	const struct exec_args *a = &e->args;

	for (u64 done = 0; done < a->len;) {
		u64 n = MIN(PAGE_SIZE, a->len - done);

		if (aspace_write(e->as, to + done, a->pages[done >> PAGE_SHIFT], n) != (ssize_t)n)
			return -ENOMEM;
		done += n;
	}
	return 0;
}

int exec_stack_build(struct exec *e)
{
	const struct exec_args *a = &e->args;
	vaddr_t strings = (e->stack_top - 8 - a->len) & ~15ul, random = strings - RANDOM_BYTES;
	/* Where in its page the stack pointer starts says nothing of the arguments' lengths alone. */
	u64 shift = (e->random.sp & (PAGE_SIZE / 16 - 1)) * 16;
	struct words w = {.as = e->as};
	u64 nr, env;
	int err;

	auxv_fill(e, strings, random);
	nr = 1 + a->argc + 1 + a->envc + 1 + e->as->nr_auxv;
	e->sp = (random - shift - nr * sizeof(u64)) & ~15ul;
	err = stack_map(e, e->stack_top - e->sp);
	if (!err)
		err = strings_write(e, strings);
	if (err)
		return err;
	w.at = e->sp;
	words_put(&w, a->argc);
	env = words_put_pointers(&w, a, strings, 0, a->argc);
	words_put_pointers(&w, a, strings, env, a->envc);
	for (u32 i = 0; i < e->as->nr_auxv; i++)
		words_put(&w, e->as->auxv[i]);
	words_flush(&w);
	if (!w.err && aspace_write(e->as, random, e->random.seed, RANDOM_BYTES) != RANDOM_BYTES)
		w.err = -ENOMEM;
	e->as->arg_start = strings;
	e->as->arg_end = e->as->env_start = strings + a->env_offset;
	e->as->env_end = strings + a->name_offset;
	return w.err;
}
