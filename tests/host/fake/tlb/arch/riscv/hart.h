/* The real one, for tests/host/tlb_test.c: its harts are those of the kernel. */
#include "../../../../../../kernel/arch/riscv/hart.h"
