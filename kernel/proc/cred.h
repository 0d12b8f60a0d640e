/*
 * Credentials: an immutable, counted struct cred. Current alone replaces its own (under tasks_lock); others read
 * t->cred under tasks_lock.
 */
#pragma once

#include "fs/inode.h"
#include "lib/refcount.h"
#include "lib/types.h"

#define NGROUPS_MAX 65536

struct task;

struct cred_ref {
	struct refcount refs;
	struct cred cred;
	u32 groups[];
};

extern struct cred_ref cred_root; /* all zero; never freed */

struct cred_ref *cred_get(struct cred_ref *c);
void cred_put(struct cred_ref *c);
/* A private copy to change and then cred_commit; NULL: no memory. */
struct cred_ref *cred_clone(const struct cred_ref *c);
void cred_commit(struct cred_ref *fresh);
/* May current signal or look into t? Locks: tasks_lock held. */
bool cred_may_signal_locked(const struct task *t);
/* prlimit, setpriority, …: same real and effective ids, or root. Locks: tasks_lock held. */
bool cred_may_change_locked(const struct task *t);
