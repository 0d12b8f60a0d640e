/*
 * User memory, reached by plain loads and stores under hardware checks.
 *
 * A user pointer is a struct uptr: one word that cannot be dereferenced by
 * mistake. Bad, read-only, kernel-half or concurrently unmapped addresses give
 * -EFAULT, never a panic. Copies may fault pages in: process context, no
 * spinlock, no busy page, no journal handle. Where that is not allowed: fault
 * the buffer in first (user_prefault), copy with the _nofault forms, retry if
 * short.
 *
 * On -EFAULT an unknown part of the destination has been written.
 */
#pragma once

#include "lib/types.h"
#include "mm/fault.h"

struct uptr {
	u64 addr;
};

static inline struct uptr uptr_make(u64 addr)
{
	return (struct uptr){.addr = addr};
}
static inline struct uptr uptr_add(struct uptr p, u64 bytes)
{
	return (struct uptr){.addr = p.addr + bytes};
}
static inline bool uptr_null(struct uptr p)
{
	return p.addr == 0;
}

/* True when [p, p+n) lies wholly in the user half (says nothing of what is mapped). */
bool user_range_ok(struct uptr p, u64 n);

/* 0 or -EFAULT. n = 0 succeeds. */
int copy_from_user(void *dst, struct uptr src, size_t n);
int copy_to_user(struct uptr dst, const void *src, size_t n);
int clear_user(struct uptr dst, size_t n);

/*
 * Copies a string with its NUL. Returns its length without the NUL, -EFAULT,
 * or -ENAMETOOLONG when no NUL was among the first `size` bytes.
 */
ssize_t strncpy_from_user(char *dst, struct uptr src, size_t size);

/* One naturally sized word; 0 or -EFAULT. */
int get_user_u8(struct uptr p, u8 *out);
int get_user_u32(struct uptr p, u32 *out);
int get_user_u64(struct uptr p, u64 *out);
int put_user_u8(struct uptr p, u8 value);
int put_user_u32(struct uptr p, u32 value);
int put_user_u64(struct uptr p, u64 value);

/*
 * Faults off: never sleep and fault nothing in; return the bytes NOT copied
 * (the copied ones are a prefix). Context: any process context, also with a
 * spinlock or a busy page.
 */
size_t copy_from_user_nofault(void *dst, struct uptr src, size_t n);
size_t copy_to_user_nofault(struct uptr dst, const void *src, size_t n);
size_t clear_user_nofault(struct uptr dst, size_t n);

/*
 * Makes `access` to every page of [p, p+len) possible now (it may be taken away
 * again at once: retry in a loop). 0; -EFAULT; -ENOMEM when the range is good
 * but memory ran out. Partial: pages before the bad one are in.
 */
int user_prefault(struct uptr p, size_t len, enum access access);

/* From here to the matching end, faults on user addresses cut copies short. Nests. */
void user_faults_off(void);
void user_faults_on(void);
