/*
 * A machine of several harts for tests/host/tlb_test.c, as unkind as the specifications allow. It is one host thread: harts are
 * coroutines that change over at the steps of the kernel's code, which are its accesses to what harts share (the macros at
 * the end), its locks, and its dealings with satp, fences and firmware.
 *
 * TLBs   The walker reads the tables of the test's RAM by code of its own. What a hart may have cached is a set: for each ASID and
 *        page every leaf, and "nothing", that a walk could have found since the last fence that covers it; pointers to tables
 *        likewise. Before any entry of any table changes, every hart walks everything: so each hart has at all times cached all
 *        that it could have, and what is not in the set cannot be in any TLB.
 * Stores A store by WRITE_ONCE, store_release or __atomic_store_n is not seen by the others (nor, in a table, by the hart's own walker)
 *        until the hart makes a full fence or an atomic operation that is one, or the others take a lock that it gave back
 *        since; a release comes after what was before it. With `lazy_stores` off such stores also come out at random times.
 *        A fence (sfence.vma) makes the hart's own stores visible to its own walker.
 * Walks of a table that was given back are failures.
 *
 * With isolate=1 a hart has two values of satp, and goes to user mode and back between any two steps, but for those of a switch:
 * both are walked all the time.
 *
 * Defines functions: included by the test once, before the kernel's sources.
 */
#ifndef FAKE_HARTS_H
#define FAKE_HARTS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "arch/riscv/csr.h"
#include "arch/riscv/hart.h"
#include "arch/riscv/pte.h"
#include "arch/riscv/sbi.h"
#include "lib/assert.h"
#include "mm/frame.h"
#include "sync/spinlock.h"

#define NR_HARTS_MAX 3
#define NR_ASIDS     16
#define NR_PAGES     32 /* three levels of four entries; half of the root is the user's */
#define NR_SEEN      24 /* different values of one entry between two fences */
#define NR_KPAGES    4
#define NR_STORES    64
#define STACK_BYTES  (256 * 1024)

#define POOL         96 /* frames for tables; what is mapped are frames beyond */
#define NR_DATA      128
#define POOL_PFN     (FAKE_RAM_BASE >> PAGE_SHIFT)
#define DATA_PFN     (POOL_PFN + POOL)
#define KERNEL_VA(i) (0xfffffff000000000ul + (u64)(i)*PAGE_SIZE)

/* ---- state ---- */

struct seen {
	u32 nr;
	u64 value[NR_SEEN]; /* a PTE with its level in bits 54 and up, or the address of a table */
};

struct cpu {
	u64 satp;      /* the kernel's, or the only one */
	u64 user_satp; /* isolate=1: of user mode. 0: it cannot go there now */
	u64 next_user_satp;
	bool stale; /* memory or satp changed since the last walk of everything */
	struct seen leaf[NR_ASIDS][NR_PAGES];
	struct seen table1[NR_ASIDS][2];
	struct seen table0[NR_ASIDS][8];
	bool nothing[NR_ASIDS][NR_PAGES]; /* an invalid entry was seen */
	bool kernel[NR_KPAGES];           /* a global entry for a kernel page */
	bool activating;
	ucontext_t context;
	char *stack;
	bool done, waiting;
	struct held_locks no_locks;
};

struct store {
	u32 hart;
	u64 number;
	void *addr;
	u64 old;
	bool fenced; /* the hart's own walker sees it */
};

static struct cpu cpus[NR_HARTS_MAX];
static u32 running; /* hart that runs now */
static ucontext_t scheduler;
static struct store stores[NR_STORES];
static u32 nr_stores;
static u64 store_number;
static bool lazy_stores;
static bool kernel_pages[NR_KPAGES];

struct hart harts[64];
u32 nr_harts;

static char pool[POOL][PAGE_SIZE] ALIGNED(4096);
static struct frame meta[DATA_PFN + NR_DATA];
static u8 in_use[POOL + NR_DATA];

