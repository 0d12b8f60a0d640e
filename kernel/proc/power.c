#include "proc/power.h"

u8 poweroff_status;
