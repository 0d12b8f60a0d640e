/*
 * What the debug kernel has for tests:
 *
 *	/proc/PID/fail-nth    as Linux has it: N written makes the task's N-th allocation from then on fail (mm/failnth.h);
 *	                      read, it says how many are left to count, 0 when it has failed
 *	/proc/PID/check       asserts every invariant of the process's memory, and compares what the allocators gave out
 *	                      with what the living own (proc/leakcheck.h): "ok", or a line for each difference
 */
#include "proc/procfs/procfs.h"

#ifdef VITRINE_DEBUG
#include "lib/errno.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "mm/failnth.h"
#include "mm/uio.h"
#include "proc/leakcheck.h"

#define NUMBER_SIZE 16

/* A number's text, by a path that allocates nothing: what is asked about would change. */
static ssize_t fail_nth_read(struct file *f, struct uio *uio, s64 *pos)
{
	struct task *t = node_task(f->inode->private);
	char number[NUMBER_SIZE];
	s64 len, n;
	int err;

	if (!t)
		return -ESRCH;
	len = (s64)scnprintf(number, sizeof(number), "%u\n", READ_ONCE(t->thread.fail_nth));
	task_put(t);
	if (*pos >= len)
		return 0;
	n = (s64)MIN(uio->count, (u64)(len - *pos));
	err = uio_copy_to(uio, number + *pos, (size_t)n);
	if (err)
		return err;
	*pos += n;
	return n;
}

static ssize_t fail_nth_write(struct file *f, struct uio *uio, s64 *pos)
{
	struct task *t;
	char number[NUMBER_SIZE];
	u64 count = uio->count, len = count, n;
	int err;

	if (len >= sizeof(number))
		return -EINVAL;
	err = uio_copy_from(uio, number, len);
	if (err)
		return err;
	while (len && char_is_space(number[len - 1]))
		len--;
	number[len] = 0;
	if (parse_u64(number, 10, &n) != 0 || n > INT32_MAX)
		return -EINVAL;
	t = node_task(f->inode->private);
	if (!t)
		return -ESRCH;
	alloc_fail_nth_of(&t->thread, (u32)n);
	task_put(t);
	*pos += (s64)count;
	return (ssize_t)count;
}

const struct file_ops fail_nth_file_ops = {.read = fail_nth_read, .write = fail_nth_write};

static void difference_line(void *arg, const char *what, u64 given, u64 owned)
{
	text_printf(arg, "%s: %lu given out, %lu owned\n", what, given, owned);
}

int show_check(struct text *t, const struct proc_node *n)
{
	struct aspace *as = NULL;
	int err = node_aspace(n, &as);

	if (as) {
		aspace_check(as);
		aspace_put(as);
	}
	if (err)
		return err;
	if (leakcheck_balanced(LEAKCHECK_ALIVE, difference_line, t))
		text_puts(t, "ok\n");
	return 0;
}
#endif
