/* Process 1: from a kernel thread that mounts the root to the first program. */
#include "arch/riscv/arch.h"
#include "fs/file.h"
#include "fs/path.h"
#include "lib/cmdline.h"
#include "lib/err.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "proc/cred.h"
#include "proc/oom.h"
#include "proc/pid.h"
#include "proc/proc.h"
#include "proc/sched.h"
#include "proc/sigqueue.h"

#define INIT_WORDS 64

/* The group and session that pid 1 starts in: no number of any process, so that its setsid works. */
static struct pid pid_none = {
	.refs = REFCOUNT_INIT(1),
	.group = LIST_INIT(pid_none.group),
	.session = LIST_INIT(pid_none.session),
};

static void mount_root(void)
{
	const char *device = cmdline_get("root");
	u32 flags = 0;
	int err;

	if (cmdline_flag("ro"))
		flags = MOUNT_RDONLY;
	(void)cmdline_flag("rw");
	if (!device || !*device)
		device = "vda";
	if (strncmp(device, "/dev/", 5) == 0)
		device += 5;
	err = fs_mount_root(device, flags);
	if (err)
		panic("cannot mount the root file system from \"%s\": error %d. Is a disk image attached "
		      "(root=DEVICE)?",
			device, err);
}

/* Descriptors 0, 1 and 2. */
static void open_console(struct task *t)
{
	struct file *f;
	int err = file_open(NULL, "/dev/console", O_RDWR, 0, &f);

	if (err) {
		pr_warn("init: /dev/console cannot be opened: error %d; it starts without standard input and output",
			err);
		return;
	}
	for (u32 i = 0; i < 3; i++) {
		int fd = fd_reserve(t->files, 0, 16);

		if (fd < 0)
			break;
		file_get(f);
		fd_install(t->files, fd, f, 0);
	}
	file_put(f);
}

static const char *argv[INIT_WORDS + 2], *envp[INIT_WORDS + 3];

/* Words of the command line that nobody in the kernel knows are for init, as Linux does it. */
static void collect_words(void)
{
	u32 pos = 0, n = 1;
	const char *word;

	while (n <= INIT_WORDS && (word = cmdline_unknown(&pos, CMDLINE_ARG)) != NULL)
		argv[n++] = word;
	argv[n] = NULL;
	envp[0] = "HOME=/";
	envp[1] = "TERM=linux";
	for (n = 2, pos = 0; n <= INIT_WORDS + 1 && (word = cmdline_unknown(&pos, CMDLINE_ENV)) != NULL; n++)
		envp[n] = word;
	envp[n] = NULL;
}

static bool try_program(const char *name)
{
	int err;

	argv[0] = name;
	err = process_exec_kernel(name, argv, envp);
	if (err && err != -ENOENT)
		pr_err("init: %s exists but cannot be run: error %d", name, err);
	return err == 0;
}

/* Returning goes to user mode, into the program. */
static void init_main(void *arg)
{
	static const char *const names[] = {"/sbin/init", "/etc/init", "/bin/init", "/bin/sh"};
	const char *wanted = cmdline_get("init");
	struct task *t = current();

	(void)cmdline_get("vmprint");
	mount_root();
	t->fs = fs_context_create();
	t->files = fdtable_create();
	if (!t->fs || !t->files)
		panic("no memory to start init");
	open_console(t);
	collect_words();
	if (wanted && *wanted) {
		if (try_program(wanted))
			return;
		panic("init=%s cannot be run", wanted);
	}
	for (u32 i = 0; i < ARRAY_SIZE(names); i++) {
		if (try_program(names[i]))
			return;
	}
	panic("no program for process 1: tried /sbin/init, /etc/init, /bin/init and /bin/sh; init=PATH names another");
}

static void init_enter(void *arg)
{
	sched_first_run();
	init_main(arg);
}

void init_start(void)
{
	struct task *t = task_create("init", 1, init_enter, NULL);
	struct process *p = process_alloc();
	u64 flags;

	if (IS_ERR(t) || !p)
		panic("no memory for process 1");
	p->sighand = sighand_create();
	if (!p->sighand)
		panic("no memory for process 1");
	p->pid = 1;
	p->leader = t;
	p->unkillable = 1;
	t->proc = p;
	t->cred = cred_get(&cred_root);
	t->altstack.flags = SS_DISABLE;
	flags = spin_lock_irqsave(&tasks_lock);
	list_add_tail(&t->thread_link, &p->threads);
	p->nr_threads = p->nr_live = 1;
	p->pgrp = p->session = &pid_none;
	pid_get(&pid_none);
	pid_get(&pid_none);
	list_add_tail(&p->pgrp_link, &pid_none.group);
	list_add_tail(&p->session_link, &pid_none.session);
	process_get(p); /* for the table */
	task_get(t);
	pid_attach(t->pid, t);
	init_process = p;
	spin_unlock_irqrestore(&tasks_lock, flags);
	oom_start();
	sched_start(t);
}
