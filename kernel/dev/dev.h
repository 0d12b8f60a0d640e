/*
 * The device room as the kernel starts it: reads the device tree (lib/fdt.h),
 * sets up interrupts, and finds the devices. Missing ones are named in the log.
 */
#pragma once

#include "lib/types.h"

void dev_init(void);       /* boot hart: irq controller, UART, virtio slots, rtc, power, random, ttys */
void dev_start_hart(void); /* each hart: its external-interrupt context */

/* dev/random.c: getrandom(2), AT_RANDOM, ASLR. Never fails; blocks only before the first seed. */
void random_bytes(void *buf, size_t len);
u64 random_u64(void);

/* dev/rtc.c */
u64 clock_wall_ns(void); /* CLOCK_REALTIME, ns since 1970 */
void clock_wall_set(u64 ns);
s64 clock_wall_offset(void); /* wall - mono */

/* dev/tty.h has the terminals. */
