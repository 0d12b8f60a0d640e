/*
 * execve(2).
 *
 *   1  the file, through "#!" lines to an ELF file           may fail, nothing changed
 *   2  arguments copied in
 *   3  a whole new address space, stack included, built beside the old one; credentials and tables that may be needed
 *   4  the other threads are killed; if this one is killed meanwhile, it stops here          ---- no return ----
 *   5  commit: cannot fail
 */
#include "arch/riscv/arch.h"
#include "arch/riscv/trace.h"
#include "dev/tty.h"
#include "fs/path.h"
#include "lib/cmdline.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "mm/slab.h"
#include "proc/exec.h"
#include "proc/pid.h"
#include "proc/proc.h"
#include "proc/sched.h"
#include "proc/timers.h"

#define SCRIPT_DEPTH 5

/* ---- 1: the file ---- */

static int prefix_push(struct exec *e, const char *word)
{
	if (e->nr_prefix == EXEC_PREFIX_MAX)
		return -ELOOP;
	e->prefix[e->nr_prefix] = kstrdup(word, 0);
	if (!e->prefix[e->nr_prefix])
		return -ENOMEM;
	e->nr_prefix++;
	return 0;
}

/* The file is a script named `self`: its interpreter's words replace argv[0]. `self` becomes the interpreter's name. */
static int script_enter(struct exec *e, size_t len, char *self)
{
	struct script s;
	int err = script_parse((const char *)e->window, len, &s);

	if (err)
		return err;
	/* argv[0] of an inner script is its name already: the outermost word is replaced by the same. */
	if (e->nr_prefix)
		kfree(e->prefix[--e->nr_prefix]);
	err = prefix_push(e, self);
	if (!err && s.arg[0])
		err = prefix_push(e, s.arg);
	if (!err)
		err = prefix_push(e, s.interp);
	if (!err)
		strlcpy(self, s.interp, PATH_MAX);
	return err;
}

static int exec_find_program(struct exec *e, const struct path *dir, const char *name, u32 at_flags)
{
	char *self = kmalloc(PATH_MAX, 0);
	size_t len;
	int err;

	if (!self)
		return -ENOMEM;
	strlcpy(self, name, PATH_MAX);
	for (u32 depth = 0;; depth++) {
		err = exec_open(dir, self, at_flags, &e->file);
		if (!err)
			err = exec_read_window(e, e->file, &len);
		if (!err)
			err = exec_parse(e, e->file, len, &e->program);
		if (err != -ENOEXEC)
			break;
		err = script_enter(e, len, self);
		if (!err && depth == SCRIPT_DEPTH)
			err = -ELOOP;
		if (err)
			break;
		file_put(e->file);
		e->file = NULL;
		dir = NULL;
		at_flags = 0;
	}
	kfree(self);
	return err;
}

/* ---- 3: what may be needed ---- */

static int exec_prepare_cred(struct exec *e)
{
	const struct cred *now = &current()->cred->cred;
	struct inode *inode = e->file->inode;
	u32 euid = now->euid, egid = now->egid, mode, uid, gid;
	struct cred *c;

	/* Bits and owners as they were together: chown takes the bits away as it gives the file to somebody else. */
	rwlock_read_lock(&inode->lock);
	mode = inode->mode;
	uid = inode->uid;
	gid = inode->gid;
	rwlock_read_unlock(&inode->lock);
	if (!(mount_flags(e->file->path.mount) & MOUNT_NOSUID)) {
		if (mode & S_ISUID) {
			euid = uid;
			e->raised = 1;
		}
		if ((mode & (S_ISGID | 0010)) == (S_ISGID | 0010)) {
			egid = gid;
			e->raised = 1;
		}
	}
	e->secure = euid != now->uid || egid != now->gid;
	if (euid == now->euid && egid == now->egid && now->suid == euid && now->fsuid == euid && now->sgid == egid &&
		now->fsgid == egid)
		return 0;
	e->cred = cred_clone(current()->cred);
	if (!e->cred)
		return -ENOMEM;
	c = &e->cred->cred;
	c->euid = c->suid = c->fsuid = euid;
	c->egid = c->sgid = c->fsgid = egid;
	return 0;
}

