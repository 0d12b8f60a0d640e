/*
 * An address space: VMAs (what was promised), their amaps and objects (what is
 * there), and a page table (a cache of both).
 *
 *   as->lock (rwlock, RANK_ASPACE)   write: VMAs change; read: VMAs are looked at, faults
 *     amap->lock (RANK_AMAP)         slots of an amap
 *       pt->lock (RANK_PT)           translations
 *
 * Errors are -errno, and on error nothing changed, unless said otherwise.
 * Addresses and lengths are in bytes; ranges are [start, start+len). May sleep.
 */
#pragma once

#include "lib/atomic.h"
#include "lib/refcount.h"
#include "lib/tree.h"
#include "lib/types.h"
#include "mm/memobj.h"
#include "mm/pagetable.h"
#include "mm/vma.h"
#include "sync/rwlock.h"

struct file;

/* What was taken away last, so that a report can tell memory that was given back from memory that never was. */
#define FREED_KEPT 8
enum freed_by { FREED_BY_MUNMAP, FREED_BY_MREMAP };
struct freed_range {
	vaddr_t start_by; /* the first address, and in its lowest bits who took it: enum freed_by */
	vaddr_t end;
};

struct aspace {
	struct rwlock lock;
	struct refcount refs; /* tasks that run on it, and borrowers */
	struct vma_tree vmas; /* [lock] */
	struct pagetable pt;
	vaddr_t brk_start, brk;      /* [lock] heap */
	vaddr_t mmap_top;            /* mmap grows down from here */
	vaddr_t stack_top;           /* [lock] for reports and /proc */
	u64 stack_limit;             /* RLIMIT_STACK when exec'ed: how far the stack may grow */
	u64 limit_pages;             /* RLIMIT_AS in pages; ~0: none */
	u64 data_limit_pages;        /* RLIMIT_DATA */
	u64 nr_pages;                /* [lock] promised, all VMAs */
	u64 committed;               /* [lock] of these, in VMAs with VMA_ACCOUNT (mm/commit.h) */
	struct atomic64 resident;    /* anonymous frames owned */
	struct atomic64 swapped;     /* swap entries owned */
	struct atomic64 mapped_file; /* leaves that ever showed pages of objects */
	u64 peak_pages;
	u32 lock_future; /* mlockall(MCL_FUTURE): new VMAs are born locked */
	vaddr_t arg_start, arg_end, env_start, env_end; /* for /proc/PID/cmdline, environ */
	vaddr_t code_start, code_end, data_start, data_end;
	u64 auxv[48];           /* pairs, as handed to the program */
	u32 nr_auxv;            /* words used */
	struct frame *usyscall; /* page at USER_USYSCALL, once it was touched */
	int pid;                /* what it says */
	struct file *exe;       /* [lock] owned reference; released by the hook aspace_release_file */
	u64 nr_faults_minor, nr_faults_major;
	struct futex_private *futexes; /* proc/futex.c */
	struct list superpage_link;    /* mm/superpage.c: among those that are looked through, */
	bool superpage_watched;        /* if so */
	bool no_superpages;            /* PR_SET_THP_DISABLE; forks inherit it */
	u32 nr_freed;                  /* [lock] ranges noted so far; the last FREED_KEPT of them are kept */
	/* Last, and not zeroed at birth: only what nr_freed counts is read. */
	struct freed_range freed[FREED_KEPT]; /* [lock] */
};

/* Implemented by fs: drops/takes a reference on as->exe. */
void aspace_release_file(struct file *f);
struct file *aspace_share_file(struct file *f);

struct aspace *aspace_create(void); /* NULL: no memory. refs = 1; the USYSCALL page has its place */
static inline void aspace_get(struct aspace *as)
{
	refcount_get(&as->refs);
}
void aspace_put(struct aspace *as); /* the last one tears it all down */

/* What the first word of the USYSCALL page will say: int pid. Before anyone runs on it. */
void aspace_set_pid(struct aspace *as, int pid);

/* The child sees the parent's memory copy-on-write; shared mappings stay shared. NULL: no memory. */
struct aspace *aspace_fork(struct aspace *parent);