char *fake_ram = pool[0];
struct frame *frame_array = meta;

/* The test chooses. Returns the hart that goes on. */
static u32 schedule(void);
/* What the test says of the run that failed. */
static void describe_run(void);

#define fail(...)                             \
	do {                                  \
		fprintf(stderr, "FAILED: ");  \
		fprintf(stderr, __VA_ARGS__); \
		fputc('\n', stderr);          \
		describe_run();               \
		exit(1);                      \
	} while (0)

static u64 seed = 1;

static u64 rand_below(u64 n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed >> 11) % n;
}

struct hart *this_hart(void)
{
	return &harts[running];
}

u64 harts_online_mask(void)
{
	return BIT(nr_harts) - 1;
}

/* ---- stores on their way ---- */

static void table_changes(const void *addr);

static void store_drop(u32 i)
{
	table_changes(stores[i].addr);
	nr_stores--;
	memmove(&stores[i], &stores[i + 1], (nr_stores - i) * sizeof(stores[0]));
}

/* The stores of `hart` up to number `last` become visible to all. */
static void stores_drain(u32 hart, u64 last)
{
	for (u32 i = 0; i < nr_stores;) {
		if (stores[i].hart == hart && stores[i].number <= last)
			store_drop(i);
		else
			i++;
	}
}

static void stores_drain_addr(const void *addr)
{
	for (u32 i = 0; i < nr_stores;) {
		if (stores[i].addr == addr)
			store_drop(i);
		else
			i++;
	}
}

static u64 memory_read(const void *addr, size_t size)
{
	return size == 8 ? *(const volatile u64 *)addr : *(const volatile u32 *)addr;
}

static void memory_write(void *addr, size_t size, u64 value)
{
	if (size == 8)
		*(volatile u64 *)addr = value;
	else
		*(volatile u32 *)addr = (u32)value;
}

/* ---- the walker ---- */

static void seen_add(struct seen *s, u64 value)
{
	for (u32 i = 0; i < s->nr; i++)
		if (s->value[i] == value)
			return;
	if (s->nr == NR_SEEN)
		fail("the test's TLB is too small");
	s->value[s->nr++] = value;
}

static u64 table_pa(u64 pte)
{
	return (pte >> 10 & (BIT(44) - 1)) << 12;
}

/* All that hart may read from a slot: what is there, and what was there before stores that are still on their way. */
static u32 slot_values(u32 hart, const u64 *slot, u64 *out)
{
	u32 nr = 0;

	out[nr++] = *slot;
	for (u32 i = 0; i < nr_stores && nr < 8; i++)
		if (stores[i].addr == slot && !(stores[i].hart == hart && stores[i].fenced))
			out[nr++] = stores[i].old;
	return nr;
}

static const u64 *table_at(u64 pa)
{
	u64 i = (pa >> PAGE_SHIFT) - POOL_PFN;

	if (i >= POOL || !in_use[i])
		fail("a walker reads a table that was given back (frame %lx)", pa >> PAGE_SHIFT);
	return (const u64 *)pool[i];
}

/* The slot says this of pages [first, first + nr), or names the table `below` it. */
static void walk_slot(u32 hart, const u64 *slot, u32 asid, u32 first, u32 level, struct seen *below)
{
	struct cpu *c = &cpus[hart];
	u64 values[8];
	u32 nr = slot_values(hart, slot, values);

	for (u32 k = 0; k < nr; k++) {
		u64 pte = values[k];

		if ((pte & 1) && !(pte & 0xe)) {
			if (!below)
				fail("a pointer to a table at level 0");
			seen_add(below, table_pa(pte));
			continue;
		}
		for (u32 p = first; p < first + (1u << 2 * level); p++) {
			if (pte & 1)
				seen_add(&c->leaf[asid][p], pte | (u64)level << 54);
			else
				c->nothing[asid][p] = true;
		}
	}
}