static int exec_prepare(struct exec *e)
{
	struct process *p = current_process();
	/* Until it is killed, another thread may share with a new process what nobody shares yet (clone). */
	bool threads = p->nr_threads > 1;

	if (threads || refcount_read(&p->sighand->refs) > 1) {
		e->sighand = sighand_copy(p);
		if (!e->sighand)
			return -ENOMEM;
	}
	if (threads || p->files_shared) {
		e->files = fdtable_copy(current()->files);
		if (!e->files)
			return -ENOMEM;
	}
	/* Counted for the process; given back by process_drop_text. */
	return inode_deny_write(e->file->inode);
}

/* ---- 4: alone ---- */

static bool alone(const struct process *p)
{
	u32 others = READ_ONCE(p->nr_threads) - 1;

	if (p->leader == current())
		return others == 0;
	return others == 1 && READ_ONCE(p->leader->state) == TASK_ZOMBIE;
}

/* A thread that is not the leader takes the leader's place and number. */
static void take_leadership(struct process *p)
{
	struct task *t = current(), *old = p->leader;
	struct pid *own = t->pid;
	u64 flags = spin_lock_irqsave(&tasks_lock);

	spin_lock(&p->siglock);
	list_del(&old->thread_link);
	p->nr_threads--;
	p->leader = t;
	signal_queue_flush(&old->pending, ~0ul);
	spin_unlock(&p->siglock);
	pid_detach(own);
	t->pid = old->pid;
	old->pid = own; /* dropped with it */
	t->tid = p->pid;
	t->thread.what.tid = (u32)t->tid;
	pid_attach(t->pid, t);
	spin_unlock_irqrestore(&tasks_lock, flags);
	task_put(old); /* the table's */
}

/* 0, or -EAGAIN: somebody else ends this process. */
static int dethread(void)
{
	struct process *p = current_process();
	struct task *t = current(), *other;
	u64 flags = spin_lock_irqsave(&p->siglock);
	int err = 0;

	if (t->must_exit || p->group_exit) {
		spin_unlock_irqrestore(&p->siglock, flags);
		return -EAGAIN;
	}
	list_for_each_entry (other, &p->threads, thread_link) {
		if (other == t)
			continue;
		WRITE_ONCE(other->must_exit, 1);
		sched_wake_signal(other, SIGNAL_WAKE_FATAL);
	}
	spin_unlock_irqrestore(&p->siglock, flags);
	err = wait_event_killable(&p->threads_wait, alone(p));
	if (err)
		return -EAGAIN;
	if (p->leader != t)
		take_leadership(p);
	return 0;
}

/* ---- 5: commit ---- */

static void commit_signals(struct exec *e)
{
	struct task *t = current();
	struct process *p = t->proc;
	struct sighand *old = NULL;
	u64 flags = spin_lock_irqsave(&p->siglock);

	if (e->sighand && refcount_read(&p->sighand->refs) > 1) {
		old = p->sighand;
		p->sighand = e->sighand;
		e->sighand = NULL;
	}
	sighand_reset(p->sighand);
	t->altstack = (struct sigaltstack_k){.flags = SS_DISABLE};
	spin_unlock_irqrestore(&p->siglock, flags);
	if (old)
		sighand_put(old);
}

static void commit_files(struct exec *e)
{
	struct task *t = current();
	struct fdtable *old = NULL;
	u64 flags;

	if (e->files && t->proc->files_shared) {
		flags = spin_lock_irqsave(&tasks_lock);
		old = t->files;
		t->files = e->files;
		spin_unlock_irqrestore(&tasks_lock, flags);
		e->files = NULL;
		t->proc->files_shared = 0;
		fdtable_put(old);
	}
	fdtable_close_exec(t->files);
}

static void vmprint_emit(void *arg, const char *s, size_t len)
{
	/* The exact text on the console, and the lines again for dmesg. */
	console_write(s, len);
	log_printf(LOG_LEVEL_DEBUG, "%.*s", (int)len, s);
}

