/* Swap: areas come and go, pages go out and come back, and nobody sees a difference in content. */
#include "test.h"

#include <sys/mount.h>
#include <sys/swap.h>
#include <sys/sysinfo.h>

#define PG        4096UL
#define AREA      2048 /* pages of the swap file */
#define PRIORITY  200  /* above what the machine has already */
#define NR        256

#ifndef MADV_PAGEOUT
#define MADV_COLD    20
#define MADV_PAGEOUT 21
#endif
#ifndef SWAP_FLAG_PREFER
#define SWAP_FLAG_PREFER 0x8000
#endif

static char area[64]; /* path of the swap file */

/* What mkswap writes: version 1, the last page, no bad ones. */
static void header_make(unsigned char *page, unsigned last_page)
{
	unsigned info[3] = {1, last_page, 0};

	memset(page, 0, PG);
	memcpy(page + 1024, info, sizeof(info));
	memcpy(page + 1024 + 28, "test area", 9);
	memcpy(page + PG - 10, "SWAPSPACE2", 10);
}

static void area_make(unsigned pages, unsigned last_page)
{
	static unsigned char page[PG];
	int fd;

	need_root();
	snprintf(area, sizeof(area), "/swapfile.%d", (int)getpid());
	fd = OK(open(area, O_RDWR | O_CREAT | O_TRUNC, 0600));
	header_make(page, last_page);
	CHECK_EQ(write(fd, page, PG), PG);
	memset(page, 0x5a, PG);
	for (unsigned i = 1; i < pages; i++)
		CHECK_EQ(write(fd, page, PG), PG);
	OK(fsync(fd));
	OK(close(fd));
}

static void area_drop(void)
{
	unlink(area);
}

/* A swap file in use for the rest of the case, with its name. */
static void area_on(void)
{
	area_make(AREA, AREA - 1);
	OK(swapon(area, SWAP_FLAG_PREFER | PRIORITY));
}

static void area_off(void)
{
	if (area[0])
		OK(swapoff(area));
	area_drop();
}

static bool page_swapped(const void *p)
{
	static int fd = -2;
	uint64_t word = 0;
	unsigned char in;

	if (fd == -2)
		fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		CHECK_EQ(pread(fd, &word, 8, (off_t)((uintptr_t)p / PG * 8)), 8);
		return word >> 62 & 1;
	}
	OK(mincore((void *)((uintptr_t)p & ~(PG - 1)), PG, &in));
	return !(in & 1);
}

static size_t nr_swapped(const char *p, size_t pages)
{
	size_t nr = 0;

	for (size_t i = 0; i < pages; i++)
		nr += page_swapped(p + i * PG);
	return nr;
}

static void page_out(char *p, size_t pages)
{
	OK(madvise(p, pages * PG, MADV_PAGEOUT));
	/* It may have to be written first. */
	for (int i = 0; i < 500 && !nr_swapped(p, pages); i++)
		nap_ms(2);
	if (!nr_swapped(p, pages)) {
		area_off();
		SKIP("nothing is swapped out here");
	}
}

static void fill(char *p, size_t pages, unsigned seed)
{
	for (size_t i = 0; i < pages; i++) {
		unsigned *w = (unsigned *)(p + i * PG), s = seed + (unsigned)i * 77;

		for (size_t k = 0; k < PG / 4; k++)
			w[k] = rnd(&s);
	}
}

static void expect(const char *p, size_t pages, unsigned seed)
{
	for (size_t i = 0; i < pages; i++) {
		const unsigned *w = (const unsigned *)(p + i * PG);
		unsigned s = seed + (unsigned)i * 77;

		for (size_t k = 0; k < PG / 4; k++)
			if (w[k] != rnd(&s))
				FAIL("page %zu, word %zu is wrong", i, k);
	}
}

static unsigned long swap_free(void)
{
	struct sysinfo si;

	OK(sysinfo(&si));
	return si.freeswap * si.mem_unit / PG;
}

static unsigned long swap_total(void)
{
	struct sysinfo si;

	OK(sysinfo(&si));
	return si.totalswap * si.mem_unit / PG;
}

/* ---- areas ---- */

TEST(only_root_may)
{
	need_root();
	OK(setuid(65534));
	ERR(swapon("/nowhere", 0), EPERM);
	ERR(swapoff("/nowhere"), EPERM);
}

