/* The same (explain.c) for a program of shared objects: each address is looked up in the object it lies in. */
#include "explain.h"

static void do_libc(void)
{
	sink = (int)strlen(hidden(8));
	sink = 1;
}

/* The C library is stripped: its exported functions are known, its lines are not. */
TEST(function_of_a_shared_object)
{
	const char *text = report_of(SIGSEGV, do_libc);

	SAYS(text, "/libc.so.6+0x");
	SAYS(text, ": do_libc+0x");
	SAYS(text, "explain_dyn.c:");
	SAYS(text, "/tests/explain_dyn+0x");
	CHECK(!strstr(text, "no code"));
}

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

/* Loaded at a random place: file, not memory, says what an address is. */
TEST(function_of_a_movable_program)
{
	const char *text = report_of(SIGSEGV, do_names);
	char wanted[64];

	snprintf(wanted, sizeof(wanted), "explain_dyn.c:%d, ", NAMED_LINE);
	SAYS(text, ": named_function+0x");
	SAYS(text, wanted);
}

static const char constant[] = "a constant";

static void do_write(void)
{
	*(volatile char *)hidden((uintptr_t)constant) = 1;
}

TEST(a_constant_of_a_movable_program)
{
	const char *text = report_of(SIGSEGV, do_write);

	SAYS(text, "read-only");
	SAYS(text, "/tests/explain_dyn\n");
}

TEST_MAIN
