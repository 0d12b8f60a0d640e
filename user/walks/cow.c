/* A page that parent and child both have. The child does what it is told through a pipe, one letter each. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "walk.h"

static void obey(int orders, int done, volatile char *page)
{
	char order;

	while (read(orders, &order, 1) == 1) {
		if (order == 'w')
			*page = 'c';
		else
			(void)*page;
		if (write(done, &order, 1) != 1)
			break;
	}
	_exit(0);
}

static void tell(int orders, int done, char order)
{
	if (write(orders, &order, 1) != 1 || read(done, &order, 1) != 1)
		give_up("the child");
}

int walk_cow(void)
{
	volatile char *page = map_small(PAGE);
	int orders[2], done[2];
	pid_t child;

	page[0] = 'p';
	stand_still("alone", "parent %d page 0x%lx", getpid(), (unsigned long)page);
	if (pipe(orders) < 0 || pipe(done) < 0)
		give_up("pipe");
	child = fork();
	if (child < 0)
		give_up("fork");
	if (child == 0) {
		close(orders[1]);
		close(done[0]);
		obey(orders[0], done[1], page);
	}
	close(orders[0]);
	close(done[1]);
	stand_still("forked", "child %d", child);
	tell(orders[1], done[0], 'r');
	stand_still("read", "by the child");
	tell(orders[1], done[0], 'w');
	stand_still("written", "by the child; the parent still has %c", page[0]);
	page[0] = 'P';
	stand_still("written-too", "by the parent");
	close(orders[1]);
	waitpid(child, NULL, 0);
	return 0;
}
