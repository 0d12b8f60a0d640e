/* Processes and threads as directories: finding them, who may look into them, and their tables of entries. */
#include "lib/err.h"
#include "lib/errno.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "mm/slab.h"
#include "proc/cred.h"
#include "proc/proc.h"
#include "proc/procfs/procfs.h"

/* ---- whose it is ---- */

struct task *node_task(const struct proc_node *n)
{
	struct task *t = task_lookup(n->tid ? n->tid : n->pid);
	bool same;

	if (!t)
		return NULL;
	if (!t->proc || t->proc->pid != n->pid)
		same = false;
	else if (n->tid)
		same = t->start_ns == n->start_ns;
	else
		same = READ_ONCE(t->proc->leader) == t && t->proc->start_ns == n->start_ns;
	if (same)
		return t;
	task_put(t);
	return NULL;
}

/* Whose memory is shown for t's; NULL: nobody's. Locks: tasks_lock held. */
static struct task *memory_owner_locked(struct task *t)
{
	struct task *other;

	if (t->as)
		return t;
	if (t->proc->leader != t)
		return NULL;
	/* A leader that ended before its threads has none of its own any more. */
	list_for_each_entry (other, &t->proc->threads, thread_link) {
		if (other->as)
			return other;
	}
	return NULL;
}

struct aspace *task_aspace(struct task *t)
{
	u64 flags = spin_lock_irqsave(&tasks_lock);
	struct task *owner = memory_owner_locked(t);
	struct aspace *as = owner ? owner->as : NULL;

	if (as)
		aspace_get(as);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return as;
}

struct fdtable *task_files(struct task *t)
{
	u64 flags = spin_lock_irqsave(&tasks_lock);
	struct fdtable *files = t->files;

	if (files)
		fdtable_look(files);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return files;
}

struct fs_context *task_fs(struct task *t)
{
	u64 flags = spin_lock_irqsave(&tasks_lock);
	struct fs_context *fs = t->fs;

	if (fs)
		fs_context_get(fs);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return fs;
}

static bool may_look_locked(const struct task *t)
{
	const struct cred *me = cred_current(), *c = &t->cred->cred;

	spin_assert_held(&tasks_lock);
	if (t->proc == current_process() || me->fsuid == 0)
		return true;
	return t->proc->dumpable && me->fsuid == c->uid && me->fsuid == c->euid && me->fsuid == c->suid &&
		me->fsgid == c->gid && me->fsgid == c->egid && me->fsgid == c->sgid;
}

bool task_may_look(struct task *t)
{
	u64 flags = spin_lock_irqsave(&tasks_lock);
	bool may = may_look_locked(t);

	spin_unlock_irqrestore(&tasks_lock, flags);
	return may;
}

int node_may_look(const struct proc_node *n)
{
	struct task *t = node_task(n);
	bool may;

	if (!t)
		return -ESRCH;
	may = task_may_look(t);
	task_put(t);
	return may ? 0 : -EACCES;
}

void task_owner(struct task *t, u32 *uid, u32 *gid)
{
	u64 flags = spin_lock_irqsave(&tasks_lock);

	*uid = t->proc->dumpable ? t->cred->cred.euid : 0;
	*gid = t->proc->dumpable ? t->cred->cred.egid : 0;
	spin_unlock_irqrestore(&tasks_lock, flags);
}

/* Asked and taken in one step: exec of a set-id program may come at any moment, and changes who may look before it changes the memory. */
int node_aspace(const struct proc_node *n, struct aspace **out)
{
	struct task *t = node_task(n), *owner;
	int err = 0;
	u64 flags;

	if (!t)
		return -ESRCH;
	flags = spin_lock_irqsave(&tasks_lock);
	owner = memory_owner_locked(t);
	if (!may_look_locked(owner ? owner : t))
		err = -EACCES;
	else if (owner)
		aspace_get(owner->as);
	*out = owner && !err ? owner->as : NULL;
	spin_unlock_irqrestore(&tasks_lock, flags);
	task_put(t);
	return err;
}

/* ---- numbers as names ---- */

static const struct proc_entry thread_entry = PROC_DIR("tid", 0555, &tid_dir);
static const struct proc_entry pid_entry = PROC_DIR("pid", 0555, &pid_dir);

int process_number(const struct proc_node *dir, u64 number, struct proc_node *child)
{
	struct process *p = process_lookup((int)number);

	if (!p)
		return -ENOENT;
	*child = (struct proc_node){.entry = &pid_entry, .pid = p->pid, .fd = -1, .start_ns = p->start_ns};
	process_put(p);
	return 0;
}