static void walk_root(u32 hart, u64 satp)
{
	struct cpu *c = &cpus[hart];
	u32 asid = satp >> 44 & 0xffff;
	const u64 *root = table_at((satp & (BIT(44) - 1)) << 12);

	for (u32 i = 0; i < 2; i++)
		walk_slot(hart, &root[i], asid, i * 16, 2, &c->table1[asid][i]);
	for (u32 i = 0; i < 2; i++)
		for (u32 t = 0; t < c->table1[asid][i].nr; t++)
			for (u32 j = 0; j < 4; j++)
				walk_slot(hart, &table_at(c->table1[asid][i].value[t])[j], asid, i * 16 + j * 4, 1,
					&c->table0[asid][i * 4 + j]);
	for (u32 i = 0; i < 8; i++)
		for (u32 t = 0; t < c->table0[asid][i].nr; t++)
			for (u32 j = 0; j < 4; j++)
				walk_slot(hart, &table_at(c->table0[asid][i].value[t])[j], asid, i * 4 + j, 0, NULL);
}

static void walk_everything(u32 hart)
{
	struct cpu *c = &cpus[hart];

	if (!c->stale || !c->satp)
		return;
	c->stale = false;
	for (u32 i = 0; i < NR_KPAGES; i++)
		c->kernel[i] |= kernel_pages[i];
	walk_root(hart, c->satp);
	if (c->user_satp)
		walk_root(hart, c->user_satp);
}

/* Between these two the hart does not go to user mode. */
static void switch_begin(u32 hart)
{
	walk_everything(hart);
	cpus[hart].user_satp = cpus[hart].next_user_satp = 0;
	cpus[hart].activating = true;
}

static void switch_end(u32 hart)
{
	cpus[hart].user_satp = cpus[hart].next_user_satp;
	cpus[hart].activating = false;
	cpus[hart].stale = true;
}

/* Something at addr is about to change: the last moment to cache what was. */
static void table_changes(const void *addr)
{
	if ((const char *)addr < pool[0] || (const char *)addr >= pool[POOL])
		return;
	for (u32 h = 0; h < nr_harts; h++) {
		walk_everything(h);
		cpus[h].stale = true;
	}
}

/* ---- fences ---- */

static void cpu_forget_asid(u32 hart, u32 asid)
{
	struct cpu *c = &cpus[hart];

	for (u32 p = 0; p < NR_PAGES; p++) {
		c->leaf[asid][p].nr = 0;
		c->nothing[asid][p] = false;
	}
	for (u32 i = 0; i < 2; i++)
		c->table1[asid][i].nr = 0;
	for (u32 i = 0; i < 8; i++)
		c->table0[asid][i].nr = 0;
	c->stale = true;
}

static void cpu_forget_leaf(struct cpu *c, u32 asid, u32 page, u64 value)
{
	struct seen *s = &c->leaf[asid][page];

	for (u32 i = 0; i < s->nr; i++)
		if (s->value[i] == value)
			s->value[i--] = s->value[--s->nr];
}

/* Leaves only, but the whole of those that are larger. */
static void cpu_forget_page(u32 hart, u32 asid, u64 va)
{
	struct cpu *c = &cpus[hart];
	u64 page = va >> PAGE_SHIFT;
	struct seen *s;

	if (page >= NR_PAGES)
		return;
	s = &c->leaf[asid][page];
	while (s->nr) {
		u64 value = s->value[0];
		u32 span = 1u << 2 * (value >> 54);

		for (u32 p = (u32)page & ~(span - 1), end = p + span; p < end; p++)
			cpu_forget_leaf(c, asid, p, value);
	}
	c->nothing[asid][page] = false;
	c->stale = true;
}

static void cpu_forget_all(u32 hart)
{
	for (u32 a = 0; a < NR_ASIDS; a++)
		cpu_forget_asid(hart, a);
	memset(cpus[hart].kernel, 0, sizeof(cpus[hart].kernel));
}

