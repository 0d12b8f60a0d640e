/*
 * System calls: one table (syscall_table.def), and thin entry points by area.
 *
 * An entry point fetches arguments, copies structures in, calls ONE room,
 * copies results out. It returns a result ≥ 0 or -errno. All take six words so
 * that the table needs no casts; each names those it uses.
 */
#pragma once

#include "lib/types.h"
#include "mm/usercopy.h"

struct borrowed_file;
struct file;
struct path;
struct trapframe;
struct abi_timespec;

#define SYSCALL_ARGS u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5

#define SYSCALL(nr, name, args) long sys_##name(SYSCALL_ARGS);
#include "sys/syscall_table.def"
#undef SYSCALL

/* The name of a call, for reports; NULL when there is none of that number. `args`: see syscall_table.def. */
const char *syscall_name(u64 nr, const char **args);

/* ---- argument helpers (sys/args.c) ---- */

/* A path argument in a buffer of its own; short names use the caller's inline bytes. */
struct user_path {
	char *name; /* NUL-terminated */
	char *heap; /* or NULL */
	char small[128];
};
int user_path_get(struct user_path *up, u64 addr); /* -EFAULT, -ENAMETOOLONG, -ENOMEM */
void user_path_put(struct user_path *up);

/* The place a *at call is relative to: NULL for AT_FDCWD (or an absolute name), else the descriptor's path. */
struct at_dir {
	struct file *file; /* held, or NULL */
	const struct path *path;
};
int at_dir_get(struct at_dir *d, int fd, const char *name);
void at_dir_put(struct at_dir *d);

/* Walks (dirfd, name) to a referenced path. `walk`: WALK_*. */
int user_walk(int dirfd, u64 name, u32 walk, struct path *out);

/* May current lock nr_pages more in memory (RLIMIT_MEMLOCK)? 0, -EPERM, -ENOMEM. sys_swap.c */
int memlock_check(u64 nr_pages);

/* An open file by descriptor, referenced; NULL: -EBADF is due. file_put when done. */
struct file *user_file(u64 fd);

/* The same for the length of this call, without a reference where none is needed; fd_return when done. */
struct borrowed_file user_file_borrow(u64 fd);

/* Reads a timespec and gives ns; -EINVAL for a negative or unnormalised one. NULL is the caller's business. */
int user_timespec(u64 addr, u64 *ns);
int user_put_timespec(u64 addr, u64 ns);
int user_put_timeval(u64 addr, u64 ns);
/* A deadline from a relative timespec (NULL: ~0, for ever). */
int user_deadline(u64 addr, u64 *deadline_ns);
