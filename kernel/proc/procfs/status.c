/* PID/status: a process or thread in lines for people; PID/limits. */
#include "arch/riscv/hart.h"
#include "lib/errno.h"
#include "mm/aspace.h"
#include "proc/cred.h"
#include "proc/proc.h"
#include "proc/procfs/procfs.h"
#include "proc/sigqueue.h"

#define KB(pages) ((pages) << (PAGE_SHIFT - 10))
#define CAP_ALL   0x1fffffffffful /* capabilities 0 … 40 */

static const char *state_name(char letter)
{
	switch (letter) {
	case 'R': return "R (running)";
	case 'S': return "S (sleeping)";
	case 'D': return "D (disk sleep)";
	case 'T': return "T (stopped)";
	case 'Z': return "Z (zombie)";
	case 'X': return "X (dead)";
	default: return "I (idle)";
	}
}

/* Lines of the credentials; the reference keeps the group list. */
static void status_ids(struct text *t, struct task *task)
{
	struct fdtable *files = task_files(task);
	struct cred_ref *cred;
	u32 nr_fds = 0;
	u64 flags;

	flags = spin_lock_irqsave(&tasks_lock);
	cred = cred_get(task->cred);
	spin_unlock_irqrestore(&tasks_lock, flags);
	if (files) {
		for (int fd = fd_next(files, 0); fd >= 0; fd = fd_next(files, fd + 1))
			nr_fds = (u32)fd + 1;
		fdtable_unlook(files);
	}
	text_printf(t, "Uid:\t%u\t%u\t%u\t%u\n", cred->cred.uid, cred->cred.euid, cred->cred.suid, cred->cred.fsuid);
	text_printf(t, "Gid:\t%u\t%u\t%u\t%u\n", cred->cred.gid, cred->cred.egid, cred->cred.sgid, cred->cred.fsgid);
	text_printf(t, "FDSize:\t%u\nGroups:\t", ALIGN_UP(nr_fds, 64u));
	for (u32 i = 0; i < cred->cred.nr_groups; i++)
		text_printf(t, "%u ", cred->cred.groups[i]);
	text_puts(t, "\n");
	cred_put(cred);
}

static void status_memory(struct text *t, struct task *task)
{
	struct aspace *as = task_aspace(task);
	struct memory_sums s;
	u64 rss;

	if (!as)
		return;
	aspace_sums(as, &s);
	rss = memory_resident(&s);
	text_printf(t, "VmPeak:\t%8lu kB\nVmSize:\t%8lu kB\nVmLck:\t%8lu kB\nVmPin:\t%8u kB\n", KB(s.peak), KB(s.size),
		KB(s.locked), 0);
	text_printf(t, "VmHWM:\t%8lu kB\nVmRSS:\t%8lu kB\n", KB(MAX(rss, task->proc->max_rss_pages)), KB(rss));
	text_printf(t, "RssAnon:\t%8lu kB\nRssFile:\t%8lu kB\nRssShmem:\t%8lu kB\n", KB(s.resident_anon),
		KB(s.resident_file), KB(s.resident_shmem));
	text_printf(t, "VmData:\t%8lu kB\nVmStk:\t%8lu kB\nVmExe:\t%8lu kB\nVmLib:\t%8lu kB\n", KB(s.data), KB(s.stack),
		KB(s.code), KB(s.exec > s.code ? s.exec - s.code : 0));
	text_printf(t, "VmPTE:\t%8lu kB\nVmSwap:\t%8lu kB\nHugetlbPages:\t%8u kB\n", KB(s.tables), KB(s.swap), 0);
	aspace_put(as);
}

struct status_signals {
	u64 thread, process, blocked, ignored, caught, nr_queued;
};

static void status_signals(struct text *t, struct task *task, u32 nr_threads)
{
	struct process *p = task->proc;
	struct status_signals s = {0};
	u64 flags = spin_lock_irqsave(&p->siglock);

	s.thread = task->pending.set;
	s.process = p->pending.set;
	s.blocked = task->sigmask;
	s.nr_queued = list_length(&task->pending.infos) + list_length(&p->pending.infos);
	for (int i = 0; p->sighand && i < NSIG; i++) {
		u64 handler = p->sighand->action[i].handler;

		if (handler == SIG_IGN)
			s.ignored |= BIT(i);
		else if (handler != SIG_DFL)
			s.caught |= BIT(i);
	}
	spin_unlock_irqrestore(&p->siglock, flags);
	text_printf(t, "Threads:\t%u\nSigQ:\t%lu/%lu\n", nr_threads, s.nr_queued, p->limits[RLIM_SIGPENDING].soft);
	text_printf(t, "SigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\nSigIgn:\t%016lx\nSigCgt:\t%016lx\n",
		s.thread, s.process, s.blocked, s.ignored, s.caught);
}

