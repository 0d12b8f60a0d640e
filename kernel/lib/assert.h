/*
 * ASSERT is always on: it states what only a kernel bug can make false, never something about user
 * input, disk contents or a device's answers. DEBUG_ASSERT is checked in the debug build (and on
 * the host), for hot paths.
 */
#ifndef LIB_ASSERT_H
#define LIB_ASSERT_H

#include "lib/panic.h"
#include "lib/types.h"

#define ASSERT(cond)                                                                                        \
	do {                                                                                                \
		if (unlikely(!(cond)))                                                                      \
			panic("assertion failed: %s, at %s:%d in %s", #cond, __FILE__, __LINE__, __func__); \
	} while (0)

#if defined(VITRINE_DEBUG) || defined(HOST_TEST)
#define DEBUG_ASSERT(cond) ASSERT(cond)
#else
#define DEBUG_ASSERT(cond)             \
	do {                           \
		(void)sizeof(!(cond)); \
	} while (0)
#endif

#endif
