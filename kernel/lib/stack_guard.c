/*
 * What -fstack-protector calls when a function's canary was overwritten, and the canary itself,
 * where the compiler was told to use a global one. arch/ replaces the value at boot, before any
 * protected function is active.
 */
#include "lib/panic.h"

extern uintptr_t __stack_chk_guard;
uintptr_t __stack_chk_guard = 0x5ca1ab1e0ddba11UL << 8; /* lowest byte 0: no string function writes it */

noreturn void __stack_chk_fail(void);

noreturn void __stack_chk_fail(void)
{
	panic("stack overrun in a function called from %p", __builtin_return_address(0));
}
