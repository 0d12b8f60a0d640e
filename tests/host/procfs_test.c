// host-sources: kernel/proc/cred.c kernel/sync/spinlock.c
// host-flags: -iquotetests/host/fake/proc -fno-sanitize=address -ffunction-sections -fdata-sections -Wl,--gc-sections
/* Who may look into a process that becomes another program meanwhile, at every instant. Of procfs, only this is linked. */
#include "fake/proc/proc_env.h"

#include "../../kernel/proc/procfs/task.c"

#define USER 1000u

struct spinlock tasks_lock = SPINLOCK_INIT("tasks", RANK_TASKLIST);

static struct process watched = {.pid = 7}, watcher = {.pid = 8};
static struct task leader = {.proc = &watched}, thread = {.proc = &watched}, me = {.proc = &watcher};
static struct aspace before, after;

void task_put(struct task *t)
{
}

struct task *task_lookup(int tid)
{
	return tid == watched.pid ? &leader : NULL;
}

struct aspace *process_aspace(struct process *p)
{
	u64 flags = spin_lock_irqsave(&tasks_lock);
	struct aspace *as = thread.as;

	spin_unlock_irqrestore(&tasks_lock, flags);
	aspace_get(as);
	return as;
}

static struct cred_ref *user_create(void)
{
	struct cred_ref *c = cred_clone(&cred_root);

	c->cred.uid = c->cred.euid = c->cred.suid = c->cred.fsuid = USER;
	return c;
}

static void exec_setid(struct task *t)
{
	cred_put(t->cred);
	t->cred = cred_get(&cred_root);
	watched.dumpable = 0;
	t->as = &after;
}

static void leader_execs(void)
{
	exec_setid(&leader);
}

/* The leader had ended before: the thread takes its place. */
static void thread_execs(void)
{
	list_del(&leader.thread_link);
	watched.leader = &thread;
	exec_setid(&thread);
}

static void start(struct aspace *of_leader)
{
	watched.dumpable = 1;
	watched.leader = &leader;
	list_init(&watched.threads);
	list_add_tail(&leader.thread_link, &watched.threads);
	list_add_tail(&thread.thread_link, &watched.threads);
	leader.cred = user_create();
	thread.cred = user_create();
	me.cred = user_create();
	refcount_init(&before.refs, 1);
	refcount_init(&after.refs, 1);
	leader.as = of_leader;
	thread.as = &before;
	run_on_hart(&me, 0);
}

static void test_look_beside_exec(struct aspace *of_leader, void (*exec)(void))
{
	struct proc_node node = {.pid = watched.pid, .fd = -1};

	for (u32 at = 1, late = 0; !late; at++) {
		struct aspace *as = NULL;
		int err;

		start(of_leader);
		other_hart_acts(exec, at);
		err = node_aspace(&node, &as);
		late = other_hart_was_late();
		ASSERT(as != &after);
		ASSERT(err || !as || refcount_read(&before.refs) == 2);
		ASSERT(!err || (err == -EACCES && !as));
		cred_put(leader.cred);
		cred_put(thread.cred);
		cred_put(me.cred);
		ASSERT(kernel_objects == 0);
	}
}

int main(void)
{
	test_look_beside_exec(&before, leader_execs);
	test_look_beside_exec(NULL, thread_execs);
	printf("ok procfs\n");
	return 0;
}
