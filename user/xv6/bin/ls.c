/* ls [PATH...]: name, type (1 directory, 2 file, 3 device), inode number, size. */
#include "kernel/types.h"
#include "kernel/stat.h"
#include "kernel/fs.h"
#include "user/user.h"

static void show(const char *name, const struct stat *st)
{
	printf("%s", name);
	for (int n = (int)strlen(name); n < DIRSIZ; n++)
		printf(" ");
	printf(" %d %d %d\n", st->type, st->ino, (int)st->size);
}

static void list_dir(const char *path, int fd)
{
	char full[128];
	struct dirent de;
	struct stat st;
	uint len = strlen(path);

	if (len + 1 + DIRSIZ + 1 > sizeof(full)) {
		fprintf(2, "ls: %s is too long\n", path);
		return;
	}
	strcpy(full, path);
	full[len++] = '/';
	while (read(fd, &de, sizeof(de)) == sizeof(de)) {
		if (de.inum == 0)
			continue;
		memmove(full + len, de.name, DIRSIZ);
		full[len + DIRSIZ] = 0;
		if (stat(full, &st) < 0)
			fprintf(2, "ls: cannot stat %s\n", full);
		else
			show(full + len, &st);
	}
}

static void list(const char *path)
{
	const char *name = path;
	struct stat st;
	int fd = open(path, 0);

	if (fd < 0 || fstat(fd, &st) < 0) {
		fprintf(2, "ls: cannot open %s\n", path);
	} else if (st.type == T_DIR) {
		list_dir(path, fd);
	} else {
		for (const char *p = path; *p; p++)
			if (*p == '/')
				name = p + 1;
		show(name, &st);
	}
	if (fd >= 0)
		close(fd);
}

int main(int argc, char *argv[])
{
	if (argc < 2)
		list(".");
	for (int i = 1; i < argc; i++)
		list(argv[i]);
	exit(0);
}
