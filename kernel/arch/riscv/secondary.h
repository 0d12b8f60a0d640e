/* What a hart that is being started needs before it has an address space; read by head.S with the MMU off. */
#pragma once

#include "lib/types.h"

struct secondary_boot {
	u64 satp;
	vaddr_t thread; /* its idle thread, for tp */
	vaddr_t sp;
	u64 shift; /* image_shift */
};

/* One hart is started at a time. */
extern struct secondary_boot secondary_boot;

/* head.S: entry by SBI HSM, MMU off. */
void secondary_start(void);
