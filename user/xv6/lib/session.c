/* How a program begins, and what the processes of a session share. */
#include "lib.h"

int begin_argc;

#define SESSION_PATH "/dev/shm/.xv6-session-"
#define SESSION_WORD "XV6_SESSION=1"

/* The classic machine has 128 MiB, of which its kernel and file cache take some. */
#define CLASSIC_PAGES 30000

void die(const char *why)
{
	fprintf(2, "xv6: %s\n", why);
	call1(NR_exit_group, 1);
	__builtin_unreachable();
}

/* ---- starting a session ---- */

static void set_limit(int which, uint64 soft)
{
	struct linux_rlimit limit = {0, 0};

	call4(NR_prlimit64, 0, which, 0, &limit);
	limit.soft = soft < limit.hard ? soft : limit.hard;
	call4(NR_prlimit64, 0, which, &limit, 0);
}

static void set_handler(int signo, long handler)
{
	/* handler, flags, mask */
	long action[3] = {handler, 0, 0};

	call4(NR_rt_sigaction, signo, action, 0, 8);
}

/* Moves a descriptor up, out of the program's way. */
static void fd_move(int fd, int to)
{
	call3(NR_fcntl, fd, F_DUPFD, to);
	call1(NR_close, fd);
}

static int session_file(void)
{
	char path[sizeof(SESSION_PATH) + 16];
	int pid = (int)call0(NR_getpid), fd;
	char *p;

	strcpy(path, SESSION_PATH);
	for (p = path + sizeof(SESSION_PATH) - 1; pid; pid /= 10)
		*p++ = (char)('0' + pid % 10);
	*p = 0;
	call3(NR_unlinkat, AT_FDCWD, path, 0);
	fd = (int)call4(NR_openat, AT_FDCWD, path, O_RDWR | LINUX_O_CREAT | LINUX_O_EXCL, 0600);
	if (fd >= 0)
		call3(NR_unlinkat, AT_FDCWD, path, 0);
	return fd;
}

/* The directory /xv6 becomes the root; a current directory below it stays. */
static void change_root(void)
{
	char cwd[64];
	long len = call2(NR_getcwd, cwd, sizeof(cwd));
	/* A path that does not fit is one that begins elsewhere or deep inside: look at what is known of it. */
	int inside = len > 0 && memcmp(cwd, XV6_ROOT, sizeof(XV6_ROOT) - 1) == 0 &&
		(cwd[sizeof(XV6_ROOT) - 1] == 0 || cwd[sizeof(XV6_ROOT) - 1] == '/');
	long err = call1(NR_chroot, XV6_ROOT);

	if (err == -EPERM)
		die("only root may run these programs: they see " XV6_ROOT " as their root directory");
	if (err < 0)
		die("there is no directory " XV6_ROOT);
	if (!inside)
		call1(NR_chdir, "/");
}

static void session_map(void)
{
	long at = call6(NR_mmap, SESSION, PGSIZE, PROT_RW, MAP_SHARED | MAP_FIXED, FD_SESSION, 0);

	if (at != (long)SESSION)
		die("the session's page cannot be mapped");
}

static uint memory_budget(void)
{
	struct linux_sysinfo info;
	uint64 half;

	if (call1(NR_sysinfo, &info) < 0)
		return CLASSIC_PAGES;
	half = info.totalram * info.mem_unit / PGSIZE / 2;
	return half < CLASSIC_PAGES ? (uint)half : CLASSIC_PAGES;
}

static void session_start(void)
{
	int fd;

	call3(NR_close_range, 3, ~0u, 0);
	set_limit(RLIMIT_NOFILE, 64);
	fd = session_file();
	if (fd < 0 || call2(NR_ftruncate, fd, PGSIZE) < 0)
		die("no place for a session's page in /dev/shm");
	fd_move(fd, FD_SESSION);
	fd = (int)call4(NR_openat, AT_FDCWD, "/proc", LINUX_O_DIRECTORY, 0);
	if (fd >= 0)
		fd_move(fd, FD_PROC);
	change_root();
	session_map();
	SESSION->budget = memory_budget();
	SESSION->slots[0].pid = (int)call0(NR_getpid);
	SESSION->magic = SESSION_MAGIC;

	set_limit(RLIMIT_NOFILE, NOFILE);
	set_limit(RLIMIT_FSIZE, MAXFILE * BSIZE);
	/* A write that cannot be is an answer, not a death; children are waited for. */
	set_handler(SIGPIPE, 1);
	set_handler(SIGXFSZ, 1);
	set_handler(SIGCHLD, 0);
	call1(NR_umask, 0);
}

