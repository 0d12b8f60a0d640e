/* The edges of files and directories. See edges.h. */
#include "edges.h"

static char buf[4096];

static void file_make(const char *name, const char *text)
{
	int fd = open(name, O_CREATE | O_WRONLY | O_TRUNC), n = (int)strlen(text);

	EXPECT(fd >= 0 && write(fd, text, n) == n);
	EXPECT(close(fd) == 0);
}

static int file_is(const char *name, const char *text)
{
	int fd = open(name, O_RDONLY), n = fd < 0 ? -1 : read(fd, buf, sizeof(buf));

	close(fd);
	return n == (int)strlen(text) && memcmp(buf, text, (uint)n) == 0;
}

static int exists(const char *name)
{
	int fd = open(name, O_RDONLY);

	close(fd);
	return fd >= 0;
}

/* Entries of a directory whose names begin with c; without . and .. */
static int entries(const char *dir, char c)
{
	int fd = open(dir, O_RDONLY), nr = 0;
	struct dirent de;

	EXPECT(fd >= 0);
	while (read(fd, &de, sizeof(de)) == sizeof(de))
		nr += de.inum && de.name[0] == c;
	close(fd);
	return nr;
}

static void open_modes(void)
{
	EXPECT(!exists("nothing") && exists("echo") && exists("README"));
	file_make("f", "hello");
	int fd = open("f", O_RDONLY);
	EXPECT(write(fd, "x", 1) < 0 && read(fd, buf, 99) == 5 && read(fd, buf, 99) == 0);
	close(fd);
	fd = open("f", O_WRONLY);
	EXPECT(read(fd, buf, 1) < 0 && write(fd, "J", 1) == 1);
	close(fd);
	EXPECT(file_is("f", "Jello"));
	/* Making what is there opens it; O_TRUNC empties it. */
	fd = open("f", O_CREATE | O_RDWR);
	EXPECT(read(fd, buf, 2) == 2 && write(fd, "LL", 2) == 2);
	close(fd);
	EXPECT(file_is("f", "JeLLo"));
	close(open("f", O_RDWR | O_TRUNC));
	EXPECT(file_is("f", "") && unlink("f") == 0 && unlink("f") < 0);
}

/* A file that others truncate: who was further on cannot write behind its end. */
static void truncate_behind(void)
{
	int a = open("t", O_CREATE | O_TRUNC | O_WRONLY), b;

	EXPECT(write(a, "abcd", 4) == 4);
	b = open("t", O_TRUNC | O_WRONLY);
	EXPECT(write(a, "x", 1) == -1);
	EXPECT(write(b, "12345", 5) == 5 && write(a, "x", 1) == 1);
	close(a);
	close(b);
	EXPECT(file_is("t", "1234x") && unlink("t") == 0);
}

static void truncate_race(void)
{
	int status;

	file_make("t", "");
	if (fork() == 0) {
		for (int i = 0; i < 100; i++) {
			int fd = open("t", O_WRONLY);

			EXPECT(fd >= 0 && write(fd, "1234567890", 10) == 10);
			close(fd);
			fd = open("t", O_RDONLY);
			EXPECT(fd >= 0 && read(fd, buf, 32) >= 0);
			close(fd);
		}
		exit(0);
	}
	for (int i = 0; i < 150; i++) {
		int fd = open("t", O_CREATE | O_WRONLY | O_TRUNC);

		EXPECT(fd >= 0 && write(fd, "xxx", 3) == 3);
		close(fd);
	}
	EXPECT(wait(&status) > 0 && status == 0 && unlink("t") == 0);
}