/* Of all address spaces, and global ones. */
static void cpu_forget_everywhere(u32 hart, u64 va)
{
	for (u32 a = 0; a < NR_ASIDS; a++)
		cpu_forget_page(hart, a, va);
	for (u32 i = 0; i < NR_KPAGES; i++)
		if (KERNEL_VA(i) == (va & PAGE_MASK))
			cpus[hart].kernel[i] = false;
	cpus[hart].stale = true;
}

/* The hart's walker sees its own stores from here on. */
static void own_stores_fenced(u32 hart)
{
	for (u32 i = 0; i < nr_stores; i++)
		if (stores[i].hart == hart)
			stores[i].fenced = true;
}

/* ---- steps ---- */

static void hart_step(void)
{
	u32 next;

	if (!lazy_stores && nr_stores && rand_below(4) == 0)
		stores_drain(stores[0].hart, stores[0].number);
	next = schedule();
	if (next != running) {
		u32 old = running;

		running = next;
		swapcontext(&cpus[old].context, &cpus[next].context);
	}
}

static u64 hart_load(const volatile void *addr, size_t size)
{
	hart_step();
	for (u32 i = 0; i < nr_stores; i++)
		if (stores[i].addr == addr && stores[i].hart != running)
			return size == 8 ? stores[i].old : (u32)stores[i].old;
	return memory_read((const void *)addr, size);
}

static void hart_store(volatile void *addr, size_t size, u64 value, int order)
{
	void *at = (void *)addr;

	hart_step();
	if (order != __ATOMIC_RELAXED)
		stores_drain(running, store_number);
	if (nr_stores == NR_STORES)
		stores_drain(stores[0].hart, stores[0].number);
	for (u32 i = 0; i < nr_stores; i++)
		if (stores[i].addr == at && stores[i].hart != running)
			store_drop(i--);
	table_changes(at);
	stores[nr_stores++] = (struct store){running, ++store_number, at, memory_read(at, size), false};
	memory_write(at, size, value);
	if (order == __ATOMIC_SEQ_CST)
		stores_drain(running, store_number);
}

static void hart_fence(void)
{
	hart_step();
	stores_drain(running, store_number);
}

/* Before and after an atomic operation on addr. */
static void hart_rmw_start(void *addr, int order)
{
	hart_step();
	if (order == __ATOMIC_SEQ_CST || order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL)
		stores_drain(running, store_number);
	stores_drain_addr(addr);
	table_changes(addr);
}

static u64 hart_fetch_or(void *addr, size_t size, u64 bits, int order)
{
	u64 old;

	hart_rmw_start(addr, order);
	old = memory_read(addr, size);
	memory_write(addr, size, old | bits);
	return old;
}

static u64 hart_fetch_and(void *addr, size_t size, u64 bits, int order)
{
	u64 old;

	hart_rmw_start(addr, order);
	old = memory_read(addr, size);
	memory_write(addr, size, old & bits);
	return old;
}

static u64 hart_exchange(void *addr, size_t size, u64 value, int order)
{
	u64 old;

	hart_rmw_start(addr, order);
	old = memory_read(addr, size);
	memory_write(addr, size, value);
	return old;
}

static bool hart_compare_exchange(void *addr, u64 *expected, u64 value, int order)
{
	u64 old;

	hart_rmw_start(addr, order);
	old = memory_read(addr, 8);
	if (old == *expected) {
		memory_write(addr, 8, value);
		return true;
	}
	*expected = old;
	return false;
}

/* ---- locks: who takes one sees what its last holder did ---- */

static struct {
	struct spinlock *lock;
	u32 hart;
	u64 last;
} given_back[16];

static void hart_lock(struct spinlock *lock)
{
	hart_step();
	while (lock->word) {
		cpus[running].waiting = true;
		hart_step();
	}
	cpus[running].waiting = false;
	lock->word = 1;
	for (u32 i = 0; i < ARRAY_SIZE(given_back); i++)
		if (given_back[i].lock == lock)
			stores_drain(given_back[i].hart, given_back[i].last);
}

