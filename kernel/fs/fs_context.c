/* Where a process stands: its root, its current directory, its umask. The paths are guarded by dcache_lock. */
#include "fs/fs.h"
#include "mm/slab.h"

/* Before the first process, and for kernel threads: the root of everything. */
static struct fs_context fs_context_kernel = {.umask = 022};

struct fs_context *fs_context_or_kernel(void)
{
	struct fs_context *c = fs_context_current();

	if (likely(c))
		return c;
	if (!fs_context_kernel.root.dentry && mount_root()) {
		fs_context_kernel.root = (struct path){mount_root(), mount_root()->root};
		fs_context_kernel.cwd = fs_context_kernel.root;
	}
	return &fs_context_kernel;
}

struct fs_context *fs_context_copy(struct fs_context *from)
{
	struct fs_context *c = kmalloc(sizeof(*c), 0);

	if (!c)
		return NULL;
	refcount_init(&c->refs, 1);
	fs_context_root(from, &c->root);
	fs_context_cwd(from, &c->cwd);
	c->umask = from->umask;
	return c;
}

struct fs_context *fs_context_create(void)
{
	struct fs_context *kernel = &fs_context_kernel;

	if (!kernel->root.dentry) {
		kernel->root = (struct path){mount_root(), mount_root()->root};
		kernel->cwd = kernel->root;
	}
	return fs_context_copy(kernel);
}

void fs_context_get(struct fs_context *c)
{
	refcount_get(&c->refs);
}

void fs_context_put(struct fs_context *c)
{
	if (!refcount_put(&c->refs))
		return;
	path_put(&c->root);
	path_put(&c->cwd);
	kfree(c);
}

static void fs_context_read(const struct path *from, struct path *out)
{
	spin_lock(&dcache_lock);
	mount_get(from->mount);
	dentry_get_locked(from->dentry);
	*out = *from;
	spin_unlock(&dcache_lock);
}

static void fs_context_write(struct path *to, const struct path *p)
{
	struct path old;

	path_get(p);
	spin_lock(&dcache_lock);
	old = *to;
	*to = *p;
	spin_unlock(&dcache_lock);
	path_put(&old);
}

void fs_context_cwd(struct fs_context *c, struct path *out)
{
	fs_context_read(&c->cwd, out);
}

void fs_context_root(struct fs_context *c, struct path *out)
{
	fs_context_read(&c->root, out);
}

void fs_context_set_cwd(struct fs_context *c, const struct path *p)
{
	fs_context_write(&c->cwd, p);
}

void fs_context_set_root(struct fs_context *c, const struct path *p)
{
	fs_context_write(&c->root, p);
}

u32 fs_context_umask(struct fs_context *c)
{
	return READ_ONCE(c->umask);
}

u32 fs_context_set_umask(struct fs_context *c, u32 mask)
{
	return __atomic_exchange_n(&c->umask, mask & 0777, __ATOMIC_RELAXED);
}
