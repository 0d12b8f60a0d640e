/*
 * Faults that explain themselves: what the log gets when a program dies of a trap that it caused and does not handle.
 *
 *	explain=off     nothing
 *	explain=quiet   one line: who, which signal, pc, address
 *	explain=on      that line, and below it where in the program, what the address is, the page-table walk, and the cause in
 *	                one sentence (docs/faults.md)
 *
 * The word is a boot argument, and can be changed in /proc/sys/kernel/explain. No more than explain_burst reports are made
 * in explain_interval seconds; the others are counted (kernel.printk_ratelimit_burst, kernel.printk_ratelimit).
 *
 *	explain.c        when to report, how often, and the report
 *	explain_cause.c  the cases: what an address is, and the sentence
 *	explain_place.c  names of mappings; function and line of an address
 */
#pragma once

#include "lib/types.h"

struct fault;
struct siginfo_k;
struct trapframe;

enum explain_mode { EXPLAIN_OFF, EXPLAIN_QUIET, EXPLAIN_ON };

/* 0 for the interval: no bound. Single words, read without a lock. */
extern u32 explain_interval, explain_burst;

void explain_init(void);
/* "on", "off", "quiet". Errors: -EINVAL, another word. */
const char *explain_mode_name(void);
int explain_mode_set(const char *name);

/* Current dies of the signal `info`. Context: process, no locks; reads files, so it may sleep. */
void explain_death(const struct siginfo_k *info, const struct trapframe *tf);
/* Current dies because the page it needs cannot be had. Context: as above, but reads no files. */
void explain_no_memory(const struct fault *f, const struct trapframe *tf);
