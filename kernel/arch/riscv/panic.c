/*
 * The panic report. One hart wins; the others are stopped. Everything below
 * reads memory only where the kernel's own table says that something is mapped,
 * takes no lock, and allocates nothing. A panic within a panic ends the machine.
 */
#include "lib/panic.h"

#include <stdarg.h>

#include "arch/riscv/arch.h"
#include "arch/riscv/boot.h"
#include "arch/riscv/csr.h"
#include "arch/riscv/irq.h"
#include "arch/riscv/pte.h"
#include "arch/riscv/trace.h"
#include "arch/riscv/trap.h"
#include "lib/layout.h"
#include "lib/log.h"
#include "lib/printf.h"
#include "lib/symbols.h"
#include "mm/pagetable.h"
#include "sync/lockcheck.h"

#define PANIC_STATUS 101
#define MAX_FRAMES   24
#define LAST_EVENTS  32

/* For whoever reads RAM afterwards (tools/dump.py): the registers at the panic, pc first. */
static struct panic_record {
	u32 valid;
	u64 regs[32];
} panic_record;
LAYOUT_IS_ADDRESS(panic_record);
LAYOUT_IS_FIELD(panic_record, valid);
LAYOUT_IS_FIELD(panic_record, regs);

static u32 panic_owner; /* hart index + 1 of the first to panic */
static u32 panic_depth;

const char *cause_name(u64 cause)
{
	static const char *const names[] = {
		[CAUSE_FETCH_MISALIGNED] = "misaligned fetch",
		[CAUSE_FETCH_ACCESS] = "instruction access fault",
		[CAUSE_ILLEGAL] = "illegal instruction",
		[CAUSE_BREAKPOINT] = "breakpoint",
		[CAUSE_LOAD_MISALIGNED] = "misaligned load",
		[CAUSE_LOAD_ACCESS] = "load access fault",
		[CAUSE_STORE_MISALIGNED] = "misaligned store",
		[CAUSE_STORE_ACCESS] = "store access fault",
		[CAUSE_ECALL_USER] = "system call",
		[CAUSE_FETCH_PAGE] = "instruction page fault",
		[CAUSE_LOAD_PAGE] = "load page fault",
		[CAUSE_STORE_PAGE] = "store page fault",
	};

	if (cause & CAUSE_INTERRUPT)
		return "interrupt";
	return cause < ARRAY_SIZE(names) && names[cause] ? names[cause] : "unknown trap";
}

/* ---- memory that may be read ---- */

/* The kernel leaf for va, or 0. The tables themselves are in the direct map. */
static u64 kernel_leaf(vaddr_t va)
{
	const u64 *table = phys_to_kva(kernel_pagetable.root);

	if (!kernel_pagetable.root || va < KVA_START)
		return 0;
	for (u32 level = pt_levels - 1;; level--) {
		u64 pte = table[level_index(va, level)];

		if (!(pte & PTE_V) || pte_is_leaf(pte))
			return pte & PTE_V ? pte : 0;
		if (level == 0)
			return 0;
		table = phys_to_kva(pte_pa(pte));
	}
}

static bool readable(vaddr_t va)
{
	/* Before paging_init there is no such table, and boot's map covers the image. */
	if (!kernel_pagetable.root)
		return va >= KVA_IMAGE;
	return (kernel_leaf(va) & PTE_R) != 0;
}

/* ---- parts of the report ---- */

static void print_registers(const struct trapframe *tf)
{
	static const char names[][4] = {"ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3",
		"a4", "a5", "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5",
		"t6"};

	pr_emerg("pc  %016lx  status %016lx  cause %lx (%s)  tval %016lx", tf->pc, tf->status, tf->cause,
		cause_name(tf->cause), tf->tval);
	for (u32 i = 0; i < 31; i += 4) {
		char line[120];
		size_t n = 0;

		for (u32 r = i; r < i + 4 && r < 31; r++)
			n += scnprintf(line + n, sizeof(line) - n, "%-3s %016lx  ", names[r], tf->x[r]);
		pr_emerg("%s", line);
	}
}

static void print_location(const char *prefix, u64 addr, u64 lookup)
{
	struct symbol sym;

	if (symbol_lookup(lookup, &sym) == 0)
		pr_emerg("%s%016lx  %s+0x%lx  %s:%u", prefix, addr, sym.name, addr - sym.start,
			sym.file ? sym.file : "?", sym.line);
	else
		pr_emerg("%s%016lx", prefix, addr);
}

static bool is_text(u64 addr)
{
	return addr >= (u64)_text_start && addr < (u64)_text_end;
}

/* Frame records lie at fp - 16: the caller's fp, then the return address. */
/* A recursion is one line and a count, so that the frames that began it are seen. */
static void print_repeats(u32 *repeats)
{
	if (*repeats)
		pr_emerg("  … the same, %u times more", *repeats);
	*repeats = 0;
}

static void print_frames(u64 fp)
{
	u64 same = 0;
	u32 repeats = 0;

	for (u32 lines = 0; lines < MAX_FRAMES && fp && !(fp & 7);) {
		const u64 *record = (const u64 *)(fp - 16);

		if (!readable(fp - 16) || !readable(fp - 8) || !is_text(record[1]))
			break;
		if (record[1] == same) {
			repeats++;
		} else {
			print_repeats(&repeats);
			print_location("  ", record[1], record[1] - 1);
			same = record[1];
			lines++;
		}
		/* Up the stack; or on to another one, at a trap from it. */
		if (record[0] <= fp && fp - record[0] < KSTACK_SIZE)
			break;
		fp = record[0];
	}
	print_repeats(&repeats);
}

