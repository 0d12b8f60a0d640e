// host-sources: kernel/proc/explain_cause.c kernel/lib/printf.c kernel/lib/string.c
/*
 * The cases of kernel/proc/explain_cause.c that a guest cannot easily bring about, and all of them together: whatever the
 * fault and wherever the address, there is a description and a sentence. The other cases are in tests/guest/explain.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/riscv/csr.h"
#include "lib/assert.h"
#include "proc/explain_priv.h"
#include "proc/signal.h"

u64 user_end = 1ul << 38;

static unsigned seed = 1;
static struct file *const some_file = (struct file *)8;

static void expect(
	const struct death *d, const struct aspace_where *w, u64 file_size, enum cause want, const char *what)
{
	enum cause got = cause_find(d, w, file_size);
	char buf[200];

	cause_describe(got, d, w, file_size, buf, sizeof(buf));
	if (got != want || strcmp(buf, what) != 0)
		panic("cause %d instead of %d, \"%s\" instead of \"%s\"", got, want, buf, what);
}

static void test_mapped(void)
{
	struct death d = {
		.signo = SIGBUS, .trap = CAUSE_LOAD_PAGE, .access = ACCESS_READ, .addr = 0x12345, .code = BUS_ADRERR};
	struct aspace_where w = {
		.kind = WHERE_VMA, .addr = d.addr, .at = {.start = 0x10000, .end = 0x20000, .flags = VMA_READ}};

	expect(&d, &w, 0, SWAP_ERROR, "in a page that was swapped out");
	w.at.file = some_file;
	expect(&d, &w, 0x2001, FILE_ERROR, "in a page of a mapped file");
	expect(&d, &w, 0x2000, FILE_END, "byte 9029 of a file of 8192 bytes");
	w.at.off = 0x1000;
	expect(&d, &w, 0x3000, FILE_END, "byte 13125 of a file of 12288 bytes");
	d.signo = SIGSEGV;
	expect(&d, &w, 0x3000, CHANGED, "in memory that allows it by now");
	printf("ok 1 mapped\n");
}

static void test_machine(void)
{
	struct death d = {.signo = SIGBUS, .trap = CAUSE_LOAD_MISALIGNED, .access = ACCESS_READ, .addr = 0x12345};
	struct aspace_where w = {.kind = WHERE_HOLE, .addr = d.addr};

	expect(&d, &w, 0, UNALIGNED, "an unaligned address");
	d.insn_read = true;
	d.insn = 0x00052503; /* lw a0, 0(a0) */
	expect(&d, &w, 0, UNALIGNED, "an unaligned address");
	d.insn = 0x1005252f; /* lr.w a0, (a0) */
	expect(&d, &w, 0, UNALIGNED_ATOMIC, "0x12345 is not a multiple of 4");
	d.insn = 0x1005352f; /* lr.d */
	expect(&d, &w, 0, UNALIGNED_ATOMIC, "0x12345 is not a multiple of 8");
	d.signo = SIGSEGV;
	d.trap = CAUSE_STORE_ACCESS;
	expect(&d, &w, 0, NO_DEVICE, "a page with nothing behind it");
	d.trap = CAUSE_BREAKPOINT;
	expect(&d, &w, 0, BREAKPOINT, "a breakpoint");
	d.code = SI_KERNEL; /* it was handled, or would have been */
	expect(&d, &w, 0, SIGNAL_STACK, "the stack pointer");
	printf("ok 2 machine\n");
}

/* Only the mapping that the stack pointer is in, or has just left, counts as its stack. */
static void test_edges(void)
{
	struct death d = {
		.signo = SIGSEGV, .trap = CAUSE_STORE_PAGE, .access = ACCESS_WRITE, .addr = 0x4ff8, .sp = 0x5010};
	struct aspace_where w = {.kind = WHERE_HOLE,
		.addr = d.addr,
		.below = {.start = 0x1000, .end = 0x2000},
		.above = {.start = 0x5000, .end = 0x9000, .flags = VMA_READ | VMA_WRITE}};

	expect(&d, &w, 0, STACK_EDGE, "below the mapping that the stack is in");
	d.sp = 0x4000;
	expect(&d, &w, 0, STACK_EDGE, "below the mapping that the stack is in");
	d.sp = 0x9000;
	expect(&d, &w, 0, WILD, "where nothing is mapped");
	d.sp = 0x1ff0;
	expect(&d, &w, 0, WILD, "where nothing is mapped");
	w.kind = WHERE_VMA;
	w.at = (struct where_vma){.start = 0x4000, .end = 0x5000};
	d.sp = 0x5010;
	expect(&d, &w, 0, STACK_GUARD, "in the guard of a thread's stack");
	d.sp = 0x9010;
	expect(&d, &w, 0, NO_PERMISSION, "in memory without any permission");
	printf("ok 3 edges\n");
}

static void test_all(void)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP};
	static const enum access accesses[] = {0, ACCESS_READ, ACCESS_WRITE, ACCESS_EXEC};
	char buf[200];

	for (u32 round = 0; round < 1000000; round++) {
		u32 r = (u32)rand_r(&seed);
		struct death d = {.signo = signals[r & 3],
			.code = r & 4 ? SI_KERNEL : 1,
			.trap = r >> 3 & 15,
			.access = accesses[r >> 7 & 3],
			.insn = (u32)rand_r(&seed),
			.insn_read = r & 512,
			.no_memory = (r & 0x3c00) == 0,
			.sp = (u64)rand_r(&seed),
			.addr = (u64)rand_r(&seed)};
		struct aspace_where w = {.kind = (u32)rand_r(&seed) % (WHERE_HOLE + 1),
			.addr = d.addr,
			.at = {.flags = (u32)rand_r(&seed)},
			.freed_how = (u32)rand_r(&seed) % 3};
		enum cause c = cause_find(&d, &w, (u64)rand_r(&seed));
		const char *sentence = cause_sentence(c);
		size_t len = strlen(sentence);

		memset(buf, 0, sizeof(buf));
		cause_describe(c, &d, &w, 5, buf, sizeof(buf));
		ASSERT(buf[0] && len > 10 && sentence[len - 1] == '.' && sentence[0] >= 'A' && sentence[0] <= 'Z');
	}
	printf("ok 4 all\n");
}

int main(void)
{
	printf("KTAP version 1\n1..4\n");
	test_mapped();
	test_machine();
	test_edges();
	test_all();
	return 0;
}
