/*
 * The walk from a string to a place. Cached names are gone over under dcache_lock without touching a reference count;
 * a miss, a symlink or a permission hook pins the place (walk_unlock), works without the lock, and goes on.
 */
#include "fs/fs.h"
#include "lib/err.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"

void path_get(const struct path *p)
{
	if (p->mount)
		mount_get(p->mount);
	dentry_get(p->dentry);
}

void path_put(const struct path *p)
{
	dentry_put(p->dentry);
	if (p->mount)
		mount_put(p->mount);
}

struct inode *path_inode(const struct path *p)
{
	return p->dentry->inode;
}

/* ---- pins ---- */

static void walk_put_pins(const struct path *pin, struct dentry *child)
{
	if (pin->dentry)
		path_put(pin);
	if (child)
		dentry_put(child);
}

void walk_unlock(struct walk *w)
{
	struct path old = w->pin;
	struct dentry *child = w->pin_child;

	mount_get(w->place.mount);
	dentry_get_locked(w->place.dentry);
	w->pin = w->place;
	w->pin_child = NULL;
	spin_unlock(&dcache_lock);
	walk_put_pins(&old, child);
}

void walk_abort(struct walk *w)
{
	walk_put_pins(&w->pin, w->pin_child);
	kfree(w->owned);
}

void walk_end(struct walk *w)
{
	spin_unlock(&dcache_lock);
	walk_abort(w);
}

void walk_take(struct walk *w, struct path *out)
{
	mount_get(w->place.mount);
	dentry_get_locked(w->place.dentry);
	*out = w->place;
	spin_unlock(&dcache_lock);
	if (unlikely(w->pin.dentry || w->owned))
		walk_abort(w);
}

int walk_start(struct walk *w, const struct path *dir, const char *name)
{
	w->pin.mount = NULL;
	w->pin.dentry = NULL;
	w->pin_child = NULL;
	w->owned = NULL;
	w->nr_links = 0;
	w->cursor = name;
	w->ctx = fs_context_or_kernel();
	spin_lock(&dcache_lock);
	if (*name == '/')
		w->place = w->ctx->root;
	else
		w->place = dir ? *dir : w->ctx->cwd;
	if (likely(w->place.dentry))
		return 0;
	spin_unlock(&dcache_lock);
	return -ENOENT;
}

/* ---- steps ---- */

static bool path_same(const struct path *a, const struct path *b)
{
	return a->dentry == b->dentry && a->mount == b->mount;
}

/* ".." — not above the process's root, and out of a mounted tree into where it is mounted. */
static void walk_up(struct walk *w)
{
	struct path *p = &w->place;

	for (;;) {
		if (path_same(p, &w->ctx->root))
			break;
		if (p->dentry != p->mount->root) {
			p->dentry = p->dentry->parent;
			break;
		}
		if (!p->mount->parent)
			break;
		p->dentry = p->mount->mountpoint;
		p->mount = p->mount->parent;
	}
	mount_cross_down_locked(p);
}

/* The slow half of a step: asks the file system. Locked before and after; the child is pinned. */
static int walk_lookup(struct walk *w, const struct qstr *name, u32 hash, struct dentry **out)
{
	struct inode *dir;
	struct dentry *child;
	int err;

	walk_unlock(w);
	dir = w->place.dentry->inode;
	rwlock_read_lock(&dir->lock);
	err = dentry_lookup(w->place.dentry, name, hash, &child);
	if (!err && !child->inode && ((dir->ops && dir->ops->revalidate) || dir->sb->type->dynamic)) {
		/* Not to be remembered: the name may appear by itself. Under the lock: nobody is about to give it an inode. */
		dentry_unhash(child);
		dentry_put(child);
		err = -ENOENT;
	}
	rwlock_read_unlock(&dir->lock);
	spin_lock(&dcache_lock);
	if (err)
		return err;
	w->pin_child = child;
	*out = child;
	return 0;
}

/* A cached name of a file system whose names come and go. */
static int walk_revalidate(struct walk *w, struct dentry *d)
{
	struct inode *inode = d->inode;
	int valid;

	dentry_get_locked(d);
	walk_unlock(w);
	w->pin_child = d;
	valid = inode->ops->revalidate(inode);
	if (!valid)
		dentry_unhash(d);
	spin_lock(&dcache_lock);
	return valid;
}

static int walk_child(struct walk *w, const struct qstr *name, u32 hash, struct dentry **out)
{
	struct dentry *d = dentry_find_locked(w->place.dentry, name->name, name->len, hash);

	if (unlikely(!d))
		return walk_lookup(w, name, hash, out);
	if (unlikely(d->inode && d->inode->ops && d->inode->ops->revalidate) && !walk_revalidate(w, d))
		return walk_lookup(w, name, hash, out);
	*out = d;
	return 0;
}

static int walk_may_search(struct walk *w)
{
	int err = perm_may_search_locked(w->place.dentry->inode);

	if (unlikely(err == -EAGAIN)) {
		walk_unlock(w);
		err = inode_permission(w->place.dentry->inode, MAY_EXEC);
		spin_lock(&dcache_lock);
	}
	return err;
}

