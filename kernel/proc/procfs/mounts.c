/* What is mounted where. */
#include "fs/fs.h"
#include "lib/errno.h"
#include "lib/err.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/procfs/procfs.h"

#define MOUNT_ESCAPES " \t\n#"

static int mount_line(void *arg, const char *source, const char *where, const char *type, const char *options)
{
	struct text *t = arg;

	text_escape(t, source, MOUNT_ESCAPES);
	text_puts(t, " ");
	text_escape(t, where, MOUNT_ESCAPES);
	text_printf(t, " %s %s 0 0\n", type, options);
	return t->err;
}

int show_mounts(struct text *t, const struct proc_node *n)
{
	mount_for_each(mount_line, t);
	return 0;
}

/* ---- mountinfo ---- */

#define MOUNTINFO_MAX  128
#define MOUNT_ID_FIRST 20

struct mountinfo {
	struct text *text;
	u32 nr;
	char *buf;                               /* PATH_MAX */
	const struct mount *seen[MOUNTINFO_MAX]; /* only compared */
};

/* The number of a mount listed before; that of the root mount's (absent) parent otherwise. */
static u32 mount_id(const struct mountinfo *info, const struct mount *m)
{
	for (u32 i = 0; i < info->nr; i++) {
		if (info->seen[i] == m)
			return MOUNT_ID_FIRST + i;
	}
	return 1;
}

/* Which directory of the file system a mount shows: its end is in info->buf. */
static const char *mount_root_name(const struct mountinfo *info, const struct mount *m)
{
	char *at = info->buf + PATH_MAX - 1;

	*at = 0;
	spin_lock(&dcache_lock);
	for (const struct dentry *d = m->root; d->parent != d && (size_t)(at - info->buf) > d->len; d = d->parent) {
		at -= d->len;
		memcpy(at, d->name, d->len);
		*--at = '/';
	}
	spin_unlock(&dcache_lock);
	return *at ? at : "/";
}

static int mountinfo_line(void *arg, const char *source, const char *where, const char *type, const char *options)
{
	struct mountinfo *info = arg;
	struct text *t = info->text;
	const char *comma = strchr(options, ',');
	struct path p;
	u32 dev, parent;

	if (path_walk(NULL, where, WALK_FOLLOW, &p) != 0)
		return 0;
	/* What another mount covers is not reached by its name, and not listed. */
	if (p.dentry != p.mount->root || info->nr == MOUNTINFO_MAX || mount_id(info, p.mount) != 1) {
		path_put(&p);
		return 0;
	}
	parent = mount_id(info, p.mount->parent);
	dev = mount_sb(p.mount)->dev;
	info->seen[info->nr] = p.mount;
	text_printf(t, "%u %u %u:%u ", MOUNT_ID_FIRST + info->nr, parent, dev >> 8 & 0xfff,
		(dev & 0xff) | (dev >> 12 & 0xfff00));
	info->nr++;
	text_escape(t, mount_root_name(info, p.mount), MOUNT_ESCAPES);
	text_puts(t, " ");
	text_escape(t, where, MOUNT_ESCAPES);
	text_printf(t, " %s - %s ", options, type);
	text_escape(t, source, MOUNT_ESCAPES);
	text_puts(t, " ");
	text_add(t, options, comma ? (size_t)(comma - options) : strlen(options));
	text_puts(t, "\n");
	path_put(&p);
	return t->err;
}

int show_mountinfo(struct text *t, const struct proc_node *n)
{
	struct mountinfo *info = kzalloc(sizeof(*info), 0);
	int err = -ENOMEM;

	if (!info)
		return err;
	info->text = t;
	info->buf = kmalloc(PATH_MAX, 0);
	if (info->buf) {
		mount_for_each(mountinfo_line, info);
		err = 0;
	}
	kfree(info->buf);
	kfree(info);
	return err;
}
