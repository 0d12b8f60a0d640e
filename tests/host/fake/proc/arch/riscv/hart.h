/* The real one: the harts of tests of proc/ are those of the kernel. */
#include "../../../../../../kernel/arch/riscv/hart.h"