TEST(what_is_no_area_is_refused)
{
	need_root();
	ERR(swapon("/nowhere", 0), ENOENT);
	ERR(swapoff("/nowhere"), ENOENT);
	ERR(swapon("/", 0), EINVAL);
	ERR(swapoff("/"), EINVAL);
	ERR(swapon("/dev/null", 0), EINVAL);
	area_make(16, 15);
	ERR(swapon(area, 0x100000), EINVAL);
	ERR(swapoff(area), EINVAL);
	OK(truncate(area, 8 * PG)); /* shorter than the header says */
	ERR(swapon(area, 0), EINVAL);
	OK(truncate(area, 0));
	ERR(swapon(area, 0), EINVAL);
	OK(truncate(area, 64 * PG)); /* no header at all, and holes */
	ERR(swapon(area, 0), EINVAL);
	area_drop();
}

TEST(a_hole_is_refused)
{
	unsigned char page[PG];
	int fd;

	area_make(4, 31);
	OK(truncate(area, 32 * PG));
	fd = OK(open(area, O_RDWR));
	CHECK_EQ(pwrite(fd, page, PG, 31 * PG), PG);
	OK(fsync(fd));
	OK(close(fd));
	ERR(swapon(area, 0), EINVAL);
	area_drop();
}

TEST(an_area_is_used_once_and_protected)
{
	unsigned long before = swap_total();

	area_on();
	CHECK_EQ(swap_total(), before + AREA - 1);
	ERR(swapon(area, 0), EBUSY);
	ERR(truncate(area, 0), ETXTBSY);
	if (on_vitrine())
		ERR(open(area, O_WRONLY), ETXTBSY);
	OK(swapoff(area));
	ERR(swapoff(area), EINVAL);
	OK(close(OK(open(area, O_WRONLY))));
	OK(swapon(area, SWAP_FLAG_PREFER | PRIORITY));
	area_off();
}

TEST(an_area_keeps_its_place_mounted)
{
	char place[64], at[160];

	area_make(AREA, AREA - 1);
	snprintf(place, sizeof(place), "/swapplace.%d", (int)getpid());
	snprintf(at, sizeof(at), "%s%s", place, area);
	OK(mkdir(place, 0700));
	OK(mount("/", place, NULL, MS_BIND, NULL));
	OK(swapon(at, 0));
	ERR(umount(place), EBUSY);
	OK(swapoff(at));
	OK(umount(place));
	OK(rmdir(place));
	area_drop();
}

TEST(proc_swaps_names_it)
{
	static char text[4096];
	char *line;
	long size, used, prio;
	char kind[32];

	if (access("/proc/swaps", R_OK) != 0)
		SKIP("no /proc/swaps");
	area_on();
	file_read("/proc/swaps", text, sizeof(text));
	line = strstr(text, area);
	if (!line)
		area_off();
	CHECK(line != NULL);
	CHECK_EQ(sscanf(line + strlen(area), "%31s %ld %ld %ld", kind, &size, &used, &prio), 4);
	CHECK_STR(kind, "file");
	CHECK_EQ(size, (AREA - 1) * 4);
	CHECK_EQ(prio, PRIORITY);
	area_off();
}

/* ---- pages ---- */

static void out_and_back(void)
{
	char *p = map_anon(NR * PG, PROT_READ | PROT_WRITE);

	fill(p, NR, 1);
	page_out(p, NR);
	expect(p, NR, 1);
	fill(p, NR, 2);
	page_out(p, NR);
	p[5 * PG + 9]++; /* the first access writes */
	p[5 * PG + 9]--;
	expect(p, NR, 2);
	/* Read, and out again: what the area has is still right. */
	page_out(p, NR);
	expect(p, NR, 2);
	page_out(p, NR);
	expect(p, NR, 2);
	OK(munmap(p, NR * PG));
}

TEST(pages_go_out_and_come_back)
{
	area_on();
	out_and_back();
	area_off();
}

/* Without a disk: compressed memory, if the machine has it. */
TEST(pages_go_out_and_come_back_without_a_disk)
{
	char *p = map_anon(NR * PG, PROT_READ | PROT_WRITE);

	for (size_t i = 0; i < NR * PG; i += 16)
		p[i] = (char)(i >> 6);
	page_out(p, NR);
	for (size_t i = 0; i < NR * PG; i++)
		CHECK_EQ(p[i], i % 16 ? 0 : (char)(i >> 6));
	memset(p, 7, NR * PG);
	page_out(p, NR);
	for (size_t i = 0; i < NR * PG; i++)
		CHECK_EQ(p[i], 7);
}

