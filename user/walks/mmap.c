/* One file, mapped shared and mapped private. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "walk.h"

#define NAME "/tmp/walk-file"

static char *map_file(int fd, int flags)
{
	char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (p == MAP_FAILED)
		give_up(NAME);
	return p;
}

static char first_byte(int fd)
{
	char c = 0;

	if (pread(fd, &c, 1, 0) != 1)
		give_up(NAME);
	return c;
}

int walk_mmap(void)
{
	int fd = open(NAME, O_RDWR | O_CREAT | O_TRUNC, 0600);
	volatile char *shared, *private;
	char page[PAGE];

	memset(page, 'f', PAGE);
	if (fd < 0 || write(fd, page, PAGE) != (ssize_t)PAGE)
		give_up(NAME);
	unlink(NAME);
	shared = map_file(fd, MAP_SHARED);
	private = map_file(fd, MAP_PRIVATE);
	(void)*shared;
	(void)*private;
	stand_still("mapped", "pid %d shared 0x%lx private 0x%lx", getpid(), (unsigned long)shared, (unsigned long)private);
	*private = 'p';
	stand_still("private", "was written; the file has %d", first_byte(fd));
	*shared = 's';
	stand_still("shared", "was written; the file has %d", first_byte(fd));
	return 0;
}
