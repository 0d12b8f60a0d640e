/* Credentials and the set*id calls, as Linux has them for processes without capabilities: euid 0 may do everything. */
#include "proc/cred.h"

#include "lib/errno.h"
#include "lib/string.h"
#include "mm/commit.h"
#include "mm/slab.h"
#include "proc/proc.h"

#define KEEP (~0u)

struct cred_ref cred_root = {.refs = REFCOUNT_INIT(1)};

struct cred_ref *cred_get(struct cred_ref *c)
{
	refcount_get(&c->refs);
	return c;
}

void cred_put(struct cred_ref *c)
{
	if (refcount_put(&c->refs))
		kfree(c);
}

static struct cred_ref *cred_create(const struct cred *from, u32 nr_groups, const u32 *groups)
{
	struct cred_ref *c = kmalloc(sizeof(*c) + nr_groups * sizeof(u32), 0);

	if (!c)
		return NULL;
	refcount_init(&c->refs, 1);
	c->cred = *from;
	c->cred.nr_groups = nr_groups;
	c->cred.groups = c->groups;
	memcpy(c->groups, groups, nr_groups * sizeof(u32));
	return c;
}

struct cred_ref *cred_clone(const struct cred_ref *c)
{
	return cred_create(&c->cred, c->cred.nr_groups, c->groups);
}

void cred_commit(struct cred_ref *fresh)
{
	struct task *t = current();
	struct cred_ref *old = t->cred;
	u64 flags = spin_lock_irqsave(&tasks_lock);

	t->cred = fresh;
	spin_unlock_irqrestore(&tasks_lock, flags);
	cred_put(old);
}

const struct cred *cred_current(void)
{
	struct task *t = current();

	return unlikely(t->access_real) ? &t->access_cred : &t->cred->cred;
}

int cred_in_group(u32 gid)
{
	const struct cred *c = cred_current();

	if (gid == c->fsgid)
		return 1;
	for (u32 i = 0; i < c->nr_groups; i++) {
		if (c->groups[i] == gid)
			return 1;
	}
	return 0;
}

int cred_capable(void)
{
	return current()->cred->cred.euid == 0;
}

bool commit_privileged(void)
{
	return current()->cred && cred_capable();
}

void cred_access_begin(void)
{
	struct task *t = current();

	t->access_cred = t->cred->cred;
	t->access_cred.fsuid = t->access_cred.uid;
	t->access_cred.fsgid = t->access_cred.gid;
	t->access_cred.euid = t->access_cred.uid;
	t->access_cred.egid = t->access_cred.gid;
	t->access_real = 1;
}

void cred_access_end(void)
{
	current()->access_real = 0;
}

bool cred_may_signal_locked(const struct task *t)
{
	const struct cred *me = &current()->cred->cred, *other = &t->cred->cred;

	return me->euid == 0 || me->euid == other->suid || me->euid == other->uid || me->uid == other->suid ||
		me->uid == other->uid;
}

bool cred_may_change_locked(const struct task *t)
{
	const struct cred *me = &current()->cred->cred, *other = &t->cred->cred;

	return t == current() || me->euid == 0 || me->euid == other->uid || me->euid == other->euid;
}

/* ---- changing: `which` picks user or group fields by offset, so that both families are one code ---- */

struct ids {
	u32 *real, *eff, *saved, *fs;
};

enum id_kind { ID_USER, ID_GROUP };

static struct ids cred_ids(struct cred *c, enum id_kind kind)
{
	if (kind == ID_USER)
		return (struct ids){&c->uid, &c->euid, &c->suid, &c->fsuid};
	return (struct ids){&c->gid, &c->egid, &c->sgid, &c->fsgid};
}

static bool id_among(u32 id, const struct ids *i)
{
	return id == *i->real || id == *i->eff || id == *i->saved;
}

/* After a change of effective ids the process may not be looked into any more. */
static long ids_commit(struct cred_ref *fresh, struct ids *i)
{
	*i->fs = *i->eff;
	current_process()->dumpable = 0;
	cred_commit(fresh);
	return 0;
}

