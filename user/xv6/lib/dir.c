/* Directories as arrays of struct dirent. */
#include "lib.h"

/* Not on the stack, which is small. No call leaves anything in it. */
static char raw[1024] __attribute__((aligned(8)));

static void record_make(struct dirent *to, const struct linux_dirent *from)
{
	int n = 0;

	/* inum 0 would mean a free place. */
	to->inum = (ushort)from->ino ? (ushort)from->ino : 1;
	for (; n < DIRSIZ && from->name[n]; n++)
		to->name[n] = from->name[n];
	for (; n < DIRSIZ; n++)
		to->name[n] = 0;
}

/*
 * The place in the directory is the descriptor's alone, so that it goes with it through fork, dup and exec: when
 * fewer entries are wanted than the kernel gave, the offset goes back to the first one not taken.
 */
int dir_read(int fd, void *to, int n)
{
	struct dirent record;
	int done = 0;

	while (n - done >= (int)sizeof(record)) {
		long len = call3(NR_getdents64, fd, raw, sizeof(raw)), off = 0;

		if (len < 0)
			return -1;
		if (len == 0)
			break;
		for (long at = 0; at < len;) {
			const struct linux_dirent *from = (const struct linux_dirent *)(raw + at);

			if (n - done < (int)sizeof(record)) {
				call3(NR_lseek, fd, off, SEEK_SET);
				break;
			}
			record_make(&record, from);
			memmove((char *)to + done, &record, sizeof(record));
			done += (int)sizeof(record);
			off = from->off;
			at += from->reclen;
		}
	}
	return done;
}

static uint64 count_entries(int fd)
{
	uint64 nr = 0;
	long len;

	while ((len = call3(NR_getdents64, fd, raw, sizeof(raw))) > 0)
		for (long at = 0; at < len; at += ((const struct linux_dirent *)(raw + at))->reclen)
			nr++;
	return nr;
}

uint64 dir_size(int fd, uint64 otherwise)
{
	struct linux_rlimit limit, more;
	uint64 nr;
	int again;

	/* A second descriptor, since the first one's place must stay; one more than the program may have. */
	call4(NR_prlimit64, 0, RLIMIT_NOFILE, 0, &limit);
	more = limit;
	more.soft = limit.hard < 64 ? limit.hard : 64;
	call4(NR_prlimit64, 0, RLIMIT_NOFILE, &more, 0);
	again = (int)call4(NR_openat, fd, ".", LINUX_O_DIRECTORY, 0);
	call4(NR_prlimit64, 0, RLIMIT_NOFILE, &limit, 0);
	if (again < 0)
		return otherwise;
	nr = count_entries(again);
	call1(NR_close, again);
	return nr * sizeof(struct dirent);
}
