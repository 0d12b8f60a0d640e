/* grep PATTERN [FILE...]: the lines that match; ^ $ . and * have their meaning. */
#include "kernel/types.h"
#include "kernel/stat.h"
#include "user/user.h"

static char buf[1024];

static int match_here(const char *re, const char *text)
{
	if (!*re)
		return 1;
	if (re[0] == '$' && !re[1])
		return !*text;
	if (re[1] == '*') {
		do {
			if (match_here(re + 2, text))
				return 1;
		} while (*text && (*re == '.' || *text == *re) && *text++);
		return 0;
	}
	return *text && (*re == '.' || *re == *text) && match_here(re + 1, text + 1);
}

static int match(const char *re, const char *text)
{
	if (*re == '^')
		return match_here(re + 1, text);
	for (;; text++) {
		if (match_here(re, text))
			return 1;
		if (!*text)
			return 0;
	}
}

/* A line that is longer than the buffer is cut in two. */
static void grep(const char *re, int fd)
{
	int len = 0, n;

	while ((n = read(fd, buf + len, (int)sizeof(buf) - 1 - len)) > 0) {
		char *line = buf, *end;

		len += n;
		buf[len] = 0;
		while ((end = strchr(line, '\n'))) {
			*end = 0;
			if (match(re, line))
				printf("%s\n", line);
			line = end + 1;
		}
		len -= (int)(line - buf);
		memmove(buf, line, len);
		if (len == sizeof(buf) - 1)
			len = 0;
	}
	buf[len] = 0;
	if (len && match(re, buf))
		printf("%s\n", buf);
}

int main(int argc, char *argv[])
{
	if (argc < 2) {
		fprintf(2, "usage: grep PATTERN [FILE...]\n");
		exit(1);
	}
	if (argc == 2)
		grep(argv[1], 0);
	for (int i = 2; i < argc; i++) {
		int fd = open(argv[i], 0);

		if (fd < 0) {
			printf("grep: cannot open %s\n", argv[i]);
			exit(1);
		}
		grep(argv[1], fd);
		close(fd);
	}
	exit(0);
}
