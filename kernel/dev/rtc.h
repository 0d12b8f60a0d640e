/* The real-time clock; its users want dev/dev.h. */
#pragma once

struct fdt;

void rtc_init(const struct fdt *fdt);
