/*
 * Who calls the file systems: credentials, limits, a working directory, descriptors, and the locks that are held. Defines functions: include it
 * in one file.
 */
#pragma once

#include "fs/fs.h"

#ifdef VITRINE_DEBUG
static __thread struct held_locks hart_locks, task_locks;
struct held_locks *held_locks_hart(void)
{
	return &hart_locks;
}
struct held_locks *held_locks_task(void)
{
	return &task_locks;
}
#endif

static struct cred cred;
static struct fs_context *context;
static struct fdtable *table;

const struct cred *cred_current(void)
{
	return &cred;
}
int cred_in_group(u32 gid)
{
	return gid == cred.fsgid;
}
u32 task_umask(void)
{
	return 022;
}
u64 task_rlimit(u32 which)
{
	return ~0ul;
}
void task_raise(int signo)
{
}
struct fs_context *fs_context_current(void)
{
	return context;
}
struct fdtable *fdtable_current(void)
{
	return table;
}
