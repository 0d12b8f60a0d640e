// host-sources: kernel/proc/cred.c kernel/proc/limits.c kernel/proc/signal.c kernel/sync/spinlock.c kernel/lib/bitmap.c kernel/lib/string.c
// host-flags: -iquotetests/host/fake/proc -ffunction-sections -Wl,--gc-sections
/*
 * What exec looks at while somebody else changes it: the owner and the mode of the file, and whether tables are shared. Of exec.c,
 * the steps are called one by one; what else it needs is not linked.
 */
#include "fake/proc/proc_env.h"

#include "../../kernel/proc/exec.c"

#define OWNER 1000u

struct spinlock tasks_lock = SPINLOCK_INIT("tasks", RANK_TASKLIST);

static struct process proc;
static struct task task = {.proc = &proc, .cred = &cred_root};
static struct inode inode;
static struct file file = {.inode = &inode};
static struct cred_ref *user;

/* ---- what the steps need of others ---- */

u32 mount_flags(const struct mount *m)
{
	return 0;
}

static void (*writer_goes_on)(void);

void rwlock_read_lock_slow(struct rwlock *rw)
{
	ASSERT(rw->state == RWLOCK_WRITER && writer_goes_on);
	writer_goes_on();
	rw->state = RWLOCK_READER;
}

void rwlock_read_unlock_slow(struct rwlock *rw)
{
}

int inode_deny_write(struct inode *i)
{
	return 0;
}

struct fdtable {
	u32 users;
	bool exec_closed;
};
static struct fdtable table, spare;

struct fdtable *fdtable_copy(struct fdtable *from)
{
	spare = (struct fdtable){.users = 1};
	return &spare;
}

void fdtable_put(struct fdtable *t)
{
	ASSERT(t->users-- > 0);
}

void fdtable_close_exec(struct fdtable *t)
{
	t->exec_closed = true;
}

/* ---- owner and mode ---- */

static void chown_ends(void)
{
	inode.mode &= ~(u32)S_ISUID;
}

/* Root takes over a file that was set-uid to its owner: nobody may come to be root by it. */
static void test_setid_beside_chown(void)
{
	struct exec e = {.file = &file};

	user = cred_clone(&cred_root);
	user->cred.uid = user->cred.euid = user->cred.suid = user->cred.fsuid = OWNER + 1;
	task.cred = user;
	run_on_hart(&task, 0);
	inode.mode = S_IFREG | S_ISUID | 0755;
	inode.uid = OWNER;
	ASSERT(exec_prepare_cred(&e) == 0 && e.cred && e.cred->cred.euid == OWNER);
	cred_put(e.cred);
	e = (struct exec){.file = &file};
	inode.lock.state = RWLOCK_WRITER; /* chown is at it: */
	inode.uid = 0;
	writer_goes_on = chown_ends;
	ASSERT(exec_prepare_cred(&e) == 0);
	ASSERT(!e.cred && !e.raised);
	cred_put(user);
	ASSERT(kernel_objects == 0);
}

/* ---- another thread shares tables, just before it is killed ---- */

static void test_shared_before_alone(void)
{
	struct exec e = {.file = &file};
	struct sighand *shared;

	task.cred = &cred_root;
	spin_init(&proc.siglock, "signals", RANK_SIGNAL);
	proc.nr_threads = 2;
	shared = proc.sighand = sighand_create();
	shared->action[SIGUSR1 - 1].handler = 0x1000;
	table = (struct fdtable){.users = 1};
	task.files = &table;
	run_on_hart(&task, 0);
	ASSERT(exec_prepare(&e) == 0);
	refcount_get(&shared->refs); /* clone with CLONE_SIGHAND and CLONE_FILES, which does not make a thread */
	table.users++;
	proc.files_shared = 1;
	commit_signals(&e);
	commit_files(&e);
	ASSERT(shared->action[SIGUSR1 - 1].handler == 0x1000 && proc.sighand != shared);
	ASSERT(!table.exec_closed && table.users == 1 && task.files == &spare && spare.exec_closed);
	sighand_put(shared);
	sighand_put(proc.sighand);
	ASSERT(kernel_objects == 0);
}

/* Threads, and nobody shares: the table stays, whatever the other threads did to it meanwhile. */
static void test_own_table_stays(void)
{
	struct exec e = {.file = &file};

	run_on_hart(&task, 0);
	proc.nr_threads = 2;
	proc.sighand = sighand_create();
	proc.files_shared = 0;
	table = (struct fdtable){.users = 1};
	task.files = &table;
	ASSERT(exec_prepare(&e) == 0);
	commit_signals(&e);
	commit_files(&e);
	ASSERT(task.files == &table && table.users == 1 && table.exec_closed);
	sighand_put(e.sighand);
	sighand_put(proc.sighand);
	ASSERT(kernel_objects == 0);
}

/* ---- nobody finds the memory of a set-id program by the rights of before; and it has the limits of now ---- */

static struct cred_ref *raised;
static bool memory_changed;

void task_change_aspace(struct aspace *as)
{
	ASSERT(task.cred == raised && !proc.dumpable);
	proc.limits[RLIM_AS].soft = 100 * PAGE_SIZE; /* by prlimit, when exec had looked at the limits already */
	memory_changed = true;
}

void task_leave_memory(struct task *t)
{
}

void process_drop_text(struct process *p)
{
}

void inode_get(struct inode *i)
{
}

void aspace_set_pid(struct aspace *as, int pid)
{
}

void process_timers_exec(struct process *p)
{
}

void thread_start_user(struct thread *t, vaddr_t pc, vaddr_t sp)
{
}

void task_set_name(struct task *t, const char *name)
{
}

bool cmdline_flag(const char *key)
{
	return false;
}

void pt_print(struct pagetable *pt, enum pt_print what, void (*emit)(void *arg, const char *s, size_t len), void *arg)
{
}

void console_write(const char *s, size_t len)
{
}

void log_printf(enum log_level level, const char *fmt, ...)
{
}

static void test_rights_limits_and_memory(void)
{
	static struct aspace as;
	struct exec e = {.file = &file, .as = &as, .secure = 1, .raised = 1, .name = "program"};

	raised = e.cred = cred_clone(&cred_root);
	task.cred = cred_get(&cred_root);
	task.files = &table;
	run_on_hart(&task, 0);
	proc.nr_threads = 1;
	proc.dumpable = 1;
	proc.sighand = sighand_create();
	exec_commit(&e);
	ASSERT(memory_changed && !e.cred && !e.as && !proc.dumpable);
	ASSERT(as.limit_pages == 100);
	cred_put(task.cred);
	sighand_put(proc.sighand);
	ASSERT(kernel_objects == 0);
}

int main(void)
{
	signal_init();
	test_setid_beside_chown();
	test_shared_before_alone();
	test_own_table_stays();
	test_rights_limits_and_memory();
	printf("ok exec\n");
	return 0;
}
