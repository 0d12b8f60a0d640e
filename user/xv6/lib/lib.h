/*
 * What the library's files share. The kernel below is Linux (linux.h); above it programs see the classic calls
 * (user/user.h). Whatever differs between the two is bridged here, in user space:
 *
 *   session   the processes that began with one program: a page that they share holds what the classic kernel would
 *             know of them (whole exit statuses, how many there are, how much memory they have)
 *   memory    a process is the range [__user_start, break), with one guard page under the stack. Pointers given to
 *             calls are checked against it: everything else of the Linux process is out of a program's sight
 *   files     paths are cut to DIRSIZ a name; directories are read as records; limits are the classic ones
 *
 * No function here may need much stack: the program's own is one page. One thread a process, no signal handlers.
 */
#ifndef LIB_H
#define LIB_H

#include "kernel/types.h"
#include "kernel/param.h"
#include "kernel/stat.h"
#include "kernel/fcntl.h"
#include "kernel/fs.h"
#include "kernel/riscv.h"
#include "kernel/memlayout.h"
#include "kernel/vm.h"
#include "user/user.h"
#include "linux.h"

#define XV6_ROOT "/xv6" /* the directory that programs know as / */

/* Set by xv6.ld. */
extern char __session[], __user_start[], __data_start[], __guard[], __stack_bottom[], __heap[];

/* ---- session.c ---- */

/* Descriptors of the library's own, above those a program can have. */
#define FD_SESSION 32
#define FD_PROC    33 /* /proc of before the change of root; may be absent */

/*
 * One process. Slots are taken and given back without a lock, since SIGKILL may come at any instruction: `pid` is
 * taken by compare-and-swap, and what a dead process left is found by asking the kernel for its pid.
 */
struct slot {
	int pid; /* 0: free; < 0: being filled by process -pid */
	int exited;
	int status; /* given to exit(), when `exited` */
	uint pages; /* of heap that count against the budget */
};

#define SESSION_MAGIC 0x76367873
#define NR_SLOTS      (NPROC - 2) /* the classic kernel's init and shell take two */

struct session {
	uint magic;
	uint budget; /* pages of heap for all together: the classic machine's memory, or half of this one's */
	struct slot slots[NR_SLOTS];
};

#define SESSION ((struct session *)__session)

/* Joins the session named in the environment, or starts one; then args[0] loses its directories. Ends the process when
 * it cannot. */
void session_enter(char **args, char **envp);
/* A slot for a process to be, with that many pages. Null: too many processes, or too much memory. */
struct slot *session_reserve(uint pages);
struct slot *session_find(int pid);
/* Counts `pages` more for the caller. 0, or -1 when there are not so many. */
int session_grow(uint pages);
void session_shrink(uint pages);
/* Says why on descriptor 2 and ends the process. */
void die(const char *why) __attribute__((noreturn));

/* ---- memory.c ---- */

/* Whether the program may read (write) n bytes at p. Nothing is touched. */
int readable(const void *p, uint64 n);
int writable(const void *p, uint64 n);
/* How many bytes from p on lie in the process without a gap. */
uint64 bytes_from(const void *p);
/* Length of the string at p, when it ends within `max` bytes (the 0 included) and within the process; -1 else. */
int string_length(const char *p, int max);
uint heap_pages(void); /* that count against the budget */

/* ---- path.c ---- */

#define PATH_ROOM (MAXPATH + 2)

enum path_use {
	PATH_ANY,  /* "" is the current directory */
	PATH_NAME, /* names something to be made or removed: not "" */
};

/* The kernel's form of a program's path: names cut to DIRSIZ, one / between them. 0 or -1. */
int path_take(const char *from, char to[PATH_ROOM], enum path_use use);
/* Whether the last name is . or .. */
int path_ends_in_dots(const char *path);

/* ---- dir.c ---- */

/* read() of a directory. */
int dir_read(int fd, void *to, int n);
/* What the classic kernel would call its size: a record for each entry. */
uint64 dir_size(int fd, uint64 otherwise);

static inline int fd_ok(int fd)
{
	return fd >= 0 && fd < NOFILE;
}

#endif
