/*
 * The machine, as strict as the specification lets it be: harts that walk the real tables (with code of their own:
 * nothing of kernel/arch/riscv is used to read an entry), each with a TLB and a cache of pointers to tables of leaves.
 *
 * What a hart has cached it goes on using until a flush that covers it; it may cache at any time what the tables
 * allow; it may stick to a cached entry with too few permissions and fault; it sets A and D, or (Svade) faults for
 * them. A flush with addresses forgets leaves only; pointers to tables go when the flush says that tables were freed.
 * Between the change of an entry and the flush another hart may still write through what it has cached: the content
 * must not be lost. No frame may be freed that any hart can still reach.
 */
#ifndef MODEL_MMU_H
#define MODEL_MMU_H

#include "universe.h"

#include "mm/pagetable.h"
#include "mm/tlb.h"

enum { M_V = 1, M_R = 2, M_W = 4, M_X = 8, M_U = 16, M_G = 32, M_A = 64, M_D = 128 };
#define M_LEAF (M_R | M_W | M_X)

struct tlb_entry {
	u64 pte; /* 0: none. Of this page also when the leaf is larger */
};

static struct tlb_entry tlbs[NR_HARTS][NR_SPACES][NR_PAGES + 1];
static paddr_t table_caches[NR_HARTS][NR_SPACES][NR_REGIONS];
static u16 *reachable;        /* by frame number: cached entries that lead there */
static u32 cached[NR_SPACES]; /* entries and pointers to tables, all harts */
static bool svade;
static u64 nr_flushes, nr_late_writes, nr_walks, nr_hits;

static inline u64 m_pa(u64 pte)
{
	return pte << 10 >> 20 << 12;
}

static inline u64 *m_table(paddr_t pa)
{
	ASSERT(pa_frame(pa)->kind == FRAME_TABLE && atomic_read(&pa_frame(pa)->refs) == 1);
	return phys_to_kva(pa);
}

/* The entry that decides about va, and at *level 0, 1 or 2 what it maps. */
static inline u64 *m_walk(const struct pagetable *pt, vaddr_t va, u32 *level)
{
	u64 *table = m_table(pt->root);

	for (u32 l = 2;; l--) {
		u64 *slot = &table[va >> (12 + 9 * l) & 511];

		*level = l;
		if (!(*slot & M_V) || (*slot & M_LEAF) || l == 0)
			return slot;
		if ((*slot & 0x3ff) != M_V)
			differ("an entry that points to a table has the flags %lx", *slot & 0x3ff);
		table = m_table(m_pa(*slot));
	}
}

/* The 4 KiB view of a leaf at `level`. */
static inline u64 m_page_pte(u64 pte, u32 level, vaddr_t va)
{
	return pte | (level ? (va >> 12 & ((1ul << 9 * level) - 1)) << 10 : 0);
}

static inline void m_forget(u32 s, struct tlb_entry *e)
{
	if (e->pte) {
		cached[s]--;
		reachable[m_pa(e->pte) >> PAGE_SHIFT]--;
		e->pte = 0;
	}
}

static inline void m_remember(u32 s, struct tlb_entry *e, u64 pte)
{
	m_forget(s, e);
	cached[s]++;
	e->pte = pte;
	reachable[m_pa(pte) >> PAGE_SHIFT]++;
}

static inline void m_forget_table(u32 s, paddr_t *table)
{
	if (*table) {
		cached[s]--;
		reachable[*table >> PAGE_SHIFT]--;
		*table = 0;
	}
}

/* What this hart's walker finds: through the cached pointer to the table, or from the root. NULL: nothing valid. */
static inline u64 *m_find(u32 hart, u32 s, u32 index, u32 *level)
{
	paddr_t *table = &table_caches[hart][s][page_region[index]];
	vaddr_t va = page_va[index];
	u64 *slot;

	nr_walks++;
	if (*table && one_in(2)) {
		*level = 0;
		slot = (u64 *)phys_to_kva(*table) + (va >> 12 & 511);
	} else {
		slot = m_walk(&spaces[s].as->pt, va, level);
		if (*level == 0 && !*table && one_in(2)) {
			*table = kva_to_phys(slot) & PAGE_MASK;
			reachable[*table >> PAGE_SHIFT]++;
			cached[s]++;
		}
	}
	return *slot & M_V ? slot : NULL;
}

/* The hart looks ahead: it may cache whatever has A. */
static inline void mmu_speculate(u32 hart, u32 s, u32 index)
{
	u32 level;
	u64 *slot = m_find(hart, s, index, &level);

	if (slot && (*slot & M_A))
		m_remember(s, &tlbs[hart][s][index], m_page_pte(*slot, level, page_va[index]));
}

static inline void *m_reach(u64 pte)
{
	return phys_to_kva(m_pa(pte));
}

/* An access; need is M_R, M_W or M_X. The page's memory, or NULL: a page fault. */
static inline void *mmu_access(u32 hart, u32 s, u32 index, u32 need)
{
	struct tlb_entry *e = &tlbs[hart][s][index];
	u64 *slot;
	u32 level;

	if (e->pte) {
		bool allowed = (e->pte & need) && (need != M_W || (e->pte & M_D));

		if (allowed) {
			nr_hits++;
			return m_reach(e->pte);
		}
		/* It need not look at the table when what it has forbids. */
		if (!(e->pte & need) && one_in(2))
			return NULL;
	}
	slot = m_find(hart, s, index, &level);
	if (!slot)
		return NULL;
	if (!(*slot & M_U))
		differ("a leaf of the user half without U");
	if (!(*slot & need)) {
		if (*slot & M_A)
			m_remember(s, e, m_page_pte(*slot, level, page_va[index]));
		return NULL;
	}
	if (svade && (!(*slot & M_A) || (need == M_W && !(*slot & M_D))))
		return NULL;
	*slot |= M_A | (need == M_W ? M_D : 0);
	m_remember(s, e, m_page_pte(*slot, level, page_va[index]));
	return m_reach(e->pte);
}

