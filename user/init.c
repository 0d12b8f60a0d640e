/*
 * init - the first process, /sbin/init.
 *
 * Mounts what a session needs, then does one of two things:
 *
 *   - ordinarily: keeps a login shell on the console, starting a new one whenever it ends;
 *   - with VITRINE_EXEC=<base64url of a command> in its environment (the kernel passes unknown words
 *     of its command line on): runs that command alone, with its output between two marker lines, and
 *     powers the machine off with the command's exit status. `./vitrine run --exec` stands on this.
 *
 * SIGUSR2 powers off, SIGUSR1 halts, SIGTERM reboots (what BusyBox's poweroff, halt and reboot send).
 * It never exits. It is an ordinary Linux program: the same file serves Linux guests in the tests,
 * where the status, having no /proc/sys/kernel/poweroff_status to go to, is printed as a third marker.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define EXEC_BEGIN  "\x1e<exec>\n"
#define EXEC_END    "\x1e</exec>\n"
#define STATUS_FILE "/proc/sys/kernel/poweroff_status"
#define SHELL       "/bin/sh"

/* Status of a session that could not even begin, as shells have it. */
#define STATUS_NOT_FOUND 127

/* How long processes may take to die of SIGTERM and SIGHUP before SIGKILL. */
#define GRACE_STEP_NS 2000000L
#define GRACE_STEPS   250

static struct termios console_termios;
static int console_is_tty;
static volatile sig_atomic_t shutdown_signal;

/* Says something on the console: on descriptor 2, which is it once console_open() has run. */
static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	int len = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (len > (int)sizeof(line) - 2)
		len = sizeof(line) - 2;
	line[len++] = '\n';
	(void)!write(2, line, (size_t)len);
}

/* ---- the system's surroundings ---- */

static int is_device(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISCHR(st.st_mode);
}

static void mount_one(const char *type, const char *dir, unsigned long flags, const char *data)
{
	/* The directory may be there, or the parent read-only: mount() is the one that tells. */
	mkdir(dir, 0755);
	if (mount(type, dir, type, flags, data) == 0)
		return;
	/* Mounted already, a type this kernel does without, or a place that its parent has not. */
	if (errno != EBUSY && errno != ENODEV && errno != ENOENT)
		say("init: mount %s on %s: %s", type, dir, strerror(errno));
}

static void mount_all(void)
{
	struct statvfs root;

	mount_one("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	if (!is_device("/dev/null"))
		mount_one("devtmpfs", "/dev", MS_NOSUID, NULL);
	if (!is_device("/dev/pts/ptmx"))
		mount_one("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=620,ptmxmode=666");
	mount_one("tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777");
	mount_one("tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=755");
	/* /tmp is on the disk, so that what is put there lasts; a read-only disk leaves no choice. */
	if (statvfs("/", &root) == 0 && (root.f_flag & ST_RDONLY))
		mount_one("tmpfs", "/tmp", MS_NOSUID | MS_NODEV, "mode=1777");
}

/* Makes descriptors 0, 1 and 2 the console. Init itself takes no controlling terminal. */
static void console_open(void)
{
	int fd = open("/dev/console", O_RDWR | O_NOCTTY);

	if (fd < 0) {
		say("init: /dev/console: %s", strerror(errno));
		fd = open("/dev/null", O_RDWR);
	}
	for (int i = 0; i < 3 && fd >= 0; i++)
		if (fd != i)
			dup2(fd, i);
	if (fd > 2)
		close(fd);
	console_is_tty = tcgetattr(0, &console_termios) == 0;
}

static void hostname_set(void)
{
	char name[65] = "vitrine";
	FILE *f = fopen("/etc/hostname", "re");

	if (f) {
		if (fscanf(f, "%64s", name) != 1)
			strcpy(name, "vitrine");
		fclose(f);
	}
	if (sethostname(name, strlen(name)) < 0)
		say("init: sethostname: %s", strerror(errno));
}

static void environment_set(void)
{
	setenv("PATH", "/bin:/sbin:/usr/bin:/usr/sbin", 1);
	setenv("HOME", "/root", 1);
	setenv("SHELL", SHELL, 1);
	setenv("USER", "root", 1);
	setenv("LOGNAME", "root", 1);
	setenv("TERM", "vt100", 0);
}

/*
 * A serial line does not know how large the terminal at its other end is. Who does may say so with
 * LINES=N COLUMNS=N among the kernel's arguments, and programs need not ask the terminal.
 */
static void console_size_set(void)
{
	const char *lines = getenv("LINES"), *columns = getenv("COLUMNS");
	struct winsize size = {0};

	if (!lines || !columns)
		return;
	size.ws_row = (unsigned short)atoi(lines);
	size.ws_col = (unsigned short)atoi(columns);
	if (console_is_tty && size.ws_row && size.ws_col)
		ioctl(0, TIOCSWINSZ, &size);
	/* As variables they would outlive the next change of the terminal's size. */
	unsetenv("LINES");
	unsetenv("COLUMNS");
}

/* ---- signals ---- */

static void note_signal(int sig)
{
	if (sig != SIGCHLD)
		shutdown_signal = sig;
}

/*
 * The signals that init lives by are blocked but for the time it sleeps in sigsuspend(), so that none
 * can come between looking and sleeping. The kernel drops signals that pid 1 has no handler for.
 */
static void signals_set(void)
{
	static const int handled[] = {SIGCHLD, SIGUSR1, SIGUSR2, SIGTERM};
	struct sigaction sa = {.sa_handler = note_signal};
	sigset_t blocked;

	sigemptyset(&blocked);
	for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++) {
		sigaction(handled[i], &sa, NULL);
		sigaddset(&blocked, handled[i]);
	}
	sigprocmask(SIG_SETMASK, &blocked, NULL);
}