/*
 * From a trap. The function trapped in may have no record with a return
 * address: a function that calls nothing saves only its caller's fp, at fp - 8; and a jump to
 * nowhere has no frame at all. The caller then still is in ra.
 */
static void print_trap_frames(const struct trapframe *tf)
{
	u64 fp = TF_REG(tf, 8);
	u64 slot = fp && !(fp & 7) && readable(fp - 8) ? *(const u64 *)(fp - 8) : 0;

	if (!is_text(tf->pc) || (slot && !is_text(slot)))
		print_location("  ", TF_RA(tf), TF_RA(tf) - 1);
	print_frames(is_text(tf->pc) && slot && !is_text(slot) ? slot : fp);
}

static void print_walk(vaddr_t va)
{
	u64 satp = csr_read(satp);
	const u64 *table = phys_to_kva((satp & ((1ul << 44) - 1)) << PAGE_SHIFT);
	char flags[9];

	if (!kernel_pagetable.root)
		return;
	pr_emerg("walk of 0x%016lx (satp %016lx):", va, satp);
	for (u32 level = pt_levels - 1;; level--) {
		u64 pte = readable((vaddr_t)table) ? table[level_index(va, level)] : 0;

		pte_flags(pte, flags);
		pr_emerg("  level %u index %3lu: pte %016lx pa %016lx %s", level, level_index(va, level), pte,
			pte_pa(pte), flags);
		if (!(pte & PTE_V) || pte_is_leaf(pte) || level == 0)
			return;
		table = phys_to_kva(pte_pa(pte));
	}
}

static void print_cause(const struct trapframe *tf)
{
	char text[120];
	const char *cause = panic_cause(tf, kernel_leaf(tf->tval), text, sizeof(text));

	if (cause)
		pr_emerg("cause: %s", cause);
}

static void print_context(void)
{
	const struct hart *h = this_hart();
	const struct thread *t = current_thread();
	char name[64];

	if (t == (struct thread *)boot_task && !h->prev)
		pr_emerg("process: none yet (boot), hart %u (id %lu)", h->index, h->hartid);
	else
		pr_emerg("process: %s, hart %u (id %lu)", task_describe(current(), name, sizeof(name)), h->index,
			h->hartid);
	if (h->irq_depth)
		pr_emerg("in an interrupt handler (depth %u)", h->irq_depth);
	for (u32 i = 0; i < h->locks.depth && i < HELD_LOCKS_MAX; i++)
		pr_emerg("holds spinlock \"%s\" (rank %u)", h->locks.held[i].name, h->locks.held[i].rank);
	lockcheck_dump();
}

/* Of a trap, all of them; of a call of panic(), what its caller needs to be found. */
static void record_registers(const struct trapframe *tf, u64 fp)
{
	u64 *regs = panic_record.regs;

	if (tf) {
		regs[0] = tf->pc;
		for (u32 i = 0; i < 31; i++)
			regs[i + 1] = tf->x[i];
	} else if (readable(fp - 16) && readable(fp - 8)) {
		const u64 *record = (const u64 *)(fp - 16);

		regs[0] = regs[1] = record[1];
		regs[2] = fp;
		regs[4] = (u64)current();
		regs[8] = record[0];
	}
	panic_record.valid = 1;
}

/* Only the first hart returns; one that panics while it reports ends the machine at the second try. */
static void panic_enter(void)
{
	u32 self = hart_index() + 1;
	u32 none = 0;

	irq_disable();
	if (!__atomic_compare_exchange_n(&panic_owner, &none, self, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) &&
		none != self)
		for (;;)
			__asm__ volatile("wfi");
	if (panic_depth++ >= 2)
		machine_poweroff(PANIC_STATUS);
	harts_stop_others();
	console_use_firmware();
	log_enter_panic();
}

static noreturn void report(const struct trapframe *tf, u64 fp, const char *fmt, va_list args)
{
	char message[LOG_TEXT_MAX];

	panic_enter();
	vscnprintf(message, sizeof(message), fmt, args);
	/* At the start of a line and without a time stamp, so that whoever reads the console finds it. */
	log_console_raw("\nPANIC: ");
	log_console_raw(message);
	log_console_raw("\n");
	pr_emerg("panic: %s", message);
	if (panic_depth > 1) {
		pr_emerg("(while reporting another panic)");
		machine_poweroff(PANIC_STATUS);
	}
	record_registers(tf, fp);
	print_context();
	if (tf) {
		print_registers(tf);
		print_location("at ", tf->pc, tf->pc);
		pr_emerg("backtrace:");
		print_trap_frames(tf);
		if (tf->cause == CAUSE_FETCH_PAGE || tf->cause == CAUSE_LOAD_PAGE || tf->cause == CAUSE_STORE_PAGE)
			print_walk(tf->tval);
		print_cause(tf);
	} else {
		pr_emerg("backtrace:");
		print_frames(fp);
	}
	trace_dump(LAST_EVENTS);
	pr_emerg("end of panic; the machine stops with status %u", PANIC_STATUS);
	machine_poweroff(PANIC_STATUS);
}

void panic(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	report(NULL, (u64)__builtin_frame_address(0), fmt, args);
}

void panic_trap(const struct trapframe *tf, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	report(tf, 0, fmt, args);
}
