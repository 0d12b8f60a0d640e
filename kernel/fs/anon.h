/*
 * Inodes without a name or a directory: pipes, event counters, epoll instances. They live on a superblock that is mounted
 * nowhere, and are freed at the last put.
 */
#pragma once

#include "lib/types.h"

struct file;
struct inode;

void anon_init(void);
/* mode: type and permissions; kind: "pipe", "[eventfd]", …, kept. Owner: the caller. NULL: no memory. */
struct inode *anon_inode_create(u32 mode, const char *kind);
/* "pipe:[17]" or "anon_inode:[eventfd]" as /proc/PID/fd shows it, in buf; NULL: f is an ordinary file. */
const char *file_anon_name(struct file *f, char *buf, size_t size);