static void longest_file(void)
{
	int fd = open("big", O_CREATE | O_RDWR | O_TRUNC), n = 0;
	struct stat st;

	EXPECT(fd >= 0);
	for (int i = 0; i < (int)MAXFILE; i++) {
		((int *)buf)[0] = i;
		EXPECT(write(fd, buf, BSIZE) == BSIZE);
	}
	EXPECT(write(fd, buf, 1) < 0 && write(fd, buf, BSIZE) < 0);
	EXPECT(fstat(fd, &st) == 0 && st.size == MAXFILE * BSIZE && st.type == T_FILE);
	close(fd);
	fd = open("big", O_RDONLY);
	while (read(fd, buf, BSIZE) == BSIZE)
		EXPECT(((int *)buf)[0] == n++);
	EXPECT(n == (int)MAXFILE);
	close(fd);
	/* One write that goes over the end fails. */
	fd = open("big", O_RDWR);
	for (int i = 0; i < (int)MAXFILE - 1; i++)
		EXPECT(read(fd, buf, BSIZE) == BSIZE);
	EXPECT(write(fd, buf, 2 * BSIZE) < 0);
	close(fd);
	EXPECT(unlink("big") == 0);
}

static void odd_writes(void)
{
	for (int size = 499; size < (int)sizeof(buf); size += 471) {
		int fd = open("odd", O_CREATE | O_RDWR);

		EXPECT(fd >= 0 && write(fd, buf, size) == size && write(fd, buf, size) == size);
		close(fd);
		EXPECT(unlink("odd") == 0);
	}
}

/* ---- directories ---- */

static void dir_open(void)
{
	EXPECT(mkdir("d") == 0 && mkdir("d") < 0);
	EXPECT(open("d", O_CREATE) < 0 && open("d", O_CREATE | O_RDWR) < 0 && open("d", O_RDWR) < 0);
	EXPECT(open("d", O_WRONLY) < 0 && open("d", O_TRUNC) < 0 && open(".", O_RDWR) < 0);
	int fd = open("d", O_RDONLY);
	EXPECT(fd >= 0 && write(fd, "x", 1) < 0);
	close(fd);
	EXPECT(link("d", "e") < 0 && link(".", "e") < 0 && unlink("d") == 0 && !exists("d"));
}

static void dir_remove(void)
{
	EXPECT(mkdir("d") == 0 && chdir("d") == 0);
	EXPECT(unlink(".") < 0 && unlink("..") < 0 && unlink("./.") < 0);
	file_make("f", "x");
	EXPECT(chdir("/") == 0 && unlink("d/.") < 0 && unlink("d/..") < 0 && unlink("d") < 0);
	EXPECT(unlink("d/f") == 0 && unlink("d/") == 0 && chdir("d") < 0 && unlink("/") < 0 && mkdir("/") < 0);
	/* The one that a process is in can go. */
	EXPECT(mkdir("d") == 0 && chdir("d") == 0 && unlink("../d") == 0 && open("x", O_CREATE) < 0);
	EXPECT(chdir("/") == 0 && !exists("d"));
}

static void open_while_removed(void)
{
	int status;

	EXPECT(mkdir("d") == 0);
	if (fork() == 0) {
		EXPECT(open("d", O_RDWR) < 0);
		exit(0);
	}
	pause(1);
	EXPECT(unlink("d") == 0 && wait(&status) > 0 && status == 0);
	/* A file lives until it is closed. */
	file_make("f", "hello");
	int fd = open("f", O_RDWR);
	EXPECT(unlink("f") == 0 && !exists("f"));
	file_make("f", "other");
	EXPECT(read(fd, buf, 99) == 5 && memcmp(buf, "hello", 5) == 0 && write(fd, buf, 10) == 10);
	close(fd);
	EXPECT(file_is("f", "other") && unlink("f") == 0);
}

