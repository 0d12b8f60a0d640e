/*
 * Compressed swap in RAM: a swap area (/dev/zram0) whose slots are kept in memory, compressed.
 *
 *	a page of one repeated word   the word
 *	one that compresses           an object in a group of its size class
 *	one that does not             refused: it goes to a disk area, or stays where it is
 *
 * A group is 1 to 4 frames that hold a whole number of objects of one size: an object may lie across two of its frames.
 * Sizes are chosen so that little is lost at a group's end.
 *
 *	slot → { group, number in it, length }
 *
 * Memory is taken while reclaim runs, from the reserve: a page makes a few more free than it takes.
 *
 * Kernel command line: zram=SIZE (with K, M, G) or zram=N% of RAM is how much can be swapped to it; zram=0: none. The default
 * is 50%.
 *
 * Locks: work_lock (RANK_ZRAM_WORK) the compressor's buffers; lock (RANK_ZRAM, interrupts off) groups and slots. Contents
 * of an object are written before its slot is known to anybody, and read while a frame in the swap cache keeps it (mm/swap.h W3).
 */
#pragma once

void zram_init(void);