TEST(noise_does_not_fit_in_less_memory)
{
	char *p = map_anon(NR * PG, PROT_READ | PROT_WRITE);

	fill(p, NR, 9);
	OK(madvise(p, NR * PG, MADV_PAGEOUT));
	expect(p, NR, 9);
}

TEST(unmapping_gives_the_room_back)
{
	unsigned long before;
	char *p;

	area_on();
	before = swap_free();
	p = map_anon(NR * PG, PROT_READ | PROT_WRITE);
	for (int i = 0; i < 20; i++) {
		fill(p, NR, 3);
		OK(madvise(p, NR * PG, MADV_PAGEOUT));
		/* While some of it is still being written. */
		if (i & 1)
			OK(madvise(p, NR * PG, MADV_DONTNEED));
		else
			OK(munmap(p + PG, (NR - 1) * PG));
		if (!(i & 1))
			CHECK(mmap(p, NR * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p);
		CHECK_EQ(p[PG], 0);
	}
	OK(munmap(p, NR * PG));
	AWAIT(swap_free() + 16 >= before);
	area_off();
}

TEST(swapped_pages_move_and_change_rights)
{
	char *p, *q;

	area_on();
	p = map_anon(NR * PG, PROT_READ | PROT_WRITE);
	fill(p, NR, 4);
	page_out(p, NR);
	OK(mprotect(p, 16 * PG, PROT_READ));
	q = mremap(p, NR * PG, 2 * NR * PG, MREMAP_MAYMOVE);
	if (q == MAP_FAILED) { /* two areas by now */
		q = mremap(p + 16 * PG, (NR - 16) * PG, 2 * NR * PG, MREMAP_MAYMOVE);
		CHECK(q != MAP_FAILED);
		CHECK(nr_swapped(q, NR - 16) > 0);
		expect(p, 16, 4);
		expect(q, NR - 16, 4 + 16 * 77);
		CHECK_EQ(q[(NR - 16) * PG], 0);
		DIES_OF(SIGSEGV, *(volatile char *)p = 1);
	}
	area_off();
}

TEST(locked_pages_stay)
{
	char *p = map_anon(16 * PG, PROT_READ | PROT_WRITE);
	unsigned char in[16];
	void *hole;

	fill(p, 16, 5);
	OK(mlock(p, 16 * PG));
	ERR(madvise(p, 16 * PG, MADV_PAGEOUT), EINVAL);
	OK(mincore(p, 16 * PG, in));
	for (int i = 0; i < 16; i++)
		CHECK_EQ(in[i] & 1, 1);
	OK(munlock(p, 16 * PG));
	OK(madvise(p, 16 * PG, MADV_PAGEOUT));
	expect(p, 16, 5);
	/* mlock brings them back. */
	OK(madvise(p, 16 * PG, MADV_PAGEOUT));
	OK(mlock(p, 16 * PG));
	CHECK_EQ(nr_swapped(p, 16), 0);
	hole = map_anon(PG, PROT_READ);
	OK(munmap(hole, PG));
	ERR(mlock(hole, PG), ENOMEM);
	OK(munlockall());
	OK(mlockall(MCL_CURRENT));
	ERR(madvise(p, 16 * PG, MADV_PAGEOUT), EINVAL);
	OK(munlockall());
	ERR(mlockall(0), EINVAL);
}

/* ---- families ---- */

/* Each one of a chain of forks sees what there was when it was born, whatever the others write and swap out. */
static void generation(char *p, int depth)
{
	fill(p + depth * 8 * PG, 8, 100 + (unsigned)depth);
	OK(madvise(p, NR * PG, MADV_PAGEOUT));
	if (depth < 6) {
		pid_t pid = OK(fork());

		if (pid == 0) {
			generation(p, depth + 1);
			_exit(0);
		}
		fill(p + 128 * PG, 8, 1000 + (unsigned)depth);
		OK(madvise(p, NR * PG, MADV_PAGEOUT));
		wait_ok(pid);
		expect(p + 128 * PG, 8, 1000 + (unsigned)depth);
	}
	for (int i = 0; i <= depth; i++)
		expect(p + i * 8 * PG, 8, 100 + (unsigned)i);
	for (size_t i = ((size_t)depth + 1) * 8 * PG; i < 64 * PG; i += PG)
		CHECK_EQ(p[i], 0);
	expect(p + 200 * PG, 56, 99);
}

TEST_LIMIT(families_share_what_is_out, 60)
{
	char *p;

	area_on();
	p = map_anon(NR * PG, PROT_READ | PROT_WRITE);
	fill(p + 200 * PG, 56, 99);
	generation(p, 0);
	OK(munmap(p, NR * PG));
	area_off();
}

TEST(shared_memory_goes_out_too)
{
	volatile unsigned *turn;
	char *p;
	pid_t pid;

	area_on();
	p = map_shared(NR * PG);
	turn = map_shared(PG);
	fill(p, NR, 6);
	pid = OK(fork());
	if (pid == 0) {
		for (unsigned i = 0; i < 10; i++) {
			AWAIT(*turn == 2 * i + 1);
			expect(p, NR, 6 + 2 * i);
			fill(p, NR, 7 + 2 * i);
			OK(madvise(p, NR * PG, MADV_PAGEOUT));
			*turn = 2 * i + 2;
		}
		_exit(0);
	}
	for (unsigned i = 0; i < 10; i++) {
		OK(madvise(p, NR * PG, MADV_PAGEOUT));
		*turn = 2 * i + 1;
		AWAIT(*turn == 2 * i + 2);
		expect(p, NR, 7 + 2 * i);
		fill(p, NR, 8 + 2 * i);
	}
	wait_ok(pid);
	area_off();
}

/* ---- races ---- */

#define WRITERS 3
#define ROUNDS  40

static char *arena;
static volatile int writers_left;

/* Each word of its pages counts by one; a lost or doubled write shows. */
static void *writer(void *arg)
{
	uintptr_t me = (uintptr_t)arg;

	for (unsigned round = 0; round < ROUNDS; round++) {
		for (size_t i = me; i < NR; i += WRITERS) {
			volatile unsigned *w = (volatile unsigned *)(arena + i * PG);

			if (w[me] != round)
				FAIL("page %zu says %u in round %u", i, w[me], round);
			w[me] = round + 1;
			w[1000] = round * 3;
		}
	}
	__atomic_sub_fetch(&writers_left, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void hammer(void (*meanwhile)(int round))
{
	pthread_t t[WRITERS];
	int round = 0;

	arena = map_anon(NR * PG, PROT_READ | PROT_WRITE);
	writers_left = WRITERS;
	for (uintptr_t i = 0; i < WRITERS; i++)
		ZERO(pthread_create(&t[i], NULL, writer, (void *)i));
	while (writers_left)
		meanwhile(round++);
	for (int i = 0; i < WRITERS; i++)
		ZERO(pthread_join(t[i], NULL));
	for (size_t i = 0; i < NR; i++)
		CHECK_EQ(((unsigned *)(arena + i * PG))[i % WRITERS], ROUNDS);
}

static void keep_paging_out(int round)
{
	OK(madvise(arena, NR * PG, MADV_PAGEOUT));
}

TEST_LIMIT(writers_race_with_swap_out, 120)
{
	area_on();
	hammer(keep_paging_out);
	area_off();
}

static void fork_and_page_out(int round)
{
	pid_t pid = OK(fork());

	if (pid == 0) {
		unsigned sum = 0;

		madvise(arena, NR * PG, MADV_PAGEOUT);
		for (size_t i = 0; i < NR; i++)
			sum += ((volatile unsigned *)(arena + i * PG))[0];
		_exit(sum == 0xffffffff);
	}
	OK(madvise(arena, NR * PG, MADV_PAGEOUT));
	wait_ok(pid);
}

TEST_LIMIT(writers_race_with_forks_and_swap_out, 120)
{
	area_on();
	hammer(fork_and_page_out);
	area_off();
}

static void area_comes_and_goes(int round)
{
	OK(madvise(arena, NR * PG, MADV_PAGEOUT));
	OK(swapoff(area));
	OK(swapon(area, SWAP_FLAG_PREFER | PRIORITY));
}

TEST_LIMIT(writers_race_with_swapoff, 120)
{
	area_on();
	hammer(area_comes_and_goes);
	area_off();
}

TEST_MAIN
