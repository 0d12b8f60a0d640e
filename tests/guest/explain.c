/* Faults that explain themselves: what the kernel's log says of each kind of fatal fault (docs/faults.md). */
#include "explain.h"
#include <sys/auxv.h>
#include <sys/prctl.h>

#define USYSCALL 0x3fffffd000UL

static void check_report(int sig, void (*fn)(void), const char *const *what)
{
	const char *text = report_of(sig, fn);
	char line[32];

	snprintf(line, sizeof(line), "killed by SIG%s at pc 0x", sigabbrev_np(sig));
	SAYS(text, line);
	SAYS(text, ":   process ");
	SAYS(text, ":   pc 0x");
	SAYS(text, ":   ra 0x");
	CHECK_EQ(count(text, "cause: "), 1);
	for (; *what; what++)
		SAYS(text, *what);
}

/* A case: the body is what the child does; then the sentence, and what else the report says. */
#define EXPLAINED(name, sig, sentence, ...)                                                       \
	static void do_##name(void);                                                              \
	TEST(name)                                                                                \
	{                                                                                         \
		static const char *const what[] = {"cause: " sentence "\n", ##__VA_ARGS__, NULL}; \
                                                                                                  \
		check_report(sig, do_##name, what);                                               \
	}                                                                                         \
	static __attribute__((noinline)) void do_##name(void)

static void put(void *p)
{
	*(volatile char *)p = 1;
}

static void get(void *p)
{
	sink = *(volatile char *)p;
}

static void call(void *p)
{
	((void (*)(void))p)();
}

/* ---- addresses that no mapping can have ---- */

EXPLAINED(null_pointer, SIGSEGV, "A null pointer was used.", "write to 0x0: in the null page, which is never mapped\n",
	"below nothing\n", "above 00004000-00005000 rw-p 00000000 (anonymous)\n", "walk of 0x0, page table 0x",
	"  level 0 index   0: pte 0x0000000000000000 pa 0x0 --------\n")
{
	/* The kernel makes no table for what is not there: something near the start of the address space does. */
	put(mmap((void *)(4 * PG), PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	put(hidden(0));
}

EXPLAINED(null_field, SIGSEGV, "A null pointer was used: so small an address is the offset of a field or an element.",
	"read from 0x18: in the null page, which is never mapped, 24 bytes from 0\n")
{
	get(hidden(24));
}

EXPLAINED(null_call, SIGSEGV, "A null function pointer was called.", "fetch from 0x0: in the null page",
	"pc 0x0: where nothing is mapped\n", ": do_null_call+0x", "explain.c:")
{
	call(hidden(0));
	sink = 1;
}

EXPLAINED(damaged_pointer, SIGSEGV,
	"A pointer is damaged or was never set: its upper bits are not all alike, so it is no address.",
	"read from 0x1122334455667788: no address: those of programs end at 0x", "no walk: ")
{
	get(hidden(0x1122334455667788));
}

EXPLAINED(text_pointer, SIGSEGV, "A pointer was overwritten with text: all its bytes are characters.",
	"no address; the text \"too long\"\n")
{
	uintptr_t p;

	memcpy(&p, "too long", 8);
	put(hidden(p));
}

EXPLAINED(kernel_half, SIGSEGV, "The address is the kernel's, which no program may touch.",
	"read from 0xffffffff80001000: in the kernel half\n", "walk of 0xffffffff80001000, page table 0x")
{
	get(hidden(0xffffffff80001000));
}

static void do_crossing(void)
{
	get(hidden((1UL << 38) - PG));
}

TEST(crossing)
{
	const char *text = report_of(SIGSEGV, do_crossing);
	char cmdline[2048];

	file_read("/proc/cmdline", cmdline, sizeof(cmdline));
	if (strstr(cmdline, "isolate=1") && !strstr(cmdline, "paging=sv4") && !strstr(cmdline, "paging=sv5"))
		SAYS(text, "cause: The page serves the way into the kernel (isolate=1); no program may touch it.\n");
	else
		SAYS(text, "cause: Nothing is mapped at this address: the pointer is wild, or an index ran too far.\n");
}

/* ---- addresses in no mapping ---- */

EXPLAINED(wild_address, SIGSEGV, "Nothing is mapped at this address: the pointer is wild, or an index ran too far.",
	"read from 0x1000000123: where nothing is mapped\n", "below ", "above ")
{
	get(hidden(0x1000000123));
}

EXPLAINED(wild_call, SIGSEGV,
	"The program jumped to where nothing is mapped: a wild function pointer, or an overwritten return address.",
	"fetch from 0x1000000124: where nothing is mapped\n", "pc 0x1000000124: where nothing is mapped\n")
{
	call(hidden(0x1000000124));
	sink = 1;
}

EXPLAINED(used_after_munmap, SIGSEGV, "The memory was used after munmap had given it back.", ", given back by munmap\n")
{
	char *p = map_anon(4 * PG, PROT_READ | PROT_WRITE), *q = map_anon(PG, PROT_READ);

	put(p);
	munmap(p, 4 * PG);
	munmap(q, PG);
	get(p + PG);
}

EXPLAINED(used_after_mremap, SIGSEGV, "The memory was used at its old place after mremap had moved or shrunk it.",
	", given up by mremap\n")
{
	char *p = map_anon(4 * PG, PROT_READ | PROT_WRITE), *q = map_anon(64 * PG, PROT_NONE);

	mremap(p, 4 * PG, 4 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, q);
	put(p);
}

EXPLAINED(used_after_shrink, SIGSEGV, "The memory was used at its old place after mremap had moved or shrunk it.")
{
	char *p = map_anon(4 * PG, PROT_READ | PROT_WRITE);

	mremap(p, 4 * PG, PG, 0);
	put(p + 2 * PG);
}

EXPLAINED(used_after_brk, SIGSEGV, "The memory was used after brk had given it back: the heap is smaller now.",
	", given back by brk\n")
{
	char *p = sbrk(16 * PG);

	put(p + 8 * PG);
	sbrk(-16 * PG);
	get(p + 8 * PG);
}

EXPLAINED(beyond_heap, SIGSEGV,
	"The address is beyond the end of the heap: an index ran too far, or the memory was never asked for.",
	" bytes beyond the end of the heap, 0x", "below ", "[heap]\n")
{
	char *p = sbrk(4 * PG);

	put(p);
	get(p + 8 * PG);
}

/* ---- stacks ---- */

__attribute__((noinline, used)) int recurse(int n)
{
	volatile char frame[2048];

	frame[n % sizeof(frame)] = n;
	return n > 100000000 ? 0 : recurse(n + 1) + frame[(n + 1) % sizeof(frame)];
}

#define OVERFLOWED "The stack overflowed its limit (ulimit -s): endless recursion, or a local array that is too large."

EXPLAINED(stack_overflow, SIGSEGV, OVERFLOWED, "the end of a stack of 8192 kB\n", "above ", "[stack]\n", ": recurse+0x")
{
	sink = recurse(0);
}

EXPLAINED(large_array, SIGSEGV, OVERFLOWED)
{
	volatile char *top = __builtin_alloca(9 << 20);

	top[0] = 1;
}

EXPLAINED(stack_blocked, SIGSEGV,
	"The stack cannot grow: another mapping is too near below it, or a limit on memory is reached.",
	"below the stack, which cannot grow there\n")
{
	char *sp = __builtin_frame_address(0), *at = (char *)(((uintptr_t)sp - (4UL << 20)) & ~(PG - 1));

	if (mmap(at, PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != at)
		_exit(9);
	sink = recurse(0);
}

static void *overflow_thread(void *arg)
{
	(void)arg;
	sink = recurse(0);
	return NULL;
}

EXPLAINED(thread_stack_overflow, SIGSEGV,
	"A thread's stack overflowed into its guard: endless recursion, or a local array that is too large.",
	"write to 0x", "in the guard of a thread's stack\n", " ---p ", ": recurse+0x")
{
	pthread_t thread;

	pthread_create(&thread, NULL, overflow_thread, NULL);
	pthread_join(thread, NULL);
}

EXPLAINED(own_stack_overflow, SIGSEGV,
	"The stack overflowed the mapping it is in: endless recursion, or a local array that is too large.",
	"below the mapping that the stack is in\n")
{
	char *low = mmap((void *)0x2000000000, 4 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

#ifdef __riscv
	__asm__ volatile("mv sp, %0\n\tli a0, 0\n\tcall recurse" ::"r"(low + 4 * PG) : "memory", "a0", "ra");
#else
	sink = *low;
#endif
}

static void on_fault(int sig)
{
	(void)sig;
	_exit(0);
}

EXPLAINED(no_room_for_handler, SIGSEGV,
	"The handler of a signal could not be called, for there was no room on the stack.", "address 0x",
	": the stack pointer\n")
{
	signal(SIGSEGV, on_fault);
	sink = recurse(0);
}

EXPLAINED(no_room_for_another_handler, SIGSEGV,
	"The handler of a signal could not be called, for there was no room on the stack.", ": the stack pointer\n")
{
	signal(SIGTRAP, on_fault);
#ifdef __riscv
	__asm__ volatile("li sp, 64\n\tebreak" ::: "memory");
#endif
}

/* ---- addresses in a mapping ---- */

EXPLAINED(write_to_code, SIGSEGV,
	"The program wrote to its code or its constants (string literals too), which are read-only.",
	"in code or constants\n", " r-xp ", "/explain\n", " V")
{
	put(hidden((uintptr_t)do_write_to_code));
}

EXPLAINED(write_to_constant, SIGSEGV, "The program wrote to read-only data, such as a string literal or a constant.",
	"in read-only data of a file\n", " r--p 00001000 ", "/explain\n")
{
	int fd = open("/proc/self/exe", O_RDONLY);

	put(mmap(NULL, PG, PROT_READ, MAP_PRIVATE, fd, PG));
}

EXPLAINED(write_to_protected, SIGSEGV, "The program wrote to memory that it had mapped or made read-only.",
	"in read-only memory\n", " r--p 00000000 (anonymous)\n")
{
	char *p = map_anon(PG, PROT_READ | PROT_WRITE);

	put(p);
	mprotect(p, PG, PROT_READ);
	put(p);
}

EXPLAINED(no_permission, SIGSEGV, "The memory is set aside, but nobody may use it (PROT_NONE).",
	"in memory without any permission\n", " ---p ")
{
	get(map_anon(PG, PROT_NONE));
}

EXPLAINED(run_stack, SIGSEGV, "The program jumped into its stack, which is not executable.", "in the stack\n",
	"no code, [stack]+0x")
{
	int code = 0;

	call(hidden((uintptr_t)&code));
	sink = code;
}

EXPLAINED(run_heap, SIGSEGV, "The program jumped into its heap, which is not executable.", "in the heap\n", "[heap]\n")
{
	int *p = hidden((uintptr_t)sbrk(PG));

	*p = 0;
	call(p);
	sink = *p;
}

EXPLAINED(run_data, SIGSEGV, "The program jumped into data, which is not executable.", "in data\n")
{
	call(map_anon(PG, PROT_READ | PROT_WRITE));
	sink = 1;
}

EXPLAINED(read_exec_only, SIGSEGV, "The program read memory that it may only execute.",
	"in memory that may only be executed\n", " --xp ")
{
	get(map_anon(PG, PROT_EXEC));
}

EXPLAINED(write_usyscall, SIGSEGV, "The USYSCALL page is written by the kernel alone; a program may only read it.",
	"write to 0x3fffffd000: in the USYSCALL page\n", "[usyscall]\n")
{
	put(hidden(USYSCALL));
}

EXPLAINED(write_vdso, SIGSEGV, "The vDSO belongs to the kernel; a program may only read and run it.", "in the vDSO\n",
	"[vdso]\n")
{
	put(hidden(getauxval(AT_SYSINFO_EHDR)));
}

static char *map_file(size_t file, size_t mapped)
{
	int fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (ftruncate(fd, file) < 0)
		_exit(9);
	return mmap(NULL, mapped, PROT_READ, MAP_SHARED, fd, 0);
}

#define FILE_END "The page lies beyond the end of the mapped file: it was shortened, or more was mapped than there is."

EXPLAINED(beyond_file, SIGBUS, FILE_END, "byte 8195 of a file of 5000 bytes\n", " r--s 00000000 ", "/file\n")
{
	get(map_file(5000, 4 * PG) + 2 * PG + 3);
}

EXPLAINED(shortened_file, SIGBUS, FILE_END, "byte 4096 of a file of 100 bytes\n")
{
	char *p = map_file(4 * PG, 4 * PG);

	get(p + PG);
	if (truncate("file", 100) < 0)
		_exit(9);
	get(p + PG);
}

/* ---- instructions ---- */

#ifdef __riscv
#define EXECUTE(insn) __asm__ volatile(insn)
#else
#define EXECUTE(insn) __builtin_trap()
#endif

EXPLAINED(unaligned_atomic, SIGBUS,
	"An atomic instruction was given an address that is not a multiple of its operand's size.",
	" is not a multiple of 8\n", "instruction 0x")
{
	char *p = map_anon(PG, PROT_READ | PROT_WRITE);

	put(p);
	(void)p;
#ifdef __riscv
	__asm__ volatile("amoadd.d zero, zero, (%0)" ::"r"(p + 4) : "memory");
#endif
}

EXPLAINED(zeroes, SIGILL, "The program ran into zeroes: it jumped into data, or ran past the end of a function.",
	"instruction 0x0000 at 0x", ": no instruction\n")
{
	EXECUTE(".short 0");
}

EXPLAINED(unimp, SIGILL,
	"The program ran into an instruction (unimp) that compilers put where execution must never come.",
	"instruction 0xc0001073 at 0x")
{
	EXECUTE(".word 0xc0001073");
}

EXPLAINED(privileged, SIGILL, "The instruction is for the kernel or the firmware alone.",
	"instruction 0x10200073 at 0x", ": a privileged instruction\n")
{
	EXECUTE(".word 0x10200073"); /* sret */
}

EXPLAINED(control_register, SIGILL,
	"The program used a control register that it may not use, or that this machine lacks.")
{
	EXECUTE(".word 0x100022f3"); /* csrr t0, sstatus */
}

EXPLAINED(vector_instruction, SIGILL,
	"The program was compiled for a machine with vector instructions; this one has none.")
{
	EXECUTE(".word 0x00000057"); /* vadd.vv */
}

EXPLAINED(floating_point, SIGILL, "The floating-point instruction is none that this machine has.")
{
	EXECUTE(".word 0xfe000053"); /* of an operation that there is not */
}

EXPLAINED(no_instruction, SIGILL,
	"The bytes at pc are no instruction of this machine: it jumped into data, or the program is for another "
	"machine.",
	"instruction 0xffffffff at 0x")
{
	EXECUTE(".word 0xffffffff");
}

EXPLAINED(breakpoint, SIGTRAP,
	"The program ran into a breakpoint instruction (ebreak), which compilers also put where execution must never "
	"come.",
	": a breakpoint\n")
{
	EXECUTE("ebreak");
}

/* ---- names ---- */

enum { NAMED_LINE = __LINE__ + 4 };

static __attribute__((noinline)) void named_function(void *p)
{
	*(volatile int *)p = 7;
}

static __attribute__((noinline)) void do_names(void)
{
	named_function(hidden(0));
	sink = 1;
}

TEST(function_and_line_of_pc_and_caller)
{
	const char *text = report_of(SIGSEGV, do_names);
	char wanted[64];

	snprintf(wanted, sizeof(wanted), "explain.c:%d, ", NAMED_LINE);
	SAYS(text, ": named_function+0x");
	SAYS(text, wanted);
	SAYS(text, ": do_names+0x");
	SAYS(text, "/explain+0x");
}

/* A copy of this program without section headers, and so without names. */
static void do_stripped(void)
{
	static char copy[16 << 20];
	ssize_t len = file_read("/proc/self/exe", copy, sizeof(copy));
	char *argv[] = {"stripped", "die", NULL};

	memset(copy + 40, 0, 8); /* e_shoff */
	memset(copy + 60, 0, 4); /* e_shnum, e_shstrndx */
	file_make("stripped", copy, len);
	chmod("stripped", 0755);
	execv("stripped", argv);
}

TEST(stripped_program_has_addresses_only)
{
	const char *text = report_of(SIGSEGV, do_stripped);

	SAYS(text, "stripped[");
	SAYS(text, "/stripped+0x");
	SAYS(text, "cause: A null pointer was used.\n");
	CHECK(!strstr(text, "named_function") && !strstr(text, "explain.c"));
}

/* Names with control characters must not reach a terminal. */
static void do_bad_name(void)
{
	OK(prctl(PR_SET_NAME, "a\033[2Jb\n"));
	put(hidden(0));
}

TEST(control_characters_are_tamed)
{
	const char *text = report_of(SIGSEGV, do_bad_name);

	SAYS(text, "a?[2Jb?[");
	CHECK(!strchr(text, '\033'));
}

/* ---- who is reported, and how much ---- */

static void do_handle(void)
{
	signal(SIGSEGV, on_fault);
	put(hidden(0));
}

TEST(a_handled_fault_says_nothing)
{
	pid_t pid;

	only_here();
	pid = OK(fork());
	if (pid == 0) {
		do_handle();
		_exit(1);
	}
	wait_ok(pid);
	CHECK_STR(log_of(pid), "");
}

static void do_raise(void)
{
	raise(SIGSEGV);
}

static void do_forge(void)
{
	siginfo_t info = {.si_signo = SIGSEGV, .si_code = SEGV_MAPERR};

	syscall(SYS_rt_sigqueueinfo, getpid(), SIGSEGV, &info);
}

TEST(a_sent_signal_is_no_fault)
{
	const char *text = report_of(SIGSEGV, do_raise);

	CHECK_STR(text, "");
	text = report_of(SIGSEGV, do_forge);
	CHECK_EQ(count(text, "\n"), 1);
}

static void do_null(void)
{
	put(hidden(0));
}

static int fail_at;

static void do_null_without_memory(void)
{
	char text[16];
	int fd = open("/proc/self/fail-nth", O_WRONLY);

	if (write(fd, text, sprintf(text, "%d", fail_at)) < 0)
		_exit(9);
	put(hidden(0));
}

TEST(a_report_without_memory_has_its_cause)
{
	int silent = 0;

	only_here();
	if (access("/proc/self/fail-nth", F_OK) < 0)
		SKIP("only the debug kernel lets allocations fail");
	for (fail_at = 1; fail_at <= 24; fail_at++) {
		const char *text = report_of(SIGSEGV, do_null_without_memory);

		/* Where the signal's own information found no memory (an object, a page for it), it looks like one that was sent. */
		if (!*text && ++silent <= 2)
			continue;
		SAYS(text, "write to 0x0: in the null page");
		SAYS(text, "cause: A null pointer was used.\n");
	}
}

TEST(switched_at_run_time)
{
	char word[16];
	int fd;

	only_here();
	sysctl_set("explain", "quiet\n");
	file_read("/proc/sys/kernel/explain", word, sizeof(word));
	CHECK_STR(word, "quiet\n");
	CHECK_EQ(count(report_of(SIGSEGV, do_null), "\n"), 1);
	sysctl_set("explain", "off");
	CHECK_STR(report_of(SIGSEGV, do_null), "");
	/* Nothing is noted while it is off. */
	char *p = map_anon(PG, PROT_READ | PROT_WRITE);
	munmap(p, PG);
	sysctl_set("explain", "on");
	CHECK(count(report_of(SIGSEGV, do_null), "\n") > 8);
	fd = OK(open("/proc/sys/kernel/explain", O_WRONLY));
	ERR(write(fd, "loud", 4), EINVAL);
}

TEST(a_crash_loop_does_not_flood)
{
	int reported = 0;

	report_of(SIGSEGV, do_null); /* the first of a new interval */
	sysctl_set("printk_ratelimit_burst", "3");
	sysctl_set("printk_ratelimit", "3600");
	for (int i = 0; i < 6; i++)
		reported += strlen(log_of(die_of(SIGSEGV, do_null))) > 0;
	sysctl_set("printk_ratelimit_burst", "10");
	CHECK_EQ(reported, 2);
	SAYS(log_lines("explain: "), "explain: 3 faults within 3600 s; more of them are suppressed\n");
	report_of(SIGSEGV, do_null);
	SAYS(log_lines("explain: "), "explain: 4 faults were suppressed\n");
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "die"))
		do_names();
	return test_main(argc, argv);
}