/* Puts the link's text before the rest of the name. Not locked. */
static int walk_splice_text(struct walk *w, struct inode *link)
{
	size_t rest = strlen(w->cursor);
	char *text = kmalloc(PATH_MAX, 0), *joined;
	int len;

	if (!text)
		return -ENOMEM;
	len = link->ops->readlink ? link->ops->readlink(link, text, PATH_MAX) : -EINVAL;
	if (len == 0)
		len = -ENOENT;
	if (len < 0) {
		kfree(text);
		return len;
	}
	joined = kmalloc((size_t)len + rest + 1, 0);
	if (joined) {
		memcpy(joined, text, (size_t)len);
		memcpy(joined + len, w->cursor, rest + 1);
		kfree(w->owned);
		w->owned = joined;
		w->cursor = joined;
	}
	kfree(text);
	return joined ? 0 : -ENOMEM;
}

/* The rest of the name still begins with the slashes after the link's own component, so that text + rest is the new name. */
int walk_push_link(struct walk *w, struct dentry *link)
{
	struct inode *inode = link->inode;
	struct path target;
	int err;

	if (++w->nr_links > SYMLOOP_MAX)
		return -ELOOP;
	dentry_get_locked(link);
	walk_unlock(w);
	w->pin_child = link;
	if (inode->ops->follow) {
		err = inode->ops->follow(inode, &target);
		if (!err) {
			walk_put_pins(&w->pin, NULL);
			w->pin = target;
			w->place = target;
		}
		spin_lock(&dcache_lock);
		return err;
	}
	err = walk_splice_text(w, inode);
	spin_lock(&dcache_lock);
	if (!err && w->cursor[0] == '/')
		w->place = w->ctx->root;
	return err;
}

/* Scans one component from the cursor: w->last and its hash, kind and following slashes; the cursor moves behind its letters. */
static int walk_scan(struct walk *w)
{
	const char *s = w->cursor;
	u64 h = 0;
	u32 len = 0;

	for (; s[len] && s[len] != '/'; len++)
		h = (h + (u8)s[len]) * 0x9e3779b1u;
	w->last.name = s;
	w->last.len = len;
	w->last_hash = (u32)(h ^ (h >> 32));
	w->last_kind = LAST_NORMAL;
	if (s[0] == '.' && len <= 2) {
		if (len == 1)
			w->last_kind = LAST_DOT;
		else if (s[1] == '.')
			w->last_kind = LAST_DOTDOT;
	}
	w->cursor = s + len;
	return len > NAME_MAX ? -ENAMETOOLONG : 0;
}

static int walk_to_child(struct walk *w, enum walk_follow follow)
{
	struct dentry *child;
	int err = walk_child(w, &w->last, w->last_hash, &child);

	if (err)
		return err;
	if (!child->inode)
		return -ENOENT;
	if (unlikely(S_ISLNK(child->inode->mode)) && follow == WALK_LAST_FOLLOW)
		return walk_push_link(w, child);
	w->place.dentry = child;
	if (unlikely(child->mounted))
		mount_cross_down_locked(&w->place);
	return 0;
}

static int walk_step(struct walk *w, enum walk_follow follow)
{
	if (likely(w->last_kind == LAST_NORMAL))
		return walk_to_child(w, follow);
	if (w->last_kind == LAST_DOTDOT)
		walk_up(w);
	return 0;
}

/* Slashes at the very end belong to the last component. */
static bool walk_only_slashes(const char *s)
{
	while (*s == '/')
		s++;
	return !*s;
}

int walk_to_parent(struct walk *w)
{
	int err;

	for (;;) {
		struct inode *inode = w->place.dentry->inode;

		while (*w->cursor == '/')
			w->cursor++;
		if (!*w->cursor) {
			w->last_kind = LAST_ROOT;
			w->last.len = 0;
			w->slashes = 0;
			return S_ISDIR(inode->mode) ? 0 : -ENOTDIR;
		}
		if (!S_ISDIR(inode->mode))
			return -ENOTDIR;
		err = walk_may_search(w);
		if (!err)
			err = walk_scan(w);
		if (err)
			return err;
		if (!*w->cursor) {
			w->slashes = 0;
			return 0;
		}
		if (walk_only_slashes(w->cursor)) {
			w->slashes = 1;
			return 0;
		}
		err = walk_step(w, WALK_LAST_FOLLOW);
		if (err)
			return err;
	}
}

int walk_last(struct walk *w, enum walk_follow follow)
{
	int err;

	for (;;) {
		u32 links = w->nr_links;
		u32 slashes = w->slashes;

		if (w->last_kind == LAST_ROOT)
			return 0;
		err = walk_step(w, slashes ? WALK_LAST_FOLLOW : follow);
		if (err)
			return err;
		if (w->nr_links == links || (w->pin_child && w->pin_child->inode->ops->follow))
			return slashes && !S_ISDIR(w->place.dentry->inode->mode) ? -ENOTDIR : 0;
		err = walk_to_parent(w);
		if (err)
			return err;
	}
}

