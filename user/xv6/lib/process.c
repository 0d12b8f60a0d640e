/* Processes: fork, exit, wait, kill, exec, and time. */
#include "lib.h"

#define TICK_NS 100000000L

int getpid(void)
{
	return (int)call0(NR_getpid);
}

int fork(void)
{
	struct slot *slot = session_reserve(heap_pages());
	long pid;

	if (!slot)
		return -1;
	pid = call5(NR_clone, SIGCHLD, 0, 0, 0, 0);
	/* Both sides store the same: whoever is killed first, the other has done it. */
	if (pid >= 0)
		__atomic_store_n(&slot->pid, pid ? (int)pid : getpid(), __ATOMIC_RELEASE);
	else
		__atomic_store_n(&slot->pid, 0, __ATOMIC_RELEASE);
	return classic(pid);
}

/* The kernel keeps eight bits of a status; the session's page keeps all of them. */
int exit(int status)
{
	struct slot *slot = session_find(getpid());

	if (slot) {
		slot->status = status;
		__atomic_store_n(&slot->exited, 1, __ATOMIC_RELEASE);
	}
	call1(NR_exit_group, status & 0xff);
	__builtin_unreachable();
}

/* What the classic kernel says of a child: its own status, or -1 when it was killed. */
static int status_of(const struct slot *slot, int linux_status)
{
	if (linux_status & 0x7f)
		return -1;
	if (slot && slot->exited)
		return slot->status;
	return (signed char)(linux_status >> 8);
}

int wait(int *status)
{
	int linux_status = 0;
	struct slot *slot;
	long pid;

	if (status && !writable(status, sizeof(*status)))
		return -1;
	do
		pid = call4(NR_wait4, -1, &linux_status, 0, 0);
	while (pid == -EINTR);
	if (pid < 0)
		return -1;
	slot = session_find((int)pid);
	if (status) {
		int value = status_of(slot, linux_status);

		/* The kernel would copy it out: any alignment will do. */
		memmove(status, &value, sizeof(value));
	}
	if (slot)
		__atomic_store_n(&slot->pid, 0, __ATOMIC_RELEASE);
	return (int)pid;
}

/* Only one process at a time, and never the first of the machine: 0 and less mean groups on Linux. */
int kill(int pid)
{
	return pid <= 1 ? -1 : classic(call2(NR_kill, pid, SIGKILL));
}

/* The number of arguments when they are such as the classic kernel takes: few enough, and on one stack page. -1 if not. */
static int check_args(char **argv)
{
	uint64 used = 0;
	int argc;

	for (argc = 0; argc < MAXARG; argc++) {
		int len;

		if (!readable(argv + argc, sizeof(*argv)))
			return -1;
		if (!argv[argc])
			break;
		len = string_length(argv[argc], PGSIZE);
		if (len < 0)
			return -1;
		used += ((uint64)len + 16) & ~15UL;
	}
	if (argc == MAXARG)
		return -1;
	used += ((uint64)(argc + 1) * 8 + 15) & ~15UL;
	return used <= USERSTACK * PGSIZE ? argc : -1;
}

int exec(const char *path, char **argv)
{
	static char word[] = "XV6_SESSION=1";
	char *envp[] = {word, 0}, to[PATH_ROOM];

	if (path_take(path, to, PATH_ANY) < 0 || check_args(argv) < 0)
		return -1;
	return classic(call3(NR_execve, to, argv, envp));
}

int pause(int ticks)
{
	struct linux_time t = {0, 0};

	if (ticks <= 0)
		return 0;
	t.sec = ticks / 10;
	t.nsec = ticks % 10 * TICK_NS;
	while (call2(NR_nanosleep, &t, &t) == -EINTR)
		;
	return 0;
}

int sleep(int ticks)
{
	return pause(ticks);
}

int uptime(void)
{
	struct linux_time t = {0, 0};

	call2(NR_clock_gettime, 1, &t);
	return (int)(t.sec * 10 + t.nsec / TICK_NS);
}
