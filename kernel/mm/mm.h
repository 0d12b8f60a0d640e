/* The memory room as the rest of the kernel starts it. */
#pragma once

/*
 * After the boot code told frame_add_ram/frame_reserve and the kernel page
 * table maps the direct map and the frame array: opens the frame allocator,
 * the slab caches and the address-space caches. Called once, on the boot hart.
 */
void mm_init(void);
/* What needs tasks: the reclaim thread, compressed swap. After proc_init, before anything that fills memory. */
void mm_start(void);
