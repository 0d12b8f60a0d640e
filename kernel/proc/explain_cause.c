/*
 * The cases, and what is said of them. The first that holds counts.
 *
 *	condition                                          cause
 *	SIGKILL, no frame to be had                        NO_MEMORY
 *	SIGSEGV by the kernel: no frame for a handler      SIGNAL_STACK
 *	SIGTRAP                                            BREAKPOINT
 *	SIGILL; by the instruction's bits                  ZEROES, UNIMP, PRIVILEGED, CSR, VECTOR, FLOAT, ILLEGAL
 *	SIGBUS, misaligned; an atomic instruction, or not  UNALIGNED_ATOMIC, UNALIGNED
 *	access fault of the machine                        NO_DEVICE
 *	page fault, address below 4096; a fetch, 0, other  NULL_CALL, NULL_POINTER, NULL_OFFSET
 *	        no address at all; all bytes are letters   TEXT_POINTER, DAMAGED_POINTER
 *	        upper half; the two pages of isolate=1     KERNEL, CROSSING
 *	        in no mapping, taken away by munmap, …     FREED, MOVED, HEAP_SHRUNK
 *	        below the stack: too far, or blocked       STACK_LIMIT, STACK_BLOCKED
 *	        behind the heap                            BEYOND_HEAP
 *	        below the mapping that sp is in, near it   STACK_EDGE
 *	        anywhere else in no mapping; a fetch       WILD_CALL, WILD
 *	    in a mapping of the kernel's                   USYSCALL, VDSO
 *	        without permissions, below sp's mapping    STACK_GUARD
 *	        without permissions                        NO_PERMISSION
 *	        SIGBUS: beyond the file, read error, swap  FILE_END, FILE_ERROR, SWAP_ERROR
 *	        a store: to code, to private file, other   TEXT_WRITE, CONSTANT_WRITE, READ_ONLY
 *	        a fetch: from stack, heap, other           RUN_STACK, RUN_HEAP, RUN_DATA
 *	        a load where only fetches are allowed      EXEC_ONLY
 *	        allowed by now                             CHANGED
 */
#include "arch/riscv/csr.h"
#include "arch/riscv/layout.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "proc/explain_priv.h"
#include "proc/signal.h"

#define GUARD_REACH (1ul << 20) /* so far below its stack may sp be */

