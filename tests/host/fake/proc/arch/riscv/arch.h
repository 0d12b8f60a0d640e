/* The real one: what proc/ calls of it, the test defines. */
#include "../../../../../../kernel/arch/riscv/arch.h"
