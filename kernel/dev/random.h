/* The random generator's sources; its users want dev/dev.h. */
#pragma once

#include "lib/types.h"

struct fdt;
struct virtio_device;

void random_init(const struct fdt *fdt); /* first seed */
int virtio_rng_attach(const struct virtio_device *dev);
void random_settle(void); /* after all devices were found */
/* Mixes bytes in (a write to /dev/random). */
void random_stir(const void *bytes, size_t len);
/* 1 when seeded; until then random_bytes sleeps. */
u32 random_ready(void);
/* Sleeps until seeded: 0 or -ERESTARTSYS. */
int random_wait_ready(void);