/* `what` describes the address; NULL: cause_describe makes it from numbers. */
static const struct {
	const char *what, *sentence;
} texts[] = {
	[NO_MEMORY] = {"a page for which there is no memory",
		"All memory is in use, and this program was chosen to end."},
	[BREAKPOINT] = {"a breakpoint",
		"The program ran into a breakpoint instruction (ebreak), which compilers also put where "
		"execution must never come."},
	[ZEROES] = {"no instruction",
		"The program ran into zeroes: it jumped into data, or ran past the end of a function."},
	[PRIVILEGED] = {"a privileged instruction", "The instruction is for the kernel or the firmware alone."},
	[UNIMP] = {"an instruction that never is one",
		"The program ran into an instruction (unimp) that compilers put where execution must never come."},
	[CSR] = {"an instruction on a control register",
		"The program used a control register that it may not use, or that this machine lacks."},
	[VECTOR] = {"a vector instruction",
		"The program was compiled for a machine with vector instructions; this one has none."},
	[FLOAT] = {"a floating-point instruction", "The floating-point instruction is none that this machine has."},
	[ILLEGAL] = {"no instruction",
		"The bytes at pc are no instruction of this machine: it jumped into data, or the program is "
		"for another machine."},
	[UNALIGNED_ATOMIC] = {NULL,
		"An atomic instruction was given an address that is not a multiple of its operand's size."},
	[UNALIGNED] = {"an unaligned address",
		"An instruction was given an address that is not a multiple of its operand's size."},
	[NO_DEVICE] = {"a page with nothing behind it",
		"No memory and no device answers at the physical address of this page."},
	[SIGNAL_STACK] = {NULL, "The handler of a signal could not be called, for there was no room on the stack."},
	[NULL_CALL] = {"in the null page, which is never mapped", "A null function pointer was called."},
	[NULL_POINTER] = {"in the null page, which is never mapped", "A null pointer was used."},
	[NULL_OFFSET] = {NULL, "A null pointer was used: so small an address is the offset of a field or an element."},
	[TEXT_POINTER] = {NULL, "A pointer was overwritten with text: all its bytes are characters."},
	[DAMAGED_POINTER] = {NULL,
		"A pointer is damaged or was never set: its upper bits are not all alike, so it is no address."},
	[KERNEL] = {"in the kernel half", "The address is the kernel's, which no program may touch."},
	[CROSSING] = {"in the crossing between two page tables",
		"The page serves the way into the kernel (isolate=1); no program may touch it."},
	[FREED] = {NULL, "The memory was used after munmap had given it back."},
	[MOVED] = {NULL, "The memory was used at its old place after mremap had moved or shrunk it."},
	[HEAP_SHRUNK] = {NULL, "The memory was used after brk had given it back: the heap is smaller now."},
	[STACK_LIMIT] = {NULL,
		"The stack overflowed its limit (ulimit -s): endless recursion, or a local array that is too large."},
	[STACK_BLOCKED] = {"below the stack, which cannot grow there",
		"The stack cannot grow: another mapping is too near below it, or a limit on memory is reached."},
	[STACK_EDGE] = {"below the mapping that the stack is in",
		"The stack overflowed the mapping it is in: endless recursion, or a local array that is too large."},
	[BEYOND_HEAP] = {NULL,
		"The address is beyond the end of the heap: an index ran too far, or the memory was never asked for."},
	[WILD_CALL] = {"where nothing is mapped",
		"The program jumped to where nothing is mapped: a wild function pointer, or an overwritten return "
		"address."},
	[WILD] = {"where nothing is mapped",
		"Nothing is mapped at this address: the pointer is wild, or an index ran too far."},
	[USYSCALL] = {"in the USYSCALL page",
		"The USYSCALL page is written by the kernel alone; a program may only read it."},
	[VDSO] = {"in the vDSO", "The vDSO belongs to the kernel; a program may only read and run it."},
	[STACK_GUARD] = {"in the guard of a thread's stack",
		"A thread's stack overflowed into its guard: endless recursion, or a local array that is too large."},
	[NO_PERMISSION] = {"in memory without any permission",
		"The memory is set aside, but nobody may use it (PROT_NONE)."},
	[FILE_END] = {NULL,
		"The page lies beyond the end of the mapped file: it was shortened, or more was mapped than there is."},
	[FILE_ERROR] = {"in a page of a mapped file",
		"The page could not be read from its file: the device or file system failed."},
	[SWAP_ERROR] = {"in a page that was swapped out", "The page could not be read back from swap."},
	[TEXT_WRITE] = {"in code or constants",
		"The program wrote to its code or its constants (string literals too), which are read-only."},
	[CONSTANT_WRITE] = {"in read-only data of a file",
		"The program wrote to read-only data, such as a string literal or a constant."},
	[READ_ONLY] = {"in read-only memory", "The program wrote to memory that it had mapped or made read-only."},
	[RUN_STACK] = {"in the stack", "The program jumped into its stack, which is not executable."},
	[RUN_HEAP] = {"in the heap", "The program jumped into its heap, which is not executable."},
	[RUN_DATA] = {"in data", "The program jumped into data, which is not executable."},
	[EXEC_ONLY] = {"in memory that may only be executed", "The program read memory that it may only execute."},
	[CHANGED] = {"in memory that allows it by now", "The mapping was changed by another thread since the fault."},
};

const char *cause_sentence(enum cause c)
{
	return texts[c].sentence;
}

/* ---- finding the case ---- */

