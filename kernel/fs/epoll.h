/* epoll(7): an instance is a file; each watched file calls back when something happens. */
#pragma once

#include "lib/types.h"
#include "mm/usercopy.h"

struct file;

int epoll_create_file(u32 flags, struct file **out);
/* op: 1 ADD, 2 DEL, 3 MOD. -EEXIST, -ENOENT, -ELOOP, -EPERM (file without poll), -EINVAL. */
long epoll_control(struct file *ep, int op, int fd, struct file *f, u32 events, u64 data);
/* Copies up to max struct epoll_event {u32 events; u32 pad; u64 data} out. Count, 0 at the deadline, -EINTR, -EFAULT. */
long epoll_wait_events(struct file *ep, struct uptr out, int max, u64 deadline_ns);
/* A watched file is being closed for good. Called by file_put. */
void epoll_forget(struct file *f);
