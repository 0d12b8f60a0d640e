/*
 * Loads and stores on user addresses: the only code that runs with sstatus.SUM
 * set. Every such instruction has an entry in the fix-up table. mm/usercopy.h
 * is the interface for the rest of the kernel.
 *
 * Addresses are checked against user_end here. A fault is handled (it may
 * sleep) unless interrupts are off or thread.faults_off is set; a fault that is not
 * resolved ends the operation early.
 */
#pragma once

#include "arch/riscv/csr.h"
#include "arch/riscv/extable.h"
#include "arch/riscv/layout.h"
#include "lib/errno.h"
#include "lib/types.h"

/* Return the number of bytes NOT copied (cleared); those done are a prefix. */
size_t user_copy_in(void *dst, vaddr_t src, size_t n);
size_t user_copy_out(vaddr_t dst, const void *src, size_t n);
size_t user_clear(vaddr_t dst, size_t n);
/* Copies up to and with the NUL. Length without it; -EFAULT; -ENAMETOOLONG: no NUL among the first n bytes. */
long user_strncpy(char *dst, vaddr_t src, size_t n);

/* One naturally sized word: 0 or -EFAULT. The addresses need not be aligned on machines that allow it. */
#define USER_WORD(name, type, load, store)                                      \
	static inline int user_get_##name(vaddr_t addr, type *out)              \
	{                                                                       \
		int err = -EFAULT;                                              \
		u64 v = 0;                                                      \
                                                                                \
		if (unlikely(addr > user_end - sizeof(type)))                   \
			return -EFAULT;                                         \
		__asm__ volatile("csrs sstatus, %3\n"                           \
				 "1: " load " %1, 0(%2)\n"                      \
				 "li %0, 0\n"                                   \
				 "2: csrc sstatus, %3\n" EX_TABLE("1b", "2b")   \
				 : "+r"(err), "+r"(v)                           \
				 : "r"(addr), "r"((u64)SSTATUS_SUM)             \
				 : "memory");                                   \
		*out = (type)v;                                                 \
		return err;                                                     \
	}                                                                       \
	static inline int user_put_##name(vaddr_t addr, type value)             \
	{                                                                       \
		int err = -EFAULT;                                              \
                                                                                \
		if (unlikely(addr > user_end - sizeof(type)))                   \
			return -EFAULT;                                         \
		__asm__ volatile("csrs sstatus, %3\n"                           \
				 "1: " store " %1, 0(%2)\n"                     \
				 "li %0, 0\n"                                   \
				 "2: csrc sstatus, %3\n" EX_TABLE("1b", "2b")   \
				 : "+r"(err)                                    \
				 : "r"(value), "r"(addr), "r"((u64)SSTATUS_SUM) \
				 : "memory");                                   \
		return err;                                                     \
	}

USER_WORD(u8, u8, "lbu", "sb")
USER_WORD(u16, u16, "lhu", "sh")
USER_WORD(u32, u32, "lwu", "sw")
USER_WORD(u64, u64, "ld", "sd")
#undef USER_WORD

/*
 * Atomic operations on aligned user words, for futexes; fully ordered.
 * user_cmpxchg32: *seen is what was found; `desired` was stored if that equals
 * `expected`. user_atomic32: *old is what was found. 0; -EFAULT; -EINVAL (not aligned).
 */
int user_cmpxchg32(vaddr_t addr, u32 expected, u32 desired, u32 *seen);

enum user_atomic_op { USER_ATOMIC_SET, USER_ATOMIC_ADD, USER_ATOMIC_OR, USER_ATOMIC_ANDN, USER_ATOMIC_XOR };
int user_atomic32(enum user_atomic_op op, vaddr_t addr, u32 arg, u32 *old);
