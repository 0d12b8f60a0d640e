/* "#!" lines, parsed: pure, host-tested. */
#pragma once

#include "lib/types.h"

#define SCRIPT_LINE_MAX 256

struct script {
	char interp[SCRIPT_LINE_MAX];
	char arg[SCRIPT_LINE_MAX]; /* "" : none */
};

/* `file`: the first `len` bytes. 0; -ENOEXEC: no script, no interpreter, or its name was cut off by the window. */
int script_parse(const char *file, size_t len, struct script *out);
