/* Pipes and FIFOs: a ring of pages between writers and readers. */
#pragma once

#include "lib/types.h"

struct file;

#define PIPE_BUF          4096
#define PIPE_DEFAULT_SIZE 65536

/* out[0] reads, out[1] writes. flags: O_NONBLOCK, O_DIRECT refused by the caller. -ENOMEM, -ENFILE. */
int pipe_create(struct file *out[2], u32 flags);
/* open(2) of an S_IFIFO inode: waits for the other side as POSIX says; sets f->ops. -ENXIO, -ERESTARTSYS. */
int fifo_open(struct file *f);
/* F_GETPIPE_SZ / F_SETPIPE_SZ: bytes or -errno; -EBADF when f is no pipe. */
long pipe_size(struct file *f);
long pipe_set_size(struct file *f, u64 bytes);
void pipe_init(void);
