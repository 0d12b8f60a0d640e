/* How the machine ends. */
#pragma once

#include "lib/types.h"

/* What poweroff makes the emulator's exit status; /proc/sys/kernel/poweroff_status. */
extern u8 poweroff_status;
