/* The line that maps and smaps have for a VMA. */
#pragma once

#include "lib/types.h"

#define MAPS_NAME_COLUMN 73

struct file;
struct text;
struct vma;

/* What a line needs of a VMA, copied out so that it is written without as->lock. */
struct maps_line {
	vaddr_t start, end;
	u32 flags, max_prot;
	u64 off;
	struct file *file; /* referenced, or NULL */
};

/* Locks: as->lock held. maps_line_done drops the reference, without it. */
void maps_line_take(struct maps_line *l, struct vma *v);
void maps_line_done(struct maps_line *l);
/* "[heap]" and the like, or NULL, for a mapping without a file. flags: VMA_*. */
const char *maps_special_name(vaddr_t start, u32 flags);
/* buf: PATH_MAX bytes to work in. */
void maps_line_show(struct text *t, const struct maps_line *l, char *buf);
