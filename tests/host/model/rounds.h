/*
 * Rounds: a round is a new universe and some thousand steps, in a process of its own, so that it depends on its seed
 * alone and on nothing that came before. When one fails, the steps are thinned out as long as it goes on failing, and
 * what is left is told step by step.
 */
#ifndef MODEL_ROUNDS_H
#define MODEL_ROUNDS_H

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "events.h"

#define ROUND_STEPS   10000
#define SHRINK_SECS   20  /* MODEL_SHRINK=SECONDS: another limit */
#define CHECK_EVERY   16  /* steps between the kernel's own checks of a space */
#define COMPARE_EVERY 512 /* steps between comparisons of everything */

/* What rounds tell the first process. */
static struct totals {
	u64 steps, injected, flushes, late_writes, races, walks, hits;
	u64 events[ARRAY_SIZE(events)];
	struct vm_stats vm;
} * totals;

static u32 kept[ROUND_STEPS]; /* the steps that are done, by number */
static u32 nr_kept;

static void universe_begin(u64 seed)
{
	env_seed = mix(seed) | 1;
	memset(&now, 0, sizeof(now));
	now.acting = now.busy = -1;
	svade = seed & 1;
	now.super_round = seed % 8 >= 6;
	objects_init();
	space_create(0);
}

static void universe_end(u64 before)
{
	compare_all();
	for (u32 s = 0; s < NR_SPACES; s++) {
		if (spaces[s].as)
			space_exit(s);
	}
	objects_end();
	if (env_leaks() != before)
		differ("%ld objects or frames are left over", (long)(env_leaks() - before));
	if (atomic64_read(&vm_stats.anon_frames))
		differ("%lu anonymous frames are counted, and there is none", atomic64_read(&vm_stats.anon_frames));
	frame_check();
}

/* Each step has its own seed, so that it does the same in any company. */
static void step(u64 seed, u32 number)
{
	u32 s;

	env_seed = mix(seed ^ mix(number)) | 1;
	now.number = number;
	now.hart = (u32)env_rand(NR_HARTS);
	now.fail = one_in(8) ? 1 + (u32)env_rand(6) : 0;
	s = (u32)env_rand(NR_SPACES);
	for (; !spaces[s].as; s = (s + 1) % NR_SPACES)
		;
	now.acting = (int)s;
	some_event()->run(s);
	now.acting = -1;
	now.fail = 0;
	if (number % CHECK_EVERY == 0 && spaces[s].as)
		check_space(s);
	if (number % COMPARE_EVERY == COMPARE_EVERY - 1)
		compare_all();
}

static void round_run(u64 seed, bool verbose)
{
	u64 before = env_leaks();

	universe_begin(seed);
	now.verbose = verbose;
	for (u32 i = 0; i < nr_kept; i++)
		step(seed, kept[i]);
	universe_end(before);
	totals->steps += nr_kept;
	totals->injected += nr_injected;
	totals->flushes += nr_flushes;
	totals->late_writes += nr_late_writes;
	totals->races += nr_races;
	totals->walks += nr_walks;
	totals->hits += nr_hits;
	for (u32 i = 0; i < ARRAY_SIZE(events); i++)
		totals->events[i] += event_counts[i];
	for (u32 i = 0; i < sizeof(vm_stats) / sizeof(u64); i++)
		((u64 *)(void *)&totals->vm)[i] += ((u64 *)(void *)&vm_stats)[i];
}

enum telling { TELL_NOTHING, TELL_PROBLEMS, TELL_STEPS };

/* Runs a round in a child. True: it went well. */
static bool round_try(u64 seed, enum telling telling)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	ASSERT(pid >= 0);
	if (pid == 0) {
		if (telling == TELL_NOTHING)
			dup2(open("/dev/null", O_WRONLY), 2);
		alarm(60); /* a hang is a failure too */
		round_run(seed, telling == TELL_STEPS);
		fflush(stdout);
		_exit(0);
	}
	ASSERT(waitpid(pid, &status, 0) == pid);
	return status == 0;
}

/* Leaves out the n steps from `from` on. True, and they are gone: it still fails. */
static bool shrink_by(u64 seed, u32 from, u32 n)
{
	static u32 saved[ROUND_STEPS];
	u32 nr = nr_kept;

	memcpy(saved, kept, sizeof(saved));
	memmove(&kept[from], &kept[from + n], (nr - from - n) * sizeof(kept[0]));
	nr_kept -= n;
	if (!round_try(seed, TELL_NOTHING))
		return true;
	memcpy(kept, saved, sizeof(saved));
	nr_kept = nr;
	return false;
}

static void round_shrink(u64 seed)
{
	const char *limit = getenv("MODEL_SHRINK");
	time_t end = time(NULL) + (limit ? atoi(limit) : SHRINK_SECS);
	u32 size = nr_kept / 2;

	while (size && time(NULL) < end) {
		u32 before = nr_kept;

		for (u32 at = nr_kept; at > 0 && time(NULL) < end;) {
			u32 n = MIN(size, at);

			at -= n;
			shrink_by(seed, at, n);
		}
		if (size > 1 || nr_kept == before)
			size /= 2;
	}
}

static void keep_all(u32 nr)
{
	nr_kept = nr;
	for (u32 i = 0; i < nr; i++)
		kept[i] = i;
}

/* 0, or 1 when a round failed: then how to see it again is told. */
static int rounds_run(u64 seed, u64 steps)
{
	for (u64 done = 0, round = 0; done < steps; done += ROUND_STEPS, round++) {
		u64 round_seed = seed + round;

		keep_all((u32)MIN(steps - done, (u64)ROUND_STEPS));
		if (round_try(round_seed, TELL_PROBLEMS))
			continue;
		printf("# the round with seed %lu failed; again: TEST_SEED=%lu; looking for fewer steps\n", round_seed,
			round_seed);
		round_shrink(round_seed);
		printf("# %u steps of it are enough:\n", nr_kept);
		round_try(round_seed, TELL_STEPS);
		return 1;
	}
	return 0;
}

#endif
