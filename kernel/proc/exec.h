/*
 * execve(2), inside this room.
 *
 *   exec.c      the steps in order, and the commit
 *   execargs.c  strings from user memory, and the first stack
 *   execload.c  an ELF file, and its interpreter, into a new address space
 */
#pragma once

#include "fs/file.h"
#include "mm/usercopy.h"
#include "proc/cred.h"
#include "proc/elf.h"
#include "proc/script.h"
#include "proc/sigqueue.h"

#define EXEC_WINDOW     1024 /* first bytes of a file: header, program headers, "#!" line */
#define EXEC_PREFIX_MAX 12   /* words that "#!" lines put in front */
#define EXEC_STRING_MAX (32 * PAGE_SIZE)

/* Where arguments come from: user arrays, or (pid 1) kernel arrays. */
struct exec_source {
	struct uptr user_argv, user_envp;
	const char *const *argv, *const *envp; /* NULL: user */
};

/* All strings, one behind the other, in order: argv, envp, the file's name. */
struct exec_args {
	u8 **pages;
	u32 nr_pages, max_pages;
	u64 len;   /* bytes used */
	u64 limit; /* of strings and pointers together */
	u32 argc, envc;
	u64 env_offset;  /* where envp begins in the block, */
	u64 name_offset; /* and the name */
};

/* Bits of personality(2). A set-id program starts without those of EXEC_UNSAFE_PERSONALITY. */
#define MMAP_PAGE_ZERO          0x0100000u
#define ADDR_COMPAT_LAYOUT      0x0200000u
#define READ_IMPLIES_EXEC       0x0400000u
#define ADDR_NO_RANDOMIZE       0x0040000u
#define EXEC_UNSAFE_PERSONALITY (READ_IMPLIES_EXEC | ADDR_NO_RANDOMIZE | ADDR_COMPAT_LAYOUT | MMAP_PAGE_ZERO)

/* kernel.randomize_va_space: 0 nothing, 1 all but the break, 2 that too; vm.mmap_rnd_bits. Single words, read without a lock. */
#define EXEC_RND_BITS_MIN 18
#define EXEC_RND_BITS_MAX 24
extern u32 exec_randomize, exec_mmap_rnd_bits;

struct exec_image {
	struct elf_header hdr;
	struct elf_image elf;
	u64 bias;
};

struct exec {
	const char *name;  /* as the caller gave it */
	struct file *file; /* the ELF file; NULL: handed over or not opened */
	struct exec_args args;
	char *prefix[EXEC_PREFIX_MAX]; /* argv[0…] made by scripts, owned, last first */
	u32 nr_prefix;
	struct exec_image program, interp;
	u32 has_interp;
	struct aspace *as;
	struct exec_random {                             /* drawn at once */
		u64 program, brk, stack, mmap, vdso, sp; /* numbers, taken modulo */
		u8 seed[16];                             /* AT_RANDOM */
	} random;
	u32 rnd_bits; /* of places that mmap_rnd_bits is for */
	vaddr_t entry, sp, stack_top, vdso;
	struct cred_ref *cred;   /* NULL: unchanged */
	u32 secure;              /* AT_SECURE */
	u32 raised;              /* ids came from the file's mode bits: dangerous personality bits go */
	struct sighand *sighand; /* spare, if the table is shared or may be by then */
	struct fdtable *files;   /* the same, if with another process */
	u8 window[EXEC_WINDOW];
	u8 phdrs[ELF_MAX_PHDRS * ELF_PHDR_SIZE];
	char interp_name[ELF_INTERP_MAX];
};

/* execargs.c: 0, -E2BIG, -EFAULT, -ENOMEM */
int exec_args_collect(struct exec *e, const struct exec_source *src);
void exec_args_free(struct exec_args *a);
/* Maps the stack and fills it: strings, pointers, auxiliary vector. Sets e->sp. */
int exec_stack_build(struct exec *e);

/* execload.c */
/* The file may be executed: a referenced open file. flags: AT_*. -EACCES, -ENOENT, … */
int exec_open(const struct path *dir, const char *name, u32 at_flags, struct file **out);
/* Reads the window; 0 or -errno. */
int exec_read_window(struct exec *e, struct file *f, size_t *len);
/* Parses file, whose window is read. 0 or -errno. */
int exec_parse(struct exec *e, struct file *f, size_t window_len, struct exec_image *img);
/* The new address space: segments, interpreter, stack place, break, vDSO. Sets e->as, e->entry. */
int exec_load(struct exec *e);
