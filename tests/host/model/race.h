/*
 * Other harts, in the middle of what this one does: wherever a spinlock is about to be taken and none is held, one of
 * them may use memory, write back or evict a page of a file, or end a process. All of it happens at once, and to the
 * reference too; what is under way comes after it.
 */
#ifndef MODEL_RACE_H
#define MODEL_RACE_H

#include "process.h"

#define RACE_ONE_IN 24

u32 model_spins_held;
static u64 nr_races;

/* Nobody who came in now would have to wait for the list of an object. */
static bool objects_free(void)
{
	for (u32 k = 0; k < NR_OBJS; k++) {
		if (k < OBJ_DYNAMIC ? mutex_is_locked(&objs[k]->lock)
				    : ref_objs[k].used && ref_obj_used(k) && mutex_is_locked(&objs[k]->lock))
			return false;
	}
	return true;
}

static bool space_idle(u32 s)
{
	return spaces[s].as && (int)s != now.busy && spaces[s].as->lock.state == 0;
}

/* A program goes on with what its hart has cached or finds in the table: no fault, no lock. */
static void race_hardware(u32 s, u32 i)
{
	struct ref_page *m = &spaces[s].page[i];
	struct content c;
	void *page;

	if (!spaces[s].as || (int)s == now.busy)
		return;
	page = mmu_access(now.hart, s, i, M_W);
	if (!page || ref_allowed(m, ACCESS_WRITE) != 0)
		return;
	c = new_content();
	say("  meanwhile hart %u writes %x to page %u of space %u", now.hart, c.first, i, s);
	ref_store(m, c);
	content_put(page, c);
}

static void race_touch(u32 s, u32 i)
{
	enum access access = one_in(3) ? ACCESS_READ : ACCESS_WRITE;

	if (!space_idle(s) || ((int)s == now.acting && !now.access))
		return;
	say("  meanwhile hart %u touches page %u of space %u, access %u", now.hart, i, s, access);
	touch(s, i, access);
}

/* The file's page that page i shows, if it does. */
static void race_file(u32 i)
{
	const struct ref_page *m = &spaces[now.acting].page[i];
	bool shown = m->mapped && obj_file(m->obj) && m->pgoff < FILE_PAGES;
	struct model_file *f = obj_file(shown ? m->obj : OBJ_FILE);
	u32 pgoff = shown ? m->pgoff : i % FILE_PAGES;

	say("  meanwhile page %u of a file goes", pgoff);
	if (one_in(2))
		file_writeback(f, pgoff);
	else
		file_evict(f, pgoff);
}

static void race_exit(u32 s)
{
	u32 alive = 0;

	for (u32 k = 0; k < NR_SPACES; k++)
		alive += spaces[k].as != NULL;
	if (alive < 3 || !space_idle(s) || (int)s == now.acting)
		return;
	say("  meanwhile space %u ends", s);
	space_exit(s);
}

void model_race(void)
{
	u32 s, i, hart = now.hart, fail = now.fail, nth = current_thread()->fail_nth;
	bool access = now.access;

	if (now.quiet || now.acting < 0 || !one_in(RACE_ONE_IN) || !objects_free())
		return;
	nr_races++;
	now.quiet = true; /* none comes between these */
	now.fail = 0;
	alloc_fail_nth(0);
	now.hart = (hart + 1 + (u32)env_rand(NR_HARTS - 1)) % NR_HARTS;
	s = (u32)env_rand(NR_SPACES);
	i = now.recent[env_rand(ARRAY_SIZE(now.recent))];
	switch (env_rand(32)) {
	case 0 ... 11: race_hardware(s, i); break;
	case 12 ... 22: race_touch(s, i); break;
	case 23 ... 30: race_file(i); break;
	case 31: race_exit(s); break;
	}
	now.hart = hart;
	now.access = access;
	now.fail = fail;
	alloc_fail_nth(nth);
	now.quiet = false;
}

#endif
