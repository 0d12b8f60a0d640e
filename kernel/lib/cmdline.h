/*
 * The kernel's command line: words separated by blanks, each `key=value` or a
 * bare `flag`; double quotes keep blanks together. The last of several
 * equal keys counts. Words that nobody in the kernel knows are for init.
 */
#pragma once

#include "lib/types.h"

#define CMDLINE_MAX 2048

/* Takes a copy. Too long: cut at a word. Called once, at boot. */
void cmdline_set(const char *line);
/* The line as given, for /proc/cmdline. */
const char *cmdline_text(void);
/* The value of key; "" for a bare word; NULL when it is not there. Marks the word as known. */
const char *cmdline_get(const char *key);
/* True for `key`, `key=1`, `key=on`, `key=yes`. */
bool cmdline_flag(const char *key);
/* The number of key (decimal or 0x…, with an optional K, M, G), or `absent`. */
u64 cmdline_number(const char *key, u64 absent);
/*
 * Words no cmdline_get asked for, in order: *pos = 0 to start; NULL at the end. `what` chooses those with `=` (for
 * init's environment) or without (its arguments).
 */
enum cmdline_rest { CMDLINE_ENV, CMDLINE_ARG };
const char *cmdline_unknown(u32 *pos, enum cmdline_rest what);
