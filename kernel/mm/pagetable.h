/*
 * The translations of one address space, as the machine walks them. Contract
 * between mm/ and arch/: mm never sees a PTE, arch never sees a VMA.
 *
 * A page table is a CACHE of what the VMAs, objects and amaps say. Any user
 * translation may be dropped at any time (after the tlb.h order) and comes
 * back by a fault. Mappings hold no references to frames.
 *
 * Invariants (pt_check asserts them)
 *  1. A leaf that user mode can reach lies below user_end and has U; no leaf of the kernel half has U.
 *  2. No leaf is writable and executable unless the caller asked for both.
 *  3. Non-leaf entries carry V alone.
 *  4. Each table page is referenced once and is of kind FRAME_TABLE.
 *  5. isolate=1: the user's root has the entries of the root's user half and none of its kernel half. Above user_end it
 *     has the two pages of a crossing between the two (arch/riscv/isolate.h), which user mode cannot reach either.
 *
 * Locks: pt->lock (spinlock, RANK_PT) guards the user half. Every function
 * with `_locked`-free name below that changes translations says who takes it:
 * the CALLER holds it (pt_lock/pt_unlock) for map, unmap, protect, query,
 * harvest. So a check and the installation it justifies are one critical section.
 *
 * Specification: RISC-V privileged architecture, chapter "Supervisor-Level ISA",
 * Sv39/Sv48/Sv57.
 */
#pragma once

#include "lib/atomic.h"
#include "lib/types.h"
#include "mm/frame.h"
#include "sync/spinlock.h"

struct tlb;

/* Permissions and attributes of a mapping, independent of the machine's bits. */
#define PT_READ     BIT(0)
#define PT_WRITE    BIT(1)
#define PT_EXEC     BIT(2)
#define PT_USER     BIT(3)
#define PT_GLOBAL   BIT(4)
#define PT_ACCESSED BIT(5) /* pt_query and pt_map: A is (to be) set */
#define PT_DIRTY    BIT(6) /* the same for D */
#define PT_RWX      (PT_READ | PT_WRITE | PT_EXEC)

struct pagetable {
	struct spinlock lock;
	paddr_t root;
	paddr_t user_root;       /* isolate=1: what user code runs on, the user half alone. Otherwise 0 */
	u64 asid;                /* generation << 16 | ASID; arch/riscv/asid.c */
	u64 cached;              /* harts whose TLB may hold translations of this table (atomic) */
	u64 nr_tables;           /* table pages of the user half, roots included */
	u64 *leaf_table;         /* [lock] arch: the level-0 table found last, for the 2 MiB around leaf_va; NULL: none */
	vaddr_t leaf_va;
	struct atomic unflushed; /* operations with changes that they have not flushed yet (mm/tlb.h) */
	bool wx_asked;           /* some leaf was asked for writable and executable (debug, for pt_check) */
};

struct pt_entry {
	paddr_t pa; /* of the byte asked for */
	u32 prot;   /* PT_* incl. ACCESSED/DIRTY */
	u32 order;  /* 0, HUGE_ORDER or 18: size of the leaf */
};

/* An empty user half, the kernel half shared. 0/-ENOMEM. Context: may sleep. */
int pt_create(struct pagetable *pt);
/* Frees all tables. Nobody runs on it any more; its TLB entries are gone when this returns. */
void pt_destroy(struct pagetable *pt);
/* This hart now runs on pt (the kernel's own table when pt is NULL). Context: interrupts off. */
void pt_activate(struct pagetable *pt);

static inline void pt_lock(struct pagetable *pt)
{
	spin_lock(&pt->lock);
}
static inline void pt_unlock(struct pagetable *pt)
{
	spin_unlock(&pt->lock);
}

/* Allocates the tables that a mapping of `order` at va needs. 0/-ENOMEM. Locks: takes pt->lock. Context: may sleep. */
int pt_reserve(struct pagetable *pt, vaddr_t va, u32 order);

