/* eventfd(2): a counter as a file. */
#pragma once

#include "lib/types.h"

struct file;

#define EFD_SEMAPHORE 1

int eventfd_create(u32 initial, u32 flags, struct file **out);
