/* Loading: from a name to a file that may be executed, from a file to mappings. Nothing here touches the caller's memory. */
#include "dev/dev.h"
#include "fs/path.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "proc/exec.h"
#include "proc/proc.h"
#include "proc/vdso.h"

#define AT_SYMLINK_NOFOLLOW 0x100u
#define AT_EMPTY_PATH       0x1000u
#define STACK_RANDOM_BITS   18 /* pages: 1 GiB */
#define BREAK_RANDOM_BITS   18
#define VDSO_RANDOM_BITS    10
#define STACK_GAP_MIN       (128ul << 20)
#define MOVABLE_BASE        (USER_DEFAULT_END / 3 * 2)
#define MOVABLE_BASE_LOW    (USER_DEFAULT_END / 4) /* where more bits would let the program meet what mmap places */
#define MOVABLE_BITS        20                     /* of mmap_rnd_bits, up to which it does not */

u32 exec_randomize = 2, exec_mmap_rnd_bits = EXEC_RND_BITS_MIN;

/* ---- opening ---- */

static int exec_check_path(const struct path *p)
{
	const struct inode *inode = path_inode(p);

	if (S_ISLNK(inode->mode))
		return -ELOOP;
	if (!S_ISREG(inode->mode) || (mount_flags(p->mount) & MOUNT_NOEXEC))
		return -EACCES;
	/* Root may do everything but execute a file that nobody may. */
	if (!(inode->mode & 0111))
		return -EACCES;
	return inode_permission(path_inode(p), 1);
}

/* A program that may be executed but not read is read by the kernel all the same. */
static int exec_open_path(const struct path *p, struct file **out)
{
	struct task *t = current();
	int err = file_open_path(p, O_RDONLY, out);

	if (err != -EACCES)
		return err;
	cred_access_begin();
	t->access_cred.fsuid = t->access_cred.euid = 0;
	err = file_open_path(p, O_RDONLY, out);
	cred_access_end();
	return err;
}

int exec_open(const struct path *dir, const char *name, u32 at_flags, struct file **out)
{
	u32 walk = (at_flags & AT_SYMLINK_NOFOLLOW) ? 0 : WALK_FOLLOW;
	struct path p;
	int err;

	if (at_flags & AT_EMPTY_PATH)
		walk |= WALK_EMPTY;
	err = path_walk(dir, name, walk, &p);
	if (err)
		return err;
	err = exec_check_path(&p);
	if (!err)
		err = exec_open_path(&p, out);
	path_put(&p);
	return err;
}

/* ---- parsing ---- */

int exec_read_window(struct exec *e, struct file *f, size_t *len)
{
	ssize_t n = file_kernel_read(f, e->window, sizeof(e->window), 0);

	if (n < 0)
		return (int)n;
	*len = (size_t)n;
	return 0;
}

/* Bytes of the file: from the window if they are there. 0; -ENOEXEC when the file is too short; -EIO, … */
static int exec_bytes(struct exec *e, struct file *f, size_t window_len, void *to, u64 offset, size_t len)
{
	ssize_t n;

	if (offset + len <= window_len) {
		memcpy(to, e->window + offset, len);
		return 0;
	}
	n = file_kernel_read(f, to, len, offset);
	if (n < 0)
		return (int)n;
	return (size_t)n == len ? 0 : -ENOEXEC;
}

int exec_parse(struct exec *e, struct file *f, size_t window_len, struct exec_image *img)
{
	u64 size = inode_size(f->inode);
	int err = elf_parse_header(e->window, window_len, size, &img->hdr);

	if (err)
		return err;
	err = exec_bytes(e, f, window_len, e->phdrs, img->hdr.phoff, img->hdr.nr_phdrs * ELF_PHDR_SIZE);
	if (err)
		return err;
	err = elf_parse_segments(&img->hdr, e->phdrs, size, USER_MMAP_END, &img->elf);
	if (err || !img->elf.interp_len || img != &e->program)
		return err;
	err = exec_bytes(e, f, window_len, e->interp_name, img->elf.interp_offset, img->elf.interp_len);
	if (err)
		return err;
	e->has_interp = 1;
	return e->interp_name[img->elf.interp_len - 1] == '\0' ? 0 : -ENOEXEC;
}

/* ---- mapping ---- */

static int segment_map(struct exec *e, struct file *f, const struct elf_segment *s, u64 bias)
{
	u64 skew = s->vaddr & (PAGE_SIZE - 1);
	struct map_request rq = {
		.addr = s->vaddr - skew + bias,
		.len = skew + s->memsz,
		.prot = s->prot,
		.max_prot = VMA_READ | VMA_WRITE | VMA_EXEC,
		.place = MAP_AT,
		.pgoff = s->offset >> PAGE_SHIFT,
	};
	long at;
	int err;

	if (s->filesz) {
		if (!f->ops->map)
			return -ENOEXEC;
		rq.file = f;
		rq.file_bytes = s->memsz > s->filesz ? skew + s->filesz : 0;
		err = f->ops->map(f, &rq);
		if (err)
			return err;
	}
	at = aspace_map(e->as, &rq);
	return at < 0 ? (int)at : 0;
}

