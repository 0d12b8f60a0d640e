/*
 * The page of numbers in front of the vDSO image, read-only for user mode.
 * Each is one word, so that a reader needs no lock. Shared with vdso/src/.
 */
#pragma once

struct vdso_data {
	unsigned long time_base;      /* `time` at boot */
	unsigned long ns_per_tick_32; /* nanoseconds a tick, × 2^32 */
	unsigned long wall_offset_ns; /* CLOCK_REALTIME - CLOCK_MONOTONIC */
};
