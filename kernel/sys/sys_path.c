/* Names: make, remove, rename, link; the working directory; mounts. */
#include "fs/file.h"
#include "lib/err.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/proc.h"
#include "sys/sys.h"
#include "sys/uapi/abi.h"

#define MNT_DETACH      2u
#define UMOUNT_NOFOLLOW 8u
#define MS_REMOUNT      32u
#define MS_BIND         4096u
#define MS_FLAGS        (MOUNT_RDONLY | MOUNT_NOSUID | MOUNT_NODEV | MOUNT_NOEXEC)

/* One (dirfd, name) pair fetched from user space. */
struct at_name {
	struct user_path up;
	struct at_dir dir;
};

static int at_name_get(struct at_name *n, int dirfd, u64 name)
{
	int err = user_path_get(&n->up, name);

	if (err < 0)
		return err;
	err = at_dir_get(&n->dir, dirfd, n->up.name);
	if (err < 0)
		user_path_put(&n->up);
	return err;
}

static void at_name_put(struct at_name *n)
{
	at_dir_put(&n->dir);
	user_path_put(&n->up);
}

long sys_mkdirat(SYSCALL_ARGS)
{
	struct at_name n;
	long err = at_name_get(&n, (int)a0, a1);

	if (err < 0)
		return err;
	err = path_mkdir(n.dir.path, n.up.name, (u32)a2 & 01777);
	at_name_put(&n);
	return err;
}

long sys_mknodat(SYSCALL_ARGS)
{
	struct at_name n;
	long err = at_name_get(&n, (int)a0, a1);

	if (err < 0)
		return err;
	err = path_mknod(n.dir.path, n.up.name, (u32)a2, (u32)a3);
	at_name_put(&n);
	return err;
}

long sys_unlinkat(SYSCALL_ARGS)
{
	struct at_name n;
	long err;

	if (a2 & ~(u64)AT_REMOVEDIR)
		return -EINVAL;
	err = at_name_get(&n, (int)a0, a1);
	if (err < 0)
		return err;
	err = a2 & AT_REMOVEDIR ? path_rmdir(n.dir.path, n.up.name) : path_unlink(n.dir.path, n.up.name);
	at_name_put(&n);
	return err;
}

long sys_symlinkat(SYSCALL_ARGS)
{
	struct user_path target;
	struct at_name n;
	long err = user_path_get(&target, a0);

	if (err < 0)
		return err;
	err = at_name_get(&n, (int)a1, a2);
	if (err == 0) {
		err = target.name[0] ? path_symlink(target.name, n.dir.path, n.up.name) : -ENOENT;
		at_name_put(&n);
	}
	user_path_put(&target);
	return err;
}

