/*
 * run-all: runs every test program beside it and frames the output of each for the driver:
 *
 *	# begin NAME
 *	(KTAP)
 *	# end NAME STATUS SECONDS
 *
 * usage: run-all [-s SHARD/SHARDS] [-t SECONDS] [PROGRAM...]
 *
 * fs_* programs run twice: in $TMPDIR (default /tmp) and, as NAME@shm, in /dev/shm when that is another file system.
 * A program that lasts longer than the limit (default 600 s) is killed. Exit status: 1 when any program failed.
 */
#include "test.h"

static char here[PATH_MAX];

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The test programs in our own directory, sorted. */
static char **find_programs(int *nr)
{
	char **list = calloc(256, sizeof(*list));
	DIR *d = opendir(here);
	struct dirent *e;

	*nr = 0;
	while (d && (e = readdir(d)) && *nr < 255) {
		struct stat st;

		if (strchr(e->d_name, '.') || !strcmp(e->d_name, "run-all") || !strcmp(e->d_name, "torture"))
			continue;
		if (fstatat(dirfd(d), e->d_name, &st, 0) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111))
			list[(*nr)++] = strdup(e->d_name);
	}
	if (d)
		closedir(d);
	qsort(list, *nr, sizeof(*list), by_name);
	return list;
}

static volatile pid_t running;

static void too_long(int sig)
{
	(void)sig;
	kill(running, SIGKILL);
}

/* Returns whether the program ended with 0. */
static bool run_one(const char *name, const char *label, const char *tmpdir, int limit)
{
	char path[PATH_MAX + 64];
	int status = -1;
	long long began = now_ns(CLOCK_MONOTONIC);

	dprintf(1, "# begin %s\n", label);
	snprintf(path, sizeof(path), "%s/%s", here, name);
	running = fork();
	if (running == 0) {
		if (tmpdir)
			setenv("TMPDIR", tmpdir, 1);
		execl(path, path, (char *)NULL);
		dprintf(1, "# cannot run %s: %s\n", path, strerror(errno));
		_exit(127);
	}
	if (running > 0) {
		alarm(limit);
		while (waitpid(running, &status, 0) < 0 && errno == EINTR)
			;
		alarm(0);
	}
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	dprintf(1, "# end %s %d %lld\n", label, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
		(now_ns(CLOCK_MONOTONIC) - began) / 1000000000);
	return status == 0;
}

static bool separate_shm(void)
{
	struct stat a, b;
	const char *tmp = getenv("TMPDIR");

	return stat(tmp ? tmp : "/tmp", &a) == 0 && stat("/dev/shm", &b) == 0 && a.st_dev != b.st_dev &&
		access("/dev/shm", W_OK) == 0;
}

int main(int argc, char **argv)
{
	int opt, shard = 0, shards = 1, limit = 600, nr, failed = 0;
	struct sigaction sa = {.sa_handler = too_long};
	char **list;
	ssize_t n = readlink("/proc/self/exe", here, sizeof(here) - 1);

	if (n < 0 || !strrchr(here, '/'))
		strcpy(here, "/tests");
	else
		*strrchr(here, '/') = 0;
	while ((opt = getopt(argc, argv, "s:t:")) != -1) {
		if (opt == 's' && sscanf(optarg, "%d/%d", &shard, &shards) == 2 && shards > 0)
			continue;
		if (opt == 't' && (limit = atoi(optarg)) > 0)
			continue;
		dprintf(2, "usage: run-all [-s SHARD/SHARDS] [-t SECONDS] [PROGRAM...]\n");
		return 2;
	}
	sigaction(SIGALRM, &sa, NULL);
	list = optind < argc ? argv + optind : find_programs(&nr);
	if (optind < argc)
		nr = argc - optind;
	for (int i = 0; i < nr; i++) {
		char label[300];

		if (i % shards != shard)
			continue;
		failed += !run_one(list[i], list[i], NULL, limit);
		if (strncmp(list[i], "fs_", 3) || !separate_shm())
			continue;
		snprintf(label, sizeof(label), "%s@shm", list[i]);
		failed += !run_one(list[i], label, "/dev/shm", limit);
	}
	dprintf(1, "# all done\n");
	return failed != 0;
}
