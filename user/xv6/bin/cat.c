/* cat [FILE...]: the files one after the other, or the input. */
#include "kernel/types.h"
#include "kernel/stat.h"
#include "user/user.h"

static char buf[512];

static void copy(int fd)
{
	int n;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		if (write(1, buf, n) != n) {
			fprintf(2, "cat: cannot write\n");
			exit(1);
		}
	}
	if (n < 0) {
		fprintf(2, "cat: cannot read\n");
		exit(1);
	}
}

int main(int argc, char *argv[])
{
	if (argc < 2)
		copy(0);
	for (int i = 1; i < argc; i++) {
		int fd = open(argv[i], 0);

		if (fd < 0) {
			fprintf(2, "cat: cannot open %s\n", argv[i]);
			exit(1);
		}
		copy(fd);
		close(fd);
	}
	exit(0);
}