s64 process_next_number(const struct proc_node *dir, u64 from)
{
	struct process *p = from > INT32_MAX ? NULL : process_next((int)from);
	s64 pid = -1;

	if (p) {
		pid = p->pid;
		process_put(p);
	}
	return pid;
}

static int thread_number(const struct proc_node *dir, u64 number, struct proc_node *child)
{
	struct task *t = task_lookup((int)number);
	int err = -ENOENT;

	if (!t)
		return err;
	if (t->proc && t->proc->pid == dir->pid) {
		child->entry = &thread_entry;
		child->tid = (int)number;
		child->start_ns = t->start_ns;
		err = 0;
	}
	task_put(t);
	return err;
}

static s64 thread_next_number(const struct proc_node *dir, u64 from)
{
	struct task *leader = node_task(dir), *t;
	s64 best = -1;
	u64 flags;

	if (!leader)
		return -1;
	flags = spin_lock_irqsave(&tasks_lock);
	list_for_each_entry (t, &leader->proc->threads, thread_link) {
		if ((u64)t->tid >= from && (best < 0 || t->tid < best))
			best = t->tid;
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
	task_put(leader);
	return best;
}

/* ---- small texts ---- */

static int show_comm(struct text *t, const struct proc_node *n)
{
	struct task *task = node_task(n);

	if (!task)
		return -ESRCH;
	text_printf(t, "%s\n", task->name);
	task_put(task);
	return 0;
}

static int store_comm(const struct proc_node *n, const char *buf)
{
	struct task *task = node_task(n);
	int err = -EINVAL;

	if (!task)
		return -ESRCH;
	if (task->proc == current_process()) {
		task_set_name(task, buf);
		err = 0;
	}
	task_put(task);
	return err;
}

/* [start, end) of the process's memory, as it is: what is not there ends it. */
static void show_memory(struct text *t, struct aspace *as, vaddr_t start, vaddr_t end)
{
	u8 *buf = kmalloc(PAGE_SIZE, 0);

	if (!buf) {
		t->err = -ENOMEM;
		return;
	}
	while (start < end && !t->err) {
		ssize_t n = aspace_read(as, start, buf, MIN(end - start, PAGE_SIZE));

		if (n <= 0)
			break;
		text_add(t, buf, (size_t)n);
		start += (u64)n;
	}
	kfree(buf);
}

/* Of anyone, as ps needs it; so not through node_aspace. */
static int show_cmdline(struct text *t, const struct proc_node *n)
{
	struct task *task = node_task(n);
	struct aspace *as;

	if (!task)
		return -ESRCH;
	as = task_aspace(task);
	task_put(task);
	if (!as)
		return 0;
	show_memory(t, as, as->arg_start, as->arg_end);
	/* A program that wrote a title over its arguments, into the environment: up to the title's end. */
	if (t->len && t->pages[(t->len - 1) >> PAGE_SHIFT][(t->len - 1) & ~PAGE_MASK] != 0) {
		u64 args = t->len;

		show_memory(t, as, as->env_start, as->env_end);
		for (u64 i = args; i < t->len; i++) {
			if (t->pages[i >> PAGE_SHIFT][i & ~PAGE_MASK] == 0)
				t->len = i + 1;
		}
	}
	aspace_put(as);
	return 0;
}

static int show_environ(struct text *t, const struct proc_node *n)
{
	struct aspace *as = NULL;
	int err = node_aspace(n, &as);

	if (as) {
		show_memory(t, as, as->env_start, as->env_end);
		aspace_put(as);
	}
	return err;
}

static int show_auxv(struct text *t, const struct proc_node *n)
{
	struct aspace *as = NULL;
	int err = node_aspace(n, &as);

	if (as) {
		text_add(t, as->auxv, MIN((size_t)as->nr_auxv * sizeof(u64), sizeof(as->auxv)));
		aspace_put(as);
	}
	return err;
}

static int show_zero(struct text *t, const struct proc_node *n)
{
	text_puts(t, n->entry->data);
	return 0;
}

/* ---- links ---- */

static int exe_follow(const struct proc_node *n, struct path *out)
{
	struct aspace *as = NULL;
	struct file *exe = NULL;
	int err = node_aspace(n, &as);

	if (err)
		return err;
	if (!as)
		return -ENOENT;
	rwlock_read_lock(&as->lock);
	if (as->exe) {
		exe = as->exe;
		file_get(exe);
	}
	rwlock_read_unlock(&as->lock);
	aspace_put(as);
	if (!exe)
		return -ENOENT;
	err = file_path(exe, out);
	file_put(exe);
	return err;
}

static int place_follow(
	const struct proc_node *n, struct path *out, void (*which)(struct fs_context *c, struct path *out))
{
	struct task *t = node_task(n);
	struct fs_context *fs;

	if (!t)
		return -ESRCH;
	fs = task_fs(t);
	task_put(t);
	if (!fs)
		return -ENOENT;
	which(fs, out);
	fs_context_put(fs);
	return 0;
}

static int cwd_follow(const struct proc_node *n, struct path *out)
{
	return place_follow(n, out, fs_context_cwd);
}

static int root_follow(const struct proc_node *n, struct path *out)
{
	return place_follow(n, out, fs_context_root);
}

static int place_readlink(const struct proc_node *n, char *buf, size_t size)
{
	struct path p;
	int err = n->entry->follow(n, &p);
	char *name;

	if (err)
		return err;
	name = path_describe(&p, buf, size);
	path_put(&p);
	if (IS_ERR(name))
		return (int)PTR_ERR(name);
	err = (int)strlen(name);
	memmove(buf, name, (size_t)err + 1);
	return err;
}

/* ---- the tables ---- */

#define PID_LINK(n, fn)                                                                     \
	{                                                                                   \
		.name = n, .mode = S_IFLNK | 0777, .follow = fn, .readlink = place_readlink \
	}
#define PID_PRIVATE(n, perm, fn)                                                        \
	{                                                                               \
		.name = n, .mode = S_IFREG | (perm), .flags = ENTRY_PRIVATE, .show = fn \
	}

/* The first is a process's only. */
static const struct proc_entry pid_entries[] = {
	PROC_DIR("task", 0555, &threads_dir),
#ifdef VITRINE_DEBUG
	{.name = "fail-nth", .mode = S_IFREG | 0644, .flags = ENTRY_PRIVATE, .fops = &fail_nth_file_ops},
	PID_PRIVATE("check", 0400, show_check),
#endif
	{.name = "fd", .mode = S_IFDIR | 0500, .flags = ENTRY_PRIVATE, .dir = &fd_dir},
	{.name = "fdinfo", .mode = S_IFDIR | 0500, .flags = ENTRY_PRIVATE, .dir = &fdinfo_dir},
	PROC_FILE("stat", 0444, show_stat),
	PROC_FILE("statm", 0444, show_statm),
	PROC_FILE("status", 0444, show_status),
	PROC_FILE("cmdline", 0444, show_cmdline),
	{.name = "comm", .mode = S_IFREG | 0644, .show = show_comm, .store = store_comm},
	PROC_FILE("limits", 0444, show_limits),
	PROC_FILE("mounts", 0444, show_mounts),
	PROC_FILE("mountinfo", 0444, show_mountinfo),
	{.name = "wchan", .mode = S_IFREG | 0444, .show = show_zero, .data = "0"},
	PROC_FILE("oom_score", 0444, show_oom_score),
	{.name = "oom_score_adj", .mode = S_IFREG | 0644, .show = show_oom_score_adj, .store = store_oom_score_adj},
	{.name = "oom_adj", .mode = S_IFREG | 0644, .show = show_oom_adj, .store = store_oom_adj},
	{.name = "cgroup", .mode = S_IFREG | 0444, .show = show_zero, .data = ""},
	PID_PRIVATE("maps", 0444, show_maps),
	PID_PRIVATE("smaps", 0444, show_smaps),
	PID_PRIVATE("smaps_rollup", 0444, show_smaps_rollup),
	{.name = "pagemap", .mode = S_IFREG | 0400, .flags = ENTRY_PRIVATE, .fops = &pagemap_file_ops},
	{.name = "clear_refs", .mode = S_IFREG | 0200, .flags = ENTRY_PRIVATE, .store = store_clear_refs},
	PID_PRIVATE("environ", 0400, show_environ),
	PID_PRIVATE("auxv", 0400, show_auxv),
	PID_PRIVATE("pagetable", 0400, show_pagetable),
	PID_PRIVATE("kpagetable", 0400, show_pagetable_all),
	{.name = "mem", .mode = S_IFREG | 0600, .flags = ENTRY_PRIVATE, .fops = &mem_file_ops},
	PID_LINK("exe", exe_follow),
	PID_LINK("cwd", cwd_follow),
	PID_LINK("root", root_follow),
};

const struct proc_dir pid_dir = {.entries = pid_entries, .nr = ARRAY_SIZE(pid_entries)};
const struct proc_dir tid_dir = {.entries = pid_entries + 1, .nr = ARRAY_SIZE(pid_entries) - 1};
const struct proc_dir threads_dir = {.number = thread_number, .next = thread_next_number};