#define OPCODE_MASK   0x7fu
#define OPCODE_SYSTEM 0x73u
#define OPCODE_VECTOR 0x57u
#define OPCODE_ATOMIC 0x2fu
#define OPCODE_OP_FP  0x53u
#define INSN_UNIMP    0xc0001073u /* csrrw x0, cycle, x0 */
#define FUNCT3(insn)  ((insn) >> 12 & 7)

static enum cause illegal_instruction(const struct death *d)
{
	u32 op = d->insn & OPCODE_MASK;

	if (!d->insn_read)
		return ILLEGAL;
	if (d->insn == 0)
		return ZEROES;
	if (d->insn == INSN_UNIMP)
		return UNIMP;
	if (op == OPCODE_SYSTEM)
		return FUNCT3(d->insn) & 3 ? CSR : PRIVILEGED;
	if (op == OPCODE_VECTOR)
		return VECTOR;
	return op == OPCODE_OP_FP ? FLOAT : ILLEGAL;
}

/* A range without permissions, and above it the memory that sp is or was in. */
static bool is_stack_guard(const struct death *d, const struct aspace_where *w)
{
	const struct where_vma *stack = &w->above;

	if (stack->end == 0 || stack->start != w->at.end || stack->file || !(stack->flags & VMA_WRITE))
		return false;
	return d->sp < stack->end && d->sp + GUARD_REACH >= w->at.start;
}

/* A stack that is an ordinary mapping: sp is in it, or has just left it downwards. */
static bool is_stack_edge(const struct death *d, const struct aspace_where *w)
{
	const struct where_vma *stack = &w->above;

	return stack->end && (stack->flags & VMA_WRITE) && stack->start - d->addr <= GUARD_REACH &&
		d->sp < stack->end && d->sp >= w->below.end && d->sp + GUARD_REACH >= stack->start;
}

static enum cause in_mapping(const struct death *d, const struct aspace_where *w, u64 file_size)
{
	const struct where_vma *v = &w->at;

	if (v->flags & VMA_SPECIAL)
		return v->start == USER_USYSCALL ? USYSCALL : VDSO;
	if (!(v->flags & (VMA_READ | VMA_WRITE | VMA_EXEC)))
		return is_stack_guard(d, w) ? STACK_GUARD : NO_PERMISSION;
	if (d->signo == SIGBUS && !v->file)
		return SWAP_ERROR;
	if (d->signo == SIGBUS)
		return PAGE_ALIGN_DOWN(d->addr) - v->start + v->off >= file_size ? FILE_END : FILE_ERROR;
	if (d->access == ACCESS_WRITE && !(v->flags & VMA_WRITE)) {
		if (v->flags & VMA_EXEC)
			return TEXT_WRITE;
		return v->file && !(v->flags & VMA_SHARED) ? CONSTANT_WRITE : READ_ONLY;
	}
	if (d->access == ACCESS_EXEC && !(v->flags & VMA_EXEC))
		return v->flags & VMA_STACK ? RUN_STACK : v->flags & VMA_HEAP ? RUN_HEAP : RUN_DATA;
	return d->access == ACCESS_READ && !(v->flags & (VMA_READ | VMA_WRITE)) ? EXEC_ONLY : CHANGED;
}

static bool is_text(u64 word)
{
	for (u32 i = 0; i < 8; i++, word >>= 8) {
		if (!char_is_print((int)(word & 0xff)))
			return false;
	}
	return true;
}

static enum cause of_address(const struct death *d, const struct aspace_where *w, u64 file_size)
{
	static const enum cause of_freed[] = {
		[FREED_MUNMAP] = FREED, [FREED_MREMAP] = MOVED, [FREED_BRK] = HEAP_SHRUNK};

