/* Names in reports: mappings as /proc/PID/maps has them, and the function and line of code, from the file it was mapped from. */
#include "fs/file.h"
#include "lib/err.h"
#include "lib/errno.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/uio.h"
#include "proc/explain_priv.h"
#include "proc/procfs/maps.h"
#include "sync/sched.h"

#define READ_BUDGET   (4ul << 20) /* bytes of the file that one look-up may read */
#define PATH_SHOWN    100         /* of a longer path, its end */
#define NAME_TEXT_MAX (PATH_SHOWN + 8)

struct place_work *place_work_create(void)
{
	struct place_work *w = kmalloc(sizeof(*w), 0);

	if (!w)
		return NULL;
	w->path = kmalloc(PATH_MAX, 0);
	if (!w->path) {
		kfree(w);
		return NULL;
	}
	return w;
}

void place_work_destroy(struct place_work *w)
{
	kfree(w->path);
	kfree(w);
}

void text_tame(const char *from, char *buf, size_t size)
{
	size_t n = 0;

	for (; *from && n + 1 < size; from++)
		buf[n++] = char_is_print(*from) ? *from : '?';
	buf[n] = 0;
}

/* ---- names ---- */

static void name_of_file(struct place_work *w, struct file *f, char *buf, size_t size)
{
	struct path p;
	char *name;
	size_t len;

	buf[0] = 0;
	if (file_path(f, &p) != 0)
		return;
	name = path_describe(&p, w->path, PATH_MAX);
	path_put(&p);
	if (IS_ERR(name))
		return;
	len = strlen(name);
	if (len <= PATH_SHOWN) {
		text_tame(name, buf, size);
	} else {
		memcpy(buf, "...", 3);
		text_tame(name + len - PATH_SHOWN, buf + 3, size - 3);
	}
}

static void name_of_vma(struct place_work *w, const struct where_vma *v, char *buf, size_t size)
{
	const char *special = maps_special_name(v->start, v->flags);

	if (v->file)
		name_of_file(w, v->file, buf, size);
	else
		strscpy(buf, special ? special : "", size);
}

void place_mapping(struct place_work *w, const struct where_vma *v, char *buf, size_t size)
{
	char name[NAME_TEXT_MAX];

	name_of_vma(w, v, name, sizeof(name));
	scnprintf(buf, size, "%08lx-%08lx %c%c%c%c %08lx %s", v->start, v->end, v->flags & VMA_READ ? 'r' : '-',
		v->flags & VMA_WRITE ? 'w' : '-', v->flags & VMA_EXEC ? 'x' : '-', v->flags & VMA_SHARED ? 's' : 'p',
		v->file ? v->off : 0, name[0] ? name : "(anonymous)");
}

/* ---- function and line ---- */

static int source_read(void *arg, u64 off, void *to, size_t len)
{
	ssize_t n = file_kernel_read(arg, to, len, off);

	sched_point();
	return n < 0 ? (int)n : (size_t)n == len ? 0 : -EIO;
}

/* Only what lies in a page cache: a device might wait for ever, or change by being read. */
static bool place_find(struct place_work *w, const struct where_vma *v, vaddr_t addr)
{
	struct file *f = v->file;

	if (!f || !S_ISREG(f->inode->mode) || !(v->flags & VMA_EXEC))
		return false;
	w->elf.src = (struct byte_source){
		.read = source_read, .arg = f, .size = inode_size(f->inode), .budget = READ_BUDGET};
	return elf_place_find(&w->elf, addr - v->start + v->off, &w->place) == 0;
}

static size_t print_place(const struct elf_place *p, u64 back, char *buf, size_t size)
{
	size_t n = 0;

	if (p->function[0])
		n += scnprintf(buf, size, "%s+0x%lx, ", p->function, p->offset + back);
	if (p->at.line)
		n += scnprintf(buf + n, size - n, "%s%s%s:%u, ", p->at.dir, p->at.dir[0] ? "/" : "",
			p->at.name[0] ? p->at.name : "?", p->at.line);
	return n;
}

void place_describe(struct place_work *w, struct aspace *as, vaddr_t addr, enum place_kind kind, char *buf, size_t size)
{
	u64 back = kind == PLACE_CALL ? 1 : 0;
	char name[NAME_TEXT_MAX];
	struct where_vma v;
	size_t n = 0;

	if (addr < PAGE_SIZE || !aspace_where_vma(as, addr - back, &v)) {
		scnprintf(buf, size, "where nothing is mapped");
		return;
	}
	name_of_vma(w, &v, name, sizeof(name));
	if (!(v.flags & VMA_EXEC))
		n = scnprintf(buf, size, "no code, ");
	else if (place_find(w, &v, addr - back))
		n = print_place(&w->place, back, buf, size);
	scnprintf(buf + n, size - n, "%s+0x%lx", name[0] ? name : "(anonymous)", addr - v.start + (v.file ? v.off : 0));
	aspace_where_vma_done(&v);
}