static void tree(void)
{
	EXPECT(mkdir("dd") == 0 && mkdir("/dd/dd") == 0);
	file_make("dd/ff", "ff");
	EXPECT(unlink("dd") < 0);
	file_make("dd/dd/ff", "FF");
	EXPECT(file_is("dd/dd/../ff", "ff") && file_is("dd//dd///ff", "FF") && file_is("./dd/./dd/../../dd/ff", "ff"));
	EXPECT(link("dd/dd/ff", "dd/dd/ffff") == 0 && unlink("dd/dd/ff") == 0 && !exists("dd/dd/ff"));
	EXPECT(chdir("dd") == 0 && chdir("dd/../../dd") == 0 && chdir("dd/../../../dd") == 0 && chdir("./..") == 0);
	EXPECT(file_is("dd/dd/ffff", "FF"));
	EXPECT(open("dd/ff/ff", O_CREATE | O_RDWR) < 0 && open("dd/xx/ff", O_CREATE | O_RDWR) < 0);
	EXPECT(link("dd/ff/ff", "dd/dd/xx") < 0 && link("dd/xx/ff", "dd/dd/xx") < 0 && link("dd/ff", "dd/dd/ffff") < 0);
	EXPECT(mkdir("dd/ff/ff") < 0 && mkdir("dd/xx/ff") < 0 && mkdir("dd/dd/ffff") < 0);
	EXPECT(unlink("dd/xx/ff") < 0 && unlink("dd/ff/ff") < 0 && chdir("dd/ff") < 0 && chdir("dd/xx") < 0);
	EXPECT(unlink("dd/dd/ffff") == 0 && unlink("dd/ff") == 0 && unlink("dd") < 0 && unlink("dd/dd") == 0);
	EXPECT(unlink("dd") == 0 && unlink("dd") < 0);
}

static void file_as_dir(void)
{
	file_make("f", "");
	EXPECT(chdir("f") < 0 && open("f/x", 0) < 0 && open("f/x", O_CREATE) < 0 && mkdir("f/x") < 0);
	EXPECT(unlink("f/x") < 0 && link("README", "f/x") < 0 && unlink("f") == 0);
}

static void long_names(void)
{
	EXPECT(mkdir("12345678901234") == 0 && mkdir("12345678901234/123456789012345") == 0);
	int fd = open("123456789012345/123456789012345/123456789012345", O_CREATE);
	EXPECT(fd >= 0);
	close(fd);
	EXPECT(exists("12345678901234/12345678901234/12345678901234"));
	EXPECT(mkdir("12345678901234/12345678901234") < 0 && mkdir("123456789012345/12345678901234") < 0);
	/* A name of that length fills its record. */
	struct dirent de;
	int found = 0;
	fd = open("/12345678901234", O_RDONLY);
	while (read(fd, &de, sizeof(de)) == sizeof(de))
		found += memcmp(de.name, "12345678901234", DIRSIZ) == 0;
	close(fd);
	EXPECT(found == 1 && unlink("123456789012345") < 0);
	EXPECT(unlink("123456789012345/12345678901234/12345678901234") == 0);
	EXPECT(unlink("12345678901234/12345678901234") == 0 && unlink("12345678901234") == 0);
}

static void empty_names(void)
{
	struct stat st;

	EXPECT(mkdir("") < 0 && link("README", "") < 0 && open("", O_CREATE) < 0 && unlink("") < 0 &&
		mknod("", 1, 1) < 0);
	EXPECT(chdir("") == 0 && stat("", &st) == 0 && st.type == T_DIR);
}

static void deep(void)
{
	for (int i = 0; i < NINODE + 1; i++) {
		EXPECT(mkdir("deep") == 0 && chdir("deep") == 0);
		link("README", "");
		int fd = open("xx", O_CREATE);
		EXPECT(fd >= 0);
		close(fd);
		EXPECT(unlink("xx") == 0);
	}
	for (int i = 0; i < NINODE + 1; i++)
		EXPECT(chdir("..") == 0 && unlink("deep") == 0);
	struct stat here, root;
	EXPECT(stat(".", &here) == 0 && chdir("/") == 0 && stat(".", &root) == 0 && here.ino == root.ino);
	EXPECT(stat("..", &here) == 0 && here.ino == root.ino);
}

/* ---- what directories and stat say ---- */

