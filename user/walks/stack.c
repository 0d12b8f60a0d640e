/* A stack that grows, one that grows too far, and a null pointer. What is fatal happens in children, which stay as zombies. */
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "walk.h"

#define LIMIT (256UL << 10)
#define DEEP  (192UL << 10)

static volatile uintptr_t lowest;

/* Goes down `bytes` on the stack; every page on the way is touched. */
static __attribute__((noinline)) int descend(size_t bytes)
{
	volatile char frame[1024];

	frame[0] = 1;
	lowest = (uintptr_t)frame;
	if (bytes <= sizeof(frame))
		return frame[0];
	return descend(bytes - sizeof(frame)) + frame[0];
}

static pid_t child_that(int overflows)
{
	const struct rlimit no_core = {0, 0};
	siginfo_t info;
	pid_t pid = fork();

	if (pid < 0)
		give_up("fork");
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		if (overflows)
			descend(SIZE_MAX);
		else
			*(volatile char *)(lowest & 8) = 1;
		_exit(0);
	}
	/* It stays as it died, with its number, until we end. */
	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) < 0)
		give_up("waitid");
	return pid;
}

int walk_stack(void)
{
	const struct rlimit limit = {LIMIT, LIMIT};
	char here;

	if (setrlimit(RLIMIT_STACK, &limit) < 0)
		give_up("setrlimit");
	stand_still("began", "pid %d sp 0x%lx limit %lu", getpid(), (unsigned long)(uintptr_t)&here, LIMIT);
	descend(DEEP);
	stand_still("deep", "lowest 0x%lx", (unsigned long)lowest);
	lowest &= ~8UL;
	stand_still("null", "victim %d", child_that(0));
	stand_still("overflow", "second %d", child_that(1));
	return 0;
}