static void signals_reset(void)
{
	sigset_t none;

	/* exec resets the handlers. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* ---- children ---- */

/*
 * Starts `argv` in a session of its own that has the console for its terminal. Returns its pid, or
 * -errno of what failed; the errno of a failed exec comes back through a pipe that exec closes.
 */
static pid_t session_start(const char *path, char *const argv[])
{
	int report[2], err = 0;

	if (pipe2(report, O_CLOEXEC) < 0)
		return -errno;
	pid_t pid = fork();
	if (pid < 0) {
		err = errno;
		close(report[0]);
		close(report[1]);
		return -err;
	}
	if (pid == 0) {
		setsid();
		if (console_is_tty && ioctl(0, TIOCSCTTY, 1) < 0)
			say("init: no controlling terminal: %s", strerror(errno));
		if (chdir(getenv("HOME")) < 0)
			(void)!chdir("/");
		signals_reset();
		execv(path, argv);
		err = errno;
		(void)!write(report[1], &err, sizeof(err));
		_exit(STATUS_NOT_FOUND);
	}
	close(report[1]);
	ssize_t nr;
	do {
		nr = read(report[0], &err, sizeof(err));
	} while (nr < 0 && errno == EINTR);
	close(report[0]);
	if (nr != sizeof(err))
		return pid;
	waitpid(pid, NULL, 0);
	return -err;
}

/* Says why SHELL did not start, as exactly as can be told from here. */
static void session_explain(int err)
{
	say("init: cannot start %s: %s", SHELL, strerror(err));
	if (access(SHELL, F_OK) < 0)
		say("init: is this disk a root image, with BusyBox in it?");
	else if (err == ENOENT)
		say("init: %s exists, so it is its interpreter (PT_INTERP or #!) that is missing", SHELL);
	else if (err == ENOEXEC)
		say("init: %s is not a riscv64 executable", SHELL);
	else if (err == EACCES)
		say("init: %s is not executable by root", SHELL);
}

/*
 * Waits for `pid`, burying every orphan meanwhile. Returns its wait status, or -1 when a signal to shut
 * down came first.
 */
static int session_wait(pid_t pid)
{
	sigset_t none;

	sigemptyset(&none);
	for (;;) {
		int status;
		pid_t dead;

		while ((dead = waitpid(-1, &status, WNOHANG)) > 0)
			if (dead == pid)
				return status;
		if (shutdown_signal)
			return -1;
		sigsuspend(&none);
	}
}

/* ---- the end ---- */

static void reap_for_a_while(void)
{
	const struct timespec step = {.tv_nsec = GRACE_STEP_NS};

	for (int i = 0; i < GRACE_STEPS; i++) {
		pid_t dead;

		while ((dead = waitpid(-1, NULL, WNOHANG)) > 0)
			;
		/* Every other process descends from init: without children, none is left. */
		if (dead < 0 && errno == ECHILD)
			return;
		nanosleep(&step, NULL);
	}
}

static void processes_end(void)
{
	/* The hang-up is for interactive shells, which do not mind SIGTERM. */
	kill(-1, SIGTERM);
	kill(-1, SIGHUP);
	kill(-1, SIGCONT);
	reap_for_a_while();
	kill(-1, SIGKILL);
	reap_for_a_while();
}

/* Unmounts the other disks, last mounted first, and leaves the root's read-only and clean. */
static void disks_end(void)
{
	char *dirs[64];
	int nr = 0;
	struct mntent *m;

	sync();
	FILE *f = setmntent("/proc/mounts", "re");
	while (f && nr < 64 && (m = getmntent(f)))
		if (m->mnt_fsname[0] == '/' && strcmp(m->mnt_dir, "/") != 0)
			dirs[nr++] = strdup(m->mnt_dir);
	if (f)
		endmntent(f);
	while (nr-- > 0)
		if (dirs[nr] && umount(dirs[nr]) < 0)
			say("init: unmount %s: %s", dirs[nr], strerror(errno));
	if (mount("none", "/", NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0)
		say("init: remount / read-only: %s", strerror(errno));
	sync();
}

static void status_report(int status)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", status);
	int fd = open(STATUS_FILE, O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, text, (size_t)len) == len) {
		close(fd);
		return;
	}
	say("\x1e<status>%d", status);
}

