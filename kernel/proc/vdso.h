/* The vDSO as a memory object, and where things are in it. */
#pragma once

#include "lib/types.h"

struct aspace;

/* Maps data page and image below `below`. Returns the image's base (AT_SYSINFO_EHDR), or -errno. */
long vdso_map(struct aspace *as, vaddr_t below);
/* What a signal handler returns to, for a vDSO at `base`; 0: none is mapped. */
vaddr_t vdso_sigreturn(vaddr_t base);