long sys_linkat(SYSCALL_ARGS)
{
	u32 walk = (a4 & AT_SYMLINK_FOLLOW ? WALK_FOLLOW : 0) | (a4 & AT_EMPTY_PATH ? WALK_EMPTY : 0);
	struct at_name n;
	struct path old;
	long err;

	if (a4 & ~(u64)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	err = user_walk((int)a0, a1, walk, &old);
	if (err < 0)
		return err;
	err = at_name_get(&n, (int)a2, a3);
	if (err == 0) {
		err = path_link(&old, n.dir.path, n.up.name);
		at_name_put(&n);
	}
	path_put(&old);
	return err;
}

static long rename_at(int old_fd, u64 old_name, int new_fd, u64 new_name, u32 flags)
{
	struct at_name from, to;
	long err = at_name_get(&from, old_fd, old_name);

	if (err < 0)
		return err;
	err = at_name_get(&to, new_fd, new_name);
	if (err == 0) {
		err = path_rename(from.dir.path, from.up.name, to.dir.path, to.up.name, flags);
		at_name_put(&to);
	}
	at_name_put(&from);
	return err;
}

long sys_renameat(SYSCALL_ARGS)
{
	return rename_at((int)a0, a1, (int)a2, a3, 0);
}

long sys_renameat2(SYSCALL_ARGS)
{
	if ((a4 & ~3ul) || a4 == (RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	return rename_at((int)a0, a1, (int)a2, a3, (u32)a4);
}

long sys_readlinkat(SYSCALL_ARGS)
{
	struct path p;
	char *buf;
	long n;

	if ((int)a3 <= 0)
		return -EINVAL;
	n = user_walk((int)a0, a1, WALK_EMPTY, &p);
	if (n < 0)
		return n;
	buf = kmalloc(PATH_MAX, 0);
	n = buf ? path_readlink(&p, buf, PATH_MAX) : -ENOMEM;
	path_put(&p);
	if (n > 0) {
		n = MIN(n, (long)(int)a3);
		if (copy_to_user(uptr_make(a2), buf, (size_t)n) < 0)
			n = -EFAULT;
	}
	kfree(buf);
	return n;
}

/* ---- where the process stands ---- */

static long check_directory(const struct path *p)
{
	struct inode *inode = path_inode(p);

	return S_ISDIR(inode->mode) ? inode_permission(inode, 1) : -ENOTDIR;
}

long sys_chdir(SYSCALL_ARGS)
{
	struct path p;
	long err = user_walk(AT_FDCWD, a0, WALK_FOLLOW | WALK_DIRECTORY, &p);

	if (err < 0)
		return err;
	err = check_directory(&p);
	if (err == 0)
		fs_context_set_cwd(fs_context_current(), &p);
	path_put(&p);
	return err;
}

long sys_fchdir(SYSCALL_ARGS)
{
	struct file *f = fd_get(fdtable_current(), (int)a0);
	long err;

	if (!f)
		return -EBADF;
	err = f->path.dentry ? check_directory(&f->path) : -ENOTDIR;
	if (err == 0)
		fs_context_set_cwd(fs_context_current(), &f->path);
	file_put(f);
	return err;
}

long sys_chroot(SYSCALL_ARGS)
{
	struct path p;
	long err = user_walk(AT_FDCWD, a0, WALK_FOLLOW | WALK_DIRECTORY, &p);

	if (err < 0)
		return err;
	err = check_directory(&p);
	if (err == 0 && !cred_capable())
		err = -EPERM;
	if (err == 0)
		fs_context_set_root(fs_context_current(), &p);
	path_put(&p);
	return err;
}

long sys_getcwd(SYSCALL_ARGS)
{
	struct path cwd;
	char *buf = kmalloc(PATH_MAX, 0);
	char *name;
	long n;

	if (!buf)
		return -ENOMEM;
	fs_context_cwd(fs_context_current(), &cwd);
	name = path_name(&cwd, buf, PATH_MAX);
	path_put(&cwd);
	if (IS_ERR(name)) {
		n = PTR_ERR(name);
	} else {
		n = (long)strlen(name) + 1;
		if (a1 < (u64)n)
			n = -ERANGE;
		else if (copy_to_user(uptr_make(a0), name, (size_t)n) < 0)
			n = -EFAULT;
	}
	kfree(buf);
	return n;
}

/* ---- mounts ---- */

/* An optional string argument. NULL stays NULL (empty). */
static int optional_string(struct user_path *up, u64 addr)
{
	if (addr)
		return user_path_get(up, addr);
	up->heap = NULL;
	up->name = up->small;
	up->small[0] = '\0';
	return 0;
}

static long mount_strings(
	const char *source, const struct path *where, const char *type, u32 flags, const char *options)
{
	struct path from;
	long err;

	if (flags & MS_REMOUNT)
		return mount_remount(where, flags & MS_FLAGS, options);
	if (!(flags & MS_BIND))
		return mount_add(source, where, type, flags & MS_FLAGS, options);
	err = path_walk(NULL, source, WALK_FOLLOW, &from);
	if (err == 0) {
		err = mount_bind(&from, where);
		path_put(&from);
	}
	return err;
}

long sys_mount(SYSCALL_ARGS)
{
	struct user_path source, type, options;
	struct path where;
	long err;

	if (!cred_capable())
		return -EPERM;
	err = optional_string(&source, a0);
	if (err < 0)
		return err;
	err = optional_string(&type, a2);
	if (err < 0)
		goto out_source;
	err = optional_string(&options, a4);
	if (err < 0)
		goto out_type;
	err = user_walk(AT_FDCWD, a1, WALK_FOLLOW, &where);
	if (err < 0)
		goto out_options;
	err = mount_strings(source.name, &where, type.name, (u32)a3, options.name);
	path_put(&where);
out_options:
	user_path_put(&options);
out_type:
	user_path_put(&type);
out_source:
	user_path_put(&source);
	return err;
}

long sys_umount2(SYSCALL_ARGS)
{
	struct path where;
	long err;

	if (a1 & ~(u64)(MNT_DETACH | UMOUNT_NOFOLLOW | 1u /* MNT_FORCE: as without */))
		return -EINVAL;
	if (!cred_capable())
		return -EPERM;
	err = user_walk(AT_FDCWD, a0, a1 & UMOUNT_NOFOLLOW ? 0 : WALK_FOLLOW, &where);
	if (err < 0)
		return err;
	err = mount_remove(&where, (u32)a1 & MNT_DETACH);
	path_put(&where);
	return err;
}