static void records(void)
{
	static struct dirent many[8];
	struct stat st;
	int fd, nr = 0, dots = 0, n;

	EXPECT(mkdir("d") == 0 && chdir("d") == 0);
	for (char name[] = "a0"; name[1] < '9'; name[1]++)
		file_make(name, "");
	EXPECT(mkdir("sub") == 0);
	/* One by one, and some at a time; another process goes on where this one stopped. */
	EXPECT(entries(".", 'a') == 9);
	fd = open(".", O_RDONLY);
	EXPECT(read(fd, many, sizeof(many[0])) == sizeof(many[0]));
	nr = 1;
	if (fork() == 0) {
		EXPECT(read(fd, many, 2 * sizeof(many[0])) == 2 * sizeof(many[0]));
		exit(0);
	}
	EXPECT(wait(&n) > 0 && n == 0);
	nr += 2;
	while ((n = read(fd, many, sizeof(many))) > 0)
		nr += n / (int)sizeof(many[0]);
	close(fd);
	EXPECT(nr == 12);
	fd = open(".", O_RDONLY);
	while (read(fd, many, sizeof(many[0])) == sizeof(many[0])) {
		char name[DIRSIZ + 1];

		memmove(name, many[0].name, DIRSIZ);
		name[DIRSIZ] = 0;
		dots += strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
		EXPECT(stat(name, &st) == 0 && (ushort)st.ino == many[0].inum);
		EXPECT(st.type == (name[0] == 'a' ? T_FILE : T_DIR));
	}
	EXPECT(dots == 2 && fstat(fd, &st) == 0 && st.type == T_DIR && st.size == 12 * sizeof(struct dirent));
	EXPECT(st.nlink == 2);
	close(fd);
	for (char name[] = "a0"; name[1] < '9'; name[1]++)
		EXPECT(unlink(name) == 0);
	EXPECT(unlink("sub") == 0 && entries(".", 'a') == 0 && chdir("..") == 0 && unlink("d") == 0);
}

static void stat_tells(void)
{
	struct stat a, b;

	file_make("f", "12345");
	EXPECT(stat("f", &a) == 0 && a.type == T_FILE && a.nlink == 1 && a.size == 5 && a.dev == ROOTDEV && a.ino);
	EXPECT(link("f", "g") == 0 && stat("g", &b) == 0 && b.ino == a.ino && b.nlink == 2);
	EXPECT(unlink("f") == 0 && stat("g", &b) == 0 && b.nlink == 1 && stat("f", &b) < 0 && unlink("g") == 0);
	EXPECT(stat("console", &a) == 0 && a.type == T_DEVICE);
	EXPECT(mknod("dev", 1, 0) == 0 && mknod("dev", 1, 0) < 0 && stat("dev", &a) == 0 && a.type == T_DEVICE);
	int fd = open("dev", O_RDWR);
	EXPECT(fd >= 0 && write(fd, "", 0) == 0);
	close(fd);
	EXPECT(unlink("dev") == 0 && mknod("dev", 7, 3) == 0 && open("dev", O_RDWR) < 0 && unlink("dev") == 0);
}

static void links(void)
{
	file_make("l1", "hello");
	EXPECT(link("l1", "l1") < 0 && link("l1", "l2") == 0 && unlink("l1") == 0 && !exists("l1"));
	EXPECT(file_is("l2", "hello") && link("l2", "l2") < 0 && unlink("l2") == 0);
	EXPECT(link("l2", "l1") < 0 && link("nothing", "l1") < 0);
	/* Many names. */
	file_make("m", "");
	for (int i = 0; i < 500; i++) {
		char name[] = {'x', (char)('0' + i / 64), (char)('0' + i % 64), 0};

		EXPECT(link("m", name) == 0);
	}
	struct stat st;
	EXPECT(stat("m", &st) == 0 && st.nlink == 501 && unlink("m") == 0 && entries(".", 'x') >= 500);
	for (int i = 0; i < 500; i++) {
		char name[] = {'x', (char)('0' + i / 64), (char)('0' + i % 64), 0};

		EXPECT(unlink(name) == 0);
	}
	EXPECT(!exists("x00"));
}