/* ---- what arch/ implements ---- */

static inline struct content content_at(const void *page)
{
	return (struct content){*(const u32 *)page, *(const u32 *)((const char *)page + PAGE_SIZE - 4)};
}

static inline void content_put(void *page, struct content c)
{
	*(u32 *)page = c.first;
	*(u32 *)((char *)page + PAGE_SIZE - 4) = c.last;
}

/* Before the flush reaches them, another hart writes to a page that was writable until now. */
static inline void late_write(u32 s, u32 first, u32 last)
{
	u32 index = first + (u32)env_rand(last - first + 1), hart = (u32)env_rand(NR_HARTS);
	u64 pte = tlbs[hart][s][index].pte;
	struct ref_page *m = &spaces[s].page[index];

	if (index == USYSCALL_PAGE || !pte || (~pte & (M_W | M_D)) || ref_allowed(m, ACCESS_WRITE) != 0)
		return;
	ref_store(m, new_content());
	content_put(m_reach(pte), ref_value(m));
	nr_late_writes++;
	say("  meanwhile hart %u writes %u to page %u of space %u", hart, ref_value(m).first, index, s);
}

static void flush_pages(u32 s, u32 first, u32 last)
{
	if (!now.quiet && one_in(4))
		late_write(s, first, last);
	for (u32 h = 0; h < NR_HARTS; h++) {
		for (u32 i = first; i <= last; i++)
			m_forget(s, &tlbs[h][s][i]);
	}
	if (one_in(4) && (int)s != now.busy)
		mmu_speculate((u32)env_rand(NR_HARTS), s, first + (u32)env_rand(last - first + 1));
}

void tlb_arch_flush(struct pagetable *pt, vaddr_t start, vaddr_t end, u32 tables_freed)
{
	int s = space_of(pt);

	nr_flushes++;
	if (s < 0)
		return; /* nobody runs on it yet */
	for (u32 h = 0; tables_freed && h < NR_HARTS; h++) {
		for (u32 r = 0; r < NR_REGIONS; r++)
			m_forget_table((u32)s, &table_caches[h][s][r]);
	}
	for (u32 w = 0; w < NR_WINDOWS; w++) {
		vaddr_t from = MAX(start, windows[w].base);
		vaddr_t to = MIN(end, windows[w].base + windows[w].nr * PAGE_SIZE);

		if (from < to)
			flush_pages((u32)s, (u32)page_index(from), (u32)page_index(to - 1));
	}
	if (start <= USER_USYSCALL && end > USER_USYSCALL)
		flush_pages((u32)s, USYSCALL_PAGE, USYSCALL_PAGE);
}

void tlb_local_leaf(struct pagetable *pt, vaddr_t va, u64 size)
{
	int s = space_of(pt);

	for (vaddr_t at = va; s >= 0 && at < va + size; at += PAGE_SIZE) {
		int i = page_index(at);

		if (i >= 0)
			m_forget((u32)s, &tlbs[now.hart][s][i]);
	}
}

/* Its number is not used again before all TLBs were flushed, so what they hold of it does no harm. */
static inline void mmu_retire(u32 s)
{
	for (u32 h = 0; cached[s] && h < NR_HARTS; h++) {
		for (u32 i = 0; i <= NR_PAGES; i++)
			m_forget(s, &tlbs[h][s][i]);
		for (u32 r = 0; r < NR_REGIONS; r++)
			m_forget_table(s, &table_caches[h][s][r]);
	}
}

bool tlb_pt_in_use(const struct pagetable *pt)
{
	return false;
}

/* The linker puts this in the place of frame_free. */
void __real_frame_free(struct frame *f);
void __wrap_frame_free(struct frame *f);
void __wrap_frame_free(struct frame *f)
{
	for (u64 i = 0; i < 1ul << f->order; i++) {
		if (reachable[frame_pfn(f) + i])
			differ("a frame of kind %u is freed that a TLB can still reach: a late flush or none", f->kind);
		content_put(frame_kva(f + i), (struct content){0xdeadbeef, 0xfeedface});
	}
	__real_frame_free(f);
}

static inline void mmu_init(u64 ram_mib)
{
	reachable = calloc((FAKE_RAM_BASE + (ram_mib << 20)) >> PAGE_SHIFT, sizeof(*reachable));
	ASSERT(reachable);
}

/* What a hart has cached must be what the table says now, or less. */
static inline void mmu_check_page(u32 s, u32 index, u64 pte)
{
	for (u32 h = 0; h < NR_HARTS; h++) {
		u64 had = tlbs[h][s][index].pte;

		if (!had)
			continue;
		if (!(pte & M_V))
			differ("hart %u still has page %u of space %u, which is mapped no more", h, index, s);
		if (m_pa(had) != m_pa(pte))
			differ("hart %u has another frame for page %u of space %u", h, index, s);
		if (had & ~pte & 0xff)
			differ("hart %u has the rights %lx to page %u of space %u, the table says %lx", h, had & 0xff,
				index, s, pte & 0xff);
	}
}

#endif
