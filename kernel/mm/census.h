/*
 * Who has which page: looking at address spaces without changing them, for /proc.
 *
 * A page belongs to a mapping in one of two ways. A private page is in a slot of the VMA's amap, whether or not a translation
 * shows it now; a page of an object counts where a translation shows it. So a forked child has its parent's private pages at once.
 *
 * Frames carry no count of mappings. Where such a number is wanted, a census goes through all address spaces and counts.
 *
 * All of it is a snapshot: what others do meanwhile may or may not be in it.
 */
#pragma once

#include "lib/types.h"
#include "mm/frame.h"
#include "mm/pagetable.h"

struct aspace;
struct vma;

/* ---- the pages of one VMA ---- */

enum page_what {
	PAGE_PRIVATE, /* in a slot */
	PAGE_OBJECT,  /* of a file, of shared memory, or the kernel's own (USYSCALL, vDSO) */
	PAGE_ZERO,    /* the zero page: nobody's, and in no count */
};

struct page_view {
	vaddr_t va;
	struct frame *frame; /* borrowed during the call; NULL: swapped out */
	u64 swap;            /* then: the entry (mm/swap.h) */
	enum page_what what;
	u32 alone; /* PAGE_PRIVATE: no other address space has it */
	u32 prot;  /* PT_* of the translation; 0: there is none now */
	u32 order; /* of the translation */
};

typedef void (*page_view_fn)(void *arg, const struct page_view *p);

/* Calls fn for every page of [start, end), a part of v: slots in order, then object pages in order. fn runs under spinlocks.
 * Locks: as->lock held for reading; takes amap->lock, pt->lock. May sleep between pages. */
void vma_view(struct vma *v, vaddr_t start, vaddr_t end, page_view_fn fn, void *arg);

/* How many VMAs show page pgoff of v's object at this moment; counting ends at `enough`. Locks: as->lock held; takes obj->lock. */
u32 vma_object_mappers(struct vma *v, u64 pgoff, const struct frame *f, u32 enough);

/* ---- how many have a frame ---- */

struct census;

/* Counts the frames of [first, end) over all processes. NULL: no memory. May sleep; no lock held. */
struct census *census_take(pfn_t first, pfn_t end);
/* The same for all of RAM. */
struct census *census_take_all(void);
void census_free(struct census *c);
/* Mappings that have the frame; 0 beyond the window. Saturates at CENSUS_MAX. */
u32 census_count(const struct census *c, pfn_t pfn);
/* Some mapping shows it by a leaf larger than a page. */
bool census_huge(const struct census *c, pfn_t pfn);
#define CENSUS_MAX 0x7fffu

/* The first frame of RAM, and the first beyond all of it. */
pfn_t census_first_pfn(void);
pfn_t census_end_pfn(void);
/* RAM, whether or not its metadata may be read (frame_valid). */
bool census_is_ram(pfn_t pfn);

/* Implemented by proc: the address space of the first process with a number >= *pid that has one, referenced; *pid becomes
 * that number. NULL: there is none. */
struct aspace *census_next_aspace(int *pid);

/* ---- sums ---- */

/* Of a VMA or of many; bytes, but for the pss, which are in 1/4096 of a byte (PSS_SHIFT). */
#define PSS_SHIFT 12
struct page_sums {
	u64 rss, pss, pss_dirty, pss_anon, pss_file, pss_shmem, pss_locked;
	u64 shared_clean, shared_dirty, private_clean, private_dirty;
	u64 referenced, anonymous, anon_huge, shmem_huge, file_huge;
	u64 swap, swap_pss;
};

/* Adds v's pages to *sums. Locks: as vma_view. */
void vma_sum(struct vma *v, const struct census *c, struct page_sums *sums);

/* What RSS is made of, in pages. Anonymous pages are counted as they come and go; those of objects by a walk of what may show
 * any. Locks: takes as->lock for reading. */
struct resident_pages {
	u64 anon, file, shmem, swap;
};
void aspace_count_resident(struct aspace *as, struct resident_pages *out);

/* ---- /proc/PID/clear_refs ---- */

enum clear_refs { CLEAR_REFS_ALL = 1, CLEAR_REFS_ANON = 2, CLEAR_REFS_FILE = 3 };

/* Clears A bits of the pages of that kind, flushed. Locks: takes as->lock for reading. */
void aspace_clear_refs(struct aspace *as, enum clear_refs which);
