/*
 * Advisory locks: flock(2), POSIX record locks and open-file-description locks.
 *
 * A lock has an owner: the struct file for flock and OFD locks, the descriptor table for POSIX locks. Locks of one inode hang
 * in inode->locks. One mutex guards them all; waiters sleep on one queue and try again at each release.
 */
#pragma once

#include "lib/types.h"

struct fdtable;
struct file;
struct inode;

#define LOCK_SH 1
#define LOCK_EX 2
#define LOCK_NB 4
#define LOCK_UN 8

#define F_RDLCK 0
#define F_WRLCK 1
#define F_UNLCK 2

/* struct flock of fcntl(2) on riscv64. */
struct flock_k {
	s16 type, whence;
	s64 start, len;
	int pid;
};

enum record_cmd { RECORD_GET, RECORD_SET, RECORD_SET_WAIT };
enum record_owner { RECORD_POSIX, RECORD_OFD };

/* flock(2): -EWOULDBLOCK, -ERESTARTSYS, -EINVAL, -ENOLCK. */
int lock_flock(struct file *f, int op);
struct record_call {
	enum record_cmd cmd;
	enum record_owner owner;
	int fd;  /* of the caller's table; it was f when the call began */
	int pid; /* of the caller's process */
};

/* fcntl F_GETLK/F_SETLK/F_SETLKW and their OFD forms. -EAGAIN, -EDEADLK, -EBADF (also: closed meanwhile), -EINVAL, -EOVERFLOW. */
int lock_record(struct file *f, const struct record_call *call, struct flock_k *fl);
/* close(2) of any descriptor of the file by that table: its POSIX locks on the inode go. */
void lock_release_posix(struct file *f, struct fdtable *owner);
/* The last reference of f is gone. */
void lock_release_file(struct file *f);
/* The inode is being freed. */
void lock_release_inode(struct inode *inode);