/*
 * Maps va → pa, replacing what a leaf of the same size mapped there. A new
 * leaf where none was needs no flush by the caller (arch does what the
 * specification wants for invalid → valid). Replacing a frame goes through
 * pt_unmap first. Permissions may be added here; a leaf of the same frame keeps
 * those it has, for taking them away wants a flush (pt_protect). -ENOMEM when a table is missing and none can be had without sleeping:
 * unlock, pt_reserve, start over. Locks: caller holds pt->lock.
 */
int pt_map(struct pagetable *pt, vaddr_t va, paddr_t pa, u32 order, u32 prot);

/* One page for pt_map_missing; prot 0: none. */
struct pt_page {
	paddr_t pa;
	u32 prot;
};

/* Maps those of the nr pages from va on that nothing maps yet, as far as the tables are there: for pages that are likely
 * to be wanted soon. Returns how many. Locks: caller holds pt->lock. */
u32 pt_map_missing(struct pagetable *pt, vaddr_t va, const struct pt_page *pages, u32 nr);

/* Drops all translations of [start, end); a larger leaf partly inside is split (or dropped whole: it is a cache).
 * Emptied tables go to tlb. Returns the number of leaves dropped. Locks: caller holds pt->lock. */
u64 pt_unmap(struct pagetable *pt, vaddr_t start, vaddr_t end, struct tlb *tlb);

/* Takes away from every leaf in [start, end) the permissions not in `keep` (PT_RWX bits). Returns leaves changed.
 * Locks: caller holds pt->lock. */
u64 pt_protect(struct pagetable *pt, vaddr_t start, vaddr_t end, u32 keep, struct tlb *tlb);

/* True when a leaf of `order` can be put at va: nothing smaller is mapped in its place. Locks: caller holds pt->lock. */
bool pt_vacant(struct pagetable *pt, vaddr_t va, u32 order);

/* The translation of va, or -ENOENT. Locks: caller holds pt->lock. */
int pt_query(struct pagetable *pt, vaddr_t va, struct pt_entry *out);

/* The entry for va as the machine has it, 0 for none: for traces. Locks: caller holds pt->lock. */
u64 pt_raw(struct pagetable *pt, vaddr_t va);

/* Visits every leaf of [start, end) in order: fn(arg, va, nr_pages, e) gets the part of it that lies in the range, and e as
 * pt_query(va) would say. It ends early when fn returns false. Returns where to go on, `end` when all was visited.
 * Locks: caller holds pt->lock; fn may not sleep. */
vaddr_t pt_scan(struct pagetable *pt, vaddr_t start, vaddr_t end,
	bool (*fn)(void *arg, vaddr_t va, u64 nr_pages, const struct pt_entry *e), void *arg);

/* For each mapped page in [start, end) with A set: calls fn(arg, page number from start, dirty) and clears A.
 * Locks: caller holds pt->lock; flush through tlb. */
void pt_harvest(struct pagetable *pt, vaddr_t start, vaddr_t end, struct tlb *tlb,
	void (*fn)(void *arg, u64 page, u32 prot), void *arg);

/* vmprint (LAB.md L2): emits the exact text for the user half (or the whole with PT_PRINT_KERNEL) through emit. */
enum pt_print { PT_PRINT_USER, PT_PRINT_ALL };
void pt_print(struct pagetable *pt, enum pt_print what, void (*emit)(void *arg, const char *s, size_t len), void *arg);

/* One entry that the machine reads on its way to a translation. */
#define PT_MAX_LEVELS 5
struct pt_step {
	u32 level, index;
	u64 entry; /* as it stands in the table */
	paddr_t pa;
	char flags[9]; /* "VRWXUGAD", with '-' for what is not set */
};

/* The entries for va, the root's first, in the table that user code runs on, whose address goes to *root. Returns how many.
 * Locks: takes pt->lock. */
u32 pt_walk(struct pagetable *pt, vaddr_t va, struct pt_step steps[PT_MAX_LEVELS], paddr_t *root);

/* Asserts the invariants above over the whole user half. Locks: takes pt->lock. */
void pt_check(struct pagetable *pt);

/* The kernel's own table (idle harts, kernel threads). */
extern struct pagetable kernel_pagetable;
