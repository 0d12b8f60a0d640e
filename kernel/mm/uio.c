/* Scatter lists. See mm/uio.h. */
#include "mm/uio.h"

#include "lib/assert.h"
#include "lib/checked.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"

void uio_init_kernel(struct uio *u, void *buf, u64 len)
{
	uio_init_one(u, UIO_KERNEL, (u64)(uintptr_t)buf, len);
}

int uio_init_iov(struct uio *u, struct uptr iov, u64 nr)
{
	struct uiovec *v = u->fast;
	int err;

	uio_init_one(u, UIO_USER, 0, 0);
	if (nr > UIO_MAX_IOV)
		return -EINVAL;
	if (nr > UIO_FAST_IOV) {
		v = kmalloc(nr * sizeof(*v), 0);
		if (!v)
			return -ENOMEM;
		u->allocated = v;
	}
	err = copy_from_user(v, iov, nr * sizeof(*v));
	for (u64 i = 0; i < nr && !err; i++) {
		if ((s64)v[i].len < 0)
			err = -EINVAL;
		else if (!user_range_ok(uptr_make(v[i].base), v[i].len))
			err = -EFAULT;
		v[i].len = MIN(v[i].len, UIO_MAX_BYTES - u->count);
		u->count += v[i].len;
	}
	if (err) {
		uio_fini(u);
		return err;
	}
	u->iov = v;
	u->nr_iov = (u32)nr;
	return 0;
}

void uio_fini(struct uio *u)
{
	kfree(u->allocated);
	u->allocated = NULL;
	u->count = 0;
}

/* The contiguous bytes at the front, at most n; 0 only when nothing is left. */
static ALWAYS_INLINE u64 uio_piece(struct uio *u, size_t n, u64 *addr)
{
	while (u->nr_iov && u->offset == u->iov->len) {
		u->iov++;
		u->nr_iov--;
		u->offset = 0;
	}
	if (!u->nr_iov)
		return 0;
	*addr = u->iov->base + u->offset;
	return MIN((u64)n, u->iov->len - u->offset);
}

static void uio_step(struct uio *u, u64 n)
{
	u->offset += n;
	u->count -= n;
}

void uio_advance_far(struct uio *u, size_t n)
{
	u64 addr;

	DEBUG_ASSERT(n <= u->count);
	while (n) {
		u64 piece = uio_piece(u, n, &addr);

		uio_step(u, piece);
		n -= piece;
	}
}

void uio_revert(struct uio *u, size_t n)
{
	const struct uiovec *first = u->allocated ? u->allocated : u->fast;

	u->count += n;
	while (n) {
		u64 piece = MIN(u->offset, (u64)n);

		u->offset -= piece;
		n -= piece;
		if (!n)
			break;
		ASSERT(u->iov > first);
		u->iov--;
		u->nr_iov++;
		u->offset = u->iov->len;
	}
}

enum uio_op { UIO_TO, UIO_FROM, UIO_CLEAR };

/* One piece; returns the bytes not done. */
static ALWAYS_INLINE size_t piece_move(enum uio_kind kind, enum uio_op op, u64 addr, void *buf, size_t n)
{
	if (kind == UIO_KERNEL) {
		void *k = (void *)(uintptr_t)addr;

		if (op == UIO_TO)
			memcpy(k, buf, n);
		else if (op == UIO_FROM)
			memcpy(buf, k, n);
		else
			memset(k, 0, n);
		return 0;
	}
	if (op == UIO_TO)
		return copy_to_user(uptr_make(addr), buf, n) ? n : 0;
	if (op == UIO_FROM)
		return copy_from_user(buf, uptr_make(addr), n) ? n : 0;
	return clear_user(uptr_make(addr), n) ? n : 0;
}

/* In each of its callers, for one `op`. */
static ALWAYS_INLINE int uio_move(struct uio *u, enum uio_op op, u8 *buf, size_t n)
{
	DEBUG_ASSERT(n <= u->count);
	while (n) {
		u64 addr = 0, piece = uio_piece(u, n, &addr);

		if (piece_move(u->kind, op, addr, buf, piece))
			return -EFAULT;
		uio_step(u, piece);
		if (op != UIO_CLEAR)
			buf += piece;
		n -= piece;
	}
	return 0;
}

int uio_copy_to(struct uio *u, const void *src, size_t n)
{
	return uio_move(u, UIO_TO, (u8 *)(uintptr_t)src, n);
}

int uio_copy_from(struct uio *u, void *dst, size_t n)
{
	return uio_move(u, UIO_FROM, dst, n);
}

int uio_clear(struct uio *u, size_t n)
{
	return uio_move(u, UIO_CLEAR, NULL, n);
}

static size_t uio_move_nofault(struct uio *u, enum uio_op op, u8 *buf, size_t n)
{
	size_t done = 0;

	DEBUG_ASSERT(n <= u->count);
	while (done < n) {
		u64 addr = 0, piece = uio_piece(u, n - done, &addr);
		size_t left;

		if (u->kind == UIO_KERNEL)
			left = piece_move(u->kind, op, addr, buf + done, piece);
		else if (op == UIO_TO)
			left = copy_to_user_nofault(uptr_make(addr), buf + done, piece);
		else
			left = copy_from_user_nofault(buf + done, uptr_make(addr), piece);
		uio_step(u, piece - left);
		done += piece - left;
		if (left)
			break;
	}
	return done;
}

size_t uio_copy_to_nofault(struct uio *u, const void *src, size_t n)
{
	return uio_move_nofault(u, UIO_TO, (u8 *)(uintptr_t)src, n);
}

size_t uio_copy_from_nofault(struct uio *u, void *dst, size_t n)
{
	return uio_move_nofault(u, UIO_FROM, dst, n);
}

int uio_prefault(struct uio *u, size_t len, enum access access)
{
	const struct uiovec *v = u->iov;
	u64 offset = u->offset;
	bool first = true;

	if (u->kind == UIO_KERNEL)
		return 0;
	len = MIN((u64)len, u->count);
	for (; len; v++, offset = 0) {
		u64 piece = MIN((u64)len, v->len - offset);
		vaddr_t va = v->base + offset, end = va + piece;

		len -= piece;
		while (va < end) {
			u64 n = MIN(PAGE_SIZE - (va & ~PAGE_MASK), end - va);
			int err = user_prefault(uptr_make(va), n, access);

			if (err)
				return first ? err : 0;
			first = false;
			va += n;
		}
	}
	return 0;
}
