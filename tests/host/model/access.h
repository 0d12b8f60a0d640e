/*
 * Accesses to memory, as programs and the kernel make them: through the machine, faults and all. And what all
 * operations on both sides share: an operation is done to the real code first, then to the reference, then the pages
 * concerned are compared.
 *
 * An operation may run with one of its allocations failing (now.fail): then it either succeeds all the same or answers
 * -ENOMEM, and the reference stays as it was.
 */
#ifndef MODEL_ACCESS_H
#define MODEL_ACCESS_H

#include "compare.h"
#include "mm/failnth.h"

static bool fail_fired; /* the failure ordered last came to pass */

static inline bool fail_arm(void)
{
	alloc_fail_nth(now.fail);
	return now.fail != 0;
}

static inline void fail_disarm(void)
{
	if (now.fail)
		fail_fired = current_thread()->fail_nth == 0;
	alloc_fail_nth(0);
	now.fail = 0;
}

/* The answer of `call`, which may be run with an allocation failing. *injected: -ENOMEM may be due to that. */
#define TRY(injected, call)                            \
	({                                             \
		long r_;                               \
		*(injected) = fail_arm();              \
		r_ = (long)(call);                     \
		fail_disarm();                         \
		*(injected) &= r_ == -ENOMEM;          \
		nr_injected += *(injected);            \
		if (*(injected))                       \
			say("  an allocation failed"); \
		r_;                                    \
	})

/* Pages of one window. */
struct range {
	u32 first, n;
};

static inline vaddr_t range_va(struct range r)
{
	return page_va[r.first];
}
static inline u64 range_len(struct range r)
{
	return r.n * PAGE_SIZE;
}

/* ---- accesses ---- */

static long errno_of(enum fault_result r)
{
	switch (r) {
	case FAULT_DONE: return 0;
	case FAULT_SEGV_MAP: return -EFAULT;
	case FAULT_SEGV_ACC: return -EACCES;
	case FAULT_BUS: return -EIO;
	default: return -ENOMEM;
	}
}

/* A fault at page i below a growing stack: the pages down to it are mapped, if the stack may come so far. */
static void ref_grow(u32 s, u32 i)
{
	struct space *sp = &spaces[s];
	struct vma *v = vma_find(&sp->as->vmas, page_va[i]), *below;
	u32 above = i;

	if (!v || v->start <= page_va[i] || !(v->flags & VMA_STACK) || STACK_TOP - page_va[i] > sp->as->stack_limit)
		return;
	below = vma_prev(v); /* the window is smaller than the gap that there must be */
	if (below && below->start >= windows[WIN_STACK].base && (below->flags & PT_RWX))
		return;
	while (!sp->page[above].mapped)
		above++;
	for (u32 k = i; k < above; k++)
		sp->page[k] = (struct ref_page){.mapped = true,
			.obj = -1,
			.prot = sp->page[above].prot,
			.max_prot = sp->page[above].max_prot,
			.dontfork = sp->page[above].dontfork};
}

/* Some of an operation was done before it failed: copies that exist may no longer change with what lies below. */
static void settle(u32 s, u32 i)
{
	struct vma *v = vma_at(&spaces[s].as->vmas, page_va[i]);

	if (v && real_slot(v, page_va[i]))
		ref_privatise(&spaces[s].page[i]);
}

/* What an access is to answer; the stack grows in the reference. */
static long expect_access(u32 s, u32 i, enum access access)
{
	if (!spaces[s].page[i].mapped && page_window[i] == WIN_STACK)
		ref_grow(s, i);
	return ref_allowed(&spaces[s].page[i], access);
}

/* An access on the hart of this step, with its faults. *page: the memory. */
static long access_page(u32 s, u32 i, enum access access, void **page)
{
	u32 need = access == ACCESS_WRITE ? M_W : access == ACCESS_EXEC ? M_X : M_R;

	for (u32 tries = 0; tries < 12; tries++) {
		struct fault f = {.addr = page_va[i] + env_rand(PAGE_SIZE), .access = access, .from_user = one_in(2)};
		bool injected;
		long err;

		*page = mmu_access(now.hart, s, i, need);
		if (*page)
			return 0;
		err = TRY(&injected, errno_of(fault_handle(spaces[s].as, &f)));
		if (injected) {
			settle(s, i);
			compare_page(s, i);
		} else if (err) {
			return err;
		}
	}
	differ("an access of kind %u to page %u of space %u never succeeds", access, i, s);
}

static inline void do_access(u32 s, u32 i, enum access access, struct content *c)
{
	struct ref_page *m = &spaces[s].page[i];
	bool quiet = now.quiet;
	long want, got;
	void *page;

	want = expect_access(s, i, access);
	/* Of a page that will be copied, nobody may change the original meanwhile: who could say which was first? */
	now.quiet |= ref_below(m) == BELOW_TAIL;
	now.access = true;
	got = access_page(s, i, access, &page);
	now.access = false;
	now.quiet = quiet;
	if (got != want)
		differ("access of kind %u to page %u of space %u: %ld, not %ld", access, i, s, got, want);
	if (got)
		return;
	ref_touched(m, access);
	if (access == ACCESS_WRITE) {
		ref_store(m, *c);
		content_put(page, *c);
	}
	*c = content_at(page);
	if (!content_is(*c, ref_value(m)))
		differ("page %u of space %u reads %x %x, not %x %x", i, s, c->first, c->last, ref_value(m).first,
			ref_value(m).last);
}

/* Reads, writes (new content) or executes a page. */
static void touch(u32 s, u32 i, enum access access)
{
	struct content c = access == ACCESS_WRITE ? new_content() : (struct content){0, 0};

	do_access(s, i, access, &c);
	compare_range(s, i, 1);
}

/* The kernel copies across the edge of two pages. How much: as far as the first that refuses. */
static inline void do_copy(u32 s, u32 i, enum access access)
{
	u32 words[2] = {next_value++, next_value++}, last, done = 0;
	vaddr_t at = page_va[i] + PAGE_SIZE - 4;
	long want = 0, got;

	last = i + 1 < NR_PAGES && page_va[i + 1] == page_va[i] + PAGE_SIZE ? i + 1 : i;
	say("kernel copy of kind %u, pages %u to %u of space %u", access, i, last, s);
	for (u32 k = i; k <= last && !want; k++) {
		want = expect_access(s, k, access);
		done += want ? 0 : 4;
	}
	now.quiet = true;
	got = access == ACCESS_READ ? aspace_read(spaces[s].as, at, words, 4 * (last - i + 1))
				    : aspace_write(spaces[s].as, at, words, 4 * (last - i + 1));
	now.quiet = false;
	if (got != (done ? (long)done : -EFAULT))
		differ("kernel copy from page %u of space %u: %ld of %u bytes", i, s, got, done);
	/* In turn: the first page may be what lies below the second. */
	for (u32 k = i; k < i + done / 4; k++) {
		struct content c = ref_value(&spaces[s].page[k]);
		u32 *word = k == i ? &c.last : &c.first;

		ref_touched(&spaces[s].page[k], access);
		if (access == ACCESS_WRITE) {
			*word = words[k - i];
			ref_store(&spaces[s].page[k], c);
		} else if (*word != words[k - i]) {
			differ("kernel read of page %u of space %u: %x, not %x", k, s, words[k - i], *word);
		}
	}
	compare_range(s, i, last - i + 1);
}

#endif