/* Programs know themselves by their bare names. */
static char *bare_name(char *path)
{
	char *name = path;

	for (; *path; path++)
		if (*path == '/' && path[1])
			name = path + 1;
	return name;
}

void session_enter(char **args, char **envp)
{
	struct slot *slot;
	int joined = 0;

	for (; *envp; envp++)
		joined |= strcmp(*envp, SESSION_WORD) == 0;
	if (!joined) {
		session_start();
		if (*args)
			*args = bare_name(*args);
		return;
	}
	session_map();
	if (SESSION->magic != SESSION_MAGIC)
		die("descriptor 32 is not a session's page");
	/* The heap of the program before this one is gone. */
	slot = session_find(getpid());
	if (slot)
		slot->pages = 0;
}

/* ---- slots ---- */

struct slot *session_find(int pid)
{
	for (struct slot *s = SESSION->slots; s < SESSION->slots + NR_SLOTS; s++)
		if (__atomic_load_n(&s->pid, __ATOMIC_ACQUIRE) == pid)
			return s;
	return 0;
}

/* Gives back the slots of those who are dead and waited for: orphans, and what nobody finished filling. */
static void session_sweep(void)
{
	for (struct slot *s = SESSION->slots; s < SESSION->slots + NR_SLOTS; s++) {
		int pid = __atomic_load_n(&s->pid, __ATOMIC_ACQUIRE);

		if (pid && call2(NR_kill, pid < 0 ? -pid : pid, 0) == -ESRCH)
			__atomic_compare_exchange_n(&s->pid, &pid, 0, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
	}
}

static uint session_pages(void)
{
	uint sum = 0;

	for (struct slot *s = SESSION->slots; s < SESSION->slots + NR_SLOTS; s++)
		if (__atomic_load_n(&s->pid, __ATOMIC_ACQUIRE))
			sum += __atomic_load_n(&s->pages, __ATOMIC_RELAXED);
	return sum;
}

/* Whether all together are within the budget; if not at first, without the dead. */
static int within_budget(void)
{
	if (session_pages() <= SESSION->budget)
		return 1;
	session_sweep();
	return session_pages() <= SESSION->budget;
}

static struct slot *slot_take(uint pages)
{
	int me = getpid();

	for (struct slot *s = SESSION->slots; s < SESSION->slots + NR_SLOTS; s++) {
		int free = 0;

		if (__atomic_load_n(&s->pid, __ATOMIC_RELAXED) == 0 &&
			__atomic_compare_exchange_n(&s->pid, &free, -me, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
			s->exited = 0;
			s->pages = pages;
			return s;
		}
	}
	return 0;
}

struct slot *session_reserve(uint pages)
{
	struct slot *s = slot_take(pages);

	if (!s) {
		session_sweep();
		s = slot_take(pages);
	}
	if (s && pages && !within_budget()) {
		__atomic_store_n(&s->pid, 0, __ATOMIC_RELEASE);
		return 0;
	}
	return s;
}

int session_grow(uint pages)
{
	struct slot *s = session_find(getpid());

	if (!s)
		return pages <= SESSION->budget ? 0 : -1;
	__atomic_fetch_add(&s->pages, pages, __ATOMIC_ACQ_REL);
	if (within_budget())
		return 0;
	__atomic_fetch_sub(&s->pages, pages, __ATOMIC_ACQ_REL);
	return -1;
}

void session_shrink(uint pages)
{
	struct slot *s = session_find(getpid());

	if (s)
		__atomic_fetch_sub(&s->pages, pages, __ATOMIC_ACQ_REL);
}

/* ---- the first function ---- */

/*
 * Copies the arguments to the top of the program's stack, as the classic exec does: strings, then the pointers.
 * Runs on the stack that Linux gave. Returns the new stack pointer, where the pointers begin.
 */
char **begin(long *linux_stack)
{
	char **args = (char **)(linux_stack + 1), *sp = __heap, *low = __stack_bottom;
	int argc = (int)linux_stack[0];
	uint64 pointers[MAXARG];

	session_enter(args, args + argc + 1);
	if (argc >= MAXARG)
		die("too many arguments");
	for (int i = 0; i < argc; i++) {
		uint len = strlen(args[i]) + 1;

		if (len + 16 > (uint64)(sp - low))
			die("the arguments do not fit on the stack");
		sp = (char *)((uint64)(sp - len) & ~15UL);
		memmove(sp, args[i], (int)len);
		pointers[i] = (uint64)sp;
	}
	pointers[argc] = 0;
	if ((argc + 2) * 8 > sp - low)
		die("the arguments do not fit on the stack");
	sp = (char *)((uint64)(sp - (argc + 1) * 8) & ~15UL);
	memmove(sp, pointers, (argc + 1) * 8);
	begin_argc = argc;
	return (char **)sp;
}
