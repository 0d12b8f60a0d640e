/*
 * Where the bytes of a read or write come from or go to: a list of user
 * buffers, or one kernel buffer. It is advanced by each copy, so that a callee
 * simply copies what it has until uio->count is 0.
 *
 *	iov    [ base,len ][ base,len ][ base,len ]
 *	             ^ offset into the current one; count = bytes left in all
 *
 * Errors: 0 or -EFAULT. Partial: after -EFAULT the uio stands behind the last
 * whole piece copied; callers report what they transferred before.
 */
#pragma once

#include "arch/riscv/layout.h"
#include "lib/checked.h"
#include "lib/errno.h"
#include "lib/types.h"
#include "mm/usercopy.h"

#define UIO_MAX_IOV   1024
#define UIO_FAST_IOV  8
#define UIO_MAX_BYTES 0x7ffff000ul /* what Linux moves at most in one call */

/* Linux struct iovec. */
struct uiovec {
	u64 base;
	u64 len;
};

enum uio_kind { UIO_USER, UIO_KERNEL };

struct uio {
	enum uio_kind kind;
	u32 nr_iov;               /* left, the current one included */
	const struct uiovec *iov; /* current */
	u64 offset;               /* into *iov */
	u64 count;                /* bytes left */
	struct uiovec *allocated; /* freed by uio_fini, or NULL */
	struct uiovec fast[UIO_FAST_IOV];
};

static inline void uio_init_one(struct uio *u, enum uio_kind kind, u64 base, u64 len)
{
	u->kind = kind;
	u->fast[0].base = base;
	u->fast[0].len = len;
	u->iov = u->fast;
	u->nr_iov = 1;
	u->offset = 0;
	u->count = len;
	u->allocated = NULL;
}

/* One user buffer. -EFAULT when it reaches out of the user half; len is cut to UIO_MAX_BYTES. */
static inline int uio_init_user(struct uio *u, struct uptr buf, u64 len)
{
	len = MIN(len, UIO_MAX_BYTES);
	uio_init_one(u, UIO_USER, buf.addr, len);
	return likely(range_ok(buf.addr, len, user_end)) ? 0 : -EFAULT;
}
/* readv(2): copies the array in. -EINVAL (too many, or the sum overflows), -EFAULT, -ENOMEM. uio_fini when done. */
int uio_init_iov(struct uio *u, struct uptr iov, u64 nr);
/* A kernel buffer (never faults). */
void uio_init_kernel(struct uio *u, void *buf, u64 len);
/* Only needed after uio_init_iov; harmless otherwise. */
void uio_fini(struct uio *u);

/* Copies n <= count bytes out to / in from the list and advances. May fault. */
int uio_copy_to(struct uio *u, const void *src, size_t n);
int uio_copy_from(struct uio *u, void *dst, size_t n);
int uio_clear(struct uio *u, size_t n);

/* Faults off: returns the bytes copied (and advanced), which may be fewer than n. */
size_t uio_copy_to_nofault(struct uio *u, const void *src, size_t n);
size_t uio_copy_from_nofault(struct uio *u, void *dst, size_t n);

/* Faults in up to `len` of the next bytes. `access`: ACCESS_WRITE for uio_copy_to (a read), ACCESS_READ for a write.
 * 0 when at least the first byte is in; -EFAULT when not even that. */
int uio_prefault(struct uio *u, size_t len, enum access access);

/* n <= count. */
void uio_advance_far(struct uio *u, size_t n); /* uio_advance beyond the current buffer */
static inline void uio_advance(struct uio *u, size_t n)
{
	if (likely(u->nr_iov && n <= u->iov->len - u->offset)) {
		u->offset += n;
		u->count -= n;
	} else {
		uio_advance_far(u, n);
	}
}
/* Undo: as after uio_init, then advanced by `done` bytes fewer. Only for what was advanced inside the same iovec list. */
void uio_revert(struct uio *u, size_t n);
