/*
 * The integer types, the compiler's attributes and the small macros that every room uses.
 *
 * u64 is `unsigned long` on riscv64 and on the 64-bit hosts that run the tests: print it with %lu
 * or %lx. Macros evaluate each argument once, unless their comment says otherwise.
 */
#ifndef LIB_TYPES_H
#define LIB_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifdef HOST_TEST
#include <sys/types.h>
#endif

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

#ifndef HOST_TEST
typedef long ssize_t;
typedef s64 loff_t;
#endif

typedef u64 paddr_t; /* a physical address */
typedef u64 vaddr_t; /* a virtual address, the kernel's or a user's */
typedef u64 pfn_t;   /* a physical frame number: paddr >> PAGE_SHIFT */

/* ---- attributes ---- */
#undef noreturn
/* In front of a declaration; inside __attribute__ write __noreturn__. */
#define noreturn                _Noreturn
#define PACKED                  __attribute__((packed))
#define ALIGNED(n)              __attribute__((aligned(n)))
#define ALWAYS_INLINE           inline __attribute__((always_inline))
#define NOINLINE                __attribute__((noinline))
#define NO_CANARY               __attribute__((no_stack_protector)) /* hot, and has no array */
#define COLD                    __attribute__((cold))
#define UNUSED                  __attribute__((unused))
#define MUST_CHECK              __attribute__((warn_unused_result))
#define SECTION(name)           __attribute__((section(name)))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))
#define FALLTHROUGH             __attribute__((fallthrough))
#ifndef static_assert
#define static_assert _Static_assert
#endif

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* ---- numbers ---- */
#define BIT(n) (1UL << (n))

#define LIB_CONCAT2(a, b) a##b
#define LIB_CONCAT(a, b)  LIB_CONCAT2(a, b)
#define LIB_UNIQUE(stem)  LIB_CONCAT(stem, __COUNTER__)

#undef MIN
#undef MAX
#define LIB_CHOOSE(a, op, b, x, y)     \
	({                             \
		__typeof__(a) x = (a); \
		__typeof__(b) y = (b); \
		x op y ? x : y;        \
	})
#define MIN(a, b)           LIB_CHOOSE(a, <, b, LIB_UNIQUE(lib_x), LIB_UNIQUE(lib_y))
#define MAX(a, b)           LIB_CHOOSE(a, >, b, LIB_UNIQUE(lib_x), LIB_UNIQUE(lib_y))
#define CLAMP(x, low, high) MIN(MAX(x, low), high)
/* For array sizes and the like: constant expressions, arguments evaluated twice. */
#define MIN_CONST(a, b)     ((a) < (b) ? (a) : (b))
#define MAX_CONST(a, b)     ((a) > (b) ? (a) : (b))

/* `align` is a power of two; evaluated twice. The result has the type of x. */
#define ALIGN_DOWN(x, align) ((x) & ~((__typeof__(x))(align)-1))
#define ALIGN_UP(x, align)   ALIGN_DOWN((x) + ((__typeof__(x))(align)-1), align)
#define IS_ALIGNED(x, align) (((x) & ((__typeof__(x))(align)-1)) == 0)
#define IS_POWER_OF_2(x)     ((x) != 0 && ((x) & ((x)-1)) == 0)
#define DIV_ROUND_UP(n, d)   (((n) + (d)-1) / (d)) /* d is evaluated twice */

/* ---- memory geometry ---- */
#undef PAGE_SHIFT
#undef PAGE_SIZE
#undef PAGE_MASK
#define PAGE_SHIFT         12
#define PAGE_SIZE          (1UL << PAGE_SHIFT)
#define PAGE_MASK          (~(PAGE_SIZE - 1)) /* keeps the page address, drops the offset */
#define HUGE_SHIFT         21
#define HUGE_SIZE          (1UL << HUGE_SHIFT)
#define HUGE_MASK          (~(HUGE_SIZE - 1))
#define HUGE_ORDER         (HUGE_SHIFT - PAGE_SHIFT)
#define HUGE_NR_PAGES      (1UL << HUGE_ORDER)
#define PAGE_ALIGN_UP(x)   ALIGN_UP(x, PAGE_SIZE)
#define PAGE_ALIGN_DOWN(x) ALIGN_DOWN(x, PAGE_SIZE)

/* ---- objects ---- */
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#undef container_of
#define container_of(ptr, type, member) \
	((type *)(void *)((char *)(1 ? (ptr) : &((type *)0)->member) - offsetof(type, member)))

/*
 * One untorn access of a naturally aligned object, not moved or repeated by the compiler. No
 * ordering.
 */
#define READ_ONCE(x)         (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, value) (*(volatile __typeof__(x) *)&(x) = (value))
#define barrier()            __asm__ volatile("" ::: "memory")

#endif
