#include "arch/riscv/usercopy.h"

#define AMO32(insn, addr, arg, err, seen)                             \
	__asm__ volatile("csrs sstatus, %4\n"                         \
			 "1: " insn ".aqrl %1, %2, (%3)\n"            \
			 "li %0, 0\n"                                 \
			 "2: csrc sstatus, %4\n" EX_TABLE("1b", "2b") \
			 : "+r"(err), "+&r"(seen)                     \
			 : "r"(arg), "r"(addr), "r"((u64)SSTATUS_SUM) \
			 : "memory")

static int word_check(vaddr_t addr)
{
	if (addr & 3)
		return -EINVAL;
	return addr <= user_end - sizeof(u32) ? 0 : -EFAULT;
}

int user_atomic32(enum user_atomic_op op, vaddr_t addr, u32 arg, u32 *old)
{
	int err = word_check(addr);
	u64 seen = 0;

	if (err)
		return err;
	err = -EFAULT;
	switch (op) {
	case USER_ATOMIC_SET: AMO32("amoswap.w", addr, arg, err, seen); break;
	case USER_ATOMIC_ADD: AMO32("amoadd.w", addr, arg, err, seen); break;
	case USER_ATOMIC_OR: AMO32("amoor.w", addr, arg, err, seen); break;
	case USER_ATOMIC_ANDN: AMO32("amoand.w", addr, ~arg, err, seen); break;
	case USER_ATOMIC_XOR: AMO32("amoxor.w", addr, arg, err, seen); break;
	}
	*old = (u32)seen;
	return err;
}

int user_cmpxchg32(vaddr_t addr, u32 expected, u32 desired, u32 *seen)
{
	int err = word_check(addr);
	u64 found = 0, failed;

	if (err)
		return err;
	err = -EFAULT;
	/* lr.w sign-extends, and so must what it is compared with be. */
	__asm__ volatile("csrs sstatus, %6\n"
			 "1: lr.w.aqrl %1, (%3)\n"
			 "bne %1, %4, 3f\n"
			 "2: sc.w.rl %2, %5, (%3)\n"
			 "bnez %2, 1b\n"
			 "fence rw, rw\n"
			 "3: li %0, 0\n"
			 "4: csrc sstatus, %6\n" EX_TABLE("1b", "4b") EX_TABLE("2b", "4b")
			 : "+r"(err), "+&r"(found), "=&r"(failed)
			 : "r"(addr), "r"((s64)(s32)expected), "r"(desired), "r"((u64)SSTATUS_SUM)
			 : "memory");
	*seen = (u32)found;
	return err;
}