/* ---- several at once ---- */

static void wait_all(int nr)
{
	int status;

	while (nr-- > 0)
		EXPECT(wait(&status) > 0 && status == 0);
}

static void shared_descriptor(void)
{
	int fd = open("s", O_CREATE | O_RDWR), nr[2] = {0, 0}, n, pid;

	pid = fork();
	memset(buf, pid ? 'p' : 'c', 10);
	for (int i = 0; i < 500; i++)
		EXPECT(write(fd, buf, 10) == 10);
	if (pid == 0)
		exit(0);
	wait_all(1);
	close(fd);
	fd = open("s", O_RDONLY);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		for (int i = 0; i < n; i++)
			nr[buf[i] == 'p']++;
	close(fd);
	EXPECT(nr[0] == 5000 && nr[1] == 5000 && unlink("s") == 0);
}

static void four_files(void)
{
	for (int k = 0; k < 4; k++) {
		if (fork() == 0) {
			char name[] = {'w', (char)('0' + k), 0};

			for (int i = 0; i < 12; i++) {
				int fd = open(name, O_CREATE | O_RDWR | O_TRUNC);

				memset(buf, '0' + k, 500);
				for (int j = 0; j < 12; j++)
					EXPECT(write(fd, buf, 500) == 500);
				close(fd);
				EXPECT(i == 11 || unlink(name) == 0);
			}
			exit(0);
		}
	}
	wait_all(4);
	for (int k = 0; k < 4; k++) {
		char name[] = {'w', (char)('0' + k), 0};
		int fd = open(name, O_RDONLY), n, total = 0;

		while ((n = read(fd, buf, sizeof(buf))) > 0)
			for (int i = 0; i < n; i++, total++)
				EXPECT(buf[i] == '0' + k);
		close(fd);
		EXPECT(total == 6000 && unlink(name) == 0);
	}
}

static void create_delete(void)
{
	for (int k = 0; k < 4; k++) {
		if (fork() == 0) {
			for (int i = 0; i < 20; i++) {
				char name[] = {(char)('p' + k), (char)('0' + i), 0},
				     before[] = {(char)('p' + k), (char)('0' + i / 2), 0};
				int fd = open(name, O_CREATE | O_RDWR);

				EXPECT(fd >= 0);
				close(fd);
				EXPECT(i == 0 || i % 2 || unlink(before) == 0);
			}
			exit(0);
		}
	}
	wait_all(4);
	for (int k = 0; k < 4; k++) {
		for (int i = 0; i < 20; i++) {
			char name[] = {(char)('p' + k), (char)('0' + i), 0};

			EXPECT(exists(name) == (i == 0 || i >= 10));
			unlink(name);
		}
	}
}

/* Everyone makes, links and removes the same names. */
static void same_names(void)
{
	file_make("cat0", "x");
	for (int k = 0; k < 3; k++) {
		if (fork() == 0) {
			uint x = (uint)k * 97 + 1;

			for (int i = 0; i < 300; i++) {
				x = x * 1103515245 + 12345;
				if ((x >> 16) % 3 == 0)
					close(open("x", O_RDWR | O_CREATE));
				else if ((x >> 16) % 3 == 1)
					link("cat0", "x");
				else
					unlink("x");
			}
			exit(0);
		}
	}
	wait_all(3);
	unlink("x");
	struct stat st;
	EXPECT(stat("cat0", &st) == 0 && st.nlink == 1 && unlink("cat0") == 0);
	EXPECT(mkdir("same") == 0);
	for (int k = 0; k < 4; k++) {
		if (fork() == 0) {
			for (int i = 0; i < 40; i++) {
				char name[] = {'s', 'a', 'm', 'e', '/', 'C', (char)('0' + i), 0};

				close(open(name, O_CREATE | O_RDWR));
				if (i % 3 == k % 3)
					unlink(name);
			}
			exit(0);
		}
	}
	wait_all(4);
	/* Whatever is there is whole: it can be opened, and removed once. */
	for (int i = 0; i < 40; i++) {
		char name[] = {'s', 'a', 'm', 'e', '/', 'C', (char)('0' + i), 0};

		EXPECT(exists(name) == (unlink(name) == 0));
	}
	EXPECT(unlink("same") == 0);
}

