/* What a hart that is being started needs before it has an address space; read by head.S with the MMU off. */
#pragma once

#include "lib/types.h"

struct secondary_boot {
	u64 satp;
	vaddr_t thread; /* its idle thread, for tp */
	vaddr_t sp;
	u64 shift;      /* image_shift */
};

/* head.S: entry by SBI HSM, MMU off; a0 hart id, a1 physical address of the struct above. */
void secondary_start(void);
