/* What uname(2) says, and the two names in it that can be set. */
#pragma once

#include "lib/types.h"

#define UTS_SYSNAME   "Vitrine"
#define UTS_RELEASE   "6.12.0-vitrine" /* C libraries refuse to run on releases they take for too old */
#define UTS_VERSION   "#1 SMP"
#define UTS_MACHINE   "riscv64"
#define UTS_NAME_SIZE 65 /* with the NUL */

struct uts {
	char nodename[UTS_NAME_SIZE], domainname[UTS_NAME_SIZE];
};

enum uts_field { UTS_NODENAME, UTS_DOMAINNAME };

/* Copies both names out, consistently; each buffer has UTS_NAME_SIZE bytes. Context: any but interrupts. */
void uts_get(char *nodename, char *domainname);
/* Longer names are cut at 64 bytes. Context: any but interrupts. */
void uts_set(enum uts_field field, const char *name);