/* ---- when there is no more ---- */

static void disk_fills(void)
{
	int nr = 0, full = 0, fd;
	char name[] = "big0";

	memset(buf, 1, sizeof(buf));
	for (; nr < 60 && !full; nr++) {
		name[3] = (char)('0' + nr);
		fd = open(name, O_CREATE | O_RDWR | O_TRUNC);
		full = fd < 0;
		for (int i = 0; i < (int)MAXFILE && !full; i++)
			full = write(fd, buf, BSIZE) != BSIZE;
		close(fd);
	}
	/* Small things may still find room or not; nothing breaks. */
	for (int i = 0; i < 64; i++) {
		char small[] = {'z', 'z', (char)('0' + i), 0};

		close(open(small, O_CREATE | O_RDWR));
	}
	mkdir("fulldir");
	unlink("fulldir");
	for (int i = 0; i < 64; i++) {
		char small[] = {'z', 'z', (char)('0' + i), 0};

		unlink(small);
	}
	while (nr-- > 0) {
		name[3] = (char)('0' + nr);
		unlink(name);
	}
	file_make("f", "room again");
	EXPECT(unlink("f") == 0);
}

static void many_files(void)
{
	char name[] = "zz00";
	int nr = 0;

	for (; nr < 32 * 32; nr++) {
		name[2] = (char)('0' + nr / 32);
		name[3] = (char)('0' + nr % 32);
		int fd = open(name, O_CREATE | O_RDWR | O_TRUNC);

		if (fd < 0)
			break;
		close(fd);
	}
	EXPECT(nr > 100 && entries(".", 'z') >= nr);
	while (nr-- > 0) {
		name[2] = (char)('0' + nr / 32);
		name[3] = (char)('0' + nr % 32);
		EXPECT(unlink(name) == 0);
	}
}

static void bad_writes_cost_nothing(void)
{
	for (int i = 0; i < 600; i++) {
		int fd = open("junk", O_CREATE | O_WRONLY);

		EXPECT(fd >= 0 && write(fd, (char *)0xffffffffffUL, 1) < 0);
		close(fd);
		EXPECT(unlink("junk") == 0);
	}
	file_make("junk", "x");
	EXPECT(unlink("junk") == 0);
}

static const struct edge edges[] = {
	{"open_modes", open_modes},
	{"truncate_behind", truncate_behind},
	{"truncate_race", truncate_race},
	{"longest_file", longest_file},
	{"odd_writes", odd_writes},
	{"dir_open", dir_open},
	{"dir_remove", dir_remove},
	{"open_while_removed", open_while_removed},
	{"tree", tree},
	{"file_as_dir", file_as_dir},
	{"long_names", long_names},
	{"empty_names", empty_names},
	{"deep", deep},
	{"records", records},
	{"stat_tells", stat_tells},
	{"links", links},
	{"shared_descriptor", shared_descriptor},
	{"four_files", four_files},
	{"create_delete", create_delete},
	{"same_names", same_names},
	{"disk_fills", disk_fills},
	{"many_files", many_files},
	{"bad_writes_cost_nothing", bad_writes_cost_nothing},
};

int main(int argc, char *argv[])
{
	EXPECT(chdir("/") == 0);
	exit(edges_main(edges, (int)(sizeof(edges) / sizeof(edges[0])), argc, argv));
}