	switch (w->kind) {
	case WHERE_NULL: return d->access == ACCESS_EXEC ? NULL_CALL : d->addr ? NULL_OFFSET : NULL_POINTER;
	case WHERE_DAMAGED: return is_text(d->addr) ? TEXT_POINTER : DAMAGED_POINTER;
	case WHERE_KERNEL: return KERNEL;
	case WHERE_CROSSING: return CROSSING;
	case WHERE_VMA: return in_mapping(d, w, file_size);
	case WHERE_FREED: return of_freed[w->freed_how];
	case WHERE_STACK_LIMIT: return STACK_LIMIT;
	case WHERE_STACK_BLOCKED: return STACK_BLOCKED;
	case WHERE_BEYOND_HEAP: return BEYOND_HEAP;
	case WHERE_HOLE:
		if (d->access == ACCESS_EXEC)
			return WILD_CALL;
		return is_stack_edge(d, w) ? STACK_EDGE : WILD;
	}
	return WILD;
}

enum cause cause_find(const struct death *d, const struct aspace_where *w, u64 file_size)
{
	if (d->no_memory)
		return NO_MEMORY;
	/* The trap is the one whose signal was to be handled. */
	if (d->code == SI_KERNEL)
		return SIGNAL_STACK;
	switch (d->trap) {
	case CAUSE_BREAKPOINT: return BREAKPOINT;
	case CAUSE_ILLEGAL: return illegal_instruction(d);
	case CAUSE_FETCH_MISALIGNED:
	case CAUSE_LOAD_MISALIGNED:
	case CAUSE_STORE_MISALIGNED:
		return d->insn_read && (d->insn & OPCODE_MASK) == OPCODE_ATOMIC ? UNALIGNED_ATOMIC : UNALIGNED;
	case CAUSE_FETCH_ACCESS:
	case CAUSE_LOAD_ACCESS:
	case CAUSE_STORE_ACCESS: return NO_DEVICE;
	default: break;
	}
	return of_address(d, w, file_size);
}

/* ---- what the address is ---- */

static void describe_range(const struct aspace_where *w, const char *how, char *buf, size_t size)
{
	scnprintf(buf, size, "in 0x%lx-0x%lx, %s", w->freed_start, w->freed_end, how);
}

void cause_describe(
	enum cause c, const struct death *d, const struct aspace_where *w, u64 file_size, char *buf, size_t size)
{
	char letters[9];

	switch (c) {
	case UNALIGNED_ATOMIC:
		scnprintf(buf, size, "0x%lx is not a multiple of %u", d->addr, FUNCT3(d->insn) == 3 ? 8 : 4);
		return;
	case SIGNAL_STACK: scnprintf(buf, size, "the stack pointer"); return;
	case NULL_OFFSET:
		scnprintf(buf, size, "in the null page, which is never mapped, %lu bytes from 0", d->addr);
		return;
	case TEXT_POINTER:
		for (u32 i = 0; i < 8; i++)
			letters[i] = (char)(d->addr >> (8 * i));
		letters[8] = 0;
		scnprintf(buf, size, "no address; the text \"%s\"", letters);
		return;
	case DAMAGED_POINTER: scnprintf(buf, size, "no address: those of programs end at 0x%lx", user_end); return;
	case FREED: describe_range(w, "given back by munmap", buf, size); return;
	case MOVED: describe_range(w, "given up by mremap", buf, size); return;
	case HEAP_SHRUNK: describe_range(w, "given back by brk", buf, size); return;
	case STACK_LIMIT:
		scnprintf(buf, size, "%lu bytes below 0x%lx, the end of a stack of %lu kB", w->stack_low - d->addr,
			w->stack_low, w->stack_limit >> 10);
		return;
	case BEYOND_HEAP:
		scnprintf(buf, size, "%lu bytes beyond the end of the heap, 0x%lx", d->addr - w->brk, w->brk);
		return;
	case FILE_END:
		scnprintf(buf, size, "byte %lu of a file of %lu bytes", d->addr - w->at.start + w->at.off, file_size);
		return;
	default: scnprintf(buf, size, "%s", texts[c].what); return;
	}
}
