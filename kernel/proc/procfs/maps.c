/* A process's memory: maps, the page table as text, mem. */
#include "arch/riscv/layout.h"
#include "lib/err.h"
#include "lib/errno.h"
#include "mm/aspace.h"
#include "mm/pagetable.h"
#include "mm/slab.h"
#include "mm/uio.h"
#include "proc/procfs/maps.h"
#include "proc/procfs/procfs.h"
#include "sync/sched.h"

#define MAPS_BATCH 32

void maps_line_take(struct maps_line *l, struct vma *v)
{
	*l = (struct maps_line){
		.start = v->start,
		.end = v->end,
		.flags = v->flags,
		.max_prot = v->max_prot,
		.off = v->obj ? v->pgoff << PAGE_SHIFT : 0,
		.file = v->file,
	};
	if (v->file)
		file_get(v->file);
}

void maps_line_done(struct maps_line *l)
{
	if (l->file)
		file_put(l->file);
}

/* Up to MAPS_BATCH VMAs from `from` on. */
static u32 maps_collect(struct aspace *as, vaddr_t from, struct maps_line *lines)
{
	u32 nr = 0;

	rwlock_read_lock(&as->lock);
	for (struct vma *v = vma_find(&as->vmas, from); v && nr < MAPS_BATCH; v = vma_next(v))
		maps_line_take(&lines[nr++], v);
	rwlock_read_unlock(&as->lock);
	return nr;
}

const char *maps_special_name(vaddr_t start, u32 flags)
{
	if (start == USER_USYSCALL)
		return "[usyscall]";
	if (flags & VMA_SPECIAL)
		return flags & VMA_EXEC ? "[vdso]" : "[vvar]";
	if (flags & VMA_STACK)
		return "[stack]";
	return flags & VMA_HEAP ? "[heap]" : NULL;
}

static void maps_file_name(struct text *t, struct file *f, char *buf)
{
	struct path p;
	char *name;

	if (file_path(f, &p) != 0)
		return;
	name = path_describe(&p, buf, PATH_MAX);
	path_put(&p);
	if (!IS_ERR(name))
		text_escape(t, name, "\n");
}

void maps_line_show(struct text *t, const struct maps_line *l, char *buf)
{
	const struct inode *inode = l->file ? l->file->inode : NULL;
	u32 dev = inode && inode->sb ? inode->sb->dev : 0;
	const char *name = maps_special_name(l->start, l->flags);
	u64 line_start = t->len;

	text_printf(t, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu ", l->start, l->end, l->flags & VMA_READ ? 'r' : '-',
		l->flags & VMA_WRITE ? 'w' : '-', l->flags & VMA_EXEC ? 'x' : '-', l->flags & VMA_SHARED ? 's' : 'p',
		inode ? l->off : 0, dev >> 8 & 0xfff, (dev & 0xff) | (dev >> 12 & 0xfff00), inode ? inode->ino : 0);
	if (l->file || name)
		text_pad(t, line_start, MAPS_NAME_COLUMN);
	if (l->file)
		maps_file_name(t, l->file, buf);
	else if (name)
		text_puts(t, name);
	text_puts(t, "\n");
}

static int maps_show_all(struct text *t, struct aspace *as)
{
	struct maps_line *lines = kmalloc(MAPS_BATCH * sizeof(*lines), 0);
	char *buf = kmalloc(PATH_MAX, 0);
	vaddr_t at = 0;
	int err = lines && buf ? 0 : -ENOMEM;
	u32 nr = MAPS_BATCH;

	while (!err && nr == MAPS_BATCH && !t->err) {
		nr = maps_collect(as, at, lines);
		for (u32 i = 0; i < nr; i++) {
			maps_line_show(t, &lines[i], buf);
			at = lines[i].end;
			maps_line_done(&lines[i]);
		}
		sched_point();
	}
	kfree(buf);
	kfree(lines);
	return err;
}

int show_maps(struct text *t, const struct proc_node *n)
{
	struct aspace *as = NULL;
	int err = node_aspace(n, &as);

	if (as) {
		err = maps_show_all(t, as);
		aspace_put(as);
	}
	return err;
}

/* ---- the page table ---- */

static void pagetable_emit(void *arg, const char *s, size_t len)
{
	text_add(arg, s, len);
}

/* pt_print runs under a spinlock: room is made before, and more of it as long as it was too little. */
static int pagetable_show(struct text *t, struct pagetable *pt, enum pt_print what)
{
	u64 room = 8 * PAGE_SIZE;

	for (int tries = 0; tries < 8; tries++) {
		int err = text_reserve(t, room);

		if (err)
			return err;
		text_clear(t);
		t->no_grow = 1;
		pt_print(pt, what, pagetable_emit, t);
		t->no_grow = 0;
		if (!t->missing)
			return 0;
		room = t->len + t->missing + PAGE_SIZE;
		room += room / 8;
		sched_point();
	}
	return -EAGAIN;
}

static int node_pagetable_show(struct text *t, const struct proc_node *n, enum pt_print what)
{
	struct aspace *as = NULL;
	int err = node_aspace(n, &as);

	if (as) {
		err = pagetable_show(t, &as->pt, what);
		aspace_put(as);
	}
	return err;
}

int show_pagetable(struct text *t, const struct proc_node *n)
{
	return node_pagetable_show(t, n, PT_PRINT_USER);
}

int show_pagetable_all(struct text *t, const struct proc_node *n)
{
	return node_pagetable_show(t, n, PT_PRINT_ALL);
}

int show_kernel_pagetable(struct text *t, const struct proc_node *n)
{
	return pagetable_show(t, &kernel_pagetable, PT_PRINT_ALL);
}

/* ---- mem: the process's memory at its own addresses ---- */

enum mem_way { MEM_READ, MEM_WRITE };

/* One piece through buf. Bytes, 0 at the end, -errno. */
static ssize_t mem_piece(struct aspace *as, struct uio *uio, s64 *pos, u8 *buf, enum mem_way way)
{
	u64 n = MIN(uio->count, PAGE_SIZE - ((u64)*pos & ~PAGE_MASK));
	ssize_t done;
	int err = 0;

	if (way == MEM_WRITE) {
		err = uio_copy_from(uio, buf, n);
		done = err ? err : aspace_write(as, (vaddr_t)*pos, buf, n);
	} else {
		done = aspace_read(as, (vaddr_t)*pos, buf, n);
		if (done > 0)
			err = uio_copy_to(uio, buf, (size_t)done);
	}
	if (err)
		return err;
	if (done == -EFAULT)
		return -EIO;
	if (done > 0)
		*pos += done;
	return done;
}

static ssize_t mem_transfer(struct file *f, struct uio *uio, s64 *pos, enum mem_way way)
{
	struct aspace *as = NULL;
	ssize_t done = 0, n = node_aspace(f->inode->private, &as);
	u8 *buf;

	if (!as)
		return n;
	buf = kmalloc(PAGE_SIZE, 0);
	n = buf ? 1 : -ENOMEM;
	while (n > 0 && uio->count) {
		n = mem_piece(as, uio, pos, buf, way);
		if (n > 0)
			done += n;
	}
	kfree(buf);
	aspace_put(as);
	return done || n > 0 ? done : n;
}

static ssize_t mem_read(struct file *f, struct uio *uio, s64 *pos)
{
	return mem_transfer(f, uio, pos, MEM_READ);
}

static ssize_t mem_write(struct file *f, struct uio *uio, s64 *pos)
{
	return mem_transfer(f, uio, pos, MEM_WRITE);
}

const struct file_ops mem_file_ops = {.read = mem_read, .write = mem_write};
