/* Deliberate failures, chosen by `panic_test=NAME`, so that tests can read the report of each kind. */
#include "arch/riscv/boot.h"
#include "arch/riscv/layout.h"
#include "arch/riscv/paging.h"
#include "lib/assert.h"
#include "lib/cmdline.h"
#include "lib/log.h"
#include "lib/string.h"
#include "sync/spinlock.h"

static NOINLINE void test_null(void)
{
	volatile u32 *p = (volatile u32 *)8;

	__asm__("" : "+r"(p)); /* or the compiler warns of what is meant */
	*p = 1;
}

static NOINLINE void test_text(void)
{
	*(volatile u32 *)_text_start = 0;
}

static NOINLINE void test_alias(void)
{
	*(volatile u32 *)phys_to_kva(image_to_phys(_text_start)) = 0;
}

static NOINLINE void test_execute(void)
{
	static u32 data_ret = 0x8082;
	vaddr_t at = (vaddr_t)&data_ret;

	/* A call of a symbol would be short or long by how near the data lies, which the symbol table changes (mk/kernel.mk). */
	__asm__("" : "+r"(at));
	((void (*)(void))at)();
}

static NOINLINE void test_jump(void)
{
	((void (*)(void))0x1234560)();
}

/* An access to a wrong address: the compiler does not see which, and takes no frame down before it. */
static void touch(vaddr_t va)
{
	__asm__("" : "+r"(va));
	__asm__ volatile("" : : "r"(*(volatile u32 *)va) : "memory");
}

static NOINLINE void test_pointer(void)
{
	touch(0);
}

static NOINLINE void test_call(void)
{
	void (*fn)(void) = NULL;

	__asm__("" : "+r"(fn));
	fn();
}

static NOINLINE void test_errno(void)
{
	touch((vaddr_t)-12l);
}

static NOINLINE void test_freed_object(void)
{
	touch(0x6b6b6b6b6b6b6b6bul + 16);
}

static NOINLINE void test_freed_page(void)
{
	touch(0xa5a5a5a5a5a5a5a5ul + 16);
}

static NOINLINE void test_damaged(void)
{
	touch(0x4000000000000000ul);
}

static NOINLINE void test_user(void)
{
	touch(0x10000);
}

static NOINLINE void test_guard(void)
{
	touch(KVA_STACKS + 8);
}

static NOINLINE void test_not_ram(void)
{
	touch((vaddr_t)phys_to_kva(0x40));
}

static NOINLINE void test_frames(void)
{
	touch(KVA_FRAMES);
}

static NOINLINE void test_constants(void)
{
	*(volatile u32 *)_rodata_start = 0;
}

static NOINLINE u64 test_recurse(u64 n)
{
	volatile u8 big[512];

	big[n % sizeof(big)] = (u8)n;
	return n > 1000000 ? 0 : test_recurse(n + 1) + big[(n + 1) % sizeof(big)];
}

static NOINLINE void test_overflow(void)
{
	test_recurse(0);
}

static NOINLINE void test_assert(void)
{
	u32 frames_lost = 3;

	ASSERT(frames_lost == 0);
}

static NOINLINE void test_canary(void)
{
	volatile u8 small[16];
	volatile u8 *p = small;

	for (u32 i = 0; i < 40; i++)
		p[i] = 0xaa;
}

static NOINLINE void test_illegal(void)
{
	__asm__ volatile(".word 0");
}

/* A second, writable way to the text, as a bug in arch_map_kernel's callers would make it: the check must see it. */
static NOINLINE void test_wx(void)
{
	arch_map_kernel(KVA_DEVICES + (1ul << 30) - PAGE_SIZE, image_to_phys(_text_start), PAGE_SIZE);
	paging_check();
}

/* Is the rank checker at work? In the debug kernel only. */
static NOINLINE void test_lock_order(void)
{
	static struct spinlock outer = SPINLOCK_INIT("outer", RANK_AMAP), inner = SPINLOCK_INIT("inner", RANK_PT);

	spin_lock(&inner);
	spin_lock(&outer);
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{"null", test_null},
	{"text", test_text},
	{"alias", test_alias},
	{"execute", test_execute},
	{"jump", test_jump},
	{"overflow", test_overflow},
	{"assert", test_assert},
	{"canary", test_canary},
	{"illegal", test_illegal},
	{"pointer", test_pointer},
	{"call", test_call},
	{"errno", test_errno},
	{"freed_object", test_freed_object},
	{"freed_page", test_freed_page},
	{"damaged", test_damaged},
	{"user", test_user},
	{"guard", test_guard},
	{"not_ram", test_not_ram},
	{"frames", test_frames},
	{"constants", test_constants},
	{"wx", test_wx},
	{"lock_order", test_lock_order},
};

void panic_test_run(void)
{
	const char *name = cmdline_get("panic_test");

	if (!name)
		return;
	for (u32 i = 0; i < ARRAY_SIZE(tests); i++)
		if (strcmp(tests[i].name, name) == 0) {
			tests[i].run();
			pr_err("panic_test=%s did not fail", name);
			machine_poweroff(1);
		}
	pr_err("panic_test=%s: no such test", name);
}
