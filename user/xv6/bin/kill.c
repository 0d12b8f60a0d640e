/* kill PID...: ends processes. */
#include "kernel/types.h"
#include "kernel/stat.h"
#include "user/user.h"

int main(int argc, char *argv[])
{
	if (argc < 2) {
		fprintf(2, "usage: kill PID...\n");
		exit(1);
	}
	for (int i = 1; i < argc; i++) {
		if (kill(atoi(argv[i])) < 0) {
			fprintf(2, "kill: %s: failed\n", argv[i]);
			exit(1);
		}
	}
	exit(0);
}
