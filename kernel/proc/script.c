#include "proc/script.h"

#include "lib/errno.h"
#include "lib/string.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

int script_parse(const char *file, size_t len, struct script *out)
{
	size_t end = 2, start, stop;
	bool whole;

	len = MIN(len, (size_t)SCRIPT_LINE_MAX - 1);
	if (len < 2 || file[0] != '#' || file[1] != '!')
		return -ENOEXEC;
	while (end < len && file[end] != '\n' && file[end] != '\0')
		end++;
	whole = end < len || len < SCRIPT_LINE_MAX - 1;
	for (start = 2; start < end && is_blank(file[start]); start++)
		;
	for (stop = start; stop < end && !is_blank(file[stop]); stop++)
		;
	if (start == stop || (stop == end && !whole))
		return -ENOEXEC;
	memcpy(out->interp, file + start, stop - start);
	out->interp[stop - start] = '\0';
	/* The rest of the line is one argument, blanks inside included. */
	for (start = stop; start < end && is_blank(file[start]); start++)
		;
	while (end > start && is_blank(file[end - 1]))
		end--;
	memcpy(out->arg, file + start, end - start);
	out->arg[end - start] = '\0';
	return 0;
}
