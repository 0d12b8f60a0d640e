/* What terminals ask of process groups and sessions (dev/tty.h). */
#include "dev/tty.h"
#include "lib/errno.h"
#include "proc/pid.h"
#include "proc/proc.h"
#include "proc/sigqueue.h"

int tty_signal_group(struct pid *pgrp, int signo)
{
	struct siginfo_k info;

	siginfo_kernel(&info, signo);
	return signal_send_group(pgrp, &info);
}

const struct pid *tty_current_pgrp(void)
{
	return READ_ONCE(current_process()->pgrp);
}

const struct pid *tty_current_session(void)
{
	return READ_ONCE(current_process()->session);
}

static bool is_leader_locked(const struct process *p)
{
	return p->session->nr == p->pid;
}

int tty_current_is_leader(void)
{
	u64 flags = spin_lock_irqsave(&tasks_lock);
	bool leader = is_leader_locked(current_process());

	spin_unlock_irqrestore(&tasks_lock, flags);
	return leader;
}

struct tty *tty_current(void)
{
	u64 flags = spin_lock_irqsave(&tasks_lock);
	struct tty *t = current_process()->session->tty;

	if (t)
		tty_get(t);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return t;
}

/* All in one hold: a hang-up meanwhile finds both sides of the bond, or neither. */
int tty_session_attach(struct tty *t)
{
	u64 flags = spin_lock_irqsave(&tasks_lock);
	const struct process *me = current_process();
	int err = -EPERM;

	if (is_leader_locked(me) && !me->session->tty)
		err = tty_attach(t, me->session, me->pgrp);
	if (err == 0) {
		tty_get(t);
		me->session->tty = t;
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
	return err;
}

void tty_session_detach(struct pid *session, struct tty *t)
{
	u64 flags = spin_lock_irqsave(&tasks_lock);
	bool had = session->tty == t;

	if (had)
		session->tty = NULL;
	spin_unlock_irqrestore(&tasks_lock, flags);
	if (had)
		tty_put(t);
}

static bool signal_is_shut_out(int signo)
{
	struct task *t = current();
	u64 flags = spin_lock_irqsave(&t->proc->siglock);
	bool out = (t->sigmask & SIG_BIT(signo)) || t->proc->sighand->action[signo - 1].handler == SIG_IGN;

	spin_unlock_irqrestore(&t->proc->siglock, flags);
	return out;
}

/* The caller's group, `mine`, is in the background. */
static int background_answer(struct pid *mine, bool orphaned, int signo)
{
	if (signal_is_shut_out(signo))
		return signo == SIGTTIN ? -EIO : 1;
	if (orphaned)
		return -EIO;
	tty_signal_group(mine, signo);
	return 0;
}

int tty_background_check(struct pid *tty_pgrp, int signo)
{
	u64 flags = spin_lock_irqsave(&tasks_lock);
	struct pid *mine = current_process()->pgrp;
	bool orphaned = pgrp_is_orphaned_locked(mine, NULL);
	int ret;

	/* The parent, or a sibling thread, may put this process into another group meanwhile. */
	pid_get(mine);
	spin_unlock_irqrestore(&tasks_lock, flags);
	ret = !tty_pgrp || mine == tty_pgrp ? 1 : background_answer(mine, orphaned, signo);
	pid_put(mine);
	return ret;
}

int tty_find_pgrp(int pgid, struct pid **out)
{
	struct pid *group = pid_lookup(pgid);
	struct process *member;
	int err = -ESRCH;
	u64 flags;

	if (!group)
		return -ESRCH;
	flags = spin_lock_irqsave(&tasks_lock);
	member = list_first_entry_or_null(&group->group, struct process, pgrp_link);
	if (member)
		err = member->session == current_process()->session ? 0 : -EPERM;
	spin_unlock_irqrestore(&tasks_lock, flags);
	if (err)
		pid_put(group);
	else
		*out = group;
	return err;
}
