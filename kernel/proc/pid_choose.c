/* Which process number comes next: pure, host-tested. */
#include "lib/errno.h"
#include "proc/pid.h"

int pid_choose(const struct index *ix, int last, int max, int *nr)
{
	u64 key, start = last + 1 < max ? (u64)last + 1 : PID_RESERVED;

	if (index_find_free(ix, start, (u64)max - 1, &key) &&
		index_find_free(ix, MIN_CONST(PID_RESERVED, max / 2), start - 1, &key))
		return -EAGAIN;
	*nr = (int)key;
	return 0;
}
