/*
 * Atomic counters of 32 and 64 bits, and memory order.
 *
 * Ordering: atomic_read and atomic_set are relaxed. Everything that returns a value after changing
 * memory is a full (sequentially consistent) operation. Changes that return nothing (inc, dec, add,
 * sub, and, or) are relaxed. The names with 64 take a struct atomic64.
 */
#ifndef LIB_ATOMIC_H
#define LIB_ATOMIC_H

#include "lib/types.h"

struct atomic {
	u32 value;
};

struct atomic64 {
	u64 value;
};

#define ATOMIC_INIT(n)       \
	{                    \
		.value = (n) \
	}

/* Orders earlier loads and stores before later ones, on all harts. */
#define smp_mb()  __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define smp_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define smp_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)

/*
 * A plain store of one word is atomic. gcc makes an amoswap of __atomic_store_n on RISC-V, which a release needs no more than the
 * fence before it does.
 */
#ifdef __riscv
#define LIB_STORE(ptr, v, order)                           \
	do {                                               \
		if ((order) != __ATOMIC_RELAXED)           \
			__atomic_thread_fence(order);      \
		*(volatile __typeof__(*(ptr)) *)(ptr) = v; \
	} while (0)
#else
#define LIB_STORE(ptr, v, order) __atomic_store_n(ptr, v, order)
#endif

/* *ptr, before everything that follows. */
#define load_acquire(ptr)     __atomic_load_n(ptr, __ATOMIC_ACQUIRE)
/* *ptr = v, after everything before it. */
#define store_release(ptr, v) LIB_STORE(ptr, v, __ATOMIC_RELEASE)

#define LIB_DEFINE_ATOMIC(prefix, type, uint, sint)                                                         \
	static inline uint prefix##_read(const struct type *a)                                              \
	{                                                                                                   \
		return __atomic_load_n(&a->value, __ATOMIC_RELAXED);                                        \
	}                                                                                                   \
	static inline void prefix##_set(struct type *a, uint v)                                             \
	{                                                                                                   \
		LIB_STORE(&a->value, v, __ATOMIC_RELAXED);                                                  \
	}                                                                                                   \
	static inline void prefix##_inc(struct type *a)                                                     \
	{                                                                                                   \
		__atomic_fetch_add(&a->value, 1, __ATOMIC_RELAXED);                                         \
	}                                                                                                   \
	static inline void prefix##_dec(struct type *a)                                                     \
	{                                                                                                   \
		__atomic_fetch_sub(&a->value, 1, __ATOMIC_RELAXED);                                         \
	}                                                                                                   \
	static inline void prefix##_add(struct type *a, uint n)                                             \
	{                                                                                                   \
		__atomic_fetch_add(&a->value, n, __ATOMIC_RELAXED);                                         \
	}                                                                                                   \
	static inline void prefix##_sub(struct type *a, uint n)                                             \
	{                                                                                                   \
		__atomic_fetch_sub(&a->value, n, __ATOMIC_RELAXED);                                         \
	}                                                                                                   \
	static inline void prefix##_and(struct type *a, uint bits)                                          \
	{                                                                                                   \
		__atomic_fetch_and(&a->value, bits, __ATOMIC_RELAXED);                                      \
	}                                                                                                   \
	static inline void prefix##_or(struct type *a, uint bits)                                           \
	{                                                                                                   \
		__atomic_fetch_or(&a->value, bits, __ATOMIC_RELAXED);                                       \
	}                                                                                                   \
	/* These four return the new value. */                                                              \
	static inline uint prefix##_add_return(struct type *a, uint n)                                      \
	{                                                                                                   \
		return __atomic_add_fetch(&a->value, n, __ATOMIC_SEQ_CST);                                  \
	}                                                                                                   \
	static inline uint prefix##_sub_return(struct type *a, uint n)                                      \
	{                                                                                                   \
		return __atomic_sub_fetch(&a->value, n, __ATOMIC_SEQ_CST);                                  \
	}                                                                                                   \
	static inline uint prefix##_inc_return(struct type *a)                                              \
	{                                                                                                   \
		return prefix##_add_return(a, 1);                                                           \
	}                                                                                                   \
	static inline uint prefix##_dec_return(struct type *a)                                              \
	{                                                                                                   \
		return prefix##_sub_return(a, 1);                                                           \
	}                                                                                                   \
	/* These return the old value. */                                                                   \
	static inline uint prefix##_fetch_and(struct type *a, uint bits)                                    \
	{                                                                                                   \
		return __atomic_fetch_and(&a->value, bits, __ATOMIC_SEQ_CST);                               \
	}                                                                                                   \
	static inline uint prefix##_fetch_or(struct type *a, uint bits)                                     \
	{                                                                                                   \
		return __atomic_fetch_or(&a->value, bits, __ATOMIC_SEQ_CST);                                \
	}                                                                                                   \
	static inline uint prefix##_xchg(struct type *a, uint v)                                            \
	{                                                                                                   \
		return __atomic_exchange_n(&a->value, v, __ATOMIC_SEQ_CST);                                 \
	}                                                                                                   \
	/* Stores `v` if the value is `old`. Returns what was found: `old` says it was stored. */           \
	static inline uint prefix##_cmpxchg(struct type *a, uint old, uint v)                               \
	{                                                                                                   \
		__atomic_compare_exchange_n(&a->value, &old, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
		return old;                                                                                 \
	}                                                                                                   \
	/* Increments unless the value is 0. Returns whether it did. */                                     \
	static inline bool prefix##_inc_not_zero(struct type *a)                                            \
	{                                                                                                   \
		uint v = prefix##_read(a);                                                                  \
		while (v != 0) {                                                                            \
			if (__atomic_compare_exchange_n(                                                    \
				    &a->value, &v, v + 1, true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))        \
				return true;                                                                \
		}                                                                                           \
		return false;                                                                               \
	}

LIB_DEFINE_ATOMIC(atomic, atomic, u32, s32)
LIB_DEFINE_ATOMIC(atomic64, atomic64, u64, s64)

#undef LIB_DEFINE_ATOMIC

#endif
