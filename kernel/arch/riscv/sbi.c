#include "arch/riscv/sbi.h"

#include "arch/riscv/hart.h"
#include "lib/panic.h"

#define EXT_BASE       0x10
#define BASE_PROBE     3
#define LEGACY_PUTCHAR 1

struct sbi_result {
	long error;
	long value;
};

static struct sbi_result sbi_call(u64 ext, u64 fn, u64 arg0, u64 arg1, u64 arg2, u64 arg3, u64 arg4)
{
	register u64 a0 __asm__("a0") = arg0;
	register u64 a1 __asm__("a1") = arg1;
	register u64 a2 __asm__("a2") = arg2;
	register u64 a3 __asm__("a3") = arg3;
	register u64 a4 __asm__("a4") = arg4;
	register u64 a6 __asm__("a6") = fn;
	register u64 a7 __asm__("a7") = ext;

	__asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a3), "r"(a4), "r"(a6), "r"(a7) : "memory");
	return (struct sbi_result){.error = (long)a0, .value = (long)a1};
}

/*
 * The SBI names harts by a 64-bit mask and the hart id of its bit 0. Calls fn
 * once for each aligned group of 64 hart ids that the set touches.
 */
static void masked_call(u64 harts_set, u64 ext, u64 fn, u64 arg2, u64 arg3, u64 arg4)
{
	while (harts_set) {
		u64 base = harts[__builtin_ctzl(harts_set)].hartid & ~63ul;
		u64 mask = 0;

		for (u64 rest = harts_set; rest; rest &= rest - 1) {
			u32 i = (u32)__builtin_ctzl(rest);

			if ((harts[i].hartid & ~63ul) != base)
				continue;
			mask |= BIT(harts[i].hartid - base);
			harts_set &= ~BIT(i);
		}
		if (sbi_call(ext, fn, mask, base, arg2, arg3, arg4).error)
			panic("SBI extension 0x%lx function %lu failed for harts 0x%lx + %lu", ext, fn, mask, base);
	}
}

bool sbi_has(u64 extension)
{
	struct sbi_result r = sbi_call(EXT_BASE, BASE_PROBE, extension, 0, 0, 0, 0);

	return r.error == 0 && r.value != 0;
}

void sbi_putchar(char c)
{
	sbi_call(LEGACY_PUTCHAR, 0, (u8)c, 0, 0, 0, 0);
}

void sbi_set_timer(u64 time)
{
	sbi_call(SBI_EXT_TIME, 0, time, 0, 0, 0, 0);
}

void sbi_send_ipi(u64 set)
{
	masked_call(set, SBI_EXT_IPI, 0, 0, 0, 0);
}

void sbi_remote_fence_i(u64 set)
{
	masked_call(set, SBI_EXT_RFENCE, 0, 0, 0, 0);
}

void sbi_remote_sfence(u64 set, vaddr_t start, u64 size)
{
	masked_call(set, SBI_EXT_RFENCE, 1, start, size, 0);
}

void sbi_remote_sfence_asid(u64 set, vaddr_t start, u64 size, u64 asid)
{
	masked_call(set, SBI_EXT_RFENCE, 2, start, size, asid);
}

long sbi_hart_start(u64 hartid, paddr_t entry, u64 opaque)
{
	return sbi_call(SBI_EXT_HSM, 0, hartid, entry, opaque, 0, 0).error;
}

void sbi_system_reset(u32 type, u32 reason)
{
	sbi_call(SBI_EXT_SRST, 0, type, reason, 0, 0, 0);
}
