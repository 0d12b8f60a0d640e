/* User and group ids. */
#include "fs/inode.h"
#include "lib/errno.h"
#include "mm/slab.h"
#include "proc/cred.h"
#include "proc/proc.h"
#include "sys/sys.h"

long sys_getuid(SYSCALL_ARGS)
{
	return cred_current()->uid;
}

long sys_geteuid(SYSCALL_ARGS)
{
	return cred_current()->euid;
}

long sys_getgid(SYSCALL_ARGS)
{
	return cred_current()->gid;
}

long sys_getegid(SYSCALL_ARGS)
{
	return cred_current()->egid;
}

static long put_three(const u64 addrs[3], u32 r, u32 e, u32 s)
{
	return put_user_u32(uptr_make(addrs[0]), r) < 0 || put_user_u32(uptr_make(addrs[1]), e) < 0 ||
			put_user_u32(uptr_make(addrs[2]), s) < 0
		? -EFAULT
		: 0;
}

long sys_getresuid(SYSCALL_ARGS)
{
	const struct cred *c = cred_current();

	return put_three((u64[]){a0, a1, a2}, c->uid, c->euid, c->suid);
}

long sys_getresgid(SYSCALL_ARGS)
{
	const struct cred *c = cred_current();

	return put_three((u64[]){a0, a1, a2}, c->gid, c->egid, c->sgid);
}

long sys_setuid(SYSCALL_ARGS)
{
	return cred_setuid((u32)a0);
}

long sys_setgid(SYSCALL_ARGS)
{
	return cred_setgid((u32)a0);
}

long sys_setreuid(SYSCALL_ARGS)
{
	return cred_setreuid((u32)a0, (u32)a1);
}

long sys_setregid(SYSCALL_ARGS)
{
	return cred_setregid((u32)a0, (u32)a1);
}

long sys_setresuid(SYSCALL_ARGS)
{
	return cred_setresuid((u32)a0, (u32)a1, (u32)a2);
}

long sys_setresgid(SYSCALL_ARGS)
{
	return cred_setresgid((u32)a0, (u32)a1, (u32)a2);
}

long sys_setfsuid(SYSCALL_ARGS)
{
	return cred_setfsuid((u32)a0);
}

long sys_setfsgid(SYSCALL_ARGS)
{
	return cred_setfsgid((u32)a0);
}

long sys_getgroups(SYSCALL_ARGS)
{
	const struct cred *c = cred_current();

	if ((int)a0 < 0)
		return -EINVAL;
	if (a0 == 0)
		return c->nr_groups;
	if (a0 < c->nr_groups)
		return -EINVAL;
	if (copy_to_user(uptr_make(a1), c->groups, c->nr_groups * sizeof(u32)) < 0)
		return -EFAULT;
	return c->nr_groups;
}

long sys_setgroups(SYSCALL_ARGS)
{
	u32 *groups = NULL;
	long err;

	if (!cred_capable())
		return -EPERM;
	if (a0 > NGROUPS_MAX)
		return -EINVAL;
	if (a0) {
		groups = kmalloc(a0 * sizeof(u32), 0);
		if (!groups)
			return -ENOMEM;
		if (copy_from_user(groups, uptr_make(a1), a0 * sizeof(u32)) < 0) {
			kfree(groups);
			return -EFAULT;
		}
	}
	err = cred_setgroups(groups, (u32)a0);
	kfree(groups);
	return err;
}

long sys_umask(SYSCALL_ARGS)
{
	return fs_context_set_umask(fs_context_current(), (u32)a0 & 0777);
}

/* Capabilities: root has all, others none; there is no finer grain. */
struct cap_header {
	u32 version;
	int pid;
};
struct cap_data {
	u32 effective, permitted, inheritable;
};
#define CAP_VERSION_3 0x20080522u
#define CAP_ALL_LOW   0xffffffffu
#define CAP_ALL_HIGH  0x1ffu

long sys_capget(SYSCALL_ARGS)
{
	struct cap_header h;
	struct cap_data d[2] = {{0, 0, 0}, {0, 0, 0}};

	if (copy_from_user(&h, uptr_make(a0), sizeof(h)) < 0)
		return -EFAULT;
	if (h.version != CAP_VERSION_3) {
		if (put_user_u32(uptr_make(a0), CAP_VERSION_3) < 0)
			return -EFAULT;
		return a1 ? -EINVAL : 0;
	}
	if (!a1)
		return 0;
	if (cred_capable()) {
		d[0].effective = d[0].permitted = CAP_ALL_LOW;
		d[1].effective = d[1].permitted = CAP_ALL_HIGH;
	}
	return copy_to_user(uptr_make(a1), d, sizeof(d));
}

/* Dropping single capabilities is not supported; asking for no change is not an error. */
long sys_capset(SYSCALL_ARGS)
{
	struct cap_header h;

	if (copy_from_user(&h, uptr_make(a0), sizeof(h)) < 0)
		return -EFAULT;
	return h.version == CAP_VERSION_3 ? -EPERM : -EINVAL;
}
