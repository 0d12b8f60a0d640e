/*
 * fail_nth.h: walking an operation to its last allocation.
 *
 * Every allocation of an operation fails once: /proc/self/fail-nth makes the first fail, then the second, and so on, until
 * the operation succeeds with none having failed. Each time it must succeed, or give an errno that it documents, with
 * memory as it was; /proc/self/check asserts the kernel's invariants. The whole walk is then made again: what the kernel has
 * given out must be the same before and after. Only where fail-nth is: Vitrine's debug kernel.
 *
 * Page faults never fail: the kernel tries again, as it would when memory came back (docs/testing.md).
 */
#ifndef TEST_FAIL_NTH_H
#define TEST_FAIL_NTH_H
#include "test.h"

#define PG      4096UL
#define NTH_MAX 2000

static int nth_fd = -1;

static TEST_UNUSED void fail_nth(unsigned n)
{
	char number[16];
	int len = snprintf(number, sizeof(number), "%u", n);

	if (pwrite(nth_fd, number, len, 0) != len)
		FAIL("fail-nth: %s", strerror(errno));
}

/* Allocations left to count; 0: one has failed. */
static TEST_UNUSED unsigned fail_nth_left(void)
{
	char number[16] = "";

	if (pread(nth_fd, number, sizeof(number) - 1, 0) <= 0)
		FAIL("fail-nth: %s", strerror(errno));
	return strtoul(number, NULL, 10);
}

static TEST_UNUSED void need_fail_nth(void)
{
	need_root();
	if (!on_vitrine())
		SKIP("fail-nth of Linux counts more than allocations");
	nth_fd = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);
	if (nth_fd < 0)
		SKIP("no fail-nth: not the debug kernel");
}

static TEST_UNUSED void check_kernel(void)
{
	static char text[1024];

	file_read("/proc/self/check", text, sizeof(text));
	CHECK_STR(text, "ok\n");
}

/* ---- what the kernel has given out ---- */

struct usage {
	long objects[80];
	char name[80][24];
	int nr;
};

/* Names, inodes and pages that nobody uses are had anew when they are wanted. */
static TEST_UNUSED void drop_caches(void)
{
	int fd = OK(open("/proc/sys/vm/drop_caches", O_WRONLY));

	CHECK_EQ(write(fd, "3", 1), 1);
	OK(close(fd));
}

static TEST_UNUSED void usage_take(struct usage *u)
{
	static char text[16384];
	char *line, *save = NULL;
	static const char *const kinds[] = {"AnonPages:", "KernelStack:", "PageTables:", "KernelPages:"};

	u->nr = 0;
	drop_caches();
	file_read("/proc/meminfo", text, sizeof(text));
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		line = strstr(text, kinds[i]);
		CHECK(line != NULL);
		snprintf(u->name[u->nr], sizeof(u->name[0]), "%s", kinds[i]);
		u->objects[u->nr++] = atol(line + strlen(kinds[i]));
	}
	file_read("/proc/slabinfo", text, sizeof(text));
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (u->nr < 80 && line[0] != '#' && sscanf(line, "%23s %ld", u->name[u->nr], &u->objects[u->nr]) == 2)
			u->nr++;
	}
	CHECK(u->nr > 10);
}

/* The first thing of which there is more than before, or NULL. */
static TEST_UNUSED const char *usage_grown(const struct usage *before, const struct usage *now)
{
	static char text[100];

	for (int i = 0; i < now->nr; i++) {
		if (now->objects[i] > before->objects[i]) {
			snprintf(
				text, sizeof(text), "%s %ld -> %ld", now->name[i], before->objects[i], now->objects[i]);
			return text;
		}
	}
	return NULL;
}

/* ---- walking ---- */

/*
 * op: 0 or an errno; it may leave something behind only when it succeeds. after(err): looks at what op did, fails the test if
 * that is wrong, and undoes it; nothing fails meanwhile.
 */
struct walk {
	const char *what;
	int (*op)(void);
	void (*after)(int err);
	int errnos[4]; /* allowed besides ENOMEM */
};

static TEST_UNUSED bool errno_allowed(const struct walk *w, int err)
{
	for (int i = 0; i < 4; i++)
		if (err == w->errnos[i])
			return true;
	return err == 0 || err == ENOMEM;
}

static TEST_UNUSED int walk_once(const struct walk *w)
{
	for (unsigned n = 1; n < NTH_MAX; n++) {
		unsigned left;
		int err;

		fail_nth(n);
		err = w->op();
		left = fail_nth_left();
		fail_nth(0);
		if (!errno_allowed(w, err))
			FAIL("%s with allocation %u failing: %s", w->what, n, strerror(err));
		if (left && err)
			FAIL("%s: %s although no allocation failed", w->what, strerror(err));
		if (w->after)
			w->after(err);
		if (n % 8 == 1 || left)
			check_kernel();
		if (left)
			return n - 1;
	}
	FAIL("%s does not come to an end", w->what);
}

static TEST_UNUSED void walk(const struct walk *w)
{
	static struct usage before, now;
	const char *grown = NULL;
	int steps = walk_once(w);

	/* Caches fill: what is lost is lost at each walk. */
	for (int round = 0; round < 4; round++) {
		usage_take(&before);
		CHECK(walk_once(w) >= 0);
		nap_ms(20); /* what dies asynchronously */
		usage_take(&now);
		grown = usage_grown(&before, &now);
		if (!grown)
			break;
	}
	if (grown)
		FAIL("%s: lost on the way through %d allocations: %s", w->what, steps, grown);
	if (getenv("TEST_VERBOSE"))
		dprintf(2, "# %s: %d allocations\n", w->what, steps);
}

#define WALK(op, after, ...) walk(&(struct walk){#op, op, after, {__VA_ARGS__}})

static TEST_UNUSED int result(long r)
{
	return r == -1 ? errno : 0;
}

/* ---- a memory with something of everything ---- */

#define AREA (16 * PG)
static TEST_UNUSED unsigned char *anon, *file_private, *file_shared, *shared, *fresh;
static int file_fd = -1;

static TEST_UNUSED void fill(unsigned char *p, int seed)
{
	for (size_t i = 0; i < AREA; i += PG)
		p[i] = seed + i / PG;
}

static TEST_UNUSED void verify(const unsigned char *p, int seed)
{
	for (size_t i = 0; i < AREA; i += PG)
		CHECK_EQ(p[i], (unsigned char)(seed + i / PG));
}

static TEST_UNUSED void make_memory(void)
{
	unsigned char page[PG];

	need_fail_nth();
	file_fd = OK(open("data", O_RDWR | O_CREAT, 0644));
	for (size_t i = 0; i < AREA; i += PG) {
		memset(page, 100 + i / PG, PG);
		CHECK_EQ(write(file_fd, page, PG), PG);
	}
	anon = map_anon(AREA, PROT_READ | PROT_WRITE);
	file_private = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE, file_fd, 0);
	file_shared = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_SHARED, file_fd, 0);
	CHECK(file_private != MAP_FAILED && file_shared != MAP_FAILED);
	shared = map_shared(AREA);
	fill(anon, 1);
	fill(shared, 50);
	file_private[0] = 100;
	verify(file_private, 100);
	verify(file_shared, 100);
}

static TEST_UNUSED void verify_memory(void)
{
	verify(anon, 1);
	verify(shared, 50);
	verify(file_private, 100);
	verify(file_shared, 100);
}

#endif