static void hart_unlock(struct spinlock *lock)
{
	u32 i = 0;

	ASSERT(lock->word == 1);
	while (given_back[i].lock && given_back[i].lock != lock)
		ASSERT(++i < ARRAY_SIZE(given_back));
	given_back[i].lock = lock;
	given_back[i].hart = running;
	given_back[i].last = store_number;
	lock->word = 0;
	hart_step();
}

/* ---- registers, fences, firmware ---- */

u64 machine_satp_read(void)
{
	return cpus[running].satp;
}

/* The bits of satp's ASID that the machine has; 0: none. */
static u64 satp_asids;

void machine_satp_write(u64 value)
{
	hart_step();
	walk_everything(running);
	cpus[running].satp = value & ~((SATP_ASID_MASK & ~satp_asids) << SATP_ASID_SHIFT);
	cpus[running].stale = true;
	hart_step();
}

void sfence_all(void)
{
	hart_step();
	own_stores_fenced(running);
	cpu_forget_all(running);
}

void sfence_asid(u64 asid)
{
	hart_step();
	own_stores_fenced(running);
	cpu_forget_asid(running, (u32)asid);
}

void sfence_page(u64 va, u64 asid)
{
	hart_step();
	own_stores_fenced(running);
	cpu_forget_page(running, (u32)asid, va);
}

void sfence_page_global(u64 va)
{
	hart_step();
	own_stores_fenced(running);
	cpu_forget_everywhere(running, va);
}

/* SBI 1.0, "RFENCE Extension": the fences have been executed when the call returns. One hart after the other. */
void sbi_remote_sfence_asid(u64 set, vaddr_t start, u64 size, u64 asid)
{
	for (u32 h = 0; h < nr_harts; h++) {
		if (!(set & BIT(h)))
			continue;
		hart_step();
		own_stores_fenced(h);
		if (size == ~0ul)
			cpu_forget_asid(h, (u32)asid);
		else
			for (u64 va = start; va < start + size; va += PAGE_SIZE)
				cpu_forget_page(h, (u32)asid, va);
	}
	hart_step();
}

void sbi_remote_sfence(u64 set, vaddr_t start, u64 size)
{
	for (u32 h = 0; h < nr_harts; h++) {
		if (!(set & BIT(h)))
			continue;
		hart_step();
		own_stores_fenced(h);
		for (u64 va = start; va < start + size; va += PAGE_SIZE)
			cpu_forget_everywhere(h, va);
	}
	hart_step();
}

/* ---- the kernel's accesses to what is shared become steps ---- */

#undef READ_ONCE
#undef WRITE_ONCE
#undef load_acquire
#undef store_release
#undef smp_mb
#define READ_ONCE(x)                                                    ((__typeof__(x))hart_load(&(x), sizeof(x)))
#define WRITE_ONCE(x, v)                                                hart_store(&(x), sizeof(x), (u64)(v), __ATOMIC_RELAXED)
#define load_acquire(p)                                                 ((__typeof__(*(p)))hart_load(p, sizeof(*(p))))
#define store_release(p, v)                                             hart_store(p, sizeof(*(p)), (u64)(v), __ATOMIC_RELEASE)
#define smp_mb()                                                        hart_fence()
#define __atomic_store_n(p, v, order)                                   hart_store(p, sizeof(*(p)), (u64)(v), order)
#define __atomic_fetch_or(p, v, order)                                  hart_fetch_or(p, sizeof(*(p)), v, order)
#define __atomic_fetch_and(p, v, order)                                 hart_fetch_and(p, sizeof(*(p)), v, order)
#define __atomic_exchange_n(p, v, order)                                hart_exchange(p, sizeof(*(p)), (u64)(v), order)
#define __atomic_compare_exchange_n(p, expected, v, weak, order, other) hart_compare_exchange(p, expected, v, order)
#define spin_lock(lock)                                                 hart_lock(lock)
#define spin_unlock(lock)                                               hart_unlock(lock)

#endif
