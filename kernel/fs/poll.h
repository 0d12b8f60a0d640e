/*
 * Waiting for several files at once. A file's poll() reports what is ready now and, given a sink, adds the queues that
 * will be woken when that changes.
 */
#pragma once

#include "lib/types.h"

struct file;

struct pollfd_k { /* struct pollfd */
	int fd;
	s16 events, revents;
};

/*
 * Fills revents. Returns how many are non-zero, 0 at the deadline (absolute monotonic ns; ~0: none; 0: do not wait),
 * -EINTR when a signal came, -ENOMEM. Descriptors are looked up in the caller's table; a closed one gives POLLNVAL.
 */
long poll_files(struct pollfd_k *fds, u32 nr, u64 deadline_ns);
/* select(2) on bitmaps of nr bits, kernel copies; NULL: not asked. They hold the result. -EBADF for a closed descriptor. */
long select_files(u32 nr, u64 *in, u64 *out, u64 *except, u64 deadline_ns);
/* What is ready now (POLL* bits). */
u32 file_poll_now(struct file *f);
