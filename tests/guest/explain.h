/* Reading what the kernel's log says of a child that died of a fault. */
#pragma once

#include "test.h"
#include <sys/klog.h>
#include <sys/resource.h>

#define PG       4096UL
#define LOG_SIZE (256 * 1024)

static TEST_UNUSED void only_here(void)
{
	if (!on_vitrine())
		SKIP("only on Vitrine");
}

static TEST_UNUSED void sysctl_set(const char *name, const char *value)
{
	char path[80];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/kernel/%s", name);
	fd = OK(open(path, O_WRONLY));
	CHECK_EQ(write(fd, value, strlen(value)), strlen(value));
	OK(close(fd));
}

/* The lines of the log that contain `key`. */
static TEST_UNUSED char *log_lines(const char *key)
{
	static char all[LOG_SIZE], found[LOG_SIZE];
	int len = OK(klogctl(3 /* SYSLOG_ACTION_READ_ALL */, all, sizeof(all) - 1));
	char *to = found;

	all[len] = 0;
	for (char *line = all, *end; (end = strchr(line, '\n')); line = end + 1) {
		*end = 0;
		if (strstr(line, key))
			to += sprintf(to, "%s\n", line);
	}
	*to = 0;
	return found;
}

static TEST_UNUSED char *log_of(pid_t pid)
{
	char key[32];

	snprintf(key, sizeof(key), "[%d]: ", pid);
	return log_lines(key);
}

static TEST_UNUSED int count(const char *text, const char *what)
{
	int n = 0;

	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

#define SAYS(text, what)                                                               \
	do {                                                                           \
		if (!strstr(text, what))                                               \
			FAIL("the log does not say \"%s\", but:\n%.400s", what, text); \
	} while (0)

/* A child that runs fn and must die of sig; every child here is reported, however many there are. */
static TEST_UNUSED pid_t die_of(int sig, void (*fn)(void))
{
	struct rlimit no_core = {0, 0};
	pid_t pid = OK(fork());

	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		fn();
		_exit(0);
	}
	wait_signal(pid, sig);
	return pid;
}

static TEST_UNUSED const char *report_of(int sig, void (*fn)(void))
{
	pid_t pid;

	only_here();
	sysctl_set("printk_ratelimit", "0");
	pid = die_of(sig, fn);
	sysctl_set("printk_ratelimit", "5");
	return log_of(pid);
}

static volatile int sink;

/* The compiler must not know the address, or it warns of what is meant. */
static TEST_UNUSED void *hidden(uintptr_t addr)
{
	__asm__("" : "+r"(addr));
	return (void *)addr;
}
