/* PID/oom_score, PID/oom_score_adj and the older PID/oom_adj. */
#include "lib/errno.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "proc/oom.h"
#include "proc/proc.h"
#include "proc/procfs/procfs.h"

/* The older scale: -17 never, then -16 … 15. */
#define OOM_ADJ_NEVER (-17)
#define OOM_ADJ_MAX   15

static int show_of_process(struct text *t, const struct proc_node *n, s64 (*value)(struct process *p))
{
	struct task *task = node_task(n);

	if (!task)
		return -ESRCH;
	text_printf(t, "%ld\n", value(task->proc));
	task_put(task);
	return 0;
}

static s64 value_score(struct process *p)
{
	return (s64)oom_score(p);
}

static s64 value_adj(struct process *p)
{
	return READ_ONCE(p->oom_score_adj);
}

static s64 value_old_adj(struct process *p)
{
	int adj = READ_ONCE(p->oom_score_adj);

	return adj == OOM_SCORE_ADJ_MAX ? OOM_ADJ_MAX : adj * -OOM_ADJ_NEVER / OOM_SCORE_ADJ_MAX;
}

int show_oom_score(struct text *t, const struct proc_node *n)
{
	return show_of_process(t, n, value_score);
}

int show_oom_score_adj(struct text *t, const struct proc_node *n)
{
	return show_of_process(t, n, value_adj);
}

int show_oom_adj(struct text *t, const struct proc_node *n)
{
	return show_of_process(t, n, value_old_adj);
}

/* A decimal number in [low, high], maybe with blanks around it. */
static int parse_signed(const char *s, int low, int high, int *out)
{
	char word[8] = {0};
	size_t len = 0;
	bool minus;
	u64 v;

	while (char_is_space(*s))
		s++;
	minus = *s == '-';
	s += minus;
	while (s[len] && !char_is_space(s[len]) && len < sizeof(word) - 1) {
		word[len] = s[len];
		len++;
	}
	for (s += len; *s; s++) {
		if (!char_is_space(*s))
			return -EINVAL;
	}
	if (parse_u64(word, 10, &v) != 0 || v > INT32_MAX)
		return -EINVAL;
	*out = minus ? -(int)v : (int)v;
	return *out < low || *out > high ? -EINVAL : 0;
}

/* Who is not root may not go below what root has set last. */
static int adj_set(const struct proc_node *n, int adj)
{
	struct task *task = node_task(n);
	int err = 0;

	if (!task)
		return -ESRCH;
	if (cred_capable())
		task->proc->oom_score_adj_min = adj;
	else if (adj < task->proc->oom_score_adj_min || !task_may_look(task))
		err = -EACCES;
	if (!err)
		WRITE_ONCE(task->proc->oom_score_adj, adj);
	task_put(task);
	return err;
}

int store_oom_score_adj(const struct proc_node *n, const char *buf)
{
	int adj, err = parse_signed(buf, OOM_SCORE_ADJ_MIN, OOM_SCORE_ADJ_MAX, &adj);

	return err ? err : adj_set(n, adj);
}

int store_oom_adj(const struct proc_node *n, const char *buf)
{
	int old, err = parse_signed(buf, OOM_ADJ_NEVER, OOM_ADJ_MAX, &old);

	if (err)
		return err;
	return adj_set(n, old == OOM_ADJ_MAX ? OOM_SCORE_ADJ_MAX : old * OOM_SCORE_ADJ_MAX / -OOM_ADJ_NEVER);
}