static void status_caps(struct text *t, struct task *task)
{
	u64 flags = spin_lock_irqsave(&tasks_lock);
	bool root = task->cred->cred.euid == 0, permitted = root || task->cred->cred.uid == 0;

	spin_unlock_irqrestore(&tasks_lock, flags);
	text_printf(t, "CapInh:\t%016x\nCapPrm:\t%016lx\nCapEff:\t%016lx\nCapBnd:\t%016lx\nCapAmb:\t%016x\n", 0,
		permitted ? CAP_ALL : 0, root ? CAP_ALL : 0, CAP_ALL, 0);
}

/* "0-3,5" of a set of harts. */
static void text_hart_list(struct text *t, u64 set)
{
	const char *comma = "";

	for (u32 i = 0; i < 64; i++) {
		u32 first = i;

		if (!(set & BIT(i)))
			continue;
		while (i + 1 < 64 && (set & BIT(i + 1)))
			i++;
		text_printf(t, "%s%u", comma, first);
		if (i != first)
			text_printf(t, "-%u", i);
		comma = ",";
	}
}

static void status_scheduling(struct text *t, struct task *task)
{
	u64 set = task->affinity & harts_online_mask(), all = task->nr_switches, forced = task->nr_involuntary;

	text_printf(t, "NoNewPrivs:\t0\nSeccomp:\t0\nCpus_allowed:\t%lx\nCpus_allowed_list:\t", set);
	text_hart_list(t, set);
	text_printf(t, "\nvoluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t%lu\n", all - MIN(all, forced),
		forced);
}

int show_status(struct text *t, const struct proc_node *n)
{
	struct task *task = node_task(n);
	struct fs_context *fs;
	u32 nr_threads;
	u64 flags;
	int ppid;

	if (!task)
		return -ESRCH;
	flags = spin_lock_irqsave(&tasks_lock);
	ppid = task->proc->parent ? task->proc->parent->pid : 0;
	nr_threads = task->proc->nr_threads;
	spin_unlock_irqrestore(&tasks_lock, flags);
	text_puts(t, "Name:\t");
	text_escape(t, task->name, "\n");
	fs = task_fs(task);
	if (fs) {
		text_printf(t, "\nUmask:\t%04o", fs_context_umask(fs));
		fs_context_put(fs);
	}
	text_printf(t, "\nState:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n",
		state_name(task_state_letter(task)), n->pid, n->tid ? n->tid : n->pid, ppid);
	status_ids(t, task);
	status_memory(t, task);
	status_signals(t, task, nr_threads);
	status_caps(t, task);
	status_scheduling(t, task);
	task_put(task);
	return 0;
}

/* ---- limits ---- */

static const struct {
	const char *name, *unit;
} limit_names[RLIM_NR] = {
	[RLIM_CPU] = {"Max cpu time", "seconds"},
	[RLIM_FSIZE] = {"Max file size", "bytes"},
	[RLIM_DATA] = {"Max data size", "bytes"},
	[RLIM_STACK] = {"Max stack size", "bytes"},
	[RLIM_CORE] = {"Max core file size", "bytes"},
	[RLIM_RSS] = {"Max resident set", "bytes"},
	[RLIM_NPROC] = {"Max processes", "processes"},
	[RLIM_NOFILE] = {"Max open files", "files"},
	[RLIM_MEMLOCK] = {"Max locked memory", "bytes"},
	[RLIM_AS] = {"Max address space", "bytes"},
	[RLIM_LOCKS] = {"Max file locks", "locks"},
	[RLIM_SIGPENDING] = {"Max pending signals", "signals"},
	[RLIM_MSGQUEUE] = {"Max msgqueue size", "bytes"},
	[RLIM_NICE] = {"Max nice priority", ""},
	[RLIM_RTPRIO] = {"Max realtime priority", ""},
	[RLIM_RTTIME] = {"Max realtime timeout", "us"},
};

static void limit_value(struct text *t, u64 v)
{
	u64 start = t->len;

	if (v == RLIM_INFINITY)
		text_puts(t, "unlimited");
	else
		text_printf(t, "%lu", v);
	text_pad(t, start, 20);
	text_puts(t, " ");
}

int show_limits(struct text *t, const struct proc_node *n)
{
	struct task *task = node_task(n);

	if (!task)
		return -ESRCH;
	text_printf(t, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (u32 i = 0; i < RLIM_NR; i++) {
		text_printf(t, "%-25s ", limit_names[i].name);
		limit_value(t, READ_ONCE(task->proc->limits[i].soft));
		limit_value(t, READ_ONCE(task->proc->limits[i].hard));
		text_printf(t, "%-10s\n", limit_names[i].unit);
	}
	task_put(task);
	return 0;
}