static long cred_set_id(enum id_kind kind, u32 id)
{
	struct cred_ref *fresh;
	struct ids i;

	if (id == KEEP)
		return -EINVAL;
	fresh = cred_clone(current()->cred);
	if (!fresh)
		return -ENOMEM;
	i = cred_ids(&fresh->cred, kind);
	if (cred_capable()) {
		*i.real = *i.saved = id;
	} else if (id != *i.real && id != *i.saved) {
		cred_put(fresh);
		return -EPERM;
	}
	*i.eff = id;
	return ids_commit(fresh, &i);
}

static long cred_set_res(enum id_kind kind, u32 r, u32 e, u32 s)
{
	struct cred_ref *fresh = cred_clone(current()->cred);
	struct ids i;

	if (!fresh)
		return -ENOMEM;
	i = cred_ids(&fresh->cred, kind);
	if (!cred_capable() &&
		((r != KEEP && !id_among(r, &i)) || (e != KEEP && !id_among(e, &i)) ||
			(s != KEEP && !id_among(s, &i)))) {
		cred_put(fresh);
		return -EPERM;
	}
	if (r != KEEP)
		*i.real = r;
	if (e != KEEP)
		*i.eff = e;
	if (s != KEEP)
		*i.saved = s;
	return ids_commit(fresh, &i);
}

static long cred_set_re(enum id_kind kind, u32 r, u32 e)
{
	struct cred_ref *fresh = cred_clone(current()->cred);
	struct ids i;
	u32 old_real;

	if (!fresh)
		return -ENOMEM;
	i = cred_ids(&fresh->cred, kind);
	old_real = *i.real;
	if (!cred_capable() && ((r != KEEP && r != *i.real && r != *i.eff) || (e != KEEP && !id_among(e, &i)))) {
		cred_put(fresh);
		return -EPERM;
	}
	if (r != KEEP)
		*i.real = r;
	if (e != KEEP)
		*i.eff = e;
	if (r != KEEP || (e != KEEP && e != old_real))
		*i.saved = *i.eff;
	return ids_commit(fresh, &i);
}

/* Returns the old value, whether it changed or not. */
static long cred_set_fs(enum id_kind kind, u32 id)
{
	struct cred_ref *fresh = cred_clone(current()->cred);
	struct ids i;
	u32 old;

	if (!fresh) {
		struct cred now = current()->cred->cred;

		return *cred_ids(&now, kind).fs;
	}
	i = cred_ids(&fresh->cred, kind);
	old = *i.fs;
	if (id != KEEP && (id == old || id_among(id, &i) || cred_capable())) {
		*i.fs = id;
		cred_commit(fresh);
	} else {
		cred_put(fresh);
	}
	return old;
}

long cred_setuid(u32 uid)
{
	return cred_set_id(ID_USER, uid);
}

long cred_setgid(u32 gid)
{
	return cred_set_id(ID_GROUP, gid);
}

long cred_setresuid(u32 r, u32 e, u32 s)
{
	return cred_set_res(ID_USER, r, e, s);
}

long cred_setresgid(u32 r, u32 e, u32 s)
{
	return cred_set_res(ID_GROUP, r, e, s);
}

long cred_setreuid(u32 r, u32 e)
{
	return cred_set_re(ID_USER, r, e);
}

long cred_setregid(u32 r, u32 e)
{
	return cred_set_re(ID_GROUP, r, e);
}

long cred_setfsuid(u32 uid)
{
	return cred_set_fs(ID_USER, uid);
}

long cred_setfsgid(u32 gid)
{
	return cred_set_fs(ID_GROUP, gid);
}

long cred_setgroups(const u32 *groups, u32 nr)
{
	struct cred_ref *fresh;

	if (!cred_capable())
		return -EPERM;
	if (nr > NGROUPS_MAX)
		return -EINVAL;
	fresh = cred_create(&current()->cred->cred, nr, groups);
	if (!fresh)
		return -ENOMEM;
	cred_commit(fresh);
	return 0;
}