static void machine_end(int how, int status) __attribute__((noreturn));

static void machine_end(int how, int status)
{
	tcdrain(1);
	processes_end();
	disks_end();
	status_report(status);
	tcdrain(2);
	if (reboot(how) < 0)
		say("init: reboot: %s", strerror(errno));
	for (;;)
		pause();
}

static void machine_end_by_signal(void) __attribute__((noreturn));

static void machine_end_by_signal(void)
{
	if (shutdown_signal == SIGTERM)
		machine_end(RB_AUTOBOOT, 0);
	machine_end(shutdown_signal == SIGUSR1 ? RB_HALT_SYSTEM : RB_POWER_OFF, 0);
}

/* ---- one command ---- */

static int base64url_digit(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const char *p = c ? strchr(digits, c) : NULL;

	return p ? (int)(p - digits) : -1;
}

/* Decodes `text` (padding optional). Returns a new string, or NULL when it is not base64url. */
static char *base64url_decode(const char *text)
{
	size_t len = strcspn(text, "=");
	char *out = malloc(len + 1);
	unsigned int acc = 0;
	int nr_bits = 0;
	size_t n = 0;

	for (size_t i = 0; out && i < len; i++) {
		int digit = base64url_digit(text[i]);

		if (digit < 0) {
			free(out);
			return NULL;
		}
		acc = acc << 6 | (unsigned int)digit;
		nr_bits += 6;
		if (nr_bits >= 8) {
			nr_bits -= 8;
			out[n++] = (char)(acc >> nr_bits & 0xff);
		}
	}
	if (out)
		out[n] = 0;
	return out;
}

/* Bytes go out as the command wrote them, and nothing that comes in is shown. */
static void console_set_plain(void)
{
	struct termios t = console_termios;

	t.c_oflag &= ~(tcflag_t)OPOST;
	t.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
	if (console_is_tty)
		tcsetattr(0, TCSANOW, &t);
}

static void marker_write(const char *marker)
{
	(void)!write(1, marker, strlen(marker));
	tcdrain(1);
}

static void run_command(const char *encoded) __attribute__((noreturn));

static void run_command(const char *encoded)
{
	char *command = base64url_decode(encoded);
	int status = STATUS_NOT_FOUND;

	console_set_plain();
	if (!command) {
		say("init: VITRINE_EXEC is not base64url");
		machine_end(RB_POWER_OFF, status);
	}
	unsetenv("VITRINE_EXEC");
	char *argv[] = {"sh", "-c", command, NULL};
	marker_write(EXEC_BEGIN);
	pid_t pid = session_start(SHELL, argv);
	int wstatus = pid > 0 ? session_wait(pid) : 0;
	/* The command may have left the terminal in a state of its own. */
	console_set_plain();
	marker_write(EXEC_END);

	if (pid < 0)
		session_explain(-pid);
	else if (wstatus == -1)
		machine_end_by_signal();
	else
		status = WIFSIGNALED(wstatus) ? 128 + WTERMSIG(wstatus) : WEXITSTATUS(wstatus);
	machine_end(RB_POWER_OFF, status);
}

/* ---- a login ---- */

static void run_logins(void) __attribute__((noreturn));

static void run_logins(void)
{
	char *argv[] = {"-sh", NULL};

	for (;;) {
		if (console_is_tty)
			tcsetattr(0, TCSANOW, &console_termios);
		pid_t pid = session_start(SHELL, argv);
		if (pid < 0) {
			session_explain(-pid);
			say("init: nothing to run: powering off");
			machine_end(RB_POWER_OFF, STATUS_NOT_FOUND);
		}
		int wstatus = session_wait(pid);
		if (wstatus == -1)
			machine_end_by_signal();
		if (WIFSIGNALED(wstatus))
			say("\ninit: the shell was ended by signal %d (%s)", WTERMSIG(wstatus),
				strsignal(WTERMSIG(wstatus)));
		say("init: a new shell (poweroff leaves the machine)");
	}
}

int main(void)
{
	if (getpid() != 1) {
		fprintf(stderr, "init: only the kernel starts this, as process 1\n");
		return 1;
	}
	umask(022);
	mount_all();
	console_open();
	hostname_set();
	environment_set();
	console_size_set();
	signals_set();

	const char *encoded = getenv("VITRINE_EXEC");
	if (encoded)
		run_command(encoded);
	run_logins();
}
