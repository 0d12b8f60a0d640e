/* Paths of programs, as the classic kernel reads them. */
#include "lib.h"

int path_take(const char *from, char to[PATH_ROOM], enum path_use use)
{
	int len = string_length(from, MAXPATH);
	char *out = to;

	if (len < 0 || (len == 0 && use == PATH_NAME))
		return -1;
	if (*from == '/')
		*out++ = '/';
	while (*from) {
		int n = 0;

		while (*from == '/')
			from++;
		if (!*from)
			break;
		if (out > to && out[-1] != '/')
			*out++ = '/';
		/* Two names with the same first bytes are one. */
		for (; *from && *from != '/'; from++, n++)
			if (n < DIRSIZ)
				*out++ = *from;
	}
	if (out == to)
		*out++ = '.';
	*out = 0;
	return 0;
}

int path_ends_in_dots(const char *path)
{
	const char *name = path;

	for (; *path; path++)
		if (*path == '/')
			name = path + 1;
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}
