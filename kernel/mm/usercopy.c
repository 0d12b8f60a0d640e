/* User memory. See mm/usercopy.h; the loads and stores themselves are arch/riscv/usercopy.h's. */
#include "mm/usercopy.h"

#include "arch/riscv/thread.h"
#include "arch/riscv/usercopy.h"
#include "lib/checked.h"
#include "lib/errno.h"
#include "mm/aspace.h"
#include "sync/lockcheck.h"

/*
 * Every address beyond user_end is refused, here or by the functions of arch/riscv/usercopy.h: the kernel half is mapped, and no
 * hardware check would stop us.
 */
bool user_range_ok(struct uptr p, u64 n)
{
	return range_ok(p.addr, n, user_end);
}

int copy_from_user(void *dst, struct uptr src, size_t n)
{
	might_fault();
	return user_copy_in(dst, src.addr, n) ? -EFAULT : 0;
}

int copy_to_user(struct uptr dst, const void *src, size_t n)
{
	might_fault();
	return user_copy_out(dst.addr, src, n) ? -EFAULT : 0;
}

int clear_user(struct uptr dst, size_t n)
{
	might_fault();
	return user_clear(dst.addr, n) ? -EFAULT : 0;
}

ssize_t strncpy_from_user(char *dst, struct uptr src, size_t size)
{
	u64 room;
	long len;

	might_fault();
	if (!size)
		return -ENAMETOOLONG;
	if (src.addr >= user_end)
		return -EFAULT;
	/* A string that runs up to the end of the user half has no NUL there: that is a bad address. */
	room = MIN((u64)size, user_end - src.addr);
	len = user_strncpy(dst, src.addr, room);
	if (len < 0 && len != -ENAMETOOLONG)
		return -EFAULT;
	if (len < 0 || (u64)len >= room)
		return room < size ? -EFAULT : -ENAMETOOLONG;
	return len;
}

#define DEFINE_USER_WORD(bits)                                  \
	int get_user_u##bits(struct uptr p, u##bits *out)       \
	{                                                       \
		might_fault();                                  \
		if (unlikely(!user_range_ok(p, sizeof(*out))))  \
			return -EFAULT;                         \
		return user_get_u##bits(p.addr, out);           \
	}                                                       \
	int put_user_u##bits(struct uptr p, u##bits value)      \
	{                                                       \
		might_fault();                                  \
		if (unlikely(!user_range_ok(p, sizeof(value)))) \
			return -EFAULT;                         \
		return user_put_u##bits(p.addr, value);         \
	}

DEFINE_USER_WORD(8)
DEFINE_USER_WORD(32)
DEFINE_USER_WORD(64)

void user_faults_off(void)
{
	current_thread()->faults_off++;
	barrier();
}

void user_faults_on(void)
{
	barrier();
	current_thread()->faults_off--;
}

size_t copy_from_user_nofault(void *dst, struct uptr src, size_t n)
{
	size_t left;

	if (!user_range_ok(src, n))
		return n;
	user_faults_off();
	left = user_copy_in(dst, src.addr, n);
	user_faults_on();
	return left;
}

size_t copy_to_user_nofault(struct uptr dst, const void *src, size_t n)
{
	size_t left;

	if (!user_range_ok(dst, n))
		return n;
	user_faults_off();
	left = user_copy_out(dst.addr, src, n);
	user_faults_on();
	return left;
}

size_t clear_user_nofault(struct uptr dst, size_t n)
{
	size_t left;

	if (!user_range_ok(dst, n))
		return n;
	user_faults_off();
	left = user_clear(dst.addr, n);
	user_faults_on();
	return left;
}

static bool page_ready(struct aspace *as, vaddr_t va, u32 need)
{
	struct pt_entry e;
	bool ok;

	pt_lock(&as->pt);
	ok = pt_query(&as->pt, va, &e) == 0 && (e.prot & need) == need;
	pt_unlock(&as->pt);
	return ok;
}

int user_prefault(struct uptr p, size_t len, enum access access)
{
	u32 need = access == ACCESS_WRITE ? PT_WRITE | PT_READ : PT_READ;
	struct aspace *as = aspace_current();
	vaddr_t va = PAGE_ALIGN_DOWN(p.addr);

	might_fault();
	if (!len)
		return 0;
	if (!as || !user_range_ok(p, len))
		return -EFAULT;
	for (; va < p.addr + len; va += PAGE_SIZE) {
		struct fault f = {.addr = va, .access = access};
		enum fault_result r;

		if (page_ready(as, va, need))
			continue;
		r = fault_handle(as, &f);
		if (r != FAULT_DONE)
			return r == FAULT_OOM ? -ENOMEM : -EFAULT;
	}
	return 0;
}