int path_walk(const struct path *dir, const char *name, u32 flags, struct path *out)
{
	struct walk w;
	int err;

	if (unlikely(!*name)) {
		if (!(flags & WALK_EMPTY))
			return -ENOENT;
		if (dir) {
			path_get(dir);
			*out = *dir;
		} else {
			fs_context_cwd(fs_context_or_kernel(), out);
		}
		return 0;
	}
	err = walk_start(&w, dir, name);
	if (err)
		return err;
	err = walk_to_parent(&w);
	if (!err)
		err = walk_last(&w, flags & WALK_FOLLOW ? WALK_LAST_FOLLOW : WALK_LAST_NOFOLLOW);
	if (!err && (flags & WALK_DIRECTORY) && !S_ISDIR(w.place.dentry->inode->mode))
		err = -ENOTDIR;
	if (unlikely(err)) {
		walk_end(&w);
		return err;
	}
	walk_take(&w, out);
	return 0;
}

int walk_parent(struct walk *w, const struct path *dir, const char *name)
{
	int err;

	if (!*name)
		return -ENOENT;
	err = walk_start(w, dir, name);
	if (err)
		return err;
	err = walk_to_parent(w);
	if (err) {
		walk_end(w);
		return err;
	}
	walk_unlock(w);
	return 0;
}

int path_walk_parent(const struct path *dir, const char *name, struct path_parent *out)
{
	struct walk w;
	int err = walk_parent(&w, dir, name);

	if (err)
		return err;
	out->buf = kmalloc(w.last.len + 1, 0);
	if (!out->buf) {
		walk_abort(&w);
		return -ENOMEM;
	}
	memcpy(out->buf, w.last.name, w.last.len);
	out->buf[w.last.len] = 0;
	out->last = out->buf;
	out->len = w.last.len;
	out->trailing_slash = w.slashes;
	out->last_kind = w.last_kind;
	path_get(&w.pin);
	out->dir = w.pin;
	walk_abort(&w);
	return 0;
}

void path_parent_put(struct path_parent *pp)
{
	path_put(&pp->dir);
	kfree(pp->buf);
}

/* ---- from a place to its name ---- */

struct name_builder {
	char *buf, *at;
	int err;
};

static void name_prepend(struct name_builder *b, const char *text, size_t len)
{
	if (b->err || (size_t)(b->at - b->buf) < len) {
		b->err = -ERANGE;
		return;
	}
	b->at -= len;
	memcpy(b->at, text, len);
}

/* Locks: dcache_lock. */
static void name_build(struct name_builder *b, struct path p, const struct path *root)
{
	char *end = b->at;

	if (p.mount == NULL) {
		name_prepend(b, p.dentry->name, p.dentry->len);
		return;
	}
	while (!path_same(&p, root)) {
		if (p.mount && p.dentry == p.mount->root) {
			if (!p.mount->parent) {
				/* Passed the process's root without meeting it (chroot), or a detached mount. */
				if (b->at == end)
					name_prepend(b, "/", 1);
				name_prepend(b, "(unreachable)", 13);
				break;
			}
			p.dentry = p.mount->mountpoint;
			p.mount = p.mount->parent;
			continue;
		}
		if (p.dentry->parent == p.dentry)
			break;
		name_prepend(b, p.dentry->name, p.dentry->len);
		name_prepend(b, "/", 1);
		p.dentry = p.dentry->parent;
	}
	if (b->at == end)
		name_prepend(b, "/", 1);
}

static char *path_build(const struct path *p, char *buf, size_t size, u32 dirs_too)
{
	struct name_builder b = {.buf = buf, .at = buf + size};
	struct fs_context *ctx = fs_context_or_kernel();
	struct path root;
	bool deleted;

	name_prepend(&b, "", 1);
	spin_lock(&dcache_lock);
	root = ctx->root;
	deleted = !dentry_is_hashed(p->dentry);
	if (deleted && !dirs_too && S_ISDIR(p->dentry->inode->mode)) {
		spin_unlock(&dcache_lock);
		return ERR_PTR(-ENOENT);
	}
	if (deleted) {
		b.at++;
		name_prepend(&b, " (deleted)", 11);
	}
	name_build(&b, *p, &root);
	spin_unlock(&dcache_lock);
	return b.err ? ERR_PTR(b.err) : b.at;
}

char *path_name(const struct path *p, char *buf, size_t size)
{
	return path_build(p, buf, size, 0);
}

char *path_describe(const struct path *p, char *buf, size_t size)
{
	return path_build(p, buf, size, 1);
}

int path_readlink(const struct path *p, char *buf, size_t size)
{
	struct inode *inode = path_inode(p);
	char *text;
	int len;

	if (!S_ISLNK(inode->mode) || !inode->ops->readlink)
		return -EINVAL;
	if (size >= PATH_MAX)
		return inode->ops->readlink(inode, buf, size);
	text = kmalloc(PATH_MAX, 0);
	if (!text)
		return -ENOMEM;
	len = inode->ops->readlink(inode, text, PATH_MAX);
	if (len > 0) {
		len = (int)MIN((size_t)len, size);
		memcpy(buf, text, (size_t)len);
	}
	kfree(text);
	return len;
}