static void commit_memory(struct exec *e)
{
	struct task *t = current();
	struct process *p = t->proc;

	if (t->as)
		task_leave_memory(t);
	t->robust_list = 0;
	t->clear_child_tid = 0;
	process_drop_text(p);
	inode_get(e->file->inode);
	p->text = e->file->inode;
	p->vdso = e->vdso;
	e->as->exe = e->file;
	e->file = NULL;
	aspace_set_pid(e->as, p->pid);
	task_change_aspace(e->as);
	limits_apply(p, e->as); /* prlimit may have come meanwhile, and found the old one */
	if (p->pid == 1 && !p->execed && cmdline_flag("vmprint"))
		pt_print(&e->as->pt, PT_PRINT_USER, vmprint_emit, NULL);
	e->as = NULL;
}

static void exec_commit(struct exec *e)
{
	struct task *t = current();
	struct process *p = t->proc;
	const char *base = strrchr(e->name, '/');

	/* Before the memory: nobody who may not look into it may find it (procfs/task.c, node_aspace). */
	if (e->secure)
		p->dumpable = 0;
	if (e->cred) {
		cred_commit(e->cred);
		e->cred = NULL;
	}
	commit_memory(e);
	commit_signals(e);
	process_timers_exec(p);
	commit_files(e);
	p->dumpable = !e->secure;
	if (e->secure)
		t->pdeathsig = 0;
	if (e->raised)
		t->personality &= ~EXEC_UNSAFE_PERSONALITY;
	p->exit_signal = SIGCHLD;
	task_set_name(t, base ? base + 1 : e->name);
	p->execed = 1;
	trace_note(TRACE_EXEC, 0, (u64)t->as, 0, 0, 0);
	thread_start_user(&t->thread, e->entry, e->sp);
}

/* ---- all of it ---- */

static void exec_free(struct exec *e)
{
	exec_args_free(&e->args);
	while (e->nr_prefix > 0)
		kfree(e->prefix[--e->nr_prefix]);
	if (e->file)
		file_put(e->file);
	if (e->as)
		aspace_put(e->as);
	if (e->cred)
		cred_put(e->cred);
	if (e->sighand)
		sighand_put(e->sighand);
	if (e->files)
		fdtable_put(e->files);
	kfree(e);
}

static int exec_run(
	struct exec *e, const struct path *dir, const char *name, u32 at_flags, const struct exec_source *src)
{
	struct process *p = current_process();
	int err = exec_find_program(e, dir, name, at_flags);

	if (!err)
		err = exec_args_collect(e, src);
	/* The auxiliary vector and the layout depend on whose program it is. */
	if (!err)
		err = exec_prepare_cred(e);
	if (!err)
		err = exec_load(e);
	if (err)
		return err;
	err = exec_prepare(e);
	if (err)
		return err;
	err = p->nr_threads > 1 ? dethread() : 0;
	if (err) {
		inode_allow_write(e->file->inode);
		return err; /* must_exit is set: it never sees user mode again */
	}
	exec_commit(e);
	return 0;
}

static int exec_with(const struct path *dir, const char *name, u32 at_flags, const struct exec_source *src)
{
	struct process *p = current_process();
	struct exec *e;
	int err = mutex_lock_killable(&p->exec_lock);

	if (err)
		return err;
	e = kmalloc(sizeof(*e), 0);
	if (e) {
		memset(e, 0, offsetof(struct exec, window));
		e->name = name;
		err = exec_run(e, dir, name, at_flags, src);
		exec_free(e);
	} else {
		err = -ENOMEM;
	}
	mutex_unlock(&p->exec_lock);
	return err;
}

int process_exec(const struct path *dir, const char *name, u32 at_flags, struct uptr argv, struct uptr envp)
{
	struct exec_source src = {.user_argv = argv, .user_envp = envp};

	return exec_with(dir, name, at_flags, &src);
}

int process_exec_kernel(const char *name, const char *const *argv, const char *const *envp)
{
	struct exec_source src = {.argv = argv, .envp = envp};

	return exec_with(NULL, name, 0, &src);
}