static int image_map(struct exec *e, struct file *f, struct exec_image *img, u64 bias)
{
	int err = 0;

	img->bias = bias;
	for (u32 i = 0; i < img->elf.nr_segments && !err; i++)
		err = segment_map(e, f, &img->elf.segments[i], bias);
	return err;
}

static u64 shift_by(u64 random, u32 bits)
{
	return (random & (BIT(bits) - 1)) << PAGE_SHIFT;
}

static u64 image_span(const struct exec_image *img)
{
	return img->elf.high - img->elf.low;
}

/* The interpreter goes right below where mmap starts. */
static int interp_load(struct exec *e, vaddr_t *below)
{
	struct file *f;
	vaddr_t base;
	size_t len = 0;
	int err = exec_open(NULL, e->interp_name, 0, &f);

	if (err)
		return err;
	err = exec_read_window(e, f, &len);
	if (!err)
		err = exec_parse(e, f, len, &e->interp);
	if (err == -ENOEXEC)
		err = -ELIBBAD;
	if (!err) {
		base = ALIGN_DOWN(*below - image_span(&e->interp), e->interp.elf.align);
		if (e->interp.hdr.kind == ELF_FIXED) {
			base = e->interp.elf.low;
		} else {
			*below = base;
		}
		err = image_map(e, f, &e->interp, base - e->interp.elf.low);
	}
	file_put(f);
	return err;
}

/* A program without interpreter that may be moved is a static one, or the dynamic linker itself. */
static u64 program_bias(const struct exec *e)
{
	const struct exec_image *p = &e->program;
	vaddr_t base = e->rnd_bits > MOVABLE_BITS ? MOVABLE_BASE_LOW : MOVABLE_BASE;

	if (p->hdr.kind == ELF_FIXED)
		return 0;
	return ALIGN_DOWN(base + shift_by(e->random.program, e->rnd_bits), p->elf.align) -
		ALIGN_DOWN(p->elf.low, p->elf.align);
}

static void extents_note(struct exec *e)
{
	const struct exec_image *p = &e->program;
	struct aspace *as = e->as;

	as->code_start = as->data_start = ~0ul;
	for (u32 i = 0; i < p->elf.nr_segments; i++) {
		const struct elf_segment *s = &p->elf.segments[i];
		vaddr_t start = s->vaddr + p->bias, end = start + s->filesz;

		if (s->prot & 4) {
			as->code_start = MIN(as->code_start, start);
			as->code_end = MAX(as->code_end, end);
		} else if (s->prot & 2) {
			as->data_start = MIN(as->data_start, start);
			as->data_end = MAX(as->data_end, end);
		}
	}
	if (as->code_start == ~0ul)
		as->code_start = 0;
	if (as->data_start == ~0ul)
		as->data_start = 0;
	as->brk_start = p->elf.high + p->bias + shift_by(e->random.brk, BREAK_RANDOM_BITS);
	as->brk = as->brk_start;
}

/* From the top: stack, a gap that it may grow into, then whatever mmap places. */
static void layout_choose(struct exec *e)
{
	struct aspace *as = e->as;
	u64 gap;

	limits_apply(current_process(), as);
	gap = CLAMP(as->stack_limit, STACK_GAP_MIN, USER_DEFAULT_END / 6);
	e->stack_top = USER_MMAP_END - PAGE_SIZE - shift_by(e->random.stack, STACK_RANDOM_BITS);
	as->stack_top = e->stack_top;
	as->mmap_top = PAGE_ALIGN_DOWN(e->stack_top - gap) - PAGE_SIZE - shift_by(e->random.mmap, e->rnd_bits);
}

/* AT_RANDOM is random in any case. */
static void random_draw(struct exec *e)
{
	struct exec_random *r = &e->random;
	u32 personality = current()->personality & (e->raised ? ~EXEC_UNSAFE_PERSONALITY : ~0u);
	u32 mode = READ_ONCE(exec_randomize);

	random_bytes(r, sizeof(*r));
	e->rnd_bits = READ_ONCE(exec_mmap_rnd_bits);
	if (mode == 0 || (personality & ADDR_NO_RANDOMIZE))
		r->program = r->brk = r->stack = r->mmap = r->vdso = r->sp = 0;
	else if (mode == 1)
		r->brk = 0;
}

int exec_load(struct exec *e)
{
	vaddr_t below;
	long vdso;
	int err;

	e->as = aspace_create();
	if (!e->as)
		return -ENOMEM;
	random_draw(e);
	layout_choose(e);
	err = image_map(e, e->file, &e->program, program_bias(e));
	if (err)
		return err;
	extents_note(e);
	below = e->as->mmap_top;
	e->entry = e->program.hdr.entry + e->program.bias;
	if (e->has_interp) {
		err = interp_load(e, &below);
		if (err)
			return err;
		e->entry = e->interp.hdr.entry + e->interp.bias;
	}
	vdso = vdso_map(e->as, below - PAGE_SIZE - shift_by(e->random.vdso, VDSO_RANDOM_BITS));
	if (vdso < 0)
		return (int)vdso;
	e->vdso = (vaddr_t)vdso;
	return exec_stack_build(e);
}
