/* init: the shell on the console, again and again. */
#include "kernel/types.h"
#include "kernel/stat.h"
#include "kernel/file.h"
#include "kernel/fcntl.h"
#include "user/user.h"

int main(void)
{
	char *argv[] = {"sh", 0};

	if (open("console", O_RDWR) < 0) {
		mknod("console", CONSOLE, 0);
		open("console", O_RDWR);
	}
	for (;;) {
		int pid = fork();

		if (pid == 0) {
			exec("sh", argv);
			fprintf(2, "init: no sh\n");
			exit(1);
		}
		if (pid < 0) {
			fprintf(2, "init: cannot fork\n");
			exit(1);
		}
		/* Orphans end here, too. */
		while (wait(0) != pid)
			;
	}
}