/* What a new mapping shall be. */
struct map_request {
	vaddr_t addr;                                          /* hint, or exact with MAP_AT */
	u64 len;                                               /* > 0; rounded up to pages */
	u32 prot;                                              /* VMA_READ|WRITE|EXEC */
	u32 max_prot;                                          /* what mprotect may later give */
	u32 flags;                                             /* VMA_SHARED, VMA_STACK, VMA_HEAP, VMA_LOCKED… */
	enum map_place { MAP_ANY, MAP_AT_FREE, MAP_AT } place; /* MAP_AT_FREE: -EEXIST if taken (MAP_FIXED_NOREPLACE) */
	struct memobj *obj;                                    /* NULL: anonymous. A reference is taken */
	u64 pgoff;                                             /* first page of obj */
	struct file *file;                                     /* for /proc/PID/maps; reference taken */
	u64 file_bytes; /* private file mapping: bytes from the file, the rest zero (ELF bss tail); 0: all */
};

/* Returns the address, or -errno as a long. */
long aspace_map(struct aspace *as, const struct map_request *rq);
int aspace_unmap(struct aspace *as, vaddr_t start, u64 len);
int aspace_protect(struct aspace *as, vaddr_t start, u64 len, u32 prot);
/* mremap(2): flags are Linux's MREMAP_* bits (1 MAYMOVE, 2 FIXED, 4 DONTUNMAP). */
long aspace_remap(struct aspace *as, vaddr_t old, u64 old_len, u64 new_len, u32 flags, vaddr_t new_addr);
/* brk(2): returns the break in force, new or unchanged. */
vaddr_t aspace_brk(struct aspace *as, vaddr_t want);
int aspace_advise(struct aspace *as, vaddr_t start, u64 len, int advice); /* Linux's MADV_* numbers */
int aspace_sync(struct aspace *as, vaddr_t start, u64 len, int flags);    /* MS_* */
/* mlock(2) and its kin. The pages of a locked VMA are never swapped out. -ENOMEM: a hole, or too many VMAs. */
enum aspace_lock { ASPACE_LOCK, ASPACE_UNLOCK };
int aspace_lock_range(struct aspace *as, vaddr_t start, vaddr_t end, enum aspace_lock how);
void aspace_lock_all(struct aspace *as, enum aspace_lock how);
/* Pages of locked VMAs. */
u64 aspace_locked(struct aspace *as);
/* Touches every page, as a write would where that is private and allowed. -ENOMEM: one cannot be had; -EINTR. */
int aspace_populate(struct aspace *as, vaddr_t start, vaddr_t end);
/* The same for all that is locked, as far as it goes. */
void aspace_populate_locked(struct aspace *as);
/* One byte a page into `vec`, bit 0: resident. */
int aspace_mincore(struct aspace *as, vaddr_t start, u64 nr_pages, u8 *vec);
/* LAB.md L3; bits into a kernel bitmap, cleared first; A bits cleared and flushed. */
int aspace_accessed(struct aspace *as, vaddr_t start, u64 nr_pages, u64 *bitmap);

/* Copies to or from any address space (ptrace-like, /proc/PID/mem, cmdline). Bytes done or -errno. */
ssize_t aspace_read(struct aspace *as, vaddr_t from, void *to, size_t len);
ssize_t aspace_write(struct aspace *as, vaddr_t to, const void *from, size_t len);

/* Frames present, for the high-water mark: anonymous ones, and at most so many of objects (walks nothing; mm/census.h does). */
u64 aspace_resident(struct aspace *as);

/* From now on, ranges that are taken away are noted in as->freed, or not: for reports (mm/aspace_where.h). */
enum freed_noting { FREED_FORGET, FREED_NOTE };
void aspace_note_freed(enum freed_noting how);

/* Asserts every invariant. Locks: takes as->lock for reading. */
void aspace_check(struct aspace *as);

/* The address space whose table this hart runs user code on (current's), or NULL. Implemented by proc. */
struct aspace *aspace_current(void);
/* RLIMIT_STACK, … of current for growth checks come from as->stack_limit. */
